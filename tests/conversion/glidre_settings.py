"""Settings that the original GLiDRE has too, and checkpoints in its format, made here."""

from __future__ import annotations

from typing import Any

import pytest

from glirel_transformers.configuration_glirel import SYSTEMS

# Settings of `GLiRELConfig` that the original has too, next to those of its system.
COMMON: dict[str, Any] = {**SYSTEMS["glidre"], "hidden_size": 24, "max_words": 40}
_FUSED = {"fusion_schema": "l2l-l2t-t2t-t2l"}
SETTINGS: dict[str, dict[str, Any]] = {
    "base": {},
    "no_projection": {"hidden_size": 32},
    "wider": {"hidden_size": 48},
    "no_context": {"pair_context": "none"},
    "logsumexp": {"entity_pooling": "logsumexp"},
    "shared_words": {"shared_words": "removed_by_position"},
    "shared_words_without_context": {
        "shared_words": "removed_by_position",
        "pair_context": "none",
        "entity_pooling": "logsumexp",
    },
    "shared_words_logsumexp": {"shared_words": "removed_by_position", "entity_pooling": "logsumexp"},
    "atloss": {"threshold_head": True, "loss_function": "atloss"},
    "afloss": {"threshold_head": True, "loss_reduction": "mean"},
    "cross_attention": {"pair_label_attention": True},
    "fused_layers": {"layer_fusion": "padded"},
    "fusion": _FUSED,
    "other_fusion": {"fusion_schema": "t2l"},
    "fused_layers_without_context": {"layer_fusion": "padded", "pair_context": "none"},
    "losses": {"focal_gamma": 3.0, "focal_alpha": 0.5, "positive_weight": 2.0, "negative_weight": 2.0},
    "everything": {
        **_FUSED,
        "shared_words": "removed_by_position",
        "threshold_head": True,
        "loss_function": "atloss",
        "pair_label_attention": True,
        "layer_fusion": "padded",
        "hidden_size": 48,
    },
}

# For tests that make a checkpoint: what is tested on every push, and the others.
# Those that stand for the others on every push.
_ON_EVERY_PUSH = ("base", "everything", "shared_words_logsumexp", "fusion", "no_projection", "no_context", "atloss")
CASES = [name if name in _ON_EVERY_PUSH else pytest.param(name, marks=pytest.mark.sweep) for name in SETTINGS]
