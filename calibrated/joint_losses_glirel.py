"""What a model that finds entities is trained on: three losses (GLiNER-Relex, Section 3.7, equations 9 and 10).

Axes: `batch, words, widths, mentions, entities, pairs, relations, types`; `types` are entity types here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional

from .configuration_glirel import GLiRELConfig
from .finder_glirel import reaches_into_padding
from .losses_glirel import IGNORED_LABEL, RelationLoss, check_labels
from .memory_glirel import inside_spans
from .outputs_glirel import GLiRELModelOutput


def span_targets(labels: Tensor, spans: Tensor, mask: Tensor, logits: Tensor) -> Tensor:
    """What is right for every span: 1, 0, or −100 where it is unknown, `(batch, words, widths, types)`.

    A mention of more words than there are widths has no cell.

    Args:
        labels: of mentions, `(batch, mentions, types)`.
        spans, mask: half-open word spans of mentions, `(batch, mentions, 2)`, and which are real.
        logits: of the spans, of the same shape as what comes out.
    """
    num_words, num_widths = logits.shape[1:3]
    start, end = spans.unbind(-1)
    width = end - start - 1
    fits = mask & (width >= 0) & (width < num_widths)
    # One more cell, for mentions that have none.
    cell = torch.where(fits, start * num_widths + width, num_words * num_widths)

    def any_of(chosen: Tensor) -> Tensor:
        cells = labels.new_zeros(len(labels), num_words * num_widths + 1, labels.shape[2], dtype=torch.long)
        index = cell.unsqueeze(-1).expand_as(chosen)
        return cells.scatter_reduce(1, index, chosen.long(), "amax")[:, :-1].view(logits.shape) > 0

    return _targets(any_of(labels == 1), any_of(labels == IGNORED_LABEL), labels)


def token_targets(labels: Tensor, spans: Tensor, mask: Tensor, logits: Tensor) -> Tensor:
    """What is right for every word, `(batch, words, types, 3)`; arguments as of [`span_targets`]."""
    num_words = logits.shape[1]
    start, end = spans.unbind(-1)
    parts = torch.stack(
        [
            inside_spans(torch.stack([start, start + 1], -1), num_words),
            inside_spans(torch.stack([end - 1, end], -1), num_words),
            inside_spans(spans, num_words),
        ],
        dim=-1,
    )
    parts = (parts & mask[:, :, None, None]).float()

    def any_of(chosen: Tensor) -> Tensor:
        return torch.einsum("bmwp,bmt->bwtp", parts, chosen.float()) > 0

    return _targets(any_of(labels == 1), any_of(labels == IGNORED_LABEL), labels)


def _targets(holds: Tensor, is_unknown: Tensor, labels: Tensor) -> Tensor:
    zeros = torch.zeros_like(holds, dtype=labels.dtype)
    return zeros.masked_fill(is_unknown, IGNORED_LABEL).masked_fill(holds, 1)


TARGETS: dict[str, Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]] = {"span": span_targets, "token": token_targets}


def with_added(labels: Tensor | None, mask: Tensor | None) -> Tensor | None:
    """Labels `(batch, n, types)` with a 0 for whatever was added after what they are of, up to `mask` `(batch, m)`."""
    if labels is None or mask is None:
        return labels
    return functional.pad(labels, (0, 0, 0, max(mask.shape[1] - labels.shape[1], 0)))


@dataclass(frozen=True)
class JointLosses:
    """The losses of a batch, each `()` or `None` where there are no labels of its kind.

    Args:
        entities, relations, adjacency: before their weights.
        total: their sum, each times its weight.
    """

    entities: Tensor | None
    relations: Tensor | None
    adjacency: Tensor | None
    total: Tensor | None

    @classmethod
    def of(
        cls,
        config: GLiRELConfig,
        loss: RelationLoss,
        outputs: GLiRELModelOutput,
        labels: Tensor | None,
        entity_labels: Tensor | None,
    ) -> JointLosses:
        """Computes them.

        Args:
            config: with the weights.
            loss: of single cells.
            outputs: of the base model.
            labels, entity_labels: as [`GLiRELForJointExtraction.forward`] takes them.

        Raises:
            ValueError: when labels do not have the shape of what they are of.
        """
        entities = relations = adjacency = None
        of_cells = replace(loss, ranking_weight=0.0)  # spans and neighbours are not ranked
        if entity_labels is not None:
            entities = _entity_loss(config, of_cells, outputs, entity_labels)
        if labels is not None:
            assert outputs.scores is not None  # the head has a scorer
            check_labels(labels, outputs.scores)
            cell_mask = outputs.pair_mask.unsqueeze(2) & outputs.relation_mask.unsqueeze(1)
            relations = loss(outputs.scores, labels, cell_mask, outputs.threshold_scores)
            if outputs.adjacency is not None:
                adjacency = _adjacency_loss(of_cells, outputs, outputs.adjacency, labels)
        weights = (config.entity_loss_weight, config.relation_loss_weight, config.adjacency_loss_weight)
        parts = [
            part * weight
            for part, weight in zip((entities, relations, adjacency), weights, strict=True)
            if part is not None
        ]
        return cls(entities, relations, adjacency, torch.stack(parts).sum() if parts else None)


def _entity_loss(config: GLiRELConfig, loss: RelationLoss, outputs: GLiRELModelOutput, labels: Tensor) -> Tensor:
    """Over all real spans, or words with their three parts, and all real types."""
    logits, spans, mask = outputs.entity_logits, outputs.mention_word_spans, outputs.mention_mask
    if logits is None or spans is None or mask is None or outputs.entity_type_mask is None:
        raise ValueError("`entity_labels` are of entity types: pass these as well, as the tokenizer makes them.")
    expected = (*spans.shape[:2], outputs.entity_type_mask.shape[1])
    if labels.shape != expected:
        raise ValueError(
            f"`entity_labels` must have the shape (batch, mentions, entity types) = {expected}: got "
            f"{tuple(labels.shape)}."
        )
    targets = TARGETS[config.entity_finder](labels, spans, mask, logits)
    if config.entity_finder == "span":
        is_real = ~reaches_into_padding(outputs.word_mask, logits.shape[2]).unsqueeze(-1)
        cells = is_real & outputs.entity_type_mask[:, None, None]
    else:
        cells = outputs.word_mask[:, :, None, None] & outputs.entity_type_mask[:, None, :, None]
    cells = cells.expand_as(logits)
    # A loss of kinds of cells that `RelationLoss` calls pairs and relations.
    return loss(logits.flatten(2), targets.flatten(2), cells.flatten(2))


def _adjacency_loss(loss: RelationLoss, outputs: GLiRELModelOutput, adjacency: Tensor, labels: Tensor) -> Tensor:
    """Over all real pairs: those that have any relation are neighbours.

    Numbers of the matrix are probabilities; they are kept a millionth away from 0 and 1.
    """
    assert outputs.pair_index is not None  # it comes with the scores
    heads, tails = outputs.pair_index.unbind(-1)
    probabilities = adjacency.flatten(1).gather(1, heads * adjacency.shape[1] + tails).unsqueeze(-1)
    real = outputs.relation_mask.unsqueeze(1)
    holds = ((labels == 1) & real).any(-1, keepdim=True)
    is_unknown = ((labels == IGNORED_LABEL) & real).any(-1, keepdim=True)
    targets = _targets(holds, is_unknown, labels)
    return loss(torch.logit(probabilities.float(), 1e-6), targets, outputs.pair_mask.unsqueeze(-1))
