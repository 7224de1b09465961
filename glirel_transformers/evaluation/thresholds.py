"""Decisions at many thresholds at once, counted batch by batch in memory that does not grow with the data."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from .counts import precision_recall_f1, summarize

NUM_STEPS = 1000  # thresholds are tried in steps of 0.001


class Fit(NamedTuple):
    """A threshold, and the F1 that it gives on the data that it was fitted on."""

    threshold: float
    f1: float


class ThresholdCounts:
    """Right, predicted and gold (pair, relation type) cells of each type, at every threshold.

    Args:
        num_types: number of relation types.
        threshold: one that is counted exactly; the others are 0.001, 0.002, … 0.999.
    """

    def __init__(self, num_types: int, threshold: float) -> None:
        steps = torch.arange(1, NUM_STEPS) / NUM_STEPS
        self.thresholds = torch.cat([steps, torch.tensor([threshold])]).unique()
        self.threshold = threshold
        self._index = int(torch.searchsorted(self.thresholds, torch.tensor(threshold)))
        # By type and by how many thresholds a probability reaches: all cells, and the gold ones.
        self._reached = torch.zeros(2, num_types, len(self.thresholds) + 1, dtype=torch.long)
        self._unscored = torch.zeros(num_types, dtype=torch.long)

    def add(self, probabilities: Tensor, labels: Tensor, types: Tensor) -> None:
        """Counts the cells whose truth is known.

        Args:
            probabilities: of shape `(pairs, relations)`.
            labels: 1, 0 or −100 (unknown), of the same shape.
            types: numbers of the relation types that the columns stand for, `(relations,)`.
        """
        width = self._reached.shape[2]
        cells = torch.bucketize(probabilities, self.thresholds, right=True) + width * types
        for number, chosen in enumerate((labels >= 0, labels == 1)):
            counted = torch.bincount(cells[chosen], minlength=self._reached[number].numel())
            self._reached[number] += counted.view(-1, width)

    def add_unscored(self, type_number: int) -> None:
        """Counts a gold relation between mentions that the model did not pair: missed at every threshold."""
        self._unscored[type_number] += 1

    def counts(self) -> Tensor:
        """Right, predicted and gold cells, of shape `(thresholds, relations, 3)`."""
        predicted, right = self._reached.flip(-1).cumsum(-1).flip(-1)[..., 1:].double()
        gold = (self._reached[1].sum(-1) + self._unscored).double()
        return torch.stack([right.T, predicted.T, gold.expand(len(self.thresholds), -1)], dim=-1)

    def by_type(self) -> Tensor:
        """Right, predicted and gold cells of each type at the threshold, of shape `(relations, 3)`."""
        return self.counts()[self._index]

    def averages(self) -> dict[str, float]:
        """Micro and macro precision, recall and F1 at the threshold."""
        return summarize(self.by_type())

    def curve(self, average: str) -> Tensor:
        """`"micro"` or `"macro"` F1 at each of `thresholds`, as [`summarize`] defines them."""
        counts = self.counts()
        if average == "micro":
            return precision_recall_f1(counts.sum(1))[:, 2]
        in_gold = counts[0, :, 2] > 0
        scores = precision_recall_f1(counts[:, in_gold])[..., 2]
        return scores.mean(1) if in_gold.any() else torch.zeros(len(self.thresholds), dtype=torch.double)

    def best(self, average: str) -> Fit:
        """The threshold with the best F1 on these very data."""
        curve = self.curve(average)
        best = int(curve.argmax())
        return Fit(float(self.thresholds[best]), float(curve[best]))
