"""The fields of a record: which there must be, which there may be, and of which type each is."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import MISSING, fields
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, TypeGuard

from glirel_transformers.mentions_glirel import shortened

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

# The type of each field; `None` stands for a field that was left out.
_TYPES = {
    **dict.fromkeys(("start", "end", "head", "tail", "entity"), int),
    **dict.fromkeys(("label", "relation_type", "relation_id", "source", "text", "title"), str),
    **dict.fromkeys(("exhaustive", "self_pairs", "entities_exhaustive"), bool),
}
_LISTS = (
    *("words", "mentions", "relations", "history", "tokenized_text", "ner", "sentences", "names", "evidence"),
    *("none_pairs", "annotated_entity_types", "annotated_relation_types"),
)
_OF_STRINGS = ("history", "names", "annotated_entity_types", "annotated_relation_types")
_FOREIGN = ("sentence",)  # a field of others, however much it looks like one of ours
_ALIKE = 0.85  # from here on, a name is a misspelt one of ours rather than a field of somebody else


def check_types(where: str, record: Mapping[str, Any]) -> None:
    """Checks the types of the fields that are known.

    Raises:
        TypeError: when one is of another; `where` stands before its name.
    """
    for name, value in record.items():
        if value is None:
            continue
        if name in _LISTS and not _is_list(value):
            raise TypeError(f"`{where}{name}` must be a list: got {shortened(value)}.")
        if name == "score" and (isinstance(value, bool) or not isinstance(value, (int, float))):
            raise TypeError(f"`{where}{name}` must be a number: got {shortened(value)}.")
        expected = _TYPES.get(name, object)
        if not isinstance(value, expected) or (expected is int and isinstance(value, bool)):
            raise TypeError(f"`{where}{name}` must be of type {expected.__name__}: got {shortened(value)}.")
    for name in _OF_STRINGS:
        if not all(isinstance(line, str) for line in record.get(name) or ()):
            raise TypeError(f"`{where}{name}` must be a list of strings: got {shortened(record[name])}.")
    if not all(map(is_whole, record.get("evidence") or ())):
        raise TypeError(f"`{where}evidence` must be a list of sentence numbers: got {shortened(record['evidence'])}.")
    if not all(
        _is_list(span) and len(span) == 2 and all(map(is_whole, span)) for span in record.get("sentences") or ()
    ):
        raise TypeError(
            f"`{where}sentences` must be a list of word spans, such as [[0, 7], [7, 12]]: got "
            f"{shortened(record['sentences'])}."
        )
    if not all(
        _is_list(pair) and len(pair) == 2 and all(map(is_whole, pair)) for pair in record.get("none_pairs") or ()
    ):
        raise TypeError(
            f"`{where}none_pairs` must be a list of heads and tails, such as [[1, 0]]: got "
            f"{shortened(record['none_pairs'])}."
        )


def is_whole(value: object) -> TypeGuard[int]:
    """Whether a value is a whole number, which `True` is not."""
    return isinstance(value, int) and not isinstance(value, bool)


def _is_list(value: object) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, (str, bytes))


def check_fields(where: str, record: Mapping[str, Any], required: Collection[str], allowed: Collection[str]) -> None:
    """Checks that a record has all required fields, and no others than the allowed ones.

    Raises:
        TypeError: when it is not a mapping.
        ValueError: when a field is missing or unknown; `where` is its name.
    """
    _check_required(where, record, required, allowed)
    if unknown := set(record) - set(allowed):
        raise ValueError(f"`{where}` has the unknown fields {sorted(unknown)}. {_expected(required, allowed)}")


def check_own_fields(
    where: str, record: Mapping[str, Any], required: Collection[str], allowed: Collection[str]
) -> None:
    """As [`check_fields`], but fields of other tools, such as `id` and `meta`, do not disturb.

    Raises:
        TypeError: when it is not a mapping.
        ValueError: when a field is missing, or looks like one that is misspelt.
    """
    _check_required(where, record, required, allowed)
    for name in sorted(set(record) - set(allowed) - set(_FOREIGN)):
        if meant := get_close_matches(name, allowed, 1, _ALIKE):
            raise ValueError(f"`{where}` has the field {name!r}, which looks like {meant[0]!r}. Rename or remove it.")


def _check_required(
    where: str, record: Mapping[str, Any], required: Collection[str], allowed: Collection[str]
) -> None:
    if not isinstance(record, Mapping):
        raise TypeError(f"`{where}` must be an object with the fields {sorted(allowed)}: got {shortened(record)}.")
    if missing := sorted(name for name in required if record.get(name) is None):
        raise ValueError(f"`{where}` lacks {missing}. {_expected(required, allowed)}")


def _expected(required: Collection[str], allowed: Collection[str]) -> str:
    return f"Its fields are {sorted(allowed)}, of which {sorted(required)} are needed."


def required_fields(kind: type[DataclassInstance]) -> set[str]:
    """The fields of a dataclass that have no default."""
    return {field.name for field in fields(kind) if field.default is MISSING}


def list_of_objects(values: object, where: str) -> list[Any]:
    """A value as it is, if it is a list of objects.

    Raises:
        TypeError: when it is not; `where` is its name.
    """
    if not isinstance(values, list) or not all(isinstance(value, Mapping) for value in values):
        raise TypeError(f"`{where}` must be a list of objects: got {shortened(values)}.")
    return values


def without_unset(values: dict[str, Any], name: str) -> dict[str, Any]:
    """Values as JSON has them: the tuple `name` is a list, and left out where it is empty, as is an unknown score."""
    given, score = list(values.pop(name)), values.pop("score")
    return {**values, **({name: given} if given else {}), **({} if score is None else {"score": score})}


def score_of(given: object) -> float | None:
    """The `score` of an entity or a relation, as a model gave it; `None` where there is none."""
    score = given.get("score") if isinstance(given, Mapping) else None
    return float(score) if isinstance(score, (int, float)) and not isinstance(score, bool) else None


def with_tuple(values: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Values that were JSON, in which the list `name` is a tuple, empty where it was left out."""
    return {**values, name: tuple(values.get(name) or ())}
