"""`glirel evaluate --report`: what is checked before, what is run, and what is printed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table

from glirel_transformers.checkpoints import check_checkpoint, is_export, model_name
from glirel_transformers.files import check_not_an_input
from glirel_transformers.report_folder import check_report_folder

from .console import console, counted, errors, plain
from .evaluate_options import BASELINE
from .evaluate_protocols import load_reader

if TYPE_CHECKING:
    from glirel_transformers.data import Document
    from glirel_transformers.evaluation import EvaluationResult
    from glirel_transformers.evaluation.extraction import Reader
    from glirel_transformers.evaluation.protocols import Protocol
    from glirel_transformers.evaluation.report import Report

    from .evaluate_options import EvaluateOptions


def check_report(given: EvaluateOptions) -> None:
    """Checks the options, and makes the folder, before anything is computed.

    Raises:
        ImportError: when a package is missing that reports need.
        OSError, ValueError: when an option does not fit, or a file cannot be read.
    """
    if given.report is None:
        of_reports = ("compare", "paraphrases", "resamples", "probe", "orders")
        if wrong := next((name for name in of_reports if name in given.changed), None):
            raise ValueError(f"--{wrong} is for a report. Add --report FOLDER.")
        return
    if "resamples" in given.changed and not (given.compare or given.baseline):
        raise ValueError("--resamples is for a comparison. Add --compare CHECKPOINT or --baseline NAME.")
    if given.protocol == "few-shot":
        raise ValueError(
            "--report is of one model, and the protocol few-shot trains several. Keep them with --keep-models, and "
            "report each by the protocol that measures."
        )
    names = [given.checkpoint, *(given.compare or ())]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ValueError(f"--compare names {str(twice)!r}, which is there already. Name each checkpoint once.")
    for name in given.compare or ():
        if not name.startswith(BASELINE) and Path(model_name(name)).is_dir() and not is_export(name):
            check_checkpoint(name)
    if given.report.is_dir():
        check_not_an_input(
            given.report,
            [*names, *given.files, *(given.background or ()), given.background_cache, given.paraphrases],
            "--report",
        )
    check_report_folder(given.report)


def run_report(
    given: EvaluateOptions, protocol: Protocol, model: Reader, documents: Sequence[Document]
) -> tuple[list[EvaluationResult], Report]:
    """Evaluates, and writes the report.

    Returns:
        What was found, the model first, then those that it is compared with; and the report.
    """
    from glirel_transformers.evaluation.report import ReportSettings, evaluate_with_report, read_paraphrases

    settings = ReportSettings(
        paraphrases=None if given.paraphrases is None else read_paraphrases(given.paraphrases),
        num_orders=given.orders,
        num_probed=given.probe,
        resamples=given.resamples,
    )
    assert given.report is not None  # the caller asks
    found = evaluate_with_report(
        protocol,
        model,
        documents,
        given.report,
        settings,
        _others(given),
        about={name: value for name, value in asdict(given).items() if value is not None},
        say=lambda text: errors.print(f"[yellow]note:[/yellow] {plain(text)}"),
    )
    return [found.result, *found.others], found.report


def _others(given: EvaluateOptions) -> Mapping[str, Callable[[], Reader]]:
    names = [*(given.compare or ()), *(f"{BASELINE}{name}" for name in given.baseline or ())]
    return {name: partial(load_reader, replace(given, checkpoint=name)) for name in dict.fromkeys(names)}


def show_written(given: EvaluateOptions, report: Report) -> None:
    """Prints how checkpoints compare, and where the report is."""
    assert given.report is not None  # the caller asks
    if report.checkpoints:
        _show_comparison(report)
    errors.print(f"Report: {plain(str(given.report / 'report.html'))}")


def _show_comparison(report: Report) -> None:
    """Prints the checkpoints next to each other, and how far each is from the first."""
    where = "all runs together" if report.run else f"on {counted(report.num_documents, 'document')}"
    title = f"Checkpoints {where}, {report.given}"
    table = Table(title=title, title_justify="left", title_style="")
    table.add_column("checkpoint", overflow="fold")
    for name in ("micro P", "micro R", "micro F1", "macro F1", "AP", "ECE"):
        table.add_column(name, justify="right")
    for one in report.checkpoints:
        shown = ("micro_precision", "micro_recall", "micro_f1", "macro_f1")
        values = [*(one.figures[name] for name in shown), one.average_precision, one.calibration_error]
        table.add_row(plain(one.name), *("–" if value is None else f"{value:.3f}" for value in values))
    console.print(table)
    title = f"Differences from the first, {report.resamples:,} resamples; p corrected for the number of checkpoints"
    table = Table(title=title, title_justify="left", title_style="")
    table.add_column("checkpoint", overflow="fold")
    table.add_column("figure")
    for name in ("difference", "95 %", "p"):
        table.add_column(name, justify="right")
    for one in report.checkpoints[1:]:
        for found, corrected in zip(one.differences, one.corrected, strict=True):
            if found.figure.endswith("f1"):
                interval = f"{found.low:+.3f} to {found.high:+.3f}"
                figure = found.figure.replace("_f1", " F1")
                table.add_row(plain(one.name), figure, f"{found.difference:+.3f}", interval, f"{corrected:.4f}")
    console.print(table)
