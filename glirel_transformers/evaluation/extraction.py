"""Relation extraction: every pair of mentions or entities is asked for every relation type; a threshold decides."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from tqdm.auto import tqdm

from glirel_transformers.calibration_glirel import calibration_of
from glirel_transformers.data import Document, count_relation_types
from glirel_transformers.data.labels import count_elsewhere, make_labels
from glirel_transformers.extractor_glirel import RelationExtractor, check_gives_evidence
from glirel_transformers.pipeline_glirel import RelationExtractionPipeline
from glirel_transformers.scores_glirel import RelationScores
from glirel_transformers.windows_glirel import group_relation_types

from .baselines import Baseline
from .cells import CellTable
from .counts import is_predicted
from .evidence import EvidenceScore, score_evidence
from .facts import TrainFacts, entity_document, entity_names, fact_scores
from .results import ScoredDocument
from .thresholds import ThresholdCounts

Reader = RelationExtractor | RelationExtractionPipeline | Baseline
"""What reads texts whose entities are given, and scores their pairs."""


@dataclass
class Evaluation:
    """What an evaluation found.

    Args:
        relation_types: what was asked for.
        groups: the same, as it was asked for: each group next to each text.
        counts: of decisions, at all thresholds.
        num_documents: texts read.
        num_pairs: ordered pairs of their mentions, or of their entities.
        num_unscored_pairs: of these, pairs that the model does not form for at least one group: too far apart, or in
            no window. Relations between them count as missed.
        num_missed_relations: gold relations between such pairs.
        num_self_relations: gold relations of a mention or entity to itself, where such pairs were not asked for: they
            count as missed too.
        num_unasked_relations: gold relations of types that were not asked for, which count nowhere.
        num_unknown_pairs: pairs without a relation where that says nothing, which count nowhere: in documents that
            are not exhaustive, and a mention and itself in those without `self_pairs`.
        num_elsewhere: pairs with types that hold between other mentions of the same two entities, which count nowhere.
        by_entity: whether pairs were of entities, with all their mentions.
        num_train_facts: triples of names that training documents state; `None` where these were not given.
        seen_scores: probabilities of the gold facts that training documents state.
        seen_types: numbers of their types.
        evidence: how well the sentences that count most for gold facts are those that annotators chose; `None` where
            the model gives no evidence, or no document has any.
        documents: the cells of each text, where `keep_cells` asked for them.
    """

    relation_types: list[str]
    groups: list[list[str]]
    counts: ThresholdCounts = field(repr=False)
    num_documents: int = 0
    num_pairs: int = 0
    num_unscored_pairs: int = 0
    num_missed_relations: int = 0
    num_self_relations: int = 0
    num_unasked_relations: int = 0
    num_unknown_pairs: int = 0
    num_elsewhere: int = 0
    by_entity: bool = False
    num_train_facts: int | None = None
    seen_scores: list[torch.Tensor] = field(default_factory=list, repr=False)
    seen_types: list[torch.Tensor] = field(default_factory=list, repr=False)
    evidence: EvidenceScore | None = None
    documents: list[ScoredDocument] = field(default_factory=list, repr=False)

    def facts(self, threshold: float | None = None) -> dict[str, float]:
        """Micro precision, recall and F1, and Ign F1 where training facts were given, as DocRED's script defines them.

        Args:
            threshold: from which a fact counts as predicted; by default what is in use.

        Returns:
            What [`fact_scores`] returns, and the counts that it was computed from: `num_right`, `num_predicted`,
            `num_gold` and `num_right_in_train`.
        """
        used = self.counts.in_use if threshold is None else threshold
        right, predicted, gold = map(int, self.counts.by_type(threshold).sum(0).tolist())
        found = {"num_right": right, "num_predicted": predicted, "num_gold": gold}
        if self.num_train_facts is None:
            return {**fact_scores(right, predicted, gold), **found}
        of_types = zip(self.seen_scores, self.seen_types, strict=True)
        seen = sum(int(is_predicted(scores, types, used).sum()) for scores, types in of_types)
        return {**fact_scores(right, predicted, gold, seen), **found, "num_right_in_train": seen}


def evaluate_extraction(
    extract: Reader,
    documents: Sequence[Document],
    relation_types: Sequence[str] | None = None,
    *,
    threshold: float | Mapping[str, float] | None = None,
    group_size: int | None = None,
    batch_size: int = 8,
    self_pairs: bool | None = None,
    by_entity: bool = False,
    train_facts: TrainFacts | None = None,
    observe: Callable[[RelationScores], object] | None = None,
    keep_cells: bool = False,
    **options: Any,
) -> Evaluation:
    """Reads documents as the pipeline reads texts, in windows where they are long, and compares with the annotation.

    Args:
        extract: the pipeline, or a baseline.
        documents: annotated texts.
        relation_types: what is asked for; by default all types that occur in `documents`, the most frequent first.
        threshold: from which a relation counts as predicted; by default the model's own, which may differ from type
            to type. A dictionary has those of certain types, next to the model's own.
        group_size: how many relation types are asked for at once, see [`group_relation_types`].
        batch_size: windows read at once.
        self_pairs: whether each mention is also paired with itself; by default as `extract` was made.
        by_entity: asks for pairs of entities, each with all its mentions, instead of pairs of mentions: what is right
            are facts, `(head entity, type, tail entity)`, as in DocRED. Mentions of unknown entities are entities.
        train_facts: what training documents state, for Ign F1: see [`Evaluation.facts`].
        observe: is called with all scores of each document next to each group, in the same order for every model.
        keep_cells: keeps the cells of every text, for reports: 5 bytes each.
        options: as [`RelationExtractor.__call__`] takes them, such as `adjacency_threshold`.

    Raises:
        ValueError: when there is no document, or no relation type to ask for; for `train_facts` without `by_entity`.
    """
    if train_facts is not None and not by_entity:
        raise ValueError("Ign F1 is defined for facts between entities: `train_facts` needs by_entity=True.")
    texts = [document.to_entities()[:2] if by_entity else document.to_text() for document in documents]
    names = [] if train_facts is None else [entity_names(document) for document in documents]
    documents = [entity_document(document) for document in documents] if by_entity else documents
    in_gold = count_relation_types(documents)
    types = list(in_gold if relation_types is None else relation_types)
    if not documents or not types:
        raise ValueError(
            f"There is nothing to evaluate on: got {len(documents)} documents with relations of {len(in_gold)} types. "
            "Give annotated documents, and relation types that occur in them."
        )
    if isinstance(extract, Baseline):
        groups = [types]
    else:
        groups = group_relation_types(extract.tokenizer, types, group_size or "auto")
    result = Evaluation(
        types,
        groups,
        make_counts(extract, types, threshold),
        num_documents=len(documents),
        by_entity=by_entity,
        num_train_facts=None if train_facts is None else len(train_facts),
    )
    result.num_unasked_relations = sum(count for name, count in in_gold.items() if name not in types)
    unscored: dict[int, int] = {}
    sentences = _sentences(documents) if by_entity and _gives_evidence(extract) else None
    asked = {"batch_size": batch_size, "self_pairs": self_pairs, **options}
    weights: list[dict[int, float]] = []
    chosen: list[tuple[int, ...]] = []
    tables = (
        [CellTable(document, types, position) for position, document in enumerate(documents)] if keep_cells else []
    )
    for position, group, scores in _read(extract, texts, groups, sentences, asked):
        if scores.context is not None:
            for relation in documents[position].relations:
                if relation.relation_type in group and relation.evidence:
                    weights.append(dict(enumerate(scores.context.weights(relation.head, relation.tail).tolist())))
                    chosen.append(relation.evidence)
        if observe is not None:
            observe(scores)
        if position not in unscored:  # the first group, after which pairs are counted already
            result.num_pairs += scores.num_pairs
            result.num_unknown_pairs += _num_unknown_pairs(documents[position], scores)
        result.counts.begin(position)
        unscored[position] = max(unscored.get(position, 0), scores.num_unscored_pairs)
        labels = make_labels(documents[position], group, scores.pair_index)
        result.num_elsewhere += count_elsewhere(documents[position], group, scores.pair_index)
        _count(result, documents[position], group, scores, labels)
        if keep_cells:
            tables[position].add(group, scores, labels.numpy())
        if train_facts is not None:
            seen = _seen_cells(train_facts, names[position], group, scores, labels)
            numbers = [types.index(group[column]) for _, column in seen]
            result.seen_scores.append(torch.tensor([float(scores.scores[cell]) for cell in seen]))
            result.seen_types.append(torch.tensor(numbers, dtype=torch.long))
    result.num_unscored_pairs = sum(unscored.values())
    result.evidence = score_evidence(weights, chosen) if chosen else None
    result.documents = [table.finish() for table in tables]
    return result


def _gives_evidence(extract: Reader) -> bool:
    if isinstance(extract, Baseline):
        return False
    try:
        check_gives_evidence(extract.model.config)
    except ValueError:
        return False
    return True


def _sentences(documents: Sequence[Document]) -> list[list[tuple[int, int]] | None] | None:
    """The sentences of each document in characters, if any has evidence."""
    if not any(relation.evidence for document in documents for relation in document.relations):
        return None
    return [document.char_sentences() for document in documents]


def _read(
    extract: Reader,
    texts: Sequence[tuple[str, list[dict[str, Any]]]],
    groups: list[list[str]],
    sentences: Sequence[list[tuple[int, int]] | None] | None,
    options: dict[str, Any],
) -> Iterator[tuple[int, list[str], RelationScores]]:
    """Each document next to each group: its position, the group, and the scores, with evidence for `sentences`."""
    with tqdm(total=len(texts) * len(groups), unit=" texts", leave=False, disable=None) as progress:
        for group in groups:
            items = (
                {"text": text, "entities": entities, "sentences": of_text}
                for (text, entities), of_text in zip(texts, sentences or [None] * len(texts), strict=True)
            )
            found = extract(
                items,
                relation_types=group,
                truncation="window",
                return_scores=True,
                evidence=None if sentences is None else 1,
                **options,
            )
            for position, scores in enumerate(found):
                progress.update()
                yield position, group, scores


def _count(
    result: Evaluation, document: Document, group: Sequence[str], scores: RelationScores, labels: torch.Tensor
) -> None:
    """Counts the cells of a document next to a group, and the gold relations between mentions that were not paired."""
    numbers = {name: number for number, name in enumerate(result.relation_types)}
    columns = torch.tensor([numbers[name] for name in group])
    result.counts.add(torch.from_numpy(scores.scores), labels, columns)
    scored, asked = set(map(tuple, scores.pair_index.tolist())), set(group)
    for head, tail, name in {(r.head, r.tail, r.relation_type) for r in document.relations}:
        if name in asked and (head, tail) not in scored:
            result.counts.add_unscored(numbers[name])
            if head == tail and not scores.self_pairs:
                result.num_self_relations += 1
            else:
                result.num_missed_relations += 1


def make_counts(
    extract: Reader, types: Sequence[str], threshold: float | Mapping[str, float] | None
) -> ThresholdCounts:
    """Counts of relation types at a threshold for all, or at the model's own, with others for certain types."""
    if threshold is not None and not isinstance(threshold, Mapping):
        return ThresholdCounts(len(types), float(threshold))
    own = dict(threshold or {})
    if isinstance(extract, Baseline):
        least = extract.threshold
    else:
        config = extract.model.config
        least, own = config.threshold, {**calibration_of(config).thresholds, **own}
    of_numbers = {number: own[name] for number, name in enumerate(types) if name in own}
    return ThresholdCounts(len(types), float(least), of_numbers)


def _seen_cells(
    train_facts: TrainFacts,
    names: Sequence[frozenset[str]],
    group: Sequence[str],
    scores: RelationScores,
    labels: torch.Tensor,
) -> list[tuple[int, int]]:
    """The cells of the gold facts of a document next to a group that training documents state."""
    pairs = scores.pair_index.tolist()
    return [
        (row, column)
        for row, column in (labels == 1).nonzero().tolist()
        if train_facts.state(names[pairs[row][0]], group[column], names[pairs[row][1]])
    ]


def _num_unknown_pairs(document: Document, scores: RelationScores) -> int:
    """Pairs that were asked for and have no relation, where that says nothing."""
    if document.exhaustive:
        return len(document.mentions) if scores.self_pairs and not document.self_pairs else 0
    stated = document.stated_pairs
    return scores.num_pairs - sum(scores.self_pairs or head != tail for head, tail in stated)


__all__ = ["Evaluation", "Reader", "evaluate_extraction", "group_relation_types"]
