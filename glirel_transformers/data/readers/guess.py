"""Which format a file is in, where nobody says so; and that the guess is said aloud."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from glirel_transformers.files import StrPath, open_text
from glirel_transformers.mentions_glirel import shortened

from .format import Format, Record

HEAD = 4096  # characters by which a file that has no JSON records is known
OURS = ("text", "own")  # these need no saying

# The command line prints what this says; in Python it is at the level of information.
logger = logging.getLogger(__name__)


def announce(path: StrPath, form: Format) -> None:
    """Says once how a file is read."""
    states = f" {form.states[:1].upper()}{form.states[1:]}." if form.states else ""
    logger.info("%s: read as %s (it has %s).%s", os.fspath(path), form.name, form.fields, states)


def read_head(path: StrPath) -> str:
    """The first characters of a file; none of a folder, or of what is not text.

    Raises:
        OSError: when it is missing.
    """
    if Path(path).is_dir():
        return ""
    try:
        with open_text(path) as file:
            return file.read(HEAD)
    except ValueError:
        return ""


def format_named(name: str, formats: Mapping[str, Format]) -> Format:
    """A format by its name.

    Raises:
        ValueError: when there is none of that name.
    """
    if name not in formats:
        raise ValueError(f"There is no reader {name!r}. Choose one of {', '.join(sorted(formats))}.")
    return formats[name]


def format_of_file(path: StrPath, formats: Iterable[Format]) -> Format | None:
    """The format of a file that has no JSON records; `None` where none knows it.

    Raises:
        ValueError: when several do.
    """
    head = read_head(path)
    known = [form for form in formats if form.recognises is not None and form.recognises(path, head)]
    return _only(known, os.fspath(path))


class Guess:
    """The format of each JSON record of a file. It is said aloud when it changes.

    Args:
        path: the file.
        formats: those that it may be in.
    """

    def __init__(self, path: StrPath, formats: Iterable[Format]) -> None:
        self._path = path
        self._formats = [form for form in formats if form.records is None]
        self._last: Format | None = None

    def of(self, record: Record) -> Format:
        """The format of a record: the one that it matches, or of several that of the record before it.

        Raises:
            ValueError: when it matches none, or several.
        """
        known = [form for form in self._formats if form.matches(record)]
        if self._last is not None and self._last in known:
            return self._last
        form = _only(known)
        if form is None:
            raise ValueError(self._unknown(record))
        if form.name not in OURS:
            announce(self._path, form)
        self._last = form
        return form

    def _unknown(self, record: Record) -> str:
        fields = shortened(sorted(map(str, record)))
        ours = ", or ".join(form.fields for form in self._formats if form.name in OURS)
        before = f" The record before it is in the format {self._last.name}." if self._last is not None else ""
        return (
            f"The fields {fields} are not those of a known format.{before} Our own have {ours}; docs/data.md has all. "
            "Where you know which it is, name it with --reader (reader=... in Python), and what is wrong will be said."
        )


def _only(known: list[Format], where: str = "") -> Format | None:
    if len(known) > 1:
        names = " or ".join(form.name for form in known)
        raise ValueError(
            f"{where and where + ': '}It may be in the format {names}. Choose one with --reader (reader=... in "
            "Python)."
        )
    return known[0] if known else None
