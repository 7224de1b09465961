"""What `glirel extract` prints on standard error while it works."""

from __future__ import annotations

import sys
from types import TracebackType

from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn

from glirel_transformers.jobs import Chunk, Counts, Malformed, Source

from .console import counted, errors, plain


class Report:
    """Reports malformed items and, for more than one text and in a terminal, progress. Use it as a context manager.

    Args:
        sources: what is read; if the size of all is known, the bar shows how much of it is done.
        finds: whether entities are found as well.
    """

    def __init__(self, sources: list[Source], finds: bool = False):
        self._finds = finds
        self._is_long = len(sources) > 1 or any(source.kind != "text" for source in sources)
        self._counts = Counts()
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            console=errors,
            transient=True,
            disable=not (self._is_long and errors.is_terminal),
        )
        self._task = self._progress.add_task("Loading", total=_total_bytes(sources))

    def __enter__(self) -> Report:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Removes the bar."""
        self._progress.stop()

    def begins(self, counts: Counts) -> None:
        """Says what was done by earlier runs."""
        self._counts = counts
        if counts.texts or counts.malformed:
            errors.print(plain(f"Resuming after {summary(counts)}."))
        self._progress.update(self._task, description=summary(counts))

    def worked(self, chunk: Chunk, counts: Counts) -> None:
        """Shows how far the work has got."""
        sys.stdout.flush()
        self._counts += counts
        self._progress.update(self._task, completed=chunk.num_bytes, description=summary(self._counts, self._finds))

    def met(self, malformed: Malformed) -> None:
        """Reports an item with its place."""
        if self._is_long:
            errors.print(f"[bold red]malformed:[/bold red] {plain(str(malformed))}")
        else:
            text = malformed.error if malformed.item.source is None else str(malformed)
            errors.print(f"[bold red]error:[/bold red] {plain(text)}")


def summary(counts: Counts, finds: bool = False, entities_alone: bool = False) -> str:
    """Such as `10,000 texts, 54,321 entities found, 12,345 relations, 3 malformed`.

    Args:
        counts: how much was done.
        finds: whether entities were looked for.
        entities_alone: whether no relations were.
    """
    parts = [counted(counts.texts, "text")] * bool(counts.texts or not finds)
    parts += [f"{counts.entities:,} entit{'y' if counts.entities == 1 else 'ies'} found"] * (
        finds or bool(counts.entities)
    )
    parts += [counted(counts.relations, "relation")] * (not entities_alone)
    parts += [f"{counts.left_out:,} beyond the likeliest of a text left out"] * bool(counts.left_out)
    parts += [f"{counts.malformed:,} malformed"] * bool(counts.malformed)
    parts += [
        f"{counted(counts.unscored_pairs, 'ordered entity pair')} too far apart for one window, and not scored"
    ] * bool(counts.unscored_pairs)
    parts += [f"{counted(counts.collapsed, 'text')} with entities that are parts of one word"] * bool(counts.collapsed)
    return ", ".join(parts)


def _total_bytes(sources: list[Source]) -> int | None:
    """The size of all sources, if all are plain files."""
    if any(source.path is None or source.is_compressed for source in sources):
        return None
    return sum(source.path.stat().st_size for source in sources if source.path is not None)
