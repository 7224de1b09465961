"""Positions in a text, as tools count them: characters, UTF-16 code units, Windows line ends as one or as two."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Protocol

from glirel_transformers.data.alignment import WordText
from glirel_transformers.mentions_glirel import check_surface
from glirel_transformers.text_glirel import Span

from .format import Reading

UTF16, CHARACTERS = "UTF-16 code units", "characters"


class Region(Protocol):
    """A region whose positions count something; what stands there may be known."""

    @property
    def place(self) -> str:
        """What errors call it."""

    @property
    def offsets(self) -> Span:
        """Its half-open positions."""

    @property
    def surface(self) -> str | None:
        """What the tool says that stands there."""


def in_characters(text: str, regions: Sequence[Region], reading: Reading, likeliest: str = UTF16) -> list[Span]:
    """The positions of regions in characters, whatever they count: what the tool says of their texts tells.

    Where it says nothing and the units differ, the ones in which more regions start and end with words are taken,
    and `likeliest` where that is the same; it is counted as a change.

    Raises:
        ValueError: when what stands at a region is not what the tool says, in any units.
    """
    offsets = [region.offsets for region in regions]
    readings = {CHARACTERS: offsets}
    if max(text, default="") > "\uffff" or "\r\n" in text:  # else all units are the same
        units = _units_of(text, likeliest)
        readings = {name: [_convert(span, characters) for span in offsets] for name, characters in units.items()}
    fitting = {
        name: spans
        for name, spans in readings.items()
        if all(_says(text, span, region.surface) for span, region in zip(spans, regions, strict=True))
    }
    if not fitting:
        for region in regions:
            start, end = region.offsets
            if region.surface is not None and 0 <= start < end <= len(text):
                check_surface(text, region.offsets, region.surface, f"`{region.place}`")
        return offsets
    if len(fitting) > 1 and any(spans != next(iter(fitting.values())) for spans in fitting.values()):
        split = WordText(text)
        name = max(fitting, key=lambda units: sum(split.is_whole(span) for span in fitting[units]))
        reading.notes(f"texts whose regions do not say what they hold, read with positions in {name}")
        return fitting[name]
    return next(iter(fitting.values()))


def to_utf16(text: str, spans: Sequence[Span]) -> list[Span]:
    """Positions in UTF-16 code units of positions in characters."""
    units = list(accumulate((1 + (ord(sign) > 0xFFFF) for sign in text), initial=0))
    return [(units[start], units[end]) for start, end in spans]


def _units_of(text: str, likeliest: str) -> dict[str, dict[int, int]]:
    """The characters at all positions in units of each kind; of the likeliest kind first."""
    kinds: dict[str, list[int]] = {UTF16: [1 + (ord(sign) > 0xFFFF) for sign in text], CHARACTERS: [1] * len(text)}
    kinds = {likeliest: kinds[likeliest], **kinds}
    if "\r\n" in text:
        is_counted = [text[at : at + 2] != "\r\n" for at in range(len(text))]
        kinds |= {
            f"{name}, with a Windows line end as one": [
                width * counts for width, counts in zip(widths, is_counted, strict=True)
            ]
            for name, widths in list(kinds.items())
        }
    return {
        name: {unit: at for at, unit in enumerate(accumulate(widths, initial=0))} for name, widths in kinds.items()
    }


def _convert(span: Span, character_of: dict[int, int]) -> Span:
    """A span in characters; a position within a character goes to its start, what is outside the text stays there."""
    last = next(reversed(character_of))
    beyond = character_of[last] - last
    start, end = (
        character_of.get(unit, character_of.get(unit - 1, unit + beyond)) if unit >= 0 else unit for unit in span
    )
    return start, end


def _says(text: str, span: Span, surface: str | None) -> bool:
    """Whether a text has at a span what a tool says, but for white space."""
    found = text[max(span[0], 0) : max(span[1], 0)]
    return surface is None or found == surface or "".join(found.split()) == "".join(surface.split())
