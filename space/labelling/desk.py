"""One visitor's desk: the workspace and the lock that keeps quick clicks in order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from threading import RLock
from typing import Any

from glirel_transformers.relation_syntax import read_relation_lines
from glirel_transformers.requests_glirel import read_relation_types

from . import files, memory, model
from .examples import Example
from .session import ACCEPTED, ADDED, CHANGED, REJECTED, Session, Span, Triple
from .view import Row, predicted, rows
from .workspace import Workspace


class Desk:
    """What Gradio keeps for each visitor. Events may overlap; each takes the lock, so that none works on old values.

    Attributes:
        workspace: what lies on it.
        note: what is to be said beside the text.
        open_at: the entity whose form is to open.
        problem: what was wrong when the model was asked last.
        revision: counts how often the desk itself changed what stands in the boxes for text and relations. What comes
            from a page that does not show the latest is out of date, and is passed over.
        turn: counts the events, so that a form can open twice at the same entity.
        shown: what the page shows, so that only what is new is sent.
        collected: the data set, and what the page shows of it.
    """

    def __init__(self, workspace: Workspace | None = None) -> None:
        self.workspace = workspace or Workspace()
        self.note = ""
        self.open_at: int | None = None
        self.revision = 0
        self.turn = 0
        self.problem: str | None = None
        self.shown: list[Any] = []
        self.collected: tuple[Any, tuple[Any, ...]] | None = None
        self.lock = RLock()

    def __deepcopy__(self, memo: dict[int, Any]) -> Desk:
        return Desk(self.workspace)  # whose values never change

    @property
    def session(self) -> Session:
        """The visitor's session."""
        return self.workspace.session

    @contextmanager
    def working(self) -> Iterator[None]:
        """Takes the lock, and clears what was said before."""
        with self.lock:
            self.note, self.open_at = "", None
            self.turn += 1
            yield

    def put(self, session: Session, kind: str = "", **changes: Any) -> None:
        """Takes a step that can be undone.

        Raises:
            ValueError: when the browser could not remember it.
        """
        if len(session.examples) > len(self.session.examples) and memory.used(session) > 1:
            raise ValueError(
                "That is more than a browser remembers, so a reload of the page would lose it. Download the data set "
                "as JSONL, remove its examples here, and begin another one; training takes several files."
            )
        self.workspace = self.workspace.then(session, kind, **changes)

    # What a visitor does

    def type_text(self, text: str) -> None:
        """Takes over the text box; typing alone is not a step to undo."""
        session, self.note = self.session.with_text(text)
        if session.text == self.session.text:
            return
        if self.session.entities or self.session.decisions:
            self.put(session, "text", scores=None)
        else:
            self.workspace = replace(self.workspace, session=session, scores=None)

    def type_relations(self, lines: str) -> None:
        """Takes over the relations; where only constraints changed, the scores stay good."""
        self.put(replace(self.session, relation_lines=lines), "relations")
        self._constrain()

    def take_relations(self, lines: str) -> None:
        """Puts a ready-made set in the place of the relations."""
        self.put(replace(self.session, relation_lines=lines))
        self._constrain()

    def _constrain(self) -> None:
        """Applies the constraints of the relations to the scores."""
        scores = self.workspace.scores
        if scores is None:
            return
        try:
            asked = read_relation_types(read_relation_lines(self.session.relation_lines))
        except ValueError:
            return  # half typed; said when the relations are extracted
        if [r.name for r in asked] == [r.name for r in scores.relation_types]:
            self.workspace = replace(self.workspace, scores=replace(scores, relation_types=asked))

    def choose(self, threshold: float, top_k: int) -> None:
        """Moves the sliders."""
        session = replace(self.session, threshold=float(threshold), top_k=int(top_k))
        self.workspace = replace(self.workspace, session=session)

    def mark(self, start: int, end: int) -> None:
        """Marks a stretch of the text and opens its form."""
        session, self.open_at, self.note = self.session.mark(start, end, None)
        self.put(session)

    def relabel(self, span: str, label: str, everywhere: bool) -> None:
        """Gives an entity its type; `span` tells it apart, such as `"0-11"`."""
        if (position := self._position(span)) is not None:
            self.put(self.session.relabel(position, label.strip() or None, everywhere))

    def unmark(self, span: str) -> None:
        """Deletes an entity."""
        if (position := self._position(span)) is not None:
            self.put(self.session.unmark(position))

    def _position(self, span: str) -> int | None:
        """Where an entity is now: marks may have come and gone since the page was drawn."""
        spans = [f"{entity.start}-{entity.end}" for entity in self.session.entities]
        return spans.index(span) if span in spans else None

    def find_entities(self, revision: float, text: str, recognizer: str) -> None:
        """Adds what a recogniser finds."""
        with self.lock:
            if revision == self.revision:
                self.type_text(text)
            text = self.session.text
        found = model.find_entities(text, recognizer)
        with self.lock:
            if self.session.text == text:
                session, self.note = self.session.with_entities(found)
                self.put(session)

    def extract(self, revision: float, text: str, relation_lines: str) -> None:
        """Runs the model, with the lock open meanwhile; text and relations count where they are of this `revision`."""
        with self.lock:
            if revision == self.revision:
                self.type_text(text)
                self.type_relations(relation_lines)
            session = self.session
        model.check_text(session.text)
        entities = [{"start": e.start, "end": e.end, "label": e.label} for e in session.entities]
        if len(entities) < 2:
            raise ValueError(
                "Relations hold between two entities: mark at least two in the text, or let them be found."
            )
        scores = model.score(session.text, entities, session.relation_lines)
        with self.lock:
            if self.session.text == session.text:
                now = replace(self.session, has_results=True)
                self.workspace = replace(self.workspace, session=now, scores=scores)
                self._constrain()

    def extract_again(self) -> None:
        """Computes the results that the browser does not remember."""
        if self.session.has_results:
            self.extract(self.revision, self.session.text, self.session.relation_lines)

    def decide(self, key: str, action: str, relation: str | None = None) -> None:
        """Accepts, rejects, renames or turns round a relation of the list.

        `key` is the row's own, not its place: clicks may follow each other faster than the list is drawn.
        """
        listed = rows(self.workspace)
        chosen = next((row for row in listed if row.key == key), None)
        if chosen is None:
            return
        triple = chosen.triple
        if action == "accept":
            if chosen.verdict not in (ADDED, CHANGED):
                self.put(self.session.decide(triple, ACCEPTED, chosen.score))
        elif action == "reject" and chosen.verdict == ADDED:
            self.put(self.session.decide(triple, ADDED, None))  # taken back
        elif action == "reject" and chosen.verdict == CHANGED:
            decision = next(d for d in self.session.decisions if d.triple == triple)
            self.put(self.session.decide(decision.was or triple, REJECTED, decision.score))
        elif action == "reject":
            self.put(self.session.decide(triple, REJECTED, chosen.score))
        elif action == "swap":
            self._change(triple, Triple(triple.tail, triple.relation, triple.head), listed, chosen.score)
        elif action == "change" and relation:
            self._change(triple, Triple(triple.head, relation, triple.tail), listed, chosen.score)

    def _change(self, triple: Triple, new: Triple, listed: list[Row], score: float | None) -> None:
        if new == triple:
            return
        if any(row.triple == new for row in listed):
            raise ValueError("That relation is in the list already.")
        self.put(self.session.change(triple, new, score))

    def accept_all(self) -> None:
        """Accepts whatever is not decided yet."""
        session = self.session
        for row in rows(self.workspace):
            if row.verdict is None:
                session = session.decide(row.triple, ACCEPTED, row.score)
        self.put(session)

    def add(self, head: int | None, relation: str | None, tail: int | None) -> None:
        """Adds a relation that the model missed; head and tail are positions of entities."""
        entities = self.session.entities
        if head is None or tail is None or not (relation or "").strip():
            raise ValueError("Choose a head, a relation and a tail.")
        if head == tail:
            raise ValueError("Head and tail are the same entity. A relation holds between two.")
        triple = Triple(Span(*entities[head].span), str(relation).strip(), Span(*entities[tail].span))
        if any(row.triple == triple for row in rows(self.workspace)):
            raise ValueError("That relation is in the list already.")
        self.put(self.session.decide(triple, ADDED, None))

    def save(self, exhaustive: bool) -> None:
        """Puts the example into the data set."""
        model.check_text(self.session.text)
        self.put(self.session.save(self.session.to_document(predicted(self.workspace), exhaustive)))

    def take_example(self, example: Example) -> None:
        """Puts one of the ready-made texts on the desk."""
        session = replace(
            self.session,
            text=example.text,
            entities=example.entities,
            relation_lines=example.relation_lines,
            decisions=(),
            history=(),
            has_results=False,
        )
        self.put(session, scores=None)

    def open_example(self, number: float) -> None:
        """Takes an example of the data set back on the desk."""
        self.put(self.session.open(self._example(number)), scores=None)

    def remove_example(self, number: float) -> None:
        """Takes an example out of the data set."""
        position = self._example(number)
        examples = self.session.examples
        self.put(replace(self.session, examples=examples[:position] + examples[position + 1 :]))

    def _example(self, number: float) -> int:
        if number is None or not 1 <= number <= len(self.session.examples):
            raise ValueError(f"There is no example {number}: the data set has {len(self.session.examples)}.")
        return int(number) - 1

    def remove_all(self) -> None:
        """Empties the data set."""
        self.put(replace(self.session, examples=()))

    def undo(self) -> None:
        """Goes back a step."""
        self.workspace = self.workspace.undo()
        self._constrain()

    def upload(self, path: str) -> None:
        """Adds the examples of a file to the data set, and opens the last one where the desk is empty."""
        documents = files.read(path)
        session = self.session.merge(documents)
        if not session.text.strip():
            session = session.open(len(session.examples) - 1)
        self.put(session, scores=self.workspace.scores if session.text == self.session.text else None)
        self.note = f"{len(documents)} example{'' if len(documents) == 1 else 's'} uploaded."

    def restore(self, remembered: Any, examples: Any = None) -> None:
        """Takes up what the browser remembers; [`extract_again`] computes its results."""
        threshold = round(model.pipeline().model.config.threshold, 2)
        self.workspace = Workspace(Session(threshold=threshold))
        known = dict(remembered) if isinstance(remembered, dict) else {}
        if examples is not None:
            known["examples"] = examples
        session, problems = memory.from_dict({"threshold": threshold, **known})
        self.workspace = Workspace(session)
        if problems:
            raise ValueError(
                f"Part of what this browser remembers cannot be read, and was left aside: {'; '.join(problems[:5])}"
            )

    def run(self, action: Callable[..., None], *arguments: Any) -> str | None:
        """Does `action` with the lock held; returns the message of an error in what the visitor gave."""
        with self.working():
            return _attempt(action, *arguments)

    def run_model(self, action: Callable[..., None], *arguments: Any) -> None:
        """As [`run`], for what takes long: the lock is not held, and the message is kept in `problem`."""
        with self.working():
            self.problem = None
        self.problem = _attempt(action, *arguments)


def _attempt(action: Callable[..., None], *arguments: Any) -> str | None:
    try:
        action(*arguments)
    except (ValueError, TypeError, OSError, ImportError) as error:
        return str(error)
    return None
