"""`glirel train`."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from . import train_options as options
from .console import console, errors_without_traceback, interruptible, is_main_process
from .train_report import describe, explain_how_to_go_on, report

if TYPE_CHECKING:
    from glirel_transformers.trainer.run import TrainingResult
    from glirel_transformers.trainer.selection import Selection

# Settings that may differ when a stopped run goes on: they do not change what was trained so far.
_CHANGEABLE = (
    "max_steps",
    "epochs",
    "eval_steps",
    "patience",
    "threshold_average",
    "workers",
    "compile",
)
# Options that are fields of GLiRELConfig for a fresh model.
_HEAD = (
    "scorer",
    "hidden_size",
    "dropout",
    "loss_function",
    "focal_alpha",
    "focal_gamma",
    "positive_weight",
    "negative_weight",
    "subtoken_pooling",
    "relation_representation",
    "mention_representation",
    "num_pair_refinement_layers",
    "num_relation_refinement_layers",
    "use_lstm",
    "entity_markers",
    "coreference_label",
    "shared_relation_positions",
)


def train(
    ctx: typer.Context,
    data: options.DataFiles,
    output: options.Output,
    eval_files: options.EvaluationFiles = None,
    held_out: options.HeldOut = None,
    eval_limit: options.EvaluationLimit = 1000,
    max_per_relation: options.MaxPerRelation = None,
    repeat: options.Repeat = None,
    encoder: options.Encoder = None,
    model: options.Model = None,
    scorer: options.Scorer = None,
    hidden_size: options.HiddenSize = None,
    dropout: options.Dropout = None,
    loss_function: options.Loss = None,
    focal_alpha: options.FocalAlpha = None,
    focal_gamma: options.FocalGamma = None,
    positive_weight: options.PositiveWeight = None,
    negative_weight: options.NegativeWeight = None,
    subtoken_pooling: options.SubtokenPooling = None,
    relation_representation: options.RelationRepresentation = None,
    mention_representation: options.MentionRepresentation = None,
    num_pair_refinement_layers: options.PairRefinement = None,
    num_relation_refinement_layers: options.RelationRefinement = None,
    use_lstm: options.Lstm = None,
    entity_markers: options.EntityMarkers = None,
    coreference_label: options.CoreferenceLabel = None,
    shared_relation_positions: options.SharedPositions = None,
    max_length: options.MaxLength = None,
    max_relation_types: options.MaxRelationTypes = 25,
    random_drop: options.RandomDrop = 0.5,
    negatives: options.Negatives = "frequency",
    stand_ins: options.StandIns = None,
    no_record_types: options.NoRecordTypes = False,
    learning_rate: options.LearningRate = 1e-4,
    encoder_learning_rate: options.EncoderLearningRate = 1e-5,
    weight_decay: options.WeightDecay = 0.01,
    encoder_weight_decay: options.EncoderWeightDecay = 0.01,
    frozen_layers: options.FrozenLayers = 0,
    batch_size: options.BatchSize = 8,
    accumulate: options.Accumulate = 1,
    max_steps: options.MaxSteps = 20_000,
    epochs: options.Epochs = None,
    seed: options.Seed = 0,
    eval_steps: options.EvaluationSteps = 500,
    keep_best: options.KeepBest = True,
    patience: options.Patience = None,
    threshold_average: options.ThresholdAverage = "micro",
    bf16: options.Bf16 = True,
    compile: options.Compile = False,
    workers: options.Workers = 0,
) -> None:
    """Train a model on annotated documents, or continue to train one.

    A document is one JSON object a line: its words, its mentions as half-open word spans, and its relations. The
    defaults are those of the GLiREL paper (Table 4). **A stopped run goes on when the same command is given again.**

    For example:

        glirel train labelled.jsonl -o runs/mine --max-steps 100

        glirel train train.jsonl.xz -o runs/new -e microsoft/deberta-v3-small --scorer dot_norm

        accelerate launch -m glirel_transformers.cli train train.jsonl.xz -o runs/new
    """
    settings = dict(ctx.params)
    with errors_without_traceback(), interruptible(partial(explain_how_to_go_on, output)):
        result = _run(settings)
    if result.is_main_process:
        report(result)


def _run(settings: dict[str, Any]) -> TrainingResult:
    from transformers import set_seed
    from transformers.utils import logging

    from glirel_transformers.checkpoints import model_name
    from glirel_transformers.extras import require_extra
    from glirel_transformers.trainer.run import (
        CONTENTS,
        MODEL,
        check_same_run,
        digest_of,
        starting_model,
        train_checkpoint,
    )
    from glirel_transformers.trainer.selection import select_documents

    logging.disable_progress_bar()  # of loading and saving; training has its own
    require_extra("train", "accelerate", "tensorboard")
    if settings["encoder"] is not None and settings["model"] is not None:
        raise ValueError("--encoder starts a fresh model and --model continues one. Give one of the two.")
    if settings["encoder"] is None:
        settings["model"] = model_name(settings["model"])
    repeats = dict(map(parse_repeat, settings["repeat"] or []))
    if is_main_process():
        contents = digest_of([*settings["data"], *(settings["eval_files"] or ())])
        noted = json.loads(json.dumps({**settings, CONTENTS: contents}, default=str))
        check_same_run(settings["output"], noted, _CHANGEABLE)
    set_seed(settings["seed"])
    chosen = select_documents(
        settings["data"],
        settings["eval_files"] or (),
        held_out=settings["held_out"],
        evaluation_limit=settings["eval_limit"],
        repeats=repeats,
    )
    model = starting_model(
        settings["encoder"],
        settings["model"],
        max_length=settings["max_length"],
        **{name: settings[name] for name in _HEAD},
    )
    describe(chosen, settings)
    return train_checkpoint(
        model,
        chosen.train,
        chosen.evaluation,
        _make_collator(model, chosen, settings),
        _training_arguments(settings, evaluates=bool(chosen.evaluation)),
        settings["output"] / MODEL,
        patience=settings["patience"],
        threshold_average=settings["threshold_average"],
    )


def parse_repeat(text: str) -> tuple[str, float]:
    """A source and its factor, from `SOURCE=FACTOR`.

    Raises:
        ValueError: when it is anything else.
    """
    prefix, _, factor = text.rpartition("=")
    try:
        number = float(factor)
    except ValueError:
        number = -1
    if not prefix or not 0 <= number < float("inf"):
        raise ValueError(f"--repeat is {text!r}. Write SOURCE=FACTOR with a factor of at least 0, such as fewrel64=2.")
    return prefix, number


def _read_stand_ins(file: Path) -> dict[str, Any]:
    from glirel_transformers.files import read_json_object

    return dict(read_json_object(file))


def _make_collator(model: Any, chosen: Selection, settings: dict[str, Any]) -> Any:
    from glirel_transformers.data import count_relation_types
    from glirel_transformers.trainer import RelationCollator
    from glirel_transformers.trainer.run import negative_weights

    counts = count_relation_types(chosen.train)
    if is_main_process():
        console.print(
            f"{len(chosen.train):,} documents, {counts.total():,} relations of {len(counts):,} types to train on"
        )
    if not counts:
        raise ValueError(
            f"There is nothing to learn: none of the {len(chosen.train):,} documents has a relation. Give some "
            "with 'relations'."
        )
    file = settings["stand_ins"]
    return RelationCollator(
        model.tokenizer,
        negative_weights(counts, settings["negatives"], settings["max_per_relation"]),
        max_relation_types=settings["max_relation_types"],
        random_drop=settings["random_drop"],
        seed=settings["seed"],
        stand_ins=_read_stand_ins(file) if file else None,
        coreference_label=model.config.coreference_label,
        too_long="window",
    )


def _training_arguments(settings: dict[str, Any], evaluates: bool) -> Any:
    import torch

    from glirel_transformers.trainer import GLiRELTrainingArguments
    from glirel_transformers.trainer.run import CHECKPOINTS

    counts_epochs = settings["epochs"] is not None
    # A run that is shorter than this is evaluated and saved at its end.
    eval_steps = settings["eval_steps"] if counts_epochs else min(settings["eval_steps"], settings["max_steps"])
    return GLiRELTrainingArguments(
        output_dir=str(settings["output"] / CHECKPOINTS),
        max_steps=-1 if counts_epochs else settings["max_steps"],
        num_train_epochs=settings["epochs"] or 3.0,
        per_device_train_batch_size=settings["batch_size"],
        per_device_eval_batch_size=2 * settings["batch_size"],
        gradient_accumulation_steps=settings["accumulate"],
        learning_rate=settings["learning_rate"],
        encoder_learning_rate=settings["encoder_learning_rate"],
        weight_decay=settings["weight_decay"],
        encoder_weight_decay=settings["encoder_weight_decay"],
        num_frozen_encoder_layers=settings["frozen_layers"],
        max_per_relation=settings["max_per_relation"],
        record_relation_types=not settings["no_record_types"],
        train_sampling_strategy="group_by_length",
        use_cpu=not torch.accelerator.is_available(),
        bf16=settings["bf16"],
        torch_compile=settings["compile"],
        dataloader_num_workers=settings["workers"],
        logging_steps=25,
        eval_strategy="steps" if evaluates else "no",
        eval_steps=eval_steps,
        save_steps=eval_steps,
        save_total_limit=2,
        load_best_model_at_end=evaluates and settings["keep_best"],
        metric_for_best_model="eval_loss" if evaluates else None,
        report_to=["tensorboard"],
        seed=settings["seed"],
    )
