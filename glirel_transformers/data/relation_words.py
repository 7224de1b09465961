"""Names of relations that say the same, or the inverse: by their words, and by lists of synonyms and inverses."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from glirel_transformers.mentions_glirel import shortened
from glirel_transformers.requests_glirel import readable_name

Kind = Literal["same", "same id", "same words", "synonym", "inverse", "alike"]
"""How two names resemble each other, the strongest first. `alike` are those of the same words but for small ones, such
as "child of" and "child", or "part of" and "has part", which may say the inverse."""
KINDS: tuple[Kind, ...] = ("same", "same id", "same words", "synonym", "inverse", "alike")

# Words that say nothing of what a relation is about.
_SMALL = frozenset(
    (
        *("a", "an", "and", "as", "at", "be", "been", "by", "for", "from", "has", "have", "in", "into", "is", "are"),
        *("its", "of", "on", "or", "s", "that", "the", "to", "was", "with"),
    )
)
# Groups of common relations: (what says the same, what says the inverse).
COMMON: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
    (("spouse", "married to"), ()),
    (("husband", "spouse"), ()),
    (("wife", "spouse"), ()),
    (("child", "has child", "parent of"), ("parent", "child of")),
    (("son", "child"), ("parent",)),
    (("daughter", "child"), ("parent",)),
    (("father", "parent"), ("child",)),
    (("mother", "parent"), ("child",)),
    (("sibling", "brother"), ()),
    (("sibling", "sister"), ()),
    (("part of", "belongs to", "component of", "is a part of"), ("has part", "contains", "consists of", "includes")),
    (("member of", "belongs to group"), ("has member", "members")),
    (("employer", "works for", "employee of", "employed by"), ("employee", "employs")),
    (("place of birth", "born in", "birthplace", "birth place", "city of birth"), ("birthplace of",)),
    (("date of birth", "born on", "birth date", "birthday"), ()),
    (("place of death", "died in", "death place", "city of death"), ()),
    (("date of death", "died on", "death date"), ()),
    (("residence", "lives in", "place lived", "place of residence"), ("resident",)),
    (("country of citizenship", "nationality", "citizen of"), ()),
    (("educated at", "alma mater", "attended", "student at", "graduated from", "schools attended"), ("alumni",)),
    (("author", "written by"), ("author of", "wrote", "notable work")),
    (("creator", "created by", "made by"), ("creator of", "created")),
    (("developer", "developed by"), ("developer of", "developed")),
    (("founded by", "founder"), ("founder of", "founded")),
    (("owned by", "owner"), ("owner of", "owns", "subsidiary")),
    (("headquarters location", "headquartered in", "based in", "organization based in"), ()),
    (("located in", "location", "is in", "situated in"), ("location of", "contains")),
    (("capital", "has capital"), ("capital of",)),
    (("follows", "preceded by", "predecessor"), ("followed by", "precedes", "successor")),
    (("causes", "cause of", "leads to", "has effect"), ("caused by", "has cause", "effect of")),
    (("director", "directed by"), ("director of", "directed")),
    (("performer", "performed by"), ("performed", "performs")),
    (("killed", "murdered"), ("killed by", "murdered by")),
    (("position held", "office held"), ("officeholder",)),
    (("instance of", "type of", "is a", "subclass of"), ("has instance", "has subclass")),
)


def words_of(name: str) -> tuple[str, ...]:
    """The words of a name without case, separators, accents and inflection."""
    text = unicodedata.normalize("NFKD", readable_name(name)).casefold()
    return tuple(map(_stem, re.findall(r"[^\W_]+", "".join(c for c in text if not unicodedata.combining(c)))))


def _stem(word: str) -> str:
    """A word without the endings of English inflection; rough, but the same for the forms of one word."""
    if not word.isascii() or len(word) < 4 or word.isdigit():
        return word
    for ending, instead, least in (("ies", "y", 5), ("sses", "ss", 5), ("s", "", 4)):
        if word.endswith(ending) and len(word) >= least and not word.endswith(("ss", "us", "is")):
            word = word[: len(word) - len(ending)] + instead
            break
    for ending in ("ing", "ed"):
        if word.endswith(ending) and re.search(r"[aeiouy]", word[: -len(ending)]) and len(word) - len(ending) > 2:
            word = word[: -len(ending)]
            if word[-1] == word[-2] and word[-1] not in "aeiouls":
                word = word[:-1]  # stopped → stop
            break
    return word[:-1] if len(word) > 3 and word.endswith("e") else word


@dataclass
class Resemblance:
    """Says how names resemble each other.

    Args:
        groups: synonyms with their inverses, besides those of `COMMON`.
    """

    groups: Sequence[tuple[Sequence[str], Sequence[str]]] = ()
    _sides: dict[tuple[str, ...], set[tuple[int, int]]] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        for number, group in enumerate((*COMMON, *self.groups)):
            for side, names in enumerate(group):
                for name in names:
                    self._sides.setdefault(words_of(name), set()).add((number, side))

    def kind(self, name: str, other: str) -> Kind | None:
        """How two names resemble each other; `None` where they do not."""
        if name == other:
            return "same"
        words, others = words_of(name), words_of(other)
        if not words or not others:
            return None
        if words == others:
            return "same words"
        sides, other_sides = self._sides.get(words, set()), self._sides.get(others, set())
        if sides & other_sides:
            return "synonym"
        if {(number, 1 - side) for number, side in sides} & other_sides:
            return "inverse"
        return "alike" if _content(words) == _content(others) else None

    def pairs(self, names: Iterable[str], others: Iterable[str]) -> list[tuple[str, str, Kind]]:
        """All pairs of one name each that resemble each other, in the order of the names."""
        others = list(others)
        keys: dict[object, list[str]] = {}
        for other in others:
            for key in self._keys(other):
                keys.setdefault(key, []).append(other)
        found: dict[tuple[str, str], Kind] = {}
        for name in names:
            for key in self._keys(name):
                for other in keys.get(key, ()):
                    if (name, other) not in found and (kind := self.kind(name, other)) is not None:
                        found[name, other] = kind
        return [(name, other, kind) for (name, other), kind in found.items()]

    def _keys(self, name: str) -> list[object]:
        """What two names have in common that resemble each other: one of these keys at least."""
        words = words_of(name)
        return [name, words, _content(words), *(number for number, _ in self._sides.get(words, ()))]


def _content(words: Sequence[str]) -> frozenset[str]:
    return frozenset(words) - _SMALL or frozenset(words)


def read_synonyms(values: object, where: str) -> list[tuple[list[str], list[str]]]:
    """Groups of synonyms with their inverses, from JSON values.

    Args:
        values: `[["spouse", "married to"], …]`, lists of names that say the same; or by name, `{"child": ["has
            child"], "part of": {"synonyms": ["belongs to"], "inverses": ["has part"]}}`.
        where: their place in errors.

    Raises:
        TypeError, ValueError: when they are something else.
    """
    if isinstance(values, list) and values and all(isinstance(value, str) for value in values):
        raise ValueError(
            f"{where}: It is one list of names, so that all of them would be synonyms. For names that must not occur, "
            "use --block FILE; for one group of synonyms, write [[...]]."
        )
    if isinstance(values, list):
        return [(_names(value, f"{where}: [{position}]"), []) for position, value in enumerate(values)]
    if not isinstance(values, Mapping):
        raise TypeError(f"{where}: It must hold a JSON object or a list of lists: got {shortened(values)}.")
    groups = []
    for name, value in values.items():
        place = f"{where}: {name!r}"
        if isinstance(value, Mapping):
            if unknown := set(value) - {"synonyms", "inverses"}:
                raise ValueError(f"{place} has {sorted(unknown)}. It may have 'synonyms' and 'inverses'.")
            lists = [_names(value.get(key, []), f"{place}, {key!r}") for key in ("synonyms", "inverses")]
        else:
            lists = [_names(value, place), []]
        groups.append(([name, *lists[0]], lists[1]))
    return groups


def _names(value: object, where: str) -> list[str]:
    if isinstance(value, str):
        return [value]
    if not isinstance(value, list) or not all(isinstance(name, str) and name.strip() for name in value):
        raise TypeError(f"{where} must be a list of names: got {shortened(value)}.")
    return list(value)
