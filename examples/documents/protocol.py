"""What both protocols share: documents and a model in; F1 and Ign F1 on the test documents out, run by run.

A run trains on some documents, keeps what is best on dev, fits the threshold on dev, and is measured on test.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import torch
from transformers import set_seed
from transformers.utils.logging import disable_progress_bar

from glirel_transformers import GLiRELForRelationClassification as Model
from glirel_transformers import RelationExtractor
from glirel_transformers.configuration_glirel import SYSTEMS
from glirel_transformers.data import Document, count_relation_types, read_documents
from glirel_transformers.evaluation import Evaluation, TrainFacts, evaluate_extraction
from glirel_transformers.files import replace_atomically
from glirel_transformers.trainer import GLiRELTrainingArguments, RelationCollator
from glirel_transformers.trainer.run import starting_model, train_checkpoint

MEASURES = ("f1", "ign_f1", "precision", "recall")
_OF_THE_MACHINE = ("output", "keep_models", "bf16", "eval_batch_size")  # may differ when a protocol is continued


def arguments(description: str, *, max_steps: int | None, eval_steps: int) -> argparse.ArgumentParser:
    """The options of both protocols. The defaults are those of the paper or, where they differ, of its code."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    data = parser.add_argument_group("documents, in DocRED's format or any other that glirel train reads")
    data.add_argument(
        "--train", type=Path, required=True, help="documents to train on, and whose facts Ign F1 leaves out"
    )
    data.add_argument("--dev", type=Path, required=True, help="documents to choose the update and the threshold on")
    data.add_argument("--test", type=Path, required=True, help="documents to measure on, and nothing else")
    data.add_argument("--dev-limit", type=int, help="read the first n documents of --dev")
    data.add_argument("--test-limit", type=int, help="read the first n documents of --test")
    data.add_argument("--output", "-o", type=Path, required=True, help="folder; the same command continues in it")
    start = parser.add_argument_group("where training starts")
    start.add_argument("--model", "-m", help="a checkpoint, such as one that was pre-trained")
    start.add_argument("--encoder", "-e", help="in its place, an encoder that gets a fresh head")
    start.add_argument("--label-encoder", "-l", help="with --encoder: what reads relation types")
    start.add_argument("--system", choices=sorted(SYSTEMS), default="glidre", help="with --encoder: the head")
    start.add_argument("--hidden-size", type=int, help="with --encoder: width of the head")
    training = parser.add_argument_group("training")
    training.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4], help="one run each")
    training.add_argument("--max-steps", type=int, default=max_steps, help="updates at most")
    training.add_argument("--eval-steps", type=int, default=eval_steps, help="updates between measurements on dev")
    training.add_argument("--batch-size", type=int, default=4, help="documents")
    training.add_argument("--accumulate", type=int, default=4, help="batches in an update")
    training.add_argument("--eval-batch-size", type=int, default=8, help="documents")
    training.add_argument("--learning-rate", type=float, default=1e-4, help="of everything but the encoders")
    training.add_argument("--encoder-learning-rate", type=float, default=1e-5, help="of the encoders")
    training.add_argument("--max-relation-types", type=int, help="relation types in an instance; all, if not given")
    is_fast = torch.accelerator.is_available()
    training.add_argument("--bf16", action=argparse.BooleanOptionalAction, default=is_fast, help="compute in bfloat16")
    training.add_argument("--keep-models", action="store_true", help="keep the model of every run")
    return parser


@dataclass
class Protocol:
    """Runs on the same documents, whose results are kept in a folder.

    Args:
        given: the options.
        heading: of the column that tells rows apart.
    """

    given: argparse.Namespace
    heading: str
    results: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        given = self.given
        if (given.model is None) == (given.encoder is None):
            raise ValueError("Give either --model, a checkpoint, or --encoder for a fresh head.")
        given.output.mkdir(parents=True, exist_ok=True)
        self._check_settings()

    @cached_property
    def train(self) -> list[Document]:
        """All documents that may be trained on."""
        return list(read_documents(self.given.train))

    @cached_property
    def dev(self) -> list[Document]:
        """What the update and the threshold are chosen on."""
        return list(read_documents(self.given.dev))[: self.given.dev_limit]

    @cached_property
    def test(self) -> list[Document]:
        """What is measured on."""
        return list(read_documents(self.given.test))[: self.given.test_limit]

    @cached_property
    def _train_facts(self) -> TrainFacts:
        return TrainFacts(self.train)

    @cached_property
    def _types(self) -> list[str]:
        """What is asked for: all names of the training and dev documents, as in the original."""
        return list(count_relation_types([*self.train, *self.dev]))

    def _check_settings(self) -> None:
        """Notes the settings, or compares them with those of the runs that are there."""
        settings = {name: value for name, value in vars(self.given).items() if name not in _OF_THE_MACHINE}
        settings = json.loads(json.dumps(settings, default=str))
        may_grow = ("seeds", "numbers")
        file = self.given.output / "settings.json"
        if file.exists():
            before = json.loads(file.read_text(encoding="utf-8"))
            differing = [n for n, value in settings.items() if n not in may_grow and before.get(n) != value]
            if differing:
                told = "; ".join(
                    f"{name} was {before.get(name)!r} and is now {settings[name]!r}" for name in differing
                )
                raise ValueError(f"{self.given.output} holds runs with other settings: {told}. Name another folder.")
        save(file, settings)

    def run(self, row: str, seed: int, train: Sequence[Document], max_steps: int) -> None:
        """One run, or what is left of it; its result is added, and the table written again.

        Args:
            row: of the table.
            seed: of everything that is drawn.
            train: documents to train on; with none, the model is measured as it is.
            max_steps: updates.
        """
        folder = self.given.output / f"{row}-{seed}"
        file = folder / "result.json"
        if not file.exists():
            started = time.monotonic()
            print(f"{self.heading} {row}, seed {seed}: {max_steps:,} updates", flush=True)
            model = self._trained(folder, seed, train, max_steps)
            result = {"row": row, "seed": seed, "documents": len(train), "updates": max_steps, **self._measure(model)}
            folder.mkdir(parents=True, exist_ok=True)
            save(file, {**result, "seconds": round(time.monotonic() - started)})
            if not self.given.keep_models:
                for part in ("checkpoints", "model"):
                    shutil.rmtree(folder / part, ignore_errors=True)
        self.results.append(json.loads(file.read_text(encoding="utf-8")))
        last = self.results[-1]
        print(f"{self.heading} {row}, seed {seed}: F1 {last['f1']:.4f}, Ign F1 {last['ign_f1']:.4f}", flush=True)
        self.write_table()

    def _trained(self, folder: Path, seed: int, train: Sequence[Document], max_steps: int) -> Model:
        given = self.given
        set_seed(seed)
        fresh = given.encoder is not None
        model = starting_model(
            given.encoder,
            given.model,
            label_encoder=given.label_encoder if fresh else None,
            system=given.system if fresh else None,
            hidden_size=given.hidden_size,
        )
        if not train:
            return model
        is_joint = model.config.label_encoding == "joint"
        collator = RelationCollator(
            model.tokenizer,
            self._types,
            max_relation_types=given.max_relation_types or (25 if is_joint else len(self._types)),
            max_batch_types=max(256, len(self._types)),
            random_drop=0.5 if is_joint else 0.0,
            seed=seed,
            too_long="window",
            by_entity=True,
        )
        train_checkpoint(model, train, self.dev, collator, self._arguments(folder, seed, max_steps), folder / "model")
        return starting_model(None, str(folder / "model"))

    def _arguments(self, folder: Path, seed: int, max_steps: int) -> GLiRELTrainingArguments:
        given = self.given
        eval_steps = min(given.eval_steps, max_steps)
        return GLiRELTrainingArguments(
            output_dir=str(folder / "checkpoints"),
            max_steps=max_steps,
            per_device_train_batch_size=given.batch_size,
            per_device_eval_batch_size=given.eval_batch_size,
            gradient_accumulation_steps=given.accumulate,
            learning_rate=given.learning_rate,
            encoder_learning_rate=given.encoder_learning_rate,
            max_grad_norm=10.0,
            bf16=given.bf16,
            eval_strategy="steps",
            eval_steps=eval_steps,
            save_steps=eval_steps,
            save_total_limit=1,
            load_best_model_at_end=True,
            metric_for_best_model="best_micro_f1",
            logging_steps=25,
            report_to=[],
            seed=seed,
        )

    def _measure(self, model: Model) -> dict[str, float]:
        """F1 and Ign F1 on test, at the threshold that is best on dev."""
        model.eval()
        # Names that occur in test only count as missed unless they are asked for, so they are.
        types = list(dict.fromkeys([*self._types, *count_relation_types(self.test)]))

        def ask(documents: list[Document], **options: Any) -> Evaluation:
            size = self.given.eval_batch_size
            return evaluate_extraction(
                RelationExtractor(model), documents, types, by_entity=True, batch_size=size, **options
            )

        fit = ask(self.dev).counts.best("micro")
        threshold = float(model.config.threshold) if fit is None else fit.threshold
        found = ask(self.test, threshold=threshold, train_facts=self._train_facts).facts()
        return {**found, "threshold": threshold, "dev_f1": 0.0 if fit is None else fit.f1}

    def write_table(self) -> None:
        """Writes `results.json` and `results.md`: mean and standard deviation of each row over its seeds."""
        rows: dict[str, list[dict[str, Any]]] = {}
        for result in self.results:
            rows.setdefault(result["row"], []).append(result)
        table = [
            {
                "row": row,
                "runs": len(of_row),
                **{name: _mean_and_deviation([100 * one[name] for one in of_row]) for name in MEASURES},
                "threshold": _mean_and_deviation([one["threshold"] for one in of_row]),
            }
            for row, of_row in rows.items()
        ]
        save(self.given.output / "results.json", {"table": table, "runs": self.results})
        lines = [
            f"| {self.heading} | F1 | Ign F1 | precision | recall | threshold | runs |",
            "|---|---|---|---|---|---|---|",
            *(
                f"| {one['row']} | {' | '.join(_written(one[name]) for name in MEASURES)} "
                f"| {_written(one['threshold'], 3)} | {one['runs']} |"
                for one in table
            ),
        ]
        with replace_atomically(self.given.output / "results.md") as text:
            text.write("\n".join(lines) + "\n")

    def show(self) -> None:
        """Prints the table."""
        print(f"\n{(self.given.output / 'results.md').read_text(encoding='utf-8')}")
        print(f"Also in {self.given.output / 'results.md'} and results.json.")


def save(file: Path, value: object) -> None:
    """Writes JSON, so that a file of this name is always a whole one."""
    with replace_atomically(file) as text:
        text.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def _mean_and_deviation(values: Sequence[float]) -> dict[str, float | None]:
    """The mean and the standard deviation of a sample, which one value has none of."""
    return {"mean": mean(values), "deviation": stdev(values) if len(values) > 1 else None}


def _written(value: dict[str, float | None], digits: int = 2) -> str:
    deviation = "" if value["deviation"] is None else f" ± {value['deviation']:.{digits}f}"
    return f"{value['mean']:.{digits}f}{deviation}"


def run_script(main: Callable[[], None]) -> None:
    """Runs a script; what a user can mend is one line."""
    disable_progress_bar()  # of loading weights; training has its own
    try:
        main()
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("Stopped. The same command continues.")
