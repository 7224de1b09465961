"""What the page shows of a session: the model's relations, as a person has judged them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from glirel_transformers.mentions_glirel import Entity as ReadEntity
from glirel_transformers.relation_syntax import read_relation_lines
from glirel_transformers.scores_glirel import UnmetConstraint

from . import groups, model
from .session import Session
from .values import REJECTED, Decision, Entity, Span, Triple
from .workspace import Workspace

REASONS = {
    "constraint": "the types of the entities do not fit",
    "direction": "the other direction is stronger",
    "threshold": "below the threshold",
    "top_k": "others are stronger for this pair",
}
MAX_LISTED = 200
MAX_LEFT_OUT = 300


@dataclass(frozen=True)
class Row:
    """A relation in the review list; `head_also` and `tail_also` are what else the text calls its entities."""

    triple: Triple
    score: float | None
    verdict: str | None
    was: str | None
    head_text: str
    head_label: str | None
    tail_text: str
    tail_label: str | None
    head_also: tuple[str, ...] = ()
    tail_also: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """Identifies the row, also after the list is redrawn."""
        head, relation, tail = self.triple
        return f"{head.start}-{head.end} {tail.start}-{tail.end} {relation}"

    @property
    def relation(self) -> str:
        """Its name."""
        return self.triple.relation


def predicted(workspace: Workspace) -> list[tuple[Triple, float]]:
    """What the model predicts at the chosen threshold, best first: at most as many as a person can look through.

    The scores are kept, so that the model does not run again. Those of marks that were made one entity since are its
    own, the best of each relation.
    """
    place = groups.first_marks(workspace.session.entities)
    standing: dict[Triple, float] = {}
    for (head, relation, tail), score in workspace.selected:
        if head in place and tail in place and place[head] != place[tail]:
            standing.setdefault(Triple(place[head], relation, place[tail]), score)
    return list(islice(standing.items(), MAX_LISTED))


def rows(workspace: Workspace) -> list[Row]:
    """The review list: what the model predicts, in its order, then what only a person says."""
    session = workspace.session
    labels, also = {entity.span: entity.label for entity in session.entities}, session.other_names
    by_triple = {decision.triple: decision for decision in session.decisions}
    replaced = {decision.was: decision for decision in session.decisions if decision.was}

    def row(triple: Triple, score: float | None) -> Row:
        decision = by_triple.get(triple)
        return Row(
            triple,
            None if decision and decision.was else score,
            decision.verdict if decision else None,
            _was(session, decision) if decision else None,
            session.surface(triple.head),
            labels.get(triple.head),
            session.surface(triple.tail),
            labels.get(triple.tail),
            also.get(triple.head, ()),
            also.get(triple.tail, ()),
        )

    listed: dict[Triple, Row] = {}
    for triple, score in predicted(workspace):
        shown = replaced[triple].triple if triple in replaced else triple
        listed.setdefault(shown, row(shown, score))
    for decision in session.decisions:
        listed.setdefault(decision.triple, row(decision.triple, decision.score))
    return list(listed.values())


def open_rows(workspace: Workspace) -> list[Row]:
    """Those of the review list on which nobody has decided."""
    return [row for row in rows(workspace) if row.verdict is None]


def save_words(listed: Sequence[Row]) -> str:
    """What the button to save says: how many relations it saves, and how many it leaves out."""
    held = sum(row.verdict is not None and row.verdict != REJECTED for row in listed)
    left = sum(row.verdict is None for row in listed)
    of_them = f"{held} relation{'' if held == 1 else 's'}"
    if left:
        return f"Save {of_them}, leave out {left} not reviewed"
    return f"Save example: {of_them}" if listed else "Save example"


def _was(session: Session, decision: Decision) -> str | None:
    if decision.was is None:
        return None
    score = "" if decision.score is None else f" ({decision.score:.2f})"
    return f"{session.describe_triple(decision.was)}{score}"


@dataclass(frozen=True)
class LeftOut:
    """What does not count as a relation, and why.

    Args:
        reasons: for each pair and relation type, as `RelationScores.reasons` gives them.
        number: how many there are.
        strongest: rows of the table, for those with the highest scores.
    """

    reasons: list[list[str | None]]
    number: int
    strongest: list[list[Any]]


def left_out(workspace: Workspace) -> LeftOut:
    """What the thresholds and constraints leave out; only the strongest in words, since there may be 100,000."""
    scores, session = workspace.scores, workspace.session
    if scores is None or not scores.scores.size:
        return LeftOut([], 0, [])
    reasons = scores.reasons(session.threshold, session.top_k)
    is_left_out = np.array([[reason is not None for reason in row] for row in reasons])
    number = int(is_left_out.sum())
    order = np.argsort(-np.where(is_left_out, scores.scores, -1).ravel(), kind="stable")
    strongest = []
    for cell in order[: min(number, MAX_LEFT_OUT)].tolist():
        row, column = divmod(cell, scores.scores.shape[1])
        head, tail = (read_full_name(scores.entities[position]) for position in scores.pair_index[row].tolist())
        score = round(scores.scores[row, column].item(), 3)
        strongest.append([head, scores.relation_types[column].name, tail, score, REASONS[reasons[row][column] or ""]])
    return LeftOut(reasons, number, strongest)


def relation_names(workspace: Workspace) -> list[str]:
    """Names to choose from: those that are asked for, and those in use."""
    try:
        asked = list(read_relation_lines(workspace.session.relation_lines))
    except ValueError:
        asked = []  # half typed
    scored = [relation.name for relation in workspace.scores.relation_types] if workspace.scores is not None else []
    used = [decision.triple.relation for decision in workspace.session.decisions]
    return list(dict.fromkeys([*asked, *scored, *used]))


def full_name(surface: str, also: Sequence[str]) -> str:
    """An entity in words, with what else the text calls it."""
    return f"{surface} (also {', '.join(also)})" if also else surface


def read_full_name(entity: ReadEntity) -> str:
    """As [`full_name`], of an entity that a model has read."""
    return full_name(
        entity.text, [text for text in dict.fromkeys(m.text for m in entity.mentions) if text != entity.text]
    )


def entity_name(session: Session, entity: Entity) -> str:
    """An entity, by its first mark, in a menu; numbered where the text has the same words twice."""
    surface = session.surface(entity)
    firsts = [marks[0] for marks in groups.listed(session.entities)]
    same = [other for other in firsts if session.surface(other) == surface]
    place = f" #{same.index(entity) + 1}" if len(same) > 1 else ""
    label = f" ({entity.label})" if entity.label else ""
    return full_name(f"{surface}{place}", session.other_names.get(entity.span, ())) + label


def facts(workspace: Workspace, num_left_out: int) -> list[str]:
    """The line above the results."""
    session, scores = workspace.session, workspace.scores
    if scores is None:
        todo = "name entity types and relations" if model.finds_entities() else "mark entities, name relations"
        return [f"No results yet: {todo}, then extract."]
    found = len(predicted(workspace))
    parts = [f"{found} relation{'' if found == 1 else 's'}", f"{num_left_out} left out"]
    if workspace.asked_entity_types:
        number = sum(entity.is_found for entity in session.entities)
        parts.append(f"{number} {'entity' if number == 1 else 'entities'} found")
    if number := len(rows(workspace)):
        parts.append(f"{number - len(open_rows(workspace))} of {number} reviewed")
    if found == MAX_LISTED:
        parts[0] = f"the {MAX_LISTED} strongest relations: raise the threshold to see where they end"
    if unmet := {constraint.relation for constraint in unmet_constraints(workspace)}:
        parts.append(f"{len(unmet)} relation type{' admits' if len(unmet) == 1 else 's admit'} no entity")
    if scores.num_left_out:
        parts.append(f"{scores.num_left_out} likely entities beyond the model's limit: raise their threshold")
    if scores.num_unscored_pairs and scores.relation_types:
        parts.append(f"{scores.num_unscored_pairs} pairs {_why_unscored()}")
    if is_stale(workspace):
        parts.append("Entities or relations changed: extract again")
    return parts


def _why_unscored() -> str:
    chosen = getattr(model.pipeline().model.config, "pair_selection", "all") != "all"
    return "were not chosen by the model" if chosen else "lie too far apart to be scored"


def is_stale(workspace: Workspace) -> bool:
    """Whether the entities or what is asked for have changed since the scores were computed.

    Where a person deleted what was found, nothing needs to be computed again.
    """
    scores, session = workspace.scores, workspace.session
    if scores is None:
        return False
    marked = Counter((tuple(mark.span for mark in marks), marks[0].label) for marks in groups.listed(session.entities))
    scored = Counter(map(_as_marked, scores.entities))
    found = Counter(_as_marked(entity) for entity in scores.entities if entity.scores)
    if marked - scored or scored - marked - found:
        return True
    if model.finds_entities() and model.read_entity_lines(session.entity_lines) != list(workspace.asked_entity_types):
        return True
    try:
        names = list(read_relation_lines(session.relation_lines))
    except ValueError:
        return True
    return names != [relation.name for relation in scores.relation_types]


def _as_marked(entity: ReadEntity) -> tuple[tuple[Span, ...], str | None]:
    return tuple(Span(mention.start, mention.end) for mention in entity.mentions), entity.label


def unmet_constraints(workspace: Workspace) -> list[UnmetConstraint]:
    """Constraints of the relations that no entity meets, so that they leave out every score; none before a run."""
    return [] if workspace.scores is None else workspace.scores.unmet_constraints


def cells(row: Row) -> list[str | float | None]:
    """A row of the table."""
    score = None if row.score is None else round(row.score, 3)
    verdict = row.verdict or "open"
    head, tail = full_name(row.head_text, row.head_also), full_name(row.tail_text, row.tail_also)
    return [head, row.relation, tail, score, verdict]
