"""Windows of texts that are longer than the model reads, groups of relation types, and their scores merged.

Axes: `words, entities, pairs, relations`. Spans are half-open.
"""

from __future__ import annotations

import random
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from .finding_glirel import Findings
from .prompts_glirel import Prompt, Room
from .text_glirel import Span, Words
from .tokenization_glirel import GLiRELTokenizer


@dataclass
class Window:
    """A part of a text with some relation types, ready for the model.

    Args:
        features: what the tokenizer built of it; dropped once it is scored.
        prompt: what it was built with.
        span: the words that it reads, half-open, in the whole text.
        entities: those in it, as positions among the entities of the whole text.
        pair_index: head and tail of each pair among the entities of the whole text, `(pairs, 2)`.
        columns: the relation types that it is asked for, half-open, among all of the text.
        scores: probabilities `(pairs, relations)`, once it is scored.
        attention: what the entities attend to, `(entities, words)`, once it is scored and if the model says so.
        findings: what is known and found in it, of a model that finds entities. Until [`place_found`], `pair_index` is
            among those of this window.
    """

    features: dict[str, np.ndarray]
    prompt: Prompt
    span: Span
    entities: list[int]
    pair_index: np.ndarray
    columns: Span
    scores: np.ndarray | None = None
    attention: np.ndarray | None = None
    findings: Findings | None = None

    @property
    def num_tokens(self) -> int:
        """Length of the encoder's input."""
        return len(self.features["input_ids"])

    def take_found(
        self, scores: np.ndarray, pair_index: np.ndarray, pair_mask: np.ndarray, attention: np.ndarray | None
    ) -> None:
        """Keeps its scores and pairs, of a model that finds entities, likewise."""
        first, last = self.columns
        rows = np.flatnonzero(pair_mask)
        order = np.lexsort(pair_index[rows].T[::-1])
        rows = rows[order]
        self.pair_index = pair_index[rows]
        self.scores = scores[rows, : last - first]
        if attention is not None:
            self.attention = attention[:, : len(self.features["word_mask"])]
        self.features = {}

    def place_found(self, known: list[int], found: list[int]) -> None:
        """Says where this window's entities are among those of the whole text; −1 drops one with its pairs."""
        places = np.array([*known, *found], dtype=np.int64)
        is_kept = (places >= 0) if len(places) else np.zeros(0, dtype=np.bool_)
        self.entities = places[is_kept].tolist()
        if self.attention is not None:  # and without candidates that are no entities
            self.attention = self.attention[: len(places)][is_kept]
        rows = np.flatnonzero(is_kept[self.pair_index].all(-1)) if len(self.pair_index) else np.zeros(0, np.int64)
        self.pair_index = places[self.pair_index[rows]] if len(rows) else self.pair_index[:0]
        order = np.lexsort(self.pair_index.T[::-1])  # entities that start alike may have changed places
        self.pair_index = self.pair_index[order]
        if self.scores is not None:
            self.scores = self.scores[rows[order]]

    def take_scores(self, scores: np.ndarray, attention: np.ndarray | None) -> None:
        """Keeps its scores, cut from those of a padded batch, and drops what they were made from."""
        first, last = self.columns
        self.scores = scores[: len(self.pair_index), : last - first]
        if attention is not None:
            entities = self.features.get("entity_mask", self.features["mention_mask"])
            self.attention = attention[: len(entities), : len(self.features["word_mask"])]
        self.features = {}


def group_relation_types(
    tokenizer: GLiRELTokenizer,
    relation_types: Sequence[str],
    group_size: int | Literal["auto"] | None = None,
    entity_types: Sequence[str] | None = None,
) -> list[list[str]]:
    """Divides relation types, in their order, into groups that are asked for one after the other.

    Args:
        tokenizer: of the model.
        relation_types: all of them.
        group_size: how many a group has at most. `"auto"` is as many as take half of the tokens that the model reads,
            so that the other half is left for the text, and all where they are read apart; `None` is one group of
            all.
        entity_types: that are to be found, and stand next to every group.
    """
    if group_size is None or (group_size == "auto" and tokenizer.label_encoding == "separate"):
        return [list(relation_types)]
    if group_size != "auto":
        return [list(relation_types[i : i + group_size]) for i in range(0, len(relation_types), group_size)]
    taken = 0 if entity_types is None else len(tokenizer.read_prompt([], entity_types).token_ids)
    budget = (tokenizer.model_max_length - taken) // 2
    groups: list[list[str]] = []
    tokens = 0
    for name in relation_types:
        # With the few tokens that enclose a prompt: on the safe side.
        cost = len(tokenizer.read_prompt([name]).token_ids)
        if not groups or tokens + cost > budget:
            groups.append([])
            tokens = 0
        groups[-1].append(name)
        tokens += cost
    return groups


def split_windows(words: Words, mention_starts: Sequence[int], prompt: Prompt, room: Room) -> list[Span]:
    """Half-open word spans that overlap by half and fit into the model next to the prompt.

    Raises:
        ValueError: when the prompt leaves no room for a single word.
    """
    max_words = room.words or 2 * words.num_words
    costs = room.costs(words, mention_starts)
    windows, begin = [], 0
    while True:
        end = min(bisect_right(costs, costs[begin] + room.tokens) - 1, begin + max_words)
        if end <= begin:
            fewer = "types" if prompt.entity_types else "relation types"
            raise ValueError(
                f"{prompt.asked} take {len(prompt.token_ids)} of the "
                f"{len(prompt.token_ids) + room.tokens} tokens that the model reads, and leave no room for the word "
                f"at {words.char_spans[begin]}. Pass fewer {fewer}, or ask for them in groups: group_size=…"
            )
        windows.append((begin, end))
        if end == len(costs) - 1:
            return windows
        begin = max(begin + 1, bisect_left(costs, costs[end] - room.tokens // 2), end - max_words // 2)


def mentions_inside(spans: Sequence[Span], windows: Sequence[Span]) -> Iterator[tuple[Span, list[int]]]:
    """Each window with the positions of the mentions that lie in it, in their order; all are word spans."""
    order = sorted(range(len(spans)), key=lambda mention: spans[mention][0])
    starts = [spans[mention][0] for mention in order]
    for begin, end in windows:
        near = order[bisect_left(starts, begin) : bisect_left(starts, end)]
        yield (begin, end), sorted(mention for mention in near if spans[mention][1] <= end)


def draw_window(words: Words, mentions: Sequence[Span], hulls: Sequence[Span], room: Room, rng: random.Random) -> Span:
    """A window of words that fits, around one of `hulls` drawn at random where one fits; a half-open word span.

    Args:
        words: of the whole text.
        mentions: word spans of all mentions. Those that a window only touches count as well: its tokens are bounded
            from above.
        hulls: word spans that are worth reading, such as those from head to tail of each relation.
        room: next to the prompt.
        rng: what is drawn from.

    Raises:
        ValueError: when not even one word fits.
    """
    costs = room.costs(words, [start for start, _ in mentions])
    fitting = [hull for hull in hulls if room.admits(costs, hull)]
    if fitting:
        window = rng.choice(fitting)
    else:
        start = rng.randrange(words.num_words)
        window = (start, start + 1)
    if not room.admits(costs, window):
        raise ValueError(
            f"The relation types leave {room.tokens} tokens for the text, which is not enough for one word. Pass a "
            "smaller max_relation_types or a model that reads more."
        )
    return _widened(window, costs, room)


def _widened(window: Span, costs: Sequence[int], room: Room) -> Span:
    """Widens a window word by word, on both sides in turn, until nothing more fits."""
    start, end = window
    grew = True
    while grew:
        grew = False
        if end < len(costs) - 1 and room.admits(costs, (start, end + 1)):
            end, grew = end + 1, True
        if start > 0 and room.admits(costs, (start - 1, end)):
            start, grew = start - 1, True
    return start, end


def merge_windows(windows: Sequence[Window], num_entities: int, num_relations: int) -> tuple[np.ndarray, np.ndarray]:
    """Pairs `(pairs, 2)`, each once and row-major, and their best scores `(pairs, relations)` over all windows."""
    scored = [(window, window.scores) for window in windows if window.scores is not None]
    if not scored:
        return np.zeros((0, 2), dtype=np.int64), np.zeros((0, num_relations), dtype=np.float32)
    if len(scored) == 1 and scored[0][0].columns == (0, num_relations):
        return scored[0][0].pair_index, scored[0][1]
    keys_of = [window.pair_index[:, 0] * num_entities + window.pair_index[:, 1] for window, _ in scored]
    keys = np.unique(np.concatenate(keys_of))
    best = np.full((len(keys), num_relations), -1, dtype=scored[0][1].dtype)
    for (window, scores), of_window in zip(scored, keys_of, strict=True):
        rows, columns = np.searchsorted(keys, of_window), slice(*window.columns)
        best[rows, columns] = np.maximum(best[rows, columns], scores)
    return np.stack((keys // num_entities, keys % num_entities), axis=1), best
