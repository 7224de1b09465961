"""What a report says, as values: computed from the cells of a result, and ready to be written in any form."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, is_dataclass
from itertools import count, pairwise
from typing import Any, NamedTuple

import numpy as np

from glirel_transformers.evaluation.results import EvaluationResult, Spread

from .bootstrap import FIGURES, Difference, document_counts, figures_of
from .curves import (
    Calibration,
    Curve,
    Thresholds,
    TypeRow,
    calibration,
    flatten,
    precision_recall,
    thresholds,
    type_rows,
)
from .decisions import ERROR_KINDS, Confusion, Decision, ErrorKind, Side, confusion, decide
from .sensitivity import DirectionRow, Shift, direction
from .store import Speed

_AROUND = 160  # characters of a text before and after a pair that a report shows
_GIVEN = {
    "gold": "entities given (gold)",
    "found": "entities found by the model",
    "prompted": "entities found, of the types that each text has",
}


class Piece(NamedTuple):
    """A part of a text, and what it is: `"head"`, `"tail"`, `"both"` or `""`."""

    text: str
    role: str


class Example(NamedTuple):
    """An error, with its text.

    Args:
        kind: how it is wrong.
        document: number of the text.
        title: what the text is called, or where it comes from.
        pieces: the text with its two entities, shortened.
        head, tail: the ends.
        gold, predicted: names of relation types; `None` where there is none.
        score, gold_score: probabilities; `None` where the model gave none.
        holds, holds_swapped: what holds between the two, and with head and tail swapped.
    """

    kind: ErrorKind
    document: int
    title: str
    pieces: list[Piece]
    head: Side
    tail: Side
    gold: str | None
    predicted: str | None
    score: float | None
    gold_score: float | None
    holds: list[str]
    holds_swapped: list[str]


@dataclass(frozen=True)
class Checkpoint:
    """A model among those that are compared.

    Args:
        name: folder or repository.
        threshold: in use; `None` where the best of a pair counts.
        figures: the six of [`figures_of`], by name.
        average_precision: of all cells together.
        calibration_error: expected calibration error.
        speeds: by machine.
        differences: from the first checkpoint; empty for the first itself.
        corrected: p of each difference, corrected for the number of checkpoints.
        num_type_thresholds: how many relation types have a threshold of their own.
    """

    name: str
    threshold: float | None
    figures: dict[str, float]
    average_precision: float | None
    calibration_error: float | None
    speeds: list[Speed] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)
    corrected: list[float] = field(default_factory=list)
    num_type_thresholds: int = 0


@dataclass(frozen=True)
class Report:
    """All that a report says.

    Args:
        name: of the checkpoint.
        protocol, entities, decision, threshold, by_entity: as of [`EvaluationResult`].
        num_documents, num_pairs: what the cells are of.
        summary: of each row of the protocol, mean and deviation of its figures.
        run: which of several runs the sections below are of; empty where there is one.
        averages: the six figures of [`figures_of`], by name.
        rows: the figures of each relation type.
        confusion: what is taken for what.
        curve, calibration, thresholds: of all cells; no thresholds where the best of a pair counts.
        direction: head and tail swapped.
        orders, wordings: the relation types in other orders, and by other names.
        num_probed: texts that orders and wordings were tried on.
        probed_micro_f1, probed_macro_f1: of these texts, with the names as they are.
        errors: how many of each kind.
        examples: some of them.
        checkpoints: this one and those that it is compared with; empty without any.
        resamples: of the bootstrap.
        speeds: by machine.
        notes: what is not counted, or was left out.
        settings: what the evaluation was asked for.
        type_thresholds: in use for certain relation types in place of `threshold`, by name.
    """

    name: str
    protocol: str
    entities: str
    decision: str
    threshold: float | None
    by_entity: bool
    num_documents: int
    num_pairs: int
    summary: dict[str, dict[str, Spread]]
    run: str
    averages: dict[str, float]
    rows: list[TypeRow]
    confusion: Confusion
    curve: Curve
    calibration: Calibration
    thresholds: Thresholds | None
    direction: list[DirectionRow]
    errors: dict[ErrorKind, int]
    examples: list[Example]
    orders: list[Shift] = field(default_factory=list)
    wordings: list[Shift] = field(default_factory=list)
    num_probed: int = 0
    probed_micro_f1: float | None = None
    probed_macro_f1: float | None = None
    checkpoints: list[Checkpoint] = field(default_factory=list)
    resamples: int = 0
    speeds: list[Speed] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)
    type_thresholds: dict[str, float] = field(default_factory=dict)

    @property
    def decided(self) -> str:
        """What decides, in words."""
        if self.threshold is None:
            return "the best of each pair counts"
        own = len(self.type_thresholds)
        of_types = f", or that of its own for {own:,} relation type{'s' * (own != 1)}" if own else ""
        return f"threshold {self.threshold:.3f}{of_types}"

    @property
    def given(self) -> str:
        """Which entities were given, in words."""
        return _GIVEN[self.entities]

    @property
    def more_figures(self) -> dict[str, float]:
        """Figures of the protocol besides the averages, of its only run."""
        if self.run or not self.summary:
            return {}
        (figures,) = self.summary.values()
        return {name: one.mean for name, one in figures.items() if name not in self.averages}

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON values."""
        plain: dict[str, Any] = to_json_values(self)
        counts = plain["confusion"]["counts"]
        plain["confusion"] = {"rows": self.confusion.rows, "columns": self.confusion.columns, "counts": counts}
        return plain


def make_report(result: EvaluationResult, num_examples: int = 20, **more: Any) -> Report:
    """The report of a result.

    Args:
        result: of a protocol. Where it has several runs, the sections are of the first, and the summary of all.
        num_examples: errors of each kind that are shown.
        more: fields of [`Report`] that do not come from the cells.

    Raises:
        ValueError: when the result has no cells.
    """
    first = next(result.walk())
    if not first.documents:
        raise ValueError(
            f"The result of the protocol {first.protocol!r} has no cells, of which a report is made. Evaluate again."
        )
    cells = flatten(first)
    decisions = list(decide(first))
    kinds = Counter(one.kind for one in decisions if one.kind is not None)
    counts = document_counts(first).sum(0)
    run = ", ".join(filter(None, (first.row, first.run))) if result.runs else ""
    return Report(
        name=result.model,
        protocol=result.protocol,
        entities=result.entities,
        decision=result.decision,
        threshold=first.threshold,
        by_entity=result.by_entity,
        num_documents=len({one.position for one in first.documents}),
        num_pairs=sum(len(one.pair_index) for one in first.documents),
        summary=result.summary(),
        run=run,
        averages=dict(zip(FIGURES, figures_of(counts).tolist(), strict=True)),
        rows=type_rows(cells, first.relation_types),
        confusion=confusion(decisions, first.relation_types),
        curve=precision_recall(cells),
        calibration=calibration(cells),
        thresholds=thresholds(cells) if first.decision == "threshold" else None,
        direction=direction(first),
        errors={kind: kinds[kind] for kind in ERROR_KINDS if kinds[kind]},
        examples=examples(first, decisions, num_examples),
        notes=[*result.notes, *more.pop("notes", ())],
        type_thresholds=first.type_thresholds,
        **more,
    )


def examples(result: EvaluationResult, decisions: Iterable[Decision], number: int) -> list[Example]:
    """Of each kind of error the worst: the likeliest predictions that are wrong, the unlikeliest that are missing."""
    worst: dict[ErrorKind, list[tuple[float, int, Decision]]] = {kind: [] for kind in ERROR_KINDS}
    place = count()
    for one in decisions:
        if one.kind is None or not number:
            continue
        badness = (one.score or 0.0) if one.predicted is not None else -(one.score or 0.0)
        rank = (badness, -next(place), one)
        kept = worst[one.kind]
        if len(kept) < number:
            heapq.heappush(kept, rank)
        else:
            heapq.heappushpop(kept, rank)
    return [
        example(result, one, _AROUND)
        for kind in ERROR_KINDS
        for _, _, one in sorted(worst[kind], key=lambda r: r[:2])[::-1]
    ]


def example(result: EvaluationResult, one: Decision, around: int | None = None) -> Example:
    """An error with its text; with `around`, that many characters of it before and after the pair."""
    scored = result.documents[one.document]
    names = result.relation_types
    assert one.kind is not None  # what is right is no error
    return Example(
        one.kind,
        scored.position,
        scored.document.title or scored.document.source or "",
        mark(scored.text, one.head.spans, one.tail.spans, around),
        one.head,
        one.tail,
        None if one.gold is None else names[one.gold],
        None if one.predicted is None else names[one.predicted],
        one.score,
        one.gold_score,
        [names[place] for place in one.holds],
        [names[place] for place in one.holds_swapped],
    )


def mark(
    text: str, heads: Sequence[tuple[int, int]], tails: Sequence[tuple[int, int]], around: int | None = None
) -> list[Piece]:
    """A text in pieces, of which those of a head or a tail are told; spans may overlap.

    With `around`, what is further than that from the first mention of both is left out, which `…` says.
    """
    first = [spans[0] for spans in (heads, tails) if spans]
    low, high = 0, len(text)
    if around is not None and first:
        low = max(0, min(start for start, _ in first) - around)
        high = min(len(text), max(end for _, end in first) + around)
    places = sorted({low, high, *(place for span in (*heads, *tails) for place in span if low < place < high)})
    pieces: list[Piece] = []
    for start, end in pairwise(places):
        inside = [any(a <= start and end <= b for a, b in spans) for spans in (heads, tails)]
        role = "both" if all(inside) else "head" if inside[0] else "tail" if inside[1] else ""
        if pieces and pieces[-1].role == role:
            pieces[-1] = Piece(pieces[-1].text + text[start:end], role)
        else:
            pieces.append(Piece(text[start:end], role))
    before, after = [Piece("…", "")] * (low > 0), [Piece("…", "")] * (high < len(text))
    return [*before, *pieces, *after]


def to_json_values(value: object) -> Any:  # noqa: ANN401  # any JSON value
    """Named tuples and dataclasses as objects, arrays as lists."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    if is_dataclass(value) and not isinstance(value, type):
        return {name: to_json_values(getattr(value, name)) for name in value.__dataclass_fields__}
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return {name: to_json_values(one) for name, one in value._asdict().items()}
    if isinstance(value, dict):
        return {str(name): to_json_values(one) for name, one in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [to_json_values(one) for one in value]
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)


__all__ = ["Checkpoint", "Example", "Piece", "Report", "example", "examples", "make_report", "mark", "to_json_values"]
