"""`glirel data convert`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.table import Table

from glirel_transformers.files import check_not_an_input, check_writable, read_json_object

from .console import console, counted, errors, errors_without_traceback, plain
from .data_options import ReadingOptions
from .options import takes

if TYPE_CHECKING:
    from glirel_transformers.data import Document
    from glirel_transformers.data.readable_names import NewName

Output = Annotated[Path, typer.Option("--output", "-o", help="File to write, or a folder for brat.")]
To = Annotated[
    str,
    typer.Option(
        "--to",
        metavar="NAME",
        help="Format to write: own, text, gliner, label-studio, label-studio-predictions, brat or doccano.",
    ),
]
Names = Annotated[
    Literal["as-is", "readable"],
    typer.Option("--names", help="'readable' puts names of relations in words, such as place_of_birth, and shows it."),
]
Map = Annotated[
    Path | None,
    typer.Option(
        "--map",
        metavar="FILE",
        exists=True,
        dir_okay=False,
        help='New names of relations, as JSON: {"old": "new"}. null removes a relation, false says that there is '
        'none, {"name": "new", "swap": true} swaps head and tail.',
    ),
]


@dataclass(frozen=True, kw_only=True)
class ConvertOptions(ReadingOptions):
    """What `glirel data convert` is given."""

    output: Output
    to: To = "own"
    names: Names = "as-is"
    map: Map = None


@takes(ConvertOptions)
def convert(given: ConvertOptions) -> None:
    """Convert files of documents into another format, and names of relations into words.

    Several files become one. New names are shown next to the old ones, with how often each occurs; what --map names
    is as it says there, and --names readable does the rest.

    For example:

        glirel data convert train.txt --reader conll04 --names readable -o train.jsonl

        glirel data convert predictions.jsonl --to brat -o annotations
    """
    with errors_without_traceback():
        check_not_an_input(given.output, [*given.data, given.map, given.relation_names])
        if given.to != "brat":
            check_writable(given.output)
        from glirel_transformers.data import WRITERS, write_documents
        from glirel_transformers.data.readable_names import rename

        if given.to not in WRITERS:
            raise ValueError(f"--to {given.to!r} is not a format to write. Choose one of {', '.join(WRITERS)}.")
        documents, counts = _read(given)
        names = _new_names(given, counts)
        read: Counter[str] = Counter()

        def renamed() -> Iterator[Document]:
            for document in documents:
                after = rename(document, names)
                read["relations"] += len(document.relations)
                read["kept"] += len(after.relations)
                read["no longer exhaustive"] += document.exhaustive and not after.exhaustive
                yield after

        number = write_documents(given.output, renamed(), format=given.to)
        _show(names, counts)
        _show_notes(names, counts, read)
        written = f"{counted(number, 'document')}, {counted(read['kept'], 'relation')}"
        console.print(plain(f"Wrote {given.output}: {written}."))


def _read(given: ConvertOptions) -> tuple[Iterable[Document], Counter[str]]:
    """The documents, and relations of each type, which are only counted where names change."""
    from glirel_transformers.data import count_relation_types

    if given.map is None and given.names == "as-is":
        return given.documents(), Counter()
    documents = list(given.documents())
    return documents, count_relation_types(documents)


def _new_names(given: ConvertOptions, counts: Counter[str]) -> dict[str, NewName]:
    """The new name of each relation type, those of --map first."""
    from glirel_transformers.data.readable_names import read_names, readable_names

    mapped = {} if given.map is None else read_names(read_json_object(given.map), f"--map {given.map}")
    if unused := [name for name in mapped if name not in counts]:
        errors.print(
            f"[yellow]note:[/yellow] {counted(len(unused), 'name')} of --map {'is' if len(unused) == 1 else 'are'} "
            + plain(f"not of a relation type of these data: {', '.join(map(repr, unused[:5]))}")
        )
    rest = [name for name in counts if name not in mapped]
    readable = readable_names(rest) if given.names == "readable" else {}
    return {**readable, **{name: new for name, new in mapped.items() if name in counts}}


def _show(names: dict[str, NewName], counts: Counter[str]) -> None:
    """A table of the names that change."""
    changed = {old: new for old, new in names.items() if new.name != old or new.swap}
    if changed:
        table = Table("old name", "new name", "", title_justify="left")
        table.add_column("relations", justify="right")
        for old, new in sorted(changed.items(), key=lambda item: (-counts[item[0]], item[0])):
            after = plain(new.name) if new.name is not None else "(no relation)" if new.says_none else "(removed)"
            table.add_row(plain(old), after, "head and tail swapped" if new.swap else "", f"{counts[old]:,}")
        console.print(table)
    if names:
        console.print(f"{counted(len(changed), 'name')} changed, {len(names) - len(changed):,} as before.")


def _show_notes(names: dict[str, NewName], counts: Counter[str], read: Counter[str]) -> None:
    """What was told apart before, and what was lost."""
    from glirel_transformers.data.readable_names import NewName, collisions

    everything = {**{name: NewName(name) for name in counts}, **names}
    for new, old in collisions(everything).items():
        errors.print(
            "[yellow]note:[/yellow] "
            + plain(f"{len(old)} names are now one, {new!r}: {', '.join(map(repr, old))}. --map tells them apart.")
        )
    if lost := read["relations"] - read["kept"]:
        errors.print(
            f"[yellow]note:[/yellow] {counted(lost, 'relation')} fewer than before: removed by --map, or now the same "
            "as another one of the same two mentions."
        )
    if read["no longer exhaustive"]:
        errors.print(
            f"[yellow]note:[/yellow] {counted(read['no longer exhaustive'], 'document')} had relations removed, and "
            "no longer say that a pair without a relation has none (`exhaustive` is false)."
        )
