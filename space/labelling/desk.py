"""One visitor's desk: the workspace, and the lock that keeps quick clicks in order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from threading import RLock
from typing import Any

from glirel_transformers.data import Document
from glirel_transformers.mentions_glirel import Entity as FoundEntity
from glirel_transformers.mentions_glirel import check_text
from glirel_transformers.relation_syntax import read_relation_lines
from glirel_transformers.requests_glirel import read_relation_types

from . import files, groups, memory, model, review
from .examples import Example
from .session import Session
from .values import Entity
from .view import predicted, relation_names
from .workspace import Workspace


class Desk:
    """What Gradio keeps for each visitor. Events may overlap; each takes the lock, so that none works on old values.

    Attributes:
        workspace: what the visitor is working on.
        note: a message to show next to the text.
        open_at: the entity whose form is to open.
        problem: what was wrong when the model was last asked.
        asks_to_remove: whether the last click was the first of two that empty the data set.
        revision: counts how often the desk itself changed what is in the boxes for text and relations. Values from a
            page that does not show the latest are out of date, and are ignored.
        turn: counts the events, so that a form can open twice at the same entity.
        shown: what the page shows, so that only what is new is sent.
        collected: the data set and its queue, and what the page shows of them.
    """

    def __init__(self, workspace: Workspace | None = None) -> None:
        self.workspace = workspace or Workspace()
        self.note = ""
        self.open_at: int | None = None
        self.revision = 0
        self.turn = 0
        self.problem: str | None = None
        self.asks_to_remove = False
        self.shown: list[object] = []
        self.collected: tuple[tuple[tuple[Document, ...], tuple[str, ...]], Mapping[str, object]] | None = None
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
            asked = self.asks_to_remove
            yield
            self.asks_to_remove &= not asked  # only the very next click counts

    def put(self, session: Session, kind: str = "", **changes: Any) -> None:
        """Takes a step that can be undone.

        Raises:
            ValueError: when the browser could not remember it.
        """
        held = len(self.session.examples) + len(self.session.queue)
        if len(session.examples) + len(session.queue) > held and memory.used(session) > 1:
            raise ValueError(
                "That is more than a browser can remember, so a reload of the page would lose it. Download the data "
                "set as JSONL, remove its examples here, and start another one; training reads several files. Of "
                "texts to label, upload fewer at once."
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

    def type_entity_types(self, lines: str) -> None:
        """Takes over the names of the entity types to find."""
        check_text(lines, "The list of entity types")
        self.put(replace(self.session, entity_lines=lines), "entity types")

    def take_relations(self, lines: str) -> None:
        """Replaces the relations by a ready-made set, and the entity types to find by those that it names."""
        session = replace(self.session, relation_lines=lines)
        if model.finds_entities():
            settings = read_relation_lines(lines).values()
            named = [name for of in settings for side in ("head", "tail") for name in of.get(side, ())]
            session = replace(session, entity_lines="\n".join(dict.fromkeys(named)))
        self.put(session)
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

    def find_again(self, revision: float, threshold: float, overlap: str, multi_label: bool) -> None:
        """Moves the slider and the settings of entities that are found; the model runs again where it did before."""
        with self.lock:
            session = replace(
                self.session, entity_threshold=float(threshold), overlap=str(overlap), multi_label=bool(multi_label)
            )
            if revision != self.revision or session == self.session:
                return
            self.workspace = replace(self.workspace, session=session)
        self.extract_again()

    def mark(self, start: int, end: int) -> None:
        """Marks a part of the text and opens its form."""
        session, self.open_at, self.note = self.session.mark(start, end, None)
        self.put(session)

    def relabel(self, span: str, label: str, everywhere: bool, same: str | None = None) -> None:
        """Gives an entity its type, and says what it is the same as.

        Args:
            span: identifies the mark, such as `"0-11"`.
            label: the type; a new one is that of all its entity's marks.
            everywhere: whether all marks of the type that it had get it too.
            same: another mark of the entity that this one is; `""` where it is an entity of its own, `None` where
                that stays as it is.
        """
        check_text(label, "The type")
        if (position := self._position(span)) is None:
            return
        session, kind, before = self.session, label.strip() or None, self.session.entities[position].label
        if same is not None:
            session, self.note = self._same(session, position, same)
        if same is None or kind != before:
            session = session.relabel(position, kind, everywhere)
        self.put(session)

    def _same(self, session: Session, position: int, same: str) -> tuple[Session, str]:
        if not same:
            return session.split(position), ""
        other = self._position(same)
        return (session, "") if other is None else session.join(position, other)

    def unmark(self, span: str) -> None:
        """Deletes a mark."""
        if (position := self._position(span)) is not None:
            self.put(self.session.unmark(position))

    def clear_marks(self) -> None:
        """Deletes all marks, and with them the decisions on their relations."""
        found = tuple(mark.span for mark in self.session.entities if mark.is_found)
        removed = (*self.session.removed, *found)
        self.put(replace(self.session, entities=(), decisions=(), removed=removed))

    def _position(self, span: str) -> int | None:
        """Position of a mark: marks may have come and gone since the page was drawn."""
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

    def extract(self, revision: float, text: str, relation_lines: str, entity_lines: str = "") -> None:
        """Runs the model, with the lock open meanwhile; what is in the boxes counts if it is of this `revision`."""
        with self.lock:
            if revision == self.revision:
                self.type_text(text)
                self.type_relations(relation_lines)
                self.type_entity_types(entity_lines)
            session = self.session
        model.check_text(session.text)
        types = model.read_entity_lines(session.entity_lines) if model.finds_entities() else []
        known = groups.listed(session.known if types else session.entities)
        if not types and len(known) < 2:
            raise ValueError(
                "Relations hold between two entities: mark at least two in the text, or let them be found."
            )
        # Constraints act on the scores, so that they can be changed later, also where the model finds the entities.
        asked = list(read_relation_lines(session.relation_lines)) if types else session.relation_lines
        finding = {name: getattr(session, name) for name in ("entity_threshold", "overlap", "multi_label")}
        scores = model.score(session.text, list(map(_given, known)), asked, types, finding)
        with self.lock:
            if self.session.text == session.text:
                if types:
                    self.put(self.session.with_found(map(_found, scores.entities[len(known) :])), "found")
                now = replace(self.session, has_results=True)
                self.workspace = replace(self.workspace, session=now, scores=scores, asked_entity_types=tuple(types))
                self._constrain()

    def extract_again(self) -> None:
        """Computes the results that the browser does not remember."""
        session = self.session
        if session.has_results:
            self.extract(self.revision, session.text, session.relation_lines, session.entity_lines)

    def decide(self, key: str, action: str, relation: str | None = None) -> None:
        """Accepts, rejects, renames or reverses a relation of the list."""
        self.put(review.decide(self.workspace, key, action, relation))

    def accept_all(self) -> None:
        """Accepts every relation that is not decided yet."""
        self.put(review.accept_all(self.workspace))

    def add(self, head: int | None, relation: str | None, tail: int | None) -> None:
        """Adds a relation that the model missed; head and tail are positions of entities."""
        self.put(review.add(self.workspace, head, relation, tail))

    def complete(self, complete: bool) -> None:
        """Says whether no other relation holds in this text."""
        self.put(replace(self.session, complete=bool(complete)), "complete")

    def save(self) -> None:
        """Adds the example to the data set, with what is decided."""
        model.check_text(self.session.text)
        document = self.session.to_document(predicted(self.workspace), relation_names(self.workspace))
        self.put(self.session.save(document))

    def save_and_next(self) -> None:
        """Adds the example to the data set, and takes the next text of the queue."""
        self.save()
        self.put(self.session.next(), scores=None)

    def skip(self) -> None:
        """Takes the next text of the queue; this one goes to its end."""
        text, session = self.session.text, self.session.next()
        self.put(session.wait([text]) if text.strip() else session, scores=None)

    def extract_next(self) -> None:
        """Runs a model that finds entities on the text that was taken, where something is asked for."""
        session = self.session
        asked = session.entity_lines.strip() and session.relation_lines.strip()
        if model.finds_entities() and asked and session.text.strip() and self.workspace.scores is None:
            self.extract(self.revision, session.text, session.relation_lines, session.entity_lines)

    def take_example(self, example: Example) -> None:
        """Puts one of the ready-made texts on the desk; a model that finds entities gets their types alone."""
        session = replace(
            self.session,
            text=example.text,
            entities=example.entities,
            relation_lines=example.relation_lines,
            decisions=(),
            complete=False,
            history=(),
            has_results=False,
            removed=(),
        )
        if model.finds_entities():
            types = dict.fromkeys(mark.label for mark in example.entities if mark.label)
            session = replace(session, entities=(), entity_lines="\n".join(types))
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
        """Empties the data set, at the second click in a row."""
        if self.asks_to_remove:
            self.put(replace(self.session, examples=()))
        self.asks_to_remove = not self.asks_to_remove

    def undo(self) -> None:
        """Goes back a step."""
        self.workspace = self.workspace.undo()
        self._constrain()

    def upload(self, path: str) -> None:
        """Adds the examples of a file to the data set, or its texts to the queue.

        Where the desk is empty, the last example is opened, or the first text taken.
        """
        found = files.read(path)
        if texts := [one for one in found if isinstance(one, str)]:
            self._queue(texts)
            return
        documents = [one for one in found if isinstance(one, Document)]
        session = self.session.merge(documents)
        if not session.text.strip():
            session = session.open(len(session.examples) - 1)
        self.put(session, scores=self.workspace.scores if session.text == self.session.text else None)
        self.note = f"{len(documents)} example{'' if len(documents) == 1 else 's'} uploaded."

    def _queue(self, texts: Sequence[str]) -> None:
        for number, text in enumerate(texts, start=1):
            try:
                model.check_text(text)
            except ValueError as error:
                raise ValueError(f"Text {number} of {len(texts)}: {error}") from error
        session = self.session.wait(texts)
        number = len(session.queue) - len(self.session.queue)
        self.put(session if session.text.strip() or not session.queue else session.next())
        again = f"; {len(texts) - number} are here already" if number < len(texts) else ""
        self.note = f"{number} text{'' if number == 1 else 's'} uploaded{again}."

    def restore(self, remembered: object, examples: object = None) -> None:
        """Restores what the browser remembers; [`extract_again`] computes its results."""
        own = {
            "threshold": model.threshold(),
            "entity_threshold": model.entity_threshold(),
        }
        self.workspace = Workspace(Session(threshold=own["threshold"], entity_threshold=own["entity_threshold"]))
        known = dict(remembered) if isinstance(remembered, dict) else {}
        if isinstance(examples, dict):
            known |= examples
        elif examples is not None:  # of a version without a queue
            known["examples"] = examples
        session, problems = memory.from_dict({**own, **known})
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


def _given(marks: Sequence[Entity]) -> dict[str, Any]:
    """An entity as the pipeline takes it."""
    first, *others = marks
    places = {"mentions": [mark.span for mark in marks]} if others else {"start": first.start, "end": first.end}
    return {**places, "label": first.label}


def _found(entity: FoundEntity) -> Entity:
    """A mark of what the pipeline found."""
    return Entity(entity.start, entity.end, entity.label, scores=entity.scores)


def _attempt(action: Callable[..., None], *arguments: Any) -> str | None:
    try:
        action(*arguments)
    except (ValueError, TypeError, OSError, ImportError) as error:
        return str(error)
    return None
