"""Documents as training examples, and the order in which an epoch visits them.

Everything random about training data is a function of (seed, epoch, position of the document) and of nothing else:
not of what was drawn before, of the process, or of the data loader's worker. So a resumed run, and any number of
processes or workers, see the examples of an uninterrupted run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import torch
from torch.utils.data import Dataset, Sampler

from glirel_transformers.data.schema import Document


@dataclass(frozen=True)
class Example:
    """A document, and what its random numbers depend on."""

    document: Document
    index: int
    epoch: int


class Rows(Protocol):
    """A list of [`Document`]s, or a 🤗 dataset whose rows are `Document.to_dict()`."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Document | Mapping[str, Any]: ...


class RelationDataset(Dataset[Example]):
    """Documents with their position and the current epoch, as [`Example`]s.

    Args:
        documents: a list of [`Document`]s, or a 🤗 dataset whose rows are `Document.to_dict()`.

    Raises:
        TypeError: when they have no length, or cannot be indexed.
    """

    def __init__(self, documents: Rows) -> None:
        is_indexed = hasattr(documents, "__len__") and hasattr(documents, "__getitem__")
        if not is_indexed or isinstance(documents, (str, bytes, Mapping)):
            raise TypeError(
                f"Training needs a list of documents, or a dataset with a length: got a {type(documents).__name__}. "
                "Make it a list."
            )
        self.documents = documents
        # Shared memory, so that data-loader workers that outlive an epoch see the next one begin.
        self._epoch = torch.zeros((), dtype=torch.long).share_memory_()

    @classmethod
    def wrap(cls, documents: Documents) -> RelationDataset:
        """`documents` if it is a [`RelationDataset`] already, else one of them."""
        return documents if isinstance(documents, RelationDataset) else cls(documents)

    @property
    def epoch(self) -> int:
        """Number of the current pass."""
        return int(self._epoch)

    def set_epoch(self, epoch: int) -> None:
        """Called by 🤗 accelerate when a pass begins."""
        self._epoch.fill_(epoch)

    def __len__(self) -> int:
        return len(self.documents)

    def __getitem__(self, index: int) -> Example:
        return Example(as_document(self.documents[index]), index, self.epoch)

    def __iter__(self) -> Iterator[Example]:
        return (self[index] for index in range(len(self)))


Documents: TypeAlias = Rows | RelationDataset
"""What training and evaluation take: documents, with or without their position and the current epoch."""


class RelationSampler(Sampler[int]):
    """A new order of a [`RelationDataset`] in every epoch, in which no relation type has to dominate.

    Args:
        dataset: whose `epoch` the order depends on.
        seed: the order depends on it too.
        max_per_relation: how many relations of one type an epoch holds at most. A document is visited if at least
            one of its types has not reached that number yet (or if it has no relation); which documents of a
            frequent type those are differs from epoch to epoch. `None` visits all.
        group_by_length: size of the batches in which documents of similar length stand together, so that little is
            padding. `None` does not group.
    """

    # It has no `set_epoch`: where a sampler has one, accelerate calls it in place of the dataset's.
    def __init__(
        self,
        dataset: RelationDataset,
        seed: int = 0,
        max_per_relation: int | None = None,
        group_by_length: int | None = None,
    ) -> None:
        if max_per_relation is not None and max_per_relation < 1:
            raise ValueError(f"`max_per_relation` must be at least 1, or None: got {max_per_relation}.")
        self.dataset = dataset
        self.seed = seed
        self.max_per_relation = max_per_relation
        self.group_by_length = group_by_length
        documents = [example.document for example in dataset] if max_per_relation or group_by_length else []
        self._relation_types = [[r.relation_type for r in document.relations] for document in documents]
        self._lengths = [len(document.words) for document in documents]
        # The number that passes differs a little between orders; the trainer needs one length for all epochs.
        self._length = len(self._capped(self._shuffled(0))[0])

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[int]:
        kept, left_out = self._capped(self._shuffled(self.dataset.epoch))
        order = (kept + left_out)[: self._length]
        return iter(self._grouped(order) if self.group_by_length else order)

    def _generator(self, epoch: int) -> torch.Generator:
        return torch.Generator().manual_seed(self.seed * 1_000_003 + epoch)

    def _shuffled(self, epoch: int) -> list[int]:
        return torch.randperm(len(self.dataset), generator=self._generator(epoch)).tolist()

    def _capped(self, order: list[int]) -> tuple[list[int], list[int]]:
        if self.max_per_relation is None:
            return order, []
        counts: Counter[str] = Counter()
        kept: list[int] = []
        left_out: list[int] = []
        for index in order:
            types = self._relation_types[index]
            if types and all(counts[name] >= self.max_per_relation for name in types):
                left_out.append(index)
            else:
                counts.update(types)
                kept.append(index)
        return kept, left_out

    def _grouped(self, order: list[int]) -> list[int]:
        size = self.group_by_length or 1
        megabatch = 50 * size
        batches: list[list[int]] = []
        for first in range(0, len(order), megabatch):
            longest_first = sorted(order[first : first + megabatch], key=lambda i: -self._lengths[i])
            batches += [longest_first[i : i + size] for i in range(0, len(longest_first), size)]
        last = [batches.pop()] if batches and len(batches[-1]) < size else []  # a short batch must stay at the end
        shuffled = torch.randperm(len(batches), generator=self._generator(self.dataset.epoch)).tolist()
        return [index for batch in [*(batches[i] for i in shuffled), *last] for index in batch]


def as_document(row: Document | Mapping[str, Any]) -> Document:
    """A [`Document`] from one, or from its dictionary."""
    return row if isinstance(row, Document) else Document.from_dict(row)
