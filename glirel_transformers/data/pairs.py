"""Pairs of mentions of which something is known."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .schema import Document

Pair = tuple[int, int]


def check_none_pairs(pairs: Collection[Pair], related: Collection[Pair], num_mentions: int) -> None:
    """Checks that pairs without a relation are of two mentions of the document, and that none is related.

    Args:
        pairs: head and tail, positions of mentions.
        related: pairs with a relation.
        num_mentions: of the document.

    Raises:
        ValueError: when one does not fit; the message names it.
    """
    for index, pair in enumerate(pairs):
        if not all(0 <= position < num_mentions for position in pair):
            raise ValueError(
                f"`none_pairs[{index}]` is {tuple(pair)}, but there are {num_mentions} mentions. Heads and tails are "
                "positions in `mentions`."
            )
        if tuple(pair) in related:
            raise ValueError(
                f"`none_pairs[{index}]` is {tuple(pair)}, but a relation joins these two. Leave one of them out."
            )


def entity_none_pairs(document: Document) -> list[Pair]:
    """The pairs of entities that are known to have no relation, as positions in `document.entities`.

    Where some mentions of two entities have a relation and others are known to have none, the entities have one.
    """
    entity_of = {mention: number for number, entity in enumerate(document.entities) for mention in entity}
    related = {(entity_of[relation.head], entity_of[relation.tail]) for relation in document.relations}
    pairs = dict.fromkeys((entity_of[head], entity_of[tail]) for head, tail in document.none_pairs)
    return [pair for pair in pairs if pair not in related and pair[0] != pair[1]]
