"""Names of relations and entity types that a model wrote: made readable, and refused where they are none."""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

from glirel_transformers.requests_glirel import readable_name

MOST_WORDS = 8
_NO_RELATION = re.compile(r"no[ _-]?(relation|relationship|relations)?|none|null|n/?a|unrelated|unknown|nothing")
_SMALL_WORDS = frozenset(
    """
    a an and are as at be been being by for from had has have in is of on the to was were with
    """.split()  # noqa: SIM905  # the list would take a line a word
)
_ENDINGS = ("ings", "ing", "ers", "ies", "ied", "es", "ed", "er", "s", "d", "e")


class Name(NamedTuple):
    """A name, or why it is none.

    Args:
        text: the name as it is written; empty where it is none.
        reason: what reports count it under: `no relation`, `empty name`, `not a name` (a sentence, or no letter in
            it), or `names an entity`. Empty where it is a name.
    """

    text: str
    reason: str = ""


def clean_name(given: str) -> str:
    """A name in readable words: `place_of_birth` → "place of birth", `IS_LOCATED_IN` → "is located in".

    White space is one space, quotation marks and punctuation around it go, and so do capitals, but for words that are
    capitals throughout, such as "DNA" in "binds to DNA".
    """
    words = readable_name(" ".join(unicodedata.normalize("NFKC", given).split()).strip("\"'“”‘’`.,;:!?*- "))
    return " ".join(word if word.isupper() and len(word) > 1 else word.lower() for word in words.split())


def read_relation_name(given: str, head: str = "", tail: str = "") -> Name:
    """The name of a relation that a model wrote.

    Args:
        given: what it wrote.
        head: what its head is called in the text.
        tail: what its tail is called.
    """
    name = clean_name(given)
    if _NO_RELATION.fullmatch(name.lower()):
        return Name("", "no relation")
    if not name:
        return Name("", "empty name")
    if len(name.split()) > MOST_WORDS or not any(character.isalpha() for character in name):
        return Name("", "not a name")
    padded = f" {name.lower()} "
    if any(len(entity) > 2 and f" {entity.lower()} " in padded for entity in (head, tail)):
        return Name("", "names an entity")
    return Name(name)


def read_entity_type(given: str) -> str | None:
    """The name of an entity type that a model wrote; `None` where it is none."""
    name = clean_name(given)
    is_name = name and len(name.split()) <= MOST_WORDS and any(character.isalpha() for character in name)
    return name if is_name and name.lower() not in ("none", "null", "unknown", "other", "misc") else None


def name_key(name: str) -> str:
    """What names of one meaning have in common, so that "is a member of", "Members" and "member_of" are one.

    It has the words without small ones ("is", "of"), without their commonest endings, in the order of the alphabet. So
    it also takes "follows" and "followed by" for one: to keep benchmark names out, too many is better than too few.
    """
    words = re.findall(r"\w+", clean_name(name).lower())
    stems = [_stem(word) for word in words if word not in _SMALL_WORDS] or words
    return " ".join(sorted(set(stems)))


def _stem(word: str) -> str:
    """A word without its ending, if three letters are left; "y" and "i" at its end are one."""
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word.removesuffix(ending).rstrip("iy")
    return word.rstrip("iy") if len(word) > 3 else word
