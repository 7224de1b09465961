"""The temperature and the bias that make probabilities likeliest: `sigmoid(logit / temperature + bias)`."""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

import torch
from torch import Tensor
from torch.nn import functional

Method = Literal["none", "temperature", "temperature+bias"]
METHODS: tuple[Method, ...] = get_args(Method)
LIMITS = (0.02, 50.0)
"""The temperatures that are fitted: beyond, scores tell everything or nothing."""
_STEPS = 100
_CLOSE = 1e-10


class Scaling(NamedTuple):
    """What logits are divided by, and what is then added."""

    temperature: float = 1.0
    bias: float = 0.0

    def __call__(self, logits: Tensor) -> Tensor:
        """The calibrated logits."""
        return logits / self.temperature + self.bias


def check_both(is_gold: Tensor) -> None:
    """Checks that some cells hold, and some do not.

    Raises:
        ValueError: when it is all of them, or none.
    """
    num_gold = int(is_gold.sum())
    if num_gold in (0, len(is_gold)):
        raise ValueError(
            f"Nothing can be fitted: of {len(is_gold):,} pairs with types whose truth is known, {num_gold:,} hold. "
            "Give documents with relations that hold and with pairs that are known to have none."
        )


def fit_scaling(logits: Tensor, is_gold: Tensor, method: Method) -> Scaling:
    """The scaling with the least negative log-likelihood, by Newton's method.

    The temperature stays within `LIMITS`, which it reaches where scores part right from wrong without a mistake, or
    tell nothing.

    Args:
        logits: of cells, `(cells,)`, as the model gives them.
        is_gold: whether each holds, `(cells,)`.
        method: what is fitted.

    Raises:
        ValueError: when `method` is unknown; when all cells hold, or none.
    """
    if method not in METHODS:
        raise ValueError(f"`method` must be one of {', '.join(map(repr, METHODS))}: got {method!r}.")
    if method == "none":
        return Scaling()
    check_both(is_gold)
    logits, truth = logits.double(), is_gold.double()
    ones = torch.ones_like(logits)
    columns = [logits] if method == "temperature" else [logits, ones]
    matrix, offset = torch.stack(columns), torch.zeros_like(logits)
    weights = _newton(matrix, truth, offset)
    low, high = 1 / LIMITS[1], 1 / LIMITS[0]
    if weights[0] > 0:  # without a mistake, the likelihood rises for ever, ever more slowly
        steepest = weights * high / weights[0]
        if _loss(matrix, truth, offset, steepest) <= _loss(matrix, truth, offset, weights):
            weights = steepest
    if not low <= weights[0] <= high:
        slope = min(max(float(weights[0]), low), high)
        bias = 0.0 if method == "temperature" else float(_newton(ones[None], truth, slope * logits)[0])
        return Scaling(1 / slope, bias)
    return Scaling(1 / float(weights[0]), 0.0 if method == "temperature" else float(weights[1]))


def _newton(columns: Tensor, truth: Tensor, offset: Tensor) -> Tensor:
    """Weights `(columns,)` of the likeliest logistic regression on `columns` `(columns, cells)`."""
    weights = columns.new_zeros(len(columns))
    loss = _loss(columns, truth, offset, weights)
    for _ in range(_STEPS):
        probabilities = (weights @ columns + offset).sigmoid()
        gradient = columns @ (probabilities - truth)
        curvature = (columns * (probabilities * (1 - probabilities))) @ columns.T
        step = torch.linalg.solve(curvature + 1e-12 * torch.eye(len(columns), dtype=columns.dtype), gradient)
        size = 1.0
        while (new := _loss(columns, truth, offset, weights - size * step)) > loss and size > _CLOSE:
            size /= 2
        weights, loss = weights - size * step, min(new, loss)
        if float((size * step).abs().max()) < _CLOSE or float(weights.abs().max()) > 1e3:
            break
    return weights


def _loss(columns: Tensor, truth: Tensor, offset: Tensor, weights: Tensor) -> float:
    return float(functional.binary_cross_entropy_with_logits(weights @ columns + offset, truth, reduction="sum"))


__all__ = ["LIMITS", "METHODS", "Method", "Scaling", "check_both", "fit_scaling"]
