"""What readers build a document of: words, mentions and relations, each once, with errors that name their place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

from glirel_transformers.data.pairs import Pair
from glirel_transformers.data.schema import Document, Mention, Relation
from glirel_transformers.mentions_glirel import shortened
from glirel_transformers.text_glirel import Span, split_words

from .format import Reading
from .names import named

CUT_WORDS = "words that were cut where a mention begins or ends within them"
NOT_ADJACENT = "mentions of words that are not adjacent, read from the first to the last of them"


class Parts:
    """The mentions and relations of a document that is being read.

    What is listed twice is kept once and counted. A relation of a mention to itself gives the document `self_pairs`.

    Args:
        words: the text.
        reading: the file.

    Raises:
        TypeError: when `words` is not a list of strings.
    """

    def __init__(self, words: object, reading: Reading) -> None:
        self.words = list_of(words, str, "words")
        self._reading = reading
        self._positions: dict[tuple[Span, str | None, int | None], int] = {}
        self._mentions: list[Mention] = []
        self._names: list[list[object]] = []
        self._relations: dict[Relation, None] = {}
        self._none: dict[Pair, None] = {}

    def mention(
        self, span: Span, label: str | None = None, entity: int | None = None, name: object = None, where: str = ""
    ) -> int:
        """The position of a mention, which is added unless it is there.

        Args:
            span: half-open, in words.
            label: the type of its entity; an empty one is none.
            entity: number of its entity, where it is known.
            name: what the annotation calls it.
            where: its place in errors.

        Raises:
            ValueError: when it is not a span of the text.
        """
        start, end = span
        if not 0 <= start < end <= len(self.words):
            raise ValueError(
                f"`{where}` is from word {start} up to, and without, word {end}, counted from 0, in a text of "
                f"{len(self.words)} words."
            )
        key = (span, label or None, entity)
        if key not in self._positions:
            self._positions[key] = len(self._mentions)
            self._mentions.append(Mention(start, end, *key[1:]))
            self._names.append([])
        self._names[self._positions[key]].append(name)
        return self._positions[key]

    def listed(self, span: Span, label: str | None = None, where: str = "", name: object = None) -> int:
        """As [`mention`], of a list in which each is to stand once."""
        before = len(self._mentions)
        position = self.mention(span, label, name=name, where=where)
        self._reading.twice["mentions"] += len(self._mentions) == before
        return position

    def relation(self, head: int, tail: int, name: str, relation_id: str | None = None) -> None:
        """Adds a relation between two mentions."""
        relation = Relation(head, tail, name, relation_id)
        self._reading.twice["relations"] += relation in self._relations
        self._relations[relation] = None

    def none(self, head: int, tail: int) -> None:
        """Notes that a pair is known to have no relation, unless one is added."""
        self._none[head, tail] = None

    @property
    def mentions(self) -> list[Mention]:
        """The mentions so far."""
        return self._mentions

    def join(self, entity_of: Mapping[int, int]) -> None:
        """Gives mentions, by their positions, the numbers of their entities."""
        for position, entity in entity_of.items():
            self._mentions[position] = replace(self._mentions[position], entity=entity)

    def document(self, **fields: Any) -> Document:
        """The document, with further fields of [`Document`]."""
        related = {(relation.head, relation.tail) for relation in self._relations}
        mentions = [named(one, names, self.words) for one, names in zip(self._mentions, self._names, strict=True)]
        is_whole = fields.get("exhaustive", True)
        return Document(
            words=self.words,
            mentions=mentions,
            relations=list(self._relations),
            self_pairs=any(head == tail for head, tail in related),
            none_pairs=() if is_whole else tuple(pair for pair in self._none if pair not in related),
            **fields,
        )


def list_of(values: object, kind: type, where: str) -> list[Any]:
    """A list whose elements are of a type.

    Raises:
        TypeError: when it is not; the message names `where`.
    """
    if not isinstance(values, list) or not all(isinstance(value, kind) for value in values):
        what = {list: "lists", str: "strings", int: "whole numbers"}.get(kind, "objects")
        raise TypeError(f"`{where}` must be a list of {what}: got {shortened(values)}.")
    return values


def text_of(value: object, where: str) -> str:
    """A string that is not empty.

    Raises:
        TypeError: when it is not; the message names `where`.
    """
    if not isinstance(value, str) or not value.strip():
        raise TypeError(f"`{where}` must be a string that is not empty: got {shortened(value)}.")
    return value


def label_of(value: object, where: str) -> str | None:
    """The type of an entity; `None` where it is left out or empty.

    Raises:
        TypeError: when it is not a string; the message names `where`.
    """
    if value is None or value == "":
        return None
    return text_of(value, where)


def whole(value: object, where: str) -> int:
    """A whole number.

    Raises:
        TypeError: when it is not; the message names `where`.
    """
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"`{where}` must be a whole number: got {shortened(value)}.")
    return value


def inclusive(start: object, last: object, where: str) -> Span:
    """The half-open span of a first and a last word.

    Raises:
        TypeError, ValueError: when they are not numbers, or the last is before the first.
    """
    first, final = whole(start, where), whole(last, where)
    if final < first:
        raise ValueError(f"`{where}` is {[first, final]}: its ends are inclusive, and the last is before the first.")
    return first, final + 1


def of_words(positions: object, where: str, reading: Reading) -> Span:
    """The half-open span of a list of word positions.

    Raises:
        TypeError: when it is not a list of whole numbers, or is empty.
    """
    if not list_of(positions, int, where):
        raise TypeError(f"`{where}` must name the words of a mention: got [].")
    ordered = sorted({whole(position, where) for position in list_of(positions, int, where)})
    if ordered[-1] - ordered[0] >= len(ordered):
        reading.noted[NOT_ADJACENT] += 1
    return ordered[0], ordered[-1] + 1


def position_in(value: object, count: int, where: str, what: str) -> int:
    """A position in a list of `count` of something.

    Raises:
        TypeError, ValueError: when it is not.
    """
    position = whole(value, where)
    if not 0 <= position < count:
        raise ValueError(f"`{where}` is {position}, but there are {count} {what}. Positions are counted from 0.")
    return position


def split_at(text: str, spans: Sequence[Span], reading: Reading) -> tuple[list[str], list[Span]]:
    """The words of a text, cut where mentions begin and end, and the mentions in words.

    White space at the ends of a mention is not part of it.

    Args:
        text: the text.
        spans: of mentions, half-open, in characters.
        reading: counts the words that are cut.

    Raises:
        ValueError: when a mention has no word, or is not in the text.
    """
    bare: list[Span] = []
    for start, end in spans:
        inside = text[start:end] if 0 <= start <= end <= len(text) else ""
        if not inside.strip():
            raise ValueError(
                f"A mention is at {(start, end)}, half-open, in a text of {len(text)} characters, and has no word."
            )
        bare.append((start + len(inside) - len(inside.lstrip()), start + len(inside.rstrip())))
    cuts = sorted({end for span in bare for end in span})
    pieces: list[Span] = []
    for start, end in split_words(text):
        bounds = [start, *(cut for cut in cuts if start < cut < end), end]
        reading.noted[CUT_WORDS] += len(bounds) > 2
        pieces += pairwise(bounds)
    first = {start: word for word, (start, _) in enumerate(pieces)}
    after = {end: word + 1 for word, (_, end) in enumerate(pieces)}
    return [text[start:end] for start, end in pieces], [(first[start], after[end]) for start, end in bare]
