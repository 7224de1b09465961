"""Splits into train, dev and test: by relation types, none of which two parts share, or by a hash of the text.

In a zero-shot split, each document is in one part, and all documents of one text are in the same one (case, spacing
and signs do not count): no text leaks. A text with types of one part alone is there. A *mixed* text, with types of
several parts, is

- `"unseen"`: in the part of its unseen types, test before dev. This keeps all test relations, as published splits do.
- `"seen"`: in train, without its unseen types. This keeps documents of many types for training.
- `"half"`: in one of these two places, by a hash of the text.
- `"drop"`: in none.

A relation of a type of another part is removed from the document, which is then no longer exhaustive: a pair without
a relation is not known to have none. With `keep_seen` the seen types stay in dev and test, which stay exhaustive:
evaluate those with the unseen types as the ones that are asked for. A document that loses all of its relations says
nothing any more and is left out. Texts without relations are shared out by their hashes, in the proportion of the
others.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

from glirel_transformers.mentions_glirel import shortened

from .duplicates import text_key
from .schema import Document
from .splits import text_hash

Part = Literal["train", "dev", "test"]
PARTS: tuple[Part, ...] = ("train", "dev", "test")
Mixed: TypeAlias = Literal["unseen", "seen", "half", "drop"]
_EVAL_NAMES: dict[str, Part] = {"train": "train", "eval": "dev", "dev": "dev", "val": "dev", "test": "test"}


@dataclass
class Split:
    """The documents of each part.

    Args:
        parts: documents by part.
        types: names of the relation types of each part; empty in a split by text.
        counts: how many documents and relations were removed or left out, for each reason.
    """

    parts: dict[Part, list[Document]] = field(default_factory=lambda: {part: [] for part in PARTS})
    types: dict[Part, list[str]] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)


def draw_types(
    counts: Mapping[str, int], num_test: int, num_dev: int = 0, *, seed: int = 42, min_count: int = 1
) -> dict[Part, list[str]]:
    """Draws relation types that are in test and in dev alone; the others are those of train.

    The same names and seed give the same types, in whatever order the names come.

    Args:
        counts: relations of each type.
        num_test: how many types are in test.
        num_dev: how many are in dev.
        seed: of the draw.
        min_count: types with fewer relations are not drawn, and so are in train.

    Raises:
        ValueError: when there are not enough types.
    """
    if num_test < 1 or num_dev < 0:
        raise ValueError(f"A zero-shot split needs 1 unseen type or more: got {num_test} for test, {num_dev} for dev.")
    eligible = sorted(name for name, count in counts.items() if count >= min_count)
    if num_test + num_dev >= len(counts) or num_test + num_dev > len(eligible):
        raise ValueError(
            f"{num_test} types for test and {num_dev} for dev cannot be drawn: of {len(counts)} types, "
            f"{len(eligible)} have {min_count} relations or more, and train needs one. Draw fewer."
        )
    drawn = random.Random(seed).sample(eligible, num_test + num_dev)
    unseen = set(drawn)
    return {
        "train": sorted(set(counts) - unseen),
        "dev": sorted(drawn[num_test:]),
        "test": sorted(drawn[:num_test]),
    }


def published_types(
    values: Mapping[str, object], documents: Iterable[Document], where: str
) -> tuple[dict[Part, list[str]], list[str]]:
    """The relation types of a published split, by the names that the documents have.

    Args:
        values: `{"train": {"P931": 0, …}, "eval": {…}, "test": {…}}`, as in the files of ZS-BERT and its successors;
            lists of ids or names are read as well. An entry is an id or a name.
        documents: those that are split.
        where: the place of `values` in errors.

    Returns:
        The names of each part, and the entries that no relation has.

    Raises:
        TypeError, ValueError: when it is something else, an entry is in two parts, a relation of the documents is in
            none, or none is in test.
    """
    part_of = _read_parts(values, where)
    names: dict[Part, dict[str, None]] = {part: {} for part in PARTS}
    seen: set[str] = set()
    missing: Counter[str] = Counter()
    part_of_name: dict[str, Part] = {}
    for document in documents:
        for relation in document.relations:
            entry = next((key for key in (relation.relation_id, relation.relation_type) if key in part_of), None)
            if entry is None:
                missing[relation.relation_type] += 1
                continue
            seen.add(entry)
            part = part_of[entry]
            if part_of_name.setdefault(relation.relation_type, part) != part:
                raise ValueError(
                    f"{where}: The relation type {relation.relation_type!r} has ids in two parts, {part!r} and "
                    f"{part_of_name[relation.relation_type]!r}. Give each id its own name, or list it in one part."
                )
            names[part][relation.relation_type] = None
    if missing:
        raise ValueError(
            f"{where}: {missing.total()} relations of {len(missing)} types are in no part, such as "
            f"{shortened(sorted(missing)[:3])}. Name them there, by id or by name."
        )
    if not names["test"]:
        raise ValueError(f"{where}: No relation of the documents is of a type of its 'test'. Is it of these data?")
    return {part: sorted(names[part]) for part in PARTS}, sorted(set(part_of) - seen)


def _read_parts(values: Mapping[str, object], where: str) -> dict[str, Part]:
    """The part of each entry."""
    if unknown := set(values) - set(_EVAL_NAMES):
        raise ValueError(
            f"{where}: It has {shortened(sorted(unknown))}. Expected 'train', 'eval' (or 'dev') and 'test', each with "
            "the ids or names of its relation types."
        )
    part_of: dict[str, Part] = {}
    for name, entries in values.items():
        if not isinstance(entries, (Mapping, list)) or not all(isinstance(entry, str) for entry in entries):
            raise TypeError(
                f"{where}: {name!r} must be an object or a list of ids or names: got {shortened(entries)}."
            )
        for entry in entries:
            if part_of.setdefault(entry, _EVAL_NAMES[name]) != _EVAL_NAMES[name]:
                raise ValueError(f"{where}: {entry!r} is in two parts. A type is in one.")
    return part_of


def split_by_types(
    documents: Sequence[Document],
    types: Mapping[Part, Sequence[str]],
    *,
    mixed: Mixed = "unseen",
    keep_seen: bool = False,
) -> Split:
    """Splits documents so that no relation type is in two parts. See the top of this module for the rules.

    Args:
        documents: all.
        types: relation types of each part, all that occur.
        mixed: where texts with types of several parts go.
        keep_seen: whether relations of types of train stay in dev and test.
    """
    part_of_type = {name: part for part in PARTS for name in types.get(part, ())}
    split = Split(types={part: list(types.get(part, ())) for part in PARTS})
    wanted: dict[float, set[Part]] = {}  # of each text
    for document in documents:
        found = wanted.setdefault(text_key(document), set())
        found.update(part_of_type[relation.relation_type] for relation in document.relations)
    part_of_text = {text: _part(found, mixed, text) for text, found in wanted.items() if found}
    sizes = Counter(part for part in part_of_text.values() if part is not None)
    shares = {part: sizes[part] / max(sizes.total(), 1) for part in PARTS}
    for document in documents:
        text = text_key(document)
        mixes = len(wanted[text]) > 1
        part = part_of_text[text] if wanted[text] else part_by_hash(document, shares)
        if part is None:
            split.counts["documents of texts with types of several parts left out"] += 1
            continue
        split.counts["documents of texts with types of several parts"] += mixes
        allowed = {name for name, other in part_of_type.items() if other == part or (keep_seen and other == "train")}
        kept = _without_others(document, allowed, split.counts)
        if kept is not None:
            split.parts[part].append(kept)
    for part in PARTS:
        left = {relation.relation_type for document in split.parts[part] for relation in document.relations}
        split.counts["relation types without a relation in their part"] += len(set(types.get(part, ())) - left)
        if types.get(part) and not left:
            raise ValueError(
                f"No document is left for {part}: all that have its types have types of other parts as well, and "
                f"mixed={mixed!r} says where those go. Choose another one, such as 'half' (--mixed half)."
            )
    return split


def _part(found: set[Part], mixed: Mixed, text: float) -> Part | None:
    """Where a text goes that has types of these parts, by its hash if need be; `None` leaves it out."""
    if len(found) == 1:
        (part,) = found
        return part
    if mixed == "drop":
        return None
    if "train" in found and (mixed == "seen" or (mixed == "half" and text * 2**20 % 2 < 1)):
        return "train"
    return "test" if "test" in found else "dev"


def _without_others(document: Document, allowed: set[str], counts: Counter[str]) -> Document | None:
    """The document without relations of other types; `None` where none is left."""
    kept = [relation for relation in document.relations if relation.relation_type in allowed]
    removed = len(document.relations) - len(kept)
    if not removed:
        return document
    counts["relations of types of other parts removed"] += removed
    if not kept:
        counts["documents left out because all of their relations were removed"] += 1
        return None
    counts["documents no longer exhaustive because a relation was removed"] += document.exhaustive
    known = document.exhaustive if document.entities_exhaustive is None else document.entities_exhaustive
    return replace(document, relations=kept, exhaustive=False, entities_exhaustive=known)


def split_by_text(documents: Iterable[Document], shares: Mapping[Part, float]) -> Split:
    """Splits documents by a hash of their letters and digits, so that the same text is always in the same part.

    Args:
        documents: all.
        shares: of each part; they sum to 1.
    """
    split = Split()
    for document in documents:
        split.parts[part_by_hash(document, shares)].append(document)
    return split


def part_by_hash(document: Document, shares: Mapping[Part, float]) -> Part:
    """The part of a document, by a hash of its letters and digits: test takes the lowest, then dev, then train.

    Test is so what [`is_held_out`] gives for its share, and stays in it when that share grows.
    """
    number, end = text_hash(document), 0.0
    for part in ("test", "dev"):
        end += shares.get(part, 0.0)
        if number < end:
            return part
    return "train"


def read_shares(text: str) -> dict[Part, float]:
    """Shares as users write them: `0.8/0.1/0.1` are those of train, dev and test; `0.9/0.1` those of train and test.

    Raises:
        ValueError: when they are not numbers from 0 to 1 that sum to 1.
    """
    try:
        numbers = [float(part) for part in text.split("/")]
    except ValueError:
        numbers = []
    parts: tuple[Part, ...] = PARTS if len(numbers) == 3 else ("train", "test")
    if len(numbers) not in (2, 3) or not all(0 <= number <= 1 for number in numbers) or abs(sum(numbers) - 1) > 1e-6:
        raise ValueError(
            f"Shares are written as 0.8/0.1/0.1 (train, dev, test) or 0.9/0.1 (train, test), and sum to 1: got "
            f"{text!r}."
        )
    return dict(zip(parts, numbers, strict=True))
