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


def binary_cross_entropy(logits: Tensor, labels: Tensor, alpha: float, gamma: float) -> Tensor:
    """`−log p` of the truth, for each cell (Section 3.5)."""
    return functional.binary_cross_entropy_with_logits(logits, labels, reduction="none")


def focal_loss(logits: Tensor, labels: Tensor, alpha: float, gamma: float) -> Tensor:
    """`−α (1 − p)^γ log p` of the truth, for each cell, and 1 − α where that is negative (arXiv 1708.02002)."""
    probability = torch.sigmoid(logits)
    missed = labels * (1 - probability) + (1 - labels) * probability
    weight = labels * alpha + (1 - labels) * (1 - alpha)
    return weight * missed**gamma * binary_cross_entropy(logits, labels, alpha, gamma)


# From logits and labels of any one shape, and the settings of the focal loss, to losses of the same shape.
LOSSES: dict[str, Callable[[Tensor, Tensor, float, float], Tensor]] = {
    "bce": binary_cross_entropy,
    "focal": focal_loss,
}


@dataclass(frozen=True)
class RelationLoss:
    """Mean loss over the known, real cells, so that it does not scale with pairs × relations.

    Args:
        name: in `LOSSES`.
        alpha, gamma: of the focal loss.
        positive_weight, negative_weight: factors on the loss of positive and negative cells.
    """

    name: str
    alpha: float
    gamma: float
    positive_weight: float
    negative_weight: float

    def __call__(self, logits: Tensor, labels: Tensor, cell_mask: Tensor) -> Tensor:
        """The loss, `()`, in float32.

        Args:
            logits: scores before the sigmoid, `(batch, pairs, relations)`.
            labels: 1 where the pair has the relation, 0 where it does not, −100 where that is unknown; several types
                may be right for one pair. Same shape.
            cell_mask: True where both the pair and the relation type are real. Same shape.
        """
        cell_mask = cell_mask & (labels != IGNORED_LABEL)
        logits = logits.float().masked_fill(~cell_mask, 0.0)
        labels = labels.to(logits.dtype).masked_fill(~cell_mask, 0.0)
        losses = LOSSES[self.name](logits, labels, self.alpha, self.gamma)
        weights = labels * self.positive_weight + (1 - labels) * self.negative_weight
        return (losses * weights * cell_mask).sum() / cell_mask.sum().clamp(min=1)


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
