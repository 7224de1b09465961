"""How well sentences that are given as evidence for a relation agree with those that annotators chose.

Sentences are numbers, as in [`Relation.evidence`]. Two questions are asked: whether the sentences that a model weighs
most are the right ones, for relations that are given ([`score_evidence`]); and DocRED's own Evi F1, of predicted facts
with a set of sentences each ([`score_docred_evidence`]).
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from typing import NamedTuple

from .facts import fact_scores


class EvidenceScore(NamedTuple):
    """How well evidence agrees.

    Args:
        precision, recall, f1: micro, of sentences; 0 where a denominator is.
        num_right, num_predicted, num_gold: sentences.
        num_unknown: relations that were left out, as they have no gold evidence.
    """

    precision: float
    recall: float
    f1: float
    num_right: int
    num_predicted: int
    num_gold: int
    num_unknown: int = 0


def score_evidence(
    weights: Sequence[Mapping[int, float]], gold: Sequence[Collection[int]], top_k: int | None = None
) -> EvidenceScore:
    """Micro precision, recall and F1 of the sentences with the highest weights, over relations that are given.

    Of each relation the first `top_k` sentences count as predicted; of equal weights, the earlier sentence is first. A
    relation without gold evidence is left out and counted: Re-DocRED has none for the relations that it added.

    Args:
        weights: for each relation the weight of each sentence, by its number.
        gold: for each relation the sentences that annotators chose.
        top_k: how many sentences are taken. By default as many as are gold, relation by relation, so that precision,
            recall and F1 are equal where a model weighs at least that many.

    Raises:
        ValueError: when the lists are of different lengths, a weight is not a number, or `top_k` is below 1.
    """
    if len(weights) != len(gold):
        raise ValueError(
            f"Got weights of {len(weights)} relations and gold evidence of {len(gold)}; expected as many."
        )
    if top_k is not None and top_k < 1:
        raise ValueError(f"`top_k` is a number of sentences, at least 1: got {top_k}.")
    right = predicted = total = 0
    for index, (of_sentence, chosen) in enumerate(zip(weights, gold, strict=True)):
        if any(weight != weight for weight in of_sentence.values()):  # NaN
            raise ValueError(
                f"`weights[{index}]` has a weight that is not a number (NaN). Give each sentence a number."
            )
        known = set(chosen)
        ranked = sorted(of_sentence, key=lambda sentence: (-of_sentence[sentence], sentence))
        first = ranked[: len(known) if top_k is None else top_k] if known else []
        right += len(known.intersection(first))
        predicted += len(first)
        total += len(known)
    return _score(right, predicted, total, sum(not set(chosen) for chosen in gold))


def score_docred_evidence(
    predicted: Mapping[Hashable, Collection[int]], gold: Mapping[Hashable, Collection[int]]
) -> EvidenceScore:
    """Evi F1 as DocRED's own script defines it, of predicted facts with a set of sentences each.

    Right is a sentence of a predicted fact that is gold and has it as evidence. Precision is the right ones' share of
    the sentences of ALL predicted facts, wrong facts included; recall their share of the evidence of all gold facts,
    those that were not predicted included. No fact is left out: for gold facts that were annotated without evidence,
    predicted sentences are wrong.

    Args:
        predicted: the sentences of each predicted fact; a fact is any key, such as `(document, head, type, tail)`.
        gold: the evidence of each gold fact, by the same keys.
    """
    right = sum(len(set(sentences) & set(gold.get(fact, ()))) for fact, sentences in predicted.items())
    totals = [sum(len(set(sentences)) for sentences in facts.values()) for facts in (predicted, gold)]
    return _score(right, *totals)


def _score(right: int, predicted: int, gold: int, unknown: int = 0) -> EvidenceScore:
    return EvidenceScore(
        **fact_scores(right, predicted, gold),
        num_right=right,
        num_predicted=predicted,
        num_gold=gold,
        num_unknown=unknown,
    )
