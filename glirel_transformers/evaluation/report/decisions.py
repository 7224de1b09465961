"""What became of each gold relation and of each prediction: right, or wrong in which way.

Each gold relation is told once, and each prediction once. A gold relation that is missed and a prediction that is
wrong are one decision where the one explains the other: the same type with head and tail swapped, or another type for
the same pair.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple, get_args

import numpy as np

from glirel_transformers.evaluation.joint import Gold, Key
from glirel_transformers.evaluation.results import EvaluationResult, ScoredDocument
from glirel_transformers.losses_glirel import IGNORED_LABEL
from glirel_transformers.mentions_glirel import Entity

ErrorKind = Literal[
    "wrong_type",
    "wrong_direction",
    "spurious",
    "wrong_entity",
    "below_threshold",
    "not_scored",
    "entity_missed",
]
"""How a decision is wrong, see `MEANINGS`."""
ERROR_KINDS: tuple[ErrorKind, ...] = get_args(ErrorKind)
MEANINGS: dict[ErrorKind, str] = {
    "wrong_type": "another relation holds between the two",
    "wrong_direction": "the relation holds with head and tail swapped",
    "spurious": "predicted for a pair without a relation",
    "wrong_entity": "predicted for a span that is not an entity of that type",
    "below_threshold": "holds, and nothing was predicted for the pair",
    "not_scored": "holds, and the model does not score the pair",
    "entity_missed": "holds, and an entity was not found",
}


class Side(NamedTuple):
    """An end of a relation.

    Args:
        text: its first mention.
        label: its type, where it is known.
        spans: half-open character spans of its mentions.
        found: whether the model had it as an entity.
    """

    text: str
    label: str | None
    spans: tuple[tuple[int, int], ...]
    found: bool = True


class Decision(NamedTuple):
    """A gold relation, a prediction, or both where they belong together.

    Args:
        kind: how it is wrong; `None` where it is right.
        document: number of the text in `EvaluationResult.documents`.
        head, tail: the ends, as the gold relation has them if there is one.
        gold: position of the gold relation in the relation types; `None` where a prediction stands alone.
        predicted: position of what was predicted; `None` where nothing was.
        score: probability of what was predicted, else of the gold relation; `None` where it was not scored.
        gold_score: probability of the gold relation.
        holds: what holds between the two, as positions in the relation types.
        holds_swapped: what holds with head and tail swapped.
    """

    kind: ErrorKind | None
    document: int
    head: Side
    tail: Side
    gold: int | None
    predicted: int | None
    score: float | None
    gold_score: float | None = None
    holds: tuple[int, ...] = ()
    holds_swapped: tuple[int, ...] = ()


def decide(result: EvaluationResult, threshold: float | None = None) -> Iterator[Decision]:
    """All decisions of all texts, in order.

    Args:
        result: with the cells of its texts.
        threshold: from which a cell counts as predicted; by default the one in use.
    """
    columns = {name: place for place, name in enumerate(result.relation_types)}
    for number, scored in enumerate(result.documents):
        yield from _Text(result, scored, number, threshold).decisions(columns)


class _Text:
    """The cells of one text, in which predictions are told one by one."""

    def __init__(self, result: EvaluationResult, scored: ScoredDocument, number: int, threshold: float | None):
        self.scored, self.number = scored, number
        known = scored.labels != IGNORED_LABEL
        self.is_gold = scored.labels == 1
        predicted = result.predicted(scored, threshold) & known
        self.right = predicted & self.is_gold
        self.missing = self.is_gold & ~predicted
        self.extra = predicted & ~self.is_gold
        pairs = [(head, tail) for head, tail in scored.pair_index.tolist()]
        row_of = {pair: row for row, pair in enumerate(pairs)}
        self.swapped = [row_of.get((tail, head)) for head, tail in pairs]
        self.sides = [_side_of(entity) for entity in scored.entities]
        self.are_found = result.entities != "gold"
        self.gold_ends = Gold.of(scored.document, "strict").entities if self.are_found else set()

    def decisions(self, columns: dict[str, int]) -> Iterator[Decision]:
        """All of the text: right ones, swapped ones, those of one pair, and those without a pair."""
        for row, column in np.argwhere(self.right).tolist():
            yield self._decision(None, row, column, column)
        yield from self._swapped()
        for row in np.nonzero(self.missing.any(1) | self.extra.any(1))[0].tolist():
            yield from self._of_pair(row)
        yield from self._without_pair(columns)

    def _swapped(self) -> Iterator[Decision]:
        """Predictions of a relation that holds in the other direction; each is then no longer missing or extra."""
        for row, column in np.argwhere(self.extra).tolist():
            other = self.swapped[row]
            if other is None or other == row or not self.is_gold[other, column]:
                continue
            self.extra[row, column] = False
            if self.missing[other, column]:
                self.missing[other, column] = False
                score = float(self.scored.probabilities[row, column])
                yield self._decision("wrong_direction", other, column, column)._replace(score=score)
            else:  # both directions are predicted
                yield self._decision("wrong_direction", row, None, column)

    def _of_pair(self, row: int) -> Iterator[Decision]:
        """What is missing and what is extra for a pair: the likeliest wrong ones stand for the missing ones."""
        order = np.argsort(-self.scored.probabilities[row], kind="stable").tolist()
        extra = [column for column in order if self.extra[row, column]]
        missing = [column for column in order if self.missing[row, column]]
        for gold, predicted in zip(missing, extra):
            yield self._decision("wrong_type", row, gold, predicted)
        for predicted in extra[len(missing) :]:
            yield self._decision(self._alone(row), row, None, predicted)
        for gold in missing[len(extra) :]:
            unscored = np.isnan(self.scored.probabilities[row, gold])
            yield self._decision("not_scored" if unscored else "below_threshold", row, gold, None)

    def _alone(self, row: int) -> ErrorKind:
        """How a prediction is wrong that stands for no missing relation."""
        if self.is_gold[row].any():
            return "wrong_type"
        if self.are_found and any(not self._is_gold_end(end) for end in self.scored.pair_index[row].tolist()):
            return "wrong_entity"
        return "spurious"

    def _is_gold_end(self, entity: int) -> bool:
        side = self.sides[entity]
        return any((span, side.label) in self.gold_ends for span in side.spans)

    def _decision(self, kind: ErrorKind | None, row: int, gold: int | None, predicted: int | None) -> Decision:
        head, tail = self.scored.pair_index[row].tolist()
        scores = self.scored.probabilities[row]
        gold_score = None if gold is None or np.isnan(scores[gold]) else float(scores[gold])
        other = self.swapped[row]
        return Decision(
            kind,
            self.number,
            self.sides[head],
            self.sides[tail],
            gold,
            predicted,
            gold_score if predicted is None else float(scores[predicted]),
            gold_score,
            tuple(np.nonzero(self.is_gold[row])[0].tolist()),
            () if other is None else tuple(np.nonzero(self.is_gold[other])[0].tolist()),
        )

    def _without_pair(self, columns: dict[str, int]) -> Iterator[Decision]:
        """Gold relations that no pair stands for: an end was not found, or the model formed no such pair."""
        if not self.scored.missed:
            return
        gold = Gold.of(self.scored.document, "strict")
        keys = [((one.start, one.end), one.label) for one in self.scored.entities]
        ends = {(keys[head], keys[tail]) for head, tail in self.scored.pair_index.tolist()}
        for head, name, tail in sorted(gold.triples, key=repr):
            column = columns.get(name)
            if column is not None and (head, tail) not in ends:
                first, second = (self._gold_side(key, key in keys) for key in (head, tail))
                kind: ErrorKind = "not_scored" if first.found and second.found else "entity_missed"
                yield Decision(kind, self.number, first, second, column, None, None, None, (column,))

    def _gold_side(self, key: Key, found: bool) -> Side:
        (start, end), label = key
        return Side(self.scored.text[start:end], label, ((start, end),), found)


def _side_of(entity: Entity) -> Side:
    return Side(entity.text, entity.label, tuple((one.start, one.end) for one in entity.mentions))


_ROWS = ("none",)
_COLUMNS = ("swapped", "none", "not scored")


class Confusion(NamedTuple):
    """Which relation types are taken for which.

    Args:
        relation_types: names of the first rows and columns.
        counts (`np.ndarray` of int64, of shape `(relations + 1, relations + 3)`): rows are what holds, and last
            `"none"`; columns what was predicted, and last `"swapped"` (the same type with head and tail swapped),
            `"none"` and `"not scored"`. A row of a type adds up to its support.
    """

    relation_types: list[str]
    counts: np.ndarray

    @property
    def rows(self) -> list[str]:
        """Names of the rows."""
        return [*self.relation_types, *_ROWS]

    @property
    def columns(self) -> list[str]:
        """Names of the columns."""
        return [*self.relation_types, *_COLUMNS]

    def most_frequent(self, number: int | None = None, of_relations: bool = False) -> list[tuple[str, str, int]]:
        """What holds, what was predicted and how often, without what is right; the most frequent first.

        Args:
            number: how many at most.
            of_relations: whether the row `"none"` is left out.
        """
        counts = self.counts.copy()
        np.fill_diagonal(counts[:-1], 0)
        counts[-1] *= not of_relations
        cells = np.argwhere(counts)
        order = np.argsort(-counts[tuple(cells.T)], kind="stable")[:number]
        return [(self.rows[r], self.columns[c], int(counts[r, c])) for r, c in cells[order].tolist()]


def confusion(decisions: list[Decision], relation_types: list[str]) -> Confusion:
    """Counts each decision once."""
    num_types = len(relation_types)
    swapped, none, unscored = range(num_types, num_types + 3)
    counts = np.zeros((num_types + 1, num_types + 3), dtype=np.int64)
    for one in decisions:
        row = num_types if one.gold is None else one.gold
        if one.kind == "wrong_direction" and one.gold is not None:
            column = swapped
        elif one.predicted is not None:
            column = one.predicted
        else:
            column = none if one.kind == "below_threshold" else unscored
        counts[row, column] += 1
    return Confusion(relation_types, counts)
