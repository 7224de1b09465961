"""Evidence: values that were computed by hand."""

import pytest

from glirel_transformers.evaluation import score_docred_evidence, score_evidence

WEIGHTS = [{0: 0.1, 1: 0.5, 2: 0.4}, {0: 0.2, 1: 0.2, 2: 0.6}, {0: 1.0}]
GOLD = [(1, 0), [0], ()]


def test_as_many_sentences_as_are_gold():
    # First relation: 1 and 2 of gold 0 and 1. Second: 2 of gold 0. The third has no gold evidence.
    score = score_evidence(WEIGHTS, GOLD)
    assert (score.num_right, score.num_predicted, score.num_gold, score.num_unknown) == (1, 3, 3, 1)
    assert (score.precision, score.recall, score.f1) == pytest.approx((1 / 3, 1 / 3, 1 / 3))


@pytest.mark.parametrize(
    ("top_k", "right", "predicted"),
    [(1, 1, 2), (2, 2, 4), (3, 3, 6), (9, 3, 6)],  # 2: sentences 0 and 1 of the second weigh the same, 0 is first
)
def test_a_number_of_sentences(top_k, right, predicted):
    score = score_evidence(WEIGHTS, GOLD, top_k)
    assert (score.num_right, score.num_predicted, score.num_gold) == (right, predicted, 3)
    assert score.precision == pytest.approx(right / predicted)
    assert score.recall == pytest.approx(right / 3)
    assert score.f1 == pytest.approx(2 * right / (predicted + 3))


def test_fewer_weighed_sentences_than_gold_ones():
    score = score_evidence([{4: 0.9}], [(3, 4)])
    assert (score.precision, score.recall) == (1.0, 0.5)


def test_nothing_scores_nothing():
    assert score_evidence([], [])[:3] == (0.0, 0.0, 0.0)
    assert score_evidence([{0: 1.0}], [()]) == (0.0, 0.0, 0.0, 0, 0, 0, 1)
    assert score_docred_evidence({}, {})[:3] == (0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("weights", "top_k", "message"),
    [
        (WEIGHTS[:2], None, r"weights of 2 relations and gold evidence of 3"),
        (WEIGHTS, 0, r"`top_k` is a number of sentences, at least 1: got 0"),
        ([{0: float("nan")}, {}, {}], None, r"`weights\[0\]` has a weight that is not a number"),
    ],
)
def test_what_does_not_fit_is_refused(weights, top_k, message):
    with pytest.raises(ValueError, match=message):
        score_evidence(weights, GOLD, top_k)


def test_evidence_of_predicted_facts():
    gold = {("a", 0, "met", 1): (0, 1), ("a", 1, "met", 0): (2,), ("b", 0, "met", 1): ()}
    predicted = {
        ("a", 0, "met", 1): [1, 3, 3],  # one of two right, one wrong
        ("a", 0, "met", 2): [0, 1],  # no such fact: both wrong
        ("b", 0, "met", 1): [5],  # annotated without evidence: wrong
    }
    score = score_docred_evidence(predicted, gold)
    assert (score.num_right, score.num_predicted, score.num_gold) == (1, 5, 3)
    assert (score.precision, score.recall, score.f1) == pytest.approx((1 / 5, 1 / 3, 2 / 8))
