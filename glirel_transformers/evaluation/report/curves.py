"""Figures of the cells of all texts: of each relation type, precision against recall, calibration, thresholds."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch

from glirel_transformers.evaluation.counts import precision_recall_f1
from glirel_transformers.evaluation.reliability import NUM_BINS, calibration_error, count_bins
from glirel_transformers.evaluation.results import EvaluationResult
from glirel_transformers.evaluation.thresholds import Fit, ThresholdCounts
from glirel_transformers.losses_glirel import IGNORED_LABEL

from .bootstrap import FIGURES, figures_of

_POINTS = 201


class FlatCells(NamedTuple):
    """The cells of all texts whose truth is known and which have a score, by falling probability.

    They are sorted once, here: a thousand long texts have tens of millions.

    Args:
        probability (`np.ndarray` of float32, of shape `(cells,)`).
        is_gold (`np.ndarray` of bool, of shape `(cells,)`).
        relation (`np.ndarray` of int16 or int32, of shape `(cells,)`): positions in the relation types.
        num_unscored (`np.ndarray` of int64, of shape `(relations,)`): gold relations of each type without a score.
        num_predicted, num_right (`np.ndarray` of int64, of shape `(relations,)`): of the predictions in use.
        is_best (`np.ndarray` of bool, of shape `(cells,)`): whether no type of the pair has a higher score.
    """

    probability: np.ndarray
    is_gold: np.ndarray
    relation: np.ndarray
    num_unscored: np.ndarray
    num_predicted: np.ndarray
    num_right: np.ndarray
    is_best: np.ndarray

    @property
    def num_gold(self) -> np.ndarray:
        """Gold relations of each type, `(relations,)`, with those that have no score."""
        return np.bincount(self.relation[self.is_gold], minlength=len(self.num_unscored)) + self.num_unscored


def flatten(result: EvaluationResult) -> FlatCells:
    """The cells of a result, of all its runs, without those whose truth is unknown."""
    num_types = len(result.relation_types)
    unscored, predicted, right = (np.zeros(num_types, dtype=np.int64) for _ in range(3))
    empty = tuple(np.zeros(0, dtype=kind) for kind in (np.float32, np.bool_, np.int16, np.bool_))
    parts = [empty]
    place_of = {name: place for place, name in enumerate(result.relation_types)}
    kind = np.int16 if num_types < 2**15 else np.int32
    for run in result.walk():
        places = np.array([place_of[name] for name in run.relation_types], dtype=kind)
        for one in run.documents:
            known = one.labels != IGNORED_LABEL
            is_gold = one.labels == 1
            scored = known & ~np.isnan(one.probabilities)
            chosen = run.predicted(one) & known
            unscored[places] += (is_gold & ~scored).sum(0)
            np.add.at(unscored, places[list(one.missed)], 1)
            predicted[places] += chosen.sum(0)
            right[places] += (chosen & is_gold).sum(0)
            best = np.zeros(scored.shape, dtype=np.bool_)
            if best.size:
                best[np.arange(len(best)), np.where(scored, one.probabilities, -1).argmax(1)] = True
            columns = np.broadcast_to(places, scored.shape)
            parts.append((one.probabilities[scored], is_gold[scored], columns[scored], best[scored]))
    cells = [np.concatenate(columns) for columns in zip(*parts, strict=True)]
    order = np.argsort(-cells[0])
    probability, is_gold, relation, is_best = (column[order] for column in cells)
    return FlatCells(probability, is_gold, relation, unscored, predicted, right, is_best)


class TypeRow(NamedTuple):
    """The figures of a relation type, at the predictions in use; `average_precision` is of all thresholds.

    `average_precision` is `None` where nothing is gold.
    """

    relation_type: str
    support: int
    predicted: int
    right: int
    precision: float
    recall: float
    f1: float
    average_precision: float | None


def type_rows(cells: FlatCells, relation_types: list[str]) -> list[TypeRow]:
    """A row for each relation type, in their order."""
    counts = np.stack([cells.num_right, cells.num_predicted, cells.num_gold], axis=-1)
    figures: list[tuple[float, float, float]] = precision_recall_f1(torch.from_numpy(counts).double()).tolist()
    order = np.argsort(cells.relation, kind="stable")
    bounds = np.searchsorted(cells.relation[order], np.arange(len(relation_types) + 1))
    rows = []
    for place, name in enumerate(relation_types):
        own = order[bounds[place] : bounds[place + 1]]
        average = average_precision(cells.is_gold[own], cells.probability[own], int(cells.num_unscored[place]))
        right, predicted, gold = map(int, counts[place])
        precision, recall, f1 = figures[place]
        rows.append(TypeRow(name, gold, predicted, right, precision, recall, f1, average))
    return rows


def average_precision(is_gold: np.ndarray, probability: np.ndarray, num_unscored: int = 0) -> float | None:
    """Mean precision over the recalls that are reached: the area under the curve, without interpolation.

    Args:
        is_gold, probability: of the cells by falling probability, `(cells,)` each.
        num_unscored: gold relations without a score, of which no recall is reached.

    Returns:
        `None` where nothing is gold.
    """
    _, predicted, right = _steps(is_gold, probability)
    num_gold = int(is_gold.sum()) + num_unscored
    return float((np.diff(right, prepend=0) * right / predicted).sum()) / num_gold if num_gold else None


def _steps(is_gold: np.ndarray, probability: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """At each different probability, from the highest: itself, how many cells are predicted, how many right."""
    ends = np.flatnonzero(np.diff(probability, append=-1))  # the last of equal ones, which no threshold separates
    return probability[ends], ends + 1, np.cumsum(is_gold, dtype=np.int64)[ends]


class Curve(NamedTuple):
    """Precision against recall at some thresholds, by rising recall.

    Args:
        threshold, precision, recall: of each point.
        average_precision: of all cells together; `None` where nothing is gold.
    """

    threshold: list[float]
    precision: list[float]
    recall: list[float]
    average_precision: float | None


def precision_recall(cells: FlatCells) -> Curve:
    """Precision and recall of all cells together (micro), at up to 201 thresholds that are spread over the recall."""
    average = average_precision(cells.is_gold, cells.probability, int(cells.num_unscored.sum()))
    if not cells.is_gold.any():
        return Curve([], [], [], average)
    threshold, predicted, right = _steps(cells.is_gold, cells.probability)
    places = np.unique(np.searchsorted(right, np.linspace(0, right[-1], _POINTS)))
    precision, recall = right[places] / predicted[places], right[places] / cells.num_gold.sum()
    return Curve(threshold[places].tolist(), precision.tolist(), recall.tolist(), average)


class Bin(NamedTuple):
    """Cells with a probability in `[low, high)`, the last bin with 1 too.

    Args:
        low, high: the bounds.
        num_cells: how many there are.
        probability: their mean, `None` without any.
        share_right: how many of them are gold.
    """

    low: float
    high: float
    num_cells: int
    probability: float | None
    share_right: float | None


class Calibration(NamedTuple):
    """How far probabilities are what they claim to be.

    Args:
        bins: of all cells.
        error: expected calibration error, the mean distance of probability and share over all cells.
        error_of_best: the same of the likeliest relation type of each pair alone; most other cells are near 0 and
            easily right.
    """

    bins: list[Bin]
    error: float | None
    error_of_best: float | None


def calibration(cells: FlatCells, num_bins: int = NUM_BINS) -> Calibration:
    """Calibration in bins of equal width, as `glirel calibrate` measures it, of the cells of all relation types."""
    probability, is_gold = torch.from_numpy(cells.probability), torch.from_numpy(cells.is_gold)
    is_best = torch.from_numpy(cells.is_best)
    sums = count_bins(probability, is_gold, num_bins)
    of_best = count_bins(probability[is_best], is_gold[is_best], num_bins)
    errors = (calibration_error(one) if one[0].any() else None for one in (sums, of_best))
    return Calibration(_bins(sums), *errors)


def _bins(sums: torch.Tensor) -> list[Bin]:
    num_bins = sums.shape[1]
    return [
        Bin(
            place / num_bins,
            (place + 1) / num_bins,
            int(size),
            total / size if size else None,
            right / size if size else None,
        )
        for place, (size, total, right) in enumerate(sums.T.tolist())
    ]


class Thresholds(NamedTuple):
    """F1 at all thresholds.

    Args:
        threshold, micro, macro: F1 at 0.01, 0.02, … 0.99.
        best_micro, best_macro: the best threshold on the same data, which flatters; `None` where nothing is right at
            any.
    """

    threshold: list[float]
    micro: list[float]
    macro: list[float]
    best_micro: Fit | None
    best_macro: Fit | None


def thresholds(cells: FlatCells) -> Thresholds:
    """The curve, and the best thresholds, which are exact."""
    num_gold = int(cells.is_gold.sum())
    # What is below the last gold cell is wrong, and no best threshold is there.
    last = int(np.flatnonzero(cells.is_gold)[-1]) + 1 if num_gold else 0
    counts = ThresholdCounts(len(cells.num_unscored), 0.5)
    counts.add(
        torch.from_numpy(cells.probability[:last]),
        torch.from_numpy(cells.is_gold[:last].astype(np.int64)),
        torch.from_numpy(cells.relation[:last].astype(np.int64)),
    )
    for place, number in enumerate(cells.num_unscored.tolist()):
        for _ in range(number):
            counts.add_unscored(place)
    at = np.arange(1, 100) / 100
    micro, macro = _f1_at(cells, at)
    return Thresholds(at.tolist(), micro, macro, counts.best("micro"), counts.best("macro"))


def _f1_at(cells: FlatCells, at: np.ndarray) -> tuple[list[float], list[float]]:
    """Micro and macro F1 at each threshold."""
    num_types = len(cells.num_unscored)
    # How many it reaches, in single precision, as decisions are made.
    place = np.searchsorted(at.astype(np.float32), cells.probability, side="right")
    counts = np.zeros((len(at), num_types, 3))
    for column, kept in ((0, cells.is_gold), (1, slice(None))):
        both = place[kept] * num_types + cells.relation[kept]
        found = np.bincount(both, minlength=(len(at) + 1) * num_types).reshape(-1, num_types)
        counts[..., column] = found[::-1].cumsum(0)[::-1][1:]
    counts[..., 2] = cells.num_gold
    figures = figures_of(counts)
    names = [FIGURES.index("micro_f1"), FIGURES.index("macro_f1")]
    micro, macro = figures[:, names].T.tolist()
    return micro, macro
