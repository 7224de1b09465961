"""Every building block against an independent reference: torch's own modules, or the formula written out in loops."""

from __future__ import annotations

import math
import threading
from dataclasses import replace

import pytest
import torch
from torch import nn

from glirel_transformers import finder_glirel
from glirel_transformers.encoding_glirel import POOLINGS, RELATIONS, SpanPooling, WordLSTM
from glirel_transformers.entities_glirel import (
    EndpointMentions,
    MeanEntities,
    MeanMentions,
    count_mentions,
    ends_of,
    spans_of,
)
from glirel_transformers.feed_forward_glirel import ConcatFeedForward, FeedForward
from glirel_transformers.finder_glirel import SpanFinder
from glirel_transformers.losses_glirel import RelationLoss, ranking_loss
from glirel_transformers.memory_glirel import mean_of_spans
from glirel_transformers.pairs_glirel import PairRepresentation
from glirel_transformers.refinement_glirel import Attention, Refinement, RefinementLayer
from glirel_transformers.scoring_glirel import SCORERS, CoreferenceClassifier

HIDDEN = 32


INNER = 4 * HIDDEN
SIZES = (HIDDEN, INNER, 0.0)  # size, inner size, dropout: what every block of a stage takes


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(3)


def merged(layer: ConcatFeedForward) -> nn.Sequential:
    """The ordinary FFN over a concatenation that has the same weights."""
    first = nn.Linear(2 * HIDDEN, layer.left.out_features)
    first.weight.data = torch.cat([layer.left.weight, layer.right.weight], dim=1).data
    first.bias.data = layer.left.bias.data
    return nn.Sequential(first, nn.ReLU(), layer.output)


# Feed-forward networks, mentions, pairs


def test_feed_forward_is_two_layers_with_a_relu():
    layer = FeedForward(HIDDEN, 3 * HIDDEN, HIDDEN, 0.0)
    states = torch.randn(2, 5, HIDDEN)
    inner = torch.relu(states @ layer[0].weight.T + layer[0].bias)
    assert inner.shape[-1] == 3 * HIDDEN
    torch.testing.assert_close(layer(states), inner @ layer[3].weight.T + layer[3].bias)


def test_feed_forward_over_a_concatenation():
    layer = ConcatFeedForward(*SIZES)
    left, right = torch.randn(2, 5, HIDDEN), torch.randn(2, 5, HIDDEN)
    torch.testing.assert_close(layer(left, right), merged(layer)(torch.cat([left, right], dim=-1)))
    assert not torch.allclose(layer(left, right), layer(right, left))


def test_pairs_are_the_feed_forward_of_head_and_tail():
    layer = PairRepresentation(*SIZES)
    mentions = torch.randn(2, 3, HIDDEN)
    pair_index = torch.tensor([[(0, 1), (2, 0)], [(1, 2), (1, 0)]])
    reference = merged(layer.feed_forward)
    pairs = layer(mentions, pair_index).states()
    for member in range(2):
        for pair, (head, tail) in enumerate(pair_index[member].tolist()):
            expected = reference(torch.cat([mentions[member, head], mentions[member, tail]]))
            torch.testing.assert_close(pairs[member, pair], expected)


@pytest.mark.parametrize("projected", [False, True])
def test_mentions_from_end_points(projected):
    layer = EndpointMentions(*SIZES, project_endpoints=projected)
    words = torch.randn(1, 6, HIDDEN)
    mentions = layer(words, torch.tensor([[(0, 3), (4, 5)]]), torch.ones(1, 6, dtype=torch.bool))
    for mention, (first, last) in zip(mentions[0], [(0, 2), (4, 4)], strict=True):
        start, end = words[0, first], words[0, last]
        if projected:
            start = torch.relu(layer.start_projection[0](start))
            end = torch.relu(layer.end_projection[0](end))
        torch.testing.assert_close(mention, merged(layer.feed_forward)(torch.cat([start, end])))


def test_mentions_from_the_mean_of_their_words():
    layer = MeanMentions(*SIZES)
    words = torch.randn(1, 6, HIDDEN)
    mentions = layer(words, torch.tensor([[(0, 3), (4, 5)]]), torch.ones(1, 6, dtype=torch.bool))
    torch.testing.assert_close(mentions[0, 0], layer.feed_forward(words[0, :3].mean(dim=0)))
    torch.testing.assert_close(mentions[0, 1], layer.feed_forward(words[0, 4]))


def test_entities_are_the_means_of_their_mentions():
    mentions = torch.randn(2, 4, HIDDEN)
    entity = torch.tensor([[0, 1, 0, 0], [2, 1, 1, 0]])
    mask = torch.tensor([[True, True, True, False], [True] * 4])
    entities = MeanEntities()(mentions, count_mentions(entity, mask, 3))
    torch.testing.assert_close(entities[0, 0], (mentions[0, 0] + mentions[0, 2]) / 2)
    assert torch.equal(entities[0, 1], mentions[0, 1])
    assert not entities[0, 2].any()  # of no mention
    torch.testing.assert_close(entities[1, 1], (mentions[1, 1] + mentions[1, 2]) / 2)
    assert torch.equal(entities[1, 2], mentions[1, 0])


def test_mean_of_an_empty_span_is_zero():
    means = mean_of_spans(torch.randn(1, 4, 8), torch.tensor([[(2, 2), (0, 0)]]))
    assert torch.equal(means, torch.zeros(1, 2, 8))


# Pooling of sub-tokens


@pytest.mark.parametrize("width", [HIDDEN, 16], ids=["same-width", "projected"])
@pytest.mark.parametrize("pooling", POOLINGS)
def test_pooling_of_sub_tokens(pooling, width):
    layer = SpanPooling(pooling, HIDDEN, width)
    tokens = torch.randn(2, 7, HIDDEN)
    spans = torch.tensor([[(0, 3), (3, 4), (4, 4)], [(2, 6), (0, 0), (6, 7)]])
    pooled = layer(tokens, spans)
    assert pooled.shape == (2, 3, width)
    has_projection = isinstance(layer.projection, nn.Linear)
    assert has_projection == (pooling == "first_last" or width != HIDDEN)
    for member in range(2):
        for item, (start, end) in enumerate(spans[member].tolist()):
            inside = tokens[member, start:end] if end > start else torch.zeros(1, HIDDEN)
            by_hand = {
                "first": inside[0],
                "last": inside[-1],
                "mean": inside.mean(dim=0),
                "sum": inside.sum(dim=0),
                "max": inside.amax(dim=0),
                "first_last": torch.cat([inside[0], inside[-1]]),
            }[pooling]
            expected = layer.projection(by_hand) if has_projection else by_hand
            if pooling == "max" and has_projection:  # which does not commute with a projection
                rows = layer.projection(inside).amax(dim=0)
                expected = rows if end > start else torch.zeros(width)
            torch.testing.assert_close(pooled[member, item], expected)


# Where relation types are read


@pytest.mark.parametrize("where", RELATIONS)
def test_relation_types_are_read_where_they_say(where):
    pool = SpanPooling("mean", HIDDEN, HIDDEN)
    tokens = torch.randn(1, 7, HIDDEN)
    read = pool.mean_of(tokens, RELATIONS[where](torch.tensor([[(2, 5), (6, 7), (0, 0)]])))
    label, rel_token = tokens[0, 2:5].mean(0), tokens[0, 1]
    expected = {
        "label": label,
        "label_start": tokens[0, 2],
        "rel_token": rel_token,
        "both": (label + rel_token) / 2,
    }[where]
    torch.testing.assert_close(read[0, 0], expected)
    assert read.shape == (1, 3, HIDDEN)


# LSTM


def test_both_directions_at_once_are_those_one_after_the_other(monkeypatch):
    layer = WordLSTM(HIDDEN)
    words, mask = torch.randn(1, 9, HIDDEN), torch.ones(1, 9, dtype=torch.bool)
    with torch.no_grad():
        expected = layer(words, mask)  # tests have one core
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    threads: list[str] = []
    layer.forward_lstm.register_forward_hook(lambda *_: threads.append(threading.current_thread().name))
    for mode in (torch.no_grad, torch.inference_mode):
        with mode():
            found = layer(words, mask)
        assert found.is_inference() == (mode is torch.inference_mode)
        assert torch.equal(found, expected)
    assert all(name.startswith("glirel") for name in threads)
    assert len(threads) == 2
    # Gradients flow, also where the LSTM itself has none.
    layer.requires_grad_(False)
    words.requires_grad_()
    layer(words, mask).sum().backward()
    assert words.grad is not None
    assert threads[2:] == ["MainThread"]


def test_lstm_is_the_packed_bidirectional_lstm():
    layer = WordLSTM(HIDDEN)
    reference = nn.LSTM(HIDDEN, HIDDEN // 2, batch_first=True, bidirectional=True)
    for direction, source in (("", layer.forward_lstm), ("_reverse", layer.backward_lstm)):
        for name, weight in source.named_parameters():
            getattr(reference, name + direction).data = weight.data
    lengths = torch.tensor([5, 1, 3])
    words = torch.randn(3, 5, HIDDEN)
    mask = torch.arange(5) < lengths[:, None]
    packed = nn.utils.rnn.pack_padded_sequence(words, lengths, batch_first=True, enforce_sorted=False)
    expected, _ = nn.utils.rnn.pad_packed_sequence(reference(packed)[0], batch_first=True)
    torch.testing.assert_close(layer(words, mask)[mask], expected[mask])


def test_padding_of_the_lstm_does_not_matter():
    layer = WordLSTM(HIDDEN)
    words, mask = torch.randn(1, 6, HIDDEN), torch.tensor([[True] * 4 + [False] * 2])
    alone = layer(words[:, :4], mask[:, :4])
    torch.testing.assert_close(layer(words, mask)[:, :4], alone)
    words[:, 4:] = 1e3
    torch.testing.assert_close(layer(words, mask)[:, :4], alone)


def test_the_lstm_reads_texts_without_words():
    layer = WordLSTM(HIDDEN)
    assert layer(torch.randn(2, 0, HIDDEN), torch.ones(2, 0, dtype=torch.bool)).shape == (2, 0, HIDDEN)


# Attention and refinement


def multi_head_attention(layer: Attention) -> nn.MultiheadAttention:
    reference = nn.MultiheadAttention(HIDDEN, layer.num_heads, batch_first=True, add_zero_attn=True)
    reference.in_proj_weight.data = torch.cat([p.weight for p in (layer.query, layer.key, layer.value)]).data
    reference.in_proj_bias.data = torch.cat([p.bias for p in (layer.query, layer.key, layer.value)]).data
    reference.out_proj.load_state_dict(layer.output.state_dict())
    return reference


def randomise_biases(module: nn.Module) -> None:
    for name, parameter in module.named_parameters():
        if name.endswith("bias"):
            nn.init.normal_(parameter)


# What may stand as the zero key: after the projections, as `add_zero_attn` has it, or before them.
def attention_with_zero_key(layer: Attention, queries, keys, key_mask):
    """Written out: softmax over all real keys and one zero key, whose value is zero."""
    size = HIDDEN // layer.num_heads
    result = torch.zeros_like(queries)
    for member in range(len(queries)):
        real = keys[member][key_mask[member]]
        q, k, v = layer.query(queries[member]), layer.key(real), layer.value(real)
        k, v = (torch.cat([x, torch.zeros(1, HIDDEN)]) for x in (k, v))
        heads = []
        for head in range(layer.num_heads):
            part = slice(head * size, (head + 1) * size)
            weights = torch.softmax(q[:, part] @ k[:, part].T / math.sqrt(size), dim=-1)
            heads.append(weights @ v[:, part])
        result[member] = layer.output(torch.cat(heads, dim=-1))
    return result


def test_attention_is_that_of_torch_with_a_zero_key():
    layer = Attention(HIDDEN, 4)
    randomise_biases(layer)
    queries, keys = torch.randn(2, 3, HIDDEN), torch.randn(2, 5, HIDDEN)
    key_mask = torch.tensor([[True] * 5, [True, True, False, False, False]])
    expected, _ = multi_head_attention(layer).eval()(queries, keys, keys, key_padding_mask=~key_mask)
    torch.testing.assert_close(layer(queries, keys, key_mask), expected)
    torch.testing.assert_close(attention_with_zero_key(layer, queries, keys, key_mask), expected)


@pytest.mark.parametrize("num_keys", [0, 3])
def test_attention_without_a_real_key_attends_to_nothing(num_keys):
    layer = Attention(HIDDEN, 4)
    randomise_biases(layer)
    queries, keys = torch.randn(1, 2, HIDDEN), torch.randn(1, num_keys, HIDDEN)
    attended = layer(queries, keys, torch.zeros(1, num_keys, dtype=torch.bool))
    torch.testing.assert_close(attended, layer.output.bias.expand_as(attended))


def test_refinement_is_equations_4_to_6():
    layer = RefinementLayer(HIDDEN, INNER, 4, 0.0)
    randomise_biases(layer)
    states, context = torch.randn(2, 3, HIDDEN), torch.randn(2, 5, HIDDEN)
    mask = torch.tensor([[True] * 3, [True, True, False]])
    context_mask = torch.tensor([[True] * 4 + [False], [True] * 5])
    x = states
    x = x + attention_with_zero_key(layer.cross_attention, layer.cross_norm(x), context, context_mask)
    x = x + attention_with_zero_key(layer.self_attention, layer.self_norm(x), x, mask)
    inner = nn.functional.gelu(layer.feed_forward[0](x))
    x = x + layer.feed_forward_norm(layer.feed_forward[3](inner))
    torch.testing.assert_close(layer(states, mask, context, context_mask)[mask], x[mask])


def test_refinement_without_self_attention():
    layer = RefinementLayer(HIDDEN, 48, 4, 0.0, self_attention=False)
    assert layer.self_attention is None
    states, context = torch.randn(2, 3, HIDDEN), torch.randn(2, 5, HIDDEN)
    seen, unseen = torch.ones(2, 5, dtype=torch.bool), torch.zeros(2, 5, dtype=torch.bool)
    mask = torch.ones(2, 3, dtype=torch.bool)
    for context_mask in (seen, unseen):
        x = states + attention_with_zero_key(layer.cross_attention, layer.cross_norm(states), context, context_mask)
        expected = x + layer.feed_forward_norm(layer.feed_forward(x))
        torch.testing.assert_close(layer(states, mask, context, context_mask), expected)
    nothing_seen = states + layer.cross_attention.output.bias  # all attention goes to the zero key
    expected = nothing_seen + layer.feed_forward_norm(layer.feed_forward(nothing_seen))
    torch.testing.assert_close(layer(states, mask, context, unseen), expected)


def test_refinement_without_layers_changes_nothing():
    module = Refinement(0, HIDDEN, INNER, 4, 0.0)
    states = torch.randn(1, 3, HIDDEN)
    assert module(states, torch.ones(1, 3, dtype=torch.bool), states, torch.ones(1, 3, dtype=torch.bool)) is states
    assert not list(module.parameters())


def test_coreference_is_a_frozen_feed_forward():
    layer = CoreferenceClassifier(HIDDEN, 0.0)
    pairs = torch.randn(2, 3, HIDDEN)
    expected = torch.relu(pairs @ layer[0].weight.T + layer[0].bias) @ layer[3].weight.T + layer[3].bias
    torch.testing.assert_close(layer(pairs), expected.squeeze(-1))
    assert not any(parameter.requires_grad for parameter in layer.parameters())
    assert layer(pairs[:, :0]).shape == (2, 0)


# Scorers


def two_layers(feed_forward: nn.Sequential, x: torch.Tensor) -> torch.Tensor:
    return feed_forward[3](torch.relu(feed_forward[0](x)))


def score_by_hand(name: str, scorer: nn.Module, pair: torch.Tensor, relation: torch.Tensor) -> torch.Tensor:
    """The score of one pair and one relation type."""
    if name == "dot":
        return pair @ relation
    if name == "dot_thresh":
        scale, offset = two_layers(scorer.scale_and_offset, relation)
        return (pair @ two_layers(scorer.relation_projection, relation) + offset) * torch.log1p(scale.exp())
    if name == "dot_norm":
        biases = two_layers(scorer.relation_bias, relation) + two_layers(scorer.pair_bias, pair) + scorer.bias
        return pair @ relation + biases.squeeze()
    parts = ((scorer.product, pair * relation), (scorer.difference, pair - relation), (scorer.pair, pair))
    weight = torch.cat([layer.weight for layer, _ in parts] + [scorer.relation.weight], dim=1)
    inner = weight @ torch.cat([x for _, x in parts] + [relation]) + scorer.product.bias
    return scorer.output(torch.relu(inner)).squeeze()


@pytest.mark.parametrize("name", SCORERS)
def test_scorers_are_their_formulas(name):
    scorer = SCORERS[name](*SIZES)
    if name == "dot_norm":
        nn.init.constant_(scorer.bias, 0.7)
    pairs, relations = torch.randn(2, 4, HIDDEN), torch.randn(2, 3, HIDDEN)
    scores = scorer(pairs, relations)
    expected = torch.stack(
        [
            torch.stack([torch.stack([score_by_hand(name, scorer, p, r) for r in rs]) for p in ps])
            for ps, rs in zip(pairs, relations, strict=True)
        ]
    )
    torch.testing.assert_close(scores, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", SCORERS)
@pytest.mark.parametrize(("pairs", "relations"), [(0, 3), (4, 0), (0, 0)])
def test_scorers_of_nothing(name, pairs, relations):
    scorer = SCORERS[name](*SIZES)
    assert scorer(torch.randn(2, pairs, HIDDEN), torch.randn(2, relations, HIDDEN)).shape == (2, pairs, relations)


# Loss


def loss_by_hand(logits, labels, mask, *, focal=None, positive=1.0, negative=1.0) -> float:
    total, cells = 0.0, 0
    for logit, label, real in zip(logits.flatten().tolist(), labels.flatten().tolist(), mask.flatten(), strict=True):
        if not real or label == -100:
            continue
        probability = 1 / (1 + math.exp(-logit))
        of_truth = probability if label == 1 else 1 - probability
        loss = -math.log(of_truth)
        if focal is not None:
            alpha, gamma = focal
            loss *= (alpha if label == 1 else 1 - alpha) * (1 - of_truth) ** gamma
        total += loss * (positive if label == 1 else negative)
        cells += 1
    return total / cells


def loss_of(
    name: str = "bce", alpha: float = 0.75, gamma: float = 3.0, positive: float = 1.0, negative: float = 1.0
) -> RelationLoss:
    return RelationLoss(name, alpha, gamma, positive, negative)


LOSSES = [
    loss_of(),
    loss_of(positive=3.0, negative=0.25),
    loss_of("focal"),
    loss_of("focal", alpha=0.4, gamma=1.5, positive=2.0),
    loss_of("focal", gamma=0.0),
]


@pytest.fixture
def cells():
    logits = torch.randn(2, 5, 4) * 2
    labels = (torch.rand(2, 5, 4) < 0.4).float()
    labels[0, 1, 2] = labels[1, 0, :] = -100
    mask = torch.ones(2, 5, 4, dtype=torch.bool)
    mask[1, 3:] = False
    mask[0, :, 3] = False
    return logits, labels, mask


@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_loss_is_the_mean_over_known_real_cells(loss, cells):
    focal = (loss.alpha, loss.gamma) if loss.name == "focal" else None
    expected = loss_by_hand(*cells, focal=focal, positive=loss.positive_weight, negative=loss.negative_weight)
    assert loss(*cells).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("loss", LOSSES[:3], ids=str)
def test_loss_does_not_grow_with_pairs_and_relations(loss, cells):
    tiled = [tensor.repeat(3, 2, 4) for tensor in cells]
    torch.testing.assert_close(loss(*tiled), loss(*cells))


def test_ranking_loss_sets_what_holds_against_the_rest_of_its_pair_and_of_its_type(cells):
    logits, labels, mask = cells
    known = mask & (labels != -100)
    terms = []
    for batch, pair, relation in ((labels == 1) & known).nonzero().tolist():
        own = math.exp(logits[batch, pair, relation])
        parts = []
        for line in ((batch, pair, slice(None)), (batch, slice(None), relation)):
            rivals = logits[line][known[line] & (labels[line] == 0)]
            parts.append(-math.log(own / (own + rivals.exp().sum())))
        terms.append(sum(parts) / 2)
    assert len(terms) > 5
    plain, ranking = loss_of(), replace(loss_of(), ranking_weight=0.5)
    added = ranking(*cells) - plain(*cells)
    assert added.item() == pytest.approx(0.5 * sum(terms) / len(terms), rel=1e-5)
    added = replace(ranking, reduction="sum")(*cells) - replace(plain, reduction="sum")(*cells)
    assert added.item() == pytest.approx(0.5 * sum(terms), rel=1e-5)


def test_ranking_loss_of_what_has_no_rival_is_zero():
    logits = torch.randn(1, 1, 1, requires_grad=True)
    everything = torch.ones(1, 1, 1)
    loss = ranking_loss(logits, everything, everything.bool())
    loss.sum().backward()
    assert loss.item() == 0
    assert logits.grad.item() == 0


@pytest.mark.parametrize("ranking", [0.0, 1.0])
@pytest.mark.parametrize("hidden_value", [math.inf, -math.inf, math.nan, 1e38])
def test_what_is_masked_changes_neither_loss_nor_gradient(hidden_value, ranking, cells):
    focal = replace(loss_of("focal"), ranking_weight=ranking)
    logits, labels, mask = cells
    known = mask & (labels != -100)
    clean = logits.clone().requires_grad_()
    focal(clean, labels, mask).backward()
    spoilt = logits.masked_fill(~known, hidden_value).requires_grad_()
    loss = focal(spoilt, labels.masked_fill(~mask, 1.0), mask)
    loss.backward()
    assert loss.isfinite()
    assert torch.equal(spoilt.grad, clean.grad)
    assert (clean.grad[known] != 0).all()
    assert not clean.grad[~known].any()


@pytest.mark.parametrize("dtype", [torch.long, torch.bool, torch.float64, torch.bfloat16])
def test_labels_may_have_any_type(dtype, cells):
    logits, labels, mask = cells
    labels = labels.masked_fill(labels == -100, 0)
    expected = loss_of()(logits, labels, mask)
    torch.testing.assert_close(loss_of()(logits, labels.to(dtype), mask), expected)


def test_loss_is_computed_in_float32(cells):
    logits, labels, mask = cells
    assert loss_of()(logits.half(), labels, mask).dtype == torch.float32


@pytest.mark.parametrize("ranking", [0.0, 1.0])
@pytest.mark.parametrize("shape", [(1, 0, 3), (1, 3, 0), (1, 3, 3)])
def test_loss_of_nothing_is_zero_and_trains_nothing(shape, ranking):
    logits = torch.randn(shape, requires_grad=True)
    loss = replace(loss_of(), ranking_weight=ranking)(
        logits, torch.full(shape, -100), torch.ones(shape, dtype=torch.bool)
    )
    loss.backward()
    assert loss.item() == 0
    assert not logits.grad.any()


@pytest.mark.parametrize("num_words", [0, 1, 3, 30])
def test_spans_are_scored_window_by_window_as_one_by_one(num_words, monkeypatch):
    size, num_widths = 8, 5
    monkeypatch.setattr(finder_glirel, "CHUNK_IN_CACHE", 4 * 2 * num_widths * 32 * 7)  # seven words at a time
    mentions = EndpointMentions(size, 32, 0.1, project_endpoints=True).eval()
    finder = SpanFinder(size, 0.1, num_widths)
    words, types = torch.randn(2, num_words, size), torch.randn(2, 3, size)
    mask = torch.ones(2, num_words, dtype=torch.bool)
    every = spans_of(num_words, num_widths, words.device).expand(2, -1, -1)
    expected = (mentions(words, every, mask) @ types.transpose(1, 2)).view(2, num_words, num_widths, 3)
    with torch.no_grad():
        found = finder(finder.spans(mentions, words, mask), words, types)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    scores = finder(finder.spans(mentions, words, mask), words, types)
    torch.testing.assert_close(scores, expected, atol=1e-5, rtol=1e-5)
    scores.sum().backward()
    assert mentions.start_projection[0][0].weight.grad is not None


def test_found_entities_are_read_from_the_spans_that_were_scored():
    mentions = EndpointMentions(8, 32, 0.0, project_endpoints=True).eval()
    words, mask = torch.randn(2, 9, 8), torch.ones(2, 9, dtype=torch.bool)
    entities = torch.tensor([[[0, 1], [2, 9], [0, 0]], [[8, 9], [3, 5], [1, 2]]])  # one longer than those, and padding
    spans = mentions.all_spans(words, mask, 3)
    torch.testing.assert_close(spans.states(ends_of(entities)), mentions(words, entities, mask), atol=1e-6, rtol=1e-5)
