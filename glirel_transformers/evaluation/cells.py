"""The cells of one text, put together from what a model says of it next to each group of relation types."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from glirel_transformers.data import Document
from glirel_transformers.losses_glirel import IGNORED_LABEL
from glirel_transformers.scores_glirel import RelationScores

from .results import ScoredDocument


class CellTable:
    """Collects the cells of a document; groups may have scored different pairs.

    Args:
        document: the annotation, whose mentions are what pairs join.
        relation_types: the columns, of all groups.
        position: of the document among all.
    """

    def __init__(self, document: Document, relation_types: Sequence[str], position: int) -> None:
        self.document = document
        self.position = position
        self.column_of = {name: column for column, name in enumerate(relation_types)}
        self._groups: list[tuple[list[int], RelationScores, np.ndarray]] = []

    def add(self, group: Sequence[str], scores: RelationScores, labels: np.ndarray) -> None:
        """Adds the scores next to a group, and their labels of the same shape."""
        self._groups.append(([self.column_of[name] for name in group], scores, labels.astype(np.int8)))

    def finish(self) -> ScoredDocument:
        """All cells, with a row for each pair that any group scored or that has a gold relation."""
        gold = {
            (relation.head, relation.tail, self.column_of[relation.relation_type])
            for relation in self.document.relations
            if relation.relation_type in self.column_of
        }
        scored = {pair for _, scores, _ in self._groups for pair in map(tuple, scores.pair_index.tolist())}
        pairs = sorted(scored | {(head, tail) for head, tail, _ in gold})
        row_of = {pair: row for row, pair in enumerate(pairs)}
        probabilities = np.full((len(pairs), len(self.column_of)), np.nan, dtype=np.float32)
        labels = np.full(probabilities.shape, IGNORED_LABEL, dtype=np.int8)
        for columns, scores, of_group in self._groups:
            rows = [row_of[pair] for pair in map(tuple, scores.pair_index.tolist())]
            probabilities[np.ix_(rows, columns)] = scores.scores
            labels[np.ix_(rows, columns)] = of_group
        for head, tail, column in gold:
            labels[row_of[head, tail], column] = 1
        first = self._groups[0][1]
        pair_index = np.array(pairs, dtype=np.int64).reshape(-1, 2)
        return ScoredDocument(
            self.document, first.text, first.entities, pair_index, probabilities, labels, position=self.position
        )
