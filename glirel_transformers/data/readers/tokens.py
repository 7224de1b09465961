"""Tokens of spaCy and of tools built on it, which may be white space: words are the others."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

from glirel_transformers.text_glirel import Span


class Tokens:
    """The tokens of a text.

    Args:
        texts: their texts.

    Attributes:
        words: those that are not white space.
    """

    def __init__(self, texts: Sequence[str]):
        self.words = [text for text in texts if text.strip()]
        self._words_before = list(accumulate((bool(text.strip()) for text in texts), initial=0))

    def between(self, first: int, after: int) -> Span:
        """The half-open word span of a half-open span of tokens, empty where these are white space."""
        return self._words_before[first], self._words_before[after]

    def words_of(self, first: int, after: int, where: str) -> Span:
        """The half-open word span of a half-open span of tokens within the text.

        Raises:
            ValueError: when it is white space; `where` names it.
        """
        start, end = self.between(first, after)
        if start == end:
            raise ValueError(f"`{where}` is at the tokens {first} to {after - 1}, which are white space. Remove it.")
        return start, end
