"""What tests of extraction ask for, and how they compare what they get."""

from __future__ import annotations

from typing import Any

from tiny import TEXTS

MARIE = TEXTS[0]
PERSON = {"start": 0, "end": 11, "label": "PERSON"}
CITY = {"start": 24, "end": 30, "label": "CITY"}
TYPES = ["place of birth", "spouse"]


def found(relations: list[dict[str, Any]]) -> list[tuple[int, str, int]]:
    """Head, relation and tail of each relation, by the positions of the entities."""
    return [(relation["head"]["index"], relation["relation"], relation["tail"]["index"]) for relation in relations]


def assert_same_results(results: list[Any], expected: list[Any]) -> None:
    """The same relations of each text, with scores equal to 1e-5."""
    assert len(results) == len(expected)
    for ours, theirs in zip(results, expected, strict=True):
        assert sorted(found(ours)) == sorted(found(theirs))
        of = {cell: relation["score"] for cell, relation in zip(found(theirs), theirs, strict=True)}
        assert all(abs(of[cell] - relation["score"]) < 1e-5 for cell, relation in zip(found(ours), ours, strict=True))
