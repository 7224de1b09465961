"""GLiNER-Relex's recipe in two stages (arXiv 2605.10108, Sections 3.8 and 3.9, Table 1), each of them `glirel train`.

    python examples/joint/two_stages.py --pretraining sentences.jsonl.xz --fine-tuning reviewed.jsonl --dev dev.jsonl \
        --encoder microsoft/deberta-v3-large --output runs/joint

One epoch over many texts of middling quality, then five over a few good ones at lower learning rates. A command that
was stopped continues when it is given again.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from glirel_transformers.cli import app


@dataclass(frozen=True)
class Stage:
    """What differs between the stages.

    Args:
        name: of its folder.
        epochs: passes over its documents.
        learning_rate: of everything but the encoder.
        encoder_learning_rate: of the encoder.
    """

    name: str
    epochs: float
    learning_rate: float
    encoder_learning_rate: float


STAGES = (Stage("pretraining", 1, 5e-5, 1e-5), Stage("fine-tuning", 5, 5e-6, 3e-6))


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description="GLiNER-Relex's recipe in two stages.", formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--pretraining", type=Path, nargs="+", required=True, help="documents of the first stage")
    parser.add_argument("--fine-tuning", type=Path, nargs="+", required=True, help="documents of the second stage")
    parser.add_argument("--dev", type=Path, nargs="+", help="documents to evaluate on, and to fit thresholds on")
    parser.add_argument("--output", "-o", type=Path, required=True, help="folder; the same command continues in it")
    parser.add_argument("--encoder", "-e", required=True, help="a pre-trained encoder, which gets a fresh head")
    parser.add_argument("--label-encoder", "-l", help="another that reads the types on their own")
    parser.add_argument("--batch-size", type=int, default=8, help="documents")
    parser.add_argument("--eval-steps", type=int, default=500, help="updates between evaluations and checkpoints")
    parser.add_argument("--max-steps", type=int, help="updates of each stage, in place of its epochs")
    parser.add_argument("--seed", type=int, default=0, help="of everything that is drawn")
    parser.add_argument("--bf16", action=argparse.BooleanOptionalAction, default=True, help="compute in bfloat16")
    parser.add_argument("--set", action="append", default=[], help="as of glirel train, for a fresh head; repeatable")
    return parser


def command(stage: Stage, given: argparse.Namespace) -> list[str]:
    """The arguments of `glirel train` for a stage."""
    is_first = stage is STAGES[0]
    data: Sequence[Path] = given.pretraining if is_first else given.fine_tuning
    start = ["--model", str(given.output / STAGES[0].name / "model")]
    if is_first:
        start = ["--system", "relex", "--encoder", given.encoder]
        start += [] if given.label_encoder is None else ["--label-encoder", given.label_encoder]
        start += [part for setting in given.set for part in ("--set", setting)]
    length = ["--epochs", stage.epochs] if given.max_steps is None else ["--max-steps", given.max_steps]
    settings = [
        *("--output", given.output / stage.name),
        *(part for file in given.dev or () for part in ("--eval", file)),
        *("--learning-rate", stage.learning_rate, "--encoder-learning-rate", stage.encoder_learning_rate),
        *("--batch-size", given.batch_size, "--eval-steps", given.eval_steps, "--seed", given.seed),
        *("--set", "warmup_steps=0.05"),
        "--bf16" if given.bf16 else "--no-bf16",
    ]
    return ["train", *map(str, [*data, *start, *length, *settings])]


def main() -> None:
    given = arguments().parse_args()
    for stage in STAGES:
        print(f"\n{stage.name}", flush=True)
        if code := app(command(stage, given), standalone_mode=False):
            sys.exit(code)
    print(f"\nThe model of both stages is in {given.output / STAGES[-1].name / 'model'}.")


if __name__ == "__main__":
    main()
