"""Files of documents, plain or compressed, in any of the formats that are registered here."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, TextIO

from transformers.utils import logging

from glirel_transformers.data.schema import Document
from glirel_transformers.files import open_text, open_to_write, parse_json
from glirel_transformers.mentions_glirel import shortened

from .docred import DOCRED
from .format import Format, Reading
from .gliner import GLINER
from .glirel import GLIREL
from .own import OWN
from .text import TEXT

if TYPE_CHECKING:
    import datasets

logger = logging.get_logger(__name__)

FORMATS: dict[str, Format] = {form.name: form for form in (TEXT, OWN, DOCRED, GLINER, GLIREL)}
"""Formats by name; a record is in the first that it matches."""


def read_documents(
    path: str | os.PathLike[str],
    coreference_label: str | None = None,
    relation_names: Mapping[str, str] | None = None,
) -> Iterator[Document]:
    """Yields the documents of a JSON-lines file, one after the other; the fields of each line tell its format.

    Files of DocRED, which are one JSON array, are read as well.

    Args:
        path: `.jsonl` or `.json`, also compressed: `.jsonl.xz`, `.jsonl.gz`.
        coreference_label: the relation type that joins all mentions of one entity, where entities are known.
        relation_names: names of relation ids, for formats that have ids alone (DocRED); by default those of the
            `rel_info.json` next to the file.

    Raises:
        ValueError: when a line is in none of the `FORMATS` or does not fit; the message names the line.
    """
    reading = Reading(path, relation_names)
    with open_text(path) as lines:
        for where, record in _records(lines, os.fspath(path)):
            try:
                document = _document(record, reading)
            except KeyError as error:
                raise ValueError(f"{where}: The field {error} is missing.") from error
            except (IndexError, TypeError, ValueError) as error:
                raise ValueError(f"{where}: {error}") from error
            yield document if coreference_label is None else document.with_coreference(coreference_label)
    if reading.twice.total():
        logger.warning(
            "%s lists %d mentions and %d relations twice; each was read once.",
            os.fspath(path),
            reading.twice["mentions"],
            reading.twice["relations"],
        )


def _records(lines: TextIO, path: str) -> Iterator[tuple[str, object]]:
    """The value of each line, or each of a file that is one array of a format that may be so, and where it stands."""
    is_first = True
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        if not is_first or not line.lstrip().startswith("["):
            yield where, parse_json(line, where)
            is_first = False
            continue
        values = parse_json(line + lines.read(), where)
        if isinstance(values, list) and values and _is_in_array(values[0]):
            yield from ((f"{path}, document {position}", value) for position, value in enumerate(values, start=1))
        else:
            yield where, values
        return


def _is_in_array(record: object) -> bool:
    return isinstance(record, Mapping) and any(form.in_arrays and form.matches(record) for form in FORMATS.values())


def load_documents(
    path: str | os.PathLike[str],
    coreference_label: str | None = None,
    relation_names: Mapping[str, str] | None = None,
) -> datasets.Dataset:
    """As [`read_documents`], but gives a `datasets.Dataset` whose rows are `Document.to_dict()`."""
    import datasets

    text, number = datasets.Value("string"), datasets.Value("int64")
    features = datasets.Features(
        {
            "words": datasets.List(text),
            "mentions": datasets.List(
                {"start": number, "end": number, "label": text, "entity": number, "names": datasets.List(text)}
            ),
            "relations": datasets.List(
                {
                    "head": number,
                    "tail": number,
                    "relation_type": text,
                    "relation_id": text,
                    "evidence": datasets.List(number),
                }
            ),
            "exhaustive": datasets.Value("bool"),
            "source": text,
            "text": text,
            "history": datasets.List(text),
            "self_pairs": datasets.Value("bool"),
            "title": text,
            "sentences": datasets.List(datasets.List(number)),
            "entities_exhaustive": datasets.Value("bool"),
        }
    )
    rare: dict[str, object] = {"self_pairs": False, "title": None, "sentences": [], "entities_exhaustive": None}
    rows = [{**rare, **document.to_dict()} for document in read_documents(path, coreference_label, relation_names)]
    return datasets.Dataset.from_list(rows, features=features)


def write_documents(path: str | os.PathLike[str], documents: Iterable[Document]) -> int:
    """Writes documents in the library's own format and returns how many there were."""
    count = 0
    with open_to_write(path) as file:
        for document in documents:
            file.write(json.dumps(document.to_dict(), ensure_ascii=False) + "\n")
            count += 1
    return count


def _document(record: object, reading: Reading) -> Document:
    if isinstance(record, list):
        raise TypeError(
            "A line must be a JSON object: got a list. Where one list holds all records, write each on a line of its "
            "own: jq -c '.[]' FILE"
        )
    if not isinstance(record, Mapping):
        raise TypeError(f"A line must be a JSON object: got {shortened(record)}.")
    for form in FORMATS.values():
        if form.matches(record):
            return form.read(record, reading)
    known = "; ".join(f"{name} has {form.fields}" for name, form in FORMATS.items())
    raise ValueError(
        f"The fields {shortened(sorted(map(str, record)))} are not those of a known format. Of these, {known}."
    )
