"""Encoders ranked by judgements, against loops over whole rankings."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.metrics import average_precision_score, roc_auc_score

from conftest import paint
from likelens import Catalogue, Judgements, discover, embed, garments, open_encoder
from likelens._discover.advice import advice
from likelens._discover.agree import spearman
from likelens._discover.contest import _middle_share
from likelens._discover.pairs import Asked
from likelens._discover.pooled import read_pool
from likelens._discover.values import Figure, metric_names
from likelens.report.discovery import headline, read_rows, render_discovery, strips, summary
from likelens.store.base import open_store
from likelens.values.errors import BadSpec, BadTable

COLOUR, HOG = "opencv:colour?bins=4", "opencv:hog?size=64"
RANDOM = "control:random?dim=16"
LINEUP = (COLOUR, HOG, RANDOM)
KS = (2, 5)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return garments.create(tmp_path_factory.mktemp("shop"), items=60, size=64, wild=True)


@pytest.fixture(scope="module")
def catalogue(source):
    return Catalogue.open(source)


@pytest.fixture(scope="module")
def wild(source):
    return Catalogue.open(source.parent / "wild")


def likeness(catalogue):
    """Cosine of tags: who is alike is known from how the garments were made."""
    tags = catalogue.tags.matrix.toarray().astype(float)
    tags /= np.linalg.norm(tags, axis=1, keepdims=True)
    return tags @ tags.T


def judge(catalogue, queries, rows, seed=0):
    """Judgements of some queries: the likest by tags, and some at random."""
    alike, draw = likeness(catalogue), np.random.default_rng(seed)
    first = {product: row for row, product in reversed(list(enumerate(catalogue.products)))}
    triples = {}
    for row in rows:
        place = first[queries.products[row]]
        near = np.argsort(-alike[place], kind="stable")[:8]
        for item in [*near, *draw.choice(len(catalogue), 5, replace=False)]:
            if queries.ids[row] != catalogue.ids[item]:
                pair = queries.ids[row], catalogue.ids[item]
                triples[pair] = float(alike[place, item] > 0.55)
    asked, found = zip(*triples, strict=True)
    return Judgements(asked, found, np.array(list(triples.values())))


@pytest.fixture(scope="module")
def judgements(catalogue):
    return judge(catalogue, catalogue, range(0, 60, 3))


@pytest.fixture(scope="module")
def board(catalogue, judgements):
    return discover(catalogue, LINEUP, judgements, k=KS, pool_k=3)


def test_a_notebook_shows_the_table_and_images_of_queries(board):
    html = board._repr_html_()
    assert html.count("<tr>") == 1 + len(board.entries)
    assert html.count('src="data:image/jpeg;base64,') == 3


def whole_list(catalogue, vectors, query, itself, product, *, once=False, apart=False):
    """Positions by falling similarity, without the query, ties in catalogue order."""
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    scores = unit.astype(np.float32) @ (query / np.linalg.norm(query)).astype(np.float32)
    order = [row for row in np.argsort(-scores, kind="stable") if row != itself]
    if once or apart:
        order = [row for row in order if catalogue.products[row] != product]
    if once:
        seen, shown = set(), []
        for row in order:
            if catalogue.products[row] not in seen:
                seen.add(catalogue.products[row])
                shown.append(row)
        order = shown
    return [int(row) for row in order], scores


def by_hand(catalogue, queries, spec, judgements, definition="paper", *, apart=False, asks=None):
    """HR, MRR, areas and unjudged share, written out."""
    vectors = embed(catalogue, spec).vectors.astype(np.float64)
    asking = vectors if queries is catalogue else asks
    by_query = {}
    triples = zip(judgements.queries, judgements.candidates, judgements.grades, strict=True)
    for query, item, grade in triples:
        row, place = queries.position[query], catalogue.position[item]
        if apart and queries.products[row] == catalogue.products[place]:
            continue
        by_query.setdefault(row, {})[place] = int(grade)
    hits, shares, macro, labels, all_scores = [], {k: [] for k in KS}, [], [], []
    for row, judged in by_query.items():
        itself = row if queries is catalogue else None
        product = queries.products[row]
        plain, scores = whole_list(catalogue, vectors, asking[row], itself, product, apart=apart)
        ranked = plain
        if definition == "release":
            ranked = whole_list(catalogue, vectors, asking[row], itself, product, once=True)[0]
        for item, grade in judged.items():
            if grade:
                hits.append((row, ranked.index(item) + 1 if item in ranked else math.inf))
        for k in KS:
            shares[k] += [item not in judged for item in plain[:k]]
        mine = [scores[item] for item in judged]
        labels += list(judged.values())
        all_scores += mine
        if 0 < sum(judged.values()) < len(judged):
            macro.append(
                (roc_auc_score(list(judged.values()), mine),
                 average_precision_score(list(judged.values()), mine))
            )  # fmt: skip
    found = {}
    with_positive = len({row for row, _ in hits})
    for k in KS:
        under = [rank for _, rank in hits if rank <= k]
        count, worth = len(under), sum(1 / rank for rank in under)
        if definition == "paper":
            found[f"hr_at_{k}"], found[f"mrr_at_{k}"] = count / len(hits), worth / len(hits)
        else:
            found[f"hr_at_{k}"] = count / (k * with_positive)
            best = with_positive * sum(1 / rank for rank in range(1, k + 1))
            found[f"mrr_at_{k}"] = worth / best
    found["roc_auc_micro"] = roc_auc_score(labels, all_scores)
    found["pr_auc_micro"] = average_precision_score(labels, all_scores)
    found["roc_auc_macro"], found["pr_auc_macro"] = np.mean(macro, axis=0)
    return found, {k: np.mean(shares[k]) for k in KS}


class TestScores:
    @pytest.mark.parametrize("definition", ["paper", "release"])
    @pytest.mark.parametrize("apart", [False, True])
    def test_are_what_loops_give(self, catalogue, judgements, definition, apart):
        board = discover(
            catalogue, LINEUP[:2], judgements, k=KS, definition=definition, different_products=apart
        )
        for entry in board.entries:
            scores, shares = by_hand(
                catalogue, catalogue, entry.name, judgements, definition, apart=apart
            )
            for metric, score in scores.items():
                assert entry.figures[metric].mean == pytest.approx(score, abs=1e-6), metric
            assert entry.unjudged == pytest.approx(shares)

    def test_in_the_wild(self, catalogue, wild, tmp_path):
        judged = judge(catalogue, wild, range(0, 30, 2))
        board = discover(catalogue, LINEUP, judged, tmp_path / "store", queries=wild, k=KS)
        assert board.wild
        assert len(board.queries) == board.statistics.queries == 15
        for entry in board.entries:
            if entry.control:
                continue
            asks = embed(wild, entry.name).vectors.astype(np.float64)
            scores, shares = by_hand(catalogue, wild, entry.name, judged, asks=asks)
            for metric, score in scores.items():
                assert entry.figures[metric].mean == pytest.approx(score, abs=1e-6), metric
            assert entry.unjudged == pytest.approx(shares)
        assert open_store(tmp_path / "store").catalogue().ids == catalogue.ids
        again = discover(catalogue, LINEUP, judged, tmp_path / "store", queries=wild, k=KS)
        assert again.table.drop_columns(["fingerprint"]).equals(
            board.table.drop_columns(["fingerprint"])
        )

    def test_a_query_that_is_an_item_never_finds_itself_in_the_wild_either(self, catalogue):
        judged = judge(catalogue, catalogue, range(0, 60, 4))
        alone = discover(catalogue, [HOG], judged, k=KS)
        beside = discover(catalogue, [HOG], judged, k=KS, queries=catalogue)
        assert beside.wild
        assert alone.entries[0].figures == beside.entries[0].figures

    def test_an_encoder_that_learns_from_pictures_asks_with_what_the_gallery_taught(
        self, catalogue, wild, tmp_path
    ):
        spec = "opencv:sift?words=8"
        judged = judge(catalogue, wild, range(5))
        board = discover(catalogue, [spec], judged, tmp_path / "s", queries=wild, k=KS)
        encoder = open_encoder(spec)
        encoder.load_state(open_store(tmp_path / "s").state(spec))
        row = wild.position[board.queries.ids[0]]
        query = encoder.encode([wild.paths[row]])[0].astype(np.float64)
        gallery = embed(catalogue, spec, tmp_path / "s").vectors.astype(np.float64)
        expected = whole_list(catalogue, gallery, query, None, None)[0][:5]
        assert board.entries[0].top[0, :5].tolist() == expected

    def test_statistics_count(self, board, judgements):
        found = board.statistics
        assert (found.queries, found.gallery, found.pairs) == (20, 60, len(judgements))
        assert found.positives == judgements.grades.sum()
        assert found.prevalence == found.positives / found.pairs
        assert found.possible == 20 * 59
        assert found.lower_bound == found.positives / found.possible
        assert found.with_both <= found.with_positive <= found.queries

    @pytest.mark.parametrize("wilds", [False, True])
    @pytest.mark.parametrize("apart", [False, True])
    def test_possible_pairs_are_counted_by_hand(self, catalogue, wild, apart, wilds):
        asking = wild if wilds else catalogue
        judged = judge(catalogue, asking, range(0, 30, 2))
        queries = wild if wilds else None
        board = discover(
            catalogue, [COLOUR], judged, queries=queries, k=KS, pool_k=2, different_products=apart
        )
        by_hand = sum(
            (wilds or query != item)
            and not (apart and asking.products[asking.position[query]] == product)
            for query in board.queries.ids
            for item, product in zip(catalogue.ids, catalogue.products, strict=True)
        )
        assert board.statistics.possible == by_hand
        assert board.to_dict()["statistics"]["lower_bound"] == board.statistics.positives / by_hand

    def test_the_board_is_in_order_and_chance_is_last(self, board):
        assert board.rank_by == "inferred_ap"
        means = [entry.figures["inferred_ap"].mean for entry in board.entries]
        assert means == sorted(means, reverse=True)
        assert board.entries[-1].control
        for entry in board.entries:
            assert set(entry.figures) == set(metric_names(KS))
            for figure in entry.figures.values():
                assert figure.low <= figure.mean <= figure.high

    def test_another_metric_decides_if_asked(self, catalogue, judgements):
        board = discover(catalogue, LINEUP, judgements, k=KS, rank_by="hr_at_5")
        means = [entry.figures["hr_at_5"].mean for entry in board.entries]
        assert board.rank_by == "hr_at_5"
        assert means == sorted(means, reverse=True)

    def test_without_negatives_encoders_stand_by_hit_rate(self, catalogue, judgements):
        good = judgements.grades > 0
        names = np.array(judgements.queries)[good], np.array(judgements.candidates)[good]
        only = Judgements(*(tuple(one.tolist()) for one in names), judgements.grades[good])
        assert discover(catalogue, LINEUP, only, k=KS).rank_by == "inferred_ap"
        board = discover(catalogue, LINEUP, only, k=KS, rank_by="roc_auc_macro")
        assert board.rank_by == "hr_at_5"
        assert any("roc_auc_macro has no value here" in note for note in board.notes)
        assert math.isnan(board.entries[0].figures["roc_auc_macro"].mean)
        assert "share the first place" in render_discovery(board) or "best" in render_discovery(
            board
        )

    def test_a_picture_that_breaks_is_left_out_for_all(self, tmp_path):
        source = garments.create(tmp_path / "shop", items=20, size=32)
        catalogue = Catalogue.open(source)
        judged = judge(catalogue, catalogue, range(0, 20, 2))
        catalogue.paths[0].write_bytes(b"no picture")
        board = discover(catalogue, [COLOUR, HOG], judged, k=KS)
        lost = sum(
            catalogue.ids[0] in pair for pair in zip(judged.queries, judged.candidates, strict=True)
        )
        assert len(board.catalogue) == 19
        assert board.statistics.pairs == len(judged) - lost
        assert any(
            note.startswith(f"{lost} judgements are of pictures that") for note in board.notes
        )
        assert [entry.failed for entry in board.entries] == [1, 1]
        assert "1 picture failed" in render_discovery(board)


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    root = tmp_path_factory.mktemp("many")
    for number in range(520):
        paint(root / f"{number % 2}" / f"{number:03}.png", number, (6, 5))
    return Catalogue.open(root)


@pytest.fixture(scope="module")
def judged_many(many):
    draw = np.random.default_rng(3)
    pairs = {(int(q), int(c)) for q, c in draw.integers(0, 520, (60, 2)) if q != c}
    return Judgements(
        tuple(many.ids[q] for q, _ in pairs),
        tuple(many.ids[c] for _, c in pairs),
        draw.integers(0, 2, len(pairs)).astype(float),
    )


class TestSampledNegatives:
    def test_only_areas_change_and_the_seed_decides(self, many, judged_many):
        lineup = ["opencv:colour?bins=2", RANDOM]
        plain = discover(many, lineup, judged_many, k=KS)
        drawn = discover(many, lineup, judged_many, k=KS, negatives="sampled")
        again = discover(many, lineup, judged_many, k=KS, negatives="sampled")
        by = {entry.name: entry for entry in plain.entries}
        for entry in drawn.entries:
            assert entry.figures["hr_at_5"] == by[entry.name].figures["hr_at_5"]
            assert entry.figures["bpref"] == by[entry.name].figures["bpref"]
            assert entry.figures["roc_auc_micro"].spread > 0
            assert math.isnan(by[entry.name].figures["roc_auc_micro"].spread)
        assert [one.figures["pr_auc_micro"] for one in drawn.entries] == [
            one.figures["pr_auc_micro"] for one in again.entries
        ]
        page = render_discovery(drawn)
        assert "negatives of the areas are sampled" in page
        assert "±" in page

    def test_a_union_of_nearly_the_whole_gallery_is_told(self, many, judged_many):
        board = discover(
            many, ["opencv:colour?bins=2", "opencv:hog?size=32"], judged_many, k=KS,
            negatives="sampled",
        )  # fmt: skip
        unions = [
            set(np.concatenate([entry.top[query, 99:500] for entry in board.entries]).tolist())
            for query in range(len(board.queries))
        ]
        share = np.mean([len(union - {-1}) for union in unions]) / len(board.catalogue)
        text = f"what 2 encoders rank 100 to 500 is {share:.0%} of the gallery"
        assert share > 0.8
        assert any(note.startswith(text) for note in board.notes)

    def test_a_union_of_a_part_of_the_gallery_is_not(self):
        tops = {"a": np.tile(np.arange(600), (2, 1)), "b": np.tile(np.arange(600), (2, 1))}
        assert _middle_share(tops, 1000) == 0.401
        tops["b"] = np.full((2, 600), -1)
        assert _middle_share(tops, 1000) == 0.401
        assert _middle_share({"b": tops["b"]}, 1000) == 0

    def test_leaving_one_out_keeps_a_negative_for_each_positive(self, many, judged_many):
        lineup = ["opencv:colour?bins=2", "opencv:hog?size=32"]
        board = discover(
            many, lineup, judged_many, k=KS, negatives="sampled", pool_k=40, rank_by="pr_auc_micro"
        )
        found = board.robustness
        assert 0 < found.removals[0].positives < found.positives < board.statistics.positives
        # chance is the share of positives, a half; with all negatives it would be far lower
        assert min(found.full["pr_auc_micro"].values()) > 0.35

    def test_too_small_a_gallery_is_refused_before_any_work(self, catalogue, judgements):
        with pytest.raises(BadTable, match="60 items have no rank 500"):
            discover(catalogue, ["opencv:nonsense"], judgements, negatives="sampled")


class TestLeaveOneOut:
    def test_is_scoring_again_on_what_the_others_propose(self, catalogue, judgements, board):
        pairs = list(zip(judgements.queries, judgements.candidates, strict=True))
        asked = {query: row for row, query in enumerate(board.queries.ids)}
        place = catalogue.position
        first = {entry.name: entry.top[:, :3].tolist() for entry in board.entries}
        assert set(board.pool.encoders) == {COLOUR, HOG}

        def again(generators):
            kept = [
                any(place[item] in first[one][asked[query]] for one in generators)
                for query, item in pairs
            ]
            some = [pair for pair, keep in zip(pairs, kept, strict=True) if keep]
            grades = judgements.grades[np.array(kept)]
            fewer = Judgements(*zip(*some, strict=True), grades)
            return fewer, discover(catalogue, LINEUP, fewer, k=KS)

        both, full = again([COLOUR, HOG])
        robust = board.robustness
        assert (robust.pairs, robust.outside) == (len(both), len(pairs) - len(both))
        for removal in robust.removals:
            fewer, scored = again([one for one in (COLOUR, HOG) if one != removal.generator])
            assert (removal.pairs, removal.positives) == (len(fewer), fewer.grades.sum())
            after = {entry.name: entry.figures for entry in scored.entries}
            for entry in full.entries:
                for metric, figure in entry.figures.items():
                    change = after[entry.name][metric].mean - figure.mean
                    found = removal.changes[metric][entry.name]
                    assert found == pytest.approx(change, nan_ok=True, abs=1e-12)
            assert removal.own_change("hr_at_5") == removal.changes["hr_at_5"][removal.generator]
            assert math.isnan(removal.agreement["hr_at_5"].rho)  # two encoders have no ranking

    def test_a_pools_file_says_the_same(self, catalogue, judgements, board, tmp_path):
        lines = [f"query,candidate,{','.join(board.pool.encoders)}"]
        for (query, item), ranks in zip(board.pool.pairs, board.pool.ranks, strict=True):
            cells = ",".join(str(rank) if rank else "" for rank in ranks)
            lines.append(f"{board.queries.ids[query]},{catalogue.ids[item]},{cells}")
        lines.append(f"elsewhere,{catalogue.ids[0]},1,2")
        path = tmp_path / "pool.csv"
        path.write_text("\n".join(lines) + "\n")
        again = discover(catalogue, LINEUP, judgements, k=KS, pool=path)
        assert json.dumps(again.robustness.rows()) == json.dumps(board.robustness.rows())
        assert np.array_equal(again.pool.overlap, board.pool.overlap)
        assert any("1 pairs of the pool are of pictures" in note for note in again.notes)
        assert [strip.row.entry.name for strip in strips(again, read_rows(again))] == [
            entry.name for entry in again.entries
        ]

    def test_one_generator_leaves_nothing(self, catalogue, judgements):
        board = discover(catalogue, [COLOUR], judgements, k=KS, pool_k=2)
        removal = board.robustness.removals[0]
        assert (removal.pairs, removal.positives) == (0, 0)
        assert math.isnan(removal.largest_change("hr_at_5"))
        assert "If one encoder had proposed nothing" in render_discovery(board)

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("query,candidate,a\n{0},{1},first\n", "1 ranks of a are no whole numbers"),
            ("query,candidate,a\n{0},{1},1.5\n", "1 ranks of a are no whole numbers"),
            ("query,candidate,a\n{0},{1},inf\n", "1 ranks of a are no whole numbers"),
            ("query,candidate,a\n{0},{1},99999999999\n", "1 ranks of a are no whole numbers"),
            ("query,candidate,a\n{0},{1},1\n{0},{2},1\n", "one rank to two candidates"),
            ("query,candidate\n{0},{1}\n", "no encoder proposes a pair"),
            ("query,candidate,a\nx,y,1\n", "no encoder proposes a pair"),
            ("query,item,a\n{0},{1},1\n", "no column 'candidate'"),
        ],
    )
    def test_a_file_that_is_no_pool_is_refused(self, catalogue, tmp_path, text, said):
        path = tmp_path / "pool.csv"
        path.write_text(text.format(*catalogue.ids[:3]))
        with pytest.raises(BadTable, match=said):
            read_pool(path, Asked(catalogue, None, np.arange(len(catalogue))))

    def test_a_rank_far_down_takes_no_room(self, catalogue, tmp_path):
        path = tmp_path / "pool.csv"
        path.write_text("query,candidate,a\n{0},{1},1\n{0},{2},2000000000\n".format(*catalogue.ids))
        pool, _ = read_pool(path, Asked(catalogue, None, np.arange(len(catalogue))))
        assert pool.pairs.tolist() == [[0, 1], [0, 2]]


class TestIdentity:
    def test_is_finding_the_other_pictures_of_the_product(self, catalogue, board):
        for entry in board.entries[:2]:
            vectors = embed(catalogue, entry.name).vectors.astype(np.float64)
            ranks = []
            for query in board.queries.ids:
                row = catalogue.position[query]
                order, _ = whole_list(catalogue, vectors, vectors[row], row, None)
                ranks += [
                    order.index(item) + 1
                    for item in order
                    if catalogue.products[item] == catalogue.products[row]
                ]
            ranks = np.array(ranks)
            assert len(ranks) == board.identity.pairs
            for k in KS:
                expected = (ranks <= k).mean()
                assert entry.identity[f"hr_at_{k}"].mean == pytest.approx(expected)
                worth = np.where(ranks <= k, 1 / ranks, 0).mean()
                assert entry.identity[f"mrr_at_{k}"].mean == pytest.approx(worth)

    def test_without_products_there_is_none(self, catalogue, judgements):
        board = discover(replace(catalogue, products=None), [COLOUR], judgements, k=KS)
        assert board.identity is None
        assert board.entries[0].identity == {}
        assert 'id="identity"' not in render_discovery(board)


class TestSpearman:
    @pytest.mark.parametrize("count", [3, 6, 9, 20])
    def test_is_scipys(self, count):
        draw = np.random.default_rng(count)
        left, right = draw.integers(0, 5, count), draw.normal(size=count)
        names = [str(one) for one in range(count)]
        found = spearman(
            dict(zip(names, left.astype(float), strict=True)),
            dict(zip(names, right, strict=True)),
        )
        known = spearmanr(left, right)
        assert found.rho == pytest.approx(known.statistic)
        if count > 8:
            assert found.p == pytest.approx(known.pvalue)

    def test_a_p_value_of_few_is_exact(self):
        scores = dict(zip("abcd", [1.0, 2.0, 3.0, 4.0], strict=True))
        assert spearman(scores, scores).p == pytest.approx(2 / 24)
        turned = {name: -score for name, score in scores.items()}
        assert spearman(scores, turned).rho == -1
        assert spearman(scores, turned).p == pytest.approx(2 / 24)

    def test_what_has_no_ranking_has_none(self):
        assert math.isnan(spearman({}, {}).rho)
        assert math.isnan(spearman(dict.fromkeys("abc", 1.0), dict.fromkeys("abc", 2.0)).rho)
        some = {"a": 1.0, "b": math.nan, "c": 3.0, "d": 2.0}
        assert spearman(some, {"a": 1.0, "b": 1.0, "c": 3.0, "d": math.nan}).encoders == 2


class TestWrongUse:
    def judged(self, catalogue, *rows):
        queries, items, grades = zip(*rows, strict=True)
        names = catalogue.ids
        return Judgements(
            tuple(names[one] if isinstance(one, int) else one for one in queries),
            tuple(names[one] if isinstance(one, int) else one for one in items),
            np.array(grades, float),
        )

    def test_unknown_pictures_are_counted_and_refused(self, catalogue):
        judged = self.judged(catalogue, ("x", 1, 1), (0, "y", 0), (0, "z", 1), (0, 1, 1))
        text = (
            "3 of 4 judgements are of pictures that are not in the catalogue: 1 queries such as "
            "x and 2 candidates such as y, z"
        )
        with pytest.raises(BadTable, match=text) as raised:
            discover(catalogue, ["opencv:nonsense"], judged)
        assert "--skip-unknown" in raised.value.hint
        board = discover(catalogue, [COLOUR], judged, skip_unknown=True)
        assert board.statistics.pairs == 1
        assert f"{text}; they are left out" in board.notes

    def test_nothing_left_is_refused(self, catalogue):
        judged = self.judged(catalogue, ("x", 1, 1), (0, 0, 1))
        with pytest.raises(BadTable, match="none of the 2 judgements is left"):
            discover(catalogue, [COLOUR], judged, skip_unknown=True)

    def test_repeats_count_once_and_a_picture_with_itself_not_at_all(self, catalogue):
        judged = self.judged(catalogue, (0, 1, 1), (0, 1, 1), (2, 2, 1), (0, 3, 0))
        board = discover(catalogue, [COLOUR], judged)
        assert board.statistics.pairs == 2
        assert any("1 judgements stand twice" in note for note in board.notes)
        assert any("1 judgements of a picture with itself" in note for note in board.notes)

    def test_grades_are_0_or_1(self, catalogue):
        judged = self.judged(catalogue, (0, 1, 2), (0, 3, 0.5), (0, 4, 1))
        with pytest.raises(BadTable, match=r"2 of 3 judgements are neither 0 nor 1: 2, 0\.5"):
            discover(catalogue, [COLOUR], judged)

    def test_products_must_be_known_to_be_left_out(self, catalogue, judgements):
        bare = replace(catalogue, products=None)
        with pytest.raises(BadTable, match="the catalogue has no products"):
            discover(bare, [COLOUR], judgements, different_products=True)
        same = self.judged(catalogue, (0, 1, 1))
        with pytest.raises(BadTable, match="all 1 judgements are of two pictures of one product"):
            discover(catalogue, [COLOUR], same, different_products=True)

    @pytest.mark.parametrize(
        ("options", "said"),
        [
            ({"k": ()}, "k = none"),
            ({"k": (0, 5)}, "k = 0, 5"),
            ({"k": "5"}, "k = 5 "),
            ({"k": 0}, "k = 0 is no cut-off"),
            ({"pool_k": 2.5}, "no pool of depth 2.5"),
            ({"pool_k": 0}, "no pool of depth 0"),
            ({"rank_by": "hr_at_7"}, "no metric 'hr_at_7'"),
            ({"definition": "papper"}, "no definition 'papper'"),
            ({"negatives": "all"}, "no negatives 'all'"),
            ({"pool": "pool.csv", "pool_k": 3}, "are two"),
        ],
    )
    def test_options_that_cannot_be(self, catalogue, judgements, options, said):
        with pytest.raises(BadSpec, match=said):
            discover(catalogue, [COLOUR], judgements, **options)

    def test_a_path_is_no_catalogue(self, catalogue, judgements):
        for given in (("shop", None), (catalogue, "shop")):
            with pytest.raises(BadTable, match="'shop' is no catalogue"):
                discover(given[0], [COLOUR], judgements, queries=given[1])

    def test_the_release_without_products_is_told(self, catalogue, judgements):
        bare = replace(catalogue, products=None)
        board = discover(bare, [COLOUR], judgements, k=KS, definition="release")
        assert "products are not known (--product)" in " ".join(board.notes)

    def test_encoders_that_cannot_be_had_are_missing(self, catalogue, judgements):
        lost = "checkpoint:nowhere.pth?arch=torchvision:resnet18"
        board = discover(catalogue, [COLOUR, lost], judgements, k=KS)
        assert list(board.missing) == [lost]
        assert "Missing:" in render_discovery(board)
        assert board.table.num_rows == 2


class TestAdvice:
    """Who has no part in the pool, and where chance stands above an encoder."""

    def shares(self, board, **shares):
        """The board with other shares of unjudged results."""
        named = {COLOUR: shares.get("colour", 0.1), HOG: shares.get("hog", 0.2), RANDOM: 0.97}
        entries = tuple(
            replace(entry, unjudged=dict.fromkeys(KS, named[entry.name])) for entry in board.entries
        )
        return replace(board, entries=entries)

    def test_of_nobody_where_all_is_well(self, board):
        assert advice(self.shares(board)) == ()

    def test_of_results_that_nobody_judged(self, board):
        said = advice(self.shares(board, hog=0.83))
        text = (
            f"{HOG}: 83% of its first 5 results are unjudged: HR, MRR and infAP score it too low, "
            "areas with annotated negatives and bpref too high; pool its first results too"
        )
        assert said == (text,)
        drawn = replace(self.shares(board, hog=0.83), run={**board.run, "negatives": "sampled"})
        assert "too low, bpref too high" in advice(drawn)[0]

    def test_of_every_encoder_in_one_sentence(self, board):
        said = advice(self.shares(board, hog=0.83, colour=0.6))
        assert len(said) == 1
        assert said[0].startswith("at least 60% of every encoder's first 5 results are unjudged")

    def test_of_those_that_the_pools_file_does_not_name(self, catalogue, judgements, tmp_path):
        path, ids = tmp_path / "pool.csv", catalogue.ids
        path.write_text(f"query,candidate,{HOG}\n{ids[0]},{ids[1]},1\n")
        board = discover(catalogue, LINEUP, judgements, k=KS, pool=path)
        told = [note for note in board.notes if "no part in the pool" in note]
        assert [note.split()[0] for note in told] == [COLOUR]
        assert told[0] in render_discovery(board).partition('id="metrics"')[0]
        path.write_text(f"query,candidate,another\n{ids[0]},{ids[1]},1\n")
        board = discover(catalogue, LINEUP, judgements, k=KS, pool=path)
        assert not any("no part in the pool" in note for note in board.notes)

    def test_of_chance_above_an_encoder(self, board):
        figures = {
            name: {"roc_auc_macro": Figure(mean, mean, mean)}
            for name, mean in ((COLOUR, 0.6), (HOG, 0.36), (RANDOM, 0.52))
        }
        entries = tuple(
            replace(one, figures=figures[one.name]) for one in self.shares(board).entries
        )
        said = advice(replace(board, entries=entries, rank_by="roc_auc_macro"))
        assert len(said) == 1
        assert said[0].startswith(f"by ROC-AUC macro {RANDOM}, which is chance, stands above {HOG}")
        assert "--rank-by inferred_ap" in said[0]


class TestPage:
    def test_counts_the_queries_that_scores_rest_on(self, board):
        found = board.statistics
        text = f"{found.with_positive} with a pair alike, {found.with_both} with both kinds"
        assert text in summary(board)
        page = render_discovery(board)
        assert "of them with a pair alike" in page
        assert "as we read the paper" in page
        assert "as in the paper;" not in page

    def test_says_the_command_with_its_store_and_folder(self, catalogue, judgements, tmp_path):
        board = discover(catalogue, [COLOUR], judgements, tmp_path / "vectors", k=KS)
        page = board.write(tmp_path / "pages").read_text()
        assert f"--store {tmp_path / 'vectors'}" in page
        assert f"--out {tmp_path / 'pages'}" in page

    def test_chance_above_all_encoders_is_told(self, board):
        first = board.entries[0]
        worse = replace(first, rank=2)
        better = replace(first, card=replace(first.card, name=RANDOM), rank=1)
        swapped = {first.name: RANDOM, RANDOM: first.name}
        names = tuple(swapped.get(name, name) for name in board.tests.names)
        tests = replace(board.tests, names=names)
        turned = replace(board, entries=(better, worse), tests=tests)
        assert headline(turned, read_rows(turned)).startswith("No encoder is shown to find")


class TestFiles:
    def test_a_folder_of_them(self, board, tmp_path):
        import pyarrow.parquet

        page = board.write(tmp_path / "out")
        assert page.name == "discovery.html"
        kept = json.loads((tmp_path / "out" / "discovery.json").read_text())
        assert [row["encoder"] for row in kept["leaderboard"]] == [
            entry.name for entry in board.entries
        ]
        assert kept["overlap"]["k"] == 3
        assert kept["identity"]["pairs"] == board.identity.pairs
        table = pyarrow.parquet.read_table(tmp_path / "out" / "discovery.parquet")
        assert {"hr_at_5", "hr_at_5_low", "unjudged_at_5", "identity_mrr_at_2"} <= set(
            table.column_names
        )
        text = page.read_text()
        for part in (
            "leaderboard",
            "metrics",
            "unjudged",
            "left-out",
            "identity",
            "overlap",
            "run",
        ):
            assert f'id="{part}"' in text
        assert "--pool-k 3" in text
        assert "--different-products" not in text
        assert "-k 2" in text
