"""One encoder's ranks and lists with ties, duplicates, zeros and products, against loops."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from likelens._discover.identity import identity_pairs
from likelens._discover.measure import Bench, Setting
from likelens._discover.pairs import Asked, Pairs
from likelens._discover.pooled import proposals
from likelens._discover.values import metric_names
from likelens.eds import pool

KS = (1, 3)


class Table:
    """As much of a catalogue as is looked at: its size and its products."""

    def __init__(self, products):
        self.products = products

    def __len__(self):
        return len(self.products)


@st.composite
def cases(draw):
    """Few small whole vectors, so that many are equal or zero, and judged pairs."""
    items = draw(st.integers(2, 9))
    vectors = draw(st.lists(st.tuples(*[st.integers(0, 2)] * 2), min_size=items, max_size=items))
    products = draw(
        st.lists(st.sampled_from(["a", "b", "c", None]), min_size=items, max_size=items)
    )
    every = [(row, item) for row in range(items) for item in range(items) if row != item]
    judged = draw(st.lists(st.sampled_from(every), min_size=1, max_size=12, unique=True))
    labels = draw(st.lists(st.integers(0, 1), min_size=len(judged), max_size=len(judged)))
    return np.array(vectors, np.float32), products, judged, labels


def bench(products, judged, labels, *, definition="paper", apart=False):
    rows, items = np.array(judged).T
    asked = Asked(Table(products), None, np.arange(len(products)))
    pairs = Pairs(rows, items, np.array(labels))
    setting = Setting(KS, definition, "annotated", "roc_auc_macro", apart, 3, 0)
    return Bench(asked, pairs, identity_pairs(asked, np.arange(len(products))), setting)


def listed(vectors, products, row, *, apart=False, once=False):
    """One query's results, written out."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = (vectors / np.where(lengths > 0, lengths, 1)).astype(np.float32)
    scores = np.round(unit @ unit[row], 5)
    order = sorted(range(len(vectors)), key=lambda item: (-scores[item], item))
    found, seen = [], set()
    for item in order:
        mine = products[row] is not None and products[item] == products[row]
        if item == row or ((apart or once) and mine):
            continue
        if once and products[item] is not None and products[item] in seen:
            continue
        seen.add(products[item])
        found.append(item)
    return found


@settings(max_examples=60, deadline=None)
@given(cases(), st.booleans())
def test_ranks_and_lists(case, apart):
    vectors, products, judged, labels = case
    if apart:
        same = [products[q] is not None and products[q] == products[i] for q, i in judged]
        judged = [pair for pair, one in zip(judged, same, strict=True) if not one]
        labels = labels[: len(judged)]
        if not judged:
            return
    made = bench(products, judged, labels, apart=apart)
    found = made.look(vectors, vectors)
    unjudged = {k: [] for k in KS}
    asked = set()
    for place, (row, item) in enumerate(judged):
        order = listed(vectors, products, row, apart=apart)
        assert found.ranks[place] == order.index(item) + 1
        assert found.shown[place] == found.ranks[place]
        assert [one for one in found.top[row].tolist() if one >= 0] == order[:3]
        if row not in asked:
            asked.add(row)
            for k in KS:
                unjudged[k] += [(row, one) not in judged for one in order[:k]]
    if len(asked) == len(products):
        expected = {k: np.mean(one) if one else math.nan for k, one in unjudged.items()}
        assert made.unjudged(found) == pytest.approx(expected, nan_ok=True)


@settings(max_examples=40, deadline=None)
@given(cases())
def test_the_release_shows_a_product_once(case):
    vectors, products, judged, labels = case
    found = bench(products, judged, labels, definition="release").look(vectors, vectors)
    for place, (row, item) in enumerate(judged):
        order = listed(vectors, products, row, once=True)
        assert found.shown[place] == (order.index(item) + 1 if item in order else 0)
        assert found.ranks[place] == listed(vectors, products, row).index(item) + 1


@settings(max_examples=40, deadline=None)
@given(cases())
def test_scores_on_all_pairs_are_the_scores(case):
    vectors, products, judged, labels = case
    made = bench(products, judged, labels)
    found = made.look(vectors, vectors)
    figures, per_query = made.figures(found, None)
    means = made.means(found, None, np.ones(len(judged), bool))
    assert set(figures) == set(means) == set(per_query) == set(metric_names(KS))
    for metric, figure in figures.items():
        assert figure.mean == pytest.approx(means[metric], nan_ok=True)
        assert per_query[metric].mean == pytest.approx(figure.mean, nan_ok=True)
    none = made.means(found, None, np.zeros(len(judged), bool))
    assert all(math.isnan(score) for score in none.values())


@settings(max_examples=40, deadline=None)
@given(cases(), st.integers(1, 3))
def test_who_proposed_what(case, k):
    vectors, products, judged, labels = case
    made = bench(products, judged, labels)
    lists = {"a": made.look(vectors, vectors).top, "b": made.look(-vectors, vectors).top}
    own = np.arange(len(products))
    if all((tops[:, :k] < 0).all() for tops in lists.values()):
        return
    flags = proposals(pool(lists, k, own=own, items=len(products)), made.pairs)
    for place, (row, item) in enumerate(judged):
        for column, tops in enumerate(lists.values()):
            assert flags[place, column] == (item in tops[row, :k])
