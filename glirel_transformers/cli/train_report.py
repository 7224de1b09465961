"""What `glirel train` says before, after, and when it is stopped."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from .console import console, counted, errors, is_main_process, plain
from .tables import averages_table

if TYPE_CHECKING:
    from glirel_transformers.trainer.run import TrainingResult
    from glirel_transformers.trainer.selection import Selection

    from .train_options import TrainSettings

_MANY_PASSES = 300  # beyond n passes over the documents, a note says so


def describe(chosen: Selection, settings: TrainSettings, accumulated: int = 1) -> None:
    """Says what is trained and evaluated on, and what is not.

    Args:
        chosen: the documents.
        settings: the options.
        accumulated: batches in an update.
    """
    if not is_main_process():
        return
    for reason, count in chosen.left_out.items():
        errors.print(f"[yellow]note:[/yellow] {counted(count, 'document')} left out: {reason}")
    console.print(f"{counted(len(chosen.evaluation), 'document')} to evaluate on")
    if shared := chosen.num_shared:
        errors.print(
            f"[yellow]note:[/yellow] {shared:,} of the documents to evaluate on are also trained on, so the figures "
            "and the threshold will flatter the model."
        )
    if not chosen.evaluation:
        errors.print(
            "[yellow]note:[/yellow] No document falls into the share that is held out, so nothing is evaluated and no "
            "threshold is fitted. Give --eval FILE, or a larger --held-out."
        )
    if settings.epochs is None:
        passes = settings.max_steps * settings.batch_size * accumulated / len(chosen.train)
        if passes > _MANY_PASSES:
            errors.print(
                f"[yellow]note:[/yellow] {settings.max_steps:,} updates visit each document about {passes:,.0f} "
                "times. With so few documents, --max-steps 100 or --epochs 20 is usually enough."
            )


def explain_how_to_resume(output: Path) -> None:
    """Says how far a stopped run got."""
    from glirel_transformers.trainer.run import last_step

    if not is_main_process():
        return
    step = last_step(output)
    saved = "Nothing was saved yet; the" if step is None else f"It was saved after update {step:,}. The"
    again = "starts from the beginning" if step is None else "resumes from there"
    errors.print(plain(f"Stopped. {saved} same command {again}."))


def report(result: TrainingResult) -> None:
    """Says what the result is, and what can be done with it."""
    folder = shlex.quote(str(result.folder))
    if result.was_finished:
        errors.print(
            "[yellow]note:[/yellow] This run was finished before, and nothing was trained now. A larger --max-steps "
            "or --epochs continues it."
        )
    if result.metrics is not None and "micro_f1" in result.metrics:
        title = "On the documents kept for evaluation, to which the threshold is fitted"
        console.print(averages_table(result.metrics, title))
    if result.metrics is not None and "entity_f1" in result.metrics:
        precision, recall, f1, threshold = (
            result.metrics[f"entity_{name}"] for name in ("precision", "recall", "f1", "threshold")
        )
        console.print(
            f"Entities that it finds: precision {precision:.3f}, recall {recall:.3f}, F1 {f1:.3f} (threshold "
            f"{threshold:.3f})"
        )
    if result.note is not None:
        errors.print(f"[yellow]note:[/yellow] The threshold was not fitted: {plain(result.note)}")
    console.print(
        plain(f"The model is in {result.folder} ({result.steps:,} updates, threshold {result.threshold:.3f}).")
    )
    console.print(
        plain(
            "Next:\n"
            f"  glirel evaluate {folder} test.jsonl   # documents that it was not trained on\n"
            f'  glirel extract "Marie Curie was born in Warsaw." -e "Marie Curie" -e Warsaw -r "place of birth" '
            f"-m {folder}"
        )
    )
