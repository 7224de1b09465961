"""Which documents of some files are trained on, and which are evaluated on."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain

from glirel_transformers.data import Document, is_held_out, read_documents, text_hash

HELD_OUT = 0.05  # share of the documents that is kept for evaluation where no files are given for it
_FEW = 20  # with fewer documents none is kept for evaluation: training needs it, and it would say little


@dataclass
class Selection:
    """Documents for a training run.

    Args:
        train: what is trained on; a document may occur several times.
        evaluation: what is evaluated on, the shortest first.
        left_out: how many documents are in neither, for each reason.
    """

    train: list[Document] = field(default_factory=list)
    evaluation: list[Document] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)

    @property
    def num_shared(self) -> int:
        """How many of the documents for evaluation have a text that is trained on as well."""
        trained = {text_hash(document) for document in self.train}
        return sum(text_hash(document) in trained for document in self.evaluation)


def select_documents(
    files: Iterable[str | os.PathLike[str]],
    evaluation_files: Sequence[str | os.PathLike[str]] = (),
    *,
    held_out: float | None = None,
    evaluation_limit: int | None = None,
    repeats: Mapping[str, float] | None = None,
    finds_entities: bool = False,
    reader: str | None = None,
    exhaustive: bool | None = None,
    alignment: str = "strict",
) -> Selection:
    """Reads files of documents and divides them, always in the same way: by hashes of their texts.

    Args:
        files: what is trained on, in any format that [`read_documents`] knows.
        evaluation_files: what is evaluated on.
        held_out: share of the documents of `files` that is kept for evaluation instead of training. By default 0.05,
            or 0 with `evaluation_files` and where there are fewer than 20 documents.
        evaluation_limit: how many documents are evaluated on at most.
        repeats: how often an epoch visits the documents whose source has a prefix; see [`number_of_copies`].
        finds_entities: whether they are for a model that finds entities, which also learns from a text without a pair.
        reader: the format of all files; see [`read_documents`].
        exhaustive: whether pairs without a relation are known to have none; by default as the format says.
        alignment: `"expand"` to widen spans that cut words; see [`read_documents`].

    Raises:
        ValueError: when a line cannot be read, or nothing is left to train on.
    """
    repeats = repeats or {}
    chosen = Selection()
    read = partial(read_documents, reader=reader, exhaustive=exhaustive, alignment=alignment)
    documents = list(_with_signal(map(read, files), chosen.left_out, finds_entities))
    by_default = 0.0 if evaluation_files or len(documents) < _FEW else HELD_OUT
    share = by_default if held_out is None else held_out
    for document in documents:
        if repeat_factor(document, repeats) == 0:
            chosen.left_out["their source is repeated 0 times"] += 1
        elif is_held_out(document, share):
            chosen.evaluation.append(document)
        else:
            copies = number_of_copies(document, repeats)
            chosen.left_out["their source is repeated less than once"] += copies == 0
            chosen.train += [document] * copies
    chosen.evaluation += _with_signal(map(read, evaluation_files), chosen.left_out, finds_entities)
    if not chosen.train:
        reasons = "; ".join(f"{count:,} because {reason}" for reason, count in chosen.left_out.items() if count)
        raise ValueError(
            f"There is no document to train on: {len(chosen.evaluation):,} are for evaluation, and left out are "
            f"{reasons or 'none'}. Give more documents{f', or hold out a smaller share than {share:g}' * (share > 0)}."
        )
    kept = sorted(chosen.evaluation, key=text_hash)[:evaluation_limit]
    chosen.left_out["they are more than are needed to evaluate"] += len(chosen.evaluation) - len(kept)
    chosen.evaluation = sorted(kept, key=lambda document: len(document.words))
    chosen.left_out += Counter()  # without zeros
    return chosen


def has_signal(document: Document) -> bool:
    """Whether anything is known about any pair."""
    return len(document.mentions) > 1 and (document.exhaustive or bool(document.stated_pairs))


def repeat_factor(document: Document, repeats: Mapping[str, float]) -> float:
    """How often an epoch visits a document: the factor of the first prefix of its source, else 1."""
    return next((factor for prefix, factor in repeats.items() if (document.source or "").startswith(prefix)), 1.0)


def number_of_copies(document: Document, repeats: Mapping[str, float]) -> int:
    """How often an epoch visits a document; a fraction is taken by hash, so that it is always the same documents."""
    factor = repeat_factor(document, repeats)
    return int(factor) + (text_hash(document) * 7919 % 1 < factor % 1)


def _with_signal(
    files: Iterable[Iterable[Document]], left_out: Counter[str], finds_entities: bool
) -> Iterable[Document]:
    for document in chain.from_iterable(files):
        if has_signal(document) or (finds_entities and document.words and document.knows_entities):
            yield document
        else:
            left_out[f"nothing is known about any pair{' or entity' if finds_entities else ''}"] += 1
