"""Thresholds fitted to calibrated scores: one for all, for types with enough examples, and for unseen types.

Axes: `cells, relations`. A cell is a pair with a relation type, whose truth is known.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor

from .counts import count_predicted, is_predicted, summarize
from .thresholds import Average, ThresholdCounts, midway

QUANTILES = (0.5, 0.9, 0.99)
WEIGHTS = (0.0, 0.25, 0.5, 0.75, 1.0)
MAX_REFERENCES = 20
"""How many types of the development set those that nobody has seen are compared with."""


@dataclass(frozen=True)
class Scores:
    """Cells with calibrated logits, on which thresholds are fitted and judged.

    Args:
        logits, is_gold, types, documents: of the cells, `(cells,)`.
        missed: document and type of gold relations that have no score, `(missed, 2)`.
        num_types: how many types there are.
    """

    logits: Tensor
    is_gold: Tensor
    types: Tensor
    documents: Tensor
    missed: Tensor
    num_types: int

    @property
    def probabilities(self) -> Tensor:
        """In single precision, as a model gives them, `(cells,)`."""
        return self.logits.double().sigmoid().float()

    def of_documents(self, chosen: Tensor) -> Scores:
        """Those of some documents, `(documents,)` of booleans."""
        return self._where(chosen[self.documents.long()], chosen[self.missed[:, 0]])

    def of_types(self, chosen: Tensor) -> Scores:
        """Those of some types, `(relations,)` of booleans; the others have no cell and no gold."""
        return self._where(chosen[self.types.long()], chosen[self.missed[:, 1]])

    def _where(self, cells: Tensor, missed: Tensor) -> Scores:
        return replace(
            self,
            logits=self.logits[cells],
            is_gold=self.is_gold[cells],
            types=self.types[cells],
            documents=self.documents[cells],
            missed=self.missed[missed],
        )

    def count(self, predicted: Tensor) -> Tensor:
        """Right, predicted and gold cells of each type, `(relations, 3)`, of decisions `(cells,)`."""
        counts = count_predicted(predicted, self.is_gold, self.types, self.num_types)
        counts[:, 2] += torch.bincount(self.missed[:, 1], minlength=self.num_types)
        return counts

    def decide(self, thresholds: Tensor) -> Tensor:
        """Whether each cell is predicted, at thresholds of the types `(relations,)`."""
        return is_predicted(self.probabilities, self.types, thresholds)

    def f1(self, predicted: Tensor, average: Average) -> float:
        """Micro or macro F1 of decisions `(cells,)`."""
        return summarize(self.count(predicted))[f"{average}_f1"]


def fit_threshold(scores: Scores, average: Average, otherwise: float) -> float:
    """The threshold with the best F1; `otherwise` where no gold relation has a score."""
    counts = ThresholdCounts(scores.num_types, otherwise)
    counts.add(scores.probabilities, scores.is_gold.long(), scores.types)
    for number in scores.missed[:, 1].tolist():
        counts.add_unscored(number)
    fit = counts.best(average)
    return otherwise if fit is None else fit.threshold


class _Curve(NamedTuple):
    """What a type's thresholds give: the different scores, the highest first, and how many cells from there on."""

    scores: Tensor
    hits: Tensor
    predicted: Tensor

    def threshold(self, place: int) -> float:
        """Below the score at a place; for −1 above all of them."""
        upper = self.scores[place] if place >= 0 else torch.ones((), dtype=self.scores.dtype)
        has_lower = place + 1 < len(self.scores)
        return midway(upper, self.scores[place + 1] if has_lower else torch.zeros_like(upper))


def fit_type_thresholds(scores: Scores, default: float, average: Average, min_examples: int) -> dict[int, float]:
    """Thresholds of the types with at least `min_examples` gold relations that have a score.

    For macro F1, each is the best for its own F1. For micro F1 all of them together are the best: each type is
    predicted as far down as more of it is right than half of that F1, by Dinkelbach's method for ratios; one that is
    never right often enough is not predicted at all.

    Args:
        scores: that they are fitted to.
        default: the threshold of the other types.
        average: what is to be best.
        min_examples: as above.
    """
    num_gold = torch.bincount(scores.types[scores.is_gold].long(), minlength=scores.num_types)
    chosen = (num_gold >= max(min_examples, 1)).nonzero().flatten().tolist()
    if not chosen:
        return {}
    curves = {number: _curve(scores, number) for number in chosen}
    gold = scores.count(torch.zeros_like(scores.is_gold))[:, 2]
    if average == "macro":
        places = {number: _best_f1(curve, float(gold[number])) for number, curve in curves.items()}
        return {number: curves[number].threshold(place) for number, place in places.items()}
    others = torch.ones(scores.num_types, dtype=torch.bool)
    others[chosen] = False
    at_default = scores.count(scores.decide(torch.full((scores.num_types,), default, dtype=torch.double)))
    fixed_hits, fixed_predicted = at_default[others][:, :2].sum(0).tolist()
    ratio, places = 0.0, {}
    while True:
        places = {number: _best_difference(curve, ratio) for number, curve in curves.items()}
        hits = fixed_hits + sum(float(curves[n].hits[place]) for n, place in places.items() if place >= 0)
        predicted = fixed_predicted + sum(float(curves[n].predicted[p]) for n, p in places.items() if p >= 0)
        new = 2 * hits / max(predicted + float(gold.sum()), 1)
        if new <= ratio + 1e-12:
            return {number: curves[number].threshold(place) for number, place in places.items()}
        ratio = new


def _curve(scores: Scores, number: int) -> _Curve:
    own = scores.types == number
    values, order = scores.probabilities[own].sort(descending=True, stable=True)
    hits = scores.is_gold[own][order].double().cumsum(0)
    last = torch.ones(len(values), dtype=torch.bool)  # of equal scores
    last[:-1] = values[1:] != values[:-1]
    return _Curve(values[last], hits[last], torch.arange(1, len(values) + 1)[last].double())


def _best_f1(curve: _Curve, gold: float) -> int:
    f1 = 2 * curve.hits / (curve.predicted + gold)
    return int((f1 >= f1.max() - 1e-12).nonzero()[0])


def _best_difference(curve: _Curve, ratio: float) -> int:
    """Where `2 · hits − ratio · predicted` is highest, the first such place; −1 where nothing is gained."""
    gain = 2 * curve.hits - ratio * curve.predicted
    return int(gain.argmax()) if float(gain.max()) > 0 else -1


class UnseenRule(NamedTuple):
    """A [`BackgroundRule`] that was fitted, and the F1 that it gives on what it was fitted on."""

    threshold: float
    weight: float
    quantile: float
    f1: float


def fit_unseen_rule(
    scores: Scores, seen: Sequence[int], levels: Tensor, average: Average, otherwise: float
) -> UnseenRule:
    """The rule that is best for some types, each compared with the others of them.

    Of rules that are equally good the one with the least weight is taken: without a weight, it is one threshold.

    Args:
        scores: of all types.
        seen: numbers of the types that it is fitted to; the first `MAX_REFERENCES` are the reference types.
        levels: quantiles of each type's logits over background texts, `(quantiles, relations)`.
        average: what is to be best.
        otherwise: the threshold where no gold relation has a score.
    """
    chosen = torch.zeros(scores.num_types, dtype=torch.bool)
    chosen[list(seen)] = True
    own, references = scores.of_types(chosen), list(seen)[:MAX_REFERENCES]
    best = UnseenRule(otherwise, 0.0, QUANTILES[0], -1.0)
    for weight in WEIGHTS:
        for place, quantile in enumerate(QUANTILES if weight else QUANTILES[:1]):
            shifted = shift(own, references, levels[place], weight)
            threshold = fit_threshold(shifted, average, otherwise)
            f1 = own.f1(shifted.probabilities >= threshold, average)
            if f1 > best.f1 + 1e-12:
                best = UnseenRule(threshold, weight, quantile, f1)
    return best


def shift(scores: Scores, references: Iterable[int], level: Tensor, weight: float) -> Scores:
    """Logits less the weighted difference of their type's background level from the mean of the reference types'.

    A type is not compared with itself.
    """
    known = list(references)
    differences = torch.zeros(scores.num_types, dtype=torch.double)
    for number in range(scores.num_types):
        others = [other for other in known if other != number]
        if others:
            differences[number] = level[number] - level[others].mean()
    return replace(scores, logits=scores.logits.double() - weight * differences[scores.types.long()])


__all__ = ["Scores", "UnseenRule", "fit_threshold", "fit_type_thresholds", "fit_unseen_rule"]
