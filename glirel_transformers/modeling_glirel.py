"""Models of the family (GLiREL, GLiDRE): encode → represent entities → form pairs → refine → score.

Axes have one name everywhere: `batch, tokens, words, mentions, entities, pairs, relations, types, hidden`. Spans are
half-open, and masks are boolean with True for real.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from transformers import (
    PreTrainedConfig,
    PreTrainedModel,
)
from transformers.utils import can_return_tuple

from .configuration_glirel import GLiRELConfig
from .encoded_types_glirel import EncodedTypes, digest_of, encode_in_batches
from .encoders_glirel import PretrainedEncoder, build_encoder, input_limit
from .encoding_glirel import (
    RELATIONS,
    EncoderOutput,
    LabelEncoder,
    SpanPooling,
    WordLSTM,
    attention_of_words,
    keep_all_layers,
    keep_last_attention,
    run_encoder,
)
from .entities_glirel import (
    ENTITIES,
    MENTIONS,
    count_mentions,
    shared_as_sets,
    shared_by_position,
)
from .feed_forward_glirel import FeedForward
from .fusion_glirel import AttentionBlock, CrossFusion, LayerFusion
from .inputs_glirel import Inputs, Types, check_inputs
from .losses_glirel import RelationLoss, check_labels
from .memory_glirel import gather_items, inside_spans, may_need_gradient, normalized
from .mentions_glirel import listed
from .outputs_glirel import GLiRELModelOutput, GLiRELRelationClassificationOutput
from .pairs_glirel import CONTEXTS, PAIRS, Pairs
from .pretrained_glirel import GLiRELPreTrainedModel
from .refinement_glirel import REFINEMENTS, Refinement
from .scoring_glirel import SCORERS, CoreferenceClassifier, PairScorer, Scores, ThresholdHead
from .segments_glirel import list_segments, read_in_segments
from .tokenization_glirel import SHARED_SETTINGS, GLiRELTokenizer


class Encoded(NamedTuple):
    """What stage 1 gives: tokens `(batch, tokens, encoder hidden)`, words and relation types `(batch, …, hidden)`.

    `label_states` are relation types before the FFN of equation 1, `(batch, relations, hidden)`, where something reads
    them; `word_attention` is `(batch, words, words)`, likewise.
    """

    token_states: Tensor
    word_states: Tensor
    relation_states: Tensor
    label_states: Tensor | None
    word_attention: Tensor | None
    hidden_states: tuple[Tensor, ...] | None
    attentions: tuple[Tensor, ...] | None


class Entities(NamedTuple):
    """What stage 2 gives: mentions `(batch, mentions, hidden)` and entities `(batch, entities, hidden)`.

    `attention` is that of each entity's words to all words, `(batch, entities, words)`, where something reads it.
    `paired` are entities as each pair sees them, where that differs: two for each pair, `(batch, 2 · pairs, hidden)`.
    """

    mention_states: Tensor
    states: Tensor
    attention: Tensor | None
    paired: Tensor | None


class Refined(NamedTuple):
    """What stage 4 gives: pairs, `(batch, pairs, hidden)` if refined, and types `(batch, relations, hidden)`."""

    pairs: Pairs | Tensor
    relation_states: Tensor


class GLiRELModel(GLiRELPreTrainedModel):
    """The bare model: everything up to the scores (equations 1 to 6)."""

    # Of the head, in a whole checkpoint.
    _keys_to_ignore_on_load_unexpected = [r"^scorer\.", r"^coreference\.", r"^threshold\."]

    def __init__(self, config: GLiRELConfig):
        super().__init__(config)
        size, inner_size, dropout = config.hidden_size, config.inner_size, config.dropout
        self.encoder = build_encoder(config.encoder_config, config._attn_implementation)
        self.layer_fusion = self._make_layer_fusion(config.encoder_config, self.encoder)
        self.label_encoder = self._make_label_encoder() if config.reads_labels_apart else None
        self.fusion = (
            CrossFusion(
                config.fusion_schema, config.num_fusion_layers, size, config.encoder_config.num_attention_heads
            )
            if config.fusion_schema
            else None
        )
        # Where an entity is the mean of its words, a word without a token must not count as the projection's bias.
        pools_words = config.mention_representation == "words"
        self.pooling = SpanPooling(config.subtoken_pooling, config.encoder_config.hidden_size, size, pools_words)
        self.dropout = nn.Dropout(dropout)
        self.lstm = WordLSTM(size) if config.use_lstm else None
        self.mention_representation = MENTIONS[config.mention_representation](
            size, inner_size, dropout, config.endpoint_projection
        )
        self.entity_pooling = ENTITIES[config.entity_pooling]()
        self.pair_representation = PAIRS[config.pair_representation](size, inner_size, dropout)
        context = CONTEXTS[config.pair_context]
        self.pair_context = None if context is None else context(size, inner_size, dropout)
        if self.pair_context is not None:
            keep_last_attention(self.encoder)
        self.relation_feed_forward = FeedForward(size, inner_size, size, dropout)
        self.pair_refinement = self._make_refinement(config.num_pair_refinement_layers)
        self.relation_refinement = self._make_refinement(config.num_relation_refinement_layers)
        self.label_attention = (
            AttentionBlock(size, config.num_refinement_heads) if config.pair_label_attention else None
        )
        self.post_init()

    def _make_layer_fusion(self, encoder_config: PreTrainedConfig, encoder: PreTrainedModel) -> LayerFusion | None:
        if self.config.layer_fusion == "none":
            return None
        keep_all_layers(encoder)
        return LayerFusion(encoder_config.num_hidden_layers, encoder_config.hidden_size)

    def _make_label_encoder(self) -> LabelEncoder:
        config = self.config
        encoder, fusion = None, None
        if config.label_encoder_config is not None:
            encoder = build_encoder(config.label_encoder_config, config._attn_implementation)
            fusion = self._make_layer_fusion(config.label_encoder_config, encoder)
        fuses_padding = config.layer_fusion == "padded"
        return LabelEncoder(
            encoder, config.label_input_size, config.hidden_size, config.label_pooling, fusion, fuses_padding
        )

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
        relation_token_spans: Tensor | None = None,
        mention_word_spans: Tensor = None,  # type: ignore[assignment]  # must be given, see `check_inputs`
        pair_index: Tensor = None,  # type: ignore[assignment]  # likewise
        word_mask: Tensor | None = None,
        relation_mask: Tensor | None = None,
        mention_mask: Tensor | None = None,
        pair_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        mention_entity: Tensor | None = None,
        entity_mask: Tensor | None = None,
        type_input_ids: Tensor | None = None,
        type_attention_mask: Tensor | None = None,
        type_states: Tensor | None = None,
        relation_index: Tensor | None = None,
        segment_token_spans: Tensor | None = None,
        segment_mask: Tensor | None = None,
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
                whose `[REL]` stands just before; with `label_encoding="joint"`.
            mention_word_spans (`torch.LongTensor` of shape `(batch, mentions, 2)`): words of each mention.
            pair_index (`torch.LongTensor` of shape `(batch, pairs, 2)`): head and tail positions on the `entities`
                axis.
            word_mask, relation_mask, mention_mask, pair_mask (`torch.BoolTensor` of shape `(batch, …)`): True means
                real; without one, all of its axis is. A pair of an entity that is not real is not real either.
            position_ids (`torch.LongTensor` of shape `(batch, tokens)`): only with `shared_relation_positions`.
            mention_entity (`torch.LongTensor` of shape `(batch, mentions)`): entity of each mention. Without it, each
                mention is an entity of its own.
            entity_mask (`torch.BoolTensor` of shape `(batch, entities)`): goes with `mention_entity`; True means real.
            type_input_ids, type_attention_mask (`torch.LongTensor` of shape `(types, tokens)`): with
                `label_encoding="separate"`, the distinct relation types of the batch, each with special tokens.
            type_states (`torch.FloatTensor` of shape `(types, width)`): in their place, what
                [`GLiRELForRelationClassification.encode_relation_types`] made of them before.
            relation_index (`torch.LongTensor` of shape `(batch, relations)`): which of the `types` each text is asked
                for; without it, all of them, in their order.
            segment_token_spans (`torch.LongTensor` of shape `(batch, segments, 2)`): parts of a text that is longer
                than the encoder reads, which overlap and are read one by one; with `segment_mask` (`torch.BoolTensor`
                of shape `(batch, segments)`). Only with `label_encoding="separate"`.
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
        if (relation_token_spans is None) != self.config.reads_labels_apart:
            raise ValueError(
                f"The model has label_encoding={self.config.label_encoding!r}, but `relation_token_spans` are "
                f"{'missing' if relation_token_spans is None else 'given'}. Use the tokenizer saved with the model."
            )
        inputs = check_inputs(
            input_ids=input_ids,
            attention_mask=attention_mask,
            spans={
                "word": (word_token_spans, word_mask),
                "relation": (relation_token_spans, relation_mask),
                "mention": (mention_word_spans, mention_mask),
                "pair": (pair_index, pair_mask),
                "segment": (segment_token_spans, segment_mask),
            },
            position_ids=position_ids,
            mention_entity=mention_entity,
            entity_mask=entity_mask,
            types=Types(type_input_ids, type_attention_mask, type_states, relation_index),
        )
        encoded = self.encode(inputs, output_hidden_states, output_attentions)
        entities = self.represent_entities(encoded, inputs)
        pairs = self.form_pairs(entities, encoded, inputs)
        refined = self.refine(pairs, encoded, inputs)
        scores = Scores() if scorer is None else scorer(refined.pairs, refined.relation_states, inputs.relation_mask)
        return self._output(inputs, encoded, entities, refined, scores)

    def encode(
        self, inputs: Inputs, output_hidden_states: bool | None = None, output_attentions: bool | None = None
    ) -> Encoded:
        """Stage 1: words of the text and relation types (GLiREL, Section 3.2 and equation 1; GLiDRE, Section 2.2)."""
        encoded = self._run_encoder(inputs, output_hidden_states, output_attentions)
        word_states = self.dropout(self.pooling(encoded.states, inputs.word_token_spans))
        if self.lstm is not None:
            word_states = self.lstm(word_states, inputs.word_mask)
        if self.config.reads_labels_apart:
            label_states, relation_states = self._relations_of_types(inputs)
        else:
            assert inputs.relation_token_spans is not None  # `forward` checks
            read = RELATIONS[self.config.relation_representation]
            label_states = self.dropout(read(self.pooling, encoded.states, inputs.relation_token_spans))
            relation_states = None
        if self.fusion is not None:
            label_states, word_states = self.fusion(label_states, inputs.relation_mask, word_states, inputs.word_mask)
        if relation_states is None:
            relation_states = self.relation_feed_forward(label_states)
        return Encoded(
            encoded.states,
            word_states,
            relation_states,
            label_states,
            encoded.attention,
            encoded.hidden_states,
            encoded.attentions,
        )

    def _run_encoder(
        self, inputs: Inputs, output_hidden_states: bool | None, output_attentions: bool | None
    ) -> EncoderOutput:
        """The encoder's tokens of whole texts, and attention between words; long texts are read in segments."""
        wants_attention = self.pair_context is not None

        def run(input_ids: Tensor, attention_mask: Tensor, **others: Tensor) -> EncoderOutput:
            return run_encoder(
                self.encoder,
                self.layer_fusion,
                None,
                wants_attention=wants_attention,
                output_hidden_states=output_hidden_states,
                output_attentions=output_attentions,
                input_ids=input_ids,
                attention_mask=attention_mask,
                **others,
            )

        if inputs.segment_token_spans is None or inputs.segment_mask is None:
            positions = {} if inputs.position_ids is None else {"position_ids": inputs.position_ids}
            encoded = run(inputs.input_ids, inputs.attention_mask, **positions)
            if encoded.attention is None:
                return encoded
            return encoded._replace(attention=attention_of_words(encoded.attention, inputs.word_token_spans))
        segments = list_segments(inputs.segment_token_spans, inputs.segment_mask)
        states, attention = read_in_segments(
            lambda ids, mask: run(ids, mask)[:2],
            inputs.input_ids,
            inputs.attention_mask,
            inputs.word_token_spans,
            segments,
        )
        return EncoderOutput(states, attention, None, None)

    def encode_types(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Relation types that are read apart, as far as no text is needed: what `type_states` of `forward` are.

        Args:
            input_ids, attention_mask: `(types, tokens)`.

        Returns:
            `(types, width)`: vectors before the FFN of equation 1, after it, or both, as the model reads them.
        """
        assert self.label_encoder is not None  # the callers have one
        if not torch.compiler.is_compiling() and not input_ids.shape[0]:  # some encoders do not read nothing
            return torch.zeros(0, self.type_width, dtype=self.dtype, device=input_ids.device)
        label_states = self.dropout(self.label_encoder(input_ids, attention_mask, self.encoder, self.layer_fusion))
        if self.fusion is not None:  # what the FFN reads depends on the text
            return label_states
        relation_states = self.relation_feed_forward(label_states)
        return torch.cat([label_states, relation_states], dim=-1) if self._reads_label_states else relation_states

    @property
    def type_width(self) -> int:
        """Width of what [`encode_types`] gives."""
        return self.config.type_width

    @property
    def _reads_label_states(self) -> bool:
        return self.label_attention is not None

    def _relations_of_types(self, inputs: Inputs) -> tuple[Tensor, Tensor | None]:
        """Relation types before the FFN and, unless that must wait, after it, `(batch, relations, hidden)` each."""
        types = inputs.types
        states = types.states
        if states is None:
            assert types.input_ids is not None  # `check_inputs` checks
            assert types.attention_mask is not None
            states = self.encode_types(types.input_ids, types.attention_mask)
        if types.relation_index is None:
            of_texts = states.unsqueeze(0).expand(inputs.input_ids.shape[0], -1, -1)
        else:
            of_texts = states[types.relation_index]
        if self.fusion is not None:
            return of_texts, None
        if self._reads_label_states:
            label_states, relation_states = of_texts.chunk(2, dim=-1)
            return label_states, relation_states
        return of_texts, of_texts

    def represent_entities(self, encoded: Encoded, inputs: Inputs) -> Entities:
        """Stage 2: mentions (GLiREL, equation 2), and entities from their mentions or words (GLiDRE, Section 2.2)."""
        mention_states = self.mention_representation(encoded.word_states, inputs.mention_word_spans)
        pools_words = self.config.mention_representation == "words"
        if not pools_words and self.pair_context is None and inputs.mention_entity is None:
            return Entities(mention_states, mention_states, None, None)
        entity_of = inputs.mention_entity
        if entity_of is None:
            entity_of = torch.arange(mention_states.shape[1], device=mention_states.device).expand(
                mention_states.shape[0], -1
            )
        mentions_of = count_mentions(entity_of, inputs.mention_mask, inputs.entity_mask.shape[1])
        inside = inside_spans(inputs.mention_word_spans, encoded.word_states.shape[1]).to(encoded.word_states.dtype)
        words_of = mentions_of.to(inside.dtype) @ inside
        if pools_words:
            states = self.entity_pooling(encoded.word_states, words_of)
        elif inputs.mention_entity is None:
            states = mention_states
        else:
            states = self.entity_pooling(mention_states, mentions_of)
        if self.config.shared_words != "kept":
            return self._without_shared_words(
                Entities(mention_states, states, None, None), encoded, inputs, entity_of, mentions_of, words_of
            )
        attention = None if encoded.word_attention is None else normalized(words_of) @ encoded.word_attention
        return Entities(mention_states, states, attention, None)

    def _without_shared_words(
        self,
        entities: Entities,
        encoded: Encoded,
        inputs: Inputs,
        mention_entity: Tensor,
        mentions_of: Tensor,
        words_of: Tensor,
    ) -> Entities:
        """Entities as each pair sees them: without the words that both share, of the same weight each."""
        if self.config.shared_words == "removed":
            shared = shared_as_sets(words_of)
        else:
            num_words = words_of.shape[-1]
            shared = shared_by_position(
                inputs.mention_word_spans, mention_entity, mentions_of, num_words, words_of.dtype
            )
        # Two ends of each pair, one after the other: (batch, 2 · pairs), and what stands at the other end.
        ends, others = inputs.pair_index.flatten(1), inputs.pair_index.flip(-1).flatten(1)
        num_entities = words_of.shape[1]
        removed = gather_items(shared.flatten(1, 2), ends * num_entities + others)
        total = words_of.sum(-1, keepdim=True).clamp(min=1)
        weights = (gather_items(words_of, ends) - removed) / gather_items(total, ends)
        if self.config.entity_pooling == "mean":
            paired = weights @ encoded.word_states
        else:  # as the original does: only what an entity attends to changes
            paired = gather_items(entities.states, ends)
        attention = None if encoded.word_attention is None else weights @ encoded.word_attention
        return entities._replace(attention=attention, paired=paired)

    def form_pairs(self, entities: Entities, encoded: Encoded, inputs: Inputs) -> Pairs:
        """Stage 3: ordered pairs (GLiREL, equation 3), in their context (GLiDRE, equations 5 to 8)."""
        states, index = entities.states, inputs.pair_index
        if entities.paired is not None:  # each pair has its own two
            states = entities.paired
            index = torch.arange(states.shape[1], device=states.device).view(1, -1, 2).expand(states.shape[0], -1, -1)
        context = None
        if self.pair_context is not None:
            context = self.pair_context(states, entities.attention, encoded.word_states)
        pairs: Pairs = self.pair_representation(states, index, context)
        return pairs

    def refine(self, pairs: Pairs, encoded: Encoded, inputs: Inputs) -> Refined:
        """Stage 4: pairs against words, types against pairs (GLiREL, equations 4–6), pairs against types (GLiDRE)."""
        relation_states, relation_mask = encoded.relation_states, inputs.relation_mask
        if not self.config.relation_refinement_sees_pairs:
            no_pairs, no_mask = relation_states[:, :0], relation_mask[:, :0]
            relation_states = self.relation_refinement(relation_states, relation_mask, no_pairs, no_mask)
        if not self.config.refines_pairs:
            return Refined(pairs, relation_states)
        pair_states = self.pair_refinement(pairs.states(), inputs.pair_mask, encoded.word_states, inputs.word_mask)
        if self.config.relation_refinement_sees_pairs:
            relation_states = self.relation_refinement(relation_states, relation_mask, pair_states, inputs.pair_mask)
        if self.label_attention is not None:
            pair_states = self.label_attention(pair_states, encoded.label_states, relation_mask)
        return Refined(pair_states, relation_states)

    def _output(
        self,
        inputs: Inputs,
        encoded: Encoded,
        entities: Entities,
        refined: Refined,
        scores: Scores,
    ) -> GLiRELModelOutput:
        pair_states = refined.pairs if isinstance(refined.pairs, Tensor) else None
        if (
            isinstance(refined.pairs, Pairs) and scores.relations is None
        ):  # else they were scored, and nobody asks for them
            pair_states = refined.pairs.states()
        return GLiRELModelOutput(
            pair_states=pair_states,
            relation_states=refined.relation_states,
            entity_states=entities.states,
            mention_states=entities.mention_states,
            word_states=encoded.word_states,
            last_hidden_state=encoded.token_states,
            scores=scores.relations,
            coreference_scores=scores.coreference,
            threshold_scores=scores.thresholds,
            word_mask=inputs.word_mask,
            entity_mask=inputs.entity_mask,
            pair_mask=inputs.pair_mask,
            relation_mask=inputs.relation_mask,
            entity_attention=entities.attention if entities.paired is None else None,
            hidden_states=encoded.hidden_states,
            attentions=encoded.attentions,
        )


class GLiRELForRelationClassification(GLiRELPreTrainedModel):
    """Scores every ordered entity pair against every relation type in one forward pass (equations 1 to 8)."""

    # The loss is a mean over each batch's own cells, so gradient accumulation must average it.
    accepts_loss_kwargs = False
    _digest: tuple[object, str] | None = None  # of relation types, and the version of the weights that it is of

    def __init__(self, config: GLiRELConfig):
        super().__init__(config)
        self.glirel = GLiRELModel(config)
        self.scorer = SCORERS[config.scorer](config.hidden_size, config.inner_size, config.dropout)
        self.coreference = (
            CoreferenceClassifier(config.hidden_size, config.dropout) if config.coreference_classifier else None
        )
        self.threshold = ThresholdHead(config.hidden_size, config.dropout) if config.threshold_head else None
        self.post_init()

    @can_return_tuple
    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        word_token_spans: Tensor,
        relation_token_spans: Tensor | None = None,
        mention_word_spans: Tensor = None,  # type: ignore[assignment]  # must be given, see `check_inputs`
        pair_index: Tensor = None,  # type: ignore[assignment]  # likewise
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
        type_input_ids: Tensor | None = None,
        type_attention_mask: Tensor | None = None,
        type_states: Tensor | None = None,
        relation_index: Tensor | None = None,
        segment_token_spans: Tensor | None = None,
        segment_mask: Tensor | None = None,
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
            type_input_ids=type_input_ids,
            type_attention_mask=type_attention_mask,
            type_states=type_states,
            relation_index=relation_index,
            segment_token_spans=segment_token_spans,
            segment_mask=segment_mask,
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
            loss = self.relation_loss(logits, labels, cell_mask, outputs.threshold_scores)
        return GLiRELRelationClassificationOutput(
            loss=loss,
            logits=logits.masked_fill(~cell_mask, torch.finfo(logits.dtype).min),
            pair_mask=outputs.pair_mask,
            relation_mask=outputs.relation_mask,
            coreference_logits=outputs.coreference_scores,
            threshold_logits=outputs.threshold_scores,
            entity_attention=outputs.entity_attention,
            hidden_states=outputs.hidden_states,
            attentions=outputs.attentions,
        )

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
        label_encoder: str | os.PathLike[str] | None = None,
        model_max_length: int | None = None,
        trust_remote_code: bool = False,
        revision: str = "main",
        attn_implementation: str | None = None,
        **settings: object,
    ) -> GLiRELForRelationClassification:
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

        Example:
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
        model = cls._from_config(config, dtype=torch.float32, attn_implementation=attn_implementation)
        model.glirel.encoder.load_state_dict(text.weights)
        if label is not None:
            model.glirel.label_encoder.encoder.load_state_dict(label.weights)
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
