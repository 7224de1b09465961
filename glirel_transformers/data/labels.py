"""What is right for each pair of a document and each relation type: what models are trained on and measured by."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from glirel_transformers.losses_glirel import IGNORED_LABEL
from glirel_transformers.text_glirel import ordered_pairs

from .pairs import Pair
from .schema import Document, Relation


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
    stated = document.stated_pairs
    labels = torch.full((len(row_of), len(relation_types)), IGNORED_LABEL, dtype=torch.long)
    labels[[row for pair, row in row_of.items() if pair in stated or _is_known(document, pair)]] = 0
    asked = [relation for relation in document.relations if relation.relation_type in column_of]
    for row, column in _elsewhere(document, asked, row_of, column_of):
        labels[row, column] = IGNORED_LABEL
    for relation in asked:
        if (pair := (relation.head, relation.tail)) in row_of:
            labels[row_of[pair], column_of[relation.relation_type]] = 1
    return labels


def count_elsewhere(document: Document, relation_types: Sequence[str], pair_index: np.ndarray | Tensor) -> int:
    """How many cells of [`make_labels`] are unknown, as their relation holds between other mentions of two entities.

    Args:
        document: the text.
        relation_types: the columns.
        pair_index: head and tail positions on the `mentions` axis, of shape `(pairs, 2)`.
    """
    row_of = {pair: row for row, pair in enumerate(map(tuple, pair_index.tolist()))}
    column_of = {name: column for column, name in enumerate(relation_types)}
    asked = [relation for relation in document.relations if relation.relation_type in column_of]
    stated = {(row_of.get((relation.head, relation.tail)), column_of[relation.relation_type]) for relation in asked}
    return len(set(_elsewhere(document, asked, row_of, column_of)) - stated)


def make_entity_labels(document: Document, entity_types: Sequence[str]) -> Tensor:
    """Of which types each mention is, as the loss reads it: 1, 0, or −100 where none of its types is known.

    A mention is of the types of all mentions of the same words.

    Args:
        document: the text.
        entity_types: the columns.

    Returns:
        `torch.LongTensor` of shape `(mentions, entity types)`.
    """
    types_of: dict[tuple[int, int], set[str]] = {}
    for mention in document.mentions:
        known = types_of.setdefault((mention.start, mention.end), set())
        known.update(() if mention.label is None else (mention.label,))
    rows = [
        [int(name in known) for name in entity_types] if known else [IGNORED_LABEL] * len(entity_types)
        for known in (types_of[mention.start, mention.end] for mention in document.mentions)
    ]
    return torch.tensor(rows, dtype=torch.long).view(len(rows), len(entity_types))


def _is_known(document: Document, pair: Pair) -> bool:
    """Whether a pair without a relation is known to have none."""
    return document.exhaustive and (document.self_pairs or pair[0] != pair[1])


def _elsewhere(
    document: Document, relations: Sequence[Relation], row_of: Mapping[Pair, int], column_of: Mapping[str, int]
) -> Iterator[tuple[int, int]]:
    """The cells of relations that hold between other mentions of the same two entities."""
    # One of an unknown entity is alone, but for mentions of the same words.
    entities = [m.entity if m.entity is not None else (m.start, m.end) for m in document.mentions]
    if len(set(entities)) == len(entities):
        return
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
