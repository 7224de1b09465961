"""SpERT's format: one array of sentences, with entities and relations. Its ends are half-open.

    [{"tokens": ["Ada", "lives", "in", "London"],
      "entities": [{"type": "Peop", "start": 0, "end": 1}, {"type": "Loc", "start": 3, "end": 4}],
      "relations": [{"type": "Live_In", "head": 0, "tail": 1}], "orig_id": 5121}, …]

CoNLL04, SciERC and ADE are common in it. Heads and tails are positions in `entities`.
"""

from __future__ import annotations

from collections.abc import Mapping

from glirel_transformers.data.schema import Document

from .format import Format, Reading, Record
from .parts import Parts, list_of, position_in, text_of, whole


def matches(record: Record) -> bool:
    """Whether a record has words as `tokens`, and lists of entities and relations."""
    return "tokens" in record and isinstance(record.get("entities"), list) and "relations" in record


def read(record: Record, reading: Reading) -> Document:
    """The document of a sentence.

    Raises:
        TypeError, ValueError: when an entity or a relation does not fit.
    """
    parts = Parts(record["tokens"], reading)
    listed: list[int] = []
    for index, entity in enumerate(list_of(record["entities"], Mapping, "entities")):
        where = f"entities[{index}]"
        span = whole(entity["start"], f"{where}.start"), whole(entity["end"], f"{where}.end")
        listed.append(parts.listed(span, text_of(entity["type"], f"{where}.type"), where))
    for index, relation in enumerate(list_of(record["relations"], Mapping, "relations")):
        where = f"relations[{index}]"
        head, tail = (
            listed[position_in(relation[side], len(listed), f"{where}.{side}", "entities")]
            for side in ("head", "tail")
        )
        parts.relation(head, tail, text_of(relation["type"], f"{where}.type"))
    extra = {"orig_id": record["orig_id"]} if "orig_id" in record else {}
    return parts.document(exhaustive=True, extra=extra)


SPERT = Format("spert", "'tokens', 'entities' and 'relations'", matches, read, in_arrays=True)
