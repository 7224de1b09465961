"""What people mark and decide, as values that never change.

A relation is identified by the character spans of its head and tail and by its name, so that a decision survives
another run of the model, other thresholds, and entities that are added. The span of an entity is that of its first
mark.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

ACCEPTED, REJECTED, ADDED, CHANGED = "accepted", "rejected", "added", "changed"


class Span(NamedTuple):
    """Half-open, in characters."""

    start: int
    end: int


@dataclass(frozen=True)
class Entity:
    """A mark in the text.

    Args:
        start, end: half-open, in characters.
        label: its type.
        group: number of the entity, where several marks are one; `None` where this is its only mark.
        scores: its types with their probabilities, the likeliest first, where a model found it and nobody has
            confirmed it.
        core: where it was before letters that were typed beside it made it grow to a whole word; `None` where it did
            not.
    """

    start: int
    end: int
    label: str | None = None
    group: int | None = None
    scores: tuple[tuple[str, float], ...] = ()
    core: Span | None = None

    @property
    def span(self) -> Span:
        return Span(self.start, self.end)

    @property
    def is_found(self) -> bool:
        """Whether a model found it, and nobody has confirmed it."""
        return bool(self.scores)


class Triple(NamedTuple):
    """A relation between two spans."""

    head: Span
    relation: str
    tail: Span


@dataclass(frozen=True)
class Decision:
    """A person's verdict on a relation.

    Args:
        triple: the relation as it is now.
        verdict: accepted, rejected, added or changed.
        score: the score that the model gave it; `None` where the model was not asked.
        was: for a changed one, the relation that the model had predicted.
    """

    triple: Triple
    verdict: str
    score: float | None = None
    was: Triple | None = None
