"""`--set field=value`: any setting of a configuration or of training arguments, checked by the type of its field."""

from __future__ import annotations

import math
import types
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from difflib import get_close_matches
from functools import partial
from typing import Literal, Union, get_args, get_origin

from glirel_transformers.choices_glirel import CHOICES
from glirel_transformers.files import parse_json

_MANY = 60  # characters of a value that a message repeats


def split_overrides(texts: Iterable[str]) -> dict[str, str]:
    """Fields and their values as text, from `field=value` each. Fields that name a choice are checked.

    Raises:
        ValueError: when one is anything else, or names a field again.
    """
    found: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        name = name.strip().replace("-", "_")
        if not equals or not name:
            raise ValueError(f"--set is {_short(text)}. Write it as FIELD=VALUE, such as dropout=0.2.")
        if name in found:
            raise ValueError(f"--set gives {name!r} twice: {_short(found[name])} and {_short(value)}. Give it once.")
        if name in CHOICES:
            read_value(name, value.strip(), CHOICES[name])
        found[name] = value.strip()
    return found


def read_overrides(texts: Mapping[str, str], *kinds: Mapping[str, object]) -> list[dict[str, object]]:
    """Values of the right types, divided among several lists of fields.

    Args:
        texts: fields and their values as text.
        kinds: for each list, its fields and their types. A field belongs to the first list that has it.

    Raises:
        ValueError: when no list has a field, or a value is not of its type.
    """
    found: list[dict[str, object]] = [{} for _ in kinds]
    known = [name for names in kinds for name in names]
    for name, text in texts.items():
        place = next((place for place, names in enumerate(kinds) if name in names), None)
        if place is None:
            close = get_close_matches(name, known, n=1)
            hint = f"Did you mean {close[0]}?" if close else "Fields are those of GLiRELConfig and TrainingArguments."
            raise ValueError(f"--set knows no field {_short(name)}. {hint}")
        found[place][name] = read_value(name, text, kinds[place][name])
    return found


def read_value(name: str, text: str, kind: object) -> object:
    """The value that `text` means for a field.

    Args:
        name: of the field, for errors.
        text: the value as text.
        kind: the type of the field, such as `int | None`, `bool`, or a `Literal`.

    Raises:
        ValueError: when it means none of that type.
    """
    is_union = get_origin(kind) in (Union, types.UnionType)
    kinds = get_args(kind) if is_union else (kind,)
    if types.NoneType in kinds and text.lower() == "none":
        return None
    if text[:1] in ("{", "[") and any((get_origin(one) or one) in (dict, list) for one in kinds):
        return parse_json(text, f"--set {name}")
    readers = [reader for one in kinds if (reader := _reader_of(one)) is not None]
    for read, _ in readers:
        with suppress(ValueError):
            return read(text)
    if not readers or str in kinds:
        return text  # of a type that transformers reads from a string, such as the name of an optimizer
    expected = [words for _, words in readers] + ["none"] * (types.NoneType in kinds)
    raise ValueError(f"--set {name} is {_short(text)}: expected {' or '.join(expected)}.")


def _reader_of(kind: object) -> tuple[Callable[[str], object], str] | None:
    """What reads a value of that type, and what errors call it; `None` for a type whose values stay strings."""
    if get_origin(kind) is Literal:
        choices = get_args(kind)
        return partial(_read_choice, choices), f"one of {', '.join(choices)}"
    return _READERS.get(kind) if isinstance(kind, type) else None


def _read_choice(choices: tuple[str, ...], text: str) -> str:
    if text not in choices:
        raise ValueError(text)
    return text


def _read_bool(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError(text)
    return text.lower() == "true"


def _read_float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


_READERS: dict[type, tuple[Callable[[str], object], str]] = {
    bool: (_read_bool, "true or false"),
    int: (int, "a whole number"),
    float: (_read_float, "a number"),
}


def _short(text: str) -> str:
    return repr(text if len(text) <= _MANY else f"{text[:_MANY]}…")
