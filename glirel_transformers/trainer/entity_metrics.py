"""What a model finds, against the entities that are right: precision, recall and F1, and the best threshold.

An entity is right where its words and its type are. Axes: `batch, words, widths, mentions, types`; spans are
half-open.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from glirel_transformers.decoding_glirel import Candidate, decode_greedily
from glirel_transformers.evaluation.counts import precision_recall_f1
from glirel_transformers.evaluation.thresholds import Fit, ThresholdCounts
from glirel_transformers.finder_glirel import EntityFinder, reaches_into_padding
from glirel_transformers.losses_glirel import IGNORED_LABEL
from glirel_transformers.text_glirel import Span

_LOWEST = 0.05  # no lower threshold is tried: nearly every span of an untrained model would be an entity


class Found(NamedTuple):
    """An entity that was found.

    Args:
        span: half-open, in words.
        type: position among the entity types that were asked for.
        score: how likely it is.
    """

    span: Span
    type: int
    score: float


def decode(probabilities: Tensor, threshold: float) -> list[Found]:
    """The likeliest spans of a text, no two of which overlap, by first word.

    Args:
        probabilities: of spans for types, `(words, widths, types)`.
        threshold: an entity is likelier.
    """
    places = (probabilities > threshold).nonzero()
    scores = probabilities[tuple(places.unbind(1))].tolist()
    candidates = [
        Candidate(start, start + width + 1, of_type, score)
        for (start, width, of_type), score in zip(places.tolist(), scores, strict=True)
    ]
    found = decode_greedily(candidates, "flat", multi_label=False)
    return [Found(one.span, *one.scores[0]) for one in found]


def compare(
    finder: EntityFinder, logits: Tensor, batch: Mapping[str, Tensor], threshold: float
) -> Iterator[tuple[list[tuple[float, bool]], int]]:
    """For each text: how likely each entity is that was found and whether it is right, and how many there are.

    What is found where a mention has no type is left out.

    Args:
        finder: of the model.
        logits: its `entity_logits`.
        batch: what it was given, with `entity_labels`.
        threshold: an entity is likelier.
    """
    probabilities = finder.probabilities(logits.float())
    beyond = reaches_into_padding(batch["word_mask"], probabilities.shape[2])
    probabilities = probabilities.masked_fill(beyond.unsqueeze(-1), 0.0).cpu()
    labels, spans, mentions, types = (
        batch[name].cpu() for name in ("entity_labels", "mention_word_spans", "mention_mask", "entity_type_mask")
    )
    for row, of_text in enumerate(probabilities):
        num_types = int(types[row].sum())
        known: dict[Span, list[int]] = {}
        for span, of_types in zip(
            spans[row][mentions[row]].tolist(), labels[row][mentions[row]].tolist(), strict=True
        ):
            known[(span[0], span[1])] = of_types[:num_types]
        gold = {
            (span, place) for span, of_types in known.items() for place, label in enumerate(of_types) if label == 1
        }
        found = [
            (one.score, (one.span, one.type) in gold)
            for one in decode(of_text[..., :num_types], threshold)
            if IGNORED_LABEL not in known.get(one.span, ())
        ]
        yield found, len(gold)


def count_entities(finder: EntityFinder, logits: Tensor, batch: Mapping[str, Tensor], threshold: float) -> Tensor:
    """Right, found and gold entities of each text, `(batch, 3)`; arguments as of [`compare`]."""
    rows = [
        [sum(is_right for _, is_right in found), len(found), num_gold]
        for found, num_gold in compare(finder, logits, batch, threshold)
    ]
    return torch.tensor(rows, dtype=torch.long, device=logits.device).view(-1, 3)


def averages(counts: Tensor) -> dict[str, float]:
    """Precision, recall and F1 of right, found and gold entities, `(3,)`."""
    values = precision_recall_f1(counts.double()).tolist()
    return {f"entity_{name}": value for name, value in zip(("precision", "recall", "f1"), values, strict=True)}


class EntityCounts:
    """Entities that were found in documents, and what a threshold makes of them.

    Of entities that do not overlap, those above a higher threshold are what would be found with it: each text is
    decoded once.
    """

    def __init__(self) -> None:
        self._cells = ThresholdCounts(1, _LOWEST)

    def add(self, finder: EntityFinder, logits: Tensor, batch: Mapping[str, Tensor]) -> None:
        """Adds the texts of a batch; arguments as of [`compare`]."""
        for found, num_gold in compare(finder, logits, batch, _LOWEST):
            is_right = torch.tensor([right for _, right in found], dtype=torch.long)
            self._cells.add(torch.tensor([score for score, _ in found]), is_right, torch.zeros(1))
            for _ in range(num_gold - int(is_right.sum())):
                self._cells.add_unscored(0)

    def best(self) -> Fit | None:
        """The threshold with the best F1; `None` where nothing that is right was found."""
        return self._cells.best("micro")

    def averages(self, threshold: float) -> dict[str, float]:
        """Precision, recall and F1 at a threshold."""
        return averages(self._cells.by_type(threshold)[0])
