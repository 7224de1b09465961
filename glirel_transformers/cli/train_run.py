"""The work of `glirel train`, once its options are checked."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, get_type_hints

import torch
from transformers import set_seed
from transformers.utils import logging

from glirel_transformers.checkpoints import model_name
from glirel_transformers.configuration_glirel import GLiRELConfig
from glirel_transformers.data import count_entity_types, count_relation_types
from glirel_transformers.extras import require_extra
from glirel_transformers.files import check_not_an_input, read_json_object
from glirel_transformers.heads_glirel import GLiRELHead
from glirel_transformers.trainer import GLiRELTrainingArguments, JointCollator, RelationCollator
from glirel_transformers.trainer.collator import pairs_entities
from glirel_transformers.trainer.run import (
    CHECKPOINTS,
    CONTENTS,
    MODEL,
    SETTINGS,
    TrainingResult,
    check_same_run,
    digest_of,
    negative_weights,
    starting_model,
    train_checkpoint,
)
from glirel_transformers.trainer.selection import Selection, select_documents

from .console import console, is_main_process
from .overrides import read_overrides
from .train_options import TrainSettings
from .train_report import describe

# Settings that may differ when a stopped run is resumed: they do not change what was trained so far.
_CHANGEABLE = ("max_steps", "epochs", "eval_steps", "patience", "threshold_average")
_CHANGEABLE_ARGUMENTS = ("torch_compile", "dataloader_num_workers", "logging_steps", "report_to")
# Fields that follow from the data and the run.
_FIXED = (
    *("encoder_config", "label_encoder_config", "trained_relation_types", "trained_entity_types", "original_config"),
    "output_dir",
)


@dataclass(frozen=True)
class Plan:
    """The settings of a run.

    Args:
        settings: the options.
        head: fields of a fresh model's [`GLiRELConfig`] that `--set` gives.
        arguments: fields of [`GLiRELTrainingArguments`] that it gives.
    """

    settings: TrainSettings
    head: Mapping[str, object]
    arguments: Mapping[str, object]


def make_plan(settings: TrainSettings, overrides: Mapping[str, str]) -> Plan:
    """Reads `--set` by the types of the fields.

    Raises:
        ValueError: when there is no such field, or a value is not of its type.
    """
    fields = [
        {name: kind for name, kind in kinds.items() if name not in _FIXED}
        for kinds in (inspect.get_annotations(GLiRELConfig, eval_str=True), get_type_hints(GLiRELTrainingArguments))
    ]
    head, arguments = read_overrides(overrides, *fields)
    return Plan(settings, head, arguments)


def run(settings: TrainSettings, overrides: Mapping[str, str], repeats: Mapping[str, float]) -> TrainingResult:
    """Trains, or resumes a run that was stopped.

    Args:
        settings: the options.
        overrides: fields and their values as text, from `--set`.
        repeats: how often an epoch visits the documents of a source.
    """
    logging.disable_progress_bar()  # of loading and saving; training has its own
    require_extra("train", "accelerate", "tensorboard")
    plan = make_plan(settings, overrides)
    settings = plan.settings
    if settings.encoder is None:
        settings = replace(settings, model=model_name(settings.model))
        plan = replace(plan, settings=settings)
    read = [*_files(settings), settings.model, settings.encoder]
    for part in (MODEL, CHECKPOINTS, SETTINGS):
        check_not_an_input(settings.output / part, read)
    if is_main_process():
        check_same_run(settings.output, _noted(plan), _CHANGEABLE)
    set_seed(settings.seed)
    model = starting_model(
        settings.encoder,
        settings.model,
        label_encoder=settings.label_encoder,
        system=settings.system,
        max_length=settings.max_length,
        scorer=settings.scorer,
        hidden_size=settings.hidden_size,
        **plan.head,
    )
    chosen = select_documents(
        settings.data,
        settings.eval_files or (),
        held_out=settings.held_out,
        evaluation_limit=settings.eval_limit,
        repeats=repeats,
        finds_entities=model.config.finds_entities,
        reader=settings.reader,
        exhaustive=settings.exhaustive,
        alignment=settings.alignment,
    )
    describe(chosen, settings, int(str(plan.arguments.get("gradient_accumulation_steps", 1))))
    args = _training_arguments(plan, evaluates=bool(chosen.evaluation))
    result = train_checkpoint(
        model,
        chosen.train,
        chosen.evaluation,
        _make_collator(model, chosen, plan, args),
        args,
        settings.output / MODEL,
        patience=settings.patience,
        threshold_average=settings.threshold_average,
    )
    _end_distributed()
    return result


def _end_distributed() -> None:
    """Ends what several processes talk by: its threads would sometimes abort the interpreter at its end."""
    from accelerate import PartialState

    PartialState().destroy_process_group()


def _files(settings: TrainSettings) -> list[Path]:
    """The files that a run reads: documents, and names of relation types."""
    names = [file for file in (settings.stand_ins, settings.hard_negatives) if file is not None]
    return [*settings.data, *(settings.eval_files or ()), *names]


def _noted(plan: Plan) -> dict[str, object]:
    """What must be the same when the run is resumed, as JSON values."""
    settings = plan.settings
    arguments = {name: value for name, value in plan.arguments.items() if name not in _CHANGEABLE_ARGUMENTS}
    noted = {**asdict(settings), "set": {**plan.head, **arguments} or None, CONTENTS: digest_of(_files(settings))}
    return dict(json.loads(json.dumps(noted, default=str)))


def _make_collator(
    model: GLiRELHead, chosen: Selection, plan: Plan, args: GLiRELTrainingArguments
) -> RelationCollator:
    settings = plan.settings
    counts = count_relation_types(chosen.train)
    asked: Any = plan.arguments.get("by_entity") if settings.by_entity is None else settings.by_entity
    by_entity = pairs_entities(model.config, asked)
    if is_main_process():
        console.print(
            f"{len(chosen.train):,} documents, {counts.total():,} relations of {len(counts):,} types to train on"
            f"{', in pairs of entities' if by_entity else ''}"
        )
    given: dict[str, Any] = {
        "max_relation_types": settings.max_relation_types,
        "max_batch_types": settings.max_batch_types,
        "random_drop": settings.random_drop,
        "seed": settings.seed,
        "stand_ins": None if settings.stand_ins is None else read_json_object(settings.stand_ins),
        "hard_negatives": None if settings.hard_negatives is None else read_json_object(settings.hard_negatives),
        "coreference_label": None if by_entity else model.config.coreference_label,
        "too_long": "window",
        "by_entity": by_entity,
    }
    weights = negative_weights(counts, settings.negatives, settings.max_per_relation)
    if not model.config.finds_entities:
        return RelationCollator(model.tokenizer, weights, **given)
    entities = count_entity_types(chosen.train)
    if is_main_process():
        console.print(f"{entities.total():,} entities of {len(entities):,} types to find")
    return JointCollator(
        model.tokenizer,
        weights,
        negative_weights(entities, settings.negatives, None),
        max_entity_types=settings.max_entity_types,
        entity_drop_rate=args.entity_drop_rate,
        drop_rate=args.relation_drop_rate,
        **given,
    )


def _training_arguments(plan: Plan, evaluates: bool) -> GLiRELTrainingArguments:
    settings = plan.settings
    counts_epochs = settings.epochs is not None
    # A run that is shorter than this is evaluated and saved at its end.
    eval_steps = settings.eval_steps if counts_epochs else min(settings.eval_steps, settings.max_steps)
    given: dict[str, Any] = {
        "output_dir": str(settings.output / CHECKPOINTS),
        "max_steps": -1 if counts_epochs else settings.max_steps,
        "num_train_epochs": settings.epochs or 3.0,
        "per_device_train_batch_size": settings.batch_size,
        "per_device_eval_batch_size": 2 * settings.batch_size,
        "learning_rate": settings.learning_rate,
        "encoder_learning_rate": settings.encoder_learning_rate,
        "max_per_relation": settings.max_per_relation,
        "train_sampling_strategy": "group_by_length",
        "use_cpu": not torch.accelerator.is_available(),
        "bf16": settings.bf16,
        "logging_steps": 25,
        "eval_strategy": "steps" if evaluates else "no",
        "eval_steps": eval_steps,
        "save_steps": eval_steps,
        "save_total_limit": 2,
        "load_best_model_at_end": evaluates and settings.keep_best,
        "metric_for_best_model": "eval_loss" if evaluates else None,
        "report_to": ["tensorboard"],
        "seed": settings.seed,
    }
    return GLiRELTrainingArguments(**{**given, **plan.arguments})
