"""Where marks and decisions are after the text was edited."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from .values import Decision, Span, Triple


def follow(old: str, new: str) -> Callable[[int, int], Span | None]:
    """Finds the edit that leads from `old` to `new`.

    Returns:
        A function from a span of `old` to its place in `new`, or to what a deletion left of it; `None` where the edit
        cut it.
    """
    limit = min(len(old), len(new))
    prefix = next((i for i in range(limit) if old[i] != new[i]), limit)
    suffix = next((i for i in range(limit - prefix) if old[-1 - i] != new[-1 - i]), limit - prefix)
    longer = len(new) - len(old)

    def move(start: int, end: int) -> Span | None:
        if end <= prefix:
            return Span(start, end)
        if start >= len(old) - suffix:
            return Span(start + longer, end + longer)
        if start < prefix and end > len(old) - suffix:
            return Span(start, end + longer)
        if prefix + suffix < len(new):
            return None
        left = Span(min(start, prefix), min(end, prefix) if end <= len(old) - suffix else end + longer)
        return left if left.start < left.end else None

    return move


def move_decision(decision: Decision, moved: Mapping[Span, Span]) -> Decision | None:
    """A decision after the spans have moved; `None` where one of them is gone."""
    triples = [decision.triple] if decision.was is None else [decision.triple, decision.was]
    if not all(triple.head in moved and triple.tail in moved for triple in triples):
        return None
    triple, *was = (Triple(moved[t.head], t.relation, moved[t.tail]) for t in triples)
    return replace(decision, triple=triple, was=was[0] if was else None)
