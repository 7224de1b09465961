"""The bare model: encode → represent (or find) entities → form pairs → refine → score.

Axes have one name everywhere: `batch, tokens, words, mentions, entities, pairs, relations, types, hidden`. Spans are
half-open, and masks are boolean with True for real.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from transformers import (
    PreTrainedConfig,
    PreTrainedModel,
)
from transformers.utils import can_return_tuple

from .adjacency_glirel import ADJACENCY
from .attended_glirel import CONTEXTS, AttendedContext, offsets_from_entities
from .configuration_glirel import GLiRELConfig
from .encoders_glirel import build_encoder
from .encoding_glirel import (
    RELATIONS,
    TYPE_ATTENTION,
    EncoderOutput,
    LabelEncoder,
    SpanPooling,
    WordLSTM,
    attention_of_words,
    keep_all_layers,
    keep_last_attention,
    mask_between_types,
    pooled_tokens,
    run_encoder,
)
from .entities_glirel import ENTITIES, count_mentions, ends_of, shared_as_sets, shared_by_position
from .feed_forward_glirel import FeedForward
from .finder_glirel import FINDERS
from .fusion_glirel import AttentionBlock, CrossFusion, LayerFusion
from .inputs_glirel import Inputs, Types, check_inputs
from .memory_glirel import gather_items, inside_spans, normalized
from .outputs_glirel import GLiRELModelOutput
from .pairs_glirel import PAIRS, EntityPairs, PairRepresentation, Pairs
from .pretrained_glirel import GLiRELPreTrainedModel
from .refinement_glirel import REFINEMENTS, Refinement
from .scoring_glirel import PairScorer, Scores
from .segments_glirel import list_segments, read_in_segments
from .widths_glirel import MENTIONS

SelectCandidates = Callable[[Tensor, Inputs], Inputs]
"""Takes logits of entities and the inputs, and gives the inputs with mentions and pairs."""


class Encoded(NamedTuple):
    """What stage 1 gives: tokens `(batch, tokens, encoder hidden)`, words and relation types `(batch, …, hidden)`.

    `label_states` are relation types before the FFN of equation 1, `(batch, relations, hidden)`, where something reads
    them; `word_attention` is `(batch, words, words)`, likewise. `entity_type_states` are `(batch, entity types,
    hidden)`, of a model that finds entities.
    """

    token_states: Tensor
    word_states: Tensor
    relation_states: Tensor
    label_states: Tensor | None
    word_attention: Tensor | None
    entity_type_states: Tensor | None
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


def _types_of_texts(states: Tensor, index: Tensor | None, inputs: Inputs) -> Tensor:
    """States of the types that each text is asked for, `(batch, relations, …)`, from those of all, `(types, …)`."""
    return states.unsqueeze(0).expand(inputs.input_ids.shape[0], -1, -1) if index is None else states[index]


def _project_types(network: nn.Module, states: Tensor, index: Tensor | None, inputs: Inputs) -> Tensor:
    """The same behind a network, which sees each type once where that is less; a graph of any shape cannot ask."""
    if index is not None and (torch.compiler.is_compiling() or states.shape[0] > index.numel()):
        of_texts: Tensor = network(states[index])
        return of_texts
    return _types_of_texts(network(states), index, inputs)


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
        keeps_zeros = pools_words or config.finds_entities
        self.pooling = SpanPooling(config.subtoken_pooling, config.encoder_config.hidden_size, size, keeps_zeros)
        self.dropout = nn.Dropout(dropout)
        self.lstm = WordLSTM(size, config.num_lstm_layers) if config.use_lstm else None
        self.mention_representation = MENTIONS[config.mention_representation](
            size, inner_size, dropout, config.endpoint_projection, config.max_entity_width or 0
        )
        finder = FINDERS[config.entity_finder]
        self.entity_finder = None if finder is None else finder(size, dropout, config.max_entity_width)
        self.entity_type_feed_forward = None if finder is None else FeedForward(size, inner_size, size, dropout)
        self.entity_pooling = ENTITIES[config.entity_pooling]()
        self.pair_representation = PAIRS[config.pair_representation](size, inner_size, dropout)
        self.pair_context = CONTEXTS[config.pair_context](config)
        if config.reads_attention:
            keep_last_attention(self.encoder)
        adjacency = ADJACENCY[config.pair_selection]
        self.adjacency = None if adjacency is None else adjacency(size)
        self.relation_feed_forward = (
            FeedForward(size, inner_size, size, dropout) if config.relation_projection else nn.Identity()
        )
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
        mention_word_spans: Tensor | None = None,
        pair_index: Tensor | None = None,
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
        entity_type_token_spans: Tensor | None = None,
        entity_type_mask: Tensor | None = None,
        entity_type_index: Tensor | None = None,
        select: SelectCandidates | None = None,
        adjacency_threshold: float | None = None,
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
            entity_type_token_spans (`torch.LongTensor` of shape `(batch, entity types, 2)`): tokens of each entity
                type, as `relation_token_spans`, for a model that finds entities; with `entity_type_mask`
                (`torch.BoolTensor` of shape `(batch, entity types)`). With `label_encoding="separate"` there is
                instead `entity_type_index` (`torch.LongTensor` of shape `(batch, entity types)`), as `relation_index`.
            select: gives mentions and pairs from the logits of entities, in place of `mention_word_spans` and
                `pair_index`, for a model that finds entities.
            adjacency_threshold: with `pair_selection`, pairs whose number is not above it are not scored; `pair_index`
                of the output has the others. By default all are scored.
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
        self._check_entities(mention_word_spans, entity_type_token_spans, entity_type_index, select)
        nothing = input_ids.new_zeros(input_ids.shape[0], 0, 2)
        inputs = check_inputs(
            input_ids=input_ids,
            attention_mask=attention_mask,
            spans={
                "word": (word_token_spans, word_mask),
                "relation": (relation_token_spans, relation_mask),
                "mention": (nothing if mention_word_spans is None else mention_word_spans, mention_mask),
                "pair": (nothing if pair_index is None else pair_index, pair_mask),
                "entity_type": (entity_type_token_spans, entity_type_mask),
                "segment": (segment_token_spans, segment_mask),
            },
            position_ids=position_ids,
            mention_entity=mention_entity,
            entity_mask=entity_mask,
            types=Types(type_input_ids, type_attention_mask, type_states, relation_index, entity_type_index),
        )
        encoded = self.encode(inputs, output_hidden_states, output_attentions)
        spans = self.form_spans(encoded, inputs)
        entity_logits = self.find_entities(encoded, spans)
        if select is not None and entity_logits is not None:
            inputs = select(entity_logits, inputs)
        entities = self.represent_entities(encoded, inputs, spans)
        adjacency, inputs = self.select_pairs(entities, inputs, adjacency_threshold)
        pairs = self.form_pairs(entities, encoded, inputs)
        refined = self.refine(pairs, encoded, inputs)
        scores = Scores() if scorer is None else scorer(refined.pairs, refined.relation_states, inputs.relation_mask)
        return self._output(inputs, encoded, (entity_logits, entities, adjacency), refined, scores)

    def _check_entities(
        self, mentions: Tensor | None, type_spans: Tensor | None, type_index: Tensor | None, select: object
    ) -> None:
        """Checks that entities are given, or that the model finds them."""
        if not self.config.finds_entities:
            if select is not None or type_spans is not None or type_index is not None:
                raise ValueError(
                    "This model does not find entities (entity_finder='none'): pass them, and no entity types."
                )
            if mentions is None:
                raise ValueError("`mention_word_spans` and `pair_index` are missing: pass what its tokenizer makes.")
            return
        given, missing = (
            ("entity_type_token_spans", "entity_type_index")
            if self.config.reads_labels_apart
            else ("entity_type_index", "entity_type_token_spans")
        )
        tensors = {"entity_type_token_spans": type_spans, "entity_type_index": type_index}
        if tensors[given] is not None:
            raise ValueError(
                f"The model has label_encoding={self.config.label_encoding!r}: pass `{missing}` in place of "
                f"`{given}`. Use the tokenizer saved with the model."
            )
        if tensors[missing] is None and mentions is None:
            raise ValueError(
                f"Neither entities nor entity types are given: pass `mention_word_spans` or `{missing}`, which the "
                "tokenizer makes."
            )

    def encode(
        self, inputs: Inputs, output_hidden_states: bool | None = None, output_attentions: bool | None = None
    ) -> Encoded:
        """Stage 1: words of the text and relation types (GLiREL, Section 3.2 and equation 1; GLiDRE, Section 2.2)."""
        encoded = self._run_encoder(inputs, output_hidden_states, output_attentions)
        word_states = self.dropout(self.pooling(encoded.states, inputs.word_token_spans))
        if self.lstm is not None:
            word_states = self.lstm(word_states, inputs.word_mask)
        if self.config.reads_labels_apart:
            type_states = self._states_of_types(inputs)
            label_states, relation_states = self._relations_of_types(type_states, inputs)
        else:
            assert inputs.relation_token_spans is not None  # `forward` checks
            spans = RELATIONS[self.config.relation_representation](inputs.relation_token_spans)
            label_states = self.dropout(self.pooling.mean_of(encoded.states, spans))
            type_states, relation_states = None, None
        if self.fusion is not None:
            label_states, word_states = self.fusion(label_states, inputs.relation_mask, word_states, inputs.word_mask)
        if relation_states is None:
            relation_states = self.relation_feed_forward(label_states)
        entity_type_states = self._entity_type_states(encoded.states, type_states, inputs)
        return Encoded(
            encoded.states,
            word_states,
            relation_states,
            label_states,
            encoded.attention,
            entity_type_states,
            encoded.hidden_states,
            encoded.attentions,
        )

    def _entity_type_states(self, token_states: Tensor, type_states: Tensor | None, inputs: Inputs) -> Tensor | None:
        """Entity types behind their FFN, `(batch, entity types, hidden)`, where there are any."""
        if self.entity_type_feed_forward is None:
            return None
        if type_states is not None and inputs.types.entity_type_index is not None:
            return _project_types(self.entity_type_feed_forward, type_states, inputs.types.entity_type_index, inputs)
        if inputs.entity_type_token_spans is not None:
            spans = RELATIONS[self.config.entity_type_representation](inputs.entity_type_token_spans)
            of_types: Tensor = self.entity_type_feed_forward(self.dropout(self.pooling.mean_of(token_states, spans)))
            return of_types
        return None

    def _run_encoder(
        self, inputs: Inputs, output_hidden_states: bool | None, output_attentions: bool | None
    ) -> EncoderOutput:
        """The encoder's tokens of whole texts, and attention between words; long texts are read in segments."""
        wants_attention = self.config.reads_attention

        def run(
            input_ids: Tensor, attention_mask: Tensor, read_mask: Callable[[], Tensor] | None = None, **others: Tensor
        ) -> EncoderOutput:
            return run_encoder(
                self.encoder,
                self.layer_fusion,
                inputs.attention_mask.bool() if attention_mask.ndim > 2 else None,
                wants_attention=wants_attention,
                output_hidden_states=output_hidden_states,
                output_attentions=output_attentions,
                read_mask=read_mask,
                input_ids=input_ids,
                attention_mask=attention_mask,
                **others,
            )

        if inputs.segment_token_spans is None or inputs.segment_mask is None:
            positions = {} if inputs.position_ids is None else {"position_ids": inputs.position_ids}
            encoded = run(inputs.input_ids, self._attention_mask(inputs), lambda: self._read_mask(inputs), **positions)
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

    def _attention_mask(self, inputs: Inputs) -> Tensor:
        """Which tokens each token attends to: `(batch, tokens)`, or `(batch, 1, tokens, tokens)` where they differ."""
        attends = TYPE_ATTENTION[self.config.type_attention]
        if attends is None:
            return inputs.attention_mask
        types = [
            spans * mask.unsqueeze(-1)
            for spans, mask in (
                (inputs.relation_token_spans, inputs.relation_mask),
                (inputs.entity_type_token_spans, inputs.entity_type_mask),
            )
            if spans is not None and mask is not None
        ]
        mask = mask_between_types(torch.cat(types, 1), inputs.attention_mask.bool(), attends)
        if self.encoder.config._attn_implementation == "sdpa":
            return mask
        lowest = torch.finfo(self.dtype).min
        return torch.zeros(mask.shape, dtype=self.dtype, device=mask.device).masked_fill(~mask, lowest)

    def _read_mask(self, inputs: Inputs) -> Tensor:
        """Which tokens this model pools, `(batch, tokens)`."""
        spans = [inputs.word_token_spans]
        if inputs.relation_token_spans is not None:
            spans += RELATIONS[self.config.relation_representation](inputs.relation_token_spans)
        if inputs.entity_type_token_spans is not None:
            spans += RELATIONS[self.config.entity_type_representation](inputs.entity_type_token_spans)
        num_tokens = inputs.input_ids.shape[1]
        return torch.stack([pooled_tokens(self.pooling.pooling, some, num_tokens) for some in spans]).any(0)

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
        if self._projects_types_later:
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

    @property
    def _projects_types_later(self) -> bool:
        """Whether what the FFN reads depends on the text, or entity types and relation types have one each."""
        return self.fusion is not None or self.entity_finder is not None

    def _states_of_types(self, inputs: Inputs) -> Tensor:
        """What [`encode_types`] makes of all types of a batch, `(types, width)`."""
        types = inputs.types
        if types.states is not None:
            return types.states
        assert types.input_ids is not None  # `check_inputs` checks
        assert types.attention_mask is not None
        return self.encode_types(types.input_ids, types.attention_mask)

    def _relations_of_types(self, states: Tensor, inputs: Inputs) -> tuple[Tensor, Tensor | None]:
        """Relation types before the FFN and, unless that must wait, after it, `(batch, relations, hidden)` each."""
        types = inputs.types
        index = types.relation_index
        of_texts = _types_of_texts(states, index, inputs)
        if self.fusion is not None:
            return of_texts, None
        if self._projects_types_later:
            return of_texts, _project_types(self.relation_feed_forward, states, index, inputs)
        if self._reads_label_states:
            label_states, relation_states = of_texts.chunk(2, dim=-1)
            return label_states, relation_states
        return of_texts, of_texts

    def form_spans(self, encoded: Encoded, inputs: Inputs) -> EntityPairs | Tensor | None:
        """Stage 2: all spans in which entities are looked for, where a model scores spans and entity types are given.

        Entities that are found are among them, and so cost little more.
        """
        if self.entity_finder is None or encoded.entity_type_states is None:
            return None
        return self.entity_finder.spans(self.mention_representation, encoded.word_states, inputs.word_mask)

    def find_entities(self, encoded: Encoded, spans: EntityPairs | Tensor | None) -> Tensor | None:
        """Stage 2: logits of spans or words for every entity type, of a model that finds entities (GLiNER-Relex).

        Their shape is that of the finder's, see [`EntityFinder`]; `None` where no entity types are given.
        """
        if self.entity_finder is None or encoded.entity_type_states is None:
            return None
        logits: Tensor = self.entity_finder(spans, encoded.word_states, encoded.entity_type_states)
        return logits

    def represent_entities(
        self, encoded: Encoded, inputs: Inputs, spans: EntityPairs | Tensor | None = None
    ) -> Entities:
        """Stage 2: mentions (GLiREL, equation 2), and entities from their mentions or words (GLiDRE, Section 2.2).

        With `spans`, from [`form_spans`], the networks of words are not applied again.
        """
        if isinstance(spans, EntityPairs):
            mention_states = spans.states(ends_of(inputs.mention_word_spans))
        else:
            mention_states = self.mention_representation(
                encoded.word_states, inputs.mention_word_spans, inputs.word_mask
            )
        pools_words = self.config.mention_representation == "words"
        if not pools_words and not self.config.reads_attention and inputs.mention_entity is None:
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

    def select_pairs(
        self, entities: Entities, inputs: Inputs, threshold: float | None
    ) -> tuple[Tensor | None, Inputs]:
        """Stage 3: the matrix over entities, and the inputs with the pairs that it selects (GLiNER-Relex, 3.5)."""
        if self.adjacency is None:
            return None, inputs
        matrix = self.adjacency(entities.states, inputs.entity_mask)
        if threshold is None:
            return matrix, inputs
        heads, tails = inputs.pair_index.unbind(-1)
        of_pairs = matrix.flatten(1).gather(1, heads * matrix.shape[1] + tails)
        mask = inputs.pair_mask & (of_pairs > threshold)
        if torch.compiler.is_compiling():  # a graph scores them all
            return matrix, inputs._replace(pair_mask=mask)
        count = int(mask.sum(1).max()) if mask.numel() else 0
        first = mask.int().argsort(dim=1, descending=True, stable=True)[:, :count]
        index = inputs.pair_index.take_along_dim(first.unsqueeze(-1), dim=1)
        return matrix, inputs._replace(pair_index=index, pair_mask=mask.gather(1, first))

    def form_pairs(self, entities: Entities, encoded: Encoded, inputs: Inputs) -> Pairs:
        """Stage 3: ordered pairs (GLiREL, equation 3), in their context (GLiDRE, equations 5 to 8, or learned)."""
        states, index = entities.states, inputs.pair_index
        if entities.paired is not None:  # each pair has its own two
            states = entities.paired
            index = torch.arange(states.shape[1], device=states.device).view(1, -1, 2).expand(states.shape[0], -1, -1)
        if isinstance(self.pair_context, AttendedContext):
            assert isinstance(self.pair_representation, PairRepresentation)  # as the configuration requires
            offsets = offsets_from_entities(inputs, encoded.word_states.shape[1])
            if entities.paired is not None:
                offsets = gather_items(offsets, inputs.pair_index.flatten(1))
            attended = self.pair_context(states, offsets, encoded.word_states, inputs.word_mask)
            return attended.pairs(states, index, self.pair_representation.feed_forward)
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
        found: tuple[Tensor | None, Entities, Tensor | None],
        refined: Refined,
        scores: Scores,
    ) -> GLiRELModelOutput:
        entity_logits, entities, adjacency = found
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
            entity_logits=entity_logits,
            entity_type_states=encoded.entity_type_states,
            entity_type_mask=inputs.entity_type_mask,
            adjacency=adjacency,
            mention_word_spans=inputs.mention_word_spans,
            mention_mask=inputs.mention_mask,
            pair_index=inputs.pair_index,
            hidden_states=encoded.hidden_states,
            attentions=encoded.attentions,
        )


__all__ = ["GLiRELModel"]
