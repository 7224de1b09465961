"""GLiDRE's format of training files, one JSON array or an object a line. Its ends are INCLUSIVE, in words.

    {"id": 3, "tokenized_text": ["Marie", "Curie", "was", "born", "in", "Warsaw", "."],
     "mentions": [{"id": 0, "type": "PER", "mentions": [{"value": "Marie Curie", "start": 0, "end": 1}]},
                  {"id": 1, "type": "LOC", "mentions": [{"value": "Warsaw", "start": 5, "end": 5}]}],
     "relations": [[0, "place of birth", 1]]}

`mentions` are the entities, each with all its mentions. Relations are `[head, name, tail]`, head and tail the `id` of
entities, any whole numbers; here they are their first mentions. Without `relations` nothing is known about pairs.
Other fields, such as `negatives`, are left alone: what is no relation of a text is drawn in training.
"""

from __future__ import annotations

from glirel_transformers.data.fields import is_whole
from glirel_transformers.data.schema import Document
from glirel_transformers.mentions_glirel import shortened

from .format import Format, Reading, Record
from .parts import Parts, inclusive, label_of, list_of, text_of, whole


def matches(record: Record) -> bool:
    """Whether a record has its words as `tokenized_text` and its entities as `mentions`."""
    return "tokenized_text" in record and "mentions" in record and "ner" not in record


def read(record: Record, reading: Reading) -> Document:
    """The document of a record.

    A mention that is listed twice for one entity becomes one; a relation that is listed twice becomes one. Where an
    entity relates to itself, the document has `self_pairs`. A type that is empty becomes `None`.

    Raises:
        TypeError, ValueError: when an entity or a relation does not fit.
    """
    parts = Parts(list_of(record["tokenized_text"], str, "tokenized_text"), reading)
    first_of: dict[int, int] = {}  # of the id of each entity, its first mention
    for index, entity in enumerate(list_of(record["mentions"], dict, "mentions")):
        where = f"mentions[{index}]"
        number = whole(entity["id"], f"{where}.id")
        if number in first_of:
            raise ValueError(f"`{where}.id` is {number}, as that of an entity before. Each has its own.")
        first_of[number] = _read_entity(entity, index, parts, reading)
    relations = record.get("relations")
    for index, given in enumerate(list_of(relations or [], list, "relations")):
        head, name, tail = _read_relation(given, f"relations[{index}]", first_of)
        parts.relation(first_of[head], first_of[tail], name)
    return parts.document(
        exhaustive=relations is not None,
        extra={"id": record["id"]} if record.get("id") is not None else {},
    )


def _read_entity(entity: Record, number: int, parts: Parts, reading: Reading) -> int:
    """Adds the mentions of an entity, and returns the position of its first one."""
    where = f"mentions[{number}]"
    label = label_of(entity.get("type"), f"{where}.type")
    listed = list_of(entity["mentions"], dict, f"{where}.mentions")
    if not listed:
        raise ValueError(f"`{where}` has no mentions. Give the entity at least one, or leave it out.")
    found: dict[int, None] = {}
    for index, given in enumerate(listed):
        place = f"{where}.mentions[{index}]"
        span = inclusive(given["start"], given["end"], place)
        position = parts.mention(span, label, number, given.get("value"), place)
        reading.twice["mentions"] += position in found
        found[position] = None
    return next(iter(found))


def _read_relation(given: list[object], where: str, ids: dict[int, int]) -> tuple[int, str, int]:
    if len(given) != 3 or not (is_whole(given[0]) and is_whole(given[2])):
        raise TypeError(
            f"`{where}` must be a list of head, name and tail, where head and tail are the `id` of entities: got "
            f"{shortened(given)}."
        )
    head, name, tail = given[0], text_of(given[1], f"{where}[1]"), given[2]
    for side, number in (("head", head), ("tail", tail)):
        if number not in ids:
            raise ValueError(
                f"The {side} of `{where}` is {number}, which is the `id` of no entity: {shortened([*ids])}."
            )
    return head, name, tail


GLIDRE = Format(
    "glidre",
    "'tokenized_text', and 'mentions' of entities",
    matches,
    read,
    in_arrays=True,
    states="pairs without a relation are taken to have none; the data may miss some: --not-exhaustive",
)
