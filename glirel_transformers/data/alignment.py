"""Words and the text that they were split from: one place for spans in words and spans in characters."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from glirel_transformers.mentions_glirel import EntityReader
from glirel_transformers.text_glirel import Span, check_alignment, check_span, split_words


def find_words(words: Sequence[str], text: str) -> list[Span]:
    """Half-open character spans of `words`, which follow each other in `text`.

    Raises:
        ValueError: when they do not, or the text has more.
    """
    spans, position = [], 0
    for index, word in enumerate(words):
        start = text.find(word, position)
        if start < 0 or text[position:start].strip():
            raise ValueError(
                f"`text` does not hold the words one after the other: `words[{index}]` is {word!r}, where the text "
                f"has {text[position : position + 20].strip()!r}. Leave `text` out, or give the one that was split."
            )
        position = start + len(word)
        spans.append((start, position))
    if rest := text[position:].strip():
        raise ValueError(f"`text` continues after the last word: {rest[:20]!r}. Leave `text` out, or add the words.")
    return spans


class Placed(NamedTuple):
    """A mention in words.

    Args:
        start: first word.
        end: the word after the last one.
        label: type of its entity.
        entity: position of its entity, where it is known.
    """

    start: int
    end: int
    label: str | None
    entity: int | None


class WordText:
    """A text, split into words as the tokenizer splits it.

    Args:
        text: the text.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._entities = EntityReader(text)
        spans = split_words(text)
        self.words = [text[start:end] for start, end in spans]
        self._starts, self._ends = [start for start, _ in spans], [end for _, end in spans]
        self._first = {start: word for word, (start, _) in enumerate(spans)}
        self._after = {end: word + 1 for word, (_, end) in enumerate(spans)}

    def place(self, entity: object, index: int) -> list[Placed]:
        """The mentions of an entity, given in any form that [`read_entities`] takes in a list.

        Raises:
            TypeError, ValueError: when it cannot be read, or a mention cuts a word.
        """
        read = self._entities.read(entity, index)
        is_cluster = len(read.mentions) > 1 or (isinstance(entity, Mapping) and entity.get("mentions") is not None)
        known = index if is_cluster else None
        return [
            Placed(*self._place(mention[:2], place), read.label, known)
            for mention, place in zip(read.mentions, read.places, strict=True)
        ]

    def words_in(self, span: Sequence[int], where: str) -> Span:
        """The half-open word span of a half-open character span, which may have white space at its ends.

        Raises:
            ValueError: when it is outside the text or cuts a word; `where` names it.
        """
        start, end = span
        if not 0 <= start <= end <= len(self.text):
            raise ValueError(f"`{where}` is {(start, end)} in a text of {len(self.text)} characters.")
        inside = self.text[start:end]
        first, after = start + len(inside) - len(inside.lstrip()), start + len(inside.rstrip())
        if first >= after:
            following = next((word for begin, word in self._first.items() if begin >= start), len(self.words))
            return following, following
        return self._place((first, after), where)

    def align(self, span: object, where: str, alignment: str = "strict") -> tuple[Span, bool]:
        """The half-open word span of a half-open character span, and whether it was widened to whole words.

        White space at its ends is left out.

        Args:
            span: as a tool for annotation gives it.
            where: what errors call it.
            alignment: `"strict"`, or `"expand"` to widen a span that cuts words to the whole words.

        Raises:
            TypeError: when it is not two whole numbers.
            ValueError: when it is outside the text, holds no word, or (unless `alignment="expand"`) cuts one.
        """
        check_alignment(alignment)
        start, end = check_span(span, where, len(self.text), "character")
        inside = self.text[start:end]
        start, end = start + len(inside) - len(inside.lstrip()), start + len(inside.rstrip())
        first, after = bisect_right(self._ends, start), bisect_right(self._starts, end - 1)
        if first >= after:
            raise ValueError(f"`{where}` is {span}, {inside!r}, which holds no word. Remove it, or mark a word.")
        whole = self._starts[first], self._ends[after - 1]
        if alignment == "strict" and whole != (start, end):
            raise ValueError(
                f"`{where}` is {(start, end)}, {self.text[start:end]!r}, which cuts words. The nearest whole words "
                f"are {whole}, {self.text[slice(*whole)]!r}: mark these, or read with alignment='expand' "
                "(--alignment expand), which takes them."
            )
        return (first, after), whole != (start, end)

    def is_whole(self, span: Span) -> bool:
        """Whether a character span starts and ends with words."""
        return span[0] in self._first and span[1] in self._after

    def _place(self, span: Span, where: str) -> Span:
        start, end = span
        if start not in self._first or end not in self._after or start >= end:
            raise ValueError(
                f"`{where}` is {(start, end)}, {self.text[start:end]!r}, which does not start and end on "
                "word boundaries. Mark whole words."
            )
        return self._first[start], self._after[end]
