"""All that is wrong with files of documents: malformed records, duplicates, and what leaks into an evaluation."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from .duplicates import Duplicate, SameTexts, SharedRuns, placed
from .readers import read_places
from .relation_words import Kind, Resemblance, words_of
from .schema import Document

StrPath = str | os.PathLike[str]
Wrap = Callable[[Iterable[Any], str], Iterable[Any]]

# Names that state that there is no relation, and that would be learned as one.
_NO_RELATION = {words_of(name) for name in ("no relation", "no rel", "none", "NA", "n/a", "null", "other")}
_ID = re.compile(r"[PQ]\d+$")


class SimilarNames(NamedTuple):
    """Two names of relations that say the same, or may.

    Args:
        name: one of the data.
        relations: how many have it.
        other: one of what it is compared with.
        other_relations: how many have that.
        kind: how they resemble each other.
    """

    name: str
    relations: int
    other: str
    other_relations: int
    kind: Kind


@dataclass
class Validation:
    """What was found.

    Args:
        malformed: what is wrong with each record that cannot be read, with its file and line, and the cure.
        readers: what their readers left out, read once, or read otherwise than it stands there, of each file.
        documents: how many of each file could be read.
        duplicates: documents of the data that resemble an earlier one.
        leaks: documents of the data that resemble one of `against`.
        similar_names: of the data among each other, where they differ in writing or inflection alone.
        leaking_names: of the data and of `against`.
        blocked_names: of the data that are on the list of those that must not be there.
        notes: counted oddities, such as a relation that is called "no_relation".
    """

    malformed: list[str] = field(default_factory=list)
    readers: list[str] = field(default_factory=list)
    documents: dict[str, int] = field(default_factory=dict)
    duplicates: list[Duplicate] = field(default_factory=list)
    leaks: list[Duplicate] = field(default_factory=list)
    similar_names: list[SimilarNames] = field(default_factory=list)
    leaking_names: list[SimilarNames] = field(default_factory=list)
    blocked_names: list[SimilarNames] = field(default_factory=list)
    notes: Counter[str] = field(default_factory=Counter)

    @property
    def is_clean(self) -> bool:
        """Whether nothing was found."""
        return not any(value for name, value in vars(self).items() if name != "documents")

    def to_dict(self) -> dict[str, Any]:
        """All of it, as JSON values."""
        lists = ("duplicates", "leaks", "similar_names", "leaking_names", "blocked_names")
        rows = {name: [row._asdict() for row in getattr(self, name)] for name in lists}
        said = {"malformed": self.malformed, "readers": self.readers, "documents": self.documents}
        return {**said, **rows, "notes": dict(self.notes)}


@dataclass
class _Side:
    """What is known of the data, or of what it is compared with."""

    texts: SameTexts = field(default_factory=SameTexts)
    runs: SharedRuns | None = None
    names: Counter[str] = field(default_factory=Counter)
    ids: dict[str, set[str]] = field(default_factory=dict)  # of each relation id, its names

    def add(self, document: Document, where: str) -> None:
        for relation in document.relations:
            self.names[relation.relation_type] += 1
            if relation.relation_id:
                self.ids.setdefault(relation.relation_id, set()).add(relation.relation_type)
        if self.runs is not None:
            self.runs.add(document, where)


def validate(
    files: Sequence[StrPath],
    against: Sequence[StrPath] = (),
    *,
    options: Mapping[str, Any] | None = None,
    run_length: int | None = None,
    groups: Sequence[tuple[Sequence[str], Sequence[str]]] = (),
    block: Sequence[str] = (),
    progress: Wrap | None = None,
) -> Validation:
    """Reads files to the end, whatever is wrong with their records, and says what is.

    Args:
        files: the data.
        against: what it is compared with, such as the documents of an evaluation.
        options: for [`read_documents`], such as `reader`.
        run_length: also finds documents that share a run of this many words.
        groups: synonyms of relation names with their inverses, besides those that are known.
        block: names that relations of the data must not have, nor any that says the same.
        progress: wraps the documents of a file, to show how far it is; it gets the file's name.

    Raises:
        OSError: when a file is missing.
        ValueError: when nothing can be compared, because `run_length` is below 1.
    """
    found = Validation()
    theirs, ours = (_Side(runs=None if run_length is None else SharedRuns(run_length)) for _ in range(2))
    read = _Reading(found, options or {}, progress)
    for file in against:
        for where, document in read(file):
            theirs.add(document, where)
            theirs.texts.add(placed(document, where))
    for file in files:
        for where, document in read(file):
            ours.add(document, where)
            one = placed(document, where)
            found.duplicates += _listed(ours.texts.add(one))
            found.leaks += _listed(theirs.texts.find(one))
            _note(document, found.notes)
    if ours.runs is not None and theirs.runs is not None:
        found.duplicates += ours.runs.within()
        found.leaks += ours.runs.shared_with(theirs.runs)
    _compare_names(found, ours, theirs, Resemblance(groups), block)
    return found


@dataclass
class _Reading:
    found: Validation
    options: Mapping[str, Any]
    progress: Wrap | None

    def __call__(self, file: StrPath) -> Iterator[tuple[str, Document]]:
        """The documents of a file; what is malformed is noted."""
        name = os.fspath(file)
        self.found.documents[name] = 0
        documents: Iterable[tuple[str, Document]] = read_places(
            file,
            **self.options,
            on_error=lambda error: self.found.malformed.append(str(error)),
            on_warning=self.found.readers.append,
        )
        for where, document in documents if self.progress is None else self.progress(documents, name):
            self.found.documents[name] += 1
            yield where, document


def _listed(duplicate: Duplicate | None) -> list[Duplicate]:
    return [] if duplicate is None else [duplicate]


def _compare_names(
    found: Validation, ours: _Side, theirs: _Side, resemblance: Resemblance, block: Sequence[str]
) -> None:
    kinds = {(name, other): kind for name, other, kind in resemblance.pairs(ours.names, theirs.names)}
    for relation_id in ours.ids.keys() & theirs.ids.keys():
        for name in ours.ids[relation_id]:
            for other in theirs.ids[relation_id] - {name}:
                kinds[name, other] = "same id"
    found.leaking_names = _rows(kinds, ours.names, theirs.names)
    blocked = {(name, other): kind for name, other, kind in resemblance.pairs(ours.names, block)}
    found.blocked_names = _rows(blocked, ours.names, Counter())
    by_words: dict[tuple[str, ...], list[str]] = {}
    for name in ours.names:
        by_words.setdefault(words_of(name) or (name,), []).append(name)
    alike: dict[tuple[str, str], Kind] = {
        (other, group[0]): "same words" for group in by_words.values() for other in group[1:]
    }
    found.similar_names = _rows(alike, ours.names, ours.names)


def _rows(
    kinds: Mapping[tuple[str, str], Kind], counts: Counter[str], other_counts: Counter[str]
) -> list[SimilarNames]:
    rows = [
        SimilarNames(name, counts[name], other, other_counts[other], kind) for (name, other), kind in kinds.items()
    ]
    return sorted(rows, key=lambda row: (_ORDER[row.kind], -row.relations, row.name, row.other))


_ORDER: dict[Kind, int] = {"same": 0, "same id": 1, "same words": 2, "synonym": 3, "inverse": 4, "alike": 5}


def _note(document: Document, notes: Counter[str]) -> None:
    """Counts what can be read, and is hardly meant."""
    relations = [(r.head, r.tail, r.relation_type) for r in document.relations]
    mentions = [(m.start, m.end, m.label, m.entity) for m in document.mentions]
    for what, listed in (("Relations", relations), ("Mentions", mentions)):
        if repeated := len(listed) - len(set(listed)):
            notes[f"{what} that are listed twice in their document"] += repeated
    for _, _, name in relations:
        if words_of(name) in _NO_RELATION:
            notes[
                f"Relations called {name!r}, which seems to say that there is none, and would be learned as one "
                f'(`glirel data convert --map` with {{"{name}": false}} says so)'
            ] += 1
        elif _ID.match(name):
            notes["Relations called by an id, which says nothing (`glirel data convert --map` gives names)"] += 1
        elif name != name.strip():
            notes["Relations whose name has white space at an end, which makes it another name"] += 1
    if not document.words:
        notes["Documents without words"] += 1
