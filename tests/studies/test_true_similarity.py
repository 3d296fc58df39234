"""True likeness against its definition written out; experts; tags typed in."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from studies.who_to_trust.draw import EYES, Eye, tag_rows

from likelens import eds, garments
from likelens.garments import TAGS
from likelens.garments.experts import BIAS, Expert, experts
from likelens.garments.likeness import ALIKE, likeness
from likelens.garments.tastes import CARE
from likelens.garments.vocabulary import COLOURS, NONE, SHAPED_BY
from likelens.values.errors import BadTable

MANY = garments.products(300, seed=3)
KNOWN = likeness(MANY)


def lab(rgb):
    """CIE Lab of sRGB under D65, by the textbook."""
    part = np.array(rgb, float) / 255
    linear = np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)
    xyz = np.array(
        [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750],
         [0.0193339, 0.1191920, 0.9503041]]
    ) @ linear  # fmt: skip
    scaled = xyz / (0.950456, 1.0, 1.088754)
    root = np.where(scaled > 216 / 24389, np.cbrt(scaled), 841 / 108 * scaled + 4 / 29)
    return np.array([116 * root[1] - 16, 500 * (root[0] - root[1]), 200 * (root[1] - root[2])])


def shares(garment):
    names = garment.tags["colour"]
    return [(names[0], 1.0)] if len(names) == 1 else [(names[0], 0.7), (names[1], 0.3)]


def colours_agree(one, other):
    def together(left, right):
        return sum(
            a * b * np.exp(-((np.linalg.norm(lab(COLOURS[c]) - lab(COLOURS[d])) / 30) ** 2))
            for c, a in left
            for d, b in right
        )

    p, q = shares(one), shares(other)
    return together(p, q) / np.sqrt(together(p, p) * together(q, q))


def by_hand(one, other):
    """The likeness of two garments, category by category."""
    kind, theirs = one.tag("kind"), other.tag("kind")
    same_shape = SHAPED_BY[kind] == SHAPED_BY[theirs] and len(SHAPED_BY[kind]) > 1
    factor = 1.0 if kind == theirs else 0.6 if same_shape else 0.0
    agreement = weight = 0.0
    for category in TAGS:
        left, right = one.tag(category), other.tag(category)
        if category == "kind" or (left == NONE and right == NONE):
            continue
        weight += CARE[category]
        if NONE in (left, right):
            continue
        if category == "colour":
            agreement += CARE[category] * colours_agree(one, other)
        elif category in ("sleeve", "length", "fit"):
            steps = abs(TAGS[category].index(left) - TAGS[category].index(right))
            agreement += CARE[category] * (1 - steps / 2)
        else:
            agreement += CARE[category] * (left == right)
    return factor * agreement / weight


class TestLikeness:
    def test_is_its_definition(self):
        some = MANY[:40]
        expected = [[by_hand(one, other) for other in some] for one in some]
        assert likeness(some) == pytest.approx(np.array(expected), abs=5e-3)  # OpenCV rounds Lab

    def test_is_symmetric_one_on_itself_and_in_range(self):
        found = KNOWN
        assert np.allclose(found, found.T, atol=1e-12)
        assert np.allclose(np.diag(found), 1.0)
        assert found.min() >= 0
        assert found.max() <= 1

    @given(st.lists(st.integers(0, 299), min_size=1, max_size=12), st.integers(0, 299))
    def test_depends_on_the_two_alone(self, chosen, one):
        part = likeness([MANY[place] for place in chosen], [MANY[one]])
        assert part.shape == (len(chosen), 1)
        assert np.allclose(part[:, 0], KNOWN[chosen, one], atol=1e-12)

    def test_what_no_tag_says_does_not_matter(self):
        twin = replace(MANY[0], product="other", seed=99)
        assert likeness([MANY[0]], [twin])[0, 0] == pytest.approx(1.0)

    def test_kinds_without_a_common_shape_are_unlike(self):
        kinds = np.array([one.tag("kind") for one in MANY])
        found = KNOWN
        assert (found[kinds == "shoe"][:, kinds == "dress"] == 0).all()
        assert (found[kinds == "shirt"][:, kinds == "jumper"] > 0).any()
        assert found[kinds == "shirt"][:, kinds == "jumper"].max() <= 0.6

    @pytest.mark.parametrize("seed", range(3))
    def test_one_or_two_pairs_in_a_hundred_are_alike(self, seed):
        found = likeness(garments.products(400, seed))
        share = (found > ALIKE)[~np.eye(400, dtype=bool)].mean()
        assert 0.01 < share < 0.02


class TestExperts:
    def test_the_same_seed_gives_the_same_experts_and_votes(self):
        known = likeness(MANY[:50])
        first, again, other = (
            np.stack([one.votes(known) for one in experts(3, seed)]) for seed in (5, 5, 6)
        )
        assert experts(3, 5) == experts(3, 5)
        assert experts(2, 5) == experts(3, 5)[:2]
        assert (first == again).all()
        assert (first != other).any()

    def test_one_without_faults_tells_the_truth(self):
        known = KNOWN
        assert (Expert(0.0, 0.0, (1,)).votes(known) == (known > ALIKE)).all()

    def test_a_lenient_one_says_yes_more_often(self):
        known = KNOWN
        counts = [Expert(bias, 0.05, (1,)).votes(known).sum() for bias in (-BIAS, 0.0, BIAS)]
        assert counts == sorted(counts)
        assert counts[0] < counts[2]

    @pytest.mark.parametrize("seed", range(4))
    def test_they_agree_as_people_do(self, seed):
        """On pairs as encoders propose them: one in six alike."""
        known = likeness(garments.products(300, seed))
        np.fill_diagonal(known, 0.0)
        order = np.argsort(-known, axis=1)
        near = np.take_along_axis(known, order[:, :24], axis=1)
        votes = np.stack([one.votes(near).ravel() for one in experts(3, seed)], axis=1)
        assert 0.45 < eds.agreement(votes).fleiss < 0.75

    @pytest.mark.parametrize(("count", "seed"), [(0, 0), (1, -1), (1.5, 0)])
    def test_numbers_that_cannot_be(self, count, seed):
        with pytest.raises(BadTable, match="is"):
            experts(count, seed)


class TestTyping:
    def test_without_errors_the_tags_are_those_of_the_garments(self):
        rows = tag_rows(MANY[:50], tuple(TAGS), 0.0, seed=1)
        names = [(category, value) for category, values in TAGS.items() for value in values]
        for garment, row in zip(MANY, rows, strict=False):
            typed = {names[column] for column in np.flatnonzero(row)}
            said = {(c, v) for c, values in garment.tags.items() for v in values if v != NONE}
            assert typed == said

    def test_as_many_are_wrong_as_was_asked_for(self):
        kinds = ("kind",)
        right, wrong = (tag_rows(MANY, kinds, errors, seed=1) for errors in (0.0, 0.3))
        assert (wrong.sum(axis=1) == 1).all()
        assert (right * wrong).sum() / len(MANY) == pytest.approx(0.7, abs=0.08)

    def test_fewer_categories_are_a_part_of_the_same(self):
        whole = tag_rows(MANY, tuple(TAGS), 0.2, seed=4)
        few = tag_rows(MANY, ("kind", "colour"), 0.2, seed=4)
        assert (whole[:, : few.shape[1]] == few).all()


class TestEyes:
    def test_without_noise_garments_that_differ_where_it_is_blind_look_the_same(self):
        plain = next(one for one in MANY if one.tag("pattern") == "plain")
        dyed = replace(plain, tags={**plain.tags, "colour": ("red",)})
        rng = np.random.default_rng(0)
        blind = Eye(("colour",), noise=0.0).vectors([plain, dyed], rng)
        seeing = Eye((), noise=0.0).vectors([plain, dyed], rng)
        assert blind[0] @ blind[1] == pytest.approx(1.0)
        assert plain.tag("colour") == "red" or seeing[0] @ seeing[1] < 0.99

    @pytest.mark.parametrize("name", EYES)
    def test_vectors_have_length_one(self, name):
        vectors = EYES[name].vectors(MANY[:20], np.random.default_rng(2))
        assert np.allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)
