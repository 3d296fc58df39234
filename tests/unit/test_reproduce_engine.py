"""The tables of an image search engine, from small drawn classes, against plain loops."""

import csv
import json
import math
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from conftest import paint
from likelens import Catalogue, embed
from likelens._parents import Parents
from likelens.cli.reproduce import named
from likelens.encoders.torch_load import need_library
from likelens.index.index import Index
from likelens.presets import Row, preset
from likelens.report.bubbles import Bubble, LogAxis, bubbles_svg
from likelens.report.sections import Chart, Points, Section, Sheet, markdown_sections
from likelens.reproduce import charts, engine, find_parents, sections, write_engine
from likelens.reproduce._engine_tables import confusion_table, slug
from likelens.reproduce._engine_write import grids
from likelens.values.errors import BadSpec, BadTable, MissingExtra, NoWeights
from likelens.values.spec import Spec

COLOUR, HOG = "opencv:colour?bins=4", "opencv:hog?size=64"
ABSENT = next(row for row in preset("image-search") if row.name == "ViT-1.58b")
SIZES = {"ant": 6, "bee": 5, "cat": 4, "lone": 1}
PARENTS = Parents(
    {"ant": "insects", "bee": "insects", "cat": "mammals", "lone": "mammals"}, "us",
    ("insects", "mammals"),
)  # fmt: skip
K = 3


def classes(root: Path, sizes=SIZES) -> Path:
    """A folder of class folders; pictures of one class share half of their stripes."""
    for number, (name, count) in enumerate(sizes.items()):
        for picture in range(count):
            paint(root / name / f"{picture}.png", 100 * number + picture)
    return root


def noise(root: Path, count: int, seed: int, side: int = 96) -> Catalogue:
    """Pictures of random squares, which have corners, in three classes."""
    draw = np.random.default_rng(seed)
    for number in range(count):
        cells = draw.integers(0, 256, (12, 12, 3), np.uint8)
        place = root / f"c{number % 3}" / f"{number}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(cells).resize((side, side), Image.Resampling.NEAREST).save(place)
    return Catalogue.open(root)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return classes(tmp_path_factory.mktemp("classes"))


@pytest.fixture(scope="module")
def catalogue(source):
    return Catalogue.open(source)


@pytest.fixture(scope="module")
def found(catalogue):
    return engine(
        catalogue,
        [Row(COLOUR, "colours", ""), HOG, ABSENT, "control:random?dim=9"],
        parents=PARENTS,
        second=catalogue.take(catalogue.ids[:11]),
        per_class=2,
        k=K,
    )


@pytest.fixture(scope="module")
def folder(found, tmp_path_factory):
    folder = tmp_path_factory.mktemp("out")
    assert write_engine(found, folder).name == "reproduce-engine.md"
    return folder


def by_hand(catalogue, spec, queries, k):
    """P, R, HR, nDCG and AP of each query, written out; None where nothing is relevant."""
    vectors = embed(catalogue, spec).vectors.astype(np.float64)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    labels = catalogue.labels
    made = []
    for query in queries:
        others = [row for row in range(len(labels)) if row != query]
        order = sorted(
            others, key=lambda row: (-round(float(vectors[query] @ vectors[row]), 5), row)
        )
        hits = [labels[row] == labels[query] for row in order[:k]]
        relevant = sum(labels[row] == labels[query] for row in others)
        if not relevant:
            made.append(None)
            continue
        gain = sum(hit / math.log2(rank + 2) for rank, hit in enumerate(hits))
        ideal = sum(1 / math.log2(rank + 2) for rank in range(min(k, relevant)))
        ap = sum(hit * sum(hits[: rank + 1]) / (rank + 1) for rank, hit in enumerate(hits))
        made.append(
            {"P": sum(hits) / k, "R": sum(hits) / relevant, "HR": float(any(hits)),
             "nDCG": gain / ideal, "mAP": ap / relevant}
        )  # fmt: skip
    return made


def mean(scores, metric):
    return np.mean([one[metric] for one in scores if one is not None])


class TestMeasuring:
    @pytest.mark.parametrize("index", ["kdtree", "lsh", "exact"])
    def test_both_protocols_are_what_loops_give(self, found, catalogue, index):
        rows = {row["encoder"]: row for row in found.tables[f"index-{index}"]}
        for spec in (COLOUR, HOG):
            every = by_hand(catalogue, spec, range(len(catalogue)), K)
            drawn = by_hand(catalogue, spec, found.first.drawn, K)
            for metric in ("P", "R", "HR", "nDCG", "mAP"):
                assert rows[spec][f"{metric}_all"] == pytest.approx(mean(every, metric))
                assert rows[spec][f"{metric}_drawn"] == pytest.approx(mean(drawn, metric))

    def test_two_of_each_class_are_drawn_and_a_lone_picture_has_no_score(self, found):
        labels = found.first.catalogue.labels
        asked = [labels[place] for place in found.first.drawn]
        assert {name: asked.count(name) for name in SIZES} == {
            "ant": 2, "bee": 2, "cat": 2, "lone": 1,
        }  # fmt: skip
        lookup = found.first.contenders[0].lookups["exact"]
        assert lookup.every.scores["P@3"].missing == 1
        assert lookup.drawn.scores["P@3"].missing == 1

    def test_the_draw_follows_the_seed(self, catalogue, found):
        again = engine(catalogue, [COLOUR], indexes=["exact"], per_class=2, k=K)
        other = engine(catalogue, [COLOUR], indexes=["exact"], per_class=2, k=K, seed=5)
        assert again.first.drawn.tolist() == found.first.drawn.tolist()
        assert other.first.drawn.tolist() != found.first.drawn.tolist()

    def test_rows_are_called_as_the_user_says_and_controls_stand_last(self, found):
        names = [one.label for one in found.first.contenders]
        assert set(names[:2]) == {"colours", HOG}
        assert names[2:] in (["random", "shuffled"], ["shuffled", "random"])
        specs = {one.row.spec for one in found.first.contenders if one.control}
        assert specs == {"control:random?dim=64", f"control:shuffled?of={COLOUR}"}

    def test_two_rows_of_one_name_are_called_by_their_specs(self, catalogue):
        twins = [Row(COLOUR, "mine", ""), Row(HOG, "mine", "")]
        made = engine(catalogue, twins, indexes=["exact"], k=K)
        assert {one.label for one in made.first.contenders if not one.control} == {COLOUR, HOG}

    def test_the_best_stands_first(self, found):
        scores = [row["P_all"] for row in found.tables["index-kdtree"][:2]]
        assert scores == sorted(scores, reverse=True)
        assert found.first.best is found.first.contenders[0]

    def test_a_row_without_its_file_is_missing_with_the_reason(self, found):
        (row,) = found.tables["missing"]
        assert row["name"] == "ViT-1.58b"
        assert "vit_1.58b.safetensors is not here" in row["why"]

    def test_time_is_that_of_each_drawn_query(self, found):
        for one in found.first.contenders:
            assert len(one.lookups["lsh"].seconds) == len(found.first.drawn)
            assert (one.lookups["lsh"].seconds > 0).all()
        seeing = {one.label for one in found.first.contenders if one.seconds is not None}
        assert "shuffled" not in seeing
        assert {"colours", HOG, "random"} <= seeing
        row = next(r for r in found.tables["index-lsh"] if r["name"] == "shuffled")
        assert math.isnan(row["encode_p50_ms"])

    def test_parents_are_means_of_their_queries(self, found, catalogue):
        every = by_hand(catalogue, COLOUR, range(len(catalogue)), K)
        insects = [
            s for s, label in zip(every, catalogue.labels, strict=True) if label in ("ant", "bee")
        ]
        row = next(
            r for r in found.tables["parents"] if (r["name"], r["parent"]) == ("colours", "insects")
        )
        assert row["P_all"] == pytest.approx(mean(insects, "P"))
        assert (row["classes"], row["queries"], row["drawn"]) == (2, 11, 4)
        lone = next(r for r in found.tables["parents"] if r["parent"] == "mammals")
        assert (lone["classes"], lone["queries"]) == (1, 4)

    def test_the_second_data_set_goes_through_the_first_index_alone(self, found):
        assert len(found.second.catalogue) == 11
        assert {one.label for one in found.second.contenders} >= {"colours", HOG}
        assert all(set(one.lookups) == {"kdtree"} for one in found.second.contenders)
        assert {row["index"] for row in found.tables["second"]} == {"kdtree"}

    def test_a_vocabulary_is_learnt_from_each_data_set(self, tmp_path):
        words = "opencv:orb?sample=12&words=4"
        made = engine(
            noise(tmp_path / "a", 12, 0), [words], tmp_path / "store", indexes=["exact"], k=2,
            second=noise(tmp_path / "b", 12, 1),
        )  # fmt: skip
        first, second = (
            next(c for c in one.contenders if c.row.spec == words)
            for one in (made.first, made.second)
        )
        assert first.card.fingerprint != second.card.fingerprint
        assert (tmp_path / "store").is_dir()
        assert (tmp_path / "store-second").is_dir()

    def test_an_index_that_misses_says_how_much(self, tmp_path, monkeypatch):
        monkeypatch.setattr(Index, "NEEDS", 2)
        monkeypatch.setattr(Index, "DEEP", 0)
        spec = "lsh(bits=8, rerank=3)"
        made = engine(noise(tmp_path, 90, 2), [HOG], indexes=[spec, "kdtree"], k=K)
        rough, tree = made.first.contenders[0].lookups.values()
        assert not rough.exact
        assert 0 < rough.recall < 1
        assert tree.exact
        assert not tree.compares_all
        assert tree.recall == 1
        row = made.tables[f"index-{slug(spec)}"][0]
        assert row["mAP_whole"] is None
        assert row["P_all"] == pytest.approx(rough.every.scores["P@3"].mean)
        assert "Index recall" in markdown_sections(sections(made))

    def test_a_broken_picture_is_left_out_for_all(self, tmp_path):
        root = classes(tmp_path, {"ant": 4, "bee": 4})
        (root / "bee" / "9.png").write_bytes(b"no picture")
        made = engine(Catalogue.open(root), [COLOUR], indexes=["exact"], k=2)
        assert made.first.lost == 1
        assert len(made.first.catalogue) == 8
        assert "1 picture without a vector" in markdown_sections(sections(made))

    def test_copies_are_counted(self, tmp_path):
        root = classes(tmp_path, {"ant": 4, "bee": 4})
        (root / "bee" / "copy.png").write_bytes((root / "bee" / "0.png").read_bytes())
        made = engine(Catalogue.open(root), [COLOUR], indexes=["exact"], k=2)
        assert made.first.copies.pictures == 2

    def test_published_figures_get_a_column_where_there_are_any(self, catalogue, found):
        row = Row(COLOUR, "colours", "", published={"kdtree:precision": 0.4, "lsh:seconds": 2.0})
        made = engine(catalogue, [row, HOG], k=K)
        tree = {r["name"]: r for r in made.tables["index-kdtree"]}
        assert tree["colours"]["published_precision"] == 0.4
        assert tree[HOG]["published_precision"] is None
        assert "published_seconds" in made.tables["index-lsh"][0]
        assert "published_precision" not in made.tables["index-exact"][0]
        page = markdown_sections(sections(made))
        assert "paper, precision" in page
        assert "could not be read" not in page
        plain = markdown_sections(sections(found))
        assert "paper, precision" not in plain
        assert "could not be read" in plain

    def test_vectors_of_a_file_take_no_time_to_encode(self, catalogue, tmp_path):
        vectors = embed(catalogue, HOG).vectors
        np.savez(tmp_path / "v.npz", ids=np.array(catalogue.ids), vectors=vectors)
        made = engine(catalogue, [f"vectors:{tmp_path / 'v.npz'}", COLOUR], indexes=["exact"], k=K)
        one = next(c for c in made.first.contenders if c.row.spec.startswith("vectors:"))
        assert one.seconds is None
        assert one.label == "v"

    def test_all_items_alike_have_a_score_and_ties(self, tmp_path):
        for name in ("ant", "bee"):
            for number in range(3):
                paint(tmp_path / name / f"{number}.png", 7)
        made = engine(Catalogue.open(tmp_path), [COLOUR], indexes=["exact", "kdtree"], k=2)
        row = made.tables["index-exact"][0]
        assert row["tied"] == 1
        assert row["P_all"] == pytest.approx(made.tables["index-kdtree"][0]["P_all"])


class TestConfusions:
    def test_they_are_counted_over_all_results(self, found, catalogue):
        best = found.first.best
        every = best.lookups["kdtree"].every
        labels, counts = catalogue.labels, {}
        for query, results in zip(every.queries, every.rankings.positions, strict=True):
            for result in results:
                pair = labels[query], labels[result]
                counts[pair] = counts.get(pair, 0) + 1
        wrong = sum(count for (a, b), count in counts.items() if a != b)
        rows = found.tables["confusions"]
        assert rows[0]["results"] == max(count for (a, b), count in counts.items() if a != b)
        for row in rows:
            assert row["results"] == counts[row["class"], row["found"]]
            assert row["of_wrong"] == pytest.approx(row["results"] / wrong)
            total = sum(count for (a, _), count in counts.items() if a == row["class"])
            assert row["share"] == pytest.approx(row["results"] / total)

    def test_none_without_an_encoder(self, found):
        chance = [one for one in found.first.contenders if one.control]
        assert confusion_table(replace(found.first, contenders=tuple(chance)), "kdtree") == []


class TestWriting:
    def test_the_folder_holds_everything(self, folder, found):
        for name in ("md", "json"):
            assert (folder / f"reproduce-engine.{name}").is_file()
        stated = json.loads((folder / "reproduce-engine.json").read_text())
        assert stated["about"]["k"] == K
        assert stated["about"]["parents"]["of"]["ant"] == "insects"
        assert {row["encoder"] for row in stated["index-kdtree"]} >= {COLOUR, HOG}
        with (folder / "tables" / "classes.csv").open() as file:
            rows = list(csv.DictReader(file))
        assert {row["class"] for row in rows} == set(SIZES)
        assert len(rows) == len(SIZES) * len(found.first.contenders)

    def test_the_page_has_each_table_and_no_photo(self, folder):
        page = (folder / "reproduce-engine.md").read_text()
        titles = [line[3:] for line in page.splitlines() if line.startswith("## ")]
        assert titles == [
            "What was measured", "Table 1: kNN by KD-tree", "Table 2: LSH", "Beside them: exact",
            "Table 3: precision by parent class",
            "Table 4: recall by parent class, as the paper reads it (hit rate)",
            "Table 4, strict reading: recall by parent class", "Table 5: nDCG by parent class",
            "Table 6: another data set", "What is taken for what", "Not measured",
            "What differs from the paper, and why",
        ]  # fmt: skip
        assert "nan" not in page
        assert ".png" not in page
        assert "The scores are those of kdtree: both are exact here." in page
        assert "1 class has a single picture" in page
        for line in page.splitlines():
            if line.startswith("!["):
                assert (folder / line.rpartition("(")[2].rstrip(")")).is_file()

    def test_tables_are_whole(self, folder):
        page = (folder / "reproduce-engine.md").read_text()
        widths = [
            line.replace("\\|", "").count("|") for line in page.splitlines() if line[:1] == "|"
        ]
        assert len(widths) > 40
        assert min(widths) > 3

    def test_charts_are_svg_with_a_dot_for_each_encoder(self, folder):
        for index in ("kdtree", "lsh", "exact"):
            root = ET.parse(folder / f"reproduce-engine-index-{index}.svg").getroot()
            dots = root.findall(".//{http://www.w3.org/2000/svg}circle")
            assert len(dots) == 2
            assert "random vectors" in "".join(root.itertext())

    def test_right_and_wrong_are_marked_in_the_report_alone(self, folder, found):
        report = (folder / "report.html").read_text()
        assert "data:image/jpeg" in report
        labels = found.first.catalogue.labels
        for grid in grids(found):
            assert grid.cases
            for case in grid.cases:
                for side in case.found:
                    for answer in side.answers:
                        assert answer.right == (labels[answer.position] == case.label)
                        assert answer.position != case.position
        shown = [a for g in grids(found) for c in g.cases for f in c.found for a in f.answers]
        assert report.count('class="shot right"') == sum(a.right for a in shown)
        assert report.count('class="shot wrong"') == sum(not a.right for a in shown)

    def test_the_most_wrong_are_of_different_classes(self, found):
        wrong = grids(found)[1]
        names = [case.label for case in wrong.cases]
        assert len(names) == len(set(names))

    def test_without_parents_the_page_says_how_to_name_them(self, catalogue):
        made = engine(catalogue, [COLOUR], indexes=["exact"], k=K)
        assert "Parent classes were not named" in markdown_sections(sections(made))
        assert made.tables["parents"] == []
        assert charts(sections(made)) == []  # one encoder makes no chart

    def test_it_is_written_where_it_is_asked_for(self, catalogue, tmp_path):
        engine(catalogue, [COLOUR], out=tmp_path / "new", indexes=["exact"], k=K)
        assert (tmp_path / "new" / "report.html").is_file()


class TestParts:
    def test_an_axis_of_factors_holds_its_values(self):
        axis = LogAxis.over([1.3, 70.0])
        assert (axis.low, axis.high) == (1.0, 100.0)
        assert [text for _, text in axis.ticks] == ["1", "2", "5", "10", "20", "50", "100"]
        assert axis.at(10) == 50
        places = [place for place, _ in axis.ticks]
        assert (places[0], places[-1]) == (0, 100)

    def test_an_axis_of_a_single_value_has_a_length(self):
        axis = LogAxis.over([2.0, 2.0])
        assert axis.low <= 2.0 < axis.high

    def test_a_long_axis_has_powers_of_ten(self):
        assert [text for _, text in LogAxis.over([0.011, 9000]).ticks][:2] == ["0.01", "0.1"]

    def test_a_larger_model_has_a_larger_dot(self):
        points = [Bubble("a", 0.1, 0.5, 4e6), Bubble("b", 0.2, 0.4, 1e6), Bubble("c", 1, 0.3, None)]
        svg = bubbles_svg("t", "s", "P@1", points)
        radii = [float(one.get("r")) for one in ET.fromstring(svg) if one.tag.endswith("circle")]
        assert radii == sorted(radii, reverse=True)
        assert len(set(radii)) == 3
        assert bubbles_svg("t", "s", "P@1", points[:1]) is None

    def test_markdown_of_every_kind_of_part(self):
        sheet = Sheet(("name", "figure"), (("a|b", "1"),))
        parts = ("Text_.", sheet, Chart("x.svg", "alt", "<svg/>"), Points((("One", "two"),)))
        assert markdown_sections([Section("Head", parts)], "images/") == (
            "## Head\n\nText\\_.\n\n| name | figure |\n| :--- | ---: |\n| a\\|b | 1 |\n\n"
            "![alt](images/x.svg)\n\n- **One.** two\n"
        )

    def test_a_slug_is_a_file_name(self):
        assert slug("lsh(bits=256, tables=4)") == "lsh-bits-256-tables-4"


class TestNames:
    def test_the_usual_line_up_is_the_papers_and_is_told(self, capsys):
        rows = named(None, None, "image-search")
        told = capsys.readouterr().err
        assert f"these are the {len(rows)} encoders of --preset image-search" in told
        assert "downloaded, unless HF_HUB_OFFLINE=1" in told
        both = named(None, None, "vsd-generators", "vsd-additional")
        assert both == [*preset("vsd-generators"), *preset("vsd-additional")]
        assert "--preset vsd-generators and --preset vsd-additional" in capsys.readouterr().err
        assert named(None, ["small"], "image-search") == list(preset("small"))
        assert named([COLOUR], None, "image-search") == [COLOUR]
        assert capsys.readouterr().err == ""
        assert {"SIFT", "SURF", "ORB", "FAST", "BLIP-2", "ViT-1.58b"} <= {row.name for row in rows}

    def test_a_row_can_be_named(self):
        text = "triplet=checkpoint:t.safetensors?arch=timm:resnet18"
        (row,) = named([text], None)
        assert (row.name, row.spec) == ("triplet", "checkpoint:t.safetensors?arch=timm:resnet18")

    @pytest.mark.parametrize("text", ["opencv:sift?words=64", "0.5*opencv:hog + opencv:colour"])
    def test_an_option_is_no_name(self, text):
        assert named([text], None) == [text]

    def test_a_trained_checkpoint_is_a_row(self, catalogue, tmp_path):
        import torch
        from safetensors.torch import save_file

        torch.set_num_threads(1)
        torch.manual_seed(0)
        models = need_library("torchvision.models", Spec.parse("torchvision:squeezenet1_1"))
        model = models.squeezenet1_1(weights=None)
        save_file(model.state_dict(), tmp_path / "t.safetensors")
        spec = f"checkpoint:{tmp_path / 't.safetensors'}?arch=torchvision:squeezenet1_1"
        made = engine(
            catalogue, named([f"triplet={spec}"], None), indexes=["exact"], per_class=1, k=K
        )
        one = made.first.best
        assert one.label == "triplet"
        assert one.card.size_bytes > 1e6
        assert (one.seconds > 0).all()


WRONG = {
    "no classes": (["{flat}", "-e", COLOUR], 2, "SOURCE has no classes"),
    "one class": (["{single}", "-e", COLOUR], 2, "a single class, so every result is right"),
    "one picture of each class": (["{lonely}", "-e", COLOUR], 2, "has a single picture"),
    "no folder": (["gone", "-e", COLOUR], 2, "no such folder"),
    "no queries": (["{source}", "-e", COLOUR, "--per-class", "0"], 2, "greater than or equal to 1"),
    "no results": (["{source}", "-e", COLOUR, "-k", "0"], 2, "greater than or equal to 1"),
    "more results than pictures": (["{source}", "-e", COLOUR, "-k", "16"], 2, "among 16 pictures"),
    "an unknown index": (["{source}", "-e", COLOUR, "--index", "kdtre"], 2, "kdtree"),
    "an unknown option of an index": (["{source}", "-e", COLOUR, "--index", "lsh(bit=8)"], 2, "no option 'bit'"),
    "an index by another metric": (["{source}", "-e", COLOUR, "--index", "exact(metric=l2)"], 2, "rank by cosine similarity, exact(metric=l2) by l2"),
    "a class without a parent": (["{source}", "-e", COLOUR, "--parents", "{few}"], 2, "classes have no parent: bee"),
    "two parents of one class": (["{source}", "-e", COLOUR, "--parents", "{twice}"], 2, "two parents"),
    "no table of parents": (["{source}", "-e", COLOUR, "--parents", "gone.csv"], 2, "gone.csv"),
    "names of parents alone": (["{source}", "-e", COLOUR, "--parents", "A,B"], 2, "--parents-by"),
    "a model alone": (["{source}", "-e", COLOUR, "--parents-by", "hf:x/y"], 2, "only if some are named"),
    "a model that reads no text": (["{source}", "-e", COLOUR, "--parents", "A,B", "--parents-by", COLOUR], 2, "reads text"),
    "a second without classes": (["{source}", "-e", COLOUR, "--second", "{flat}"], 2, "second data set has no classes"),
    "a second that is not there": (["{source}", "-e", COLOUR, "--second", "gone"], 2, "no such folder"),
    "a second that is too small": (["{source}", "-e", COLOUR, "-k", "9", "--second", "{small}"], 2, "among 4 pictures"),
    "controls alone": (["{source}", "-e", "control:random"], 2, "no encoder is named but controls"),
    "an unknown preset": (["{source}", "--preset", "image-serch"], 2, "image-search"),
    "an unknown encoder": (["{source}", "-e", "opencv:surf"], 2, "opencv:sift"),
    "a name without an encoder": (["{source}", "-e", "triplet="], 2, "not the name of an encoder"),
    "a file that is not there": (["{source}", "-e", "a=checkpoint:gone.pt?arch=timm:resnet18"], 1, "gone.pt"),
    "an unknown device": (["{source}", "-e", COLOUR, "-e", "torchvision:squeezenet1_1?weights=none", "--device", "gpu9"], 2, "gpu9"),
    "a file as the folder": (["{source}", "-e", COLOUR, "--out", "{few}", "--store", "s"], 2, "few.csv"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_wrong_uses_get_one_clear_answer(name, source, tmp_path, likelens, monkeypatch):
    monkeypatch.chdir(tmp_path)
    paint(tmp_path / "flat" / "1.png", 1)
    paint(tmp_path / "flat" / "2.png", 2)
    classes(tmp_path / "single", {"ant": 3})
    classes(tmp_path / "lonely", {"ant": 1, "bee": 1})
    classes(tmp_path / "small", {"ant": 2, "bee": 2})
    (tmp_path / "few.csv").write_text("class,parent\nant,A\n")
    (tmp_path / "twice.csv").write_text("class,parent\nant,A\nant,B\n")
    places = {one: tmp_path / one for one in ("flat", "single", "lonely", "small")}
    places |= {"few": tmp_path / "few.csv", "twice": tmp_path / "twice.csv", "source": source}
    arguments, code, message = WRONG[name]
    got, out, err = likelens(
        "reproduce", "engine", *(argument.format(**places) for argument in arguments)
    )
    text = " ".join(err.replace("│", " ").split())
    assert got == code, text
    assert message in text
    assert "Traceback" not in err
    assert out == ""


def test_wrong_arguments_are_refused_before_any_work(catalogue):
    for wrong in ({"per_class": 0}, {"k": 0}, {"indexes": []}, {"indexes": ["tree"]}):
        with pytest.raises(BadSpec):
            engine(catalogue, [COLOUR], **{"k": K, **wrong})
    few = Parents({"ant": "a", "bee": "a", "lone": "a"}, "us", ("a",))
    with pytest.raises(BadTable, match="have no parent: cat"):
        engine(catalogue, [COLOUR], k=K, parents=few)
    with pytest.raises((NoWeights, MissingExtra), match="not here"):
        engine(catalogue, [ABSENT], k=K)


def test_parents_come_from_a_table(catalogue, tmp_path):
    table = tmp_path / "p.csv"
    table.write_text("class,parent\n" + "".join(f"{c},{p}\n" for c, p in PARENTS.of.items()))
    assert find_parents(str(table), None, catalogue).of == PARENTS.of
    assert find_parents(None, None, catalogue) is None


def test_the_command_writes_the_folder(source, tmp_path, likelens):
    out = tmp_path / "out"
    code, printed, err = likelens(
        "reproduce", "engine", source, "-e", f"mine={COLOUR}", "-e", HOG, "-k", "2",
        "--per-class", "3", "--index", "exact", "--index", "lsh(bits=64)", "--out", out, "--json",
    )  # fmt: skip
    assert code == 0, err
    stated = json.loads(printed)
    assert {"index-exact", "index-lsh-bits-64", "classes", "page", "report"} <= set(stated)
    assert {row["name"] for row in stated["index-exact"]} >= {"mine", HOG}
    assert (out / "store").is_dir()
    again, text, _ = likelens(
        "reproduce", "engine", source, "-e", COLOUR, "-k", "2", "--index", "exact", "--out", out
    )
    assert again == 0
    assert "P@2 all" in text
    assert str(out / "report.html") in text.replace("\n", "")


def test_real_pictures_are_found_better_than_by_chance(real_data, tmp_path):
    root = real_data / "data" / "caltech101"
    catalogue = Catalogue.open(root)
    chosen = [item for item in catalogue.ids if item.split("/")[0] in ("ant", "cup", "Faces")]
    kept = catalogue.take(chosen[:40] + chosen[-60:])
    parents = find_parents(str(root / "parent_classes.csv"), None, catalogue)
    model = f"onnx:{real_data / 'weights' / 'mobilenet_v1_0.25_128_quant.onnx'}"
    made = engine(kept, [model], tmp_path, parents=parents, indexes=["kdtree"], k=5)
    rows = {row["name"]: row for row in made.tables["index-kdtree"]}
    assert rows["mobilenet_v1_0.25_128_quant"]["P_all"] > rows["random"]["P_all"] + 0.3
    assert rows["mobilenet_v1_0.25_128_quant"]["encode_p95_ms"] > 0
