"""Scorers of triples against their formulas, written out for one triple of vectors."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from glirel_transformers.triples_glirel import TRIPLE_SCORERS, DistanceScorer, TransE, build_scorer

SIZE = 16
LIMIT = 3.0
DISTANCES = [name for name, kind in TRIPLE_SCORERS.items() if issubclass(kind, DistanceScorer)]


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(11)


def build(name, size=SIZE, limit=None):
    scorer = build_scorer(name, size, 4 * size, 0.3, limit).eval()
    with torch.no_grad():
        for parameter in scorer.parameters():
            parameter.copy_(torch.randn(parameter.shape) * 0.4)
        for buffer_name, buffer in scorer.named_buffers():
            if "running" in buffer_name:
                buffer.copy_(torch.rand(buffer.shape) + 0.5)
    return scorer


def halves(vector):
    return vector[: SIZE // 2], vector[SIZE // 2 :]


def complex_of(vector):
    return torch.complex(*halves(vector))


def hamilton(p, q):
    """The product of two quaternions, each four numbers."""
    (a, b, c, d), (e, f, g, h) = p, q
    return [
        a * e - b * f - c * g - d * h,
        a * f + b * e + c * h - d * g,
        a * g - b * h + c * e + d * f,
        a * h + b * g - c * f + d * e,
    ]


def quaternions(vector):
    return vector.view(4, -1)


def simple(_, h, r, t):
    (h_f, h_b), (r_f, r_b), (t_f, t_b) = halves(h), halves(r), halves(t)
    return sum(h_f[i] * r_f[i] * t_b[i] + t_f[i] * r_b[i] * h_b[i] for i in range(SIZE // 2)) / 2


def hole(_, h, r, t):
    return sum(r[k] * sum(h[i] * t[(i + k) % SIZE] for i in range(SIZE)) for k in range(SIZE))


def distance(scorer, residual):
    length = residual.abs().sum() if isinstance(scorer, TransE) else residual.square().sum().sqrt()
    return min(length, torch.tensor(scorer.distance_limit or math.inf))


def on_plane(vector, normal):
    normal = normal / normal.norm()
    return vector - (vector @ normal) * normal


def transf(scorer, h, r, t):
    return scorer.head_scale(r) * h + scorer.translation(r) - scorer.tail_scale(r) * t


RESIDUALS = {
    "um": lambda s, h, r, t: h - t,
    "se": lambda s, h, r, t: torch.diag(r) @ h - torch.diag(r) @ t,
    "transe": lambda s, h, r, t: h + r - t,
    "transh": lambda s, h, r, t: on_plane(h, s.normal(r)) + s.translation(r) - on_plane(t, s.normal(r)),
    "transf": transf,
    "pairre": lambda s, h, r, t: s.head_scale(r) * h - s.tail_scale(r) * t,
}


def ermlp(scorer, h, r, t):
    first = nn.Linear(3 * SIZE, scorer.inner_size)
    first.weight.data = torch.cat([scorer.head.weight, scorer.relation.weight, scorer.tail.weight], dim=1)
    first.bias.data = scorer.head.bias
    return scorer.output(first(torch.cat([h, r, t])).relu())[0]


def convkb(scorer, h, r, t):
    return scorer.output(scorer.filters(torch.stack([h, r, t]).unsqueeze(0)).relu().flatten())[0]


def conve(scorer, h, r, t):
    image = torch.cat([h.view(scorer.height, scorer.width), r.view(scorer.height, scorer.width)])
    filtered = scorer.convolution(image.view(1, 1, 2 * scorer.height, scorer.width)).relu()
    return scorer.output(filtered.flatten()).relu() @ t


def tucker(scorer, h, r, t):
    h, t = scorer.head_norm(h.unsqueeze(0))[0], scorer.tail_norm(t.unsqueeze(0))[0]
    return sum(r[k] * h[i] * (scorer.core[k, i] @ t) for k in range(SIZE) for i in range(SIZE))


FORMULAS = {
    "distmult": lambda s, h, r, t: sum(h[i] * r[i] * t[i] for i in range(SIZE)),
    "simple": simple,
    "complex": lambda s, h, r, t: (complex_of(h) * complex_of(r) * complex_of(t).conj()).sum().real,
    "quate": lambda s, h, r, t: sum(
        (a * b).sum() for a, b in zip(hamilton(quaternions(h), quaternions(r)), quaternions(t), strict=True)
    ),
    "hole": hole,
    "distma": lambda s, h, r, t: h @ r + h @ t + r @ t,
    **{
        name: (lambda s, h, r, t, residual=residual: s.offset - distance(s, residual(s, h, r, t)))
        for name, residual in RESIDUALS.items()
    },
    "triplere": lambda s, h, r, t: s.offset - s.factor(r)[0] * distance(s, transf(s, h, r, t)),
    "ermlp": ermlp,
    "convkb": convkb,
    "conve": conve,
    "tucker": tucker,
}


def triples(num_pairs=3, num_relations=4):
    states = torch.randn(2, num_pairs, 2 * SIZE), torch.randn(2, num_relations, SIZE)
    return states


@torch.no_grad()
@pytest.mark.parametrize(
    ("name", "limit"), [(name, None) for name in TRIPLE_SCORERS] + [(name, LIMIT) for name in DISTANCES]
)
def test_every_triple_has_the_score_of_its_formula(name, limit):
    scorer = build(name, limit=limit)
    pairs, relations = triples()
    scores = scorer(pairs, relations)
    assert scores.shape == (2, 3, 4)
    for text in range(2):
        for pair in range(3):
            h, t = pairs[text, pair].chunk(2)
            for relation in range(4):
                expected = FORMULAS[name](scorer, h, relations[text, relation], t)
                torch.testing.assert_close(scores[text, pair, relation], expected, rtol=1e-4, atol=1e-4)
    assert limit is not None or scores.std() > 0.05


@torch.no_grad()
def test_a_limit_is_reached():
    """Else the test above would not see it."""
    pairs, relations = triples()
    for name in RESIDUALS:
        scorer = build(name, limit=LIMIT)
        free = build_scorer(name, SIZE, 4 * SIZE, 0.0, None)
        free.load_state_dict(scorer.state_dict())
        assert (scorer(pairs, relations) >= scorer.offset - LIMIT - 1e-5).all()
        assert (free(pairs, relations) < scorer.offset - LIMIT).any(), name


@torch.no_grad()
@pytest.mark.parametrize("name", TRIPLE_SCORERS)
def test_a_score_does_not_depend_on_what_else_is_scored(name):
    scorer = build(name)
    pairs, relations = triples(4, 5)
    alone = scorer(pairs[1:, 2:3], relations[1:, 3:4])
    torch.testing.assert_close(scorer(pairs, relations)[1:, 2:3, 3:4], alone, rtol=1e-4, atol=1e-4)


@torch.no_grad()
@pytest.mark.parametrize("sizes", [(0, 3), (3, 0), (0, 0)], ids=["no pair", "no relation type", "neither"])
@pytest.mark.parametrize("name", TRIPLE_SCORERS)
def test_nothing_is_scored_where_there_is_nothing(name, sizes):
    assert build(name)(*triples(*sizes)).shape == (2, *sizes)


@pytest.mark.parametrize("name", TRIPLE_SCORERS)
def test_gradients_reach_every_parameter(name):
    scorer = build(name).train()
    pairs, relations = (states.requires_grad_() for states in triples(5))
    scorer(pairs, relations).square().sum().backward()
    for parameter, tensor in [*scorer.named_parameters(), ("pairs", pairs), ("relations", relations)]:
        if (name, parameter) in (("um", "relations"), ("um", "offset")):
            continue  # the first has none; the second is tested with the others
        assert tensor.grad is not None, parameter
        assert tensor.grad.abs().sum() > 0, parameter


@pytest.mark.parametrize("num_pairs", [0, 1])
def test_tucker_trains_on_a_batch_with_hardly_a_pair(num_pairs):
    scorer = build("tucker").train()
    assert scorer(torch.randn(1, num_pairs, 2 * SIZE), torch.randn(1, 2, SIZE)).isfinite().all()


@pytest.mark.parametrize("name", RESIDUALS)
def test_a_distance_can_be_a_likely_triple(name):
    """Without its offset, no probability would be above one half."""
    scorer = build_scorer(name, SIZE, 4 * SIZE, 0.0, None)
    ends = torch.randn(1, 1, SIZE)
    pairs = torch.cat([ends, ends], dim=-1)
    assert scorer(pairs, torch.zeros(1, 1, SIZE)).sigmoid().item() > 0.5


@pytest.mark.parametrize(("name", "size"), [("simple", 15), ("complex", 15), ("quate", 18)])
def test_vectors_that_cannot_be_divided_are_refused(name, size):
    with pytest.raises(ValueError, match=rf"hidden_size={size}\. Choose a multiple of"):
        build_scorer(name, size, 4 * size, 0.0, None)


@pytest.mark.parametrize("size", [7, 4])
def test_vectors_that_are_no_image_are_refused(size):
    with pytest.raises(ValueError, match=rf"'conve' reads vectors as images: got hidden_size={size}"):
        build_scorer("conve", size, 4 * size, 0.0, None)
