"""Counts at any threshold, and the best threshold, compared with trying every one."""

import pytest
import torch

from glirel_transformers.evaluation import ThresholdCounts
from glirel_transformers.evaluation.thresholds import THRESHOLDS


def random_cells(seed, num_types=3, decimals=None):
    """Cells of 60 pairs, a fifth of them unknown; with few `decimals`, many have equal scores."""
    generator = torch.Generator().manual_seed(seed)
    probabilities = torch.rand(60, num_types, generator=generator)
    labels = (torch.rand(60, num_types, generator=generator) < probabilities / 2).long()
    labels[torch.rand(60, num_types, generator=generator) < 0.2] = -100
    return probabilities if decimals is None else probabilities.round(decimals=decimals), labels


def f1_of_each(probabilities, labels, threshold, missed):
    """Micro and macro F1, counted cell by cell."""
    counts = []
    for number in range(labels.shape[1]):
        known = [(float(p), int(y)) for p, y in zip(probabilities[:, number], labels[:, number]) if y >= 0]
        hits = sum(p >= threshold and y == 1 for p, y in known)
        counts.append((hits, sum(p >= threshold for p, _ in known), sum(y for _, y in known) + missed[number]))
    hits, predicted, gold = (sum(column) for column in zip(*counts))
    in_gold = [2 * h / (p + g) for h, p, g in counts if g]
    return {"micro": 2 * hits / (predicted + gold) if gold else 0, "macro": sum(in_gold) / max(len(in_gold), 1)}


@pytest.mark.parametrize("average", ["micro", "macro"])
@pytest.mark.parametrize("decimals", [None, 1, 2])
@pytest.mark.parametrize("seed", [0, 1, *(pytest.param(seed, marks=pytest.mark.sweep) for seed in range(2, 6))])
def test_the_best_threshold_is_that_of_trying_every_score(seed, decimals, average):
    probabilities, labels = random_cells(seed, decimals=decimals)
    missed = [0, seed, 2 * seed]
    counts = ThresholdCounts(3, 0.5)
    counts.add(probabilities, labels, torch.arange(3))
    for number, times in enumerate(missed):
        for _ in range(times):
            counts.add_unscored(number)
    scores = sorted(set(probabilities[labels >= 0].tolist()), reverse=True)
    tried = {score: f1_of_each(probabilities, labels, score, missed)[average] for score in scores}
    best = counts.best(average)
    assert best.f1 == pytest.approx(max(tried.values()))
    assert f1_of_each(probabilities, labels, best.threshold, missed)[average] == pytest.approx(best.f1)
    first = next(score for score in scores if tried[score] > max(tried.values()) - 1e-9)  # the highest of the best
    below = max((score for score in scores if score < first), default=0)
    assert best.threshold == pytest.approx((first + below) / 2)
    for place in (0, 499, 731, 998):
        expected = f1_of_each(probabilities, labels, float(THRESHOLDS[place]), missed)[average]
        assert float(counts.curve(average)[place]) == pytest.approx(expected)


def test_neighbouring_numbers_are_parted():
    upper = torch.tensor(0.7)
    lower = torch.nextafter(upper, torch.tensor(0.0))
    counts = ThresholdCounts(1, 0.5)
    counts.add(torch.stack([upper, lower]), torch.tensor([1, 0]), torch.zeros(2))
    assert counts.best("micro").f1 == 1.0


def test_equal_scores_are_predicted_together():
    counts = ThresholdCounts(1, 0.5)
    counts.add(torch.tensor([0.9, 0.6, 0.6, 0.6]), torch.tensor([0, 1, 0, 0]), torch.zeros(4))
    assert counts.best("micro").f1 == pytest.approx(2 / 5)  # all four; the right one alone would give 1


@pytest.mark.parametrize("labels", [[0, 0], [-100, -100]])
def test_without_a_gold_cell_there_is_no_best_threshold(labels):
    counts = ThresholdCounts(1, 0.5)
    counts.add(torch.tensor([0.9, 0.1]), torch.tensor(labels), torch.zeros(2))
    counts.add_unscored(0)
    assert counts.best("micro") is None
    assert counts.best("macro") is None
    assert ThresholdCounts(1, 0.5).best("micro") is None
    assert counts.averages()["micro_f1"] == 0


def test_another_average_is_an_error():
    with pytest.raises(ValueError, match=r"`average` must be 'micro' or 'macro': got 'weighted'"):
        ThresholdCounts(1, 0.5).best("weighted")


def test_scores_that_are_not_numbers_are_refused():
    with pytest.raises(ValueError, match=r"scores that are not numbers \(NaN\)"):
        ThresholdCounts(1, 0.5).add(torch.tensor([0.9, float("nan")]), torch.tensor([1, 0]), torch.zeros(2))


def test_counts_are_those_of_the_threshold():
    counts = ThresholdCounts(3, 0.3215)
    parts = [random_cells(seed) for seed in range(3)]
    for probabilities, labels in parts:
        counts.add(probabilities, labels, torch.arange(3))
    counts.add_unscored(2)
    probabilities, labels = (torch.cat(tensors) for tensors in zip(*parts, strict=True))
    for threshold in (None, 0.1, 0.95):
        predicted = probabilities >= (threshold or 0.3215)
        for number, row in enumerate(counts.by_type(threshold).tolist()):
            known, gold = labels[:, number] != -100, labels[:, number] == 1
            expected = [(predicted[:, number] & gold).sum(), (predicted[:, number] & known).sum(), gold.sum()]
            assert row == [*expected[:2], expected[2] + (number == 2)]


def test_columns_may_stand_in_any_order():
    probabilities, labels = random_cells(2)
    straight, turned = ThresholdCounts(3, 0.5), ThresholdCounts(3, 0.5)
    straight.add(probabilities, labels, torch.arange(3))
    turned.add(probabilities[:, [2, 0]], labels[:, [2, 0]], torch.tensor([2, 0]))
    turned.add(probabilities[:, [1]], labels[:, [1]], torch.tensor([1]))
    assert torch.equal(straight.by_type(), turned.by_type())
    assert straight.best("macro") == turned.best("macro")


@pytest.mark.slow
def test_no_threshold_of_the_curve_is_better_over_many_cells():
    probabilities, labels = torch.rand(2_000, 500), torch.randint(0, 2, (2_000, 500))
    counts = ThresholdCounts(500, 0.5)
    counts.add(probabilities, labels, torch.arange(500))
    for average in ("micro", "macro"):
        assert counts.best(average).f1 >= float(counts.curve(average).max()) - 1e-9
