"""MPNet's encoder with torch's fast attention: the same parameters, and the same numbers within 1e-5.

transformers' own forms the scores of all heads, adds the relative positions and the mask to them, and keeps the
probabilities. Here both are one additive mask for [`scaled_dot_product_attention`], formed once for all layers; and
positions may be given, so that relation types can stand at the same ones.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from transformers import MPNetModel, PreTrainedConfig
from transformers.modeling_outputs import BaseModelOutput
from transformers.models.mpnet.modeling_mpnet import MPNetLayer, MPNetSelfAttention


class FastMPNetModel(MPNetModel):
    """[`MPNetModel`] with fast attention, and with `position_ids` that relative positions follow as well."""

    supports_gradient_checkpointing = True
    keeps_last_attention_only = False  # of the attentions that are asked for

    def __init__(self, config: PreTrainedConfig):
        super().__init__(config, add_pooling_layer=False)
        self.gradient_checkpointing = False

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
        **_: object,
    ) -> BaseModelOutput | tuple[Tensor, ...]:
        """As [`MPNetModel.forward`], but for two arguments.

        Args:
            attention_mask: which tokens are read, `(batch, tokens)`, or which each token attends to, boolean of shape
                `(batch, 1, tokens, tokens)`; floating-point numbers of that shape are added to scores.
            position_ids: from 0 on, `(batch, tokens)`; by default the places of the tokens.
        """
        if (input_ids is None) == (inputs_embeds is None):
            raise ValueError("Pass `input_ids` or `inputs_embeds`, and not both.")
        wants = {
            name: getattr(self.config, name) if value is None else value
            for name, value in (
                ("output_hidden_states", output_hidden_states),
                ("output_attentions", output_attentions),
                ("return_dict", return_dict),
            )
        }
        given: Any = input_ids if inputs_embeds is None else inputs_embeds
        places = position_ids
        if places is None:
            places = torch.arange(given.shape[1], device=given.device).unsqueeze(0)
        # The first rows of the table are for padding, as in RoBERTa.
        hidden = self.embeddings(
            input_ids=input_ids, inputs_embeds=inputs_embeds, position_ids=places + self.embeddings.padding_idx + 1
        )
        added = self._position_bias(places).to(hidden.dtype)
        if attention_mask is not None:
            added = added + _added(attention_mask, hidden.dtype)
        states: list[Tensor] | None = [hidden] if wants["output_hidden_states"] else None
        attentions: list[Tensor] | None = [] if wants["output_attentions"] else None
        output = BaseModelOutput(
            last_hidden_state=self._run_layers(hidden, added, states, attentions),
            hidden_states=None if states is None else tuple(states),
            attentions=None if attentions is None else tuple(attentions),
        )
        return output if wants["return_dict"] else output.to_tuple()

    def _run_layers(
        self, hidden: Tensor, added: Tensor, states: list[Tensor] | None, attentions: list[Tensor] | None
    ) -> Tensor:
        """The states after the last layer; those after each, and attentions, go to `states` and `attentions`."""
        last = len(self.encoder.layer) - 1
        for number, layer in enumerate(self.encoder.layer):
            in_the_open = attentions is not None and (number == last or not self.keeps_last_attention_only)
            if self.gradient_checkpointing and self.training:
                hidden, weights = self._gradient_checkpointing_func(_run_layer, layer, hidden, added, in_the_open)
            else:
                hidden, weights = _run_layer(layer, hidden, added, in_the_open)
            if states is not None:
                states.append(hidden)
            if attentions is not None and weights is not None:
                attentions.append(weights)
        return hidden

    def _position_bias(self, places: Tensor) -> Tensor:
        """What the distance of two tokens adds to the scores of each head: `(batch or 1, heads, tokens, tokens)`."""
        distances = places.unsqueeze(1) - places.unsqueeze(2)
        buckets = self.encoder.relative_position_bucket(distances, self.config.relative_attention_num_buckets)
        bias: Tensor = self.encoder.relative_attention_bias(buckets).permute(0, 3, 1, 2)
        return bias


def _added(mask: Tensor, dtype: torch.dtype) -> Tensor:
    """A mask as what is added to scores, `(batch, 1, 1 or tokens, tokens)`."""
    if mask.ndim == 2:
        mask = mask[:, None, None, :]
    elif mask.is_floating_point():
        return mask.clamp(min=torch.finfo(dtype).min).to(dtype)
    lowest = torch.finfo(dtype).min
    return torch.zeros(mask.shape, dtype=dtype, device=mask.device).masked_fill(mask == 0, lowest)


def _run_layer(layer: MPNetLayer, hidden: Tensor, added: Tensor, in_the_open: bool) -> tuple[Tensor, Tensor | None]:
    """The states after a layer, and its attention's probabilities, where they are wanted."""
    attention = layer.attention
    attended, weights = _attend(attention.attn, hidden, added, in_the_open)
    hidden = attention.LayerNorm(attention.dropout(attended) + hidden)
    return layer.output(layer.intermediate(hidden), hidden), weights


def _attend(
    module: MPNetSelfAttention, hidden: Tensor, added: Tensor, in_the_open: bool
) -> tuple[Tensor, Tensor | None]:
    """One layer's attention before its norm, and its probabilities, where they are wanted."""
    shape = (*hidden.shape[:2], -1, module.attention_head_size)
    query, key, value = (layer(hidden).view(shape).transpose(1, 2) for layer in (module.q, module.k, module.v))
    rate = module.dropout.p if module.training else 0.0
    weights: Tensor | None = None
    if in_the_open:
        scores = query @ key.transpose(-1, -2) * module.attention_head_size**-0.5 + added
        weights = scores.softmax(-1)
        attended = functional.dropout(weights, rate) @ value
    else:
        attended = functional.scaled_dot_product_attention(query, key, value, attn_mask=added, dropout_p=rate)
    joined = attended.transpose(1, 2).contiguous()
    if torch.compiler.is_exporting():  # torch's attention may be taken apart later, and leave another layout
        joined = joined.clone(memory_format=torch.contiguous_format)
    return module.o(joined.flatten(2)), weights


__all__ = ["FastMPNetModel"]
