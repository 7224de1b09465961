"""What one visitor is working on. Sessions never change: every action gives a new one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from glirel_transformers.data import Document, Relation
from glirel_transformers.relation_syntax import read_relation_lines
from glirel_transformers.text_glirel import split_words

from . import groups
from .documents import opened, spans_of, with_groups, with_identifiers
from .edits import follow, move_decision
from .values import ADDED, CHANGED, REJECTED, Decision, Entity, Span, Triple

_words = lru_cache(maxsize=8)(split_words)


@dataclass(frozen=True)
class Session:
    """Everything of one visitor that a reload of the page must not lose.

    `entities` are the marks, in the order of the text. From `entity_lines` to `removed` it is for models that find
    entities: the names of their types, how they are found, and where a person deleted one that was found.
    `complete` says that no relation holds but those that are decided. `queue` are the texts that wait.
    """

    text: str = ""
    entities: tuple[Entity, ...] = ()
    relation_lines: str = ""
    threshold: float = 0.5
    top_k: int = 1
    entity_lines: str = ""
    entity_threshold: float = 0.5
    overlap: str = "flat"
    multi_label: bool = False
    removed: tuple[Span, ...] = ()
    has_results: bool = False
    decisions: tuple[Decision, ...] = ()
    complete: bool = False
    history: tuple[str, ...] = ()
    examples: tuple[Document, ...] = ()
    queue: tuple[str, ...] = ()

    # The text and its entities

    def with_text(self, text: str) -> tuple[Session, str]:
        """Another text, in which entities whose words only moved keep their marks; and a message for the visitor."""
        if text == self.text:
            return self, ""
        session = replace(self, text=text, entities=(), decisions=(), has_results=False)
        moved: dict[Span, Span] = {}
        kept: dict[Span, Entity] = {}
        move, lost = follow(self.text, text), []
        for entity in self.entities:
            span = move(*(entity.core or entity.span))
            size = len(session.entities)
            if span is not None:  # letters typed beside it make it grow to the whole word, for as long as they do
                session, position, _ = session.mark(*span, entity.label)
                if len(session.entities) > size and position is not None:
                    place = moved[entity.span] = session.entities[position].span
                    core = None if span == place else span
                    kept[place] = replace(entity, start=place.start, end=place.end, core=core)
            if len(session.entities) == size:
                lost.append(self.surface(entity))
        session = replace(
            session,
            entities=groups.ordered(kept[mark.span] for mark in session.entities),
            removed=tuple(place for place in (move(*span) for span in self.removed) if place is not None),
        )
        for marks in groups.listed(self.entities):  # an entity goes on at what is left of it
            if left := [moved[mark.span] for mark in marks if mark.span in moved]:
                moved.update({mark.span: left[0] for mark in marks if mark.span not in moved})
        decisions = tuple(d for d in (move_decision(decision, moved) for decision in self.decisions) if d is not None)
        session = replace(
            session,
            decisions=decisions,
            complete=self.complete and bool(moved),
            history=self.history if moved else (),
        )
        note = f"No longer in the text, so no longer marked: {', '.join(lost)}." if lost and moved else ""
        return session, note

    def mark(self, start: int, end: int, label: str | None) -> tuple[Session, int | None, str]:
        """Marks the whole words that `[start, end)` touches.

        Returns:
            The session, the position of the new entity in it, and a message for the visitor.
        """
        words = [span for span in _words(self.text) if span[0] < end and start < span[1] and start < end]
        if not words:
            return self, None, "There is no word to mark."
        new = Entity(words[0][0], words[-1][1], label)
        for position, old in enumerate(self.entities):
            if old.span == new.span:
                return self, position, f"“{self.surface(old)}” is marked already: click it to change its type."
            if old.start < new.start < old.end < new.end or new.start < old.start < new.end < old.end:
                return (
                    self,
                    None,
                    f"“{self.surface(new)}” and “{self.surface(old)}” overlap in part. One may lie inside the other, "
                    "but not across its end: mark less, or more.",
                )
        entities = groups.ordered([*self.entities, new])
        return replace(self, entities=entities), entities.index(new), ""

    def relabel(self, position: int, label: str | None, everywhere: bool = False) -> Session:
        """Gives an entity another type, or all that have the same type; what a model found is then confirmed."""
        chosen = self.entities[position]
        own = groups.marks_of(self.entities, chosen)
        return replace(
            self,
            entities=tuple(
                replace(entity, label=label, scores=())
                if entity in own or (everywhere and entity.label == chosen.label)
                else entity
                for entity in self.entities
            ),
        )

    def unmark(self, position: int) -> Session:
        """Deletes a mark, and if its entity has no other, the decisions on its relations."""
        gone = self.entities[position]
        session = self._marked(groups.ordered(self.entities[:position] + self.entities[position + 1 :]))
        return replace(session, removed=(*self.removed, gone.span)) if gone.is_found else session

    def join(self, position: int, other: int) -> tuple[Session, str]:
        """Makes two entities one, with the marks of both; and a message for the visitor."""
        one, into = self.entities[position], self.entities[other]
        if one == into or (one.group is not None and one.group == into.group):
            return self, "They are one entity already."
        session = self._marked(groups.joined(self.entities, one, into))
        marks = groups.marks_of(session.entities, session.entities[position])
        line = f"one entity: {', '.join(map(self.surface, marks))}"
        return replace(session, history=(*self.history, line)), ""

    def split(self, position: int) -> Session:
        """Makes a mark an entity of its own."""
        chosen = self.entities[position]
        if chosen.group is None:
            return self
        entities = [replace(mark, group=None) if mark == chosen else mark for mark in self.entities]
        line = f"an entity of its own: {self.surface(chosen)}"
        return replace(self._marked(groups.ordered(entities)), history=(*self.history, line))

    def _marked(self, entities: tuple[Entity, ...]) -> Session:
        """With other marks; decisions follow their entities."""
        decisions = groups.move_decisions(self.decisions, self.entities, entities)
        return replace(self, entities=entities, decisions=decisions)

    @property
    def known(self) -> tuple[Entity, ...]:
        """Marks that a person made, confirmed, or judged a relation of: no model changes these."""
        places = groups.first_marks(self.entities)
        judged = {place for d in self.decisions for place in (d.triple.head, d.triple.tail)}
        return tuple(mark for mark in self.entities if not mark.is_found or places[mark.span] in judged)

    def with_found(self, found: Iterable[Entity]) -> Session:
        """With what a model found, in place of what it found before; marks that are known stay as they are.

        What a person has deleted does not come back.
        """
        session = replace(self, entities=groups.ordered(self.known))
        for mark in found:
            taken = [old.start < mark.end and mark.start < old.end for old in session.entities]
            if mark.span in self.removed or (self.overlap == "flat" and any(taken)):
                continue
            size = len(session.entities)
            session, _, _ = session.mark(mark.start, mark.end, mark.label)
            if len(session.entities) > size:
                entities = (mark if other.span == mark.span else other for other in session.entities)
                session = replace(session, entities=tuple(entities))
        return session

    def with_entities(self, entities: Iterable[Mapping[str, Any]]) -> tuple[Session, str]:
        """Adds entities that a recogniser found, except where one is marked already."""
        session, added = self, 0
        for entity in entities:
            start, end = entity["start"], entity["end"]
            if any(old.start < end and start < old.end for old in session.entities):
                continue
            session, position, _ = session.mark(start, end, entity["label"])
            added += position is not None
        if not added:
            return session, "No further entities found."
        return session, f"{added} {'entity' if added == 1 else 'entities'} found."

    def surface(self, item: Entity | Span) -> str:
        """The text of an entity or a span."""
        return self.text[item.start : item.end]

    @property
    def other_names(self) -> dict[Span, tuple[str, ...]]:
        """What else the text calls each entity of several marks, by its place."""
        names: dict[Span, tuple[str, ...]] = {}
        for first, *others in groups.listed(self.entities):
            if others:
                called = dict.fromkeys(map(self.surface, others))
                names[first.span] = tuple(name for name in called if name != self.surface(first))
        return names

    # Verdicts on relations

    def decide(self, triple: Triple, verdict: str, score: float | None, was: Triple | None = None) -> Session:
        """Records a verdict on a relation; the same verdict again takes it back."""
        same = Decision(triple, verdict, score, was)
        others = tuple(d for d in self.decisions if d.triple != triple and d.was != triple)
        if same in self.decisions:
            return replace(self, decisions=others, history=(*self.history, f"took back: {self.describe(same)}"))
        return replace(self, decisions=(*others, same), history=(*self.history, f"{verdict}: {self.describe(same)}"))

    def change(self, triple: Triple, new: Triple, score: float | None) -> Session:
        """Replaces a relation by one of another name or direction."""
        before = next((d for d in self.decisions if d.triple == triple), None)
        if before is not None and before.verdict == ADDED:
            return self.decide(triple, ADDED, None).decide(new, ADDED, None)
        origin = triple if before is None or before.was is None else before.was
        session = replace(self, decisions=tuple(d for d in self.decisions if d.triple not in (triple, new)))
        if new == origin:
            return replace(session, history=(*self.history, f"changed back: {self.describe_triple(new)}"))
        return session.decide(new, CHANGED, score, origin)

    def describe_triple(self, triple: Triple) -> str:
        """A relation in words."""
        return f"{self.surface(triple.head)} → {triple.relation} → {self.surface(triple.tail)}"

    def describe(self, decision: Decision) -> str:
        """A decision as a line of its history."""
        was = f", was {self.describe_triple(decision.was)}" if decision.was else ""
        score = "" if decision.score is None else f" ({decision.score:.2f})"
        return f"{self.describe_triple(decision.triple)}{was}{score}"

    # The data set

    def undecided(self, predicted: Iterable[tuple[Triple, float]]) -> list[Triple]:
        """Predictions that nobody has accepted, rejected or changed."""
        judged = {d.triple for d in self.decisions} | {d.was for d in self.decisions}
        return [triple for triple, _ in predicted if triple not in judged]

    def to_document(self, predicted: Iterable[tuple[Triple, float]], asked: Iterable[str] = ()) -> Document:
        """The text with its entities and the relations that a person accepted, changed or added.

        Args:
            predicted: by the model. What nobody has decided is left out.
            asked: names of the relations that were looked for.

        Raises:
            ValueError: when there is nothing to learn from, or the list is said to be complete before it is reviewed.
        """
        if len(self.entities) < 2:
            raise ValueError("An example needs at least two entities. Mark them in the text.")
        position = {mark.span: index for index, mark in enumerate(self.entities)}
        held = [d.triple for d in self.decisions if d.verdict != REJECTED]
        triples = [triple for triple in held if {triple.head, triple.tail} <= position.keys()]
        undecided = self.undecided(predicted)
        if self.complete and undecided:
            raise ValueError(
                f"{len(undecided)} {'relation is' if len(undecided) == 1 else 'relations are'} not reviewed, so the "
                "list is not complete yet. Accept or reject each, or say that it is not complete: then they are left "
                "out."
            )
        if not triples and not self.complete:
            raise ValueError(
                "There is no relation to save. Accept or add one, or say that the list is complete: then the example "
                "teaches that nothing holds."
            )
        relations = [Relation(position[t.head], position[t.tail], t.relation) for t in dict.fromkeys(triples)]
        known = set(self.known)
        found = [mark for mark in self.entities if mark not in known]
        history = (
            *self.history,
            *(f"found, unreviewed: {self.surface(m)} {m.label} ({m.scores[0][1]:.2f})" for m in found),
            *(f"left out, unreviewed: {self.describe_triple(triple)}" for triple in undecided),
        )
        document = Document.from_text(
            self.text,
            [{"start": mark.start, "end": mark.end, "label": mark.label} for mark in self.entities],
            relations,
            exhaustive=self.complete,
            source="labelled",
            history=history,
            annotated_relation_types=tuple(dict.fromkeys([*asked, *(t.relation for t in triples)])) or None,
        )
        return with_groups(document, self.entities)

    def save(self, document: Document) -> Session:
        """Adds an example to the data set; it replaces the one with the same text and entities.

        Where only one example has this text, it is replaced even if its entities differ: they were corrected.
        """
        same = [at for at, example in enumerate(self.examples) if list(example.words) == list(document.words)]
        exact = [at for at in same if spans_of(self.examples[at]) == spans_of(document)]
        if not (place := exact or (same if len(same) == 1 else [])):
            return replace(self, examples=(*self.examples, document))
        saved = with_identifiers(document, self.examples[place[0]])
        examples = [*self.examples[: place[0]], saved, *self.examples[place[0] + 1 :]]
        return replace(self, examples=tuple(examples))

    def wait(self, texts: Iterable[str]) -> Session:
        """Puts texts at the end of the queue, each once; those that are examples already do not wait."""
        known = {self.text.strip(), *self.queue, *((example.text or "").strip() for example in self.examples)}
        new = (text for text in dict.fromkeys(map(str.strip, texts)) if text and text not in known)
        return replace(self, queue=(*self.queue, *new))

    def next(self) -> Session:
        """Takes the next text of the queue; what is asked for stays.

        Raises:
            ValueError: when none waits.
        """
        if not self.queue:
            raise ValueError("No text waits. Upload a file of texts: .txt, with an empty line between two, or .jsonl.")
        fresh = Session(text=self.queue[0], examples=self.examples, queue=self.queue[1:])
        kept = ("relation_lines", "threshold", "top_k", "entity_lines", "entity_threshold", "overlap", "multi_label")
        return replace(fresh, **{name: getattr(self, name) for name in kept})

    def merge(self, documents: Iterable[Document]) -> Session:
        """Adds the examples of a file; one with the same words and entities replaces the older one."""
        merged = {(tuple(e.words), tuple(spans_of(e))): e for e in [*self.examples, *documents]}
        return replace(self, examples=tuple(merged.values()))

    def open(self, number: int) -> Session:
        """Opens an example of the data set, to look at or to continue; its relations count as accepted.

        The relations that it was asked for come with it, unless they are asked for already.
        """
        document = self.examples[number]
        text, entities, decisions = opened(document)
        names = document.annotated_relation_types or tuple(dict.fromkeys(r.relation_type for r in document.relations))
        return replace(
            self,
            text=text,
            entities=entities,
            relation_lines=self.relation_lines if _asks_for(self.relation_lines, names) else "\n".join(names),
            decisions=decisions,
            complete=document.exhaustive,
            history=tuple(document.history),
            has_results=False,
            removed=(),
        )


def _asks_for(lines: str, names: Iterable[str]) -> bool:
    """Whether lines of relations name all of `names`."""
    try:
        return set(names) <= set(read_relation_lines(lines))
    except ValueError:
        return False
