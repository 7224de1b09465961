"""What is right for each pair of a document and each relation type: what models are trained on and measured by."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor

from glirel_transformers.losses_glirel import IGNORED_LABEL
from glirel_transformers.text_glirel import ordered_pairs

from .schema import Document, Relation

Pair: TypeAlias = tuple[int, int]


def make_labels(document: Document, relation_types: Sequence[str], pair_index: np.ndarray | Tensor) -> Tensor:
    """What is right for each pair and type, as the loss reads it: 1, 0, or −100 where that is unknown.

    Args:
        document: the text.
        relation_types: the columns.
        pair_index: head and tail positions on the `mentions` axis, of shape `(pairs, 2)`.

    Returns:
        `torch.LongTensor` of shape `(pairs, relations)`.
    """
    row_of = {pair: row for row, pair in enumerate(map(tuple, pair_index.tolist()))}
    column_of = {name: column for column, name in enumerate(relation_types)}
    related = {(relation.head, relation.tail) for relation in document.relations}
    labels = torch.full((len(row_of), len(relation_types)), IGNORED_LABEL, dtype=torch.long)
    labels[[row for pair, row in row_of.items() if pair in related or _is_known(document, pair)]] = 0
    asked = [relation for relation in document.relations if relation.relation_type in column_of]
    for row, column in _elsewhere(document, asked, row_of, column_of):
        labels[row, column] = IGNORED_LABEL
    for relation in asked:
        if (pair := (relation.head, relation.tail)) in row_of:
            labels[row_of[pair], column_of[relation.relation_type]] = 1
    return labels


def _is_known(document: Document, pair: Pair) -> bool:
    """Whether a pair without a relation is known to have none."""
    return document.exhaustive and (document.self_pairs or pair[0] != pair[1])


def _elsewhere(
    document: Document, relations: Sequence[Relation], row_of: Mapping[Pair, int], column_of: Mapping[str, int]
) -> Iterator[tuple[int, int]]:
    """The cells of relations that hold between other mentions of the same two entities."""
    if all(mention.entity is None for mention in document.mentions):
        return
    # One of an unknown entity is alone.
    entities = [m.entity if m.entity is not None else (number,) for number, m in enumerate(document.mentions)]
    columns_of: dict[tuple[object, object], list[int]] = {}  # of two entities, what holds between them
    for relation in relations:
        sides = entities[relation.head], entities[relation.tail]
        if sides[0] != sides[1]:
            columns_of.setdefault(sides, []).append(column_of[relation.relation_type])
    for (head, tail), row in row_of.items() if columns_of else ():
        for column in columns_of.get((entities[head], entities[tail]), ()):
            yield row, column


def has_negative(document: Document, relation_types: Sequence[str]) -> bool:
    """Whether any pair of the document is known not to have one of the relation types."""
    pairs = ordered_pairs([[mention.start] for mention in document.mentions], None, document.self_pairs)
    return bool((make_labels(document, relation_types, pairs) == 0).any())
