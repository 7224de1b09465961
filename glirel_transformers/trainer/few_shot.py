"""What the few-shot protocol trains with: the run of `glirel train`, from the same start, on each sample."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from transformers import set_seed

from glirel_transformers.data import Document, count_entity_types
from glirel_transformers.extractor_glirel import RelationExtractor
from glirel_transformers.files import read_json_object, replace_atomically
from glirel_transformers.heads_glirel import GLiRELHead

from .arguments import GLiRELTrainingArguments
from .collator import RelationCollator
from .joint_collator import JointCollator
from .run import CHECKPOINTS, MODEL, negative_weights, starting_model, train_checkpoint

SETTINGS = "settings.json"
# GLiDRE's few-shot code, but for the evaluation every 25 updates.
DEFAULTS: dict[str, Any] = {
    "per_device_train_batch_size": 4,
    "per_device_eval_batch_size": 8,
    "gradient_accumulation_steps": 4,
    "learning_rate": 1e-4,
    "encoder_learning_rate": 1e-5,
    "max_grad_norm": 10.0,
    "eval_steps": 100,
    "logging_steps": 25,
    "report_to": [],
}


def updates(number: int, batch_size: int, accumulate: int) -> int:
    """Updates that GLiDRE's code takes for so many documents: epochs = min(30000 // n, 1000), and what they take."""
    batches = -(-number // batch_size)
    return max(batches * min(30_000 // number, 1000) // accumulate, 1)


@dataclass(kw_only=True)
class FewShotTraining:
    """Trains from the same start on whatever documents it is given; [`FewShot`] calls it.

    Args:
        start: gives the model that training starts from, for a seed.
        dev: documents that the update and the threshold are chosen on; without any, the last update is kept, and the
            threshold that it started with.
        relation_types: names that instances are asked for, besides their own.
        folder: of all runs. A run that was stopped goes on.
        arguments: fields of [`GLiRELTrainingArguments`], in place of `DEFAULTS`. `max_steps` is a bound of what
            GLiDRE's code takes for so many documents, see [`updates`].
        takes_all_steps: whether it is the number of updates instead.
        by_entity: whether pairs are of entities with all their mentions.
        max_relation_types: that an instance is asked for; by default 25 where they stand next to the text, else all.
        keep_models: keeps the model of every run in `RUN/model`.
    """

    start: Callable[[int], GLiRELHead]
    dev: Sequence[Document]
    relation_types: Sequence[str]
    folder: Path
    arguments: Mapping[str, Any] = field(default_factory=dict)
    by_entity: bool = False
    max_relation_types: int | None = None
    keep_models: bool = False
    takes_all_steps: bool = False

    def __call__(self, documents: Sequence[Document], seed: int, name: str) -> RelationExtractor:
        """The model that was trained on documents; `name` is that of its folder."""
        folder = self.folder / name
        set_seed(seed)
        model = self.start(seed)
        args = self._training_arguments(folder, seed, len(documents))
        train_checkpoint(
            model, documents, self.dev, self._collator(model, documents, seed, args), args, folder / MODEL
        )
        trained = starting_model(None, str(folder / MODEL)).eval()
        for part in () if self.keep_models else (CHECKPOINTS, MODEL):
            shutil.rmtree(folder / part, ignore_errors=True)
        trained.to(torch.accelerator.current_accelerator() if torch.accelerator.is_available() else "cpu")
        return RelationExtractor(trained)

    def _collator(
        self, model: GLiRELHead, documents: Sequence[Document], seed: int, args: GLiRELTrainingArguments
    ) -> RelationCollator:
        is_joint = model.config.label_encoding == "joint"
        given: dict[str, Any] = {
            "max_relation_types": self.max_relation_types or (25 if is_joint else len(self.relation_types)),
            "random_drop": 0.5 if is_joint else 0.0,
            "seed": seed,
            "too_long": "window",
            "by_entity": self.by_entity,
        }
        if model.config.finds_entities:
            return JointCollator(
                model.tokenizer,
                list(self.relation_types),
                negative_weights(count_entity_types([*documents, *self.dev]), "uniform", None),
                entity_drop_rate=args.entity_drop_rate,
                drop_rate=args.relation_drop_rate,
                **given,
            )
        room = max(256, len(self.relation_types))
        return RelationCollator(model.tokenizer, list(self.relation_types), max_batch_types=room, **given)

    def _training_arguments(self, folder: Path, seed: int, number: int) -> GLiRELTrainingArguments:
        given: dict[str, Any] = {"bf16": torch.accelerator.is_available(), **DEFAULTS, **self.arguments}
        steps = updates(number, given["per_device_train_batch_size"], given["gradient_accumulation_steps"])
        bound = given.get("max_steps") or steps
        given["max_steps"] = bound if self.takes_all_steps else min(steps, bound)
        given["eval_steps"] = min(given["eval_steps"], given["max_steps"])
        measured = {
            "eval_strategy": "steps",
            "load_best_model_at_end": True,
            "metric_for_best_model": "best_micro_f1",
        }
        return GLiRELTrainingArguments(
            **{
                "output_dir": str(folder / CHECKPOINTS),
                "save_steps": given["eval_steps"],
                "save_total_limit": 1,
                "use_cpu": not torch.accelerator.is_available(),
                "seed": seed,
                **(measured if self.dev else {}),
                **given,
            }
        )


def check_same_settings(folder: Path, settings: Mapping[str, Any], may_differ: Sequence[str] = ()) -> None:
    """Notes the settings of runs in their folder, or compares them with those of the runs that are there.

    Args:
        folder: of all runs.
        settings: JSON values, or what becomes one by `str`.
        may_differ: names of settings that may differ when runs are added.

    Raises:
        ValueError: when runs have other settings.
    """
    now = json.loads(json.dumps(dict(settings), default=str))
    file = folder / SETTINGS
    if file.exists():
        before = read_json_object(file)
        differing = [
            f"{name} was {before.get(name)!r} and is now {value!r}"
            for name, value in now.items()
            if name not in may_differ and before.get(name) != value
        ]
        if differing:
            raise ValueError(f"{folder} holds runs with other settings: {'; '.join(differing)}. Name another folder.")
    folder.mkdir(parents=True, exist_ok=True)
    with replace_atomically(file) as text:
        text.write(json.dumps(now, indent=2, ensure_ascii=False) + "\n")


__all__ = ["DEFAULTS", "FewShotTraining", "check_same_settings", "updates"]
