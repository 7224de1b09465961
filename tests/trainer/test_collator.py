from collections import Counter
from dataclasses import replace

import pytest
import torch
from torch.utils.data import DataLoader

from glirel_transformers.data import Document, Mention, Relation
from glirel_transformers.trainer import Example, RelationCollator, RelationDataset, make_labels

NAMES = ["place of birth", "spouse", "employer", "colleague", "capital", *(f"r{i}" for i in range(10))]


def all_pairs(document):
    number = len(document.mentions)
    return torch.tensor([(i, j) for i in range(number) for j in range(number) if i != j])


def types_of(collator, document, epoch=0, index=0):
    return collator.draw_relation_types(Example(document, index, epoch))


def test_the_batch_is_what_the_tokenizer_makes_and_the_labels(tokenizer, make_model, documents):
    collator = RelationCollator(tokenizer, NAMES).for_evaluation(NAMES)
    batch = collator(documents)
    spans = [[(mention.start, mention.end) for mention in document.mentions] for document in documents]
    expected = tokenizer(
        [list(document.words) for document in documents],
        entities=spans,
        relation_types=NAMES,
        is_split_into_words=True,
        padding=True,
    )
    labels = batch.pop("labels")
    assert set(batch) == set(expected)
    for name, tensor in expected.items():
        assert torch.equal(batch[name], tensor), name
    assert labels.shape == (4, 6, len(NAMES))
    outputs = make_model().eval()(**batch, labels=labels)
    assert outputs.loss.isfinite()


def test_multi_label_gold_is_kept(documents):
    labels = make_labels(documents[0], ["spouse", "capital", "place of birth"], all_pairs(documents[0]))
    assert labels.tolist() == [[0, 1, 1], [0, 0, 0]]


def test_pairs_without_a_relation_are_unknown_where_the_document_is_not_exhaustive(documents):
    document = replace(documents[2], exhaustive=False)
    labels = make_labels(document, ["spouse", "colleague"], all_pairs(document))
    assert labels.tolist() == [[0, 1]] + [[-100, -100]] * 5


def test_relations_of_other_mentions_of_the_same_entities_are_unknown():
    mentions = [Mention(0, 1, entity=0), Mention(1, 2, entity=0), Mention(2, 3, entity=1)]
    document = Document(["Ada", "she", "London"], mentions, [Relation(0, 2, "lived in")])
    labels = make_labels(document, ["spouse", "lived in"], all_pairs(document))
    #        0→1     0→2     1→0     1→2        2→0     2→1
    assert labels.tolist() == [[0, 0], [0, 1], [0, 0], [0, -100], [0, 0], [0, 0]]


def test_all_types_that_hold_are_asked_for_and_never_as_negatives(tokenizer, documents):
    collator = RelationCollator(tokenizer, NAMES, max_relation_types=6, random_drop=0.0)
    for document in documents:
        holding = {relation.relation_type for relation in document.relations}
        for epoch in range(50):
            types = types_of(collator, document, epoch)
            assert holding <= set(types)
            assert len(types) == len(set(types)) == 6
            labels = make_labels(document, types, all_pairs(document))
            right = {types[column] for column in labels.eq(1).any(0).nonzero().flatten().tolist()}
            assert right == holding


def test_negatives_come_from_all_of_the_pool_and_the_order_is_random(tokenizer, documents):
    collator = RelationCollator(tokenizer, NAMES, max_relation_types=4, random_drop=0.0)
    draws = [types_of(collator, documents[2], epoch) for epoch in range(300)]
    assert {name for types in draws for name in types} == set(NAMES)
    places = Counter(types.index("colleague") for types in draws)
    assert all(places[place] > 40 for place in range(4))


def test_negatives_follow_their_weights(tokenizer, documents):
    weights = dict.fromkeys(NAMES, 1.0) | {"r0": 20.0}
    collator = RelationCollator(tokenizer, weights, max_relation_types=2, random_drop=0.0)
    counts = Counter(name for epoch in range(400) for name in types_of(collator, documents[2], epoch))
    assert 190 < counts["r0"] < 290  # 20 of 33, the type that holds left out
    skewed = RelationCollator(tokenizer, weights | {"r0": 1e12}, max_relation_types=4, random_drop=0.0)
    assert all(len(set(types_of(skewed, documents[2], epoch))) == 4 for epoch in range(20))


def test_a_small_pool_is_used_up(tokenizer, documents):
    collator = RelationCollator(tokenizer, NAMES[:5], random_drop=0.0)
    assert sorted(types_of(collator, documents[0])) == sorted(NAMES[:5])


def test_more_types_than_there_is_room_for_are_drawn_from(tokenizer):
    names = [f"r{i}" for i in range(10)]
    document = Document(["Ada", "Alan"], [Mention(0, 1), Mention(1, 2)], [Relation(0, 1, name) for name in names])
    collator = RelationCollator(tokenizer, NAMES, max_relation_types=4, random_drop=0.0)
    draws = [types_of(collator, document, epoch) for epoch in range(50)]
    assert all(len(types) == 4 and set(types) <= set(names) for types in draws)
    assert {name for types in draws for name in types} == set(names)


def test_random_drop_varies_the_number_of_types(tokenizer, documents):
    collator = RelationCollator(tokenizer, NAMES, max_relation_types=5, random_drop=0.5)
    draws = [types_of(collator, documents[2], epoch) for epoch in range(1000)]
    sizes = Counter(map(len, draws))
    assert set(sizes) == {1, 2, 3, 4, 5}
    assert 550 < sizes[5] < 650  # half are left alone, and a fifth of the others keep all
    assert 0.7 < sum("colleague" in types for types in draws) / 1000 < 0.9  # right types are dropped like others: 0.8
    assert all(len(types_of(replace_drop(collator, 0.0), documents[2], epoch)) == 5 for epoch in range(20))


def replace_drop(collator, rate):
    return RelationCollator(collator.tokenizer, NAMES, max_relation_types=5, random_drop=rate)


def test_draws_depend_on_seed_epoch_and_index_alone(tokenizer, documents):
    collator = RelationCollator(tokenizer, NAMES, max_relation_types=6, seed=3)
    expected = {(epoch, i): types_of(collator, documents[2], epoch, i) for epoch in range(3) for i in range(4)}
    again = RelationCollator(tokenizer, NAMES, max_relation_types=6, seed=3)
    for epoch, i in reversed(expected):
        assert types_of(again, documents[2], epoch, i) == expected[epoch, i]
    assert len({tuple(types) for types in expected.values()}) > 8
    other = RelationCollator(tokenizer, NAMES, max_relation_types=6, seed=4)
    assert any(types_of(other, documents[2], *key) != types for key, types in expected.items())


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Python's own, on forking
def test_workers_that_live_on_see_the_epoch(tokenizer, documents):
    collator = RelationCollator(tokenizer, NAMES, max_relation_types=6)
    dataset = RelationDataset(documents)
    loader = DataLoader(dataset, batch_size=2, collate_fn=collator, num_workers=1, persistent_workers=True)
    for epoch in range(3):
        dataset.set_epoch(epoch)
        here = [collator([dataset[0], dataset[1]]), collator([dataset[2], dataset[3]])]
        for ours, theirs in zip(here, loader, strict=True):
            assert torch.equal(ours["input_ids"], theirs["input_ids"])
            assert torch.equal(ours["labels"], theirs["labels"])


def test_evaluation_gives_the_same_types_each_time(tokenizer, documents):
    collator = RelationCollator(tokenizer, NAMES, max_relation_types=6, random_drop=1.0, stand_ins={"spouse": ["r0"]})
    evaluation = collator.for_evaluation()
    assert types_of(evaluation, documents[2], 0) == types_of(evaluation, documents[2], 7)
    assert len(types_of(evaluation, documents[2])) == 6
    assert types_of(collator.for_evaluation(["r1", "spouse"]), documents[2]) == ["r1", "spouse"]
    assert min(len(types_of(collator, documents[2], epoch)) for epoch in range(20)) < 6  # it still drops types


def test_stand_ins_change_the_wording_and_not_the_labels(tokenizer, documents):
    stand_ins = {"employer": ["r0 r1"], "spouse": ["employer"]}  # the second is another type's name
    names = ["employer", "spouse"]
    collator = RelationCollator(tokenizer, names, stand_ins=stand_ins, stand_in_rate=1.0, random_drop=0.0)
    plain = RelationCollator(tokenizer, names, random_drop=0.0)
    batch, without = collator([documents[1]]), plain([documents[1]])
    assert torch.equal(batch["labels"], without["labels"])
    text = tokenizer.decode(batch["input_ids"][0])
    assert "r0 r1" in text
    assert "spouse" in text  # "employer" stands for itself nowhere, but two columns must not read alike


def test_hard_negatives_are_drawn_for_what_holds(tokenizer, documents):
    held = {relation.relation_type for relation in documents[1].relations}
    assert held == {"spouse", "employer"}
    near = {"spouse": ["r0", "employer", "nowhere"], "employer": ["r1"], "colleague": ["r4"]}
    settings = {"max_relation_types": 6, "random_drop": 0.0, "hard_negatives": near}
    always = RelationCollator(tokenizer, NAMES, **settings)
    for epoch in range(20):
        drawn = types_of(always, documents[1], epoch)
        assert len(drawn) == len(set(drawn)) == 6
        assert {*held, "r0", "r1"} <= set(drawn)
    half = RelationCollator(tokenizer, NAMES, **settings, hard_negative_rate=0.25)
    counts = [len({"r0", "r1"} & set(types_of(half, documents[1], epoch))) for epoch in range(30)]
    assert min(counts) == 1
    never = RelationCollator(tokenizer, NAMES, **settings, hard_negative_rate=0.0)
    plain = RelationCollator(tokenizer, NAMES, max_relation_types=6, random_drop=0.0)
    assert types_of(never, documents[1]) == types_of(plain, documents[1])
    nothing = replace(documents[1], relations=[], none_pairs=((0, 1),))
    assert types_of(always, nothing) == types_of(plain, nothing)


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"hard_negatives": {"spouse": "r0"}}, TypeError, r"`hard_negatives\['spouse'\]` must be a list of names"),
        ({"hard_negatives": {"spouse": [""]}}, ValueError, r"`hard_negatives\['spouse'\]` must hold names"),
        ({"hard_negative_rate": 2}, ValueError, "`hard_negative_rate` is a probability, from 0 to 1: got 2"),
    ],
)
def test_hard_negatives_that_do_not_fit_are_refused(tokenizer, settings, error, message):
    with pytest.raises(error, match=message):
        RelationCollator(tokenizer, NAMES, **settings)


def test_the_coreference_type_is_asked_for_where_entities_are_known(tokenizer, documents):
    known = replace(documents[2], mentions=[Mention(0, 1, entity=0), Mention(2, 3, entity=0), Mention(4, 5, entity=1)])
    collator = RelationCollator(tokenizer, [*NAMES, "SELF"], max_relation_types=5, coreference_label="SELF")
    batch = collator.for_evaluation(["SELF", "colleague"])([known])
    assert batch["labels"][0].tolist() == [[1, 1], [0, 0], [1, 0], [0, 0], [0, 0], [0, 0]]
    draws = [types_of(collator, documents[2], epoch) for epoch in range(100)]
    assert not any("SELF" in types for types in draws)
    whole = RelationCollator(tokenizer, NAMES, max_relation_types=5, coreference_label="SELF", random_drop=0.0)
    assert all("SELF" in types_of(whole, known, epoch) for epoch in range(20))


def test_too_long_a_text_is_an_error_by_default(tokenizer):
    document = Document(["Ada"] * 200, [Mention(0, 1), Mention(199, 200)], [])
    with pytest.raises(ValueError, match=r"A text of 200 words next to 15 relation types needs .* reads 128"):
        RelationCollator(tokenizer, NAMES, random_drop=0.0)([document])


def test_a_window_holds_a_relation_and_is_counted(make_model, caplog):
    tokenizer = make_model(entity_markers=True).tokenizer
    mentions = [Mention(10 * i, 10 * i + 1) for i in range(20)]
    document = Document(
        ["Ada"] * 200, mentions, [Relation(2, 3, "spouse"), Relation(15, 16, "spouse"), Relation(0, 19, "r0")]
    )
    collator = RelationCollator(tokenizer, NAMES, random_drop=0.0, too_long="window")
    with caplog.at_level("WARNING"):
        batches = [collator([Example(document, index, 0)]) for index in range(10)]
    assert all(batch["input_ids"].shape[1] <= 128 for batch in batches)
    assert all(batch["labels"].eq(1).sum() == 1 for batch in batches)
    assert len({tuple(batch["mention_word_spans"].flatten().tolist()) for batch in batches}) > 1
    assert "1 texts did not fit into the model" in caplog.text
    assert "10 texts did not fit into the model so far and were read in part, without 20" in caplog.text


def test_a_window_holds_no_more_words_than_the_model_was_trained_on(make_model):
    tokenizer = make_model(max_words=12).tokenizer
    document = Document(["Ada"] * 30, [Mention(4, 5), Mention(9, 10), Mention(29, 30)], [Relation(0, 1, "spouse")])
    collator = RelationCollator(tokenizer, NAMES, random_drop=0.0, too_long="window")
    batch = collator([document])
    assert batch["word_mask"].sum() == 12
    assert batch["labels"].eq(1).sum() == 1
    with pytest.raises(ValueError, match="but the model reads 12 words and 128 tokens"):
        RelationCollator(tokenizer, NAMES, random_drop=0.0)([document])


def test_a_window_without_a_relation_that_fits_still_fits(tokenizer):
    document = Document(["Ada"] * 300, [Mention(0, 1), Mention(299, 300)], [Relation(0, 1, "spouse")])
    collator = RelationCollator(tokenizer, NAMES, random_drop=0.0, too_long="window")
    batch = collator([document, document])
    assert batch["input_ids"].shape[1] <= 128
    assert not batch["labels"].eq(1).any()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"max_relation_types": 0}, "`max_relation_types` must be at least 1: got 0"),
        ({"random_drop": 2}, "`random_drop` is a probability, from 0 to 1: got 2"),
        ({"too_long": "cut"}, "`too_long` must be 'error' or 'window': got 'cut'"),
        (
            {"relation_types": {"r0": 0}},
            "The weight of 'r0' in `relation_types` must be a finite number above 0: got 0",
        ),
    ],
)
def test_settings_that_do_not_fit_are_refused(tokenizer, settings, message):
    with pytest.raises(ValueError, match=message):
        RelationCollator(tokenizer, **{"relation_types": NAMES, **settings})


def test_one_string_is_not_a_list_of_types(tokenizer):
    with pytest.raises(TypeError, match="must be a list of names, or a mapping: got 'spouse'"):
        RelationCollator(tokenizer, "spouse")


@pytest.mark.parametrize("stand_ins", [{"place of birth": "birthplace"}, {"spouse": 3}, ["x"]])
def test_stand_ins_that_are_not_lists_are_refused(tokenizer, stand_ins):
    with pytest.raises(TypeError, match="`stand_ins"):
        RelationCollator(tokenizer, ["spouse"], stand_ins=stand_ins)


def test_stand_ins_of_types_that_are_not_there_are_refused(tokenizer):
    with pytest.raises(ValueError, match=r"`stand_ins` has 'nosuch', which the relation types are not.*'spouse'"):
        RelationCollator(tokenizer, ["spouse"], stand_ins={"spouse": ["r0"], "nosuch": ["r1"]})
    RelationCollator(tokenizer, ["spouse"], stand_ins={"SELF": ["r0"]}, coreference_label="SELF")


@pytest.mark.parametrize("name", ["\u200b", "\ufeff\u00ad"])
def test_names_of_which_the_model_reads_nothing_are_refused_before_any_is_drawn(tokenizer, name):
    with pytest.raises(ValueError, match=r"relation_types\[1\] is "):
        RelationCollator(tokenizer, ["spouse", name])
    with pytest.raises(ValueError, match=r"`stand_ins\['spouse'\]` cannot be asked for: .* is "):
        RelationCollator(tokenizer, ["spouse"], stand_ins={"spouse": [name]})
    with pytest.raises(ValueError, match=r"relation_types\[1\] is "):
        RelationCollator(tokenizer, ["spouse"], coreference_label=name)


def test_a_wording_may_be_given_twice(tokenizer):
    RelationCollator(tokenizer, ["spouse"], stand_ins={"spouse": ["r0", "r0", "r1"]})


@pytest.mark.parametrize("weight", [float("inf"), float("nan"), 0, -1])
def test_weights_must_be_finite(tokenizer, weight):
    with pytest.raises(ValueError, match="must be a finite number above 0"):
        RelationCollator(tokenizer, {"spouse": weight})
