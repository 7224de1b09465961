"""Relation types as people write them, one a line, for text boxes, command lines and files.

    place of birth: PERSON -> CITY
    employer: PERSON -> COMPANY, UNIVERSITY
    spouse: PERSON <-> PERSON
    capital of: -> COUNTRY
    part of

The name comes first. After a colon and a space, the entity types that may stand at the head and at the tail of an
arrow; a side that is left empty admits any type. `<->` says that the relation holds in both directions alike. Longer
and drawn arrows (`-->`, `=>`, `→`, `<-->`, `↔`) are read as well; one to the left is not. Empty lines and lines that
begin with `#` are skipped.

Entity types are written in the same way, see [`read_entity_type_lines`].

A name that holds an arrow or a colon and a space cannot be written so. Lists and dictionaries of names, in Python and
in JSON, are not lines: there every name stands as it is, such as `{"c -> d": {}}`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

_CURE = (
    "Write 'place of birth: PERSON -> CITY', 'spouse: PERSON <-> PERSON', or the name alone. A name with an arrow or "
    "': ' in it is asked for in a JSON dictionary: "
)
_STROKES, _TO, _BOTH = "-=~‐‑–—―−", "→⇒⟶⟹➔➙➛➜➝➞➡", "↔⇔⟷⟺⬌"
_OTHER_ARROWS = "\u2190-\u21ff\u27f0-\u27ff\u2900-\u297f\u2b00-\u2b11\u2794-\u27be"
_ARROW = re.compile(rf"(?P<both><+[{_STROKES}]+>+|[{_BOTH}]\ufe0f?)|[{_STROKES}]+>+|[{_TO}]\ufe0f?")
# What is left of an arrow that is none of these, next to the place where one was found or anywhere on a side.
_REST = re.compile(rf"[<>{_OTHER_ARROWS}]|^\s*[{_STROKES}]|[{_STROKES}]\s*$")


def read_relation_lines(lines: str | Iterable[str], comments: bool = True) -> dict[str, dict[str, Any]]:
    r"""Turns lines into what the pipeline takes as `relation_types`.

    Args:
        lines: the lines, or one string of them.
        comments: whether empty lines and lines that begin with `#` are skipped, as in files and text boxes. Without,
            each one counts, as options of a command line do: `#` begins a name, and an empty name is an error.

    Returns:
        A dictionary of names with their settings: `head` and `tail` (lists of entity types) and `symmetric`, as far
        as a line gives them.

    Raises:
        TypeError: when they are not lines.
        ValueError: when a line has no name, cannot be read, or repeats a name; the message numbers the line.

    Examples:
        >>> read_relation_lines("place of birth: PERSON -> CITY\nspouse")
        {'place of birth': {'head': ['PERSON'], 'tail': ['CITY']}, 'spouse': {}}
    """
    relation_types: dict[str, dict[str, Any]] = {}
    line_of: dict[str, int] = {}
    for number, line in enumerate(_listed(lines), start=1):
        if comments and (not line.strip() or line.lstrip().startswith("#")):
            continue
        if not line.strip():
            raise ValueError(f"Relation {number} is {line!r}, an empty name. Remove it or name the relation.")
        name, settings = _read_line(line.strip(), number)
        if name in relation_types:
            raise ValueError(f"Line {number} repeats {name!r} of line {line_of[name]}. Ask for each relation once.")
        relation_types[name], line_of[name] = settings, number
    return relation_types


_THRESHOLD = re.compile(r"\s*(?:>|>=|≥)\s*(\S*)\s*$")


def read_entity_type_lines(lines: str | Iterable[str], comments: bool = True) -> dict[str, dict[str, Any]]:
    r"""Turns lines into what the pipeline takes as `entity_types`.

        person
        city > 0.4
        drug: name of a medicine
        drug class: kind of medicines > 0.6

    After a colon and a space comes the description, which the model reads in place of the name; after `>` at the end
    the probability above which a span is one.

    Args:
        lines: the lines, or one string of them.
        comments: as [`read_relation_lines`] takes it.

    Returns:
        A dictionary of names with their settings: `description` and `threshold`, as far as a line gives them.

    Raises:
        TypeError: when they are not lines.
        ValueError: when a line has no name, cannot be read, or repeats a name; the message numbers the line.

    Examples:
        >>> read_entity_type_lines("person\ndrug: name of a medicine > 0.4")
        {'person': {}, 'drug': {'description': 'name of a medicine', 'threshold': 0.4}}
    """
    entity_types: dict[str, dict[str, Any]] = {}
    for number, line in enumerate(_listed(lines), start=1):
        if comments and (not line.strip() or line.lstrip().startswith("#")):
            continue
        settings: dict[str, Any] = {}
        rest = line.strip()
        if above := _THRESHOLD.search(rest):
            settings["threshold"] = _read_threshold(above[1], number, line)
            rest = rest[: above.start()]
        name, colon, description = rest.partition(": ")
        if description.strip():
            settings = {"description": description.strip(), **settings}
        name = name.strip().removesuffix(":") if colon or not description else name.strip()
        if not name:
            raise ValueError(f"Entity type {number} is {line!r}, an empty name. Remove it or name the type.")
        if name in entity_types:
            raise ValueError(f"Line {number} repeats the entity type {name!r}. Ask for each once.")
        entity_types[name] = settings
    return entity_types


def _read_threshold(given: str, number: int, line: str) -> float:
    try:
        threshold = float(given)
    except ValueError:
        threshold = -1.0
    if not 0 <= threshold <= 1:
        raise ValueError(
            f"Line {number} is {line!r}, whose threshold must be a number from 0 to 1: got {given!r}. Write 'city > "
            "0.4', or the name alone."
        )
    return threshold


def _listed(lines: object) -> list[str]:
    listed = lines.splitlines() if isinstance(lines, str) else lines
    if isinstance(listed, (bytes, Mapping)) or not isinstance(listed, Iterable):
        raise TypeError(f"The lines must be a string, or a list of strings: got {lines!r:.100}.")
    listed = list(listed)
    for number, line in enumerate(listed, start=1):
        if not isinstance(line, str):
            raise TypeError(f"Line {number} must be a string: got {line!r:.100}.")
    return listed


def _read_line(line: str, number: int) -> tuple[str, dict[str, Any]]:
    name, colon, sides = line.rpartition(": ")
    if not colon:
        first = _ARROW.search(line)
        if first is None:
            return line, {}
        name, colon, _ = line[: first.start()].rpartition(":")  # a space after the colon may be missing
        sides = line[len(name) + 1 :]
    if not colon:
        raise _unreadable(f"Line {number} has an arrow but no ': ' before the entity types", line)
    arrow = _ARROW.search(sides)
    head, tail = ("", "") if arrow is None else (sides[: arrow.start()], sides[arrow.end() :])
    if arrow is None or _REST.search(head) or _REST.search(tail) or not name.strip():
        raise _unreadable(f"Line {number} cannot be read as a relation with entity types", line)
    settings: dict[str, Any] = {}
    for side, text in (("head", head), ("tail", tail)):
        if labels := [label.strip() for label in text.split(",") if label.strip()]:
            settings[side] = labels
    if arrow["both"]:
        settings["symmetric"] = True
    return name.strip(), settings


def _unreadable(what: str, line: str) -> ValueError:
    return ValueError(f"{what}: got {line!r}. {_CURE}{json.dumps({line: {}}, ensure_ascii=False)}.")
