import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import EarlyStoppingCallback, TrainingArguments

from glirel_transformers import GLiRELForRelationClassification, GLiRELTokenizer
from glirel_transformers.data import Document, Mention, Relation, load_documents, write_documents
from glirel_transformers.trainer import GLiRELTrainer, GLiRELTrainingArguments, RelationCollator, fit_threshold

pytestmark = pytest.mark.slow

NAMES = ["place of birth", "spouse", "employer", "colleague", "capital", *(f"r{i}" for i in range(10))]


def arguments(folder, **settings):
    defaults = {"max_steps": 4, "report_to": [], "save_strategy": "no", "logging_steps": 1, "disable_tqdm": True}
    return GLiRELTrainingArguments(output_dir=str(folder), **{**defaults, **settings})


def losses(trainer):
    return {entry["step"]: entry["loss"] for entry in trainer.state.log_history if "loss" in entry}


def weights(model):
    return {name: parameter.detach().clone() for name, parameter in model.named_parameters()}


def assert_close(left, right, tolerance):
    for name in left:
        torch.testing.assert_close(left[name], right[name], atol=tolerance, rtol=0, msg=lambda text, n=name: n + text)


def test_the_defaults_are_those_of_the_paper(tmp_path):
    args = GLiRELTrainingArguments(output_dir=str(tmp_path))
    assert (args.learning_rate, args.encoder_learning_rate) == (1e-4, 1e-5)
    assert (args.lr_scheduler_type, args.get_warmup_steps(20_000)) == ("cosine", 2000)
    assert (args.per_device_train_batch_size, args.max_steps) == (8, -1)
    assert "adamw" in str(args.optim.value)


def test_the_checkpoint_records_what_it_was_trained_on(make_model, documents, tmp_path):
    model = make_model()
    GLiRELTrainer(model, arguments(tmp_path, max_steps=1), train_dataset=documents[:2]).train()
    assert model.config.trained_relation_types == ["spouse", "capital", "employer", "place of birth"]
    GLiRELTrainer(model, arguments(tmp_path, max_steps=1), train_dataset=documents).train()
    assert model.config.trained_relation_types == ["spouse", "capital", "employer", "place of birth", "colleague"]
    other = make_model()
    settings = arguments(tmp_path, max_steps=1, record_relation_types=False)
    GLiRELTrainer(other, settings, train_dataset=documents).train()
    assert other.config.trained_relation_types is None


def test_training_drops_a_calibration_of_the_old_weights(make_model, documents, tmp_path, caplog):
    model = make_model()
    model.config.calibration = {"temperature": 2.0}
    GLiRELTrainer(model, arguments(tmp_path, max_steps=1), train_dataset=documents[:2]).train()
    assert model.config.calibration is None
    assert "its `calibration` is dropped" in caplog.text


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"encoder_learning_rate": -1}, "`encoder_learning_rate` must not be negative: got -1"),
        ({"remove_unused_columns": True}, "`remove_unused_columns` must be False for GLiREL: got True"),
        ({"batch_eval_metrics": False}, "`batch_eval_metrics` must be True for GLiREL: got False"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(tmp_path, settings, message):
    with pytest.raises(ValueError, match=message):
        arguments(tmp_path, **settings)


def test_stock_arguments_are_refused(make_model, documents, tmp_path):
    with pytest.raises(TypeError, match="`args` must be GLiRELTrainingArguments: got TrainingArguments"):
        GLiRELTrainer(make_model(), TrainingArguments(output_dir=str(tmp_path)), train_dataset=documents)


def test_four_groups_each_with_its_rate_and_decay(make_model, documents, tmp_path):
    model = make_model(num_pair_refinement_layers=1)
    args = arguments(
        tmp_path, learning_rate=1e-3, encoder_learning_rate=1e-4, weight_decay=0.1, encoder_weight_decay=0.01
    )
    groups = GLiRELTrainer(model, args, train_dataset=documents).create_optimizer().param_groups
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    found = {(group["lr"], group["weight_decay"]): [names[id(p)] for p in group["params"]] for group in groups}
    assert set(found) == {(1e-3, 0.1), (1e-3, 0.0), (1e-4, 0.01), (1e-4, 0.0)}
    assert sorted(name for group in found.values() for name in group) == sorted(names.values())
    for (rate, decay), members in found.items():
        assert all(name.startswith("glirel.encoder.") == (rate == 1e-4) for name in members)
        assert all((name.endswith("bias") or "norm" in name.lower()) == (decay == 0.0) for name in members)


def test_four_examples_can_be_overfitted(make_model, documents, tmp_path):
    args = arguments(tmp_path, max_steps=80, learning_rate=3e-3, encoder_learning_rate=3e-3, logging_steps=20)
    model = make_model(dropout=0.0, scorer="dot_norm")
    collator = RelationCollator(model.tokenizer, NAMES, random_drop=0.0, max_relation_types=10)
    trainer = GLiRELTrainer(model, args, collator, train_dataset=documents, eval_dataset=documents)
    trainer.train()
    metrics = trainer.evaluate()
    assert metrics["eval_loss"] < 0.02
    assert metrics["eval_micro_f1"] == metrics["eval_macro_f1"] == 1.0
    assert fit_threshold(model, documents, collator)["micro_f1"] == 1.0


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({}, marks=pytest.mark.sweep),
        {"gradient_accumulation_steps": 2, "train_sampling_strategy": "group_by_length"},
    ],
)
def test_a_resumed_run_goes_on_exactly_as_the_whole_one(make_model, documents, tmp_path, settings):
    """Seven documents in batches of two: step 5 lies within the second epoch, and dropout is on."""
    many = [*documents, *documents[:3]]
    common = {
        "max_steps": 10,
        "per_device_train_batch_size": 2,
        "save_strategy": "steps",
        "save_steps": 5,
        "learning_rate": 1e-3,
        "logging_nan_inf_filter": False,
        "eval_strategy": "steps",
        "eval_steps": 2,
        **settings,
    }

    def run(checkpoint):
        model = make_model()
        collator = RelationCollator(model.tokenizer, NAMES, max_relation_types=6, seed=5)
        args = arguments(tmp_path, **common)
        trainer = GLiRELTrainer(model, args, collator, train_dataset=many, eval_dataset=documents)
        torch.rand(17 if checkpoint else 3)  # whatever happened before must not matter
        trainer.train(resume_from_checkpoint=checkpoint)
        return trainer

    whole = run(None)
    resumed = run(str(tmp_path / "checkpoint-5"))
    assert {step: losses(whole)[step] for step in range(6, 11)} == {
        step: loss for step, loss in losses(resumed).items() if step > 5
    }
    assert_close(weights(whole.model), weights(resumed.model), 0)


def test_accumulated_batches_update_as_one_large_batch_does(make_model, documents, tmp_path):
    same = [documents[0], documents[3]] * 4  # two mentions each, so that all batches have as many cells

    def run(batch_size, accumulate):
        model = make_model(dropout=0.0)
        model.glirel.encoder.config.hidden_dropout_prob = 0.0
        for module in model.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
        collator = RelationCollator(model.tokenizer, NAMES, max_relation_types=6, random_drop=0.0)
        args = arguments(
            tmp_path,
            max_steps=2,
            per_device_train_batch_size=batch_size,
            gradient_accumulation_steps=accumulate,
            learning_rate=1e-3,
            optim="sgd",
            warmup_steps=0,
        )
        trainer = GLiRELTrainer(model, args, collator, train_dataset=same)
        trainer.train()
        return trainer

    large, small = run(8, 1), run(2, 4)
    assert losses(small) == pytest.approx(losses(large), rel=1e-5)
    assert_close(weights(large.model), weights(small.model), 1e-6)


def test_bf16_trains_and_keeps_float32_weights(make_model, documents, tmp_path):
    trainer = GLiRELTrainer(
        make_model(), arguments(tmp_path, bf16=True), train_dataset=documents, eval_dataset=documents
    )
    trainer.train()
    assert all(torch.tensor(loss).isfinite() for loss in losses(trainer).values())
    assert {p.dtype for p in trainer.model.parameters()} == {torch.float32}
    assert torch.tensor(trainer.evaluate()["eval_loss"]).isfinite()


def test_gradient_checkpointing_trains(make_model, documents, tmp_path):
    model = make_model()
    enable = getattr(model, "activation_checkpointing_enable", None) or model.gradient_checkpointing_enable
    enable()
    trainer = GLiRELTrainer(model, arguments(tmp_path, max_steps=2), train_dataset=documents)
    trainer.train()
    assert len(losses(trainer)) == 2


def test_every_epoch_draws_anew(make_model, documents, tmp_path):
    class Spy(RelationCollator):
        def __call__(self, examples):
            seen.update((example.epoch, example.index) for example in examples)
            return super().__call__(examples)

    seen = set()
    model = make_model()
    args = arguments(tmp_path, max_steps=6, per_device_train_batch_size=2)
    GLiRELTrainer(model, args, Spy(model.tokenizer, NAMES), train_dataset=documents).train()
    assert seen == {(epoch, index) for epoch in range(3) for index in range(4)}


def test_evaluation_is_repeatable_and_takes_several_sets(make_model, documents, tmp_path):
    trainer = GLiRELTrainer(
        make_model(),
        arguments(tmp_path, per_device_eval_batch_size=3),
        train_dataset=documents,
        eval_dataset={"all": documents, "one": documents[:1]},
    )
    first, second = trainer.evaluate(), trainer.evaluate()
    assert {"eval_all_loss", "eval_all_macro_f1", "eval_one_loss", "eval_one_micro_recall"} <= set(first)
    stable = [name for name in first if name.endswith(("loss", "f1", "recall", "precision"))]
    assert {name: first[name] for name in stable} == {name: second[name] for name in stable}
    predictions = trainer.predict(documents)
    assert len(predictions.predictions) == 4
    assert "test_macro_f1" in predictions.metrics


def test_early_stopping_and_the_best_model_at_the_end(make_model, documents, tmp_path):
    args = arguments(
        tmp_path,
        max_steps=40,
        learning_rate=1e-2,
        encoder_learning_rate=0.0,
        save_strategy="steps",
        save_steps=2,
        eval_strategy="steps",
        eval_steps=2,
        load_best_model_at_end=True,
        metric_for_best_model="eval_loss",
        save_total_limit=2,
    )
    callback = EarlyStoppingCallback(early_stopping_patience=1)
    trainer = GLiRELTrainer(make_model(), args, train_dataset=documents, eval_dataset=documents, callbacks=[callback])
    trainer.train()
    history = [entry["eval_loss"] for entry in trainer.state.log_history if "eval_loss" in entry]
    assert trainer.evaluate()["eval_loss"] == pytest.approx(min(history), rel=1e-5)
    assert len(history) == 20 or history[-1] >= min(history)


def test_the_saved_folder_is_whole(make_model, documents, tmp_path):
    trainer = GLiRELTrainer(make_model(), arguments(tmp_path / "run"), train_dataset=documents)
    trainer.train()
    trainer.save_model(str(tmp_path / "model"))
    package = Path(__file__).parents[2] / "glirel_transformers"
    saved = {path.name for path in (tmp_path / "model").iterdir()}
    assert {path.name for path in package.glob("*_glirel.py")} <= saved
    assert {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "README.md"} <= saved
    config = json.loads((tmp_path / "model" / "config.json").read_text())
    assert {"auto_map", "custom_pipelines"} <= set(config)
    loaded = GLiRELForRelationClassification.from_pretrained(tmp_path / "model")
    assert_close(weights(trainer.model), weights(loaded), 0)
    assert isinstance(loaded.tokenizer, GLiRELTokenizer)


def test_the_model_card_keeps_its_usage_and_tells_of_the_training(make_model, documents, tmp_path):
    args = arguments(tmp_path / "mine", hub_model_id="someone/relations", eval_strategy="steps", eval_steps=2)
    trainer = GLiRELTrainer(make_model(), args, train_dataset=documents, eval_dataset=documents)
    trainer.train()
    trainer.save_model()
    for _ in range(2):  # writing it again changes nothing
        trainer.create_model_card(license="apache-2.0", tags="relations", dataset="FewRel")
        card = (tmp_path / "mine" / "README.md").read_text()
        assert 'model="someone/relations", trust_remote_code=True' in card
        assert card.count("## Training procedure") == 1
        assert "learning_rate: 0.0001" in card
        assert "license: apache-2.0" in card
        assert card.count("- relations\n") == card.count("- zero-shot\n") == 1


def test_tensorboard_is_written(make_model, documents, tmp_path):
    pytest.importorskip("tensorboard")
    args = arguments(tmp_path, report_to=["tensorboard"], max_steps=2)
    GLiRELTrainer(make_model(), args, train_dataset=documents).train()
    assert list(tmp_path.rglob("events.out.tfevents.*"))


def test_both_learning_rates_are_logged(make_model, documents, tmp_path):
    trainer = GLiRELTrainer(make_model(), arguments(tmp_path), train_dataset=documents)
    trainer.train()
    entries = [entry for entry in trainer.state.log_history if "learning_rate" in entry]
    assert entries
    assert all(e["encoder_learning_rate"] == pytest.approx(e["learning_rate"] / 10) for e in entries)


def test_out_of_memory_is_raised(make_model, documents, tmp_path, monkeypatch):
    def fail(*_, **__):
        raise torch.OutOfMemoryError("out of memory")

    model = make_model()
    monkeypatch.setattr(model.glirel, "encode", fail)
    with pytest.raises(torch.OutOfMemoryError):
        GLiRELTrainer(model, arguments(tmp_path), train_dataset=documents).train()


def test_a_loss_that_is_no_number_is_an_error(make_model, documents, tmp_path, monkeypatch):
    import glirel_transformers.losses_glirel as losses

    monkeypatch.setattr(losses.RelationLoss, "__call__", lambda self, logits, *_: logits.mean() * float("nan"))
    with pytest.raises(ValueError, match="The training loss is nan at step 1: training diverged"):
        GLiRELTrainer(make_model(), arguments(tmp_path), train_dataset=documents).train()


def test_a_datasets_dataset_trains_as_the_list_does(make_model, documents, tmp_path):
    write_documents(tmp_path / "documents.jsonl", documents)
    rows = load_documents(tmp_path / "documents.jsonl")
    trainers = [GLiRELTrainer(make_model(), arguments(tmp_path), train_dataset=data) for data in (documents, rows)]
    for trainer in trainers:
        torch.manual_seed(1)
        trainer.train()
    assert losses(trainers[0]) == losses(trainers[1])


def test_without_data_there_is_no_collator(make_model, tmp_path):
    with pytest.raises(ValueError, match="Without a `data_collator`, GLiRELTrainer makes one from `train_dataset`"):
        GLiRELTrainer(make_model(), arguments(tmp_path))


def test_epochs_mean_epochs_and_the_paper_takes_20_000_steps(tmp_path):
    args = GLiRELTrainingArguments(output_dir=str(tmp_path), num_train_epochs=3)
    assert (args.max_steps, args.num_train_epochs) == (-1, 3)
    assert GLiRELTrainingArguments.paper(str(tmp_path)).max_steps == 20_000
    assert GLiRELTrainingArguments.paper(str(tmp_path), max_steps=5).max_steps == 5


def test_smoothed_labels_are_refused(tmp_path):
    with pytest.raises(ValueError, match="`label_smoothing_factor` is for classes that exclude each other"):
        GLiRELTrainingArguments(output_dir=str(tmp_path), label_smoothing_factor=0.1)


@pytest.mark.parametrize("with_collator", [False, True])
def test_documents_without_a_relation_are_refused(make_model, documents, tmp_path, with_collator):
    model = make_model()
    bare = [replace(document, relations=[]) for document in documents]
    collator = RelationCollator(model.tokenizer, ["spouse"]) if with_collator else None
    args = GLiRELTrainingArguments(output_dir=str(tmp_path), max_steps=1, report_to=[])

    def train():
        GLiRELTrainer(model=model, args=args, train_dataset=bare, data_collator=collator).train()

    with pytest.raises(ValueError, match=r"There is nothing to learn: none of the .* documents has a relation"):
        train()


def far_apart(num_words):
    words = ["Ada", *["met"] * num_words, "Alan"]
    mentions = [Mention(0, 1), Mention(num_words + 1, num_words + 2)]
    return Document(words, mentions, [Relation(0, 1, "spouse")])


@pytest.mark.parametrize("random_drop", [0.0, 0.5])
def test_relations_that_no_window_holds_are_nothing_to_learn_from(make_model, tmp_path, random_drop):
    model = make_model()
    collator = RelationCollator(model.tokenizer, ["spouse", "r0"], random_drop=random_drop, too_long="window")
    with pytest.raises(ValueError, match=r"none of the 3 relations is read: .* reads 128 tokens"):
        GLiRELTrainer(model, arguments(tmp_path), collator, train_dataset=[far_apart(500)] * 3).train()
    some = [far_apart(500), far_apart(100)]
    GLiRELTrainer(model, arguments(tmp_path, max_steps=1), collator, train_dataset=some).train()


def test_what_leaves_room_for_a_relation_depends_on_the_types_next_to_it(make_model, tmp_path):
    model = make_model()
    names = ["spouse", *(f"r{i} " * 10 for i in range(8))]
    documents = [far_apart(100)]
    collator = RelationCollator(model.tokenizer, names, random_drop=0.0, too_long="window")
    with pytest.raises(ValueError, match="none of the 1 relations is read"):
        GLiRELTrainer(model, arguments(tmp_path), collator, train_dataset=documents).train()
    collator = RelationCollator(model.tokenizer, names, random_drop=0.5, too_long="window")
    GLiRELTrainer(model, arguments(tmp_path, max_steps=1), collator, train_dataset=documents).train()


def test_a_type_that_cannot_be_asked_for_is_refused_before_training(make_model, documents, tmp_path):
    model = make_model()
    empty = replace(documents[0], relations=[Relation(0, 1, "\u200b")])
    with pytest.raises(ValueError, match="of which the tokenizer keeps nothing"):
        GLiRELTrainer(model, arguments(tmp_path), train_dataset=[*documents, empty])
    collator = RelationCollator(model.tokenizer, ["spouse"])
    with pytest.raises(ValueError, match="of which the tokenizer keeps nothing"):
        GLiRELTrainer(model, arguments(tmp_path), collator, train_dataset=[*documents, empty]).train()


ONE_WAY = Document(["Ada", "met", "Alan"], [Mention(0, 1), Mention(2, 3)], [Relation(0, 1, "met")], exhaustive=False)


def test_one_relation_type_without_any_negative_is_refused(make_model, tmp_path):
    model = make_model()
    both_ways = replace(ONE_WAY, relations=[Relation(0, 1, "met"), Relation(1, 0, "met")], exhaustive=True)
    with pytest.raises(
        ValueError, match=r"There is nothing to learn: every pair .* has every relation type \(1, such"
    ):
        GLiRELTrainer(model, arguments(tmp_path), train_dataset=[ONE_WAY, both_ways])
    collator = RelationCollator(model.tokenizer, ["met"])
    with pytest.raises(ValueError, match=r"a model would learn to say yes to everything"):
        GLiRELTrainer(model, arguments(tmp_path), collator, train_dataset=[ONE_WAY]).train()


@pytest.mark.parametrize(
    ("documents", "asked"),
    [
        ([replace(ONE_WAY, exhaustive=True)], ["met"]),  # Alan did not meet Ada
        ([ONE_WAY], ["met", "spouse"]),
        ([ONE_WAY, replace(ONE_WAY, relations=[Relation(0, 1, "spouse")])], ["met"]),
    ],
)
def test_one_negative_is_enough(make_model, tmp_path, documents, asked):
    model = make_model()
    collator = RelationCollator(model.tokenizer, asked, random_drop=0.0)
    GLiRELTrainer(model, arguments(tmp_path, max_steps=1), collator, train_dataset=documents).train()


@pytest.mark.parametrize(
    ("given", "name"), [((one for one in [ONE_WAY]), "generator"), ("a.jsonl", "str"), ({}, "dict")]
)
def test_what_is_not_a_list_of_documents_is_refused(make_model, tmp_path, given, name):
    with pytest.raises(TypeError, match=rf"a list of documents, or a dataset with a length: got a {name}"):
        GLiRELTrainer(make_model(), arguments(tmp_path), train_dataset=given)
