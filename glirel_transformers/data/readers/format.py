"""What a format of documents is."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

from glirel_transformers.data.schema import Document
from glirel_transformers.files import StrPath, read_json_object

Record: TypeAlias = Mapping[str, Any]
NAMES_FILES = ("rel_info.json", "pid2name.json")  # of DocRED, and of FewRel
_WIKIDATA_ID = re.compile(r"P\d+")


@dataclass
class Reading:
    """A file that is being read: what its readers know besides the record, and what they count.

    Args:
        path: the file.
        relation_names: names of relation ids; by default those of the `rel_info.json` or `pid2name.json` next to the
            file.
        twice: how many `mentions` and `relations` were listed twice, and read once.
        left_out: how often something was left out, for each reason, such as `"relations whose name occurs twice"`;
            a warning says so at the end of the file.
        noted: how often something was read that is not as the format has it, likewise, such as `"entities
            that begin with I- in place of B-"`.
        first_noted: where the first of each kind was, where that is known.
        alignment: what becomes of a span of characters that cuts a word: `"strict"` is an error, `"expand"` widens it
            to whole words.
    """

    path: str | os.PathLike[str] = ""
    relation_names: Mapping[str, str] | None = None
    twice: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)
    noted: Counter[str] = field(default_factory=Counter)
    first_noted: dict[str, str] = field(default_factory=dict)
    alignment: str = "strict"

    def notes(self, what: str, where: str = "") -> None:
        """Counts something that was read otherwise than it stands there; `where` names the first of its kind."""
        self.noted[what] += 1
        self.first_noted.setdefault(what, where)

    def name_of(self, relation_id: str) -> str:
        """The name of a relation.

        Raises:
            ValueError: when it is not known; the message says where names are looked for.
        """
        name = self._names.get(relation_id)
        if isinstance(name, list) and name:  # FewRel has descriptions as well
            name = name[0]
        if not isinstance(name, str):
            raise ValueError(
                f"The relation {relation_id!r} has no name in {self._place}. Add it there, or pass relation_names="
                f"{{{relation_id!r}: ...}}."
            )
        return name

    def name_for(self, relation: str) -> str:
        """As [`name_of`] for an id of Wikidata; anything else is a name itself."""
        return self.name_of(relation) if _WIKIDATA_ID.fullmatch(relation) else relation

    @cached_property
    def _files(self) -> list[Path]:
        """The files of names next to the file."""
        beside = [Path(self.path).with_name(name) if self.path else Path(name) for name in NAMES_FILES]
        return [file for file in beside if file.is_file()]

    @property
    def _place(self) -> str:
        return " or ".join(map(str, self._files)) if self.relation_names is None else "relation_names"

    @cached_property
    def _names(self) -> Mapping[str, object]:
        if self.relation_names is not None:
            return self.relation_names
        if not self._files:
            first, second = NAMES_FILES
            folder = Path(self.path).parent if self.path else Path()
            raise ValueError(
                f"Its relations are ids, whose names are in {folder / first} or {second}, but there is no such file. "
                f"Copy DocRED's {first} or FewRel's {second} there, or pass relation_names={{'P17': 'country', ...}}."
            )
        return {name: value for file in reversed(self._files) for name, value in read_json_object(file).items()}


@dataclass(frozen=True)
class Format:
    """A format of documents.

    Most are of JSON records: an object a line, or one array of them, or one object of arrays. Any other has `records`,
    which gives mappings that `read` understands, and `recognises`, by which its files are known.

    Args:
        name: what users call it.
        fields: by which it is known, for errors and for the guess that is said aloud: "'sents' and 'vertexSet'".
        matches: whether a record is in it.
        read: the document of a record; `None` where it was left out, and counted.
        in_arrays: whether its files may also be one JSON array of all records.
        under: the field in which records of one JSON object of arrays, `{"P19": [{…}, …], …}`, get the name of their
            array; `None` where its files are not so.
        records: the records of a file that has no JSON records, each with its place for errors ("FILE, line 12");
            in place of one that is malformed, what is wrong with it, so that others can be read.
        recognises: whether a file is in it, from its path and the first few thousand characters of its text (empty
            where it is not text, or a folder).
        states: what it cannot say, such as "pairs without a relation are unknown".
    """

    name: str
    fields: str
    matches: Callable[[Record], bool]
    read: Callable[[Record, Reading], Document | None]
    in_arrays: bool = False
    under: str | None = None
    records: Callable[[StrPath], Iterator[tuple[str, Record | ValueError]]] | None = None
    recognises: Callable[[StrPath, str], bool] | None = None
    states: str = ""
