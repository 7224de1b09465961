"""OpenNRE's format: an example a line, with a head and a tail. Its ends are half-open.

    {"token": ["Ada", "lives", "in", "London"], "h": {"name": "Ada", "id": "Q7259", "pos": [0, 1]},
     "t": {"name": "London", "id": "Q84", "pos": [3, 4]}, "relation": "residence"}

In place of `token` there may be a `text`; `pos` is then in characters. `NA`, `no_relation` and `Other` say that the
pair has no relation; a name with a direction, as of SemEval-2010 (`Cause-Effect(e2,e1)`), says which is the head.
"""

from __future__ import annotations

from collections.abc import Mapping

from glirel_transformers.data.schema import Document
from glirel_transformers.mentions_glirel import shortened
from glirel_transformers.text_glirel import Span

from .fewrel import UNKNOWN_PAIRS, UNTYPED
from .format import Format, Reading, Record
from .parts import Parts, split_at, text_of, whole
from .semeval import directed_name

NO_RELATIONS = ("NA", "no_relation", "Other")
_SIDES = ("h", "t")


def matches(record: Record) -> bool:
    """Whether a record has words or a text, a relation, and a head and a tail with `pos`."""
    if ("token" not in record and "text" not in record) or "relation" not in record:
        return False
    return all(isinstance(record.get(side), Mapping) and "pos" in record[side] for side in _SIDES)


def read(record: Record, reading: Reading) -> Document:
    """The document of an example.

    Raises:
        TypeError, ValueError: when the head or the tail is not in the text, or a name is at another place.
    """
    spans = [_read_position(record[side], side) for side in _SIDES]
    text = None
    words: object = record.get("token")
    if words is None:
        text = text_of(record["text"], "text")
        for side, span in zip(_SIDES, spans, strict=True):
            _check_name(record[side].get("name"), text, span, side)
        words, spans = split_at(text, spans, reading)
    parts = Parts(words, reading)
    ends = [
        parts.mention(span, entity=None, name=record[side].get("name"), where=f"{side}.pos")
        for side, span in zip(_SIDES, spans, strict=True)
    ]
    relation = text_of(record["relation"], "relation")
    if relation in NO_RELATIONS:
        parts.none(ends[0], ends[1])
    elif (directed := directed_name(relation)) is not None:
        name, is_forward = directed
        head, tail = ends if is_forward else ends[::-1]
        parts.relation(head, tail, name)
    else:
        name = reading.name_for(relation)
        parts.relation(ends[0], ends[1], name, relation if relation != name else None)
    return parts.document(exhaustive=False, entities_exhaustive=False, text=text)


def _read_position(given: Mapping[str, object], side: str) -> Span:
    position = given["pos"]
    if not isinstance(position, list) or len(position) != 2:
        raise TypeError(
            f"`{side}.pos` must be where the mention begins and where the text goes on after it: got "
            f"{shortened(position)}."
        )
    return whole(position[0], f"{side}.pos"), whole(position[1], f"{side}.pos")


def _check_name(name: object, text: str, span: Span, side: str) -> None:
    """Refuses a name that the text has, but not at its place: the offsets are wrong."""
    found = text[slice(*span)]
    if isinstance(name, str) and name and found.casefold() != name.casefold() and name in text:
        start = text.index(name)
        raise ValueError(
            f"`{side}.pos` is {list(span)}, where the text has {found!r}, and `{side}.name` is {name!r}, which is at "
            f"{[start, start + len(name)]}. `pos` is half-open, in characters."
        )


OPENNRE = Format(
    "opennre",
    "'relation', and 'h' and 't' with 'pos'",
    matches,
    read,
    in_arrays=True,
    states=f"{UNKNOWN_PAIRS}; {UNTYPED}",
)
