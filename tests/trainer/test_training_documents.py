"""Training on documents: pairs of entities, relation types read apart, texts longer than the encoder reads."""

from dataclasses import replace

import pytest
import torch

from glirel_transformers import RelationExtractor
from glirel_transformers.configuration_glirel import SYSTEMS
from glirel_transformers.data import Document, Mention, Relation
from glirel_transformers.evaluation import evaluate_extraction
from glirel_transformers.trainer import (
    GLiRELTrainer,
    GLiRELTrainingArguments,
    RelationCollator,
    RelationDataset,
    fit_threshold,
    make_labels,
)
from glirel_transformers.trainer.collator import pairs_entities
from glirel_transformers.trainer.metrics import score_documents
from glirel_transformers.trainer.run import starting_model
from glirel_transformers.trainer.sampling import Drawn

NAMES = ["place of birth", "spouse", "employer", "colleague", "capital", *(f"r{i}" for i in range(10))]
GLIDRE = {**SYSTEMS["glidre"], "dropout": 0.0}


def document(text, mentions, relations, **fields):
    return Document(text.split(), [Mention(*m) for m in mentions], [Relation(*r) for r in relations], **fields)


@pytest.fixture
def whole():
    """Two documents; in the first two entities have two mentions each."""
    return [
        document(
            "Marie Curie was born in Warsaw . Marie married Pierre in Warsaw",
            [(0, 2, None, 7), (5, 6, None, 3), (7, 8, None, 7), (9, 10, None, None), (11, 12, None, 3)],
            [(2, 4, "place of birth"), (2, 3, "spouse"), (3, 0, "spouse")],
        ),
        document("Ada met Alan in London .", [(0, 1), (2, 3), (4, 5)], [(0, 1, "colleague")]),
    ]


@pytest.fixture
def glidre(make_model):
    return make_model(**GLIDRE)


def test_an_entity_of_several_mentions_is_one_entity(glidre, whole):
    collator = RelationCollator(glidre.tokenizer, NAMES, by_entity=True).for_evaluation(NAMES)
    batch = collator(whole)
    # Marie, Warsaw, Pierre.
    assert batch["mention_entity"].tolist()[0] == [0, 1, 0, 2, 1]
    assert batch["pair_index"][0].tolist() == [[0, 1], [0, 2], [1, 0], [1, 2], [2, 0], [2, 1]]
    found = [(pair, column) for pair, column in (batch["labels"][0] == 1).nonzero().tolist()]
    assert found == [(0, 0), (1, 1), (4, 1)]
    assert not (batch["labels"][0] == -100).any()
    expected = glidre.tokenizer(
        [list(one.words) for one in whole],
        entities=[[[(0, 2), (7, 8)], [(5, 6), (11, 12)], [(9, 10)]], [(0, 1), (2, 3), (4, 5)]],
        relation_types=NAMES,
        is_split_into_words=True,
        padding=True,
    )
    assert torch.equal(batch["mention_entity"].sort(1).values, expected["mention_entity"].sort(1).values)
    for name in ("pair_index", "pair_mask", "entity_mask"):
        assert torch.equal(batch[name], expected[name]), name
    batch.pop("labels")
    with torch.no_grad():
        ours, theirs = (glidre.eval()(**one).logits for one in (batch, expected))
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=0)


def test_by_mention_other_mentions_of_an_entity_are_unknown(glidre, whole):
    batch = RelationCollator(glidre.tokenizer, NAMES).for_evaluation(NAMES)(whole)
    assert "mention_entity" not in batch
    assert batch["labels"].shape[1] == 20
    assert (batch["labels"][0] == -100).sum() == 3 + 1 + 1


def test_a_document_that_is_not_exhaustive_and_one_that_relates_an_entity_to_itself(glidre, whole):
    silent = replace(whole[0], exhaustive=False)
    itself = replace(whole[0], relations=[*whole[0].relations, Relation(0, 2, "author")])
    collator = RelationCollator(glidre.tokenizer, NAMES, by_entity=True).for_evaluation(["author", "spouse"])
    labels = collator([silent])["labels"][0]
    # Pairs with a relation of a type that is asked for or not are known, the others are not.
    assert labels.tolist() == [[0, 0], [0, 1], [-100] * 2, [-100] * 2, [0, 1], [-100] * 2]
    batch = collator([itself])
    assert batch["pair_index"][0].tolist() == [[i, j] for i in range(3) for j in range(3)]
    assert batch["labels"][0, 0].tolist() == [1, 0]
    assert (batch["labels"][0] >= 0).all()


def test_every_text_of_a_batch_is_asked_for_the_types_of_all(glidre, whole):
    collator = RelationCollator(glidre.tokenizer, NAMES, by_entity=True, max_relation_types=4)
    own = [collator.draw_relation_types(example) for example in RelationDataset(whole)]
    assert {"place of birth", "spouse"} <= set(own[0])
    assert "colleague" in own[1]
    collator.with_relation_keys = True
    examples = list(RelationDataset(whole))
    batch = collator(examples)
    union = list(dict.fromkeys(name for one in own for name in one))
    assert batch["type_input_ids"].shape[0] == len(set(union))
    assert batch["relation_mask"].all()
    assert torch.equal(batch["relation_keys"][0], batch["relation_keys"][1])
    assert torch.equal(batch["relation_index"][0], batch["relation_index"][1])
    assert (batch["labels"][0] == 1).sum() == 3
    assert (batch["labels"][1] == 1).sum() == 1
    # What only the other text drew is a negative, where this text is exhaustive, else unknown.
    silent = collator([examples[0], replace(examples[1], document=replace(whole[1], exhaustive=False))])
    assert (silent["labels"][1, 0] >= 0).all()
    assert (silent["labels"][1, 1:] == -100).all()


def test_what_holds_is_neither_limited_nor_dropped(glidre):
    many = document("Ada met Alan", [(0, 1), (2, 3)], [(0, 1, name) for name in NAMES[:8]])
    collator = RelationCollator(
        glidre.tokenizer, NAMES, max_relation_types=2, random_drop=1.0, max_batch_types=3, by_entity=True
    )
    for epoch in range(5):
        dataset = RelationDataset([many])
        dataset.set_epoch(epoch)
        batch = collator([dataset[0]])
        assert (batch["labels"][0, 0] == 1).all()
        assert batch["labels"].shape[2] == 8


def test_negatives_are_shared_out_in_turn(glidre):
    sampler = RelationCollator(glidre.tokenizer, NAMES, max_batch_types=6).sampler
    drawn = [Drawn(["a", "b"], ["c", "d", "e"]), Drawn(["b"], ["a", "f", "g", "h"])]
    assert sampler.share(drawn) == ["a", "b", "c", "d", "f", "e"]
    assert sampler.share([Drawn(["a", "b", "c", "d", "e", "f", "g"], ["h"]), Drawn([], ["i"])]) == list("abcdefg")


def test_stand_ins_of_a_batch_differ_from_all_its_names(glidre, whole):
    stand_ins = {"spouse": ["colleague"], "colleague": ["capital"]}
    collator = RelationCollator(
        glidre.tokenizer, NAMES, by_entity=True, stand_ins=stand_ins, stand_in_rate=1.0, max_relation_types=2
    )
    batch = collator(list(RelationDataset(whole)))
    assert len({tuple(row) for row in batch["type_input_ids"].tolist()}) == batch["labels"].shape[2]


def test_an_evaluation_asks_for_all_and_does_not_depend_on_the_batch(glidre, whole):
    collator = RelationCollator(glidre.tokenizer, NAMES, by_entity=True, max_relation_types=2).for_evaluation()
    together = collator(whole)
    assert together["labels"].shape[2] == len(NAMES)
    few = RelationCollator(
        glidre.tokenizer, NAMES, by_entity=True, max_relation_types=3, max_batch_types=3
    ).for_evaluation()
    few.with_relation_keys = True
    together, apart = few(list(RelationDataset(whole))), [few([one]) for one in RelationDataset(whole)]
    assert together["relation_mask"].sum(1).tolist() == [3, 3]
    for row, alone in zip(together["relation_keys"], apart, strict=True):
        assert torch.equal(row, alone["relation_keys"][0])


def test_long_documents_are_read_in_segments_and_nothing_is_lost(glidre, whole):
    words = [*whole[0].words, *["and"] * 200, "Marie", "met", "Alan"]
    mentions = [*whole[0].mentions, Mention(212, 213, None, 7), Mention(214, 215)]
    long = replace(whole[0], words=words, mentions=mentions, relations=[*whole[0].relations, Relation(0, 6, "spouse")])
    with pytest.raises(ValueError, match=r"Pass too_long='window'"):
        RelationCollator(glidre.tokenizer, NAMES, by_entity=True)([long])
    batch = RelationCollator(glidre.tokenizer, NAMES, by_entity=True, too_long="window")([long, whole[1]])
    assert batch["segment_mask"].sum(1).tolist()[0] > 1
    assert (batch["labels"][0] == 1).sum() == 4
    loss = glidre.train()(**batch).loss
    assert loss.isfinite()
    loss.backward()


def test_a_window_keeps_facts_whose_entities_have_a_mention_in_it(make_model):
    tokenizer = make_model(mention_representation="words").tokenizer
    words = ["and"] * 300
    mentions = [Mention(0, 1, entity=0), Mention(280, 281, entity=0), Mention(285, 286, entity=1), Mention(150, 151)]
    long = Document(words, mentions, [Relation(0, 2, "spouse")])
    collator = RelationCollator(tokenizer, NAMES, by_entity=True, too_long="window")
    batch = collator([long])
    assert batch["labels"].shape[1] == 2
    assert (batch["labels"] == 1).sum() == 1
    kept = long.within((200, 300), by_entity=True)
    assert [(r.head, r.tail) for r in kept.relations] == [(0, 1)]
    assert not long.within((200, 300)).relations
    assert not long.within((0, 100), by_entity=True).relations


def test_a_fact_within_an_entity_is_kept_where_one_mention_is_in_the_window():
    inside = Document(["a"] * 9, [Mention(0, 1, entity=0), Mention(5, 6, entity=0)], [Relation(0, 1, "r")])
    kept = inside.within((4, 9), by_entity=True)
    assert kept.self_pairs
    assert [(r.head, r.tail) for r in kept.relations] == [(0, 0)]


def test_what_is_paired_by_default(make_model):
    assert pairs_entities(make_model(mention_representation="words").config)
    assert not pairs_entities(make_model().config)
    assert not pairs_entities(make_model(mention_representation="words", coreference_label="SELF").config)
    assert pairs_entities(make_model().config, True)
    assert not pairs_entities(make_model(mention_representation="words").config, False)


def test_joining_mentions_and_pairing_entities_exclude_each_other(tokenizer):
    with pytest.raises(ValueError, match=r"`coreference_label` 'SELF' joins mentions, and `by_entity`"):
        RelationCollator(tokenizer, NAMES, by_entity=True, coreference_label="SELF")


@pytest.mark.slow
@pytest.mark.parametrize("by_entity", [None, False])
def test_documents_are_overfitted_and_measured_as_facts(glidre, whole, tmp_path, by_entity):
    args = GLiRELTrainingArguments(
        str(tmp_path),
        by_entity=by_entity,
        num_train_epochs=60,
        per_device_train_batch_size=2,
        learning_rate=3e-3,
        encoder_learning_rate=1e-3,
        report_to=[],
        logging_strategy="no",
        save_strategy="no",
    )
    trainer = GLiRELTrainer(model=glidre, args=args, train_dataset=whole, eval_dataset=whole)
    assert trainer.data_collator.by_entity is (by_entity is None)
    trainer.train()
    metrics = trainer.evaluate()
    assert metrics["eval_micro_f1"] == metrics["eval_best_micro_f1"] == 1.0
    fit_threshold(glidre, whole, trainer.data_collator)
    if by_entity is None:
        result = evaluate_extraction(RelationExtractor(glidre), whole, by_entity=True)
        assert result.facts()["f1"] == 1.0
        assert result.facts()["num_gold"] == 4


@pytest.mark.parametrize("settings", [GLIDRE, {"mention_representation": "mean"}])
def test_what_is_measured_in_training_is_what_glirel_evaluate_measures(make_model, whole, settings):
    model = make_model(**settings)
    if settings is GLIDRE:  # read in segments
        words = [*whole[0].words, *["and"] * 200, "Marie"]
        long = replace(whole[0], words=words, mentions=[*whole[0].mentions, Mention(212, 213, None, 7)])
        whole = [*whole, long, replace(long, exhaustive=False)]
    collator = RelationCollator(model.tokenizer, NAMES, by_entity=True, too_long="window").for_evaluation(NAMES)
    ours = score_documents(model, whole, collator, batch_size=3)
    theirs = evaluate_extraction(RelationExtractor(model), whole, NAMES, by_entity=True).counts
    assert int(ours.by_type().sum(0)[2]) == int(theirs.by_type().sum(0)[2]) > 0
    for threshold in (0.3, 0.45, 0.5, 0.55):
        assert ours.averages(threshold)["micro_f1"] == pytest.approx(theirs.averages(threshold)["micro_f1"], abs=1e-6)


@pytest.mark.slow
def test_a_model_learns_to_find_entities(make_model, whole, tmp_path):
    model = make_model(coreference_label="SELF", dropout=0.0, positive_weight=5.0)
    args = GLiRELTrainingArguments(
        str(tmp_path),
        num_train_epochs=300,
        per_device_train_batch_size=2,
        learning_rate=3e-3,
        encoder_learning_rate=1e-3,
        report_to=[],
        logging_strategy="no",
        save_strategy="no",
    )
    GLiRELTrainer(model=model, args=args, train_dataset=whole, eval_dataset=whole).train()
    text, entities = whole[0].to_text()
    spans = [(entity["start"], entity["end"]) for entity in entities]
    asked = {"entities": spans, "relation_types": ["place of birth", "spouse"], "coreference": True}
    scores = RelationExtractor(model)(text, **asked, return_scores=True)
    found = [[(m.start, m.end) for m in entity.mentions] for entity in scores.entities]
    assert found == [[spans[0], spans[2]], [spans[1], spans[4]], [spans[3]]]
    facts = {(r["head"]["index"], r["relation"], r["tail"]["index"]) for r in scores.select()}
    assert facts == {(0, "place of birth", 1), (0, "spouse", 3), (3, "spouse", 0)}


def test_arguments_and_a_collator_must_agree(glidre, whole):
    collator = RelationCollator(glidre.tokenizer, NAMES)
    args = GLiRELTrainingArguments("unused", by_entity=True, report_to=[])
    with pytest.raises(ValueError, match=r"`args.by_entity` is True, but the `data_collator` has by_entity=False"):
        GLiRELTrainer(model=glidre, args=args, data_collator=collator, train_dataset=whole)


def test_a_best_threshold_is_found_among_nine(glidre, whole, tmp_path):
    args = GLiRELTrainingArguments(str(tmp_path), report_to=[])
    trainer = GLiRELTrainer(model=glidre, args=args, train_dataset=whole, eval_dataset=whole)
    glidre.config.threshold = 1.0
    metrics = trainer.evaluate()
    assert metrics["eval_micro_f1"] == 0
    assert metrics["eval_best_micro_f1"] > 0


@pytest.mark.parametrize("separate", [True, False])
def test_encoders_and_their_projections_learn_slowly_as_in_the_original(make_model, encoder_folder, whole, separate):
    if separate:
        model = make_model(**GLIDRE, hidden_size=16, label_encoder=encoder_folder, layer_fusion="masked")
    else:
        model = make_model(hidden_size=16)
    trainer = GLiRELTrainer(model=model, args=GLiRELTrainingArguments("unused", report_to=[]), train_dataset=whole)
    optimizer = trainer.create_optimizer()
    name_of = {id(parameter): name for name, parameter in model.named_parameters()}
    rates = {name_of[id(p)]: group["lr"] for group in optimizer.param_groups for p in group["params"]}
    decays = {name_of[id(p)]: group["weight_decay"] for group in optimizer.param_groups for p in group["params"]}
    slow = {name.split(".")[1] for name, rate in rates.items() if rate == 1e-5}
    assert slow == ({"encoder", "label_encoder", "pooling", "layer_fusion"} if separate else {"encoder"})
    assert len(rates) == len(list(model.parameters()))
    assert all((decay == 0) == ("bias" in name or "Norm" in name) for name, decay in decays.items())


def test_a_system_is_built_on_two_encoders(encoder_folder):
    model = starting_model(
        str(encoder_folder), None, label_encoder=str(encoder_folder), system="glidre", hidden_size=16, scorer=None
    )
    assert {name: getattr(model.config, name) for name in SYSTEMS["glidre"]} == SYSTEMS["glidre"]
    assert model.config.label_encoder_config is not None
    assert model.config.hidden_size == 16
    one = starting_model(str(encoder_folder), None, system="glidre", focal_gamma=2.0)
    assert one.config.label_encoder_config is None
    assert one.config.focal_gamma == 2.0
    apart = starting_model(str(encoder_folder), None, label_encoder=str(encoder_folder))
    assert apart.config.label_encoding == "separate"
    assert apart.config.mention_representation == "endpoints"
    with pytest.raises(ValueError, match=r"leave out label_encoder, system, or give an encoder"):
        starting_model(None, "somewhere", label_encoder="x", system="glidre")
    with pytest.raises(ValueError, match=r"`system` must be one of 'glirel', 'glidre', 'relex': got 'other'"):
        starting_model(str(encoder_folder), None, system="other")


def test_labels_at_mention_level_are_as_they_were(whole):
    pairs = torch.tensor([[0, 1], [2, 4], [1, 3]])
    assert make_labels(whole[0], ["place of birth", "spouse"], pairs).tolist() == [[-100, 0], [1, 0], [0, 0]]
