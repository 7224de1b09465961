"""What a user may ask: texts with entities in any common form, and relation types with their settings."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from numbers import Integral, Real
from typing import cast

import numpy as np

from .mentions_glirel import Entity, Mention, check_surface, check_text, list_entities, read_entities, shortened
from .text_glirel import check_relation_types

Recognizer = Callable[[str], object]
"""Takes a text and returns its entities, in any form that [`read_entities`] reads."""

_SETTINGS = ("head", "tail", "threshold", "symmetric", "description")
_ENTITY_SETTINGS = ("threshold", "description")
_ITEM_KEYS = ("text", "entities", "relation_types", "entity_types")


class TextError(ValueError):
    """What is wrong with one text of many, or with what is asked of it.

    Args:
        message: what is wrong, without the position.
        position: of the text in the input, from 0; `None` where there is one text only.

    Attributes:
        message, position: as given. `str(error)` names the position: `Text 17: …`. The error that it was made of is
            its `__cause__`.
    """

    def __init__(self, message: str, position: int | None = None):
        super().__init__(message, position)
        self.message, self.position = message, position

    def __str__(self) -> str:
        return self.message if self.position is None else f"Text {self.position}: {self.message}"


class TextTypeError(TextError, TypeError):
    """A [`TextError`] about a value of the wrong type, for those who catch `TypeError`."""


def text_error(error: Exception, position: int | None) -> TextError:
    """A [`TextError`] made of any other error."""
    if isinstance(error, TextError):
        error.position = position
        return error
    kind = TextTypeError if isinstance(error, TypeError) else TextError
    wrapped = kind(str(error), position)
    wrapped.__cause__ = error
    return wrapped


@dataclass(frozen=True)
class RelationType:
    """A relation type that is asked for.

    Args:
        name: any words.
        head, tail: entity types that may stand on that side; `None` admits any.
        threshold: probability from which it counts as predicted; `None` leaves it to the call.
        symmetric: whether it holds in both directions alike; it is then reported once, in the direction that scores
            higher.
        asked_as: the words that the model reads in place of the name, such as a description; by default the name.
    """

    name: str
    head: frozenset[str] | None = None
    tail: frozenset[str] | None = None
    threshold: float | None = None
    symmetric: bool = False
    asked_as: str | None = None

    @property
    def is_constrained(self) -> bool:
        """Whether a side admits certain entity types only."""
        return self.head is not None or self.tail is not None

    @property
    def wording(self) -> str:
        """What the model reads."""
        return self.name if self.asked_as is None else self.asked_as


@dataclass(frozen=True)
class EntityType:
    """An entity type that is to be found.

    Args:
        name: any words.
        threshold: probability above which a span is one; `None` leaves it to the call.
        asked_as: the words that the model reads in place of the name, such as a description; by default the name.
    """

    name: str
    threshold: float | None = None
    asked_as: str | None = None

    @property
    def wording(self) -> str:
        """What the model reads."""
        return self.name if self.asked_as is None else self.asked_as


@dataclass(frozen=True)
class Request:
    """One text with all that is asked of it."""

    text: str
    entities: list[Entity]  # that are known
    relation_types: list[RelationType]
    are_found: bool = False  # the entities, by `ner`: nobody chose them
    sentences: object = None  # half-open character spans, where they are known
    entity_types: tuple[EntityType, ...] = ()  # that are to be found
    asks_for_relations: bool = True


def read_relation_types(relation_types: object) -> list[RelationType]:
    """Brings relation types to one form.

    Args:
        relation_types: a list of names, or a dictionary of names with their settings: `head` and `tail` (entity
            types that the side admits; absent means any), `threshold`, `symmetric`, `description` (what the model
            reads in place of the name). `None` stands for no settings.

    Raises:
        TypeError, ValueError: for names that are empty, repeated or not strings, and for unknown or wrong settings.
    """
    check_relation_types(list(relation_types) if isinstance(relation_types, Mapping) else relation_types)
    names = list(cast("Iterable[str]", relation_types))
    for position, name in enumerate(names):
        check_text(name, f"relation_types[{position}]")
    if not isinstance(relation_types, Mapping):
        return [RelationType(name) for name in names]
    types = [_read_settings(name, {} if settings is None else settings) for name, settings in relation_types.items()]
    _check_wordings("relation_types", [one.wording for one in types])
    return types


def read_entity_types(entity_types: object) -> tuple[EntityType, ...]:
    """Brings entity types to one form.

    Args:
        entity_types: a list of names, or a dictionary of names with their settings: `threshold`, `description` (what
            the model reads in place of the name). `None` stands for no settings.

    Raises:
        TypeError, ValueError: for names that are empty, repeated or not strings, and for unknown or wrong settings.
    """
    check_relation_types(list(entity_types) if isinstance(entity_types, Mapping) else entity_types, "entity_types")
    names = list(cast("Iterable[str]", entity_types))
    for position, name in enumerate(names):
        check_text(name, f"entity_types[{position}]")
    if not isinstance(entity_types, Mapping):
        return tuple(map(EntityType, names))
    types = []
    for name, settings in entity_types.items():
        known = _check_settings(f"entity type {name!r}", {} if settings is None else settings, _ENTITY_SETTINGS)
        types.append(EntityType(name, *_common_settings(f"entity type {name!r}", known)))
    _check_wordings("entity_types", [one.wording for one in types])
    return tuple(types)


def _check_settings(what: str, settings: object, known: tuple[str, ...]) -> Mapping[str, object]:
    if not isinstance(settings, Mapping):
        raise TypeError(f"The settings of {what} must be a dictionary: got {shortened(settings)}.")
    if unknown := sorted(set(settings) - set(known)):
        raise ValueError(f"{what[0].upper()}{what[1:]} has unknown settings {unknown}; known are {list(known)}.")
    return settings


def _common_settings(what: str, settings: Mapping[str, object]) -> tuple[float | None, str | None]:
    """The threshold and the description."""
    threshold, description = settings.get("threshold"), settings.get("description")
    if threshold is not None:
        check_probability(threshold, f"The threshold of {what}")
    if description is not None:
        if not isinstance(description, str):
            raise TypeError(f"The description of {what} must be a string: got {shortened(description)}.")
        check_text(description, f"The description of {what}")
        if not description.strip():
            raise ValueError(f"The description of {what} is empty. Write one, or leave it out.")
    return threshold, description  # type: ignore[return-value]  # they were checked


def _check_wordings(where: str, wordings: list[str]) -> None:
    """Refuses types that a model would read alike."""
    if repeated := [wording for wording in wordings if wordings.count(wording) > 1]:
        raise ValueError(f"{where}: two types are read as {shortened(repeated[0])}. Describe each in its own words.")


def _read_settings(name: str, settings: object) -> RelationType:
    what = f"relation type {name!r}"
    known = _check_settings(what, settings, _SETTINGS)
    threshold, description = _common_settings(what, known)
    symmetric = known.get("symmetric", False)
    if not isinstance(symmetric, bool):
        raise TypeError(f"`symmetric` of relation type {name!r} must be True or False: got {shortened(symmetric)}.")
    return RelationType(
        name, _read_side(name, "head", known), _read_side(name, "tail", known), threshold, symmetric, description
    )


def _read_side(name: str, side: str, settings: Mapping[str, object]) -> frozenset[str] | None:
    labels = settings.get(side)
    if labels is None:
        return None
    labels = [labels] if isinstance(labels, str) else list(labels) if isinstance(labels, Iterable) else []
    if not labels or not all(isinstance(label, str) for label in labels):
        raise ValueError(
            f"`{side}` of relation type {name!r} must list the entity types it admits: got {settings[side]!r}. Leave "
            "it out to admit any."
        )
    return frozenset(labels)


def admitted_pairs(
    relation_types: Sequence[RelationType], labels: Sequence[frozenset[str]], pair_index: np.ndarray
) -> np.ndarray:
    """Whether the types of a pair's entities fit a relation type, `(pairs, relations)`.

    Args:
        relation_types: with their constraints.
        labels: all types of each entity.
        pair_index: head and tail of each pair, as positions in `labels`, `(pairs, 2)`.
    """

    def side(admits: frozenset[str] | None) -> list[bool]:
        return [admits is None or not admits.isdisjoint(own) for own in labels]

    if not len(pair_index) or not relation_types:
        return np.zeros((len(pair_index), len(relation_types)), dtype=np.bool_)
    heads = np.array([side(relation.head) for relation in relation_types])
    tails = np.array([side(relation.tail) for relation in relation_types])
    fits: np.ndarray = (heads[:, pair_index[:, 0]] & tails[:, pair_index[:, 1]]).T
    return fits


def check_probability(value: object, what: str) -> None:
    """Raises a `ValueError` unless `value` is a number from 0 to 1."""
    if isinstance(value, bool) or not isinstance(value, Real) or not 0 <= float(value) <= 1:
        raise ValueError(f"{what} must be a number from 0 to 1: got {value!r}.")


def check_top_k(value: object) -> None:
    """Raises a `ValueError` unless `value` is a whole number of at least 1, or `None`."""
    if value is not None and not is_count(value):
        raise ValueError(f"`top_k` must be a whole number of at least 1, or None for all: got {value!r}.")


def check_batch_size(value: object) -> None:
    """Raises a `ValueError` unless `value` is a whole number of at least 1."""
    if not is_count(value):
        raise ValueError(f"`batch_size` must be a whole number of at least 1: got {value!r}.")


def is_count(value: object) -> bool:
    """Whether `value` is a whole number of at least 1."""
    return not isinstance(value, bool) and isinstance(value, Integral) and int(value) >= 1


def check_flag(value: object, name: str) -> None:
    """Raises a `TypeError` unless `value` is `True` or `False`."""
    if not isinstance(value, bool):
        raise TypeError(f"`{name}` must be True or False: got {shortened(value)}.")


def read_request(
    item: object,
    relation_types: object,
    ner: Recognizer | None,
    read_types: Callable[[object], list[RelationType]] = read_relation_types,
    entity_types: object = None,
) -> Request:
    """What is asked of one text.

    Args:
        item: a text, or a dictionary with `text` and optionally `entities`, `relation_types`, `entity_types` and
            `sentences`. What is absent or `None` there is as the call says. Other keys are left alone, so that rows of
            a data set can be passed, unless they look like misspellings of these.
        relation_types: of the call.
        ner: of the call; finds the entities of a text that has none of its own.
        read_types: how relation types are read.
        entity_types: of the call, that are to be found; then neither entities nor relation types are needed.

    Raises:
        TypeError, ValueError: when it cannot be understood; the message names the value and the cure.
        TextError: made of whatever `ner` raises.
    """
    given = item if isinstance(item, Mapping) else {"text": item}
    text = given.get("text")
    _check_keys(given)
    if not isinstance(text, str):
        raise TypeError(f"A text must be a string, alone or as 'text' of a dictionary: got {shortened(item)}.")
    asked = given.get("relation_types")
    asked = relation_types if asked is None else asked
    to_find = given.get("entity_types")
    to_find = entity_types if to_find is None else to_find
    types = () if to_find is None else read_entity_types(to_find)
    if asked is None and to_find is None:
        raise ValueError(
            "No `relation_types`: pass the names of the relations to look for, such as ['place of birth']."
        )
    entities = given.get("entities")
    are_found = entities is None and (ner is not None or to_find is None)
    if are_found:
        entities = _find_entities(text, ner)
    request = Request(
        text,
        read_entities(entities, text) if are_found or entities is not None else [],
        [] if asked is None else read_types(asked),
        are_found=are_found,
        sentences=given.get("sentences"),
        entity_types=types,
        asks_for_relations=asked is not None,
    )
    if not types:
        _check_labels(request)
    return request


def _check_labels(request: Request) -> None:
    """Refuses constraints on the types of entities that have none."""
    constrained = [relation.name for relation in request.relation_types if relation.is_constrained]
    if constrained and request.entities and all(entity.label is None for entity in request.entities):
        raise ValueError(
            f"Relation type {constrained[0]!r} admits certain entity types only, but no entity has a label. Pass "
            "entities as (start, end, label) or dictionaries with 'label', or drop `head` and `tail`."
        )


def _check_keys(item: Mapping[str, object]) -> None:
    """Refuses keys that look like misspellings of those that are read."""
    missing = [key for key in _ITEM_KEYS if item.get(key) is None]
    for key in item:
        if key not in _ITEM_KEYS and (meant := get_close_matches(str(key).lower(), missing, 1, 0.8)):
            raise ValueError(f"A text's dictionary has the key {shortened(key)}. Did you mean {meant[0]!r}?")


def _find_entities(text: str, ner: Recognizer | None) -> object:
    if ner is None:
        raise ValueError(
            "No `entities`: pass the entities of the text, or `ner=`, a pipeline or callable that finds them; or "
            "`entity_types`, for a model that finds entities."
        )
    try:
        return ner(text) if text else []
    except Exception as error:  # whatever a user's function raises is about this text
        raise TextError(f"`ner` raised {type(error).__name__}: {error}") from error


def readable_name(name: str) -> str:
    """The words of a relation's name, as models are trained on: `place_of_birth`, `placeOfBirth` → "place of birth".

    Underscores become spaces, words joined by capitals are taken apart, capitals of such names become small letters,
    and what comes before the name goes: a prefix (`per:city_of_birth`), a path (`/people/person/place_of_birth`) or
    an address. A name in words stays as it is.
    """
    last = re.split(r"[/#]", name.rstrip("/#"))[-1] if name.startswith("/") or "://" in name else name
    last = re.sub(r"^[A-Za-z]{2,5}:(?=\S)", "", last)
    words = re.sub(r"_+|(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", last)
    is_code = words != name or (name.isupper() and name.isalpha() and len(name) > 3)
    return (" ".join(words.split()).lower() if is_code else name) or name


def with_readable_names(relation_types: list[RelationType]) -> list[RelationType]:
    """Relation types that the model reads in readable words, and that are reported by their own names.

    Names that would read alike are left as they are.
    """
    wordings = [readable_name(relation.name) for relation in relation_types]
    names = {relation.name for relation in relation_types}
    return [
        replace(relation, asked_as=wording)
        if relation.asked_as is None
        and wordings.count(wording) == 1
        and (wording == relation.name or wording not in names)
        else relation
        for relation, wording in zip(relation_types, wordings, strict=True)
    ]


__all__ = [
    "Entity",
    "EntityType",
    "Mention",
    "RelationType",
    "TextError",
    "check_surface",
    "list_entities",
    "read_entities",
    "read_entity_types",
    "read_relation_types",
]
