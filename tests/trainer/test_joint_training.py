"""Training of models that find entities: what is asked for, what is right, own candidates, metrics, whole runs."""

import json
from dataclasses import replace

import pytest
import torch
from transformers import AutoModel
from typer.testing import CliRunner

from glirel_transformers import GLiRELForJointExtraction, RelationExtractor
from glirel_transformers.cli import app
from glirel_transformers.configuration_glirel import SYSTEMS
from glirel_transformers.data import Document, Mention, Relation, write_documents
from glirel_transformers.finder_glirel import SpanFinder
from glirel_transformers.inputs_glirel import Inputs, Types
from glirel_transformers.trainer import (
    GLiRELTrainer,
    GLiRELTrainingArguments,
    JointCollator,
    RelationCollator,
    RelationDataset,
    fit_threshold,
    make_entity_labels,
)
from glirel_transformers.trainer.candidates import AddedCandidates, are_mentions, with_mentions
from glirel_transformers.trainer.checks import check_signal
from glirel_transformers.trainer.dataset import Example
from glirel_transformers.trainer.entity_metrics import decode
from glirel_transformers.trainer.run import starting_model
from glirel_transformers.trainer.selection import select_documents

# Names whose words are in the tests' vocabulary.
PERSON, PLACE, SCHOOL = "author", "capital", "university"
ENTITIES = [PERSON, PLACE, SCHOOL, "r8", "r9"]
NAMES = ["place of birth", "spouse", "employer", "colleague", *(f"r{i}" for i in range(5))]
RELEX = {
    **SYSTEMS["relex"],
    "dropout": 0.0,
    "max_entity_width": 4,
    "relation_representation": "label",
    "entity_type_representation": "label",
}
SEPARATE = {**RELEX, "label_encoding": "separate"}


def document(text, mentions, relations, **fields):
    return Document(text.split(), [Mention(*m) for m in mentions], [Relation(*r) for r in relations], **fields)


@pytest.fixture
def typed():
    return [
        document("Marie Curie was born in Warsaw .", [(0, 2, PERSON), (5, 6, PLACE)], [(0, 1, "place of birth")]),
        document(
            "Marie married Pierre who worked at Paris University .",
            [(0, 1, PERSON), (2, 3, PERSON), (6, 8, SCHOOL)],
            [(0, 1, "spouse"), (1, 0, "spouse"), (1, 2, "employer")],
        ),
        document("Ada met Alan in London .", [(0, 1, PERSON), (2, 3, PERSON), (4, 5, PLACE)], [(0, 1, "colleague")]),
        document("Alan worked at Cambridge University .", [(0, 1, PERSON), (3, 5, SCHOOL)], [(0, 1, "employer")]),
    ]


@pytest.fixture
def make_joint(encoder_folder):
    def make(**settings):
        torch.manual_seed(0)
        return GLiRELForJointExtraction.from_encoder(encoder_folder, **{**RELEX, **settings})

    return make


def plain(tokenizer, **settings):
    return JointCollator(tokenizer, NAMES, ENTITIES, random_drop=0.0, **settings)


def arguments(folder, **settings):
    defaults = {"max_steps": 4, "report_to": [], "save_strategy": "no", "logging_steps": 1, "disable_tqdm": True}
    return GLiRELTrainingArguments(output_dir=str(folder), **{**defaults, **settings})


def names_of(batch, tokenizer, row):
    """The entity types that a text is asked for, as its tokens say."""
    spans = batch["entity_type_token_spans"][row][batch["entity_type_mask"][row]].tolist()
    return [tokenizer.decode(batch["input_ids"][row, start:end]) for start, end in spans]


# What is asked for, and what is right


@pytest.mark.parametrize("how", [{}, {"label_encoding": "separate"}])
def test_a_text_is_asked_for_no_type_that_nobody_looked_for(make_joint, typed, how):
    collator = plain(make_joint(**how).tokenizer, max_entity_types=5)
    limited = replace(typed[0], annotated_entity_types=(PERSON, PLACE, "r8"))
    examples = [Example(limited, 0, 0), Example(typed[1], 1, 0)]
    for one in (collator, collator.for_evaluation()):
        first, second = one._ask_for_entities(examples)
        assert set(first) == {PERSON, PLACE, "r8"}
        assert set(second) == set(ENTITIES)
    few = plain(make_joint(**how).tokenizer, max_entity_types=2)
    assert set(few.draw_entity_types(examples[0])) == {PERSON, PLACE}


@pytest.mark.parametrize("how", [{}, {"label_encoding": "separate"}])
def test_a_text_is_asked_for_no_relation_that_nobody_looked_for(make_joint, typed, how):
    collator = plain(make_joint(**how).tokenizer, max_relation_types=5)
    limited = replace(typed[0], relations=[], annotated_relation_types=(NAMES[0], NAMES[2], "of other data"))
    examples = [Example(limited, 0, 0), Example(typed[1], 1, 0)]
    for one in (collator, collator.for_evaluation()):
        first, second = one._ask(examples)
        assert set(first.types) == {NAMES[0], NAMES[2]}
        assert len(second.types) >= 5


def test_a_batch_by_hand(make_joint, typed):
    tokenizer = make_joint().tokenizer
    batch = plain(tokenizer, max_entity_types=3)(typed[:2])
    assert batch["entity_type_mask"].tolist() == [[True] * 3] * 2
    asked = names_of(batch, tokenizer, 0)
    assert {PERSON, PLACE} < set(asked) <= set(ENTITIES)
    expected = [[int(name == of_mention) for name in asked] for of_mention in (PERSON, PLACE)]
    assert batch["entity_labels"].shape == (2, 3, 3)
    assert batch["entity_labels"][0, :2].tolist() == expected
    assert batch["mention_mask"].tolist() == [[True, True, False], [True] * 3]
    assert batch["mention_word_spans"][1].tolist() == [[0, 1], [2, 3], [6, 8]]
    assert batch["labels"].shape == (2, 6, 9)
    assert (batch["labels"] == 1).sum() == 4
    loss = make_joint()(**batch)
    assert loss.entity_loss > 0
    torch.testing.assert_close(loss.loss, loss.entity_loss + loss.relation_loss)


def test_mentions_without_a_type_are_unknown_and_those_of_the_same_words_share_types():
    some = document("Marie Curie met Alan", [(0, 2, PERSON), (0, 2, SCHOOL), (3, 4)], [])
    assert make_entity_labels(some, [PERSON, PLACE, SCHOOL]).tolist() == [[1, 0, 1], [1, 0, 1], [-100] * 3]
    assert make_entity_labels(some, []).shape == (3, 0)
    assert make_entity_labels(replace(some, mentions=[]), [PERSON]).shape == (0, 1)


@pytest.mark.parametrize(
    ("change", "knows"),
    [
        ({}, True),
        ({"exhaustive": False}, False),
        ({"exhaustive": False, "entities_exhaustive": True}, True),
        ({"entities_exhaustive": False}, False),
        ({"mentions": [Mention(0, 2), Mention(5, 6)]}, False),
        ({"mentions": [], "relations": []}, True),
    ],
)
def test_a_text_that_does_not_know_its_entities_is_asked_for_none(make_joint, typed, change, knows):
    model = make_joint()
    changed = replace(typed[0], **change)
    assert changed.knows_entities is knows
    batch = plain(model.tokenizer)([changed, typed[1]])
    assert batch["entity_type_mask"].any(1).tolist() == [knows, True]
    alone = model(**plain(model.tokenizer)([changed]))
    assert (alone.entity_loss > 0) is knows or bool(alone.entity_loss > 0) is knows
    assert (alone.relation_loss > 0) == bool(changed.mentions)
    alone.loss.backward()


def test_what_is_dropped_is_drawn_by_seed_and_epoch_and_stays_right(make_joint, typed):
    tokenizer = make_joint().tokenizer
    seen = set()
    for seed in range(8):
        collator = JointCollator(tokenizer, NAMES, ENTITIES, random_drop=1.0, seed=seed)
        example = RelationDataset(typed)[1]
        types, relation_types = collator.draw_entity_types(example), collator.draw_relation_types(example)
        assert types == collator.draw_entity_types(example)
        assert types != sorted(types) or len(types) < 4  # shuffled
        seen.add(len(types))
        assert 1 <= len(types) <= len(ENTITIES)
        assert len(relation_types) >= len(NAMES) - int(0.3 * (len(NAMES) - 1))  # 0.3 of them at most
        batch = collator([example])
        asked = names_of(batch, tokenizer, 0)
        assert asked == types
        assert (batch["entity_labels"] == 1).sum() == sum(m.label in asked for m in typed[1].mentions)
        assert batch["mention_mask"].sum() == 3  # those of other types are paired all the same
    assert len(seen) > 2
    always = JointCollator(tokenizer, NAMES, ENTITIES, random_drop=1.0, entity_drop_rate=0.0, drop_rate=0.0)
    assert len(always.draw_entity_types(RelationDataset(typed)[0])) == len(ENTITIES)
    assert len(always.draw_relation_types(RelationDataset(typed)[0])) == len(NAMES)


def test_an_evaluation_asks_for_the_same_each_time(make_joint, typed):
    collator = JointCollator(make_joint().tokenizer, NAMES, ENTITIES, max_entity_types=3).for_evaluation()
    dataset = RelationDataset(typed)
    first = [collator.draw_entity_types(example) for example in dataset]
    dataset.set_epoch(3)
    assert first == [collator.draw_entity_types(example) for example in dataset]
    assert all(len(types) == 3 for types in first)


def test_types_that_are_read_apart_are_shared_by_the_batch(make_joint, typed):
    model = make_joint(**SEPARATE)
    collator = plain(model.tokenizer, max_entity_types=2, max_relation_types=2)
    unknown = replace(typed[3], exhaustive=False)
    batch = collator([*typed[:3], unknown])
    # Those of all texts that know their entities; the last one is asked for none.
    assert batch["entity_type_mask"].sum(1).tolist() == [3, 3, 3, 0]
    assert torch.equal(batch["entity_type_index"][0], batch["entity_type_index"][2])
    assert batch["relation_mask"].all()
    assert (batch["entity_labels"][0] == 1).sum() == 2
    assert (batch["entity_labels"][:3] == 1).sum() == 8
    model(**batch).loss.backward()
    assert all(weight.grad is not None for weight in model.glirel.entity_type_feed_forward.parameters())


def test_texts_that_are_too_long_leave_room_for_entity_types(make_joint, typed):
    tokenizer = make_joint().tokenizer
    long = replace(typed[0], words=[*typed[0].words, *["and"] * 200])
    with pytest.raises(ValueError, match=r"Pass too_long='window'"):
        plain(tokenizer)([long])
    batch = plain(tokenizer, too_long="window")([long])
    assert batch["input_ids"].shape[1] <= tokenizer.model_max_length
    assert (batch["entity_labels"] == 1).sum() == 2
    assert plain(tokenizer, too_long="window").reads_a_relation(RelationDataset([long])[0])


def test_clusters_and_their_mentions(make_joint):
    model = make_joint()
    one = document(
        "Marie Curie was born in Warsaw . Marie",
        [(0, 2, PERSON, 0), (5, 6, PLACE, 1), (7, 8, PERSON, 0)],
        [(0, 1, "r1")],
    )
    batch = plain(model.tokenizer, by_entity=True)([one])
    assert batch["pair_index"].shape[1] == 2
    assert batch["entity_labels"].shape[1] == 3
    added = AddedCandidates(model.glirel.entity_finder, 0.0, 3)
    output = model(**batch, select=added)
    assert output.pair_index.shape[1] == 2 + 2 * 2 * 3 + 3 * 2
    output.loss.backward()


def test_wrong_arguments(make_joint, tokenizer):
    joint = make_joint().tokenizer
    with pytest.raises(ValueError, match=r"`max_entity_types` must be at least 1: got 0"):
        JointCollator(joint, NAMES, ENTITIES, max_entity_types=0)
    with pytest.raises(ValueError, match=r"`entity_drop_rate` is a share, from 0 to 1: got 2"):
        JointCollator(joint, NAMES, ENTITIES, entity_drop_rate=2)
    with pytest.raises(ValueError, match=r"`entity_types` are for models that find entities"):
        JointCollator(tokenizer, NAMES, ENTITIES)


# A model's own candidates


def inputs_of(mentions, mask, num_words, **fields):
    """Inputs of two texts with these mentions and all their pairs."""
    num = mentions.shape[1]
    pairs = torch.tensor([[i, j] for i in range(num) for j in range(num) if i != j]).view(-1, 2).expand(2, -1, -1)
    empty = torch.zeros(2, 0, dtype=torch.bool)
    given = {
        "word_mask": torch.arange(max(num_words)) < torch.tensor(num_words).unsqueeze(1),
        "mention_word_spans": mentions,
        "mention_mask": mask,
        "entity_mask": mask,
        "mention_entity": None,
        "pair_index": pairs,
        "pair_mask": mask.gather(1, pairs[..., 0]) & mask.gather(1, pairs[..., 1]),
        "entity_type_mask": torch.ones(2, 1, dtype=torch.bool),
        "relation_mask": empty,
        "types": Types(),
        **fields,
    }
    return Inputs(**{name: given.get(name) for name in Inputs._fields})


def test_candidates_are_likely_spans_that_are_no_mention():
    mentions = torch.tensor([[[0, 2], [2, 3]], [[1, 2], [0, 0]]])
    mask = torch.tensor([[True, True], [True, False]])
    inputs = inputs_of(mentions, mask, [4, 3])
    found = are_mentions(mentions, mask, 8, 2).view(2, 4, 2)
    assert found.nonzero().tolist() == [[0, 0, 1], [0, 2, 0], [1, 1, 0]]
    logits = torch.full((2, 4, 2, 1), 5.0)  # of every span of up to two words
    added = AddedCandidates(SpanFinder(8, 0.0, 2), 0.5, 3)(logits, inputs)
    assert torch.equal(added.mention_word_spans[:, :2], mentions)
    assert torch.equal(added.pair_index[:, :2], inputs.pair_index)
    for row, gold in enumerate(({(0, 2), (2, 3)}, {(1, 2)})):
        spans = [tuple(span) for span in added.mention_word_spans[row, 2:].tolist()]
        assert len(set(spans)) == 3  # the limit
        assert not set(spans) & gold
        assert all(end <= int(inputs.word_mask[row].sum()) for _, end in spans)
    nothing = AddedCandidates(SpanFinder(8, 0.0, 2), 0.5, 3)(-logits, inputs)
    assert torch.equal(nothing.pair_index, inputs.pair_index)
    without_types = inputs._replace(entity_type_mask=torch.tensor([[True], [False]]))
    assert AddedCandidates(SpanFinder(8, 0.0, 2), 0.5, 3)(logits, without_types).mention_mask.sum(1).tolist() == [5, 1]


def test_pairs_of_added_mentions_are_all_that_they_are_in():
    inputs = inputs_of(torch.tensor([[[0, 1], [1, 2]]] * 2), torch.tensor([[True, True], [True, False]]), [4, 4])
    more = with_mentions(inputs, torch.tensor([[[2, 3]]] * 2), torch.tensor([[True], [True]]))
    assert more.pair_index[0].tolist() == [[0, 1], [1, 0], [0, 2], [1, 2], [2, 0], [2, 1]]
    assert more.pair_mask.tolist() == [[True] * 6, [False, False, True, False, True, False]]
    clustered = inputs._replace(mention_entity=torch.zeros(2, 2, dtype=torch.long), entity_mask=torch.ones(2, 1) > 0)
    more = with_mentions(
        clustered._replace(pair_index=inputs.pair_index[:, :0], pair_mask=inputs.pair_mask[:, :0]),
        torch.tensor([[[2, 3]]] * 2),
        torch.tensor([[True], [False]]),
    )
    assert more.mention_entity.tolist() == [[0, 0, 1]] * 2
    assert more.pair_index[0].tolist() == [[0, 1], [1, 0]]
    assert more.pair_mask.tolist() == [[True, True], [False, False]]


@pytest.mark.parametrize("settings", [{}, {"entity_finder": "token"}, SEPARATE, {"pair_selection": "bilinear"}])
def test_what_is_wrongly_found_changes_the_loss_of_relations_alone(make_joint, typed, settings):
    model = make_joint(**settings).eval()
    batch = plain(model.tokenizer)(typed)
    without = model(**batch)
    added = model(**batch, select=AddedCandidates(model.glirel.entity_finder, 0.0, 4))
    num_pairs = batch["pair_index"].shape[1]
    assert added.pair_mask[:, num_pairs:].any(1).all()
    torch.testing.assert_close(added.entity_loss, without.entity_loss)
    assert added.relation_loss > without.relation_loss
    if not settings:  # the sum of what the loss was, and of cells that hold no relation
        new = added.logits[:, num_pairs:][added.pair_mask[:, num_pairs:]]
        expected = without.relation_loss + 0.25 * torch.nn.functional.softplus(new).sum()
        torch.testing.assert_close(added.relation_loss, expected)
    never = model(**batch, select=AddedCandidates(model.glirel.entity_finder, 1.0, 4))
    torch.testing.assert_close(never.loss, without.loss)


def test_labels_that_are_too_few_are_still_refused(make_joint, typed):
    model = make_joint()
    batch = plain(model.tokenizer)(typed)
    batch["labels"] = batch["labels"][:, :1]
    with pytest.raises(ValueError, match=r"`labels` must have the shape"):
        model(**batch)


# Metrics


def test_decoding_takes_the_likeliest_that_do_not_overlap():
    probabilities = torch.zeros(5, 2, 2)
    probabilities[0, 1, 0] = 0.9
    probabilities[1, 0, 1] = 0.8  # within it
    probabilities[2, 1, 1] = 0.7
    probabilities[3, 1, 0] = 0.6  # crosses that
    probabilities[4, 0, 0] = 0.4
    assert [(one.span, one.type) for one in decode(probabilities, 0.3)] == [((0, 2), 0), ((2, 4), 1), ((4, 5), 0)]
    assert [one.span for one in decode(probabilities, 0.75)] == [(0, 2)]
    assert decode(probabilities[:0], 0.3) == []


# Runs


def test_documents_without_relations_teach_entities(make_joint, typed, tmp_path):
    bare = [replace(one, relations=[]) for one in typed]
    collator = plain(make_joint().tokenizer)
    check_signal(RelationDataset(bare), collator)
    with pytest.raises(ValueError, match=r"There is nothing to learn"):
        check_signal(RelationDataset([replace(one, exhaustive=False) for one in bare]), collator)
    silent = document("Ada met Alan", [(0, 1, PERSON)], [])
    write_documents(tmp_path / "some.jsonl", [*typed, silent, replace(silent, exhaustive=False)])
    assert len(select_documents([tmp_path / "some.jsonl"]).train) == 4
    chosen = select_documents([tmp_path / "some.jsonl"], finds_entities=True)
    assert chosen.train == [*typed, silent]
    assert chosen.left_out == {"nothing is known about any pair or entity": 1}


def test_a_model_of_either_kind_is_started(encoder_folder, make_joint, make_model, tmp_path):
    fresh = starting_model(str(encoder_folder), None, system="relex", entity_finder="token")
    assert type(fresh) is GLiRELForJointExtraction
    assert fresh.config.entity_finder == "token"
    make_joint().save_pretrained(tmp_path / "joint")
    make_model().save_pretrained(tmp_path / "other")
    assert type(starting_model(None, str(tmp_path / "joint"))) is GLiRELForJointExtraction
    assert type(starting_model(None, str(tmp_path / "other"))) is type(make_model())


@pytest.mark.slow
def test_wide_entities_are_counted_and_said_once(make_joint, typed, tmp_path, caplog):
    with caplog.at_level("WARNING"):
        trainer = GLiRELTrainer(make_joint(max_entity_width=1), arguments(tmp_path, max_steps=2), train_dataset=typed)
        trainer.train()
    said = [record.getMessage() for record in caplog.records if "mentions have more than" in record.getMessage()]
    assert len(said) == 1
    assert said[0].startswith("3 of 10 mentions have more than the 1 words")


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    [
        {"entity_finder": "span"},
        pytest.param({"entity_finder": "token"}, marks=pytest.mark.sweep),
        pytest.param(SEPARATE, marks=pytest.mark.sweep),
    ],
)
def test_four_texts_are_overfitted(make_joint, typed, tmp_path, settings):
    model = make_joint(**settings)
    args = arguments(
        tmp_path,
        max_steps=200,
        learning_rate=3e-3,
        encoder_learning_rate=3e-3,
        per_device_train_batch_size=4,
        logging_strategy="no",
    )
    collator = plain(model.tokenizer)
    trainer = GLiRELTrainer(model, args, collator, train_dataset=typed, eval_dataset=typed)
    trainer.train()
    metrics = trainer.evaluate()
    assert metrics["eval_best_micro_f1"] == metrics["eval_entity_f1"] == 1.0
    fitted = fit_threshold(model, typed, collator)
    assert fitted["micro_f1"] == fitted["entity_f1"] == 1.0
    assert model.config.entity_threshold == fitted["entity_threshold"]
    model.eval()
    for one in typed:
        batch = model.tokenizer(
            list(one.words), entity_types=ENTITIES, relation_types=NAMES, is_split_into_words=True, padding=True
        )
        with torch.no_grad():
            output = model(**batch)
        spans = [tuple(span) for span in output.mention_word_spans[0].tolist()]
        assert spans == [(mention.start, mention.end) for mention in one.mentions]
        places = (output.logits[0].sigmoid() > model.config.threshold).nonzero().tolist()
        found = {(*output.pair_index[0, pair].tolist(), NAMES[column]) for pair, column in places}
        assert found == {(relation.head, relation.tail, relation.relation_type) for relation in one.relations}


@pytest.mark.slow
def test_candidates_come_after_a_warm_up(make_joint, typed, tmp_path):
    class Spy(GLiRELTrainer):
        def compute_loss(self, model, inputs, *args, **kwargs):
            seen.append((self.state.global_step, self.adds_candidates))
            return super().compute_loss(model, inputs, *args, **kwargs)

    losses = {}
    for share in (0.5, 1.0):
        seen = []
        model = make_joint(entity_threshold=0.0)
        args = arguments(tmp_path, candidates_from=share)
        trainer = Spy(model, args, plain(model.tokenizer), train_dataset=typed)
        trainer.train()
        assert seen == [(step, step >= 4 * share) for step in range(4)]
        losses[share] = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    assert losses[0.5][:2] == losses[1.0][:2]
    assert losses[0.5][2] > losses[1.0][2]


@pytest.mark.slow
def test_a_resumed_run_goes_on_exactly(make_joint, typed, tmp_path):
    def run(checkpoint):
        model = make_joint(dropout=0.2, entity_threshold=0.3)
        collator = JointCollator(model.tokenizer, NAMES, ENTITIES, seed=5)
        args = arguments(
            tmp_path,
            max_steps=6,
            per_device_train_batch_size=2,
            save_strategy="steps",
            save_steps=3,
            learning_rate=1e-3,
            eval_strategy="steps",
            eval_steps=2,
        )
        trainer = GLiRELTrainer(model, args, collator, train_dataset=typed[:3], eval_dataset=typed)
        torch.rand(17 if checkpoint else 3)
        trainer.train(resume_from_checkpoint=checkpoint)
        return {e["step"]: e["loss"] for e in trainer.state.log_history if "loss" in e}

    whole = run(None)
    resumed = run(str(tmp_path / "checkpoint-3"))
    assert {step: loss for step, loss in whole.items() if step > 3} == {s: x for s, x in resumed.items() if s > 3}


@pytest.mark.slow
@pytest.mark.parametrize("collate", ["joint", "relations"])
def test_other_ways_to_train(make_joint, typed, tmp_path, collate):
    """Checkpointed activations, accumulated batches, several evaluations; and relations of given entities alone."""
    model = make_joint()
    enable = getattr(model, "activation_checkpointing_enable", None) or model.gradient_checkpointing_enable
    enable()
    collator = None if collate == "joint" else RelationCollator(model.tokenizer, NAMES)
    args = arguments(tmp_path, candidates_from=0.0, gradient_accumulation_steps=2, per_device_eval_batch_size=3)
    trainer = GLiRELTrainer(model, args, collator, train_dataset=typed, eval_dataset={"a": typed, "b": typed[:1]})
    assert isinstance(trainer.data_collator, JointCollator) is (collate == "joint")
    trainer.train()
    metrics = trainer.evaluate()
    assert ("eval_a_entity_f1" in metrics) is (collate == "joint")
    assert "eval_b_micro_f1" in metrics


@pytest.mark.slow
@pytest.mark.parametrize(
    "start", ["encoder", pytest.param("encoder and label encoder", marks=pytest.mark.sweep), "model"]
)
def test_the_command(encoder_folder, make_joint, typed, tmp_path, start):
    lines = [
        {
            "tokenized_text": list(one.words),
            "ner": [[mention.start, mention.end - 1, mention.label] for mention in one.mentions],
            "relations": [[relation.head, relation.tail, relation.relation_type] for relation in one.relations],
        }
        for one in typed
    ]
    only_entities = {"tokenized_text": ["Ada", "met", "Alan"], "ner": [[0, 0, PERSON], [2, 2, PERSON]]}
    (tmp_path / "train.json").write_text(json.dumps([*lines, only_entities]))
    (tmp_path / "dev.jsonl").write_text("\n".join(map(json.dumps, lines)))
    if start == "model":
        make_joint().save_pretrained(tmp_path / "before")
        options = ["--model", tmp_path / "before"]
    else:
        options = ["--system", "relex", "--encoder", encoder_folder, "--set", "max_entity_width=4"]
        options += ["--label-encoder", encoder_folder] if "label" in start else []
    command = [tmp_path / "train.json", "--eval", tmp_path / "dev.jsonl", "-o", tmp_path / "run", *options]
    command += ["--no-bf16", "--set", "candidates_from=0.5", "--eval-steps", 2, "--max-entity-types", 4]
    result = CliRunner().invoke(app, ["train", *map(str, command), "--max-steps", "4"])
    assert result.exit_code == 0, result.output
    assert "12 entities of 3 types to find" in result.stdout
    if "label" not in start:  # which finds nothing yet
        assert "Entities that it finds: precision" in result.stdout
    state = json.loads((tmp_path / "run" / "checkpoints" / "checkpoint-4" / "trainer_state.json").read_text())
    assert sum("eval_entity_f1" in entry for entry in state["log_history"]) == 2
    model = AutoModel.from_pretrained(tmp_path / "run" / "model")
    assert type(model) is GLiRELForJointExtraction
    assert (model.config.entity_threshold != 0.5) is ("label" not in start)
    assert (model.config.label_encoder_config is not None) is ("label" in start)
    assert model.config.trained_relation_types == ["employer", "spouse", "colleague", "place of birth"]
    assert set(model.config.trained_entity_types) == {PERSON, PLACE, SCHOOL}
    card = (tmp_path / "run" / "model" / "README.md").read_text(encoding="utf-8")
    assert "| trained to find | 3 entity types: author, " in card
    extract = RelationExtractor(str(tmp_path / "run" / "model"))
    found = extract("Marie met Pierre", entities=[(0, 5), (10, 16)], relation_types=["spouse"], threshold=0.0)
    assert len(found) == 2
    longer = CliRunner().invoke(app, ["train", *map(str, command), "--max-steps", "6"])
    assert longer.exit_code == 0, longer.output
    assert "(6 updates" in longer.stdout
