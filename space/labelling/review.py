"""What the buttons of the review list do: each takes the workspace and gives the session that follows."""

from __future__ import annotations

from collections.abc import Sequence

from glirel_transformers.mentions_glirel import check_text

from .session import Session
from .values import ACCEPTED, ADDED, CHANGED, REJECTED, Triple
from .view import Row, rows
from .workspace import Workspace


def decide(workspace: Workspace, key: str, action: str, relation: str | None = None) -> Session:
    """Accepts, rejects, renames or reverses a relation of the list.

    Args:
        workspace: what the visitor is working on.
        key: the row's own, not its position: clicks may come faster than the list is redrawn.
        action: `accept`, `reject`, `swap` or `change`.
        relation: the new name, for `change`.

    Raises:
        ValueError: when the changed relation is in the list already.
    """
    session, listed = workspace.session, rows(workspace)
    row = next((row for row in listed if row.key == key), None)
    if row is None:
        return session
    if action == "accept":
        return _accept(session, row)
    if action == "reject":
        return _reject(session, row)
    head, name, tail = row.triple
    if action == "swap":
        return _change(session, row, Triple(tail, name, head), listed)
    if action == "change" and relation:
        check_text(relation, "The name of the relation")
        return _change(session, row, Triple(head, relation, tail), listed)
    return session


def accept_all(workspace: Workspace) -> Session:
    """Accepts every relation of the list that is not decided yet."""
    session = workspace.session
    for row in rows(workspace):
        if row.verdict is None:
            session = session.decide(row.triple, ACCEPTED, row.score)
    return session


def add(workspace: Workspace, head: int | None, relation: str | None, tail: int | None) -> Session:
    """Adds a relation that the model missed; head and tail are positions of entities.

    Raises:
        ValueError: when one of the three is missing, head and tail are the same, or the relation is listed already.
    """
    entities, name = workspace.session.entities, (relation or "").strip()
    if head is None or tail is None or not name or max(head, tail) >= len(entities):  # marks may be gone since
        raise ValueError("Choose a head, a relation and a tail.")
    check_text(name, "The name of the relation")
    if head == tail:
        raise ValueError("Head and tail are the same entity. A relation holds between two.")
    triple = Triple(entities[head].span, name, entities[tail].span)
    _check_new(triple, rows(workspace))
    return workspace.session.decide(triple, ADDED, None)


def _accept(session: Session, row: Row) -> Session:
    if row.verdict in (ADDED, CHANGED):  # and so accepted
        return session
    return session.decide(row.triple, ACCEPTED, row.score)


def _reject(session: Session, row: Row) -> Session:
    if row.verdict == ADDED:
        return session.decide(row.triple, ADDED, None)  # takes it back
    if row.verdict == CHANGED:  # neither the change nor the prediction holds
        decision = next(d for d in session.decisions if d.triple == row.triple)
        return session.decide(decision.was or row.triple, REJECTED, decision.score)
    return session.decide(row.triple, REJECTED, row.score)


def _change(session: Session, row: Row, new: Triple, listed: Sequence[Row]) -> Session:
    if new == row.triple:
        return session
    _check_new(new, listed)
    return session.change(row.triple, new, row.score)


def _check_new(triple: Triple, listed: Sequence[Row]) -> None:
    if any(row.triple == triple for row in listed):
        raise ValueError("That relation is in the list already.")
