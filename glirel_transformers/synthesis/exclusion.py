"""What must not get into training data: names of relations and texts of benchmarks."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from glirel_transformers.data import read_documents
from glirel_transformers.files import naming_the_file, plain_suffix, read_json, read_text

from .names import name_key

OVERLAP = 10
_LETTERS = re.compile(r"\w+")


@dataclass
class Exclusion:
    """Names and texts that are kept out.

    Args:
        names: keys of relation names ([`name_key`]), each with the name as it was given.
        texts: digests of the letters and digits of whole texts.
        runs: digests of runs of `overlap` words.
        overlap: from how many words in a row a text is taken to hold a part of an excluded one.
    """

    names: dict[str, str] = field(default_factory=dict)
    texts: set[bytes] = field(default_factory=set)
    runs: set[bytes] = field(default_factory=set)
    overlap: int = OVERLAP

    def read(self, path: str | os.PathLike[str]) -> tuple[int, int]:
        """Adds what a file holds: documents in any format, a JSON list of names, or a text with a name a line.

        Returns:
            How many names and how many texts it had.

        Raises:
            OSError, ValueError: when it cannot be read; the message names the file.
        """
        before = len(self.names), len(self.texts)
        if plain_suffix(path) == ".txt":
            lines = map(str.strip, read_text(path).splitlines())
            self.add_names(line for line in lines if line and not line.startswith("#"))
        elif (names := _names_in(path)) is not None:
            self.add_names(names)
        else:
            for document in read_documents(path):
                self.add_names(relation.relation_type for relation in document.relations)
                self.add_text(" ".join(document.words))
        added = len(self.names) - before[0], len(self.texts) - before[1]
        return added

    def add_names(self, names: Iterable[str]) -> None:
        """Adds names of relations."""
        for name in names:
            self.names.setdefault(name_key(name), name)

    def add_text(self, text: str) -> None:
        """Adds a text."""
        words = _words(text)
        if words:
            self.texts.add(_digest(words))
            self.runs.update(self._runs(words))

    def excludes_name(self, name: str) -> bool:
        """Whether a relation name is one of those kept out, or a form of it."""
        return name_key(name) in self.names

    def excludes_text(self, text: str) -> bool:
        """Whether a text is one of those kept out, or shares `overlap` words in a row with one."""
        if not self.texts:
            return False
        words = _words(text)
        return _digest(words) in self.texts or any(run in self.runs for run in self._runs(words))

    def _runs(self, words: list[str]) -> Iterator[bytes]:
        for start in range(len(words) - self.overlap + 1):
            yield _digest(words[start : start + self.overlap])


def text_key(text: str) -> bytes:
    """A digest of a text's letters and digits, by which texts that differ in case, spacing and signs are the same."""
    return _digest(_words(text))


def _words(text: str) -> list[str]:
    return _LETTERS.findall(text.lower())


def _digest(words: Iterable[str]) -> bytes:
    return hashlib.blake2b("".join(words).replace("_", "").encode("utf-8", "surrogatepass"), digest_size=8).digest()


def _names_in(path: str | os.PathLike[str]) -> list[str] | None:
    """The names of a JSON file that is a list of strings; `None` of any other file."""
    if plain_suffix(path) != ".json" or not Path(path).is_file():
        return None
    value = read_json(path)
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        return None
    with naming_the_file(path):
        if not value:
            raise ValueError(f"{os.fspath(path)}: It is an empty list: there is nothing to exclude.")
    return [str(name) for name in value]
