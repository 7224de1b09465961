"""Reading a part of a text that is too long for the model."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

from glirel_transformers.data.schema import Document, Relation

Span = tuple[int, int]


def fit_window(
    document: Document, token_starts: Sequence[int], budget: int, marker_cost: int, generator: random.Random
) -> tuple[Document, Span]:
    """Chooses a window of words that fits into the model, around a randomly drawn relation where one fits.

    Args:
        document: the whole text.
        token_starts: first token of every word, and the number of tokens, `(words + 1)`.
        budget: how many tokens the window may have.
        marker_cost: tokens that each mention takes besides.
        generator: what is drawn from.

    Returns:
        The document with the mentions that lie wholly in the window and the relations between them (word spans still
        count from the start of the text), and the window, a half-open word span.

    Raises:
        ValueError: when not even one word fits.
    """
    costs = _Costs(document, token_starts, marker_cost)
    hulls = [_hull(document, relation) for relation in document.relations]
    fitting = [hull for hull in hulls if costs.of(hull) <= budget]
    if fitting:
        window = generator.choice(fitting)
    else:
        start = generator.randrange(len(document.words))
        window = (start, start + 1)
    if costs.of(window) > budget:
        raise ValueError(
            f"The relation types leave {budget} tokens for the text, which is not enough for one word. Pass a smaller "
            "max_relation_types or a model that reads more."
        )
    window = _widened(window, len(document.words), budget, costs)
    inside = [i for i, m in enumerate(document.mentions) if window[0] <= m.start and m.end <= window[1]]
    position = {old: new for new, old in enumerate(inside)}
    relations = [
        replace(relation, head=position[relation.head], tail=position[relation.tail])
        for relation in document.relations
        if relation.head in position and relation.tail in position
    ]
    return replace(document, mentions=[document.mentions[i] for i in inside], relations=relations), window


class _Costs:
    """Upper bound of the tokens of a window: mentions that it only touches are counted as well."""

    def __init__(self, document: Document, token_starts: Sequence[int], marker_cost: int) -> None:
        self.token_starts = token_starts
        markers = [0] * (len(document.words) + 1)
        for mention in document.mentions:
            markers[mention.start + 1] += marker_cost
        for word in range(len(document.words)):
            markers[word + 1] += markers[word]
        self.markers = markers

    def of(self, window: Span) -> int:
        start, end = window
        return self.token_starts[end] - self.token_starts[start] + self.markers[end] - self.markers[start]


def _hull(document: Document, relation: Relation) -> Span:
    head, tail = document.mentions[relation.head], document.mentions[relation.tail]
    return min(head.start, tail.start), max(head.end, tail.end)


def _widened(window: Span, num_words: int, budget: int, costs: _Costs) -> Span:
    """Widens a window word by word, on both sides in turn, until nothing more fits."""
    start, end = window
    grew = True
    while grew:
        grew = False
        if end < num_words and costs.of((start, end + 1)) <= budget:
            end, grew = end + 1, True
        if start > 0 and costs.of((start - 1, end)) <= budget:
            start, grew = start - 1, True
    return start, end
