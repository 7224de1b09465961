"""The one fit of a decision threshold, which training and `glirel evaluate` share, and F1 at any other threshold.

A cell is a pair of mentions and a relation type: predicted where its probability is at least the threshold. F1 changes
only where the threshold passes the probability of a cell, so one pass over the sorted cells finds every value that it
can take. The best threshold is exact, not the best of some that are tried.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from .counts import count_decisions, summarize

Average = Literal["micro", "macro"]
THRESHOLDS = torch.arange(1, 1000) / 1000
"""Where a curve is drawn: 0.001, 0.002, … 0.999."""
_EQUAL = 1e-12  # F1 is a sum of differences, whose rounding stays below this


class Fit(NamedTuple):
    """A threshold, and the F1 that it gives on the data that it was fitted on."""

    threshold: float
    f1: float


class Cells(NamedTuple):
    """Pairs with a relation type whose truth is known.

    Args:
        probabilities (`torch.FloatTensor` of shape `(cells,)`): of the model.
        is_gold (`torch.BoolTensor` of shape `(cells,)`): whether the relation holds.
        types (`torch.IntTensor` of shape `(cells,)`), documents (likewise): numbers of the type and the document.
        missed (`torch.LongTensor` of shape `(missed, 2)`): document and type of gold relations without a score.
    """

    probabilities: Tensor
    is_gold: Tensor
    types: Tensor
    documents: Tensor
    missed: Tensor


class ThresholdCounts:
    """The cells whose truth is known, and what a threshold makes of them.

    All are kept, in 9 bytes each: a thousand texts of twenty pairs, asked for fifty types, take 9 MB.

    Args:
        num_types: number of relation types.
        threshold: the one in use.
        type_thresholds: in use for certain types in its place, by their numbers.
    """

    def __init__(self, num_types: int, threshold: float, type_thresholds: Mapping[int, float] | None = None) -> None:
        self.num_types = num_types
        self.threshold = threshold
        self.type_thresholds = dict(type_thresholds or {})
        self._parts: list[tuple[Tensor, Tensor, Tensor]] = []
        self._unscored = torch.zeros(num_types, dtype=torch.long)
        self._document = 0
        self._documents: list[tuple[int, int]] = []  # of the cells that were added: a document, and how many
        self._missed: list[tuple[int, int]] = []  # documents and types

    @property
    def in_use(self) -> float | Tensor:
        """What decides: one threshold, or where types have their own, one for each, `(relations,)`."""
        return self.all_in_use if self.type_thresholds else self.threshold

    @property
    def all_in_use(self) -> Tensor:
        """The threshold of each type, `(relations,)`."""
        return torch.tensor(
            [self.type_thresholds.get(number, self.threshold) for number in range(self.num_types)], dtype=torch.double
        )

    def by_name(self, names: Sequence[str]) -> dict[str, float]:
        """The thresholds of types that have their own, by the names of all types."""
        return {names[number]: value for number, value in sorted(self.type_thresholds.items())}

    def begin(self, document: int) -> None:
        """Says which document what is added from now on is of, for [`cells`]."""
        self._document = document

    def cells(self) -> Cells:
        """All cells with the documents that they are of, in the order in which they were added."""
        probabilities, is_gold, types = self._cells()
        numbers, sizes = torch.tensor(self._documents, dtype=torch.long).reshape(-1, 2).unbind(-1)
        documents = numbers.repeat_interleave(sizes).to(torch.int32)
        missed = torch.tensor(self._missed, dtype=torch.long).reshape(-1, 2)
        return Cells(probabilities, is_gold, types, documents, missed)

    def add(self, probabilities: Tensor, labels: Tensor, types: Tensor) -> None:
        """Adds the cells whose truth is known.

        Args:
            probabilities: of any shape, such as `(pairs, relations)`.
            labels: 1, 0 or −100 (unknown), of the same shape.
            types: numbers of the relation types, of a shape that broadcasts to it, such as `(relations,)`.

        Raises:
            ValueError: when a probability is not a number.
        """
        if probabilities.isnan().any():
            raise ValueError(
                "The model gives scores that are not numbers (NaN): its weights are damaged, or training diverged. "
                "Train again with a lower learning rate, or with bf16 in place of fp16."
            )
        known = labels >= 0
        types = types.to(torch.int32).expand(labels.shape)
        self._parts.append((probabilities.float()[known], labels[known] == 1, types[known]))
        self._documents.append((self._document, int(known.sum())))

    def add_unscored(self, type_number: int) -> None:
        """Adds a gold relation between mentions that the model did not pair: missed at every threshold."""
        self._unscored[type_number] += 1
        self._missed.append((self._document, type_number))

    def by_type(self, threshold: float | None = None) -> Tensor:
        """Right, predicted and gold cells of each type, `(relations, 3)`, at a threshold, by default as in use."""
        counts = count_decisions(*self._cells(), self.num_types, self.in_use if threshold is None else threshold)
        counts[:, 2] += self._unscored
        return counts

    def averages(self, threshold: float | None = None) -> dict[str, float]:
        """Micro and macro precision, recall and F1 at a threshold; by default at the one in use."""
        return summarize(self.by_type(threshold))

    def curve(self, average: Average, thresholds: Tensor = THRESHOLDS) -> Tensor:
        """`"micro"` or `"macro"` F1 at each of `thresholds`, as [`summarize`] defines them."""
        scores, f1 = self._f1_by_score(average)
        f1 = torch.cat([torch.zeros(1, dtype=torch.double), f1])
        return f1[torch.searchsorted(-scores, -thresholds.to(scores.dtype), right=True)]

    def best(self, average: Average) -> Fit | None:
        """The threshold with the best F1 on the data themselves; `None` where no gold cell has a score.

        It lies midway between two neighbouring scores, where no score is near. Of several that are equally good, the
        highest is taken: it predicts the fewest relations.

        Raises:
            ValueError: when `average` is neither `"micro"` nor `"macro"`.
        """
        scores, f1 = self._f1_by_score(average)
        if not len(f1) or f1.max() <= 0:
            return None
        place = int((f1 >= f1.max() - _EQUAL).nonzero()[0])
        threshold = midway(scores[place], scores[place + 1] if place + 1 < len(scores) else torch.zeros(()))
        return Fit(threshold, self.averages(threshold)[f"{average}_f1"])

    def _cells(self) -> tuple[Tensor, Tensor, Tensor]:
        """Probabilities, whether each is gold, and types of all cells, `(cells,)` each."""
        if len(self._parts) != 1:
            empty = (torch.zeros(0), torch.zeros(0, dtype=torch.bool), torch.zeros(0, dtype=torch.int32))
            probabilities, is_gold, types = zip(*(self._parts or [empty]), strict=True)
            self._parts = [(torch.cat(probabilities), torch.cat(is_gold), torch.cat(types))]
        return self._parts[0]

    def _f1_by_score(self, average: Average) -> tuple[Tensor, Tensor]:
        """All different scores, the highest first, and F1 where the threshold is that score, in double precision."""
        if average not in ("micro", "macro"):
            raise ValueError(f"`average` must be 'micro' or 'macro': got {average!r}.")
        scores, is_gold, types = self._cells()
        gold = torch.bincount(types[is_gold], minlength=self.num_types) + self._unscored
        if average == "micro":  # all are of one type
            types, gold = torch.zeros_like(types), gold.sum(0, keepdim=True)
        scores, order = scores.sort(descending=True)
        changes = _f1_changes(is_gold[order], types[order].long(), gold.double())
        f1 = changes.cumsum(0) / (gold > 0).sum().clamp(min=1)
        last = torch.ones(len(scores), dtype=torch.bool)  # the last of equal scores, which no threshold can separate
        last[:-1] = scores[1:] != scores[:-1]
        return scores[last], f1[last]


def _f1_changes(is_gold: Tensor, types: Tensor, gold: Tensor) -> Tensor:
    """By how much the F1 of its type changes when each cell is predicted in addition to all before it, `(cells,)`.

    Args:
        is_gold: of the cells in the order in which a falling threshold reaches them, `(cells,)`.
        types: of the same, `(cells,)`.
        gold: number of gold cells of each type, `(relations,)`.
    """
    order = types.argsort(stable=True)  # each type on its own, still from the highest score
    types, right = types[order], is_gold[order].double()
    sizes = torch.bincount(types, minlength=len(gold))
    first = sizes.cumsum(0) - sizes
    predicted = torch.arange(len(types)) - first[types] + 1
    all_right = torch.cat([torch.zeros(1, dtype=torch.double), right.cumsum(0)])
    hits = all_right[1:] - all_right[first[types]]
    after = 2 * hits / (predicted + gold[types])
    before = 2 * (hits - right) / (predicted - 1 + gold[types]).clamp(min=1)
    changes = torch.empty_like(after)
    changes[order] = after - before
    return changes


def midway(upper: Tensor, lower: Tensor) -> float:
    """A threshold between two scores, as far from both as it can be; the upper one where no number lies between."""
    middle = lower + (upper - lower) / 2
    return float(middle if middle > lower else upper)
