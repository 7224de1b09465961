"""What the page shows of a desk, before it is turned into the values of its components."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from glirel_transformers.scores_glirel import UnmetConstraint

from . import groups, html, memory, view
from .desk import Desk
from .session import Session
from .workspace import Workspace


@dataclass(frozen=True)
class State:
    """What the page shows of a desk.

    Args:
        desk: the desk.
        workspace: what is on it.
        problem: what was wrong with the last action.
        rows: the review list.
        left_out: what does not count as a relation.
        hues: of the entity types.
        entities: choices of a menu: the name of each entity, and its position.
        collected: what the page shows of the data set, which is made again only when the data set has changed.
    """

    desk: Desk
    workspace: Workspace
    problem: str | None
    rows: Sequence[view.Row]
    left_out: view.LeftOut
    hues: html.Hues
    entities: Sequence[tuple[str, int]]
    collected: Mapping[str, object]

    @classmethod
    def of(cls, desk: Desk, problem: str | None) -> State:
        """The state of a desk, whose lock is held."""
        workspace = desk.workspace
        session = workspace.session
        return cls(
            desk,
            workspace,
            problem,
            rows=view.rows(workspace),
            left_out=view.left_out(workspace),
            hues=html.palette(entity.label for entity in session.entities),
            entities=[
                (view.entity_name(session, marks[0]), session.entities.index(marks[0]))
                for marks in groups.listed(session.entities)
            ],
            collected=_collected(desk),
        )

    @property
    def session(self) -> Session:
        """The visitor's session."""
        return self.workspace.session

    @property
    def unmet_constraints(self) -> list[UnmetConstraint]:
        """Constraints that leave out every score of a relation."""
        return view.unmet_constraints(self.workspace)

    @property
    def facts(self) -> list[str]:
        """The line above the results."""
        return [self.problem] if self.problem else view.facts(self.workspace, self.left_out.number)


def _collected(desk: Desk) -> Mapping[str, object]:
    session = desk.session
    parts = (session.examples, session.queue)
    if desk.collected is None or any(old is not new for old, new in zip(desk.collected[0], parts, strict=True)):
        shown = {
            "counter": html.counter(session),
            "examples": html.examples_list(session),
            "queue": html.queue(session),
            "memory": memory.data_set_to_dict(session),
        }
        desk.collected = (parts, shown)
    return desk.collected[1]
