"""One visitor's desk: the workspace, and the lock that keeps quick clicks in order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from threading import RLock
from typing import Any

from glirel_transformers.data import Document
from glirel_transformers.mentions_glirel import check_text
from glirel_transformers.relation_syntax import read_relation_lines
from glirel_transformers.requests_glirel import read_relation_types

from . import files, memory, model, review
from .examples import Example
from .session import Session
from .view import predicted
from .workspace import Workspace


class Desk:
    """What Gradio keeps for each visitor. Events may overlap; each takes the lock, so that none works on old values.

    Attributes:
        workspace: what the visitor is working on.
        note: a message to show next to the text.
        open_at: the entity whose form is to open.
        problem: what was wrong when the model was last asked.
        revision: counts how often the desk itself changed what is in the boxes for text and relations. Values from a
            page that does not show the latest are out of date, and are ignored.
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
        self.shown: list[object] = []
        self.collected: tuple[tuple[Document, ...], Mapping[str, object]] | None = None
        self.lock = RLock()

    def __deepcopy__(self, memo: dict[int, object]) -> Desk:
        return Desk(self.workspace)  # whose values never change

    @property
    def session(self) -> Session:
        """The visitor's session."""
        return self.workspace.session

    @contextmanager
    def working(self) -> Iterator[None]:
        """Takes the lock, and clears the earlier messages."""
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
                "That is more than a browser can remember, so a reload of the page would lose it. Download the data "
                "set as JSONL, remove its examples here, and start another one; training reads several files."
            )
        self.workspace = self.workspace.then(session, kind, **changes)

    # What a visitor does

    def type_text(self, text: str) -> None:
        """Takes over the text box; typing alone is not a step to undo."""
        check_text(text, "The text")
        session, self.note = self.session.with_text(text)
        if session.text == self.session.text:
            return
        if self.session.entities or self.session.decisions:
            self.put(session, "text", scores=None)
        else:
            self.workspace = replace(self.workspace, session=session, scores=None)

    def type_relations(self, lines: str) -> None:
        """Takes over the relations; where only constraints changed, the scores remain valid."""
        check_text(lines, "The list of relations")
        self.put(replace(self.session, relation_lines=lines), "relations")
        self._constrain()

    def take_relations(self, lines: str) -> None:
        """Replaces the relations by a ready-made set."""
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
            return  # half typed; reported when the relations are extracted
        if [r.name for r in asked] == [r.name for r in scores.relation_types]:
            self.workspace = replace(self.workspace, scores=replace(scores, relation_types=asked))

    def choose(self, threshold: float, top_k: int) -> None:
        """Moves the sliders."""
        session = replace(self.session, threshold=float(threshold), top_k=int(top_k))
        self.workspace = replace(self.workspace, session=session)

    def mark(self, start: int, end: int) -> None:
        """Marks a part of the text and opens its form."""
        session, self.open_at, self.note = self.session.mark(start, end, None)
        self.put(session)

    def relabel(self, span: str, label: str, everywhere: bool) -> None:
        """Gives an entity its type; `span` identifies it, such as `"0-11"`."""
        check_text(label, "The type")
        if (position := self._position(span)) is not None:
            self.put(self.session.relabel(position, label.strip() or None, everywhere))

    def unmark(self, span: str) -> None:
        """Deletes an entity."""
        if (position := self._position(span)) is not None:
            self.put(self.session.unmark(position))

    def _position(self, span: str) -> int | None:
        """Position of an entity: marks may have come and gone since the page was drawn."""
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
        """Runs the model, with the lock open meanwhile; text and relations count if they are of this `revision`."""
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
        """Accepts, rejects, renames or reverses a relation of the list."""
        self.put(review.decide(self.workspace, key, action, relation))

    def accept_all(self) -> None:
        """Accepts every relation that is not decided yet."""
        self.put(review.accept_all(self.workspace))

    def add(self, head: int | None, relation: str | None, tail: int | None) -> None:
        """Adds a relation that the model missed; head and tail are positions of entities."""
        self.put(review.add(self.workspace, head, relation, tail))

    def save(self, exhaustive: bool) -> None:
        """Adds the example to the data set."""
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
        """Puts an example of the data set back on the desk."""
        self.put(self.session.open(self._example(number)), scores=None)

    def remove_example(self, number: float) -> None:
        """Removes an example from the data set."""
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

    def restore(self, remembered: object, examples: object = None) -> None:
        """Restores what the browser remembers; [`extract_again`] computes its results."""
        threshold = round(model.pipeline().model.config.threshold, 2)
        self.workspace = Workspace(Session(threshold=threshold))
        known = dict(remembered) if isinstance(remembered, dict) else {}
        if examples is not None:
            known["examples"] = examples
        session, problems = memory.from_dict({"threshold": threshold, **known})
        self.workspace = Workspace(session)
        if problems:
            raise ValueError(
                f"Part of what this browser remembers cannot be read, and was left out: {'; '.join(problems[:5])}"
            )

    def run(self, action: Callable[..., None], *arguments: Any) -> str | None:
        """Does `action` with the lock held; returns the message where the visitor's input is wrong."""
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
