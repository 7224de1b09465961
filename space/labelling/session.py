"""What one visitor is working on. Sessions never change: every action gives a new one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from typing import Any

from glirel_transformers.data import Document, Relation
from glirel_transformers.text_glirel import split_words

from .edits import follow, move_decision
from .values import ACCEPTED, ADDED, CHANGED, REJECTED, Decision, Entity, Span, Triple

_words = lru_cache(maxsize=8)(split_words)


@dataclass(frozen=True)
class Session:
    """Everything of one visitor that a reload of the page must not lose."""

    text: str = ""
    entities: tuple[Entity, ...] = ()
    relation_lines: str = ""
    threshold: float = 0.5
    top_k: int = 1
    has_results: bool = False
    decisions: tuple[Decision, ...] = ()
    history: tuple[str, ...] = ()
    examples: tuple[Document, ...] = ()

    # The text and its entities

    def with_text(self, text: str) -> tuple[Session, str]:
        """Another text, in which entities whose words only moved keep their marks; and a message for the visitor."""
        if text == self.text:
            return self, ""
        session = replace(self, text=text, entities=(), decisions=(), has_results=False)
        moved: dict[Span, Span] = {}
        move, lost = follow(self.text, text), []
        for entity in self.entities:
            span = move(entity.start, entity.end)
            size = len(session.entities)
            if span is not None:  # letters typed at its end make it grow to the whole word
                session, position, _ = session.mark(*span, entity.label)
                if len(session.entities) > size and position is not None:
                    moved[entity.span] = session.entities[position].span
            if len(session.entities) == size:
                lost.append(self.surface(entity))
        decisions = tuple(d for d in (move_decision(decision, moved) for decision in self.decisions) if d is not None)
        session = replace(session, decisions=decisions, history=self.history if moved else ())
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
        entities = tuple(sorted([*self.entities, new], key=lambda entity: (entity.start, -entity.end)))
        return replace(self, entities=entities), entities.index(new), ""

    def relabel(self, position: int, label: str | None, everywhere: bool = False) -> Session:
        """Gives an entity another type, or all that have the same type."""
        chosen = self.entities[position]
        return replace(
            self,
            entities=tuple(
                replace(entity, label=label)
                if at == position or (everywhere and entity.label == chosen.label)
                else entity
                for at, entity in enumerate(self.entities)
            ),
        )

    def unmark(self, position: int) -> Session:
        """Deletes an entity, and the decisions on its relations."""
        gone = self.entities[position].span
        return replace(
            self,
            entities=self.entities[:position] + self.entities[position + 1 :],
            decisions=tuple(d for d in self.decisions if gone not in (d.triple.head, d.triple.tail)),
        )

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

    def to_document(self, predicted: Iterable[tuple[Triple, float]], exhaustive: bool) -> Document:
        """The text with its entities and the relations that hold: predicted and not rejected, changed, or added.

        Raises:
            ValueError: when there is nothing to learn from.
        """
        if len(self.entities) < 2:
            raise ValueError("An example needs at least two entities. Mark them in the text.")
        position = {entity.span: index for index, entity in enumerate(self.entities)}
        unreviewed = self._unreviewed(predicted)
        held = [*(d.triple for d in self.decisions if d.verdict != REJECTED), *(d.triple for d in unreviewed)]
        triples = [triple for triple in held if {triple.head, triple.tail} <= position.keys()]
        if not triples and not exhaustive:
            raise ValueError(
                "There is no relation to save. Accept or add one, or say that the list is complete: then the example "
                "teaches that nothing holds."
            )
        relations = [Relation(position[t.head], position[t.tail], t.relation) for t in dict.fromkeys(triples)]
        history = (*self.history, *(f"{d.verdict}: {self.describe(d)}" for d in unreviewed))
        return Document.from_text(
            self.text,
            [asdict(entity) for entity in self.entities],
            relations,
            exhaustive=exhaustive,
            source="labelled",
            history=history,
        )

    def _unreviewed(self, predicted: Iterable[tuple[Triple, float]]) -> list[Decision]:
        """Predictions on which there is no decision, as decisions to keep them."""
        judged = {d.triple for d in self.decisions} | {d.was for d in self.decisions}
        return [Decision(triple, "kept unreviewed", score) for triple, score in predicted if triple not in judged]

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

    def merge(self, documents: Iterable[Document]) -> Session:
        """Adds the examples of a file; one with the same words and entities replaces the older one."""
        merged = {(tuple(e.words), tuple(spans_of(e))): e for e in [*self.examples, *documents]}
        return replace(self, examples=tuple(merged.values()))

    def open(self, number: int) -> Session:
        """Opens an example of the data set, to look at or to continue; its relations count as accepted."""
        document = self.examples[number]
        if document.text is not None:  # text boxes have one kind of line end
            lines = document.text.replace("\r\n", "\n").replace("\r", "\n")
            document = replace(document, text=lines)
        text, entities = document.to_text()
        spans = [Span(entity["start"], entity["end"]) for entity in entities]
        decisions = tuple(
            Decision(Triple(spans[r.head], r.relation_type, spans[r.tail]), ACCEPTED) for r in document.relations
        )
        marked = tuple(sorted((Entity(**entity) for entity in entities), key=lambda e: (e.start, -e.end)))
        return replace(
            self, text=text, entities=marked, decisions=decisions, history=tuple(document.history), has_results=False
        )


def spans_of(document: Document) -> list[tuple[int, int]]:
    """Where an example's entities are, in words."""
    return [(mention.start, mention.end) for mention in document.mentions]


def with_identifiers(document: Document, old: Document) -> Document:
    """`document` with what the page does not show of its older version, of the same words.

    That is coreference, names, identifiers, evidence, sentences, the title and the source.
    """
    known = {(m.start, m.end): (m.entity, m.names) for m in old.mentions}
    spans, old_spans = spans_of(document), spans_of(old)
    identifiers = {
        (old_spans[r.head], old_spans[r.tail], r.relation_type): (r.relation_id, r.evidence) for r in old.relations
    }
    mentions = [(m, *known.get((m.start, m.end), (None, ()))) for m in document.mentions]
    relations = [
        (r, *identifiers.get((spans[r.head], spans[r.tail], r.relation_type), (None, ()))) for r in document.relations
    ]
    return replace(
        document,
        mentions=[replace(m, entity=entity, names=names) for m, entity, names in mentions],
        relations=[replace(r, relation_id=identifier, evidence=evidence) for r, identifier, evidence in relations],
        source=old.source,
        title=old.title,
        sentences=old.sentences,
    )
