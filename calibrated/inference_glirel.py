"""Weights laid out once for inference: packed for the processor, activations fused, queries, keys and values joined.

All of it is the same arithmetic in the same precision, in another order; what nobody reads is left out.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from .deberta_glirel import DisentangledAttention, FastDebertaV2Model

# Activations that oneDNN applies while it writes a product: module, or name in transformers → its name and algorithm.
_FUSED_ACTIVATIONS: dict[str, tuple[str, str]] = {"ReLU": ("relu", ""), "GELUActivation": ("gelu", "none")}


class PackedLinear(nn.Module):
    """A linear layer, with its activation if it has one, whose weight is in oneDNN's own layout for this CPU."""

    def __init__(self, linear: nn.Linear, activation: tuple[str, str] = ("none", "")):
        super().__init__()
        self.weight = None  # whoever wants to read it must not find the packed one
        self.packed_weight = torch.ops.mkldnn._reorder_linear_weight(linear.weight.detach(), None)
        self.bias = None if linear.bias is None else nn.Parameter(linear.bias.detach(), requires_grad=False)
        self.dtype, self.activation = linear.weight.dtype, activation
        self.in_features, self.out_features = linear.in_features, linear.out_features

    def forward(self, states: Tensor) -> Tensor:
        """From `(…, in_features)` to `(…, out_features)`."""
        name, algorithm = self.activation
        return torch.ops.mkldnn._linear_pointwise(states, self.packed_weight, self.bias, name, [], algorithm)

    def extra_repr(self) -> str:
        return f"{self.in_features}, {self.out_features}, {self.dtype}, {self.activation[0]}"


def can_pack(device: torch.device, dtype: torch.dtype) -> bool:
    """Whether this build of torch packs weights of that type for that device."""
    if device.type != "cpu" or not torch.backends.mkldnn.is_available():
        return False
    supported = {torch.float32: True, torch.bfloat16: torch.ops.mkldnn._is_mkldnn_bf16_supported()}
    return supported.get(dtype, False)


def prepare_for_inference(model: nn.Module, kept: set[nn.Module]) -> bool:
    """Joins what is multiplied by the same states, and packs the linear layers; all in place.

    Args:
        model: in evaluation mode, on its device and in its precision.
        kept: modules whose weights are read as such, and so stay as they are.

    Returns:
        Whether the layers were packed: only where all weights can be.
    """
    for module in model.modules():
        if isinstance(module, FastDebertaV2Model):
            module.skips_unread_tokens = True
            table = module.encoder.get_rel_embedding()
            for layer in module.encoder.layer:
                _join(layer.attention.self, table)
    is_packed = all(can_pack(parameter.device, parameter.dtype) for parameter in model.parameters())
    if is_packed:
        _pack_children(model, kept)
    return is_packed


def _join(attention: DisentangledAttention, table: Tensor | None) -> None:
    """Makes scaled queries, keys and values one linear layer, and projects the table of positions."""
    if attention.position_terms and table is not None:
        attention.positions = tuple(rows.contiguous() for rows in attention.project_positions(table))
    layers = (attention.query_proj, attention.key_proj, attention.value_proj)
    if adapted := [type(layer).__name__ for layer in layers if type(layer) is not nn.Linear]:
        raise ValueError(
            f"The attention's projections are {adapted}, which cannot be joined. Merge adapters into the weights, and "
            "leave quantized models as they are."
        )
    scales = (attention.scale, 1.0, 1.0)
    joined = nn.Linear(layers[0].in_features, sum(layer.out_features for layer in layers), device="meta")
    joined.weight = nn.Parameter(torch.cat([layer.weight * s for layer, s in zip(layers, scales, strict=True)]))
    joined.bias = nn.Parameter(torch.cat([layer.bias * s for layer, s in zip(layers, scales, strict=True)]))
    attention.joined_projection = joined.requires_grad_(False)
    for name in [name for name, _ in attention.named_children() if name.endswith("_proj")]:
        delattr(attention, name)


def _pack_children(module: nn.Module, kept: set[nn.Module]) -> None:
    for name, child in list(module.named_children()):
        if child in kept:
            continue
        if type(child) is nn.Linear:
            setattr(module, name, PackedLinear(child))
        elif (activation := _activation_of(child)) is not None:
            setattr(module, name, PackedLinear(cast("nn.Linear", child.dense), activation))
        else:
            _pack_children(child, kept)
            if isinstance(child, nn.Sequential):
                _fuse_neighbours(child)


def _activation_of(module: nn.Module) -> tuple[str, str] | None:
    """The activation of the first half of a transformer's FFN, where oneDNN has it: BERT's kind of encoders."""
    if {name for name, _ in module.named_children()} != {"dense", "intermediate_act_fn"}:
        return None
    if type(module.get_submodule("dense")) is not nn.Linear:
        return None
    return _FUSED_ACTIVATIONS.get(type(module.intermediate_act_fn).__name__)


def _fuse_neighbours(sequence: nn.Sequential) -> None:
    """Lets a packed layer apply the activation that follows it."""
    for place in range(len(sequence) - 1):
        packed, following = sequence[place], sequence[place + 1]
        activation = _FUSED_ACTIVATIONS.get(type(following).__name__)
        if isinstance(packed, PackedLinear) and activation is not None:
            packed.activation = activation
            sequence[place + 1] = nn.Identity()
