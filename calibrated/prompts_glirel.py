"""Prompts: the types that precede a text, and how much room they leave next to it.

`[CLS] [REL] r1 [REL] r2 … [SEP]` has one part, the relation types, and `[CLS] [ENT] e1 … [REL] r1 … [SEP]` another
before it, the entity types that are to be found. A part is a list of names, each after a marker of the part's own.
Types that are read on their own precede no text: their prompt is `[CLS]`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from .mentions_glirel import shortened
from .text_glirel import Span, Words

RELATION_TYPES, ENTITY_TYPES = "relations", "entity_types"  # the parts


def check_limit(limit: object, where: str) -> None:
    """Raises a `ValueError` unless `limit`, how many tokens a model reads, is a whole number; `where` is its file."""
    if not isinstance(limit, int) or isinstance(limit, bool) or limit < 1:
        raise ValueError(
            f"{where}: `model_max_length` must be a whole number of at least 1: got {shortened(limit)}. Correct it, "
            "or copy the checkpoint again."
        )


class Part(NamedTuple):
    """One part of a prompt, tokenized."""

    marker_id: int  # what stands before each name, such as `[REL]`
    names: list[list[int]]  # tokens of each name


class Prompt(NamedTuple):
    """What precedes every text that is asked for the same types."""

    token_ids: list[int]
    position_ids: list[int]  # of these tokens; what follows continues counting
    token_spans: dict[str, list[Span]]  # of each part, the tokens of each name
    names: tuple[str, ...]  # of the relation types
    types: list[tuple[int, ...]] | None = None  # tokens of relation types that are read on their own
    entity_types: tuple[str, ...] = ()  # that are to be found
    entity_type_tokens: list[tuple[int, ...]] | None = None  # of those that are read on their own

    @property
    def num_relations(self) -> int:
        """How many relation types are asked for."""
        return len(self.names)

    @property
    def asked(self) -> str:
        """What it asks for, in messages: `3 entity types and 5 relation types`."""
        of_entities = f"{len(self.entity_types)} entity types and " if self.entity_types else ""
        return f"{of_entities}{self.num_relations} relation types"

    @property
    def relation_token_spans(self) -> list[Span]:
        """Token spans of the relation types, where they precede the text."""
        return self.token_spans[RELATION_TYPES]

    @property
    def entity_type_token_spans(self) -> list[Span]:
        """Token spans of the entity types, likewise."""
        return self.token_spans.get(ENTITY_TYPES, [])


def build_prompt(
    names: Mapping[str, Sequence[str]],
    opening: Sequence[int],
    parts: Mapping[str, Part],
    sep_id: int,
    shared_positions: bool,
    separates_parts: bool = False,
    text_stands_apart: bool = False,
) -> Prompt:
    """Puts the parts of a prompt one after the other.

    Args:
        names: of the types in each part.
        opening: what the encoder's template puts before any input, such as `[CLS]`.
        parts: by name.
        sep_id: what ends the prompt.
        shared_positions: whether all names stand at the same positions.
        separates_parts: whether `sep_id` also ends every other part.
        text_stands_apart: whether what ends a part, and so the text, stands where it would without any name.
    """
    token_ids, positions = list(opening), list(range(len(opening)))
    separators = list(positions)  # the places of all that is no name
    token_spans: dict[str, list[Span]] = {}
    last_part = len(parts) - 1
    for place, (part, (marker_id, of_part)) in enumerate(parts.items()):
        spans = token_spans[part] = []
        for name in of_part:
            token_ids.append(marker_id)
            spans.append((len(token_ids), len(token_ids) + len(name)))
            token_ids += name
            first = len(opening) if shared_positions else len(positions)
            positions += range(first, first + 1 + len(name))
        if separates_parts or place == last_part:
            token_ids.append(sep_id)
            before = separators if text_stands_apart else positions
            positions.append(max(before, default=-1) + 1)
            separators.append(positions[-1])
    return Prompt(
        token_ids,
        positions,
        token_spans,
        tuple(names[RELATION_TYPES]),
        entity_types=tuple(names.get(ENTITY_TYPES, ())),
    )


class Room(NamedTuple):
    """How much of a text fits into the model next to a prompt: whatever asks that, asks here.

    Args:
        tokens: how many are left for the words and the markers of mentions.
        words: how many words the model reads at most; `None` means without limit.
        marker_tokens: how many tokens the markers of each mention take.
    """

    tokens: int
    words: int | None
    marker_tokens: int

    def fits(self, words: Words, num_mentions: int) -> bool:
        """Whether a whole text fits, with its mentions."""
        needed = len(words.token_ids) + self.marker_tokens * num_mentions
        return needed <= self.tokens and (self.words is None or words.num_words <= self.words)

    def costs(self, words: Words, mention_starts: Sequence[int]) -> list[int]:
        """Tokens before each word and in all, `(words + 1)`: of the words and of the mentions that start before."""
        starts = sorted(mention_starts)
        return [
            tokens + self.marker_tokens * bisect_left(starts, word) for word, tokens in enumerate(words.token_starts)
        ]

    def admits(self, costs: Sequence[int], window: Span) -> bool:
        """Whether a window of words fits, by what [`costs`] says."""
        start, end = window
        return costs[end] - costs[start] <= self.tokens and (self.words is None or end - start <= self.words)
