"""What a dictionary says of an entity: its span, its type and its surface, under whichever keys tools write them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches

Fields = Mapping[str, object]

# How keys may be spelled, without their case and their signs. What names the unit comes first: tools that give both
# have token positions in `start` and `end`.
_SPAN_KEYS = (
    ("startchar", "endchar"),
    ("charstart", "charend"),
    ("startoffset", "endoffset"),
    ("beginoffset", "endoffset"),
    ("startpos", "endpos"),
    ("start", "end"),
    ("begin", "end"),
    ("start", "stop"),
)
_WHOLE_SPAN_KEYS = ("span", "charspan", "offsets")
_ALL_SPAN_KEYS = frozenset(key for pair in _SPAN_KEYS for key in pair) | {*_WHOLE_SPAN_KEYS, "offset", "length"}
_LABEL_KEYS = ("label", "type", "labels", "entitytype", "entitygroup", "enttype", "ner", "nertag", "nertype", "tag")
# What looks like the name of a type and is none of the above: refused, so that a type is not lost.
_LIKE_LABELS = ("class", "category", "kind", "group", "concept", "sort", "types", *_LABEL_KEYS)
# A surface is what such words alone make up: `text`, `surface_form`, `coveredText`; but not `full_text`.
_SURFACE = r"text|surface|words?|tokens?|string|phrase|content|chunk|mention|literal|exact|span"
_SURFACE_KEY = re.compile(
    rf"(?:entity|covered|matched|form)*(?:{_SURFACE})(?:{_SURFACE}|entity|covered|matched|form)*"
)
# What tools say in words of an entity that is not its type.
_NOT_TYPES = frozenset(
    """
    alias aliases annotator author canonical color colour comment comments confidence context created date definition
    description doc document file guid href id identifier ids iri kb key lang language lemma link name names norm
    normalised normalized note notes page qid ref resolved score section sentence source status time title updated uri
    url uuid value wiki wikidata wikipedia
    """.split()  # noqa: SIM905  # the list would take a line a word
)


def span_of(entity: Fields) -> object:
    """The span that a dictionary names, or `None`."""
    values = {_plain(key): value for key, value in entity.items() if value is not None}
    for start, end in _SPAN_KEYS:
        if start in values and end in values:
            return values[start], values[end]
    for key in _WHOLE_SPAN_KEYS:
        whole = values.get(key)
        if isinstance(whole, Sequence) and not isinstance(whole, str):
            return tuple(whole)
    offset, length = values.get("offset"), values.get("length")
    if isinstance(offset, int) and isinstance(length, int):
        return offset, offset + length
    return None


def has_part_of_a_span(entity: Fields) -> bool:
    """Whether a dictionary has a key of a span."""
    keys = {_plain(key): value for key, value in entity.items()}
    return any(key in keys for pair in _SPAN_KEYS for key in pair) or any(
        key in keys and not isinstance(keys[key], str) for key in _WHOLE_SPAN_KEYS
    )


def surfaces_of(entity: Fields) -> dict[str, str]:
    """What a dictionary says to stand at the entity's span, by its keys; `text` comes first."""
    found = {key: value for key, value in entity.items() if isinstance(value, str) and is_surface(key)}
    return dict(sorted(found.items(), key=lambda item: _plain(item[0]) != "text"))


def names_of(entity: Fields) -> dict[str, str]:
    """Other strings with letters: names that may be another form of the surface, by their keys."""
    return {
        key: value
        for key, value in entity.items()
        if isinstance(value, str)
        and any(sign.isalpha() for sign in value)
        and not is_surface(key)
        and _plain(key) not in _LABEL_KEYS
    }


def is_surface(key: object) -> bool:
    """Whether a key says that its value stands in the text, such as `text`, `word`, `surfaceForm`, `span_text`."""
    return _SURFACE_KEY.fullmatch(_plain(key)) is not None


def labels_of(entity: Fields) -> dict[str, object]:
    """The types of an entity, by the keys that are read; without those that are empty."""
    found = {str(key): _single(value) for key, value in entity.items() if _plain(key) in _LABEL_KEYS}
    found = {key: label for key, label in found.items() if label is not None and label != ""}
    if "label_" in found and isinstance(found.get("label"), int):
        del found["label"]  # spaCy's number of it
    return found


def _single(value: object) -> object:
    """The type in a list of one, such as Label Studio's `labels`; longer lists as they are."""
    if isinstance(value, (list, tuple)) and len(value) <= 1:
        return value[0] if value else None
    return value


def lost_label(entity: Fields) -> str | None:
    """A key under which there may be a type that is not read, in a dictionary without one.

    Any key with words in it may be that, unless it is known for something else: `role`, `rdf:type`, `ontology` and
    whatever the next tool calls it. Where `label` says that there is no type, only keys that look like one.
    """
    says_none = any(_plain(key) in _LABEL_KEYS for key in entity)
    for key, value in entity.items():
        if _plain(key) in {*_LABEL_KEYS, *_ALL_SPAN_KEYS, "entity", "mentions"} or is_surface(key):
            continue
        if _holds_words(value) and (is_like_a_label(str(key)) or not (says_none or _is_harmless(str(key)))):
            return str(key)
        if nested := next(_nested_labels(value), None):
            return f"{key}.{nested}"
    return None


def _holds_words(value: object) -> bool:
    if isinstance(value, (list, tuple, set, frozenset)):
        return any(_holds_words(one) for one in value)
    return isinstance(value, str) and value.strip() != ""


def _nested_labels(value: object) -> Iterator[str]:
    """The keys of types in dictionaries within a value."""
    for inner in value if isinstance(value, (list, tuple)) else [value]:
        for key, said in inner.items() if isinstance(inner, Mapping) else ():
            if _holds_words(said) and is_like_a_label(str(key)):
                yield str(key)


def is_like_a_label(key: str) -> bool:
    """Whether a key looks like that of a type, also a misspelt one."""
    is_similar = get_close_matches(
        _plain(key), ("label", "type", "labels", "entitytype", "category", "class"), 1, 0.75
    )
    return any(word in _LIKE_LABELS for word in _words(key)) or bool(is_similar)


def _is_harmless(key: str) -> bool:
    return any(word in _NOT_TYPES for word in _words(key))


def _words(key: str) -> list[str]:
    return re.findall(r"[^\W_]+", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", key).lower())


def _plain(key: object) -> str:
    """A key without its case and its signs."""
    return re.sub(r"[\W_]+", "", str(key)).lower()
