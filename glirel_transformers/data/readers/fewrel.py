"""FewRel's format: one object of arrays, an array for each relation; or its examples with a `relation` each.

    {"P931": [{"tokens": ["Heathrow", "serves", "London", "."],
               "h": ["heathrow", "Q8691", [[0]]], "t": ["london", "Q84", [[2]]]}, …], …}

The words of `h` and of `t` are given by their positions; several lists of them are several mentions of one entity.
`P931` is an id of Wikidata, whose name is in `pid2name.json`; what is no such id is the name itself (as in FewRel
2.0). The form of 🤗 datasets is read too, with `head` and `tail` as objects with `text` and `indices`, and `names`.
"""

from __future__ import annotations

from collections.abc import Mapping

from glirel_transformers.data.schema import Document
from glirel_transformers.mentions_glirel import shortened

from .format import Format, Reading, Record
from .parts import Parts, list_of, of_words, text_of

UNKNOWN_PAIRS = "only the pairs that it names are known: others are not learned from, and not counted"
UNTYPED = "entities have no types"


def matches(record: Record) -> bool:
    """Whether a record has words as `tokens`, and a head and a tail by positions of words."""
    if "tokens" not in record or "relation" not in record:
        return False
    head, tail = record.get("h", record.get("head")), record.get("t", record.get("tail"))
    return all(map(_has_places, (head, tail)))


def read(record: Record, reading: Reading) -> Document:
    """The document of an example.

    Raises:
        TypeError, ValueError: when a position is not one of a word, or the relation has no name.
    """
    parts = Parts(record["tokens"], reading)
    ends = [
        _read_side(record.get(short, record.get(long)), short, number, parts, reading)
        for number, (short, long) in enumerate((("h", "head"), ("t", "tail")))
    ]
    relation = text_of(record["relation"], "relation")
    names = record.get("names")
    name = names[0] if isinstance(names, list) and names else reading.name_for(relation)
    parts.relation(ends[0], ends[1], text_of(name, "names"), relation if relation != name else None)
    return parts.document(exhaustive=False, entities_exhaustive=False)


def _has_places(side: object) -> bool:
    if isinstance(side, Mapping):
        return "indices" in side
    return isinstance(side, list) and len(side) == 3 and isinstance(side[2], list)


def _read_side(given: object, side: str, entity: int, parts: Parts, reading: Reading) -> int:
    """The first mention of the head or the tail."""
    if isinstance(given, Mapping):
        name, places = given.get("text"), given.get("indices")
    elif isinstance(given, list) and len(given) == 3:
        name, _, places = given
    else:
        raise TypeError(
            f"`{side}` must be a list of a name, an id and the positions of its words, such as ['london', 'Q84', "
            f"[[2]]]: got {shortened(given)}."
        )
    if not list_of(places, list, f"{side}[2]"):
        raise ValueError(f"`{side}` has no place in the text: got {shortened(given)}.")
    known = entity if len(list_of(places, list, side)) > 1 else None
    positions = []
    for number, place in enumerate(list_of(places, list, side)):
        where = f"{side}[2][{number}]"
        span = of_words(place, where, reading)
        words = " ".join(parts.words[span[0] : span[1]])
        # Names are in lower case, which says nothing.
        is_other = isinstance(name, str) and name.lower() != words.lower()
        positions.append(parts.mention(span, entity=known, name=name if is_other else None, where=where))
    return positions[0]


FEWREL = Format(
    "fewrel",
    "'tokens', and 'h' and 't' with positions of words",
    matches,
    read,
    in_arrays=True,
    under="relation",
    states=f"{UNKNOWN_PAIRS}; {UNTYPED}",
)
