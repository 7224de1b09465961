"""Wiki-ZSL, in ZS-BERT's files and in RelationPrompt's.

ZS-BERT, after Sorokin and Gurevych, has one array of

    {"tokens": ["Ada", "Lovelace", "was", "born", "in", "London"],
     "edgeSet": [{"left": [0, 1], "right": [5], "kbID": "P19"}]}

`left`, the head, and `right`, the tail, are positions of words. `kbID` is an id of Wikidata, whose name is in
`pid2name.json` (FewRel's file has most of them); `P0` says that a pair has no relation. Where there is a `vertexSet`
with `tokenpositions`, these are mentions too. Files that are one object of arrays are read as well.

RelationPrompt, and whoever took its splits of FewRel and Wiki-ZSL, has an object a line:

    {"triplets": [{"tokens": ["Ada", …], "head": [0, 1], "tail": [5], "label_id": "P19", "label": "place of birth"}]}
"""

from __future__ import annotations

from collections.abc import Mapping

from glirel_transformers.data.schema import Document
from glirel_transformers.mentions_glirel import shortened

from .fewrel import UNKNOWN_PAIRS, UNTYPED
from .format import Format, Reading, Record
from .parts import Parts, list_of, of_words, text_of

NO_RELATION = "P0"


def matches(record: Record) -> bool:
    """Whether a record has words as `tokens`, and relations as `edgeSet`."""
    return "tokens" in record and "edgeSet" in record


def read(record: Record, reading: Reading) -> Document:
    """The document of a record.

    Raises:
        TypeError, ValueError: when a position is not one of a word, or a relation has no name.
    """
    parts = Parts(record["tokens"], reading)
    for index, vertex in enumerate(list_of(record.get("vertexSet") or [], Mapping, "vertexSet")):
        where = f"vertexSet[{index}].tokenpositions"
        if vertex.get("tokenpositions"):
            parts.mention(of_words(vertex["tokenpositions"], where, reading), where=where)
    for index, edge in enumerate(list_of(record["edgeSet"], Mapping, "edgeSet")):
        where = f"edgeSet[{index}]"
        head, tail = (
            parts.mention(of_words(edge[side], f"{where}.{side}", reading), where=f"{where}.{side}")
            for side in ("left", "right")
        )
        relation_id = text_of(edge["kbID"], f"{where}.kbID")
        if relation_id == NO_RELATION:
            parts.none(head, tail)
        else:
            name = reading.name_for(relation_id)
            parts.relation(head, tail, name, relation_id if relation_id != name else None)
    return parts.document(exhaustive=False, entities_exhaustive=False)


def has_triplets(record: Record) -> bool:
    """Whether a record has `triplets`, each with its words."""
    triplets = record.get("triplets")
    return isinstance(triplets, list) and all(isinstance(one, Mapping) and "tokens" in one for one in triplets)


def read_triplets(record: Record, reading: Reading) -> Document:
    """The document of triplets, which are of one sentence.

    Raises:
        TypeError, ValueError: when they are not, or a position is not one of a word.
    """
    triplets = list_of(record["triplets"], Mapping, "triplets")
    if not triplets:
        raise ValueError("`triplets` is empty, and has no words. Remove the record.")
    parts = Parts(triplets[0]["tokens"], reading)
    for index, triplet in enumerate(triplets):
        where = f"triplets[{index}]"
        if triplet["tokens"] != parts.words:
            raise ValueError(f"`{where}` is of another sentence: {shortened(triplet['tokens'])}. Give it a record.")
        head, tail = (
            parts.mention(of_words(triplet[side], f"{where}.{side}", reading), where=f"{where}.{side}")
            for side in ("head", "tail")
        )
        relation_id = triplet.get("label_id") or None
        name = triplet.get("label") or (reading.name_for(relation_id) if isinstance(relation_id, str) else None)
        parts.relation(head, tail, text_of(name, f"{where}.label"), relation_id)
    return parts.document(exhaustive=False, entities_exhaustive=False)


_STATES = f"{UNKNOWN_PAIRS}; {UNTYPED}"
WIKI_ZSL = Format(
    "wiki-zsl", "'tokens' and 'edgeSet'", matches, read, in_arrays=True, under="relation", states=_STATES
)
RELATION_PROMPT = Format(
    "relationprompt", "'triplets' with 'tokens'", has_triplets, read_triplets, in_arrays=True, states=_STATES
)
