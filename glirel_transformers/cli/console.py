"""What all commands share: where they print, and how errors look."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import typer
from rich.console import Console

console = Console(highlight=False, soft_wrap=True, emoji=False)
errors = Console(stderr=True, highlight=False, soft_wrap=True, emoji=False)


@contextmanager
def errors_without_traceback() -> Iterator[None]:
    """Turns an error in the user's input into one line and the exit code 1; `GLIREL_DEBUG=1` keeps its traceback.

    An error that no user causes keeps its traceback.
    """
    try:
        yield
    except typer.Exit:
        raise
    except Exception as error:
        text = _in_one_line(error)
        if text is None or os.environ.get("GLIREL_DEBUG", "0") not in ("", "0"):
            raise
        errors.print(f"[bold red]error:[/bold red] {plain(text)}")
        raise typer.Exit(1) from None


def _in_one_line(error: Exception) -> str | None:
    """The message of an error in the user's input; `None` for any other error."""
    if isinstance(error, ModuleNotFoundError) and error.name == "torch":
        return "This needs torch, which is not installed: pip install torch"
    if isinstance(error, (ValueError, TypeError, OSError, ImportError)):
        return str(error)
    if type(error).__name__ == "SafetensorError":  # whose module is imported by those who read weights
        return (
            f"The weights cannot be read: {error}. The file is incomplete, or the pointer to a large file that was "
            "not fetched. Copy the checkpoint again."
        )
    return None


@contextmanager
def interruptible(explain: Callable[[], None]) -> Iterator[None]:
    """Ctrl-C is not an error: `explain` says how to resume, and the exit code is 130."""
    try:
        yield
    except KeyboardInterrupt:
        explain()
        raise typer.Exit(130) from None


def plain(text: str) -> str:
    """`text`, escaped so that rich reads no style in it."""
    return text.replace("[", r"\[")


def is_main_process() -> bool:
    """Whether this process is the one that prints; `accelerate launch` and `torchrun` number the processes."""
    return int(os.environ.get("RANK", "0")) == 0


def counted(number: int, noun: str) -> str:
    """`1 text`, `2,000 texts`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
