"""Stage 2, represent entities: mentions from words (GLiREL, equation 2), and entities from their mentions or words.

Axes: `batch, words, mentions, entities, hidden`. Spans are half-open.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from .feed_forward_glirel import ConcatFeedForward, FeedForward
from .memory_glirel import gather_items, mean_of_spans, normalized
from .pairs_glirel import EntityPairs


class Mentions(nn.Module):
    """Vectors of spans: `(batch, words, size)` and word spans `(batch, mentions, 2)` to `(batch, mentions, size)`.

    Every one takes the same arguments.

    Args:
        size, inner_size: widths of a word and of the FFNs.
        dropout: probability of dropout in them.
        project_endpoints: whether either end point passes an FFN of its own first.
        max_width: how many words the longest span has, for those that have weights for each width.
    """

    limits_width = False  # whether spans of more than `max_width` words have no vector

    def __init__(
        self, size: int, inner_size: int, dropout: float, project_endpoints: bool = False, max_width: int = 12
    ):
        super().__init__()
        self.max_width = max_width

    def forward(self, word_states: Tensor, mention_word_spans: Tensor, word_mask: Tensor) -> Tensor:
        """Vectors of the spans. `word_mask` `(batch, words)` is True where a word is real."""
        raise NotImplementedError

    def all_spans(self, word_states: Tensor, word_mask: Tensor, num_widths: int) -> EntityPairs | Tensor:
        """Vectors of every span of 1 to `num_widths` words, `(batch, words · widths, size)`, or what forms them.

        They go by first word, then by width. Those that reach beyond the text have no meaning.
        """
        num_batch, num_words = word_states.shape[:2]
        spans = spans_of(num_words, num_widths, word_states.device)
        return self(word_states, spans.expand(num_batch, -1, -1), word_mask)


def spans_of(num_words: int, num_widths: int, device: torch.device) -> Tensor:
    """Every half-open span of 1 to `num_widths` words, `(1, words · widths, 2)`, cut at the end of the text."""
    start = torch.arange(num_words, device=device).unsqueeze(1)
    end = start + 1 + torch.arange(num_widths, device=device)
    return torch.stack([start.expand_as(end), end.clamp(max=num_words)], dim=-1).flatten(0, 1).unsqueeze(0)


def ends_of(word_spans: Tensor) -> Tensor:
    """The first and the last word of half-open spans `(…, 2)`; of padding, (0, 0), the first."""
    return torch.stack([word_spans[..., 0], (word_spans[..., 1] - 1).clamp(min=0)], dim=-1)


class EndpointMentions(Mentions):
    """Equation 2, `e_ij = FFN(h_i ⊗ h_j)` of the first and the last word of each mention.

    With `project_endpoints`, `FFN(ReLU(FFN_start(h_i)) ⊗ ReLU(FFN_end(h_j)))`. The networks are applied at the
    mentions only, never to every word; and of all spans, the first layer is applied once to each word.
    """

    def __init__(
        self, size: int, inner_size: int, dropout: float, project_endpoints: bool = False, max_width: int = 12
    ):
        super().__init__(size, inner_size, dropout, project_endpoints, max_width)
        self.feed_forward = ConcatFeedForward(size, inner_size, dropout)
        self.start_projection, self.end_projection = (
            nn.Sequential(FeedForward(size, inner_size, size, dropout), nn.ReLU())
            if project_endpoints
            else nn.Identity()
            for _ in range(2)
        )

    def forward(self, word_states: Tensor, mention_word_spans: Tensor, word_mask: Tensor) -> Tensor:
        first, last = (gather_items(word_states, end) for end in ends_of(mention_word_spans).unbind(-1))
        return self.feed_forward.output(self.feed_forward.inner(*self._sides(first, last, word_states, word_mask)))

    def all_spans(self, word_states: Tensor, word_mask: Tensor, num_widths: int) -> EntityPairs | Tensor:
        num_batch, num_words = word_states.shape[:2]
        ends = ends_of(spans_of(num_words, num_widths, word_states.device)).expand(num_batch, -1, -1)
        return EntityPairs(ends, self.feed_forward, *self._sides(word_states, word_states, word_states, word_mask))

    def _sides(self, first: Tensor, last: Tensor, words: Tensor, word_mask: Tensor) -> tuple[Tensor, Tensor]:
        """Both sides in the first layer, from first and last words `(batch, n, size)`."""
        left, right = self.feed_forward.left, self.feed_forward.right
        return left(self.start_projection(first)), right(self.end_projection(last))


class _EndpointsInText(EndpointMentions):
    """[`EndpointMentions`] that also see a vector of the whole text."""

    def __init__(
        self, size: int, inner_size: int, dropout: float, project_endpoints: bool = False, max_width: int = 12
    ):
        super().__init__(size, inner_size, dropout, project_endpoints, max_width)
        self.text = nn.Linear(size, inner_size, bias=False)

    def _sides(self, first: Tensor, last: Tensor, words: Tensor, word_mask: Tensor) -> tuple[Tensor, Tensor]:
        left, right = super()._sides(first, last, words, word_mask)
        return left + self.text(functional.relu(self.text_states(words, word_mask))).unsqueeze(1), right

    def text_states(self, word_states: Tensor, word_mask: Tensor) -> Tensor:
        """A vector of each text, `(batch, size)`."""
        raise NotImplementedError


class EndpointsAndMean(_EndpointsInText):
    """`FFN(h_i ⊗ h_j ⊗ ReLU(mean of the text's words))`, over real words, where the original counts padding."""

    def text_states(self, word_states: Tensor, word_mask: Tensor) -> Tensor:
        return (normalized(word_mask.to(word_states.dtype)).unsqueeze(1) @ word_states).squeeze(1)


class EndpointsAndLast(_EndpointsInText):
    """`FFN(h_i ⊗ h_j ⊗ ReLU(FFN_text(the text's last word)))`."""

    def __init__(
        self, size: int, inner_size: int, dropout: float, project_endpoints: bool = False, max_width: int = 12
    ):
        super().__init__(size, inner_size, dropout, project_endpoints, max_width)
        self.text_projection = FeedForward(size, inner_size, size, dropout)

    def text_states(self, word_states: Tensor, word_mask: Tensor) -> Tensor:
        last = (word_mask.sum(1, keepdim=True) - 1).clamp(min=0)
        # With one more word, there is something to take where no text has any.
        return self.text_projection(gather_items(functional.pad(word_states, (0, 0, 0, 1)), last).squeeze(1))


class MarkerMentions(Mentions):
    """`W [ReLU(FFN_start(h_i)) ; ReLU(FFN_end(h_j))]`, with FFNs of inner width 2 · size."""

    def __init__(
        self, size: int, inner_size: int, dropout: float, project_endpoints: bool = False, max_width: int = 12
    ):
        super().__init__(size, inner_size, dropout, project_endpoints, max_width)
        self.start_projection, self.end_projection = (
            nn.Sequential(FeedForward(size, 2 * size, size, dropout), nn.ReLU()) for _ in range(2)
        )
        self.start, self.end = nn.Linear(size, size), nn.Linear(size, size, bias=False)

    def forward(self, word_states: Tensor, mention_word_spans: Tensor, word_mask: Tensor) -> Tensor:
        # Once for each word: every word starts some span.
        starts, ends = self.start(self.start_projection(word_states)), self.end(self.end_projection(word_states))
        first, last = mention_word_spans[..., 0], (mention_word_spans[..., 1] - 1).clamp(min=0)
        return gather_items(starts, first) + gather_items(ends, last)


class MeanMentions(Mentions):
    """FFN of the mean of a mention's words."""

    def __init__(
        self, size: int, inner_size: int, dropout: float, project_endpoints: bool = False, max_width: int = 12
    ):
        super().__init__(size, inner_size, dropout, project_endpoints, max_width)
        self.feed_forward = FeedForward(size, inner_size, size, dropout)

    def forward(self, word_states: Tensor, mention_word_spans: Tensor, word_mask: Tensor) -> Tensor:
        return self.feed_forward(mean_of_spans(word_states, mention_word_spans))


class WordsOfMentions(Mentions):
    """No network: an entity is pooled from all words of its mentions at once (GLiDRE).

    What comes out, the mean of a mention's words, is for whoever looks at mentions.
    """

    def forward(self, word_states: Tensor, mention_word_spans: Tensor, word_mask: Tensor) -> Tensor:
        return mean_of_spans(word_states, mention_word_spans)


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
        # With one more item, a graph has something to take the maximum of where a text has none.
        padded = functional.pad(states.detach(), (0, 0, 0, 1), value=torch.finfo(states.dtype).min)
        highest = padded.amax(dim=1, keepdim=True)
        total = counts.to(precision) @ (states - highest).to(precision).exp()
        pooled = total.clamp(min=torch.finfo(precision).tiny).log().to(states.dtype) + highest
        # A product, not a sum: for no entity, ONNX Runtime's sum keeps the axis that it sums over.
        has_any = counts.to(states.dtype) @ torch.ones_like(states[..., :1]) > 0
        return torch.where(has_any, pooled, torch.zeros_like(pooled))


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
