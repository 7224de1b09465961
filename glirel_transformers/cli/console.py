"""What all commands share: where they print, and how errors look."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import typer
from rich.console import Console
from safetensors import SafetensorError

console = Console(highlight=False, soft_wrap=True, emoji=False)
errors = Console(stderr=True, highlight=False, soft_wrap=True, emoji=False)


@contextmanager
def errors_without_traceback() -> Iterator[None]:
    """Turns an error in what the user gave into one line and the exit code 1."""
    try:
        yield
    except (ValueError, TypeError, OSError, ImportError) as error:
        text = str(error)
        if isinstance(error, ModuleNotFoundError) and error.name == "torch":
            text = "This needs torch, which is not installed: pip install torch"
        errors.print(f"[bold red]error:[/bold red] {plain(text)}")
        raise typer.Exit(1) from None
    except SafetensorError as error:
        errors.print(
            f"[bold red]error:[/bold red] The weights cannot be read: {plain(str(error))}. The file is truncated, or "
            "the pointer to a large file that was not fetched. Copy the checkpoint again."
        )
        raise typer.Exit(1) from None


@contextmanager
def interruptible(explain: Callable[[], None]) -> Iterator[None]:
    """Ctrl-C is no error: `explain` says how to go on, and the exit code is 130."""
    try:
        yield
    except KeyboardInterrupt:
        explain()
        raise typer.Exit(130) from None


def plain(text: str) -> str:
    """`text` with nothing in it that rich would read as a style."""
    return text.replace("[", r"\[")


def is_main_process() -> bool:
    """Whether this process is the one that speaks; `accelerate launch` and `torchrun` number them."""
    return int(os.environ.get("RANK", "0")) == 0
