"""Reading a part of a text that is too long for the model."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

from glirel_transformers.data.schema import Document, Relation

Span = tuple[int, int]


def fit_window(
    document: Document,
    token_starts: Sequence[int],
    budget: int,
    marker_cost: int,
    generator: random.Random,
    max_words: int | None = None,
) -> tuple[Document, Span]:
    """Chooses a window of words that fits into the model, around a randomly drawn relation where one fits.

    Args:
        document: the whole text.
        token_starts: first token of every word, and the number of tokens, `(words + 1)`.
        budget: how many tokens the window may have.
        marker_cost: tokens that each mention takes besides.
        generator: what is drawn from.
        max_words: how many words the window may have, besides.

    Returns:
        The document with the mentions that lie wholly in the window and the relations between them (word spans still
        count from the start of the text), and the window, a half-open word span.

    Raises:
        ValueError: when not even one word fits.
    """
    limits = _Limits(document, token_starts, marker_cost, budget, max_words)
    hulls = [_hull(document, relation) for relation in document.relations]
    fitting = [hull for hull in hulls if limits.admit(hull)]
    if fitting:
        window = generator.choice(fitting)
    else:
        start = generator.randrange(len(document.words))
        window = (start, start + 1)
    if not limits.admit(window):
        raise ValueError(
            f"The relation types leave {budget} tokens for the text, which is not enough for one word. Pass a smaller "
            "max_relation_types or a model that reads more."
        )
    window = _widened(window, len(document.words), limits)
    inside = [i for i, m in enumerate(document.mentions) if window[0] <= m.start and m.end <= window[1]]
    position = {old: new for new, old in enumerate(inside)}
    relations = [
        replace(relation, head=position[relation.head], tail=position[relation.tail])
        for relation in document.relations
        if relation.head in position and relation.tail in position
    ]
    return replace(document, mentions=[document.mentions[i] for i in inside], relations=relations), window


class _Limits:
    """What a window may hold. Its tokens are bounded from above: mentions that it only touches count as well."""

    def __init__(
        self, document: Document, token_starts: Sequence[int], marker_cost: int, budget: int, max_words: int | None
    ) -> None:
        self.token_starts, self.budget, self.max_words = token_starts, budget, max_words
        markers = [0] * (len(document.words) + 1)
        for mention in document.mentions:
            markers[mention.start + 1] += marker_cost
        for word in range(len(document.words)):
            markers[word + 1] += markers[word]
        self.markers = markers

    def admit(self, window: Span) -> bool:
        start, end = window
        tokens = self.token_starts[end] - self.token_starts[start] + self.markers[end] - self.markers[start]
        return tokens <= self.budget and (self.max_words is None or end - start <= self.max_words)


def _hull(document: Document, relation: Relation) -> Span:
    head, tail = document.mentions[relation.head], document.mentions[relation.tail]
    return min(head.start, tail.start), max(head.end, tail.end)


def _widened(window: Span, num_words: int, limits: _Limits) -> Span:
    """Widens a window word by word, on both sides in turn, until nothing more fits."""
    start, end = window
    grew = True
    while grew:
        grew = False
        if end < num_words and limits.admit((start, end + 1)):
            end, grew = end + 1, True
        if start > 0 and limits.admit((start - 1, end)):
            start, grew = start - 1, True
    return start, end
