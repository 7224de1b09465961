"""The file that keeps scores as they come, so that an evaluation that was killed goes on where it stopped."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

_FORMAT = 1
_TABLE = (
    "CREATE TABLE IF NOT EXISTS scores (key BLOB PRIMARY KEY, asked BLOB, machine TEXT, seconds REAL, cells INTEGER, "
    "pairs INTEGER, data BLOB) WITHOUT ROWID"
)


class Speed(NamedTuple):
    """How fast texts were scored on a machine; loading the model and tokenizing ahead of it included.

    Args:
        machine: its processor or accelerator.
        num_texts, num_pairs, seconds: what was done.
    """

    machine: str
    num_texts: int
    num_pairs: int
    seconds: float

    @property
    def texts_per_second(self) -> float:
        """Texts in a second."""
        return self.num_texts / self.seconds if self.seconds else 0.0

    @property
    def pairs_per_second(self) -> float:
        """Ordered pairs in a second, each next to all relation types."""
        return self.num_pairs / self.seconds if self.seconds else 0.0


class ScoreStore:
    """The file that keeps scores.

    Args:
        path: of the file, which is made where there is none.

    Raises:
        ValueError: when the file is something else, damaged, or of another version of this package.
        OSError: when it cannot be written.
    """

    def __init__(self, path: str | os.PathLike[str]):
        self.path = Path(path)
        try:
            self._file = sqlite3.connect(self.path, timeout=60)
        except sqlite3.OperationalError as error:
            raise OSError(f"{str(path)!r} cannot be written: {error}. Name another folder.") from error
        with self._naming():
            (version,) = self._file.execute("PRAGMA user_version").fetchone()
            if version not in (0, _FORMAT):
                raise ValueError(
                    f"{str(path)!r} has scores of format {version}, and this version reads {_FORMAT}. Delete it, or "
                    "name another folder."
                )
            with self._file:
                self._file.execute(_TABLE)
                self._file.execute(f"PRAGMA user_version = {_FORMAT}")

    def close(self) -> None:
        """Closes the file."""
        self._file.close()

    def has(self, keys: Iterable[bytes]) -> set[bytes]:
        """Those of `keys` that are there."""
        with self._naming(), closing(self._file.cursor()) as cursor:
            return {key for key in keys if cursor.execute("SELECT 1 FROM scores WHERE key = ?", (key,)).fetchone()}

    def get(self, key: bytes) -> bytes:
        """What is kept under a key."""
        with self._naming():
            (data,) = self._file.execute("SELECT data FROM scores WHERE key = ?", (key,)).fetchone()
            return bytes(data)

    def put(self, rows: Iterable[tuple[bytes, bytes, str, float, int, int, bytes]]) -> None:
        """Keeps rows, all or none of them: key, way of asking, machine, seconds, cells, pairs and data."""
        with self._naming(), self._file:
            self._file.executemany("INSERT OR REPLACE INTO scores VALUES (?, ?, ?, ?, ?, ?, ?)", rows)

    def speeds(self, asked: Sequence[bytes]) -> list[Speed]:
        """How fast texts were scored, by machine, the one with the most texts first.

        Args:
            asked: the ways of asking that each text was read in, such as the groups of its relation types.
        """
        ways = sorted(set(asked))
        question = (
            f"SELECT machine, COUNT(*), SUM(pairs), SUM(seconds) FROM scores WHERE asked IN "
            f"({','.join('?' * len(ways))}) GROUP BY machine ORDER BY COUNT(*) DESC"
        )
        with self._naming():
            rows = self._file.execute(question, ways).fetchall()
        return [Speed(machine, texts // len(ways), pairs // len(ways), took) for machine, texts, pairs, took in rows]

    @contextmanager
    def _naming(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            raise OSError(f"{str(self.path)!r}: {error}. Is another run writing it, or the disk full?") from error
        except sqlite3.DatabaseError as error:
            raise ValueError(
                f"{str(self.path)!r} is not a file of scores, or damaged ({error}). Delete it: all is scored again."
            ) from error
