"""Leaving the first layers of an encoder as they are."""

from __future__ import annotations

from torch import nn

from glirel_transformers.heads_glirel import GLiRELHead

_LAYER_LISTS = ("encoder.layer", "layers", "transformer.layer", "encoder.layers")
_EMBEDDINGS = ("embeddings", "embeddings_project", "embed_tokens")


def freeze_encoder_layers(model: GLiRELHead, num_layers: int) -> None:
    """Freezes the embeddings and the first `num_layers` layers of a GLiREL model's encoder; 0 freezes nothing.

    Raises:
        ValueError: when the encoder has fewer layers, or none where the known families keep them.
    """
    if num_layers == 0:
        return
    encoder = model.glirel.encoder
    layers = encoder_layers(encoder)
    if num_layers > len(layers):
        raise ValueError(
            f"`num_frozen_encoder_layers` is {num_layers}, but the encoder has {len(layers)} layers. Choose 0 to "
            f"{len(layers)}."
        )
    frozen = [getattr(encoder, name) for name in _EMBEDDINGS if hasattr(encoder, name)]
    for module in [*frozen, model.get_input_embeddings(), *layers[:num_layers]]:
        module.requires_grad_(False)


def encoder_layers(encoder: nn.Module) -> nn.ModuleList:
    """The layers of an encoder, the first one first.

    Raises:
        ValueError: when they are not where the known families (BERT, RoBERTa, ELECTRA, DeBERTa, ModernBERT, …) keep
            them.
    """
    for path in _LAYER_LISTS:
        try:
            layers = encoder.get_submodule(path)
        except AttributeError:
            continue
        if isinstance(layers, nn.ModuleList):
            return layers
    raise ValueError(
        f"The layers of {type(encoder).__name__} are not where they were looked for: {', '.join(_LAYER_LISTS)}. Set "
        "num_frozen_encoder_layers=0 and call `requires_grad_(False)` on what is to stay as it is."
    )
