"""What a language model answers: one JSON object, found in whatever stands around it, and checked field by field."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from glirel_transformers.files import check_strings
from glirel_transformers.mentions_glirel import shortened

_THOUGHT_ENDS = re.compile(r"</think(?:ing)?>")
_THOUGHT_BEGINS = re.compile(r"<think(?:ing)?>")
_FENCED = re.compile(r"```(?:json|JSON)?\s*\n?(.*?)```", re.DOTALL)
_MOST_STARTS = 64  # opening braces at which an object is looked for


class AnswerError(ValueError):
    """An answer that cannot be used.

    Args:
        reason: what reports count it under.
        message: what is wrong with it, which is told to the model.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True)
class FoundMention:
    """Where a model says that an entity is named.

    Args:
        text: its words.
        sentence: the number of its sentence, if it was asked for.
    """

    text: str
    sentence: int | None = None


@dataclass(frozen=True)
class FoundEntity:
    """An entity that a model found.

    Args:
        id: the number that relations call it by, as text.
        type: its type.
        mentions: where it is named.
    """

    id: str
    type: str
    mentions: tuple[FoundMention, ...]


@dataclass(frozen=True)
class FoundRelation:
    """A relation that a model found.

    Args:
        head: the number of its head, as text.
        relation: its name.
        tail: the number of its tail.
        group: its semantic group, if it was asked for.
        evidence: the numbers of the sentences that show it.
    """

    head: str
    relation: str
    tail: str
    group: str | None = None
    evidence: tuple[int, ...] = ()


@dataclass(frozen=True)
class Answer:
    """What a model found in a text; `None` where it was not asked for."""

    entities: tuple[FoundEntity, ...] | None = None
    relations: tuple[FoundRelation, ...] | None = None


def parse_answer(text: str, gives: Sequence[str]) -> Answer:
    """The answer in what a model wrote.

    Thoughts in `<think>`, code fences and words around the object are passed over; fields that were not asked for are
    left alone. Nothing is guessed: a field that is missing or of another kind is an error.

    Args:
        text: what it wrote.
        gives: what it was asked for: `entities`, `relations` or both.

    Raises:
        AnswerError: when there is no such object, or it does not fit.
    """
    record = _find_object(text, gives)
    try:
        check_strings(record)
    except ValueError as error:
        raise AnswerError("not text", str(error)) from None
    entities = tuple(_entities(record["entities"])) if "entities" in gives else None
    relations = tuple(_relations(record["relations"])) if "relations" in gives else None
    return Answer(entities, relations)


def _find_object(given: str, gives: Sequence[str]) -> Mapping[str, object]:
    """The first JSON object with the fields that were asked for."""
    text = _without_thoughts(given)
    for value in _values(text):
        if isinstance(value, Mapping) and all(name in value for name in gives):
            return value
    wanted = " and ".join(f'"{name}"' for name in gives)
    if not given.strip():
        raise AnswerError("empty", f"It is empty; a JSON object with {wanted} was asked for.")
    try:
        first, _ = _DECODER.raw_decode(text, max(0, text.find("{")))
    except (ValueError, RecursionError) as error:
        why = f" ({error.msg} at character {error.pos})" if isinstance(error, json.JSONDecodeError) else ""
        raise AnswerError("not JSON", f"It holds no JSON object with {wanted} that can be read{why}.") from None
    raise AnswerError("other fields", f"It must be a JSON object with {wanted}: got {shortened(first)}.")


def _without_thoughts(text: str) -> str:
    """What comes after the thoughts; some models end one without a mark where it begins, or never come to its end."""
    return _THOUGHT_BEGINS.split(_THOUGHT_ENDS.split(text)[-1])[0]


def _values(text: str) -> Iterator[object]:
    """What can be read as JSON: the whole, what is fenced, and what begins at a brace."""
    for part in (text, *_FENCED.findall(text)):
        try:
            yield _DECODER.decode(part.strip())
        except (ValueError, RecursionError):
            continue
    at = text.find("{")
    for _ in range(_MOST_STARTS):
        if at < 0:
            return
        try:
            value, end = _DECODER.raw_decode(text, at)
            yield value
        except (ValueError, RecursionError):
            end = at + 1
        at = text.find("{", end)


def _refuse(name: str) -> object:
    raise ValueError(f"{name} is not JSON.")


_DECODER = json.JSONDecoder(strict=False, parse_constant=_refuse)  # line breaks in strings are read


def _entities(given: object) -> Iterator[FoundEntity]:
    seen: set[str] = set()
    for where, item in _items(given, "entities"):
        number = _id(item, "id", where)
        if number in seen:
            raise AnswerError("repeated id", f"Two entities have the id {number}. Give each its own.")
        seen.add(number)
        if "mentions" in item:
            mentions = tuple(
                FoundMention(_string(one, "text", place), _whole(one, "sentence", place))
                for place, one in _items(item["mentions"], f"{where}.mentions")
            )
        else:
            mentions = (FoundMention(_string(item, "text", where)),)
        yield FoundEntity(number, _string(item, "type", where), mentions)


def _relations(given: object) -> Iterator[FoundRelation]:
    for where, item in _items(given, "relations"):
        group = item.get("group")
        evidence = item.get("evidence") or []
        if not isinstance(evidence, list) or not all(type(number) is int for number in evidence):
            raise AnswerError(
                "wrong field", f"`{where}.evidence` must be a list of numbers: got {shortened(evidence)}."
            )
        yield FoundRelation(
            _id(item, "head", where),
            _string(item, "relation", where),
            _id(item, "tail", where),
            group if isinstance(group, str) else None,
            tuple(evidence),
        )


def _items(given: object, where: str) -> Iterator[tuple[str, Mapping[str, object]]]:
    if not isinstance(given, list):
        raise AnswerError("wrong field", f"`{where}` must be a list: got {shortened(given)}.")
    for position, item in enumerate(given):
        if not isinstance(item, Mapping):
            raise AnswerError("wrong field", f"`{where}[{position}]` must be an object: got {shortened(item)}.")
        yield f"{where}[{position}]", item


def _string(item: Mapping[str, object], name: str, where: str) -> str:
    value = item.get(name)
    if not isinstance(value, str):
        raise AnswerError("wrong field", f"`{where}.{name}` must be a text: got {shortened(value)}.")
    return value


def _whole(item: Mapping[str, object], name: str, where: str) -> int | None:
    value = item.get(name)
    if value is not None and type(value) is not int:
        raise AnswerError("wrong field", f"`{where}.{name}` must be a number: got {shortened(value)}.")
    return value


def _id(item: Mapping[str, object], name: str, where: str) -> str:
    """The number of an entity; models also write it as text, and some write the entity's words."""
    value = item.get(name)
    if isinstance(value, str) and value.strip():
        return value.strip()
    if type(value) is int:
        return str(value)
    raise AnswerError("wrong field", f"`{where}.{name}` must be the number of an entity: got {shortened(value)}.")
