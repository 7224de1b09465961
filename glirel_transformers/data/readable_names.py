"""Names of relations from schemas, made readable: old name → words, the same way for all documents of a data set.

Models read a relation's name, and they were trained on words: "place of birth" is scored far higher than
`/people/person/place_of_birth`. What is done here, in this order:

1. The names of some well-known data sets have wordings of their own, in `KNOWN`.
2. A direction at the end, `Cause-Effect(e2,e1)`, goes, and where it is the reverse one, head and tail change places.
3. [`readable_name`] takes the rest apart: prefixes, paths, underscores, capitals. Hyphens before a preposition
   (`part-of`) and within capitals (`USED-FOR`) become spaces.
4. Two names that would read alike are kept apart by what stood before them: `per:parents` and `org:parents` become
   "person parents" and "organization parents". Where nothing did (`Located_In`, `locatedIn`) they become one name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from glirel_transformers.mentions_glirel import shortened
from glirel_transformers.requests_glirel import readable_name

from .schema import Document, Relation

# Names that are compounds or codes: what they mean, from head to tail, by their letters alone.
KNOWN = {
    # SemEval-2010 task 8, from e1 to e2
    "cause-effect": "causes",
    "component-whole": "component of",
    "content-container": "contained in",
    "entity-destination": "moved to",
    "entity-origin": "comes from",
    "instrument-agency": "used by",
    "member-collection": "member of",
    "message-topic": "is about",
    "product-producer": "produced by",
    # CoNLL04
    "kill": "killed",
    "live_in": "lives in",
    "orgbased_in": "organization based in",
    "work_for": "works for",
}
# Words that are written together, or cut, in the names of schemas.
_WORDS = {"stateorprovince": "state or province", "stateorprovinces": "states or provinces", "org": "organization"}
_PREFIXES = {"per": "person", "org": "organization", "loc": "location", "gpe": "place"}
_DIRECTION = re.compile(r"\s*\(\s*e([12])\s*,\s*e([12])\s*\)\s*$", re.IGNORECASE)
_HYPHENS = re.compile(r"-(?=(?:of|for|in|to|by|at|on|from|with)\b(?!-))", re.IGNORECASE)


@dataclass(frozen=True)
class NewName:
    """What a relation is called from now on.

    Args:
        name: the new name; `None` removes the relation, and its document is then not exhaustive.
        swap: whether head and tail change places.
        says_none: whether the old name said that there is no relation, as "no_relation" does. With `None` as its name
            it is removed, and the pair is known to have none.
    """

    name: str | None
    swap: bool = False
    says_none: bool = False


def readable_names(names: Iterable[str]) -> dict[str, NewName]:
    """New names in words, for all names of a data set together.

    Args:
        names: those that occur.

    Returns:
        The new name of each, changed or not.
    """
    names = list(dict.fromkeys(names))
    new = {name: _readable(name) for name in names}
    for group in _alike(new):
        longer = {name: _with_context(name, new[name]) for name in group}
        if len({one.name for one in longer.values()}) > 1:
            new.update(longer)
    return new


def collisions(names: Mapping[str, NewName]) -> dict[str, list[str]]:
    """New names that stand for several old ones, with these: what was told apart before, and no longer is."""
    return {str(names[group[0]].name): group for group in _alike(names)}


def _alike(names: Mapping[str, NewName]) -> Iterator[list[str]]:
    """Old names that get the same new one, save those that differ in nothing but a direction."""
    groups: dict[str, list[str]] = {}
    for old, new in names.items():
        if new.name is not None:
            groups.setdefault(new.name, []).append(old)
    for group in groups.values():
        if len({_DIRECTION.sub("", old) for old in group}) > 1:
            yield group


def _readable(name: str) -> NewName:
    direction = _DIRECTION.search(name)
    swap = direction is not None and direction.groups() == ("2", "1")
    base = name[: direction.start()] if direction is not None else name
    known = KNOWN.get(base.lower()) if not base.islower() or direction is not None else None
    return NewName(known or _in_words(base), swap)


def _in_words(name: str) -> str:
    if name.isupper() and re.fullmatch(r"[A-Z]+(-[A-Z]+)+", name):
        name = name.replace("-", "_")
    words = _HYPHENS.sub(" ", readable_name(name)).split()
    return " ".join(_WORDS.get(word, word) for word in words) or name


def _with_context(name: str, new: NewName) -> NewName:
    """The new name after what stood before the old one: a prefix, or the last folder of a path."""
    if name.startswith("/") or "://" in name:
        parts = re.split(r"[/#]", name.rstrip("/#"))
        context = _in_words(parts[-2]) if len(parts) > 1 and parts[-2] else ""
    else:
        prefix = re.match(r"([A-Za-z]{2,5}):(?=\S)", name)
        context = "" if prefix is None else _PREFIXES.get(prefix[1].lower(), prefix[1].lower())
    return replace(new, name=f"{context} {new.name}") if context else new


def read_names(values: Mapping[str, object], where: str) -> dict[str, NewName]:
    """New names that a user gives, as JSON values.

    Args:
        values: by the old name: the new one; `null`, which removes the relation; `false`, which says that the old
            name meant that there is none, such as "no_relation"; an object `{"name": …, "swap": true}`; or a list
            whose first entry is the new name, as in FewRel's `pid2name.json`.
        where: their place in errors.

    Raises:
        TypeError, ValueError: when one is something else, or empty.
    """
    return {old: _read_name(old, value, where) for old, value in values.items()}


def _read_name(old: str, value: object, where: str) -> NewName:
    name, swap = value, False
    if value is False:
        return NewName(None, says_none=True)
    if isinstance(value, Mapping):
        if set(value) - {"name", "swap"} or "name" not in value or not isinstance(value.get("swap", False), bool):
            raise ValueError(
                f"{where}: The new name of {old!r} must be an object with 'name', and 'swap' as true or false: got "
                f"{shortened(value)}."
            )
        name, swap = value["name"], bool(value.get("swap", False))
    elif isinstance(value, list) and value:
        name = value[0]
    if name is not None and not isinstance(name, str):
        raise TypeError(
            f"{where}: The new name of {old!r} must be a string, null to remove such relations, or false where "
            f"it says that there is none: got {shortened(value)}."
        )
    if name is not None and not name.strip():
        raise ValueError(f"{where}: The new name of {old!r} is empty. Name it, or write null to remove it.")
    return NewName(name, swap)


def rename(document: Document, names: Mapping[str, NewName]) -> Document:
    """A copy with new names of relations; those that `names` does not have stay as they are.

    Relations that become the same are one, with the evidence of both. Where one is removed, a pair without a relation
    is no longer known to have none, and the document is not exhaustive; not so where it said that there is none.
    """
    if not any(relation.relation_type in names for relation in document.relations):
        return document
    kept: dict[tuple[int, int, str], Relation] = {}
    none = list(document.none_pairs)
    is_removed = False
    for relation in document.relations:
        new = names.get(relation.relation_type, NewName(relation.relation_type))
        head, tail = (relation.tail, relation.head) if new.swap else (relation.head, relation.tail)
        if new.name is not None:
            before = kept.get((head, tail, new.name), relation)
            evidence = tuple(dict.fromkeys((*before.evidence, *relation.evidence)))
            kept[head, tail, new.name] = replace(
                before, head=head, tail=tail, relation_type=new.name, evidence=evidence
            )
        elif new.says_none:
            none += [] if document.exhaustive else [(head, tail)]
        else:
            is_removed = True
    related = {(head, tail) for head, tail, _ in kept}
    knows_entities = document.entities_exhaustive  # which does not change
    return replace(
        document,
        relations=list(kept.values()),
        exhaustive=document.exhaustive and not is_removed,
        entities_exhaustive=document.exhaustive if is_removed and knows_entities is None else knows_entities,
        none_pairs=tuple(pair for pair in dict.fromkeys(none) if pair not in related),
    )
