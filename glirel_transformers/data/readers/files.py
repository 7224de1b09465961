"""Files of documents, plain or compressed, in any of the formats that are registered here."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from glirel_transformers.data.schema import Document
from glirel_transformers.files import StrPath
from glirel_transformers.mentions_glirel import shortened
from glirel_transformers.text_glirel import check_alignment

from .brat import BRAT
from .conll04 import CONLL04
from .crossre import CROSSRE
from .docbin import DOCBIN
from .doccano import DOCCANO
from .docred import DOCRED
from .fewrel import FEWREL
from .format import Format, Reading
from .glidre import GLIDRE
from .gliner import GLINER
from .glirel import GLIREL
from .guess import Guess, announce, format_named, format_of_file
from .label_studio import LABEL_STUDIO, LABEL_STUDIO_PREDICTIONS
from .nyt import CASREL, NYT
from .opennre import OPENNRE
from .own import OWN
from .prodigy import PRODIGY
from .roth import ROTH
from .scierc import SCIERC
from .semeval import SEMEVAL
from .spert import SPERT
from .streams import OnError, json_records
from .tacred import TACRED
from .text import TEXT
from .wikizsl import RELATION_PROMPT, WIKI_ZSL

if TYPE_CHECKING:
    import datasets

logger = logging.getLogger(__name__)

_ALL = (
    *(TEXT, OWN, GLINER, GLIREL, GLIDRE, DOCRED, FEWREL, WIKI_ZSL, RELATION_PROMPT, CONLL04, ROTH, SPERT, CROSSRE),
    *(SEMEVAL, TACRED, SCIERC, OPENNRE, NYT, CASREL),
    *(LABEL_STUDIO, LABEL_STUDIO_PREDICTIONS, DOCCANO, PRODIGY, BRAT, DOCBIN),
)
FORMATS: dict[str, Format] = {form.name: form for form in _ALL}
"""Formats by name."""


def read_documents(
    path: str | os.PathLike[str],
    coreference_label: str | None = None,
    relation_names: Mapping[str, str] | None = None,
    *,
    reader: str | None = None,
    exhaustive: bool | None = None,
    alignment: str = "strict",
) -> Iterator[Document]:
    """Yields the documents of a file, one after the other, in any of the `FORMATS`.

    Unless `reader` names the format, the file tells: the fields of each record, or how the text begins. What was
    guessed is logged (at the level of information; `glirel` prints it).

    Args:
        path: a file, also compressed: `.jsonl.xz`, `.json.gz`.
        coreference_label: the relation type that joins all mentions of one entity, where entities are known.
        relation_names: names of relation ids, for formats that have ids alone (DocRED, FewRel, Wiki-ZSL); by default
            those of the file next to it that comes with the data set (`rel_info.json`, `pid2name.json`).
        reader: the format's name in `FORMATS`.
        exhaustive: whether a pair without a relation is known to have none, in all documents; by default as the format
            says.
        alignment: what becomes of a span of characters in a file of a tool for annotation that cuts a word:
            `"strict"` is an error that names it, `"expand"` widens it to whole words, and a warning counts them.

    Raises:
        ValueError: when a record is in none of the formats, in several, or does not fit; the message names its place.
    """
    places = read_places(
        path, coreference_label, relation_names, reader=reader, exhaustive=exhaustive, alignment=alignment
    )
    return (document for _, document in places)


def read_places(
    path: str | os.PathLike[str],
    coreference_label: str | None = None,
    relation_names: Mapping[str, str] | None = None,
    *,
    reader: str | None = None,
    exhaustive: bool | None = None,
    alignment: str = "strict",
    on_error: OnError | None = None,
    on_warning: Callable[[str], None] | None = None,
) -> Iterator[tuple[str, Document]]:
    """As [`read_documents`], but yields each document with its place, such as `train.jsonl, line 12`.

    Args:
        path: as there.
        coreference_label: as there.
        relation_names: as there.
        reader: as there.
        exhaustive: as there.
        alignment: as there.
        on_error: called with what is wrong with a record, or with the file, in place of raising it. Reading goes on
            with the next record, as long as it is known where that begins.
        on_warning: called, at the end of the file, with what was left out, read once, or read otherwise than it stands
            there, and how often, in place of logging it.

    Raises:
        OSError: when the file is missing, whatever `on_error` is.
        ValueError: as there, unless `on_error` takes it.
    """
    check_alignment(alignment)
    reading = Reading(path, relation_names, alignment=alignment)
    form: Format | None = None
    records: Iterator[tuple[str, object]] = iter(())
    try:
        form = format_of_file(path, FORMATS.values()) if reader is None else format_named(reader, FORMATS)
        if reader is None and form is not None:
            announce(path, form)
        records = _records(path, form, on_error)
    except ValueError as error:
        if on_error is None or reader is not None:
            raise
        on_error(error)
    guess = Guess(path, FORMATS.values())
    for where, record in _until_lost(records, on_error):
        try:
            document = _placed_document(where, record, form, guess, reading)
        except ValueError as error:
            if on_error is None:
                raise
            on_error(error)
            continue
        if document is None:
            continue
        if exhaustive is not None:
            document = replace(document, exhaustive=exhaustive)
        yield where, document if coreference_label is None else document.with_coreference(coreference_label)
    for message in _warnings(reading):
        if on_warning is None:
            logger.warning("%s", message)
        else:
            on_warning(message)


def _until_lost(records: Iterator[tuple[str, object]], on_error: OnError | None) -> Iterator[tuple[str, object]]:
    """The records up to an error after which it is not known where the next one begins."""
    try:
        yield from records
    except ValueError as error:
        if on_error is None:
            raise
        on_error(ValueError(f"{error} What follows it was not read."))


def _placed_document(
    where: str, record: object, form: Format | None, guess: Guess, reading: Reading
) -> Document | None:
    """The document of a record; whatever is wrong with it is a `ValueError` that names its place."""
    try:
        return _document(record, form, guess, reading)
    except KeyError as error:
        raise ValueError(f"{where}: The field {error} is missing.") from error
    except (IndexError, TypeError, ValueError) as error:
        raise ValueError(f"{where}: {error}") from error


def _records(path: StrPath, form: Format | None, on_error: OnError | None) -> Iterator[tuple[str, object]]:
    """What is read from a file, and where each stands."""
    if form is not None and form.records is not None:
        return form.records(path)
    if os.path.isdir(path):
        raise ValueError(f"{os.fspath(path)}: It is a folder without .ann files. Name a file, or a folder of brat.")
    forms = [form] if form is not None else list(FORMATS.values())

    def is_in_array(value: object) -> bool:
        known = [one for one in forms if isinstance(value, Mapping) and (one is form or one.matches(value))]
        return isinstance(value, Mapping) and (not known or any(one.in_arrays for one in known))

    def under(name: str, first: object) -> str | None:
        for one in forms:
            if one.under is not None and isinstance(first, Mapping) and one.matches({one.under: name, **first}):
                return one.under
        return None

    return json_records(path, is_in_array, under, on_error)


def _warnings(reading: Reading) -> Iterator[str]:
    """What was read once, and what was left out."""
    name = os.fspath(reading.path)
    if reading.twice.total():
        mentions, relations = reading.twice["mentions"], reading.twice["relations"]
        yield f"{name} lists {mentions} mentions and {relations} relations twice; each was read once."
    for reason, count in reading.left_out.items():
        if count:
            yield f"{name}: left out: {reason}: {count}."
    for what, count in reading.noted.items():
        if count:
            first = f" (the first: {reading.first_noted[what]})" if reading.first_noted.get(what) else ""
            yield f"{name}: {what}: {count}{first}."


def load_documents(
    path: str | os.PathLike[str],
    coreference_label: str | None = None,
    relation_names: Mapping[str, str] | None = None,
    *,
    reader: str | None = None,
    exhaustive: bool | None = None,
    alignment: str = "strict",
) -> datasets.Dataset:
    """As [`read_documents`], but gives a `datasets.Dataset` whose rows are `Document.to_dict()`, without `extra`.

    The columns of a dataset have one type each, which the further fields of documents need not have.
    """
    import datasets

    text, number = datasets.Value("string"), datasets.Value("int64")
    features = datasets.Features(
        {
            "words": datasets.List(text),
            "mentions": datasets.List(
                {
                    **{"start": number, "end": number, "label": text, "entity": number},
                    **{"names": datasets.List(text), "score": datasets.Value("float64")},
                }
            ),
            "relations": datasets.List(
                {
                    "head": number,
                    "tail": number,
                    "relation_type": text,
                    "relation_id": text,
                    "evidence": datasets.List(number),
                    "score": datasets.Value("float64"),
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
            "none_pairs": datasets.List(datasets.List(number)),
            "annotated_entity_types": datasets.List(text),
            "annotated_relation_types": datasets.List(text),
        }
    )
    rare: dict[str, object] = {
        **{"self_pairs": False, "title": None, "sentences": [], "entities_exhaustive": None, "none_pairs": []},
        **{"annotated_entity_types": None, "annotated_relation_types": None},
    }
    documents = read_documents(
        path, coreference_label, relation_names, reader=reader, exhaustive=exhaustive, alignment=alignment
    )
    rows = [{**rare, **replace(document, extra={}).to_dict()} for document in documents]
    return datasets.Dataset.from_list(rows, features=features)


def _document(record: object, form: Format | None, guess: Guess, reading: Reading) -> Document | None:
    if isinstance(record, ValueError):
        raise record
    if isinstance(record, list):
        raise TypeError(
            "A line must be a JSON object: got a list. Where one list holds all records, write each on a line of its "
            "own: jq -c '.[]' FILE"
        )
    if not isinstance(record, Mapping):
        raise TypeError(f"A line must be a JSON object: got {shortened(record)}.")
    return (form or guess.of(record)).read(record, reading)
