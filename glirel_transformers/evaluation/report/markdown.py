"""A report in Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from .content import Checkpoint, Example, Report
from .decisions import MEANINGS
from .sensitivity import DirectionRow, Shift

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~])")
_EXAMPLES_OF_A_KIND = 5


def to_markdown(report: Report, pictures: Iterable[str] = ()) -> str:
    """The whole report; `pictures` are names of files in `plots/` next to it."""
    shown = set(pictures)

    def picture(name: str, what: str) -> list[str]:
        return [f"![{what}](plots/{name}.png)", ""] if name in shown else []

    parts: list[str] = [f"# {escape(report.name)}", "", *_head(report), ""]
    if len(report.checkpoints) > 1:
        parts += ["## Checkpoints compared", "", *_comparison(report), "", *picture("comparison", "Differences")]
    parts += ["## Relation types", "", *_relation_types(report), "", *picture("relation_types", "F1 of each type")]
    parts += ["## Confusion", "", *_confusion(report), "", *picture("confusion", "Confusion matrix")]
    parts += ["## Precision, recall and thresholds", "", *_thresholds(report), ""]
    parts += [*picture("precision_recall", "Precision against recall"), *picture("thresholds", "F1 by threshold")]
    parts += ["## Calibration", "", *_calibration(report), "", *picture("calibration", "Calibration")]
    parts += ["## Direction", "", *_direction(report.direction), ""]
    if report.orders or report.wordings:
        parts += ["## Order and wording", "", *_shifts(report), "", *picture("sensitivity", "F1 as asked otherwise")]
    parts += ["## Errors", "", *_errors(report), ""]
    if report.speeds:
        parts += ["## Speed", "", *_speeds(report), ""]
    if report.notes:
        parts += ["## Notes", "", *(f"- {escape(note)}" for note in report.notes), ""]
    return "\n".join(parts).rstrip() + "\n"


def escape(text: str) -> str:
    """Text as it stands, without a meaning in Markdown, in one line."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


def table(header: Sequence[str], rows: Iterable[Sequence[str]], first_left: int = 1) -> list[str]:
    """The lines of a table, of which all columns but the first `first_left` are aligned to the right."""
    rule = ["---" if place < first_left else "---:" for place in range(len(header))]
    return [f"| {' | '.join(cells)} |" for cells in (header, rule, *rows)]


def number(value: float | None) -> str:
    """Three places, or a dash."""
    return "–" if value is None else f"{value:.3f}"


def _head(report: Report) -> list[str]:
    said = (
        f"Protocol **{escape(report.protocol)}**, {report.given}, {report.decided}: {report.num_documents:,} "
        f"documents, {report.num_pairs:,} ordered pairs, {len(report.rows):,} relation types."
    )
    lines = [said, ""]
    if report.run:
        summary = [
            (escape(row) or "–", escape(name), number(one.mean), number(one.deviation), str(one.runs))
            for row, figures in report.summary.items()
            for name, one in figures.items()
        ]
        lines += table(("row", "figure", "mean", "deviation", "runs"), summary, 2)
        lines += ["", f"All that follows is of the run {escape(report.run)}.", ""]
    if report.more_figures:
        more = [(escape(name.replace("_", " ")), number(value)) for name, value in report.more_figures.items()]
        lines += [*table((f"figure of the protocol, {report.given}", "value"), more), ""]
    values = report.averages
    rows = [
        (average, *(number(values[f"{average}_{name}"]) for name in ("precision", "recall", "f1")))
        for average in ("micro", "macro")
    ]
    return [*lines, *table((f"average, {report.given}", "precision", "recall", "F1"), rows)]


def _relation_types(report: Report) -> list[str]:
    own = bool(report.type_thresholds)
    rows = [
        (
            escape(row.relation_type),
            f"{row.support:,}",
            f"{row.predicted:,}",
            *([number(report.type_thresholds.get(row.relation_type, report.threshold))] if own else []),
            *map(number, (row.precision, row.recall, row.f1, row.average_precision)),
        )
        for row in sorted(report.rows, key=lambda row: -row.support)
    ]
    shown = ["threshold"] if own else []
    header = (f"relation type, {report.given}", "support", "predicted", *shown, "precision", "recall", "F1", "AP")
    return table(header, rows)


def _confusion(report: Report, most: int = 20) -> list[str]:
    found = report.confusion.most_frequent()
    rows = [(escape(holds), escape(predicted), f"{times:,}") for holds, predicted, times in found[:most]]
    left = len(found) - len(rows)
    more = [f"{left:,} rarer ones are in report.json."] if left > 0 else []
    return [*table((f"holds, {report.given}", "predicted", "times"), rows, 2), "", *more]


def _thresholds(report: Report) -> list[str]:
    lines = [f"Average precision of all cells together, {report.given}: {number(report.curve.average_precision)}."]
    if report.thresholds is not None:
        for average, fit in (("micro", report.thresholds.best_micro), ("macro", report.thresholds.best_macro)):
            if fit is not None:
                lines.append(
                    f"The best threshold for {average} F1 on these same data is {fit.threshold:.3f}, which gives "
                    f"{fit.f1:.3f}."
                )
    return lines


def _calibration(report: Report) -> list[str]:
    found = report.calibration
    rows = [
        (f"{one.low:.2f} to {one.high:.2f}", f"{one.num_cells:,}", number(one.probability), number(one.share_right))
        for one in found.bins
    ]
    return [
        f"Expected calibration error: {number(found.error)}; of the likeliest type of each pair alone: "
        f"{number(found.error_of_best)}.",
        "",
        *table((f"probability, {report.given}", "cells", "mean", "right"), rows),
    ]


def _direction(rows: Sequence[DirectionRow]) -> list[str]:
    def row(one: DirectionRow) -> tuple[str, ...]:
        shares = (one.share_as_high, one.share_predicted, one.score, one.swapped_score)
        name = "all" if one.relation_type is None else escape(one.relation_type)
        return name, f"{one.num_pairs:,}", f"{one.num_mutual:,}", *map(number, shares)

    return [
        "Gold relations with head and tail swapped, where that is not gold too.",
        "",
        *table(
            ("relation type", "pairs", "mutual", "swapped as high", "swapped predicted", "score", "swapped score"),
            map(row, rows),
        ),
    ]


def _shifts(report: Report) -> list[str]:
    def row(kind: str, one: Shift) -> tuple[str, ...]:
        changes = one.mean_change, one.mean_change_of_gold, one.largest_change
        figures = one.micro_f1, one.macro_f1
        flipped = f"{one.num_flipped:,} ({100 * one.share_flipped:.1f} %)"
        return kind, escape(one.name), escape(one.example[:60]), *map(number, changes), flipped, *map(number, figures)

    rows = [*(row("order", one) for one in report.orders), *(row("wording", one) for one in report.wordings)]
    header = ("", "change", "such as", "mean", "of gold", "largest", "decisions changed", "micro F1", "macro F1")
    return [
        f"Scores of {report.num_probed:,} documents, {report.given}, asked otherwise: how far probabilities move.",
        "",
        *table(header, rows, 3),
    ]


def _errors(report: Report) -> list[str]:
    rows = [(kind.replace("_", " "), MEANINGS[kind], f"{times:,}") for kind, times in report.errors.items()]
    lines = [*table((f"error, {report.given}", "what it is", "times"), rows, 2), ""]
    lines.append("All of them are in errors.jsonl.")
    for kind in report.errors:
        shown = [one for one in report.examples if one.kind == kind][:_EXAMPLES_OF_A_KIND]
        if shown:
            lines += ["", f"### {kind.replace('_', ' ').capitalize()}", "", *map(_example, shown)]
    return lines


def _example(one: Example) -> str:
    signs = {"head": "ᴴ", "tail": "ᵀ", "both": "ᴴᵀ", "": ""}
    text = "".join(
        f"**{escape(piece.text)}**{signs[piece.role]}" if piece.role else _escaped_inside(piece.text)
        for piece in one.pieces
    )
    said = [] if one.gold is None else [f"gold *{escape(one.gold)}* {number(one.gold_score)}"]
    if one.predicted is not None:
        said.append(f"predicted *{escape(one.predicted)}* {number(one.score)}")
    return f"- {text}<br>{'; '.join(said)}"


def _escaped_inside(text: str) -> str:
    """As [`escape`], with the spaces at both ends."""
    left, right = (" " if text[place : place + 1 or None].isspace() else "" for place in (0, -1))
    inner = escape(text)
    return f"{left}{inner}{right}" if inner else left


def _speeds(report: Report) -> list[str]:
    rows = [
        (
            escape(one.machine),
            f"{one.num_texts:,}",
            f"{one.texts_per_second:,.1f}",
            f"{one.pairs_per_second:,.0f}",
        )
        for one in report.speeds
    ]
    return table(("machine", "texts", "texts a second", "pairs a second"), rows)


def _comparison(report: Report) -> list[str]:
    def row(one: Checkpoint) -> tuple[str, ...]:
        values = (*one.figures.values(), one.average_precision, one.calibration_error)
        own = f" ({one.num_type_thresholds:,} of types)" if one.num_type_thresholds else ""
        return escape(one.name), f"{number(one.threshold)}{own}", *map(number, values)

    header = [
        f"checkpoint, {report.given}",
        "threshold",
        "P",
        "R",
        "F1",
        "macro P",
        "macro R",
        "macro F1",
        "AP",
        "ECE",
    ]
    first = report.checkpoints[0]
    lines = [*table(header, map(row, report.checkpoints)), ""]
    rows = [
        (
            escape(one.name),
            found.figure.replace("_", " "),
            f"{found.difference:+.3f}",
            f"{found.low:+.3f} to {found.high:+.3f}",
            f"{found.p:.4f}",
            f"{corrected:.4f}",
        )
        for one in report.checkpoints[1:]
        for found, corrected in zip(one.differences, one.corrected, strict=True)
    ]
    lines += [
        f"Differences from {escape(first.name)}, by a paired bootstrap over documents ({report.resamples:,} "
        "resamples):",
        "",
    ]
    return [*lines, *table(("checkpoint", "figure", "difference", "95 %", "p", "p, corrected"), rows, 2)]
