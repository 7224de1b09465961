"""How the original package names its settings, and how they are named here, in both directions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from transformers.utils import logging

from glirel_transformers.configuration_glirel import GLiRELConfig
from glirel_transformers.conversion.settings import REQUIRED, Setting, check_counterparts

logger = logging.get_logger(__name__)

CONFIG = "glirel_config.json"

SETTINGS: tuple[Setting, ...] = (
    Setting("hidden_size", "hidden_size", default=REQUIRED),
    Setting(
        "subtoken_pooling",
        "subtoken_pooling",
        {"first": "first", "last": "last", "mean": "sum", "first_last": "first_last"},
        default=REQUIRED,
    ),
    Setting(
        "label_embed_strategy",
        "relation_representation",
        {"label": "label", "ent_token": "rel_token", "both": "both"},
        default=REQUIRED,
    ),
    Setting(
        "span_marker_mode", "mention_representation", {"markerv1": "endpoints", "markerv2": "mean"}, default=REQUIRED
    ),
    Setting("refine_relation", "num_pair_refinement_layers", {False: 0, True: 1}, default=False),
    Setting("refine_prompt", "num_relation_refinement_layers", {False: 0, True: 2}, default=False),
    Setting("ffn_mul", "refinement_feed_forward_multiplier"),
    Setting(
        "scorer",
        "scorer",
        {name: name for name in ("dot", "dot_thresh", "dot_norm", "concat_proj")},
        default=REQUIRED,
    ),
    Setting("dropout", "dropout", default=REQUIRED),
    Setting("coref_classifier", "coreference_classifier", {False: False, True: True}, default=False),
    Setting("coreference_label", "coreference_label"),
    Setting(
        "loss_func",
        "loss_function",
        {"binary_cross_entropy_loss": "bce", "focal_loss": "focal"},
        default="binary_cross_entropy_loss",
    ),
    Setting("alpha", "focal_alpha", default=0.75),
    Setting("gamma", "focal_gamma", default=3.0),
    Setting("positive_weight", "positive_weight", default=2.0),
    Setting("negative_weight", "negative_weight", default=1.0),
    Setting("add_entity_markers", "entity_markers", {False: False, True: True}, default=False),
    Setting("max_entity_pair_distance", "max_pair_distance"),
    Setting("max_len", "max_words"),
)

# What the original adds to the encoder's vocabulary, in this order and whatever its settings.
NEW_TOKENS = ("[FLERT]", "[REL]", "[SEP]", "[E]", "[/E]")

# What a model that was trained here has no settings for, so that the original can read it.
_FOR_THE_ORIGINAL = {
    "rel_mode": "marker",
    "max_width": 12,
    "fine_tune": True,
    "fixed_relation_types": True,
    "num_train_rel_types": 25,
    "random_drop": True,
    "coref_loss_weight": 1.0,
}


def settings_from(original: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of [`GLiRELConfig`] but the encoder's, from the content of a `glirel_config.json`.

    Raises:
        ValueError: when a setting is missing, or has a value that the original does not know.
    """
    if (mode := original.get("rel_mode", "marker")) != "marker":
        raise ValueError(f"`rel_mode` in glirel_config.json must be 'marker': got {mode!r}.")
    _check_complete(original)
    unread = _unread(original)
    settings = {
        setting.ours: setting.translate(original, CONFIG) for setting in SETTINGS if setting.original not in unread
    }
    if "ffn_mul" not in unread and settings["refinement_feed_forward_multiplier"] is None:
        raise ValueError("glirel_config.json lacks `ffn_mul`, the inner width of the refinement layers.")
    settings["coreference_label"] = _one_label(settings["coreference_label"])
    return settings | _compatibility(settings)


def _check_complete(original: Mapping[str, Any]) -> None:
    absent = [s.original for s in SETTINGS if s.default is REQUIRED and original.get(s.original) is None]
    if absent:
        raise ValueError(
            f"glirel_config.json lacks {', '.join(absent)}: it has {sorted(original)}. It is not a configuration of "
            "the original package's version 1, or it was saved incompletely; take the one saved with the weights."
        )


def _unread(original: Mapping[str, Any]) -> set[str]:
    """Settings that the original does not read, given the others."""
    unread = set() if original.get("loss_func") == "focal_loss" else {"alpha", "gamma"}
    refines = original.get("refine_relation") or original.get("refine_prompt")
    return unread if refines else unread | {"ffn_mul"}


def _one_label(labels: object) -> str | None:
    if labels is None or isinstance(labels, str):
        return labels
    if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
        raise ValueError(
            f"`coreference_label` in glirel_config.json must be a name or a list of names: got {labels!r}."
        )
    if len(labels) > 1:
        logger.warning(
            "`coreference_label` lists %s; the first is taken, and the others are relation types like any other.",
            labels,
        )
    return labels[0] if labels else None


def _compatibility(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Fields that the original has no setting for, because it always behaves that way."""
    fields: dict[str, Any] = {
        "feed_forward_multiplier": 4,
        "use_lstm": True,
        "endpoint_projection": settings["mention_representation"] == "endpoints",
        "shared_relation_positions": False,
        "label_encoding": "joint",
        "entity_pooling": "mean",
        "pair_context": "none",
    }
    if settings["num_pair_refinement_layers"] or settings["num_relation_refinement_layers"]:
        fields |= {"num_refinement_heads": settings["hidden_size"] // 64, "refinement_self_attention": False}
    if settings["num_relation_refinement_layers"]:
        fields["relation_refinement_sees_pairs"] = False
    if settings["entity_markers"]:
        fields["marker_placement"] = "sequential"
    return fields


def original_from(config: GLiRELConfig, model_name: str | None) -> dict[str, Any]:
    """The content of `glirel_config.json` for `config`: the original's settings, where they are still the same.

    Args:
        config: of a converted model, or of one trained here.
        model_name: the encoder, if it differs from the one that `config` names.

    Raises:
        ValueError: when a setting has no counterpart in the original.
    """
    _check_compatible(config)
    converted = config.original_config is not None
    original = dict(config.original_config or _FOR_THE_ORIGINAL)
    before = settings_from(original) if converted else {}
    for setting in SETTINGS:
        value = getattr(config, setting.ours)
        if converted and before.get(setting.ours, GLiRELConfig.__dataclass_fields__[setting.ours].default) == value:
            continue
        if setting.original == "ffn_mul" and value is None:
            value = config.feed_forward_multiplier
        original[setting.original] = setting.translate_back(value)
    if model_name is not None:
        original["model_name"] = model_name
    return original


def _check_compatible(config: GLiRELConfig) -> None:
    fields = _compatibility({setting.ours: getattr(config, setting.ours) for setting in SETTINGS})
    check_counterparts(config, SETTINGS, fields)
