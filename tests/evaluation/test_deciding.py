"""Thresholds of types and for unseen types, compared with trying every one."""

from itertools import product

import pytest
import torch

from glirel_transformers.evaluation.deciding import (
    MAX_REFERENCES,
    Scores,
    fit_threshold,
    fit_type_thresholds,
    fit_unseen_rule,
    shift,
)


def scores_of(rows, num_types=None, missed=()):
    """Cells given as (type, probability, whether it holds), each a document of its own."""
    types, probabilities, truth = zip(*rows, strict=True)
    return Scores(
        torch.logit(torch.tensor(probabilities, dtype=torch.double)),
        torch.tensor(truth, dtype=torch.bool),
        torch.tensor(types, dtype=torch.int32),
        torch.arange(len(rows), dtype=torch.int32),
        torch.tensor(missed, dtype=torch.long).reshape(-1, 2),
        num_types or max(types) + 1,
    )


def random_scores(seed, size=14, num_types=3):
    generator = torch.Generator().manual_seed(seed)
    probabilities = torch.rand(size, generator=generator).mul(0.98).add(0.01)
    types = torch.randint(num_types, (size,), generator=generator)
    truth = torch.rand(size, generator=generator) < probabilities
    rows = list(zip(types.tolist(), probabilities.tolist(), truth.tolist(), strict=True))
    return scores_of([(0, 0.9, True), (1, 0.2, False), (2, 0.4, True), *rows], 3, [(0, seed % 3)])


def thresholds_tensor(found, default, num_types):
    return torch.tensor([found.get(number, default) for number in range(num_types)], dtype=torch.double)


@pytest.mark.parametrize("average", ["micro", "macro"])
@pytest.mark.parametrize("seed", range(6))
def test_thresholds_of_types_are_those_of_trying_all_together(seed, average):
    scores = random_scores(seed)
    default = fit_threshold(scores, average, 0.5)
    found = fit_type_thresholds(scores, default, average, 1)
    f1 = scores.f1(scores.decide(thresholds_tensor(found, default, 3)), average)
    candidates = []
    for number in range(3):
        own = scores.probabilities[scores.types == number].double().unique().tolist()
        candidates.append([*own, 1.0] if number in found else [default])
    tried = max(
        scores.f1(scores.decide(torch.tensor(values, dtype=torch.double)), average) for values in product(*candidates)
    )
    assert f1 == pytest.approx(tried)
    assert f1 >= scores.f1(scores.decide(thresholds_tensor({}, default, 3)), average) - 1e-9


def test_types_with_few_examples_keep_the_common_threshold():
    rows = [(0, 0.8, True), (0, 0.7, True), (0, 0.1, False), (1, 0.3, True), (1, 0.2, False)]
    scores = scores_of(rows)
    assert set(fit_type_thresholds(scores, 0.5, "micro", 2)) == {0}
    assert fit_type_thresholds(scores, 0.5, "micro", 3) == {}
    assert fit_type_thresholds(scores, 0.5, "macro", 1) == {
        0: pytest.approx((0.7 + 0.1) / 2, abs=1e-6),
        1: pytest.approx((0.3 + 0.2) / 2, abs=1e-6),
    }


def test_a_type_that_is_hardly_ever_right_is_not_predicted_for_micro_f1():
    rows = [(0, 0.9, True), (0, 0.8, True), (1, 0.95, False), *[(1, 0.9, False)] * 30, (1, 0.5, True)]
    found = fit_type_thresholds(scores_of(rows), 0.5, "micro", 1)
    assert found[1] > 0.95
    assert found[0] < 0.8


def test_scores_are_moved_by_the_difference_from_other_types():
    scores = scores_of([(0, 0.5, True), (1, 0.5, True), (2, 0.5, False)])
    moved = shift(scores, [0, 1], torch.tensor([1.0, 3.0, 8.0], dtype=torch.double), 0.5)
    # 0 is compared with 1, 1 with 0, and 2, which is no reference, with the mean of both.
    assert moved.logits.tolist() == pytest.approx([1.0, -1.0, -3.0])


def test_a_background_that_explains_the_difference_is_used_in_full():
    # Each type is right above its own level: with one threshold for all, no decision is.
    rows, levels = [], [0.0, 2.0, 4.0, -2.0]
    for number, level in enumerate(levels):
        for above in (-1.0, -0.5, 0.5, 1.0):
            rows.append((number, float(torch.tensor(level + above).sigmoid()), above > 0))
    scores = scores_of(rows)
    table = torch.tensor([levels, [0.0] * 4, [0.0] * 4], dtype=torch.double)
    rule = fit_unseen_rule(scores, range(4), table, "micro", 0.5)
    assert (rule.weight, rule.quantile, rule.f1) == (0.75, 0.5, 1.0)  # a type is compared with the others: 4 / 3
    without = fit_unseen_rule(scores, range(4), torch.zeros(3, 4, dtype=torch.double), "micro", 0.5)
    assert (without.weight, without.f1 < 1) == (0.0, True)


def test_only_the_types_that_are_seen_count():
    rows = [(0, 0.9, True), (0, 0.2, False), (1, 0.6, True), (1, 0.3, False), (2, 0.99, False), (2, 0.01, True)]
    rule = fit_unseen_rule(scores_of(rows), [0, 1], torch.zeros(3, 3, dtype=torch.double), "macro", 0.5)
    assert rule.f1 == 1.0
    assert 0.3 < rule.threshold < 0.6
    assert MAX_REFERENCES >= 2


def test_missed_relations_make_f1_lower_and_are_left_out_with_their_type_or_document():
    scores = scores_of([(0, 0.9, True), (1, 0.8, True)], missed=[(0, 1)])
    everything = torch.ones(2, dtype=torch.bool)
    assert scores.f1(everything, "micro") == pytest.approx(2 * 2 / (2 + 3))
    assert scores.of_types(torch.tensor([True, False])).f1(everything[:1], "micro") == 1.0
    assert scores.of_documents(torch.tensor([False, True])).f1(everything[:1], "micro") == 1.0
    assert fit_threshold(scores.of_types(torch.tensor([False, False])), "micro", 0.37) == 0.37
