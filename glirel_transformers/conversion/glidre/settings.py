"""How the original package `glidre` names its settings, and how they are named here, in both directions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from transformers.utils import logging

from glirel_transformers.configuration_glirel import GLiRELConfig
from glirel_transformers.conversion.settings import Setting, Value, check_counterparts

logger = logging.get_logger(__name__)

CONFIG = "glidre_config.json"

SETTINGS: tuple[Setting, ...] = (
    Setting("hidden_size", "hidden_size", default=512),
    Setting("dropout", "dropout", default=0.4),
    Setting("max_len", "max_words", default=512),
    Setting("atlop", "pair_context", {True: "localized", False: "none"}, default=True),
    Setting("self_rel", "shared_words", {True: "kept", False: "removed_by_position"}, default=True),
    Setting("pooling", "entity_pooling", {name: name for name in ("mean", "logsumexp")}, default="mean"),
    Setting("cross_attention", "pair_label_attention", {False: False, True: True}, default=False),
    Setting("fuse_layers", "layer_fusion", {False: "none", True: "padded"}, default=False),
    Setting("post_fusion_schema", "fusion_schema", default=""),
    Setting("alpha", "focal_alpha", default=0.25),
    Setting("gamma", "focal_gamma", default=2.0),
    Setting("reduction", "loss_reduction", default="mean"),
)

# Each loss that can be asked for, with the loss that the original then computes and whether pairs have thresholds.
LOSSES: dict[str, tuple[str, bool]] = {
    "": ("focal", False),
    "atloss": ("atloss", True),
    "afloss": ("focal", True),
    "f1": ("focal", False),
    "both": ("focal", False),
}

# What the original cannot choose.
_ALWAYS: dict[str, Value] = {
    "label_encoding": "separate",
    "label_pooling": "mean",
    "subtoken_pooling": "first",
    "mention_representation": "words",
    "feed_forward_multiplier": 4,
    "num_fusion_layers": 3,
    "num_refinement_heads": 8,
    "scorer": "dot",
}
_NEVER: dict[str, Value] = {
    "use_lstm": False,
    "entity_markers": False,
    "num_pair_refinement_layers": 0,
    "num_relation_refinement_layers": 0,
    "coreference_classifier": False,
    "max_pair_distance": None,
}

# Settings that name or describe encoders, or have no effect on scores and on the loss; they are kept for the way back.
_WITHOUT_EFFECT = frozenset(
    """
    model_name labels_encoder encoder_config labels_encoder_config model_type name vocab_size transformers_version
    dtype torch_dtype architectures _attn_implementation_autoset _name_or_path words_splitter_type loss weights
    subtoken_pooling span_mode max_width embed_ent_token ent_token sep_token class_token_index max_types
    max_neg_type_ratio fine_tune has_rnn num_post_fusion_layers label_smoothing random_drop shuffle_types
    freeze_token_rep size_sup
    """.split()  # noqa: SIM905
)

# What a model that was trained here has no settings for, so that the original can read it. It needs no LSTM.
_FOR_THE_ORIGINAL: dict[str, Any] = {
    "model_type": "glidre",
    "name": "glidre",
    "span_mode": "markerV0",
    "subtoken_pooling": "first",
    "has_rnn": False,
    "fine_tune": True,
    "num_post_fusion_layers": 3,
    "vocab_size": -1,
    "words_splitter_type": "whitespace",
    "weights": None,
    "loss": "",
}


def settings_from(original: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of [`GLiRELConfig`] but the encoders', from the content of a `glidre_config.json`.

    Raises:
        ValueError: when a setting has a value that the original does not know.
    """
    loss = original.get("loss") or ""
    if loss not in LOSSES:
        raise ValueError(f"`loss` in {CONFIG} must be one of {', '.join(map(repr, LOSSES))}: got {loss!r}.")
    settings: dict[str, Any] = {setting.ours: setting.translate(original, CONFIG) for setting in SETTINGS}
    settings["fusion_schema"] = settings["fusion_schema"] or None
    settings["loss_function"], settings["threshold_head"] = LOSSES[loss]
    if settings["loss_reduction"] != "mean":  # as the original does with anything else
        settings["loss_reduction"] = "sum"
    if isinstance(settings["focal_alpha"], (int, float)) and settings["focal_alpha"] < 0:  # which switches it off
        settings |= {"focal_alpha": 0.5, "positive_weight": 2.0, "negative_weight": 2.0}
    return settings | _ALWAYS


def report(original: Mapping[str, Any]) -> None:
    """Says, once each, which settings of a `glidre_config.json` are not what they say, or are not read."""
    loss = original.get("loss") or ""
    if loss not in ("", "atloss"):
        of_thresholds = " and does not train the pairs' thresholds" if LOSSES[loss][1] else ""
        logger.warning(
            "`loss` is %r, which the original package computes and then replaces by the focal loss: loss_function is "
            "'focal' here%s.",
            loss,
            of_thresholds,
        )
    if original.get("weights") is not None:
        logger.warning("`weights`, a factor for each relation type in the loss, is not read here.")
    known = _WITHOUT_EFFECT | {setting.original for setting in SETTINGS}
    if unknown := sorted(set(original) - known):
        logger.warning("These settings of %s are not known and are not read: %s.", CONFIG, ", ".join(unknown))


def original_from(config: GLiRELConfig, encoder: str | None, label_encoder: str | None) -> dict[str, Any]:
    """The content of `glidre_config.json` for `config`: the original's settings, where they are still the same.

    Args:
        config: of a converted model, or of one trained here.
        encoder, label_encoder: the encoders, if they differ from those that `config` names.

    Raises:
        ValueError: when a setting has no counterpart in the original.
    """
    check_counterparts(config, SETTINGS, _fixed(config))
    converted = config.original_config is not None
    original = dict(config.original_config or _FOR_THE_ORIGINAL)
    before = settings_from(original) if converted else {}
    for setting in SETTINGS:
        value = getattr(config, setting.ours)
        if not converted or before[setting.ours] != value:
            original[setting.original] = setting.translate_back(value)
    if not converted or before["fusion_schema"] != config.fusion_schema:
        original["post_fusion_schema"] = config.fusion_schema or ""
    loss = (config.loss_function, config.threshold_head)
    if not converted or (before["loss_function"], before["threshold_head"]) != loss:
        original["loss"] = next(name for name, ours in LOSSES.items() if ours == loss)
    if _has_no_alpha(config) and not (converted and "positive_weight" in before):
        original["alpha"] = -1
    names = {"model_name": encoder, "labels_encoder": label_encoder}
    original |= {name: value for name, value in names.items() if value is not None}
    if not converted:
        configs = {"encoder_config": config.encoder_config, "labels_encoder_config": config.label_encoder_config}
        original |= {name: value.to_dict() for name, value in configs.items() if value is not None}
    return original


def _has_no_alpha(config: GLiRELConfig) -> bool:
    return (config.focal_alpha, config.positive_weight, config.negative_weight) == (0.5, 2.0, 2.0)


def _fixed(config: GLiRELConfig) -> dict[str, Value]:
    """What has one value only, given the other settings."""
    fixed = {**_ALWAYS, **_NEVER}
    if not _has_no_alpha(config):
        fixed |= {"positive_weight": 1.0, "negative_weight": 1.0}
    if not config.pair_label_attention:
        del fixed["num_refinement_heads"]
    if config.fusion_schema is None:
        del fixed["num_fusion_layers"]
    if (config.loss_function, config.threshold_head) not in LOSSES.values():
        fixed["loss_function"] = "focal"
    return fixed
