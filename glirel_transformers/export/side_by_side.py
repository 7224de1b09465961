"""A model and its export, run on the same input: what each of them gives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeAlias

import torch
from torch import Tensor

from glirel_transformers.finder_glirel import reaches_into_padding

from .sessions import LABELS_FILE, ONNX_FILE, RELATIONS_FILE
from .tensors import ENTITY_TENSORS, TYPE_STATES

if TYPE_CHECKING:
    import numpy as np
    from onnxruntime import InferenceSession

    from glirel_transformers.heads_glirel import GLiRELHead

    from .config import GLiRELExporterConfig, GLiRELRelationsExporterConfig

Pairs: TypeAlias = "list[tuple[np.ndarray, np.ndarray]]"


@torch.no_grad()
def run_both(
    model: GLiRELHead,
    config: GLiRELExporterConfig,
    sessions: Mapping[str, InferenceSession],
    name: str,
    sizes: Mapping[str, int],
    seed: int,
) -> Pairs:
    """Every output, as (expected, exported); what one graph makes is passed on to the next.

    Args:
        model: in float32, in evaluation mode.
        config: of its export.
        sessions: by the names of files.
        name: of the shape, for errors.
        sizes: of the axes.
        seed: of what is drawn.
    """
    batch = config.generate_dummy_inputs(**sizes, seed=seed)
    exported, pairs = dict(batch), []
    if config.types is not None and sizes["num_types"]:
        tokens = config.types.generate_dummy_inputs(**sizes, seed=seed)
        batch[TYPE_STATES] = model.glirel.encode_types(**{key.removeprefix("type_"): tokens[key] for key in tokens})
        (made,) = run(sessions[LABELS_FILE], name, tokens)
        exported[TYPE_STATES] = torch.from_numpy(made)
        pairs.append((batch[TYPE_STATES].numpy(), made))
    got = dict(zip(config.outputs, run(sessions[ONNX_FILE], name, exported), strict=True))
    if config.relations is None:
        expected = model(**batch)
        return pairs + [(expected[key].numpy(), got[key]) for key in config.outputs]
    entities = config.relations.generate_dummy_inputs(**sizes, seed=seed)
    given = {key: torch.from_numpy(got[key]) if key in got else value for key, value in entities.items()}
    got |= dict(zip(config.relations.outputs, run(sessions[RELATIONS_FILE], name, given), strict=True))
    wanted = _found(model, config.relations, batch, {key: entities[key] for key in ENTITY_TENSORS})
    real = _real_cells(model, batch, wanted["entity_logits"])
    wanted["entity_logits"] = wanted["entity_logits"] * real  # padding has no meaning
    got["entity_logits"] = got["entity_logits"] * real.numpy()
    return pairs + [(wanted[key].numpy(), got[key]) for key in wanted]


def _found(
    model: GLiRELHead,
    config: GLiRELRelationsExporterConfig,
    batch: Mapping[str, Tensor],
    entities: Mapping[str, Tensor],
) -> dict[str, Tensor]:
    """What a model gives that finds entities: logits of entities, and those of all pairs that are given."""
    outputs = model.glirel(**batch, **entities, scorer=model.pair_scorer)  # without a threshold of the adjacency
    cells = outputs.pair_mask.unsqueeze(2) & outputs.relation_mask.unsqueeze(1)
    given = {
        **outputs,
        "logits": outputs.scores.masked_fill(~cells, torch.finfo(outputs.scores.dtype).min),
        "coreference_logits": outputs.coreference_scores,
        "threshold_logits": outputs.threshold_scores,
    }
    return {name: given[name] for name in ("entity_logits", *config.outputs)}


def _real_cells(model: GLiRELHead, batch: Mapping[str, Tensor], logits: Tensor) -> Tensor:
    """Which logits of entities have a meaning: those of words, spans and types that are real."""
    words, types = batch["word_mask"], batch["entity_type_mask"]
    if model.config.entity_finder == "token":
        return (words.unsqueeze(2) & types.unsqueeze(1)).unsqueeze(-1)
    return ~reaches_into_padding(words, logits.shape[2]).unsqueeze(-1) & types[:, None, None]


def run(session: InferenceSession, name: str, batch: Mapping[str, Tensor]) -> list[np.ndarray]:
    """The outputs of a session.

    Raises:
        ValueError: when it does not run.
    """
    try:
        return session.run(None, {key: tensor.numpy() for key, tensor in batch.items()})
    except Exception as error:
        raise ValueError(f"The export does not run for the shape {name!r}: {error} Export the model again.") from error


__all__ = ["run_both"]
