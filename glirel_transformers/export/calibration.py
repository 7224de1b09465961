"""What quantizing costs: the same documents read by both models, and every score compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from glirel_transformers.data import Document, count_relation_types
from glirel_transformers.evaluation import evaluate_extraction
from glirel_transformers.extractor_glirel import RelationExtractor
from glirel_transformers.scores_glirel import RelationScores

if TYPE_CHECKING:
    from glirel_transformers.pipeline_glirel import RelationExtractionPipeline
    from glirel_transformers.running_glirel import ScoresPairs

MAX_LOSS = 0.01


class AccuracyLossError(ValueError):
    """Too much macro-F1 is lost.

    Args:
        message: how much, and what to do.
        calibration: what was measured.
    """

    def __init__(self, message: str, calibration: Calibration):
        super().__init__(message)
        self.calibration = calibration


@dataclass(frozen=True)
class Calibration:
    """Figures of a model before and after it was exported or quantized, on the same documents.

    Args:
        before, after: `macro_f1` and `micro_f1`, with precision and recall, at the threshold.
        threshold: of the model, for relation types without one of their own.
        largest_change, mean_change: of probabilities, over all pairs and relation types.
        num_documents: texts read.
        num_scores: probabilities compared.
        num_changed_decisions: of these, how many are on the other side of the threshold.
    """

    before: dict[str, float]
    after: dict[str, float]
    threshold: float
    largest_change: float
    mean_change: float
    num_documents: int
    num_scores: int
    num_changed_decisions: int

    @property
    def loss(self) -> float:
        """How much macro-F1 is lost; negative where it is gained."""
        return self.before["macro_f1"] - self.after["macro_f1"]

    def check(self, max_loss: float = MAX_LOSS) -> None:
        """Checks that not too much is lost.

        Raises:
            AccuracyLossError: when macro-F1 falls by more than `max_loss`.
        """
        if not self.loss <= max_loss:
            raise AccuracyLossError(
                f"Macro-F1 falls from {self.before['macro_f1']:.4f} to {self.after['macro_f1']:.4f} on "
                f"{self.num_documents} documents, by {self.loss:.4f} where {max_loss:g} is allowed. Nothing was "
                "written. Of smaller exports --quantize int8-weights is the nearest to the model; --max-loss allows "
                "more, and --force writes it all the same.",
                self,
            )


def check_documents(documents: Sequence[Document] | None) -> None:
    """Checks, before anything is computed, that something can be measured on documents, where there are any.

    Raises:
        ValueError: when none of them has a relation.
    """
    if documents is not None and not count_relation_types(documents):
        raise ValueError(
            f"There is nothing to measure on: none of the {len(documents)} documents has a relation. Give annotated "
            "documents."
        )


def calibrate(
    model: ScoresPairs | RelationExtractor | RelationExtractionPipeline,
    quantized: ScoresPairs | RelationExtractor | RelationExtractionPipeline,
    documents: Sequence[Document],
    relation_types: Sequence[str] | None = None,
    *,
    batch_size: int = 8,
) -> Calibration:
    """Compares a model with its exported or quantized self on annotated documents.

    Args:
        model: before: the model, an export of it, or a pipeline of either.
        quantized: after.
        documents: annotated texts, which `model` was not trained on.
        relation_types: what is asked for; by default all types that occur in `documents`.
        batch_size: windows read at once, by both.

    Raises:
        ValueError: when there is no document, or no relation type to ask for.
    """
    before, after = _extractor(model), _extractor(quantized)
    kept: list[tuple[np.ndarray, np.ndarray]] = []  # scores, and the thresholds of their types
    changes = _Changes()

    def compare(scores: RelationScores) -> None:
        changes.add(*kept[changes.num_texts], scores.scores)

    first = evaluate_extraction(
        before,
        documents,
        relation_types,
        batch_size=batch_size,
        observe=lambda scores: kept.append((scores.scores, scores.thresholds())),
    )
    second = evaluate_extraction(
        after,
        documents,
        relation_types,
        threshold=dict(zip(first.relation_types, first.counts.all_in_use.tolist(), strict=True)),
        batch_size=batch_size,
        observe=compare,
    )
    return Calibration(
        before=first.counts.averages(),
        after=second.counts.averages(),
        threshold=first.counts.threshold,
        largest_change=changes.largest,
        mean_change=changes.total / max(1, changes.num_scores),
        num_documents=len(documents),
        num_scores=changes.num_scores,
        num_changed_decisions=changes.num_decisions,
    )


class _Changes:
    """Differences of scores, text by text."""

    def __init__(self) -> None:
        self.num_texts = self.num_scores = self.num_decisions = 0
        self.largest = self.total = 0.0

    def add(self, before: np.ndarray, thresholds: np.ndarray, after: np.ndarray) -> None:
        changes = np.abs(after.astype(np.float64) - before)
        self.num_texts += 1
        self.num_scores += changes.size
        self.num_decisions += int(((before >= thresholds) != (after >= thresholds)).sum())
        self.total += float(changes.sum())
        self.largest = max(self.largest, float(changes.max())) if changes.size else self.largest


def _extractor(model: ScoresPairs | RelationExtractor | RelationExtractionPipeline) -> RelationExtractor:
    """The extractor of a model, or of a pipeline that has one."""
    if isinstance(model, RelationExtractor):
        return model
    extractor: RelationExtractor | None = getattr(model, "extractor", None)
    return extractor or RelationExtractor(model)


__all__ = ["MAX_LOSS", "AccuracyLossError", "Calibration", "calibrate", "check_documents"]
