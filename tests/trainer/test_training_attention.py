"""Attention while training on a CPU in bfloat16: the same numbers, from products of matrices."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from glirel_transformers.trainer.attention import attention_for_training, attention_of_products


def states(dtype):
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(2, 3, 7, 8, generator=generator).to(dtype).requires_grad_() for _ in range(3)]


def added(mask):
    return torch.zeros(mask.shape).masked_fill(~mask, torch.finfo(torch.float32).min)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-6), (torch.bfloat16, 3e-2)])
@pytest.mark.parametrize("masked", [False, True])
def test_products_attend_as_torch_does_forward_and_backward(dtype, tolerance, masked):
    layer = torch.nn.Identity()
    mask = torch.ones(2, 1, 7, 7, dtype=torch.bool)
    mask[1, :, :, 5:] = False
    ours, theirs = states(dtype), states(dtype)
    attended, weights = attention_of_products(layer, *ours, added(mask) if masked else None)
    expected = functional.scaled_dot_product_attention(*theirs, attn_mask=mask if masked else None)
    assert weights is None
    torch.testing.assert_close(attended, expected.transpose(1, 2), atol=tolerance, rtol=tolerance)
    attended.square().sum().backward()
    expected.square().sum().backward()
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one.grad, other.grad, atol=4 * tolerance, rtol=4 * tolerance)


def test_a_row_that_attends_to_nothing_is_no_nan_in_bfloat16():
    nothing = torch.full((2, 1, 7, 7), torch.finfo(torch.float32).min)
    attended, _ = attention_of_products(torch.nn.Identity(), *states(torch.bfloat16), nothing)
    assert attended.isfinite().all()


def test_only_training_in_bfloat16_attends_so_and_only_while_it_trains(make_model):
    model = make_model().glirel
    model.set_attn_implementation("sdpa")
    with attention_for_training(model, bf16=False):
        assert model.encoder.config._attn_implementation == "sdpa"

    def fails():
        with attention_for_training(model, bf16=True):
            assert model.encoder.config._attn_implementation == "glirel_products"
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fails()
    assert model.encoder.config._attn_implementation == "sdpa"
    model.set_attn_implementation("eager")
    with attention_for_training(model, bf16=True):
        assert model.encoder.config._attn_implementation == "eager"
