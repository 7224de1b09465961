"""spaCy's DocBin, a `.spacy` file, with relations as in the `rel` extension of spaCy's tutorial on relations.

`doc._.rel` is `{(0, 6): {"CAPITAL_OF": 1.0, "LOCATED_IN": 0.0}}`: the first tokens of head and tail, and for each
type 1 or 0, or what a model made of it, of which 0.5 and more is a relation. It is in the file where this was written
with `store_user_data=True`. Entities are `doc.ents`; words are the tokens, without those that are white space. Reading
needs spaCy, which is not a requirement of this package.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import permutations
from pathlib import Path
from typing import Any

from glirel_transformers.data.schema import Document, Mention, Relation
from glirel_transformers.files import StrPath
from glirel_transformers.mentions_glirel import shortened

from .format import Format, Reading, Record
from .tokens import Tokens

_RELATIONS = ("._.", "rel", None, None)  # where spaCy keeps `doc._.rel`
_IS_ONE = 0.5  # from here on a score says that a relation holds


def recognises(path: StrPath, head: str) -> bool:
    """Whether the suffix of a file is `.spacy`."""
    return Path(path).suffix == ".spacy"


def records(path: StrPath) -> Iterator[tuple[str, Record]]:
    """A record with the `doc` of each document, an object of spaCy.

    Raises:
        ImportError: when spaCy is not installed.
        ValueError: when it is not a DocBin.
    """
    try:
        from spacy.tokens import DocBin
        from spacy.vocab import Vocab
    except ImportError as error:
        raise ImportError(f"{path}: A DocBin is read with spaCy, which is not installed: pip install spacy") from error
    raw = Path(path).read_bytes()
    try:
        stored = DocBin().from_bytes(raw)
    except Exception as error:  # zlib's, msgpack's and Python's own, for damaged bytes
        raise ValueError(f"{path}: It is not a DocBin ({type(error).__name__}: {error}). Write it again.") from error
    for number, doc in enumerate(stored.get_docs(Vocab()), start=1):
        yield f"{path}, document {number}", {"doc": doc}


def read(record: Record, reading: Reading) -> Document:
    """The document of a record of [`records`].

    Raises:
        TypeError, ValueError: when `doc._.rel` is not such a dictionary, or names a token where no entity starts.
    """
    doc = record["doc"]
    tokens = Tokens([token.text for token in doc])
    mentions = [
        Mention(*tokens.words_of(entity.start, entity.end, f"ents[{index}]"), entity.label_ or None)
        for index, entity in enumerate(doc.ents)
    ]
    reading.left_out["groups of spans (doc.spans)"] += len(doc.spans)
    position_of = {entity.start: position for position, entity in enumerate(doc.ents)}
    stated = doc.user_data.get(_RELATIONS)
    relations, known = _relations(stated, position_of)
    is_whole = stated is not None and set(permutations(range(len(mentions)), 2)) <= known
    related = {(relation.head, relation.tail) for relation in relations}
    return Document(
        words=tokens.words,
        mentions=mentions,
        relations=relations,
        exhaustive=is_whole,
        none_pairs=() if is_whole else tuple(sorted(pair for pair in known - related if pair[0] != pair[1])),
        text=doc.text,
        self_pairs=any(relation.head == relation.tail for relation in relations),
        sentences=_sentences(doc, tokens),
        entities_exhaustive=True,
    )


def _relations(stated: object, position_of: Mapping[int, int]) -> tuple[list[Relation], set[tuple[int, int]]]:
    """The relations, and the pairs of which anything is said."""
    if not isinstance(stated or {}, Mapping):
        raise TypeError(f"`doc._.rel` must be a dictionary of pairs of tokens: got {shortened(stated)}.")
    relations: list[Relation] = []
    known: set[tuple[int, int]] = set()
    given: Mapping[Any, Any] = stated or {}  # type: ignore[assignment]  # checked above
    for pair, types in given.items():
        if not isinstance(pair, tuple) or len(pair) != 2:
            raise TypeError(f"`doc._.rel` must be a dictionary of pairs of tokens: got the key {shortened(pair)}.")
        named = [types] if isinstance(types, str) else types
        scores = named if isinstance(named, Mapping) else dict.fromkeys(named, 1.0)
        holding = {name: float(score) for name, score in scores.items() if score >= _IS_ONE}
        if missing := [token for token in pair if token not in position_of]:
            raise ValueError(
                f"`doc._.rel` names the token {missing[0]!r}, at which none of the entities starts: "
                f"{sorted(position_of)}. Its keys are the first tokens of two entities."
            )
        head, tail = position_of[pair[0]], position_of[pair[1]]
        if scores:
            known.add((head, tail))
        relations += [Relation(head, tail, name) for name in holding]
    return relations, known


def _sentences(doc: Any, tokens: Tokens) -> tuple[tuple[int, int], ...]:  # noqa: ANN401  # spaCy's Doc
    if not doc.has_annotation("SENT_START"):
        return ()
    spans = [tokens.between(sentence.start, sentence.end) for sentence in doc.sents]
    return tuple(spans)


DOCBIN = Format(
    "docbin",
    "the suffix .spacy",
    lambda record: False,
    read,
    records=records,
    recognises=recognises,
    states="pairs of which doc._.rel says nothing are unknown",
)
