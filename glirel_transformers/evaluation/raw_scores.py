"""A development set as a model scores it before anything is fitted, and its division for cross-validation."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from glirel_transformers.background_glirel import background_logits, list_texts, logits_of
from glirel_transformers.configuration_glirel import GLiRELConfig
from glirel_transformers.data import Document, count_entity_types, text_hash
from glirel_transformers.extractor_glirel import RelationExtractor
from glirel_transformers.pipeline_glirel import RelationExtractionPipeline

from .deciding import Scores
from .extraction import evaluate_extraction
from .joint import evaluate_joint
from .thresholds import ThresholdCounts

EntityChoice = Literal["gold", "found"]

_READ_AT = 8.0  # the temperature at which scores are read: probabilities then keep what single precision would round


@dataclass(frozen=True)
class RawScores:
    """Scores of a development set, as the model gives them.

    Args:
        scores: with logits that nothing was fitted to.
        relation_types: the names of their types.
        num_unknown_pairs: pairs without a relation where that says nothing.
        entity_types: those that were found; `None` where entities were given.
    """

    scores: Scores
    relation_types: list[str]
    num_unknown_pairs: int
    entity_types: list[str] | None = None


@contextmanager
def _uncalibrated(config: GLiRELConfig) -> Iterator[None]:
    """Within it, a model's probabilities are the sigmoid of its logits divided by `_READ_AT`."""
    kept = config.calibration
    config.calibration = {"temperature": _READ_AT}
    try:
        yield
    finally:
        config.calibration = kept


def read_scores(
    extract: RelationExtractor | RelationExtractionPipeline,
    documents: Sequence[Document],
    relation_types: Sequence[str] | None,
    entities: EntityChoice | None,
    asked: dict[str, Any],
) -> RawScores:
    """Scores annotated documents, as [`evaluate_extraction`] or [`evaluate_joint`] does.

    Args:
        extract: of the model.
        documents: annotated texts.
        relation_types: what is asked for; by default all types that occur in `documents`.
        entities: where they come from; by default `"found"` for a model that finds entities.
        asked: options of the evaluation.

    Raises:
        ValueError: when the model cannot find entities, or options do not fit entities that are found.
    """
    config = extract.model.config
    finds = getattr(config, "entity_finder", "none") != "none"
    if entities == "found" and not finds:
        raise ValueError(
            "Entities can be 'found' by a model that finds them only, and this one does not (entity_finder='none'). "
            "Leave it out: those of the documents are given."
        )
    if not finds or entities == "gold":
        options = {name: value for name, value in asked.items() if name not in ("entity_types", "overlap")}
        with _uncalibrated(config):
            given = evaluate_extraction(extract, documents, relation_types, **options)
        return RawScores(_scores_of(given.counts), given.relation_types, given.num_unknown_pairs)
    if asked.get("by_entity") or asked.get("self_pairs"):
        raise ValueError(
            "Entities that are found are compared by their spans, without `by_entity` and `self_pairs`. Leave them "
            "out, or pass entities='gold'."
        )
    options = {name: value for name, value in asked.items() if name not in ("by_entity", "self_pairs")}
    options["entity_types"] = options.get("entity_types") or list(count_entity_types(documents))
    with _uncalibrated(config):
        joint = evaluate_joint(extract, documents, relation_types, **options)
    scores = _scores_of(joint.triples["strict"])
    return RawScores(scores, joint.relation_types, joint.num_unknown_pairs, joint.entity_types)


def read_background_logits(
    extract: RelationExtractor | RelationExtractionPipeline, texts: object, raw: RawScores, asked: dict[str, Any]
) -> np.ndarray:
    """Logits of the same types over all pairs of background texts, `(pairs, relations)`, as the model gives them.

    Raises:
        ValueError: when there is no pair.
    """
    extractor = extract if isinstance(extract, RelationExtractor) else extract.extractor
    options = {name: asked[name] for name in ("batch_size", "overlap") if asked.get(name) is not None}
    options |= {"group_size": asked.get("group_size") or "auto", "entity_types": raw.entity_types}
    with _uncalibrated(extractor.model.config):
        logits = background_logits(extractor, list_texts(texts), raw.relation_types, **options)
    return _READ_AT * logits


def _scores_of(counts: ThresholdCounts) -> Scores:
    cells = counts.cells()
    logits = _READ_AT * torch.from_numpy(logits_of(cells.probabilities.numpy()))
    return Scores(logits, cells.is_gold, cells.types, cells.documents, cells.missed, counts.num_types)


def divide(documents: Sequence[Document], num_folds: int, seed: int) -> tuple[Tensor, int]:
    """The fold of each document, and how many folds there are: at most one for each text. A text is in one fold.

    Raises:
        ValueError: when there are not two different texts.
    """
    hashes = [text_hash(document) for document in documents]
    texts = sorted(set(hashes))
    if len(texts) < 2:
        raise ValueError(
            f"The {len(documents)} documents have {len(texts)} different texts, and at least 2 are needed: figures "
            "are measured on texts that were not fitted to. Give more documents."
        )
    random.Random(seed).shuffle(texts)
    num_folds = min(num_folds, len(texts))
    fold_of = {text: place % num_folds for place, text in enumerate(texts)}
    return torch.tensor([fold_of[text] for text in hashes]), num_folds


def read_background(documents: Sequence[Document], finds: bool = False) -> list[dict[str, Any]]:
    """Documents as background texts: with their entities, unless a model finds them; relations are not read."""
    texts = [document.to_text() for document in documents]
    return [{"text": text} if finds else {"text": text, "entities": entities} for text, entities in texts]


__all__ = ["EntityChoice", "RawScores", "divide", "read_background", "read_background_logits", "read_scores"]
