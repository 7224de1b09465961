"""What a protocol makes of one text: its passes, one after the other, and the document in the end."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from glirel_transformers.data import Document
from glirel_transformers.evidence_glirel import split_sentences
from glirel_transformers.text_glirel import Span

from .answers import Answer, FoundRelation
from .asking import Asker, Unanswered
from .building import Builder, Findings, Occurrences, PlacedEntity, compare
from .exclusion import Exclusion
from .limits import Stopping
from .protocols import GROUPS, Protocol, groups_as_text
from .store import Reply
from .texts import Passage


@dataclass(frozen=True)
class Plan:
    """How texts are annotated.

    Args:
        protocol: the protocol.
        instructions: what the model is told besides.
        groups: the semantic groups.
        occurrences: which occurrences of a name are mentions, where the model does not say.
        exclusion: the relation names that are kept out.
    """

    protocol: Protocol
    instructions: str | None = None
    groups: Mapping[str, str] = field(default_factory=lambda: GROUPS)
    occurrences: Occurrences = "all"
    exclusion: Exclusion = field(default_factory=Exclusion)


@dataclass
class Outcome:
    """What became of a text.

    Args:
        passage: the text.
        status: `made` into a document, `failed`, or `pending`, to be asked by a later run.
        document: the document, if it was made.
        reason: why it failed.
        detail: what was wrong, in a sentence.
        step: in which pass.
        replies: what was answered there.
        findings: what became of what was found.
    """

    passage: Passage
    status: Literal["made", "failed", "pending"]
    document: Document | None = None
    reason: str = ""
    detail: str = ""
    step: str = ""
    replies: list[Reply] = field(default_factory=list)
    findings: Findings = field(default_factory=Findings)


def annotate(passage: Passage, plan: Plan, asker: Asker) -> Outcome:
    """Annotates a text."""
    sentences = _sentences_of(passage) if plan.protocol.by_sentence else []
    builder = Builder(passage.text, sentences, plan.occurrences, plan.exclusion)
    entities = given_entities(passage) if plan.protocol.needs_entities else []
    answers: list[Answer] = []
    step = plan.protocol.passes[0]
    try:
        for step in plan.protocol.passes:
            if step.gives == ("relations",) and len(entities) < 2:
                break  # there is nothing to ask
            values = prompt_values(passage.text, sentences, entities, plan.groups, answers[-1] if answers else None)
            answer, _ = asker.ask(step, step.messages(values, plan.instructions))
            if answers and answers[-1].entities is not None and answer.entities is not None:
                compare(answers[-1], answer, builder.findings)
            answers.append(answer)
            if answer.entities is not None and step.gives == ("entities",):
                entities = builder.place(answer.entities)
    except Unanswered as error:
        return Outcome(passage, "failed", None, error.reason, error.detail, step.name, error.replies)
    except Stopping:
        return Outcome(passage, "pending")
    last = answers[-1] if answers else Answer()
    if last.entities is not None and last.relations is not None:
        entities = builder.place(last.entities)
    document = _document(passage, plan.protocol, builder, entities, last.relations or (), asker.model)
    return Outcome(passage, "made", document, findings=builder.findings)


def _document(
    passage: Passage,
    protocol: Protocol,
    builder: Builder,
    entities: Sequence[PlacedEntity],
    relations: Sequence[FoundRelation],
    model: str,
) -> Document:
    before = () if passage.document is None else passage.document.history
    return builder.document(
        entities,
        relations,
        entities_exhaustive=_knows_entities(passage) if protocol.needs_entities else None,
        source=passage.source or f"synthesis-{protocol.name}",
        title=passage.title,
        history=(*before, f"annotated: {model}, protocol {protocol.name}"),
    )


def prompt_values(
    text: str,
    sentences: Sequence[Span],
    entities: Sequence[PlacedEntity],
    groups: Mapping[str, str],
    draft: Answer | None = None,
) -> dict[str, str]:
    """What is filled into prompts."""
    numbered = [f"[{number}] {' '.join(text[start:end].split())}" for number, (start, end) in enumerate(sentences)]
    return {
        "text": text,
        "sentences": "\n".join(numbered),
        "entities": "\n".join(_entity_line(entity, text) for entity in entities),
        "groups": groups_as_text(groups),
        "draft": "" if draft is None else _draft(draft),
    }


def _entity_line(entity: PlacedEntity, text: str) -> str:
    """Such as `3: Marie Curie / she (person)`."""
    names = dict.fromkeys(" ".join(text[start:end].split()) for start, end in entity.spans)
    return f"{entity.id}: {' / '.join(names)}{f' ({entity.type})' if entity.type else ''}"


def _draft(answer: Answer) -> str:
    """An answer as JSON, in the form in which it was asked for."""
    entities = [{"id": one.id, "text": one.mentions[0].text, "type": one.type} for one in answer.entities or ()]
    relations = [
        {"head": one.head, "relation": one.relation, "tail": one.tail, "group": one.group}
        for one in answer.relations or ()
    ]
    return json.dumps({"entities": entities, "relations": relations}, ensure_ascii=False)


def given_entities(passage: Passage) -> list[PlacedEntity]:
    """The entities of a text that has them; their numbers are those of the prompt."""
    if passage.document is None:
        return []
    _, mentions = passage.document.to_text()
    placed = []
    for number, entity in enumerate(passage.document.entities):
        spans = tuple((mentions[position]["start"], mentions[position]["end"]) for position in entity)
        is_cluster = passage.document.mentions[entity[0]].entity is not None
        placed.append(PlacedEntity(str(number), mentions[entity[0]]["label"], spans, is_cluster))
    return placed


def _sentences_of(passage: Passage) -> list[Span]:
    known = passage.document.char_sentences() if passage.document is not None else None
    return split_sentences(passage.text) if known is None else known


def _knows_entities(passage: Passage) -> bool:
    """Whether all entities of a text are given; those that a recogniser found are not known to be all."""
    document = passage.document
    if document is None:
        return False
    return document.exhaustive if document.entities_exhaustive is None else document.entities_exhaustive
