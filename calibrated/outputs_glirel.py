"""What GLiREL models return. Axes: `batch, tokens, words, mentions, entities, pairs, relations, hidden`."""

from __future__ import annotations

from dataclasses import dataclass

from transformers.utils import ModelOutput, is_torch_available

if is_torch_available():
    from torch import Tensor


@dataclass
class GLiRELModelOutput(ModelOutput):
    """What [`GLiRELModel`] returns.

    Args:
        pair_states (`torch.FloatTensor` of shape `(batch, pairs, hidden)`): κ, refined where the model refines
            (equations 3 to 6). `None` where they were scored as they were formed, and then forgotten.
        relation_states (`torch.FloatTensor` of shape `(batch, relations, hidden)`): q, likewise (equation 1).
        entity_states (`torch.FloatTensor` of shape `(batch, entities, hidden)`): the mentions, where each is an entity
            of its own.
        mention_states (`torch.FloatTensor` of shape `(batch, mentions, hidden)`): e (equation 2).
        word_states (`torch.FloatTensor` of shape `(batch, words, hidden)`): h (Section 3.2).
        last_hidden_state (`torch.FloatTensor` of shape `(batch, tokens, encoder hidden)`): the encoder's output. Once
            optimized for inference, DeBERTa gives it for the tokens that are pooled, and zero for the others.
        scores (`torch.FloatTensor` of shape `(batch, pairs, relations)`), coreference_scores, threshold_scores
            (`torch.FloatTensor` of shape `(batch, pairs)`): before the sigmoid, when a `scorer` was given.
        word_mask, entity_mask, pair_mask, relation_mask (`torch.BoolTensor` of shape `(batch, …)`): True means real.
            What the states hold elsewhere has no meaning.
        entity_attention (`torch.FloatTensor` of shape `(batch, entities, words)`): with `pair_context`, what the words
            of each entity attend to, on average.
        entity_logits (`torch.FloatTensor`), entity_type_states (`torch.FloatTensor` of shape `(batch, entity types,
            hidden)`): where the model finds entities, see [`GLiRELJointExtractionOutput`].
        entity_type_mask (`torch.BoolTensor` of shape `(batch, entity types)`): True means real.
        adjacency (`torch.FloatTensor` of shape `(batch, entities, entities)`): with `pair_selection`.
        mention_word_spans (`torch.LongTensor` of shape `(batch, mentions, 2)`), mention_mask, pair_index
            (`torch.LongTensor` of shape `(batch, pairs, 2)`): those that were given, or found and selected.
        hidden_states, attentions: the encoder's, when asked for.
    """

    pair_states: Tensor | None = None
    relation_states: Tensor = None  # type: ignore[assignment]  # always there
    entity_states: Tensor = None  # type: ignore[assignment]  # always there
    mention_states: Tensor = None  # type: ignore[assignment]  # always there
    word_states: Tensor = None  # type: ignore[assignment]  # always there
    last_hidden_state: Tensor = None  # type: ignore[assignment]  # always there
    scores: Tensor | None = None
    coreference_scores: Tensor | None = None
    threshold_scores: Tensor | None = None
    word_mask: Tensor = None  # type: ignore[assignment]  # always there
    entity_mask: Tensor = None  # type: ignore[assignment]  # always there
    pair_mask: Tensor = None  # type: ignore[assignment]  # always there
    relation_mask: Tensor = None  # type: ignore[assignment]  # always there
    entity_attention: Tensor | None = None
    entity_logits: Tensor | None = None
    entity_type_states: Tensor | None = None
    entity_type_mask: Tensor | None = None
    adjacency: Tensor | None = None
    mention_word_spans: Tensor | None = None
    mention_mask: Tensor | None = None
    pair_index: Tensor | None = None
    hidden_states: tuple[Tensor, ...] | None = None
    attentions: tuple[Tensor, ...] | None = None


@dataclass
class GLiRELRelationClassificationOutput(ModelOutput):
    """What [`GLiRELForRelationClassification`] returns.

    Args:
        loss (`torch.FloatTensor` of shape `()`): mean over all real cells, when `labels` were given.
        logits (`torch.FloatTensor` of shape `(batch, pairs, relations)`): scores before the sigmoid of equation 8,
            in the order of `pair_index` and of the relation types. Padding holds the lowest number of the type, so
            that its probability is 0.
        pair_mask (`torch.BoolTensor` of shape `(batch, pairs)`), relation_mask (`torch.BoolTensor` of shape
            `(batch, relations)`): True means real.
        coreference_logits (`torch.FloatTensor` of shape `(batch, pairs)`): with `coreference_classifier`, scores of
            pairs as coreferent, before a sigmoid.
        threshold_logits (`torch.FloatTensor` of shape `(batch, pairs)`): with `threshold_head`, what the logit of a
            relation must exceed.
        entity_attention (`torch.FloatTensor` of shape `(batch, entities, words)`): with `pair_context`, what the words
            of each entity attend to, on average.
        hidden_states, attentions: the encoder's, when asked for.

    An export gives numpy arrays where it is given numpy arrays.
    """

    loss: Tensor | None = None
    logits: Tensor | None = None
    pair_mask: Tensor | None = None
    relation_mask: Tensor | None = None
    coreference_logits: Tensor | None = None
    threshold_logits: Tensor | None = None
    entity_attention: Tensor | None = None
    hidden_states: tuple[Tensor, ...] | None = None
    attentions: tuple[Tensor, ...] | None = None

    @property
    def decision_logits(self) -> Tensor:
        """What a probability is the sigmoid of, `(batch, pairs, relations)`: `logits` above the pair's threshold."""
        assert self.logits is not None  # a head has them
        return self.logits if self.threshold_logits is None else self.logits - self.threshold_logits[..., None]


@dataclass
class GLiRELJointExtractionOutput(GLiRELRelationClassificationOutput):
    """What [`GLiRELForJointExtraction`] returns: what [`GLiRELRelationClassificationOutput`] has, of entities found.

    Args:
        loss: the sum of the three losses, each times its weight, when `labels` or `entity_labels` were given.
        entity_loss, relation_loss, adjacency_loss (`torch.FloatTensor` of shape `()`): each of them, where there is
            one, before its weight.
        entity_logits (`torch.FloatTensor`): of shape `(batch, words, widths, entity types)` with `entity_finder`
            `"span"`, for the span of a first word and one word more than its width; `(batch, words, entity types, 3)`
            with `"token"`, for a word that starts, ends or is within an entity. `None` without entity types. Padding
            has no meaning.
        entity_type_mask (`torch.BoolTensor` of shape `(batch, entity types)`), word_mask (`torch.BoolTensor` of shape
            `(batch, words)`): True means real.
        mention_word_spans (`torch.LongTensor` of shape `(batch, mentions, 2)`): half-open word spans of the
            candidates, or of the entities that were given; with `mention_mask` (`torch.BoolTensor` of shape `(batch,
            mentions)`).
        num_candidates (`torch.LongTensor` of shape `(batch,)`): how many there were before the likeliest
            `max_candidates` were taken; `None` where entities were given.
        pair_index (`torch.LongTensor` of shape `(batch, pairs, 2)`): head and tail of each row of `logits`.
        adjacency (`torch.FloatTensor` of shape `(batch, entities, entities)`): with `pair_selection`.
    """

    entity_loss: Tensor | None = None
    relation_loss: Tensor | None = None
    adjacency_loss: Tensor | None = None
    entity_logits: Tensor | None = None
    entity_type_mask: Tensor | None = None
    word_mask: Tensor | None = None
    mention_word_spans: Tensor | None = None
    mention_mask: Tensor | None = None
    num_candidates: Tensor | None = None
    pair_index: Tensor | None = None
    adjacency: Tensor | None = None
