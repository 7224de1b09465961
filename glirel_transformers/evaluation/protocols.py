"""Protocols by name. Each is a dataclass of its settings, whose `run` reads documents and gives one type of result.

Two figures compare only where the protocol is the same, and the entities that were given. Both stand in every result:

| protocol | entities | asked | decides | counts as wrong |
|---|---|---|---|---|
| `classification` | gold, the pair is given | m relation types | the best | any other type |
| `extraction` | gold | all pairs, all types | a threshold | whatever is predicted on a pair without a relation |
| `end-to-end` | found, or prompted | what is found | two thresholds | a triple with a wrong span, type or relation |
| `document` | gold, with all mentions | all pairs of entities | a threshold | any fact that is not gold; Ign F1 |
| `few-shot` | as of the protocol that measures | after training on a few documents | likewise | likewise |
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch

from glirel_transformers.data import Document, count_relation_types
from glirel_transformers.extractor_glirel import RelationExtractor
from glirel_transformers.pipeline_glirel import RelationExtractionPipeline

from .background import background_thresholds, check_one_source
from .baselines import Baseline, Majority
from .extraction import Evaluation, Reader, evaluate_extraction
from .facts import TrainFacts
from .joint import EntitySource, JointEvaluation, count_entity_types, evaluate_joint, fit_thresholds
from .results import EvaluationResult, ScoredDocument
from .thresholds import Fit, ThresholdCounts

ANNOTATED = "annotated pairs alone"
"""What the original GLiREL's habit is called wherever its figures stand; see [`Extraction`]."""


class Protocol(ABC):
    """How a model is measured; its settings are the fields of a dataclass."""

    name: ClassVar[str]

    @abstractmethod
    def run(self, model: Reader, documents: Sequence[Document]) -> EvaluationResult:
        """Measures a model on annotated documents.

        Args:
            model: an extractor, or a baseline where the entities are given.
            documents: what it is compared with.

        Raises:
            ValueError: when there is nothing to measure, or the model cannot be measured so.
        """


def name_of(model: Reader) -> str:
    """What results call a model."""
    return f"baseline:{model.name}" if isinstance(model, Baseline) else str(model.model.name_or_path)


@dataclass(kw_only=True)
class Extraction(Protocol):
    """Entities are given, every ordered pair is asked for every type, and a threshold decides.

    A prediction on a pair without a relation is wrong, where that the pair has none is known (`Document.exhaustive`).

    Args:
        relation_types: what is asked for; by default all that occur in the documents.
        threshold: from which a relation counts as predicted; by default the model's own, as of
            [`evaluate_extraction`].
        fit_on: documents that the threshold is fitted on instead, to the best micro F1.
        background: documents that give relation types which a calibrated model was not calibrated for thresholds
            instead; see [`RelationExtractor.background`].
        background_cache: a file that keeps these.
        pairs: `"annotated"` also gives the figures that the original GLiREL reports, under a name of their own: what
            is predicted on a pair that has no relation in the annotation is left out there. They are not comparable
            with the others, and never lower.
        group_size, batch_size, self_pairs: as [`evaluate_extraction`] takes them.
        options: as [`RelationExtractor.__call__`] takes them, such as `adjacency_threshold`.
    """

    name: ClassVar[str] = "extraction"
    by_entity: ClassVar[bool] = False

    relation_types: Sequence[str] | None = None
    threshold: float | Mapping[str, float] | None = None
    fit_on: Sequence[Document] = ()
    background: Sequence[Document] = ()
    background_cache: Path | None = None
    pairs: Literal["all", "annotated"] = "all"
    group_size: int | None = None
    batch_size: int = 8
    self_pairs: bool | None = None
    options: dict[str, Any] = field(default_factory=dict)

    def run(self, model: Reader, documents: Sequence[Document]) -> EvaluationResult:
        """See [`Protocol.run`]."""
        check_one_source(self.background, self.fit_on, self.threshold)
        types = list(self.relation_types or count_relation_types(documents))
        notes = fit_baseline(model, self.fit_on or documents, on_data=not self.fit_on)
        ask = partial(
            evaluate_extraction,
            extract=model,
            relation_types=types,
            group_size=self.group_size,
            batch_size=self.batch_size,
            self_pairs=self.self_pairs,
            by_entity=self.by_entity,
            **self.options,
        )
        fitted = {"relations": fit_threshold_on(ask(documents=self.fit_on), self.fit_on)} if self.fit_on else {}
        threshold = fitted["relations"].threshold if fitted else self.threshold
        if self.background:
            reads = {"batch_size": self.batch_size, "group_size": self.group_size or "auto", **self.options}
            threshold = background_thresholds(model, self.background, types, cache=self.background_cache, **reads)
        found = ask(documents=documents, threshold=threshold, keep_cells=True, **self._more())
        return EvaluationResult(
            self.name,
            "gold",
            name_of(model),
            found.relation_types,
            self._figures(found),
            threshold=found.counts.threshold,
            type_thresholds=found.counts.by_name(found.relation_types),
            documents=found.documents,
            by_entity=self.by_entity,
            notes=[*notes, *notes_of(found)],
            beside=self._beside(found),
            fitted=fitted,
            num_fitted_on=len(self.fit_on),
            details=found,
        )

    def _more(self) -> dict[str, Any]:
        """What [`evaluate_extraction`] is given besides."""
        return {}

    def _figures(self, found: Evaluation) -> dict[str, float]:
        return found.counts.averages()

    def _beside(self, found: Evaluation) -> dict[str, dict[str, float]]:
        if self.pairs == "all":
            return {}
        return {ANNOTATED: annotated_counts(found.documents, found.counts).averages()}


@dataclass(kw_only=True)
class DocumentLevel(Extraction):
    """Facts between entities with all their mentions, as DocRED's own script counts them: F1, and Ign F1.

    Args:
        train_facts: what training documents state, which Ign F1 leaves out; without it there is no Ign F1.
    """

    name: ClassVar[str] = "document"
    by_entity: ClassVar[bool] = True

    train_facts: TrainFacts | None = None

    def _more(self) -> dict[str, Any]:
        return {"train_facts": self.train_facts}

    def _figures(self, found: Evaluation) -> dict[str, float]:
        facts = {name: value for name, value in found.facts().items() if not name.startswith("num_")}
        return {**facts, **found.counts.averages()}

    def _beside(self, found: Evaluation) -> dict[str, dict[str, float]]:
        return {
            name: {**averages, **{of: averages[f"micro_{of}"] for of in ("precision", "recall", "f1")}}
            for name, averages in super()._beside(found).items()
        }


@dataclass(kw_only=True)
class EndToEnd(Protocol):
    """Entities are found by the model, and relations between them; see [`evaluate_joint`].

    Args:
        relation_types, entity_types: what is asked for; by default all that occur in the documents.
        source: whether all texts are asked for the same entity types (`"found"`), or each for those of its own gold
            entities (`"prompted"`).
        threshold, entity_threshold: of relations and of entities; by default the model's own.
        fit_on: documents that both are fitted on instead.
        background, background_cache: as of [`Extraction`]; their entities are found, too.
        group_size, batch_size: as [`evaluate_joint`] takes them.
        options: as [`RelationExtractor.__call__`] takes them: `overlap`, `multi_label`, `adjacency_threshold`.
    """

    name: ClassVar[str] = "end-to-end"

    relation_types: Sequence[str] | None = None
    entity_types: Sequence[str] | None = None
    source: EntitySource = "found"
    threshold: float | Mapping[str, float] | None = None
    entity_threshold: float | None = None
    fit_on: Sequence[Document] = ()
    background: Sequence[Document] = ()
    background_cache: Path | None = None
    group_size: int | None = None
    batch_size: int = 8
    options: dict[str, Any] = field(default_factory=dict)

    def run(self, model: Reader, documents: Sequence[Document]) -> EvaluationResult:
        """See [`Protocol.run`]."""
        check_one_source(self.background, self.fit_on, self.threshold)
        asked: dict[str, Any] = {
            "relation_types": list(self.relation_types or count_relation_types(documents)),
            "entity_types": list(self.entity_types or count_entity_types(documents)),
            "source": self.source,
            "group_size": self.group_size,
            "batch_size": self.batch_size,
            **self.options,
        }
        extract = self._finder(model)
        fitted: dict[str, Fit] = {}
        if self.fit_on:
            fitted = fit_thresholds(extract, self.fit_on, **asked)._asdict()
        threshold = fitted["relations"].threshold if fitted else self.threshold
        if self.background:
            threshold = self._background_thresholds(extract, asked)
        found = evaluate_joint(
            extract,
            documents,
            threshold=threshold,
            entity_threshold=fitted["entities"].threshold if fitted else self.entity_threshold,
            keep_cells=True,
            **asked,
        )
        return EvaluationResult(
            self.name,
            self.source,
            name_of(model),
            found.relation_types,
            _joint_figures(found),
            threshold=found.triples["strict"].threshold,
            type_thresholds=found.triples["strict"].by_name(found.relation_types),
            documents=found.documents,
            by_entity=True,
            notes=notes_of_joint(found),
            fitted=fitted,
            num_fitted_on=len(self.fit_on),
            details=found,
        )

    def _background_thresholds(
        self, extract: RelationExtractor | RelationExtractionPipeline, asked: dict[str, Any]
    ) -> dict[str, float]:
        reads = {"batch_size": self.batch_size, "group_size": self.group_size or "auto", **self.options}
        if self.entity_threshold is not None:
            reads["entity_threshold"] = self.entity_threshold
        return background_thresholds(
            extract,
            self.background,
            asked["relation_types"],
            entity_types=asked["entity_types"],
            cache=self.background_cache,
            **reads,
        )

    @staticmethod
    def _finder(model: Reader) -> RelationExtractor | RelationExtractionPipeline:
        if isinstance(model, Baseline):
            raise ValueError(
                f"The baseline {model.name} finds no entities. It is for the protocols whose entities are given: "
                "classification, extraction and document."
            )
        return model


def _joint_figures(found: JointEvaluation) -> dict[str, float]:
    return {
        f"{what}_{match}_{name}": value
        for what, of_match in (("triples", found.triples), ("entities", found.entities))
        for match, counts in of_match.items()
        for name, value in counts.averages().items()
    }


def fit_baseline(model: Reader, documents: Sequence[Document], on_data: bool) -> list[str]:
    """Shows a baseline the documents that it may learn from; gives what is to be said of that.

    Args:
        model: nothing is done to one that is not a baseline.
        documents: what it sees.
        on_data: whether it is then measured on the same.
    """
    if not isinstance(model, Baseline):
        return []
    model.fit(documents)
    if on_data and isinstance(model, Majority):
        return ["The baseline counted relation types in the data that it is measured on; --fit-on gives others."]
    return []


def fit_threshold_on(found: Evaluation, documents: Sequence[Document]) -> Fit:
    """The threshold with the best micro F1 of what was found in other documents.

    Raises:
        ValueError: when none of the types that were asked for holds there.
    """
    fit = found.counts.best("micro")
    if fit is None:
        raise ValueError(
            f"No threshold can be fitted: of the relation types that are asked for, none holds in a scored pair of "
            f"the {len(documents)} documents of --fit-on. Give others, or --threshold."
        )
    return fit


def annotated_counts(documents: Sequence[ScoredDocument], counts: ThresholdCounts) -> ThresholdCounts:
    """The cells of pairs that have a relation in the annotation, of whatever type, with the others left out.

    Args:
        documents: the cells of all texts.
        counts: of all of them, for the thresholds and the number of relation types.
    """
    kept = ThresholdCounts(counts.num_types, counts.threshold, counts.type_thresholds)
    for scored in documents:
        related = {(relation.head, relation.tail) for relation in scored.document.relations}
        rows = [row for row, pair in enumerate(map(tuple, scored.pair_index.tolist())) if pair in related]
        probabilities, labels = scored.probabilities[rows], torch.from_numpy(scored.labels[rows])
        unscored = np.isnan(probabilities)
        for column in np.nonzero((labels.numpy() == 1) & unscored)[1].tolist():
            kept.add_unscored(column)
        labels = labels.masked_fill(torch.from_numpy(unscored), -100)
        kept.add(torch.from_numpy(np.nan_to_num(probabilities)), labels, torch.arange(counts.num_types))
    return kept


def notes_of(found: Evaluation) -> list[str]:
    """What is not counted, or counted as missed without being seen."""
    one = "an entity" if found.by_entity else "a mention"
    notes = {
        f"{found.num_unscored_pairs:,} pairs are too far apart or in no window; {found.num_missed_relations:,} "
        "relations between such pairs count as missed.": found.num_unscored_pairs,
        f"{found.num_self_relations:,} relations join {one} to itself and count as missed; --self-pairs asks for "
        "such pairs.": found.num_self_relations,
        f"{found.num_unasked_relations:,} relations are of types that were not asked for, and are not counted.": (
            found.num_unasked_relations
        ),
        f"{found.num_unknown_pairs:,} pairs of documents that are not exhaustive have no relation; whether one holds "
        "is unknown, and they are not counted.": found.num_unknown_pairs,
        f"{found.num_elsewhere:,} times a relation holds between other mentions of the two entities of a pair; these "
        "are neither right nor wrong. --by-entity counts facts between entities.": found.num_elsewhere,
    }
    return [*(text for text, count in notes.items() if count), *_note_of_absent(found.relation_types, found.counts)]


def _note_of_absent(types: Sequence[str], counts: ThresholdCounts) -> list[str]:
    """What to know of types that were asked for and hold nowhere, such as misspelt ones."""
    absent = [repr(name) for name, row in zip(types, counts.by_type().tolist(), strict=True) if not row[2]]
    if not absent:
        return []
    named = ", ".join(absent[:3]) + (", …" if len(absent) > 3 else "")
    return [
        f"Relation types that hold nowhere in the documents, {len(absent):,} of {len(types):,}: {named}. Micro "
        "averages count what is predicted of them as wrong, macro averages leave them out."
    ]


def notes_of_joint(found: JointEvaluation) -> list[str]:
    """The same of entities that were found."""
    notes = {
        "num_untyped_entities": "gold entities have no type, and are never strictly right.",
        "num_unasked_entities": "gold entities are of types that were not asked for; relations between them count as "
        "missed.",
        "num_unasked_relations": "relations are of types that were not asked for, and are not counted.",
        "num_unknown_pairs": "pairs of documents that are not exhaustive have no relation; whether one holds is "
        "unknown, and they are not counted.",
        "num_left_out": "entities were found beyond the likeliest of a text, and left out.",
    }
    counted = [f"{getattr(found, name):,} {text}" for name, text in notes.items() if getattr(found, name)]
    return [*counted, *_note_of_absent(found.relation_types, found.triples["strict"])]
