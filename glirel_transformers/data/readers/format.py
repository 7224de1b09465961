"""What a format of documents is."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

from glirel_transformers.data.schema import Document
from glirel_transformers.files import read_json_object

Record: TypeAlias = Mapping[str, Any]
RELATION_NAMES = "rel_info.json"


@dataclass
class Reading:
    """A file that is being read: what its readers know besides the record, and what they count.

    Args:
        path: the file.
        relation_names: names of relation ids; by default those of the `rel_info.json` next to the file.
        twice: how many `mentions` and `relations` were listed twice, and read once.
    """

    path: str | os.PathLike[str] = ""
    relation_names: Mapping[str, str] | None = None
    twice: Counter[str] = field(default_factory=Counter)

    def name_of(self, relation_id: str) -> str:
        """The name of a relation.

        Raises:
            ValueError: when it is not known; the message says where names are looked for.
        """
        name = self._names.get(relation_id)
        if not isinstance(name, str):
            raise ValueError(
                f"The relation {relation_id!r} has no name in {self._place}. Add it there, or pass relation_names="
                f"{{{relation_id!r}: ...}}."
            )
        return name

    @property
    def _place(self) -> str:
        beside = str(Path(self.path).with_name(RELATION_NAMES)) if self.path else RELATION_NAMES
        return beside if self.relation_names is None else "relation_names"

    @cached_property
    def _names(self) -> Mapping[str, object]:
        if self.relation_names is not None:
            return self.relation_names
        if not Path(self._place).is_file():
            raise ValueError(
                f"Its relations are ids, whose names are in {self._place}, but there is no such file. Copy DocRED's "
                f"{RELATION_NAMES} there, or pass relation_names={{'P17': 'country', ...}}."
            )
        return read_json_object(self._place)


@dataclass(frozen=True)
class Format:
    """A format of documents, one JSON object a line.

    Args:
        name: what users call it.
        fields: by which it is known, for errors.
        matches: whether a record is in it.
        read: the document of a record.
        in_arrays: whether its files may also be one JSON array of all records.
    """

    name: str
    fields: str
    matches: Callable[[Record], bool]
    read: Callable[[Record, Reading], Document]
    in_arrays: bool = False
