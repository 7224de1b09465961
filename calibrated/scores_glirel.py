"""From scores to relations: which of a text's scores count as relations, and why the others do not.

Axes have one name everywhere: `entities, pairs, relations`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple, get_args

import numpy as np

from .coreference_glirel import Aggregation, aggregate, connected_components, merge_entities
from .evidence_glirel import TextContext
from .mentions_glirel import listed
from .requests_glirel import Entity, RelationType, admitted_pairs, check_probability, check_top_k

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
        pair_index (`np.ndarray` of int64, of shape `(pairs, 2)`): head and tail of each scored pair, as positions in
            `entities`; each pair once, row-major.
        scores (`np.ndarray` of float32, of shape `(pairs, relations)`): probabilities.
        threshold: the model's own decision threshold.
        self_pairs: whether pairs of an entity with itself were asked for.
        collapse: which entities that `ner` found are parts of the same words, so that a model cannot tell them apart;
            `None` where there are none.
        context: where evidence is found, if it was asked for.
        num_left_out: how many entities were found beyond those that a model relates at most, see `max_candidates` of
            [`GLiRELConfig`].
        merged_from: the entities that these were merged from, see [`merge`]; `None` where they were not merged.
        type_thresholds: the model's own for certain relation types, by the words that it reads, in place of
            `threshold`.
    """

    text: str
    entities: list[Entity]
    relation_types: list[RelationType]
    pair_index: np.ndarray
    scores: np.ndarray
    threshold: float
    self_pairs: bool = False
    collapse: str | None = None
    context: TextContext | None = None
    merged_from: list[Entity] | None = None
    num_left_out: int = 0
    type_thresholds: Mapping[str, float] = field(default_factory=dict)

    def thresholds(self, threshold: float | None = None) -> np.ndarray:
        """From which probability each relation type counts as predicted, `(relations,)`, in double precision.

        Args:
            threshold: of types without one of their own in what was asked; by default what the model has for them.
        """
        return np.array([self._threshold_of(relation, threshold) for relation in self.relation_types], np.float64)

    def _threshold_of(self, relation: RelationType, threshold: float | None) -> float:
        if relation.threshold is not None:
            return relation.threshold
        return self.type_thresholds.get(relation.wording, self.threshold) if threshold is None else threshold

    @property
    def num_pairs(self) -> int:
        """Ordered pairs that were asked for."""
        num_entities = len(self.entities)
        return num_entities * (num_entities if self.self_pairs else num_entities - 1)

    @property
    def num_unscored_pairs(self) -> int:
        """Ordered pairs that were not scored: in no window, or too far apart."""
        return self.num_pairs - len(self.pair_index)

    @property
    def unmet_constraints(self) -> list[UnmetConstraint]:
        """Constraints that no entity of this text meets, see [`find_unmet_constraints`]."""
        return find_unmet_constraints(self.relation_types, (entity.label for entity in self.entities))

    def merge(self, clusters: Iterable[Sequence[int]], aggregation: Aggregation = "max") -> RelationScores:
        """The scores of entities that have several mentions, from those of their mentions.

        Args:
            clusters: for each entity, positions in `entities` of what it is made of. What is in none stays as it is.
            aggregation: what two entities score for a relation type: the `"max"` of the pairs of their mentions that
                were scored, or the `"mean"`. Without `self_pairs`, pairs within an entity are left out.

        Returns:
            Scores of the clusters, by their first member. An entity has the `mentions` of all its members, the `index`
            of the first and the most frequent label.

        Raises:
            ValueError: when a position is not in `entities`, or in two clusters; for an unknown `aggregation`.
        """
        given = [sorted(cluster) for cluster in clusters if len(cluster)]
        found = [position for cluster in given for position in cluster]
        if wrong := [position for position in found if not 0 <= position < len(self.entities)]:
            raise ValueError(f"`clusters` must hold positions of {len(self.entities)} entities: got {wrong[0]}.")
        if len(set(found)) < len(found):
            twice = next(position for position in found if found.count(position) > 1)
            raise ValueError(f"`clusters` holds {twice} twice. An entity is part of one cluster.")
        if aggregation not in get_args(Aggregation):
            raise ValueError(f"`aggregation` must be 'max' or 'mean': got {aggregation!r}.")
        alone = sorted(set(range(len(self.entities))) - set(found))
        whole = sorted([*given, *([position] for position in alone)])
        pair_index, scores = aggregate(self.pair_index, self.scores, whole, aggregation, self.self_pairs)
        return replace(
            self,
            entities=merge_entities(self.entities, whole),
            pair_index=pair_index,
            scores=scores,
            context=None,  # which knows the entities that were read
            merged_from=self.entities if self.merged_from is None else self.merged_from,
        )

    def merge_coreferent(
        self, label: str, threshold: float | None = None, aggregation: Aggregation = "max"
    ) -> RelationScores:
        """The scores of the entities that the model finds (Appendix A.7 of arXiv 2501.03172).

        Two mentions whose score for `label` is at least `threshold`, in either direction, are one entity, and so is
        what is connected over others: one wrong link joins two entities.

        Args:
            label: the relation type that means so, which must be among those that were asked for; the result is
                without it. That of a model is `model.config.coreference_label`.
            threshold: by default that of the relation type, else the model's.
            aggregation: as [`merge`] takes it.

        Raises:
            ValueError: when `label` was not asked for; when `threshold` is not a probability.
        """
        names = [relation.name for relation in self.relation_types]
        if label not in names:
            raise ValueError(
                f"The relation type {label!r} was not asked for: got {listed(names)}. Ask for it as well."
            )
        if threshold is not None:
            check_probability(threshold, "`threshold`")
        column = names.index(label)
        least = self._threshold_of(self.relation_types[column], None) if threshold is None else threshold
        # In double precision, as in `select`.
        is_linked = self.scores[:, column].astype(np.float64) >= least
        clusters = connected_components(len(self.entities), self.pair_index[is_linked])
        others = [place for place in range(len(names)) if place != column]
        without = replace(
            self, relation_types=[self.relation_types[place] for place in others], scores=self.scores[:, others]
        )
        return without.merge(clusters, aggregation)

    def select(
        self, threshold: float | None = None, top_k: int | None = None, evidence: int | None = None
    ) -> list[dict[str, object]]:
        """The relations, by falling score, as the pipeline returns them.

        Args:
            threshold: least probability, for relation types without one of their own; by default the model's. No
                score that is returned is below it.
            top_k: at most that many relations for each ordered pair.
            evidence: at most that many sentences for each relation, where evidence was asked for.

        Raises:
            ValueError: when `threshold` is not a probability, `top_k` not a whole number of at least 1, or there is no
                evidence.
        """
        listed = self._listed(np.nonzero(self._reasons(threshold, top_k) == 0))
        if evidence is None:
            return [relation for relation, _ in listed]
        if self.context is None:
            raise ValueError("These scores have no evidence. Ask the extractor for it: evidence=3.")
        return [
            {**relation, "evidence": self.context.evidence(int(head), int(tail), evidence)}
            for relation, (row, _) in listed
            for head, tail in [self.pair_index[row]]
        ]

    def left_out(self, threshold: float | None = None, top_k: int | None = None) -> list[dict[str, object]]:
        """What [`select`] leaves out, by falling score.

        Each has also a `reason`, the first of these that applies: `"constraint"` (the types of the entities do not
        fit), `"direction"` (the relation type is symmetric, and the other direction scores higher), `"threshold"`
        (the score is too low), `"top_k"` (other relation types score higher for this pair).
        """
        reasons = self._reasons(threshold, top_k)
        return [{**relation, "reason": REASONS[reasons[cell]]} for relation, cell in self._listed(np.nonzero(reasons))]

    def reasons(self, threshold: float | None = None, top_k: int | None = None) -> list[list[str | None]]:
        """For each pair and relation type the `reason` of [`left_out`], or `None` where it is a relation."""
        return [[REASONS[reason] for reason in row] for row in self._reasons(threshold, top_k).tolist()]

    def _listed(self, cells: tuple[np.ndarray, ...]) -> list[tuple[dict[str, object], tuple[int, int]]]:
        """The relation of each cell and the cell, by falling score; equal scores in the order of the cells."""
        values = self.scores[cells]
        order = np.argsort(-values, kind="stable")
        rows, columns = (axis[order].tolist() for axis in cells)
        listed = []
        for row, column, score in zip(rows, columns, values[order].tolist(), strict=True):
            head, tail = self.pair_index[row].tolist()
            relation: dict[str, object] = {
                "head": self.entities[head].to_dict(),
                "relation": self.relation_types[column].name,
                "tail": self.entities[tail].to_dict(),
                "score": score,
            }
            listed.append((relation, (row, column)))
        return listed

    def _reasons(self, threshold: float | None, top_k: int | None) -> np.ndarray:
        """Positions in `REASONS`, `(pairs, relations)`."""
        if threshold is not None:
            check_probability(threshold, "`threshold`")
        check_top_k(top_k)
        admitted = self._admitted()
        candidates = np.where(admitted, self.scores, np.float32(-1))
        loses = self._loses_direction(candidates)
        candidates[loses] = -1
        reasons = np.zeros(self.scores.shape, dtype=np.int64)
        if top_k is not None and top_k < self.scores.shape[1]:
            best = np.argsort(-candidates, axis=1, kind="stable")[:, :top_k]
            is_best = np.zeros_like(admitted)
            np.put_along_axis(is_best, best, True, axis=1)
            reasons[~is_best] = REASONS.index(TOP_K)
        # In double precision, as the scores are returned: 0.7 in single precision is 0.699999988, which is below it.
        is_high = self.scores.astype(np.float64) >= self.thresholds(threshold)
        reasons[~is_high] = REASONS.index(THRESHOLD)
        reasons[loses] = REASONS.index(DIRECTION)
        reasons[~admitted] = REASONS.index(CONSTRAINT)
        return reasons

    def _admitted(self) -> np.ndarray:
        """Whether the types of a pair's entities fit a relation type, `(pairs, relations)`."""
        return admitted_pairs(self.relation_types, [entity.labels for entity in self.entities], self.pair_index)

    def _loses_direction(self, scores: np.ndarray) -> np.ndarray:
        """The lower-scoring direction of symmetric relation types; among equals, the later entity's.

        A direction that was not scored, as where entities are found and their types do not fit, never wins.
        """
        symmetric = np.array([relation.symmetric for relation in self.relation_types], dtype=np.bool_)
        if not symmetric.any() or not len(self.pair_index):
            return np.zeros(scores.shape, dtype=np.bool_)
        heads, tails = self.pair_index.T
        keys, wanted = heads * len(self.entities) + tails, tails * len(self.entities) + heads
        rows = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        reverse = np.where((keys[rows] == wanted)[:, None], scores[rows], np.float32(-1))
        is_earlier = (heads <= tails)[:, None]  # an entity with itself has one direction
        loses: np.ndarray = ((scores < reverse) | ((scores == reverse) & ~is_earlier)) & symmetric
        return loses


class UnmetConstraint(NamedTuple):
    """A side of a relation type that admits none of the entities there are. `str` of it is a sentence for users."""

    relation: str
    side: str  # "head" or "tail"
    asked: tuple[str, ...]  # the entity types that it admits
    seen: tuple[str, ...]  # those of the entities

    def __str__(self) -> str:
        asked, seen = (listed(list(map(repr, names)), 8) for names in (self.asked, self.seen))
        return (
            f"Relation type {self.relation!r} admits {asked} as its {self.side}, but no entity is of that type: they "
            f"are {seen}. Entity types are compared letter by letter."
        )


def find_unmet_constraints(
    relation_types: Iterable[RelationType], labels: Iterable[str | None]
) -> list[UnmetConstraint]:
    """Constraints that no entity meets: a typing error, or the names of another recogniser.

    Args:
        relation_types: what was asked for.
        labels: types of all entities, of a text or of a whole corpus.

    Returns:
        One for each side of a relation type that admits none of `labels`; none where there are no labels at all.
    """
    seen = {label for label in labels if label is not None}
    return [
        UnmetConstraint(relation.name, side, tuple(sorted(asked)), tuple(sorted(seen)))
        for relation in relation_types
        for side, asked in (("head", relation.head), ("tail", relation.tail))
        if seen and asked is not None and not asked & seen
    ]


__all__ = ["RelationScores", "UnmetConstraint", "find_unmet_constraints"]
