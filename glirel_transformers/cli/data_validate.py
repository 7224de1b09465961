"""`glirel data validate`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from glirel_transformers.files import check_not_an_input, check_writable, read_json

from .console import console, counted, errors, errors_without_traceback, plain
from .data_options import ReadingOptions, with_progress
from .options import takes

if TYPE_CHECKING:
    from glirel_transformers.data.duplicates import Duplicate
    from glirel_transformers.data.validation import SimilarNames, Validation

_LEAKS, _SHOW = "What leaks", "What is shown"

Against = Annotated[
    list[Path] | None,
    typer.Option(
        "--against",
        metavar="FILE",
        exists=True,
        help="Documents of an evaluation, whose texts and relation types should not be in DATA. Repeatable.",
        rich_help_panel=_LEAKS,
    ),
]
SharedWords = Annotated[
    int | None,
    typer.Option(
        "--shared-words",
        min=3,
        metavar="N",
        help="Also find texts that share a run of n words, such as 12.",
        rich_help_panel=_LEAKS,
    ),
]
Synonyms = Annotated[
    Path | None,
    typer.Option(
        "--synonyms",
        metavar="FILE",
        exists=True,
        dir_okay=False,
        help='Names that say the same, or the inverse, as JSON: [["spouse", "married to"]], or {"part of": '
        '{"synonyms": [...], "inverses": [...]}}. Some common ones are known.',
        rich_help_panel=_LEAKS,
    ),
]
Block = Annotated[
    Path | None,
    typer.Option(
        "--block",
        metavar="FILE",
        exists=True,
        dir_okay=False,
        help="Names of relations that DATA must not have, as a JSON list, nor any that says the same.",
        rich_help_panel=_LEAKS,
    ),
]
Strict = Annotated[
    bool, typer.Option("--strict", help="Exit with 1 for warnings as well, and not for malformed records alone.")
]
Show = Annotated[
    int, typer.Option("--show", min=0, help="Show the first n of each kind of warning.", rich_help_panel=_SHOW)
]
Output = Annotated[
    Path | None,
    typer.Option("--output", "-o", dir_okay=False, help="Write everything as JSON as well.", rich_help_panel=_SHOW),
]

_ALIKE = {
    "same": "the same name",
    "same id": "the same id",
    "same words": "the same words",
    "synonym": "a synonym",
    "inverse": "the inverse",
    "alike": "alike, perhaps the inverse",
}


@dataclass(frozen=True, kw_only=True)
class ValidateOptions(ReadingOptions):
    """What `glirel data validate` is given."""

    against: Against = None
    shared_words: SharedWords = None
    synonyms: Synonyms = None
    block: Block = None
    strict: Strict = False
    show: Show = 10
    output: Output = None


@takes(ValidateOptions)
def validate(given: ValidateOptions) -> None:
    """Check files of documents: every malformed record, duplicates, and what leaks into an evaluation.

    Each record that cannot be read is named with its file and line, and what to do; the exit code is then 1.
    Duplicates and leaks are warnings: texts are compared by their letters and digits, names of relations by their
    words without case, separators and inflection, by their ids, and by lists of synonyms and inverses.

    For example:

        glirel data validate train.jsonl dev.jsonl

        glirel data validate train.jsonl --against test.jsonl --shared-words 12 --strict
    """
    with errors_without_traceback():
        if given.output is not None:
            check_writable(given.output)
            inputs = [*given.data, *(given.against or ()), given.synonyms, given.block, given.relation_names]
            check_not_an_input(given.output, inputs)
        from glirel_transformers.data.relation_words import read_synonyms
        from glirel_transformers.data.validation import validate as check

        found = check(
            given.data,
            given.against or (),
            options=given.as_arguments(),
            run_length=given.shared_words,
            groups=[] if given.synonyms is None else read_synonyms(read_json(given.synonyms), str(given.synonyms)),
            block=[] if given.block is None else _read_block(given.block),
            progress=with_progress,
        )
        _show(found, given)
        if given.output is not None:
            text = json.dumps(found.to_dict(), indent=2, ensure_ascii=False)
            given.output.write_text(f"{text}\n", encoding="utf-8")
    if found.malformed or (given.strict and not found.is_clean):
        raise typer.Exit(1)


def _read_block(file: Path) -> list[str]:
    names = read_json(file)
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError(f'--block {str(file)!r} must hold a JSON list of names, such as ["part of", "spouse"].')
    return [name for name in names if isinstance(name, str)]


def _show(found: Validation, given: ValidateOptions) -> None:
    for message in found.malformed:
        errors.print(f"[bold red]malformed:[/bold red] {plain(message)}")
    for message in found.readers:
        errors.print(f"[yellow]warning:[/yellow] {plain(message)}")
    for note, count in found.notes.most_common():
        errors.print(f"[yellow]warning:[/yellow] {plain(f'{note}: {count:,}')}")
    _show_texts(found.duplicates, "resemble an earlier one", given.show)
    _show_texts(found.leaks, "resemble one of --against", given.show)
    tables = (
        (found.similar_names, "Names of relations that differ in writing or inflection alone", "another name"),
        (
            found.leaking_names,
            "Names of relations that are in --against, or resemble one there",
            "in --against",
        ),
        (
            found.blocked_names,
            "Names of relations that are in --block, or resemble one there",
            "in --block",
        ),
    )
    for rows, what, title in tables:
        _show_names(rows, what, title, given.show)
    read = sum(found.documents.values())
    console.print(
        f"{counted(read, 'document')} read, {counted(len(found.malformed), 'malformed record')}"
        + (", nothing else to say." if found.is_clean else ".")
    )


def _show_texts(rows: Sequence[Duplicate], what: str, show: int) -> None:
    """Documents with their places, by kind."""
    kinds = {
        "same": f"Documents that {what}, in text and annotation",
        "same text": f"Documents that {what} in text, with other annotation",
        "shared words": f"Documents that {what} in a run of words",
    }
    for kind, text in kinds.items():
        of_kind = [row for row in rows if row.kind == kind]
        if of_kind:
            errors.print(f"[yellow]warning:[/yellow] {text}: {len(of_kind):,}")
        for row in of_kind[:show]:
            errors.print(plain(f"  {row.where}: as {row.other}"))
        if len(of_kind) > show:
            errors.print(f"  {len(of_kind) - show:,} more; --show shows more, -o all.")


def _show_names(rows: Sequence[SimilarNames], what: str, title: str, show: int) -> None:
    if not rows:
        return
    names = len({row.name for row in rows})
    errors.print(f"[yellow]warning:[/yellow] {what}: {names:,}")
    table = Table("relation type")
    table.add_column("relations", justify="right")
    table.add_column(title)
    table.add_column("relations", justify="right")
    table.add_column("")
    for row in rows[:show]:
        count = f"{row.other_relations:,}" if row.other_relations else ""
        table.add_row(plain(row.name), f"{row.relations:,}", plain(row.other), count, _ALIKE[row.kind])
    errors.print(table)
    if len(rows) > show:
        errors.print(f"  {len(rows) - show:,} more; --show shows more, -o all.")
