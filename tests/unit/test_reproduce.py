"""The paper's tables and figures, from a tiny drawn catalogue and encoders without weights."""

import csv
import json
import math
import xml.etree.ElementTree as ET
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import pearsonr

from likelens import Catalogue, compare, garments
from likelens.cli import main
from likelens.encoders.opening import open_encoder
from likelens.presets import Row, preset
from likelens.reproduce import _corrembed, _lineup, corrembed, draw, markdown, write
from likelens.reproduce._charts import in_words
from likelens.reproduce._corrembed import batch_seconds, layer_of, sample
from likelens.reproduce.tables import (
    Point,
    correlation,
    correlations,
    points,
    score_table,
    size_table,
    tag_table,
)
from likelens.values.errors import BadSpec, MissingExtra, NoWeights
from likelens.values.spec import Spec

torch.set_num_threads(1)  # networks this small only wait for a second thread

COLOUR, HOG = "opencv:colour", "opencv:hog?size=64"
NETWORK = "torchvision:squeezenet1_1?weights=none"
ABSENT = preset("vsd-generators")[0]


@pytest.fixture(scope="module", autouse=True)
def _few_pictures_are_timed():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_corrembed, "BATCH", 2)
        yield


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return garments.create(tmp_path_factory.mktemp("g"), items=40, size=64)


@pytest.fixture(scope="module")
def catalogue(source):
    return Catalogue.open(source)


@pytest.fixture(scope="module")
def found(catalogue):
    return corrembed(catalogue, [COLOUR, HOG, ABSENT, "control:random?dim=9"])


@pytest.fixture(scope="module")
def layered(catalogue):
    return corrembed(catalogue, [NETWORK], items=24, seed=3)


def accurate(found, accuracies):
    """The same measurement as if networks with both layers had these accuracies."""
    networks = []
    for place, accuracy in enumerate(accuracies):
        base = found.networks[place % 2]
        entry = replace(base.top, card=replace(base.top.card, accuracy=accuracy))
        entries = {"output": entry, "penultimate": entry}
        networks.append(replace(base, label=f"n{place}", entries=entries))
    return replace(found, networks=tuple(networks))


@pytest.fixture(scope="module")
def folder(found, tmp_path_factory):
    folder = tmp_path_factory.mktemp("out")
    made = accurate(found, [50.0, 60.0, 70.0, 80.0])
    made = replace(made, networks=(*made.networks, *found.networks))
    assert write(made, folder).name == "reproduce-corrembed.md"
    return folder


class TestMeasuring:
    def test_both_controls_are_there_and_stand_last(self, found):
        names = [network.spec for network in found.networks]
        assert set(names[:2]) == {COLOUR, HOG}
        assert set(names[2:]) == {"control:random?dim=512", f"control:shuffled?of={COLOUR}"}
        assert [network.control for network in found.networks] == [False, False, True, True]

    def test_a_row_without_its_file_is_missing_with_the_reason(self, found):
        ((row, why),) = found.missing
        assert row is ABSENT
        assert "argus_densenet.pth is not here" in why
        assert found.board.missing == {ABSENT.spec: why}

    def test_scores_are_those_of_a_comparison(self, found, catalogue):
        board = compare(catalogue, [COLOUR, HOG])
        expected = {e.card.name: (e.weighted.mean, e.unweighted.mean) for e in board.entries}
        for row in score_table(found)[:2]:
            assert (row["weighted"], row["unweighted"]) == pytest.approx(expected[row["encoder"]])

    def test_a_network_is_measured_at_both_layers(self, layered):
        network = layered.networks[0]
        assert set(network.entries) == {"output", "penultimate"}
        assert network.top is network.entries["output"]
        assert network.top.card.dim == 1000
        assert size_table(layered)[0]["shape"] == 512
        assert size_table(layered)[0]["score"] == network.entries["penultimate"].main.mean
        assert size_table(layered)[0]["parameters"] == 1_235_496
        assert network.seconds > 0

    def test_a_layer_that_is_named_is_the_only_one_measured(self, catalogue):
        found = corrembed(catalogue, [NETWORK.replace("?", "@output?")], items=12)
        assert set(found.networks[0].entries) == {"output"}
        assert size_table(found) == []

    def test_encoders_are_called_as_they_are_asked_for(self, catalogue, tmp_path):
        store = tmp_path / "store"
        compare(catalogue.take(catalogue.ids[:12]), [NETWORK], store)  # the layer is not said
        found = corrembed(catalogue.take(catalogue.ids[:12]), [NETWORK], store)
        assert set(found.networks[0].entries) == {"output", "penultimate"}
        names = {entry.card.name for entry in found.board.entries}
        assert NETWORK.replace("?", "@penultimate?") in names
        assert set(found.board.pairs.names) == set(found.board.run["encoders"]) == names

    def test_a_sample_is_drawn_with_the_seed_in_order(self, catalogue, layered):
        ids = sample(catalogue, 24, 3).ids
        assert layered.board.catalogue.ids == ids
        assert layered.items == 40
        assert sample(catalogue, 24, 3).ids == ids
        assert sample(catalogue, 24, 4).ids != ids
        places = [catalogue.ids.index(item) for item in ids]
        assert places == sorted(places)
        assert sample(catalogue, 99, 3) is catalogue
        assert sample(catalogue, None, 3) is catalogue

    def test_nothing_to_measure_is_refused(self, catalogue):
        with pytest.raises(BadSpec, match="no encoder is named"):
            corrembed(catalogue, ["control:random"])
        with pytest.raises(NoWeights, match="not one of 1 encoder can be had: checkpoint:argus"):
            corrembed(catalogue, [ABSENT])

    def test_every_reason_is_told_where_no_encoder_can_be_had(self, catalogue, monkeypatch):
        def lost(specs, running):
            return [], {
                spec: (MissingExtra if "hf:" in spec else NoWeights)(
                    "no library" if "hf:" in spec else "no network",
                    where=spec,
                    hint="install it" if "hf:" in spec else "connect",
                )
                for spec in specs
            }

        monkeypatch.setattr(_lineup, "open_encoders", lost)
        specs = [f"torchvision:n{number}" for number in range(5)]
        with pytest.raises(NoWeights) as caught:
            corrembed(catalogue, [*specs, "hf:a", ABSENT])
        assert caught.value.what == (
            "not one of 7 encoders can be had: torchvision:n0, torchvision:n1, torchvision:n2 and "
            f"2 more: no network; hf:a: no library; {ABSENT.spec}: "
            "its file argus_densenet.pth is not here"
        )
        assert caught.value.hint.startswith("connect; or install it; or get the files")
        with pytest.raises(MissingExtra, match="not one of 2 encoders"):
            corrembed(catalogue, ["hf:a", "hf:b"])
        with pytest.raises(NoWeights, match=r"^no network"):
            corrembed(catalogue, specs[:1])

    @pytest.mark.parametrize("others", [[], [HOG]])
    def test_a_fused_encoder_may_come_first(self, catalogue, others):
        fused = f"{COLOUR} + 0.5*{HOG}"
        found = corrembed(catalogue.take(catalogue.ids[:12]), [fused, *others])
        specs = {network.spec for network in found.networks}
        shuffled = others[0] if others else COLOUR
        assert specs >= {fused, *others, f"control:shuffled?of={shuffled}"}
        assert fused in markdown(found, {})

    def test_layers_have_the_papers_names(self):
        both = ("penultimate", "output")
        names = ["onnx:m@logits", "onnx:m@output", "onnx:m@features", "onnx:m"]
        found = [layer_of(Spec.parse(name), both) for name in names]
        assert found == ["output", "output", "penultimate", "penultimate"]
        assert layer_of(Spec.parse(COLOUR), ()) == "only"

    def test_an_encoder_that_has_learnt_nothing_has_no_time(self):
        words = open_encoder("opencv:sift?words=8")
        assert math.isnan(batch_seconds(words, [np.zeros((40, 40, 3), np.uint8)]))


class TestTables:
    def test_tags_are_counted(self, found, catalogue):
        rows = {row["category"]: row for row in tag_table(found.board)}
        assert set(rows) == set(catalogue.tags.category_names)
        for name, row in rows.items():
            columns = catalogue.tags.columns(name)
            dense = catalogue.tags.matrix[:, columns].toarray() > 0
            assert row["tags"] == dense.any(axis=0).sum()
            assert row["items"] == dense.any(axis=1).sum()
            assert row["its_items"] == dense.sum(axis=0).max()
            assert row["weight"] == found.board.weights[name]

    def test_scores_of_chance_are_the_weighted_ones(self, found):
        entry = found.networks[0].top
        row = score_table(found)[0]
        assert row["random_tags"] == entry.weighted_controls["random tags"]
        assert row["shuffled_tags"] == entry.weighted_controls["shuffled tags"]

    def test_published_figures_have_columns_where_there_are_any(self, found):
        for rows in (score_table(found), size_table(found)):
            assert not [name for name in rows[0] if name.startswith("published")]
        assert "| paper, " not in markdown(found, {})
        known = Row(HOG, "HOG", "none", {"weighted": 0.5, "batch_seconds": 2.0})
        first, *others = found.networks
        known_so = replace(found, networks=(replace(first, row=known), *others))
        scores, sizes = score_table(known_so), size_table(known_so)
        assert [row["published_weighted"] for row in scores] == [0.5, None, None, None]
        assert "published_unweighted" not in scores[0]
        assert [row["published_batch_seconds"] for row in sizes] == [2.0, None]
        page = markdown(known_so, {})
        assert "| shuffled tags | paper, weighted |" in page
        assert "| shape | paper, seconds |" in page
        assert "| 2.000 |" in page

    def test_correlation_is_scipys(self):
        known = [Point(str(a), a, s, s, s) for a, s in ((50, 0.3), (60, 0.5), (70, 0.4), (80, 0.7))]
        link = correlation("output", known)
        expected = pearsonr([50, 60, 70, 80], [0.3, 0.5, 0.4, 0.7])
        assert link.r == pytest.approx(expected.statistic)
        assert (link.low, link.high) == pytest.approx(tuple(expected.confidence_interval(0.95)))
        assert "95" in in_words(link)

    def test_too_few_or_equal_networks_have_no_correlation(self):
        two = [Point("a", 50.0, 0.3, 0.2, 0.4), Point("b", 60.0, 0.5, 0.4, 0.6)]
        assert math.isnan(correlation("output", two).r)
        equal = [replace(two[0], score=score) for score in (0.1, 0.2, 0.3)]
        assert math.isnan(correlation("output", equal).r)
        three = correlation("output", [*two, Point("c", 70.0, 0.4, 0.3, 0.5)])
        assert math.isfinite(three.r)
        assert math.isnan(three.low)
        assert "only 3" in in_words(three)

    def test_only_networks_with_accuracy_are_points(self, found):
        assert points(found, "output") == []
        made = accurate(found, [50.0, None, 70.0])
        assert sorted(point.accuracy for point in points(made, "output")) == [50.0, 70.0]


class TestFolder:
    def test_tables_are_there_as_data(self, folder, found):
        with (folder / "tables" / "table-1.csv").open() as file:
            assert len(list(csv.DictReader(file))) == len(tag_table(found.board))
        data = json.loads((folder / "reproduce-corrembed.json").read_text())
        assert [link["networks"] for link in data["correlation"]] == [4, 4]
        assert data["missing"][0]["encoder"] == ABSENT.spec
        assert data["table-2"][0]["network"] == "n0"

    def test_charts_stand_alone(self, folder):
        names = sorted(path.name for path in folder.glob("*.svg"))
        assert names == [
            "reproduce-corrembed-map.svg",
            "reproduce-corrembed-output.svg",
            "reproduce-corrembed-penultimate.svg",
        ]
        for name in names:
            text = (folder / name).read_text()
            ET.fromstring(text)
            assert "<image" not in text
            assert "nan" not in text

    def test_the_page_has_every_part_and_no_photo(self, folder):
        page = (folder / "reproduce-corrembed.md").read_text()
        parts = (
            "Table 1", "Table 2", "Table 3", "Figures 2 and 3", "Figure 4", "Figures 5 to 7",
            "Not measured", "What differs", "Where published figures",
        )  # fmt: skip
        places = [page.index(f"## {part}") for part in parts]
        assert places == sorted(places)
        assert "nan" not in page
        assert "– to –" not in page
        assert "None" not in page.replace("None of those", "")
        assert ".jpg" not in page
        for line in page.splitlines():
            if line.startswith("!["):
                assert (folder / line.rpartition("(")[2].rstrip(")")).is_file()

    def test_the_photos_are_in_the_report(self, folder):
        report = (folder / "report" / "report.html").read_text()
        assert "data:image" in report
        assert 'id="side-by-side"' in report

    def test_a_run_without_purchases_says_so(self, catalogue, tmp_path):
        plain = replace(catalogue, layout=replace(catalogue.layout, purchases=None))
        found = corrembed(plain, [COLOUR], items=20, out=tmp_path)
        page = (tmp_path / "reproduce-corrembed.md").read_text()
        assert score_table(found)[0]["weighted"] is None
        assert "Without purchases there is no weighted score" in page
        assert "**Weights.**" in page
        assert "**Weights.**" not in markdown(replace(found, board=_weighed(found)), {})
        assert set(draw(found)) <= {"map.svg"}

    def test_no_correlation_is_a_dash(self, found):
        assert all(math.isnan(link.r) for link in correlations(found))
        assert "| output | 0 | – | – |" in markdown(found, {})


def _weighed(found):
    weights = dict.fromkeys(found.board.catalogue.tags.category_names, 1.0)
    return replace(found.board, weights=weights)


def test_the_command_writes_the_folder(source, tmp_path, capsys):
    out = tmp_path / "out"
    with pytest.raises(SystemExit) as stopped:
        main(
            ["reproduce", "corrembed", str(source), "-e", COLOUR, HOG, "--items", "20",
             "--out", str(out), "--json"]
        )  # fmt: skip
    assert not stopped.value.code
    printed = json.loads(capsys.readouterr().out)
    assert printed["items"] == 20
    assert {row["encoder"] for row in printed["table-2"]} >= {COLOUR, HOG}
    assert (out / "reproduce-corrembed.md").is_file()
    assert (out / "store").is_dir()


def test_the_command_takes_a_preset(source, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["reproduce", "corrembed", str(source), "--preset", "smal"])
    assert stopped.value.code == 2
    assert "small" in capsys.readouterr().err
