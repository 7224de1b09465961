"""The ONNX graph of an export with smaller numbers; `quantization.py` describes the methods."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto

_LARGEST_FILE = 2**31 - 2**24  # bytes that an ONNX file holds, with room for what is not weights
# Tables of fewer numbers, such as those of relative positions, save nothing.
_SMALLEST_TABLE = 2**20
# A gate, and GELU where it is not an operator of its own, end with Mul.
_ACTIVATIONS = {"Mul", "Relu", "Gelu", "FastGelu", "QuickGelu", "BiasGelu"}


def quantize_file(source: Path, target: Path, method: str, metadata: dict[str, str]) -> None:
    """Quantizes one ONNX file, as [`quantize`] says; `metadata` is what the source says of itself."""
    import onnx

    with _quiet(), _prepared(source) as prepared:
        model = _with_plain_products(onnx.load(prepared))
        names = [node.name for node in _products(model.graph)]
        if method == "int8":
            careful = [node.name for node in _products(model.graph) if _reads_activation(node, model.graph)]
            model = _by_blocks(model, careful, 8)
            model = _dynamic(model, [name for name in names if name not in careful], prepared)
        else:
            model = _by_blocks(model, names, 8 if method == "int8-weights" else 4)
    _shrink_tables(model.graph)
    onnx.helper.set_model_props(model, {**metadata, "quantization": method})
    is_large = _is_large(model)
    onnx.save(model, target, save_as_external_data=is_large, location=f"{target.name}.data" if is_large else None)


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
        file = Path(folder) / source.name
        is_large = sum(part.stat().st_size for part in source.parent.glob(f"{source.name}*")) > _LARGEST_FILE
        # Its symbolic shape inference does not know what the exporter writes.
        shape_inference.quant_pre_process(
            str(source), str(file), skip_symbolic_shape=True, save_as_external_data=is_large
        )
        yield file


def _with_plain_products(model: ModelProto) -> ModelProto:
    """With MatMul and Add in the place of Gemm, which is what a linear layer is that reads vectors: not of a batch.

    Only MatMul is multiplied by blocks. What the graph says of a weight's shape is no longer true then.
    """
    from onnxruntime.quantization.onnx_model import ONNXModel

    changed = ONNXModel(model)
    changed.replace_gemm_with_matmul()
    weights = {value.name for value in changed.model.graph.initializer}
    for value in [value for value in changed.model.graph.value_info if value.name in weights]:
        changed.model.graph.value_info.remove(value)
    return changed.model


def _is_large(model: ModelProto) -> bool:
    """Whether it needs weights in a file of their own. Its own size cannot be asked for where it does."""
    return sum(len(value.raw_data) for value in model.graph.initializer) > _LARGEST_FILE


def _dynamic(model: ModelProto, names: list[str], prepared: Path) -> ModelProto:
    """Products with 8-bit weights, and states whose scale is found as they come."""
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    is_large = _is_large(model)
    before, after = prepared.with_name("before.onnx"), prepared.with_name("after.onnx")
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


def _by_blocks(model: ModelProto, names: list[str], bits: int) -> ModelProto:
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


def _reads_activation(node: NodeProto, graph: GraphProto) -> bool:
    """Whether a product reads an activation, gated or not.

    A few of its numbers are far larger than the others, to which one scale for all leaves little. On glirel-mini,
    scales for blocks in these products make the mean change of a score a third, and cost a tenth of the speed.
    """
    producers = {output: other.op_type for other in graph.node for output in other.output}
    return producers.get(node.input[0]) in _ACTIVATIONS


def _shrink_tables(graph: GraphProto) -> None:
    """Stores the vocabulary's rows in 8 bits with a scale each, which multiplies a row once it is read."""
    import numpy as np
    from onnx import helper, numpy_helper

    tables = {value.name: value for value in graph.initializer if len(value.dims) == 2}
    readers: dict[str, list[NodeProto]] = {}
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


def _axis(node: NodeProto) -> int:
    return next((int(attribute.i) for attribute in node.attribute if attribute.name == "axis"), 0)


def _products(graph: GraphProto) -> list[NodeProto]:
    """Products with a constant matrix: vectors and batches of matrices stay as they are."""
    matrices = {value.name for value in graph.initializer if len(value.dims) == 2 and min(value.dims) > 1}
    return [node for node in graph.node if node.op_type in ("MatMul", "Gemm") and node.input[1] in matrices]


def metadata_of(file: Path) -> dict[str, str]:
    """What an export says of itself.

    Raises:
        ValueError: when the file is damaged.
    """
    import onnx
    from google.protobuf.message import DecodeError

    try:
        model = onnx.load(file, load_external_data=False)
    except DecodeError as error:
        raise ValueError(f"{str(file)!r} is damaged: {error}. Export the checkpoint again.") from error
    return {entry.key: entry.value for entry in model.metadata_props}


__all__ = ["metadata_of", "quantize_file"]
