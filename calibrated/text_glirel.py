"""Words, spans, alignment and markers: what can be said of a text without a vocabulary.

Spans are half-open, and the unit is in the name: `char_spans` address a string, `word_spans` the words of a text,
`token_spans` the encoder's input.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate, pairwise
from typing import NamedTuple

import numpy as np

Span = tuple[int, int]


def _as_ranges(codes: Iterable[int]) -> str:
    ranges: list[list[int]] = []
    for code in codes:
        if ranges and code == ranges[-1][1] + 1:
            ranges[-1][1] = code
        else:
            ranges.append([code, code])
    return "".join(f"{chr(first)}-{chr(last)}" for first, last in ranges)


# Scripts that put no space between words: each of their letters is a word, so that mentions can end anywhere. They are
# the blocks where a line may break between letters: line-breaking classes ID, SA, AK and AS of UAX #14, without signs.
_EAST_ASIAN = [(0x3040, 0x30FF), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF)]  # kana with its signs, Han
_IDEOGRAPHS = (0x20000, 0x3FFFF)  # planes 2 and 3, which hold nothing else
_UNSPACED = [
    *((0x2E80, 0x2FDF), (0x3100, 0x312F), (0x31A0, 0x31BF), (0x31F0, 0x31FF)),  # radicals, Bopomofo, small kana
    *((0xA000, 0xA4CF), (0xFF66, 0xFF9F), (0x1AFF0, 0x1B16F)),  # Yi, halfwidth and further kana
    *((0x16FE0, 0x18DFF), (0x1B170, 0x1B2FF)),  # Tangut and Khitan, Nushu
    *((0x0E00, 0x0E7F), (0x0E80, 0x0EFF)),  # Thai, Lao
    *((0x1000, 0x109F), (0xA9E0, 0xA9FF), (0xAA60, 0xAA7F), (0x116D0, 0x116FF)),  # Myanmar
    *((0x1780, 0x17FF), (0x1950, 0x19DF), (0x1A20, 0x1AAF), (0xAA80, 0xAADF)),  # Khmer; Tai Le, Lue, Tham, Viet
    (0x11700, 0x1174F),  # Ahom
    *((0x1B00, 0x1B7F), (0xA980, 0xA9DF), (0x1BC0, 0x1BFF), (0xAA00, 0xAA5F)),  # Balinese, Javanese, Batak, Cham
    *((0x11000, 0x1107F), (0x11300, 0x113FF), (0x11900, 0x1195F)),  # Brahmi, Grantha, Tulu-Tigalari, Dives Akuru
    *((0x11EE0, 0x11EFF), (0x11F00, 0x11F5F)),  # Makasar, Kawi
]
# Planes 2 to 13 hold ideographs only, and what follows plane 14 is private.
_CATEGORIES = {code: unicodedata.category(chr(code)) for code in [*range(0x20000), *range(0xE0000, 0xE1000)]}
_MARK = _as_ranges(code for code, category in _CATEGORIES.items() if category in ("Mn", "Mc", "Me"))
_FORMAT = _as_ranges(code for code, category in _CATEGORIES.items() if category == "Cf")
_LETTER = "".join(
    _as_ranges(code for code in range(first, last + 1) if _CATEGORIES[code][0] in kinds)
    for blocks, kinds in ((_EAST_ASIAN, "LNPSZC"), (_UNSPACED, "L"))
    for first, last in blocks
) + "-".join(map(chr, _IDEOGRAPHS))
_RUN = rf"(?:(?![{_LETTER}])[\w{_MARK}])+"
_SIGN = rf"[^\w\s{_MARK}{_FORMAT}][{_MARK}]*"
# A word is a run of letters, digits and marks, with the format characters inside it; a letter of an unspaced script
# with its marks; any other visible sign with its marks (joiners join signs); or a format character on its own.
WORD = re.compile(rf"[{_LETTER}][{_MARK}]*|{_RUN}(?:[{_FORMAT}]+{_RUN})*|{_SIGN}(?:\u200d{_SIGN})*|[{_FORMAT}]")

# Format characters that change how a text is laid out and not what it says: they are in the word, and not in what is
# tokenized of it. Joiners stay, which tell words apart in Persian and in Indic scripts.
_IGNORED = dict.fromkeys([173, 1564, 6158, 8203, 8206, 8207, *range(8234, 8239), *range(8288, 8304), 65279])


# What a word is, by name; the second is what converted GLiNER-Relex checkpoints were trained with.
WORDS = {"unicode": WORD, "ascii_hyphens": re.compile(r"\w+(?:[-_]\w+)*|\S")}


def split_words(text: str, splitting: str = "unicode") -> list[Span]:
    """Half-open character spans of a text's words: what mentions are made of. Only white space is in no word.

    Args:
        text: any text.
        splitting: what a word is, in `WORDS`.
    """
    return [match.span() for match in WORDS[splitting].finditer(text)]


def without_ignored(word: str) -> str:
    """What is tokenized of a word: all but soft hyphens, zero-width spaces and marks of direction."""
    return word if word.isascii() else word.translate(_IGNORED)


class Words(NamedTuple):
    """A text split into words, and the encoder's tokens of those words."""

    char_spans: list[Span]  # where each word stands in the string; empty when words were given
    token_ids: list[int]
    token_starts: list[int]  # of length words + 1: word i has the tokens token_starts[i]:token_starts[i + 1]

    @property
    def num_words(self) -> int:
        return len(self.token_starts) - 1


def count_tokens(word_ids: list[int], num_words: int) -> list[int]:
    """First token of every word, and the number of tokens: words that gave no token start where the next one does."""
    starts: list[int] = np.searchsorted(np.array(word_ids, dtype=np.int64), np.arange(num_words + 1)).tolist()
    return starts


def check_span(span: object, place: int | str, length: int, unit: str) -> Span:
    """Returns `(start, end)` when it is a half-open, non-empty span within `length` units.

    Args:
        span: what should be a span.
        place: what errors call it, such as `"entities[1].mentions[0]"`, or its position in `entities`.
        length: of the text, in units.
        unit: what spans count, such as `"word"`.

    Raises:
        TypeError: when it is not a pair of whole numbers.
        ValueError: when it is empty, ends before it starts, or reaches outside the text.
    """
    where = place if isinstance(place, str) else f"entities[{place}]"
    if isinstance(span, np.ndarray) and span.shape == (2,):
        span = tuple(span)
    if not isinstance(span, Sequence) or isinstance(span, (str, bytes, bytearray)) or len(span) != 2:
        raise TypeError(f"`{where}` must be (start, end), half-open, in {unit}s: got {span!r}.")
    if any(isinstance(bound, (bool, np.bool_)) or not hasattr(bound, "__index__") for bound in span):
        raise TypeError(f"`{where}` must hold two whole numbers: got {tuple(span)!r}.")
    start, end = (bound.__index__() for bound in span)
    if start == end:
        raise ValueError(
            f"`{where}` is ({start}, {end}), an empty span. Spans are half-open: the single {unit} at "
            f"{start} is ({start}, {start + 1})."
        )
    if start > end:
        raise ValueError(f"`{where}` is ({start}, {end}), which ends before it starts.")
    if start < 0 or end > length:
        raise ValueError(
            f"`{where}` is ({start}, {end}), outside the text, which has {length} {unit}s. Spans are "
            f"half-open and counted in {unit}s."
        )
    return start, end


def check_alignment(alignment: object) -> None:
    """Raises a `ValueError` unless `alignment` is `"strict"` or `"expand"`."""
    if alignment not in ("strict", "expand"):
        raise ValueError(f"`alignment` must be 'strict' or 'expand': got {alignment!r}.")


def align(
    text: str,
    words: Words,
    char_spans: Sequence[object],
    alignment: str = "strict",
    places: Sequence[str] | None = None,
) -> list[Span]:
    """Turns half-open character spans of `text` into half-open word spans.

    Args:
        text: what they are in.
        words: its words.
        char_spans: the spans.
        alignment: `"strict"` or `"expand"`.
        places: what errors call each span, such as `"entities[1].mentions[0]"`; by default its position in `entities`.

    Raises:
        ValueError: when a span is empty, outside the text, or (unless `alignment="expand"`) cuts a word.
    """
    check_alignment(alignment)
    starts, ends = [start for start, _ in words.char_spans], [end for _, end in words.char_spans]
    word_spans = []
    for index, span in enumerate(char_spans):
        where = f"entities[{index}]" if places is None else places[index]
        start, end = check_span(span, where, len(text), "character")
        first, last = bisect_right(ends, start), bisect_right(starts, end - 1)
        if first >= last:
            raise ValueError(f"`{where}` is {(start, end)}, which holds no word: {_around(text, start, end)}.")
        if alignment == "strict" and (starts[first], ends[last - 1]) != (start, end):
            raise ValueError(
                f"`{where}` is {(start, end)}, which does not start and end on word boundaries: "
                f"{_around(text, start, end)}. The nearest valid span is {(starts[first], ends[last - 1])}, "
                f"{text[starts[first] : ends[last - 1]]!r}; alignment='expand' takes it."
            )
        word_spans.append((first, last))
    return word_spans


def find_collapse(
    text: str,
    words: Words,
    char_spans: Sequence[Sequence[int]],
    word_spans: Sequence[Span],
    places: Sequence[str] | None = None,
) -> str | None:
    """Says which two mentions differ in characters and not in words, so that a model could not tell them apart.

    Args:
        text: what they are in.
        words: its words.
        char_spans, word_spans, places: of the mentions, as [`align`] takes and gives them.

    Returns:
        A sentence without its full stop, for an error or a warning, about the first two; `None` where there are none.
    """
    seen: dict[Span, int] = {}
    for index, span in enumerate(word_spans):
        other = seen.setdefault(span, index)
        if tuple(char_spans[other]) != tuple(char_spans[index]):
            one, two = (
                f"`{f'entities[{i}]' if places is None else places[i]}` ({text[slice(*char_spans[i])]!r})"
                for i in (other, index)
            )
            whole = text[words.char_spans[span[0]][0] : words.char_spans[span[1] - 1][1]]
            return (
                f"{one} and {two} are parts of the same words, {whole!r}, so that the model cannot tell them apart. "
                "Pass one of them, or a text in which they are words of their own"
            )
    return None


def with_tokens(span: Span, words: Words) -> Span:
    """A word span without the words at its ends of which the tokenizer keeps nothing.

    Raises:
        ValueError: when no word of it has a token.
    """
    starts = words.token_starts
    inside = [word for word in range(*span) if starts[word + 1] > starts[word]]
    if not inside:
        chars = ""
        if words.char_spans:  # which words that were given as a list do not have
            chars = f" (characters {words.char_spans[span[0]][0]} to {words.char_spans[span[1] - 1][1]})"
        raise ValueError(
            f"The tokenizer keeps nothing of the mention at words {span[0]} to {span[1]}{chars}. Leave it out, or "
            "mark a word with letters or digits."
        )
    return inside[0], inside[-1] + 1


def check_relation_types(relation_types: object, where: str = "relation_types") -> None:
    """Raises a `TypeError` or `ValueError` unless `relation_types` is a list of different, non-empty strings.

    Args:
        relation_types: what should be such a list, of entity types as well.
        where: what errors call it.
    """
    if isinstance(relation_types, (str, bytes)) or not isinstance(relation_types, Sequence):
        raise TypeError(f"`{where}` must be a list of strings: got {relation_types!r}.")
    seen: dict[str, int] = {}
    for position, name in enumerate(relation_types):
        if not isinstance(name, str):
            raise TypeError(f"{where}[{position}] must be a string: got {name!r}, a {type(name).__name__}.")
        if not name.strip():
            raise ValueError(f"{where}[{position}] is {name!r}, an empty name. Remove it or write one.")
        if name in seen:
            raise ValueError(
                f"{where} repeats {name!r} (positions {seen[name]} and {position}). Each type needs its own "
                "column; remove the duplicate."
            )
        seen[name] = position


def check_unicode(texts: Iterable[str | Sequence[str]]) -> None:
    """Raises a `ValueError` for a string with half of a surrogate pair, which no encoding can write."""
    for text in (part for one in texts for part in ([one] if isinstance(one, str) else one)):
        if half := re.search("[\ud800-\udfff]", text):
            at = half.start()
            raise ValueError(
                f"{text[max(0, at - 20) : at + 20]!r} has {half.group()!r} at {at}, half of a surrogate pair, which "
                "is not a character. Read the text again with its right encoding, or remove it."
            )


def ordered_pairs(starts: Sequence[Sequence[int]], max_distance: int | None, self_pairs: bool = False) -> np.ndarray:
    """All ordered pairs of entities, row-major, `(pairs, 2)`.

    Args:
        starts: the words at which the mentions of each entity start.
        max_distance: how many words the nearest mentions of a pair may start apart.
        self_pairs: whether each entity is also paired with itself.
    """
    allowed = np.ones((len(starts), len(starts)), dtype=np.bool_)
    if max_distance is not None:
        entity = np.repeat(np.arange(len(starts)), [len(mentions) for mentions in starts])
        places = np.array([start for mentions in starts for start in mentions], dtype=np.int64)
        near = np.abs(places[:, None] - places[None, :]) <= max_distance
        allowed[:] = False
        heads, tails = np.nonzero(near)
        allowed[entity[heads], entity[tails]] = True
    np.fill_diagonal(allowed, self_pairs)
    return np.argwhere(allowed).astype(np.int64, copy=False)


Marked = tuple[list[int], list[int], list[Span]]


def insert_markers(
    token_ids: list[int], token_starts: list[int], spans: list[Span], open_id: int, close_id: int
) -> Marked:
    """Encloses mentions in markers, which become words of their own; nested mentions nest, the longer one outside."""
    new_ids: list[int] = []
    new_starts: list[int] = []
    opened, closed = [0] * len(spans), [0] * len(spans)
    mentions = range(len(spans))
    opening = sorted(mentions, key=lambda m: (spans[m][0], -spans[m][1], m))
    closing = sorted(mentions, key=lambda m: (spans[m][1], -spans[m][0], -m))
    for word in range(len(token_starts)):
        while closing and spans[closing[0]][1] == word:
            new_starts.append(len(new_ids))
            new_ids.append(close_id)
            closed[closing.pop(0)] = len(new_starts)
        while opening and spans[opening[0]][0] == word:
            opened[opening.pop(0)] = len(new_starts)
            new_starts.append(len(new_ids))
            new_ids.append(open_id)
        if word + 1 < len(token_starts):
            new_starts.append(len(new_ids))
            new_ids += token_ids[token_starts[word] : token_starts[word + 1]]
    return new_ids, [*new_starts, len(new_ids)], list(zip(opened, closed, strict=True))


def insert_in_sequence(
    token_ids: list[int], token_starts: list[int], spans: list[Span], open_id: int, close_id: int
) -> Marked:
    """Encloses one mention after the other, by its start, each shifted by the markers that are there already.

    A mention that starts within an earlier one is shifted too far, and its markers push others on: its span then
    holds other words, and spans that were marked before do not follow.
    """
    words = [token_ids[start:end] for start, end in pairwise(token_starts)]
    marked: list[Span] = [(0, 0)] * len(spans)
    order = sorted(range(len(spans)), key=lambda m: spans[m][0])
    for shift, mention in enumerate(order):
        start, end = spans[mention][0] + 2 * shift, spans[mention][1] + 2 * shift + 2
        words.insert(start, [open_id])
        words.insert(end - 1, [close_id])
        marked[mention] = (start, end)
    starts = [0, *accumulate(map(len, words))]
    return [token for word in words for token in word], starts, marked


# Where the markers of overlapping mentions stand, see `GLiRELConfig.marker_placement`.
MARKERS = {"nested": insert_markers, "sequential": insert_in_sequence}


def _around(text: str, start: int, end: int, context: int = 20) -> str:
    """The text around a span, with the span in ⟦brackets⟧."""
    left = ("…" if start > context else "") + text[max(0, start - context) : start]
    right = text[end : end + context] + ("…" if end + context < len(text) else "")
    return repr(f"{left}⟦{text[start:end]}⟧{right}")
