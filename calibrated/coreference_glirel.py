"""Entities found by their mentions: scores of pairs of mentions become scores of pairs of clusters.

Section A.7 of arXiv 2501.03172: a relation type, such as `SELF`, means that two mentions are one entity.

Axes have one name everywhere: `mentions, entities, pairs, relations`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Literal

import numpy as np

from .mentions_glirel import Entity

Aggregation = Literal["max", "mean"]


def connected_components(num_mentions: int, links: np.ndarray) -> list[list[int]]:
    """The mentions that links join, directly or over others, by the first of each.

    Args:
        num_mentions: how many mentions there are; one without a link is alone.
        links: `(links, 2)`; the direction does not matter.
    """
    root = list(range(num_mentions))

    def find(mention: int) -> int:
        while root[mention] != mention:
            root[mention] = root[root[mention]]
            mention = root[mention]
        return mention

    for one, other in links.tolist():
        first, second = sorted((find(one), find(other)))
        root[second] = first
    clusters: dict[int, list[int]] = {}
    for mention in range(num_mentions):
        clusters.setdefault(find(mention), []).append(mention)
    return list(clusters.values())


def aggregate(
    pair_index: np.ndarray, scores: np.ndarray, clusters: Sequence[Sequence[int]], how: Aggregation, self_pairs: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Scores of pairs of clusters, from those of the pairs of their mentions that were scored.

    Args:
        pair_index: `(pairs, 2)`.
        scores: `(pairs, relations)`.
        clusters: the mentions of each entity, each mention once.
        how: the highest score of a pair, or the mean.
        self_pairs: whether pairs within a cluster count as those of the entity with itself; else they are left out.

    Returns:
        Pairs of clusters `(pairs, 2)`, row-major, of which at least one pair of mentions was scored, and their scores
        `(pairs, relations)`.
    """
    cluster_of = np.zeros(sum(map(len, clusters)), dtype=np.int64)
    for number, cluster in enumerate(clusters):
        cluster_of[list(cluster)] = number
    heads, tails = cluster_of[pair_index.reshape(-1, 2)].T
    kept = slice(None) if self_pairs else heads != tails
    keys, places = np.unique((heads * len(clusters) + tails)[kept], return_inverse=True)
    pairs = np.stack((keys // max(len(clusters), 1), keys % max(len(clusters), 1)), axis=1)
    shape = (len(keys), scores.shape[1])
    if how == "max":
        best = np.zeros(shape, dtype=scores.dtype)
        np.maximum.at(best, places, scores[kept])
        return pairs, best
    total = np.zeros(shape, dtype=np.float64)
    np.add.at(total, places, scores[kept])
    return pairs, (total / np.bincount(places, minlength=len(keys))[:, None]).astype(scores.dtype)


def merge_entities(entities: Sequence[Entity], clusters: Sequence[Sequence[int]]) -> list[Entity]:
    """One entity of each cluster, with all mentions of its members, in their order.

    Its `index` is that of its first member, and its label the most frequent of theirs; of members that were found, it
    has the best score of each type, that of its label first.
    """
    merged = []
    for cluster in clusters:
        members = [entities[member] for member in cluster]
        mentions = list(dict.fromkeys(mention for member in members for mention in member.mentions))
        labels = Counter(member.label for member in members if member.label is not None)
        label = labels.most_common(1)[0][0] if labels else None
        best: dict[str, float] = {}
        for name, score in (typed for member in members for typed in member.scores):
            best[name] = max(score, best.get(name, 0.0))
        scores = sorted(best.items(), key=lambda typed: (typed[0] != label, -typed[1]))
        merged.append(Entity(*mentions[0], label, members[0].index, tuple(mentions), tuple(scores)))
    return merged
