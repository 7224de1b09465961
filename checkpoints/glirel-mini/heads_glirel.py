"""What both heads of the family have: a scorer, a loss, relation types encoded apart, a start from an encoder."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from .base_glirel import GLiRELModel
from .configuration_glirel import GLiRELConfig
from .encoded_types_glirel import EncodedTypes, digest_of, encode_in_batches
from .encoders_glirel import PretrainedEncoder, input_limit
from .losses_glirel import RelationLoss
from .memory_glirel import may_need_gradient
from .mentions_glirel import listed
from .pairs_glirel import PairRepresentation
from .pretrained_glirel import GLiRELPreTrainedModel
from .scoring_glirel import CoreferenceClassifier, PairScorer, ThresholdHead
from .tokenization_glirel import SHARED_SETTINGS, GLiRELTokenizer
from .triples_glirel import build_scorer

Head = TypeVar("Head", bound="GLiRELHead")


class GLiRELHead(GLiRELPreTrainedModel):
    """A base model with a scorer of pairs."""

    # The loss is a mean over each batch's own cells, so gradient accumulation must average it.
    accepts_loss_kwargs = False
    finds_entities = False  # whether the head is for models that do
    _digest: tuple[object, str] | None = None  # of relation types, and the version of the weights that it is of

    def __init__(self, config: GLiRELConfig):
        super().__init__(config)
        if config.finds_entities != self.finds_entities:
            other = "GLiRELForRelationClassification" if self.finds_entities else "GLiRELForJointExtraction"
            raise ValueError(
                f"A {type(self).__name__} cannot have entity_finder={config.entity_finder!r}: use {other}, or "
                "AutoModel, which takes the right one."
            )
        self.glirel = GLiRELModel(config)
        self.scorer = build_scorer(
            config.scorer, config.hidden_size, config.inner_size, config.dropout, config.distance_limit
        )
        self.coreference = (
            CoreferenceClassifier(config.hidden_size, config.dropout) if config.coreference_classifier else None
        )
        self.threshold = ThresholdHead(config.hidden_size, config.dropout) if config.threshold_head else None
        self.post_init()

    @property
    def reads_segments(self) -> bool:
        """Whether a text that is longer than the encoder reads can be read in segments, and scored as one."""
        return self.config.reads_labels_apart

    @torch.no_grad()
    def encode_relation_types(self, names: Sequence[str], batch_size: int = 64) -> EncodedTypes:
        """Reads relation types once, for any number of texts; with `label_encoding="separate"`.

        Args:
            names: any number of relation types.
            batch_size: how many are read at once, sorted by length.

        Returns:
            What [`RelationExtractor`] takes as `encoded_types`, and `forward` as `type_states`; it can be saved.

        Raises:
            ValueError: when the model reads relation types before each text, or has no tokenizer; when a name is empty
                or repeated.
        """
        if not self.config.reads_labels_apart or self.tokenizer is None:
            what = "has no tokenizer" if self.config.reads_labels_apart else "reads relation types before each text"
            raise ValueError(
                f"This model {what}, so that it cannot encode relation types by themselves. Use one with "
                "label_encoding='separate', and attach its tokenizer."
            )
        prompt = self.tokenizer.read_prompt(list(names))
        was_training = self.training
        self.train(False)
        try:
            states = encode_in_batches(self._encode_types, self.tokenizer, prompt.types or [], self.config, batch_size)
        finally:
            if was_training:
                self.train()
        return EncodedTypes(prompt.names, states, self.types_digest())

    def _encode_types(self, input_ids: np.ndarray, attention_mask: np.ndarray) -> np.ndarray:
        ids, mask = (torch.from_numpy(array).to(self.device) for array in (input_ids, attention_mask))
        states: np.ndarray = self.glirel.encode_types(ids, mask).float().cpu().numpy()
        return states

    def types_digest(self) -> str:
        """The digest of everything that [`encode_relation_types`] depends on but the names."""
        if self.is_optimized and self._digest is not None:  # whose weights cannot be read, nor change, any more
            return self._digest[1]
        version = self.types_version()
        if self._digest is None or self._digest[0] != version:  # reading all weights takes a while
            self._digest = version, self._compute_digest()
        return self._digest[1]

    def _keep_before_packing(self) -> None:
        if self.config.reads_labels_apart:
            self.types_digest()

    def _compute_digest(self) -> str:
        config, glirel = self.config, self.glirel
        parts: list[nn.Module | None] = [glirel.label_encoder, glirel.relation_feed_forward]
        if config.label_encoder_config is None:  # the text's encoder reads them
            parts += [glirel.encoder, glirel.layer_fusion]
        settings = [config.label_pooling, config.layer_fusion, config.fusion_schema, config.pair_label_attention]
        tensors = (
            (f"{part}.{name}", tensor.detach().float().cpu().contiguous().numpy())
            for part, module in enumerate(parts)
            if module is not None
            for name, tensor in _named_weights(module)
        )
        return digest_of(tensors, [*settings, "" if self.tokenizer is None else self.tokenizer.label_vocabulary])

    def types_version(self) -> object:
        """What changes, at little cost, when weights do that [`encode_relation_types`] depends on."""
        weights = [(id(weight), weight._version, weight.data_ptr(), weight.dtype) for weight in self.parameters()]
        return id(self.tokenizer), weights

    @property
    def pair_scorer(self) -> PairScorer:
        """Stage 5: what scores the pairs while the base model forms them."""
        return PairScorer(self.scorer, self.coreference, may_need_gradient(self), self.threshold)

    @property
    def relation_loss(self) -> RelationLoss:
        """The loss that the configuration names (Section 3.5)."""
        config = self.config
        return RelationLoss(
            config.loss_function,
            config.focal_alpha,
            config.focal_gamma,
            config.positive_weight,
            config.negative_weight,
            config.loss_reduction,
            config.ranking_loss_weight,
        )

    @property
    def _folded_layers(self) -> set[nn.Module]:
        """The last layer of the pairs goes into the relation types, where nothing stands between it and scores."""
        pairs = self.glirel.pair_representation
        if self.config.refines_pairs or not isinstance(pairs, PairRepresentation):
            return set()
        layer = pairs.feed_forward.output
        return set() if self.pair_scorer.folding(layer) is None else {layer}

    def _check_finite(self, logits: Tensor, cell_mask: Tensor) -> None:
        if not (~logits.isfinite() & cell_mask).any():
            return
        broken = [name for name, parameter in self.named_parameters() if not parameter.isfinite().all()]
        if broken:
            raise ValueError(
                f"The scores are NaN or infinite because these weights are not finite: {listed(broken)}. The "
                "checkpoint is damaged or training diverged: load an earlier checkpoint, or train with a lower "
                "learning rate."
            )
        raise ValueError(
            f"The scores are NaN or infinite although all weights are finite: {logits.dtype} overflowed. Use float32 "
            "or bfloat16."
        )

    @classmethod
    def from_encoder(
        cls: type[Head],
        encoder: str | os.PathLike[str],
        *,
        label_encoder: str | os.PathLike[str] | None = None,
        model_max_length: int | None = None,
        trust_remote_code: bool = False,
        revision: str = "main",
        attn_implementation: str | None = None,
        **settings: object,
    ) -> Head:
        """Builds a fresh head and tokenizer on a pre-trained encoder.

        Args:
            encoder: a folder or a Hub repository of any bidirectional encoder with a fast tokenizer.
            label_encoder: the same of one that reads relation types on their own, with `label_encoding="separate"`; by
                default `encoder` reads them.
            model_max_length: how many tokens the encoder reads; by default what its configuration says.
            trust_remote_code: whether code of the encoder's own repository may run.
            revision: branch, tag or commit on the Hub.
            attn_implementation: as in [`from_pretrained`]; `"eager"` takes transformers' own attention for DeBERTa.
            settings: any field of [`GLiRELConfig`] but `encoder_config` and `label_encoder_config`.

        Returns:
            The model, in float32, with its tokenizer in `model.tokenizer`. Nothing in it refers to `encoder` again:
            a saved copy holds everything.

        Examples:
            >>> model = GLiRELForRelationClassification.from_encoder("microsoft/deberta-v3-small", hidden_size=512)
            >>> tokenizer = model.tokenizer
        """
        given = {"encoder_config", "label_encoder_config"}
        if unknown := sorted(set(settings) - set(GLiRELConfig.__dataclass_fields__) | given & set(settings)):
            raise TypeError(
                f"These are not settings of GLiRELConfig that from_encoder takes: {unknown}. See its fields."
            )
        options = {"trust_remote_code": trust_remote_code, "revision": revision}
        text = PretrainedEncoder.load(encoder, options)
        label = None if label_encoder is None else PretrainedEncoder.load(label_encoder, options)
        config = GLiRELConfig(
            encoder_config=text.config, label_encoder_config=None if label is None else label.config, **settings
        )
        model: Head = cls._from_config(config, dtype=torch.float32, attn_implementation=attn_implementation)
        model.glirel.encoder.load_state_dict(text.weights)
        if label is not None:
            model.glirel.get_submodule("label_encoder.encoder").load_state_dict(label.weights)
        model.tokenizer = GLiRELTokenizer.from_base(
            text.tokenizer,
            label_tokenizer=None if label is None else label.tokenizer,
            model_max_length=model_max_length or input_limit(text.config, text.tokenizer.model_max_length),
            **{name: getattr(config, name) for name in SHARED_SETTINGS},
        )
        if len(model.tokenizer) > text.config.vocab_size:
            model.resize_token_embeddings(len(model.tokenizer), mean_resizing=False)
        return model


def _named_weights(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    yield from module.named_parameters()
    yield from module.named_buffers()


__all__ = ["GLiRELHead"]
