"""Entities in every form that users have them, brought to one, and compared with the text they are in."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import NamedTuple

from .text_glirel import Span, check_span, split_words

# How the keys of a dictionary may be spelled, without their case, underscores and hyphens. What names the unit comes
# first: tools that give both have token positions in `start` and `end`.
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
_LABEL_KEYS = ("label", "type", "labels", "entitytype", "entitygroup", "enttype", "ner", "nertag", "nertype", "tag")
_SURFACE_KEYS = ("text", "surface", "surfaceform", "word", "mention")
# What looks like the name of a type and is none of the above: refused, so that a type is not lost.
_LIKE_LABELS = ("class", "category", "kind", "group", "concept", "sort", *_LABEL_KEYS)


class Mention(NamedTuple):
    """A place in the text: half-open character span and surface."""

    start: int
    end: int
    text: str


@dataclass(frozen=True)
class Entity:
    """An entity of a text, with one mention or several.

    Args:
        start, end: half-open character span of its first mention.
        text: surface of its first mention.
        label: its type, where it is known.
        index: its position in the list that the user gave.
        mentions: all its mentions, in the given order; by default the first alone.
    """

    start: int
    end: int
    text: str
    label: str | None
    index: int
    mentions: tuple[Mention, ...] = ()

    def __post_init__(self) -> None:
        if not self.mentions:
            object.__setattr__(self, "mentions", (Mention(self.start, self.end, self.text),))

    def to_dict(self) -> dict[str, object]:
        """As results have it: with `mentions` only where there are several. [`read_entities`] reads it back."""
        entity: dict[str, object] = {
            "start": self.start,
            "end": self.end,
            "text": self.text,
            "label": self.label,
            "index": self.index,
        }
        if len(self.mentions) > 1:
            entity["mentions"] = [mention._asdict() for mention in self.mentions]
        return entity


def read_entities(entities: object, text: str) -> list[Entity]:
    """Brings entities to one form.

    Args:
        entities: any iterable, such as a list, of

            - spans `(start, end)` or `(start, end, label)`, half-open and in characters; also an array `(n, 2)`;
            - dictionaries with `start` and `end` (or `start_char`, `start_offset`, `begin`, … and its end, or `span`),
              and optionally a type (`label`, `type`, `entity_group`, `labels`, …) and the surface (`text`, `word`),
              as GLiNER, 🤗 token-classification pipelines and annotation tools give them;
            - spaCy spans, or [`Entity`] objects;
            - names, `"Marie Curie"` or `("Marie Curie", "PERSON")`: the first place where the text has it as whole
              words; the same name again is the next place;
            - entities of several mentions, `{"mentions": [(0, 11), (30, 33)], "label": "PERSON"}`;

            or a dictionary of names by type, `{"PERSON": ["Marie Curie"], "CITY": ["Warsaw"]}`; or a spaCy `Doc`.
        text: the text that they are in.

    Raises:
        TypeError: for anything else.
        ValueError: for a span that is empty, outside the text or not the surface that is given with it; for a name
            that the text does not have; for a type under a key that is not read, or types that disagree; for single
            sub-tokens of a 🤗 pipeline.
    """
    names = _Names(text)
    return [_read_entity(entity, index, text, names) for index, entity in enumerate(list_entities(entities))]


def list_entities(entities: object) -> list[object]:
    """Entities as a list, each as it was given: what [`read_entities`] reads one by one.

    Raises:
        TypeError: when they are not a list of entities.
    """
    if not isinstance(entities, (str, Mapping)) and hasattr(entities, "ents"):
        entities = entities.ents  # what spaCy's `nlp(text)` gives
    if isinstance(entities, Mapping):
        return list(_by_type(entities))
    if isinstance(entities, (str, bytes, bytearray)) or not isinstance(entities, Iterable):
        raise TypeError(f"`entities` must be a list of entities: got {shortened(entities)}.")
    return list(entities)


def _by_type(entities: Mapping[object, object]) -> Iterator[tuple[object, ...]]:
    """Names or spans with their types, from a dictionary of these by type."""
    for label, given in entities.items():
        listed = [given] if isinstance(given, str) else given
        if not isinstance(label, str) or isinstance(listed, (bytes, Mapping)) or not isinstance(listed, Iterable):
            raise TypeError(
                "`entities` must be a list of entities, or a dictionary of names by type, such as {'PERSON': ['Marie "
                f"Curie']}}: got {shortened(entities)}."
            )
        for one in listed:
            if isinstance(one, str):
                yield one, label
            elif isinstance(one, Sequence) and len(one) == 2:
                yield one[0], one[1], label
            else:
                raise TypeError(f"`entities[{label!r}]` must be a list of names: got {shortened(one)} in it.")


class _Names:
    """Finds names in a text, as whole words; the same name again is its next place."""

    def __init__(self, text: str):
        self.text = text
        self._searched: dict[str, int] = {}
        self._bounds: tuple[set[int], set[int]] | None = None

    def find(self, name: str, index: int) -> Span:
        if name != name.strip() or not name:
            raise ValueError(f"`entities[{index}]` is the name {name!r}, which must begin and end with a word.")
        inside, position = None, self._searched.get(name, 0)
        while (position := self.text.find(name, position)) >= 0:
            end = position + len(name)
            if self._is_whole(position, end):
                self._searched[name] = end
                return position, end
            inside = self.text[max(0, position - 10) : end + 10] if inside is None else inside
            position += 1
        raise ValueError(self._missing(name, index, inside))

    def _is_whole(self, start: int, end: int) -> bool:
        if self._bounds is None:
            spans = split_words(self.text)
            self._bounds = {first for first, _ in spans}, {last for _, last in spans}
        return start in self._bounds[0] and end in self._bounds[1]

    def _missing(self, name: str, index: int, inside: str | None) -> str:
        what = f"`entities[{index}]` is {shortened(name)}, but the text does not hold the entity {shortened(name)}"
        if name in self._searched:
            return f"{what} again after character {self._searched[name]}. Name each place once, or leave it out."
        if inside is not None:
            return f"{what} as whole words, only within others: {inside!r}. Name the whole words, or give a span."
        return f"{what}: it must stand there letter by letter."


class _Given(NamedTuple):
    """What is said of an entity or a mention, before it is checked."""

    span: object
    label: object = None
    surface: str | None = None


def _read_entity(entity: object, index: int, text: str, names: _Names) -> Entity:
    if isinstance(entity, Entity):
        entity = entity.to_dict()
    what = f"`entities[{index}]`"
    if isinstance(entity, Mapping) and _is_list(entity.get("mentions")):
        mentions = _read_mentions(entity["mentions"], index, text, names)
        _check_first(entity, mentions, index, text)
        label: object = _label_of(entity, index)
    else:
        given = _read_given(entity, index, names)
        mentions, label = [_read_mention(given, index, text, what)], given.label
    if label is not None and not isinstance(label, str):
        raise TypeError(f"The label of {what} must be a string: got {shortened(label)}.")
    if label is not None:
        check_text(label, f"The label of {what}")
    return Entity(*mentions[0], label or None, index, tuple(mentions))


def _is_list(value: object) -> bool:
    return value is not None and not isinstance(value, (str, int))


def _read_mentions(given: object, index: int, text: str, names: _Names) -> list[Mention]:
    if isinstance(given, (bytes, Mapping)) or not isinstance(given, Iterable):
        raise TypeError(f"`mentions` of `entities[{index}]` must be a list of spans: got {shortened(given)}.")
    what = f"A mention of `entities[{index}]`"
    mentions = [_read_mention(_read_given(one, index, names), index, text, what) for one in given]
    if not mentions:
        raise ValueError(f"`entities[{index}]` has no mentions. Give at least one span, or leave the entity out.")
    if len(set(mentions)) < len(mentions):
        twice = next(mention for mention in mentions if mentions.count(mention) > 1)
        raise ValueError(f"`entities[{index}]` has the mention {twice[:2]} twice. Give it once.")
    return mentions


def _check_first(entity: Mapping[str, object], mentions: list[Mention], index: int, text: str) -> None:
    """A span and a surface next to `mentions` must be those of one of them."""
    span, surface = _span_of(entity), _surface_of(entity)
    if span is not None and span not in [mention[:2] for mention in mentions]:
        raise ValueError(
            f"`entities[{index}]` has the span {span}, which is not one of its `mentions`: got "
            f"{shortened([mention[:2] for mention in mentions])}. Add it to these, or leave it out."
        )
    if span is not None and surface is not None:
        _read_mention(_Given(span, surface=surface), index, text, f"`entities[{index}]`")


def _read_mention(given: _Given, index: int, text: str, what: str) -> Mention:
    try:
        start, end = check_span(given.span, index, len(text), "character")
    except ValueError as error:  # outside the text: what else is given may say why
        reason = "" if given.surface is None else _reason(text, given.span, given.surface)
        raise ValueError(f"{error} {reason}".rstrip()) from None
    if given.surface is not None:
        check_surface(text, (start, end), given.surface, what)
    return Mention(start, end, text[start:end])


def _read_given(entity: object, index: int, names: _Names) -> _Given:
    """The span, the type and the surface of an entity or a mention, as far as they are given."""
    if isinstance(entity, str):
        return _Given(names.find(entity, index))
    if hasattr(entity, "start_char") and hasattr(entity, "end_char"):  # a span of spaCy, or of Stanza
        label = getattr(entity, "label_", None) or getattr(entity, "type", None)
        return _Given((entity.start_char, entity.end_char), label, getattr(entity, "text", None))
    if isinstance(entity, Mapping):
        return _read_mapping(entity, index, names)
    if hasattr(entity, "tolist"):  # an array or a tensor
        entity = entity.tolist()
    if isinstance(entity, Sequence) and not isinstance(entity, (bytes, bytearray)):
        if len(entity) == 2 and isinstance(entity[0], str):  # a name with its type
            return _Given(names.find(entity[0], index), entity[1])
        if len(entity) in (2, 3):
            return _Given(tuple(entity[:2]), *entity[2:])
    raise TypeError(
        f"`entities[{index}]` must be (start, end), (start, end, label), a dictionary with 'start' and 'end', a name, "
        f"or a spaCy span: got {shortened(entity)}."
    )


def _read_mapping(entity: Mapping[str, object], index: int, names: _Names) -> _Given:
    label, surface, span = _label_of(entity, index), _surface_of(entity), _span_of(entity)
    if "entity" in entity and label is None:
        _check_entity_key(entity, index)
    if span is None and surface is not None and not _mentions_span(entity):
        return _Given(names.find(surface, index), label)
    if span is None:
        raise ValueError(
            f"`entities[{index}]` needs 'start' and 'end', in characters, or a 'text' to look for: got "
            f"{shortened(entity)}."
        )
    if surface is None and isinstance(entity.get("entity"), str) and str(entity["entity"]) in names.text:
        surface = str(entity["entity"])  # else an identifier
    return _Given(span, label, surface)


def _check_entity_key(entity: Mapping[str, object], index: int) -> None:
    """`entity` is the tag of a sub-token in one tool, the type in others, and the surface in others again."""
    if "word" in entity or re.match(r"[BIOES]-", str(entity["entity"])):
        raise ValueError(
            f"`entities[{index}]` is a single sub-token of a token-classification pipeline: got {shortened(entity)}. "
            "Build that pipeline with aggregation_strategy='simple', which gives whole entities."
        )
    if isinstance(entity["entity"], str):
        raise ValueError(
            f"`entities[{index}]` has the key 'entity', which may be its type or its text: got "
            f"{shortened(entity['entity'])}. Call it 'label' or 'text'."
        )


def _plain(key: object) -> str:
    """A key without its case, underscores and hyphens."""
    return str(key).lower().replace("_", "").replace("-", "")


def _span_of(entity: Mapping[str, object]) -> object:
    """The span that a dictionary names, or `None`."""
    values = {_plain(key): value for key, value in entity.items() if value is not None}
    for start, end in _SPAN_KEYS:
        if start in values and end in values:
            return values[start], values[end]
    for key in _WHOLE_SPAN_KEYS:
        whole = values.get(key)
        if isinstance(whole, Sequence):
            return tuple(whole)
    offset, length = values.get("offset"), values.get("length")
    if isinstance(offset, int) and isinstance(length, int):
        return offset, offset + length
    return None


def _mentions_span(entity: Mapping[str, object]) -> bool:
    """Whether a dictionary has a key of a span, which is then not whole."""
    keys = {_plain(key) for key in entity}
    return any(key in keys for pair in _SPAN_KEYS for key in pair) or any(key in keys for key in _WHOLE_SPAN_KEYS)


def _surface_of(entity: Mapping[str, object]) -> str | None:
    values = {_plain(key): value for key, value in entity.items() if isinstance(value, str)}
    return next((str(values[key]) for key in _SURFACE_KEYS if key in values), None)


def _label_of(entity: Mapping[str, object], index: int) -> object:
    """The type of an entity, under whichever of its usual keys it stands."""
    found: dict[str, object] = {}
    for key, value in entity.items():
        if _plain(key) in _LABEL_KEYS:
            label = _single_label(value, str(key), index)
            if label is not None and label != "":
                found[str(key)] = label
    if "label_" in found and isinstance(found.get("label"), int):
        del found["label"]  # spaCy's number of it
    if len(set(map(repr, found.values()))) > 1:
        raise ValueError(
            f"`entities[{index}]` has different types in its keys: {shortened(found)}. Leave one of them."
        )
    if not found:
        _check_no_label_is_lost(entity, index)
    return next(iter(found.values()), None)


def _single_label(value: object, key: str, index: int) -> object:
    if not isinstance(value, (list, tuple)) or _plain(key) != "labels":
        return value
    if len(value) > 1:
        raise ValueError(f"`entities[{index}]` has several types: {shortened(value)}. Choose one as 'label'.")
    return value[0] if value else None


def _check_no_label_is_lost(entity: Mapping[str, object], index: int) -> None:
    for key, value in entity.items():
        is_read = _plain(key) in (*_LABEL_KEYS, "entity")
        if not is_read and isinstance(value, (str, list, tuple)) and value and _is_like_a_label(str(key)):
            raise ValueError(
                f"`entities[{index}]` has the key {key!r}, which looks like its type and is not read. Call it "
                "'label', or leave it out."
            )


def _is_like_a_label(key: str) -> bool:
    words = re.sub(r"(?<=[a-z])(?=[A-Z])|[-_ ]+", " ", key).lower().split()
    is_similar = get_close_matches(
        _plain(key), ("label", "type", "labels", "entitytype", "category", "class"), 1, 0.75
    )
    return any(word in _LIKE_LABELS for word in words) or bool(is_similar)


def check_text(value: str, what: str) -> None:
    """Raises a `ValueError` for a string with half of a surrogate pair, which no file can hold."""
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise ValueError(
            f"{what} has half a surrogate pair at character {error.start}, {value[error.start : error.start + 1]!r}, "
            "which is not a character. Read it again with its right encoding, or remove it."
        ) from None


def check_surface(text: str, span: Span, surface: str, what: str) -> None:
    """Checks that a span is the surface that is given with it: offsets that do not fit would score other words.

    Case, accents and white space may differ, since tokenizers of entity recognisers change them.

    Args:
        text: the text.
        span: half-open, in characters, within the text.
        surface: what is said to stand there.
        what: what the error names, such as "`entities[3]`".

    Raises:
        ValueError: when they differ; the message says what the offsets seem to count.
    """
    start, end = span
    found = text[start:end]
    if found == surface or _is_same(found, surface):
        return
    raise ValueError(
        f"{what} says that its text is {shortened(surface)}, but the characters ({start}, {end}) are "
        f"{shortened(found)}. {_reason(text, span, surface)}"
    )


def _reason(text: str, span: object, surface: str) -> str:
    """What offsets that do not fit seem to count."""
    start, end = span if isinstance(span, tuple) else (0, 0)
    for encoding, width, units in (
        ("utf-16-le", 2, "UTF-16 offsets, as JavaScript, Java and C# count"),
        ("utf-8", 1, "UTF-8 byte offsets"),
    ):
        raw = text.encode(encoding, "surrogatepass")[width * start : width * end]
        if raw.decode(encoding, "replace") == surface:
            return f"These are {units}; convert them to characters."
    if text[start : end + 1] == surface:
        return f"Its end is inclusive, and ends are exclusive here: ({start}, {end + 1})."
    places = [
        place for place in (text.rfind(surface, 0, start + len(surface)), text.find(surface, start)) if place >= 0
    ]
    if not surface or not places:
        return "These are the offsets of another text. Spans are half-open and count characters of 'text'."
    nearest = min(places, key=lambda place: abs(place - start))
    return (
        f"It stands at ({nearest}, {nearest + len(surface)}): the offsets are off by {start - nearest}, and may be "
        "offsets of another text, such as one with other line ends or the document that this is a part of."
    )


def _is_same(found: str, surface: str) -> bool:
    """Whether a surface is what a tokenizer may have made of a text."""
    known = [re.escape(_folded(part)) for part in re.split(r"\[UNK\]|<unk>", surface)]
    return re.fullmatch(".+".join(known), _folded(found)) is not None if any(known) else False


def _folded(surface: str) -> str:
    """Without what tokenizers change: case, accents, white space and the marks of their pieces."""
    decomposed = unicodedata.normalize("NFKD", re.sub("##|[▁Ġ]", "", surface)).casefold()
    return "".join(sign for sign in decomposed if not unicodedata.combining(sign) and not sign.isspace())


def listed(names: Sequence[str], at_most: int = 5) -> str:
    """Names as an error message lists them: `a, b and 7 more`."""
    return ", ".join(names[:at_most]) + (f" and {len(names) - at_most} more" if len(names) > at_most else "")


def shortened(value: object, limit: int = 100) -> str:
    """A value as an error message shows it: never longer than a line or so."""
    if isinstance(value, str) and len(value) > limit:
        value = f"{value[: limit - 1]}…"
    written = repr(dict(value) if isinstance(value, Mapping) else value)
    return written if len(written) <= limit + 2 else f"{written[: limit - 1]}…"
