"""The library's own format: `words`, and `mentions` in words. See [`glirel_transformers.data.schema`]."""

from __future__ import annotations

from glirel_transformers.data.schema import Document

from .format import Format, Reading, Record


def matches(record: Record) -> bool:
    """Whether a record has words. Records that also have entities by characters match the text format before."""
    return "words" in record


def read(record: Record, _: Reading) -> Document:
    """The document of a record."""
    return Document.from_dict(record)


OWN = Format("own", "'words' and 'mentions'", matches, read)
