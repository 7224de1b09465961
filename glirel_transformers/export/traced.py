"""What is traced: a model, or a part of it, that takes and gives tensors by name.

Each names its tensors one by one: torch.export loses track of arguments that are gathered as **kwargs. What comes out
is in single precision, and so is what another graph made before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from glirel_transformers.base_glirel import Encoded
from glirel_transformers.inputs_glirel import Inputs, Types

if TYPE_CHECKING:
    from glirel_transformers.heads_glirel import GLiRELHead


class Scores(nn.Module):
    """A model whose entities are given, which takes the tensors of its configuration's `inputs`.

    Args:
        model: the model.
        names: of its outputs. What it returns in addition to scores are inputs again, which a graph cannot name twice.
    """

    def __init__(self, model: GLiRELHead, names: tuple[str, ...]):
        super().__init__()
        self.model = model
        self.names = names

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        word_token_spans: Tensor,
        word_mask: Tensor,
        relation_mask: Tensor,
        mention_word_spans: Tensor,
        mention_mask: Tensor,
        pair_index: Tensor,
        pair_mask: Tensor,
        mention_entity: Tensor | None = None,
        entity_mask: Tensor | None = None,
        relation_token_spans: Tensor | None = None,
        position_ids: Tensor | None = None,
        type_states: Tensor | None = None,
        relation_index: Tensor | None = None,
    ) -> dict[str, Tensor]:
        outputs = self.model(
            input_ids=input_ids,
            attention_mask=attention_mask,
            word_token_spans=word_token_spans,
            word_mask=word_mask,
            relation_token_spans=relation_token_spans,
            relation_mask=relation_mask,
            mention_word_spans=mention_word_spans,
            mention_mask=mention_mask,
            mention_entity=mention_entity,
            entity_mask=entity_mask,
            pair_index=pair_index,
            pair_mask=pair_mask,
            position_ids=position_ids,
            type_states=None if type_states is None else type_states.to(self.model.dtype),
            relation_index=relation_index,
        )
        return {name: outputs[name].float() for name in self.names}


class TypeStates(nn.Module):
    """What a model makes of relation types that it reads apart from texts."""

    def __init__(self, model: GLiRELHead):
        super().__init__()
        self.model = model

    def forward(self, type_input_ids: Tensor, type_attention_mask: Tensor) -> dict[str, Tensor]:
        return {"type_states": self.model.glirel.encode_types(type_input_ids, type_attention_mask).float()}


class FoundEntities(nn.Module):
    """Encode, and find entities: the first part of a model that finds them.

    Args:
        model: the model.
        names: of its outputs: `entity_logits`, and what [`PairScores`] reads.
    """

    def __init__(self, model: GLiRELHead, names: tuple[str, ...]):
        super().__init__()
        self.model = model
        self.names = names

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        word_token_spans: Tensor,
        word_mask: Tensor,
        relation_mask: Tensor,
        entity_type_mask: Tensor,
        relation_token_spans: Tensor | None = None,
        entity_type_token_spans: Tensor | None = None,
        position_ids: Tensor | None = None,
        type_states: Tensor | None = None,
        relation_index: Tensor | None = None,
        entity_type_index: Tensor | None = None,
    ) -> dict[str, Tensor]:
        glirel = self.model.glirel
        states = None if type_states is None else type_states.to(self.model.dtype)
        inputs = _inputs(
            input_ids=input_ids,
            attention_mask=attention_mask,
            word_token_spans=word_token_spans,
            word_mask=word_mask,
            relation_token_spans=relation_token_spans,
            relation_mask=relation_mask,
            entity_type_token_spans=entity_type_token_spans,
            entity_type_mask=entity_type_mask,
            position_ids=position_ids,
            types=Types(None, None, states, relation_index, entity_type_index),
        )
        encoded = glirel.encode(inputs)
        given = {
            "entity_logits": glirel.find_entities(encoded, glirel.form_spans(encoded, inputs)),
            **encoded._asdict(),
        }
        return {name: given[name].float() for name in self.names}


class PairScores(nn.Module):
    """Represent entities, form pairs, refine, score: the second part of a model that finds entities.

    All pairs are scored, and the matrix over the entities goes out with them: no threshold is in the graph. There is
    always one more mention, entity, pair and relation type, of padding, which is dropped: the sums and norms of ONNX
    Runtime keep the axis that they are over where there is nothing else.

    Args:
        model: the model.
        names: of its outputs.
    """

    def __init__(self, model: GLiRELHead, names: tuple[str, ...]):
        super().__init__()
        self.model = model
        self.names = names

    def forward(
        self,
        word_states: Tensor,
        word_mask: Tensor,
        relation_states: Tensor,
        relation_mask: Tensor,
        mention_word_spans: Tensor,
        mention_mask: Tensor,
        mention_entity: Tensor,
        entity_mask: Tensor,
        pair_index: Tensor,
        pair_mask: Tensor,
        label_states: Tensor | None = None,
        word_attention: Tensor | None = None,
    ) -> dict[str, Tensor]:
        glirel, dtype = self.model.glirel, self.model.dtype
        words = word_states.to(dtype)
        relation_states, relation_mask = _one_more(relation_states), _one_more(relation_mask)
        mention_word_spans, mention_mask = _one_more(mention_word_spans), _one_more(mention_mask)
        mention_entity, entity_mask = _one_more(mention_entity), _one_more(entity_mask)
        pair_index, pair_mask = _one_more(pair_index), _one_more(pair_mask)
        # A pair of an entity that is not real is not real either.
        heads, tails = pair_index.unbind(-1)
        pair_mask = pair_mask & entity_mask.gather(1, heads) & entity_mask.gather(1, tails)
        inputs = _inputs(
            word_mask=word_mask,
            relation_mask=relation_mask,
            mention_word_spans=mention_word_spans,
            mention_mask=mention_mask,
            mention_entity=mention_entity,
            entity_mask=entity_mask,
            pair_index=pair_index,
            pair_mask=pair_mask,
        )
        encoded = Encoded(
            token_states=words,  # which nothing reads after the first stage
            word_states=words,
            relation_states=relation_states.to(dtype),
            label_states=None if label_states is None else _one_more(label_states).to(dtype),
            word_attention=None if word_attention is None else word_attention.to(dtype),
            entity_type_states=None,
            hidden_states=None,
            attentions=None,
        )
        entities = glirel.represent_entities(encoded, inputs)
        adjacency, inputs = glirel.select_pairs(entities, inputs, None)
        pairs = glirel.form_pairs(entities, encoded, inputs)
        refined = glirel.refine(pairs, encoded, inputs)
        scores = self.model.pair_scorer(refined.pairs, refined.relation_states, relation_mask)
        assert scores.relations is not None  # it always scores
        cells = pair_mask.unsqueeze(2) & relation_mask.unsqueeze(1)
        given = {
            "logits": scores.relations.masked_fill(~cells, torch.finfo(dtype).min)[..., :-1],
            "coreference_logits": scores.coreference,
            "threshold_logits": scores.thresholds,
            "entity_attention": entities.attention,
            "adjacency": None if adjacency is None else adjacency[..., :-1],
        }
        # Of what there is for each pair, or for each entity; the names say which.
        return {name: given[name][:, :-1].float() for name in self.names}  # type: ignore[index]


def _one_more(items: Tensor) -> Tensor:
    """With one more item of zeros, which stands for padding, behind the others on the axis after `batch`."""
    return torch.cat([items, items.new_zeros(items.shape[0], 1, *items.shape[2:])], dim=1)


def _inputs(**given: Tensor | Types | None) -> Inputs:
    """What some stages of a model read; the others are not run."""
    return Inputs(**{**dict.fromkeys(Inputs._fields), **given})  # type: ignore[arg-type]


__all__ = ["FoundEntities", "PairScores", "Scores", "TypeStates"]
