"""A session as JSON values, for the browser's memory, and back."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, fields, replace
from typing import Any, TypeVar

from glirel_transformers.data import Document
from glirel_transformers.files import check_strings
from glirel_transformers.mentions_glirel import check_text, shortened

from . import groups
from .session import Session
from .values import ACCEPTED, ADDED, CHANGED, REJECTED, Decision, Entity, Span, Triple

# Browsers keep at least 2.5 million characters for a page; the memory is encrypted, which makes it a third longer.
MAX_BYTES = 1_800_000
T = TypeVar("T")


def to_dict(session: Session) -> dict[str, Any]:
    """The session as JSON values."""
    return {**desk_to_dict(session), **data_set_to_dict(session)}


def desk_to_dict(session: Session) -> dict[str, Any]:
    """The session without its examples and the texts that wait."""
    values = asdict(replace(session, examples=(), queue=()))
    del values["examples"], values["queue"]
    return values


def data_set_to_dict(session: Session) -> dict[str, Any]:
    """The examples of the session, and the texts that wait."""
    return {"examples": [document.to_dict() for document in session.examples], "queue": list(session.queue)}


def used(session: Session) -> float:
    """The share of the browser's memory that a session takes; up to 1 fits."""
    return len(json.dumps(to_dict(session), ensure_ascii=False).encode(errors="replace")) / MAX_BYTES


def from_dict(values: Mapping[str, Any]) -> tuple[Session, list[str]]:
    """The session that [`to_dict`] wrote, in this version or another.

    Unknown fields are ignored and missing ones take their defaults. What does not fit is left out, so that the rest is
    not lost with it.

    Returns:
        The session, and what could not be read.
    """
    problems: list[str] = []

    def read(name: str, what: Callable[[Any], T], default: T) -> T:
        if name not in values:
            return default
        try:
            return what(values[name])
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            problems.append(f"{name}: {error}")
            return default

    text = read("text", _string, "")
    no_entities: tuple[Entity, ...] = ()
    no_decisions: tuple[Decision, ...] = ()
    no_lines: tuple[str, ...] = ()
    no_spans: tuple[Span, ...] = ()
    entities = read("entities", lambda items: _entities(items, text), no_entities)
    spans = {entity.span for entity in entities}
    session = Session(
        text=text,
        entities=entities,
        relation_lines=read("relation_lines", _string, ""),
        threshold=read("threshold", _probability, Session.threshold),
        top_k=read("top_k", lambda value: max(1, int(value)), Session.top_k),
        entity_lines=read("entity_lines", _string, ""),
        entity_threshold=read("entity_threshold", _probability, Session.entity_threshold),
        overlap=read("overlap", lambda value: "nested" if value == "nested" else "flat", Session.overlap),
        multi_label=read("multi_label", bool, False),
        removed=read("removed", lambda items: tuple(Span(int(start), int(end)) for start, end in items), no_spans),
        has_results=read("has_results", bool, False),
        complete=read("complete", bool, False),
        decisions=read("decisions", lambda items: tuple(_decision(item, spans) for item in items), no_decisions),
        history=read("history", lambda items: tuple(map(_string, items)), no_lines),
        examples=tuple(_documents(values.get("examples"), problems)),
        queue=read("queue", lambda items: tuple(map(_string, items)), no_lines),
    )
    return session, problems


def _string(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"expected a string, got {shortened(value)}")
    check_text(value, "the string")
    return value


def _probability(value: str | float) -> float:
    return min(1.0, max(0.0, float(value)))


def _known(cls: type, values: Mapping[str, Any]) -> dict[str, Any]:
    names = {field.name for field in fields(cls)}
    return {name: value for name, value in values.items() if name in names}


def _entities(items: Iterable[Any], text: str) -> tuple[Entity, ...]:
    session = Session(text=text)
    known: dict[Span, Entity] = {}
    for item in items:
        entity = Entity(**_known(Entity, item))
        label = None if entity.label is None else _string(entity.label)
        session, position, problem = session.mark(entity.start, entity.end, label)
        if position is None:
            raise ValueError(problem)
        group = None if entity.group is None else max(1, int(entity.group))
        scores = tuple((_string(name), _probability(score)) for name, score in entity.scores)
        known[session.entities[position].span] = replace(entity, group=group, scores=scores, core=None)
    return groups.ordered(
        replace(known[mark.span], start=mark.start, end=mark.end, label=mark.label) for mark in session.entities
    )


def _decision(item: Mapping[str, Any], spans: set[Span]) -> Decision:
    decision = Decision(**_known(Decision, item))
    triple = _triple(decision.triple, spans)
    was = None if decision.was is None else _triple(decision.was, spans)
    if decision.verdict not in (ACCEPTED, REJECTED, ADDED, CHANGED):
        raise ValueError(f"there is no verdict {decision.verdict!r}")
    return Decision(triple, decision.verdict, None if decision.score is None else float(decision.score), was)


def _triple(item: Iterable[Any], spans: set[Span]) -> Triple:
    head, relation, tail = item
    triple = Triple(Span(*head), _string(relation), Span(*tail))
    if not {triple.head, triple.tail} <= spans:
        raise ValueError(f"there is no entity at {tuple(triple.head)} or {tuple(triple.tail)}")
    return triple


def _documents(items: object, problems: list[str]) -> Iterable[Document]:
    for number, item in enumerate(items if isinstance(items, list) else [], start=1):
        try:
            check_strings(item)
            yield Document.from_dict(_known(Document, item))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            problems.append(f"example {number}: {error}")
