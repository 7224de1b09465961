"""What a format of documents is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from glirel_transformers.data.schema import Document

Record: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True)
class Format:
    """A format of documents, one JSON object a line.

    Args:
        name: what users call it.
        fields: by which it is known, for errors.
        matches: whether a record is in it.
        read: the document of a record. It counts the `mentions` and `relations` that the record lists twice.
    """

    name: str
    fields: str
    matches: Callable[[Record], bool]
    read: Callable[[Record, Counter[str]], Document]
