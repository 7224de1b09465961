"""Exports with smaller numbers: weights, and where that is fastest states as well, in 8 or 4 bits.

| method | weights | states |
|---|---|---|
| `"int8"` | 8 bits, a scale for each column | 8 bits, one scale for all of a batch |
| `"int8-weights"` | 8 bits, scales for blocks of 128 numbers | 8 bits, scales for blocks of 128 |
| `"int4-weights"` | 4 bits, scales and offsets for blocks of 32 | 8 bits, scales for blocks of 32 |

The first is the fastest, the second nearest to the model, the third the smallest. With `"int8"`, what reads an
activation is done as with `"int8-weights"`; elsewhere the texts of a batch share scales, so that a score depends a
little on what it is computed with. With the others it does not. The vocabulary has 8 bits, and a scale for each
token, in all of them.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from glirel_transformers.card_glirel import mark_quantized
from glirel_transformers.data import Document
from glirel_transformers.extras import require_extra

from .calibration import MAX_LOSS, Calibration, check_documents
from .exporter import digest_in, export_with_report, measure_cost
from .folder import find_output, written_whole
from .graph import DEFAULT_OPSET
from .quantized_graph import metadata_of, quantize_file
from .runtime import ORTModelForRelationClassification
from .sessions import GRAPH_FILES, ONNX_FILE, TYPES_DIGEST
from .validation import Validation

if TYPE_CHECKING:
    from glirel_transformers.heads_glirel import GLiRELHead

METHODS = ("int8", "int8-weights", "int4-weights")


def export_quantized(
    model: GLiRELHead | str | os.PathLike[str],
    output: str | os.PathLike[str],
    method: str = "int8",
    *,
    documents: Sequence[Document] | None = None,
    max_loss: float = MAX_LOSS,
    force: bool = False,
    overwrite: bool = False,
    opset: int = DEFAULT_OPSET,
    optimize: bool = False,
) -> tuple[Path, Validation, Calibration | None]:
    """Exports a model in float32, compares it with the model, quantizes it, and measures what that costs.

    Args:
        model: as [`export`] takes it.
        output: folder to write.
        method: as [`quantize`] takes it.
        documents: annotated texts that the model was not trained on. Without them nothing is measured.
        max_loss: how much of macro-F1 may be lost on them.
        force: whether it is written all the same where more is lost.
        overwrite: whether an export that is already there is replaced.
        opset, optimize: as [`export`] takes them.

    Returns:
        The folder, the comparison of the export in float32, and what quantizing costs.

    Raises:
        AccuracyLossError: when too much is lost; a `ValueError`.
        ValueError: for what [`export`], [`quantize`] and [`calibrate`] refuse.
    """
    _check_method(method)
    check_documents(documents)
    target = find_output(output, overwrite)
    with tempfile.TemporaryDirectory() as scratch:
        exact, small = Path(scratch, "exact", target.name), Path(scratch, "small", target.name)
        _, report, _ = export_with_report(model, exact, opset=opset, optimize=optimize)
        quantize(exact, small, method)
        found = None
        if documents is not None:
            before = ORTModelForRelationClassification.from_pretrained(exact)
            found = measure_cost(before, small, method, documents, None if force else max_loss)
        with written_whole(target) as folder:
            shutil.copytree(small, folder, dirs_exist_ok=True)
    return target, report, found


def quantize(
    export_folder: str | os.PathLike[str],
    output: str | os.PathLike[str],
    method: str = "int8",
    *,
    overwrite: bool = False,
) -> Path:
    """Quantizes an export in float32, through ONNX Runtime's tools, into another folder.

    Scores change. [`calibrate`] tells by how much, and what that costs on annotated documents.

    Args:
        export_folder: what [`export`] wrote.
        output: folder to write: the same with other graphs.
        method: `"int8"`, `"int8-weights"` or `"int4-weights"`, see the module.
        overwrite: whether an export that is already in `output` is replaced.

    Returns:
        The folder.

    Raises:
        ImportError: when a package of the extra `onnx` is missing.
        OSError: when there is no such export, or `output` is not empty.
        ValueError: for an unknown method, or an export that is not in float32.
    """
    require_extra("onnx", "onnx", "onnxruntime")
    source, target = Path(export_folder).resolve(), Path(output).expanduser().resolve()
    _check_method(method)
    if not (source / ONNX_FILE).is_file():
        raise OSError(f"{str(source)!r} has no {ONNX_FILE}. Name a folder that `glirel export` wrote.")
    if source == target:
        raise ValueError(f"{str(target)!r} is the export itself. Name another folder for the quantized one.")
    find_output(target, overwrite)
    metadata = metadata_of(source / ONNX_FILE)
    if metadata.get("dtype", "float32") != "float32" or "quantization" in metadata:
        found = metadata.get("quantization") or metadata.get("dtype")
        raise ValueError(f"{str(source)!r} is in {found} already. Quantize an export in float32.")
    with written_whole(target) as folder:
        for file in source.iterdir():
            if file.is_file() and not file.name.startswith(GRAPH_FILES):
                shutil.copy(file, folder)
        if TYPES_DIGEST in metadata:
            metadata[TYPES_DIGEST] = digest_in(method, metadata[TYPES_DIGEST])
        for name in (name for name in GRAPH_FILES if (source / name).is_file()):
            quantize_file(source / name, folder / name, method, metadata)
        mark_quantized(folder, method, source.name)
    return target


def _check_method(method: str) -> None:
    if method not in METHODS:
        raise ValueError(f"`method` must be one of {', '.join(map(repr, METHODS))}: got {method!r}.")


__all__ = ["METHODS", "export_quantized", "quantize"]
