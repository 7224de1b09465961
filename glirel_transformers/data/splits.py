"""Splits that depend on a document's own text, so that no list of them has to be kept."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable

from .schema import Document


def is_held_out(document: Document, share: float = 0.05) -> bool:
    """Whether a document belongs to the share that training leaves out.

    A hash of its letters and digits decides, so that the same sentence in another corpus, in other case or spacing,
    falls on the same side.

    Raises:
        ValueError: when `share` is not between 0 and 1.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"`share` is a part of the whole, from 0 to 1: got {share!r}.")
    return text_hash(document) < share


def text_hash(document: Document) -> float:
    """A number in `[0, 1)` that depends on the document's letters and digits, and on nothing else."""
    letters = "".join(character for word in document.words for character in word.lower() if character.isalnum())
    digest = hashlib.blake2b(letters.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


def count_relation_types(documents: Iterable[Document]) -> Counter[str]:
    """How many relations of each type `documents` hold, the most frequent first."""
    return _most_frequent_first(r.relation_type for document in documents for r in document.relations)


def count_entity_types(documents: Iterable[Document]) -> Counter[str]:
    """How many mentions of each type `documents` hold, the most frequent first."""
    return _most_frequent_first(m.label for document in documents for m in document.mentions if m.label is not None)


def _most_frequent_first(names: Iterable[str]) -> Counter[str]:
    return Counter(dict(sorted(Counter(names).items(), key=lambda item: (-item[1], item[0]))))
