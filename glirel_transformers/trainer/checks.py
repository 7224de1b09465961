"""Whether there is anything to learn from documents."""

from __future__ import annotations

from collections.abc import Iterable

from glirel_transformers.data.labels import has_negative
from glirel_transformers.data.splits import count_relation_types

from .dataset import RelationDataset


def check_signal(dataset: RelationDataset, relation_types: Iterable[str] = ()) -> None:
    """Checks that training can teach something, before it begins.

    Args:
        dataset: what is trained on.
        relation_types: what the collator asks for in addition to the types of the documents.

    Raises:
        ValueError: when no document has a relation, or none has a pair that is known not to have one: then a model
            learns to say yes to everything.
    """
    counts = count_relation_types(example.document for example in dataset)
    if not counts:
        raise ValueError(
            f"There is nothing to learn: none of the {len(dataset):,} documents has a relation. Give documents with "
            "`relations`."
        )
    types = list(dict.fromkeys([*counts, *relation_types]))
    if not any(has_negative(example.document, types) for example in dataset):
        raise ValueError(
            f"There is nothing to learn: every pair whose relations are known has every relation type ({len(types)}, "
            f"such as {types[0]!r}), so that a model would learn to say yes to everything. Give documents with other "
            "relation types, or with pairs that have none (and are `exhaustive`)."
        )
