"""GLiNER's format, which is not read yet. Its relations distinguish it from the format of the original GLiREL."""

from __future__ import annotations

from collections.abc import Mapping

from glirel_transformers.data.schema import Document
from glirel_transformers.mentions_glirel import shortened

from .format import Format, Reading, Record


def matches(record: Record) -> bool:
    """Whether the relations of a record are lists, `[head, tail, type]`."""
    relations = record.get("relations")
    return "tokenized_text" in record and any(
        not isinstance(relation, Mapping) for relation in (relations if isinstance(relations, list) else ())
    )


def read(record: Record, _: Reading) -> Document:
    """Says that it is not read.

    Raises:
        TypeError: always.
    """
    raise TypeError(
        "The relations are those of GLiNER, lists of positions in 'ner', which are not read yet: got "
        f"{shortened(record['relations'][0])}. Expected objects with 'head', 'tail' and 'relation_text'."
    )


GLINER = Format("gliner", "'tokenized_text' and relations as lists", matches, read)
