"""Entities in every form that users have them, brought to one, and compared with the text they are in."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from .keys_glirel import has_part_of_a_span, is_like_a_label, labels_of, lost_label, names_of, span_of, surfaces_of
from .text_glirel import Span, check_span, split_words


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
        scores: of an entity that a model found, its types with their probabilities, the likeliest first; only one
            unless several were asked for. An entity that is given may have several as well.
    """

    start: int
    end: int
    text: str
    label: str | None
    index: int
    mentions: tuple[Mention, ...] = ()
    scores: tuple[tuple[str, float], ...] = ()

    def __post_init__(self) -> None:
        if not self.mentions:
            object.__setattr__(self, "mentions", (Mention(self.start, self.end, self.text),))

    @property
    def places(self) -> list[str]:
        """What errors call its mentions, such as `entities[1].mentions[0]`; `entities[1]` where it has one alone."""
        where = f"entities[{self.index}]"
        return [where] if len(self.mentions) == 1 else [f"{where}.mentions[{i}]" for i in range(len(self.mentions))]

    @property
    def labels(self) -> frozenset[str]:
        """All its types."""
        own = {name for name, _ in self.scores}
        return frozenset(own if self.label is None else {self.label, *own})

    def to_dict(self) -> dict[str, object]:
        """As results have it, with `mentions` only where there are several; [`read_entities`] reads it back.

        One that was found has its `score`, and with several types the `scores` of all of them.
        """
        entity: dict[str, object] = {
            "start": self.start,
            "end": self.end,
            "text": self.text,
            "label": self.label,
            "index": self.index,
        }
        if len(self.mentions) > 1:
            entity["mentions"] = [mention._asdict() for mention in self.mentions]
        if self.scores:
            entity["score"] = self.scores[0][1]
        if len(self.scores) > 1:
            entity["scores"] = dict(self.scores)
        return entity


def read_entities(entities: object, text: str) -> list[Entity]:
    """Brings entities to one form.

    Args:
        entities: any iterable, such as a list, of

            - spans `(start, end)` or `(start, end, label)`, half-open and in characters; also an array `(n, 2)`;
            - dictionaries with `start` and `end` (or `start_char`, `start_offset`, `begin`, … and its end, or `span`),
              and optionally a type (`label`, `type`, `entity_group`, `labels`, …) and the surface (`text`, `word`,
              `surface_form`, …), as GLiNER, 🤗 token-classification pipelines and annotation tools give them. The
              surface must be what stands at the span. Another name, such as a canonical `name`, may differ from it,
              unless the offsets lead to just that name in other units;
            - spaCy spans, or [`Entity`] objects;
            - names, `"Marie Curie"` or `("Marie Curie", "PERSON")`: the first place where the text has it as whole
              words; the same name again is the next place;
            - entities of several mentions, `{"mentions": [(0, 11), (30, 33)], "label": "PERSON"}`;

            or a dictionary of names by type, `{"PERSON": ["Marie Curie"], "CITY": ["Warsaw"]}`; or a spaCy `Doc`.
        text: the text that they are in.

    Raises:
        TypeError: for anything else.
        ValueError: for a span that is empty, outside the text or not the surface that is given with it; for a name
            that the text does not have; for a key that may hold a type and is not read (`"label": None` says that
            there is none), or types that disagree; for single sub-tokens of a 🤗 pipeline.
    """
    reader = EntityReader(text)
    return [reader.read(entity, index) for index, entity in enumerate(list_entities(entities))]


def list_entities(entities: object) -> list[object]:
    """Entities as a list, each as it was given: what [`read_entities`] reads one by one.

    Raises:
        TypeError: when they are not a list of entities.
    """
    check_not_a_table(entities, "entities", "'start', 'end' and 'label'")
    if not isinstance(entities, (str, Mapping)) and hasattr(entities, "ents"):
        entities = entities.ents  # what spaCy's `nlp(text)` gives
    if isinstance(entities, Mapping):
        return list(_by_type(entities))
    if isinstance(entities, (str, bytes, bytearray)) or not isinstance(entities, Iterable):
        raise TypeError(f"`entities` must be a list of entities: got {shortened(entities)}.")
    return list(entities)


def check_not_a_table(given: object, what: str, columns: str) -> None:
    """Refuses tables of any library, which iterate over the names of their columns, or over whole columns."""
    if isinstance(given, Mapping) or not hasattr(given, "columns"):
        return
    calls = {"to_dicts": "to_dicts()", "to_pylist": "to_pylist()", "to_dict": "to_dict('records')"}
    call = next((call for name, call in calls.items() if hasattr(given, name)), None)
    if call is not None:
        raise TypeError(
            f"A {type(given).__name__} is not a list of {what}: iterating over it gives columns. Pass its rows, "
            f"table.{call}, with the columns {columns}."
        )


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

    def find(self, name: str, where: str) -> Span:
        if name != name.strip() or not name:
            raise ValueError(f"`{where}` is the name {name!r}, which must begin and end with a word.")
        inside, position = None, self._searched.get(name, 0)
        while (position := self.text.find(name, position)) >= 0:
            end = position + len(name)
            if self.is_whole(position, end):
                self._searched[name] = end
                return position, end
            inside = self.text[max(0, position - 10) : end + 10] if inside is None else inside
            position += 1
        raise ValueError(self._missing(name, where, inside))

    def is_whole(self, start: int, end: int) -> bool:
        """Whether a span starts and ends on the bounds of words."""
        if self._bounds is None:
            spans = split_words(self.text)
            self._bounds = {first for first, _ in spans}, {last for _, last in spans}
        return start in self._bounds[0] and end in self._bounds[1]

    def _missing(self, name: str, where: str, inside: str | None) -> str:
        what = f"`{where}` is {shortened(name)}, but the text does not hold the entity {shortened(name)}"
        if name in self._searched:
            return f"{what} again after character {self._searched[name]}. Name each place once, or leave it out."
        if inside is not None:
            return f"{what} as whole words, only within others: {inside!r}. Name the whole words, or give a span."
        return f"{what}: it must stand there letter by letter."


class _Given(NamedTuple):
    """What is said of an entity or a mention, before it is checked: strings by the keys under which they stand."""

    span: object
    labels: Mapping[str, object] = {}
    surfaces: Mapping[str, str] = {}  # which must stand at the span
    names: Mapping[str, str] = {}  # which may be other names of the entity


class EntityReader:
    """Reads the entities of a text one by one, each in any form that [`read_entities`] takes in a list.

    Args:
        text: the text that they are in.
    """

    def __init__(self, text: str):
        self.text = text
        self._names = _Names(text)

    def read(self, entity: object, index: int) -> Entity:
        """One entity; `index` is its position in the list, for errors too."""
        where = f"entities[{index}]"
        if isinstance(entity, Entity):
            entity = entity.to_dict()
        if isinstance(entity, Mapping) and _is_list(entity.get("mentions")):
            mentions, said, labels = self._read_cluster(entity, where)
        else:
            given = self._given(entity, where)
            mentions, said, labels = [self._read_mention(given, where)], [entity], given.labels
        label = _one_label(labels, where)
        if label is None:
            _check_no_label_is_lost(said, where)
        return Entity(*mentions[0], label, index, tuple(mentions), _further_types(entity, where))

    def _read_cluster(
        self, entity: Mapping[str, object], where: str
    ) -> tuple[list[Mention], list[object], Mapping[str, object]]:
        """The mentions of an entity, all that is said of it and of them, and its types by where they stand."""
        listed = entity["mentions"]
        if isinstance(listed, (bytes, Mapping)) or not isinstance(listed, Iterable):
            raise TypeError(f"`mentions` of `{where}` must be a list of spans: got {shortened(listed)}.")
        mentions: list[Mention] = []
        said: list[object] = [entity, *listed]
        labels = labels_of(entity)
        for position, one in enumerate(said[1:]):
            given = self._given(one, f"{where}.mentions[{position}]")
            mentions.append(self._read_mention(given, f"{where}.mentions[{position}]"))
            labels |= {f"mentions[{position}].{key}": label for key, label in given.labels.items()}
        if not mentions:
            raise ValueError(f"`{where}` has no mentions. Give at least one span, or leave the entity out.")
        if len(set(mentions)) < len(mentions):
            twice = next(mention for mention in mentions if mentions.count(mention) > 1)
            raise ValueError(f"`{where}` has the mention {twice[:2]} twice. Give it once.")
        self._check_whole(entity, mentions, where)
        return mentions, said, labels

    def _check_whole(self, entity: Mapping[str, object], mentions: list[Mention], where: str) -> None:
        """A span and a surface next to `mentions` must be those of one of them."""
        span, surfaces = span_of(entity), surfaces_of(entity)
        if span is not None:
            if span not in [mention[:2] for mention in mentions]:
                raise ValueError(
                    f"`{where}` has the span {span}, which is not one of its `mentions`: got "
                    f"{shortened([mention[:2] for mention in mentions])}. Add it to these, or leave it out."
                )
            self._read_mention(_Given(span, surfaces=surfaces, names=names_of(entity)), where)
        for surface in surfaces.values():
            if not any(_is_same(mention.text, surface) for mention in mentions):
                raise ValueError(
                    f"`{where}` says that its text is {shortened(surface)}, but its mentions are "
                    f"{shortened([mention.text for mention in mentions])}. Leave it out, or correct the spans."
                )

    def _read_mention(self, given: _Given, where: str) -> Mention:
        text = self.text
        try:
            start, end = check_span(given.span, where, len(text), "character")
        except ValueError as error:  # outside the text: what else is given may say why
            reasons = [_reason(text, given.span, surface) for surface in given.surfaces.values()]
            reasons += [_units(text, given.span, name) or "" for name in given.names.values()]
            raise ValueError(f"{error} {next(filter(None, reasons), '')}".rstrip()) from None
        for surface in given.surfaces.values():
            check_surface(text, (start, end), surface, f"`{where}`")
        for key, name in given.names.items():
            self._check_name((start, end), name, f"`{where}`", key)
        return Mention(start, end, text[start:end])

    def _check_name(self, span: Span, name: str, what: str, key: str) -> None:
        """Refuses another name of the entity where it shows that the offsets are wrong.

        It may differ from the surface, as canonical names do. But in other units the offsets do not lead to it by
        chance; nor does a span within a word have the length of a name that the text has elsewhere.
        """
        found = self.text[slice(*span)]
        if _is_same(found, name):
            return
        reason = _units(self.text, span, name)
        if reason is None and len(name) == len(found) and name in self.text and not self._names.is_whole(*span):
            reason = _reason(self.text, span, name)
        if reason is not None:
            raise ValueError(_mismatch(self.text, span, name, f"{what} says that its {key!r}", reason))

    def _given(self, entity: object, where: str) -> _Given:
        """The span, the type and the surface of an entity or a mention, as far as they are given."""
        if isinstance(entity, str):
            return _Given(self._names.find(entity, where))
        if hasattr(entity, "start_char") and hasattr(entity, "end_char"):  # a span of spaCy, or of Stanza
            return _of_object(entity)
        if hasattr(entity, "_asdict"):  # a named tuple, such as a row of a table
            fields = entity._asdict()
            entity = fields if span_of(fields) is not None else entity
        if isinstance(entity, Mapping):
            return self._of_mapping(entity, where)
        if hasattr(entity, "tolist"):  # an array or a tensor
            entity = entity.tolist()
        if isinstance(entity, Sequence) and not isinstance(entity, (bytes, bytearray)):
            label = {"label": entity[-1]} if len(entity) in (2, 3) and entity[-1] is not None else {}
            if len(entity) == 2 and isinstance(entity[0], str):  # a name with its type
                return _Given(self._names.find(entity[0], where), label)
            if len(entity) in (2, 3):
                return _Given(tuple(entity[:2]), label if len(entity) == 3 else {})
        raise TypeError(
            f"`{where}` must be (start, end), (start, end, label), a dictionary with 'start' and 'end', a name, "
            f"or a spaCy span: got {shortened(entity)}."
        )

    def _of_mapping(self, entity: Mapping[str, object], where: str) -> _Given:
        labels, surfaces, names, span = labels_of(entity), surfaces_of(entity), names_of(entity), span_of(entity)
        if "entity" in entity and not labels:
            _check_entity_key(entity, where)
        if span is None and not has_part_of_a_span(entity):
            name = next(iter(surfaces.values()), names.get("name"))
            if name is not None:
                return _Given(self._names.find(name, where), labels, surfaces)
        if span is None:
            raise ValueError(
                f"`{where}` needs 'start' and 'end', in characters, or a 'text' to look for: got {shortened(entity)}."
            )
        if not surfaces and (surface := names.get("entity")) is not None and surface in self.text:
            surfaces = {"text": surface}  # else an identifier
        return _Given(span, labels, surfaces, names)


def _is_list(value: object) -> bool:
    return value is not None and not isinstance(value, (str, int))


def _of_object(entity: object) -> _Given:
    """A span of spaCy or of Stanza, or of whatever else has `start_char` and `end_char`."""
    labels = {key: getattr(entity, key, None) for key in ("label_", "type", "label", "ent_type")}
    labels = {key: label for key, label in labels.items() if isinstance(label, str) and label}
    surface = getattr(entity, "text", None)
    surfaces = {"text": surface} if isinstance(surface, str) else {}
    return _Given((getattr(entity, "start_char"), getattr(entity, "end_char")), labels, surfaces)  # noqa: B009


def _one_label(labels: Mapping[str, object], where: str) -> str | None:
    """The type of an entity, of all that name one."""
    for label in labels.values():
        if isinstance(label, (list, tuple)):
            raise ValueError(f"`{where}` has several types: {shortened(label)}. Choose one as 'label'.")
    if len(set(map(repr, labels.values()))) > 1:
        raise ValueError(f"`{where}` has different types in its keys: {shortened(labels)}. Leave one of them.")
    label = next(iter(labels.values()), None)
    if label is not None and not isinstance(label, str):
        raise TypeError(f"The label of `{where}` must be a string: got {shortened(label)}.")
    if label is not None:
        check_text(label, f"The label of `{where}`")
    return label or None


def _further_types(entity: object, where: str) -> tuple[tuple[str, float], ...]:
    """All types of an entity that a model found with several, as [`Entity.to_dict`] writes them."""
    scores = entity.get("scores") if isinstance(entity, Mapping) else None
    if not isinstance(scores, Mapping):
        return ()
    for name, score in scores.items():
        if not isinstance(name, str) or isinstance(score, bool) or not isinstance(score, (int, float)):
            raise TypeError(
                f"`{where}` has the `scores` {shortened(scores)}, which are not numbers by the names of types. Write "
                "{'person': 0.9, 'author': 0.6}, or leave them out."
            )
    return tuple((name, float(score)) for name, score in scores.items())


def _check_no_label_is_lost(said: Iterable[object], where: str) -> None:
    for one in said:
        key = lost_label(one) if isinstance(one, Mapping) else None
        if key is not None:
            cure = "leave it out" if is_like_a_label(key) else "leave it out, or add 'label': null"
            raise ValueError(
                f"`{where}` has the key {key!r}, which looks like its type and is not read. Call it 'label' if it is; "
                f"else {cure}."
            )


def _check_entity_key(entity: Mapping[str, object], where: str) -> None:
    """`entity` is the tag of a sub-token in one tool, the type in others, and the surface in others again."""
    if "word" in entity or re.match(r"[BIOES]-", str(entity["entity"])):
        raise ValueError(
            f"`{where}` is a single sub-token of a token-classification pipeline: got {shortened(entity)}. "
            "Build that pipeline with aggregation_strategy='simple', which gives whole entities."
        )
    if isinstance(entity["entity"], str):
        raise ValueError(
            f"`{where}` has the key 'entity', which may be its type or its text: got "
            f"{shortened(entity['entity'])}. Call it 'label' or 'text'."
        )


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
    found = text[slice(*span)]
    if found != surface and not _is_same(found, surface):
        raise ValueError(_mismatch(text, span, surface, f"{what} says that its text", _reason(text, span, surface)))


def _mismatch(text: str, span: Span, surface: str, what: str, reason: str) -> str:
    found = text[slice(*span)]
    return f"{what} is {shortened(surface)}, but the characters {span} are {shortened(found)}. {reason}"


def _units(text: str, span: object, surface: str) -> str | None:
    """In which other units the offsets lead to a surface, or `None`."""
    start, end = span if isinstance(span, tuple) and len(span) == 2 else (0, 0)
    if not (isinstance(start, int) and isinstance(end, int)):
        return None
    for encoding, width, units in (
        ("utf-16-le", 2, "UTF-16 offsets, as JavaScript, Java and C# count"),
        ("utf-8", 1, "UTF-8 byte offsets"),
    ):
        raw = text.encode(encoding, "surrogatepass")[width * start : width * end]
        if raw.decode(encoding, "replace") == surface:
            return f"These are {units}; convert them to characters."
    if text[start : end + 1] == surface:
        return f"Its end is inclusive, and ends are exclusive here: ({start}, {end + 1})."
    return None


def _reason(text: str, span: object, surface: str) -> str:
    """What offsets that do not fit seem to count."""
    start = span[0] if isinstance(span, tuple) and isinstance(span[0], int) else 0
    if (reason := _units(text, span, surface)) is not None:
        return reason
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
