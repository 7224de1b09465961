"""What `glirel extract` reads and writes: a text, and entities by half-open character spans.

    {"text": "Marie Curie was born in Warsaw.",
     "entities": [{"start": 0, "end": 11, "label": "PERSON"}, {"start": 24, "end": 30, "label": "CITY"}],
     "relations": [{"head": 0, "relation": "place of birth", "tail": 1}]}

Entities are read in any form that `glirel extract` reads. The head and the tail of a relation are positions in
`entities`, or entities as they are written there, by name (`"Marie Curie"`) where one entity alone has it, or as
`glirel extract` writes them. `exhaustive`, `source`, `history`, `self_pairs`, `title`, `sentences` (here in
characters), `entities_exhaustive`, `none_pairs` (here of positions in `entities`) and `annotated_entity_types` are
those of a [`Document`]; other fields are its `extra`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from glirel_transformers.data.alignment import find_words
from glirel_transformers.data.fields import check_own_fields, check_types, score_of
from glirel_transformers.data.schema import Document, Relation
from glirel_transformers.data.sentences import check_sentences
from glirel_transformers.mentions_glirel import Entity, list_entities, read_entities, shortened
from glirel_transformers.text_glirel import Span

from .doccano import matches as is_of_doccano
from .format import Format, Reading, Record

_OPTIONAL = (
    *("exhaustive", "source", "history", "self_pairs"),
    *("title", "sentences", "entities_exhaustive", "none_pairs"),
    *("annotated_entity_types", "annotated_relation_types"),
)
_KNOWN = ("text", "entities", "relations", *_OPTIONAL)
_IN_WORDS = ("words", "mentions")  # which `glirel extract` carries along, and writes the same in characters
_NAMES = ("relation", "relation_type")


def matches(record: Record) -> bool:
    """Whether a record has a text and entities in it, which are not doccano's."""
    return "text" in record and record.get("entities") is not None and not is_of_doccano(record)


def read(record: Record, reading: Reading) -> Document:
    """The document of a record.

    Raises:
        TypeError, ValueError: when a field is missing, misspelt or does not fit.
    """
    check_own_fields("document", record, required=("text", "entities", "relations"), allowed=_KNOWN)
    check_types("", {name: record.get(name) for name in ("text", "relations", *_OPTIONAL)})
    listed: list[Any] = list_entities(record["entities"])
    for index, one in enumerate(listed):
        if isinstance(one, Mapping) and isinstance(one.get("entity"), int):
            raise ValueError(
                f"`entities[{index}]` has 'entity': {one['entity']}, as mentions have in the format by words. By "
                "characters, an entity has all its mentions: {'mentions': [[0, 11], [30, 33]], 'label': 'PERSON'}."
            )
    entities = read_entities(listed, record["text"])
    relations: dict[Relation, None] = {}
    for index, given in enumerate(record["relations"]):
        relation = _read_relation(given, listed, entities, f"relations[{index}]")
        reading.twice["relations"] += relation in relations
        relations[relation] = None
    given = {name: record[name] for name in _OPTIONAL if record.get(name) is not None}
    if given.get("sentences") and record.get("words") is not None:
        given["sentences"] = _in_characters(given["sentences"], record["words"], record["text"])
    extra = {name: value for name, value in record.items() if name not in (*_KNOWN, *_IN_WORDS)}
    return Document.from_text(record["text"], listed, list(relations), **given, extra=extra)


def _in_characters(sentences: list[list[int]], words: list[str], text: str) -> list[Span]:
    """Character spans of sentences that are given in words, as those of a document that `glirel extract` read."""
    spans = find_words(words, text)
    check_sentences([(start, end) for start, end in sentences], len(words))
    return [(spans[start][0], spans[end - 1][1]) if start < end else (0, 0) for start, end in sentences]


def _read_relation(given: object, listed: list[Any], entities: list[Entity], where: str) -> Relation:
    name = next((given[key] for key in _NAMES if key in given), None) if isinstance(given, Mapping) else None
    if not isinstance(given, Mapping) or not isinstance(name, str) or not {"head", "tail"} <= set(given):
        raise TypeError(
            f"`{where}` must be an object with 'head', 'relation' and 'tail', where head and tail are positions in "
            f"`entities`: got {shortened(given)}."
        )
    head, tail = (_position(given[side], listed, entities, f"{where}.{side}") for side in ("head", "tail"))
    relation_id = given.get("relation_id")
    check_types(f"{where}.", {"relation_id": relation_id})
    return Relation(head, tail, name, relation_id, score=score_of(given))


def _position(given: object, listed: list[Any], entities: list[Entity], where: str) -> int:
    """The position of a head or tail: given as such, or as an entity is written, with its span or by its name."""
    position = given.get("index") if isinstance(given, Mapping) else given
    if isinstance(position, int) and not isinstance(position, bool):
        found = [position] if 0 <= position < len(entities) and _agrees(given, entities[position]) else []
    else:
        found = [at for at, written in enumerate(listed) if _is_same(given, written)]
        if not found and isinstance(given, Mapping) and "start" in given:
            found = [entity.index for entity in entities if _agrees(given, entity)][:1]
        name = given.get("text") if isinstance(given, Mapping) and "start" not in given else given
        if not found and isinstance(name, str):
            found = [entity.index for entity in entities if name in [mention.text for mention in entity.mentions]]
    if len(found) == 1:
        return found[0]
    if found:
        raise ValueError(
            f"`{where}` is {shortened(given)}, which is said of the entities {found}. Give the position of one in "
            "`entities`."
        )
    raise ValueError(f"`{where}` is {shortened(given)}, which is not one of the {len(entities)} `entities`.")


def _is_same(given: object, written: object) -> bool:
    """Whether an entity is written in the same way; a list of JSON may have become a tuple."""
    if isinstance(written, (list, tuple)):
        return isinstance(given, (list, tuple)) and list(given) == list(written)
    return given == written


def _agrees(given: object, entity: Entity) -> bool:
    """Whether what is said of a head or tail is said of an entity as well."""
    return not isinstance(given, Mapping) or all(
        given.get(field, known) == known for field, known in (("start", entity.start), ("end", entity.end))
    )


TEXT = Format("text", "'text' and 'entities'", matches, read)
