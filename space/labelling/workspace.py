"""A session, the steps that led to it, and the scores of the last run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from glirel_transformers import RelationScores

from .session import Session
from .values import Span, Triple

MAX_UNDO = 100


@dataclass(frozen=True)
class Workspace:
    """A session, the sessions before it, and the scores of the last run, which a reload may lose.

    Args:
        session: the session.
        past: the sessions to which a visitor can go back, the last one last.
        scores: all scores of the last run; `None` before the model ran.
        asked_entity_types: what that run was to find.
        kind: what the last step was; consecutive steps of the same kind, such as typing, count as one.
    """

    session: Session = field(default_factory=Session)
    past: tuple[Session, ...] = ()
    scores: RelationScores | None = None
    kind: str = ""
    asked_entity_types: tuple[str, ...] = ()

    @cached_property
    def selected(self) -> tuple[tuple[Triple, float], ...]:
        """What the model predicts at the chosen threshold, best first; selected once, since nothing here changes."""
        if self.scores is None:
            return ()
        relations: list[dict[str, Any]] = self.scores.select(self.session.threshold, self.session.top_k)
        return tuple((Triple(_span(r["head"]), r["relation"], _span(r["tail"])), r["score"]) for r in relations)

    def then(self, session: Session, kind: str = "", **changes: Any) -> Workspace:
        """The next step, which can be undone."""
        if session == self.session:
            return replace(self, **changes)
        past = self.past if kind and kind == self.kind and self.past else (*self.past, self.session)
        return replace(self, session=session, past=past[-MAX_UNDO:], kind=kind, **changes)

    def undo(self) -> Workspace:
        """The step before; the sliders and settings stay, since moving them is not a step."""
        if not self.past:
            return self
        now = self.session
        sliders = ("threshold", "top_k", "entity_threshold", "overlap", "multi_label")
        before = replace(self.past[-1], **{name: getattr(now, name) for name in sliders})
        scores = self.scores if before.text == now.text else None
        session = replace(before, has_results=scores is not None)
        return Workspace(session, self.past[:-1], scores, asked_entity_types=self.asked_entity_types)


def _span(entity: Mapping[str, Any]) -> Span:
    return Span(entity["start"], entity["end"])
