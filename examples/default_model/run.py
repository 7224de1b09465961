"""The default model from data to checkpoint, a stage at a time; each is one command, which is shown.

    python examples/default_model/run.py --data data --output runs/default
    python examples/default_model/run.py --data data --output runs/small --small      # all stages in ten minutes

A command that was stopped continues when it is given again; a stage that is finished is not repeated.
"""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from transformers import AutoModel, AutoTokenizer

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
ENCODER = "sentence-transformers/all-MiniLM-L6-v2"
STAGES = ("data", "encoder", "train", "publish", "fit")
HEAD = {
    "shared_relation_positions": "true",
    "type_attention": "own",
    "relation_representation": "both",
    "entity_type_representation": "both",
    "subtoken_pooling": "mean",
    "use_lstm": "false",
    "max_entity_width": "10",
    "pair_context": "attention",
    "ranking_loss_weight": "0.5",
    "dropout": "0",
    "num_frozen_encoder_layers": "1",  # the embeddings as well: as good, and a fifth faster
}
TRAINING = {
    "--system": "relex",
    "--scorer": "dot_norm",
    "--max-relation-types": "14",
    "--max-entity-types": "8",
    "--random-drop": "0.3",
    "--max-per-relation": "700",
    "--learning-rate": "8e-4",
    "--encoder-learning-rate": "2e-4",
    "--held-out": "0.005",
    "--eval-limit": "200",
}
TOKENS = 25_200  # of the vocabulary, so that the checkpoint stays below 60 MB
REPEATED = ("written=2", "fewrel=2")  # sources that are visited more often


@dataclass(frozen=True)
class Size:
    """How much is done.

    Args:
        documents: of training at most; `None` for all.
        versions: of each written text, in other names.
        steps: updates.
        batch_size: documents of an update.
        eval_steps: updates between checkpoints.
    """

    documents: int | None
    versions: int
    steps: int
    batch_size: int
    eval_steps: int


WHOLE, SMALL = Size(None, 10, 14_000, 16, 500), Size(600, 1, 60, 8, 30)


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds train/ and meta/")
    parser.add_argument("--output", type=Path, required=True, help="folder; the same command continues in it")
    parser.add_argument("--encoder", default=ENCODER, help="folder or Hub repository [%(default)s]")
    parser.add_argument("--small", action="store_true", help="few documents and updates, to see all stages work")
    parser.add_argument("--until", choices=STAGES, default=STAGES[-1], help="the last stage [%(default)s]")
    parser.add_argument("--hold-out", action="store_true", help="with the development sets, see prepare.py")
    return parser


def run(stage: str, command: Sequence[object]) -> None:
    """Runs a command, and ends where it fails."""
    line = list(map(str, command))
    print(f"\n{stage}: {shlex.join(line)}", file=sys.stderr)
    if code := subprocess.run([sys.executable, *line], check=False).returncode:
        raise SystemExit(code)


def copy_without_dropout(encoder: str, folder: Path) -> None:
    """An encoder that drops nothing out: few passes over the data overfit little, and a sixth of the time is saved."""
    rates = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    AutoModel.from_pretrained(encoder, **rates).save_pretrained(folder)
    AutoTokenizer.from_pretrained(encoder).save_pretrained(folder)


def train_command(data: Path, encoder: Path, output: Path, size: Size) -> list[object]:
    """The command of the training stage."""
    options: list[object] = [part for pair in TRAINING.items() for part in pair]
    for field, value in HEAD.items():
        options += ["--set", f"{field}={value}"]
    for factor in REPEATED:
        options += ["--repeat", factor]
    names = ["--stand-ins", data / "wordings.json", "--hard-negatives", data / "hard_negatives.json"]
    amount = ["--max-steps", size.steps, "--batch-size", size.batch_size, "--eval-steps", size.eval_steps]
    start = ["train", data / "train.jsonl.xz", "--encoder", encoder, "--output", output, "--no-keep-best"]
    return ["-m", "glirel_transformers.cli", *start, *options, *names, *amount]


def main() -> None:
    given = arguments().parse_args()
    size = SMALL if given.small else WHOLE
    data, encoder, trained, published = (given.output / name for name in ("data", "encoder", "train", "model"))
    stages = STAGES[: STAGES.index(given.until) + 1]
    if "data" in stages and not (data / "summary.json").exists():
        limit = [] if size.documents is None else ["--limit", size.documents]
        held_out = ["--hold-out"] if given.hold_out else []
        options = ["--data", given.data, "--encoder", given.encoder, "--output", data, "--versions", size.versions]
        options += [*limit, *held_out]
        run("data", [HERE / "prepare.py", *options])
    if "encoder" in stages and not (encoder / "config.json").exists():
        print(f"\nencoder: {given.encoder} without dropout, in {encoder}", file=sys.stderr)
        copy_without_dropout(given.encoder, encoder)
    if "train" in stages:
        run("train", train_command(data, encoder, trained, size))
    if "publish" in stages:
        smaller = ["--latin", "--tokens", TOKENS, "--texts", data / "train.jsonl.xz"]
        run("publish", [ROOT / "scripts/publish.py", "--model", trained / "model", "--output", published, *smaller])
    if "fit" in stages:
        run("fit", [HERE / "develop.py", "--model", published, "--data", data, "--fit"])


if __name__ == "__main__":
    main()
