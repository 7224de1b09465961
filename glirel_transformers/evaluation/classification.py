"""Relation classification: the entity pair is given, and the best of several candidate relation types is wanted."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from tqdm.auto import tqdm

from glirel_transformers.data.schema import Document
from glirel_transformers.running_glirel import ScoresPairs

from .counts import summarize


class GoldPair(NamedTuple):
    """A pair of mentions of a document, and the relation type that holds between them."""

    document: Document
    head: int
    tail: int
    relation_type: str


def gold_pairs(documents: Iterable[Document]) -> list[GoldPair]:
    """Every annotated relation of `documents`, in order."""
    return [
        GoldPair(document, relation.head, relation.tail, relation.relation_type)
        for document in documents
        for relation in document.relations
    ]


@torch.inference_mode()
def score_gold_pairs(
    model: ScoresPairs,
    pairs: Sequence[GoldPair],
    candidates: Sequence[Sequence[str]],
    batch_size: int = 32,
    desc: str = "score",
) -> list[Tensor]:
    """Logits of each pair's candidate relation types; the text is read with the pair's two mentions only.

    Args:
        model: a `GLiRELForRelationClassification` with its tokenizer attached.
        pairs: what to score.
        candidates: for each pair the relation types that compete.
        batch_size: texts read at once; texts of similar length are read together.

    Returns:
        For each pair a tensor of shape `(relations,)`, in the order of its candidates.

    Raises:
        ValueError: when the model has no tokenizer.
    """
    tokenizer = model.tokenizer
    if tokenizer is None:
        raise ValueError("The model has no tokenizer. Attach the one that was saved with it: model.tokenizer = …")
    if isinstance(model, torch.nn.Module):
        model.eval()
    prompts = {types: tokenizer.read_prompt(types) for types in dict.fromkeys(map(tuple, candidates))}
    order = sorted(range(len(pairs)), key=lambda i: len(pairs[i].document.words))
    scores: list[Tensor] = [torch.empty(0)] * len(pairs)
    for first in tqdm(range(0, len(order), batch_size), desc=desc, unit="batch", leave=False, disable=None):
        indices = order[first : first + batch_size]
        words = tokenizer.read_words([pairs[i].document.words for i in indices])
        features = []
        for i, text in zip(indices, words, strict=True):
            mentions = [pairs[i].document.mentions[m] for m in (pairs[i].head, pairs[i].tail)]
            spans = [(mention.start, mention.end) for mention in mentions]
            features.append(tokenizer.build(prompts[tuple(candidates[i])], text, spans))
        batch = tokenizer.pad(features).to(model.device)
        logits = model(**batch).decision_logits[:, 0].float().cpu()  # pair 0 is (head, tail)
        for i, row in zip(indices, logits, strict=True):
            scores[i] = row[: len(candidates[i])]
    return scores


def background_scores(
    model: ScoresPairs, pairs: Sequence[GoldPair], relation_types: Sequence[str], batch_size: int = 32
) -> Tensor:
    """Mean logit of each relation type over pairs that have nothing to do with it, of shape `(relations,)`.

    A model favours some names whatever the text says. Subtracted from the scores, this mean takes that out; it is
    known before any test text is seen, from pairs of the training set.
    """
    scores = score_gold_pairs(model, pairs, [relation_types] * len(pairs), batch_size, desc="background")
    return torch.stack(scores).mean(0)


def sample_candidates(pairs: Sequence[GoldPair], number: int, seed: int = 0) -> list[list[str]]:
    """For each pair its own relation type among others of `pairs`, drawn at random, in random order.

    Args:
        pairs: what is to be classified.
        number: how many types compete, the right one included.
        seed: of what is drawn.

    Raises:
        ValueError: when `pairs` have fewer types.
    """
    names = sorted({pair.relation_type for pair in pairs})
    if not 2 <= number <= len(names):
        cure = f"Choose 2 to {len(names)}." if len(names) > 1 else "Give documents with relations of several types."
        raise ValueError(f"{number} candidates cannot be drawn from {len(names)} relation types. {cure}")
    generator = random.Random(seed)
    candidates = []
    for pair in pairs:
        others = generator.sample([name for name in names if name != pair.relation_type], number - 1)
        types = [pair.relation_type, *others]
        generator.shuffle(types)
        candidates.append(types)
    return candidates


def best_candidates(candidates: Sequence[Sequence[str]], scores: Sequence[Tensor]) -> list[str]:
    """The candidate with the highest score, for each pair."""
    return [names[int(row.argmax())] for names, row in zip(candidates, scores, strict=True)]


def macro_f1(pairs: Sequence[GoldPair], predictions: Sequence[str]) -> float:
    """Mean F1 of the relation types that occur in `pairs`."""
    gold = [pair.relation_type for pair in pairs]
    right = [name for name, predicted in zip(gold, predictions, strict=True) if name == predicted]
    counters = Counter(right), Counter(predictions), Counter(gold)
    names = sorted({*gold, *predictions})
    counts = (torch.tensor([counter[name] for counter in counters], dtype=torch.double) for name in names)
    return summarize(counts)["macro_f1"]
