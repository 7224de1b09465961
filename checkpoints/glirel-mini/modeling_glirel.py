"""GLiREL models (arXiv 2501.03172): encode → represent entities → form pairs → refine → score.

Axes have one name everywhere: `batch, tokens, words, mentions, pairs, relations, hidden`. Spans are half-open, and
masks are boolean with True for real.
"""

from __future__ import annotations

import os
from typing import NamedTuple

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, AutoTokenizer, PreTrainedConfig, PreTrainedModel
from transformers.utils import can_return_tuple

from .configuration_glirel import GLiRELConfig
from .deberta_glirel import FastDebertaV2Model
from .encoding_glirel import RELATIONS, SpanPooling, WordLSTM
from .entities_glirel import ENTITIES, MENTIONS
from .feed_forward_glirel import FeedForward
from .inputs_glirel import Inputs, check_inputs
from .losses_glirel import RelationLoss, check_labels
from .memory_glirel import may_need_gradient
from .mentions_glirel import listed
from .outputs_glirel import GLiRELModelOutput, GLiRELRelationClassificationOutput
from .pairs_glirel import PAIRS, Pairs
from .pretrained_glirel import GLiRELPreTrainedModel
from .refinement_glirel import REFINEMENTS, Refinement
from .scoring_glirel import SCORERS, CoreferenceClassifier, PairScorer
from .tokenization_glirel import SHARED_SETTINGS, GLiRELTokenizer


class Encoded(NamedTuple):
    """What stage 1 gives: tokens `(batch, tokens, encoder hidden)`, words and relation types `(batch, …, hidden)`."""

    token_states: Tensor
    word_states: Tensor
    relation_states: Tensor
    hidden_states: tuple[Tensor, ...] | None
    attentions: tuple[Tensor, ...] | None


class Entities(NamedTuple):
    """What stage 2 gives: mentions `(batch, mentions, hidden)` and entities `(batch, entities, hidden)`."""

    mention_states: Tensor
    states: Tensor


class Refined(NamedTuple):
    """What stage 4 gives: pairs, `(batch, pairs, hidden)` if refined, and types `(batch, relations, hidden)`."""

    pairs: Pairs | Tensor
    relation_states: Tensor


class GLiRELModel(GLiRELPreTrainedModel):
    """The bare model: everything up to the scores (equations 1 to 6)."""

    _keys_to_ignore_on_load_unexpected = [r"^scorer\.", r"^coreference\."]  # of the head, in a whole checkpoint

    def __init__(self, config: GLiRELConfig):
        super().__init__(config)
        size, inner_size, dropout = config.hidden_size, config.inner_size, config.dropout
        self.encoder = _build_encoder(config)
        if hasattr(self.encoder, "pooler"):
            self.encoder.pooler = None  # never used, and a parameter without gradient stops distributed training
        self.pooling = SpanPooling(config.subtoken_pooling, config.encoder_config.hidden_size, size)
        self.dropout = nn.Dropout(dropout)
        self.lstm = WordLSTM(size) if config.use_lstm else None
        self.mention_representation = MENTIONS[config.mention_representation](
            size, inner_size, dropout, config.endpoint_projection
        )
        self.entity_pooling = ENTITIES[config.entity_pooling]()
        self.pair_representation = PAIRS[config.pair_representation](size, inner_size, dropout)
        self.relation_feed_forward = FeedForward(size, inner_size, size, dropout)
        self.pair_refinement = self._make_refinement(config.num_pair_refinement_layers)
        self.relation_refinement = self._make_refinement(config.num_relation_refinement_layers)
        self.post_init()

    def _make_refinement(self, num_layers: int) -> Refinement:
        config = self.config
        return REFINEMENTS[config.refinement](
            num_layers,
            config.hidden_size,
            config.refinement_inner_size,
            config.num_refinement_heads,
            config.dropout,
            config.refinement_self_attention,
        )

    def get_input_embeddings(self) -> nn.Module:
        return self.encoder.get_input_embeddings()

    def set_input_embeddings(self, value: nn.Module) -> None:
        self.encoder.set_input_embeddings(value)

    @can_return_tuple
    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        word_token_spans: Tensor,
        relation_token_spans: Tensor,
        mention_word_spans: Tensor,
        pair_index: Tensor,
        word_mask: Tensor | None = None,
        relation_mask: Tensor | None = None,
        mention_mask: Tensor | None = None,
        pair_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        mention_entity: Tensor | None = None,
        entity_mask: Tensor | None = None,
        scorer: PairScorer | None = None,
        output_hidden_states: bool | None = None,
        output_attentions: bool | None = None,
    ) -> GLiRELModelOutput:
        r"""Represents every pair and every relation type (equations 1 to 6), and scores them if asked to.

        Args:
            input_ids (`torch.LongTensor` of shape `(batch, tokens)`): relation types, then the text.
            attention_mask (`torch.LongTensor` of shape `(batch, tokens)`): 1 means real.
            word_token_spans (`torch.LongTensor` of shape `(batch, words, 2)`): tokens of each word of the text.
            relation_token_spans (`torch.LongTensor` of shape `(batch, relations, 2)`): tokens of each relation type,
                whose `[REL]` stands just before.
            mention_word_spans (`torch.LongTensor` of shape `(batch, mentions, 2)`): words of each mention.
            pair_index (`torch.LongTensor` of shape `(batch, pairs, 2)`): head and tail positions on the `entities`
                axis.
            word_mask, relation_mask, mention_mask, pair_mask (`torch.BoolTensor` of shape `(batch, …)`): True means
                real; without one, all of its axis is. A pair of an entity that is not real is not real either.
            position_ids (`torch.LongTensor` of shape `(batch, tokens)`): only with `shared_relation_positions`.
            mention_entity (`torch.LongTensor` of shape `(batch, mentions)`): entity of each mention. Without it, each
                mention is an entity of its own.
            entity_mask (`torch.BoolTensor` of shape `(batch, entities)`): goes with `mention_entity`; True means real.
            scorer: scores the pairs as soon as they are formed. Unless pairs are refined they are then not kept, and
                `pair_states` is `None`.
            output_hidden_states, output_attentions: whether to return the encoder's.

        Raises:
            ValueError: when a tensor's shape does not fit, or a span or an index is out of range.
        """
        if (position_ids is not None) != self.config.shared_relation_positions:
            raise ValueError(
                f"The model has shared_relation_positions={self.config.shared_relation_positions}, but `position_ids` "
                f"are {'missing' if position_ids is None else 'given'}. Use the tokenizer saved with the model."
            )
        inputs = check_inputs(
            input_ids=input_ids,
            attention_mask=attention_mask,
            spans={
                "word": (word_token_spans, word_mask),
                "relation": (relation_token_spans, relation_mask),
                "mention": (mention_word_spans, mention_mask),
                "pair": (pair_index, pair_mask),
            },
            position_ids=position_ids,
            mention_entity=mention_entity,
            entity_mask=entity_mask,
        )
        encoded = self.encode(inputs, output_hidden_states, output_attentions)
        entities = self.represent_entities(encoded, inputs)
        pairs = self.pair_representation(entities.states, pair_index)
        refined = self.refine(pairs, encoded, inputs)
        scores = (None, None) if scorer is None else scorer(refined.pairs, refined.relation_states)
        return self._output(inputs, encoded, entities, refined, scores)

    def encode(
        self, inputs: Inputs, output_hidden_states: bool | None = None, output_attentions: bool | None = None
    ) -> Encoded:
        """Stage 1: words of the text and relation types (Section 3.2, equation 1)."""
        encoded = self.encoder(
            input_ids=inputs.input_ids,
            attention_mask=inputs.attention_mask,
            **({} if inputs.position_ids is None else {"position_ids": inputs.position_ids}),
            output_hidden_states=output_hidden_states,
            output_attentions=output_attentions,
            return_dict=True,
        )
        token_states = encoded.last_hidden_state
        word_states = self.dropout(self.pooling(token_states, inputs.word_token_spans))
        if self.lstm is not None:
            word_states = self.lstm(word_states, inputs.word_mask)
        read = RELATIONS[self.config.relation_representation]
        relation_states = read(self.pooling, token_states, inputs.relation_token_spans)
        relation_states = self.relation_feed_forward(self.dropout(relation_states))
        return Encoded(token_states, word_states, relation_states, encoded.hidden_states, encoded.attentions)

    def represent_entities(self, encoded: Encoded, inputs: Inputs) -> Entities:
        """Stage 2: mentions (equation 2), and entities from their mentions."""
        mention_states = self.mention_representation(encoded.word_states, inputs.mention_word_spans)
        if inputs.mention_entity is None:
            return Entities(mention_states, mention_states)
        num_entities = inputs.entity_mask.shape[1]
        pooled = self.entity_pooling(mention_states, inputs.mention_entity, inputs.mention_mask, num_entities)
        return Entities(mention_states, pooled)

    def refine(self, pairs: Pairs, encoded: Encoded, inputs: Inputs) -> Refined:
        """Stage 4: pairs against words, then relation types against pairs (equations 4 to 6), if anything refines."""
        relation_states, relation_mask = encoded.relation_states, inputs.relation_mask
        if not self.config.relation_refinement_sees_pairs:
            no_pairs, no_mask = relation_states[:, :0], relation_mask[:, :0]
            relation_states = self.relation_refinement(relation_states, relation_mask, no_pairs, no_mask)
        if not self.config.refines_pairs:
            return Refined(pairs, relation_states)
        pair_states = self.pair_refinement(pairs.states(), inputs.pair_mask, encoded.word_states, inputs.word_mask)
        if self.config.relation_refinement_sees_pairs:
            relation_states = self.relation_refinement(relation_states, relation_mask, pair_states, inputs.pair_mask)
        return Refined(pair_states, relation_states)

    def _output(
        self,
        inputs: Inputs,
        encoded: Encoded,
        entities: Entities,
        refined: Refined,
        scores: tuple[Tensor | None, Tensor | None],
    ) -> GLiRELModelOutput:
        pair_states = refined.pairs if isinstance(refined.pairs, Tensor) else None
        if isinstance(refined.pairs, Pairs) and scores[0] is None:  # else they were scored, and nobody asks for them
            pair_states = refined.pairs.states()
        return GLiRELModelOutput(
            pair_states=pair_states,
            relation_states=refined.relation_states,
            entity_states=entities.states,
            mention_states=entities.mention_states,
            word_states=encoded.word_states,
            last_hidden_state=encoded.token_states,
            scores=scores[0],
            coreference_scores=scores[1],
            word_mask=inputs.word_mask,
            entity_mask=inputs.entity_mask,
            pair_mask=inputs.pair_mask,
            relation_mask=inputs.relation_mask,
            hidden_states=encoded.hidden_states,
            attentions=encoded.attentions,
        )


class GLiRELForRelationClassification(GLiRELPreTrainedModel):
    """Scores every ordered entity pair against every relation type in one forward pass (equations 1 to 8)."""

    # The loss is a mean over each batch's own cells, so gradient accumulation must average it.
    accepts_loss_kwargs = False

    def __init__(self, config: GLiRELConfig):
        super().__init__(config)
        self.glirel = GLiRELModel(config)
        self.scorer = SCORERS[config.scorer](config.hidden_size, config.inner_size, config.dropout)
        self.coreference = (
            CoreferenceClassifier(config.hidden_size, config.dropout) if config.coreference_classifier else None
        )
        self.post_init()

    @can_return_tuple
    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        word_token_spans: Tensor,
        relation_token_spans: Tensor,
        mention_word_spans: Tensor,
        pair_index: Tensor,
        word_mask: Tensor | None = None,
        relation_mask: Tensor | None = None,
        mention_mask: Tensor | None = None,
        pair_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        labels: Tensor | None = None,
        output_hidden_states: bool | None = None,
        output_attentions: bool | None = None,
        mention_entity: Tensor | None = None,
        entity_mask: Tensor | None = None,
    ) -> GLiRELRelationClassificationOutput:
        r"""Scores every pair against every relation type. See [`GLiRELModel.forward`] for the other tensors.

        Args:
            labels (`torch.Tensor` of shape `(batch, pairs, relations)`, *optional*): 1 where the pair has the
                relation, 0 where it does not, −100 where that is unknown. Several types may be right for one pair.
                They influence the loss and nothing else.

        Raises:
            ValueError: when a tensor's shape does not fit, or when the scores are not numbers.
        """
        outputs = self.glirel(
            input_ids=input_ids,
            attention_mask=attention_mask,
            word_token_spans=word_token_spans,
            relation_token_spans=relation_token_spans,
            mention_word_spans=mention_word_spans,
            pair_index=pair_index,
            word_mask=word_mask,
            relation_mask=relation_mask,
            mention_mask=mention_mask,
            pair_mask=pair_mask,
            position_ids=position_ids,
            mention_entity=mention_entity,
            entity_mask=entity_mask,
            scorer=self.pair_scorer,
            output_hidden_states=output_hidden_states,
            output_attentions=output_attentions,
            return_dict=True,
        )
        logits = outputs.scores
        cell_mask = outputs.pair_mask.unsqueeze(2) & outputs.relation_mask.unsqueeze(1)
        if not torch.compiler.is_compiling():
            self._check_finite(logits, cell_mask)
        loss = None
        if labels is not None:
            check_labels(labels, logits)
            loss = self.relation_loss(logits, labels, cell_mask)
        return GLiRELRelationClassificationOutput(
            loss=loss,
            logits=logits.masked_fill(~cell_mask, torch.finfo(logits.dtype).min),
            pair_mask=outputs.pair_mask,
            relation_mask=outputs.relation_mask,
            coreference_logits=outputs.coreference_scores,
            hidden_states=outputs.hidden_states,
            attentions=outputs.attentions,
        )

    @property
    def pair_scorer(self) -> PairScorer:
        """Stage 5: what scores the pairs while the base model forms them."""
        return PairScorer(self.scorer, self.coreference, needs_gradient=may_need_gradient(self))

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
        )

    @property
    def _folded_layers(self) -> set[nn.Module]:
        """The last layer of the pairs goes into the relation types, where nothing stands between it and scores."""
        layer = self.glirel.pair_representation.feed_forward.output
        is_folded = not self.config.refines_pairs and self.pair_scorer.folding(layer) is not None
        return {layer} if is_folded else set()

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
        cls,
        encoder: str | os.PathLike[str],
        *,
        model_max_length: int | None = None,
        trust_remote_code: bool = False,
        revision: str = "main",
        attn_implementation: str | None = None,
        **settings: object,
    ) -> GLiRELForRelationClassification:
        """Builds a fresh head and tokenizer on a pre-trained encoder.

        Args:
            encoder: a folder or a Hub repository of any bidirectional encoder with a fast tokenizer.
            model_max_length: how many tokens the encoder reads; by default what its configuration says.
            trust_remote_code: whether code of the encoder's own repository may run.
            revision: branch, tag or commit on the Hub.
            attn_implementation: as in [`from_pretrained`]; `"eager"` takes transformers' own attention for DeBERTa.
            settings: any field of [`GLiRELConfig`] but `encoder_config`.

        Returns:
            The model, in float32, with its tokenizer in `model.tokenizer`. Nothing in it refers to `encoder` again:
            a saved copy holds everything.

        Example:
            >>> model = GLiRELForRelationClassification.from_encoder("microsoft/deberta-v3-small", hidden_size=512)
            >>> tokenizer = model.tokenizer
        """
        if unknown := sorted(
            set(settings) - set(GLiRELConfig.__dataclass_fields__) | {"encoder_config"} & set(settings)
        ):
            raise TypeError(
                f"These are not settings of GLiRELConfig that from_encoder takes: {unknown}. See its fields."
            )
        options = {"trust_remote_code": trust_remote_code, "revision": revision}
        encoder_config = AutoConfig.from_pretrained(encoder, **options)
        _check_encoder(encoder, encoder_config)
        pretrained = AutoModel.from_pretrained(encoder, dtype=torch.float32, **options)
        encoder_config.name_or_path = ""
        encoder_config.dtype = torch.float32
        config = GLiRELConfig(encoder_config=encoder_config, **settings)
        model = cls._from_config(config, dtype=torch.float32, attn_implementation=attn_implementation)
        weights = {name: w for name, w in pretrained.state_dict().items() if not name.startswith("pooler.")}
        model.glirel.encoder.load_state_dict(weights)
        base_tokenizer = AutoTokenizer.from_pretrained(encoder, **options)
        model.tokenizer = GLiRELTokenizer.from_base(
            base_tokenizer,
            model_max_length=model_max_length or _input_limit(encoder_config, base_tokenizer.model_max_length),
            **{name: getattr(config, name) for name in SHARED_SETTINGS},
        )
        if len(model.tokenizer) > encoder_config.vocab_size:
            model.resize_token_embeddings(len(model.tokenizer), mean_resizing=False)
        return model


def _build_encoder(config: GLiRELConfig) -> PreTrainedModel:
    """The encoder without weights; DeBERTa-v2 and v3 with the fast attention, unless "eager" is asked for."""
    encoder_config = config.encoder_config
    if encoder_config.model_type == "deberta-v2" and config._attn_implementation != "eager":
        return FastDebertaV2Model(encoder_config)
    return AutoModel.from_config(encoder_config)


def _check_encoder(name: str | os.PathLike[str], encoder_config: PreTrainedConfig) -> None:
    if encoder_config.model_type == GLiRELConfig.model_type:
        raise ValueError(
            f"{os.fspath(name)!r} is a GLiREL model already, not an encoder: load it with from_pretrained."
        )
    if encoder_config.is_encoder_decoder:
        raise ValueError(
            f"{os.fspath(name)!r} is a {encoder_config.model_type} model, with an encoder and a decoder. GLiREL needs "
            "a bidirectional encoder alone, such as DeBERTa, BERT, RoBERTa, ELECTRA or ModernBERT."
        )


def _input_limit(encoder_config: PreTrainedConfig, tokenizer_limit: int) -> int:
    """Tokens that the encoder reads. Models of RoBERTa's kind keep their first positions for padding."""
    limit = getattr(encoder_config, "max_position_embeddings", None) or tokenizer_limit
    if "roberta" in encoder_config.model_type or encoder_config.model_type == "camembert":
        limit -= (encoder_config.pad_token_id or 0) + 1
    return min(limit, tokenizer_limit)


GLiRELConfig.register_for_auto_class()
GLiRELTokenizer.register_for_auto_class("AutoTokenizer")
GLiRELForRelationClassification.register_for_auto_class("AutoModel")

__all__ = [
    "GLiRELForRelationClassification",
    "GLiRELModel",
    "GLiRELModelOutput",
    "GLiRELPreTrainedModel",
    "GLiRELRelationClassificationOutput",
]
