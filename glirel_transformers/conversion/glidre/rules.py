"""How the original package `glidre` names its tensors, in the order of its state dictionary."""

from __future__ import annotations

import re

from glirel_transformers.choices_glirel import read_schema
from glirel_transformers.configuration_glirel import GLiRELConfig
from glirel_transformers.conversion.tensors import Renaming, Rule, concat_feed_forward, layer_fusion, same

_TEXT, _LABELS = "token_rep_layer.bert_layer.", "token_rep_layer.labels_encoder."

# What the original stores and never reads: an LSTM, the encoders' poolers, and buffers of positions, which older
# versions of transformers saved.
UNUSED = {
    "of an LSTM that is never applied": re.compile(r"rnn\..+"),
    "of poolers": re.compile(rf"({re.escape(_TEXT)}|{re.escape(_LABELS)})model\.pooler\..+"),
    "of positions": re.compile(
        rf"({re.escape(_TEXT)}|{re.escape(_LABELS)})model\.(.+\.)?(position_ids|token_type_ids)"
    ),
}


def _attention(original: str, ours: str, kind_of_attention: str) -> list[Rule]:
    """A block of attention: `self_attn`, with a map before each of its layers, or `cross_attn`, with one."""
    layers = {f"{kind_of_attention}.{name}_layer": name for name in ("query", "key", "value")}
    norms = {"pre_norm": "input_norm", "post_norm": "output_norm"}
    maps = {"q_proj": "query_map", "k_proj": "key_map", "v_proj": "value_map"}
    names = {**layers, **norms, **maps}
    return [same(f"{original}.{there}.{{kind}}", f"{ours}.{here}.{{kind}}") for there, here in names.items()]


def _fusion(schema: str | None, num_layers: int) -> list[Rule]:
    """Blocks that are counted through here, and by layer and step there."""
    steps = read_schema(schema) if schema else []
    rules = []
    for layer in range(num_layers):
        for place, step in enumerate(steps):
            kind = "self_attn" if step[0] == step[-1] else "cross_attn"
            here = f"glirel.fusion.layers.{layer * len(steps) + place}"
            rules += _attention(f"cross_fuser.layers.{layer}.{place}", here, kind)
    return rules


def renaming_for(config: GLiRELConfig) -> Renaming:
    """All tensors of a checkpoint; their number depends on its fusion schema."""
    rules = (
        same(f"{_TEXT}model.{{rest}}", "glirel.encoder.{rest}"),
        *layer_fusion(f"{_TEXT}layers_fuser", "glirel.layer_fusion"),
        same("token_rep_layer.projection.{kind}", "glirel.pooling.projection.{kind}"),
        same(f"{_LABELS}model.{{rest}}", "glirel.label_encoder.encoder.{rest}"),
        *layer_fusion(f"{_LABELS}layers_fuser", "glirel.label_encoder.fusion"),
        same("token_rep_layer.labels_projection.{kind}", "glirel.label_encoder.projection.{kind}"),
        *_fusion(config.fusion_schema, config.num_fusion_layers),
        *concat_feed_forward("span_rep_layer.head_extractor", "glirel.pair_context.head"),
        *concat_feed_forward("span_rep_layer.tail_extractor", "glirel.pair_context.tail"),
        *concat_feed_forward("span_rep_layer.projection", "glirel.pair_representation.feed_forward"),
        same("prompt_rep_layer.{layer}.{kind}", "glirel.relation_feed_forward.{layer}.{kind}"),
        *_attention("cross_attention_layer_rel", "glirel.label_attention", "cross_attn"),
        Rule("threshold_layer.0.weight", ("threshold.relations.weight", "threshold.pair.weight"), axis=1),
        same("threshold_layer.0.bias", "threshold.relations.bias"),
        same("threshold_layer.3.{kind}", "threshold.output.{kind}"),
    )
    return Renaming(
        "the original package",
        rules,
        re.compile("|".join(pattern.pattern for pattern in UNUSED.values())),
        "Take the glidre_config.json that was saved with the weights, and a complete copy of both.",
    )
