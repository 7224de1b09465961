"""The model: for every family of encoders and every setting, scores depend on what they should and on nothing else."""

from __future__ import annotations

import math

import pytest
import torch
from tiny import (
    ENTITIES,
    EXPORTED,
    FAMILIES,
    MAX_TOKENS,
    RELATION_TYPES,
    SETTINGS,
    TEXTS,
    fill_with_noise,
    make_encoder_config,
)
from torch.utils._python_dispatch import TorchDispatchMode
from transformers import AutoModel, AutoTokenizer

from glirel_transformers import GLiRELConfig, GLiRELForRelationClassification, GLiRELModel, scoring_glirel
from glirel_transformers.batches_glirel import AXES
from glirel_transformers.configuration_glirel import SYSTEMS
from glirel_transformers.export.graph import lstm_kept_whole
from glirel_transformers.scoring_glirel import SCORERS

# Every family and every group of settings; the encoders with absolute and with relative positions with all groups, and
# the others with one on every push.
COMBINATIONS = [
    pytest.param(
        family,
        name,
        marks=() if family in ("bert", "deberta-v2") or SETTINGS[name] is EXPORTED[family] else pytest.mark.sweep,
    )
    for family in FAMILIES
    for name in SETTINGS
]


def scores(model, batch, **others) -> torch.Tensor:
    with torch.no_grad():
        return model(**batch, **others).logits


def real_cells(output) -> torch.Tensor:
    return output.pair_mask[:, :, None] & output.relation_mask[:, None, :]


# What must not change a score


@pytest.mark.parametrize(("family", "settings"), COMBINATIONS)
def test_a_padded_batch_scores_as_its_members_alone(build_model, encode, family, settings):
    model = build_model(family, **SETTINGS[settings])
    types = [RELATION_TYPES, ["founded in", "spouse"], ["friend of"]]
    batch = model.tokenizer(TEXTS, entities=ENTITIES, relation_types=types, padding=True)
    logits = scores(model, batch)
    for member in range(3):
        alone = model.tokenizer(TEXTS[member], entities=ENTITIES[member], relation_types=types[member])
        expected = scores(model, alone)[0]
        pairs, relations = expected.shape
        assert pairs >= 2
        torch.testing.assert_close(logits[member, :pairs, :relations], expected, rtol=1e-5, atol=1e-5)
        padding = torch.ones_like(logits[member], dtype=torch.bool)
        padding[:pairs, :relations] = False
        assert not logits[member][padding].sigmoid().any()


@pytest.mark.parametrize(("family", "settings"), COMBINATIONS)
def test_the_order_of_the_batch_does_not_matter(build_model, encode, family, settings):
    model = build_model(family, **SETTINGS[settings])
    order = (2, 0, 1)
    torch.testing.assert_close(
        scores(model, encode(model, order)), scores(model, encode(model))[list(order)], rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize("settings", SETTINGS)
def test_content_of_the_padding_does_not_matter(build_model, encode, settings):
    model = build_model("bert", **SETTINGS[settings])
    batch = encode(model)
    expected = scores(model, batch)
    batch["input_ids"] = batch["input_ids"].masked_fill(batch["attention_mask"] == 0, 33)
    for name, axis in (("word_token", "word"), ("relation_token", "relation"), ("mention_word", "mention")):
        batch[f"{name}_spans"][~batch[f"{axis}_mask"]] = torch.tensor([1, 2])
    batch["pair_index"][~batch["pair_mask"]] = 1
    torch.testing.assert_close(scores(model, batch), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("settings", SETTINGS)
def test_scores_depend_on_text_types_and_mentions(build_model, settings):
    """The opposite of the above: with these encoders, each part of the input leaves its mark far above 1e-5."""
    model = build_model("bert", **SETTINGS[settings])

    def score(text="Marie was born in Warsaw", entities=((0, 5), (18, 24)), types=("spouse", "place of birth")):
        return scores(model, model.tokenizer(text, entities=list(entities), relation_types=list(types)))

    base = score()
    for changed in (
        score(text="Marie was work in Warsaw"),
        score(types=("spouse", "place for birth")),
        score(entities=((10, 14), (18, 24))),
        score(entities=((18, 24), (0, 5))),
    ):
        assert changed.shape == base.shape
        assert (changed - base).abs().max() > 1e-4
    assert (base[0, 0] - base[0, 1]).abs().max() > 1e-4  # direction
    assert (base[..., 0] - base[..., 1]).abs().max() > 1e-4  # type


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("settings", SETTINGS)
def test_columns_follow_the_relation_types(build_model, encode, family, settings):
    """Reading the same input's types in another order permutes the columns, and changes nothing else."""
    model = build_model(family, **SETTINGS[settings])
    batch, order = encode(model), [2, 0, 1]
    expected = scores(model, batch)[:, :, order]
    batch["relation_token_spans"] = batch["relation_token_spans"][:, order]
    torch.testing.assert_close(scores(model, batch), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("settings", SETTINGS)
def test_permuted_types_permute_the_columns_where_the_encoder_knows_no_positions(build_model, encode, settings):
    """With position embeddings the order of the types is part of what the encoder reads; without, it must not be."""
    model = build_model("bert", **SETTINGS[settings])
    order = [2, 0, 1]
    permuted = [RELATION_TYPES[i] for i in order]
    before = scores(model, encode(model))[:, :, order]
    assert not torch.allclose(scores(model, encode(model, relation_types=permuted)), before, atol=1e-5)
    torch.nn.init.zeros_(model.glirel.encoder.embeddings.position_embeddings.weight)
    expected = scores(model, encode(model))[:, :, order]
    torch.testing.assert_close(scores(model, encode(model, relation_types=permuted)), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("family", ["bert", "electra"])
def test_with_shared_positions_permuted_types_permute_the_columns(build_model, encode, family, settings):
    model = build_model(family, **SETTINGS[settings], shared_relation_positions=True)
    order = [2, 0, 1]
    expected = scores(model, encode(model))[:, :, order]
    permuted = encode(model, relation_types=[RELATION_TYPES[i] for i in order])
    torch.testing.assert_close(scores(model, permuted), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("family", ["roberta", "deberta-v2", "modernbert"])
def test_shared_positions_are_refused_where_more_than_position_ids_tells_the_order(build_model, family):
    with pytest.raises(ValueError, match=f"`shared_relation_positions` needs an encoder .*{family}"):
        build_model(family, shared_relation_positions=True)


def test_the_wrong_tokenizer_for_shared_positions_is_an_error(build_model, shared_model, encode):
    model = build_model("bert", shared_relation_positions=True)
    with pytest.raises(ValueError, match="`position_ids` are missing"):
        model(**encode(shared_model))
    with pytest.raises(ValueError, match="`position_ids` are given"):
        shared_model(**encode(model))


@pytest.mark.parametrize("value", [2, -1, float("nan")])
def test_labels_other_than_0_1_and_unknown_are_refused(shared_model, encode, value):
    batch = encode(shared_model)
    labels = torch.zeros_like(scores(shared_model, batch))
    labels[0, 0, 0] = value
    with pytest.raises(ValueError, match=r"`labels` must be 1 .* got also"):
        shared_model(**batch, labels=labels)


def test_from_encoder_refuses_settings_that_do_not_exist(encoder_folder):
    with pytest.raises(TypeError, match=r"not settings of GLiRELConfig .*\['scorrer'\]"):
        GLiRELForRelationClassification.from_encoder(encoder_folder("bert"), scorrer="dot_norm")


def test_from_encoder_refuses_what_is_no_encoder(build_model, tmp_path):
    build_model("bert").save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="is a GLiREL model already"):
        GLiRELForRelationClassification.from_encoder(tmp_path)


@pytest.mark.parametrize("settings", SETTINGS)
def test_rows_follow_the_pairs(build_model, encode, settings):
    model = build_model("bert", **SETTINGS[settings])
    batch = encode(model, (1,))
    order = torch.randperm(batch["pair_index"].shape[1])
    expected = scores(model, batch)[:, order]
    batch["pair_index"] = batch["pair_index"][:, order]
    torch.testing.assert_close(scores(model, batch), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("settings", ["plain", "lstm", "marked"])
def test_without_refinement_a_pair_does_not_see_the_others(build_model, settings):
    """So that a document's pairs can be scored in parts. (Markers change the text that the encoder reads.)"""
    model = build_model("bert", **{**SETTINGS[settings], "entity_markers": False})
    both = scores(model, model.tokenizer(TEXTS[1], entities=ENTITIES[1], relation_types=RELATION_TYPES))
    two = scores(model, model.tokenizer(TEXTS[1], entities=ENTITIES[1][:2], relation_types=RELATION_TYPES))
    torch.testing.assert_close(two[0, 0], both[0, 0], rtol=1e-5, atol=1e-5)


# Labels and loss


@pytest.mark.parametrize("loss_function", ["bce", "focal"])
def test_labels_influence_nothing_but_the_loss(build_model, encode, loss_function):
    model = build_model("bert", loss_function=loss_function, **SETTINGS["refined"])
    batch = encode(model)
    with torch.no_grad():
        without = model(**batch)
        losses = set()
        for value in (0, 1, -100):
            labels = torch.full(without.logits.shape, value)
            output = model(**batch, labels=labels)
            assert torch.equal(output.logits, without.logits)
            assert torch.equal(output.pair_mask, without.pair_mask)
            assert torch.equal(output.relation_mask, without.relation_mask)
            losses.add(output.loss.item())
    assert without.loss is None
    assert len(losses) == 3
    assert 0.0 in losses  # nothing is known


def test_labels_of_padding_have_no_influence(build_model, encode):
    model = build_model("bert")
    batch = encode(model)
    labels = torch.zeros(3, 6, 3)
    labels[1, 2, [0, 2]] = 1  # two types of one pair
    with torch.no_grad():
        cells = real_cells(model(**batch))
        losses = [model(**batch, labels=labels.masked_fill(~cells, value)).loss for value in (0.0, 1.0, -100.0)]
    assert losses[0] == losses[1] == losses[2]
    assert losses[0] > 0


def test_each_of_several_right_types_counts(build_model, encode):
    model = build_model("bert")
    batch = encode(model, (0,))
    logits = scores(model, batch)[0, 0].double()
    labels = torch.zeros(1, 2, 3)
    labels[0, 0, :2] = 1
    only_first_pair = labels.clone()
    only_first_pair[0, 1] = -100
    loss = model(**batch, labels=only_first_pair).loss.item()
    p = logits.sigmoid().tolist()
    assert loss == pytest.approx(-(math.log(p[0]) + math.log(p[1]) + math.log(1 - p[2])) / 3, rel=1e-4)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("settings", SETTINGS)
def test_every_weight_learns(build_model, encode, family, settings):
    """A parameter without a gradient stops distributed training, and is a part that the model does not use."""
    model = build_model(family, dropout=0.0, **SETTINGS[settings])
    batch = encode(model)
    model(**batch, labels=torch.ones_like(scores(model, batch))).loss.backward()
    silent = [name for name, parameter in model.named_parameters() if parameter.grad is None]
    assert silent == []
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters())


@pytest.mark.slow
@pytest.mark.parametrize("settings", SETTINGS)
def test_a_few_examples_are_learned_by_heart(build_model, encode, settings):
    model = build_model("bert", dropout=0.0, **SETTINGS[settings])
    batch = encode(model)
    cells = real_cells(model(**batch))
    labels = (torch.arange(cells.numel()).reshape(cells.shape) % 3 == 0).float()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(150):
        loss = model(**batch, labels=labels).loss
        if loss < 0.05:
            break
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    predicted = scores(model, batch) > 0
    assert torch.equal(predicted[cells], labels[cells] == 1)


# Sizes of zero


@pytest.mark.slow
@pytest.mark.parametrize(("family", "settings"), COMBINATIONS)
@pytest.mark.parametrize(
    ("text", "entities", "types"),
    [("", [], RELATION_TYPES), ("", [], []), (TEXTS[0], [], RELATION_TYPES), (TEXTS[0], ENTITIES[0], [])],
    ids=["no-text", "nothing", "no-entity", "no-type"],
)
def test_what_is_absent_gives_no_scores(build_model, family, settings, text, entities, types):
    model = build_model(family, **SETTINGS[settings])
    output = model(**model.tokenizer(text, entities=entities, relation_types=types))
    pairs = len(entities) * (len(entities) - 1)
    assert output.logits.shape == (1, pairs, len(types))
    labelled = model(
        **model.tokenizer(text, entities=entities, relation_types=types), labels=torch.zeros(1, pairs, len(types))
    )
    assert labelled.loss == 0


@pytest.mark.parametrize("settings", SETTINGS)
def test_members_without_pairs_do_not_disturb_the_others(build_model, settings):
    model = build_model("bert", **SETTINGS[settings])
    batch = model.tokenizer(
        ["", TEXTS[0], "Warsaw"],
        entities=[[], ENTITIES[0], [(0, 6)]],
        relation_types=[RELATION_TYPES, RELATION_TYPES, []],
        padding=True,
    )
    logits = scores(model, batch)
    alone = model.tokenizer(TEXTS[0], entities=ENTITIES[0], relation_types=RELATION_TYPES)
    torch.testing.assert_close(logits[1], scores(model, alone)[0], rtol=1e-5, atol=1e-5)
    assert logits.isfinite().all()
    assert not logits[[0, 2]].sigmoid().any()


# Errors


@pytest.mark.parametrize(
    ("change", "kind", "message"),
    [
        (
            lambda b: b.update(labels=torch.zeros(3, 6)),
            ValueError,
            r"`labels` must have the shape \(batch, pairs, relations\) = \(3, 6, 3\): got \(3, 6\)",
        ),
        (lambda b: b.update(labels=torch.zeros(3, 3, 6)), ValueError, r"got \(3, 3, 6\)"),
        (
            lambda b: b.update(pair_mask=b["pair_mask"][:, :2]),
            ValueError,
            r"`pair_mask` must have the shape.*\(3, 6\)",
        ),
        (lambda b: b.update(word_mask=b["word_mask"][:2]), ValueError, "`word_mask` must have the shape"),
        (lambda b: b.update(relation_mask=b["relation_mask"][0]), ValueError, "`relation_mask` must have the shape"),
        (lambda b: b.update(mention_mask=b["mention_mask"][:, 1:]), ValueError, "`mention_mask` must have the shape"),
        (lambda b: b.update(pair_index=b["pair_index"][..., 0]), ValueError, r"tensor of pairs.*\(batch, pairs, 2\)"),
        (
            lambda b: b.update(word_token_spans=b["word_token_spans"][:2]),
            ValueError,
            r"tensor of words must have the shape \(batch, words, 2\) with batch = 3: got \(2, ",
        ),
        (lambda b: b.update(relation_token_spans=b["relation_token_spans"][0]), ValueError, "tensor of relations"),
        (lambda b: b.update(mention_word_spans=b["mention_word_spans"][..., :1]), ValueError, "tensor of mentions"),
        (lambda b: b.update(pair_index=b["pair_index"] + 1), (ValueError, RuntimeError, IndexError), "index"),
        (lambda b: b.update(pair_index=b["pair_index"] - 1), (ValueError, RuntimeError, IndexError), "index"),
        (lambda b: b.update(mention_word_spans=b["mention_word_spans"] + 40), ValueError, "`mention_word_spans` must"),
        (lambda b: b.update(mention_word_spans=b["mention_word_spans"] - 40), ValueError, "`mention_word_spans` must"),
        (
            lambda b: b.update(mention_word_spans=b["mention_word_spans"].flip(-1)),
            ValueError,
            r"half-open spans within 0 and \d+: got \[2, 0\] at position \[0, 0\]",
        ),
        (lambda b: b.update(word_token_spans=b["word_token_spans"] + 400), ValueError, "`word_token_spans` must"),
        (lambda b: b.update(relation_token_spans=b["relation_token_spans"] + 400), ValueError, "relation_token_spans"),
        *(
            (
                lambda b, name=name, change=change: b.update({name: change(b[name])}),
                TypeError,
                f"`{name}` must hold whole",
            )
            for name in ("word_token_spans", "relation_token_spans", "mention_word_spans", "pair_index", "input_ids")
            for change in (torch.Tensor.float, torch.Tensor.double, torch.Tensor.bool)
        ),
        (lambda b: b.update(entity_mask=b["mention_mask"]), ValueError, "`mention_entity` is missing"),
        (
            lambda b: b.update(mention_entity=b["mention_word_spans"][..., 0] + 9, entity_mask=b["mention_mask"]),
            ValueError,
            "`mention_entity` must address 3 entities",
        ),
    ],
)
def test_tensors_that_do_not_fit(shared_model, encode, change, kind, message):
    batch = dict(encode(shared_model))
    change(batch)
    with pytest.raises(kind, match=message):
        shared_model(**batch)


def test_an_attention_mask_that_does_not_fit_is_an_error(shared_model, encode):
    batch = encode(shared_model)
    batch["attention_mask"] = batch["attention_mask"][:, :5]
    with pytest.raises(ValueError, match="attention_mask"):
        shared_model(**batch)


def test_masks_may_be_left_out_of_a_batch_of_one(shared_model, encode):
    batch = encode(shared_model, (0,))
    expected = scores(shared_model, batch)
    for axis in ("word", "relation", "mention", "pair"):
        del batch[f"{axis}_mask"]
    assert torch.equal(scores(shared_model, batch), expected)


@pytest.mark.parametrize(
    "name",
    ["glirel.pair_representation.feed_forward.output.weight", "glirel.encoder.encoder.layer.1.output.dense.bias"],
)
def test_weights_that_are_not_numbers_are_named(build_model, encode, name):
    model = build_model("bert")
    with torch.no_grad():
        model.get_parameter(name).view(-1)[3] = math.nan
    with pytest.raises(ValueError, match=rf"these weights are not finite: {name}\. .*earlier checkpoint"):
        model(**encode(model))


def test_many_broken_weights_are_counted(build_model, encode):
    model = build_model("bert")
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(math.nan)
    with pytest.raises(ValueError, match=rf" and {len(list(model.parameters())) - 5} more"):
        model(**encode(model))


# Precision, attention, memory


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize(("family", "settings"), [(f, "refined") for f in FAMILIES] + [("bert", s) for s in SETTINGS])
def test_half_precision_scores_are_near(build_model, encode, family, settings, dtype):
    model = build_model(family, **SETTINGS[settings])
    batch = encode(model)
    expected = scores(model, batch).sigmoid()
    model.to(dtype)
    with torch.no_grad():
        output = model(**batch, labels=torch.zeros_like(expected))
    assert output.logits.dtype == dtype
    assert output.loss.isfinite()
    assert not output.logits[~real_cells(output)].sigmoid().any()
    torch.testing.assert_close(output.logits.float().sigmoid(), expected, rtol=0, atol=0.1)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("family", ["bert", "deberta-v2"])
def test_weights_are_loaded_in_the_type_asked_for(build_model, tmp_path, family, dtype):
    build_model(family).save_pretrained(tmp_path)
    loaded = GLiRELForRelationClassification.from_pretrained(tmp_path, dtype=dtype)
    assert {parameter.dtype for parameter in loaded.parameters()} == {dtype}
    assert loaded.dtype == dtype


@pytest.mark.parametrize("settings", ["plain", "refined"])
def test_autocast_trains(build_model, encode, settings):
    model = build_model("bert", **SETTINGS[settings])
    batch = encode(model)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = model(**batch, labels=torch.zeros(3, 6, 3)).loss
    assert loss.dtype == torch.float32
    loss.backward()
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters())


@pytest.mark.parametrize("family", ["bert", "roberta", "electra", "modernbert"])
def test_attention_backends_agree(build_model, encode, tmp_path, family):
    model = build_model(family, **SETTINGS["refined"])
    model.save_pretrained(tmp_path)
    logits = []
    for backend in ("sdpa", "eager"):
        loaded = GLiRELForRelationClassification.from_pretrained(tmp_path, attn_implementation=backend).eval()
        assert loaded.glirel.encoder.config._attn_implementation == backend
        logits.append(scores(loaded, encode(loaded)))
    torch.testing.assert_close(*logits, rtol=1e-4, atol=1e-5)


def checkpoint_activations(model) -> None:
    """What `Trainer` calls; versions before 5.23 know it by its former name, which is tested below."""
    getattr(model, "activation_checkpointing_enable", model.gradient_checkpointing_enable)()


def without_dropout(model):
    """In training mode, with every probability of dropout at zero, wherever the encoder keeps it."""
    for module in model.modules():
        for name in ("p", "dropout", "attention_dropout", "dropout_prob"):
            if isinstance(getattr(module, name, None), float):
                setattr(module, name, 0.0)
    return model.train()


@pytest.mark.parametrize("family", FAMILIES)
def test_gradient_checkpointing_gives_the_same_gradients(build_model, encode, family):
    model = without_dropout(build_model(family))
    batch, gradients = encode(model), []
    for checkpointed in (False, True):
        if checkpointed:
            checkpoint_activations(model)
        model.zero_grad()
        model(**batch, labels=torch.ones(3, 6, 3)).loss.backward()
        gradients.append({name: parameter.grad.clone() for name, parameter in model.named_parameters()})
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradients[1][name], gradient, msg=lambda text, name=name: f"{name}: {text}")


@pytest.mark.parametrize("enable", ["activation_checkpointing_enable", "gradient_checkpointing_enable"])
@pytest.mark.filterwarnings("ignore:.gradient_checkpointing_enable. is deprecated:FutureWarning")
def test_gradient_checkpointing_recomputes_the_layers(build_model, encode, enable):
    model = build_model("bert").train()
    if not hasattr(model, enable):
        pytest.skip(f"this version of transformers has no {enable}")
    calls = []
    model.glirel.encoder.encoder.layer[0].attention.register_forward_hook(lambda *_: calls.append(1))
    for checkpointed, expected in ((False, 1), (True, 2)):
        if checkpointed:
            getattr(model, enable)()
        calls.clear()
        model(**encode(model), labels=torch.ones(3, 6, 3)).loss.backward()
        assert len(calls) == expected


# Saving, loading, building


@pytest.mark.slow
@pytest.mark.parametrize(
    ("family", "settings"),
    [
        pytest.param(family, name, marks=() if SETTINGS[name] is EXPORTED[family] else pytest.mark.sweep)
        for family in FAMILIES
        for name in SETTINGS
    ],
)
def test_saving_and_loading_is_exact(build_model, encode, tmp_path, family, settings):
    model = build_model(family, **SETTINGS[settings])
    batch = encode(model)
    model.save_pretrained(tmp_path)
    reread = AutoTokenizer.from_pretrained(tmp_path, trust_remote_code=True)
    for load in (GLiRELForRelationClassification.from_pretrained, AutoModel.from_pretrained):
        loaded = load(tmp_path).eval()
        assert type(loaded) is GLiRELForRelationClassification
        before, after = model.state_dict(), loaded.state_dict()
        assert before.keys() == after.keys()
        assert all(torch.equal(before[name], after[name]) for name in before)
        # Where weights lie in memory decides which kernel adds them up, hence the last bit of a score.
        torch.testing.assert_close(scores(loaded, batch), scores(model, batch), rtol=1e-6, atol=1e-7)
        for tokenizer in (loaded.tokenizer, reread):
            again = tokenizer(TEXTS, entities=ENTITIES, relation_types=RELATION_TYPES, padding=True)
            assert all(torch.equal(batch[name], again[name]) for name in batch)


def test_loading_reports_no_surprise(build_model, tmp_path):
    build_model("bert", **SETTINGS["lstm"]).save_pretrained(tmp_path)
    _, info = GLiRELForRelationClassification.from_pretrained(tmp_path, output_loading_info=True)
    assert not info["missing_keys"]
    assert not info["unexpected_keys"]
    assert not info["mismatched_keys"]


@pytest.mark.parametrize("settings", ["plain", "refined", "lstm"])
def test_the_bare_model_is_the_inside_of_the_other(build_model, encode, tmp_path, settings):
    model = build_model("bert", **SETTINGS[settings])
    model.save_pretrained(tmp_path)
    bare = GLiRELModel.from_pretrained(tmp_path).eval()
    batch = encode(model)
    with torch.no_grad():
        outputs = bare(**batch)
        logits = model.scorer(outputs.pair_states, outputs.relation_states)
    cells = real_cells(outputs)
    torch.testing.assert_close(logits[cells], scores(model, batch)[cells])
    hidden = model.config.hidden_size
    assert outputs.pair_states.shape == (3, 6, hidden)
    assert outputs.relation_states.shape == (3, 3, hidden)
    assert outputs.mention_states.shape == (3, 3, hidden)
    assert outputs.word_states.shape == (*batch["word_mask"].shape, hidden)
    assert outputs.last_hidden_state.shape == (*batch["input_ids"].shape, 32)


def test_states_of_the_encoder_on_request(shared_model, encode):
    batch = encode(shared_model)
    output = shared_model(**batch, output_hidden_states=True)
    assert len(output.hidden_states) == 3
    assert shared_model(**batch).hidden_states is None
    assert isinstance(shared_model(**batch, return_dict=False), tuple)


@pytest.mark.parametrize("family", FAMILIES)
def test_from_encoder_takes_the_encoders_weights(build_model, encoder_folder, family):
    model = build_model(family)
    pretrained = AutoModel.from_pretrained(encoder_folder(family))
    ours = model.glirel.encoder.state_dict()
    compared = 0
    for name, weight in pretrained.state_dict().items():
        if name.startswith("pooler."):
            assert name not in ours
            continue
        assert torch.equal(ours[name][: len(weight)] if weight.ndim else ours[name], weight), name
        compared += 1
    assert compared == len(ours)
    batch = AutoTokenizer.from_pretrained(encoder_folder(family))(TEXTS[0], return_tensors="pt")
    batch.pop("token_type_ids", None)
    with torch.no_grad():
        expected = pretrained.eval()(**batch).last_hidden_state
        torch.testing.assert_close(model.glirel.encoder(**batch).last_hidden_state, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_new_tokens_have_embeddings_of_their_own_and_of_usual_size(build_model, family):
    model = build_model(family, entity_markers=True)
    weight = model.get_input_embeddings().weight
    assert len(weight) == len(model.tokenizer) == model.config.encoder_config.vocab_size
    new = weight[model.tokenizer.convert_tokens_to_ids(["[REL]", "[E]", "[/E]"])]
    old = weight[10 : model.tokenizer.convert_tokens_to_ids("[REL]")]
    assert not torch.equal(new[0], new[1])
    assert 0.3 * old.std() < new.std() < 2 * old.std()


@pytest.mark.parametrize("family", FAMILIES)
def test_a_checkpoint_does_not_remember_its_encoder(build_model, encoder_folder, tmp_path, family):
    build_model(family).save_pretrained(tmp_path)
    written = "".join(path.read_text() for path in tmp_path.iterdir() if path.suffix in (".json", ".md"))
    assert str(encoder_folder(family)) not in written
    assert encoder_folder(family).name not in written


@pytest.mark.parametrize(("family", "limit"), [("bert", MAX_TOKENS), ("roberta", MAX_TOKENS)])
def test_the_longest_input_runs(build_model, family, limit):
    """RoBERTa keeps two of its positions; the limit must be what really runs."""
    model = build_model(family)
    assert model.tokenizer.model_max_length == limit
    base = model.tokenizer("a a", entities=[(0, 1), (2, 3)], relation_types=["spouse"])["input_ids"].shape[1]
    text = "a a" + " of" * (limit - base)
    batch = model.tokenizer(text, entities=[(0, 1), (2, 3)], relation_types=["spouse"])
    assert batch["input_ids"].shape[1] == limit
    assert scores(model, batch).isfinite().all()


def test_from_encoder_passes_the_length_on(build_model):
    assert build_model("bert", model_max_length=40).tokenizer.model_max_length == 40


@pytest.mark.parametrize("family", FAMILIES)
def test_more_embeddings_survive(build_model, encode, tmp_path, family):
    model = build_model(family)
    batch = encode(model)
    expected = scores(model, batch)
    size = len(model.tokenizer) + 11
    model.resize_token_embeddings(size)
    assert model.get_input_embeddings().weight.shape[0] == size
    torch.testing.assert_close(scores(model, batch), expected)
    model.save_pretrained(tmp_path)
    loaded = GLiRELForRelationClassification.from_pretrained(tmp_path).eval()
    assert loaded.config.encoder_config.vocab_size == size
    torch.testing.assert_close(scores(loaded, batch), scores(model, batch), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize(("family", "settings"), [("bert", s) for s in SETTINGS] + [("deberta-v2", "plain")])
def test_fresh_weights_are_sound(family, settings):
    config = GLiRELConfig(encoder_config=make_encoder_config(family), **SETTINGS[settings])
    torch.manual_seed(0)
    model = GLiRELForRelationClassification(config)
    for name, parameter in model.named_parameters():
        assert parameter.isfinite().all(), name
        assert parameter.device.type == "cpu"
        if parameter.ndim > 1:
            assert 0 < parameter.std() < 1, name


GOLDEN = {
    ("bert", "refined"): [[17.6806, 17.9772, 17.4317], [17.5266, 17.8212, 17.2794], [17.4927, 17.7876, 17.2456]],
    ("roberta", "refined"): [[19.4443, 19.1902, 18.9103], [19.5672, 19.3128, 19.0319], [19.3829, 19.1297, 18.852]],
    ("electra", "refined"): [[3.6179, 3.6654, 3.2365], [3.3484, 3.402, 2.9714], [3.4019, 3.4557, 3.0252]],
    ("deberta-v2", "refined"): [[-0.2776, -0.2855, -0.2774], [-0.2755, -0.2833, -0.2752], [-0.2729, -0.2806, -0.2726]],
    ("modernbert", "refined"): [[-0.8888, -1.1254, -0.8814], [-0.8196, -1.0401, -0.8101], [-0.7885, -1.0004, -0.777]],
    ("bert", "plain"): [[72.9579, 72.4384, 72.4087], [72.4149, 71.9001, 71.8735], [73.602, 73.1006, 73.0685]],
    ("bert", "lstm"): [[13.9384, 14.2183, 14.0595], [13.3232, 13.589, 13.4366], [13.0223, 13.2798, 13.13]],
    ("bert", "marked"): [[0.0218, 0.0858, 0.124], [0.0169, 0.082, 0.1203], [-0.0113, 0.0454, 0.0833]],
}


@pytest.mark.parametrize(("family", "settings"), GOLDEN)
def test_golden_scores(build_model, encode, family, settings):
    """Weights are computed, not drawn, so these numbers change only when what the model computes does."""
    model = build_model(family, **SETTINGS[settings])
    fill_with_noise(model)
    logits = scores(model, encode(model))[1, [0, 1, 3]]
    torch.testing.assert_close(logits, torch.tensor(GOLDEN[family, settings]), rtol=1e-4, atol=1e-4)


# The paper's size


def test_the_default_is_built_on_the_meta_device():
    with torch.device("meta"):
        model = GLiRELForRelationClassification(GLiRELConfig())
    millions = sum(parameter.numel() for parameter in model.parameters()) / 1e6
    assert 430 < millions < 480
    assert model.glirel.encoder.embeddings.word_embeddings.weight.shape == (128100, 1024)
    assert len(model.glirel.encoder.encoder.layer) == 24


@pytest.mark.sweep
def test_the_default_runs(tokenizer):
    """1.8 GB in float32; in bfloat16 half of that, and a small vocabulary leaves out another 0.3."""
    config = GLiRELConfig()
    config.encoder_config.vocab_size = 1000
    torch.manual_seed(0)
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.bfloat16)
    try:
        model = GLiRELForRelationClassification(config).eval()
    finally:
        torch.set_default_dtype(before)
    batch = tokenizer(TEXTS[0], entities=ENTITIES[0], relation_types=RELATION_TYPES)
    logits = scores(model, batch)
    assert logits.shape == (1, 2, 3)
    assert logits.isfinite().all()


# Compiling and exporting


@pytest.fixture
def _fresh_compiler():
    """Compiled graphs belong to the code and not to a model: after a few models, torch would compile no more."""
    torch.compiler.reset()
    yield
    torch.compiler.reset()


@pytest.mark.sweep
@pytest.mark.usefixtures("_fresh_compiler")
@pytest.mark.parametrize("settings", ["refined", "lstm"])
def test_compiled_scores_are_equal(build_model, encode, settings):
    model = build_model("bert", **SETTINGS[settings])
    compiled = torch.compile(model, backend="aot_eager")
    for members in ((0, 1, 2), (2, 0)):
        batch = encode(model, members)
        torch.testing.assert_close(scores(compiled, batch), scores(model, batch), rtol=1e-4, atol=1e-5)


@pytest.mark.slow
@pytest.mark.usefixtures("_fresh_compiler")
# torch.compile runs an LSTM outside its graph, whatever module it is in.
@pytest.mark.parametrize(
    "settings",
    [
        pytest.param(name, marks=() if name == "refined" else pytest.mark.sweep)
        for name in SETTINGS
        if not SETTINGS[name].get("use_lstm")
    ],
)
def test_the_compiled_graph_has_no_break(build_model, encode, settings):
    model = build_model("bert", **SETTINGS[settings])
    batch = encode(model)
    compiled = torch.compile(model, backend="eager", fullgraph=True)
    torch.testing.assert_close(scores(compiled, batch), scores(model, batch))


APART = {
    "localized": SYSTEMS["glidre"],
    "fused": {
        **SYSTEMS["glidre"],
        "layer_fusion": "masked",
        "fusion_schema": "l2l-l2t-t2t-t2l",
        "pair_label_attention": True,
        "threshold_head": True,
        "shared_words": "removed",
    },
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("family", "settings"),
    [
        pytest.param(family, name, marks=() if (family, name) == ("bert", "fused") else pytest.mark.sweep)
        for family in ("bert", "deberta-v2", "modernbert")
        for name in APART
    ],
)
def test_the_compiled_graph_of_types_apart_has_no_break(build_model, encode, family, settings):
    torch.compiler.reset()
    model = build_model(family, **APART[settings])
    batch = encode(model)
    compiled = torch.compile(model, backend="eager", fullgraph=True)
    torch.testing.assert_close(scores(compiled, batch), scores(model, batch), rtol=1e-4, atol=1e-4)


def dynamic_shapes(batch) -> dict[str, dict[int, object]]:
    dynamic = torch.export.Dim.DYNAMIC
    fixed = ("span", "pair")
    return {
        name: {0: dynamic, **{i: dynamic for i, axis in enumerate(AXES[name], start=1) if axis not in fixed}}
        for name in batch
    }


EXPORTS = [(family, settings) for family in FAMILIES for settings in SETTINGS]


@pytest.mark.sweep
@pytest.mark.parametrize(("family", "settings"), EXPORTS)
def test_exported_scores_are_equal_over_other_shapes(build_model, encode, family, settings):
    model = build_model(family, **SETTINGS[settings])
    sample = dict(encode(model))
    with torch.no_grad(), lstm_kept_whole():
        program = torch.export.export(model, (), sample, dynamic_shapes=dynamic_shapes(sample), strict=False)
    exported = program.module()
    types = ["spouse", "friend of", "founded in", "place of birth", "film"]
    for members, names in (((0, 1), types), ((2, 1, 0, 0), types[:2])):
        batch = dict(encode(model, members, relation_types=names))
        with torch.no_grad():
            torch.testing.assert_close(exported(**batch).logits, model(**batch).logits, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("budget", [1, 300, 10**6])
@pytest.mark.parametrize("settings", [{}, {"num_pair_refinement_layers": 1}], ids=["plain", "refined"])
@pytest.mark.parametrize("scorer", SCORERS)
@pytest.mark.slow
def test_chunks_of_pairs_change_no_score_and_no_gradient(build_model, encode, monkeypatch, scorer, settings, budget):
    model = build_model("bert", scorer=scorer, dropout=0.0, **settings)
    batch = encode(model)
    labels = torch.ones(*batch["pair_mask"].shape, batch["relation_mask"].shape[1])

    def run():
        with torch.inference_mode():
            logits = model(**batch).logits
        model.zero_grad()
        model(**batch, labels=labels).loss.backward()
        return logits, {name: p.grad for name, p in model.named_parameters() if p.grad is not None}

    expected, expected_gradients = run()
    monkeypatch.setattr(scoring_glirel, "CHUNK", budget)
    monkeypatch.setattr(scoring_glirel, "CHUNK_IN_CACHE", budget)
    logits, gradients = run()
    torch.testing.assert_close(logits, expected, rtol=1e-5, atol=1e-5)
    assert gradients.keys() == expected_gradients.keys()
    for name, gradient in gradients.items():
        torch.testing.assert_close(gradient, expected_gradients[name], rtol=1e-4, atol=1e-5, msg=name)


@pytest.mark.parametrize("scorer", SCORERS)
def test_scores_are_those_of_the_equations(build_model, encode, scorer):
    """What is folded and split is equal to pairs formed (equation 3), then scored (equation 8)."""
    model = build_model("bert", scorer=scorer)
    batch = encode(model)
    with torch.inference_mode():
        formed = model.glirel(**batch)
        expected = model.scorer(formed.pair_states, formed.relation_states)
        logits = model(**batch).logits
    real = batch["pair_mask"]
    torch.testing.assert_close(logits[real], expected[real], rtol=1e-5, atol=1e-5)


def test_many_pairs_take_little_memory(build_model, monkeypatch):
    """199 mentions make 39,402 pairs; no tensor on the way holds as many rows of the inner width."""
    monkeypatch.setattr(scoring_glirel, "CHUNK_IN_CACHE", 2**18)
    model = build_model("bert")
    words = ["work"] * 100
    spans = [(i, j) for i in range(100) for j in (i + 1, i + 2) if j <= 100]
    batch = model.tokenizer(words, is_split_into_words=True, entities=spans, relation_types=["of", "in"])
    num_pairs = batch["pair_index"].shape[1]
    assert num_pairs == 199 * 198
    largest = []

    class Watch(TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            result = function(*args, **(kwargs or {}))
            if isinstance(result, torch.Tensor) and result.is_floating_point():
                largest.append(result.untyped_storage().nbytes() // result.element_size())
            return result

    with torch.inference_mode(), Watch():
        model(**batch)
    inner_size = model.config.feed_forward_multiplier * model.config.hidden_size
    assert max(largest) < num_pairs * inner_size / 4


# Settings for converted checkpoints


def test_relation_types_that_see_no_pair_do_not_depend_on_the_pairs(build_model, encode):
    settings = {"num_relation_refinement_layers": 2, "num_refinement_heads": 4, "refinement_self_attention": False}
    for sees_pairs in (True, False):
        model = build_model("bert", relation_refinement_sees_pairs=sees_pairs, **settings)
        batch = encode(model)
        fewer = {**batch, "pair_mask": batch["pair_mask"] & (torch.arange(batch["pair_mask"].shape[1]) < 1)}
        with torch.inference_mode():
            of_all, of_fewer = (model.glirel(**one).relation_states for one in (batch, fewer))
        assert torch.equal(of_all[1], of_fewer[1]) != sees_pairs


def test_the_coreference_classifier_is_an_output_that_is_not_trained(build_model, encode, tmp_path):
    model = build_model("bert", coreference_classifier=True)
    model.save_pretrained(tmp_path)
    loaded = GLiRELForRelationClassification.from_pretrained(tmp_path).eval()
    assert not any(parameter.requires_grad for parameter in loaded.coreference.parameters())
    batch = encode(model)
    output = loaded(**batch, labels=torch.zeros(*batch["pair_mask"].shape, len(RELATION_TYPES)))
    assert output.coreference_logits.shape == batch["pair_mask"].shape
    output.loss.backward()
    assert all(parameter.grad is None for parameter in loaded.coreference.parameters())
    assert build_model("bert")(**batch).coreference_logits is None


def test_the_coreference_classifier_is_scored_in_chunks_as_well(build_model, encode, monkeypatch):
    model = build_model("bert", coreference_classifier=True)
    batch = encode(model)
    with torch.inference_mode():
        formed = model.glirel(**batch)
        expected = model.coreference(formed.pair_states)
        monkeypatch.setattr(scoring_glirel, "CHUNK_IN_CACHE", 1)
        output = model(**batch)
    real = batch["pair_mask"]
    torch.testing.assert_close(output.coreference_logits[real], expected[real], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(
        output.logits[real], model.scorer(formed.pair_states, formed.relation_states)[real], rtol=1e-5, atol=1e-5
    )


def test_the_bare_models_first_output_is_the_pairs(build_model, encode):
    model = build_model("bert")
    with torch.inference_mode():
        output = model.glirel(**encode(model))
    assert output[0] is output.pair_states


def test_a_layer_with_an_adapter_is_called_and_not_folded(build_model, encode):
    model = build_model("bert")
    batch = encode(model)
    feed_forward = model.glirel.pair_representation.feed_forward

    class Adapted(torch.nn.Linear):
        def forward(self, states):
            return super().forward(states) + 1.0

    adapted = Adapted(feed_forward.output.in_features, feed_forward.output.out_features)
    adapted.load_state_dict(feed_forward.output.state_dict())
    before = scores(model, batch)
    feed_forward.output = adapted
    with torch.inference_mode():
        formed = model.glirel(**batch)
        expected = model.scorer(formed.pair_states, formed.relation_states)
    real = batch["pair_mask"]
    assert not torch.allclose(before[real], expected[real])
    torch.testing.assert_close(scores(model, batch)[real], expected[real], rtol=1e-5, atol=1e-5)


# Entities of several mentions


def test_without_clusters_every_mention_is_an_entity(build_model, encode):
    model = build_model("bert")
    batch = encode(model)
    identity = torch.arange(batch["mention_mask"].shape[1]).expand_as(batch["mention_mask"])
    given = {**batch, "mention_entity": identity, "entity_mask": batch["mention_mask"]}
    assert torch.equal(scores(model, given), scores(model, batch))


def test_an_entity_is_the_mean_of_its_real_mentions(build_model, encode):
    model = build_model("bert")
    batch = dict(encode(model, (1,)))  # three mentions, of which the first and the last become one entity
    batch |= {
        "mention_entity": torch.tensor([[0, 1, 0]]),
        "entity_mask": torch.ones(1, 2, dtype=torch.bool),
        "pair_index": torch.tensor([[(0, 1), (1, 0), (0, 0)]]),
        "pair_mask": torch.ones(1, 3, dtype=torch.bool),
    }
    with torch.inference_mode():
        output = model.glirel(**batch)
        mentions = output.mention_states[0]
        torch.testing.assert_close(
            output.entity_states[0], torch.stack([(mentions[0] + mentions[2]) / 2, mentions[1]])
        )
        logits = model(**batch).logits
        expected = model.scorer(output.pair_states, output.relation_states)
        torch.testing.assert_close(logits, expected, rtol=1e-5, atol=1e-5)
        batch["mention_mask"] = torch.tensor([[True, True, False]])
        assert torch.equal(model.glirel(**batch).entity_states[0, 0], mentions[0])


def test_pairs_of_mentions_that_are_not_real_are_not_scored(build_model, encode):
    model = build_model("bert")
    batch = dict(encode(model))
    lowest = torch.finfo(torch.float32).min
    batch["mention_mask"] = batch["mention_mask"] & (torch.arange(3) != 1)
    output = model(**batch)
    touched = (batch["pair_index"] == 1).any(-1) & batch["pair_mask"]
    assert touched.any()
    assert not output.pair_mask[touched].any()
    assert (output.logits[touched] == lowest).all()
    kept = batch["pair_mask"] & ~touched
    assert torch.equal(output.logits[kept], model(**encode(model)).logits[kept])


# Sub-modules are called, so that whatever wraps them works


@pytest.mark.parametrize("settings", SETTINGS)
def test_hooks_of_the_base_model_fire(build_model, encode, settings):
    model = build_model("bert", **SETTINGS[settings])
    fired = []
    model.glirel.register_forward_pre_hook(lambda *_: fired.append("before"))
    model.glirel.register_forward_hook(lambda *_: fired.append("after"))
    model(**encode(model))
    assert fired == ["before", "after"]


@pytest.mark.parametrize("settings", SETTINGS)
def test_offloaded_weights_score_alike(build_model, encode, settings):
    accelerate = pytest.importorskip("accelerate")
    model = build_model("bert", **SETTINGS[settings])
    batch = encode(model)
    expected = scores(model, batch)
    torch.testing.assert_close(scores(accelerate.cpu_offload(model), batch), expected, rtol=1e-5, atol=1e-5)


@pytest.fixture
def one_process(tmp_path):
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1)
    yield
    torch.distributed.destroy_process_group()


@pytest.mark.usefixtures("one_process")
@pytest.mark.parametrize("settings", SETTINGS)
def test_sharded_weights_score_and_train_alike(build_model, encode, settings):
    """The base model is a unit of its own: whatever it owns is there during its forward only."""
    from torch.distributed.fsdp import fully_shard

    model = build_model("bert", dropout=0.0, **SETTINGS[settings])
    batch = encode(model)
    labels = torch.ones(*batch["pair_mask"].shape, batch["relation_mask"].shape[1])
    expected = model(**batch, labels=labels)
    scalars = {parameter for parameter in model.parameters() if not parameter.ndim}  # which FSDP cannot shard
    fully_shard(model.glirel)
    fully_shard(model, ignored_params=scalars)
    output = model(**batch, labels=labels)
    torch.testing.assert_close(output.logits, expected.logits, rtol=1e-5, atol=1e-5)
    output.loss.backward()
    assert all(p.grad is not None for name, p in model.named_parameters() if "coreference" not in name)
