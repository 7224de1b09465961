"""Precision, recall and F1: from counts of right, predicted and gold decisions, in one place."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor


def precision_recall_f1(counts: Tensor) -> Tensor:
    """Precision, recall and F1 `(…, 3)` of counts `(…, 3)`: right, predicted and gold; 0 where a denominator is."""
    hits, predicted, gold = counts.unbind(-1)
    precision, recall = hits / predicted.clamp(min=1), hits / gold.clamp(min=1)
    return torch.stack([precision, recall, 2 * hits / (predicted + gold).clamp(min=1)], dim=-1)


def count_decisions(
    probabilities: Tensor, is_gold: Tensor, types: Tensor, num_types: int, threshold: float | Tensor
) -> Tensor:
    """Right, predicted and gold cells of each type, `(relations, 3)`, of cells `(cells,)`.

    A threshold is one for all, or one for each type, `(relations,)`.
    """
    return count_predicted(is_predicted(probabilities, types, threshold), is_gold, types, num_types)


def is_predicted(probabilities: Tensor, types: Tensor, threshold: float | Tensor) -> Tensor:
    """Whether each of the cells `(cells,)` is predicted, at one threshold or at that of its type."""
    if not isinstance(threshold, Tensor):
        return probabilities >= threshold
    return probabilities.double() >= threshold[types.long()]  # in double precision, as an extractor compares


def count_predicted(predicted: Tensor, is_gold: Tensor, types: Tensor, num_types: int) -> Tensor:
    """Right, predicted and gold cells of each type, `(relations, 3)`, of decisions `(cells,)`."""
    kinds = (predicted & is_gold, predicted, is_gold)
    return torch.stack([torch.bincount(types[kind], minlength=num_types) for kind in kinds], dim=-1).double()


def summarize(counts: Iterable[Tensor]) -> dict[str, float]:
    """Micro and macro precision, recall and F1 of the counts `(3,)` of each relation type."""
    rows = [row for row in counts if row[1] or row[2]]
    table = torch.stack(rows) if rows else torch.zeros(0, 3, dtype=torch.double)
    in_gold = table[table[:, 2] > 0]
    micro = precision_recall_f1(table.sum(0, keepdim=True))[0]
    macro = precision_recall_f1(in_gold).mean(0) if len(in_gold) else torch.zeros(3)
    names = ("precision", "recall", "f1")
    return {
        f"{average}_{name}": float(value)
        for average, values in (("micro", micro), ("macro", macro))
        for name, value in zip(names, values, strict=True)
    }
