"""How the original package `glirel` names its tensors, in the order of its state dictionary."""

from __future__ import annotations

import re

from glirel_transformers.conversion.tensors import Renaming, Rule, concat_feed_forward, same

ENCODER = "token_rep_layer.bert_layer.model."

# Of the encoder, but without a counterpart here: a pooler, which neither package reads, and buffers of positions,
# which older versions of transformers saved.
_UNUSED = re.compile(rf"{re.escape(ENCODER)}(pooler\..+|(.+\.)?(position_ids|token_type_ids))")


def _refinement(original: str, ours: str, num_layers: int) -> list[Rule]:
    rules = []
    for layer in range(num_layers):
        there, here = f"{original}.blocks.{layer}", f"{ours}.layers.{layer}"
        attention = f"{here}.cross_attention"
        projections = tuple(f"{attention}.{name}.{{kind}}" for name in ("query", "key", "value"))
        rules += [
            Rule(f"{there}.read.mha.in_proj_{{kind}}", projections),
            same(f"{there}.read.mha.out_proj.{{kind}}", f"{attention}.output.{{kind}}"),
            same(f"{there}.norm_read.{{kind}}", f"{here}.cross_norm.{{kind}}"),
            same(f"{there}.ffn.{{layer}}.{{kind}}", f"{here}.feed_forward.{{layer}}.{{kind}}"),
            same(f"{there}.norm_ffn.{{kind}}", f"{here}.feed_forward_norm.{{kind}}"),
        ]
    return [*rules, same(f"{original}.output.{{kind}}", f"{ours}.output.{{kind}}")]


_SPANS, _MENTIONS = "span_rep_layer.rel_rep_layer", "glirel.mention_representation"

_RULES: tuple[Rule, ...] = (
    same(f"{ENCODER}{{rest}}", "glirel.encoder.{rest}"),
    same("token_rep_layer.projection.{kind}", "glirel.pooling.projection.{kind}"),
    same("rnn.lstm.{kind}_l0", "glirel.lstm.forward_lstm.{kind}_l0"),
    same("rnn.lstm.{kind}_l0_reverse", "glirel.lstm.backward_lstm.{kind}_l0"),
    # span_marker_mode="markerv1"
    *(
        same(
            f"{_SPANS}.span_marker.project_{end}.{{layer}}.{{kind}}",
            f"{_MENTIONS}.{end}_projection.0.{{layer}}.{{kind}}",
        )
        for end in ("start", "end")
    ),
    *concat_feed_forward(f"{_SPANS}.span_marker.out_project", f"{_MENTIONS}.feed_forward"),
    # span_marker_mode="markerv2"
    same(f"{_SPANS}.span_marker.projection.{{layer}}.{{kind}}", f"{_MENTIONS}.feed_forward.{{layer}}.{{kind}}"),
    *concat_feed_forward(f"{_SPANS}.out_project", "glirel.pair_representation.feed_forward"),
    same("prompt_rep_layer.{layer}.{kind}", "glirel.relation_feed_forward.{layer}.{kind}"),
    *_refinement("refine_relation", "glirel.pair_refinement", num_layers=1),
    *_refinement("refine_prompt", "glirel.relation_refinement", num_layers=2),
    same("coref_classifier.{layer}.{kind}", "coreference.{layer}.{kind}"),
    # scorer="concat_proj"
    Rule(
        "scorer.proj.0.weight",
        tuple(f"scorer.{name}.weight" for name in ("product", "difference", "pair", "relation")),
        axis=1,
    ),
    same("scorer.proj.0.bias", "scorer.product.bias"),
    same("scorer.proj.3.{kind}", "scorer.output.{kind}"),
    # scorer="dot_thresh"
    same("scorer.proj_thresh.{layer}.{kind}", "scorer.scale_and_offset.{layer}.{kind}"),
    same("scorer.proj_type.{layer}.{kind}", "scorer.relation_projection.{layer}.{kind}"),
    # scorer="dot_norm"
    same("scorer.bias", "scorer.bias"),
    same("scorer.dy_bias_type.{layer}.{kind}", "scorer.relation_bias.{layer}.{kind}"),
    same("scorer.dy_bias_rel.{layer}.{kind}", "scorer.pair_bias.{layer}.{kind}"),
)

RENAMING = Renaming(
    "the original package",
    _RULES,
    _UNUSED,
    "Give the encoder that it was trained with (`--encoder`), and the glirel_config.json that was saved with the "
    "weights.",
)
