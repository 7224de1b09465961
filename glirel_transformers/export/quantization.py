"""Exports with smaller numbers: weights, and where that is fastest states as well, in 8 or 4 bits.

| method | weights | states |
|---|---|---|
| `"int8"` | 8 bits, a scale for each column | 8 bits, one scale for all of a batch |
| `"int8-weights"` | 8 bits, scales for blocks of 128 numbers | 8 bits, scales for blocks of 128 |
| `"int4-weights"` | 4 bits, scales and offsets for blocks of 32 | 8 bits, scales for blocks of 32 |

The first is the fastest, the second nearest to the model, the third the smallest. With `"int8"`, what reads an
activation is done as with `"int8-weights"`; elsewhere the texts of a batch share scales, so that a score depends a
little on what it is computed beside. With the others it does not. The vocabulary has 8 bits, and a scale for each
token, in all of them.
"""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from glirel_transformers.data import Document
from glirel_transformers.extras import require_extra

from .calibration import MAX_LOSS, Calibration, calibrate
from .exporter import export_with_report
from .folder import check_output, written_whole
from .runtime import ORTModelForRelationClassification
from .validation import ONNX_FILE, Validation

METHODS = ("int8", "int8-weights", "int4-weights")
_LARGEST_FILE = 2**31 - 2**24  # bytes that an ONNX file holds, with room for what is not weights
# Tables of fewer numbers, such as those of relative positions, save nothing.
_SMALLEST_TABLE = 2**20
# A gate, and GELU where it is not an operator of its own, end with Mul.
_ACTIVATIONS = {"Mul", "Relu", "Gelu", "FastGelu", "QuickGelu", "BiasGelu"}


_CARD = """
## Quantized

Against the export in float32, on {num_documents:,} annotated documents, at the threshold {threshold:.3f}. The
differences above are those of the export in float32.

| | float32 | {method} |
|---|---|---|
| macro-F1 | {before[macro_f1]:.4f} | {after[macro_f1]:.4f} |
| micro-F1 | {before[micro_f1]:.4f} | {after[micro_f1]:.4f} |

Of {num_scores:,} probabilities the largest change is {largest_change:.3f}, the mean {mean_change:.5f}, and
{num_changed_decisions:,} are on the other side of the threshold.
"""


def export_quantized(
    model: Any,
    output: str | os.PathLike[str],
    method: str = "int8",
    *,
    documents: Sequence[Document] | None = None,
    max_loss: float = MAX_LOSS,
    force: bool = False,
    overwrite: bool = False,
    **settings: Any,
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
        settings: `opset` and `optimize` of [`export`].

    Returns:
        The folder, the comparison of the export in float32, and what quantizing costs.

    Raises:
        ValueError: when too much is lost, and for what [`export`], [`quantize`] and [`calibrate`] refuse.
    """
    target = Path(output)
    _check_method(method)
    check_output(target, overwrite)
    with tempfile.TemporaryDirectory() as scratch:
        exact, small = Path(scratch, "exact", target.name), Path(scratch, "small", target.name)
        _, report = export_with_report(model, exact, **settings)
        quantize(exact, small, method)
        found = None
        if documents is not None:
            load = ORTModelForRelationClassification.from_pretrained
            found = calibrate(load(exact), load(small), documents)
            if not force:
                found.check(max_loss)
            with (small / "README.md").open("a", encoding="utf-8") as card:
                card.write(_CARD.format(**vars(found), method=method))
        with written_whole(target.absolute()) as folder:
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
        output: folder to write: the same with another `model.onnx`.
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
    source, target = Path(export_folder), Path(output)
    _check_method(method)
    if not (source / ONNX_FILE).is_file():
        raise OSError(f"{str(source)!r} has no {ONNX_FILE}. Name a folder that `glirel export` wrote.")
    if source.resolve() == target.resolve():
        raise ValueError(f"{str(target)!r} is the export itself. Name another folder for the quantized one.")
    check_output(target, overwrite)
    metadata = _metadata(source / ONNX_FILE)
    if metadata.get("dtype", "float32") != "float32" or "quantization" in metadata:
        found = metadata.get("quantization") or metadata.get("dtype")
        raise ValueError(f"{str(source)!r} is in {found} already. Quantize an export in float32.")
    with written_whole(target.absolute()) as folder:
        for file in source.iterdir():
            if file.is_file() and not file.name.startswith(ONNX_FILE):
                shutil.copy(file, folder)
        quantize_file(source / ONNX_FILE, folder / ONNX_FILE, method)
        _say_on_card(folder / "README.md", method)
    return target


def quantize_file(source: Path, target: Path, method: str) -> None:
    """Quantizes one ONNX file, as [`quantize`] says."""
    import onnx

    metadata = _metadata(source)
    with _quiet(), _prepared(source) as prepared:
        model = onnx.load(prepared)
        names = [node.name for node in _products(model.graph)]
        if method == "int8":
            careful = [node.name for node in _products(model.graph) if _reads_activation(node, model.graph)]
            model = _by_blocks(model, careful, 8)
            model = _dynamic(model, [name for name in names if name not in careful], prepared)
        else:
            model = _by_blocks(model, names, 8 if method == "int8-weights" else 4)
    _shrink_tables(model.graph)
    onnx.helper.set_model_props(model, {**metadata, "quantization": method})
    is_large = model.ByteSize() > _LARGEST_FILE
    onnx.save(model, target, save_as_external_data=is_large, location=f"{target.name}.data" if is_large else None)


def _check_method(method: str) -> None:
    if method not in METHODS:
        raise ValueError(f"`method` must be one of {', '.join(map(repr, METHODS))}: got {method!r}.")


@contextmanager
def _quiet() -> Iterator[None]:
    """Keeps ONNX Runtime's tools to themselves: they tell of every node, and set up logging for the whole process."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    from onnxruntime.quantization import matmul_nbits_quantizer

    root.handlers[:], own = handlers, logging.getLogger(matmul_nbits_quantizer.__name__)
    root.setLevel(max(level, logging.WARNING))
    own.setLevel(logging.WARNING)
    try:
        yield
    finally:
        root.setLevel(level)


@contextmanager
def _prepared(source: Path) -> Iterator[Path]:
    """The graph with its constants computed, which shows which products have constant weights."""
    from onnxruntime.quantization import shape_inference

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / ONNX_FILE
        is_large = sum(part.stat().st_size for part in source.parent.glob(f"{source.name}*")) > _LARGEST_FILE
        # Its symbolic shape inference does not know what the exporter writes.
        shape_inference.quant_pre_process(
            str(source), str(file), skip_symbolic_shape=True, save_as_external_data=is_large
        )
        yield file


def _dynamic(model: Any, names: list[str], beside: Path) -> Any:
    """Products with 8-bit weights, and states whose scale is found as they come."""
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    is_large = model.ByteSize() > _LARGEST_FILE
    before, after = beside.with_name("before.onnx"), beside.with_name("after.onnx")
    onnx.save(model, before, save_as_external_data=is_large)
    quantize_dynamic(
        before,
        after,
        nodes_to_quantize=names,
        per_channel=True,
        weight_type=QuantType.QInt8,
        # 7 bits of 8: without VNNI, x86 processors add two products in 16 bits, which larger weights overflow.
        reduce_range=True,
        use_external_data_format=is_large,
        extra_options={"MatMulConstBOnly": True},
    )
    return onnx.load(after)


def _by_blocks(model: Any, names: list[str], bits: int) -> Any:
    """Products with a scale for each block of weights, which ONNX Runtime multiplies with states of 8 bits."""
    from onnxruntime.quantization import QuantFormat
    from onnxruntime.quantization.matmul_nbits_quantizer import DefaultWeightOnlyQuantConfig, MatMulNBitsQuantizer

    products = {node.name for node in model.graph.node if node.op_type == "MatMul"}
    if not (chosen := [name for name in names if name in products]):  # to ONNX Runtime, no name means all
        return model
    settings = DefaultWeightOnlyQuantConfig(
        block_size=128 if bits == 8 else 32,
        is_symmetric=bits == 8,
        accuracy_level=4,
        quant_format=QuantFormat.QOperator,
        bits=bits,
    )
    others = [name for name in products if name not in chosen]
    quantizer = MatMulNBitsQuantizer(model, algo_config=settings, nodes_to_exclude=others)
    quantizer.process()
    return quantizer.model.model


def _reads_activation(node: Any, graph: Any) -> bool:
    """Whether a product reads an activation, gated or not.

    A few of its numbers are far larger than the others, to which one scale for all leaves little. On glirel-mini,
    scales for blocks in these products make the mean change of a score a third, and cost a tenth of the speed.
    """
    producers = {output: other.op_type for other in graph.node for output in other.output}
    return producers.get(node.input[0]) in _ACTIVATIONS


def _shrink_tables(graph: Any) -> None:
    """Stores the vocabulary's rows in 8 bits with a scale each, which multiplies a row once it is read."""
    import numpy as np
    from onnx import helper, numpy_helper

    tables = {value.name: value for value in graph.initializer if len(value.dims) == 2}
    readers: dict[str, list[Any]] = {}
    for node in graph.node:
        for name in set(node.input) & tables.keys():
            readers.setdefault(name, []).append(node)
    for name, nodes in readers.items():
        size = tables[name].dims[0] * tables[name].dims[1]
        if size < _SMALLEST_TABLE or any(node.op_type != "Gather" or _axis(node) != 0 for node in nodes):
            continue
        rows = numpy_helper.to_array(tables[name])
        scales = np.maximum(np.abs(rows).max(axis=1, keepdims=True), np.finfo(np.float32).tiny) / 127
        small = np.round(rows / scales).astype(np.int8)
        graph.initializer.remove(tables[name])
        graph.initializer.extend(
            [numpy_helper.from_array(small, f"{name}_rows"), numpy_helper.from_array(scales, f"{name}_scales")]
        )
        for node in nodes:
            place, ids, output = list(graph.node).index(node), node.input[1], node.output[0]
            replacing = [
                helper.make_node("Gather", [f"{name}_rows", ids], [f"{output}_rows"], f"{node.name}_rows"),
                helper.make_node("Gather", [f"{name}_scales", ids], [f"{output}_scales"], f"{node.name}_scales"),
                helper.make_node("Cast", [f"{output}_rows"], [f"{output}_cast"], f"{node.name}_cast", to=1),
                helper.make_node("Mul", [f"{output}_cast", f"{output}_scales"], [output], f"{node.name}_scaled"),
            ]
            graph.node.remove(node)
            for offset, new in enumerate(replacing):
                graph.node.insert(place + offset, new)


def _axis(node: Any) -> int:
    return next((int(attribute.i) for attribute in node.attribute if attribute.name == "axis"), 0)


def _products(graph: Any) -> list[Any]:
    """Products with a constant matrix: vectors and batches of matrices stay as they are."""
    matrices = {value.name for value in graph.initializer if len(value.dims) == 2 and min(value.dims) > 1}
    return [node for node in graph.node if node.op_type in ("MatMul", "Gemm") and node.input[1] in matrices]


def _metadata(file: Path) -> dict[str, str]:
    import onnx

    model = onnx.load(file, load_external_data=False)
    return {entry.key: entry.value for entry in model.metadata_props}


def _say_on_card(card: Path, method: str) -> None:
    """Adds the method to the table of an export's card, where it has one."""
    if card.is_file():
        text = card.read_text(encoding="utf-8")
        card.write_text(text.replace("\n| precision | float32 |", f"\n| precision | {method} |", 1), encoding="utf-8")


__all__ = ["METHODS", "export_quantized", "quantize", "quantize_file"]
