"""Entities found on the way: what is looked for in a window, what is made of its logits, and windows put together.

A model that finds entities calls [`BatchDecoder`] in the middle of its one pass: it takes the logits of entities, and
says which mentions are related, in which pairs. Works on numpy arrays.

Axes: `batch, words, types, mentions, entities, pairs`. Spans are half-open word spans.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from .batches_glirel import by_entity, cluster_tensors, stack_features
from .configuration_glirel import GLiRELConfig
from .decoding_glirel import CANDIDATES, Candidate, FoundEntity, Overlap, best_of_spans, decode_greedily
from .mentions_glirel import Entity
from .requests_glirel import EntityType, RelationType, admitted_pairs
from .text_glirel import Span, Words, ordered_pairs

# Selections in which a number depends on candidates beyond the two of a pair: all are shown to the model.
READ_OTHER_ENTITIES = ("attention", "gcn", "gat")


@dataclass(frozen=True)
class Search:
    """What is looked for in a text, and how.

    Args:
        entity_types: that are to be found.
        relation_types: with constraints, which admit pairs before anything is scored.
        threshold: of entity types without one of their own.
        overlap, multi_label: as [`decode_greedily`] takes them.
        self_pairs: whether an entity may relate to itself.
        limit: how many entities a window has at most.
    """

    entity_types: Sequence[EntityType]
    relation_types: Sequence[RelationType]
    threshold: float
    overlap: Overlap
    multi_label: bool
    self_pairs: bool
    limit: int

    @property
    def thresholds(self) -> np.ndarray:
        """Of the entity types, `(types,)`."""
        return np.array(
            [self.threshold if one.threshold is None else one.threshold for one in self.entity_types], dtype=np.float64
        )

    def labels_of(self, found: FoundEntity) -> frozenset[str]:
        """The names of an entity's types."""
        return frozenset(self.entity_types[place].name for place, _ in found.scores)

    def admitted(self, labels: Sequence[frozenset[str]], pairs: np.ndarray) -> np.ndarray:
        """Those of `pairs` `(pairs, 2)` that some relation type admits, by the labels of the entities."""
        if any(not relation.is_constrained for relation in self.relation_types):  # which all of them fit
            return pairs
        admitted: np.ndarray = pairs[admitted_pairs(self.relation_types, labels, pairs).any(1)]
        return admitted


@dataclass
class Findings:
    """What is known and found in a window.

    Args:
        search: what is looked for.
        given: mentions that are known, in words of the window.
        given_entity: the entity of each, counted from 0 without gaps.
        given_labels: of each of these entities.
        found: entities that were found, once it was scored; they follow those that are known.
        num_left_out: how many were found beyond the limit.
        follows: what was found in the same words next to the first group of relation types: the same for all groups.
    """

    search: Search
    given: list[Span] = field(default_factory=list)
    given_entity: list[int] = field(default_factory=list)
    given_labels: list[frozenset[str]] = field(default_factory=list)
    found: list[FoundEntity] = field(default_factory=list)
    num_left_out: int = 0
    follows: Findings | None = None

    def decode(self, candidates: Sequence[Candidate], config: GLiRELConfig) -> dict[str, np.ndarray]:
        """Finds entities among candidates, and says what the model is to relate: mentions and pairs, without a batch.

        Args:
            candidates: of this window.
            config: of the model.
        """
        search = self.search
        found = self.found = self._find(candidates) if self.follows is None else self.follows.found
        spans = [*self.given, *(entity.span for entity in found)]
        num_given = len(self.given_labels)
        entity_of = [*self.given_entity, *range(num_given, num_given + len(found))]
        starts = by_entity(entity_of, [start for start, _ in spans])
        labels = [*self.given_labels, *map(search.labels_of, found)]
        pairs = search.admitted(labels, ordered_pairs(starts, config.max_pair_distance, search.self_pairs))
        if config.pair_selection in READ_OTHER_ENTITIES:
            others = self._others(candidates, set(spans), search.limit - len(found))
            entity_of += range(num_given + len(found), num_given + len(found) + len(others))
            spans += others
        return {
            "mention_word_spans": np.array(spans, dtype=np.int64).reshape(-1, 2),
            "mention_mask": np.ones(len(spans), dtype=np.bool_),
            **({} if entity_of == list(range(len(spans))) else cluster_tensors(entity_of)),
            "pair_index": pairs,
            "pair_mask": np.ones(len(pairs), dtype=np.bool_),
        }

    def _find(self, candidates: Sequence[Candidate]) -> list[FoundEntity]:
        """The entities among candidates, by first word: the likeliest, if there are more than the limit."""
        search = self.search
        found = decode_greedily(candidates, search.overlap, search.multi_label, self.given)
        self.num_left_out = max(0, len(found) - search.limit)
        if not self.num_left_out:
            return found
        likeliest = sorted(range(len(found)), key=lambda place: -found[place].score)[: search.limit]
        return [found[place] for place in sorted(likeliest)]

    @staticmethod
    def _others(candidates: Sequence[Candidate], spans: set[Span], number: int) -> list[Span]:
        """The likeliest spans that are candidates and no entities, by first word."""
        others = [(span, score) for span, score in best_of_spans(candidates) if span not in spans]
        likeliest = sorted(others, key=lambda one: -one[1])[: max(number, 0)]
        return sorted(span for span, _ in likeliest)


@dataclass
class BatchDecoder:
    """Takes the logits of a batch's entities and gives the tensors of mentions and pairs; a model calls it.

    Args:
        config: of the model.
        findings: of each window of the batch, which it fills.
        num_words: of each window.
    """

    config: GLiRELConfig
    findings: Sequence[Findings]
    num_words: Sequence[int]

    def __call__(self, entity_logits: np.ndarray) -> dict[str, np.ndarray]:
        """Mentions and pairs, `(batch, …)` each; see [`GLiRELModel.forward`].

        Args:
            entity_logits: `(batch, words, widths, types)` or `(batch, words, types, 3)`, by the model's finder.
        """
        find = CANDIDATES[self.config.entity_finder]
        rows = []
        for logits, findings, num_words in zip(entity_logits, self.findings, self.num_words, strict=True):
            thresholds = findings.search.thresholds
            # Without padding; the axis of types is the last but one, or the last.
            own = logits[:num_words]
            own = own[:, : len(thresholds)] if self.config.entity_finder == "token" else own[..., : len(thresholds)]
            candidates = find(own, thresholds, self.config.max_entity_width) if len(thresholds) else []
            rows.append(findings.decode(candidates, self.config))
        return stack_features(rows, 0, may_pad=True)


def merge_findings(
    given: Sequence[Entity], taken: Sequence[Span], windows: Sequence[tuple[Findings, Span]], text: str, words: Words
) -> tuple[list[Entity], list[list[int]]]:
    """The entities of a whole text, and for each window where its own are among them; −1 for one that is not kept.

    Windows that overlap may find one entity with different types, or entities that overlap: then the likeliest are
    kept, as within a window.

    Args:
        given: entities that are known.
        taken: word spans of all their mentions.
        windows: what was found in each, and the words of the text that it read.
        text: the text.
        words: its words.
    """
    if not windows:
        return list(given), []
    search = windows[0][0].search
    best: dict[tuple[int, int, int], float] = {}
    for findings, (begin, _) in windows:
        for entity in findings.found:
            for of_type, score in entity.scores:
                key = (entity.span[0] + begin, entity.span[1] + begin, of_type)
                best[key] = max(score, best.get(key, 0.0))
    candidates = [Candidate(*key, score) for key, score in sorted(best.items())]
    found = decode_greedily(candidates, search.overlap, search.multi_label, taken)
    place = {entity.span: len(given) + number for number, entity in enumerate(found)}
    entities = [
        *given,
        *(_entity(entity, len(given) + number, search, text, words) for number, entity in enumerate(found)),
    ]
    return entities, [
        [place.get((entity.span[0] + begin, entity.span[1] + begin), -1) for entity in findings.found]
        for findings, (begin, _) in windows
    ]


def _entity(found: FoundEntity, index: int, search: Search, text: str, words: Words) -> Entity:
    start, end = words.char_spans[found.span[0]][0], words.char_spans[found.span[1] - 1][1]
    scores = tuple((search.entity_types[of_type].name, score) for of_type, score in found.scores)
    return Entity(start, end, text[start:end], scores[0][0], index, scores=scores)
