"""Stage 2, find entities: which spans of words are entities of the types that are asked for (GLiNER-Relex, 3.3, 3.4).

Axes: `batch, words, widths, types, hidden`; `types` are entity types here. Spans are half-open; one of width w has
w + 1 words, from 0 on.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from .entities_glirel import Mentions, spans_of
from .inputs_glirel import Inputs
from .memory_glirel import Scratch, gather_items, may_need_gradient
from .pairs_glirel import EntityPairs
from .scoring_glirel import CHUNK, CHUNK_IN_CACHE, DotScorer, PairScorer, score_linearly


class EntityFinder(nn.Module):
    """Scores of spans, or of words as parts of spans, for every entity type.

    Every one takes the same arguments.

    Args:
        size: width of words and types.
        dropout: probability of dropout.
        max_width: how many words an entity has at most; `None` means any number.
    """

    def __init__(self, size: int, dropout: float, max_width: int | None):
        super().__init__()
        self.max_width = max_width

    def spans(self, mentions: Mentions, word_states: Tensor, word_mask: Tensor) -> EntityPairs | Tensor | None:
        """Vectors of all spans, or what forms them, see [`Mentions.all_spans`]; `None` where it scores words.

        Args:
            mentions: what makes them.
            word_states: `(batch, words, size)`.
            word_mask: True where a word is real, `(batch, words)`.
        """
        return None

    def forward(self, spans: EntityPairs | Tensor | None, word_states: Tensor, type_states: Tensor) -> Tensor:
        """Logits.

        Args:
            spans: what [`spans`] gave.
            word_states: `(batch, words, size)`.
            type_states: `(batch, types, size)`.
        """
        raise NotImplementedError

    def probabilities(self, logits: Tensor) -> Tensor:
        """How likely every span is an entity of each type, `(batch, words, widths, types)`, from [`forward`]'s."""
        raise NotImplementedError


class SpanFinder(EntityFinder):
    """`s_ij · e`: every span of at most `max_width` words against every type (equations 4 to 6).

    A span is a pair of words, its first and its last, and is scored as pairs of entities are: nothing is formed twice,
    and the last layer of the spans' network is folded into the types. Logits are `(batch, words, widths, types)`.
    """

    def spans(self, mentions: Mentions, word_states: Tensor, word_mask: Tensor) -> EntityPairs | Tensor | None:
        assert self.max_width is not None  # the configuration checks
        return mentions.all_spans(word_states, word_mask, self.max_width)

    def forward(self, spans: EntityPairs | Tensor | None, word_states: Tensor, type_states: Tensor) -> Tensor:
        assert spans is not None  # they are made above
        assert self.max_width is not None
        formed_by = (
            [spans] if isinstance(spans, Tensor) else [spans.heads, spans.tails, *spans.last_layer.parameters()]
        )
        needs_gradient = torch.is_grad_enabled() and any(one.requires_grad for one in [type_states, *formed_by])
        scorer = PairScorer(DotScorer(word_states.shape[-1], 0, 0.0), None, needs_gradient)
        if isinstance(spans, EntityPairs) and not (needs_gradient or torch.compiler.is_compiling()):
            fold = scorer.folding(spans.last_layer)
            if fold is not None and word_states.shape[1]:
                return score_windows(spans, *fold(type_states), self.max_width)
        scores = scorer(spans, type_states).relations
        assert scores is not None  # it always scores
        return scores.unflatten(1, (-1, self.max_width))

    def probabilities(self, logits: Tensor) -> Tensor:
        return logits.sigmoid()


class TokenFinder(EntityFinder):
    """Whether a word starts, ends or is within an entity of each type: logits `(batch, words, types, 3)`.

    `FFN([a_word ; a_type ; b_word ∘ b_type])`, a and b the halves of a linear layer; the first two parts of the FFN's
    first layer are applied once for each word and each type.
    """

    def __init__(self, size: int, dropout: float, max_width: int | None):
        super().__init__(size, dropout, max_width)
        self.word_projection, self.type_projection = nn.Linear(size, 2 * size), nn.Linear(size, 2 * size)
        self.inner_word = nn.Linear(size, 4 * size)
        self.inner_type = nn.Linear(size, 4 * size, bias=False)
        self.inner_product = nn.Linear(size, 4 * size, bias=False)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(4 * size, 3)

    def forward(self, spans: EntityPairs | Tensor | None, word_states: Tensor, type_states: Tensor) -> Tensor:
        of_word, factor_of_word = self.word_projection(word_states).chunk(2, dim=-1)
        of_type, factor_of_type = self.type_projection(type_states).chunk(2, dim=-1)
        of_word, of_type = self.inner_word(of_word), self.inner_type(of_type)

        def score(words: Tensor, factors: Tensor) -> Tensor:
            inner = self.inner_product(factors.unsqueeze(2) * factor_of_type.unsqueeze(1))
            inner = inner.add_(of_type.unsqueeze(1)).add_(words.unsqueeze(2))
            return self.output(functional.relu(self.dropout(inner)))

        if torch.compiler.is_compiling() or may_need_gradient(self):
            return score(of_word, factor_of_word)
        budget = CHUNK_IN_CACHE if of_word.device.type == "cpu" else CHUNK
        size = max(1, budget // max(1, len(of_type) * of_type.shape[1] * of_word.shape[2]))
        chunks = zip(of_word.split(size, dim=1), factor_of_word.split(size, dim=1), strict=True)
        return torch.cat([score(*chunk) for chunk in chunks], dim=1)

    def probabilities(self, logits: Tensor) -> Tensor:
        """The least of: its first word starts one, its last ends one, and every word is within one."""
        starts, ends, inside = logits.sigmoid().unbind(-1)
        num_batch, num_words, num_types = starts.shape
        num_widths = num_words if self.max_width is None else self.max_width
        # Behind the last word, nothing is within an entity.
        last = torch.arange(num_words, device=logits.device).unsqueeze(1) + torch.arange(
            num_widths, device=logits.device
        )
        last = last.clamp(max=num_words).flatten().expand(num_batch, -1)
        of_ends, of_inside = (
            gather_items(functional.pad(part, (0, 0, 0, 1)), last).view(num_batch, num_words, num_widths, num_types)
            for part in (ends, inside)
        )
        return torch.minimum(torch.minimum(starts.unsqueeze(2), of_ends), of_inside.cummin(dim=2).values)


def score_windows(spans: EntityPairs, weights: Tensor, offsets: Tensor, num_widths: int) -> Tensor:
    """Linear scores of all spans, `(batch, words, widths, types)`, formed without reading a word for each of them.

    The last words of the spans of one first word are neighbours: a view of all words, window by window.

    Args:
        spans: by first word, then by width, of at least one word.
        weights, offsets: of the types, `(batch, types, inner)` and `(batch, types)`.
        num_widths: how many words a span has at most.
    """
    first = spans.heads
    num_batch, num_words, inner = first.shape
    # Behind the end of the text comes its last word, as in `spans_of`.
    beyond = spans.tails[:, -1:].expand(-1, num_widths - 1, -1)
    last = torch.cat([spans.tails, beyond], dim=1).unfold(1, num_widths, 1).transpose(2, 3)
    budget = CHUNK_IN_CACHE // 4 if first.device.type == "cpu" else CHUNK
    size = max(1, budget // max(1, num_batch * num_widths * inner))
    scratch, scores = Scratch(), []
    for start in range(0, num_words, size):
        left, right = first[:, start : start + size].unsqueeze(2), last[:, start : start + size]
        states = scratch.take("spans", first, num_batch, right.shape[1], num_widths, inner)
        states = torch.add(left, right, out=states).relu_()
        scores.append(score_linearly(states.flatten(1, 2), weights, offsets))
    return torch.cat(scores, dim=1).unflatten(1, (-1, num_widths))


FINDERS: dict[str, type[EntityFinder] | None] = {"none": None, "span": SpanFinder, "token": TokenFinder}


@dataclass
class CandidateSelection:
    """Which spans are candidates: those whose best type is likely enough, the best of them if there are too many.

    Candidates are not in padding, and each span is one candidate, whatever types it may have. They may overlap: see
    `decoding_glirel.py` for entities that do not.

    Args:
        finder: whose logits it reads.
        threshold: a candidate's probability is above it.
        limit: how many candidates a text has at most.
        num_candidates: how many there were, `(batch,)`, once it was called.
    """

    finder: EntityFinder
    threshold: float
    limit: int
    num_candidates: Tensor | None = None

    def __call__(self, logits: Tensor, inputs: Inputs) -> Inputs:
        """The same inputs, with candidates as mentions and all their ordered pairs, head ≠ tail."""
        scores, spans = self.best(logits, inputs)
        is_likely = scores > self.threshold
        self.num_candidates = is_likely.sum(1)
        count = min(self.limit, scores.shape[1])
        if not torch.compiler.is_compiling():  # a graph has as many as there may be
            count = min(count, int(is_likely.sum(1).max())) if is_likely.numel() else 0
        chosen = scores.masked_fill(~is_likely, -1.0).topk(count, dim=1).indices
        # By their place in the text; what is no candidate, at the end.
        place = chosen.masked_fill(~is_likely.gather(1, chosen), scores.shape[1]).sort(dim=1).values
        mask = place < scores.shape[1]
        place = place.clamp(max=max(scores.shape[1] - 1, 0))
        mentions = gather_items(spans.expand(scores.shape[0], -1, -1), place) * mask.unsqueeze(-1)
        pair_index = all_pairs(count, scores.device).expand(scores.shape[0], -1, -1)
        pair_mask = mask.gather(1, pair_index[..., 0]) & mask.gather(1, pair_index[..., 1])
        return inputs._replace(
            mention_word_spans=mentions,
            mention_mask=mask,
            mention_entity=None,
            entity_mask=mask,
            pair_index=pair_index,
            pair_mask=pair_mask,
        )

    def best(self, logits: Tensor, inputs: Inputs) -> tuple[Tensor, Tensor]:
        """The probability of each span's best type `(batch, spans)`, −1 in padding, and the spans `(1, spans, 2)`."""
        probabilities = self.finder.probabilities(logits)
        lowest = probabilities.new_full((*probabilities.shape[:-1], 1), -1.0)  # where there is no type
        real_types = inputs.entity_type_mask[:, None, None]
        scores = torch.cat([probabilities.masked_fill(~real_types, -1.0), lowest], dim=-1).amax(-1)
        num_words, num_widths = scores.shape[1:]
        scores = scores.masked_fill(reaches_into_padding(inputs.word_mask, num_widths), -1.0)
        return scores.flatten(1), spans_of(num_words, num_widths, logits.device)


def reaches_into_padding(word_mask: Tensor, num_widths: int) -> Tensor:
    """Which spans reach beyond their text's words, `(batch, words, widths)`."""
    start = torch.arange(word_mask.shape[1], device=word_mask.device).unsqueeze(1)
    last = start + torch.arange(num_widths, device=word_mask.device)
    return last >= word_mask.sum(1)[:, None, None]


def all_pairs(num_entities: int, device: torch.device) -> Tensor:
    """All ordered pairs of different entities, row-major: `(1, pairs, 2)`."""
    head = torch.arange(num_entities, device=device).unsqueeze(1)
    other = torch.arange(max(num_entities - 1, 0), device=device)
    tail = other + (other >= head)
    return torch.stack([head.expand_as(tail), tail], dim=-1).flatten(0, 1).unsqueeze(0)
