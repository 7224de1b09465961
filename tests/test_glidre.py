"""Models that read relation types apart, entities of several mentions, and localized context (GLiDRE)."""

from __future__ import annotations

import copy

import pytest
import torch
from tiny import FAMILIES, RELATION_TYPES

from glirel_transformers import GLiRELConfig, GLiRELForRelationClassification, RelationExtractor
from glirel_transformers.choices_glirel import read_schema
from glirel_transformers.encoding_glirel import attention_of_words
from glirel_transformers.entities_glirel import LogSumExpEntities, count_mentions, shared_as_sets, shared_by_position
from glirel_transformers.losses_glirel import adaptive_threshold_loss
from glirel_transformers.segments_glirel import list_segments

DOCUMENTS = [
    "Marie met Bob in Warsaw . She left for Paris , and Bob stayed in Warsaw .",
    "Alice knows Bob .",
    "In 1903 Marie Curie and her husband Pierre shared a prize in Stockholm .",
]
# Words, half-open; entities of several mentions, which overlap, are identical or come twice.
CLUSTERS = [
    [[(0, 1), (6, 7)], [(2, 3), (12, 13)], [(4, 5), (15, 16), (4, 5)], [(9, 10)], [(0, 1), (6, 7)]],
    [(0, 1), (2, 3)],
    [[(2, 4), (5, 6)], (7, 8), [(2, 3)], (12, 13)],
]
WORDS = [text.split() for text in DOCUMENTS]
TYPES = [RELATION_TYPES, ["spouse", "founded in"], ["friend of"]]
SETTINGS = {
    "apart": {},
    "glidre": {"mention_representation": "words", "pair_context": "localized", "hidden_size": 24},
    "logsumexp": {
        "mention_representation": "words",
        "entity_pooling": "logsumexp",
        "pair_context": "localized",
        "shared_words": "removed",
    },
    "by-position": {"mention_representation": "words", "shared_words": "removed_by_position"},
    "attended": {
        "mention_representation": "words",
        "pair_context": "attention",
        "shared_words": "removed",
        "hidden_size": 24,
    },
    "refined": {
        "pair_context": "localized",
        "num_pair_refinement_layers": 1,
        "num_relation_refinement_layers": 1,
        "num_refinement_heads": 4,
        "scorer": "dot_thresh",
    },
    "fused": {
        "layer_fusion": "masked",
        "fusion_schema": "l2l-l2t-t2t-t2l",
        "num_fusion_layers": 2,
        "pair_label_attention": True,
        "num_refinement_heads": 4,
        "threshold_head": True,
        "loss_function": "atloss",
    },
}


@pytest.fixture(scope="module")
def build(build_model, encoder_folder):
    """`build("bert", "glidre")`: a model whose relation types are read by an encoder of their own."""
    built: dict[tuple[str, str], GLiRELForRelationClassification] = {}

    def make(family: str, settings: str) -> GLiRELForRelationClassification:
        if (family, settings) not in built:
            label_encoder = encoder_folder("bert" if family != "bert" else "electra")
            model = build_model(family, label_encoder=label_encoder, label_encoding="separate", **SETTINGS[settings])
            built[family, settings] = model
        return copy.deepcopy(built[family, settings])

    return make


def encode(model, members=(0, 1, 2), types=None, **options):
    return model.tokenizer(
        [WORDS[member] for member in members],
        entities=[CLUSTERS[member] for member in members],
        relation_types=[TYPES[member] for member in members] if types is None else types,
        is_split_into_words=True,
        padding=True,
        **options,
    )


def logits(model, batch, **others):
    with torch.no_grad():
        return model(**batch, **others).decision_logits


# On every push each group of settings with BERT, and each encoder with all that a checkpoint may hold.
COMBINATIONS = [
    pytest.param(family, name, marks=() if family == "bert" or name in ("fused", "logsumexp") else pytest.mark.sweep)
    for family in FAMILIES
    for name in SETTINGS
]


@pytest.mark.slow
@pytest.mark.parametrize(("family", "settings"), COMBINATIONS)
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)])
def test_a_document_scores_in_any_batch_as_alone(build, family, settings, order):
    model = build(family, settings)
    found = logits(model, encode(model, order, self_pairs=True))
    for row, member in enumerate(order):
        alone = logits(model, encode(model, [member], self_pairs=True))[0]
        assert alone.shape == (len(CLUSTERS[member]) ** 2, len(TYPES[member]))
        part = found[row, : alone.shape[0], : alone.shape[1]]
        torch.testing.assert_close(part, alone, rtol=1e-5, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(("family", "settings"), COMBINATIONS)
def test_saved_models_score_the_same(build, tmp_path, family, settings):
    model = build(family, settings)
    model.save_pretrained(tmp_path)
    loaded = GLiRELForRelationClassification.from_pretrained(tmp_path)
    assert torch.equal(logits(loaded, encode(loaded)), logits(model, encode(model)))
    assert loaded.types_digest() == model.types_digest()


@pytest.mark.parametrize("settings", SETTINGS)
def test_identical_entities_have_the_same_scores(build, settings):
    """Entities 0 and 4 of the first document have the same mentions; and a mention that comes twice counts twice."""
    model = build("bert", settings)
    batch = encode(model, [0], self_pairs=True)
    scores = logits(model, batch)[0].unflatten(0, (5, 5))
    torch.testing.assert_close(scores[0, 1:4], scores[4, 1:4])
    torch.testing.assert_close(scores[1:4, 0], scores[1:4, 4])
    assert (scores[0, 1] - scores[1, 0]).abs().max() > 1e-5  # direction counts


@pytest.mark.parametrize("settings", SETTINGS)
def test_every_weight_learns(build, settings):
    model = build("deberta-v2", settings).train()
    batch = encode(model)
    output = model(**batch, labels=torch.zeros(*batch["pair_mask"].shape, 3))
    output.loss.backward()
    # The score of layers and queries of a softmax over one item has no gradient; everything else has.
    without = [name for name, p in model.named_parameters() if p.requires_grad and p.grad is None]
    assert without == []


def test_relation_types_encoded_before_score_the_same(build):
    for settings in SETTINGS:
        model = build("bert", settings)
        batch = encode(model, types=RELATION_TYPES)
        encoded = model.encode_relation_types(RELATION_TYPES, batch_size=2)
        assert encoded.states.shape == (3, model.glirel.type_width)
        given = {name: value for name, value in batch.items() if not name.startswith("type_")}
        states = torch.from_numpy(encoded.states)
        torch.testing.assert_close(logits(model, given, type_states=states), logits(model, batch))
        del given["relation_index"], given["relation_mask"]
        torch.testing.assert_close(logits(model, given, type_states=states), logits(model, batch))


def test_the_digest_tells_weights_apart_and_survives_packing(build):
    model, other = build("bert", "glidre"), build("bert", "glidre")
    digest = model.types_digest()
    assert other.types_digest() == digest
    with torch.no_grad():
        other.glirel.label_encoder.projection.weight.add_(1.0)
    assert other.types_digest() != digest
    encoded = model.encode_relation_types(RELATION_TYPES)
    model.optimize_for_inference()
    assert model.types_digest() == digest
    RelationExtractor(model, encoded_types=encoded)
    with pytest.raises(ValueError, match="come from another model"):
        RelationExtractor(other.optimize_for_inference(), encoded_types=encoded)


def test_a_type_alone_scores_as_among_others(build):
    model = build("bert", "glidre")
    among = logits(model, encode(model, [0], [RELATION_TYPES]))
    for column, name in enumerate(RELATION_TYPES):
        alone = logits(model, encode(model, [0], [[name]]))
        torch.testing.assert_close(alone[..., 0], among[..., column], rtol=1e-5, atol=1e-5)


def test_the_encoder_of_the_text_reads_types_too(build_model):
    model = build_model("bert", label_encoding="separate", label_pooling="cls")
    assert model.glirel.label_encoder.encoder is None
    assert not any(name.startswith("glirel.label_encoder.") for name, _ in model.named_parameters())
    batch = encode(model, [0])
    (name,) = RELATION_TYPES[:1]
    plain = model.tokenizer.backend_tokenizer.encode(name).ids
    assert batch["type_input_ids"][0, : len(plain)].tolist() == plain
    states = model.glirel.encoder(torch.tensor([plain])).last_hidden_state[:, 0]
    expected = model.glirel.relation_feed_forward(states)[0]
    torch.testing.assert_close(
        torch.from_numpy(model.encode_relation_types([name]).states[0]), expected.detach(), rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize("family", FAMILIES)
def test_no_other_layer_keeps_its_attention(build, family, monkeypatch):
    """What localized context reads is the last layer's attention, as transformers' eager attention gives it."""
    model = build(family, "glidre")
    encoder, batch = model.glirel.encoder, encode(model, [0, 2])
    inputs = {name: batch[name] for name in ("input_ids", "attention_mask")}
    seen = []
    original = model.glirel.pair_context.forward
    monkeypatch.setattr(
        model.glirel.pair_context, "forward", lambda *given: seen.append(given[1].detach()) or original(*given)
    )
    logits(model, batch)
    if family == "deberta-v2":
        assert len(encoder(**inputs, output_attentions=True).attentions) == 1
    eager = type(encoder)._from_config(copy.deepcopy(model.config.encoder_config), attn_implementation="eager").eval()
    eager.load_state_dict(encoder.state_dict(), strict=False)
    with torch.no_grad():
        attention = eager(**inputs, output_attentions=True).attentions[-1].mean(1)
    of_words = attention_of_words(attention, batch["word_token_spans"])
    mentions = batch["mention_word_spans"]
    for member, (entity, words) in enumerate([(0, [0, 6]), (0, [2, 3, 5])]):
        of_member = mentions[member][batch["mention_entity"][member] == entity]
        assert [w for start, end in of_member.tolist() for w in range(start, end) if end][: len(words)] == words
        torch.testing.assert_close(seen[0][member, entity], of_words[member, words].mean(0), rtol=1e-4, atol=1e-6)


def test_localized_context_follows_its_equations(build):
    model = build("bert", "glidre").double()
    glirel, seen = model.glirel, {}
    context = glirel.pair_context
    original = context.forward

    def record(entities, attention, words):
        seen.update(entities=entities[0], attention=attention[0], words=words[0])
        return original(entities, attention, words)

    context.forward = record
    with torch.no_grad():
        batch = encode(model, [0])
        output = glirel(**batch)
        for (head, tail), pair in zip(batch["pair_index"][0].tolist(), output.pair_states[0], strict=True):
            alpha = seen["attention"][head] * seen["attention"][tail]
            c = (alpha[:, None] * seen["words"]).sum(0) / (alpha.sum() + 1e-5)
            ends = []
            for network, entity in ((context.head, head), (context.tail, tail)):
                inner = network.left(seen["entities"][entity]) + network.right(c)
                ends.append(torch.tanh(network.output(inner.relu())))
            expected = glirel.pair_representation.feed_forward(*ends)
            torch.testing.assert_close(pair, expected)


def test_logsumexp_is_exact_far_below_the_highest():
    states = torch.tensor([[[0.0, 500.0], [1.0, -100.0], [2.0, -101.0]]])
    counts = torch.tensor([[[0, 1, 1], [1, 0, 0], [0, 2, 0], [0, 0, 0]]])
    found = LogSumExpEntities()(states, counts)[0]
    expected = torch.stack(
        [
            states[0, 1:].logsumexp(0),
            states[0, 0],
            states[0, 1] + torch.tensor(2.0).log(),
            torch.zeros(2),
        ]
    )
    torch.testing.assert_close(found, expected)


def test_words_that_two_entities_share_are_taken_out_of_both():
    counts = torch.tensor([[[1.0, 2.0, 0.0], [0.0, 1.0, 1.0]]])
    removed = shared_as_sets(counts)
    assert removed[0, 0, 1].tolist() == [0, 2, 0]
    assert removed[0, 1, 0].tolist() == [0, 1, 0]
    assert torch.equal(removed[0, 0, 0], counts[0, 0])


def test_words_are_compared_by_position_as_the_original_does():
    """Mentions of the same rank that start alike; and word 0 is lost against an entity with fewer mentions."""
    spans = torch.tensor([[(5, 7), (0, 2), (5, 6), (3, 4), (5, 8)]])
    entity = torch.tensor([[0, 0, 1, 2, 2]])  # {5-6, 0-1}, {5}, {3, 5-7}
    mentions_of = count_mentions(entity, torch.ones(1, 5, dtype=torch.bool), 3)
    removed = shared_by_position(spans, entity, mentions_of, 9, torch.float)
    words = {
        (head, tail): removed[0, head, tail].nonzero().flatten().tolist() for head in range(3) for tail in range(3)
    }
    assert words[0, 1] == [0, 5]  # 5 of the first rank; 0 as the second has one mention only
    assert words[1, 0] == [5]
    assert words[0, 2] == []  # 5 has another rank
    assert words[0, 0] == [0, 1, 5, 6]
    assert words[2, 2] == [3, 5, 6, 7]


def test_adaptive_thresholding_by_hand():
    scores, threshold = torch.tensor([[[2.0, -1.0, 0.5, 9.0]]]), torch.tensor([[0.0]])
    labels, known = torch.tensor([[[1.0, 0.0, 1.0, 0.0]]]), torch.tensor([[[True, True, True, False]]])
    with_threshold = torch.tensor([2.0, 0.5, 0.0])
    positive = sum(with_threshold.logsumexp(0) - score for score in (2.0, 0.5))
    negative = torch.tensor([-1.0, 0.0]).logsumexp(0)
    found = adaptive_threshold_loss(scores, threshold, labels, known)
    torch.testing.assert_close(found, (positive + negative).reshape(1, 1))


def test_a_probability_is_that_of_exceeding_the_threshold(build):
    model = build("bert", "fused")
    with torch.no_grad():
        output = model(**encode(model, [0]))
    expected = output.logits - output.threshold_logits[..., None]
    assert torch.equal(output.decision_logits, expected)
    assert model.tokenizer is not None


# Long texts


def test_a_text_that_is_one_segment_scores_as_if_it_were_read_whole(build):
    for settings in SETTINGS:
        model = build("bert", settings)
        batch = encode(model, [0, 1], [RELATION_TYPES, RELATION_TYPES])
        spans = [[(words[0, 0].item(), words[: int(mask.sum())][-1, 1].item())] for words, mask in zip(
            batch["word_token_spans"], batch["word_mask"], strict=True
        )]  # fmt: skip
        segments = {"segment_token_spans": torch.tensor(spans), "segment_mask": torch.ones(2, 1, dtype=torch.bool)}
        torch.testing.assert_close(logits(model, {**batch, **segments}), logits(model, batch), rtol=1e-5, atol=1e-5)


def test_each_token_is_owned_by_the_segment_that_reads_most_around_it():
    spans, mask = torch.tensor([[(1, 11), (6, 16), (11, 20)]]), torch.tensor([[True, True, True]])
    assert [segment[3:] for segment in list_segments(spans, mask)] == [(1, 8), (8, 13), (13, 20)]


# What does not fit


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"label_encoder_config": {"model_type": "bert"}}, r"`label_encoder_config` describes .* on their own"),
        ({"shared_words": "removed"}, r"`shared_words` 'removed' needs mention_representation='words'"),
        ({"loss_function": "atloss"}, r"trains the thresholds of a `threshold_head`"),
        ({"label_encoding": "separate", "shared_relation_positions": True}, r"`shared_relation_positions` is about"),
        ({"fusion_schema": "l2l-t2x"}, r"`fusion_schema` must be steps .* got 'l2l-t2x'"),
        ({"num_fusion_layers": 0}, r"`num_fusion_layers` must be a whole number of at least 1: got 0"),
        ({"label_encoder_config": {"hidden_size": 3}}, r"`label_encoder_config` has no `model_type`"),
    ],
)
def test_settings_that_do_not_fit_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        GLiRELConfig(encoder_config={"model_type": "bert", "num_attention_heads": 4, "hidden_size": 32}, **settings)


def test_schemas_are_read():
    assert read_schema("l2l-l2t-t2t") == ["l2l", "l2t", "t2t"]


def test_types_must_be_given_where_they_are_read_apart(build, build_model):
    model = build("bert", "apart")
    batch = encode(model, [0])
    without = {name: value for name, value in batch.items() if not name.startswith("type_")}
    with pytest.raises(ValueError, match="pass either `type_input_ids`"):
        model(**without)
    with pytest.raises(ValueError, match="relation_token_spans` are given"):
        model(**batch, relation_token_spans=torch.zeros(1, 1, 2, dtype=torch.long))
    batch["relation_index"] = batch["relation_index"] + 7
    with pytest.raises(ValueError, match="`relation_index` must address 3 types"):
        model(**batch)
    with pytest.raises(ValueError, match="reads relation types before each text"):
        build_model("bert").encode_relation_types(["spouse"])
