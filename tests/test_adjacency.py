"""Matrices over entities against their formulas, written out for one pair of entities at a time."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from glirel_transformers.adjacency_glirel import ADJACENCY
from glirel_transformers.finding_glirel import READ_OTHER_ENTITIES

SIZE = 16
NAMES = [name for name in ADJACENCY if name != "all"]
# The second text has two entities, the third none.
MASK = torch.tensor([[True] * 4, [True, True, False, False], [False] * 4])


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(7)


def build(name):
    layer = ADJACENCY[name](SIZE)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.copy_(torch.randn(parameter.shape) * 0.25)
    return layer


def reference_attention(layer):
    reference = nn.MultiheadAttention(SIZE, 8, batch_first=True)
    attention = layer.attention
    reference.in_proj_weight.data, reference.in_proj_bias.data = attention.projection.weight, attention.projection.bias
    reference.out_proj.load_state_dict(attention.output.state_dict())
    return reference


def attended(layer, states):
    """What entities of one text attend to, and the weights, by torch's own attention."""
    out, weights = reference_attention(layer)(states[None], states[None], states[None], need_weights=True)
    return out[0], weights[0]


def products(states):
    count = len(states)
    return torch.stack([torch.stack([(states[i] @ states[j]).sigmoid() for j in range(count)]) for i in range(count)])


def mlp(layer, states):
    first = nn.Linear(2 * SIZE, SIZE)
    first.weight.data, first.bias.data = torch.cat([layer.head.weight, layer.tail.weight], 1), layer.head.bias
    network = nn.Sequential(first, nn.ReLU(), layer.output, nn.Sigmoid())
    return torch.stack([torch.cat([network(torch.cat([one, other])) for other in states]) for one in states])


def gcn(layer, states):
    edges = products(states) + torch.eye(len(states))
    scale = torch.diag(edges.sum(1) ** -0.5)
    return products(layer.projection(torch.relu(layer.convolution(scale @ edges @ scale @ states))))


FORMULAS = {
    "dot": lambda layer, states: products(states),
    "bilinear": lambda layer, states: products(layer.projection(states)),
    "mlp": mlp,
    "attention": lambda layer, states: attended(layer, states)[1],
    "gcn": gcn,
    "gat": lambda layer, states: products(layer.projection(attended(layer, states)[0])),
}


@torch.no_grad()
@pytest.mark.parametrize("name", NAMES)
def test_every_pair_has_the_number_of_its_formula(name):
    layer, states = build(name), torch.randn(3, 4, SIZE) * 0.5
    matrix = layer(states, MASK)
    assert matrix.shape == (3, 4, 4)
    assert matrix.isfinite().all()
    for text, count in enumerate(MASK.sum(1).tolist()):
        if count:
            torch.testing.assert_close(
                matrix[text, :count, :count], FORMULAS[name](layer, states[text, :count]), rtol=1e-5, atol=1e-6
            )
        assert not matrix[text, count:].any()
        assert not matrix[text, :, count:].any()


@torch.no_grad()
@pytest.mark.parametrize("name", NAMES)
def test_padding_changes_nothing(name):
    layer, states = build(name), torch.randn(3, 4, SIZE)
    matrix = layer(states, MASK)
    junk = torch.where(MASK.unsqueeze(-1), states, torch.full_like(states, 1e4))
    torch.testing.assert_close(layer(junk, MASK), matrix)
    torch.testing.assert_close(layer(states[1:2, :2], MASK[1:2, :2])[0], matrix[1, :2, :2])


@torch.no_grad()
@pytest.mark.parametrize("name", NAMES)
def test_only_some_read_other_entities(name):
    """What a list says decides which entities may be left out without a change."""
    layer, states = build(name), 0.5 * torch.randn(1, 4, SIZE)
    every = torch.ones(1, 4, dtype=torch.bool)
    whole, part = layer(states, every)[:, :3, :3], layer(states[:, :3], every[:, :3])
    assert torch.allclose(whole, part, atol=1e-6) != (name in READ_OTHER_ENTITIES)


@torch.no_grad()
@pytest.mark.parametrize("name", NAMES)
def test_only_some_tell_the_directions_apart(name):
    layer, states = build(name), 0.5 * torch.randn(1, 4, SIZE)
    matrix = layer(states, torch.ones(1, 4, dtype=torch.bool))
    assert torch.allclose(matrix, matrix.transpose(1, 2), atol=1e-6) == (name not in ("mlp", "attention"))


@pytest.mark.parametrize("name", NAMES)
def test_a_batch_without_entities(name):
    layer = build(name)
    assert layer(torch.randn(2, 0, SIZE), torch.ones(2, 0, dtype=torch.bool)).shape == (2, 0, 0)


@pytest.mark.parametrize("name", NAMES)
def test_gradients_are_numbers_and_reach_every_parameter(name):
    layer, states = build(name), (0.5 * torch.randn(3, 4, SIZE)).requires_grad_()
    weights = torch.randn(3, 4, 4)
    (layer(states, MASK) * weights).sum().backward()
    assert states.grad.isfinite().all()
    for parameter, tensor in layer.named_parameters():
        if (name, parameter) in _WITHOUT_GRADIENT:
            assert tensor.grad is None, parameter
            continue
        assert tensor.grad.isfinite().all()
        assert tensor.grad.abs().sum() > 0, parameter


# The attention's output, which its weights do not read; the original has it too.
_WITHOUT_GRADIENT = [("attention", "attention.output.weight"), ("attention", "attention.output.bias")]
