"""Evidence: the sentences that the localized context of a pair weighs most (GLiDRE, equations 5 and 6).

Axes: `entities, words, sentences`. Spans are half-open, in characters.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from .mentions_glirel import shortened
from .text_glirel import Span

# The end of a sentence: a mark, what closes with it, and then a space before something that begins one; or an empty
# line. East Asian marks need no space.
_END = re.compile(r"[.!?…]+[\"'”’»)\]]*(?=\s+[\"'“‘«(\[]*[^\W_a-z])|[。！？]+[」』”）]*|(?<=\S)(?=\s*\n\s*\n)")
# What ends in a full stop that ends no sentence: initials and common abbreviations.
_ABBREVIATION = re.compile(
    r"(?:^|[\s(\[\"'“])(?:[^\W\d_]|(?:[^\W\d_]\.)+[^\W\d_]|Mr|Mrs|Ms|Dr|Prof|St|Gen|Col|Lt|Sgt|Rev|Hon|Jr|Sr|vs|etc|cf|"
    r"No|Fig|Vol|approx|ca|Inc|Ltd|Co|Corp)\.$"
)


def split_sentences(text: str) -> list[Span]:
    """Half-open character spans of a text's sentences, by their marks: none overlaps, and white space is in none."""
    spans: list[Span] = []
    start = 0
    for match in _END.finditer(text):
        if match.group().endswith(".") and _ABBREVIATION.search(text[start : match.end()]):
            continue
        spans.append((start, match.end()))
        start = match.end()
    spans.append((start, len(text)))
    stripped = (_without_space(text, span) for span in spans)
    return [(start, end) for start, end in stripped if start < end]


def _without_space(text: str, span: Span) -> Span:
    start, end = span
    part = text[start:end]
    return end - len(part.lstrip()), start + len(part.rstrip())


def read_sentences(text: str, given: object) -> list[Span]:
    """The sentences of a text, as half-open character spans: those that are given, or else by their marks.

    Raises:
        TypeError, ValueError: when they are not spans of the text in order.
    """
    if given is None:
        return split_sentences(text)
    if isinstance(given, (str, bytes)) or not isinstance(given, Sequence):
        raise TypeError(f"`sentences` must be a list of (start, end): got {shortened(given)}.")
    spans: list[Span] = []
    for index, span in enumerate(given):
        fits = isinstance(span, Sequence) and len(span) == 2 and all(type(place) is int for place in span)
        if not fits or not (spans[-1][1] if spans else 0) <= span[0] <= span[1] <= len(text):
            raise ValueError(
                f"`sentences[{index}]` is {shortened(span)}. Sentences are half-open spans of characters, one after "
                f"the other, in a text of {len(text)}."
            )
        spans.append((span[0], span[1]))
    return spans


@dataclass
class WindowContext:
    """What the entities of a part of a text attend to.

    Args:
        entities: those in it, as positions among all of the text.
        attention: `(entities, words)`.
        word_starts: where each of its words starts in the text.
    """

    entities: Sequence[int]
    attention: np.ndarray
    word_starts: Sequence[int]

    def weights(self, head: int, tail: int, sentences: Sequence[Span]) -> np.ndarray:
        """How much each sentence counts for a pair, `(sentences,)`; they sum to 1, or are 0 throughout."""
        places = {entity: place for place, entity in enumerate(self.entities)}
        joint = self.attention[places[head]].astype(np.float64) * self.attention[places[tail]]
        of_word = np.searchsorted([start for start, _ in sentences], self.word_starts, side="right") - 1
        weights = np.bincount(np.maximum(of_word, 0), joint, minlength=len(sentences))[: len(sentences)]
        total = weights.sum()
        return weights / total if total > 0 else weights


@dataclass
class TextContext:
    """Where the evidence for a text's relations is found.

    Args:
        text: the text.
        sentences: half-open character spans.
        windows: what was read of it; more than one where it was too long.
    """

    text: str
    sentences: list[Span]
    windows: list[WindowContext] = field(repr=False)

    def weights(self, head: int, tail: int) -> np.ndarray:
        """How much each sentence counts for a pair of entities, `(sentences,)`, on average over its windows."""
        of_windows = [
            window.weights(head, tail, self.sentences) for window in self.windows if {head, tail} <= {*window.entities}
        ]
        return np.mean(of_windows, axis=0) if of_windows else np.zeros(len(self.sentences))

    def evidence(self, head: int, tail: int, number: int) -> list[dict[str, object]]:
        """The sentences that count most for a pair, at most `number`, by falling weight.

        Each has `sentence`, its number, `start`, `end` and `text`, and its `weight`, a share of 1.
        """
        weights = self.weights(head, tail)
        found: list[dict[str, object]] = []
        for place in np.argsort(-weights, kind="stable")[:number].tolist():
            if weights[place] > 0:
                start, end = self.sentences[place]
                found.append(
                    {
                        "sentence": place,
                        "start": start,
                        "end": end,
                        "text": self.text[start:end],
                        "weight": float(weights[place]),
                    }
                )
        return found
