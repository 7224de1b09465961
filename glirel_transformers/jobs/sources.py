"""Where texts come from: arguments, standard input, files and folders, read lazily, item by item.

An item is a text, a JSON line or a row of a table as it stands, with its place. It is not interpreted here, so that
whatever is wrong with it is found, and reported, in one place ([`read_request`]).
"""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO

from glirel_transformers.files import COMPRESSED, is_compressed, open_binary, plain_suffix

from .choices import Kind
from .tables import BYTE_ORDER_MARK, Header, looks_like_table, read_header, split_rows

STDIN = "-"
_JSON_LINES = (".jsonl", ".ndjson")
_TABLES = (".csv", ".tsv", ".tab", ".psv")
_OTHER_TABLES = (".parquet", ".orc", ".avro", ".feather", ".arrow", ".xlsx", ".xlsm", ".xlsb", ".xls", ".ods", ".dbf")
_DOCUMENTS = (".pdf", ".docx", ".doc", ".odt", ".rtf", ".html", ".htm", ".epub", ".pptx", ".zip", ".tar")
_READ_IN_FOLDERS = (".txt", *_JSON_LINES)


@dataclass(frozen=True)
class Source:
    """One text or file.

    Args:
        kind: how it is read.
        path: the file, `None` for standard input and for a text that is given itself.
        text: the text, if it is known already.
        text_column: the column of a table that holds the texts.
        is_guessed: whether the kind is only what is likely: nobody said it, and no name tells.
        reader: the format of annotated documents; `None` guesses it.
        alignment: what becomes of a span of annotated documents that cuts a word.
    """

    kind: Kind
    path: Path | None = None
    text: str | None = None
    text_column: str | None = None
    is_guessed: bool = False
    reader: str | None = None
    alignment: str = "strict"

    @property
    def name(self) -> str | None:
        """The name that messages and records give it."""
        if self.path is not None:
            return str(self.path)
        return STDIN if self.text is None else None

    @property
    def is_compressed(self) -> bool:
        """Whether its bytes are compressed."""
        return self.path is not None and is_compressed(self.path)

    @contextmanager
    def open(self) -> Iterator[IO[bytes]]:
        """The uncompressed bytes.

        Raises:
            ValueError: when a compressed file is damaged.
        """
        if self.path is None:
            yield sys.stdin.buffer
        else:
            with open_binary(self.path) as file:
                yield file


@dataclass(frozen=True)
class Item:
    """What becomes one record: a text, a line or a row as it stands.

    Args:
        kind: how it is read.
        source: its file, `"-"` for standard input, or `None` for a text that is given itself.
        line: its line, or its row in a table, from 1; `None` for whole texts.
        offset: its first byte in the (uncompressed) source.
        raw: its bytes, without the line's end.
        num_bytes: how many bytes it takes in the source.
        header: the first row of its table.
    """

    kind: Kind
    source: str | None
    line: int | None
    offset: int
    raw: bytes
    num_bytes: int
    header: Header | None = None

    @property
    def place(self) -> str:
        """The name that messages give it, such as `texts.jsonl:17`, or `texts.csv, row 17` as spreadsheets count."""
        source = {None: "the text", STDIN: "standard input"}.get(self.source, self.source)
        if self.line is None:
            return f"{source}"
        return f"{source}:{self.line}" if self.header is None else f"{source}, row {self.line}"


@dataclass(frozen=True)
class Chunk:
    """Items that are processed together.

    Args:
        items: the items.
        num_items: their number; all chunks but the last have the same number.
        end: how many items there are up to its end.
        num_bytes: how many bytes of the sources all items up to its end take.
        digest: a digest of all items up to its end, by which a later run knows that it reads the same.
    """

    items: list[Item]
    num_items: int
    end: int
    num_bytes: int
    digest: str


def find_sources(inputs: Sequence[str], kind: Kind | None = None, text_column: str | None = None) -> list[Source]:
    """What each input names: a file, all text and JSON-lines files below a folder, standard input, or a text itself.

    Args:
        inputs: paths, `"-"` or texts. What looks like a path and does not exist is an error.
        kind: how files and standard input are read; by default by their names: `.jsonl` and `.ndjson` (also with
            `.gz` or `.xz`) as JSON lines, `.csv`, `.tsv`, `.tab` and `.psv` as tables, all others, and standard input,
            as one text. What then looks like a table is an error when it is read.
        text_column: the column that holds the texts of tables, which are read only with it.

    Raises:
        ValueError, OSError: when something looks like a path but does not exist, a folder holds nothing to read, or a
            table does not have the column.
    """
    sources: list[Source] = []
    for name in inputs:
        path = existing_path(name)
        if name == STDIN:
            sources.append(Source(kind or "text", text_column=text_column, is_guessed=kind is None))
        elif path is None:
            sources.append(Source("text", text=_checked_text(name)))
        else:
            files = _files_below(path, has_tables=text_column is not None) if path.is_dir() else [path]
            for file in files:
                is_guessed = kind is None and not path.is_dir()
                sources.append(Source(kind or _kind_of(file, text_column), file, None, text_column, is_guessed))
    if sum(source.name == STDIN for source in sources) > 1:
        raise ValueError("Standard input (-) can be read once: it is named twice.")
    _check_tables(sources, text_column)
    return sources


def _check_tables(sources: list[Source], text_column: str | None) -> None:
    """Checks that tables have the column of texts, and that there are tables where one is named."""
    tables = [source for source in sources if source.kind == "table"]
    if tables and text_column is None:
        raise ValueError("A table needs --text-column: name the column that holds the texts.")
    if not tables and text_column is not None:
        raise ValueError(
            f"--text-column names a column of tables, but no input is a {', '.join(_TABLES)} file. Say --input-format "
            "table for standard input and for tables with other names."
        )
    for source in tables:
        if source.path is not None:
            with source.open() as file:
                read_header(file, str(text_column), str(source.name))


def existing_path(name: str) -> Path | None:
    """The file or folder with that name, if there is one."""
    try:
        path = Path(name)
        return path if path.exists() else None
    except (OSError, ValueError):  # a text that is too long for a path, or holds characters that no path can
        return None


def _checked_text(name: str) -> str:
    if not name.strip():
        raise ValueError("The text is empty. Give a text, a file, a folder, or - for standard input.")
    last = name.rstrip().lower()
    is_one_word = not re.search(r"\s", name.strip())
    if last.endswith((*_READ_IN_FOLDERS, ".json", *COMPRESSED)) or (
        is_one_word and (re.search(r"[/\\*]", name) or re.search(r"\.\w{1,5}$", name))
    ):
        raise OSError(f"There is no file or folder {name!r}. Check the path; a text has several words, in quotes.")
    return name


def _files_below(folder: Path, has_tables: bool) -> list[Path]:
    suffixes = (*_READ_IN_FOLDERS, *_TABLES) if has_tables else _READ_IN_FOLDERS
    files = sorted(path for path in folder.rglob("*") if path.is_file() and plain_suffix(path) in suffixes)
    if not files:
        raise OSError(
            f"The folder {str(folder)!r} holds no {', '.join(suffixes)} file (also with .gz or .xz). Name other files "
            "themselves."
        )
    return files


def _kind_of(path: Path, text_column: str | None) -> Kind:
    suffix = plain_suffix(path)
    if suffix in _TABLES and text_column is not None:
        return "table"
    if suffix in (*_TABLES, *_OTHER_TABLES):
        saved = "S" if suffix in _TABLES else "Save it as .csv, and s"
        raise ValueError(
            f"{str(path)!r} is a table, whose rows and columns are not one text. {saved}ay which column holds the "
            "texts, such as --text-column text; or write a JSON object for each row, with 'text' and 'entities', into "
            "a .jsonl file."
        )
    if suffix in _DOCUMENTS:
        raise ValueError(f"{str(path)!r} is a {suffix} file, not plain text. Save its text as .txt.")
    if suffix == ".json":
        raise ValueError(
            f"{str(path)!r}: a .json file may be one object, a list or lines. If it has one JSON object a line, say "
            "--input-format jsonl."
        )
    return "jsonl" if suffix in _JSON_LINES else "text"


def read_items(sources: Iterable[Source]) -> Iterator[Item]:
    """The items of all sources, one after the other. Empty lines are skipped."""
    for source in sources:
        if source.text is not None:
            raw = source.text.encode("utf-8", "surrogatepass")
            yield Item("text", source.name, None, 0, raw, len(raw))
        elif source.kind == "documents":
            yield from _read_annotated(source)
        elif source.kind == "text":
            with source.open() as file:
                item = read_whole(source, file)
            if source.is_guessed and looks_like_table(item.raw):
                raise ValueError(
                    f"{item.place} looks like a table, whose rows and columns are not one text. Say --input-format "
                    "table and --text-column COLUMN; or --input-format text, if it is one text all the same."
                )
            yield item
        else:
            read = read_rows if source.kind == "table" else read_lines
            with source.open() as file:
                yield from read(source, file)


def _read_annotated(source: Source) -> Iterator[Item]:
    """The documents of a file in any format that training reads, each as a line of JSON, and counted as one."""
    if source.path is None:
        raise ValueError("Annotated documents are read from files: got standard input. Save it to a file.")
    from glirel_transformers.data import read_documents
    from glirel_transformers.formats import records_of
    from glirel_transformers.formats.lines import to_json

    documents = read_documents(source.path, reader=source.reader, alignment=source.alignment)
    for number, record in enumerate(records_of(documents), start=1):
        raw = to_json(record).encode("utf-8").rstrip(b"\n")
        yield Item("documents", source.name, number, 0, raw, len(raw))


def read_lines(
    source: Source, file: IO[bytes], offset: int = 0, line: int = 1, num_bytes: int | None = None
) -> Iterator[Item]:
    """The items of a file that is read by lines.

    Args:
        source: what the file is.
        file: its bytes, positioned at `offset`.
        offset: where the first item begins.
        line: the number of its line.
        num_bytes: how many bytes are read; by default all.
    """
    end = None if num_bytes is None else offset + num_bytes
    while end is None or offset < end:
        read = file.readline()
        if not read:
            return
        raw = read.rstrip(b"\r\n")
        if offset == 0:
            raw = raw.removeprefix(BYTE_ORDER_MARK)
        if raw.strip():
            yield Item(source.kind, source.name, line, offset, raw, len(read))
        offset += len(read)
        line += 1


def read_rows(
    source: Source, file: IO[bytes], offset: int = 0, line: int | None = None, num_bytes: int | None = None
) -> Iterator[Item]:
    """The items of a table, whose first row names the columns.

    Args:
        source: what the table is.
        file: its bytes, at their beginning.
        offset: where the first item begins; by default after the first row.
        line: the number of its row, as spreadsheets count: the first row is 1, and empty rows count; by default of
            the row after the one that names the columns.
        num_bytes: how many bytes of items are read; by default all.

    Raises:
        ValueError: when the table does not have the column of texts.
    """
    header = read_header(file, str(source.text_column), str(source.name))
    if offset:
        file.seek(offset)
    else:
        offset = header.num_bytes
    end = None if num_bytes is None else offset + num_bytes
    first = header.row + 1 if line is None else line
    for row, read in enumerate(split_rows(file, header.separator), start=first):
        raw = read.rstrip(b"\r\n")
        if raw:
            yield Item("table", source.name, row, offset, raw, len(read), header)
        offset += len(read)
        if end is not None and offset >= end:
            return


def read_whole(source: Source, file: IO[bytes]) -> Item:
    """A file that is one text, as an item. Line ends at its end are not part of the text."""
    read = file.read()
    raw = read.removeprefix(BYTE_ORDER_MARK).rstrip(b"\r\n")
    return Item("text", source.name, None, 0, raw, len(read))


def in_chunks(items: Iterable[Item], size: int) -> Iterator[Chunk]:
    """Items in chunks of a fixed size; the last may be smaller."""
    stream, digest = iter(items), hashlib.blake2b(digest_size=16)
    end = num_bytes = 0
    while chunk := list(islice(stream, size)):
        for item in chunk:
            digest.update(b"%s\0%d\0%d\0" % ((item.source or "").encode(), item.line or 0, len(item.raw)))
            digest.update(item.raw if item.header is None else item.header.raw + b"\0" + item.raw)
            num_bytes += item.num_bytes
        end += len(chunk)
        yield Chunk(chunk, len(chunk), end, num_bytes, digest.hexdigest())
