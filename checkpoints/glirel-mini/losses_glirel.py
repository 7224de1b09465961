"""What a model is trained on (Section 3.5): losses of single cells, and their mean over a batch.

Axes: `batch, pairs, relations`; a cell is a pair with a relation type.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

IGNORED_LABEL = -100  # a cell of which nobody knows whether the relation holds: it is left out of the loss


def binary_cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """`−log p` of the truth, for each cell (Section 3.5)."""
    return functional.binary_cross_entropy_with_logits(logits, labels, reduction="none")


def focal_loss(logits: Tensor, labels: Tensor, alpha: float, gamma: float) -> Tensor:
    """`−α (1 − p)^γ log p` of the truth, for each cell, and 1 − α where that is negative (arXiv 1708.02002)."""
    probability = torch.sigmoid(logits)
    missed = labels * (1 - probability) + (1 - labels) * probability
    weight = labels * alpha + (1 - labels) * (1 - alpha)
    return weight * missed**gamma * binary_cross_entropy(logits, labels)


def adaptive_threshold_loss(logits: Tensor, thresholds: Tensor, labels: Tensor, known: Tensor) -> Tensor:
    """The adaptive thresholding loss of ATLOP (arXiv 2010.11304, equations 5 to 7), for each pair.

    What holds must exceed the pair's threshold, `−Σ_{r holds} log softmax(r; those that hold and the threshold)`, and
    the threshold what does not, `−log softmax(threshold; those that do not hold and the threshold)`.

    Args:
        logits: `(batch, pairs, relations)`.
        thresholds: `(batch, pairs)`.
        labels: 1 where the relation holds, 0 where it does not, same shape as `logits`.
        known: where that is known and real, same shape.

    Returns:
        `(batch, pairs)`.
    """
    lowest = torch.finfo(logits.dtype).min
    holds = labels * known

    def with_threshold(cells: Tensor) -> Tensor:
        return torch.cat([logits.masked_fill(~cells, lowest), thresholds.unsqueeze(-1)], dim=-1).log_softmax(-1)

    positive = with_threshold((labels > 0) & known)[..., :-1].masked_fill(holds == 0, 0.0)
    negative = with_threshold((labels == 0) & known)[..., -1]
    return -(positive * holds).sum(-1) - negative


NO_LOGIT = -1e4  # of a cell that is no rival; its exponential is 0, and its gradient a number


def ranking_loss(logits: Tensor, labels: Tensor, known: Tensor) -> Tensor:
    """What holds must exceed what does not: for each cell that holds, `−log softmax(it; it and its rivals)`.

    Its rivals are the other relation types of its pair that do not hold, and the other pairs of its relation type; the
    loss of a cell is the mean of both, and 0 where it does not hold.

    Args:
        logits: `(batch, pairs, relations)`.
        labels: 1 where the relation holds, 0 where it does not, same shape as `logits`.
        known: where that is known and real, same shape.

    Returns:
        `(batch, pairs, relations)`.
    """
    rivals = logits.masked_fill((labels > 0) | ~known, NO_LOGIT)
    behind = [functional.softplus(rivals.logsumexp(axis, keepdim=True) - logits) for axis in (1, 2)]
    return (behind[0] + behind[1]) / 2 * (labels * known)


@dataclass(frozen=True)
class RelationLoss:
    """The loss of a batch: the mean over its known, real cells, so that it does not scale with pairs × relations.

    Args:
        name: in `LOSSES`.
        alpha, gamma: of the focal loss.
        positive_weight, negative_weight: factors on the loss of positive and negative cells; not of `"atloss"`.
        reduction: `"mean"` over the cells, or pairs for `"atloss"`, or their `"sum"`.
        ranking_weight: factor on [`ranking_loss`], which is added; its mean is over the cells that hold.
    """

    name: str
    alpha: float
    gamma: float
    positive_weight: float
    negative_weight: float
    reduction: str = "mean"
    ranking_weight: float = 0.0

    def __call__(self, logits: Tensor, labels: Tensor, cell_mask: Tensor, thresholds: Tensor | None = None) -> Tensor:
        """The loss, `()`, in float32.

        Args:
            logits: scores before the sigmoid, `(batch, pairs, relations)`.
            labels: 1 where the pair has the relation, 0 where it does not, −100 where that is unknown; several types
                may be right for one pair. Same shape.
            cell_mask: True where both the pair and the relation type are real. Same shape.
            thresholds: of each pair, `(batch, pairs)`; for `"atloss"`.
        """
        cell_mask = cell_mask & (labels != IGNORED_LABEL)
        logits = logits.float().masked_fill(~cell_mask, 0.0)
        labels = labels.to(logits.dtype).masked_fill(~cell_mask, 0.0)
        loss = self.reduce(*LOSSES[self.name](self, logits, labels, cell_mask, thresholds))
        if self.ranking_weight:
            ranking = ranking_loss(logits, labels, cell_mask)
            loss = loss + self.ranking_weight * self.reduce(ranking, (labels > 0) & cell_mask)
        return loss

    def reduce(self, losses: Tensor, counted: Tensor) -> Tensor:
        """The mean, or sum, of the losses that count, `()`."""
        total = (losses * counted).sum()
        return total if self.reduction == "sum" else total / counted.sum().clamp(min=1)

    def of_cells(self, losses: Tensor, labels: Tensor, cell_mask: Tensor) -> tuple[Tensor, Tensor]:
        """Losses of cells, weighed by what is right for them; and which of them count."""
        return losses * (labels * self.positive_weight + (1 - labels) * self.negative_weight), cell_mask


def _bce(
    loss: RelationLoss, logits: Tensor, labels: Tensor, cell_mask: Tensor, _: Tensor | None
) -> tuple[Tensor, Tensor]:
    return loss.of_cells(binary_cross_entropy(logits, labels), labels, cell_mask)


def _focal(
    loss: RelationLoss, logits: Tensor, labels: Tensor, cell_mask: Tensor, _: Tensor | None
) -> tuple[Tensor, Tensor]:
    return loss.of_cells(focal_loss(logits, labels, loss.alpha, loss.gamma), labels, cell_mask)


def _atloss(
    loss: RelationLoss, logits: Tensor, labels: Tensor, cell_mask: Tensor, thresholds: Tensor | None
) -> tuple[Tensor, Tensor]:
    if thresholds is None:
        raise ValueError("The loss 'atloss' needs the pairs' thresholds: set `threshold_head` in the configuration.")
    return adaptive_threshold_loss(logits, thresholds.float(), labels, cell_mask), cell_mask.any(-1)


# From settings, logits, labels and mask `(batch, pairs, relations)` and thresholds of pairs, to losses of cells or of
# pairs, and which of them count.
LOSSES: dict[str, Callable[[RelationLoss, Tensor, Tensor, Tensor, Tensor | None], tuple[Tensor, Tensor]]] = {
    "bce": _bce,
    "focal": _focal,
    "atloss": _atloss,
}


def check_labels(labels: Tensor, logits: Tensor) -> None:
    """Checks the shape of labels and, unless a graph is made, their values.

    Raises:
        ValueError: when the shapes differ, or a label is none of 1, 0 and −100.
    """
    if labels.shape != logits.shape:
        raise ValueError(
            f"`labels` must have the shape (batch, pairs, relations) = {tuple(logits.shape)}: got "
            f"{tuple(labels.shape)}."
        )
    if torch.compiler.is_compiling():
        return
    known = labels[labels != IGNORED_LABEL]
    if wrong := known[~((known >= 0) & (known <= 1))].unique().tolist():
        raise ValueError(
            f"`labels` must be 1 (has the relation), 0 (does not have it) or {IGNORED_LABEL} (unknown): got also "
            f"{wrong[:5]}. Each relation type has a column of its own; class numbers are not labels."
        )
