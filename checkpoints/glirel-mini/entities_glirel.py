"""Stage 2, represent entities: mentions from words (equation 2), and entities from their mentions.

Axes: `batch, words, mentions, entities, hidden`. Spans are half-open.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .feed_forward_glirel import ConcatFeedForward, FeedForward
from .memory_glirel import gather_items, mean_of_spans, mean_where


class EndpointMentions(nn.Module):
    """Equation 2, `e_ij = FFN(h_i ⊗ h_j)` of the first and the last word of each mention.

    With `project_endpoints`, `FFN(ReLU(FFN_start(h_i)) ⊗ ReLU(FFN_end(h_j)))`. The networks are applied at the
    mentions only, never to every word. `(batch, words, size)` and word spans `(batch, mentions, 2)` to
    `(batch, mentions, size)`.

    Args:
        size, inner_size: widths of a word and of the FFN.
        dropout: probability of dropout in the FFN.
        project_endpoints: whether either end point passes an FFN of its own first.
    """

    def __init__(self, size: int, inner_size: int, dropout: float, project_endpoints: bool = False):
        super().__init__()
        self.feed_forward = ConcatFeedForward(size, inner_size, dropout)
        self.start_projection, self.end_projection = (
            nn.Sequential(FeedForward(size, inner_size, size, dropout), nn.ReLU())
            if project_endpoints
            else nn.Identity()
            for _ in range(2)
        )

    def forward(self, word_states: Tensor, mention_word_spans: Tensor) -> Tensor:
        first = gather_items(word_states, mention_word_spans[..., 0])
        last = gather_items(word_states, (mention_word_spans[..., 1] - 1).clamp(min=0))
        return self.feed_forward(self.start_projection(first), self.end_projection(last))


class MeanMentions(nn.Module):
    """FFN of the mean of a mention's words: the shapes and arguments of [`EndpointMentions`]."""

    def __init__(self, size: int, inner_size: int, dropout: float, project_endpoints: bool = False):
        super().__init__()
        self.feed_forward = FeedForward(size, inner_size, size, dropout)

    def forward(self, word_states: Tensor, mention_word_spans: Tensor) -> Tensor:
        return self.feed_forward(mean_of_spans(word_states, mention_word_spans))


MENTIONS: dict[str, type[EndpointMentions] | type[MeanMentions]] = {
    "endpoints": EndpointMentions,
    "mean": MeanMentions,
}


class MeanEntities(nn.Module):
    """An entity is the mean of its mentions: `(batch, mentions, size)` to `(batch, entities, size)`."""

    def forward(
        self, mention_states: Tensor, mention_entity: Tensor, mention_mask: Tensor, num_entities: int
    ) -> Tensor:
        """Pools mentions to entities.

        Args:
            mention_states: `(batch, mentions, size)`.
            mention_entity: the entity of each mention, `(batch, mentions)`.
            mention_mask: True where a mention is real, `(batch, mentions)`.
            num_entities: the size of the axis `entities`.
        """
        entity = torch.arange(num_entities, device=mention_entity.device).unsqueeze(1)
        belongs = (mention_entity.unsqueeze(1) == entity) & mention_mask.unsqueeze(1)
        return mean_where(mention_states, belongs)


ENTITIES: dict[str, type[MeanEntities]] = {"mean": MeanEntities}
