"""`glirel export`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.table import Table

from .console import console, errors_without_traceback, plain

if TYPE_CHECKING:
    from glirel_transformers.export import Validation


def export_checkpoint(
    checkpoint: Annotated[str, typer.Argument(metavar="CHECKPOINT", help="Folder or Hub repository to read.")],
    output: Annotated[Path, typer.Argument(metavar="OUT", help="Folder to write.")],
    opset: Annotated[int, typer.Option(help="Version of the ONNX operators.")] = 20,
    dtype: Annotated[Literal["float32", "float16"], typer.Option(help="Precision; float16 is for GPUs.")] = "float32",
    optimize: Annotated[
        bool, typer.Option("--optimize", help="Fuse operators into ONNX Runtime's own, which only it can run.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the export in OUT.")] = False,
) -> None:
    """Export a checkpoint to ONNX, and compare the export with the model.

    For example:

        glirel export checkpoints/glirel-mini glirel-mini-onnx

        glirel export runs/mine/model mine-onnx --optimize

    Both are run over thirteen shapes, and their largest differences printed. Where one is above 1e-4 (in float16,
    2e-2), nothing is written and the exit code is 1.
    """
    from transformers.utils import logging

    logging.disable_progress_bar()
    with errors_without_traceback():
        from glirel_transformers.export.exporter import export_with_report

        folder, report = export_with_report(
            checkpoint, output, opset=opset, dtype=dtype, optimize=optimize, overwrite=overwrite
        )
    console.print(_comparison(report))
    size = sum(file.stat().st_size for file in folder.glob("model.onnx*"))
    console.print(plain(f"Wrote {folder} ({size / 1e6:,.1f} MB, largest difference {report.difference:.1e})."))


def _comparison(report: Validation) -> Table:
    """The differences, shape by shape."""
    table = Table(
        title="The export on ONNX Runtime, against the model. Sizes are those of batch, tokens, words, mentions, "
        "pairs and relations; differences are the largest of scores before the sigmoid (in proportion, at most "
        f"{report.bound:g}), and of probabilities.",
        title_justify="left",
        title_style="",
    )
    table.add_column("shape", no_wrap=True)
    table.add_column("sizes", no_wrap=True)
    table.add_column("scores", justify="right", no_wrap=True)
    table.add_column("probabilities", justify="right", no_wrap=True)
    for shape in report.shapes:
        sizes = " × ".join(str(size) for size in shape.sizes.values())
        table.add_row(shape.name, sizes, f"{shape.difference:.1e}", f"{shape.probability_difference:.1e}")
    return table
