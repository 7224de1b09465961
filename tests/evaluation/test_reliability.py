"""Calibration errors counted by hand, and temperatures that have a closed form."""

import math

import pytest
import torch

from glirel_transformers.evaluation import measure_reliability
from glirel_transformers.evaluation.scaling import LIMITS, METHODS, Scaling, fit_scaling


def logits_of(*probabilities):
    return torch.logit(torch.tensor(probabilities, dtype=torch.double))


def test_the_error_of_four_cells_counted_by_hand():
    # Two bins: 0.2 and 0.4, of which one holds; 0.6 and 0.9, of which both do.
    found = measure_reliability(logits_of(0.2, 0.4, 0.6, 0.9), torch.tensor([True, False, True, True]), num_bins=2)
    assert found.ece == pytest.approx(2 / 4 * abs(0.3 - 0.5) + 2 / 4 * abs(0.75 - 1.0))
    assert found.brier == pytest.approx((0.8**2 + 0.4**2 + 0.4**2 + 0.1**2) / 4)
    assert found.nll == pytest.approx(-sum(map(math.log, (0.2, 0.6, 0.6, 0.9))) / 4)
    expected = [[2, 0.3, 0.5], [2, 0.75, 1.0]]
    torch.testing.assert_close(found.bins, torch.tensor(expected, dtype=torch.double))


def test_bounds_of_bins_and_certain_scores():
    found = measure_reliability(torch.tensor([-200.0, 200.0, 0.0]), torch.tensor([False, True, True]), num_bins=2)
    assert found.bins[:, 0].tolist() == [1, 2]  # 0.5 is in the upper one
    assert (found.ece, found.nll) == (pytest.approx(0.5 / 3), pytest.approx(math.log(2) / 3))
    wrong = measure_reliability(torch.tensor([200.0]), torch.tensor([False]))
    assert (wrong.ece, wrong.nll) == (pytest.approx(1), pytest.approx(200))


def test_no_cells_have_no_error():
    found = measure_reliability(torch.zeros(0), torch.zeros(0, dtype=torch.bool))
    assert (found.ece, found.brier, found.nll, found.num_cells) == (0, 0, 0, 0)
    with pytest.raises(ValueError, match="`num_bins` must be at least 1: got 0"):
        measure_reliability(torch.zeros(0), torch.zeros(0, dtype=torch.bool), 0)


def cells(counts):
    """Logits with how many of their cells hold, and how many do not."""
    logits = [logit for logit, (right, wrong) in counts.items() for _ in range(right + wrong)]
    truth = [one for right, wrong in counts.values() for one in [True] * right + [False] * wrong]
    return torch.tensor(logits), torch.tensor(truth)


def test_a_temperature_with_a_closed_form():
    # Of 2.0, three in four hold, of -2.0 one in four: sigmoid(2 / T) = 3 / 4.
    found = fit_scaling(*cells({2.0: (3, 1), -2.0: (1, 3)}), "temperature")
    assert found.temperature == pytest.approx(2 / math.log(3), abs=1e-8)
    assert found.bias == 0


def test_a_temperature_and_a_bias_with_a_closed_form():
    # Two scores, two free numbers: both shares are met exactly.
    found = fit_scaling(*cells({3.0: (8, 2), -1.0: (1, 9)}), "temperature+bias")
    slope = (math.log(4) - math.log(1 / 9)) / 4
    assert found.temperature == pytest.approx(1 / slope, abs=1e-7)
    assert found.bias == pytest.approx(math.log(4) - 3 * slope, abs=1e-7)
    assert float(found(torch.tensor(3.0)).sigmoid()) == pytest.approx(0.8)


def test_nothing_fitted_is_the_identity():
    logits, truth = cells({3.0: (8, 2), -1.0: (1, 9)})
    assert fit_scaling(logits, truth, "none") == Scaling(1.0, 0.0)
    assert torch.equal(Scaling()(logits), logits)


@pytest.mark.parametrize("method", METHODS[1:])
def test_scores_that_are_always_right_or_turned_around_reach_a_limit(method):
    right = fit_scaling(*cells({2.0: (5, 0), -2.0: (0, 5)}), method)
    assert right.temperature == pytest.approx(LIMITS[0])
    turned = fit_scaling(*cells({2.0: (1, 5), -2.0: (5, 1)}), method)
    assert turned.temperature == pytest.approx(LIMITS[1])
    assert math.isfinite(turned.bias)


@pytest.mark.parametrize("seed", range(3))
def test_no_neighbour_is_likelier(seed):
    generator = torch.Generator().manual_seed(seed)
    logits = 5 * torch.randn(400, generator=generator, dtype=torch.double) - 1
    truth = torch.rand(400, generator=generator, dtype=torch.double) < (logits / 2.5 - 1).sigmoid()
    found = fit_scaling(logits, truth, "temperature+bias")

    def nll(temperature, bias):
        return measure_reliability(Scaling(temperature, bias)(logits), truth).nll

    best = nll(*found)
    for change in (0.98, 1.02):
        assert nll(found.temperature * change, found.bias) > best
        assert nll(found.temperature, found.bias * change) > best
    assert found.temperature == pytest.approx(2.5, rel=0.35)


def test_what_cannot_be_fitted_is_said():
    with pytest.raises(ValueError, match="of 2 pairs with types whose truth is known, 0 hold"):
        fit_scaling(*cells({1.0: (0, 2)}), "temperature")
    with pytest.raises(
        ValueError, match=r"`method` must be one of 'none', 'temperature', 'temperature\+bias': got 'T'"
    ):
        fit_scaling(*cells({1.0: (1, 2)}), "T")
