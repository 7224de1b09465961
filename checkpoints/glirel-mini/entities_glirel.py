"""Stage 2, represent entities: mentions from words (GLiREL, equation 2), and entities from their mentions or words.

Axes: `batch, words, mentions, entities, hidden`. Spans are half-open.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .feed_forward_glirel import ConcatFeedForward, FeedForward
from .memory_glirel import gather_items, mean_of_spans, normalized


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


class WordsOfMentions(nn.Module):
    """No network: an entity is pooled from all words of its mentions at once (GLiDRE). The shapes are the same.

    What comes out, the mean of a mention's words, is for whoever looks at mentions.
    """

    def __init__(self, size: int, inner_size: int, dropout: float, project_endpoints: bool = False):
        super().__init__()

    def forward(self, word_states: Tensor, mention_word_spans: Tensor) -> Tensor:
        return mean_of_spans(word_states, mention_word_spans)


MENTIONS: dict[str, type[EndpointMentions] | type[MeanMentions] | type[WordsOfMentions]] = {
    "endpoints": EndpointMentions,
    "mean": MeanMentions,
    "words": WordsOfMentions,
}


def count_mentions(mention_entity: Tensor, mention_mask: Tensor, num_entities: int) -> Tensor:
    """Which mentions each entity has: booleans `(batch, entities, mentions)`.

    Args:
        mention_entity, mention_mask: the entity of each mention, and whether it is real, `(batch, mentions)` each.
        num_entities: the size of the axis `entities`.
    """
    entity = torch.arange(num_entities, device=mention_entity.device).unsqueeze(1)
    return (mention_entity.unsqueeze(1) == entity) & mention_mask.unsqueeze(1)


class MeanEntities(nn.Module):
    """An entity is the mean of its mentions, or of the words of all of them; zero without any."""

    def forward(self, states: Tensor, counts: Tensor) -> Tensor:
        """Pools items.

        Args:
            states: mentions or words, `(batch, items, size)`.
            counts: how often each belongs to each entity, `(batch, entities, items)`.

        Returns:
            `(batch, entities, size)`.
        """
        return normalized(counts.to(states.dtype)) @ states


class LogSumExpEntities(nn.Module):
    """An entity is `log Σ exp` of its mentions, or of the words of all of them, in each dimension; zero without any.

    The shapes are those of [`MeanEntities`].
    """

    def forward(self, states: Tensor, counts: Tensor) -> Tensor:
        # In double precision, so that one maximum for the whole text will do: it holds what is 700 below it.
        precision = torch.float32 if states.device.type == "mps" else torch.float64
        highest = states.detach().amax(dim=1, keepdim=True) if states.shape[1] else states.new_zeros(1, 1, 1)
        total = counts.to(precision) @ (states - highest).to(precision).exp()
        pooled = total.clamp(min=torch.finfo(precision).tiny).log().to(states.dtype) + highest
        return torch.where(counts.any(-1, keepdim=True), pooled, torch.zeros_like(pooled))


ENTITIES: dict[str, type[MeanEntities] | type[LogSumExpEntities]] = {
    "mean": MeanEntities,
    "logsumexp": LogSumExpEntities,
}


def shared_by_position(
    mention_word_spans: Tensor, mention_entity: Tensor, mentions_of: Tensor, num_words: int, dtype: torch.dtype
) -> Tensor:
    """How often the original GLiDRE takes a word out of an entity that is paired with another: `self_rel: false`.

    The k-th mentions of both are compared word by word from their starts, so that words count as shared only where two
    such mentions start alike; and one that starts at word 0 loses that word against an entity without a k-th mention.
    A mention that is masked keeps its place among those of its entity.

    Args:
        mention_word_spans: `(batch, mentions, 2)`.
        mention_entity: the entity of each mention, `(batch, mentions)`.
        mentions_of: from [`count_mentions`], `(batch, entities, mentions)`.
        num_words: the size of the axis `words`.
        dtype: of what comes out.

    Returns:
        `(batch, entities, entities, words)`: from the first entity, next to the second.
    """
    starts, ends = mention_word_spans.unbind(-1)
    belongs = mentions_of.to(dtype)
    rank = (mention_entity.unsqueeze(2) == mention_entity.unsqueeze(1)).tril(-1).sum(-1)
    is_real = mentions_of.any(1)
    same_rank = (rank.unsqueeze(2) == rank.unsqueeze(1)) & is_real.unsqueeze(2) & is_real.unsqueeze(1)
    both = same_rank & (starts.unsqueeze(2) == starts.unsqueeze(1))
    lengths = torch.minimum((ends - starts).unsqueeze(2), (ends - starts).unsqueeze(1)) * both
    word = torch.arange(num_words, device=starts.device)
    offset = (word - starts.unsqueeze(-1)).unsqueeze(2)
    shared = (offset >= 0) & (offset < lengths.unsqueeze(-1))
    of_mentions = torch.einsum("bej,bijw->biew", belongs, shared.to(dtype))
    is_missing = (same_rank.to(dtype) @ belongs.transpose(1, 2) == 0) & (starts == 0).unsqueeze(2)
    of_padding = is_missing.to(dtype).unsqueeze(-1) * (word == 0).to(dtype)
    return torch.einsum("bhi,biew->bhew", belongs, of_mentions + of_padding)


def shared_as_sets(word_counts: Tensor) -> Tensor:
    """How often a word is taken out of an entity that is paired with another: always, where both have it.

    Args:
        word_counts: how often each word belongs to each entity, `(batch, entities, words)`.

    Returns:
        `(batch, entities, entities, words)`: from the first entity, next to the second.
    """
    return word_counts.unsqueeze(2) * (word_counts > 0).unsqueeze(1).to(word_counts.dtype)
