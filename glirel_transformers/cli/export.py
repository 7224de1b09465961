"""`glirel export`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.table import Table

from glirel_transformers.files import check_not_an_input

from .console import console, errors, errors_without_traceback, plain
from .options import takes
from .reading import Alignment, Exhaustive, Reader, read_files

if TYPE_CHECKING:
    from glirel_transformers.data import Document
    from glirel_transformers.export import Calibration, Validation

_QUANTIZE, _CALIBRATE = "Smaller numbers", "What it costs"

Quantize = Annotated[
    Literal["int8", "int8-weights", "int4-weights"] | None,
    typer.Option(
        "--quantize",
        help="Make it smaller and faster on CPUs: int8 is the fastest, int8-weights the nearest to the model, "
        "int4-weights the smallest.",
        rich_help_panel=_QUANTIZE,
    ),
]
Calibrate = Annotated[
    list[Path] | None,
    typer.Option(
        "--calibrate",
        metavar="DATA",
        exists=True,
        help="Annotated documents on which to measure what the export costs. Repeatable.",
        rich_help_panel=_CALIBRATE,
    ),
]
CalibrationLimit = Annotated[
    int | None,
    typer.Option("--limit", min=1, help="Read n documents, spread over all of DATA.", rich_help_panel=_CALIBRATE),
]
MaxLoss = Annotated[
    float | None,
    typer.Option(
        "--max-loss",
        help="Macro-F1 that may be lost; above, nothing is written. [default: 0.01]",
        rich_help_panel=_CALIBRATE,
    ),
]
Force = Annotated[
    bool, typer.Option("--force", help="Write it all the same where more is lost.", rich_help_panel=_CALIBRATE)
]


@dataclass(frozen=True)
class ExportOptions:
    """What `glirel export` is given."""

    checkpoint: Annotated[str, typer.Argument(metavar="CHECKPOINT", help="Folder or Hub repository to read.")]
    output: Annotated[Path, typer.Argument(metavar="OUT", help="Folder to write.")]
    opset: Annotated[int, typer.Option(help="Version of the ONNX operators.")] = 20
    dtype: Annotated[Literal["float32", "float16"], typer.Option(help="Precision; float16 is for GPUs.")] = "float32"
    optimize: Annotated[
        bool, typer.Option("--optimize", help="Fuse operators into ONNX Runtime's own, which only it can run.")
    ] = False
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the export in OUT.")] = False
    quantize: Quantize = None
    calibrate: Calibrate = None
    reader: Reader = None
    exhaustive: Exhaustive = None
    alignment: Alignment = "strict"
    limit: CalibrationLimit = None
    max_loss: MaxLoss = None
    force: Force = False

    def check(self) -> None:
        """Checks that no option contradicts another.

        Raises:
            ValueError: when one does.
        """
        if self.calibrate is None and (self.force or self.limit is not None or self.max_loss is not None):
            raise ValueError("--limit, --max-loss and --force need annotated documents: --calibrate DATA.")
        if self.calibrate is None and (self.reader, self.exhaustive, self.alignment) != (None, None, "strict"):
            raise ValueError(
                "--reader, --exhaustive and --alignment say how annotated documents are read: add --calibrate DATA."
            )
        if self.max_loss is not None and not math.isfinite(self.max_loss):
            raise ValueError(f"--max-loss must be a number, such as 0.01: got {self.max_loss}.")
        if self.quantize is not None and self.dtype != "float32":
            raise ValueError(f"--quantize starts from float32: leave --dtype {self.dtype} out.")

    def documents(self) -> list[Document] | None:
        """The annotated documents, as many as are asked for; `None` without any."""
        if not self.calibrate:
            return None
        return _some_of(read_files(self.calibrate, self.reader, self.exhaustive, self.alignment), self.limit)


@takes(ExportOptions)
def export_checkpoint(given: ExportOptions) -> None:
    """Export a checkpoint to ONNX, and compare the export with the model.

    For example:

        glirel export checkpoints/glirel-small glirel-small-onnx

        glirel export runs/mine/model mine-onnx --optimize

        glirel export runs/mine/model mine-int8 --quantize int8 --calibrate test.jsonl

    Both are run over fourteen shapes (seventeen where the model finds entities), and their largest differences
    printed. Where one is above 1e-4 (in float16, 5e-2), nothing is written and the exit code is 1.
    """
    with errors_without_traceback():
        given.check()
        check_not_an_input(given.output, [given.checkpoint, *(given.calibrate or [])], "OUT")
        from transformers.utils import logging

        from glirel_transformers.export.calibration import MAX_LOSS, AccuracyLossError
        from glirel_transformers.export.exporter import export_with_report
        from glirel_transformers.export.quantization import export_quantized

        logging.disable_progress_bar()
        settings: dict[str, Any] = {
            **{name: getattr(given, name) for name in ("opset", "optimize", "overwrite", "force")},
            "documents": given.documents(),
            "max_loss": MAX_LOSS if given.max_loss is None else given.max_loss,
        }
        try:
            if given.quantize is None:
                folder, report, found = export_with_report(
                    given.checkpoint, given.output, dtype=given.dtype, **settings
                )
            else:
                folder, report, found = export_quantized(given.checkpoint, given.output, given.quantize, **settings)
        except AccuracyLossError as error:
            _show_costs(error.calibration, given.quantize or given.dtype)
            raise
    console.print(_comparison(report))
    if found is not None:
        _show_costs(found, given.quantize or given.dtype)
    elif given.quantize is not None:
        errors.print(
            "[yellow]note:[/yellow] What quantizing costs was not measured: --calibrate DATA does, on annotated "
            "documents."
        )
    size = sum(file.stat().st_size for file in folder.glob("*.onnx*")) / 1e6
    what = f"largest difference {report.difference:.1e}" if given.quantize is None else given.quantize
    console.print(plain(f"Wrote {folder} ({size:,.1f} MB, {what})."))


def _some_of(documents: list[Document], limit: int | None) -> list[Document]:
    if limit is None or limit >= len(documents):
        return documents
    # Many data sets are sorted by relation type, so that the first documents stand for few of them.
    return [documents[number * len(documents) // limit] for number in range(limit)]


def _show_costs(found: Calibration, method: str) -> None:
    """Figures before and after, and how far scores have moved."""
    table = Table(
        title=f"On {found.num_documents:,} documents, at the threshold {found.threshold:.3f}",
        title_justify="left",
        title_style="",
    )
    for name in ("", "before", method):
        table.add_column(name, justify="right" if name else "left")
    for name, key in (("macro-F1", "macro_f1"), ("micro-F1", "micro_f1")):
        table.add_row(name, f"{found.before[key]:.4f}", f"{found.after[key]:.4f}")
    console.print(table)
    console.print(
        f"Of {found.num_scores:,} probabilities the largest change is {found.largest_change:.3f}, the mean "
        f"{found.mean_change:.5f}; {found.num_changed_decisions:,} are on the other side of the threshold."
    )


def _comparison(report: Validation) -> Table:
    """The differences, shape by shape."""
    table = Table(
        title=f"The export on ONNX Runtime, against the model. Sizes are those of {', '.join(report.columns[:-1])} "
        f"and {report.columns[-1]}; differences are the largest of scores before the sigmoid (in proportion, at most "
        f"{report.bound:g}), and after it.",
        title_justify="left",
        title_style="",
    )
    table.add_column("shape", no_wrap=True)
    table.add_column("sizes")
    table.add_column("scores", justify="right", no_wrap=True)
    table.add_column("sigmoid", justify="right", no_wrap=True)
    for shape in report.shapes:
        sizes = " × ".join(str(size) for size in shape.sizes.values())
        table.add_row(shape.name, sizes, f"{shape.difference:.1e}", f"{shape.probability_difference:.1e}")
    return table
