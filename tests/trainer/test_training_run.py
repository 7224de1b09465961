"""Choosing documents, and a whole run of training."""

import json
from collections import Counter

import pytest

from glirel_transformers.data import Document, Mention, Relation, is_held_out, write_documents
from glirel_transformers.trainer import GLiRELTrainingArguments, RelationCollator
from glirel_transformers.trainer.run import (
    check_same_run,
    last_step,
    negative_weights,
    starting_model,
    train_checkpoint,
)
from glirel_transformers.trainer.selection import number_of_copies, select_documents

pytestmark = pytest.mark.slow


def numbered(number, **fields):
    mentions = [Mention(0, 1), Mention(1, 2)]
    return [Document([f"text{i}", "b"], mentions, [Relation(0, 1, "spouse")], **fields) for i in range(number)]


def test_documents_of_a_source_are_repeated_or_thinned():
    texts = numbered(400, source="fewrel.train")
    assert {number_of_copies(text, {}) for text in texts} == {1}
    assert {number_of_copies(text, {"fewrel": 2.0}) for text in texts} == {2}
    assert {number_of_copies(text, {"other": 2.0}) for text in texts} == {1}
    assert 60 < sum(number_of_copies(text, {"fewrel": 0.25}) for text in texts) < 140


def test_every_document_is_chosen_or_counted(tmp_path):
    silent = Document(["Ada", "Alan"], [Mention(0, 1), Mention(1, 2)], [], exhaustive=False)
    texts = [*numbered(100, source="a"), *numbered(100, source="b"), *numbered(10, source="c"), silent]
    write_documents(tmp_path / "all.jsonl", texts)
    chosen = select_documents([tmp_path / "all.jsonl"], held_out=0.3, evaluation_limit=20, repeats={"b": 0.5, "c": 0})
    assert len(chosen.evaluation) == 20
    assert len(chosen.train) + len(chosen.evaluation) + chosen.left_out.total() == len(texts)
    assert chosen.left_out["nothing is known about any pair"] == 1
    assert chosen.left_out["their source is repeated 0 times"] == 10
    assert chosen.num_shared == 0


def test_of_few_documents_none_is_held_out_unless_asked(tmp_path):
    texts = numbered(60)
    held_out = [text for text in texts if is_held_out(text)]
    assert held_out
    write_documents(tmp_path / "few.jsonl", held_out[:1])
    assert select_documents([tmp_path / "few.jsonl"]).train == held_out[:1]
    with pytest.raises(ValueError, match="There is no document to train on"):
        select_documents([tmp_path / "few.jsonl"], held_out=0.05)
    (tmp_path / "none.jsonl").write_text("")
    with pytest.raises(ValueError, match=r"left out are none\. Give more documents\.$"):
        select_documents([tmp_path / "none.jsonl"])
    write_documents(tmp_path / "all.jsonl", texts)
    assert len(select_documents([tmp_path / "all.jsonl"]).evaluation) == len(held_out)


def test_files_to_evaluate_on_stand_in_for_a_held_out_share(tmp_path):
    write_documents(tmp_path / "train.jsonl", numbered(100))
    write_documents(tmp_path / "eval.jsonl", numbered(7))
    chosen = select_documents([tmp_path / "train.jsonl"], [tmp_path / "eval.jsonl"])
    assert (len(chosen.train), len(chosen.evaluation), chosen.num_shared) == (100, 7, 7)
    both = select_documents([tmp_path / "train.jsonl"], [tmp_path / "eval.jsonl"], held_out=0.2)
    assert len(both.train) < 100
    assert len(both.evaluation) == 107 - len(both.train)


def test_nothing_to_train_on_is_an_error(tmp_path):
    write_documents(tmp_path / "train.jsonl", numbered(3))
    with pytest.raises(ValueError, match=r"no document to train on: 3 are for evaluation.*smaller share than 1"):
        select_documents([tmp_path / "train.jsonl"], held_out=1.0)


def test_negatives_follow_frequency_up_to_a_cap():
    counts = Counter({"spouse": 40, "author": 2})
    assert negative_weights(counts, "frequency", 10) == {"spouse": 10, "author": 2}
    assert negative_weights(counts, "uniform", 10) == {"spouse": 1, "author": 1}


def test_a_model_to_continue_from_keeps_its_settings(tmp_path):
    with pytest.raises(ValueError, match="keeps its own settings; leave out scorer, max_length"):
        starting_model(None, str(tmp_path), scorer="dot", dropout=None, max_length=64)
    with pytest.raises(ValueError, match="so it is not a checkpoint"):
        starting_model(None, str(tmp_path))


def test_a_run_with_other_settings_is_not_continued(tmp_path):
    settings = {"batch_size": 8, "max_steps": 10}
    check_same_run(tmp_path, settings, ("max_steps",))
    check_same_run(tmp_path, {**settings, "batch_size": 4}, ("max_steps",))  # nothing was trained yet
    for step in (5, 9, 10):
        (tmp_path / "checkpoints" / f"checkpoint-{step}").mkdir(parents=True)
    assert last_step(tmp_path) is None
    (tmp_path / "checkpoints" / "checkpoint-5" / "trainer_state.json").write_text('{"global_step": 5}')
    (tmp_path / "checkpoints" / "checkpoint-9" / "trainer_state.json").write_text(
        '{"global_st'
    )  # stopped while saving
    assert last_step(tmp_path) == 5
    check_same_run(tmp_path, {"batch_size": 4, "max_steps": 20}, ("max_steps",))
    with pytest.raises(ValueError, match=r"batch_size was 4 and is now 16.*another folder"):
        check_same_run(tmp_path, {"batch_size": 16, "max_steps": 20}, ("max_steps",))
    assert json.loads((tmp_path / "run.json").read_text()) == {"batch_size": 4, "max_steps": 20}


def test_a_finished_run_is_not_trained_further_and_can_be_prolonged(make_model, documents, tmp_path):
    def run(max_steps, evaluation=documents):
        model = make_model()
        args = GLiRELTrainingArguments(
            output_dir=str(tmp_path / "checkpoints"),
            max_steps=max_steps,
            report_to=[],
            save_steps=2,
            disable_tqdm=True,
        )
        collator = RelationCollator(model.tokenizer, ["spouse", "employer"])
        return train_checkpoint(model, documents, evaluation, collator, args, tmp_path / "model")

    first, again, further = run(2), run(2), run(3)
    assert (first.steps, again.steps, further.steps) == (2, 2, 3)
    assert (first.was_finished, again.was_finished, further.was_finished) == (False, True, False)
    assert first.metrics == again.metrics
    assert first.threshold == again.threshold != 0.5
    assert last_step(tmp_path) == 3


def test_a_threshold_that_cannot_be_fitted_is_told_and_not_an_error(make_model, documents, tmp_path):
    model = make_model()
    args = GLiRELTrainingArguments(output_dir=str(tmp_path / "checkpoints"), max_steps=1, report_to=[])
    collator = RelationCollator(model.tokenizer, ["spouse", "employer"])
    nothing = [Document(["Ada", "met", "Alan"], [Mention(0, 1), Mention(2, 3)], [])]
    result = train_checkpoint(model, documents, nothing, collator, args, tmp_path / "model")
    assert (result.metrics, result.threshold) == (None, 0.5)
    assert "no relation holds" in result.note
    assert (tmp_path / "model" / "model.safetensors").exists()
