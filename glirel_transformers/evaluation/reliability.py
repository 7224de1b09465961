"""Whether probabilities are what they say: of all that is scored 0.7, seven of ten should hold."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

NUM_BINS = 15


class Reliability(NamedTuple):
    """How far probabilities differ from what holds.

    Args:
        ece: expected calibration error: the difference of mean probability and share that holds, in bins of equal
            width, averaged over all cells (arXiv 1706.04599, equation 3).
        brier: mean squared difference of probability and truth.
        nll: mean negative log-likelihood, in nats.
        num_cells: how many probabilities there are.
        bins (`torch.DoubleTensor` of shape `(bins, 3)`): how many cells, their mean probability, and the share that
            holds; 0 where there are none.
    """

    ece: float
    brier: float
    nll: float
    num_cells: int
    bins: Tensor


def count_bins(probabilities: Tensor, is_gold: Tensor, num_bins: int = NUM_BINS) -> Tensor:
    """How many cells each bin has, the sum of their probabilities, and how many of them hold: `(3, bins)`, of double.

    Args:
        probabilities: of cells, `(cells,)`, in the precision in which they are placed: in single precision 0.9 is in
            the last of 10 bins, as its digits say.
        is_gold: whether each holds, `(cells,)`.
        num_bins: of equal width, from 0 to 1; each includes its lower end, the last also its upper.

    Raises:
        ValueError: when `num_bins` is below 1.
    """
    if num_bins < 1:
        raise ValueError(f"`num_bins` must be at least 1: got {num_bins}.")
    places = (probabilities * num_bins).long().clamp(max=num_bins - 1)
    probabilities, truth = probabilities.double(), is_gold.double()
    return torch.stack(
        [torch.bincount(places, weights, num_bins) for weights in (torch.ones_like(truth), probabilities, truth)]
    )


def calibration_error(sums: Tensor) -> float:
    """Expected calibration error of what [`count_bins`] counted; 0 without any cell."""
    return float((sums[1] - sums[2]).abs().sum() / sums[0].sum().clamp(min=1))


def measure_reliability(logits: Tensor, is_gold: Tensor, num_bins: int = NUM_BINS) -> Reliability:
    """Measures probabilities, which are given before the sigmoid so that none is 0 or 1.

    Args:
        logits: calibrated, `(cells,)`.
        is_gold: whether each holds, `(cells,)`.
        num_bins: as of [`count_bins`].

    Raises:
        ValueError: when `num_bins` is below 1.
    """
    logits, truth = logits.double(), is_gold.double()
    probabilities = logits.sigmoid()
    sums = count_bins(probabilities, is_gold, num_bins)
    means = sums[1:] / sums[0].clamp(min=1)
    num_cells = len(truth)
    total = max(num_cells, 1)
    return Reliability(
        ece=calibration_error(sums),
        brier=float(((probabilities - truth) ** 2).sum()) / total,
        nll=float(functional.binary_cross_entropy_with_logits(logits, truth, reduction="sum")) / total,
        num_cells=num_cells,
        bins=torch.cat([sums[:1], means]).T,
    )


__all__ = ["NUM_BINS", "Reliability", "calibration_error", "count_bins", "measure_reliability"]
