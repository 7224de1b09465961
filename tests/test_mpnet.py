"""MPNet with torch's fast attention: transformers' own numbers, and positions that may be shared."""

from __future__ import annotations

import pytest
import torch
from tiny import ENTITIES, RELATION_TYPES, TEXTS, fill_with_noise, make_encoder_config
from transformers import MPNetModel

from glirel_transformers.encoders_glirel import build_encoder
from glirel_transformers.mpnet_glirel import FastMPNetModel

EXACT = {"atol": 1e-5, "rtol": 1e-5}


@pytest.fixture(scope="module")
def pair():
    """transformers' own model and ours, with the same weights."""
    config = make_encoder_config("mpnet")
    theirs = MPNetModel(config, add_pooling_layer=False).eval()
    fill_with_noise(theirs)
    ours = build_encoder(config, None).eval()
    ours.load_state_dict(theirs.state_dict())
    return theirs, ours


@pytest.fixture(scope="module")
def batch():
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(4, 60, (2, 40), generator=generator)
    mask = torch.ones_like(ids)
    ids[1, 25:], mask[1, 25:] = 1, 0
    return {"input_ids": ids, "attention_mask": mask}


def test_states_and_attentions_are_those_of_transformers(pair, batch):
    _, ours = pair
    assert isinstance(ours, FastMPNetModel)
    with torch.inference_mode():
        expected, found = (model(**batch, output_hidden_states=True, output_attentions=True) for model in pair)
        fast = ours(**batch)
    real = batch["attention_mask"].bool()
    for one, other in zip(found.hidden_states, expected.hidden_states, strict=True):
        torch.testing.assert_close(one[real], other[real], **EXACT)
    torch.testing.assert_close(found.attentions[0][0], expected.attentions[0][0], **EXACT)
    torch.testing.assert_close(fast.last_hidden_state[real], expected.last_hidden_state[real], **EXACT)
    assert fast.attentions is None
    assert fast.hidden_states is None
    torch.testing.assert_close(ours(**batch, return_dict=False)[0], fast.last_hidden_state)


@pytest.mark.parametrize("kind", [torch.long, torch.bool, torch.float32])
def test_masks_of_all_kinds_are_the_same(pair, batch, kind):
    _, ours = pair
    mask = batch["attention_mask"]
    square = mask[:, None, None, :].expand(2, 1, 40, 40).bool()
    if kind == torch.float32:
        square = torch.zeros(square.shape).masked_fill(~square, torch.finfo(torch.float32).min)
    with torch.inference_mode():
        expected = ours(**batch).last_hidden_state
        flat = ours(input_ids=batch["input_ids"], attention_mask=mask.to(kind)).last_hidden_state
        whole = ours(input_ids=batch["input_ids"], attention_mask=square).last_hidden_state
    torch.testing.assert_close(flat, expected, **EXACT)
    torch.testing.assert_close(whole, expected, **EXACT)


def test_gradients_are_those_of_transformers_of_the_positions_as_well(pair, batch):
    grads = []
    for model in pair:
        states = model(**batch).last_hidden_state[batch["attention_mask"].bool()]
        weights = [model.encoder.relative_attention_bias.weight, model.encoder.layer[0].attention.attn.q.weight]
        grads.append(torch.autograd.grad(states.square().sum(), weights))
    for one, other in zip(*grads, strict=True):
        torch.testing.assert_close(one, other, atol=1e-3, rtol=1e-4)


def test_tokens_at_one_position_are_a_set(pair, batch):
    """Where two halves stand at the same positions, exchanging them exchanges their states and changes no other."""
    _, ours = pair
    ids = batch["input_ids"][:1]
    places = torch.cat([torch.arange(10), torch.arange(10), torch.arange(10, 30)]).unsqueeze(0)
    order = torch.cat([torch.arange(10, 20), torch.arange(10), torch.arange(20, 40)])
    with torch.inference_mode():
        one = ours(input_ids=ids, position_ids=places).last_hidden_state
        other = ours(input_ids=ids[:, order], position_ids=places).last_hidden_state
        plain = ours(input_ids=ids).last_hidden_state
    torch.testing.assert_close(other[:, order], one, **EXACT)
    assert (plain - one).abs().max() > 0.01


@pytest.mark.parametrize("how", ["own", "one_way"])
def test_scores_of_a_model_do_not_depend_on_the_order_of_names(build_model, how):
    model = build_model("mpnet", shared_relation_positions=True, type_attention=how)
    logits = []
    for names in (RELATION_TYPES, RELATION_TYPES[::-1]):
        batch = model.tokenizer(TEXTS, entities=ENTITIES, relation_types=names, padding=True)
        with torch.inference_mode():
            logits.append(model(**batch).logits)
    torch.testing.assert_close(logits[0], logits[1].flip(-1), atol=1e-4, rtol=1e-4)


def test_localized_context_reads_its_last_attention(build_model):
    model = build_model("mpnet", pair_context="localized")
    batch = model.tokenizer(TEXTS, entities=ENTITIES, relation_types=RELATION_TYPES, padding=True)
    with torch.inference_mode():
        assert model(**batch).logits.isfinite().any()


def test_ids_or_embeddings_are_needed_and_not_both(pair, batch):
    with pytest.raises(ValueError, match="`input_ids` or `inputs_embeds`"):
        pair[1]()
