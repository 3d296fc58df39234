"""Pictures made worse, the scores of their queries, and the curves that come of them."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from xml.etree import ElementTree

import numpy as np
import pyarrow.csv
import pytest

from boards import Outline, three_encoders
from likelens import Catalogue, compare, garments, metrics
from likelens import _stress as stages
from likelens._degrade import KINDS, LEVELS, UNITS, VALUES, degrade, value_of
from likelens._embed import fill
from likelens._stress import Curve, Stress, stress
from likelens.cli import main
from likelens.encoders.base import Encoder
from likelens.encoders.vectors import write_vectors
from likelens.metrics import _stressed
from likelens.metrics._stressed import stress_scores
from likelens.report.page import write_report
from likelens.report.stress import APART, markdown_stress, sentence, stress_charts, svg_stress
from likelens.store.memory import MemoryStore
from likelens.values.embeddings import EncoderCard
from likelens.values.errors import BadShape, BadSpec, BadTable
from likelens.values.scores import QueryScores
from likelens.values.spec import Spec

SPECS = ["opencv:colour", "opencv:hog?size=64", "control:shuffled?of=opencv:colour"]


def noise(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


class ShortSighted(Encoder):
    """The mean colour, but nothing of a picture without sharp edges."""

    def __init__(self):
        self.spec = Spec.parse("test:short-sighted")
        self.card = EncoderCard(str(self.spec), "00ff", 3)

    def prepare(self, image):
        steps = np.abs(np.diff(image.astype(float), axis=0)).mean()
        return image.mean(axis=(0, 1)) * (steps > 30)

    def forward(self, prepared):
        return np.stack(prepared)


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory):
    return Catalogue.open(garments.create(tmp_path_factory.mktemp("g"), items=60, size=64))


@pytest.fixture(scope="module")
def compared(catalogue):
    """A leaderboard and the store that holds its vectors."""
    store = MemoryStore()
    return compare(catalogue, SPECS, store), store


@pytest.fixture(scope="module")
def curves(compared):
    board, store = compared
    return stress(board.catalogue, SPECS, store, max_queries=20, weights=board.weights)


class TestDegrade:
    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("shape", [(1, 1), (10, 1000), (1000, 10), (2, 3), (40, 30)])
    def test_shape_and_type_are_kept(self, kind, shape):
        for level in range(LEVELS + 1):
            worse = degrade(noise(*shape), kind, level, seed=3)
            assert worse.shape == (*shape, 3)
            assert worse.dtype == np.uint8

    @pytest.mark.parametrize("kind", KINDS)
    def test_level_0_is_the_picture_and_no_level_changes_what_was_given(self, kind):
        picture = noise(30, 20)
        before = picture.copy()
        np.testing.assert_array_equal(degrade(picture, kind, 0), before)
        degrade(picture, kind, 5)
        np.testing.assert_array_equal(picture, before)

    @pytest.mark.parametrize("kind", KINDS)
    def test_one_seed_makes_one_picture(self, catalogue, kind):
        picture = stages.open_image(catalogue.paths[0])
        once, again = (degrade(picture, kind, 3, seed=7) for _ in range(2))
        np.testing.assert_array_equal(once, again)
        others = [degrade(picture, kind, 3, seed=seed) for seed in range(20)]
        differ = any((other != once).any() for other in others)
        assert differ == (kind not in ("blur", "jpeg"))

    @pytest.mark.parametrize("kind", KINDS)
    def test_a_higher_level_is_farther_from_the_original(self, catalogue, kind):
        pictures = [stages.open_image(path).astype(int) for path in catalogue.paths]
        far = [
            np.mean(
                [
                    np.abs(degrade(each.astype(np.uint8), kind, level, seed) - each).mean()
                    for seed, each in enumerate(pictures)
                ]
            )
            for level in range(LEVELS + 1)
        ]
        assert far[0] == 0
        assert far[1] >= 0  # a quarter of a pixel's blur is none
        assert (np.diff(far[1:]) > 0).all(), far

    def test_clutter_covers_its_share_and_not_the_middle(self):
        grey = np.full((100, 80, 3), 77, np.uint8)
        for level, share in enumerate(VALUES["clutter"], 1):
            covered = [(degrade(grey, "clutter", level, s) != 77).any(axis=2) for s in range(30)]
            assert share - 0.01 <= np.mean(covered) <= share + 0.06
            assert not any(cover[49:51, 39:41].any() for cover in covered)

    def test_levels_of_clutter_hold_those_below(self):
        grey = np.full((64, 64, 3), 77, np.uint8)
        covers = [(degrade(grey, "clutter", n, 5) != 77).any(axis=2) for n in range(LEVELS + 1)]
        for less, more in pairwise(covers):
            assert not (less & ~more).any()

    def test_rotation_fills_with_the_colour_of_the_edge(self):
        shop = np.full((60, 60, 3), 255, np.uint8)
        shop[20:40, 10:50] = 10
        turned = degrade(shop, "rotation", 4)
        assert (turned[[0, 0, -1, -1], [0, -1, 0, -1]] == 255).all()
        quarter = degrade(shop, "rotation", 5)
        np.testing.assert_allclose(quarter, np.rot90(shop), atol=1)

    def test_a_crop_shows_a_part_of_the_picture_around_the_middle(self):
        ramp = np.repeat(np.arange(200, dtype=np.uint8)[None, :, None], 3, axis=2).repeat(50, 0)
        for level, share in enumerate(VALUES["crop"], 1):
            seen = degrade(ramp, "crop", level, seed=2)[0, :, 0].astype(int)
            assert seen[-1] - seen[0] == pytest.approx(200 * share - 1, abs=1)
            assert seen[0] < 100 < seen[-1]

    def test_light_goes_both_ways(self):
        grey = np.full((4, 4, 3), 100, np.uint8)
        means = [degrade(grey, "light", 5, seed=seed).mean() for seed in range(20)]
        assert min(means) < 50
        assert max(means) > 200

    def test_a_large_picture_is_blurred_as_a_small_one_is(self):
        small = np.kron(noise(4, 4, 1), np.ones((16, 16, 1), np.uint8))
        large = small.repeat(12, axis=0).repeat(12, axis=1)
        means = [
            degrade(picture, "blur", 5).reshape(8, len(picture) // 8, 8, -1, 3).mean(axis=(1, 3))
            for picture in (small, large)
        ]
        np.testing.assert_allclose(*means, atol=3)

    def test_every_kind_has_five_values_and_a_unit(self):
        assert set(VALUES) == set(UNITS) == set(KINDS)
        assert all(len(values) == LEVELS for values in VALUES.values())
        assert value_of("jpeg", 0) is None
        assert value_of("jpeg", 5) == 4.0

    @pytest.mark.parametrize(
        ("kind", "level", "text"),
        [
            ("fog", 1, "no way 'fog'"),
            ("blur", 6, "no level 6 of blur"),
            ("blur", -1, "no level -1"),
            ("blur", 1.5, "no level 1.5"),
            ("blur", True, "no level True"),
        ],
    )
    def test_what_does_not_exist_is_named(self, kind, level, text):
        with pytest.raises(BadSpec, match=text):
            degrade(noise(3, 3), kind, level)

    @pytest.mark.parametrize(
        "array", [np.zeros((3, 3), np.uint8), np.zeros((3, 3, 3)), np.zeros((0, 3, 3), np.uint8)]
    )
    def test_what_is_no_picture_is_refused(self, array):
        with pytest.raises(BadShape, match="is no picture"):
            degrade(array, "blur", 1)


def slow_scores(clean, rows, worse, tags):
    """The definition, one similarity at a time."""

    def cosine(left, right):
        length = np.linalg.norm(left) * np.linalg.norm(right)
        return left @ right / length if length else 0.0

    scores = []
    for row, vector in zip(rows, worse, strict=True):
        others = [j for j in range(len(clean)) if j != row]
        seen = [cosine(vector, clean[j]) for j in others]
        worn = [cosine(tags[row], tags[j]) for j in others]
        if np.std(seen) < 1e-6 or np.std(worn) < 1e-6:
            scores.append(np.nan)
        else:
            scores.append(np.corrcoef(seen, worn)[0, 1])
    return np.array(scores)


class TestScores:
    @pytest.mark.parametrize("seed", range(4))
    @pytest.mark.parametrize("offset", [0.0, 5.0])
    def test_they_are_those_of_the_definition(self, seed, offset, monkeypatch):
        draw = np.random.default_rng(seed)
        clean = draw.standard_normal((40, 6)) + offset
        clean[3] = 0
        rows = np.array([0, 5, 5, 39, 7, 8])
        worse = clean[rows] + draw.standard_normal((6, 6)) / 2
        worse[4] = 0
        tags = draw.integers(0, 2, (40, 5)) * np.array([1, 1, 0.5, 2, 1])
        tags[8] = 0
        expected = slow_scores(clean, rows, worse, tags)
        assert np.isnan(expected).tolist() == [False, False, False, False, True, True]
        found = stress_scores(clean, rows, worse, tags)
        np.testing.assert_allclose(found.per_query, expected, atol=2e-6)
        monkeypatch.setattr(_stressed, "SIMILARITIES", 80)  # two queries at a time
        parts = stress_scores(clean, rows, worse, tags)
        np.testing.assert_allclose(parts.per_query, expected, atol=2e-6)

    def test_clean_pictures_score_as_corrembed_without_self_pairs(self, compared):
        board, store = compared
        vectors = store.embeddings("opencv:colour", board.catalogue.ids).vectors
        tags = board.catalogue.tags.matrix
        rows = np.arange(len(vectors))
        np.testing.assert_allclose(
            stress_scores(vectors, rows, vectors, tags).per_query,
            metrics.corrembed(vectors, tags, self_pairs="exclude").per_query,
            atol=1e-5,
        )

    def test_shapes_that_do_not_belong_together_are_refused(self):
        gallery, tags = np.eye(4), np.eye(4)
        with pytest.raises(BadShape, match="do not fit a gallery"):
            stress_scores(gallery, np.array([0]), np.ones((1, 3)), tags)
        with pytest.raises(BadShape, match="do not fit a gallery"):
            stress_scores(gallery, np.array([0, 1]), np.ones((1, 4)), tags)
        with pytest.raises(BadShape, match="rows of tags, or queries outside"):
            stress_scores(gallery, np.array([4]), np.ones((1, 4)), tags)
        with pytest.raises(BadShape, match="3 rows of tags"):
            stress_scores(gallery, np.array([0]), np.ones((1, 4)), tags[:3])


class TestCurves:
    def test_there_is_one_per_encoder_and_kind_all_from_the_clean_score(self, curves, compared):
        assert curves.encoders == ("opencv:colour", "opencv:hog?size=64")
        assert [curve.kind for curve in curves.of("opencv:colour")] == list(KINDS)
        assert len({curve.means[0] for curve in curves.of("opencv:colour")}) == 1
        board, store = compared
        weighted = board.catalogue.tags.weighted(board.weights).matrix
        vectors = store.embeddings("opencv:colour", board.catalogue.ids).vectors
        rows = [board.catalogue.position[item] for item in curves.queries]
        expected = metrics.corrembed(vectors, weighted, queries=rows, self_pairs="exclude")
        assert curves.curves[0].means[0] == pytest.approx(expected.mean, abs=1e-5)
        assert curves.weighted
        assert len(curves.queries) == 20

    def test_a_point_is_the_score_of_that_picture(self, curves, compared):
        from likelens import open_encoder

        board, store = compared
        vectors = store.embeddings("opencv:colour", board.catalogue.ids).vectors
        weighted = board.catalogue.tags.weighted(board.weights).matrix
        item = curves.queries[3]
        row = board.catalogue.position[item]
        own = stages.zlib.crc32(f"0 {item}".encode())
        worse = degrade(stages.open_image(board.catalogue.paths[row]), "light", 4, own)
        vector = open_encoder("opencv:colour").encode([worse])
        score = stress_scores(vectors, np.array([row]), vector, weighted).mean
        curve = next(one for one in curves.of("opencv:colour") if one.kind == "light")
        assert curve.scores[4].per_query[3] == pytest.approx(score, abs=1e-6)

    def test_it_is_the_same_again_however_pictures_are_grouped(self, curves, compared, monkeypatch):
        board, store = compared
        monkeypatch.setattr(stages, "GROUP", 7)
        few = stress(
            board.catalogue, SPECS[:1], store, max_queries=20, weights=board.weights,
            kinds=["crop"], levels=[5, 2],
        )  # fmt: skip
        whole = next(one for one in curves.of("opencv:colour") if one.kind == "crop")
        assert few.curves[0].levels == (0, 2, 5)
        for place, level in enumerate((0, 2, 5)):
            np.testing.assert_allclose(
                few.curves[0].scores[place].per_query, whole.scores[level].per_query, atol=1e-6
            )
        assert few.queries == curves.queries

    def test_rotation_does_not_hurt_colours_but_gradients(self, curves):
        left = {
            name: next(one for one in curves.of(name) if one.kind == "rotation").means
            for name in curves.encoders
        }
        assert min(left["opencv:colour"]) > 0.8 * left["opencv:colour"][0]
        assert left["opencv:hog?size=64"][5] < 0.5 * left["opencv:hog?size=64"][0]

    def test_memory_is_bounded_by_bytes(self, catalogue):
        tasks = list(stages._tasks(catalogue, np.arange(3), [("blur", 1)] * 50, 0, set()))
        assert max(map(len, stages._groups(iter(tasks)))) == stages.GROUP
        assert sum(map(len, stages._groups(iter(tasks)))) == 150

    def test_few_bytes_make_small_groups(self, catalogue, monkeypatch):
        monkeypatch.setattr(stages, "GROUP_BYTES", 64 * 64 * 3 * 2)
        tasks = list(stages._tasks(catalogue, np.arange(2), [("blur", 1)] * 5, 0, set()))
        assert [len(group) for group in stages._groups(iter(tasks))] == [2] * 5

    def test_sources_without_eyes_are_passed_over_with_a_note(self, curves, compared, tmp_path):
        assert [note.split(" has")[0] for note in curves.notes] == [SPECS[2]]
        board, store = compared
        file = tmp_path / "v.npz"
        write_vectors(file, board.catalogue.ids, np.eye(60, dtype=np.float32))
        alone = stress(board.catalogue, [f"vectors:{file}"], store)
        assert alone.curves == ()
        assert "sees no pictures" in alone.notes[0]
        assert alone.table.num_rows == 0
        assert stress_charts(alone) is None

    def test_an_encoder_is_told_of_the_whole_run_before_it_begins(self, compared):
        """So that a network is exported for the run, of which each group alone is too small."""

        class Told(ShortSighted):
            def __init__(self):
                super().__init__()
                self.told = []

            def expect(self, count, encoders):
                self.told.append((count, encoders == [self], self.seen))

            seen = 0

            def forward(self, prepared):
                self.seen += len(prepared)
                return super().forward(prepared)

        board, store = compared
        encoder = Told()
        fill(board.catalogue, encoder, store)
        encoder.told, encoder.seen = [], 0
        stress(
            board.catalogue, [encoder], store, max_queries=7, kinds=["jpeg", "light"],
            levels=[1, 2, 5],
        )  # fmt: skip
        assert encoder.told[0] == (7 * 6, True, 0)
        assert encoder.seen == 7 * 6

    def test_progress_ends_at_its_total(self, compared):
        board, store = compared
        told = []
        stress(
            board.catalogue, SPECS[:2], store, max_queries=3, kinds=["jpeg"], levels=[1, 2],
            progress=lambda *step: told.append(step),
        )  # fmt: skip
        assert told[-1] == ("making queries worse", 12, 12)
        assert all(done <= total for _, done, total in told)

    def test_pictures_that_are_gone_are_left_out_and_named(self, shop):
        catalogue = Catalogue.open(shop, tags=["kind", "colour"], split="|")
        store = MemoryStore()
        compare(catalogue, ["opencv:colour"], store)
        catalogue.paths[2].unlink()
        found = stress(catalogue, ["opencv:colour"], store, kinds=["light"])
        assert len(found.queries) == 7
        assert "2" not in found.queries
        assert "1 item without a vector by some encoder left out: 2" in found.notes[0]
        assert len(found.curves[0].scores[5].per_query) == 7

    def test_items_without_tags_are_no_queries(self, shop):
        catalogue = Catalogue.open(shop, tags=["colour"], split="|")
        store = MemoryStore()
        compare(catalogue, ["opencv:colour"], store)
        found = stress(catalogue, ["opencv:colour"], store, kinds=["light"], levels=[1])
        assert set(found.queries) == set("014537")  # 2 and 6 have no colour

    def test_where_an_encoder_goes_blind_a_query_counts_as_0(self, shop):
        catalogue = Catalogue.open(shop, tags=["kind", "colour"], split="|")
        store = MemoryStore()
        compare(catalogue, [ShortSighted()], store)
        curve = stress(catalogue, [ShortSighted()], store, kinds=["blur"]).curves[0]
        assert curve.blind[0] == 0
        assert curve.blind[5] == 8
        assert curve.means[5] == 0
        for scores, blind in zip(curve.scores, curve.blind, strict=True):
            assert (scores.per_query == 0).sum() == blind
            assert scores.missing == 0

    def test_wrong_arguments_are_told_plainly(self, compared, catalogue):
        _, store = compared
        with pytest.raises(BadSpec, match="no way 'fog'"):
            stress(catalogue, SPECS, store, kinds=["fog"])
        with pytest.raises(BadSpec, match="no level 9"):
            stress(catalogue, SPECS, store, levels=[1, 9])
        with pytest.raises(BadSpec, match="nothing is to be made worse"):
            stress(catalogue, SPECS, store, levels=[0])
        with pytest.raises(BadSpec, match="nothing is to be made worse"):
            stress(catalogue, SPECS, store, kinds=[])
        with pytest.raises(BadSpec, match="0 queries"):
            stress(catalogue, SPECS, store, max_queries=0)
        with pytest.raises(BadTable, match="encoders are a list"):
            stress(catalogue, "opencv:colour", store)
        bare = Catalogue.open(catalogue.paths[0].parent)
        with pytest.raises(BadTable, match="nothing to correlate"):
            stress(bare, SPECS[:1], store)


def made(means, encoder="a:b", kind="blur", blind=0):
    """A curve with these means and a little spread."""
    spread = np.linspace(-0.01, 0.01, 21)
    scores = tuple(QueryScores(mean + spread) for mean in means)
    return Curve(
        encoder, kind, tuple(range(len(means))), scores, (0,) * (len(means) - 1) + (blind,)
    )


class TestReading:
    def test_the_table_has_a_row_per_level(self, curves):
        table = curves.table
        assert table.num_rows == 2 * len(KINDS) * (LEVELS + 1)
        row = table.to_pylist()[5]
        assert (row["encoder"], row["kind"], row["level"]) == ("opencv:colour", "clutter", 5)
        assert row["value"] == 0.45
        assert row["corrembed_low"] <= row["corrembed"] <= row["corrembed_high"]
        assert row["share_of_clean"] == pytest.approx(
            row["corrembed"] / table.to_pylist()[0]["corrembed"]
        )
        told = json.loads(json.dumps(curves.to_dict(), allow_nan=False))
        assert len(told["curves"]) == table.num_rows
        assert told["curves"][0]["value"] is None
        assert repr(curves) == "Stress(2 encoders; 20 queries, 60 items)"

    def test_half_of_the_score(self):
        assert made([0.4, 0.3, 0.2, 0.1]).half == 2
        assert made([0.4, 0.3, 0.25]).half is None
        assert made([0.4, 0.3]).shares == pytest.approx((1, 0.75))

    def test_of_nothing_there_are_no_shares(self):
        curve = made([0.001, 0.1])
        assert np.isnan(curve.shares).all()
        assert curve.half is None
        assert "not shown to be above 0" in sentence([curve], "a:b")

    def test_what_curves_say(self):
        falls, stays = made([0.4, 0.3, 0.1], kind="jpeg"), made([0.4, 0.41, 0.35])
        assert sentence([stays, falls], "a:b") == (
            "JPEG hurts most: 0.400 falls to 0.100 at level 2. "
            "Half of the score is lost to JPEG at level 2."
        )
        assert sentence([stays], "a:b").endswith("Nothing costs it half of its score.")
        assert sentence([made([0.4, 0.5])], "a:b") == "Nothing here costs it any of its score."
        assert "no score to lose" in sentence([falls], "control:random")

    def test_a_loss_within_chance_is_not_claimed(self):
        clean = np.linspace(0.2, 0.8, 30)
        noisy = clean - 0.01 + np.tile([0.1, -0.1], 15)
        curve = Curve("a:b", "blur", (0, 1), (QueryScores(clean), QueryScores(noisy)), (0, 0))
        assert sentence([curve], "a:b") == (
            "No loss of score is shown: the largest, by blur at level 1, is from 0.500 to 0.490, "
            "within chance."
        )

    def test_names_beside_lines_stay_apart_and_on_the_chart(self):
        same = Stress(tuple(made([0.4, 0.0], kind=kind) for kind in KINDS), ("1",), 1, 9, False, 0)
        charts = stress_charts(same)
        labels = sorted(stroke.label for stroke in charts.charts[0].strokes)
        assert min(np.diff(labels)) > APART - 0.5
        assert labels[-1] <= 216

    def test_a_curve_without_any_score_breaks_nothing(self, tmp_path):
        blank = Curve("a:b", "blur", (0, 1), (QueryScores([np.nan] * 3),) * 2, (0, 0))
        none = Stress((blank,), ("1", "2", "3"), 3, 9, False, 0)
        text = write_report(three_encoders(tmp_path), tmp_path / "r", none).read_text()
        assert not re.search(r">\s*nan\b", text, re.IGNORECASE)
        assert json.loads((tmp_path / "r" / "stress.json").read_text())["curves"]
        assert "–" in markdown_stress(none)

    def test_the_report_has_a_section_with_a_chart_per_encoder(self, curves, tmp_path):
        page = write_report(three_encoders(tmp_path), tmp_path / "r", curves).read_text()
        outline = Outline(page)
        sections = [one["id"] for one in outline.all("section")]
        assert sections[sections.index("sees") + 1] == "stress"
        assert "#stress" in [one["href"] for one in outline.all("a")]
        section = page[page.index('<section id="stress"') : page.index('<section id="map"')]
        inner = Outline(section)
        assert len(inner.all("svg")) == 2
        assert len(inner.all("polyline")) == 2 * len(KINDS)
        names = {one.get("id") for _, one in inner.elements}
        for one in inner.all("svg"):
            assert set(one["aria-labelledby"].split()) <= names
        assert all(one.get("scope") for one in inner.all("th"))
        assert "hurts most" in inner.text
        assert "--stress-queries 20" in outline.text
        table = pyarrow.csv.read_csv(tmp_path / "r" / "stress.csv")
        assert table.num_rows == curves.table.num_rows
        assert not re.search(r"url\(|@import|https?:", section)

    def test_names_that_users_write_are_shown_and_never_run(self, tmp_path):
        hostile = '<script>alert("x")</script>'
        odd = Stress((made([0.4, 0.2], hostile),), ("1",), 1, 9, False, 0, (hostile,))
        page = write_report(three_encoders(tmp_path), tmp_path / "r", odd).read_text()
        assert "<script" not in page.lower()
        assert "<script" not in markdown_stress(odd)
        assert "<script" not in svg_stress(odd)

    def test_the_charts_stand_alone_too(self, curves):
        root = ElementTree.fromstring(svg_stress(curves))
        lines = root.findall(".//{http://www.w3.org/2000/svg}polyline")
        assert len(lines) == 2 * len(KINDS)

    def test_markdown_has_a_table_per_encoder(self, curves):
        text = markdown_stress(curves)
        assert text.count("| worse by | level 0 |") == 2
        assert text.count("\n| JPEG | ") == 2


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as stopped:
        main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    return stopped.value.code or 0, out, err


class TestCommand:
    def test_it_writes_curves_beside_the_report(self, catalogue, tmp_path, capsys):
        code, out, err = run(
            capsys, "evaluate", catalogue.layout.source, "-e", "opencv:colour", SPECS[2],
            "--out", tmp_path / "r", "--stress", "--stress-queries", 5,
        )  # fmt: skip
        assert code == 0, err
        assert "opencv:colour: " in out
        assert "sees no pictures" in err
        assert {"stress.csv", "stress.json", "report.html"} <= {
            path.name for path in (tmp_path / "r").iterdir()
        }
        assert "When the pictures get worse" in (tmp_path / "r" / "report.html").read_text()

    def test_it_is_in_the_json_and_only_when_asked_for(self, catalogue, tmp_path, capsys):
        given = ("evaluate", catalogue.layout.source, "-e", "opencv:colour", "--out", tmp_path)
        code, out, err = run(capsys, *given, "--json", "--stress", "--stress-queries", 3)
        assert code == 0, err
        told = json.loads(out)["stress"]
        assert len(told["queries"]) == 3
        assert told["weighted"] is True
        code, out, _ = run(capsys, *given, "--json")
        assert code == 0
        assert "stress" not in json.loads(out)

    def test_too_few_queries_are_refused(self, catalogue, tmp_path, capsys):
        code, _, err = run(
            capsys, "evaluate", catalogue.layout.source, "-e", "opencv:colour", "--out", tmp_path,
            "--stress", "--stress-queries", 1,
        )  # fmt: skip
        assert code == 2
        assert "--stress-queries" in err

    def test_its_queries_without_it_are_refused(self, catalogue, tmp_path, capsys):
        code, out, err = run(
            capsys, "evaluate", catalogue.layout.source, "-e", "opencv:colour", "--out", tmp_path,
            "--stress-queries", 5,
        )  # fmt: skip
        assert code == 2
        assert "give --stress as well" in err
        assert out == ""
