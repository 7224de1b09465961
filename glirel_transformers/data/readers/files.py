"""Files of documents, plain or compressed with xz or gzip, in the library's own format or in the normalised one."""

from __future__ import annotations

import gzip
import json
import lzma
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from transformers.utils import logging

from glirel_transformers.data.schema import Document

from .normalised import document_from_normalised

logger = logging.get_logger(__name__)

_OPENERS: dict[str, Any] = {".xz": lzma.open, ".gz": gzip.open}


def read_documents(path: str | os.PathLike[str], coreference_label: str | None = None) -> Iterator[Document]:
    """Yields the documents of a JSON-lines file; its format is told by its fields.

    Args:
        path: `.jsonl`, `.jsonl.xz` or `.jsonl.gz`.
        coreference_label: the relation type that shall join all mentions of one entity, where entities are known.

    Raises:
        ValueError: when a line is in neither format or does not fit; the message names the line.
    """
    merged: Counter[str] = Counter()
    with _open(path, "rt") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                document = _document(json.loads(line), merged)
            except (KeyError, TypeError, ValueError) as error:
                # Of JSON, not the line that it counts: it sees one line only.
                what = f"{error.msg} at character {error.pos}" if isinstance(error, json.JSONDecodeError) else error
                raise ValueError(f"{os.fspath(path)}, line {number}: {what}") from error
            yield document if coreference_label is None else document.with_coreference(coreference_label)
    if merged.total():
        logger.warning(
            "%s lists %d mentions and %d relations twice; each was read once.",
            os.fspath(path),
            merged["mentions"],
            merged["relations"],
        )


def load_documents(path: str | os.PathLike[str], coreference_label: str | None = None) -> Any:
    """As [`read_documents`], but gives a `datasets.Dataset` whose rows are `Document.to_dict()`."""
    import datasets

    text, number = datasets.Value("string"), datasets.Value("int64")
    features = datasets.Features(
        {
            "words": datasets.List(text),
            "mentions": datasets.List({"start": number, "end": number, "label": text, "entity": number}),
            "relations": datasets.List({"head": number, "tail": number, "relation_type": text, "relation_id": text}),
            "exhaustive": datasets.Value("bool"),
            "source": text,
            "text": text,
            "history": datasets.List(text),
        }
    )
    rows = [document.to_dict() for document in read_documents(path, coreference_label)]
    return datasets.Dataset.from_list(rows, features=features)


def write_documents(path: str | os.PathLike[str], documents: Iterable[Document]) -> int:
    """Writes documents in the library's own format and returns how many there were."""
    count = 0
    with _open(path, "wt") as file:
        for document in documents:
            file.write(json.dumps(document.to_dict(), ensure_ascii=False) + "\n")
            count += 1
    return count


def _open(path: str | os.PathLike[str], mode: str) -> IO[str]:
    return _OPENERS.get(Path(path).suffix, open)(path, mode, encoding="utf-8")


def _document(record: Any, merged: Counter[str]) -> Document:
    if not isinstance(record, Mapping):
        raise TypeError(f"a line must be a JSON object: got {record!r}.")
    if "tokenized_text" in record:
        return document_from_normalised(record, merged)
    if "words" in record:
        return Document.from_dict(record)
    raise ValueError(
        f"the fields {sorted(record)} are of no known format. Ours has 'words', the normalised one 'tokenized_text'."
    )
