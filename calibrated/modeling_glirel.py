"""The heads of the family: entities given (GLiREL, GLiDRE), and entities found as well (GLiNER-Relex).

Axes have one name everywhere: `batch, tokens, words, mentions, entities, pairs, relations, types, hidden`. Spans are
half-open, and masks are boolean with True for real.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from transformers.utils import can_return_tuple

from .base_glirel import GLiRELModel, SelectCandidates
from .configuration_glirel import GLiRELConfig
from .entities_glirel import EndpointMentions
from .finder_glirel import CandidateSelection
from .heads_glirel import GLiRELHead
from .joint_losses_glirel import JointLosses, with_added
from .losses_glirel import check_labels
from .outputs_glirel import GLiRELJointExtractionOutput, GLiRELModelOutput, GLiRELRelationClassificationOutput
from .pretrained_glirel import GLiRELPreTrainedModel
from .tokenization_glirel import GLiRELTokenizer


class GLiRELForRelationClassification(GLiRELHead):
    """Scores every ordered entity pair against every relation type in one forward pass (equations 1 to 8)."""

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


class GLiRELForJointExtraction(GLiRELHead):
    """Finds entities of any types, and scores their pairs against any relation types, in one pass (arXiv 2605.10108).

    Entities can be given as well, in whole or in part.
    """

    finds_entities = True

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
        entity_type_token_spans: Tensor | None = None,
        entity_type_mask: Tensor | None = None,
        entity_type_index: Tensor | None = None,
        entity_labels: Tensor | None = None,
        entity_threshold: float | None = None,
        adjacency_threshold: float | None = None,
        select: SelectCandidates | None = None,
    ) -> GLiRELJointExtractionOutput:
        r"""Finds and scores. See [`GLiRELModel.forward`] for the other tensors.

        Args:
            mention_word_spans, pair_index: entities that are known, and their pairs. Without them, entities are found:
                the likeliest `max_candidates` spans whose best type is above `entity_threshold`, which may overlap
                ([`RelationExtractor`] decodes them), and all their ordered pairs.
            labels (`torch.Tensor` of shape `(batch, pairs, relations)`, *optional*): of the pairs that are given: 1
                where the pair has the relation, 0 where it does not, −100 where that is unknown.
            entity_labels (`torch.Tensor` of shape `(batch, mentions, entity types)`, *optional*): 1 where a mention
                that is given is an entity of the type, 0 where it is not, −100 where that is unknown. No other span
                is an entity of any type.
            entity_threshold, adjacency_threshold (`float`): by default the configuration's.
            select: takes the place of the choice of candidates. Where entities are given it may add some to them, and
                pairs, which come after those that are given: the added ones are of no type and have no relation.

        Returns:
            [`GLiRELJointExtractionOutput`].

        Raises:
            ValueError: when a tensor's shape does not fit, when neither entities nor entity types are given, or when
                the scores are not numbers.
        """
        config = self.config
        finds = mention_word_spans is None
        if finds and (labels is not None or entity_labels is not None):
            raise ValueError("`labels` and `entity_labels` are of entities that are given: pass `mention_word_spans`.")
        if adjacency_threshold is None and labels is None:
            adjacency_threshold = config.adjacency_threshold
        own, finder = None, self.glirel.entity_finder
        if finds and select is None and finder is not None:
            threshold = config.entity_threshold if entity_threshold is None else entity_threshold
            select = own = CandidateSelection(finder, threshold, config.max_candidates)
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
            entity_type_token_spans=entity_type_token_spans,
            entity_type_mask=entity_type_mask,
            entity_type_index=entity_type_index,
            select=select,
            adjacency_threshold=adjacency_threshold,
            scorer=self.pair_scorer,
            output_hidden_states=output_hidden_states,
            output_attentions=output_attentions,
            return_dict=True,
        )
        logits = outputs.scores
        cell_mask = outputs.pair_mask.unsqueeze(2) & outputs.relation_mask.unsqueeze(1)
        if not torch.compiler.is_compiling():
            self._check_finite(logits, cell_mask)
        if select is not None and not finds:
            labels, entity_labels = (
                with_added(labels, outputs.pair_mask),
                with_added(entity_labels, outputs.mention_mask),
            )
        losses = JointLosses.of(config, self.relation_loss, outputs, labels, entity_labels)
        return GLiRELJointExtractionOutput(
            loss=losses.total,
            logits=logits.masked_fill(~cell_mask, torch.finfo(logits.dtype).min),
            pair_mask=outputs.pair_mask,
            relation_mask=outputs.relation_mask,
            coreference_logits=outputs.coreference_scores,
            threshold_logits=outputs.threshold_scores,
            entity_attention=outputs.entity_attention,
            hidden_states=outputs.hidden_states,
            attentions=outputs.attentions,
            entity_loss=losses.entities,
            relation_loss=losses.relations,
            adjacency_loss=losses.adjacency,
            entity_logits=outputs.entity_logits,
            entity_type_mask=outputs.entity_type_mask,
            word_mask=outputs.word_mask,
            mention_word_spans=outputs.mention_word_spans,
            mention_mask=outputs.mention_mask,
            num_candidates=None if own is None else own.num_candidates,
            pair_index=outputs.pair_index,
            adjacency=outputs.adjacency,
        )

    @property
    def _folded_layers(self) -> set[nn.Module]:
        """And the last layer of the spans goes into the entity types."""
        layers, mentions = super()._folded_layers, self.glirel.mention_representation
        if self.config.entity_finder == "span" and isinstance(mentions, EndpointMentions):
            layers = {*layers, mentions.feed_forward.output}
        return layers


def head_for(config: GLiRELConfig) -> type[GLiRELHead]:
    """The class of a whole model with that configuration."""
    return GLiRELForJointExtraction if config.finds_entities else GLiRELForRelationClassification


GLiRELConfig.register_for_auto_class()
GLiRELTokenizer.register_for_auto_class("AutoTokenizer")
GLiRELForRelationClassification.register_for_auto_class("AutoModel")
GLiRELForJointExtraction.register_for_auto_class("AutoModel")

__all__ = [
    "GLiRELForJointExtraction",
    "GLiRELForRelationClassification",
    "GLiRELJointExtractionOutput",
    "GLiRELModel",
    "GLiRELModelOutput",
    "GLiRELPreTrainedModel",
    "GLiRELRelationClassificationOutput",
]
