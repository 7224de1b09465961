"""What a set of documents holds, as a picture."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from glirel_transformers.extras import require_extra

from .statistics import Distribution, Statistics

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_BLUE, _ORANGE, _GREY = "#0072b2", "#d55e00", "#bbbbbb"
_MANY = 15  # types that are drawn
_BARS = 40  # bars of a distribution, at most
_LONG = 34  # characters of a name


def plot_statistics(statistics: Statistics, file: str | os.PathLike[str], title: str = "") -> None:
    """Draws lengths, mentions, relations, pairs, and the most frequent types.

    Args:
        statistics: the numbers.
        file: the picture to write; its suffix tells the format.
        title: above the picture.

    Raises:
        ImportError: when matplotlib is not installed.
        ValueError: when the suffix is not of a known format.
    """
    require_extra("benchmark", "matplotlib")
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 9), layout="constrained")
    figure.suptitle(title)
    (words, mentions, relations), (types, entity_types, rest) = figure.subplots(2, 3)
    _draw_distribution(words, statistics.words, "words of a document")
    _draw_distribution(mentions, statistics.mentions, "mentions of a document")
    _draw_distribution(relations, statistics.relations, "relations of a document")
    counts = {name: counted.relations for name, counted in statistics.relation_types.items()}
    _draw_types(types, counts, "relation type", "relations", _BLUE)
    labels = {name or "(no type)": count for name, count in statistics.entity_types.items()}
    _draw_types(entity_types, labels, "entity type", "mentions", _ORANGE)
    _draw_pairs(rest, statistics)
    figure.savefig(file, dpi=130)


def _draw_distribution(axes: Axes, values: Distribution, label: str) -> None:
    """A histogram up to the 99th percentile; what is beyond is counted in the last bar."""
    axes.set(xlabel=label, ylabel="documents")
    if not values:
        return
    last = max(values.quantile(0.99), 1)
    width = max(1, -(-(last + 1) // _BARS))
    heights: dict[int, int] = {}
    for value, count in values.items():
        heights[min(value, last) // width] = heights.get(min(value, last) // width, 0) + count
    center = (width - 1) / 2  # of the whole numbers in a bar
    axes.bar([bar * width + center for bar in heights], list(heights.values()), width=width * 0.9, color=_BLUE)
    axes.locator_params(axis="x", integer=True)
    median = values.quantile(0.5)
    axes.axvline(median, color="#666666", linestyle="--", linewidth=1)
    more = f"\nthe last bar holds all from {last // width * width} to {max(values)}" if max(values) > last else ""
    axes.set_title(f"median {median}, mean {values.mean:.1f}{more}", fontsize=9)


def _draw_types(axes: Axes, counts: dict[str, int], what: str, unit: str, color: str) -> None:
    first = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:_MANY]
    names = [_plain(name if len(name) <= _LONG else f"{name[: _LONG - 1]}…") for name, _ in first]
    places = range(len(first))
    axes.barh(places, [count for _, count in first], color=color)
    axes.set_yticks(places, names, fontsize=8)
    axes.invert_yaxis()
    axes.set(xlabel=unit)
    shown = f", of which the first {len(first)} are shown" if len(counts) > len(first) else ""
    axes.set_title(f"{len(counts):,} {what}{'' if len(counts) == 1 else 's'}{shown}", fontsize=9)


def _draw_pairs(axes: Axes, statistics: Statistics) -> None:
    kinds: list[tuple[str, str]] = [("related", _BLUE), ("none", _ORANGE), ("unknown", _GREY)]
    both = [statistics.pairs, statistics.entity_pairs]
    left = [0.0, 0.0]
    for kind, color in kinds:
        shares = [100 * getattr(pairs, kind) / max(pairs.total, 1) for pairs in both]
        counts = " / ".join(f"{getattr(pairs, kind):,}" for pairs in both)
        axes.barh([0, 1], shares, left=left, color=color, label=f"{kind}: {counts}", height=0.5)
        left = [before + share for before, share in zip(left, shares, strict=True)]
    axes.set_yticks([0, 1], ["of mentions", "of entities"])
    axes.set(xlabel="% of ordered pairs", ylim=(-0.6, 2.6), xlim=(0, 100))
    axes.set_title("pairs with a relation, with none, unknown", fontsize=9)
    axes.legend(frameon=False, loc="upper left", fontsize=8, title="mentions / entities", title_fontsize=8)


def _plain(name: str) -> str:
    """A name in which matplotlib reads no formula."""
    return name.replace("$", r"\$")
