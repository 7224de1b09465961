"""Fuses a graph's operators into those that only ONNX Runtime has."""

from __future__ import annotations

from typing import Any


def fuse(graph: Any, provider: str) -> None:
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
