"""How the original package names its tensors, and how they are named here: one ordered list, read in both directions.

The order is that of the original's state dictionary. Some of its tensors are several here, always equal parts along
one axis, so that `chunk` and `cat` undo each other bit for bit.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

ENCODER = "token_rep_layer.bert_layer.model."

# Of the encoder, but without a counterpart here: a pooler, which neither package reads, and buffers of positions,
# which older versions of transformers saved. They are kept aside.
_UNUSED = re.compile(rf"{re.escape(ENCODER)}(pooler\..+|(.+\.)?(position_ids|token_type_ids))")


@dataclass(frozen=True)
class Rule:
    """A tensor of the original and its counterpart, or counterparts.

    Args:
        original: its name there. `{rest}` stands for anything, any other `{placeholder}` for one part of a name.
        ours: its names here; more than one where it is split.
        axis: the axis along which it is split.
    """

    original: str
    ours: tuple[str, ...]
    axis: int = 0

    def names_of(self, original: str) -> tuple[str, ...] | None:
        """The names here of the tensor that has the name `original` there; `None` when the rule is for others."""
        match = _pattern(self.original).fullmatch(original)
        return tuple(name.format(**match.groupdict()) for name in self.ours) if match else None

    def original_of(self, name: str) -> str | None:
        """The reverse of [`names_of`], from one name."""
        for ours in self.ours:
            if match := _pattern(ours).fullmatch(name):
                return self.original.format(**match.groupdict())
        return None


def _pattern(template: str) -> re.Pattern[str]:
    pattern = re.escape(template).replace(r"\{rest\}", "(?P<rest>.+)")
    return re.compile(re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>\\w+)", pattern))


def _same(original: str, ours: str) -> Rule:
    return Rule(original, (ours,))


def _concat_feed_forward(original: str, ours: str) -> list[Rule]:
    """A network over two concatenated vectors: the columns of its first layer belong to the one or to the other."""
    return [
        Rule(f"{original}.0.weight", (f"{ours}.left.weight", f"{ours}.right.weight"), axis=1),
        _same(f"{original}.0.bias", f"{ours}.left.bias"),
        _same(f"{original}.3.{{kind}}", f"{ours}.output.{{kind}}"),
    ]


def _refinement(original: str, ours: str, num_layers: int) -> list[Rule]:
    rules = []
    for layer in range(num_layers):
        there, here = f"{original}.blocks.{layer}", f"{ours}.layers.{layer}"
        attention = f"{here}.cross_attention"
        projections = tuple(f"{attention}.{name}.{{kind}}" for name in ("query", "key", "value"))
        rules += [
            Rule(f"{there}.read.mha.in_proj_{{kind}}", projections),
            _same(f"{there}.read.mha.out_proj.{{kind}}", f"{attention}.output.{{kind}}"),
            _same(f"{there}.norm_read.{{kind}}", f"{here}.cross_norm.{{kind}}"),
            _same(f"{there}.ffn.{{layer}}.{{kind}}", f"{here}.feed_forward.{{layer}}.{{kind}}"),
            _same(f"{there}.norm_ffn.{{kind}}", f"{here}.feed_forward_norm.{{kind}}"),
        ]
    return [*rules, _same(f"{original}.output.{{kind}}", f"{ours}.output.{{kind}}")]


_SPANS, _MENTIONS = "span_rep_layer.rel_rep_layer", "glirel.mention_representation"

RULES: tuple[Rule, ...] = (
    _same(f"{ENCODER}{{rest}}", "glirel.encoder.{rest}"),
    _same("token_rep_layer.projection.{kind}", "glirel.pooling.projection.{kind}"),
    _same("rnn.lstm.{kind}_l0", "glirel.lstm.forward_lstm.{kind}_l0"),
    _same("rnn.lstm.{kind}_l0_reverse", "glirel.lstm.backward_lstm.{kind}_l0"),
    # span_marker_mode="markerv1"
    *(
        _same(
            f"{_SPANS}.span_marker.project_{end}.{{layer}}.{{kind}}",
            f"{_MENTIONS}.{end}_projection.0.{{layer}}.{{kind}}",
        )
        for end in ("start", "end")
    ),
    *_concat_feed_forward(f"{_SPANS}.span_marker.out_project", f"{_MENTIONS}.feed_forward"),
    # span_marker_mode="markerv2"
    _same(f"{_SPANS}.span_marker.projection.{{layer}}.{{kind}}", f"{_MENTIONS}.feed_forward.{{layer}}.{{kind}}"),
    *_concat_feed_forward(f"{_SPANS}.out_project", "glirel.pair_representation.feed_forward"),
    _same("prompt_rep_layer.{layer}.{kind}", "glirel.relation_feed_forward.{layer}.{kind}"),
    *_refinement("refine_relation", "glirel.pair_refinement", num_layers=1),
    *_refinement("refine_prompt", "glirel.relation_refinement", num_layers=2),
    _same("coref_classifier.{layer}.{kind}", "coreference.{layer}.{kind}"),
    # scorer="concat_proj"
    Rule(
        "scorer.proj.0.weight",
        tuple(f"scorer.{name}.weight" for name in ("product", "difference", "pair", "relation")),
        axis=1,
    ),
    _same("scorer.proj.0.bias", "scorer.product.bias"),
    _same("scorer.proj.3.{kind}", "scorer.output.{kind}"),
    # scorer="dot_thresh"
    _same("scorer.proj_thresh.{layer}.{kind}", "scorer.scale_and_offset.{layer}.{kind}"),
    _same("scorer.proj_type.{layer}.{kind}", "scorer.relation_projection.{layer}.{kind}"),
    # scorer="dot_norm"
    _same("scorer.bias", "scorer.bias"),
    _same("scorer.dy_bias_type.{layer}.{kind}", "scorer.relation_bias.{layer}.{kind}"),
    _same("scorer.dy_bias_rel.{layer}.{kind}", "scorer.pair_bias.{layer}.{kind}"),
)


def original_names(names: Iterable[str]) -> dict[str, Rule]:
    """The tensors of the original that make up `names` here, in the original's order, each with its rule.

    Raises:
        ValueError: when a name has no counterpart.
    """
    found: dict[str, tuple[int, Rule]] = {}
    strange = []
    for name in names:
        matches = ((place, rule, rule.original_of(name)) for place, rule in enumerate(RULES))
        for place, rule, original in matches:
            if original is not None:
                found.setdefault(original, (place, rule))
                break
        else:
            strange.append(name)
    if strange:
        raise ValueError(f"These weights have no counterpart in the original package: {list_names(strange)}.")
    return {name: rule for name, (_, rule) in sorted(found.items(), key=lambda item: item[1][0])}


def to_ours(
    original: Mapping[str, Tensor], shapes: Mapping[str, torch.Size]
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Renames and splits the tensors of the original.

    Args:
        original: its state dictionary.
        shapes: names and shapes of all tensors that the model here has.

    Returns:
        The model's state dictionary; and what the original has beside it, under its own names.

    Raises:
        ValueError: when tensors are missing, left over, or of other shapes. The message lists them.
    """
    rules = original_names(shapes)
    unused = {name: tensor for name, tensor in original.items() if name not in rules and _UNUSED.fullmatch(name)}
    problems = {
        "Missing": [name for name in rules if name not in original],
        "Unexpected": [name for name in original if name not in rules and name not in unused],
        "Of another shape": [],
    }
    ours: dict[str, Tensor] = {}
    for name, rule in rules.items():
        if name not in original:
            continue
        names, tensor = rule.names_of(name) or (), original[name]
        expected = list(shapes[names[0]])
        if len(names) > 1:
            expected[rule.axis] *= len(names)
        if list(tensor.shape) != expected:
            problems["Of another shape"].append(f"{name} {tuple(tensor.shape)}, expected {tuple(expected)}")
        elif len(names) == 1:
            ours[names[0]] = tensor.contiguous()
        else:
            parts = tensor.chunk(len(names), dim=rule.axis)
            ours.update(zip(names, (part.contiguous() for part in parts), strict=True))
    if any(problems.values()):
        raise ValueError(
            "The checkpoint's weights are not those that its settings and its encoder call for. "
            + " ".join(f"{what} ({len(names)}): {list_names(names)}." for what, names in problems.items() if names)
            + " Give the encoder that it was trained with (`--encoder`), and the glirel_config.json that was saved "
            "with the weights."
        )
    return ours, unused


def to_original(ours: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The reverse of [`to_ours`]: the state dictionary of the original, in its order."""
    original = {}
    for name, rule in original_names(ours).items():
        parts = [ours[part] for part in rule.names_of(name) or ()]
        original[name] = parts[0] if len(parts) == 1 else torch.cat(parts, dim=rule.axis)
    return original


def list_names(names: list[str], limit: int = 20) -> str:
    """`names` in one line; of very many the first, and how many more."""
    more = f"; and {len(names) - limit} more" if len(names) > limit else ""
    return "; ".join(names[:limit]) + more
