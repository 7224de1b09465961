"""Whether there is anything to learn from documents."""

from __future__ import annotations

from transformers.utils import logging

from glirel_transformers.data.labels import has_negative
from glirel_transformers.data.splits import count_relation_types
from glirel_transformers.evaluation.facts import entity_document

from .collator import RelationCollator
from .dataset import Example, RelationDataset
from .joint_collator import JointCollator

logger = logging.get_logger(__name__)


def check_signal(dataset: RelationDataset, collator: object = None) -> None:
    """Checks that training can teach something, before it begins.

    Args:
        dataset: what is trained on.
        collator: what makes the batches.

    Raises:
        ValueError: when no document has a relation, or none that is read along with its types, or when none has a
            pair that is known not to have one: then a model learns to say yes to everything. Where entities are
            learned, there may be no relation.
    """
    counts = count_relation_types(example.document for example in dataset)
    if not counts and isinstance(collator, JointCollator) and any(map(_names_entities, dataset)):
        return
    if not counts:
        raise ValueError(
            f"There is nothing to learn: none of the {len(dataset):,} documents has a relation. Give documents with "
            "`relations`."
        )
    types = list(counts)
    if isinstance(collator, RelationCollator):
        collator.check_names(types)
        if not any(map(collator.reads_a_relation, dataset)):
            raise ValueError(
                f"There is nothing to learn: none of the {counts.total():,} relations is read: head and tail are too "
                f"far apart for a model that reads {collator.tokenizer.limits}, next to the relation types. Give "
                "documents whose relations are nearer, or a model that reads more."
            )
        types = list(dict.fromkeys([*types, *collator.relation_types]))
    by_entity = isinstance(collator, RelationCollator) and collator.by_entity
    documents = (entity_document(one.document) if by_entity else one.document for one in dataset)
    if not any(has_negative(document, types) for document in documents):
        raise ValueError(
            f"There is nothing to learn: every pair whose relations are known has every relation type ({len(types)}, "
            f"such as {types[0]!r}), so that a model would learn to say yes to everything. Give documents with other "
            "relation types, or with pairs that have none (and are `exhaustive`)."
        )


def _names_entities(example: Example) -> bool:
    return example.document.knows_entities and bool(example.document.mentions)


def note_wide_entities(dataset: RelationDataset, max_width: int | None) -> None:
    """Says how many entities have more words than the model finds: they are paired all the same."""
    if max_width is None:
        return
    widths = [mention.end - mention.start for example in dataset for mention in example.document.mentions]
    if too_wide := sum(width > max_width for width in widths):
        logger.warning(
            "%d of %d mentions have more than the %d words of the widest entity that the model finds: they are only "
            "learned as ends of relations. A larger max_entity_width of a fresh model finds them.",
            too_wide,
            len(widths),
            max_width,
        )
