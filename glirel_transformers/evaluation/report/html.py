"""A report as one HTML page that opens anywhere: all that it needs is in it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from .content import Report
from .decisions import MEANINGS
from .plots import shown_confusion

_SHOWN_TYPES = 24


def to_html(report: Report, pictures: Mapping[str, str]) -> str:
    """The whole page.

    Args:
        report: what it says.
        pictures: SVG elements by name, as [`to_svg`] makes them.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"figure": _figure, "thousands": _thousands, "percent": _percent, "words": _words}
    rows, columns, counts = shown_confusion(report, _SHOWN_TYPES)
    page: str = environment.get_template("page.html.jinja").render(
        report=report,
        pictures={name: Markup(svg) for name, svg in pictures.items()},  # made here
        meanings=MEANINGS,
        confusion_rows=[(name, row, sum(row)) for name, row in zip(rows, counts.tolist(), strict=True)],
        confusion_columns=columns,
        most_confused=report.confusion.most_frequent(40, of_relations=True),
        num_hidden_types=max(0, len(report.rows) - _SHOWN_TYPES),
    )
    return page


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _thousands(value: float) -> str:
    return f"{value:,.0f}"


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f} %"


def _words(name: str) -> str:
    return name.replace("_f1", " F1").replace("_", " ")
