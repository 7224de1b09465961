"""The fast DeBERTa attention is transformers' own: same parameters, same results."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from tiny import fill_with_noise
from transformers import DebertaV2Config, DebertaV2Model
from transformers.models.deberta_v2.modeling_deberta_v2 import make_log_bucket_position

from glirel_transformers import GLiRELForRelationClassification
from glirel_transformers.deberta_glirel import FastDebertaV2Model, bucket_distance

TERMS = ([], ["c2p"], ["p2c"], ["p2c", "c2p"])
EXACT = {"rtol": 0, "atol": 1e-5}


def both(**settings: Any) -> tuple[DebertaV2Model, FastDebertaV2Model]:
    """transformers' model and ours, with the same weights, which are large enough to leave their mark."""
    config = DebertaV2Config(
        **{
            "vocab_size": 50,
            "hidden_size": 32,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "intermediate_size": 48,
            "max_position_embeddings": 64,
            "relative_attention": True,
            "position_buckets": 16,
            "norm_rel_ebd": "layer_norm",
            "share_att_key": True,
            "pos_att_type": ["p2c", "c2p"],
            "position_biased_input": False,
            "type_vocab_size": 0,
            "initializer_range": 0.3,
            **settings,
        }
    )
    torch.manual_seed(3)
    original = DebertaV2Model(config).eval()
    fast = FastDebertaV2Model(config).eval()
    fast.load_state_dict(original.state_dict())
    return original, fast


def inputs(*lengths: int) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(sum(lengths))
    mask = (torch.arange(max(lengths)) < torch.tensor(lengths).unsqueeze(1)).long()
    return {"input_ids": torch.randint(1, 50, mask.shape, generator=generator) * mask, "attention_mask": mask}


@pytest.mark.slow
@pytest.mark.parametrize("relative", [True, pytest.param(False, marks=pytest.mark.sweep)])
@pytest.mark.parametrize("shared_keys", [True, False])
@pytest.mark.parametrize("terms", TERMS, ids="+".join)
def test_hidden_states_are_those_of_transformers(terms, shared_keys, relative):
    for buckets, norm, kernel in itertools.product((-1, 16), ("layer_norm", "none"), (0, 3)):
        original, fast = both(
            pos_att_type=terms,
            share_att_key=shared_keys,
            relative_attention=relative,
            position_buckets=buckets,
            norm_rel_ebd=norm,
            conv_kernel_size=kernel,
        )
        # One token, one text, padding, and lengths in one block and in several.
        for lengths in [(1,), (2, 2), (40,), (64, 1, 17), (65, 3), (150, 129)]:
            batch = inputs(*lengths)
            with torch.inference_mode():
                expected = original(**batch).last_hidden_state
                torch.testing.assert_close(fast(**batch).last_hidden_state, expected, **EXACT)
            torch.testing.assert_close(fast(**batch).last_hidden_state, expected, **EXACT)  # as in training


def test_random_shapes():
    generator = torch.Generator().manual_seed(11)
    original, fast = both(position_buckets=32, max_position_embeddings=128)
    for _ in range(25):
        lengths = torch.randint(1, 200, (int(torch.randint(1, 5, (), generator=generator)),), generator=generator)
        batch = inputs(*lengths.tolist())
        with torch.no_grad():
            expected = original(**batch).last_hidden_state
            torch.testing.assert_close(fast(**batch).last_hidden_state, expected, **EXACT)


def test_a_fixed_model_gives_what_transformers_5_23_gave():
    _, fast = both()
    fill_with_noise(fast)
    with torch.inference_mode():
        states = fast(**inputs(9, 4)).last_hidden_state
    golden = [
        [-0.1804, -1.1054, -0.8972, 0.2946],
        [0.2029, -1.1715, -0.8726, 0.3921],
        [0.2823, -1.0200, -0.8196, 0.4832],
    ]
    torch.testing.assert_close(states[0, :3, :4], torch.tensor(golden), rtol=0, atol=1e-4)


@pytest.mark.parametrize(("buckets", "furthest"), [(256, 512), (16, 512), (8, 64), (32, 128), (2, 512)])
def test_distances_fall_into_the_buckets_of_transformers(buckets, furthest):
    distance = torch.arange(-3000, 3001)
    expected = make_log_bucket_position(distance, buckets, furthest).long()
    assert torch.equal(bucket_distance(distance, buckets, furthest), expected)


def test_outputs_are_those_of_transformers():
    original, fast = both()
    batch = inputs(12, 7)
    options = {"output_hidden_states": True, "output_attentions": True}
    expected, output = original(**batch, **options), fast(**batch, **options)
    assert output.keys() == expected.keys()
    for name in ("hidden_states", "attentions"):
        for ours, theirs in zip(output[name], expected[name], strict=True):
            torch.testing.assert_close(ours, theirs, **EXACT)
    without_mask = fast(input_ids=batch["input_ids"], return_dict=False)
    torch.testing.assert_close(without_mask[0], original(input_ids=batch["input_ids"])[0], **EXACT)
    embedded = original.embeddings.word_embeddings(batch["input_ids"])
    mask = batch["attention_mask"]
    torch.testing.assert_close(
        fast(inputs_embeds=embedded, attention_mask=mask)[0], expected.last_hidden_state, **EXACT
    )


@pytest.mark.parametrize("settings", [{}, {"share_att_key": False, "conv_kernel_size": 3}], ids=["v3", "v2"])
def test_gradients_are_those_of_transformers(settings):
    models = both(**settings)
    for model in models:
        batch = inputs(30, 11)
        states = model(**batch).last_hidden_state * batch["attention_mask"].unsqueeze(-1)
        (states * torch.linspace(-1, 1, 32)).sum().backward()
    original, fast = (dict(model.named_parameters()) for model in models)
    assert original.keys() == fast.keys()
    for name, parameter in original.items():
        if parameter.grad is None:
            assert fast[name].grad is None, name
        else:
            torch.testing.assert_close(fast[name].grad, parameter.grad, rtol=1e-4, atol=1e-4, msg=name)


def test_dropout_acts_in_training_only():
    _, fast = both(attention_probs_dropout_prob=0.5, hidden_dropout_prob=0.0)
    batch = inputs(10)
    torch.manual_seed(0)
    first, second = fast.train()(**batch)[0], fast(**batch)[0]
    assert not torch.allclose(first, second)
    assert torch.equal(fast.eval()(**batch)[0], fast(**batch)[0])


def test_half_precision_is_as_close_as_that_of_transformers():
    original, fast = both()
    batch = inputs(70, 33)
    with torch.inference_mode():
        exact = original(**batch)[0]
        theirs = (original.bfloat16()(**batch)[0] - exact).abs().mean()
        ours = (fast.bfloat16()(**batch)[0] - exact).abs().mean()
    assert ours < 1.5 * theirs


@pytest.mark.slow
def test_export_leaves_batch_and_length_open():
    original, fast = both()
    dynamic = {0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC}
    example = inputs(9, 5)
    with torch.no_grad():
        shapes = dict.fromkeys(example, dynamic)
        exported = torch.export.export(fast, (), example, dynamic_shapes=shapes).module()
        for lengths in [(3, 2), (40, 7, 12), (100, 90)]:
            batch = inputs(*lengths)
            torch.testing.assert_close(exported(**batch)[0], original(**batch)[0], **EXACT)


def test_gradient_checkpointing_changes_nothing():
    _, fast = both(hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    gradients = []
    for enabled in (False, True):
        if enabled:
            getattr(fast, "activation_checkpointing_enable", fast.gradient_checkpointing_enable)()
        fast.train().zero_grad()
        fast(**inputs(20, 9))[0].square().sum().backward()
        gradients.append(fast.embeddings.word_embeddings.weight.grad.clone())
    torch.testing.assert_close(*gradients)


def test_it_is_chosen_for_deberta_and_can_be_switched_off(build_model, encoder_folder, encode, tmp_path):
    fast = build_model("deberta-v2")
    assert isinstance(fast.glirel.encoder, FastDebertaV2Model)
    fast.save_pretrained(tmp_path)
    eager = GLiRELForRelationClassification.from_pretrained(tmp_path, attn_implementation="eager")
    assert type(eager.glirel.encoder) is DebertaV2Model
    assert eager.state_dict().keys() == fast.state_dict().keys()
    built = GLiRELForRelationClassification.from_encoder(encoder_folder("deberta-v2"), attn_implementation="eager")
    assert type(built.glirel.encoder) is DebertaV2Model
    again = GLiRELForRelationClassification.from_pretrained(tmp_path)
    assert isinstance(again.glirel.encoder, FastDebertaV2Model)
    batch = encode(fast)
    with torch.inference_mode():
        torch.testing.assert_close(fast(**batch).logits, eager(**batch).logits, rtol=0, atol=1e-4)


def test_weights_of_later_layers_get_their_gradients_above_frozen_ones():
    """Memory that layers share must not be in use where a later layer keeps what it read."""
    original, fast = both()
    for model in (original, fast):
        model.embeddings.requires_grad_(False)
        model.encoder.layer[0].requires_grad_(False)
        model.encoder.rel_embeddings.requires_grad_(False)
        batch = inputs(70, 33)
        (model(**batch)[0] * batch["attention_mask"].unsqueeze(-1)).square().sum().backward()
    for ours, theirs in zip(fast.encoder.layer[1].parameters(), original.encoder.layer[1].parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-3, atol=1e-3)


def test_half_precision_of_graphics_cards_survives_padding():
    """In float16 a mask that is added to low scores would become −∞, and a row of these no number."""
    _, fast = both()
    with torch.no_grad():
        fast.encoder.layer[0].attention.self.key_proj.bias -= 40
    for states in (fast.half()(**inputs(9, 2))[0], torch.inference_mode()(fast)(**inputs(9, 2))[0]):
        assert states.isfinite().all()


def test_both_kinds_of_input_are_an_error():
    _, fast = both()
    with pytest.raises(ValueError, match="Pass `input_ids` or `inputs_embeds`"):
        fast()
