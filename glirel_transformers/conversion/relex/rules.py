"""How the package `gliner` names the tensors of a GLiNER-Relex model, in the order of its state dictionary."""

from __future__ import annotations

import re

from glirel_transformers.configuration_glirel import GLiRELConfig
from glirel_transformers.conversion.tensors import Renaming, Rule, concat_feed_forward, layer_fusion, same

_TEXT = "token_rep_layer.bert_layer."
_SPANS, _MENTIONS = "span_rep_layer.span_rep_layer", "glirel.mention_representation"
_MATRIX, _ADJACENCY = "relations_rep_layer.relation_rep_layer", "glirel.adjacency"
_TRIPLES = "triples_score_layer.interaction"

OFFSET = "scorer.offset"  # of a distance, which the original does not have

# What the original stores and never reads: poolers, buffers of positions, a fusion and a network that nothing applies.
UNUSED = {
    "of poolers": re.compile(rf"{re.escape(_TEXT)}model\.pooler\..+"),
    "of positions": re.compile(rf"{re.escape(_TEXT)}model\.(.+\.)?(position_ids|token_type_ids)"),
    "of a fusion that is never applied": re.compile(r"cross_fuser\..+"),
    "of a network that is never applied": re.compile(rf"{re.escape(_SPANS)}\.project_first\..+"),
}


def _lstm(num_layers: int) -> list[Rule]:
    rules = []
    for layer in range(num_layers):
        ours = "glirel.lstm." + (f"deeper.{layer - 1}." if layer else "")
        for suffix, direction in (("", "forward"), ("_reverse", "backward")):
            rules += [
                same(f"rnn.lstm.{kind}_l{layer}{suffix}", f"{ours}{direction}_lstm.{kind}_l0")
                for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            ]
    return rules


def _end_networks() -> list[Rule]:
    return [
        same(f"{_SPANS}.project_{end}.{{layer}}.{{kind}}", f"{_MENTIONS}.{end}_projection.0.{{layer}}.{{kind}}")
        for end in ("start", "end")
    ]


def _endpoints_in_text() -> list[Rule]:
    network = f"{_MENTIONS}.feed_forward"
    parts = (f"{network}.left.weight", f"{network}.right.weight", f"{_MENTIONS}.text.weight")
    return [
        *_end_networks(),
        same(f"{_SPANS}.project_context.{{layer}}.{{kind}}", f"{_MENTIONS}.text_projection.{{layer}}.{{kind}}"),
        Rule(f"{_SPANS}.out_project.0.weight", parts, axis=1),
        same(f"{_SPANS}.out_project.0.bias", f"{network}.left.bias"),
        same(f"{_SPANS}.out_project.3.{{kind}}", f"{network}.output.{{kind}}"),
    ]


def _queries(projection: str) -> list[Rule]:
    return [
        same(f"{_SPANS}.query_seg", f"{_MENTIONS}.queries"),
        same(f"{_SPANS}.{projection}.{{kind}}", f"{_MENTIONS}.projection.{{kind}}"),
    ]


def _marker() -> list[Rule]:
    return [
        *_end_networks(),
        Rule(f"{_SPANS}.out_project.weight", (f"{_MENTIONS}.start.weight", f"{_MENTIONS}.end.weight"), axis=1),
        same(f"{_SPANS}.out_project.bias", f"{_MENTIONS}.start.bias"),
    ]


_FILTERS = [
    same(f"{_SPANS}.convs.{{width}}.conv.{{kind}}", f"{_MENTIONS}.convolutions.{{width}}.{{kind}}"),
    same(f"{_SPANS}.conv_weigth", f"{_MENTIONS}.shared_filter"),
    same(f"{_SPANS}.project.1.{{kind}}", f"{_MENTIONS}.projection.{{kind}}"),
]
_RULES_OF_SPANS: dict[str, list[Rule]] = {
    "endpoints": [*_end_networks(), *concat_feed_forward(f"{_SPANS}.out_project", f"{_MENTIONS}.feed_forward")],
    "endpoints_and_mean": _endpoints_in_text(),
    "endpoints_and_last": _endpoints_in_text(),
    "marker": _marker(),
    "query": _queries("project.0"),
    "mlp": [same(f"{_SPANS}.mlp.{{kind}}", f"{_MENTIONS}.projection.{{kind}}")],
    "cat": _queries("project.0"),
    "conv_conv": _FILTERS,
    "conv_max": _FILTERS,
    "conv_mean": _FILTERS,
    "conv_sum": _FILTERS,
    "conv_share": _FILTERS,
}

_SCORER = [
    same("scorer.proj_token.{kind}", "glirel.entity_finder.word_projection.{kind}"),
    same("scorer.proj_label.{kind}", "glirel.entity_finder.type_projection.{kind}"),
    Rule(
        "scorer.out_mlp.0.weight",
        tuple(f"glirel.entity_finder.inner_{part}.weight" for part in ("word", "type", "product")),
        axis=1,
    ),
    same("scorer.out_mlp.0.bias", "glirel.entity_finder.inner_word.bias"),
    same("scorer.out_mlp.3.{kind}", "glirel.entity_finder.output.{kind}"),
]

_ATTENTION = [
    same(f"{_MATRIX}.attn.in_proj_{{kind}}", f"{_ADJACENCY}.attention.projection.{{kind}}"),
    same(f"{_MATRIX}.attn.out_proj.{{kind}}", f"{_ADJACENCY}.attention.output.{{kind}}"),
]
_RULES_OF_ADJACENCY: dict[str, list[Rule]] = {
    "all": [],
    "dot": [],
    "bilinear": [same(f"{_MATRIX}.proj.{{kind}}", f"{_ADJACENCY}.projection.{{kind}}")],
    "mlp": [
        Rule(f"{_MATRIX}.mlp.0.weight", (f"{_ADJACENCY}.head.weight", f"{_ADJACENCY}.tail.weight"), axis=1),
        same(f"{_MATRIX}.mlp.0.bias", f"{_ADJACENCY}.head.bias"),
        same(f"{_MATRIX}.mlp.2.{{kind}}", f"{_ADJACENCY}.output.{{kind}}"),
    ],
    "gcn": [
        same(f"{_MATRIX}.gcn.linear.{{kind}}", f"{_ADJACENCY}.convolution.{{kind}}"),
        same(f"{_MATRIX}.proj.{{kind}}", f"{_ADJACENCY}.projection.{{kind}}"),
    ],
    "attention": _ATTENTION,
    "gat": [*_ATTENTION, same(f"{_MATRIX}.linear.{{kind}}", f"{_ADJACENCY}.projection.{{kind}}")],
}


def _of_triples(names: dict[str, str]) -> list[Rule]:
    return [same(f"{_TRIPLES}.{there}.{{rest}}", f"scorer.{here}.{{rest}}") for there, here in names.items()]


_RULES_OF_TRIPLES: dict[str, list[Rule]] = {
    "transh": _of_triples({"r_to_rtr": "translation", "r_to_w": "normal"}),
    "transf": _of_triples({"r_to_rvec": "translation", "r_to_alpha": "head_scale", "r_to_beta": "tail_scale"}),
    "pairre": _of_triples({"r_to_alpha": "head_scale", "r_to_beta": "tail_scale"}),
    "triplere": _of_triples(
        {"r_to_alpha": "head_scale", "r_to_beta": "tail_scale", "r_to_delta": "translation", "r_to_gamma": "factor"}
    ),
    "ermlp": [
        Rule(f"{_TRIPLES}.mlp.0.weight", ("scorer.head.weight", "scorer.relation.weight", "scorer.tail.weight"), 1),
        same(f"{_TRIPLES}.mlp.0.bias", "scorer.head.bias"),
        *_of_triples({"mlp.2": "output"}),
    ],
    "convkb": _of_triples({"conv": "filters", "fc": "output"}),
    "conve": _of_triples({"conv1": "convolution", "fc": "output"}),
    "tucker": [same(f"{_TRIPLES}.W", "scorer.core"), *_of_triples({"bn0": "head_norm", "bn1": "tail_norm"})],
}


def renaming_for(config: GLiRELConfig) -> Renaming:
    """All tensors of a checkpoint with these settings."""
    rules = (
        same(f"{_TEXT}model.{{rest}}", "glirel.encoder.{rest}"),
        *layer_fusion(f"{_TEXT}layers_fuser", "glirel.layer_fusion"),
        same("token_rep_layer.projection.{kind}", "glirel.pooling.projection.{kind}"),
        *_lstm(config.num_lstm_layers),
        *_RULES_OF_SPANS.get(config.mention_representation, []),
        same("prompt_rep_layer.{layer}.{kind}", "glirel.entity_type_feed_forward.{layer}.{kind}"),
        *_RULES_OF_ADJACENCY[config.pair_selection],
        *_RULES_OF_TRIPLES.get(config.scorer, []),
        *concat_feed_forward("pair_rep_layer", "glirel.pair_representation.feed_forward"),
        *_SCORER,
    )
    return Renaming(
        "the original package",
        rules,
        re.compile("|".join(pattern.pattern for pattern in UNUSED.values())),
        "Take the gliner_config.json that was saved with the weights, and a complete copy of both.",
    )
