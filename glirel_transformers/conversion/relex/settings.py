"""How the package `gliner` names the settings of a GLiNER-Relex model, and how they are named here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from transformers.utils import logging

from glirel_transformers.checkpoints import ORIGINAL_CONFIGS
from glirel_transformers.configuration_glirel import GLiRELConfig
from glirel_transformers.conversion.settings import Setting, Value, check_counterparts

logger = logging.get_logger(__name__)

CONFIG = ORIGINAL_CONFIGS["relex"]

_AT_TOKEN: dict[str | bool, Value] = {True: "rel_token", False: "label_start"}
_SELECTIONS = ("dot", "bilinear", "mlp", "attention", "gcn", "gat")
_TRIPLES = (
    *("DistMult", "SimplE", "ComplEx", "QuatE", "HolE", "DistMA", "UM", "SE", "TransE", "TransH", "TransF", "PairRE"),
    *("TripleRE", "ERMLP", "ConvKB", "ConvE", "TuckER"),
)
_DISTANCES = ("um", "se", "transe", "transh", "transf", "pairre", "triplere")
_SPAN_MODES = {
    "markerV0": "endpoints",
    "markerV1": "endpoints_and_mean",
    "markerV2": "endpoints_and_last",
    "token_level": "endpoints",
    **{name: name for name in ("marker", "query", "mlp", "cat")},
    **{name: name for name in ("conv_conv", "conv_max", "conv_mean", "conv_sum", "conv_share")},
}

SETTINGS: tuple[Setting, ...] = (
    Setting("hidden_size", "hidden_size", default=512),
    Setting("dropout", "dropout", default=0.4),
    Setting("max_len", "max_words", default=384),
    Setting("subtoken_pooling", "subtoken_pooling", {n: n for n in ("first", "last", "mean", "max")}, default="first"),
    Setting("fuse_layers", "layer_fusion", {False: "none", True: "masked"}, default=False),
    Setting("embed_ent_token", "entity_type_representation", _AT_TOKEN, default=True),
    Setting("embed_rel_token", "relation_representation", _AT_TOKEN, default=True),
    Setting(
        "relations_layer",
        "pair_selection",
        {"none": "all", **{name: name for name in _SELECTIONS}, "attn": "attention"},
        default="",
    ),
    Setting("span_loss_coef", "entity_loss_weight", default=1.0),
    Setting("adjacency_loss_coef", "adjacency_loss_weight", default=1.0),
    Setting("relation_loss_coef", "relation_loss_weight", default=1.0),
)

# What the original cannot choose.
_ALWAYS: dict[str, Value] = {
    "label_encoding": "joint",
    "relation_projection": False,
    "feed_forward_multiplier": 4,
    "prompt_separators": "each",
    "word_splitting": "ascii_hyphens",
}
_NEVER: dict[str, Value] = {
    "entity_markers": False,
    "num_pair_refinement_layers": 0,
    "num_relation_refinement_layers": 0,
    "pair_context": "none",
    "pair_label_attention": False,
    "coreference_classifier": False,
    "threshold_head": False,
    "max_pair_distance": None,
    "shared_relation_positions": False,
}

# Settings that name or describe encoders, or have no effect on scores; they are kept for the way back.
_WITHOUT_EFFECT = frozenset(
    """
    model_name name model_type encoder_config span_encoder_config labels_encoder labels_encoder_config
    labels_decoder vocab_size transformers_version dtype torch_dtype architectures class_token_index
    rel_token_index ent_token sep_token rel_token fine_tune max_types max_neg_type_ratio neg_spans_ratio
    represent_spans token_loss_coef id_to_classes rel_id_to_classes precomputed_prompts_mode post_fusion_schema
    num_post_fusion_layers augment_data_prob augment_ent_drop_prob augment_rel_drop_prob augment_add_other_prob
    words_splitter_type span_mode max_width num_rnn_layers triples_layer _attn_implementation _name_or_path
    decoder_mode full_decoder_context blank_entity_prob decoder_loss_coef has_rnn context_encoder_config
    """.split()  # noqa: SIM905
)

# What a model that was trained here has no settings for, so that the original can read it.
_FOR_THE_ORIGINAL: dict[str, Any] = {
    "name": "glirel-transformers",
    "fine_tune": True,
    "max_types": 100,
    "words_splitter_type": "whitespace",
    "represent_spans": False,
    "post_fusion_schema": "",
    "num_post_fusion_layers": 1,
}


def settings_from(original: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of [`GLiRELConfig`] but the encoder's, from the content of a `gliner_config.json`.

    Raises:
        ValueError: when a setting has a value that is not known; when the model extracts no relations.
    """
    if original.get("relations_layer") is None:
        raise ValueError(
            f"{CONFIG} has relations_layer=None: this is a model that finds entities and extracts no relations. "
            "Convert one with relations_layer='none' or the name of a layer, such as GLiNER-Relex."
        )
    for name in ("labels_encoder", "labels_decoder", "context_encoder_config", "span_encoder_config"):
        if original.get(name) is not None:
            raise ValueError(
                f"`{name}` in {CONFIG} is {str(original[name])[:60]!r}: models with one cannot be converted."
            )
    if (splitter := original.get("words_splitter_type", "whitespace")) != "whitespace":
        raise ValueError(f"`words_splitter_type` in {CONFIG} must be 'whitespace': got {splitter!r}.")
    settings: dict[str, Any] = {setting.ours: setting.translate(original, CONFIG) for setting in SETTINGS}
    mode, triples = original.get("span_mode", "markerV0"), original.get("triples_layer")
    if mode not in _SPAN_MODES:
        raise ValueError(f"`span_mode` in {CONFIG} must be one of {', '.join(map(repr, _SPAN_MODES))}: got {mode!r}.")
    if triples is not None and triples not in _TRIPLES:
        raise ValueError(
            f"`triples_layer` in {CONFIG} must be one of {', '.join(_TRIPLES)}, or null: got {triples!r}."
        )
    is_token_level = mode == "token_level"
    num_layers = int(original.get("num_rnn_layers", 1))
    scorer = "dot" if triples is None else triples.lower()
    representation = _SPAN_MODES[mode]
    return {
        **settings,
        "entity_finder": "token" if is_token_level else "span",
        "max_entity_width": None if is_token_level else int(original.get("max_width", 12)),
        "mention_representation": representation,
        "endpoint_projection": representation.startswith("endpoints"),
        "use_lstm": num_layers > 0,
        "num_lstm_layers": max(num_layers, 1),
        "scorer": scorer,
        "pair_representation": "concat" if triples is None else "ends",
        "distance_limit": 10.0 if scorer in _DISTANCES else None,
        # Of the published training; the configuration does not say.
        "loss_function": "focal",
        "focal_alpha": 0.75,
        "focal_gamma": 0.0,
        "loss_reduction": "sum",
        **_ALWAYS,
    }


def report_unknown(original: Mapping[str, Any]) -> None:
    """Says which settings of a `gliner_config.json` are not read."""
    known = _WITHOUT_EFFECT | {setting.original for setting in SETTINGS}
    if unknown := sorted(set(original) - known):
        logger.warning("These settings of %s are not known and are not read: %s.", CONFIG, ", ".join(unknown))


def original_from(config: GLiRELConfig, encoder: str | None) -> dict[str, Any]:
    """The content of `gliner_config.json` for `config`: the original's settings, where they are still the same.

    Args:
        config: of a converted model, or of one trained here.
        encoder: the encoder, if it differs from the one that `config` names.

    Raises:
        ValueError: when a setting has no counterpart in the original.
    """
    fixed = {**_ALWAYS, **_NEVER}
    if config.mention_representation not in _SPAN_MODES.values():
        fixed["mention_representation"] = "endpoints"
    if config.scorer not in ("dot", *map(str.lower, _TRIPLES)):
        fixed["scorer"] = "dot"
    if config.scorer in _DISTANCES:
        fixed["distance_limit"] = 10.0
    if config.entity_finder == "token":
        fixed |= {"max_entity_width": None, "mention_representation": "endpoints"}
    if config.mention_representation.startswith("endpoints"):
        fixed["endpoint_projection"] = True
    check_counterparts(config, SETTINGS, fixed)
    converted = config.original_config is not None
    original = dict(config.original_config or _FOR_THE_ORIGINAL)
    before = settings_from(original) if converted else {}
    for setting in SETTINGS:
        value = getattr(config, setting.ours)
        if not converted or before[setting.ours] != value:
            original[setting.original] = setting.translate_back(value)
    modes = {ours: mode for mode, ours in _SPAN_MODES.items() if mode != "token_level"}
    derived: dict[str, tuple[tuple[str, ...], Any]] = {
        "span_mode": (
            ("entity_finder", "mention_representation"),
            "token_level" if config.entity_finder == "token" else modes[config.mention_representation],
        ),
        "max_width": (("max_entity_width",), config.max_entity_width or 12),
        "num_rnn_layers": (("use_lstm", "num_lstm_layers"), config.num_lstm_layers if config.use_lstm else 0),
        "triples_layer": (("scorer",), next((n for n in _TRIPLES if n.lower() == config.scorer), None)),
    }
    for name, (fields, value) in derived.items():
        if not converted or any(before[field] != getattr(config, field) for field in fields):
            original[name] = value
    if encoder is not None:
        original["model_name"] = encoder
    if not converted:
        original["encoder_config"] = config.encoder_config.to_dict()
    return original
