"""The New York Times corpus in its two usual forms, which say by name, not by place, what is related.

That of Riedel, Ren and CopyRE has an object a line; `start` counts entities and is not a place:

    {"sentText": "Ada Lovelace lived in London .",
     "entityMentions": [{"start": 0, "label": "PERSON", "text": "Ada Lovelace"}, …],
     "relationMentions": [{"em1Text": "Ada Lovelace", "em2Text": "London", "label": "/people/person/place_lived"}]}

That of CasRel (NYT, WebNLG) has one array:

    [{"text": "Ada Lovelace lived in London .",
      "triple_list": [["Ada Lovelace", "/people/person/place_lived", "London"]]}, …]

A name is one entity, and each place where the text has it as whole words is a mention of it: which of them was meant
is not said. What stands only within a longer name of the record is left to that one. A name that the text does not
have is left out, with its relations, and counted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from glirel_transformers.data.schema import Document
from glirel_transformers.mentions_glirel import shortened
from glirel_transformers.text_glirel import Span, split_words

from .format import Format, Reading, Record
from .parts import Parts, label_of, list_of, split_at, text_of

NO_RELATIONS = ("None", "NA")
SEVERAL = "names that occur more than once, of which all places are mentions of one entity"
NOT_THERE = "names that the text does not have as whole words, with their relations"
_STATES = (
    "entities are names: all places of one are mentions of one entity; relations come from a knowledge base, so that "
    "pairs without one are unknown"
)


def matches(record: Record) -> bool:
    """Whether a record has its text as `sentText`, and relations by name."""
    return "sentText" in record and "relationMentions" in record


def read(record: Record, reading: Reading) -> Document:
    """The document of a record in CopyRE's form.

    Raises:
        TypeError, ValueError: when an entity or a relation does not fit.
    """
    labels: dict[str, str | None] = {}
    for index, entity in enumerate(list_of(record.get("entityMentions") or [], Mapping, "entityMentions")):
        where = f"entityMentions[{index}]"
        labels.setdefault(text_of(entity["text"], f"{where}.text"), label_of(entity.get("label"), f"{where}.label"))
    triples = []
    for index, relation in enumerate(list_of(record["relationMentions"], Mapping, "relationMentions")):
        where = f"relationMentions[{index}]"
        head, tail, name = (text_of(relation[field], f"{where}.{field}") for field in ("em1Text", "em2Text", "label"))
        triples.append((head, name, tail))
    return _document(text_of(record["sentText"], "sentText"), labels, triples, reading)


def has_triples(record: Record) -> bool:
    """Whether a record has a text and a `triple_list`."""
    return "text" in record and "triple_list" in record


def read_triples(record: Record, reading: Reading) -> Document:
    """The document of a record in CasRel's form.

    Raises:
        TypeError, ValueError: when a triple is not three strings.
    """
    triples = []
    for index, triple in enumerate(list_of(record["triple_list"], list, "triple_list")):
        where = f"triple_list[{index}]"
        if len(triple) != 3:
            raise TypeError(f"`{where}` must be a list of head, relation and tail: got {shortened(triple)}.")
        head, name, tail = (text_of(one, where) for one in triple)
        triples.append((head, name, tail))
    return _document(text_of(record["text"], "text"), {}, triples, reading)


def _document(
    text: str, labels: Mapping[str, str | None], triples: Iterable[tuple[str, str, str]], reading: Reading
) -> Document:
    """A document of names.

    Args:
        text: the text.
        labels: the types of the entities that are listed, by name.
        triples: head, relation and tail.
        reading: counts what is not clear.
    """
    triples = list(triples)
    names = list(dict.fromkeys([*labels, *(end for head, _, tail in triples for end in (head, tail))]))
    places = find_names(text, names)
    reading.left_out[NOT_THERE] += sum(not spans for spans in places.values())
    reading.noted[SEVERAL] += sum(len(spans) > 1 for spans in places.values())
    listed = [(name, span) for name in names for span in places[name]]
    words, spans = split_at(text, [span for _, span in listed], reading)
    parts = Parts(words, reading)
    first: dict[str, int] = {}  # of each name, its first mention
    for (name, _), span in zip(listed, spans, strict=True):
        entity = names.index(name) if len(places[name]) > 1 else None
        first.setdefault(name, parts.mention(span, labels.get(name), entity, name, name))
    for head, relation, tail in triples:
        if head not in first or tail not in first:
            continue
        if relation in NO_RELATIONS:
            parts.none(first[head], first[tail])
        else:
            parts.relation(first[head], first[tail], relation)
    return parts.document(exhaustive=False, entities_exhaustive=False, text=text)


def find_names(text: str, names: Iterable[str]) -> dict[str, list[Span]]:
    """The character spans where a text has each name as whole words, without those inside of a longer name's.

    A name all of whose places are inside of longer ones keeps them.
    """
    word_spans = split_words(text)
    starts, ends = {start for start, _ in word_spans}, {end for _, end in word_spans}
    found: dict[str, list[Span]] = {}
    for name in names:
        spaced = r"\s+".join(map(re.escape, name.split()))
        spans = [place.span() for place in re.finditer(spaced, text)]
        found[name] = [(start, end) for start, end in spans if start in starts and end in ends]
    every = [span for spans in found.values() for span in spans]

    def is_free(span: Span) -> bool:
        return not any(other != span and other[0] <= span[0] and span[1] <= other[1] for other in every)

    return {name: [span for span in spans if is_free(span)] or spans for name, spans in found.items()}


NYT = Format("nyt", "'sentText' and 'relationMentions'", matches, read, in_arrays=True, states=_STATES)
CASREL = Format(
    "casrel",
    "'text' and 'triple_list'",
    has_triples,
    read_triples,
    in_arrays=True,
    states=f"{_STATES}; entities have no types",
)
