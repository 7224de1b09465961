"""Document level: facts hold between entities, whichever mentions name them, and count as in DocRED's own script."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

from glirel_transformers.data import Document, Mention
from glirel_transformers.data.pairs import entity_none_pairs


def entity_document(document: Document) -> Document:
    """The document with each entity as one mention, its first, and each fact between two entities once.

    Where a relation joins two mentions of one entity, it joins the entity to itself, and the document has
    `self_pairs`.
    """
    first = [document.mentions[mentions[0]] for mentions in document.entities]
    entity_of = {mention: entity for entity, mentions in enumerate(document.entities) for mention in mentions}
    facts = {
        (head, tail, relation.relation_type): replace(relation, head=head, tail=tail)
        for relation in document.relations
        for head, tail in [(entity_of[relation.head], entity_of[relation.tail])]
    }
    return replace(
        document,
        # Numbered: two entities may have the same words, and stay two.
        mentions=[
            Mention(mention.start, mention.end, mention.label, entity=entity) for entity, mention in enumerate(first)
        ],
        relations=list(facts.values()),
        self_pairs=document.self_pairs or any(head == tail for head, tail, _ in facts),
        none_pairs=tuple(entity_none_pairs(document)),
    )


def entity_names(document: Document) -> list[frozenset[str]]:
    """The names of all mentions of each entity."""
    names = document.mention_names()
    return [frozenset(name for mention in mentions for name in names[mention]) for mentions in document.entities]


class TrainFacts:
    """What training documents say, by names: Ign F1 leaves out what a model may have learned by heart.

    Args:
        documents: what a model was trained on.
    """

    def __init__(self, documents: Iterable[Document]) -> None:
        self._facts: set[tuple[str, str, str]] = set()
        for document in documents:
            names = entity_names(document)
            self._facts.update(
                (head, relation.relation_type, tail)
                for relation in entity_document(document).relations
                for head in names[relation.head]
                for tail in names[relation.tail]
            )

    def __len__(self) -> int:
        """How many triples of names there are."""
        return len(self._facts)

    def state(self, heads: Collection[str], relation_type: str, tails: Collection[str]) -> bool:
        """Whether training data state a fact between two entities, under any of their names."""
        return any((head, relation_type, tail) in self._facts for head in heads for tail in tails)


def fact_scores(right: int, predicted: int, gold: int, right_in_train: int | None = None) -> dict[str, float]:
    """Micro precision, recall and F1 of facts, and Ign F1, as DocRED's own script defines them.

    Ign F1 leaves out the RIGHT predictions that training data state, from what is right and from what is predicted;
    wrong predictions that they state stay wrong, and recall stays that of all facts. (Others describe it as leaving
    out all predictions that training data state; the script does not, and it stands. Copies of the script, such as
    ATLOP's, add 1e-5 to the denominator, which changes less than is ever reported.) The script tells documents apart
    by their titles; here two documents of one title are two.

    Args:
        right: predicted facts that are gold.
        predicted: all of them.
        gold: all gold facts.
        right_in_train: right ones that training data state; without it there is no Ign F1.

    Returns:
        `precision`, `recall`, `f1`, and with `right_in_train` also `ign_precision` and `ign_f1`; 0 where a
        denominator is.
    """
    recall = _share(right, gold)
    scores = {"precision": _share(right, predicted), "recall": recall}
    scores["f1"] = _harmonic(scores["precision"], recall)
    if right_in_train is not None:
        scores["ign_precision"] = _share(right - right_in_train, predicted - right_in_train)
        scores["ign_f1"] = _harmonic(scores["ign_precision"], recall)
    return scores


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def _harmonic(precision: float, recall: float) -> float:
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0
