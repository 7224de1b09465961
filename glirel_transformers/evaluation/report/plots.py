"""The pictures of a report, drawn once for all its forms."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .content import Report

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# They can be told on white and on black, also by people who see few colours.
BLUE, ORANGE, GREEN = "#3b87c8", "#e0792c", "#2f9e77"
_INK, _LINE = "#010203", "#040506"  # stand for the colours of the page, in pictures inside it
_SHOWN_TYPES = 30
_DPI = 150


def draw_all(report: Report) -> dict[str, Figure]:
    """Every picture that the report has data for, by name."""
    drawn: dict[str, tuple[bool, Callable[[Report], Figure]]] = {
        "precision_recall": (bool(report.curve.recall), draw_precision_recall),
        "calibration": (report.calibration.error is not None, draw_calibration),
        "thresholds": (report.thresholds is not None, draw_thresholds),
        "relation_types": (bool(report.rows), draw_relation_types),
        "confusion": (bool(report.confusion.counts.any()), draw_confusion),
        "sensitivity": (bool(report.orders or report.wordings), draw_sensitivity),
        "comparison": (len(report.checkpoints) > 1, draw_comparison),
    }
    figures = {name: draw(report) for name, (has_data, draw) in drawn.items() if has_data}
    for figure in figures.values():  # laid out once, and not for each file again
        if (engine := figure.get_layout_engine()) is not None:
            engine.execute(figure)
        figure.set_layout_engine("none")
    return figures


def save_pictures(figures: dict[str, Figure], folder: Path) -> None:
    """Saves pictures as PNG files on white."""
    import matplotlib

    folder.mkdir(exist_ok=True)
    for name, figure in figures.items():
        with matplotlib.rc_context():
            figure.savefig(folder / f"{name}.png", dpi=_DPI, facecolor="white", metadata={"Software": None})


def to_svg(name: str, figure: Figure) -> str:
    """A picture as an SVG element for a page, whose colours of text and lines are those of the page.

    Nothing in it leads out of the page, and its identifiers begin with its name.
    """
    import matplotlib

    _recolor(figure, _INK, _LINE)
    file = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        figure.savefig(
            file, format="svg", transparent=True, metadata=dict.fromkeys(("Date", "Creator", "Type", "Format"))
        )
    svg = file.getvalue()
    svg = svg[svg.index("<svg") :].strip()
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\s(?:xmlns(?::\w+)?|version)="[^"]*"', "", svg)
    svg = re.sub(r'\bid="([^"]+)"', rf'id="{name}-\1"', svg)
    svg = re.sub(r"url\(#([^)]+)\)", rf"url(#{name}-\1)", svg)
    svg = re.sub(r'(?:xlink:)?href="#([^"]+)"', rf'href="#{name}-\1"', svg)
    svg = re.sub(r"font: [^;\"]*?([\d.]+px)[^;\"]*", r"font: \1 inherit", svg)
    svg = re.sub(r'(<svg\b[^>]*?)\swidth="[^"]*"', r"\1", svg)
    svg = re.sub(r'(<svg\b[^>]*?)\sheight="[^"]*"', r"\1", svg)
    return svg.replace(_INK, "currentColor").replace(_LINE, "var(--line)")


def _recolor(figure: Figure, ink: str, line: str) -> None:
    """Gives text, axes and grids other colours."""
    from matplotlib.lines import Line2D
    from matplotlib.spines import Spine
    from matplotlib.text import Text

    figure.patch.set_alpha(0)
    for text in figure.findobj(Text):
        text.set_color(ink)
    for spine in figure.findobj(Spine):
        spine.set_edgecolor(line)
    for axes in figure.axes:
        axes.patch.set_alpha(0)
        axes.tick_params(color=line, which="both")
        for grid in [*axes.get_xgridlines(), *axes.get_ygridlines()]:
            grid.set_color(line)
    for drawn in figure.findobj(Line2D):
        if drawn.get_color() == "#888888":
            drawn.set_color(ink)


def _figure(width: float, height: float) -> tuple[Figure, Axes]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots()
    axes.grid(color="#dddddd", linewidth=0.5)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def draw_precision_recall(report: Report) -> Figure:
    """Precision against recall of all cells, with the point that is in use."""
    figure, axes = _figure(5, 4)
    average = report.curve.average_precision
    label = "" if average is None else f"average precision {average:.3f}"
    axes.plot(report.curve.recall, report.curve.precision, color=BLUE, label=label)
    used = report.averages["micro_recall"], report.averages["micro_precision"]
    alone = report.threshold is not None and not report.type_thresholds
    where = f"in use: {report.threshold:.3f}" if alone else "in use"
    axes.plot(*used, "o", color=ORANGE, label=where)
    axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1.02), ylim=(0, 1.02))
    axes.legend(frameon=False, loc="best")
    return figure


def draw_calibration(report: Report) -> Figure:
    """The share of cells that are right against their probability, and how many cells there are."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 4.4), layout="constrained")
    above, below = figure.subplots(2, height_ratios=(3, 1), sharex=True)
    bins = report.calibration.bins
    filled = [one for one in bins if one.num_cells]
    above.plot([0, 1], [0, 1], "--", color="#888888", linewidth=1, label="calibrated")
    above.plot(
        [one.probability for one in filled],
        [one.share_right for one in filled],
        "o-",
        color=BLUE,
        label=f"expected calibration error {report.calibration.error:.3f}",
    )
    above.set(ylabel="share that is right", xlim=(0, 1), ylim=(0, 1.02))
    below.bar(
        [one.low for one in bins], [one.num_cells for one in bins], 1 / len(bins) * 0.9, align="edge", color=BLUE
    )
    below.set(xlabel="probability", ylabel="cells", yscale="log" if filled else "linear")
    above.legend(frameon=False, loc="upper left")
    for axes in (above, below):
        axes.grid(color="#dddddd", linewidth=0.5)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
    return figure


def draw_thresholds(report: Report) -> Figure:
    """F1 against the threshold, as [`plot_f1_by_threshold`] draws it."""
    assert report.thresholds is not None  # `draw_all` checks
    assert report.threshold is not None
    figure, axes = _figure(5, 4)
    for name, color in (("micro", BLUE), ("macro", ORANGE)):
        axes.plot(report.thresholds.threshold, getattr(report.thresholds, name), color=color, label=f"{name} F1")
    in_use = report.threshold
    where = "in use but for types with their own" if report.type_thresholds else "in use"
    axes.axvline(in_use, color="#888888", linestyle="--", linewidth=1, label=f"{where}: {in_use:.3f}")
    axes.set(xlabel="threshold", ylabel="F1", xlim=(0, 1), ylim=(0, 1.02))
    axes.legend(frameon=False, loc="best")
    return figure


def draw_relation_types(report: Report) -> Figure:
    """F1 of the most frequent relation types, with precision and recall as its bounds."""
    rows = sorted(report.rows, key=lambda row: -row.support)[:_SHOWN_TYPES][::-1]
    figure, axes = _figure(7, 1 + 0.26 * len(rows))
    places = range(len(rows))
    low, high = ([end(row.precision, row.recall) for row in rows] for end in (min, max))
    axes.hlines(places, low, high, BLUE, alpha=0.4)
    for name, color in (("precision", GREEN), ("recall", ORANGE)):
        axes.plot([getattr(row, name) for row in rows], places, "|", color=color, ms=10, mew=2, label=name)
    axes.plot([row.f1 for row in rows], places, "o", color=BLUE, label="F1")
    axes.set_yticks(places, [f"{_short(row.relation_type)} ({row.support:,})" for row in rows], parse_math=False)
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.6, len(rows) - 0.4))
    axes.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1), ncols=3)
    return figure


def draw_confusion(report: Report) -> Figure:
    """What is taken for what: the share of each row, for the most frequent relation types."""
    rows, columns, counts = shown_confusion(report)
    from matplotlib.figure import Figure

    figure = Figure(figsize=(2.6 + 0.34 * len(columns), 2.2 + 0.3 * len(rows)), layout="constrained")
    axes = figure.subplots()
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for row, column in np.argwhere(counts).tolist():
        color = "white" if shares[row, column] > 0.55 else "black"
        axes.text(column, row, f"{counts[row, column]:,}", ha="center", va="center", fontsize=6, color=color)
    axes.set_xticks(range(len(columns)), [_short(name) for name in columns], rotation=90, parse_math=False)
    axes.set_yticks(range(len(rows)), [_short(name) for name in rows], parse_math=False)
    axes.set(xlabel="predicted", ylabel="holds")
    return figure


def shown_confusion(report: Report, number: int = _SHOWN_TYPES) -> tuple[list[str], list[str], np.ndarray]:
    """Rows, columns and counts of the most frequent relation types, and of what is not a type."""
    support = [row.support + row.predicted for row in report.rows]
    types = sorted(sorted(range(len(support)), key=lambda place: -support[place])[:number])
    num_types = len(report.rows)
    rows, columns = [*types, num_types], [*types, num_types, num_types + 1, num_types + 2]
    named = [report.confusion.rows[place] for place in rows], [report.confusion.columns[place] for place in columns]
    return *named, report.confusion.counts[np.ix_(rows, columns)]


def draw_sensitivity(report: Report) -> Figure:
    """F1 with the names as they are, in other orders and by other names."""
    shifts = [*(("order, ", one) for one in report.orders), *(("", one) for one in report.wordings)][::-1]
    figure, axes = _figure(7, 1.1 + 0.3 * len(shifts))
    places = range(len(shifts))
    axes.plot([one.micro_f1 for _, one in shifts], places, "o", color=BLUE, label="micro F1")
    axes.plot([one.macro_f1 for _, one in shifts], places, "D", color=ORANGE, markersize=5, label="macro F1")
    axes.set_yticks(places, [f"{kind}{one.name}" for kind, one in shifts], parse_math=False)
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.6, len(shifts) - 0.4))
    axes.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2)
    return figure


def draw_comparison(report: Report) -> Figure:
    """How far other checkpoints are from the first, with 95 % intervals."""
    others = report.checkpoints[1:][::-1]
    figure, axes = _figure(7, 1.3 + 0.6 * len(others))
    for shift, (figure_name, color) in zip((0.12, -0.12), (("micro_f1", BLUE), ("macro_f1", ORANGE))):
        found = [next(d for d in one.differences if d.figure == figure_name) for one in others]
        middle = [one.difference for one in found]
        ends = [[m - d.low for m, d in zip(middle, found)], [d.high - m for m, d in zip(middle, found)]]
        label = figure_name.replace("_f1", " F1")
        axes.errorbar(
            middle,
            [p + shift for p in range(len(others))],
            xerr=np.maximum(ends, 0),
            fmt="o",
            color=color,
            label=label,
        )
    axes.axvline(0, color="#888888", linewidth=1)
    axes.set_yticks(range(len(others)), [_short(one.name, 40) for one in others], parse_math=False)
    axes.set(xlabel=f"difference from {_short(report.checkpoints[0].name, 40)}", ylim=(-0.6, len(others) - 0.4))
    axes.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2)
    return figure


def _short(name: str, limit: int = 32) -> str:
    return name if len(name) <= limit else f"{name[: limit - 1]}…"
