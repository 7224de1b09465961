"""End to end: entities that a model finds itself, and relations between them, against an annotation.

A triple is right when its relation, the spans of both ends and (strictly) their types are; with boundaries alone,
types do not matter. An entity is right when its span and (strictly) its type are. Spans are compared in characters.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from tqdm.auto import tqdm

from glirel_transformers.data import Document, count_relation_types
from glirel_transformers.extractor_glirel import RelationExtractor
from glirel_transformers.mentions_glirel import Entity
from glirel_transformers.pipeline_glirel import RelationExtractionPipeline
from glirel_transformers.scores_glirel import RelationScores
from glirel_transformers.text_glirel import Span

from .extraction import make_counts
from .results import ScoredDocument
from .thresholds import Fit, ThresholdCounts

EntitySource = Literal["found", "prompted"]
"""`"found"`: every text is asked for the same entity types; `"prompted"`: each for those of its own gold entities."""
Match = Literal["strict", "boundaries"]

Key = tuple[Span, str | None]  # what an entity is compared by; without its type where boundaries are all
Triple = tuple[Key, str, Key]


class Thresholds(NamedTuple):
    """Two thresholds that were fitted, and the micro F1 that each gives on the data that they were fitted on."""

    entities: Fit
    relations: Fit


@dataclass
class JointEvaluation:
    """What an evaluation of entities and relations together found.

    Args:
        source: where entities come from.
        entity_types, relation_types: what was asked for.
        entity_threshold: above which a span is an entity; types may have others.
        triples: decisions about triples, at all thresholds of relations: `"strict"` and `"boundaries"`.
        entities: decisions about entities at `entity_threshold` and all above it, likewise; with boundaries alone all
            are of one type.
        num_documents: texts read.
        num_found: entities that were found.
        num_left_out: found beyond the number that a model relates.
        num_untyped_entities: gold entities without a type: they count with boundaries alone, and strictly only as ends
            of relations, which are never right.
        num_unasked_entities: gold entities of types that were not asked for. Alone they count nowhere; relations
            between them count as missed.
        num_unasked_relations: gold relations of types that were not asked for, which count nowhere.
        num_unknown_pairs: pairs of entities that were found, without a gold relation, in documents that are not
            exhaustive: they count nowhere.
        documents: the strict cells of each text, where `keep_cells` asked for them. Entities are those that were
            found, one for each type that counts.
    """

    source: EntitySource
    entity_types: list[str]
    relation_types: list[str]
    entity_threshold: float
    triples: dict[Match, ThresholdCounts] = field(repr=False)
    entities: dict[Match, ThresholdCounts] = field(repr=False)
    num_documents: int = 0
    num_found: int = 0
    num_left_out: int = 0
    num_untyped_entities: int = 0
    num_unasked_entities: int = 0
    num_unasked_relations: int = 0
    num_unknown_pairs: int = 0
    documents: list[ScoredDocument] = field(default_factory=list, repr=False)


@dataclass(frozen=True)
class Gold:
    """What is right in a document.

    Args:
        names: for each span, or span and type, what it is compared by: the first mention of its entity.
        entities: of all mentions, each once.
        triples: of all relations, each once.
        none_pairs: pairs that are known to have no relation, in documents that are not exhaustive.
    """

    names: dict[Key, Key]
    entities: set[Key]
    triples: set[Triple]
    none_pairs: set[tuple[Key, Key]]

    @classmethod
    def of(cls, document: Document, match: Match) -> Gold:
        """Of a document, by its spans and types or by its spans alone."""
        _, mentions = document.to_text()
        keys = [_key((one["start"], one["end"]), one["label"], match) for one in mentions]
        names: dict[Key, Key] = {}
        for entity in document.entities:
            for mention in entity:
                names.setdefault(keys[mention], (keys[entity[0]][0], keys[mention][1]))
        triples = {(names[keys[r.head]], r.relation_type, names[keys[r.tail]]) for r in document.relations}
        none_pairs = {(names[keys[head]], names[keys[tail]]) for head, tail in document.none_pairs}
        return cls(names, set(keys), triples, none_pairs)


def _key(span: Span, label: str | None, match: Match) -> Key:
    return span, label if match == "strict" else None


def count_entity_types(documents: Iterable[Document]) -> dict[str, int]:
    """How many mentions of each type there are, the most frequent first."""
    counts: dict[str, int] = {}
    for document in documents:
        for mention in document.mentions:
            if mention.label is not None:
                counts[mention.label] = counts.get(mention.label, 0) + 1
    return dict(sorted(counts.items(), key=lambda item: -item[1]))


def evaluate_joint(
    extract: RelationExtractor | RelationExtractionPipeline,
    documents: Sequence[Document],
    relation_types: Sequence[str] | None = None,
    entity_types: Sequence[str] | None = None,
    *,
    source: EntitySource = "found",
    threshold: float | Mapping[str, float] | None = None,
    entity_threshold: float | None = None,
    group_size: int | None = None,
    batch_size: int = 8,
    only_entities: bool = False,
    keep_cells: bool = False,
    **options: Any,
) -> JointEvaluation:
    """Reads texts alone, in windows where they are long, and compares what is found with the annotation.

    Args:
        extract: of a model that finds entities.
        documents: annotated texts.
        relation_types, entity_types: what is asked for; by default all that occur in `documents`, the most frequent
            first.
        source: `"prompted"` asks each text for the types of its own gold entities, which tells the model more than it
            could know.
        threshold: from which a relation counts as predicted, as of [`evaluate_extraction`].
        entity_threshold: above which a span is an entity; by default the model's own.
        group_size: how many relation types are asked for at once.
        batch_size: windows read at once.
        only_entities: scores no relations; they are read next to each text all the same.
        keep_cells: keeps the strict cells of every text, for reports: 5 bytes each.
        options: as [`RelationExtractor.__call__`] takes them, such as `overlap`, `multi_label` or
            `adjacency_threshold`.

    Raises:
        ValueError: when there is no document, no relation type or no entity type to ask for, or the model does not
            find entities.
    """
    in_gold, of_entities = count_relation_types(documents), count_entity_types(documents)
    types = list(in_gold if relation_types is None else relation_types)
    labels = list(of_entities if entity_types is None else entity_types)
    if not documents or not types or not labels:
        raise ValueError(
            f"There is nothing to evaluate on: got {len(documents)} documents with relations of {len(in_gold)} types "
            f"and entities of {len(of_entities)}. Give annotated documents, and types that occur in them."
        )
    config = extract.model.config
    least = float(config.entity_threshold if entity_threshold is None else entity_threshold)
    result = JointEvaluation(
        source,
        labels,
        types,
        least,
        {match: make_counts(extract, types, threshold) for match in ("strict", "boundaries")},
        {"strict": ThresholdCounts(len(labels), 0.0), "boundaries": ThresholdCounts(1, 0.0)},
        len(documents),
    )
    result.num_unasked_relations = sum(count for name, count in in_gold.items() if name not in types)
    asked = _nothing_between(types, labels) if only_entities else types
    items = (
        {"text": document.to_text()[0], "entity_types": _own_types(document, labels) if source == "prompted" else None}
        for document in documents
    )
    found = extract(
        items,
        relation_types=asked,
        entity_types=labels,
        entity_threshold=least,
        truncation="window",
        return_scores=True,
        group_size=group_size or "auto",
        batch_size=batch_size,
        **options,
    )
    shown = tqdm(found, unit=" texts", leave=False, disable=None)
    for position, (document, scores) in enumerate(zip(documents, shown, strict=True)):
        for counts in result.triples.values():
            counts.begin(position)
        _count(result, document, scores, keep_cells)
    return result


def _own_types(document: Document, labels: Sequence[str]) -> list[str]:
    own = {mention.label for mention in document.mentions}
    return [label for label in labels if label in own]


def _nothing_between(types: Sequence[str], labels: Sequence[str]) -> dict[str, dict[str, object]]:
    """Relation types that are read but admit no pair: entities depend on what is asked for next to them."""
    nobody = max([*labels, ""], key=len) + "."
    return {name: {"head": [nobody]} for name in types}


def fit_thresholds(
    extract: RelationExtractor | RelationExtractionPipeline, documents: Sequence[Document], **asked: Any
) -> Thresholds:
    """The threshold of entities with the best strict micro F1 of entities, and next to it that of relations.

    Args:
        extract, documents: as of [`evaluate_joint`].
        asked: its other arguments, without the thresholds.

    Raises:
        ValueError: when nothing that is found is right at any threshold.
    """
    entities = evaluate_joint(extract, documents, entity_threshold=0.0, only_entities=True, **asked)
    of_entities = entities.entities["strict"].best("micro")
    if of_entities is None:
        raise ValueError(
            f"No threshold of entities can be fitted: no span that is found in the {len(documents)} documents is an "
            "entity of its type. Give others, or the threshold."
        )
    result = evaluate_joint(extract, documents, entity_threshold=of_entities.threshold, **asked)
    of_relations = result.triples["strict"].best("micro")
    if of_relations is None:
        raise ValueError(
            f"No threshold of relations can be fitted: between the entities that are found in the {len(documents)} "
            "documents, no relation that is asked for holds. Give others, or the threshold."
        )
    return Thresholds(of_entities, of_relations)


def _count(result: JointEvaluation, document: Document, scores: RelationScores, keep_cells: bool) -> None:
    """Counts the entities and triples of a document."""
    result.num_found += len(scores.entities)
    result.num_left_out += scores.num_left_out
    golds = {match: Gold.of(document, match) for match in result.triples}
    labels = [label for _, label in golds["strict"].entities]
    result.num_untyped_entities += labels.count(None)
    result.num_unasked_entities += sum(label is not None and label not in result.entity_types for label in labels)
    asked = {key for key in golds["strict"].entities if key[1] in result.entity_types}
    untyped = {key for key in golds["strict"].entities if key[1] is None}
    for match, gold in golds.items():
        _count_entities(result, asked if match == "strict" else asked | untyped, scores.entities, match)
        cells = _count_triples(result, document, gold, scores, match)
        if keep_cells and match == "strict":
            result.documents.append(_scored(document, scores, cells, len(result.documents)))


def _count_entities(result: JointEvaluation, asked: set[Key], entities: Sequence[Entity], match: Match) -> None:
    """Each entity that was found is a cell, for each of its types where types count.

    `asked` are the gold entities of types that were asked for, and with boundaries alone those without a type.
    """
    number = {label: place for place, label in enumerate(result.entity_types)} if match == "strict" else {}
    gold = {_key(span, label, match) for span, label in asked}
    found = {_key((one.start, one.end), label, match): score for one in entities for label, score in one.scores[::-1]}
    counts = result.entities[match]
    values = list(found.values())
    is_gold = [int(key in gold) for key in found]
    types = [number.get(str(label), 0) for _, label in found]
    counts.add(torch.tensor(values), torch.tensor(is_gold, dtype=torch.long), torch.tensor(types, dtype=torch.long))
    for _, label in gold - found.keys():
        counts.add_unscored(number.get(str(label), 0))


def _keys_of(entity: Entity, gold: Gold, match: Match) -> Iterator[Key]:
    """What an entity is compared by; for each of its types where types count."""
    span = entity.start, entity.end
    labels: Iterable[str | None] = [label for label, _ in entity.scores] if match == "strict" else [None]
    for label in labels:
        yield gold.names.get((span, label), (span, label))


class _Cells(NamedTuple):
    """What was decided about the triples of a document."""

    ends: list[tuple[Key, Key]]
    probabilities: np.ndarray
    labels: torch.Tensor
    missed: tuple[int, ...]


def _count_triples(
    result: JointEvaluation, document: Document, gold: Gold, scores: RelationScores, match: Match
) -> _Cells:
    """Each pair of entities with a relation type is a cell: the best score where entities have several mentions."""
    keys = [list(_keys_of(entity, gold, match)) for entity in scores.entities]
    rows: dict[tuple[Key, Key], list[int]] = {}
    for row, (head, tail) in enumerate(scores.pair_index.tolist()):
        for ends in ((one, other) for one in keys[head] for other in keys[tail]):
            if scores.self_pairs or ends[0] != ends[1]:
                rows.setdefault(ends, []).append(row)
    if not document.exhaustive:
        stated = gold.none_pairs.union((head, tail) for head, _, tail in gold.triples)
        known = {ends: of_ends for ends, of_ends in rows.items() if ends in stated}
        result.num_unknown_pairs += (len(rows) - len(known)) * (match == "strict")
        rows = known
    counts, number = result.triples[match], {name: place for place, name in enumerate(result.relation_types)}
    best = np.array([scores.scores[of_ends].max(0) for of_ends in rows.values()], dtype=np.float32)
    best = best.reshape(len(rows), len(result.relation_types))
    place = {ends: position for position, ends in enumerate(rows)}
    labels, missed = torch.zeros(best.shape, dtype=torch.long), []
    for head, name, tail in gold.triples:
        if name not in number:
            continue
        if (head, tail) in place:
            labels[place[head, tail], number[name]] = 1
        else:
            missed.append(number[name])
            counts.add_unscored(number[name])
    counts.add(torch.from_numpy(best), labels, torch.arange(len(number)))
    return _Cells(list(rows), best, labels, tuple(sorted(missed)))


def _scored(document: Document, scores: RelationScores, cells: _Cells, position: int) -> ScoredDocument:
    """The cells of a document with their entities: for each span and type that it is compared by, one."""
    keys = list(dict.fromkeys(key for ends in cells.ends for key in ends))
    number = {key: place for place, key in enumerate(keys)}
    entities = [
        Entity(start, end, scores.text[start:end], label, place) for place, ((start, end), label) in enumerate(keys)
    ]
    pair_index = np.array([(number[head], number[tail]) for head, tail in cells.ends], dtype=np.int64).reshape(-1, 2)
    labels = cells.labels.numpy().astype(np.int8)
    return ScoredDocument(
        document, scores.text, entities, pair_index, cells.probabilities, labels, cells.missed, position
    )


__all__ = ["JointEvaluation", "Thresholds", "count_entity_types", "evaluate_joint", "fit_thresholds"]
