"""A checkpoint as an ONNX graph that is proven to compute the same, in a folder that needs nothing else."""

from __future__ import annotations

import copy
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from glirel_transformers._version import __version__
from glirel_transformers.card_glirel import add_cost, export_card, write_card
from glirel_transformers.data import Document
from glirel_transformers.encoded_types_glirel import digest_of
from glirel_transformers.extras import require_extra

from .calibration import MAX_LOSS, Calibration, calibrate, check_documents
from .folder import find_output, write_sidecars, written_whole
from .graph import DEFAULT_OPSET, HIGHEST_OPSET, LOWEST_OPSET, save_graph, to_onnx, to_program
from .optimization import fuse
from .reference import load_reference
from .runtime import ORTModelForRelationClassification
from .sessions import LABELS_FILE, ONNX_FILE, RELATIONS_FILE, STATES_DIGEST, TYPES_DIGEST
from .validation import BOUNDS, Validation, validate

if TYPE_CHECKING:
    from glirel_transformers.heads_glirel import GLiRELHead
    from glirel_transformers.running_glirel import ScoresPairs

    from .config import GLiRELExporterConfig
    from .graph import Part

PACKAGES = ("onnx", "onnxruntime", "onnxscript", "optimum")


def export(
    model: GLiRELHead | str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    opset: int = DEFAULT_OPSET,
    dtype: str = "float32",
    optimize: bool = False,
    overwrite: bool = False,
) -> Path:
    """Exports a model to ONNX, compares the export with the model, and writes a complete folder.

    All axes are dynamic, and neither a threshold nor a top-k is in a graph. The folder holds `model.onnx` (weights
    next to it only above 2 GB); for a model with `label_encoding="separate"` also `labels.onnx`, which reads relation
    types; for one that finds entities also `relations.onnx`, which scores the pairs of those that were chosen of what
    `model.onnx` found; configuration, tokenizer, all `*_glirel.py` and a card with the comparison. Nothing is written
    unless the comparison passes.

    Args:
        model: a [`GLiRELForRelationClassification`] or [`GLiRELForJointExtraction`], which stays as it is, or a folder
            or Hub repository with one.
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
        TypeError: when `model` is not such a model.
        ValueError: when a setting is not supported, or the export computes other scores than the model.

    Examples:
        >>> from glirel_transformers.export import export
        >>> folder = export("checkpoints/glirel-mini", "glirel-mini-onnx")
    """
    return export_with_report(model, output, opset=opset, dtype=dtype, optimize=optimize, overwrite=overwrite)[0]


def export_program(
    model: GLiRELHead | str | os.PathLike[str], *, labels: bool = False, relations: bool = False
) -> torch.export.ExportedProgram:
    """A model as a `torch.export` program in float32, by the same configuration: same inputs, same dynamic axes.

    Args:
        model: as [`export`] takes it.
        labels: whether to export what reads relation types, of a model that reads them apart from texts.
        relations: whether to export what scores pairs, of a model that finds entities, in place of what finds them.

    Returns:
        The program. Its `module()` gives a dictionary with `logits`, or with `type_states` or `entity_logits`;
        `torch.export.save(program, "model.pt2")` writes it. Neither needs this package.

    Raises:
        ImportError: when a package of the extra `onnx` is missing.
        OSError, TypeError, ValueError: as [`export`].
    """
    require_extra("onnx", "optimum")
    from .config import exporter_config

    reference = load_reference(model)
    config = exporter_config(reference.config)
    if labels and config.types is None:
        raise ValueError("This model reads relation types before each text: there is no such program. Leave `labels`.")
    if relations and config.relations is None:
        raise ValueError("This model does not find entities, and has one program. Leave `relations`.")
    if labels and relations:
        raise ValueError("`labels` and `relations` are two programs. Pass one of them.")
    part = config.types if labels else config.relations if relations else config
    assert part is not None  # as was checked
    return to_program(reference, part)


def export_with_report(
    model: GLiRELHead | str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    opset: int = DEFAULT_OPSET,
    dtype: str = "float32",
    optimize: bool = False,
    overwrite: bool = False,
    documents: Sequence[Document] | None = None,
    max_loss: float = MAX_LOSS,
    force: bool = False,
) -> tuple[Path, Validation, Calibration | None]:
    """As [`export`], and returns the comparison as well, and what was measured on annotated documents.

    Args:
        documents: annotated texts that the model was not trained on. Without them nothing is measured.
        max_loss: how much of macro-F1 may be lost on them.
        force: whether it is written all the same where more is lost.
        model, output, opset, dtype, optimize, overwrite: as [`export`] takes them.

    Raises:
        AccuracyLossError: when too much is lost; a `ValueError`.
    """
    require_extra("onnx", *PACKAGES)
    from .config import exporter_config

    _check_settings(opset, dtype)
    check_documents(documents)
    target = find_output(output, overwrite)
    reference = load_reference(model)
    config = exporter_config(reference.config)
    traced = reference if dtype == "float32" else copy.deepcopy(reference).to(getattr(torch, dtype))
    about = {"dtype": dtype, "optimized": str(optimize).lower(), "glirel_transformers": __version__}
    if config.types is not None:
        about[TYPES_DIGEST] = digest_in(dtype, reference.types_digest())
    if config.relations is not None:
        about[STATES_DIGEST] = _states_digest(reference)
    with written_whole(target) as folder:
        for file, part in files_of(config).items():
            graph = to_onnx(traced, part, opset)
            if optimize:
                fuse(graph, "cpu" if dtype == "float32" else "cuda")
            graph.metadata_props.update(about)
            save_graph(graph, folder / file)
            del graph
        del traced
        report = validate(reference, folder)
        if not report.passed:
            raise ValueError(f"{report.failure()} Nothing was written.")
        card = export_card(
            target.name,
            reference.config,
            facts={
                "precision": dtype,
                "ONNX operators": f"version {opset}" + (", fused for ONNX Runtime" if optimize else ""),
            },
            graphs={file: part.shapes for file, part in files_of(config).items()},
            columns=report.columns,
            differences=report.rows(),
            bound=report.bound,
        )
        write_card(folder, card)
        write_sidecars(folder, reference, dtype)
        found = None
        if documents is not None:
            found = measure_cost(reference, folder, dtype, documents, None if force else max_loss)
    return target, report, found


def files_of(config: GLiRELExporterConfig) -> dict[str, Part]:
    """The graphs of an export by their files, and what each takes and gives."""
    files = {LABELS_FILE: config.types, ONNX_FILE: config, RELATIONS_FILE: config.relations}
    return {file: part for file, part in files.items() if part is not None}


def _states_digest(model: GLiRELHead) -> str:
    """The digest of everything that what passes between the graphs of a text and of pairs depends on."""
    return digest_of(((name, weight.numpy()) for name, weight in model.state_dict().items()), [])


def digest_in(numbers: str, digest: str) -> str:
    """The digest of what reads relation types, in numbers of another kind: `float16`, or a method of quantizing."""
    return digest if numbers == "float32" else digest_of((), [digest, numbers])


def measure_cost(
    before: ScoresPairs, folder: Path, method: str, documents: Sequence[Document], max_loss: float | None
) -> Calibration:
    """What an export costs on annotated documents; written on its card.

    Args:
        before: the model, or an export that is compared with.
        folder: of the export.
        method: what the card calls it.
        documents: what both read.
        max_loss: how much of macro-F1 may be lost; `None` for any.

    Raises:
        AccuracyLossError: when more is lost.
    """
    found = calibrate(before, ORTModelForRelationClassification.from_pretrained(folder), documents)
    if max_loss is not None:
        found.check(max_loss)
    add_cost(folder, method, vars(found))
    return found


def _check_settings(opset: int, dtype: str) -> None:
    from onnx.defs import onnx_opset_version

    highest = min(onnx_opset_version(), HIGHEST_OPSET)
    if not LOWEST_OPSET <= opset <= highest:
        raise ValueError(
            f"`opset` must be from {LOWEST_OPSET} to {highest} with the packages installed: got {opset}. Leave it at "
            f"{DEFAULT_OPSET} unless your runtime needs another."
        )
    if dtype not in BOUNDS:
        raise ValueError(f"`dtype` must be one of {', '.join(map(repr, BOUNDS))}: got {dtype!r}.")
