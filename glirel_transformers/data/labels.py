"""What is right for each pair of a document and each relation type: what models are trained on and measured by."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from glirel_transformers.losses_glirel import IGNORED_LABEL

from .schema import Document


def make_labels(document: Document, relation_types: Sequence[str], pair_index: np.ndarray | Tensor) -> Tensor:
    """What is right for each pair and type, as the loss reads it.

    Args:
        document: the text.
        relation_types: the columns.
        pair_index: head and tail positions on the `mentions` axis, of shape `(pairs, 2)`.

    Returns:
        `torch.LongTensor` of shape `(pairs, relations)`.
    """
    row_of = {pair: row for row, pair in enumerate(map(tuple, pair_index.tolist()))}
    column_of = {name: column for column, name in enumerate(relation_types)}
    labels = torch.full(
        (len(row_of), len(relation_types)), 0 if document.exhaustive else IGNORED_LABEL, dtype=torch.long
    )
    related = {(relation.head, relation.tail) for relation in document.relations}
    if not document.exhaustive:
        labels[[row_of[pair] for pair in related if pair in row_of]] = 0
    entities = [mention.entity for mention in document.mentions]
    columns_of: dict[tuple[int | None, int | None], list[int]] = {}  # of two entities, what holds between them
    for relation in document.relations:
        sides = entities[relation.head], entities[relation.tail]
        if None not in sides and sides[0] != sides[1] and relation.relation_type in column_of:
            columns_of.setdefault(sides, []).append(column_of[relation.relation_type])
    if columns_of:
        for (first, second), row in row_of.items():
            if columns := columns_of.get((entities[first], entities[second])):
                labels[row, columns] = IGNORED_LABEL
    for relation in document.relations:
        pair, name = (relation.head, relation.tail), relation.relation_type
        if pair in row_of and name in column_of:
            labels[row_of[pair], column_of[name]] = 1
    return labels
