"""The work itself: chunks go through an engine, and on to a stream or to a file that can be resumed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Protocol

from glirel_transformers.files import replace_atomically
from glirel_transformers.formats import Writer

from .choices import OnError
from .output import Counts, Progress, ResumableOutput, read_records
from .records import Malformed, Record
from .sources import Chunk, Source, in_chunks, read_items
from .worker import ChunkResult, ExtractionSettings, Extractor

Engine = Callable[[Iterable[Chunk]], Iterator[tuple[Chunk, ChunkResult]]]
"""Takes chunks, and gives each with its result, in the same order."""


class Observer(Protocol):
    """Is told what happens."""

    def begins(self, counts: Counts) -> None:
        """Work starts; `counts` is what earlier runs did."""

    def worked(self, chunk: Chunk, counts: Counts) -> None:
        """A chunk is done; `counts` is what it added."""

    def met(self, malformed: Malformed) -> None:
        """An item turned out to be malformed."""


@dataclass
class Outcome:
    """How a run ended.

    Args:
        counts: how much was done, by earlier runs too.
        stopped: the malformed item at which it ended.
        was_complete: whether there was nothing to do.
        entity_types: of all entities of this run.
        collapse: the first text of this run in which the recogniser found entities that are parts of the same words.
    """

    counts: Counts
    stopped: Malformed | None = None
    was_complete: bool = False
    entity_types: set[str | None] = field(default_factory=set)
    collapse: str | None = None

    def add(self, done: WorkedChunk) -> None:
        """Adds the results of a chunk."""
        self.counts += done.counts
        self.entity_types |= done.entity_types
        self.collapse = self.collapse or done.collapse


@dataclass
class WorkedChunk:
    """What a chunk adds to the output."""

    chunk: Chunk
    records: list[Record]
    counts: Counts
    malformed: list[Malformed]
    stopped: Malformed | None
    entity_types: set[str | None]
    collapse: str | None


def local_engine(settings: ExtractionSettings) -> Engine:
    """Works in this process, one chunk after the other.

    Raises:
        ValueError, TypeError, OSError, ImportError: when the settings do not fit, or a model cannot be loaded.
    """
    extract = Extractor(settings)
    return lambda chunks: ((chunk, extract(chunk.items)) for chunk in chunks)


def stream_records(chunks: Iterable[Chunk], engine: Engine, on_error: OnError, observer: Observer) -> RecordStream:
    """The records of all chunks, one by one, as they come."""
    return RecordStream(_work(chunks, engine, on_error), observer)


class RecordStream:
    """An iterator of records; `outcome` is what was done so far."""

    def __init__(self, worked: Iterator[WorkedChunk], observer: Observer):
        self.outcome = Outcome(Counts())
        self._records = self._read(worked, observer)

    def _read(self, worked: Iterator[WorkedChunk], observer: Observer) -> Iterator[Record]:
        observer.begins(self.outcome.counts)
        for done in worked:
            yield from done.records
            self.outcome.add(done)
            _tell(observer, done)
            self.outcome.stopped = done.stopped

    def __iter__(self) -> Iterator[Record]:
        return self._records


def write_resumably(
    sources: Iterable[Source],
    make_engine: Callable[[], Engine],
    output: ResumableOutput,
    on_error: OnError,
    observer: Observer,
) -> Outcome:
    """Writes the records of all sources to a file, and resumes where an earlier run ended.

    Args:
        sources: what is read.
        make_engine: loads the models; called only if there is something to do.
        output: where records go.
        on_error: what happens to malformed items.
        observer: is told what happens.

    Raises:
        ValueError: when the input is not the one that the file was started with.
        OSError: when the file cannot be written.
    """
    with output:
        chunks = read_chunks(sources, output.chunk_size)
        following = _skip(chunks, output.reached, output.path)
        if output.is_complete(following):
            assert output.finished is not None
            return Outcome(output.finished.counts, was_complete=True)
        engine = make_engine()
        output.begin()
        outcome = Outcome(output.reached.counts)
        observer.begins(outcome.counts)
        rest = chunks if following is None else chain([following], chunks)
        for done in _work(rest, engine, on_error):
            output.write(done.chunk, done.records, done.counts, is_whole=done.stopped is None)
            outcome.add(done)
            _tell(observer, done)
            outcome.stopped = done.stopped
        if outcome.stopped is None:
            output.finish()
    return outcome


def read_chunks(sources: Iterable[Source], size: int) -> Iterator[Chunk]:
    """The items of all sources in chunks, read lazily."""
    return in_chunks(read_items(sources), size)


def render(records: Path, path: Path, write: Writer) -> None:
    """Writes the records of a file of JSON lines in another format, all at once or not at all."""
    with replace_atomically(path) as file:
        write(read_records(records), file)


def _skip(chunks: Iterator[Chunk], reached: Progress, path: Path) -> Chunk | None:
    """Skips what is done, and gives the chunk that follows."""
    if reached.items:
        last = next((chunk for chunk in chunks if chunk.end >= reached.items), None)
        if last is None or (last.end, last.digest) != (reached.items, reached.digest):
            raise ValueError(
                f"The first {reached.items:,} texts are not those that {str(path)!r} was started with. Give the same "
                "input, which may have grown at its end; name another --output; or start again with --overwrite."
            )
    return next(chunks, None)


def _work(chunks: Iterable[Chunk], engine: Engine, on_error: OnError) -> Iterator[WorkedChunk]:
    for chunk, result in engine(chunks):
        done = _settle(chunk, result, on_error)
        yield done
        if done.stopped is not None:
            return


def _settle(chunk: Chunk, result: ChunkResult, on_error: OnError) -> WorkedChunk:
    """What a chunk adds to the output, given what happens to malformed items."""
    results = result.records
    malformed = [record for record in results if isinstance(record, Malformed)]
    stopped = malformed[0] if malformed and on_error == "stop" else None
    if stopped is not None:
        results, malformed = results[: results.index(stopped)], [stopped]
    good = [record for record in results if not isinstance(record, Malformed)]
    counts = Counts(
        texts=len(good),
        relations=sum(len(record["relations"]) for record in good),
        malformed=len(malformed),
        unscored_pairs=result.num_unscored_pairs,
        collapsed=len(result.collapses),
        entities=result.num_found,
        left_out=result.num_left_out,
    )
    if on_error == "keep":
        good = [record.to_record() if isinstance(record, Malformed) else record for record in results]
    collapse = next(iter(result.collapses), None)
    return WorkedChunk(chunk, good, counts, malformed, stopped, result.entity_types, collapse)


def _tell(observer: Observer, done: WorkedChunk) -> None:
    for item in done.malformed:
        observer.met(item)
    observer.worked(done.chunk, done.counts)
