"""What types before the text attend to: names that stand at the same positions do not mix, and may be independent."""

from __future__ import annotations

import pytest
import torch
from tiny import ENTITIES, REFINED, RELATION_TYPES, TEXTS

from glirel_transformers import GLiRELForJointExtraction, GLiRELForRelationClassification, RelationExtractor
from glirel_transformers.configuration_glirel import SYSTEMS
from glirel_transformers.encoding_glirel import TYPE_ATTENTION, mask_between_types

APART = {"shared_relation_positions": True}
OWN, ONE_WAY = {**APART, "type_attention": "own"}, {**APART, "type_attention": "one_way"}
SETTINGS = {
    "own": OWN,
    "one way": ONE_WAY,
    "one way, lstm": {**ONE_WAY, "use_lstm": True, "relation_representation": "both"},
    "own, refined": {**OWN, **REFINED},
    "own, localized": {**OWN, "pair_context": "localized"},
}


def logits_of(model, relation_types=RELATION_TYPES, texts=slice(None), **options):
    batch = model.tokenizer(TEXTS[texts], entities=ENTITIES[texts], relation_types=relation_types, **options)
    with torch.no_grad():
        return model(**batch).logits


def by_cell(found):
    return {(one["head"]["index"], one["tail"]["index"], one["relation"]): one["score"] for one in found}


def test_who_attends_to_whom():
    # [CLS] [REL] a b [REL] c [SEP] text [PAD]
    spans = torch.tensor([[[2, 4], [5, 6], [0, 0]]])
    real = torch.tensor([[True] * 8 + [False]])
    own = [[2, 0, 0, 0, 0, 0, 2, 2, 0]] + [[2, 1, 1, 1, 0, 0, 2, 2, 0]] * 3 + [[2, 0, 0, 0, 1, 1, 2, 2, 0]] * 2
    text = [1, 1, 1, 1, 1, 1, 1, 1, 0]
    mask = mask_between_types(spans, real, TYPE_ATTENTION["own"])[0, 0].long()
    assert mask[1:6].tolist() == [[int(value > 0) for value in row] for row in own[1:]]
    assert mask[[0, 6, 7]].tolist() == [text] * 3
    mask = mask_between_types(spans, real, TYPE_ATTENTION["one_way"])[0, 0].long()
    assert mask[1:6].tolist() == [[int(value > 0) for value in row] for row in own[1:]]
    assert mask[[0, 6, 7]].tolist() == [[1, 0, 0, 0, 0, 0, 1, 1, 0]] * 3


@pytest.mark.parametrize("family", ["bert", "electra"])
@pytest.mark.parametrize("settings", SETTINGS)
def test_permuting_types_permutes_columns_and_padding_changes_nothing(build_model, family, settings):
    model = build_model(family, **SETTINGS[settings])
    expected = logits_of(model, padding=True)
    order = [2, 0, 1]
    permuted = logits_of(model, [RELATION_TYPES[place] for place in order], padding=True)
    torch.testing.assert_close(permuted, expected[:, :, order], rtol=1e-5, atol=1e-5)
    for place in range(len(TEXTS)):
        alone = logits_of(model, texts=slice(place, place + 1))[0]
        torch.testing.assert_close(expected[place, : len(alone)], alone, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("settings", ["one way", "one way, lstm"])
def test_one_way_scores_do_not_depend_on_what_else_is_asked_for(build_model, settings):
    model = build_model("bert", **SETTINGS[settings])
    together = logits_of(model, [*RELATION_TYPES, "a long name of a friend and engine"], padding=True)
    for column, name in enumerate(RELATION_TYPES):
        alone = logits_of(model, [name], padding=True)
        torch.testing.assert_close(together[:, :, column : column + 1], alone, rtol=1e-5, atol=1e-5)
    grouped, whole = (
        RelationExtractor(model)(TEXTS, entities=ENTITIES, relation_types=RELATION_TYPES, group_size=size, threshold=0)
        for size in (1, None)
    )
    for one, other in zip(grouped, whole, strict=True):
        assert by_cell(one) == pytest.approx(by_cell(other), abs=1e-6)


def test_names_at_the_same_positions_mix_unless_each_attends_to_its_own(build_model):
    # What stands at a position is added to it: without `own`, words that change places between two names are the same.
    one, other = ["work friend", "of in"], ["work in", "of friend"]
    mixed, apart = (build_model("bert", **settings) for settings in (APART, OWN))
    difference = {}
    for name, model in (("mixed", mixed), ("apart", apart)):
        batches = [
            model.tokenizer(TEXTS[0], entities=ENTITIES[0], relation_types=types, padding=True)
            for types in (one, other)
        ]
        with torch.no_grad():
            states = [model.glirel.encoder.embeddings(b["input_ids"], position_ids=b["position_ids"]) for b in batches]
            words = [model.glirel(**batch).word_states for batch in batches]
        assert torch.allclose(states[0].sum(1), states[1].sum(1), atol=1e-5)
        difference[name] = (words[0] - words[1]).abs().max().item()
    assert difference["mixed"] < 1e-5 < difference["apart"]


@pytest.mark.parametrize("finder", ["span", "token"])
def test_entities_are_found_whatever_else_is_asked_for(encoder_folder, finder):
    torch.manual_seed(0)
    settings = {**SYSTEMS["relex"], **ONE_WAY, "entity_finder": finder, "max_entity_width": 4}
    model = GLiRELForJointExtraction.from_encoder(encoder_folder("bert"), **settings).eval()

    def entity_logits(entity_types, relation_types):
        batch = model.tokenizer(TEXTS, entity_types=entity_types, relation_types=relation_types, padding=True)
        with torch.no_grad():
            return model(**batch).entity_logits

    axis = 2 if finder == "token" else -1
    together = entity_logits(["city", "engine"], RELATION_TYPES)
    alone = entity_logits(["engine"], [])
    torch.testing.assert_close(together.narrow(axis, 1, 1), alone, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("implementation", ["eager", "sdpa"])
def test_attention_backends_agree(build_model, implementation):
    model = build_model("bert", **OWN)
    other = build_model("bert", **OWN)
    other.load_state_dict(model.state_dict())
    other.glirel.encoder.set_attn_implementation(implementation)
    torch.testing.assert_close(logits_of(other, padding=True), logits_of(model, padding=True), rtol=1e-5, atol=1e-5)


def test_a_saved_model_keeps_it(build_model, tmp_path):
    model = build_model("bert", **ONE_WAY)
    model.save_pretrained(tmp_path)
    loaded = GLiRELForRelationClassification.from_pretrained(tmp_path).eval()
    assert (loaded.config.type_attention, loaded.tokenizer.type_attention) == ("one_way", "one_way")
    torch.testing.assert_close(logits_of(loaded, padding=True), logits_of(model, padding=True), rtol=1e-6, atol=1e-6)


def test_it_needs_shared_positions(build_model):
    with pytest.raises(ValueError, match="type_attention='own' is for types that stand at the same positions"):
        build_model("bert", type_attention="own")


def test_training_reads_names_one_by_one(build_model):
    model = build_model("bert", **OWN, dropout=0.0).train()
    batch = model.tokenizer(TEXTS, entities=ENTITIES, relation_types=RELATION_TYPES, padding=True)
    labels = torch.ones_like(model(**batch).logits, dtype=torch.long)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = model(**batch, labels=labels).loss
    loss.backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())
