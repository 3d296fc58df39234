"""``evaluate --judgements`` and ``reproduce discovery``, and what they refuse."""

import csv
import json
from dataclasses import replace

import pytest

from conftest import paint
from likelens import Catalogue, garments, open_store
from likelens.presets import Row
from likelens.report.sections import Sheet
from likelens.reproduce import discovery, table_sections, write_tables
from likelens.reproduce._discovery import DiscoveryRun
from likelens.values.errors import BadSpec

COLOUR, HOG = "opencv:colour?bins=4", "opencv:hog?size=64"
ABSENT = Row(
    "checkpoint:nowhere.pth?arch=torchvision:resnet18", "tuned", "ours", file="nowhere.pth"
)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return garments.create(tmp_path_factory.mktemp("shop"), items=40, size=48, wild=True)


def write_judgements(path, queries, items, likes):
    """Every third query with ten items; those that ``likes`` says are alike."""
    lines = ["query,candidate,grade"]
    for row in range(0, len(queries), 3):
        for place in range(row % 4, len(items), 4):
            if queries.ids[row] != items.ids[place]:
                pair = queries.ids[row], items.ids[place]
                lines.append(f"{pair[0]},{pair[1]},{int(likes(row, place))}")
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def judged(source):
    catalogue = Catalogue.open(source)
    kinds = catalogue.attributes["kind"].to_pylist()
    return write_judgements(
        source.parent / "judged.csv", catalogue, catalogue, lambda q, i: kinds[q] == kinds[i]
    )


@pytest.fixture(scope="module")
def judged_wild(source):
    catalogue, wild = Catalogue.open(source), Catalogue.open(source.parent / "wild")
    kinds, asking = (one.attributes["kind"].to_pylist() for one in (catalogue, wild))
    return write_judgements(
        source.parent / "wild.csv", wild, catalogue, lambda q, i: asking[q] == kinds[i]
    )


@pytest.fixture(scope="module")
def run(source, judged, judged_wild):
    rows = [Row(COLOUR, "colours", "", {"closed:hr_at_9": 0.25}), Row(HOG, "edges", ""), ABSENT]
    return discovery(
        Catalogue.open(source),
        judged,
        rows,
        wild=Catalogue.open(source.parent / "wild"),
        wild_judgements=judged_wild,
        pool_k=4,
    )


class TestEvaluate:
    def test_shows_the_board_and_writes_the_page(self, likelens, source, judged, tmp_path):
        code, out, err = likelens(
            "evaluate", source, "-e", COLOUR, HOG, "--judgements", judged, "--pool-k", 3,
            "--out", tmp_path / "r", "-k", 3,
        )  # fmt: skip
        assert code == 0
        assert "note: at least " in err
        assert err.count("\n") == 1
        assert "infAP" in out
        assert "HR@3" in out
        assert "left out of the pool" in out
        assert (tmp_path / "r" / "discovery.html").is_file()
        assert not (tmp_path / "r" / "report.html").exists()

    def test_json_says_it_all(self, likelens, source, judged, tmp_path):
        code, out, _ = likelens(
            "evaluate", source, "-e", COLOUR, "--judgements", judged, "--out", tmp_path, "--json",
            "--definition", "release", "--different-products", "--queries", source.parent / "wild",
            "--skip-unknown",
        )  # fmt: skip
        assert code == 2  # the queries of these judgements are not in the wild
        code, out, _ = likelens(
            "evaluate", source, "-e", COLOUR, "--judgements", judged, "--out", tmp_path, "--json"
        )
        found = json.loads(out)
        assert found["leaderboard"][0]["encoder"] == COLOUR
        assert found["statistics"]["queries"] == 14
        assert found["identity"]["spearman"]["hr_at_5"]["rho"] is None
        assert found["report"].endswith("discovery.html")

    def test_needs_no_tags(self, likelens, tmp_path):
        names = [f"{number}.png" for number in range(6)]
        for number, name in enumerate(names):
            paint(tmp_path / "shop" / name, number)
        file = tmp_path / "judged.csv"
        file.write_text(
            f"query,candidate,grade\n{names[0]},{names[1]},1\n{names[0]},{names[2]},0\n"
        )
        code, out, _ = likelens(
            "evaluate",
            tmp_path / "shop",
            "-e",
            COLOUR,
            "--judgements",
            file,
            "--out",
            tmp_path / "r",
        )
        assert code == 0
        counts = "1 query (1 with a pair alike, 1 with both kinds), 6 items, 2 judged pairs"
        assert counts in out

    def test_takes_votes_for_grades(self, likelens, source, judged, tmp_path):
        file = tmp_path / "votes.csv"
        file.write_text(judged.read_text().replace("grade", "vote", 1))
        code, out, _ = likelens(
            "evaluate", source, "-e", COLOUR, "--judgements", file, "--out", tmp_path, "--json"
        )
        assert code == 0
        assert json.loads(out)["statistics"]["queries"] == 14

    def test_in_the_wild(self, likelens, source, judged_wild, tmp_path):
        code, out, _ = likelens(
            "evaluate", source, "-e", COLOUR, HOG, "--judgements", judged_wild, "--queries",
            source.parent / "wild", "--out", tmp_path / "r", "--json",
        )  # fmt: skip
        assert code == 0
        assert json.loads(out)["statistics"]["queries"] == 7
        store = open_store(tmp_path / "r" / "store")
        assert store.catalogue().ids == Catalogue.open(source).ids, "the gallery is served"
        assert len(store.known(COLOUR)) == len(store.catalogue()) + 20
        page = (tmp_path / "r" / "discovery.html").read_text()
        assert "queries, in the wild" in page
        assert "--queries" in page

    def test_in_the_wild_with_the_store_here(
        self, likelens, source, judged_wild, tmp_path, monkeypatch
    ):
        (tmp_path / "here").mkdir()
        monkeypatch.chdir(tmp_path / "here")
        code, _, _ = likelens(
            "evaluate", source, "-e", COLOUR, "--judgements", judged_wild, "--queries",
            source.parent / "wild", "--store", ".",
        )  # fmt: skip
        assert code == 0
        assert (tmp_path / "here" / "store.json").is_file()

    def test_a_pool_that_annotate_wrote(self, likelens, source, judged, tmp_path):
        code, _, _ = likelens(
            "annotate", "pool", source, "-e", COLOUR, HOG, "-k", 3, "--out", tmp_path / "pool.csv"
        )
        assert code == 0
        code, out, _ = likelens(
            "evaluate", source, "-e", COLOUR, "--judgements", judged, "--out", tmp_path / "r",
            "--pool", tmp_path / "pool.csv", "--store", tmp_path / "store", "--json",
        )  # fmt: skip
        assert code == 0
        found = json.loads(out)
        assert found["overlap"]["encoders"] == [COLOUR, HOG]
        assert {row["removed"] for row in found["leave_one_out"]} == {COLOUR, HOG}


class TestWrongUse:
    @pytest.mark.parametrize(
        ("options", "said"),
        [
            (["--pool-k", "3"], "--pool-k is of judgements, and there are none"),
            (["-k", "3", "--skip-unknown"], "-k, --skip-unknown is of judgements"),
            (["--judgements", "{judged}", "--stress"], "--stress is of tags"),
            (["--judgements", "{judged}", "--recipe", "released"], "--recipe is of tags"),
            (["--judgements", "none.csv"], "no such table"),
            (["--judgements", "{judged}", "--rank-by", "hr_at_4"], "no metric 'hr_at_4'"),
            (["--judgements", "{judged}", "-k", "0"], "k = 0 is no cut-off"),
            (
                ["--judgements", "{judged}", "--pool", "{judged}"],
                "a table of judgements and no pool",
            ),
            (["--judgements", "{judged}", "--pool", "x.csv", "--pool-k", "2"], "are two"),
            (["--judgements", "{judged}", "--negatives", "sampled"], "40 items have no rank 500"),
            (["--judgements", "{judged}", "--queries", "nowhere"], "no such"),
        ],
    )
    def test_is_one_sentence(self, likelens, source, judged, tmp_path, options, said):
        given = [option.format(judged=judged) for option in options]
        code, out, err = likelens("evaluate", source, "-e", COLOUR, "--out", tmp_path / "r", *given)
        assert (code, out) == (2, "")
        assert err.startswith("likelens: ")
        assert said in err
        assert not (tmp_path / "r" / "discovery.html").exists()

    @pytest.mark.parametrize(
        ("rows", "said"),
        [
            (
                "x,{0},1\n{0},{1},1",
                "1 of 2 judgements are of pictures that are not in the catalogue",
            ),
            ("{0},{1},1\n{0},{1},0", "1 pair has two grades"),
            ("{0},{1},3", "1 of 1 judgements are neither 0 nor 1: 3"),
            ("{0},{1},good", "'good'"),
            ("{0},,1", "lacks a candidate"),
            ("{0},{0},1", "none of the 1 judgements is left"),
        ],
    )
    def test_of_judgements_too(self, likelens, source, tmp_path, rows, said):
        file = tmp_path / "judged.csv"
        file.write_text("query,candidate,grade\n" + rows.format(*Catalogue.open(source).ids) + "\n")
        code, _, err = likelens(
            "evaluate", source, "-e", COLOUR, "--judgements", file, "--out", tmp_path / "r"
        )
        assert code == 2
        assert said in err


class TestReproduce:
    def test_every_table_is_there(self, run):
        made = {name for name, rows in run.tables.items() if rows}
        assert made >= {f"table-{number}" for number in range(1, 7)} | {"table-2-wild", "missing"}
        settings = [row["setting"] for row in run.tables["table-1"]]
        assert settings == ["closed catalogue", "in the wild"]
        assert [row["queries"] for row in run.tables["table-1"]] == [14, 7]

    def test_tables_are_those_of_the_boards(self, run):
        for figure, setting in ((5, "closed"), (6, "wild")):
            board = run.boards[setting]
            rows = {row["encoder"]: row for row in run.tables[f"table-{figure}"]}
            assert {"colours", "edges", "random"} <= {row["name"] for row in rows.values()}
            for entry in board.entries:
                assert rows[entry.name]["roc_auc_macro"] == entry.figures["roc_auc_macro"].mean
                assert rows[entry.name]["unjudged_at_5"] == entry.unjudged[5]
        overlap = {row["name"]: row for row in run.tables["table-2"]}
        assert overlap["colours"]["colours"] == 100
        assert overlap["colours"]["edges"] == overlap["edges"]["colours"] < 100
        assert {row["removed"] for row in run.tables["table-3"]} == {"colours", "edges"}

    def test_published_figures_have_a_column_where_a_row_has_one(self, run):
        rows = {row["name"]: row for row in run.tables["table-5"]}
        assert rows["colours"]["published_hr_at_9"] == 0.25
        assert rows["edges"]["published_hr_at_9"] is None
        assert "published_hr_at_9" not in run.tables["table-6"][0]
        texts = [part for section in table_sections(run) for part in section.parts]
        heads = {head for part in texts if isinstance(part, Sheet) for head in part.heads}
        assert "paper, HR@9" in heads

    def test_what_is_missing_is_told(self, run):
        assert [row["name"] for row in run.tables["missing"]] == ["tuned"]
        assert "Not measured" in [section.title for section in table_sections(run)]

    def test_the_folder(self, run, tmp_path):
        page = write_tables(run, tmp_path)
        text = page.read_text()
        for number in range(1, 7):
            assert f"## Table {number}: " in text
        assert (tmp_path / "closed" / "discovery.html").is_file()
        assert (tmp_path / "wild" / "discovery.html").is_file()
        kept = json.loads((tmp_path / "reproduce-discovery.json").read_text())
        assert kept["table-5"][0]["rank"] == 1
        with (tmp_path / "tables" / "table-5.csv").open() as lines:
            assert len(list(csv.DictReader(lines))) == len(run.first.entries)

    def test_closed_alone_says_what_is_not_measured(self, run):
        only = replace(run, boards={"closed": run.first})
        titles = {section.title: section for section in table_sections(only)}
        assert "Not measured: give pictures" in titles["Table 6: leaderboard, in the wild"].parts[0]

    def test_the_command(self, likelens, source, judged, tmp_path):
        code, out, _ = likelens(
            "reproduce", "discovery", source, "-e", f"colours={COLOUR}", "-e", HOG,
            "--judgements", judged, "--out", tmp_path / "r", "--json",
        )  # fmt: skip
        assert code == 0
        found = json.loads(out)
        assert {"colours", "random", "shuffled"} <= {row["name"] for row in found["table-5"]}
        assert (tmp_path / "r" / "reproduce-discovery.md").is_file()
        code, out, _ = likelens(
            "reproduce", "discovery", source, "-e", COLOUR, "--judgements", judged,
            "--out", tmp_path / "r",
        )  # fmt: skip
        assert code == 0
        assert "left out of the pool" in out

    def test_one_flag_takes_several_names(self, likelens, source, judged, tmp_path):
        code, out, _ = likelens(
            "reproduce", "discovery", source, "-e", f"colours={COLOUR}", f"edges={HOG}",
            "--judgements", judged, "--out", tmp_path / "r", "--json",
        )  # fmt: skip
        assert code == 0
        assert {"colours", "edges"} <= {row["name"] for row in json.loads(out)["table-5"]}

    @pytest.mark.parametrize("table", ["discovery", "engine"])
    def test_one_name_for_two_encoders_is_refused(self, likelens, source, judged, tmp_path, table):
        options = ["--judgements", judged] if table == "discovery" else []
        code, _, err = likelens(
            "reproduce", table, source, "-e", f"a={COLOUR}", "-e", f"a={HOG}", *options,
            "--out", tmp_path / "r",
        )  # fmt: skip
        assert code == 2
        assert f"a is the name of {COLOUR}, {HOG}" in err

    def test_a_shared_place_is_marked(self, run):
        level = replace(
            run.first, entries=tuple(replace(one, rank=1) for one in run.first.entries[:2])
        )
        texts = table_sections(DiscoveryRun({"closed": level}, run.rows, run.missing))
        sheets = [
            part
            for section in texts
            if section.title.startswith("Table 5")
            for part in section.parts
        ]
        assert [row[0] for row in sheets[0].rows] == ["1=", "1="]

    def test_the_wild_needs_both(self, likelens, source, judged, tmp_path):
        with pytest.raises(BadSpec, match="go together"):
            discovery(Catalogue.open(source), judged, [COLOUR], wild_judgements=judged)
        code, _, err = likelens(
            "reproduce", "discovery", source, "-e", COLOUR, "--judgements", judged,
            "--wild", source.parent / "wild", "--out", tmp_path,
        )  # fmt: skip
        assert code == 2
        assert "queries in the wild and judgements of them go together" in err
