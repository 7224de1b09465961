"""Settings that the original package has too, and weights to fill its checkpoints with."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

# Settings of `GLiRELConfig` that the original package has too, beside those of `COMMON`.
COMMON: dict[str, Any] = {"use_lstm": True, "endpoint_projection": True, "max_words": 60}
_REFINES: dict[str, Any] = {
    "hidden_size": 64,
    "num_refinement_heads": 1,
    "refinement_self_attention": False,
    "refinement_feed_forward_multiplier": 2,
}
_MEAN: dict[str, Any] = {"mention_representation": "mean", "endpoint_projection": False}
SETTINGS: dict[str, dict[str, Any]] = {
    "base": {},
    "rel_token": {"relation_representation": "rel_token"},
    "both": {"relation_representation": "both"},
    "mean_mentions": _MEAN,
    "last": {"subtoken_pooling": "last"},
    "sum": {"subtoken_pooling": "sum"},
    "first_last": {"subtoken_pooling": "first_last", "hidden_size": 64},
    "first_last_projected": {"subtoken_pooling": "first_last"},
    "narrower": {"hidden_size": 16},
    "wider": {"hidden_size": 64},
    "dot_thresh": {"scorer": "dot_thresh"},
    "dot_norm": {"scorer": "dot_norm"},
    "concat_proj": {"scorer": "concat_proj"},
    "refined_pairs": {**_REFINES, "num_pair_refinement_layers": 1},
    "refined_relations": {**_REFINES, "num_relation_refinement_layers": 2, "relation_refinement_sees_pairs": False},
    "coreference": {"coreference_classifier": True, "coreference_label": "SELF"},
    "markers": {"entity_markers": True, "marker_placement": "sequential"},
    "distance": {"max_pair_distance": 6},
    "focal": {"loss_function": "focal", "focal_alpha": 0.6, "focal_gamma": 2.0, "positive_weight": 2.0},
    "everything": {
        **_REFINES,
        **_MEAN,
        "num_pair_refinement_layers": 1,
        "num_relation_refinement_layers": 2,
        "relation_refinement_sees_pairs": False,
        "subtoken_pooling": "first_last",
        "relation_representation": "both",
        "scorer": "concat_proj",
        "coreference_classifier": True,
        "entity_markers": True,
        "marker_placement": "sequential",
        "max_pair_distance": 20,
    },
}
# Those that stand for the others on every push.
_ON_EVERY_PUSH = ("base", "everything", "mean_mentions", "first_last", "narrower", "dot_norm", "refined_relations")
CASES = [name if name in _ON_EVERY_PUSH else pytest.param(name, marks=pytest.mark.sweep) for name in SETTINGS]


def noise(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Weights computed from their positions: the same on every machine and with every version of torch."""
    filled = dict(state)
    for place, name in enumerate(sorted(state)):
        tensor = state[name]
        steps = torch.arange(tensor.numel(), dtype=torch.float64)
        values = (torch.sin(steps * 12.9898 + place * 78.233) * 43758.5453).frac().reshape(tensor.shape)
        if tensor.ndim > 1:
            values = values * math.sqrt(3 / tensor.shape[1])
        elif "norm" in name.lower() and name.endswith("weight"):
            values = 1 + 0.2 * values
        filled[name] = values.to(tensor.dtype)
    return filled
