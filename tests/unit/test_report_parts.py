"""What a report is made of: sentences, figures, grids, charts, maps, and the page in Markdown."""

from __future__ import annotations

import base64
import io
import re
import shlex
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from boards import Outline, make_board, page_of, three_encoders
from conftest import paint
from likelens._leaderboard import Leaderboard
from likelens.report import charts, formats, grids, maps, words
from likelens.report.lines import read_lines
from likelens.report.markdown import markdown_leaderboard, svg_bars
from likelens.report.networks import by_network
from likelens.report.pairs import read_pairs
from likelens.report.standing import Standing, title
from likelens.report.tables import command, heat_map, plain
from likelens.report.thumbnails import thumbnail, thumbnails
from likelens.values.scores import QueryScores


@pytest.fixture
def board(tmp_path: Path) -> Leaderboard:
    """Three encoders that differ and a control, best first."""
    return three_encoders(tmp_path)


class TestWords:
    def head(self, board: Leaderboard) -> words.Headline:
        lines = read_lines(board)
        return words.headline(board, lines, read_pairs(board, lines))

    def test_a_clear_winner(self, board):
        head = self.head(board)
        assert head.title == "good sees these images best"
        text = " ".join(head.sentences).replace("\u00a0", " ")
        assert "on 24 items (95 % interval 0.591 to 0.638" in text
        assert (
            "significantly more than each of the 2 others, of which fair scores most (0.4" in text
        )
        assert "largest p < 0.001" in text or "largest p = 0.0" in text
        assert "it agrees most with kind" in text
        assert "and least with colour" in text
        assert head.facts[:2] == (("3", "encoders"), ("1", "control"))

    def test_a_tie_is_called_one(self, board):
        first, second, *others = board.entries
        twin = replace(second, unweighted=first.unweighted, weighted=first.weighted)
        tied = make_board(board.catalogue, [first, twin, *others])
        assert [line.place for line in read_lines(tied)] == ["1=", "1=", "3", "4"]
        head = self.head(tied)
        assert head.title == "good and fair share the first place"
        text = " ".join(head.sentences)
        assert "do not tell it from fair (" in text
        assert "p = 1.000" in text
        assert "significantly more than opencv:colour (p" in text

    def test_each_p_is_named_and_not_only_the_largest(self, board):
        """One rival was told with p = 1, while another of the same sentence had p = .06."""
        first = board.entries[0]
        near = first.main.per_query - 0.02 + np.random.default_rng(3).normal(0, 0.045, 24)
        rivals = [
            replace(first, card=replace(first.card, name=name), weighted=QueryScores(values))
            for name, values in (("a:twin", first.main.per_query), ("a:near", near))
        ]
        board = make_board(board.catalogue, [first, *rivals])
        pairs = read_pairs(board, read_lines(board))
        adjusted = {
            pair.second.label: pair.adjusted for pair in pairs if pair.first.label == "good"
        }
        assert 0.05 < adjusted["a:near"] < 0.5
        text = " ".join(self.head(board).sentences)
        for label, p in adjusted.items():
            assert re.search(rf"{label} \([0-9.]+, p = {formats.number(p)}\)", text), text

    def test_more_rivals_than_are_named_have_their_smallest_p(self, board):
        first = board.entries[0]
        drop = np.linspace(0.0, 0.004, 6)
        rivals = [
            replace(
                first,
                card=replace(first.card, name=f"a:{place}"),
                weighted=QueryScores(
                    first.main.per_query - drop[place] + 0.03 * np.sin(place + np.arange(24))
                ),
            )
            for place in range(5)
        ]
        board = make_board(board.catalogue, [first, *rivals])
        board = replace(
            board, entries=tuple(sorted(board.entries, key=lambda e: (e.rank, -e.main.mean)))
        )
        text = " ".join(self.head(board).sentences)
        assert "and 2 more, smallest p = " in text

    def test_the_highest_score_is_not_the_best_while_a_test_is_undecided(self, board):
        """A second that is beaten by another than the first leaves the first place alone."""
        first, second, third, _ = board.entries
        board = make_board(board.catalogue, [first, second, third])
        p = board.pairs.p_holm.copy()
        p[0, 2] = p[2, 0] = 0.2
        undecided = replace(board, pairs=replace(board.pairs, p_holm=p))
        head = self.head(undecided)
        assert head.title == "good scores highest"
        assert "do not tell it from opencv:colour" in " ".join(head.sentences)

    def test_too_few_items_for_an_interval_show_nothing(self, board):
        first = board.entries[0]
        alone = np.full(24, np.nan)
        alone[0] = 0.9
        few = replace(first, weighted=QueryScores(alone))
        head = self.head(make_board(board.catalogue, [few]))
        assert head.title == "No encoder is shown to see these images better than chance"
        assert "23 of which have no score (too few for an interval" in head.sentences[0]

    def test_only_the_first_may_be_level_with_chance(self, board):
        first, second, *_, control = board.entries
        wide = replace(first, weighted_controls={**first.weighted_controls, "shuffled tags": 0.62})
        head = self.head(make_board(board.catalogue, [wide, second, control]))
        assert head.title == "good scores highest, but is not shown to be better than chance"

    def test_a_control_in_the_first_place(self, board):
        *encoders, control = board.entries
        lucky = replace(control, weighted=QueryScores(encoders[0].main.per_query + 0.2))
        head = self.head(make_board(board.catalogue, [lucky, *encoders]))
        assert head.title == "No encoder is shown to see these images better than chance"

    def test_no_score_at_all_and_missing_encoders(self, board):
        none = QueryScores(np.full(24, np.nan))
        blind = [replace(one, weighted=none) for one in board.entries[:2]]
        head = self.head(replace(make_board(board.catalogue, blind), missing={"onnx:x": "why"}))
        assert head.title == "No encoder could be scored"
        assert "2 encoders have no score: " in head.sentences[-2]
        assert head.sentences[-1] == "1 encoder could not be measured: onnx:x."
        assert [line.place for line in read_lines(make_board(board.catalogue, blind))] == ["–"] * 2

    def test_the_only_encoder_with_a_score_is_not_called_the_best(self, board):
        first, second, *_ = board.entries
        none = QueryScores(np.full(24, np.nan))
        pair = make_board(board.catalogue, [first, replace(second, weighted=none)])
        head = self.head(pair)
        assert head.title == "How good sees these images"
        assert "1 encoder has no score: " in head.sentences[-1]
        known = [Standing("a", "a", 1, False, True), Standing("b", "b", 2, False, False)]
        assert title(known, pair.pairs, "see them") == "How a sees them"

    def test_all_encoders_are_equal(self, board):
        first = board.entries[0]
        twins = [replace(first, card=replace(first.card, name=f"a:{n}")) for n in range(3)]
        head = self.head(make_board(board.catalogue, twins))
        assert head.title == "a:0 and 2 others share the first place"
        assert "significantly more" not in " ".join(head.sentences)

    def test_no_better_than_chance(self, board):
        *others, control = board.entries
        lucky = replace(control, unweighted=others[0].unweighted, weighted=others[0].weighted)
        head = self.head(make_board(board.catalogue, [others[0], lucky]))
        assert head.title == "No encoder is shown to see these images better than chance"


class TestPairs:
    def test_each_two_encoders_once_and_the_higher_less_the_lower(self, board):
        lines = read_lines(board)
        pairs = read_pairs(board, lines)
        assert [(pair.first.label, pair.second.label) for pair in pairs[:3]] == [
            ("good", "fair"), ("good", "opencv:colour"), ("good", "control:random"),
        ]  # fmt: skip
        assert len(pairs) == 6
        for pair in pairs:
            expected = pair.first.main.mean - pair.second.main.mean
            assert pair.difference == pytest.approx(expected)
            assert pair.difference > 0.15

    def test_significant_differences_are_tinted(self, board, tmp_path):
        twin = replace(board.entries[0], card=replace(board.entries[0].card, name="a:twin"))
        board = make_board(board.catalogue, [board.entries[0], twin, board.entries[-1]])
        pairs = read_pairs(board, read_lines(board))
        assert [pair.significant for pair in pairs] == [False, True, True]
        assert page_of(board, tmp_path).count('<td class="sure">') == 2


class TestGrids:
    def test_the_greatest_disagreement_comes_first(self, board):
        first, second = board.entries[:2]
        values = second.ndcg.per_query.copy()
        values[13] = first.ndcg.per_query[13] + 2.0
        entries = (first, replace(second, ndcg=QueryScores(values)), *board.entries[2:])
        board = replace(board, entries=entries)
        strong, weak = read_lines(board)[:2]
        grid = grids.disagreements(board, strong, weak, count=4, depth=3)
        assert grid.metric == "nDCG@10"
        assert grid.cases[0].query.position == 13
        gaps = [abs(a.quality - b.quality) for a, b in (case.found for case in grid.cases)]
        assert gaps == sorted(gaps, reverse=True)
        assert [len(found.shown) for found in grid.cases[0].found] == [3, 3]

    def test_no_two_queries_bear_the_same_tags_while_others_are_left(self, board):
        strong, weak = read_lines(board)[:2]
        rows = board.catalogue.tags.matrix.toarray()
        cases = grids.disagreements(board, strong, weak, count=9).cases
        assert len({tuple(rows[case.query.position]) for case in cases}) == 9  # 3 x (2 + none)
        assert len(grids.disagreements(board, strong, weak, count=20).cases) == 20

    def test_shared_tags_are_marked_and_counted(self, board):
        line = read_lines(board)[0]
        case = grids.failures(board, line, count=1, depth=5).cases[0]
        asked = {(tag.category, tag.name) for tag in case.query.tags}
        for shown in case.found[0].shown:
            marked = {(tag.category, tag.name) for tag in shown.tags if tag.shared}
            borne = {(tag.category, tag.name) for tag in shown.tags}
            assert marked == asked & borne
            assert (shown.shared, shown.asked) == (len(marked), len(asked))

    def test_failures_are_the_lowest_and_corrembed_stands_in(self, board):
        none = QueryScores(np.full(24, np.nan))
        entry = replace(board.entries[0], ndcg=none)
        board = replace(board, entries=(entry, *board.entries[1:]))
        grid = grids.failures(board, read_lines(board)[0], count=1)
        assert grid.metric == "CorrEmbed"
        assert grid.cases[0].query.position == int(entry.unweighted.per_query.argmin())


class TestCharts:
    def test_ticks_of_bars_hold_zero_and_end_at_the_highest(self):
        axis = charts.Axis.over([0.669, 0.55, float("nan")])
        assert [text for _, text in axis.ticks] == ["0.0", "0.2", "0.4", "0.6"]
        assert axis.at(0.669) == 100
        assert [text for _, text in charts.Axis.over([-0.3, 0.5]).ticks] == [
            "−0.2", "0.0", "0.2", "0.4",
        ]  # fmt: skip
        assert charts.Axis.over([]).high == 1

    def test_a_bar_below_zero_starts_left_of_it(self):
        from likelens.report.lines import Estimate

        bar = charts.Axis.over([-0.5, 0.5]).bar(Estimate(-0.25, -0.3, -0.2))
        assert (bar["start"], bar["length"]) == (25, 25)
        assert (bar["low"], bar["spread"]) == (20, 10)
        above = charts.Axis.over([-0.5, 0.5]).bar(Estimate(0.25, float("nan"), float("nan")))
        assert (above["start"], above["length"]) == (50, 25)
        assert (above["low"], above["spread"]) == (75, 0)

    def test_correlation_with_accuracy(self, board):
        cloud = charts.scatter(read_lines(board))
        assert cloud is not None
        scores = [line.main.mean for line in cloud.lines]
        expected = np.corrcoef([70.5, 60.1, 50.0], scores)[0, 1]
        assert cloud.pearson == pytest.approx(expected)
        assert cloud.trend is not None
        assert cloud.trend[1] > cloud.trend[0]
        assert charts.scatter(read_lines(board)[:2]) is None

    def test_variants_of_one_network_count_once(self, board, tmp_path):
        """Three networks with two layers each were told as a correlation over 6 encoders."""
        first, second, third, _ = board.entries
        variants = [
            replace(
                entry,
                card=replace(entry.card, name=f"onnx:n{place}.onnx{variant}", accuracy=accuracy),
            )
            for place, (entry, accuracy) in enumerate(
                ((first, 70.0), (second, 60.0), (third, 50.0))
            )
            for variant in ("@a", "@b?dtype=float16")
        ]
        six = make_board(board.catalogue, variants)
        cloud = charts.scatter(read_lines(six))
        assert cloud is not None
        assert (len(cloud.lines), cloud.networks, cloud.interval) == (6, 3, None)
        scores = [first.main.mean, second.main.mean, third.main.mean]
        assert cloud.pearson == pytest.approx(np.corrcoef([70, 60, 50], scores)[0, 1])
        text = Outline(page_of(six, tmp_path)).text
        assert "over 3 networks, too few for an interval" in text
        assert "The 6 encoders shown include layers" in text
        two = make_board(board.catalogue, variants[:4])
        cloud = charts.scatter(read_lines(two))
        assert cloud is not None
        assert np.isnan(cloud.pearson)
        assert "are 2 networks: too few for a correlation" in Outline(page_of(two, tmp_path)).text

    def test_equal_files_under_two_names_are_one_network(self, board):
        cards = [replace(e.card, parameters=1000, accuracy=60.0) for e in board.entries[:2]]
        assert len(by_network(cards, lambda card: card)) == 1
        assert len(by_network([cards[0], replace(cards[1], accuracy=61.0)], lambda card: card)) == 2

    def test_no_correlation_where_accuracy_is_constant(self, board, tmp_path):
        entries = tuple(
            replace(entry, card=replace(entry.card, accuracy=60.0)) for entry in board.entries
        )
        cloud = charts.scatter(read_lines(replace(board, entries=entries)))
        assert cloud is not None
        assert np.isnan(cloud.pearson)
        assert "no correlation" in page_of(replace(board, entries=entries), tmp_path)

    def test_a_heat_map_names_the_best_of_each_category(self, board):
        heat = heat_map(board, read_lines(board))
        assert [category.name for category in heat.categories] == ["kind", "colour"]
        assert [[cell.best for cell in cells] for _, cells in heat.rows] == [
            [True, True], [False, False], [False, False], [False, False],
        ]  # fmt: skip
        assert max(cell.strength for _, cells in heat.rows for cell in cells) == 1


class TestMaps:
    def test_the_weightiest_category_colours_it(self, board):
        tags, items = board.catalogue.tags, board.map_items
        assert maps.choose_category(tags, items, {"kind": 0.1, "colour": 0.2}) == "colour"
        assert maps.choose_category(tags, items, None) == "kind"
        assert maps.choose_category(tags, np.array([0, 3, 6]), None) == "colour"  # all shirts

    def test_rare_values_are_other_and_items_without_are_named(self, board):
        many = [f"value {min(number, 14)}" for number in range(30)] + [None] * 3
        groups, numbers = maps._group(many)
        assert len(groups) == maps.NAMED + 2
        assert (groups[0].name, groups[0].count) == ("value 14", 16)
        assert [(group.name, group.count) for group in groups[-2:]] == [
            ("Other", 5),
            ("without", 3),
        ]
        assert np.bincount(numbers).tolist() == [group.count for group in groups]

    def test_every_point_is_drawn_once_and_the_same_again(self, board):
        lines = read_lines(board)[:1]
        drawn = maps.draw_maps(board, lines)
        assert sum(path.count("M") for path in drawn.maps[0].paths) == 24
        assert drawn.maps[0].paths == maps.draw_maps(board, lines).maps[0].paths

    def test_likes_lie_together(self):
        draw = np.random.default_rng(0)
        centres = np.repeat(np.eye(3), 20, axis=0)
        points = maps.lay_out(centres + draw.normal(0, 0.01, (60, 3)))
        assert points is not None
        means = points.reshape(3, 20, 2).mean(axis=1)
        within = np.abs(points.reshape(3, 20, 2) - means[:, None]).mean()
        apart = min(np.linalg.norm(means[a] - means[b]) for a, b in ((0, 1), (0, 2), (1, 2)))
        assert apart > 3 * within

    @pytest.mark.parametrize(
        "vectors",
        [np.zeros((30, 4)), np.ones((30, 4)), np.eye(9), np.full((30, 4), np.nan), np.ones((0, 4))],
    )
    def test_too_few_different_vectors_have_no_map(self, vectors):
        assert maps.lay_out(vectors) is None

    def test_broken_vectors_are_left_out_of_the_map(self):
        vectors = np.random.default_rng(0).standard_normal((20, 4))
        vectors[3, 1] = np.nan
        points = maps.lay_out(vectors)
        assert points is not None
        assert np.isnan(points[3]).all()
        assert np.isfinite(np.delete(points, 3, axis=0)).all()
        assert maps._path(points).count("M") == 19


class TestNames:
    def test_labels_are_as_short_as_leaves_them_apart(self):
        names = [
            "onnx:/a/b/net.onnx@one",
            "onnx:/a/b/net.onnx@two",
            "onnx:c\\other.onnx",
            "opencv:sift?words=64",
            "opencv:sift?words=512",
            "control:shuffled?of=onnx:/a/b/net.onnx@one",
            "open_clip:ViT-B-32/laion2b",
            "no spec",
        ]
        assert list(formats.labels(names).values()) == [
            "net@one",
            "net@two",
            "other",
            "opencv:sift?words=64",
            "opencv:sift?words=512",
            "control:shuffled",
            "open_clip:ViT-B-32/laion2b",
            "no spec",
        ]

    def test_files_of_one_name_keep_their_folders(self):
        names = ["onnx:/a/net.onnx", "onnx:/b/net.onnx"]
        assert list(formats.labels(names).values()) == names

    @pytest.mark.parametrize(
        ("value", "text"),
        [(0.4736, "0.474"), (-0.1, "−0.100"), (-1e-9, "0.000"), (float("nan"), "–"), (None, "–")],
    )
    def test_numbers(self, value, text):
        assert formats.number(value) == text

    @pytest.mark.parametrize(
        ("value", "text"),
        [(999, "999 B"), (999_960, "1.0 MB"), (14_000_000, "14.0 MB"), (123_456, "123 kB")],
    )
    def test_sizes(self, value, text):
        assert formats.rounded(value, "B").replace("\u00a0", " ") == text

    def test_facts_of_a_run_are_plain_text(self):
        value = {"quantised": True, "seed": False, "sides": [224, 16_000], "of": {"a": 0.5}}
        assert plain(value) == "quantised yes, seed no, sides 224, 16,000, of a 0.5"

    def test_the_command_says_how_the_table_was_read(self, board):
        words_of = shlex.split(" ".join(command(board, Path("my report"))))
        assert words_of[:3] == ["likelens", "evaluate", "my shop.csv"]
        assert words_of[3:8] == ["--tags", "kind,colour", "--split", "|", "--skip-missing"]
        specs = [words_of[place + 1] for place, word in enumerate(words_of) if word == "-e"]
        assert specs == [entry.card.name for entry in board.entries]
        assert words_of[-6:] == ["--self-pairs", "exclude", "--seed", "7", "--out", "my report"]


class TestThumbnails:
    def test_they_are_small_and_upright(self, tmp_path):
        uri = thumbnail(paint(tmp_path / "wide.png", 1, (400, 200)))
        assert uri is not None
        assert uri.startswith("data:image/jpeg;base64,")
        with Image.open(io.BytesIO(base64.b64decode(uri.split(",")[1]))) as image:
            assert image.size == (112, 56)

    def test_those_that_cannot_be_opened_are_left_out(self, tmp_path):
        good, gone = paint(tmp_path / "a.png", 1), tmp_path / "b.png"
        assert list(thumbnails([good, gone, good])) == [good]


def tables_of(markdown: str) -> list[list[list[str]]]:
    """Cells of each table of a Markdown text."""
    found: list[list[list[str]]] = [[]]
    for line in markdown.splitlines():
        if line.startswith("|"):
            found[-1].append(re.split(r"(?<!\\)\|", line)[1:-1])
        elif found[-1]:
            found.append([])
    return [table for table in found if table]


class TestMarkdown:
    def test_every_table_has_as_many_cells_in_each_row(self, board):
        categories = tuple(name.replace("kind", "a|b") for name in board.catalogue.tags.categories)
        tags = replace(board.catalogue.tags, categories=categories)
        entries = tuple(
            replace(
                entry,
                categories={
                    name.replace("kind", "a|b"): one for name, one in entry.categories.items()
                },
            )
            for entry in board.entries
        )
        board = replace(board, entries=entries, catalogue=replace(board.catalogue, tags=tags))
        tables = tables_of(markdown_leaderboard(board))
        assert [len(table) for table in tables] == [6, 6, 6, 6, 8]
        for table in tables:
            assert len({len(row) for row in table}) == 1
            assert all(re.fullmatch(r" (:---|---:) ", cell) for cell in table[1])
        assert tables[3][0][1].strip() == "a\\|b"

    def test_without_purchases_there_is_no_weighted_score(self, board):
        entries = [replace(entry, weighted=None) for entry in board.entries]
        text = markdown_leaderboard(make_board(board.catalogue, entries))
        assert "eighted" not in text.replace("unweighted", "").replace("Unweighted", "")
        assert len(tables_of(text)) == 4

    def test_one_encoder_has_no_tests(self, board):
        text = markdown_leaderboard(make_board(board.catalogue, [board.entries[0]]))
        assert "## Tests" not in text
        assert len(tables_of(text)) == 4


class TestBars:
    def test_it_is_a_picture_of_its_own_in_two_themes(self, board):
        text = svg_bars(board)
        root = ElementTree.fromstring(text)
        space = "{http://www.w3.org/2000/svg}"
        assert "prefers-color-scheme: dark" in text
        assert root.findtext(f"{space}title").startswith("CorrEmbed weighted by purchases")
        widths = [float(bar.get("width")) for bar in root.findall(f"{space}rect")[1:]]
        assert len(widths) == 4
        assert widths == sorted(widths, reverse=True)
        assert len(root.findall(f"{space}path")) == 4
