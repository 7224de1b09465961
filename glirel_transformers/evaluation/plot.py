"""F1 against the decision threshold, and what holds against what was said, as pictures."""

from __future__ import annotations

import os

from glirel_transformers.extras import require_extra

from .reliability import Reliability
from .thresholds import THRESHOLDS, Average, ThresholdCounts

_ENOUGH = 20  # cells of a bin; the share of fewer says little, and is drawn hollow


def plot_f1_by_threshold(counts: ThresholdCounts, file: str | os.PathLike[str], title: str = "") -> None:
    """Draws micro and macro F1 at all thresholds, with the threshold in use.

    Args:
        counts: from an evaluation.
        file: the picture to write; its suffix tells the format.
        title: above the picture.

    Raises:
        ImportError: when matplotlib is not installed.
        ValueError: when the suffix is not of a known format.
    """
    require_extra("benchmark", "matplotlib")
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.subplots()
    curves: tuple[tuple[Average, str], ...] = (("micro", "#0072b2"), ("macro", "#d55e00"))
    for average, color in curves:
        axes.plot(THRESHOLDS, counts.curve(average), color=color, label=f"{average} F1")
    where = "in use but for types with their own" if counts.type_thresholds else "in use"
    axes.axvline(
        counts.threshold, color="#666666", linestyle="--", linewidth=1, label=f"{where}: {counts.threshold:.3f}"
    )
    axes.set(xlabel="threshold", ylabel="F1", title=title, xlim=(0, 1), ylim=(0, 1))
    axes.grid(color="#dddddd", linewidth=0.5)
    axes.legend(frameon=False)
    figure.savefig(file, dpi=150)


def plot_reliability(before: Reliability, after: Reliability, file: str | os.PathLike[str], title: str = "") -> None:
    """Draws a reliability diagram: in each bin of probabilities, the share that holds; below, how many there are.

    Bins of fewer than 20 cells are hollow, and joined to none.

    Args:
        before, after: of the same cells.
        file: the picture to write; its suffix tells the format.
        title: above the picture.

    Raises:
        ImportError: when matplotlib is not installed.
        ValueError: when the suffix is not of a known format.
    """
    require_extra("benchmark", "matplotlib")
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 6.4), layout="constrained")
    axes, below = figure.subplots(2, sharex=True, height_ratios=(3, 1))
    axes.plot([0, 1], [0, 1], color="#666666", linestyle="--", linewidth=1, label="perfectly calibrated")
    curves = (("before", before, "#d55e00", "o", 0.0), ("after, cross-validated", after, "#0072b2", "s", 0.5))
    for name, found, color, marker, place in curves:
        rows = found.bins[found.bins[:, 0] >= _ENOUGH]
        label = f"{name}: error {found.ece:.4f}"
        axes.plot(rows[:, 1], rows[:, 2], color=color, marker=marker, markersize=5, label=label)
        few = found.bins[(found.bins[:, 0] > 0) & (found.bins[:, 0] < _ENOUGH)]
        axes.plot(few[:, 1], few[:, 2], color=color, marker=marker, markersize=5, linestyle="", fillstyle="none")
        width = 1 / len(found.bins)
        starts = [(number + 0.05 + 0.9 * place) * width for number in range(len(found.bins))]
        below.bar(starts, found.bins[:, 0], width=0.45 * width, align="edge", color=color)
    axes.set(ylabel="share that holds", title=title, xlim=(0, 1), ylim=(0, 1))
    below.set(xlabel="probability", ylabel="pairs with types", yscale="log")
    for one in (axes, below):
        one.grid(color="#dddddd", linewidth=0.5)
        one.set_axisbelow(True)
    axes.legend(frameon=False, loc="upper left")
    figure.savefig(file, dpi=150)
