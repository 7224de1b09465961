"""Marks that are one entity: which belong together, and where the decisions on their relations are.

The entity of several marks has their first mark's place in every relation.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from .values import Decision, Entity, Span, Triple


def ordered(entities: Iterable[Entity]) -> tuple[Entity, ...]:
    """Marks in the order of the text; one that is alone in its group has none."""
    marks = sorted(entities, key=lambda mark: (mark.start, -mark.end))
    sizes = Counter(mark.group for mark in marks)
    return tuple(replace(mark, group=None) if mark.group and sizes[mark.group] < 2 else mark for mark in marks)


def marks_of(entities: Sequence[Entity], mark: Entity) -> list[Entity]:
    """All marks of the entity that `mark` is one of, in the order of the text."""
    return [mark] if mark.group is None else [other for other in entities if other.group == mark.group]


def listed(entities: Sequence[Entity]) -> list[list[Entity]]:
    """The marks of each entity; entities by their first mark."""
    grouped: dict[object, list[Entity]] = {}
    for position, mark in enumerate(entities):
        grouped.setdefault(("mark", position) if mark.group is None else mark.group, []).append(mark)
    return list(grouped.values())


def first_marks(entities: Sequence[Entity]) -> dict[Span, Span]:
    """The place of each mark's entity, by the place of the mark."""
    return {mark.span: marks[0].span for marks in listed(entities) for mark in marks}


def joined(entities: Sequence[Entity], one: Entity, other: Entity) -> tuple[Entity, ...]:
    """The marks of two entities become those of one: a person says so, so that none of them is just found.

    Its type is that of `other`'s, else that of `one`'s.
    """
    together = [*marks_of(entities, one), *marks_of(entities, other)]
    used = {mark.group for mark in entities}
    group = other.group or one.group or next(number for number in range(1, len(entities) + 1) if number not in used)
    label = other.label or one.label
    return ordered(Entity(mark.start, mark.end, label, group) if mark in together else mark for mark in entities)


def move_decisions(
    decisions: Iterable[Decision], before: Sequence[Entity], after: Sequence[Entity]
) -> tuple[Decision, ...]:
    """Decisions where the entities are after marks were joined, taken apart or deleted.

    One on an entity that is gone is dropped, and so is one between two marks that are now one entity. Where two become
    the same, the later one stands.
    """
    place = first_marks(after)
    for marks in listed(before):
        left = [place[mark.span] for mark in marks if mark.span in place]
        if left:  # the entity goes on at what is left of it
            place.update({mark.span: left[0] for mark in marks if mark.span not in place})
    moved: dict[Triple, Decision] = {}
    for decision in decisions:
        triple = _moved(decision.triple, place)
        if triple is not None:
            moved.pop(triple, None)
            was = None if decision.was is None else _moved(decision.was, place)
            moved[triple] = replace(decision, triple=triple, was=None if was == triple else was)
    return tuple(moved.values())


def _moved(triple: Triple, place: Mapping[Span, Span]) -> Triple | None:
    head, tail = place.get(triple.head), place.get(triple.tail)
    return None if head is None or tail is None or head == tail else Triple(head, triple.relation, tail)
