"""The library's own format: `words`, and `mentions` in words. See [`glirel_transformers.data.schema`]."""

from __future__ import annotations

from glirel_transformers.data.schema import Document

from .format import Format, Reading, Record
from .text import matches as is_of_text


def matches(record: Record) -> bool:
    """Whether a record has words, and no entities by characters, which the text format reads."""
    return "words" in record and not is_of_text(record)


def read(record: Record, _: Reading) -> Document:
    """The document of a record."""
    return Document.from_dict(record)


OWN = Format("own", "'words' and 'mentions'", matches, read)
