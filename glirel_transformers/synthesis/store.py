"""The journal: every answer that was received, so that nothing is lost and nothing is paid twice.

A file of JSON lines that only grows. Each answer is one line, keyed by a digest of the protocol, the model, the whole
conversation (which holds the text) and the settings; it is written and flushed to the disk before it is used. Answers
that turn out to be of no use are in it as well: they were paid for. What a run makes of the answers is computed from
the journal each time, so that a run which was killed goes on where it was.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import IO

from glirel_transformers.files import Json

from .limits import Usage

try:
    import fcntl
except ImportError:  # Windows has no such locks
    fcntl = None  # type: ignore[assignment]

CUT_OFF = "length"  # why a model stops, if it was stopped
_HEADER = b'{"journal": "glirel synthesize", "version": 1}\n'


@dataclass(frozen=True)
class Reply:
    """What a model answered.

    Args:
        text: what it wrote.
        finish_reason: why it stopped: `length` where it was cut off.
        usage: how many tokens it took.
        max_tokens: how many it was allowed to write.
    """

    text: str
    finish_reason: str
    usage: Usage
    max_tokens: int = 0

    def is_known_for(self, max_tokens: int) -> bool:
        """Whether it is what would be answered with so much room: it was not cut off, or had as much."""
        return self.finish_reason != CUT_OFF or self.max_tokens >= max_tokens


def request_key(request: Mapping[str, object]) -> str:
    """A digest of all that shapes an answer."""
    written = json.dumps(request, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.blake2b(written.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


class Journal:
    """The answers that were received. Use it as a context manager; it is thread-safe.

    Args:
        path: the file, which is made if it is not there.
        read_only: whether nothing is written, nor repaired.

    Attributes:
        torn: how many bytes of an incomplete last line were cut off: a run was killed while it wrote them.
        usage: how many tokens all answers in it took, by the model that gave them.

    Raises:
        ValueError: when the file is no journal, or is damaged.
        OSError: when it cannot be written, or another run is writing it.
    """

    def __init__(self, path: Path, read_only: bool = False) -> None:
        self.path = path
        self.torn = 0
        self.usage: dict[str, Usage] = {}
        self._read_only = read_only
        self._lock = threading.Lock()
        self._places: dict[str, tuple[int, int]] = {}
        self._file: IO[bytes] | None = None
        self._end = 0

    def __enter__(self) -> Journal:
        if self._read_only and not self.path.exists():
            return self
        if not self._read_only:
            self.path.touch()
        self._file = self.path.open("rb" if self._read_only else "r+b", buffering=0)
        try:
            self._claim()
            self._read()
        except BaseException:
            self._file.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, key: str) -> bool:
        return key in self._places

    def get(self, key: str) -> Reply | None:
        """The answer to a request, if there is one."""
        with self._lock:
            if key not in self._places or self._file is None:
                return None
            start, size = self._places[key]
            self._file.seek(start)
            record = json.loads(_read_exactly(self._file, size))
        return _reply_of(record)

    def add(self, key: str, reply: Reply, model: str, step: str) -> None:
        """Writes an answer, and flushes it to the disk.

        Args:
            key: of the request.
            reply: the answer.
            model: that gave it.
            step: the pass that asked for it.

        Raises:
            OSError: when it cannot be written.
        """
        record: dict[str, Json] = {"key": key, "model": model, "pass": step, "text": reply.text}
        record |= {"finish_reason": reply.finish_reason, "usage": asdict(reply.usage)}
        record["max_tokens"] = reply.max_tokens
        line = json.dumps(record).encode("ascii") + b"\n"  # ASCII: it may hold half of a surrogate pair
        with self._lock:
            assert self._file is not None
            self._file.seek(self._end)
            left = memoryview(line)
            while left:
                left = left[self._file.write(left) :]
            os.fsync(self._file.fileno())
            self._places[key] = self._end, len(line)
            self._end += len(line)
            self.usage[model] = self.usage.get(model, Usage()) + reply.usage

    def _claim(self) -> None:
        if fcntl is None or self._read_only:
            return
        assert self._file is not None
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OSError(
                f"Another run is writing {str(self.path)!r}. Wait for it, or name another --output."
            ) from None
        except OSError:
            pass  # a file system without locks

    def _read(self) -> None:
        assert self._file is not None
        with self.path.open("rb") as lines:
            header = lines.readline()
            if header != _HEADER:
                self._begin(header)
                return
            self._end = len(header)
            for number, line in enumerate(lines, start=2):
                if not line.endswith(b"\n"):
                    self.torn = len(line)
                    break
                self._index(line, number)
        if self.torn and not self._read_only:
            self._file.truncate(self._end)

    def _begin(self, header: bytes) -> None:
        """Writes the first line of a new file, or of one that was torn in it.

        Raises:
            ValueError: when the file is something else.
        """
        assert self._file is not None
        if not _HEADER.startswith(header):
            raise ValueError(
                f"{str(self.path)!r} is not a journal of glirel synthesize, and is left as it is. Name another "
                "--journal."
            )
        self.torn = len(header)
        if not self._read_only:
            self._file.truncate(0)
            self._file.write(_HEADER)
        self._end = len(_HEADER)

    def _index(self, line: bytes, number: int) -> None:
        try:
            record = json.loads(line)
            reply, key, model = _reply_of(record), record["key"], record["model"]
        except (ValueError, KeyError, TypeError):
            raise ValueError(
                f"{self.path}, line {number}: It is damaged: it is not an answer. Take the line out (its request is "
                "then sent again), or name another --journal."
            ) from None
        self._places[key] = self._end, len(line)
        self._end += len(line)
        self.usage[model] = self.usage.get(model, Usage()) + reply.usage


def _reply_of(record: Mapping[str, object]) -> Reply:
    usage = record["usage"]
    if not isinstance(usage, Mapping):
        raise TypeError
    return Reply(str(record["text"]), str(record["finish_reason"]), Usage(**usage), int(str(record["max_tokens"])))


def _read_exactly(file: IO[bytes], size: int) -> bytes:
    """So many bytes of an unbuffered file, which may give fewer at a time."""
    parts: list[bytes] = []
    while size and (part := file.read(size)):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
