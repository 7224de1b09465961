"""The texts that are annotated: paragraphs, sentences or wholes of `.txt` files, and lines of JSON."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from glirel_transformers.data import Document, read_documents
from glirel_transformers.evidence_glirel import split_sentences
from glirel_transformers.files import decode_text, open_binary, open_text, parse_json, plain_suffix
from glirel_transformers.jobs import Source, existing_path, find_sources
from glirel_transformers.mentions_glirel import check_text, shortened
from glirel_transformers.text_glirel import split_words

from .exclusion import Exclusion, text_key

Unit = Literal["paragraph", "sentence", "line", "document"]
_EMPTY_LINE = re.compile(r"\n[^\S\n]*\n\s*")
_ANNOTATED = {"entities", "words", "mentions", "tokenized_text", "tokens", "sents", "ner", "relations"}


@dataclass(frozen=True)
class Passage:
    """A text that is annotated.

    Args:
        text: the text.
        place: where it stands, for messages, such as `texts.jsonl:17`.
        source: what it says of where it comes from.
        title: what it is called.
        document: its annotation, if it has one, of which the entities are read.
    """

    text: str
    place: str
    source: str | None = None
    title: str | None = None
    document: Document | None = None


@dataclass
class Selection:
    """Which texts are annotated, and what was left out, by reason.

    Args:
        unit: what a text of a `.txt` file is.
        min_words: shorter texts are left out.
        max_words: longer texts are left out, as the papers do; they would also cost most.
        exclusion: what must not be annotated.
        left_out: how many texts were left out: `too short`, `too long`, `duplicate`, `excluded`.
    """

    unit: Unit = "paragraph"
    min_words: int = 5
    max_words: int = 1500
    exclusion: Exclusion = field(default_factory=Exclusion)
    left_out: Counter[str] = field(default_factory=Counter)

    def choose(self, passages: Iterable[Passage]) -> Iterator[Passage]:
        """The passages that are annotated, each text once."""
        seen: set[bytes] = set()
        for passage in passages:
            key = text_key(passage.text)
            if reason := self._reason(passage.text, key in seen):
                self.left_out[reason] += 1
                continue
            seen.add(key)
            yield passage

    def _reason(self, text: str, is_known: bool) -> str | None:
        words = len(split_words(text))
        if words < self.min_words:
            return "too short"
        if words > self.max_words:
            return "too long"
        if is_known:
            return "duplicate"
        return "excluded" if self.exclusion.excludes_text(text) else None


def find_inputs(names: Sequence[str]) -> list[Source]:
    """What each name is: a text itself, a file, or a folder with `.txt` and `.jsonl` files.

    Raises:
        OSError, ValueError: when something looks like a path and is not there, or cannot be read.
    """
    sources: list[Source] = []
    for name in names:
        path = existing_path(name)
        if path is not None and path.is_file() and plain_suffix(path) == ".json":
            sources.append(Source("documents", path))
        else:
            sources += find_sources([name])
    return sources


def read_passages(sources: Iterable[Source], unit: Unit) -> Iterator[Passage]:
    """The texts of all sources, one after the other.

    Args:
        sources: what is read.
        unit: what a text of a `.txt` file is: a `paragraph` between empty lines, a `sentence`, a `line` or the whole
            `document`. Texts in lines of JSON are wholes.

    Raises:
        OSError, ValueError: when a file cannot be read; the message names the place.
    """
    for source in sources:
        if source.text is not None:
            yield Passage(source.text, "the text")
        elif source.kind == "text":
            with source.open() as file:
                text = decode_text(file.read(), str(source.name))
            yield from _split(text, str(source.name), unit)
        else:
            yield from _read_records(Path(str(source.path)))


def _split(text: str, name: str, unit: Unit) -> Iterator[Passage]:
    text = text.replace("\r\n", "\n")
    if unit == "document":
        parts: Iterable[str] = [text]
    elif unit == "line":
        parts = text.split("\n")
    else:
        parts = _EMPTY_LINE.split(text)
    if unit == "sentence":
        parts = (part[start:end] for part in parts for start, end in split_sentences(part))
    yield from (Passage(part.strip(), f"{name}, {unit} {n}") for n, part in enumerate(parts, start=1) if part.strip())


def _read_records(path: Path) -> Iterator[Passage]:
    """The texts of lines of JSON, or those of annotated documents in any format that training reads."""
    if plain_suffix(path) == ".json" or not _has_plain_texts(path):
        for number, document in enumerate(read_documents(path), start=1):
            text, _ = document.to_text()
            yield Passage(text, f"{path}, document {number}", document.source, document.title, document)
        return
    with open_text(path) as lines:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                yield _read_line(line, f"{path}:{number}")


def _has_plain_texts(path: Path) -> bool:
    """Whether the first line of JSON is a text without an annotation."""
    with open_binary(path) as file:
        first = next((line for line in file if line.strip()), b"")
    record = parse_json(decode_text(first, str(path)), f"{path}, line 1") if first else None
    return isinstance(record, Mapping) and isinstance(record.get("text"), str) and not _ANNOTATED & record.keys()


def _read_line(line: str, place: str) -> Passage:
    record = parse_json(line, place)
    text = record.get("text") if isinstance(record, Mapping) else None
    if not isinstance(record, Mapping) or not isinstance(text, str):
        raise ValueError(f"{place}: It must be an object with 'text': got {shortened(record)}.")
    if annotated := sorted(_ANNOTATED & record.keys()):
        raise ValueError(
            f"{place}: It has {annotated}, but the lines before are texts alone. Put annotated documents into a file "
            "of their own."
        )
    check_text(text, f"{place}: The text")
    source, title = (str(record[name]) if record.get(name) else None for name in ("source", "title"))
    return Passage(text, place, source, title)
