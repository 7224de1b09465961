"""A whole training run: from a model and documents to a checkpoint with a fitted threshold, resumable."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import EarlyStoppingCallback

from glirel_transformers.checkpoints import check_checkpoint, model_name, naming_the_missing
from glirel_transformers.configuration_glirel import SYSTEMS, GLiRELConfig
from glirel_transformers.data import Document
from glirel_transformers.evaluation.thresholds import Average
from glirel_transformers.files import read_json_object, replace_atomically
from glirel_transformers.heads_glirel import GLiRELHead
from glirel_transformers.modeling_glirel import (
    GLiRELForJointExtraction,
    GLiRELForRelationClassification,
    head_for,
)

from .arguments import GLiRELTrainingArguments
from .collator import RelationCollator
from .joint_collator import JointCollator
from .metrics import fit_threshold
from .resuming import Stopped, last_whole_checkpoint
from .trainer import GLiRELTrainer

CHECKPOINTS, MODEL, SETTINGS = "checkpoints", "model", "run.json"  # what a run's folder holds
CONTENTS = "contents"  # the setting that holds the digests of the data


@dataclass(frozen=True)
class TrainingResult:
    """What came out of a run.

    Args:
        folder: the checkpoint.
        steps: how many updates the run has made, including those before it was resumed.
        threshold: the checkpoint's decision threshold.
        metrics: on the documents for evaluation, at that threshold; `None` when there are none.
        note: why the threshold was not fitted, though there are documents for it; else `None`.
        is_main_process: whether this process is the one that reports.
        was_finished: whether the run was finished before, so that nothing was trained.
    """

    folder: Path
    steps: int
    threshold: float
    metrics: dict[str, float] | None
    note: str | None
    is_main_process: bool
    was_finished: bool = False


def starting_model(
    encoder: str | None,
    model: str | None,
    *,
    label_encoder: str | None = None,
    system: str | None = None,
    max_length: int | None = None,
    **settings: Any,
) -> GLiRELHead:
    """A fresh head on `encoder`, or the GLiREL checkpoint `model` to continue from, in float32.

    Args:
        encoder: folder or Hub repository of an encoder.
        model: folder or Hub repository of a GLiREL checkpoint.
        label_encoder: the same of an encoder that reads relation types on their own.
        system: the choices of a paper, in `SYSTEMS`, which `settings` change.
        max_length: tokens that a fresh model reads.
        settings: fields of [`GLiRELConfig`] for a fresh model; those that are `None` keep their default.

    Raises:
        ValueError: when a checkpoint to continue from is given settings of its own, or is not a checkpoint; when
            there is no such system.
    """
    given = {name: value for name, value in settings.items() if value is not None}
    if encoder is not None:
        if system is not None and system not in SYSTEMS:
            raise ValueError(f"`system` must be one of {', '.join(map(repr, SYSTEMS))}: got {system!r}.")
        apart = {} if label_encoder is None else {"label_encoding": "separate"}
        given = {**(SYSTEMS[system] if system else {}), **apart, **given}
        finds = given.get("entity_finder", "none") != "none"
        head = GLiRELForJointExtraction if finds else GLiRELForRelationClassification
        return head.from_encoder(encoder, label_encoder=label_encoder, model_max_length=max_length, **given)
    others = {"label_encoder": label_encoder, "system": system, "max_length": max_length}
    if names := [*given, *(name for name, value in others.items() if value is not None)]:
        raise ValueError(
            f"A model to continue from keeps its own settings; leave out {', '.join(names)}, or give an encoder."
        )
    name = model_name(model)
    if Path(name).is_dir():
        check_checkpoint(name)
    with naming_the_missing(name):
        return _load(name)


def _load(name: str | Path) -> GLiRELHead:
    """A checkpoint in float32, of either head."""
    return head_for(GLiRELConfig.from_pretrained(name)).from_pretrained(name, dtype=torch.float32)


def negative_weights(counts: Counter[str], negatives: str, max_per_relation: int | None) -> dict[str, float]:
    """How often each type is a negative, in proportion, for [`RelationCollator`].

    With `"frequency"`, a type is a negative about as often as it is right. Otherwise the model would learn that
    frequent types tend to be right and rare ones wrong, whatever the text says.
    """
    cap = max_per_relation or max(counts.values(), default=1)
    return {name: min(count, cap) if negatives == "frequency" else 1 for name, count in counts.items()}


def check_same_run(folder: Path, settings: Mapping[str, Any], changeable: Sequence[str]) -> None:
    """Notes the settings of a run in its folder, or compares them with those of the run that it would continue.

    Args:
        folder: of the run.
        settings: JSON values.
        changeable: names of settings that may differ when a run is continued.

    Raises:
        ValueError: when the run was started with other settings.
    """
    file = folder / SETTINGS
    if file.is_file() and last_whole_checkpoint(folder / CHECKPOINTS) is not None:
        before = read_json_object(file)
        differing = [
            f"{name} was {before.get(name)!r} and is now {value!r}" if name != CONTENTS else "the files have changed"
            for name, value in settings.items()
            if name not in changeable and before.get(name, value) != value  # earlier versions have fewer
        ]
        if differing:
            raise ValueError(
                f"{folder} holds a run with other settings: {'; '.join(differing)}. Repeat the first command to "
                "continue it, or name another folder for the output."
            )
    folder.mkdir(parents=True, exist_ok=True)
    with replace_atomically(file) as text:
        text.write(json.dumps(settings, indent=2, ensure_ascii=False) + "\n")


def digest_of(files: Iterable[Path]) -> str:
    """A short digest of what files hold, for the setting `contents` of [`check_same_run`]."""
    digest = hashlib.blake2b(digest_size=16)
    for file in files:
        with file.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def train_checkpoint(
    model: GLiRELHead,
    train: Sequence[Document],
    evaluation: Sequence[Document],
    collator: RelationCollator,
    args: GLiRELTrainingArguments,
    folder: Path,
    *,
    patience: int | None = None,
    threshold_average: Average = "micro",
) -> TrainingResult:
    """Trains, from where an earlier run in `args.output_dir` stopped, fits the threshold, and saves.

    Args:
        model: where training starts.
        train: documents to train on.
        evaluation: documents to evaluate on and to fit the threshold on; there may be none.
        collator: makes the batches.
        args: of the trainer.
        folder: where the checkpoint is written.
        patience: stop after n evaluations without a lower loss.
        threshold_average: whose F1 the threshold is fitted for, `"micro"` or `"macro"`.
    """
    stopped = last_whole_checkpoint(args.output_dir)
    finished = stopped if stopped is not None and _is_finished(stopped.state, args) else None
    if finished is not None:
        model = _finished_model(finished, args)
    stops_early = patience and evaluation and args.load_best_model_at_end
    trainer = GLiRELTrainer(
        model=model,
        args=args,
        data_collator=collator,
        train_dataset=train,
        eval_dataset=evaluation or None,
        callbacks=[EarlyStoppingCallback(patience)] if stops_early else [],
    )
    if finished is None:
        trainer.train(resume_from_checkpoint=None if stopped is None else str(stopped.folder))
    metrics, note = None, None
    if trainer.is_world_process_zero():
        metrics, note = _fit(trainer.model, evaluation, collator, threshold_average)
    trainer.save_model(str(folder))
    return TrainingResult(
        folder,
        steps=trainer.state.global_step if finished is None else finished.step,
        threshold=float(model.config.threshold),
        metrics=metrics,
        note=note,
        is_main_process=trainer.is_world_process_zero(),
        was_finished=finished is not None,
    )


def _finished_model(stopped: Stopped, args: GLiRELTrainingArguments) -> GLiRELHead:
    """The model of a run that is finished: the best one, where it was to be kept, else the last."""
    best = stopped.state.get("best_model_checkpoint") if args.load_best_model_at_end else None
    folder = best if best and Path(best).is_dir() else stopped.folder
    return _load(folder)


def last_step(folder: Path) -> int | None:
    """The update after which the run in `folder` was last saved; `None` when it was not."""
    stopped = last_whole_checkpoint(folder / CHECKPOINTS)
    return None if stopped is None else stopped.step


def _is_finished(state: Mapping[str, Any], args: GLiRELTrainingArguments) -> bool:
    if args.max_steps > 0:
        return state["global_step"] >= args.max_steps
    return (state["epoch"] or 0) >= args.num_train_epochs


def _fit(
    model: GLiRELHead,
    evaluation: Sequence[Document],
    collator: RelationCollator,
    average: Average,
) -> tuple[dict[str, float] | None, str | None]:
    """The metrics at the best threshold, which `model` then has; or why there is none. Training is not lost for it."""
    if not evaluation:
        return None, None
    note = None
    if not any(document.relations for document in evaluation):
        note = "no relation holds in the documents kept for evaluation"
        if not isinstance(collator, JointCollator):
            return None, note
    try:
        return fit_threshold(model, evaluation, collator, average=average), note
    except ValueError as error:
        return None, note or str(error)
