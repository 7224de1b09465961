"""Which function writes which format."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, TextIO

from .graphs import write_graphml
from .lines import write_csv, write_jsonl
from .turtle import write_turtle

Format = Literal["jsonl", "csv", "turtle", "graphml"]
Writer = Callable[[Iterable[Mapping[str, Any]], TextIO], None]

WRITERS: dict[Format, Writer] = {
    "jsonl": write_jsonl,
    "csv": write_csv,
    "turtle": write_turtle,
    "graphml": write_graphml,
}
SUFFIXES: dict[str, Format] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
    ".ttl": "turtle",
    ".graphml": "graphml",
}
"""The format that a file's name asks for."""
