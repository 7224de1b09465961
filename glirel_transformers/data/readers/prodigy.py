"""Prodigy's `rel.manual`, one JSON object a line.

    {"text": "Marie Curie was born in Warsaw.", "answer": "accept",
     "tokens": [{"text": "Marie", "start": 0, "end": 5, "id": 0, "ws": true}, …],
     "spans": [{"start": 0, "end": 11, "token_start": 0, "token_end": 1, "label": "PERSON"},
               {"start": 24, "end": 30, "token_start": 5, "token_end": 5, "label": "CITY"}],
     "relations": [{"head": 1, "child": 5, "label": "place of birth",
                    "head_span": {"start": 0, "end": 11, "token_start": 0, "token_end": 1, "label": "PERSON"},
                    "child_span": {"start": 24, "end": 30, "token_start": 5, "token_end": 5, "label": "CITY"}}]}

`token_end` is INCLUSIVE. `head` and `child` are the last tokens of their spans, or any; a token that is in none is a
mention of its own, without a label. The words are Prodigy's tokens, without those that are white space. Only what was
accepted is read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from glirel_transformers.data.fields import check_types, is_whole, list_of_objects
from glirel_transformers.data.schema import Document, Mention, Relation
from glirel_transformers.mentions_glirel import shortened
from glirel_transformers.text_glirel import Span

from .format import Format, Reading, Record
from .marked import UNTYPED, document_fields
from .tokens import Tokens

_READ = ("text", "tokens", "spans", "relations", "answer")


def matches(record: Record) -> bool:
    """Whether it has tokens with positions, and spans or relations between them."""
    tokens = record.get("tokens")
    return (
        isinstance(record.get("text"), str)
        and isinstance(tokens, list)
        and all(isinstance(token, Mapping) and "start" in token for token in tokens[:1])
        and ("spans" in record or "relations" in record)
    )


def read(record: Record, reading: Reading) -> Document | None:
    """The document of a task, `None` where it was rejected or ignored.

    Raises:
        TypeError, ValueError: when a span or a relation does not fit.
    """
    answer = record.get("answer", "accept")
    if answer != "accept":
        reading.left_out[f"tasks whose answer is {answer!r}"] += 1
        return None
    text = record["text"]
    check_types("", {"text": text})
    tokens = Tokens([_token(token, index) for index, token in enumerate(record["tokens"])])
    found = _Mentions(tokens, record["tokens"], reading)
    for index, span in enumerate(list_of_objects(record.get("spans") or [], "spans")):
        found.add(span, f"spans[{index}]")
    relations: dict[Relation, None] = {}
    is_whole = True
    for index, given in enumerate(list_of_objects(record.get("relations") or [], "relations")):
        head, tail = (found.end(given, side, f"relations[{index}]") for side in ("head", "child"))
        name = given.get("label")
        if not isinstance(name, str) or not name.strip():
            reading.left_out[UNTYPED] += 1
            is_whole = False
            continue
        relation = Relation(head, tail, name)
        reading.twice["relations"] += relation in relations
        relations[relation] = None
    fields = document_fields({name: one for name, one in record.items() if name not in _READ and name[:1] != "_"})
    exhaustive = fields.pop("exhaustive", record.get("relations") is not None)
    return Document(
        words=tokens.words,
        mentions=found.mentions,
        relations=list(relations),
        exhaustive=is_whole and exhaustive,
        text=text,
        self_pairs=any(relation.head == relation.tail for relation in relations),
        **{"entities_exhaustive": True, **fields},
    )


class _Mentions:
    """The mentions of a task, as they are found in its spans and in its relations."""

    def __init__(self, tokens: Tokens, given: Sequence[Record], reading: Reading):
        self.mentions: list[Mention] = []
        self._tokens, self._given, self._reading = tokens, given, reading
        self._position_of: dict[tuple[Span, str | None], int] = {}
        self._ending: dict[int, list[int]] = {}  # the mentions that end with each token
        self._covering: dict[int, list[int]] = {}  # the mentions that each token is in

    def add(self, span: Record, where: str) -> int:
        """The position of the mention of a span, which becomes one if it is none."""
        first, last = self._bounds(span, where)
        label = span.get("label") or None
        check_types(f"{where}.", {"label": label})
        position, is_new = self._mention(first, last, label, where)
        self._reading.twice["mentions"] += not is_new
        return position

    def end(self, relation: Record, side: str, where: str) -> int:
        """The position of the mention at one end of a relation."""
        span = relation.get(f"{side}_span")
        if isinstance(span, Mapping):
            first, last = self._bounds(span, f"{where}.{side}_span")
            return self._mention(first, last, span.get("label") or None, where)[0]
        token = relation.get(side)
        if not is_whole(token) or not 0 <= token < len(self._given):
            raise ValueError(
                f"`{where}.{side}` is {shortened(token)}, which is not one of the {len(self._given)} tokens, counted "
                "from 0."
            )
        for tokens in (self._ending, self._covering):
            if len(found := tokens.get(token, [])) == 1:
                return found[0]
            if found:
                raise ValueError(
                    f"`{where}.{side}` is the token {token}, which is in {len(found)} spans. Give "
                    f"'{side}_span' as well."
                )
        return self._mention(token, token, None, f"{where}.{side}")[0]

    def _mention(self, first: int, last: int, label: str | None, where: str) -> tuple[int, bool]:
        words = self._tokens.words_of(first, last + 1, where)
        key = (words, label)
        known = self._position_of.get(key)
        if known is None and label is None:  # a relation need not repeat the label
            known = next((at for at, one in enumerate(self.mentions) if (one.start, one.end) == words), None)
        if known is not None:
            return known, False
        self._position_of[key] = len(self.mentions)
        self._ending.setdefault(last, []).append(len(self.mentions))
        for token in range(first, last + 1):
            self._covering.setdefault(token, []).append(len(self.mentions))
        self.mentions.append(Mention(*words, label))
        return len(self.mentions) - 1, True

    def _bounds(self, span: Record, where: str) -> Span:
        """The first and the last token of a span."""
        first, last = span.get("token_start"), span.get("token_end")
        if first is None and last is None:
            at = [token.get("start") for token in self._given], [token.get("end") for token in self._given]
            first, last = (
                ends.index(span.get(side)) if span.get(side) in ends else None
                for ends, side in zip(at, ("start", "end"), strict=True)
            )
        if not (is_whole(first) and is_whole(last) and 0 <= first <= last < len(self._given)):
            raise ValueError(
                f"`{where}` must have 'token_start' and 'token_end', its first and its last token, of which there are "
                f"{len(self._given)}, or 'start' and 'end' at the bounds of tokens: got {shortened(dict(span))}."
            )
        return first, last


def _token(token: object, index: int) -> str:
    if not isinstance(token, Mapping) or not isinstance(token.get("text"), str):
        raise TypeError(f"`tokens[{index}]` must be an object with 'text': got {shortened(token)}.")
    text: str = token["text"]
    return text


PRODIGY = Format(
    "prodigy",
    "'tokens', and 'spans' or 'relations'",
    matches,
    read,
    in_arrays=True,
    states="pairs without a relation are read as having none, and as unknown where there are no relations at all",
)
