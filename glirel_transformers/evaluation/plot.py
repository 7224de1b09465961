"""F1 against the decision threshold, as a picture."""

from __future__ import annotations

import os

from glirel_transformers.extras import require_extra

from .thresholds import THRESHOLDS, Average, ThresholdCounts


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
    axes.axvline(
        counts.threshold, color="#666666", linestyle="--", linewidth=1, label=f"in use: {counts.threshold:.3f}"
    )
    axes.set(xlabel="threshold", ylabel="F1", title=title, xlim=(0, 1), ylim=(0, 1))
    axes.grid(color="#dddddd", linewidth=0.5)
    axes.legend(frameon=False)
    figure.savefig(file, dpi=150)
