"""Files of documents, plain or compressed, in any of the formats that are registered here."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from transformers.utils import logging

from glirel_transformers.data.schema import Document
from glirel_transformers.files import open_text, open_to_write, parse_json
from glirel_transformers.mentions_glirel import shortened

from .format import Format
from .gliner import GLINER
from .glirel import GLIREL
from .own import OWN
from .text import TEXT

if TYPE_CHECKING:
    import datasets

logger = logging.get_logger(__name__)

FORMATS: dict[str, Format] = {form.name: form for form in (TEXT, OWN, GLINER, GLIREL)}
"""Formats by name; a record is in the first that it matches."""


def read_documents(path: str | os.PathLike[str], coreference_label: str | None = None) -> Iterator[Document]:
    """Yields the documents of a JSON-lines file, one after the other; the fields of each line tell its format.

    Args:
        path: `.jsonl`, `.jsonl.xz` or `.jsonl.gz`.
        coreference_label: the relation type that joins all mentions of one entity, where entities are known.

    Raises:
        ValueError: when a line is in none of the `FORMATS` or does not fit; the message names the line.
    """
    merged: Counter[str] = Counter()
    with open_text(path) as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            where = f"{os.fspath(path)}, line {number}"
            record = parse_json(line, where)
            try:
                document = _document(record, merged)
            except KeyError as error:
                raise ValueError(f"{where}: The field {error} is missing.") from error
            except (IndexError, TypeError, ValueError) as error:
                raise ValueError(f"{where}: {error}") from error
            yield document if coreference_label is None else document.with_coreference(coreference_label)
    if merged.total():
        logger.warning(
            "%s lists %d mentions and %d relations twice; each was read once.",
            os.fspath(path),
            merged["mentions"],
            merged["relations"],
        )


def load_documents(path: str | os.PathLike[str], coreference_label: str | None = None) -> datasets.Dataset:
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
            "self_pairs": datasets.Value("bool"),
        }
    )
    documents = read_documents(path, coreference_label)
    rows = [{**document.to_dict(), "self_pairs": document.self_pairs} for document in documents]
    return datasets.Dataset.from_list(rows, features=features)


def write_documents(path: str | os.PathLike[str], documents: Iterable[Document]) -> int:
    """Writes documents in the library's own format and returns how many there were."""
    count = 0
    with open_to_write(path) as file:
        for document in documents:
            file.write(json.dumps(document.to_dict(), ensure_ascii=False) + "\n")
            count += 1
    return count


def _document(record: object, merged: Counter[str]) -> Document:
    if isinstance(record, list):
        raise TypeError(
            "A line must be a JSON object: got a list. Where one list holds all records, write each on a line of its "
            "own: jq -c '.[]' FILE"
        )
    if not isinstance(record, Mapping):
        raise TypeError(f"A line must be a JSON object: got {shortened(record)}.")
    for form in FORMATS.values():
        if form.matches(record):
            return form.read(record, merged)
    known = "; ".join(f"{name} has {form.fields}" for name, form in FORMATS.items())
    raise ValueError(
        f"The fields {shortened(sorted(map(str, record)))} are not those of a known format. Of these, {known}."
    )
