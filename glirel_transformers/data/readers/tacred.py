"""The format of TACRED and of Re-TACRED: one array of examples, each with one pair. Its ends are INCLUSIVE.

    [{"id": "61b3a5c8c9a882dcfcd2", "relation": "per:city_of_birth", "token": ["Ada", "was", "born", "in", "London"],
      "subj_start": 0, "subj_end": 0, "subj_type": "PERSON", "obj_start": 4, "obj_end": 4, "obj_type": "CITY"}, …]

`no_relation` says that this pair, in this direction, has none; nothing is known of the other direction.
"""

from __future__ import annotations

from glirel_transformers.data.schema import Document, Mention

from .fewrel import UNKNOWN_PAIRS
from .format import Format, Reading, Record
from .parts import Parts, inclusive, label_of, text_of

NO_RELATION = "no_relation"
_SIDES = ("subj", "obj")


def matches(record: Record) -> bool:
    """Whether a record has words as `token`, and a subject and an object by their ends."""
    return {"token", "subj_start", "obj_start"} <= set(record)


def read(record: Record, reading: Reading) -> Document:
    """The document of an example.

    Raises:
        TypeError, ValueError: when the subject or the object is not in the text.
    """
    parts = Parts(record["token"], reading)
    ends = []
    for number, side in enumerate(_SIDES):
        label = label_of(record.get(f"{side}_type"), f"{side}_type")
        span = inclusive(record[f"{side}_start"], record[f"{side}_end"], f"{side}_start")
        # A subject and an object of the same words are two: they are numbered only where they must be told apart.
        is_same = number == 1 and parts.mentions[0] == Mention(*span, label)
        ends.append(parts.mention(span, label, entity=1 if is_same else None, where=f"{side}_start"))
    relation = text_of(record["relation"], "relation")
    if relation == NO_RELATION:
        parts.none(ends[0], ends[1])
    else:
        parts.relation(ends[0], ends[1], relation)
    extra = {name: record[name] for name in ("id", "docid") if name in record}
    return parts.document(exhaustive=False, entities_exhaustive=False, extra=extra)


TACRED = Format(
    "tacred",
    "'token', 'subj_start' and 'obj_start'",
    matches,
    read,
    in_arrays=True,
    states=f"{UNKNOWN_PAIRS}; 'no_relation' is of the named direction alone",
)
