"""From logits of entities to entities: which spans are likely enough, and which of them are kept where they overlap.

Works on numpy arrays, so that it also serves exports where torch is not installed. Axes: `words, widths, types`; spans
are half-open word spans. See Section 3.4 of arXiv 2605.10108.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from .text_glirel import Span

Overlap = Literal["flat", "nested"]


class Candidate(NamedTuple):
    """A span that may be an entity of a type."""

    start: int  # half-open, in words
    end: int
    type: int  # position among the entity types that were asked for
    score: float


def candidates_by_span(logits: np.ndarray, thresholds: np.ndarray, max_width: int | None) -> list[Candidate]:
    """Spans whose probability for a type is above its threshold, by first word, width and type.

    Args:
        logits: of a text's spans, without padding, `(words, widths, types)`.
        thresholds: of the types, `(types,)`.
        max_width: how many words an entity has at most.
    """
    probabilities = _sigmoid(logits)
    starts, widths, types = np.nonzero(probabilities.astype(np.float64) > thresholds)
    real = (starts + widths < len(logits)) & (widths < (max_width or logits.shape[1]))
    starts, widths, types = starts[real], widths[real], types[real]
    scores = probabilities[starts, widths, types]
    rows = zip(starts.tolist(), widths.tolist(), types.tolist(), scores.tolist(), strict=True)
    return [Candidate(start, start + width + 1, of_type, score) for start, width, of_type, score in rows]


def candidates_by_token(logits: np.ndarray, thresholds: np.ndarray, max_width: int | None) -> list[Candidate]:
    """Spans whose first word starts, whose last word ends and whose every word is within an entity of a type.

    Each of these probabilities is above the type's threshold; the least of them is the score.

    Args:
        logits: of a text's words, without padding, `(words, types, 3)`.
        thresholds, max_width: as of [`candidates_by_span`].
    """
    probabilities = _sigmoid(logits)
    is_likely = probabilities.astype(np.float64) > thresholds[:, None]
    found: list[Candidate] = []
    for start, of_type in np.argwhere(is_likely[..., 0] & is_likely[..., 2]).tolist():
        outside = np.flatnonzero(~is_likely[start:, of_type, 2])
        length = int(outside[0]) if len(outside) else len(logits) - start
        length = min(length, max_width or length)
        least = np.minimum.accumulate(probabilities[start : start + length, of_type, 2])
        for offset in np.flatnonzero(is_likely[start : start + length, of_type, 1]).tolist():
            last = start + offset
            score = min(probabilities[start, of_type, 0], probabilities[last, of_type, 1], least[offset])
            found.append(Candidate(start, last + 1, of_type, float(score)))
    return found


CANDIDATES: dict[str, Callable[[np.ndarray, np.ndarray, int | None], list[Candidate]]] = {
    "span": candidates_by_span,
    "token": candidates_by_token,
}


def _sigmoid(logits: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):
        probabilities: np.ndarray = 1 / (1 + np.exp(-logits.astype(np.float32)))
    return probabilities


@dataclass(frozen=True)
class FoundEntity:
    """An entity that was found.

    Args:
        span: half-open, in words.
        scores: probabilities by entity type, as positions among those asked for, the likeliest first; only one unless
            several are wanted.
    """

    span: Span
    scores: tuple[tuple[int, float], ...]

    @property
    def score(self) -> float:
        """The probability of its likeliest type."""
        return self.scores[0][1]


def decode_greedily(
    candidates: Sequence[Candidate], overlap: Overlap, multi_label: bool, taken: Sequence[Span] = ()
) -> list[FoundEntity]:
    """The likeliest candidates that agree with each other, by first word; among equals, the likeliest first.

    Args:
        candidates: in any order; among equal scores the first is taken.
        overlap: `"flat"` keeps no two that overlap, `"nested"` none that cross.
        multi_label: whether a span may be of several types.
        taken: spans of entities that are known, with which none may overlap (or cross); none has the same span.
    """
    kept: dict[Span, list[tuple[int, float]]] = {}
    spans = list(taken)
    words = {word for span in spans for word in range(*span)}  # so that flat ones are not compared one by one
    for candidate in sorted(candidates, key=lambda one: -one.score):
        span = (candidate.start, candidate.end)
        if span in kept:
            if multi_label:
                kept[span].append((candidate.type, candidate.score))
            continue
        if words.isdisjoint(range(*span)) or (overlap == "nested" and all(_agree(span, one) for one in spans)):
            kept[span] = [(candidate.type, candidate.score)]
            spans.append(span)
            words.update(range(*span))
    found = [FoundEntity(span, tuple(scores)) for span, scores in kept.items()]
    return sorted(found, key=lambda entity: entity.span[0])


def _agree(one: Span, other: Span) -> bool:
    """Whether two different spans share no word, or one of them is within the other."""
    if one[0] >= other[1] or other[0] >= one[1]:
        return True
    is_nested = (one[0] <= other[0] and other[1] <= one[1]) or (other[0] <= one[0] and one[1] <= other[1])
    return is_nested and one != other


def best_of_spans(candidates: Sequence[Candidate]) -> Iterator[tuple[Span, float]]:
    """Each span once, with its highest score."""
    best: dict[Span, float] = {}
    for candidate in candidates:
        span = (candidate.start, candidate.end)
        best[span] = max(candidate.score, best.get(span, 0.0))
    yield from best.items()
