"""`glirel data stats`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from glirel_transformers.extras import require_extra
from glirel_transformers.files import check_not_an_input, check_writable

from .console import console, counted, errors_without_traceback, plain
from .data_options import ReadingOptions
from .options import takes

if TYPE_CHECKING:
    from glirel_transformers.data.statistics import Distribution, Pairs, Statistics

Top = Annotated[int, typer.Option("--top", min=0, help="Show the most frequent n types of relations and entities.")]
Output = Annotated[
    Path | None, typer.Option("--output", "-o", dir_okay=False, help="Write everything as JSON as well.")
]
Plot = Annotated[
    Path | None, typer.Option("--plot", dir_okay=False, help="Draw distributions and types, such as stats.png.")
]


@dataclass(frozen=True, kw_only=True)
class StatsOptions(ReadingOptions):
    """What `glirel data stats` is given."""

    top: Top = 20
    output: Output = None
    plot: Plot = None


@takes(StatsOptions)
def stats(given: StatsOptions) -> None:
    """Count what files of documents hold: lengths, mentions, entities, pairs, types, overlaps.

    Of several files, each has a column, and all together. Pairs without a relation are told apart: those that are
    known to have none, as in documents that are exhaustive, and those of which nothing is known.

    For example:

        glirel data stats train.jsonl dev.jsonl test.jsonl --plot stats.png -o stats.json
    """
    with errors_without_traceback():
        if given.output is not None and given.plot is not None and given.output.resolve() == given.plot.resolve():
            raise ValueError(f"--output and --plot are the same file, {str(given.plot)!r}. Name two.")
        for option, file in (("--output", given.output), ("--plot", given.plot)):
            if file is not None:
                check_writable(file, option)
                check_not_an_input(file, [*given.data, given.relation_names], option)
        if given.plot is not None:
            require_extra("benchmark", "matplotlib")
        whole, columns = _count(given)
        _show(columns, whole, given.top)
        if given.output is not None:
            report = {"all": whole.to_dict(), "files": {name: one.to_dict() for name, one in columns.items()}}
            given.output.write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        if given.plot is not None:
            from glirel_transformers.data.statistics_plot import plot_statistics

            plot_statistics(whole, given.plot, ", ".join(file.name for file in given.data))


def _count(given: StatsOptions) -> tuple[Statistics, dict[str, Statistics]]:
    """The numbers of all files together, and of each."""
    from glirel_transformers.data.statistics import Statistics

    whole = Statistics()
    columns: dict[str, Statistics] = {}
    for file in given.data:
        own = columns.setdefault(str(file), Statistics())
        for document in given.documents([file]):
            own.add(document)
            whole.add(document)
    return whole, columns


def _show(columns: dict[str, Statistics], whole: Statistics, top: int) -> None:
    if len(columns) > 1:
        console.print(_files_table(columns))
    title = "All files together" if len(columns) > 1 else plain(next(iter(columns)))
    table = Table(title=title, show_header=False)
    table.title_justify, table.title_style = "left", ""
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column()
    for section in _sections(whole):
        for label, value, spread in section:
            if not label.startswith(" ") or value != "0":
                table.add_row(label, value, spread)
        table.add_section()
    table.caption = "In brackets: from the 5th to the 95th percentile, and the largest."
    table.caption_justify = "left"
    console.print(table)
    _show_types(whole, top)


def _files_table(columns: dict[str, Statistics]) -> Table:
    """The main figures of each file."""
    table = Table("file")
    for name in ("documents", "words", "mentions", "relations", "types", "none"):
        table.add_column(name, justify="right")
    short = [Path(name).name for name in columns]
    for name, one in columns.items():
        figures = (one.words.total(), one.words.sum, one.mentions.sum, one.relations.sum, len(one.relation_types))
        share = f"{100 * one.pairs.none / one.pairs.total:.0f} %" if one.pairs.total else "–"
        shown = name if short.count(Path(name).name) > 1 else Path(name).name
        table.add_row(plain(shown), *(f"{figure:,}" for figure in figures), share)
    table.caption = "types: of relations; none: share of the pairs of mentions that are known to have no relation"
    table.caption_justify = "left"
    return table


def _sections(one: Statistics) -> list[list[tuple[str, str, str]]]:
    """Rows of a label, a number, and how that is spread; those whose label is indented are shown if not 0."""
    from glirel_transformers.data.statistics import KINDS_OF_DOCUMENTS

    more, shared = one.extra_relations, one.overlaps
    return [
        [("documents", f"{one.documents['all']:,}", "")]
        + [(f"  {kind}", f"{one.documents[kind]:,}", "") for kind in KINDS_OF_DOCUMENTS],
        [
            ("words", f"{one.words.sum:,}", _spread(one.words, "a document")),
            ("mentions", f"{one.mentions.sum:,}", _spread(one.mentions, "a document")),
            ("  their words", f"{one.mention_words.sum:,}", _spread(one.mention_words, "a mention")),
            ("  without a type", f"{one.entity_types[None]:,}", ""),
            ("  nested in another", f"{shared['nested']:,}", ""),
            ("  crossing another", f"{shared['crossing']:,}", ""),
            ("  of the same words", f"{shared['same words']:,}", ""),
            ("entities", f"{one.entities.sum:,}", _spread(one.entities, "a document")),
            (
                "  with known mentions",
                f"{one.mentions_per_entity.total():,}",
                _spread(one.mentions_per_entity, "each"),
            ),
            ("entity types", f"{len(set(one.entity_types) - {None}):,}", ""),
        ],
        [
            ("relations", f"{one.relations.sum:,}", _spread(one.relations, "a document")),
            ("  words between head and tail", f"{one.distance.sum:,}", _spread(one.distance, "a relation")),
            ("  pairs with several types", f"{more['several types']:,}", ""),
            ("  the same type both ways", f"{more['both ways']:,}", ""),
            ("  to itself", f"{more['to itself']:,}", ""),
            ("  of mentions that share words", f"{more['overlapping ends']:,}", ""),
            ("  with evidence", f"{more['with evidence']:,}", ""),
            ("relation types", f"{len(one.relation_types):,}", ""),
        ],
        [*_pairs("ordered pairs of mentions", one.pairs), *_pairs("ordered pairs of entities", one.entity_pairs)],
    ]


def _spread(values: Distribution, what: str) -> str:
    """Such as `26.3 a document (7–48, max 120)`, from the 5th to the 95th percentile."""
    if not values:
        return ""
    low, high = values.quantile(0.05), values.quantile(0.95)
    return f"{values.mean:.1f} {what} ({low}–{high}, max {max(values):,})"


def _pairs(name: str, pairs: Pairs) -> list[tuple[str, str, str]]:
    parts = {"with a relation": pairs.related, "known to have none": pairs.none, "unknown": pairs.unknown}
    return [
        (name, f"{pairs.total:,}", ""),
        *(
            (f"  {kind}", f"{count:,}", f"{100 * count / pairs.total:.1f} %" if count else "")
            for kind, count in parts.items()
        ),
    ]


def _show_types(whole: Statistics, top: int) -> None:
    """The most frequent types of relations and of entities."""
    numbers: dict[str, Any] = whole.to_dict()
    if top and numbers["relation_types"]:
        table = Table("relation type", "mostly from → to")
        for name in ("relations", "documents"):
            table.add_column(name, justify="right")
        for row in numbers["relation_types"][:top]:
            head, tail, _ = row["ends"][0]
            table.add_row(
                plain(row["name"]),
                plain(f"{head or '?'} → {tail or '?'}"),
                f"{row['relations']:,}",
                f"{row['documents']:,}",
            )
        console.print(table)
        _say_more(len(numbers["relation_types"]) - top, "relation type")
    types = [row for row in numbers["entity_types"] if row["name"] is not None]
    if top and types:
        table = Table("entity type")
        table.add_column("mentions", justify="right")
        for row in types[:top]:
            table.add_row(plain(row["name"]), f"{row['mentions']:,}")
        console.print(table)
        _say_more(len(types) - top, "entity type")


def _say_more(number: int, what: str) -> None:
    if number > 0:
        console.print(f"{counted(number, f'more {what}')} not shown; --top shows more, -o all.")
