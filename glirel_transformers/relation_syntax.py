"""Relation types as people write them, one a line, for text boxes, command lines and files.

    place of birth: PERSON -> CITY
    employer: PERSON -> COMPANY, UNIVERSITY
    spouse: PERSON <-> PERSON
    capital of: -> COUNTRY
    part of

The name comes first. After a colon and a space, the entity types that may stand at the head and at the tail of an
arrow; a side that is left empty admits any type. `<->` says that the relation holds in both directions alike; `→` and
`↔` are read as well. Empty lines and lines that begin with `#` are skipped.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

_CURE = "Write 'place of birth: PERSON -> CITY', 'spouse: PERSON <-> PERSON', or the name alone."


def read_relation_lines(lines: str | Iterable[str], comments: bool = True) -> dict[str, dict[str, Any]]:
    r"""Turns lines into what the pipeline takes as `relation_types`.

    Args:
        lines: the lines, or one string of them.
        comments: whether empty lines and lines that begin with `#` are skipped, as in files and text boxes. In a list
            of names each one counts: `#` begins a name, and an empty name is an error.

    Returns:
        A dictionary of names with their settings: `head` and `tail` (lists of entity types) and `symmetric`, as far
        as a line gives them.

    Raises:
        ValueError: when a line has no name, cannot be read, or repeats a name; the message numbers the line.

    Example:
        >>> read_relation_lines("place of birth: PERSON -> CITY\nspouse")
        {'place of birth': {'head': ['PERSON'], 'tail': ['CITY']}, 'spouse': {}}
    """
    relation_types: dict[str, dict[str, Any]] = {}
    line_of: dict[str, int] = {}
    for number, line in enumerate(lines.splitlines() if isinstance(lines, str) else lines, start=1):
        if comments and (not line.strip() or line.lstrip().startswith("#")):
            continue
        if not line.strip():
            raise ValueError(f"Relation {number} is {line!r}, an empty name. Remove it or name the relation.")
        name, settings = _read_line(_with_plain_arrows(line.strip()), number)
        if name in relation_types:
            raise ValueError(f"Line {number} repeats {name!r} of line {line_of[name]}. Ask for each relation once.")
        relation_types[name], line_of[name] = settings, number
    return relation_types


def _with_plain_arrows(line: str) -> str:
    """The line with `->` for `→` and `<->` for `↔`, and with the space that belongs after the colon before them."""
    for arrow, plain in (("↔", "<->"), ("→", "->")):
        line = line.replace(arrow, f" {plain} ")
    if "->" in line and ": " not in line:
        line = re.sub(r":(?=[^:]*->)", ": ", line, count=1)
    return line


def _read_line(line: str, number: int) -> tuple[str, dict[str, Any]]:
    name, colon, sides = line.rpartition(": ") if ": " in line else (line.removesuffix(":"), "", "")
    if not colon:
        if "->" in line:
            raise ValueError(f"Line {number} has an arrow but no ': ' before the entity types: got {line!r}. {_CURE}")
        return name.strip(), {}
    arrow = "<->" if "<->" in sides else "->"
    head, found, tail = sides.partition(arrow)
    if not found or "->" in tail or not name.strip():
        raise ValueError(f"Line {number} cannot be read as a relation with entity types: got {line!r}. {_CURE}")
    settings: dict[str, Any] = {}
    for side, text in (("head", head), ("tail", tail)):
        if labels := [label.strip() for label in text.split(",") if label.strip()]:
            settings[side] = labels
    if arrow == "<->":
        settings["symmetric"] = True
    return name.strip(), settings
