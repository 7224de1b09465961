"""What a user may ask the pipeline: entities in any common form, and relation types with their settings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

from .tokenization_glirel import check_relation_types, check_span

_SETTINGS = ("head", "tail", "threshold", "symmetric")


class TextError(ValueError):
    """What is wrong with one text of many, or with what is asked of it.

    Args:
        message: what is wrong, without the position.
        position: of the text in the input, from 0; `None` where there is one text only.

    Attributes:
        message, position: as given. `str(error)` names the position: `Text 17: …`.
    """

    def __init__(self, message: str, position: int | None = None):
        super().__init__(message, position)
        self.message, self.position = message, position

    def __str__(self) -> str:
        return self.message if self.position is None else f"Text {self.position}: {self.message}"


@dataclass(frozen=True)
class Entity:
    """A mention in the text: half-open character span, surface and, where it is known, its type."""

    start: int
    end: int
    text: str
    label: str | None
    index: int  # position in the list that the user gave

    def to_dict(self) -> dict[str, Any]:
        return {"start": self.start, "end": self.end, "text": self.text, "label": self.label, "index": self.index}


@dataclass(frozen=True)
class RelationType:
    """A relation type that is asked for.

    Args:
        name: any words.
        head, tail: entity types that may stand on that side; `None` admits any.
        threshold: probability from which it counts as predicted; `None` leaves it to the call.
        symmetric: whether it holds in both directions alike; it is then reported once, in the direction that scores
            higher.
    """

    name: str
    head: frozenset[str] | None = None
    tail: frozenset[str] | None = None
    threshold: float | None = None
    symmetric: bool = False


def read_entities(entities: Any, text: str) -> list[Entity]:
    """Brings entities to one form.

    Args:
        entities: a list (or any iterable, such as spaCy's `doc.ents`) of tuples `(start, end)` or
            `(start, end, label)`; of dictionaries with `start`, `end` and optionally `label`, as GLiNER gives them,
            or `entity_group`, as an aggregating 🤗 token-classification pipeline does; or of spaCy spans.
        text: the text that they are in.

    Raises:
        TypeError: for anything else.
        ValueError: for a span that is empty or outside the text, or single sub-tokens of a 🤗 pipeline.
    """
    if isinstance(entities, (str, Mapping)) or not isinstance(entities, Iterable):
        raise TypeError(f"`entities` must be a list of entities: got {entities!r}.")
    return [_read_entity(entity, index, text) for index, entity in enumerate(entities)]


def _read_entity(entity: Any, index: int, text: str) -> Entity:
    if hasattr(entity, "start_char") and hasattr(entity, "end_char"):
        span, label = (entity.start_char, entity.end_char), getattr(entity, "label_", None) or None
    elif isinstance(entity, Mapping):
        span, label = _read_mapping(entity, index)
    elif isinstance(entity, Sequence) and not isinstance(entity, str) and len(entity) in (2, 3):
        span, label = (entity[0], entity[1]), entity[2] if len(entity) == 3 else None
    else:
        raise TypeError(
            f"`entities[{index}]` must be (start, end), (start, end, label), a dictionary with 'start' and 'end', or "
            f"a spaCy span: got {entity!r}."
        )
    if label is not None and not isinstance(label, str):
        raise TypeError(f"The label of `entities[{index}]` must be a string: got {label!r}.")
    start, end = check_span(span, index, len(text), "character")
    return Entity(start, end, text[start:end], label, index)


def _read_mapping(entity: Mapping[str, Any], index: int) -> tuple[tuple[Any, Any], Any]:
    if "entity" in entity and "entity_group" not in entity and "label" not in entity:
        raise ValueError(
            f"`entities[{index}]` is a single sub-token of a token-classification pipeline: got {dict(entity)!r}. "
            "Build that pipeline with aggregation_strategy='simple', which gives whole entities."
        )
    if entity.get("start") is None or entity.get("end") is None:
        raise ValueError(f"`entities[{index}]` needs 'start' and 'end', in characters: got {dict(entity)!r}.")
    return (entity["start"], entity["end"]), entity.get("label", entity.get("entity_group"))


def read_relation_types(relation_types: Any) -> list[RelationType]:
    """Brings relation types to one form.

    Args:
        relation_types: a list of names, or a dictionary of names with their settings: `head` and `tail` (entity
            types that the side admits; absent means any), `threshold`, `symmetric`. `None` stands for no settings.

    Raises:
        TypeError, ValueError: for names that are empty, repeated or no strings, and for unknown or wrong settings.
    """
    if not isinstance(relation_types, Mapping):
        check_relation_types(relation_types)
        return [RelationType(name) for name in relation_types]
    check_relation_types(list(relation_types))
    return [_read_settings(name, {} if settings is None else settings) for name, settings in relation_types.items()]


def _read_settings(name: str, settings: Any) -> RelationType:
    if not isinstance(settings, Mapping):
        raise TypeError(f"The settings of relation type {name!r} must be a dictionary: got {settings!r}.")
    if unknown := sorted(set(settings) - set(_SETTINGS)):
        raise ValueError(f"Relation type {name!r} has unknown settings {unknown}; known are {list(_SETTINGS)}.")
    threshold, symmetric = settings.get("threshold"), settings.get("symmetric", False)
    if threshold is not None:
        check_probability(threshold, f"The threshold of relation type {name!r}")
    if not isinstance(symmetric, bool):
        raise TypeError(f"`symmetric` of relation type {name!r} must be True or False: got {symmetric!r}.")
    return RelationType(
        name, _read_side(name, "head", settings), _read_side(name, "tail", settings), threshold, symmetric
    )


def _read_side(name: str, side: str, settings: Mapping[str, Any]) -> frozenset[str] | None:
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


def check_probability(value: Any, what: str) -> None:
    """Raises a `ValueError` unless `value` is a number from 0 to 1."""
    if isinstance(value, bool) or not isinstance(value, Real) or not 0 <= float(value) <= 1:
        raise ValueError(f"{what} must be a number from 0 to 1: got {value!r}.")


def check_top_k(value: Any) -> None:
    """Raises a `ValueError` unless `value` is a whole number of at least 1, or `None`."""
    if value is not None and not _is_count(value):
        raise ValueError(f"`top_k` must be a whole number of at least 1, or None for all: got {value!r}.")


def check_batch_size(value: Any) -> None:
    """Raises a `ValueError` unless `value` is a whole number of at least 1."""
    if not _is_count(value):
        raise ValueError(f"`batch_size` must be a whole number of at least 1: got {value!r}.")


def _is_count(value: Any) -> bool:
    return not isinstance(value, bool) and isinstance(value, Integral) and int(value) >= 1
