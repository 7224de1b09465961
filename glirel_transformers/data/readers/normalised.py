"""The normalised format: what the original GLiREL trains on, one JSON object a line. Its ends are INCLUSIVE.

    {"tokenized_text": [...], "ner": [[start, last, type, text], ...],
     "relations": [{"head": {"mention", "position": [start, last], "type"}, "tail": {...},
                    "relation_id", "relation_text"}],
     "source", "dataset", "blocked_relations"}

Documents may carry `clusters`, the positions in `ner` of each entity's mentions, and `entity_relations`
`[head entity, tail entity, relation id]`, one for each of `relations`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from glirel_transformers.data.schema import Document, Mention, Relation


def document_from_normalised(record: Mapping[str, Any], merged: Counter[str] | None = None) -> Document:
    """Turns a record of the normalised format into a [`Document`].

    A span that is listed twice for the same entity becomes one mention, a relation that is listed twice one relation;
    `merged` counts both. Where `blocked_relations` is not 0, relations of the text were removed, and the document is
    not exhaustive. An empty type becomes `None`.

    Raises:
        ValueError: when the head or the tail of a relation is none of the mentions, or a span does not fit.
    """
    merged = Counter() if merged is None else merged
    entity_of = {
        position: entity for entity, cluster in enumerate(record.get("clusters") or ()) for position in cluster
    }
    mentions: list[Mention] = []
    position_of: dict[tuple[int, int, int | None], int] = {}  # by span and entity
    position_of_span: dict[tuple[int, int], int] = {}
    for index, (start, last, label, *_) in enumerate(record["ner"]):
        key = (start, last + 1, entity_of.get(index))
        if key in position_of:
            merged["mentions"] += 1
            continue
        if label is not None and not isinstance(label, str):
            raise TypeError(f"The type of `ner[{index}]` must be a string: got {label!r}.")
        position_of[key] = len(mentions)
        position_of_span.setdefault(key[:2], len(mentions))
        mentions.append(Mention(start, last + 1, label or None, key[2]))

    relations: dict[Relation, None] = {}
    entity_relations = record.get("entity_relations") or [(None, None)] * len(record["relations"])
    for index, (fields, entities) in enumerate(zip(record["relations"], entity_relations, strict=True)):
        ends: list[int] = []
        for side, entity in zip(("head", "tail"), entities, strict=False):
            start, last = fields[side]["position"]
            position = position_of.get((start, last + 1, entity), position_of_span.get((start, last + 1)))
            if position is None:
                raise ValueError(
                    f"The {side} of `relations[{index}]` is at {[start, last]} (inclusive), which is none of the "
                    f"mentions: {[list(entry[:2]) for entry in record['ner']]}. Add it to `ner`."
                )
            ends.append(position)
        head, tail = ends
        relation = Relation(head, tail, fields["relation_text"], fields.get("relation_id") or None)
        merged["relations"] += relation in relations
        relations[relation] = None
    return Document(
        words=record["tokenized_text"],
        mentions=mentions,
        relations=list(relations),
        exhaustive=not record.get("blocked_relations"),
        source=record.get("dataset") or record.get("source"),
    )
