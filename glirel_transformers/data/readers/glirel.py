"""The original GLiREL's format, one JSON object a line. Its ends are INCLUSIVE.

    {"tokenized_text": [...], "ner": [[start, last, type, text], ...],
     "relations": [{"head": {"mention", "position": [start, last], "type"}, "tail": {...},
                    "relation_id", "relation_text"}],
     "source", "dataset", "blocked_relations"}

`exhaustive`, whether a pair without a relation is known to have none, is read where it is there. Documents may carry
`doc`, their title, `clusters`, the positions in `ner` of each entity's mentions, and
`entity_relations` `[head entity, tail entity, relation id]`, one for each of `relations`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from glirel_transformers.data.fields import check_types
from glirel_transformers.data.schema import Document, Mention, Relation
from glirel_transformers.mentions_glirel import shortened
from glirel_transformers.text_glirel import Span

from .format import Format, Reading, Record
from .glidre import matches as is_of_glidre
from .gliner import matches as is_of_gliner
from .names import named

Place: TypeAlias = "tuple[int, int, int | None]"  # first word, last word, and number of the entity where it is known


def matches(record: Record) -> bool:
    """Whether a record has its words as `tokenized_text`, and is in the format of neither GLiNER nor GLiDRE."""
    return "tokenized_text" in record and not is_of_gliner(record) and not is_of_glidre(record)


def read(record: Record, reading: Reading) -> Document:
    """The document of a record.

    A span that is listed twice for the same entity becomes one mention, a relation that is listed twice one relation.
    It is not exhaustive where it says so, or where `blocked_relations` is not 0, as relations were removed. A type
    that is empty becomes `None`.

    Raises:
        ValueError: when the head or the tail of a relation is not among the mentions, or a span does not fit.
    """
    check_types("", {name: record.get(name) for name in ("tokenized_text", "ner", "relations", "exhaustive")})
    mentions = _read_mentions(record, reading)
    position_of = {place: position for position, place in enumerate(mentions)}
    for position, (start, last, _) in enumerate(mentions):
        position_of.setdefault((start, last, None), position)  # the first one at that place, of any entity
    relations: dict[Relation, None] = {}
    for index, (fields, entities) in enumerate(zip(record["relations"], _entities(record), strict=True)):
        ends: list[int] = []
        for side, entity in zip(("head", "tail"), entities[:2], strict=True):
            start, last = _position(fields, side, index)
            found = position_of.get((start, last, entity), position_of.get((start, last, None)))
            if found is None:
                raise ValueError(
                    f"The {side} of `relations[{index}]` is at {[start, last]} (inclusive), which is none of the "
                    f"mentions: {[list(entry[:2]) for entry in record['ner']]}. Add it to `ner`."
                )
            ends.append(found)
        relation = Relation(ends[0], ends[1], fields["relation_text"], fields.get("relation_id") or None)
        reading.twice["relations"] += relation in relations
        relations[relation] = None
    return Document(
        words=record["tokenized_text"],
        mentions=list(mentions.values()),
        relations=list(relations),
        exhaustive=record.get("exhaustive") is not False and not record.get("blocked_relations"),
        source=record.get("dataset") or record.get("source"),
        title=record.get("doc") if isinstance(record.get("doc"), str) else None,
    )


def _read_mentions(record: Record, reading: Reading) -> dict[Place, Mention]:
    """Each mention, by its place."""
    entity_of = _entity_of(record)
    mentions: dict[Place, Mention] = {}
    names: dict[Place, list[object]] = {}
    for index, entry in enumerate(record["ner"]):
        if not isinstance(entry, list) or len(entry) < 3 or not all(isinstance(word, int) for word in entry[:2]):
            raise TypeError(
                f"`ner[{index}]` must be a list of first word, last word and type: got {shortened(entry)}."
            )
        start, last, label, *name = entry
        place = (start, last, entity_of.get(index))
        reading.twice["mentions"] += place in mentions
        mentions.setdefault(place, Mention(start, last + 1, label or None, place[2]))
        names.setdefault(place, []).extend(name[:1])
    return {place: named(mention, names[place], record["tokenized_text"]) for place, mention in mentions.items()}


def _entity_of(record: Record) -> dict[int, int]:
    """The entity of each mention, by its position in `ner`."""
    entity_of: dict[int, int] = {}
    for entity, cluster in enumerate(record.get("clusters") or ()):
        for position in cluster:
            if not 0 <= position < len(record["ner"]) or entity_of.setdefault(position, entity) != entity:
                raise ValueError(
                    f"`clusters[{entity}]` has {position}, which is not a mention, or one of another entity: there "
                    f"are {len(record['ner'])} in `ner`, and each is of one entity."
                )
    return entity_of


def _position(relation: object, side: str, index: int) -> Span:
    """The first and the last word of the head or tail of a relation."""
    end = relation.get(side) if isinstance(relation, Mapping) else None
    position = end.get("position") if isinstance(end, Mapping) else None
    if not isinstance(position, list) or len(position) != 2:
        raise TypeError(
            f"The {side} of `relations[{index}]` must be an object with `position`, its first and its last word: got "
            f"{shortened(relation)}."
        )
    return position[0], position[1]


def _entities(record: Record) -> Sequence[Sequence[int | None]]:
    """The entities at the head and the tail of each relation; `None` where they are not known."""
    entities: Sequence[Sequence[int | None]] = record.get("entity_relations") or [(None, None)] * len(
        record["relations"]
    )
    return entities


GLIREL = Format("glirel", "'tokenized_text' and 'ner'", matches, read)
