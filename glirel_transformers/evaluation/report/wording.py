"""Other names for relation types: paraphrases from a file, and mechanical changes of the names themselves."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count

from glirel_transformers.files import StrPath, open_text, plain_suffix, read_json_object
from glirel_transformers.mentions_glirel import listed, shortened

_VOWEL = re.compile(r"^[aeiou]", re.IGNORECASE)


def _with_article(name: str) -> str:
    return f"{'an' if _VOWEL.match(name) else 'a'} {name}"


def _with_underscores(name: str) -> str:
    return re.sub(r"\s+", "_", name)


MECHANICAL: dict[str, Callable[[str], str]] = {
    "lower case": str.lower,
    "upper case": str.upper,
    "title case": str.title,
    "underscores": _with_underscores,
    "article": _with_article,
}
"""What changes nothing about the meaning of a name."""


@dataclass
class Wordings:
    """Other names for relation types.

    Args:
        names: for each wording, the name of each relation type: a new one, or its own where there is none.
        unknown: names of the file that are not relation types here.
        without: relation types without a paraphrase, which keep their names.
        collisions: relation types that a mechanical change would give the name of another, and that keep theirs.
        unchanged: mechanical changes that leave every name as it is, and are left out.
    """

    names: dict[str, dict[str, str]] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)
    without: list[str] = field(default_factory=list)
    collisions: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)

    def notes(self) -> list[str]:
        """What the file does not say, and what was left out, as sentences for people."""
        said = {
            f"Paraphrases of {len(self.unknown)} names that are not relation types here were left out: "
            f"{listed(self.unknown)}.": self.unknown,
            f"Without a paraphrase, and with their own names throughout: {listed(self.without)}.": self.without,
            f"Names that a change makes equal to another stay as they are: {listed(self.collisions)}.": (
                self.collisions
            ),
            f"Left out, as it changes no name: {listed(self.unchanged)}.": self.unchanged,
        }
        return [text for text, names in said.items() if names]


def make_wordings(
    relation_types: Sequence[str],
    paraphrases: Mapping[str, Sequence[str]] | None = None,
    mechanical: Mapping[str, Callable[[str], str]] = MECHANICAL,
) -> Wordings:
    """The names that relation types are tried by.

    Args:
        relation_types: their own names.
        paraphrases: for some of them, others. The first of each are one wording, the second ones another, and so on; a
            type with fewer keeps its name there.
        mechanical: changes of every name.

    Raises:
        ValueError: when two relation types would have the same name, by a paraphrase.
    """
    found = Wordings()
    for title, change in mechanical.items():
        names = _changed(relation_types, change, title, found)
        if all(names[name] == name for name in relation_types):
            found.unchanged.append(title)
        elif names not in found.names.values():
            found.names[title] = names
    given = paraphrases or {}
    found.unknown = [name for name in given if name not in relation_types]
    own = {name: given.get(name, ()) for name in relation_types}
    if paraphrases is not None:
        found.without = [name for name, others in own.items() if not others]
    for place in range(max(map(len, own.values()), default=0)):
        names = {name: others[place] if place < len(others) else name for name, others in own.items()}
        _check_distinct(names, place)
        found.names[f"paraphrase {place + 1}"] = names
    return found


def _changed(
    relation_types: Sequence[str], change: Callable[[str], str], title: str, found: Wordings
) -> dict[str, str]:
    """Each name with a change, where no other has that name."""
    wanted = {name: change(name) for name in relation_types}
    names: dict[str, str] = {}
    for name, new in wanted.items():
        taken = any(new in (other, wanted[other]) for other in relation_types if other != name)
        names[name] = name if taken else new
        if taken and new != name:
            found.collisions.append(f"{name} ({title})")
    return names


def _check_distinct(names: Mapping[str, str], place: int) -> None:
    seen: dict[str, str] = {}
    for name, new in names.items():
        if new in seen:
            raise ValueError(
                f"Paraphrase {place + 1} of {seen[new]!r} and of {name!r} is the same, {shortened(new)}: a model "
                "could not tell them apart. Change one of them."
            )
        seen[new] = name


def read_paraphrases(path: StrPath) -> dict[str, list[str]]:
    r"""Reads paraphrases of relation types.

    Args:
        path: `.json` with an object, `{"place of birth": ["birthplace", "was born in"]}`, or a text with a line for
            each relation type: its name and its paraphrases, separated by tabs. A number before the name is passed
            over, as in the files of ZS-SKA and others, and so are empty cells.

    Raises:
        OSError: when the file cannot be opened.
        ValueError: when it is empty or of another form; the message names the line.
    """
    found = _read_json(path) if plain_suffix(path) == ".json" else _read_lines(path)
    if not any(found.values()):
        raise ValueError(f"{path}: There is no paraphrase in it. Give at least one for a relation type.")
    return found


def _read_json(path: StrPath) -> dict[str, list[str]]:
    found = {}
    for name, value in read_json_object(path).items():
        others = [value] if isinstance(value, str) else value
        if not isinstance(others, list) or not all(isinstance(one, str) and one.strip() for one in others):
            raise ValueError(
                f"{path}: The paraphrases of {name!r} must be a list of names, not empty: got {shortened(value)}."
            )
        found[name] = [str(one).strip() for one in others]
    return found


def _read_lines(path: StrPath) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    with open_text(path) as file:
        for number, line in zip(count(1), file):
            cells = [cell.strip() for cell in line.rstrip("\n").split("\t")]
            if cells and cells[0].isdecimal():
                cells = cells[1:]
            if not any(cells):
                continue
            if not cells[0] or len(cells) < 2:
                raise ValueError(
                    f"{path}, line {number}: It must be a name and its paraphrases, separated by tabs: got "
                    f"{shortened(line.strip())}."
                )
            if cells[0] in found:
                raise ValueError(f"{path}, line {number}: {cells[0]!r} was there before. Put both lines into one.")
            found[cells[0]] = [cell for cell in cells[1:] if cell]
    return found
