"""What `glirel synthesize` prints."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from types import TracebackType

from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from glirel_transformers.synthesis import Asker, Estimate, Prices, Usage, Yield

from .console import console, counted, errors, plain
from .synthesize_options import SynthesizeOptions

_MOST_TYPES = 8


class Report:
    """Shows how far the work has got, in a terminal. Use it as a context manager.

    Args:
        made: what is being made.
        asker: who asks.
        prices: what tokens cost, if that is known.
        total: how many texts there are, if that is known.
    """

    def __init__(self, made: Yield, asker: Asker, prices: Prices | None, total: int | None = None) -> None:
        self._made, self._asker, self._prices = made, asker, prices
        self._is_ending = False
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            console=errors,
            transient=True,
            disable=not errors.is_terminal,
        )
        self._task = self._progress.add_task("Asking", total=total)

    def __enter__(self) -> Report:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def say(self, text: str) -> None:
        """Prints a line."""
        errors.print(plain(text))

    def update(self) -> None:
        """Shows the counts as they are now."""
        if self._asker.stopping.is_set() and not self._is_ending:
            self._is_ending = True
            self.say("Nothing more is sent. Answers that are on their way are awaited, and what is there is written.")
        failed = sum(self._made.failed.values())
        parts = [counted(self._made.documents, "document"), counted(self._made.relations, "relation")]
        parts += [f"{failed:,} failed"] * bool(failed)
        parts += [f"{sum(self._asker.traffic.again.values()):,} sent again"] * bool(self._asker.traffic.again)
        if self._prices is not None:
            parts.append(f"{self._prices.of(self._asker.traffic.used):.4f} spent")
        self._progress.update(self._task, completed=self._made.texts, description=", ".join(parts))


def print_report(made: Yield, asker: Asker, usage: Usage, prices: Prices | None, output: Path) -> None:
    """What was made, and why not more."""
    traffic = asker.traffic
    table = Table("", "", show_header=False, box=None, pad_edge=False)
    facts = [
        ("documents", f"{made.documents:,}, {made.exhaustive:,} of them exhaustive"),
        ("entities", f"{made.entities:,} with {counted(made.mentions, 'mention')}, {len(made.entity_types):,} types"),
        ("relations", f"{made.relations:,}, {len(made.relation_types):,} types{_most(made.relation_types)}"),
        ("texts failed", _list(made.failed)),
        ("texts left out", _list(made.left_out)),
        ("texts not asked yet", f"{made.pending:,}" if made.pending else ""),
        ("mentions found", _list(made.findings.aligned)),
        ("dropped", _list(made.findings.dropped)),
        ("corrections", _list(made.findings.corrected)),
        ("requests", f"{traffic.sent:,} answered, {traffic.replayed:,} from the journal"),
        ("sent again", _list(traffic.again)),
        ("unusable answers", _list(traffic.unusable)),
        ("tokens", _tokens(usage, prices)),
    ]
    for name, value in facts:
        if value:
            table.add_row(name, plain(value))
    errors.print(table)
    if asker.halted is not None:
        errors.print(f"[bold red]stopped:[/bold red] {plain(asker.halted)}")
    elif asker.interrupted:
        errors.print("Interrupted. Run the same command again to resume.")
    errors.print(plain(f"Wrote {output}: {counted(made.documents, 'document')}."))


def print_estimate(found: Estimate, left_out: Counter[str], given: SynthesizeOptions, prices: Prices | None) -> None:
    """What a run would send and cost, and the first conversation."""
    for message in found.first or ():
        console.print(f"[bold]{message['role']}[/bold]")
        console.print(plain(message["content"]))
    table = Table("", "", show_header=False, box=None, pad_edge=False)
    table.add_row("texts", f"{found.texts:,}")
    if left_out:
        table.add_row("left out", plain(_list(left_out)))
    table.add_row("requests", f"{found.requests:,}, without repetitions")
    if found.known:
        table.add_row("in the journal", f"{found.known:,}, which are not sent again")
    usage = found.usage
    table.add_row("tokens", f"about {usage.prompt:,} read and {usage.completion:,} written (estimated from the texts)")
    if prices is not None:
        table.add_row("cost", f"about {prices.of(usage):,.4f}")
    minutes = [
        usage.prompt / given.tokens_per_minute + usage.completion / given.tokens_per_minute
        if given.tokens_per_minute
        else 0,
        found.requests / given.requests_per_minute if given.requests_per_minute else 0,
    ]
    if max(minutes):
        table.add_row("time", f"at least {max(minutes):,.0f} minutes within the limits")
    console.print(table)
    console.print("Nothing was sent.")


def _list(counter: Counter[str]) -> str:
    """Such as `12 not in the text, 3 inside a word`."""
    return ", ".join(f"{count:,} {name}" for name, count in counter.most_common() if count)


def _most(counter: Counter[str]) -> str:
    """The most frequent names."""
    named = ", ".join(f"{name} ({count:,})" for name, count in counter.most_common(_MOST_TYPES))
    return f": {named}{', …' if len(counter) > _MOST_TYPES else ''}" if named else ""


def _tokens(usage: Usage, prices: Prices | None) -> str:
    cost = "" if prices is None else f", {prices.of(usage):.4f} in all"
    about = " (some of them estimated: the endpoint does not count)" if usage.is_estimated else ""
    return f"{usage.prompt:,} read, {usage.completion:,} written in all runs{about}{cost}"
