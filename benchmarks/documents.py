"""Documents of the benchmark against GLiDRE: entities of several mentions, made by rule or read from a file."""

from __future__ import annotations

import itertools
import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workloads import make_text

from glirel_transformers.data import Document, read_documents
from glirel_transformers.text_glirel import WORD

# The least, the usual and the largest number, about as in Re-DocRED.
_WORDS, _ENTITIES = (140, 200, 330), (9, 17, 30)
_MENTIONS_PER_ENTITY = 1.35


@dataclass(frozen=True)
class DocumentText:
    """A text as words, and for each entity the half-open word spans of its mentions."""

    words: list[str]
    entities: list[list[tuple[int, int]]]


@dataclass(frozen=True)
class DocumentWorkload:
    """What is asked in one measurement.

    Args:
        name: how it is called on the command line and in the tables.
        num_relations: how many relation types are asked for.
        batch_size: how many documents our model reads at once; the original always reads one.
        keeps_types: whether relation types are kept from call to call; the original cannot.
        has_context: whether the model has localized context (equations 5 to 8).
        num_texts: how many documents one measurement reads.
    """

    name: str
    num_relations: int
    batch_size: int
    keeps_types: bool
    has_context: bool
    num_texts: int = 10


# Setting: batch size, and whether relation types are kept.
_SETTINGS = {"alone": (1, False), "kept": (1, True), "stream": (8, True)}

WORKLOADS = {
    workload.name: workload
    for workload in (
        DocumentWorkload(f"m{num_relations}-{setting}{suffix}", num_relations, size, keeps_types, not suffix)
        for num_relations, settings, suffix in (
            (10, ("alone", "kept", "stream"), ""),
            (95, ("alone", "kept", "stream"), ""),
            (10, ("alone", "stream"), "-no-context"),
        )
        for setting, (size, keeps_types) in _SETTINGS.items()
        if setting in settings
    )
}


def make_documents(count: int) -> list[DocumentText]:
    """Documents of the usual length, with the usual number of entities and mentions, from no data."""
    return [_make_document(random.Random(f"document {index}")) for index in range(count)]


def _make_document(generator: random.Random) -> DocumentText:
    (low, usual, high), (fewest, common, most) = _WORDS, _ENTITIES
    num_words = round(generator.triangular(low, high, usual))
    num_entities = round(generator.triangular(fewest, most, common))
    num_mentions = round(_MENTIONS_PER_ENTITY * num_entities)
    text = make_text(generator, num_mentions, num_words)
    # Each entity has a mention; the others go to any of them.
    owners = [*range(num_entities), *generator.choices(range(num_entities), k=num_mentions - num_entities)]
    generator.shuffle(owners)
    entities: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for owner, span in zip(owners, text.entities, strict=True):
        entities[owner].append(span)
    return DocumentText(text.words, list(entities.values()))


def read_texts(path: Path, every: int, count: int) -> list[DocumentText]:
    """Every n-th document of a file in any format that [`read_documents`] reads, at most `count` of them.

    Raises:
        OSError, ValueError: when the file cannot be read, or has no document with entities.
    """
    chosen = itertools.islice(read_documents(path), 0, None, every)
    texts = list(itertools.islice((_split_again(document) for document in chosen if document.mentions), count))
    if not texts:
        raise ValueError(
            f"{path} has no document with entities. Name a file of documents, as `glirel evaluate` reads."
        )
    return texts


def _split_again(document: Document) -> DocumentText:
    """The document in the words that the text path makes of its words joined by spaces, so that both sides agree."""
    words: list[str] = []
    starts = [0]
    for word in document.words:
        words += WORD.findall(word)
        starts.append(len(words))
    entities: dict[object, list[tuple[int, int]]] = defaultdict(list)
    for position, mention in enumerate(document.mentions):
        owner = ("mention", position) if mention.entity is None else mention.entity
        entities[owner].append((starts[mention.start], starts[mention.end]))
    return DocumentText(words, list(entities.values()))


def as_requests(texts: Sequence[DocumentText]) -> list[dict[str, Any]]:
    """Documents in the form in which the workers take them."""
    requests = []
    for text in texts:
        starts = list(itertools.accumulate((len(word) + 1 for word in text.words), initial=0))
        requests.append(
            {
                "words": text.words,
                "text": " ".join(text.words),
                "word_spans": text.entities,
                "char_spans": [
                    [(starts[first], starts[end] - 1) for first, end in mentions] for mentions in text.entities
                ],
            }
        )
    return requests


def describe_documents(texts: Sequence[DocumentText], source: str) -> dict[str, Any]:
    """What the results hold of the documents."""
    count = len(texts)
    return {
        "source": source,
        "count": count,
        "words": sum(len(text.words) for text in texts) / count,
        "entities": sum(len(text.entities) for text in texts) / count,
        "mentions": sum(len(mentions) for text in texts for mentions in text.entities) / count,
        "pairs": sum(len(text.entities) ** 2 for text in texts) / count,
    }
