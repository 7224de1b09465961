"""Fuses a graph's operators into those that only ONNX Runtime has."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onnx_ir import Model, Node


def fuse(graph: Model, provider: str) -> None:
    """Fuses projections, rotary embeddings, norms and attention, in place; each rewrite computes what it replaces.

    Args:
        graph: an `onnx_ir.Model`.
        provider: `"cpu"` or `"cuda"`: which of ONNX Runtime's providers the graph is for.

    Raises:
        ImportError: when the installed transformers has no such fusions.
    """
    try:
        from transformers.exporters.onnxruntime_fusions import fuse_for_onnxruntime
    except ImportError as error:
        raise ImportError(
            "Optimizing a graph needs transformers 5.23 or later, and so Python 3.11 or later. Upgrade it, or export "
            "without --optimize."
        ) from error
    fuse_for_onnxruntime(graph, provider)
    for node in graph.graph.all_nodes():
        if node.op_type == "Reshape":
            _state_sizes(graph, node)
    initializers = graph.graph.initializers
    for name in [name for name, value in initializers.items() if not value.uses()]:
        del initializers[name]


def _state_sizes(graph: Model, node: Node) -> None:
    """Writes out a −1 that ends the target of a `Reshape`: with no pair there is nothing to infer it from.

    What the fusions write is `[0, 0, heads, -1]` and its inverse `[0, 0, -1]`, where 0 copies an axis.
    """
    import numpy as np
    import onnx_ir

    target, result = node.inputs[1], node.outputs[0]
    zero_is_a_size = node.attributes.get_int("allowzero", 0)
    if target is None or target.const_value is None or zero_is_a_size:
        return
    sizes = target.const_value.numpy().tolist()
    if sizes[-1] != -1 or sizes.count(-1) > 1 or (known := _last_size(node, sizes)) is None:
        return
    stated = np.array([*sizes[:-1], known], dtype=np.int64)
    value = onnx_ir.Value(name=f"{result.name}_sizes", const_value=onnx_ir.tensor(stated))
    value.dtype, value.shape = onnx_ir.DataType.INT64, onnx_ir.Shape(stated.shape)
    graph.graph.register_initializer(value)
    node.replace_input_with(1, value)


def _last_size(node: Node, sizes: list[int]) -> int | None:
    """The size of the last axis of what a `Reshape` makes, where the graph tells."""
    states, result = node.inputs[0], node.outputs[0]
    candidates: list[object] = [] if result.shape is None else [result.shape[-1]]
    if sizes[:2] == [0, 0] and len(sizes) == 4 and states is not None and states.shape is not None:
        width = states.shape[-1]
        candidates += [width // sizes[2]] if isinstance(width, int) else []
    for reader, place in result.uses():
        weights = reader.inputs[1] if reader.op_type == "MatMul" and place == 0 else None
        if weights is not None and weights.const_value is not None and weights.shape is not None:
            candidates.append(weights.shape[-2])
    return next((size for size in candidates if isinstance(size, int)), None)
