"""doccano's export, one JSON object a line.

    {"id": 7, "text": "Marie Curie was born in Warsaw.",
     "entities": [{"id": 1, "label": "PERSON", "start_offset": 0, "end_offset": 11},
                  {"id": 2, "label": "CITY", "start_offset": 24, "end_offset": 30}],
     "relations": [{"id": 9, "from_id": 1, "to_id": 2, "type": "place of birth"}], "Comments": []}

Older exports have the text as `data`, entities and relations within `label`, or entities alone as lists, under `label`
or `labels`: `[[0, 11, "PERSON"]]`. Those without relations say nothing about pairs. Other fields are carried.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from typing import Any

from glirel_transformers.data.fields import check_types
from glirel_transformers.data.schema import Document
from glirel_transformers.mentions_glirel import shortened

from .format import Format, Reading, Record
from .marked import Annotated, Drawn, Marked, document_fields, document_of

_OLD = ("label", "labels")
_READ = ("text", "data", "entities", "relations", *_OLD)


def matches(record: Record) -> bool:
    """Whether its entities have `start_offset`, or are lists with a label, or its relations have `from_id`."""
    if not isinstance(record.get("text", record.get("data")), str):
        return False
    if any(_is_labelled(record.get(name)) for name in _OLD):
        return True
    entities, relations = record.get("entities"), record.get("relations")
    is_new = isinstance(entities, list) and all(map(_has_offsets, entities))
    if entities:
        return is_new and relations is not None
    return is_new and isinstance(relations, list) and "Comments" in record


def read(record: Record, reading: Reading) -> Document:
    """The document of a record.

    Raises:
        TypeError, ValueError: when an entity or a relation does not fit.
    """
    old = next((record[name] for name in _OLD if name in record), None)
    inner: Record = old if isinstance(old, Mapping) else record if old is None else {"entities": old}
    entities = inner.get("entities") or []
    spans: dict[Hashable, Marked] = {}
    for index, given in enumerate(entities):
        key, marked = _entity(given, index)
        if key in spans:
            raise ValueError(f"`entities[{index}].id` is {key!r}, which another entity has. Give each its own.")
        spans[key] = marked
    relations = inner.get("relations")
    fields = document_fields({name: value for name, value in record.items() if name not in _READ and value != []})
    exhaustive = fields.pop("exhaustive", relations is not None)
    fields.setdefault("entities_exhaustive", None if relations is not None else True)
    text = record["data"] if "data" in record and "text" not in record else record["text"]
    drawn = _relations(relations or [])
    return document_of(Annotated(text, spans, drawn, exhaustive, fields), reading)


def _entity(given: object, index: int) -> tuple[Hashable, Marked]:
    where = f"entities[{index}]"
    if isinstance(given, list) and len(given) == 3:
        start, end, label = given
        return index, Marked(start, end, (label,), where)
    if not isinstance(given, Mapping) or not _has_offsets(given):
        raise TypeError(
            f"`{where}` must have 'id', 'label', 'start_offset' and 'end_offset', or be a list of start, end and "
            f"label: got {shortened(given)}."
        )
    label = given.get("label")
    check_types(f"{where}.", {"label": label})
    labels = (label,) if label else ()
    return given.get("id", index), Marked(given["start_offset"], given["end_offset"], labels, where)


def _relations(relations: list[Any]) -> Iterator[Drawn]:
    for index, given in enumerate(relations):
        where = f"relations[{index}]"
        if not isinstance(given, Mapping) or not {"from_id", "to_id"} <= set(given):
            raise TypeError(f"`{where}` must have 'from_id', 'to_id' and 'type': got {shortened(given)}.")
        name = given.get("type")
        check_types(f"{where}.", {"relation_type": name})
        yield Drawn(given["from_id"], given["to_id"], name or "", where)


def _is_labelled(value: object) -> bool:
    """Whether it is a list of start, end and label, or an object with entities: as older versions export them."""
    if isinstance(value, Mapping):
        return isinstance(value.get("entities"), list)
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(one, list) and len(one) == 3 and isinstance(one[2], str) for one in value)
    )


def _has_offsets(entity: object) -> bool:
    return isinstance(entity, Mapping) and {"start_offset", "end_offset"} <= set(entity)


DOCCANO = Format(
    "doccano",
    "'text', and 'entities' with 'start_offset'",
    matches,
    read,
    in_arrays=True,
    states="pairs without a relation are read as having none, and as unknown where there are no relations at all",
)
