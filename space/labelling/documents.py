"""Examples of the data set as marks and decisions, and back: what the page does not show of them is kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from glirel_transformers.data import Document, Mention, Relation

from . import groups
from .values import ACCEPTED, Decision, Entity, Span, Triple


def spans_of(document: Document) -> list[tuple[int, int]]:
    """Where an example's marks are, in words."""
    return [(mention.start, mention.end) for mention in document.mentions]


def opened(document: Document) -> tuple[str, tuple[Entity, ...], tuple[Decision, ...]]:
    """The text, the marks and the relations of an example.

    A relation is that of the entities, whose place is their first mark. One within an entity is not shown.
    """
    if document.text is not None:  # text boxes have one kind of line end
        lines = document.text.replace("\r\n", "\n").replace("\r", "\n")
        document = replace(document, text=lines)
    text, mentions = document.to_text()
    several = [entity for entity in document.entities if len(entity) > 1]
    group_of = {position: number for number, entity in enumerate(several, start=1) for position in entity}
    marks = groups.ordered(Entity(**mention, group=group_of.get(at)) for at, mention in enumerate(mentions))
    place = groups.first_marks(marks)
    spans = [place[Span(mention["start"], mention["end"])] for mention in mentions]
    triples = dict.fromkeys(Triple(spans[r.head], r.relation_type, spans[r.tail]) for r in document.relations)
    return text, marks, tuple(Decision(triple, ACCEPTED) for triple in triples if triple.head != triple.tail)


def with_groups(document: Document, entities: Sequence[Entity]) -> Document:
    """An example whose mentions are these marks, with the entities of those that are one."""
    mentions = [replace(mention, entity=mark.group) for mention, mark in zip(document.mentions, entities, strict=True)]
    return replace(document, mentions=mentions)


def with_identifiers(document: Document, old: Document) -> Document:
    """`document` with what the page does not show of its older version, of the same words.

    That is for what relations it was asked, names, numbers of entities, identifiers, evidence, relations within an
    entity, between which of the mentions a relation was, sentences, the title and the source.
    """
    names = {(m.start, m.end): m.names for m in old.mentions}
    mentions = [replace(m, names=names.get((m.start, m.end), ())) for m in _with_numbers(document, old)]
    relations, asked = _with_old(replace(document, mentions=mentions), old), old.annotated_relation_types
    if asked is not None:  # else it was for any
        named = (*asked, *(document.annotated_relation_types or ()), *(r.relation_type for r in relations))
        asked = tuple(dict.fromkeys(named))
    return replace(
        document,
        mentions=mentions,
        relations=relations,
        annotated_relation_types=asked,
        source=old.source,
        title=old.title,
        sentences=old.sentences,
        self_pairs=old.self_pairs,
    )


def _with_numbers(document: Document, old: Document) -> list[Mention]:
    """The mentions, with the numbers that their entities had, each for one entity."""
    known = {(m.start, m.end): m.entity for m in old.mentions}
    mentions, used = list(document.mentions), set[int]()
    fresh = max((number for number in known.values() if number is not None), default=-1) + 1
    for entity in document.entities:
        had = [known.get(spans_of(document)[position]) for position in entity]
        number = next((number for number in had if number is not None and number not in used), None)
        if number is None and len(entity) > 1:
            number, fresh = fresh, fresh + 1
        if number is not None:
            used.add(number)
        for position in entity:
            mentions[position] = replace(mentions[position], entity=number)
    return mentions


def _with_old(document: Document, old: Document) -> list[Relation]:
    """The relations, as they were where they are the same facts, in their old order; new ones follow.

    Those within an entity, which the page does not show, stay while it has both mentions.
    """
    position = {span: at for at, span in enumerate(spans_of(document))}
    entity_of = {at: number for number, entity in enumerate(document.entities) for at in entity}
    facts = {(entity_of[r.head], entity_of[r.tail], r.relation_type) for r in document.relations}
    spans, kept = spans_of(old), list[Relation]()
    for relation in old.relations:
        head, tail = position.get(spans[relation.head]), position.get(spans[relation.tail])
        if head is None or tail is None:
            continue
        fact = entity_of[head], entity_of[tail], relation.relation_type
        if fact in facts or fact[0] == fact[1]:
            kept.append(replace(relation, head=head, tail=tail))
    known = {(entity_of[r.head], entity_of[r.tail], r.relation_type) for r in kept}
    new = [r for r in document.relations if (entity_of[r.head], entity_of[r.tail], r.relation_type) not in known]
    return [*kept, *new]
