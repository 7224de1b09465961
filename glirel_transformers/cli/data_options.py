"""What all commands of `glirel data` are given: files of documents, and how they are read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from glirel_transformers.files import read_json_object

from .reading import PANEL, Alignment, Exhaustive, Reader

if TYPE_CHECKING:
    from glirel_transformers.data import Document

Item = TypeVar("Item")

Data = Annotated[
    list[Path],
    typer.Argument(metavar="DATA", exists=True, help="Files of annotated documents, in any format that is known."),
]
RelationNames = Annotated[
    Path | None,
    typer.Option(
        "--relation-names",
        metavar="FILE",
        exists=True,
        dir_okay=False,
        help='Names of relation ids, as JSON such as {"P17": "country"}, for formats that have ids alone. [default: '
        "the file next to DATA that comes with the data set]",
        rich_help_panel=PANEL,
    ),
]


@dataclass(frozen=True, kw_only=True)
class ReadingOptions:
    """Files of documents, and how they are read."""

    data: Data
    reader: Reader = None
    relation_names: RelationNames = None
    exhaustive: Exhaustive = None
    alignment: Alignment = "strict"

    def as_arguments(self) -> dict[str, Any]:
        """What `read_documents` takes.

        Raises:
            ValueError: when the file of names holds something else.
        """
        names = None if self.relation_names is None else names_of_ids(self.relation_names)
        given = {"reader": self.reader, "exhaustive": self.exhaustive, "alignment": self.alignment}
        return {"relation_names": names, **given}

    def documents(self, files: Iterable[Path] | None = None) -> Iterator[Document]:
        """The documents of all files, or of some, one after the other, with progress in a terminal."""
        from glirel_transformers.data import read_documents

        arguments = self.as_arguments()
        for file in self.data if files is None else files:
            yield from with_progress(read_documents(file, **arguments), file.name)


def names_of_ids(file: Path) -> dict[str, str]:
    """Names by id. FewRel's lists of name and description are read as well.

    Raises:
        ValueError: when one is something else.
    """
    names: dict[str, str] = {}
    for key, value in read_json_object(file).items():
        name = value[0] if isinstance(value, list) and value else value
        if not isinstance(name, str) or not name.strip():
            raise ValueError(f"--relation-names {str(file)!r}: The name of {key!r} must be a string: got {value!r}.")
        names[key] = name
    return names


def with_progress(items: Iterable[Item], name: str) -> Iterator[Item]:
    """The items, counted on standard error while they are read, in a terminal alone."""
    from tqdm import tqdm

    yield from tqdm(items, desc=name, unit=" documents", leave=False, disable=None)
