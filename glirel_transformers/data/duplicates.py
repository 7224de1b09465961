"""Documents with the same text, or with long runs of the same words: within files, and between them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np

from .schema import Document
from .splits import text_hash

_NO_SIGNS = re.compile(r"[\W_]+")
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)


class Placed(NamedTuple):
    """What is kept of a document that was read.

    Args:
        where: its place, such as `train.jsonl, line 12`.
        text: a hash of its letters and digits.
        annotation: a hash of its mentions and relations.
    """

    where: str
    text: float
    annotation: bytes


class Duplicate(NamedTuple):
    """A document that an earlier one, or one of another file, resembles.

    Args:
        where: its place.
        other: the place of the first one that it resembles.
        kind: `same`, text and annotation; `same text`, with other annotation; or `shared words`, a run of them.
    """

    where: str
    other: str
    kind: Literal["same", "same text", "shared words"]


def placed(document: Document, where: str) -> Placed:
    """What is kept of a document."""
    mentions = sorted((m.start, m.end, m.label or "") for m in document.mentions)
    spans = [(m.start, m.end) for m in document.mentions]
    relations = sorted((spans[r.head], spans[r.tail], r.relation_type) for r in document.relations)
    annotation = hashlib.blake2b(repr((mentions, relations)).encode(), digest_size=8).digest()
    return Placed(where, text_key(document), annotation)


def text_key(document: Document) -> float:
    """As [`text_hash`]; of a text without letters and digits, a hash of its signs, outside of `[0, 1)`."""
    if any(character.isalnum() for word in document.words for character in word):
        return text_hash(document)
    digest = hashlib.blake2b(" ".join(document.words).encode(), digest_size=6).digest()
    return 1.0 + int.from_bytes(digest, "big")


@dataclass
class SameTexts:
    """Finds documents with the text of one before; case, spacing and signs do not count."""

    _first: dict[float, Placed] = field(default_factory=dict)

    def add(self, document: Placed) -> Duplicate | None:
        """Adds a document, and gives the one before with its text."""
        first = self._first.setdefault(document.text, document)
        return None if first is document else _same(document, first)

    def find(self, document: Placed) -> Duplicate | None:
        """The first document with this text."""
        first = self._first.get(document.text)
        return None if first is None else _same(document, first)


def _same(document: Placed, other: Placed) -> Duplicate:
    return Duplicate(document.where, other.where, "same" if document.annotation == other.annotation else "same text")


@dataclass
class SharedRuns:
    """Finds documents that share a run of words with one before, or with one of another set.

    Hashes of all runs are compared, 12 bytes each, so that millions of words fit in memory.

    Args:
        length: words of a run; signs do not count as words, and case does not matter.
    """

    length: int
    _values: dict[str, int] = field(default_factory=dict, repr=False)
    _hashes: list[np.ndarray] = field(default_factory=list, repr=False)
    _where: list[str] = field(default_factory=list, repr=False)
    _texts: list[float] = field(default_factory=list, repr=False)

    def __post_init__(self) -> None:
        if self.length < 1:
            raise ValueError(f"A run has at least 1 word: got {self.length}.")

    def add(self, document: Document, where: str) -> None:
        """Adds a document."""
        self._hashes.append(self._runs(_words(document)))
        self._where.append(where)
        self._texts.append(text_key(document))

    def within(self) -> Iterator[Duplicate]:
        """Each document that shares a run with one before, of another text; the first of those is named."""
        hashes, owners = self._table()
        order = np.lexsort((owners, hashes))
        hashes, owners = hashes[order], owners[order]
        is_first = np.ones(len(hashes), bool)
        is_first[1:] = hashes[1:] != hashes[:-1]
        first = owners[is_first][np.cumsum(is_first) - 1]
        yield from self._pairs(owners, first, self)

    def shared_with(self, others: SharedRuns) -> Iterator[Duplicate]:
        """Each document that shares a run with one of `others`, of another text; the first of those is named."""
        hashes, owners = self._table()
        their_hashes, their_owners = others._table()
        if not len(hashes) or not len(their_hashes):
            return
        order = np.lexsort((their_owners, their_hashes))
        their_hashes, their_owners = their_hashes[order], their_owners[order]
        at = np.searchsorted(their_hashes, hashes).clip(max=len(their_hashes) - 1)
        found = their_hashes[at] == hashes
        yield from self._pairs(owners[found], their_owners[at[found]], others)

    def _pairs(self, owners: np.ndarray, partners: np.ndarray, others: SharedRuns) -> Iterator[Duplicate]:
        """One duplicate for each owner whose text is not its partner's."""
        partner_of: dict[int, int] = {}
        differ = (owners != partners) if others is self else np.ones(len(owners), bool)
        for owner, partner in zip(owners[differ].tolist(), partners[differ].tolist()):
            if self._texts[owner] != others._texts[partner]:
                partner_of[owner] = min(partner, partner_of.get(owner, partner))
        for owner in sorted(partner_of):
            yield Duplicate(self._where[owner], others._where[partner_of[owner]], "shared words")

    def _table(self) -> tuple[np.ndarray, np.ndarray]:
        """All runs, and the document of each."""
        counts = [len(hashes) for hashes in self._hashes]
        hashes = np.concatenate(self._hashes) if self._hashes else np.zeros(0, np.uint64)
        return hashes, np.repeat(np.arange(len(counts), dtype=np.int32), counts)

    def _runs(self, words: Sequence[str]) -> np.ndarray:
        """Hashes of the runs of some words; wrapping around is what a hash does."""
        number = len(words) - self.length + 1
        if number < 1:
            return np.zeros(0, np.uint64)
        values = np.fromiter(map(self._value, words), np.uint64, len(words))
        hashes = np.zeros(number, np.uint64)
        for offset in range(self.length):
            hashes = (hashes + values[offset : offset + number]) * _MULTIPLIER
        return hashes

    def _value(self, word: str) -> int:
        if word not in self._values:
            self._values[word] = int.from_bytes(hashlib.blake2b(word.encode(), digest_size=8).digest(), "big")
        return self._values[word]


def _words(document: Document) -> list[str]:
    """The words of a document in small letters, without signs."""
    words: Iterable[str] = (
        word.lower() if word.isalnum() else _NO_SIGNS.sub(" ", word.lower()) for word in document.words
    )
    return [part for word in words for part in word.split()]
