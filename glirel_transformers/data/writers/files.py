"""Files of documents in any of the formats that are registered here."""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from glirel_transformers.data.schema import Document
from glirel_transformers.mentions_glirel import listed

from .brat import BRAT
from .format import PARTS, Writer
from .label_studio import LABEL_STUDIO, LABEL_STUDIO_PREDICTIONS
from .lines import DOCCANO, GLINER, OWN, TEXT

logger = logging.getLogger(__name__)

WRITERS: dict[str, Writer] = {
    writer.name: writer for writer in (OWN, TEXT, GLINER, LABEL_STUDIO, LABEL_STUDIO_PREDICTIONS, BRAT, DOCCANO)
}
"""Writers by name."""


def write_documents(path: str | os.PathLike[str], documents: Iterable[Document], format: str = "own") -> int:
    """Writes documents and returns how many there were. What the format cannot hold is counted in a warning.

    Args:
        path: a file, compressed where its suffix says so; for brat a folder.
        documents: the documents; an iterator is read once.
        format: the format's name in `WRITERS`.

    Raises:
        ValueError: when there is no such format, or a document cannot be written in it.
        OSError: when it cannot be written.
    """
    if format not in WRITERS:
        raise ValueError(f"There is no writer {format!r}. Choose one of {', '.join(sorted(WRITERS))}.")
    writer = WRITERS[format]
    lost: Counter[str] = Counter()

    def counted() -> Iterator[Document]:
        for document in documents:
            lost.update({part: int(PARTS[part](document)) for part in PARTS if part not in writer.holds})
            yield document

    count = writer.write(Path(path), counted())
    if parts := [f"{number:,} {part}" for part, number in lost.items() if number]:
        logger.warning(
            "%s: the format %s cannot hold %s. The format own holds everything.",
            os.fspath(path),
            format,
            listed(parts, at_most=len(parts)),
        )
    return count
