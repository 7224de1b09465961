"""Where texts come from: arguments, standard input, files and folders, read lazily, one item after the other.

An item is a text or a JSON line as it stands, with its place. It is not understood here, so that all that can be wrong
with it is found, and reported, in one place ([`read_request`]).
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

STDIN = "-"
_JSON_LINES = (".jsonl", ".ndjson")
_TABLES = (".csv", ".tsv", ".parquet", ".xlsx", ".xls", ".feather", ".arrow", ".ods")
_DOCUMENTS = (".pdf", ".docx", ".doc", ".odt", ".rtf", ".html", ".htm", ".epub", ".pptx", ".zip", ".tar")
_READ_IN_FOLDERS = (".txt", *_JSON_LINES)
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Source:
    """One text or file.

    Args:
        kind: how it is read.
        path: the file, `None` for standard input and for a text that is given itself.
        text: the text, where it is known already.
    """

    kind: Kind
    path: Path | None = None
    text: str | None = None

    @property
    def name(self) -> str | None:
        """What messages and records call it."""
        if self.path is not None:
            return str(self.path)
        return STDIN if self.text is None else None

    @property
    def is_compressed(self) -> bool:
        """Whether its bytes are packed."""
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
    """What becomes one record: a text or a line as it stands.

    Args:
        kind: how it is read.
        source: its file, `"-"` for standard input, or `None` for a text that is given itself.
        line: its line, from 1, or `None` for whole texts.
        offset: its first byte in the (uncompressed) source.
        raw: its bytes, without the line's end.
        num_bytes: how many bytes it takes in the source.
    """

    kind: Kind
    source: str | None
    line: int | None
    offset: int
    raw: bytes
    num_bytes: int

    @property
    def place(self) -> str:
        """What messages call it, such as `texts.jsonl:17`."""
        source = {None: "the text", STDIN: "standard input"}.get(self.source, self.source)
        return f"{source}" if self.line is None else f"{source}:{self.line}"


@dataclass(frozen=True)
class Chunk:
    """Items that are worked on together.

    Args:
        items: the items.
        num_items: how many they are; all chunks but the last have the same number.
        end: how many items there are up to its end.
        num_bytes: how many bytes of the sources all items up to its end take.
        digest: of all items up to its end. It tells whether a later run reads the same.
    """

    items: list[Item]
    num_items: int
    end: int
    num_bytes: int
    digest: str


def find_sources(inputs: Sequence[str], kind: Kind | None = None) -> list[Source]:
    """What each input names: a file, all text and JSON-lines files below a folder, standard input, or a text itself.

    Args:
        inputs: paths, `"-"` or texts. What looks like a path and is none is an error.
        kind: how files and standard input are read; by default by their names: `.jsonl` and `.ndjson` (also with
            `.gz` or `.xz`) as JSON lines, all others, and standard input, as one text.

    Raises:
        ValueError, OSError: when something is no file and hardly a text, or a folder holds nothing to read.
    """
    sources: list[Source] = []
    for name in inputs:
        path = existing_path(name)
        if name == STDIN:
            sources.append(Source(kind or "text"))
        elif path is None:
            sources.append(Source("text", text=_checked_text(name)))
        elif path.is_dir():
            sources += [Source(kind or _kind_of(file), file) for file in _files_below(path)]
        else:
            sources.append(Source(kind or _kind_of(path), path))
    if sum(source.name == STDIN for source in sources) > 1:
        raise ValueError("Standard input (-) can be read once: it is named twice.")
    return sources


def existing_path(name: str) -> Path | None:
    """The file or folder of that name, if there is one."""
    try:
        path = Path(name)
        return path if path.exists() else None
    except (OSError, ValueError):  # a text that is too long for a path, or holds what none can
        return None


def _checked_text(name: str) -> str:
    if not name.strip():
        raise ValueError("The text is empty. Give a text, a file, a folder, or - for standard input.")
    last = name.rstrip().lower()
    is_one_word = not re.search(r"\s", name.strip())
    if last.endswith((*_READ_IN_FOLDERS, ".json", *COMPRESSED)) or (
        is_one_word and (re.search(r"[/\\*]", name) or re.search(r"\.\w{1,5}$", name))
    ):
        raise OSError(f"There is no file or folder {name!r}. A text is given in quotes, with its words.")
    return name


def _files_below(folder: Path) -> list[Path]:
    files = sorted(path for path in folder.rglob("*") if path.is_file() and plain_suffix(path) in _READ_IN_FOLDERS)
    if not files:
        raise OSError(
            f"The folder {str(folder)!r} holds no {', '.join(_READ_IN_FOLDERS)} file (also with .gz or .xz). Name "
            "other files themselves."
        )
    return files


def _kind_of(path: Path) -> Kind:
    suffix = plain_suffix(path)
    if suffix in _TABLES:
        raise ValueError(
            f"{str(path)!r} is a table, whose rows and columns are not one text. Write a JSON object for each row, "
            "with 'text' and 'entities', into a .jsonl file; or say --input-format lines where each line is a text."
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
    """The items of all sources, one after the other. Empty lines are passed over."""
    for source in sources:
        if source.text is not None:
            raw = source.text.encode("utf-8", "surrogatepass")
            yield Item("text", source.name, None, 0, raw, len(raw))
        elif source.kind == "text":
            with source.open() as file:
                yield read_whole(source, file)
        else:
            with source.open() as file:
                yield from read_lines(source, file)


def read_lines(
    source: Source, file: IO[bytes], offset: int = 0, line: int = 1, num_bytes: int | None = None
) -> Iterator[Item]:
    """The items of a file that is read by lines.

    Args:
        source: what the file is.
        file: its bytes, which stand at `offset`.
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
            raw = raw.removeprefix(_BYTE_ORDER_MARK)
        if raw.strip():
            yield Item(source.kind, source.name, line, offset, raw, len(read))
        offset += len(read)
        line += 1


def read_whole(source: Source, file: IO[bytes]) -> Item:
    """A file that is one text, as an item. Line ends at its end are no part of the text."""
    read = file.read()
    raw = read.removeprefix(_BYTE_ORDER_MARK).rstrip(b"\r\n")
    return Item("text", source.name, None, 0, raw, len(read))


def in_chunks(items: Iterable[Item], size: int) -> Iterator[Chunk]:
    """Items in chunks of a fixed size; the last may be smaller."""
    stream, digest = iter(items), hashlib.blake2b(digest_size=16)
    end = num_bytes = 0
    while chunk := list(islice(stream, size)):
        for item in chunk:
            digest.update(b"%s\0%d\0%d\0" % ((item.source or "").encode(), item.line or 0, len(item.raw)))
            digest.update(item.raw)
            num_bytes += item.num_bytes
        end += len(chunk)
        yield Chunk(chunk, len(chunk), end, num_bytes, digest.hexdigest())
