"""Figures that were not fitted to: documents judged by the others, and types by the other types."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from .deciding import (
    MAX_REFERENCES,
    QUANTILES,
    Scores,
    fit_threshold,
    fit_type_thresholds,
    fit_unseen_rule,
    shift,
)
from .scaling import Method, fit_scaling
from .thresholds import Average

_TYPE_FOLDS = 10


@dataclass(frozen=True)
class Judge:
    """Judges by cross-validation.

    Args:
        scores: of all documents.
        folds: the fold of each document, `(documents,)`.
        num_folds: how many there are.
        average: whose F1 thresholds are to be best for.
        min_examples: that a type needs for a threshold of its own.
        otherwise: the threshold where none can be fitted.
    """

    scores: Scores
    folds: Tensor
    num_folds: int
    average: Average
    min_examples: int
    otherwise: float

    @property
    def _fold_of_cells(self) -> Tensor:
        return self.folds[self.scores.documents.long()]

    @property
    def _num_type_folds(self) -> int:
        return min(self.scores.num_types, _TYPE_FOLDS)

    def _seen(self, fold: int) -> list[int]:
        """The types that are not in a fold of types."""
        return [number for number in range(self.scores.num_types) if number % self._num_type_folds != fold]

    def with_logits(self, logits: Tensor) -> Judge:
        """One of the same cells, with other logits."""
        return replace(self, scores=replace(self.scores, logits=logits))

    def scale(self, method: Method) -> Tensor:
        """The logits of each document, scaled as is best for the others."""
        scaled = self.scores.logits.clone()
        for fold in range(self.num_folds):
            train = self.scores.of_documents(self.folds != fold)
            held_out = self._fold_of_cells == fold
            scaled[held_out] = fit_scaling(train.logits, train.is_gold, method)(scaled[held_out])
        return scaled

    def scale_unseen(self, method: Method) -> Tensor:
        """The logits of each type, scaled as is best for other types."""
        scaled = self.scores.logits.clone()
        for fold in range(self._num_type_folds):
            train = self.scores.of_types(_mask(self._seen(fold), self.scores.num_types))
            held_out = self.scores.types % self._num_type_folds == fold
            if 0 < int(train.is_gold.sum()) < len(train.is_gold):
                scaled[held_out] = fit_scaling(train.logits, train.is_gold, method)(scaled[held_out])
        return scaled

    def decide(self, *, by_type: bool) -> Tensor:
        """Whether each cell is predicted, at one threshold or at those of the types."""
        predicted = torch.zeros_like(self.scores.is_gold)
        for fold in range(self.num_folds):
            train = self.scores.of_documents(self.folds != fold)
            threshold = fit_threshold(train, self.average, self.otherwise)
            thresholds = torch.full((train.num_types,), threshold, dtype=torch.double)
            own = fit_type_thresholds(train, threshold, self.average, self.min_examples) if by_type else {}
            for number, value in own.items():
                thresholds[number] = value
            held_out = self._fold_of_cells == fold
            predicted[held_out] = self.scores.decide(thresholds)[held_out]
        return predicted

    def decide_unseen(self, levels: Tensor | None = None) -> Tensor:
        """Whether each cell is predicted by what is best for other types: one threshold, or a rule.

        Args:
            levels: quantiles of each type's logits over background texts, `(quantiles, relations)`, for a rule.
        """
        predicted = torch.zeros_like(self.scores.is_gold)
        for fold in range(self._num_type_folds):
            seen = self._seen(fold)
            shifted = self.scores
            if levels is None:
                of_seen = self.scores.of_types(_mask(seen, self.scores.num_types))
                threshold = fit_threshold(of_seen, self.average, self.otherwise)
            else:
                rule = fit_unseen_rule(self.scores, seen, levels, self.average, self.otherwise)
                level = levels[QUANTILES.index(rule.quantile)]
                shifted, threshold = shift(self.scores, seen[:MAX_REFERENCES], level, rule.weight), rule.threshold
            held_out = self.scores.types % self._num_type_folds == fold
            predicted[held_out] = (shifted.probabilities >= threshold)[held_out]
        return predicted


def _mask(numbers: list[int], size: int) -> Tensor:
    mask = torch.zeros(size, dtype=torch.bool)
    mask[numbers] = True
    return mask


__all__ = ["Judge"]
