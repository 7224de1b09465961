"""GLiNER's format of training files, an object a line or one array of them. Its ends are INCLUSIVE.

    {"tokenized_text": ["Marie", "Curie", "was", "born", "in", "Warsaw"],
     "ner": [[0, 1, "person"], [5, 5, "city"]],
     "relations": [[0, 1, "place of birth"]]}

Relations are `[head, tail, type]`, head and tail positions in `ner`; without `relations` nothing is known about pairs.
Other fields, such as `ner_negatives`, are left alone: what is no entity of a text is drawn in training.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias, TypeGuard

from glirel_transformers.data.fields import check_types
from glirel_transformers.data.schema import Document, Mention, Relation
from glirel_transformers.mentions_glirel import shortened

from .format import Format, Reading, Record

_OF_GLIREL = ("clusters", "entity_relations", "blocked_relations")
Labelled: TypeAlias = "tuple[int, int, str | None]"  # first word, last word, type


def matches(record: Record) -> bool:
    """Whether its relations are lists, or there are none and nothing else says that it is in GLiREL's format."""
    if "tokenized_text" not in record or "ner" not in record or any(name in record for name in _OF_GLIREL):
        return False
    relations, entities = record.get("relations"), record["ner"]
    if relations:
        return isinstance(relations, list) and not all(isinstance(relation, Mapping) for relation in relations)
    return not isinstance(entities, list) or all(not isinstance(one, list) or len(one) < 4 for one in entities)


def read(record: Record, reading: Reading) -> Document:
    """The document of a record.

    What is listed twice is read once; words that are entities of several types are a mention for each. A type that is
    empty becomes `None`.

    Raises:
        TypeError, ValueError: when an entity or a relation is not such a list, or is out of range.
    """
    check_types("", {name: record.get(name) for name in ("tokenized_text", "ner", "relations")})
    words, listed = record["tokenized_text"], record["ner"] or []
    entities = [_read_entity(given, index, len(words)) for index, given in enumerate(listed)]
    position_of = {entity: position for position, entity in enumerate(dict.fromkeys(entities))}
    reading.twice["mentions"] += len(entities) - len(position_of)
    relations: dict[Relation, None] = {}
    for index, given in enumerate(record.get("relations") or ()):
        head, tail, name = _read_relation(given, index, len(entities))
        relation = Relation(position_of[entities[head]], position_of[entities[tail]], name)
        reading.twice["relations"] += relation in relations
        relations[relation] = None
    source = record.get("dataset") or record.get("source")
    return Document(
        words=words,
        mentions=[Mention(start, last + 1, name) for start, last, name in position_of],
        relations=list(relations),
        exhaustive=record.get("relations") is not None,
        source=source if isinstance(source, str) else None,
        entities_exhaustive=True,
    )


def _read_entity(given: object, index: int, num_words: int) -> Labelled:
    if not _is_triple(given):
        raise TypeError(f"`ner[{index}]` must be a list of first word, last word and type: got {shortened(given)}.")
    start, last, name = given
    if not 0 <= start <= last < num_words:
        raise ValueError(
            f"`ner[{index}]` is {shortened(given)} in a text of {num_words} words. Its ends are inclusive: 0 ≤ first "
            "word ≤ last word < number of words."
        )
    return start, last, name or None


def _read_relation(given: object, index: int, num_entities: int) -> tuple[int, int, str]:
    if not _is_triple(given) or not given[2].strip():
        raise TypeError(
            f"`relations[{index}]` must be a list of head, tail and type, where head and tail are positions in `ner`: "
            f"got {shortened(given)}."
        )
    for side, position in zip(("head", "tail"), given[:2], strict=True):
        if not 0 <= position < num_entities:
            raise ValueError(
                f"The {side} of `relations[{index}]` is {position}, but `ner` has {num_entities} entities. Heads and "
                "tails are positions in `ner`, counted from 0, and not words."
            )
    return given[0], given[1], given[2]


def _is_triple(given: object) -> TypeGuard[Sequence[Any]]:
    """Whether something is two whole numbers and a string."""
    if not isinstance(given, (list, tuple)) or len(given) != 3:
        return False
    return all(isinstance(n, int) and not isinstance(n, bool) for n in given[:2]) and isinstance(given[2], str)


GLINER = Format("gliner", "'tokenized_text', 'ner' and relations as lists", matches, read, in_arrays=True)
