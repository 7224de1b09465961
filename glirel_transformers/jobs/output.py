"""A file of JSON lines to which an interrupted run can be resumed, ending in the same bytes as an uninterrupted one.

Next to the file is its journal, `out.jsonl.progress.json`: how many items were read and how many bytes were written up
to the last whole chunk, and the settings. A chunk is written first and the journal replaced afterwards, so that the
journal never claims more than there is. Whatever the file holds beyond it is cut off when the run is resumed, and done
again: an incomplete chunk or, if a run was killed while writing, the part of a chunk that reached the file.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from glirel_transformers.files import Json, replace_atomically
from glirel_transformers.formats.lines import to_json

from .choices import PROGRESS
from .records import Record
from .sources import Chunk

try:
    import fcntl
except ImportError:  # Windows has no such locks
    fcntl = None  # type: ignore[assignment]

_CURE = "Name another --output, or start again with --overwrite."


@dataclass
class Counts:
    """How much was done.

    Args:
        texts: texts that were processed.
        relations: relations that were found.
        malformed: malformed items.
        unscored_pairs: pairs that no window of a long text holds.
        collapsed: texts in which the recogniser found entities that are parts of the same words.
        entities: entities that the model found.
        left_out: those that it found beyond what it relates at most.
    """

    texts: int = 0
    relations: int = 0
    malformed: int = 0
    unscored_pairs: int = 0
    collapsed: int = 0
    entities: int = 0
    left_out: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(*(mine + others for mine, others in zip(asdict(self).values(), asdict(other).values())))


@dataclass
class Progress:
    """How far a run got.

    Args:
        items: how many items were read.
        bytes: how many bytes were written.
        digest: a digest of the items read.
        counts: how much was done.
    """

    items: int = 0
    bytes: int = 0
    digest: str = ""
    counts: Counts = field(default_factory=Counts)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Progress:
        """Progress as the journal holds it."""
        return cls(**{**values, "counts": Counts(**values["counts"])})


class ResumableOutput:
    """JSON lines, written chunk by chunk. Use it as a context manager.

    Args:
        path: the file.
        settings: what shapes the result, as JSON values. A run with other settings cannot be resumed.
        chunk_size: items in a whole chunk.
        overwrite: start again, whatever is there.

    Attributes:
        reached: where this run starts, the end of a whole chunk.
        finished: where the previous run ended, if it reached the end of its input.

    Raises:
        ValueError: when the file cannot be resumed with these settings, or has changed since.
        OSError: when it cannot be written, or another run is writing it.
    """

    def __init__(self, path: Path, settings: Mapping[str, Json], chunk_size: int, overwrite: bool = False):
        self.path = path
        self.settings = settings
        self.chunk_size = chunk_size
        self.journal = path.with_name(f"{path.name}{PROGRESS}")
        self.reached = Progress()
        self.finished: Progress | None = None
        self._file: IO[bytes] | None = None
        if not overwrite and self.journal.exists():
            self._read_journal()
        elif not overwrite and path.exists() and path.stat().st_size:
            raise ValueError(f"{str(path)!r} exists already, and has no journal of a run to resume. {_CURE}")

    def __enter__(self) -> ResumableOutput:
        self.path.touch()
        self._file = self.path.open("r+b", buffering=0)
        if fcntl is not None:
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self._file.close()
                raise OSError(
                    f"Another run is writing {str(self.path)!r}. Wait for it, or name another --output."
                ) from None
            except OSError:
                pass  # a file system without locks
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._file is not None
        self._file.close()

    def is_complete(self, following: Chunk | None) -> bool:
        """Whether nothing is left to do, given the chunk that follows `reached`, if there is one."""
        here = (self.reached.items, self.reached.digest) if following is None else (following.end, following.digest)
        return self.finished is not None and here == (self.finished.items, self.finished.digest)

    def begin(self) -> None:
        """Cuts off what was written beyond the last whole chunk, and claims the file for these settings."""
        self.finished = None
        self._write_journal()
        self._truncate(self.reached.bytes)

    def write(self, chunk: Chunk, records: Iterable[Record], counts: Counts, is_whole: bool = True) -> None:
        """Appends the records of a chunk, all at once, and then updates the journal.

        Args:
            chunk: the chunk.
            records: its records.
            counts: what they add up to.
            is_whole: whether all of it was processed. If not, it is processed again when the run is resumed.

        Raises:
            OSError: when it cannot be written; the file is then as before.
        """
        data = "".join(f"{to_json(record)}\n" for record in records).encode()
        try:
            self._append(data)
        except BaseException as error:  # a full disk, or Ctrl-C: no half line stays
            self._truncate(self.reached.bytes)
            if isinstance(error, OSError):
                raise OSError(
                    f"{str(self.path)!r} cannot be written: {error.strerror or error}. What it holds is intact: once "
                    "this is fixed, run the same command again to resume."
                ) from error
            raise
        after = Progress(chunk.end, self.reached.bytes + len(data), chunk.digest, self.reached.counts + counts)
        if is_whole and chunk.num_items == self.chunk_size:
            self.reached = after
            self._write_journal()
        elif is_whole:
            self.finished = after

    def finish(self) -> None:
        """Notes that the end of the input was reached."""
        self.finished = self.finished or self.reached
        self._write_journal()

    def remove(self) -> None:
        """Removes the file and its journal."""
        self.path.unlink()
        self.journal.unlink()

    def _append(self, data: bytes) -> None:
        assert self._file is not None
        left = memoryview(data)
        while left:
            left = left[self._file.write(left) :]
        os.fsync(self._file.fileno())

    def _truncate(self, size: int) -> None:
        assert self._file is not None
        self._file.truncate(size)
        self._file.seek(size)

    def _read_journal(self) -> None:
        try:
            journal = json.loads(self.journal.read_text(encoding="utf-8"))
            before, self.reached = journal["settings"], Progress.from_dict(journal["reached"])
            self.finished = Progress.from_dict(journal["finished"]) if journal["finished"] else None
        except (ValueError, KeyError, TypeError, AttributeError):
            raise ValueError(f"{str(self.journal)!r} is not the journal of a run. {_CURE}") from None
        if not (self.finished or self.reached).counts.malformed:
            before = {**before, "on_error": self.settings.get("on_error")}  # so far it has made no difference
        _check_settings(self.path, before, self.settings)
        size = self.path.stat().st_size if self.path.exists() else 0
        expected = self.finished or self.reached
        if size < expected.bytes or (self.finished is not None and size != expected.bytes):
            raise ValueError(
                f"{str(self.path)!r} has {size:,} bytes, and its journal says {expected.bytes:,}: it has "
                f"changed since. {_CURE}"
            )

    def _write_journal(self) -> None:
        journal = {
            "version": 1,
            "settings": dict(self.settings),
            "reached": asdict(self.reached),
            "finished": asdict(self.finished) if self.finished else None,
        }
        with replace_atomically(self.journal) as file:
            json.dump(journal, file, indent=1)


def _check_settings(path: Path, before: Mapping[str, Json], now: Mapping[str, Json]) -> None:
    """Raises a `ValueError` that names the settings in which two runs differ."""
    pairs = {
        name: (_written(before.get(name)), _written(now.get(name))) for name in sorted(before.keys() | now.keys())
    }
    differing = [f"{name} was {then} and is {this}" for name, (then, this) in pairs.items() if then != this]
    if differing:
        raise ValueError(
            f"{str(path)!r} was started with other settings: {'; '.join(differing)}. Use the same ones. {_CURE}"
        )


def _written(value: Json) -> str:
    """A setting as JSON, so that the order of relation types counts."""
    return json.dumps(value, ensure_ascii=False)


def read_records(path: Path) -> Iterator[Record]:
    """The records of a file of JSON lines."""
    with path.open("rb") as file:
        yield from map(json.loads, file)
