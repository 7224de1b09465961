"""A checkpoint as an ONNX graph that is proven to compute the same, in a folder that needs nothing else."""

from __future__ import annotations

import copy
import os
from pathlib import Path
from typing import Any

import torch

from glirel_transformers import __version__
from glirel_transformers.configuration_glirel import GLiRELConfig
from glirel_transformers.extras import require_extra
from glirel_transformers.loading import check_checkpoint, model_name
from glirel_transformers.modeling_glirel import GLiRELForRelationClassification, GLiRELPreTrainedModel

from .folder import check_output, write_card, write_sidecars, written_whole
from .graph import save_graph, to_onnx, to_program
from .optimization import fuse
from .validation import BOUNDS, ONNX_FILE, Validation, validate

PACKAGES = ("onnx", "onnxruntime", "onnxscript", "optimum")
DEFAULT_OPSET = 20  # the first with GELU as an operator; ONNX Runtime reads it since 1.17


def export(
    model: Any,
    output: str | os.PathLike[str],
    *,
    opset: int = DEFAULT_OPSET,
    dtype: str = "float32",
    optimize: bool = False,
    overwrite: bool = False,
) -> Path:
    """Exports a model to ONNX, compares the export with the model, and writes a folder that is whole.

    All axes are dynamic, and neither a threshold nor a top-k is in the graph. The folder holds `model.onnx` (weights
    beside it only above 2 GB), configuration, tokenizer, all `*_glirel.py` and a card with the comparison. Nothing is
    written unless the comparison passes.

    Args:
        model: a [`GLiRELForRelationClassification`], which stays as it is, or a folder or Hub repository with one.
        output: folder to write.
        opset: version of the ONNX operators.
        dtype: `"float32"`, or `"float16"` for GPUs; scores come out in float32 either way.
        optimize: whether to fuse operators into ONNX Runtime's own, for CPUs in float32 and for CUDA in float16. Other
            runtimes cannot read the graph then.
        overwrite: whether an export that is already there is replaced.

    Returns:
        The folder.

    Raises:
        ImportError: when a package of the extra `onnx` is missing.
        OSError: when there is no such model, or `output` is not empty.
        TypeError: when `model` is no such model.
        ValueError: when a setting is not supported, or the export computes other scores than the model.

    Example:
        >>> from glirel_transformers.export import export
        >>> folder = export("checkpoints/glirel-mini", "glirel-mini-onnx")
    """
    return export_with_report(model, output, opset=opset, dtype=dtype, optimize=optimize, overwrite=overwrite)[0]


def export_program(model: Any) -> torch.export.ExportedProgram:
    """A model as a `torch.export` program in float32, by the same configuration: same inputs, same dynamic axes.

    Args:
        model: as [`export`] takes it.

    Returns:
        The program. Its `module()` gives a dictionary with `logits`; `torch.export.save(program, "model.pt2")` writes
        it. Neither needs this package.

    Raises:
        ImportError: when a package of the extra `onnx` is missing.
        OSError, TypeError, ValueError: as [`export`].
    """
    require_extra("onnx", "optimum")
    from .config import exporter_config

    reference = load_reference(model)
    return to_program(reference, exporter_config(reference.config))


def export_with_report(
    model: Any,
    output: str | os.PathLike[str],
    *,
    opset: int = DEFAULT_OPSET,
    dtype: str = "float32",
    optimize: bool = False,
    overwrite: bool = False,
) -> tuple[Path, Validation]:
    """As [`export`], and returns the comparison as well."""
    require_extra("onnx", *PACKAGES)
    from .config import exporter_config

    target = Path(output)
    _check_settings(opset, dtype)
    check_output(target, overwrite)
    reference = load_reference(model)
    config = exporter_config(reference.config)
    traced = reference if dtype == "float32" else copy.deepcopy(reference).to(getattr(torch, dtype))
    with written_whole(target.absolute()) as folder:
        graph = to_onnx(traced, config, opset).model
        del traced
        if optimize:
            fuse(graph, "cpu" if dtype == "float32" else "cuda")
        graph.metadata_props.update(
            {"dtype": dtype, "optimized": str(optimize).lower(), "glirel_transformers": __version__}
        )
        save_graph(graph, folder / ONNX_FILE)
        del graph
        report = validate(reference, folder)
        report.check()
        write_sidecars(folder, reference, dtype)
        settings = {"dtype": dtype, "opset": opset, "is_optimized": optimize}
        write_card(folder, reference, target.absolute().name, (config.inputs, config.outputs), settings, report)
    return target, report


def load_reference(model: Any) -> Any:
    """The model to export and to compare with: its own copy, on a CPU, in float32, in evaluation mode.

    Args:
        model: as [`export`] takes it.

    Raises:
        OSError: when there is no such folder.
        TypeError: when `model` is no [`GLiRELForRelationClassification`].
        ValueError: when it cannot be exported as it is.
    """
    if isinstance(model, str | os.PathLike):
        name = model_name(os.fspath(model))
        if Path(name).is_dir():
            check_checkpoint(name)
        loaded = GLiRELForRelationClassification.from_pretrained(name, dtype=torch.float32).eval()
    else:
        loaded = _copy_in_float32(model)
    if loaded.tokenizer is None:
        raise ValueError(
            "The model has no tokenizer, without which an export is of no use. Set `model.tokenizer`, or copy the "
            "checkpoint's tokenizer.json and tokenizer_config.json beside its weights."
        )
    return loaded


def _copy_in_float32(model: Any) -> Any:
    # Not by class alone: a model that came with `trust_remote_code` has a class of its own.
    is_ours = isinstance(model, GLiRELPreTrainedModel) or (
        getattr(getattr(model, "config", None), "model_type", None) == GLiRELConfig.model_type
        and hasattr(model, "save_pretrained")
    )
    if not is_ours or not hasattr(model, "scorer"):
        raise TypeError(
            f"What is exported must be a GLiRELForRelationClassification, or a folder with one: got "
            f"{type(model).__name__}. Merge adapters first (merge_and_unload), and pass a pipeline's `model`."
        )
    if model.is_optimized:
        raise ValueError("An optimized model cannot be exported. Load it again without optimize_for_inference.")
    copied = copy.deepcopy(model).to(device="cpu", dtype=torch.float32).eval().requires_grad_(False)
    if copied.config._attn_implementation not in (None, "eager", "sdpa"):
        copied.set_attn_implementation("sdpa")
    return copied


def _check_settings(opset: int, dtype: str) -> None:
    from onnx.defs import onnx_opset_version

    from .graph import LOWEST_OPSET, highest_opset

    highest = min(onnx_opset_version(), highest_opset())
    if not LOWEST_OPSET <= opset <= highest:
        raise ValueError(
            f"`opset` must be from {LOWEST_OPSET} to {highest} with the packages installed: got {opset}. Leave it at "
            f"{DEFAULT_OPSET} unless your runtime needs another."
        )
    if dtype not in BOUNDS:
        raise ValueError(f"`dtype` must be one of {', '.join(map(repr, BOUNDS))}: got {dtype!r}.")
