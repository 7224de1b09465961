"""What a pair attends to (`pair_context="attention"`): its formula, where words are, and that it begins as nothing."""

from __future__ import annotations

import math

import pytest
import torch

from glirel_transformers import GLiRELConfig, GLiRELForRelationClassification
from glirel_transformers.attended_glirel import NUM_DISTANCES, AttendedContext
from glirel_transformers.configuration_glirel import SYSTEMS
from tests.tiny import RELATION_TYPES, fill_with_noise


@pytest.fixture(scope="module")
def model(build_model):
    built = build_model("bert", pair_context="attention")
    fill_with_noise(built)
    return built


def offset_by_hand(word, spans):
    """How far a word is from the nearest of some spans; the span after it where two are as near."""
    offsets = [word - start if word < start else max(0, word - end + 1) for start, end in spans]
    return min(offsets, key=lambda one: (abs(one), one > 0))


def bucket_by_hand(offset):
    """0 in an entity, and 1, 2 to 3, 4 to 7, … words before or after it."""
    steps = min(NUM_DISTANCES - 1, 0 if offset == 0 else int(math.log2(abs(offset))) + 1)
    return NUM_DISTANCES - 1 + (steps if offset > 0 else -steps)


@pytest.mark.parametrize("clusters", [False, True])
def test_the_context_follows_its_formula(model, clusters):
    entities = [[(0, 1), (5, 6)], (2, 3), (3, 5)] if clusters else [(0, 1), (2, 3), (3, 5)]
    words = ["Bob", "met", "Ann", "Marie", "Jones", "Bob", "there", "."]
    batch = model.tokenizer([words], entities=[entities], relation_types=RELATION_TYPES, is_split_into_words=True)
    seen = {}
    glirel = model.glirel
    context, network = glirel.pair_context, glirel.pair_representation.feed_forward
    hook = context.register_forward_hook(lambda module, given, _: seen.update(entities=given[0][0], words=given[2][0]))
    try:
        with torch.no_grad():
            found = glirel(**batch).pair_states[0]
    finally:
        hook.remove()
    size = seen["words"].shape[-1] // context.num_heads
    with torch.no_grad():
        keys, values = context.key(seen["words"]), context.value(seen["words"])
        for row, (head, tail) in enumerate(batch["pair_index"][0].tolist()):
            queries = context.head_query(seen["entities"][head]), context.tail_query(seen["entities"][tail])
            read = []
            for number in range(context.num_heads):
                part = slice(number * size, (number + 1) * size)
                logits = []
                for word in range(len(words)):
                    ends = [
                        offset_by_hand(word, one if isinstance(one, list) else [one])
                        for one in (entities[head], entities[tail])
                    ]
                    logit = sum(float(query[part] @ keys[word, part]) for query in queries) / size**0.5
                    logit += float(8 * context.places.head_distance[bucket_by_hand(ends[0]), number])
                    logit += float(8 * context.places.tail_distance[bucket_by_hand(ends[1]), number])
                    sides = [(one > 0) - (one < 0) + 1 for one in ends]
                    logits.append(logit + float(8 * context.places.side[3 * sides[0] + sides[1], number]))
                weights = torch.tensor(logits).softmax(0)
                read.append(weights @ values[:, part])
            inner = network.left(seen["entities"][head]) + network.right(seen["entities"][tail])
            expected = network.output((inner + context.output(torch.cat(read))).relu())
            torch.testing.assert_close(found[row], expected, rtol=1e-4, atol=1e-4)


def test_a_new_context_changes_nothing(build_model, encode):
    model = build_model("bert", pair_context="attention")
    with_context = model(**encode(model)).logits
    model.glirel.pair_context = None
    assert torch.equal(model(**encode(model)).logits, with_context)


def test_the_first_step_trains_what_begins_at_zero(build_model, encode):
    model = build_model("bert", pair_context="attention")
    batch = encode(model)
    batch["labels"] = torch.ones_like(model(**batch).logits)
    model(**batch).loss.backward()
    assert model.glirel.pair_context.output.weight.grad.abs().max() > 0


@pytest.mark.parametrize("num_words", [1, 20])
def test_offsets_of_a_padded_mention_harm_nobody(build_model, num_words):
    model = build_model("bert", pair_context="attention")
    words = ["word"] * num_words
    texts = model.tokenizer(
        [["Bob", *words, "Ann"], ["Bob", "Ann", "Eve", "."]],
        entities=[[[(0, 1)], [(num_words + 1, num_words + 2)]], [[(0, 1)], [(1, 2)], [(2, 3)]]],
        relation_types=RELATION_TYPES,
        is_split_into_words=True,
        padding=True,
    )
    with torch.no_grad():
        assert model(**texts).logits[texts["pair_mask"]].isfinite().all()


def test_between_two_entities_is_a_place_of_its_own(model):
    """The places of words before, in, between, in and after two entities, in both directions of the pair."""
    context: AttendedContext = model.glirel.pair_context
    states = torch.zeros(1, 2, model.config.hidden_size)
    offsets = torch.tensor([[[-1, 0, 1, 2, 3], [-3, -2, -1, 0, 1]]])
    attended = context(states, offsets, torch.zeros(1, 5, model.config.hidden_size), torch.ones(1, 5).bool())
    assert attended.sides.tolist() == [[[0, 1, 2, 2, 2], [0, 0, 0, 1, 2]]]
    weights = attended.weights(torch.tensor([[[0, 1], [1, 0]]]))
    torch.testing.assert_close(weights.sum(-1), torch.ones_like(weights[..., 0]))
    assert not torch.allclose(weights[0, 0], weights[0, 1])


def test_it_needs_a_pair_and_heads_that_divide_its_width(build_model, encoder_folder):
    with pytest.raises(ValueError, match="attention heads, which must divide `hidden_size`: got 30"):
        GLiRELForRelationClassification.from_encoder(encoder_folder("bert"), pair_context="attention", hidden_size=30)
    settings = {**SYSTEMS["relex"], "scorer": "transe", "pair_representation": "ends"}
    with pytest.raises(ValueError, match="no vector of a pair, which `pair_context='attention'` reads"):
        GLiRELConfig(**settings, pair_context="attention")
