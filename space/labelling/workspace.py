"""A session, the steps that led to it, and the scores of the last run."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from .session import Session, Span, Triple

MAX_UNDO = 100


@dataclass(frozen=True)
class Workspace:
    """A session, the sessions before it, and the scores of the last run, which a reload may lose.

    Args:
        session: the session.
        past: the sessions to which a visitor can go back, the last one last.
        scores: a `RelationScores`, or `None` before the model ran.
        kind: what the last step was; steps of the same kind that follow each other, such as typing, are one.
    """

    session: Session = field(default_factory=Session)
    past: tuple[Session, ...] = ()
    scores: Any = None
    kind: str = ""

    @cached_property
    def selected(self) -> tuple[tuple[Triple, float], ...]:
        """What the model says at the thresholds chosen, best first; selected once, since nothing here changes."""
        if self.scores is None:
            return ()
        return tuple(
            (
                Triple(
                    Span(r["head"]["start"], r["head"]["end"]),
                    r["relation"],
                    Span(r["tail"]["start"], r["tail"]["end"]),
                ),
                r["score"],
            )
            for r in self.scores.select(self.session.threshold, self.session.top_k)
        )

    def then(self, session: Session, kind: str = "", **changes: Any) -> Workspace:
        """The next step, which can be undone."""
        if session == self.session:
            return replace(self, **changes)
        past = self.past if kind and kind == self.kind and self.past else (*self.past, self.session)
        return replace(self, session=session, past=past[-MAX_UNDO:], kind=kind, **changes)

    def undo(self) -> Workspace:
        """The step before; the sliders stay, since moving them is no step."""
        if not self.past:
            return self
        now = self.session
        before = replace(self.past[-1], threshold=now.threshold, top_k=now.top_k)
        scores = self.scores if before.text == now.text else None
        session = replace(before, has_results=scores is not None)
        return Workspace(session, self.past[:-1], scores)
