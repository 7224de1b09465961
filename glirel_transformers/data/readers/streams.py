"""JSON records of a file, one after the other: of its lines, its one array, or its one object of arrays.

No more of the file is held in memory than the record that is read, and a block of text around it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import TextIO

from glirel_transformers.files import Json, StrPath, decode_json, open_text, parse_json

Accepts = Callable[[object], bool]
OnError = Callable[[ValueError], None]
Place = tuple[str, Json]  # where a value stands, for errors, and the value

_BLOCK = 1 << 16  # characters
_BEGINS_VALUE = '{["-0123456789tfnNI'
_AFTER_VALUE = (",", "]", "}", ":", " ", "\t", "\n", "\r")
_SPACE = re.compile(r"[ \t\n\r]*")
# The beginning of an object of arrays, up to the first element of the first array that has any.
_FIRST_OF_ARRAYS = re.compile(
    r'\s*\{\s*(?:"(?:[^"\\]|\\.)*"\s*:\s*\[\s*\]\s*,\s*)*("(?:[^"\\]|\\.)*")\s*:\s*\[\s*(?=\{)'
)


def json_records(
    path: StrPath,
    is_in_array: Accepts,
    under: Callable[[str, Json], str | None],
    on_error: OnError | None = None,
) -> Iterator[Place]:
    """The records of a file, and where each stands.

    Args:
        path: the file.
        is_in_array: whether a value may be an element of one array of all records.
        under: of an array's name and its first element, the field in which its elements get that name; `None` where
            no such format is known.
        on_error: called with what is wrong with a line, in place of raising it.

    Raises:
        ValueError: when something is not JSON; the message names the line.
    """
    name = str(path)
    with open_text(path) as file:
        stream = JsonStream(file, name)
        start = stream.peek()
        if start == "[":
            yield from _of_array(stream, is_in_array)
        elif start == "{" and (field := _field_of_arrays(stream.head(), under)) is not None:
            yield from _of_arrays(stream, field)
        else:
            yield from _of_lines(stream, bool(start) and start not in _BEGINS_VALUE, on_error)


def _of_lines(stream: JsonStream, is_strange: bool, on_error: OnError | None) -> Iterator[Place]:
    for number, line in stream.lines():
        if line.strip():
            where = f"{stream.name}, line {number}"
            try:
                value = parse_json(line, where)
            except ValueError as error:
                if is_strange:
                    raise ValueError(
                        f"{error} It is in no other format that is known either. Where you know it, name it with "
                        "--reader (reader=... in Python)."
                    ) from error
                if on_error is None:
                    raise
                on_error(error)
                continue
            yield where, value


def _of_array(stream: JsonStream, is_in_array: Accepts) -> Iterator[Place]:
    line = stream.place
    for position, value in enumerate(stream.array(), start=1):
        if position == 1 and not is_in_array(value):
            yield line, [value]
            return
        yield f"{stream.name}, document {position}", value
    stream.end()


def _of_arrays(stream: JsonStream, field: str) -> Iterator[Place]:
    for name in stream.names():
        for position, value in enumerate(stream.array(), start=1):
            if isinstance(value, dict):
                value = {field: name, **value}
            yield f"{stream.name}, {name}, document {position}", value
    stream.end()


def _field_of_arrays(head: str, under: Callable[[str, Json], str | None]) -> str | None:
    found = _FIRST_OF_ARRAYS.match(head)
    if found is None:
        return None
    try:
        first, _ = json.JSONDecoder().raw_decode(head, found.end())
        return under(json.loads(found[1]), first)
    except (ValueError, RecursionError):
        return None


class JsonStream:
    """The text of a file, of which values of JSON are taken from the front.

    Args:
        file: the text.
        name: its name in errors.
    """

    def __init__(self, file: TextIO, name: str) -> None:
        self.name = name
        self._file = file
        self._text = ""  # what was read and not taken yet, from `_at` on
        self._at = 0
        self._line = 1  # of `_at`
        self._is_whole = False

    @property
    def place(self) -> str:
        """Where the next character stands."""
        return f"{self.name}, line {self._line}"

    def head(self) -> str:
        """The text from here on, as far as it has been read: at least a block, if there is so much."""
        if len(self._text) - self._at < _BLOCK:
            self._more(_BLOCK)
        return self._text[self._at :]

    def lines(self) -> Iterator[tuple[int, str]]:
        """The lines that are left, with their numbers."""
        *whole, begun = self._text[self._at :].split("\n")
        self._text, self._at = "", 0
        yield from enumerate(whole, start=self._line)
        number = self._line + len(whole)
        yield number, begun + self._file.readline()
        yield from enumerate(self._file, start=number + 1)

    def peek(self) -> str:
        """The next character that is not white space; `""` at the end."""
        while True:
            after = _end_of_space(self._text, self._at)
            self._skip(after)
            if self._at < len(self._text):
                return self._text[self._at]
            if self._is_whole:
                return ""
            self._more(_BLOCK)

    def names(self) -> Iterator[str]:
        """The names of an object, each of which the caller reads the value of."""
        self._take("{")
        while self.peek() != "}":
            name = self.value()
            if not isinstance(name, str):
                raise self._error("the name of a field is expected")
            self._take(":")
            yield name
            self._take_comma("}")
        self._take("}")

    def array(self) -> Iterator[Json]:
        """The elements of an array."""
        self._take("[")
        while self.peek() != "]":
            yield self.value()
            self._take_comma("]")
        self._take("]")

    def value(self) -> Json:
        """The next value.

        Raises:
            ValueError: when it is not JSON, or the text ends within.
        """
        self.peek()
        while True:
            try:
                value, end = decode_json(self._text, self._at, self.place)
            except json.JSONDecodeError as error:
                if self._is_whole or not _may_be_cut(error, len(self._text)):
                    raise self._error(error.msg, error.pos) from error
            else:
                if self._is_whole or not _may_go_on(self._text, end):
                    self._skip(end)
                    return value
            self._more(len(self._text) - self._at)

    def end(self) -> None:
        """Checks that nothing follows.

        Raises:
            ValueError: when something does.
        """
        if self.peek():
            raise self._error("extra data")

    def _take(self, mark: str) -> None:
        if self.peek() != mark:
            raise self._error(f"{mark!r} is expected")
        self._skip(self._at + 1)

    def _take_comma(self, closing: str) -> None:
        if self.peek() == closing:
            return
        if self.peek() != ",":
            raise self._error(f"',' or {closing!r} is expected")
        self._skip(self._at + 1)
        if self.peek() == closing:
            raise self._error("a value is expected after ','")

    def _skip(self, position: int) -> None:
        self._line += self._text.count("\n", self._at, position)
        self._at = position

    def _more(self, size: int) -> None:
        """Reads on; what was taken is let go. Twice as much each time, so that a long value is not read too often."""
        read = self._file.read(max(size, _BLOCK))
        self._is_whole = not read
        self._text, self._at = self._text[self._at :] + read, 0

    def _error(self, what: str, position: int | None = None) -> ValueError:
        at = self._at if position is None else min(position, len(self._text))
        line = self._line + self._text.count("\n", self._at, at)
        if at >= len(self._text):
            what = f"it ends before it is whole: {what}"
        near = self._text[at : at + 20].strip()
        here = f", near {near!r}" if near else ""
        return ValueError(f"{self.name}, line {line}: It is not JSON: {what}{here}.")


def _end_of_space(text: str, start: int) -> int:
    found = _SPACE.match(text, start)
    return start if found is None else found.end()


def _may_go_on(text: str, end: int) -> bool:
    """Whether more text could make a value longer, as it could a number: `3` of `3.` is one already."""
    return end > len(text) - 8 and text[end : end + 1] not in _AFTER_VALUE


def _may_be_cut(error: json.JSONDecodeError, size: int) -> bool:
    """Whether more text could make it JSON: it went wrong at the end, or within a string that has no end."""
    return error.pos >= size - 8 or error.msg.startswith("Unterminated string")


__all__ = ["JsonStream", "json_records"]
