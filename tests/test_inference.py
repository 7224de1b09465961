"""`optimize_for_inference`: the same scores from weights that are laid out otherwise."""

from __future__ import annotations

import pytest
import torch
from tiny import FAMILIES, RELATION_TYPES
from torch import nn

from glirel_transformers import GLiRELModel, RelationExtractionPipeline
from glirel_transformers.encoding_glirel import POOLINGS, RELATIONS
from glirel_transformers.inference_glirel import PackedLinear, can_pack

TEXT = "Marie Curie was born in Warsaw."
ENTITIES = [(0, 11), (24, 30)]
HEADS = [
    {},
    {"use_lstm": True, "endpoint_projection": True, "hidden_size": 24},
    {"scorer": "dot_thresh", "mention_representation": "mean"},
    {"scorer": "dot_norm", "subtoken_pooling": "first_last"},
    {"scorer": "concat_proj", "num_pair_refinement_layers": 1},
    {"num_relation_refinement_layers": 1, "relation_representation": "both"},
]

needs_packing = pytest.mark.skipif(
    not can_pack(torch.device("cpu"), torch.float32), reason="this build of torch packs no weights"
)


def scores(model, batch):
    with torch.inference_mode():
        return model(**batch).logits


@pytest.mark.parametrize("family", FAMILIES)
def test_scores_stay_the_same_for_every_encoder(build_model, encode, family):
    model = build_model(family)
    batch = encode(model)
    expected = scores(model, batch)
    assert model.optimize_for_inference() is model
    torch.testing.assert_close(scores(model, batch), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("settings", HEADS, ids=lambda settings: "-".join(settings) or "plain")
def test_scores_stay_the_same_for_every_head(build_model, encode, settings):
    model = build_model("deberta-v2", **settings)
    batch = encode(model)
    expected = scores(model, batch)
    torch.testing.assert_close(scores(model.optimize_for_inference(), batch), expected, rtol=1e-5, atol=2e-5)


@pytest.mark.parametrize("relations", RELATIONS)
@pytest.mark.parametrize("pooling", POOLINGS)
def test_the_last_layer_computes_tokens_that_are_pooled_and_no_others(build_model, encode, pooling, relations):
    model = build_model("deberta-v2", subtoken_pooling=pooling, relation_representation=relations)
    batch = encode(model)
    with torch.inference_mode():
        expected = model.glirel(**batch)
        read = torch.zeros_like(batch["input_ids"], dtype=torch.bool)
        for text, spans in enumerate(batch["word_token_spans"].tolist()):
            for start, end in spans:
                wanted = {"first": [start], "last": [end - 1], "first_last": [start, end - 1]}
                read[text, wanted.get(pooling, range(start, end)) if start < end else []] = True
        whole = model.optimize_for_inference().glirel(**batch)
    is_zero = (whole.last_hidden_state == 0).all(-1)
    assert is_zero.any()
    assert not is_zero[read].any()
    torch.testing.assert_close(
        whole.last_hidden_state[~is_zero], expected.last_hidden_state[~is_zero], rtol=1e-5, atol=1e-5
    )
    for name in ("word_states", "relation_states"):
        torch.testing.assert_close(getattr(whole, name), getattr(expected, name), rtol=1e-5, atol=1e-5)
    with torch.inference_mode():  # whoever asks for all layers gets them whole
        states = model.glirel(**batch, output_hidden_states=True).last_hidden_state
    torch.testing.assert_close(states, expected.last_hidden_state, rtol=1e-5, atol=1e-5)


@pytest.mark.skipif(not can_pack(torch.device("cpu"), torch.bfloat16), reason="no bfloat16 on this processor")
def test_half_precision(build_model, encode):
    model = build_model("deberta-v2")
    batch = encode(model)
    expected = scores(model, batch)
    model.optimize_for_inference(torch.bfloat16)
    optimized = scores(model, batch)
    assert optimized.dtype == torch.bfloat16
    real = batch["pair_mask"]
    assert (optimized.sigmoid() - expected.sigmoid())[real].abs().mean() < 0.1


@needs_packing
def test_no_linear_layer_but_the_folded_one_is_left(build_model):
    model = build_model("deberta-v2").optimize_for_inference()
    plain = [name for name, module in model.named_modules() if isinstance(module, nn.Linear)]
    assert plain == ["glirel.pair_representation.feed_forward.output"]
    packed = [module for module in model.modules() if isinstance(module, PackedLinear)]
    assert {"gelu", "relu", "none"} == {module.activation[0] for module in packed}


def test_the_bare_model_is_optimized_too(build_model, encode):
    model = build_model("bert").glirel
    batch = encode(build_model("bert"))
    assert isinstance(model, GLiRELModel)
    with torch.inference_mode():
        expected = model(**batch).pair_states
        torch.testing.assert_close(model.optimize_for_inference()(**batch).pair_states, expected, rtol=1e-5, atol=1e-5)


def test_the_pipeline_takes_an_optimized_model(build_model):
    asked = {"entities": ENTITIES, "relation_types": RELATION_TYPES, "threshold": 0.0}
    expected = RelationExtractionPipeline(build_model("deberta-v2"))(TEXT, **asked)
    given = RelationExtractionPipeline(build_model("deberta-v2").optimize_for_inference(), device="cpu")(TEXT, **asked)
    assert [relation["relation"] for relation in given] == [relation["relation"] for relation in expected]
    assert [r["score"] for r in given] == pytest.approx([r["score"] for r in expected], abs=1e-5)


def test_what_an_optimized_model_cannot_do_is_an_error(build_model, tmp_path):
    model = build_model("bert").optimize_for_inference()
    with pytest.raises(ValueError, match="cannot be trained"):
        model.train()
    with pytest.raises(ValueError, match="cannot be saved"):
        model.save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="optimized already"):
        model.optimize_for_inference(torch.bfloat16)
    assert model.eval() is model


@needs_packing
def test_packed_weights_stay_where_they_are(build_model):
    model = build_model("bert").optimize_for_inference()
    assert model.to("cpu") is model
    with pytest.raises(ValueError, match=r"optimized for cpu in torch\.float32 and cannot become torch\.float16"):
        model.half()


def test_long_inputs(build_model):
    """Longer than a block of the attention."""
    model = build_model("deberta-v2")
    words = ["work", "in"] * 50
    batch = model.tokenizer(words, is_split_into_words=True, entities=[(0, 1), (99, 100)], relation_types=["of"])
    assert batch["input_ids"].shape[1] > 64
    expected = model(**batch).logits.detach()
    torch.testing.assert_close(scores(model.optimize_for_inference(), batch), expected, rtol=1e-5, atol=1e-5)


def test_the_pipeline_leaves_an_optimized_model_where_it_is(build_model):
    model = build_model("bert").optimize_for_inference()
    assert RelationExtractionPipeline(model).device == model.device


@pytest.mark.parametrize("inner", [False, True])
def test_neither_a_model_around_nor_one_within_an_optimized_model_can_be_saved(build_model, tmp_path, inner):
    whole = build_model("bert")
    optimized, other = (whole.glirel, whole) if inner else (whole, whole.glirel)
    optimized.optimize_for_inference()
    with pytest.raises(ValueError, match="cannot be saved"):
        other.save_pretrained(tmp_path)
