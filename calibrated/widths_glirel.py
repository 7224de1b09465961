"""Stage 2, represent entities: vectors of spans with weights for each width, which some GLiNER-Relex checkpoints have.

Axes: `batch, words, widths, mentions, hidden`. Spans are half-open; one of more words than widths is refused.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from .entities_glirel import (
    EndpointMentions,
    EndpointsAndLast,
    EndpointsAndMean,
    MarkerMentions,
    MeanMentions,
    Mentions,
    WordsOfMentions,
)
from .memory_glirel import gather_items
from .pairs_glirel import EntityPairs


class WidthMentions(Mentions):
    """Spans whose vector depends on where they start and on how many words they have. Shapes as of [`Mentions`]."""

    limits_width = True

    def forward(self, word_states: Tensor, mention_word_spans: Tensor, word_mask: Tensor) -> Tensor:
        start, end = mention_word_spans.unbind(-1)
        if not torch.compiler.is_compiling() and ((end - start) > self.max_width).any():
            longest = int((end - start).max())
            raise ValueError(
                f"This model has vectors for spans of at most {self.max_width} words: got an entity of {longest}. "
                "Pass shorter entities."
            )
        width = (end - start - 1).clamp(min=0)  # padding is (0, 0)
        return gather_items(self._every(word_states, word_mask), start * self.max_width + width)

    def all_spans(self, word_states: Tensor, word_mask: Tensor, num_widths: int) -> EntityPairs | Tensor:
        every = self._every(word_states, word_mask)
        return every.unflatten(1, (-1, self.max_width))[:, :, :num_widths].flatten(1, 2)

    def _every(self, word_states: Tensor, word_mask: Tensor) -> Tensor:
        """Vectors of all spans, `(batch, words · widths, size)`, by first word, then by width."""
        # Padding is zero, as behind the end of the longest text: filters reach into it, and refuse a text of no word.
        words = functional.pad(word_states * word_mask.unsqueeze(-1), (0, 0, 0, 1))
        return self.of_widths(words)[:, :-1].flatten(1, 2)

    def of_widths(self, word_states: Tensor) -> Tensor:
        """Vectors of all spans, `(batch, words, widths, size)`."""
        raise NotImplementedError


class QueryMentions(WidthMentions):
    """`ReLU(W (h_i ∘ q_width))`."""

    def __init__(
        self, size: int, inner_size: int, dropout: float, project_endpoints: bool = False, max_width: int = 12
    ):
        super().__init__(size, inner_size, dropout, project_endpoints, max_width)
        self.queries = nn.Parameter(torch.empty(size, max_width).uniform_(-1, 1))
        self.projection = nn.Linear(size, size)

    def of_widths(self, word_states: Tensor) -> Tensor:
        return functional.relu(self.projection(word_states.unsqueeze(2) * self.queries.t()))


class MLPMentions(WidthMentions):
    """`ReLU(W_width h_i)`."""

    def __init__(
        self, size: int, inner_size: int, dropout: float, project_endpoints: bool = False, max_width: int = 12
    ):
        super().__init__(size, inner_size, dropout, project_endpoints, max_width)
        self.projection = nn.Linear(size, size * max_width)

    def of_widths(self, word_states: Tensor) -> Tensor:
        return functional.relu(self.projection(word_states).unflatten(-1, (self.max_width, -1)))


class CatMentions(WidthMentions):
    """`ReLU(W [h_i ; q_width])`, where a query is a part of 128 numbers of the flattened `queries`."""

    query_size = 128

    def __init__(
        self, size: int, inner_size: int, dropout: float, project_endpoints: bool = False, max_width: int = 12
    ):
        super().__init__(size, inner_size, dropout, project_endpoints, max_width)
        self.queries = nn.Parameter(torch.randn(self.query_size, max_width))
        self.projection = nn.Linear(size + self.query_size, size)

    def of_widths(self, word_states: Tensor) -> Tensor:
        shape = (*word_states.shape[:2], self.max_width, -1)
        words = word_states.unsqueeze(2).expand(shape)
        # Read as the original reads them: in the order of memory, and not as columns.
        queries = self.queries.view(self.max_width, self.query_size).expand(shape)
        return functional.relu(self.projection(torch.cat([words, queries], dim=-1)))


class ConvMentions(WidthMentions):
    """`W ReLU(c)`, c a filter over the words of the span, one for each width but the first, which has none."""

    def __init__(
        self, size: int, inner_size: int, dropout: float, project_endpoints: bool = False, max_width: int = 12
    ):
        super().__init__(size, inner_size, dropout, project_endpoints, max_width)
        self.convolutions = self._filters(size)
        self.projection = nn.Linear(size, size)

    def _filters(self, size: int) -> nn.ModuleList:
        return nn.ModuleList(nn.Conv1d(size, size, width) for width in range(2, self.max_width + 1))

    def of_widths(self, word_states: Tensor) -> Tensor:
        words = word_states.transpose(1, 2)
        filtered = [words, *(self.of_width(words, width) for width in range(2, self.max_width + 1))]
        return self.projection(functional.relu(torch.stack(filtered, dim=-1).permute(0, 2, 3, 1)))

    def of_width(self, words: Tensor, width: int) -> Tensor:
        """What the filter makes of the words `(batch, size, words)` that follow each word, the same shape."""
        filtered: Tensor = self.convolutions[width - 2](functional.pad(words, (0, width - 1)))
        return filtered


class _PooledMentions(ConvMentions):
    """[`ConvMentions`] whose filters have no weights."""

    def _filters(self, size: int) -> nn.ModuleList:
        return nn.ModuleList()


class ConvMaxMentions(_PooledMentions):
    """`W ReLU(max of the words)`."""

    def of_width(self, words: Tensor, width: int) -> Tensor:
        return functional.max_pool1d(functional.pad(words, (0, width - 1)), width, 1)


class ConvMeanMentions(_PooledMentions):
    """`W ReLU(mean of the words)`."""

    def of_width(self, words: Tensor, width: int) -> Tensor:
        return functional.avg_pool1d(functional.pad(words, (0, width - 1)), width, 1)


class ConvSumMentions(_PooledMentions):
    """`W ReLU(sum of the words)`."""

    def of_width(self, words: Tensor, width: int) -> Tensor:
        return functional.avg_pool1d(functional.pad(words, (0, width - 1)), width, 1) * width


class ConvShareMentions(_PooledMentions):
    """`W ReLU(c)`, where the filter of a width is the beginning of one that all widths share, that of one word too."""

    def __init__(
        self, size: int, inner_size: int, dropout: float, project_endpoints: bool = False, max_width: int = 12
    ):
        super().__init__(size, inner_size, dropout, project_endpoints, max_width)
        self.shared_filter = nn.Parameter(torch.empty(size, size, max_width))
        nn.init.kaiming_uniform_(self.shared_filter, nonlinearity="relu")

    def of_widths(self, word_states: Tensor) -> Tensor:
        words = word_states.transpose(1, 2)
        filtered = [self.of_width(words, width) for width in range(1, self.max_width + 1)]
        return self.projection(functional.relu(torch.stack(filtered, dim=-1).permute(0, 2, 3, 1)))

    def of_width(self, words: Tensor, width: int) -> Tensor:
        return functional.conv1d(functional.pad(words, (0, width - 1)), self.shared_filter[..., :width])


MENTIONS: dict[str, type[Mentions]] = {
    "endpoints": EndpointMentions,
    "endpoints_and_mean": EndpointsAndMean,
    "endpoints_and_last": EndpointsAndLast,
    "marker": MarkerMentions,
    "mean": MeanMentions,
    "words": WordsOfMentions,
    "query": QueryMentions,
    "mlp": MLPMentions,
    "cat": CatMentions,
    "conv_conv": ConvMentions,
    "conv_max": ConvMaxMentions,
    "conv_mean": ConvMeanMentions,
    "conv_sum": ConvSumMentions,
    "conv_share": ConvShareMentions,
}
