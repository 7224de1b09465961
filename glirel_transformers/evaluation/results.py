"""What every protocol gives: figures, and the decisions that they were computed from, cell by cell.

A cell is an ordered pair of a text and a relation type. Reports, plots, calibration and comparisons of checkpoints
read an [`EvaluationResult`] and need no model.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from statistics import mean, stdev
from typing import Any, Literal, NamedTuple

import numpy as np

from glirel_transformers.data import Document
from glirel_transformers.losses_glirel import IGNORED_LABEL
from glirel_transformers.mentions_glirel import Entity

from .thresholds import Fit, ThresholdCounts

GivenEntities = Literal["gold", "found", "prompted"]
"""Which entities a model was given: those of the annotation, none at all, or none but the types of the gold ones."""
Decision = Literal["threshold", "best"]
"""What is predicted: every cell whose probability is at least the threshold, or the best cell of each pair."""

HEADLINES = {
    "classification": ("macro_precision", "macro_recall", "macro_f1", "accuracy", "zsbert_f1"),
    "extraction": ("micro_precision", "micro_recall", "micro_f1", "macro_f1"),
    "document": ("f1", "ign_f1", "precision", "recall", "macro_f1"),
    "end-to-end": (
        "triples_strict_micro_f1",
        "triples_strict_macro_f1",
        "triples_boundaries_micro_f1",
        "entities_strict_micro_f1",
    ),
}
"""The figures of a protocol that tables show."""


@dataclass(frozen=True)
class ScoredDocument:
    """The cells of one text.

    Args:
        document: the annotation. Where pairs are of entities, see [`EvaluationResult.by_entity`], its mentions are
            those of `entities` one to one, and so are its relations.
        text: as the model read it.
        entities: what pairs join, with half-open character spans: gold ones, or those that were found.
        pair_index (`np.ndarray` of int64, of shape `(pairs, 2)`): head and tail of each pair, as positions in
            `entities`. The pair of the other direction is a row of its own.
        probabilities (`np.ndarray` of float32, or float64 where the best decides, of shape `(pairs, relations)`): NaN
            where a cell was not asked for, or the pair was not scored. A gold cell that is NaN is missed at every
            threshold.
        labels (`np.ndarray` of int8, of shape `(pairs, relations)`): 1 where the relation holds, 0 where it does not,
            −100 where that is unknown or does not count.
        missed: gold relations that have no pair here, since no entity was found for one of their ends: missed at
            every threshold. Each as a position in the relation types.
        position: of the document among those that were evaluated.
    """

    document: Document
    text: str
    entities: Sequence[Entity]
    pair_index: np.ndarray
    probabilities: np.ndarray
    labels: np.ndarray
    missed: tuple[int, ...] = ()
    position: int = 0


class Cells(NamedTuple):
    """The cells of all texts whose truth is known, one after the other, each an array of shape `(cells,)`.

    Args:
        document: numbers of the texts, which are positions in `EvaluationResult.documents`.
        head, tail: the pair, as positions in the text's `entities`.
        relation: positions in `EvaluationResult.relation_types`.
        probability: NaN where the pair was not scored.
        label: 1 or 0.
        reverse: the label of the same relation with head and tail swapped; −100 where that is unknown or not a cell.
            A prediction that is wrong and whose reverse is right has the wrong direction.
        predicted: whether the cell counts as predicted.
    """

    document: np.ndarray
    head: np.ndarray
    tail: np.ndarray
    relation: np.ndarray
    probability: np.ndarray
    label: np.ndarray
    reverse: np.ndarray
    predicted: np.ndarray


class Spread(NamedTuple):
    """The mean of several runs and the standard deviation of the sample, which one run has none of."""

    mean: float
    deviation: float | None
    runs: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Of one figure of each run."""
        return cls(mean(values), stdev(values) if len(values) > 1 else None, len(values))


@dataclass
class EvaluationResult:
    """What a protocol found.

    Args:
        protocol: its name in [`PROTOCOLS`].
        entities: which entities were given.
        model: what was evaluated: a folder, a repository or `baseline:NAME`.
        relation_types: what was asked for, the columns of each text's cells.
        figures: by name, such as `micro_f1`.
        decision: how predictions are made of probabilities.
        threshold: from which a cell counts as predicted; `None` where the best of a pair does.
        type_thresholds: those of relation types that have one of their own, by name, as a calibrated model's.
        documents: the cells of each text; empty where a result has `runs`, which have them.
        by_entity: whether pairs are of entities with all their mentions.
        row: what tells a run from others of its table, such as `"m = 5"`; runs of one row differ in what was drawn.
        run: which of these it is, such as `"seed 3"`.
        row_heading: what the rows of its `runs` are, such as `"documents"`, where their names do not say it.
        runs: the runs that this result summarizes.
        notes: what is not counted, or counted as missed without being seen; ready to be printed.
        beside: the same figures under another protocol's habits, by its name; see `pairs` of [`Extraction`].
        fitted: thresholds that were fitted on other documents, with the F1 there, by what they decide about.
        num_fitted_on: how many documents these were.
        details: the protocol's own result: an [`Evaluation`] or a [`JointEvaluation`].
    """

    protocol: str
    entities: GivenEntities
    model: str
    relation_types: list[str]
    figures: dict[str, float]
    decision: Decision = "threshold"
    threshold: float | None = None
    type_thresholds: dict[str, float] = field(default_factory=dict)
    documents: list[ScoredDocument] = field(default_factory=list, repr=False)
    by_entity: bool = False
    row: str = ""
    run: str = ""
    row_heading: str = ""
    runs: list[EvaluationResult] = field(default_factory=list, repr=False)
    notes: list[str] = field(default_factory=list)
    beside: dict[str, dict[str, float]] = field(default_factory=dict)
    fitted: dict[str, Fit] = field(default_factory=dict)
    num_fitted_on: int = 0
    details: Any = field(default=None, repr=False)

    def summary(self) -> dict[str, dict[str, Spread]]:
        """For each row of the table, mean and deviation of each figure over its runs."""
        rows: dict[str, list[EvaluationResult]] = {}
        for one in self.runs or [self]:
            rows.setdefault(one.row, []).append(one)
        return {
            row: {name: Spread.of([one.figures[name] for one in of_row]) for name in of_row[0].figures}
            for row, of_row in rows.items()
        }

    def predicted(self, scored: ScoredDocument, threshold: float | None = None) -> np.ndarray:
        """Which cells of a text count as predicted, a boolean array of shape `(pairs, relations)`.

        Args:
            scored: the text.
            threshold: one for all relation types; by default what is in use, which may differ from type to type.
        """
        least = self.threshold if threshold is None else threshold
        if self.decision == "threshold" and least is not None:
            # In single precision, or for thresholds of types in double precision, as ThresholdCounts compares.
            probabilities = np.nan_to_num(scored.probabilities, nan=-1.0)
            if threshold is None and self.type_thresholds:
                own = [self.type_thresholds.get(name, least) for name in self.relation_types]
                return probabilities.astype(np.float64) >= np.array(own, dtype=np.float64)
            return probabilities >= np.float32(least)
        chosen = np.zeros(scored.probabilities.shape, dtype=bool)
        if chosen.size:
            best = np.nan_to_num(scored.probabilities, nan=-np.inf).argmax(1)
            chosen[np.arange(len(best)), best] = True
        return chosen

    def cells(self, threshold: float | None = None) -> Cells:
        """All cells whose truth is known, of the texts in order.

        Args:
            threshold: from which a cell counts as predicted; by default the one in use.
        """
        parts = [self._cells_of(scored, number, threshold) for number, scored in enumerate(self.documents)]
        kinds = [*[np.int64] * 4, np.float32, np.int8, np.int8, bool]
        empty = tuple(np.zeros(0, dtype=kind) for kind in kinds)
        return Cells(*map(np.concatenate, zip(empty, *parts, strict=True)))

    def _cells_of(self, scored: ScoredDocument, number: int, threshold: float | None) -> tuple[np.ndarray, ...]:
        rows, columns = np.nonzero(scored.labels != IGNORED_LABEL)
        ends = scored.pair_index[rows].reshape(-1, 2)
        pairs = list(map(tuple, scored.pair_index.tolist()))
        labels_of: dict[tuple[int, ...], np.ndarray] = {}
        for pair, labels in zip(pairs, scored.labels, strict=True):  # where the best decides, a pair may have several
            labels_of[pair] = np.maximum(labels_of.get(pair, labels), labels)
        unknown = np.full(scored.labels.shape[1:], IGNORED_LABEL, dtype=np.int8)
        reversed_labels = np.array([labels_of.get(pair[::-1], unknown) for pair in pairs], dtype=np.int8)
        reverse = reversed_labels.reshape(scored.labels.shape)[rows, columns]
        return (
            np.full(len(rows), number),
            ends[:, 0],
            ends[:, 1],
            columns,
            scored.probabilities[rows, columns],
            scored.labels[rows, columns],
            reverse,
            self.predicted(scored, threshold)[rows, columns],
        )

    @property
    def counts(self) -> ThresholdCounts | None:
        """Decisions at all thresholds, strict ones of triples; `None` where the best decides, or there are runs."""
        triples = getattr(self.details, "triples", None)
        return getattr(self.details, "counts", None) if triples is None else triples["strict"]

    @property
    def num_gold(self) -> int:
        """Gold relations that count, those that were missed unseen included."""
        return sum(int((scored.labels == 1).sum()) + len(scored.missed) for scored in self.documents)

    def walk(self) -> Iterator[EvaluationResult]:
        """The results that have cells: this one, or its runs."""
        yield from self.runs or [self]
