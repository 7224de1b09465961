"""Mentions that a model wrote down, found again in the text. All spans are half-open, in characters.

A mention is looked for as it is written, then with ever more of these differences allowed, each counted by its name:

- `exact`: none.
- `spaces`: runs of white space, and spaces of other kinds, are one space.
- `characters`: Unicode's compatible forms (NFKC), and quotation marks, apostrophes and dashes of all shapes.
- `case`: large and small letters.
- `trimmed`: a leading article, and quotation marks and punctuation at its ends.

It must begin and end where words do: "art" is not found in "Warsaw's party".
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import NamedTuple

from glirel_transformers.text_glirel import Span, split_words

_ALIKE = {
    **dict.fromkeys("‘’‚‛′`´ʼ", "'"),
    **dict.fromkeys("“”„‟″«»", '"'),
    **dict.fromkeys("‐‑‒–—―−", "-"),
}
_ENDS = re.compile(r"""^(?:(?:the|a|an)\s+|[\s"'.,;:!?()\[\]*_-]+)+|[\s"'.,;:!?()\[\]*_-]+$""", re.IGNORECASE)
RULES = ("exact", "spaces", "characters", "case", "trimmed")


class Found(NamedTuple):
    """Where a mention is.

    Args:
        spans: all its occurrences, in order.
        rule: which of `RULES` found it; without occurrences, why not: `not in the text` or `inside a word`.
    """

    spans: list[Span]
    rule: str


class _Folded(NamedTuple):
    """A text in which differences are levelled.

    Args:
        text: the text.
        place_of: of each of its characters, where the original has it.
    """

    text: str
    place_of: list[int]


def _spaces(character: str) -> str:
    return " " if character.isspace() else character


def _characters(character: str) -> str:
    return "".join(_ALIKE.get(one, one) for one in unicodedata.normalize("NFKC", _spaces(character)))


def _case(character: str) -> str:
    return _characters(character).casefold()


_FOLDS: dict[str, Callable[[str], str]] = {"spaces": _spaces, "characters": _characters, "case": _case}


def _fold(text: str, rule: str) -> _Folded:
    change = _FOLDS[rule]
    characters: list[str] = []
    places: list[int] = []
    for place, original in enumerate(text):
        for character in change(original):
            if character == " " and (not characters or characters[-1] == " "):
                continue
            characters.append(character)
            places.append(place)
    return _Folded("".join(characters), places)


class Aligner:
    """Finds mentions in a text.

    Args:
        text: the text.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.word_spans = split_words(text)
        self._starts = {start: word for word, (start, _) in enumerate(self.word_spans)}
        self._ends = {end: word + 1 for word, (_, end) in enumerate(self.word_spans)}

    @cached_property
    def _folded(self) -> dict[str, _Folded]:
        return {rule: _fold(self.text, rule) for rule in _FOLDS}

    def find(self, surface: str, within: Span | None = None) -> Found:
        """The occurrences of a mention, none of which overlap.

        Args:
            surface: what the model wrote.
            within: a part of the text, if it must lie there.
        """
        is_in_text = False
        for rule in RULES:
            spans = list(self._occurrences(surface, rule))
            is_in_text |= bool(spans)
            whole = [span for span in spans if self.is_whole(span)]
            if within is not None:
                whole = [span for span in whole if within[0] <= span[0] and span[1] <= within[1]]
            if whole:
                return Found(_without_overlaps(whole), rule)
        return Found([], "inside a word" if is_in_text and within is None else "not in the text")

    def words_of(self, span: Span) -> Span:
        """The half-open word span of an occurrence."""
        return self._starts[span[0]], self._ends[span[1]]

    def is_whole(self, span: Span) -> bool:
        """Whether a span begins and ends where words do."""
        return span[0] in self._starts and span[1] in self._ends

    def _occurrences(self, surface: str, rule: str) -> Iterator[Span]:
        if rule == "exact":
            yield from ((at, at + len(surface)) for at in _find_all(self.text, surface))
            return
        fold = "case" if rule == "trimmed" else rule
        folded, wanted = self._folded[fold], _fold(surface, fold).text.strip()
        if rule == "trimmed":
            wanted = _ENDS.sub("", wanted)
        for at in _find_all(folded.text, wanted):
            yield folded.place_of[at], folded.place_of[at + len(wanted) - 1] + 1


def _find_all(text: str, part: str) -> Iterator[int]:
    at = text.find(part) if part else -1
    while at >= 0:
        yield at
        at = text.find(part, at + 1)


def _without_overlaps(spans: list[Span]) -> list[Span]:
    kept: list[Span] = []
    for span in spans:
        if not kept or kept[-1][1] <= span[0]:
            kept.append(span)
    return kept
