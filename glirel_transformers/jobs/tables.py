"""Tables of texts, such as `.csv` and `.tsv` files: one text a row, in the column that the user names.

[`split_rows`] finds the rows as they stand, [`Header.read_row`] interprets one. The first row names the columns.
It also decides what separates them: the first separator with which it has the named column.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import IO

from glirel_transformers.files import decode_text

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_SEPARATORS = {",": "a comma", "\t": "a tab", ";": "a semicolon", "|": "a vertical bar"}
_LONGEST_CELL = 2**31 - 1  # by default the csv module refuses cells of more than 131,072 characters


@dataclass(frozen=True)
class Header:
    """The first row of a table.

    Args:
        raw: its bytes, without the line's end.
        num_bytes: how many bytes of the file it takes, with the empty rows before it.
        row: its number, as spreadsheets count; empty rows may come before it.
        columns: their names, all different; a column without a name is called `column_3`, by its position.
        text_column: the one that holds the texts.
        separator: what stands between cells.
    """

    raw: bytes
    num_bytes: int
    row: int
    columns: tuple[str, ...]
    text_column: str
    separator: str

    def read_row(self, row: str) -> tuple[str, dict[str, str]]:
        """The text of a row, and its other cells by their columns.

        Raises:
            ValueError: when it does not have one cell for each column.
        """
        try:
            cells = _next_row(_rows([row], self.separator))
        except csv.Error as error:
            raise ValueError(
                f"It is not a row of a table ({error}). Put a cell that holds a quotation mark in quotation marks, "
                "and double the mark."
            ) from None
        if len(cells) != len(self.columns):
            raise ValueError(
                f"It has {len(cells)} cells, but the first row names {len(self.columns)} columns. Put cells that hold "
                f"{_SEPARATORS[self.separator]} in quotation marks, and fill up short rows."
            )
        by_column = dict(zip(self.columns, cells, strict=True))
        return by_column.pop(self.text_column), by_column


def read_header(file: IO[bytes], text_column: str, name: str) -> Header:
    """The first row of a table.

    Args:
        file: the table, at its beginning.
        text_column: the column that holds the texts.
        name: what errors call the table.

    Raises:
        ValueError: when it is not UTF-8, has no such column, or has a column twice.
    """
    raw, num_bytes, row = b"", 0, 0
    for row, read in enumerate(split_rows(file, ","), start=1):
        raw = (read.removeprefix(BYTE_ORDER_MARK) if row == 1 else read).rstrip(b"\r\n")
        num_bytes += len(read)
        if raw:
            break
    first = decode_text(raw, name)
    by_separator = {separator: _read_columns(first, separator) for separator in _SEPARATORS}
    separator = next((sign for sign, columns in by_separator.items() if text_column in columns), None)
    if separator is None:
        columns = max(by_separator.values(), key=len)
        if not columns and b"\r" in raw:
            raise ValueError(f"{name}: Its lines end in a carriage return alone. Save it with line ends LF or CRLF.")
        raise ValueError(
            f"{name}: The table has no column {text_column!r}. Its first row must name the columns; these are "
            f"{', '.join(map(repr, columns)) or 'none'}. Name one of them as --text-column."
        )
    columns = by_separator[separator]
    if repeated := [column for column in dict.fromkeys(columns) if columns.count(column) > 1]:
        raise ValueError(f"{name}: The table has the column {repeated[0]!r} twice. Rename one of them.")
    return Header(raw, num_bytes, row, columns, text_column, separator)


def looks_like_table(raw: bytes) -> bool:
    """Whether bytes that may be one text are rather a table: every row has as many cells as the first, at least two.

    Commas, semicolons and bars occur in texts as well. There they count only where the first row reads like names of
    columns, or has cells in quotation marks.
    """
    lines = raw.removeprefix(BYTE_ORDER_MARK).decode("utf-8", "replace").splitlines(keepends=True)
    return any(_separates(separator, lines) for separator in _SEPARATORS)


def _separates(separator: str, lines: list[str]) -> bool:
    """Whether a separator divides lines into the cells of a table."""
    rows, first, num_rows = _rows(lines, separator), [""], 0
    try:
        while row := next((cells for cells in iter(partial(_next_row, rows), None) if cells), None):
            num_rows += 1
            first = row if num_rows == 1 else first
            if len(row) != len(first) or len(row) < 2:
                return False
    except csv.Error:
        return False
    if num_rows < 2 or not all(first):
        return False
    are_names = all(cell == cell.strip() and not cell.endswith((".", "!", "?")) for cell in first)
    is_quoted = f'{separator}"' in lines[0] or lines[0].startswith('"')
    return separator == "\t" or is_quoted or (are_names and len(set(first)) == len(first))


def split_rows(file: IO[bytes], separator: str) -> Iterator[bytes]:
    """The rows of a table as they stand, from where the file is; a row may take several lines.

    What is wrong within a row is an error when it is read.
    """
    lines: list[bytes] = []

    def decoded() -> Iterator[str]:
        while line := file.readline():
            lines.append(line)
            yield line.decode("utf-8", "surrogateescape")

    rows = _rows(decoded(), separator)
    while True:
        try:
            _next_row(rows)
        except StopIteration:
            return
        except csv.Error:
            pass  # `read_row` meets it again
        yield b"".join(lines)
        lines.clear()


def _rows(lines: Iterable[str], separator: str) -> Iterator[list[str]]:
    return csv.reader(lines, delimiter=separator, strict=True)


def _next_row(rows: Iterator[list[str]]) -> list[str]:
    """The cells of the next row, however long they are; the limit of the csv module is one for the whole process."""
    limit = csv.field_size_limit(_LONGEST_CELL)
    try:
        return next(rows)
    finally:
        csv.field_size_limit(limit)


def _read_columns(row: str, separator: str) -> tuple[str, ...]:
    try:
        cells = _next_row(_rows([row], separator))
    except csv.Error:
        return ()
    return tuple(cell or f"column_{position}" for position, cell in enumerate(cells, start=1))
