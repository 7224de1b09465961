"""The fields of a record: which there must be, which there may be, and of which type each is."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from glirel_transformers.mentions_glirel import shortened

# The type of each field; `None` stands for a field that was left out.
_TYPES = {
    **dict.fromkeys(("start", "end", "head", "tail", "entity"), int),
    **dict.fromkeys(("label", "relation_type", "relation_id", "source", "text"), str),
    **dict.fromkeys(("exhaustive", "self_pairs"), bool),
}
_LISTS = ("words", "mentions", "relations", "history", "tokenized_text", "ner")
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
        expected = _TYPES.get(name, object)
        if not isinstance(value, expected) or (expected is int and isinstance(value, bool)):
            raise TypeError(f"`{where}{name}` must be of type {expected.__name__}: got {shortened(value)}.")
    if not all(isinstance(line, str) for line in record.get("history") or ()):
        raise TypeError(f"`{where}history` must be a list of strings: got {shortened(record['history'])}.")


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
    for name in sorted(set(record) - set(allowed)):
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
