"""One label from several votes, and how far experts agree: against plain and outside versions."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from likelens import eds
from likelens.values.errors import BadShape, MissingExtra


@st.composite
def tables(draw):
    """Votes of some experts, with gaps, duplicates and constant experts."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    pairs, experts = draw(st.integers(0, 12)), draw(st.integers(1, 5))
    votes = random.choice(
        [-1, 0, 1],
        (pairs, experts),
        p=draw(
            st.sampled_from([(0.2, 0.4, 0.4), (0.0, 0.5, 0.5), (0.6, 0.1, 0.3), (0.3, 0.7, 0.0)])
        ),
    )
    if draw(st.booleans()):
        votes[:, 0] = draw(st.sampled_from([-1, 0, 1]))
    return votes


@given(tables())
def test_rules_of_counting(votes):
    for rule, decide in {
        eds.majority: lambda yes, no: yes > no,
        eds.unanimous: lambda yes, no: no == 0,
        eds.anyone: lambda yes, no: yes > 0,
    }.items():
        expected = []
        for row in votes.tolist():
            yes, no = row.count(1), row.count(0)
            expected.append(int(decide(yes, no)) if yes + no else -1)
        found = rule(votes)
        assert found.dtype == np.int8
        assert found.tolist() == expected


def test_a_tie_is_negative():
    assert eds.majority([[1, 0], [1, -1], [-1, -1]]).tolist() == [0, 1, -1]


WRONG = [[[0, 2]], [[0, -2]], [[0.5, 1]], [[np.nan, 1]], [0, 1], [["yes", "no"]]]


@pytest.mark.parametrize("votes", WRONG)
@pytest.mark.parametrize(
    "use", [eds.majority, eds.unanimous, eds.anyone, eds.dawid_skene, eds.agreement]
)
def test_other_votes_are_refused(use, votes):
    with pytest.raises(BadShape, match="votes"):
        use(votes)


def test_wrong_votes_are_counted_and_the_first_are_shown():
    with pytest.raises(BadShape, match="2 of 4 votes are none: 3 by expert 1 on pair 0, 7 by"):
        eds.majority([[0, 3], [7, 1]])


def plain_dawid_skene(votes, steps=3_000):
    """EM from the shares of votes, written out; votes without gaps in which both labels stand."""
    chance = (votes == 1).sum(axis=1) / (votes >= 0).sum(axis=1)
    for _ in range(steps):
        prior = chance.mean()
        says_yes = np.array(
            [
                [
                    (weight * (votes[:, e] == 1)).sum() / (weight * (votes[:, e] >= 0)).sum()
                    for e in range(votes.shape[1])
                ]
                for weight in (1 - chance, chance)
            ]
        ).clip(1e-12, 1 - 1e-12)
        logs = [
            np.log(share)
            + sum(
                np.where(
                    votes[:, e] < 0,
                    0,
                    np.where(votes[:, e] == 1, np.log(yes[e]), np.log1p(-yes[e])),
                )
                for e in range(votes.shape[1])
            )
            for share, yes in ((1 - prior, says_yes[0]), (prior, says_yes[1]))
        ]
        chance = 1 / (1 + np.exp(logs[0] - logs[1]))
    return chance, says_yes


@pytest.mark.parametrize("gaps", [0.0, 0.3])
def test_dawid_and_skene_equal_plain_em(gaps):
    random = np.random.default_rng(5)
    truth = random.random(600) < 0.3
    right = random.random((600, 5)) < [0.95, 0.9, 0.8, 0.7, 0.85]
    votes = np.where(right, truth[:, None], ~truth[:, None]).astype(int)
    votes[random.random(votes.shape) < gaps] = -1
    votes[0] = -1
    found = eds.dawid_skene(votes)
    chance, says_yes = plain_dawid_skene(votes[(votes >= 0).any(axis=1)])
    assert found.labels[0] == -1
    assert np.isnan(found.probability[0])
    rated = (votes >= 0).any(axis=1)
    np.testing.assert_allclose(found.probability[rated], chance, atol=2e-3)
    np.testing.assert_allclose([one.sensitivity for one in found.experts], says_yes[1], atol=2e-3)
    np.testing.assert_allclose(
        [one.specificity for one in found.experts], 1 - says_yes[0], atol=2e-3
    )
    assert found.prevalence == pytest.approx(chance.mean(), abs=2e-3)
    known = found.labels[rated] == truth[rated]
    assert known.mean() >= (eds.majority(votes)[rated] == truth[rated]).mean()
    assert np.array_equal(eds.dawid_skene(votes).labels, found.labels)


def test_dawid_and_skene_trust_the_reliable_few_more_than_the_many():
    random = np.random.default_rng(0)
    truth = random.random(500) < 0.4
    right = random.random((500, 5)) < [0.97, 0.97, 0.55, 0.55, 0.55]
    votes = np.where(right, truth[:, None], ~truth[:, None]).astype(int)
    weighed = (eds.dawid_skene(votes).labels == truth).mean()
    assert weighed > (eds.majority(votes) == truth).mean() + 0.05


@pytest.mark.parametrize("value", [0, 1])
def test_dawid_and_skene_of_one_voice(value):
    found = eds.dawid_skene(np.full((4, 3), value))
    assert found.labels.tolist() == [value] * 4
    assert found.prevalence == value
    skill = found.experts[0]
    assert (skill.sensitivity, skill.specificity)[1 - value] == 1
    assert np.isnan((skill.sensitivity, skill.specificity)[value])


@pytest.mark.parametrize("pairs", [1, 4])
def test_dawid_and_skene_of_the_same_votes_on_every_pair(pairs):
    found = eds.dawid_skene([[1, 1, 0, -1]] * pairs)
    assert found.labels.tolist() == [1] * pairs
    assert [skill.sensitivity for skill in found.experts[:3]] == [1, 1, 0]
    assert np.isnan([skill.specificity for skill in found.experts]).all()
    assert eds.dawid_skene([[1, 1, 0, 0]] * pairs).labels.tolist() == [0] * pairs  # a tie


def test_dawid_and_skene_need_three_experts():
    with pytest.raises(BadShape, match="2 experts voted"):
        eds.dawid_skene([[1, 0, -1], [1, 1, -1]])
    with pytest.raises(BadShape, match="0 experts voted"):
        eds.dawid_skene(np.zeros((0, 3), int))


@settings(max_examples=30, deadline=None)
@given(tables())
def test_dawid_and_skene_always_give_chances(votes):
    if (votes >= 0).any(axis=0).sum() < 3:
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # so few votes may not settle
        found = eds.dawid_skene(votes)
    rated = (votes >= 0).any(axis=1)
    assert ((found.labels >= 0) == rated).all()
    assert ((found.probability[rated] >= 0) & (found.probability[rated] <= 1)).all()


@settings(deadline=None)
@given(tables())
def test_kappa_of_two_equals_scikit_learn(votes):
    found = eds.agreement(votes)
    for one in range(votes.shape[1]):
        for other in range(votes.shape[1]):
            both = (votes[:, one] >= 0) & (votes[:, other] >= 0)
            assert found.common[one, other] == both.sum()
            expected = np.nan
            if both.any():
                with warnings.catch_warnings(), np.errstate(all="ignore"):
                    warnings.simplefilter("ignore")
                    expected = cohen_kappa_score(
                        votes[both, one], votes[both, other], labels=[0, 1]
                    )
            np.testing.assert_allclose(found.cohen[one, other], expected, atol=1e-12)


@given(tables())
def test_fleiss_and_shares_are_the_printed_equations(votes):
    found = eds.agreement(votes)
    shares, chosen = [], []
    for row, agreed in zip(votes.tolist(), found.per_pair, strict=True):
        given_ = [vote for vote in row if vote >= 0]
        couples = [(a, b) for i, a in enumerate(given_) for j, b in enumerate(given_) if i != j]
        if not couples:
            assert np.isnan(agreed)
            continue
        shares.append(sum(a == b for a, b in couples) / len(couples))
        assert agreed == pytest.approx(shares[-1])
        chosen += given_
    chance = sum((chosen.count(label) / len(chosen)) ** 2 for label in (0, 1)) if chosen else 1.0
    if chance == 1:
        assert np.isnan(found.fleiss)
    else:
        expected = (np.mean(shares) - chance) / (1 - chance)
        assert found.fleiss == pytest.approx(expected, abs=1e-12)
    for expert, share in enumerate(found.per_expert):
        seen = [
            row[expert] == vote
            for row in votes.tolist()
            for other, vote in enumerate(row)
            if other != expert and row[expert] >= 0 and vote >= 0
        ]
        np.testing.assert_allclose(share, np.mean(seen) if seen else np.nan)


def slow_alpha(votes):
    """Krippendorff's alpha for nominal values, from the table of coincidences."""
    seen = np.zeros((2, 2))
    for row in votes.tolist():
        given_ = [vote for vote in row if vote >= 0]
        for i, a in enumerate(given_):
            for j, b in enumerate(given_):
                if i != j:
                    seen[a, b] += 1 / (len(given_) - 1)
    totals, count = seen.sum(axis=1), seen.sum()
    if not count or totals.min() == 0:
        return np.nan
    return 1 - (count - 1) * seen[0, 1] * 2 / (totals[0] * totals[1] * 2)


@settings(deadline=None)
@given(tables())
def test_krippendorff_is_that_of_the_coincidences(votes):
    np.testing.assert_allclose(eds.agreement(votes).krippendorff, slow_alpha(votes), atol=1e-9)


def test_pairs_most_argued_about_come_first():
    votes = [
        [1, 1, 1, 1],
        [1, 0, 0, 0],
        [1, 0, -1, -1],
        [1, 1, 0, 0],
        [1, -1, -1, -1],
        [0, 1, 1, 1],
    ]
    assert eds.agreement(votes).argued.tolist() == [3, 2, 1, 5]


def test_experts_with_no_common_pair_have_no_kappa_and_it_is_said():
    found = eds.agreement([[1, -1, 0], [0, -1, 1], [-1, 1, -1]])
    assert np.isnan(found.cohen[0, 1])
    assert found.cohen[0, 2] == -1
    assert len(found.notes) == 1
    assert "2 of 3 couples of experts have no pair in common" in found.notes[0]
    assert not eds.agreement([[1, 1], [0, 1]]).notes


def test_one_expert_and_no_votes_agree_with_nobody():
    for votes in (np.ones((3, 1), int), np.full((3, 2), -1), np.zeros((0, 2), int)):
        found = eds.agreement(votes)
        assert np.isnan([found.fleiss, found.krippendorff]).all()
        assert np.isnan(found.per_expert).all()


def test_what_is_not_installed_is_said(monkeypatch):
    monkeypatch.setattr("likelens.values.extras.find_spec", lambda _name: None)
    votes = [[1, 0, 1], [0, 0, 1], [1, 1, 1], [0, 1, 0]]
    with pytest.raises(MissingExtra, match="stepmix is not installed") as caught:
        eds.dawid_skene(votes)
    assert ".[annotate]" in caught.value.hint
    found = eds.agreement(votes)
    assert np.isfinite(found.fleiss)  # needs no library
    with pytest.raises(MissingExtra, match="krippendorff is not installed"):
        _ = found.krippendorff
