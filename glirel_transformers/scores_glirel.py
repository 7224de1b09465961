"""From scores to relations: which of a text's scores count as relations, and why the others do not.

Axes have one name everywhere: `pairs, relations`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from .requests_glirel import Entity, RelationType

# Why a score is not a relation, in the order in which the reasons are tried; a relation has the reason None.
CONSTRAINT, DIRECTION, THRESHOLD, TOP_K = "constraint", "direction", "threshold", "top_k"
REASONS = (None, CONSTRAINT, DIRECTION, THRESHOLD, TOP_K)


@dataclass(frozen=True)
class RelationScores:
    """All scores of one text: what `pipeline("relation-extraction")` selects its result from.

    A model runs once; thresholds, `top_k` and, by `dataclasses.replace(scores, relation_types=…)`, the constraints of
    the relation types can then be tried at no cost.

    Args:
        text: the text.
        entities: its entities.
        relation_types: what was asked for, with constraints.
        pair_index (`torch.LongTensor` of shape `(pairs, 2)`): head and tail of each scored pair, as positions in
            `entities`; each pair once, row-major.
        scores (`torch.FloatTensor` of shape `(pairs, relations)`): probabilities.
        threshold: the model's own decision threshold.
    """

    text: str
    entities: list[Entity]
    relation_types: list[RelationType]
    pair_index: Tensor
    scores: Tensor
    threshold: float

    @property
    def num_unscored_pairs(self) -> int:
        """Ordered pairs that were not scored: in no window, or too far apart."""
        return len(self.entities) * (len(self.entities) - 1) - len(self.pair_index)

    def select(self, threshold: float | None = None, top_k: int | None = None) -> list[dict[str, Any]]:
        """The relations, by falling score, as the pipeline returns them.

        Args:
            threshold: least probability, for relation types without one of their own; by default the model's.
            top_k: at most so many relations for each ordered pair.
        """
        rows, columns = (self._reasons(threshold, top_k) == 0).nonzero(as_tuple=True)
        return [relation for relation, _ in self._listed(rows, columns)]

    def left_out(self, threshold: float | None = None, top_k: int | None = None) -> list[dict[str, Any]]:
        """What [`select`] leaves out, by falling score.

        Each has also a `reason`, the first of these that applies: `"constraint"` (the types of the entities do not
        fit), `"direction"` (the relation type is symmetric, and the other direction scores higher), `"threshold"`
        (the score is too low), `"top_k"` (other relation types score higher for this pair).
        """
        reasons = self._reasons(threshold, top_k)
        rows, columns = reasons.nonzero(as_tuple=True)
        return [{**relation, "reason": REASONS[int(reasons[cell])]} for relation, cell in self._listed(rows, columns)]

    def reasons(self, threshold: float | None = None, top_k: int | None = None) -> list[list[str | None]]:
        """For each pair and relation type the `reason` of [`left_out`], or `None` where it is a relation."""
        return [[REASONS[reason] for reason in row] for row in self._reasons(threshold, top_k).tolist()]

    def _listed(self, rows: Tensor, columns: Tensor) -> list[tuple[dict[str, Any], tuple[Tensor, Tensor]]]:
        values = self.scores[rows, columns]
        return [
            (
                {
                    "head": self.entities[self.pair_index[rows[i], 0]].to_dict(),
                    "relation": self.relation_types[columns[i]].name,
                    "tail": self.entities[self.pair_index[rows[i], 1]].to_dict(),
                    "score": values[i].item(),
                },
                (rows[i], columns[i]),
            )
            for i in values.argsort(descending=True, stable=True).tolist()
        ]

    def _reasons(self, threshold: float | None, top_k: int | None) -> Tensor:
        """Positions in `REASONS`, `(pairs, relations)`."""
        admitted = self._admitted()
        candidates = self.scores.masked_fill(~admitted, -1.0)
        loses = self._loses_direction(candidates)
        candidates = candidates.masked_fill(loses, -1.0)
        default = self.threshold if threshold is None else threshold
        thresholds = [default if r.threshold is None else r.threshold for r in self.relation_types]
        reasons = torch.zeros(self.scores.shape, dtype=torch.long)
        if top_k is not None and top_k < self.scores.shape[1]:
            is_best = torch.zeros_like(admitted).scatter(1, candidates.topk(top_k, dim=1).indices, True)
            reasons[~is_best] = REASONS.index(TOP_K)
        reasons[~(self.scores >= torch.tensor(thresholds))] = REASONS.index(THRESHOLD)
        reasons[loses] = REASONS.index(DIRECTION)
        reasons[~admitted] = REASONS.index(CONSTRAINT)
        return reasons

    def _admitted(self) -> Tensor:
        """Whether the types of a pair's entities fit a relation type, `(pairs, relations)`."""

        def side(labels: frozenset[str] | None) -> list[bool]:
            return [labels is None or entity.label in labels for entity in self.entities]

        if not len(self.pair_index) or not self.relation_types:
            return torch.zeros(self.scores.shape, dtype=torch.bool)
        heads = torch.tensor([side(relation.head) for relation in self.relation_types])
        tails = torch.tensor([side(relation.tail) for relation in self.relation_types])
        return (heads[:, self.pair_index[:, 0]] & tails[:, self.pair_index[:, 1]]).T

    def _loses_direction(self, scores: Tensor) -> Tensor:
        """The lower-scoring direction of symmetric relation types; among equals, the later entity's."""
        symmetric = torch.tensor([relation.symmetric for relation in self.relation_types], dtype=torch.bool)
        if not symmetric.any() or not len(self.pair_index):
            return torch.zeros(scores.shape, dtype=torch.bool)
        heads, tails = self.pair_index.T
        keys = heads * len(self.entities) + tails
        reverse = scores[torch.searchsorted(keys, tails * len(self.entities) + heads)]
        is_earlier = (heads < tails).unsqueeze(1)
        return ((scores < reverse) | ((scores == reverse) & ~is_earlier)) & symmetric


__all__ = ["RelationScores"]
