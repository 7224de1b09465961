"""What both protocols share: `FewShot` of the library trains, fits the threshold on dev, and measures on test."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import torch
from transformers import set_seed
from transformers.utils.logging import disable_progress_bar

from glirel_transformers import RelationExtractor
from glirel_transformers.configuration_glirel import SYSTEMS
from glirel_transformers.data import count_relation_types, read_documents
from glirel_transformers.evaluation import DocumentLevel, FewShot, TrainFacts
from glirel_transformers.heads_glirel import GLiRELHead
from glirel_transformers.trainer.few_shot import FewShotTraining, check_same_settings
from glirel_transformers.trainer.run import starting_model

# May differ when a protocol is continued: more runs, and what is of the machine.
_MAY_DIFFER = ("seeds", "numbers", "output", "keep_models", "bf16", "eval_batch_size")


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


def run_protocol(
    given: argparse.Namespace, shots: list[int | Literal["all"]], *, takes_all_steps: bool = False
) -> None:
    """Trains and measures, continues what was stopped, and prints the table.

    Args:
        given: the options.
        shots: numbers of training documents.
        takes_all_steps: whether `--max-steps` is the number of updates, not a bound of it.
    """
    if (given.model is None) == (given.encoder is None):
        raise ValueError("Give either --model, a checkpoint, or --encoder for a fresh head.")
    check_same_settings(given.output, vars(given), _MAY_DIFFER)
    train, dev, test = (list(read_documents(file)) for file in (given.train, given.dev, given.test))
    dev, test = dev[: given.dev_limit], test[: given.test_limit]
    known = list(count_relation_types([*train, *dev]))
    # Names that occur in test only count as missed unless they are asked for, so they are.
    asked = list(dict.fromkeys([*known, *count_relation_types(test)]))
    protocol = FewShot(
        measure=DocumentLevel(
            relation_types=asked, fit_on=dev, train_facts=TrainFacts(train), batch_size=given.eval_batch_size
        ),
        train=FewShotTraining(
            start=lambda _: start(given),
            dev=dev,
            relation_types=known,
            folder=given.output,
            arguments=training_arguments(given),
            by_entity=True,
            max_relation_types=given.max_relation_types,
            keep_models=given.keep_models,
            takes_all_steps=takes_all_steps,
        ),
        train_documents=train,
        shots=shots,
        seeds=given.seeds,
        folder=given.output,
        say=lambda text: print(text, flush=True),
    )
    set_seed(given.seeds[0])
    protocol.run(RelationExtractor(start(given).eval()), test)
    print(f"\n{(given.output / 'results.md').read_text(encoding='utf-8')}")
    print(f"Also in {given.output / 'results.md'} and results.json.")


def start(given: argparse.Namespace) -> GLiRELHead:
    """The model that training starts from; a fresh head is drawn anew."""
    fresh = given.encoder is not None
    return starting_model(
        given.encoder,
        given.model,
        label_encoder=given.label_encoder if fresh else None,
        system=given.system if fresh else None,
        hidden_size=given.hidden_size,
    )


def training_arguments(given: argparse.Namespace) -> dict[str, object]:
    """What the library's defaults are replaced with."""
    return {
        "max_steps": given.max_steps or 0,
        "eval_steps": given.eval_steps,
        "per_device_train_batch_size": given.batch_size,
        "per_device_eval_batch_size": given.eval_batch_size,
        "gradient_accumulation_steps": given.accumulate,
        "learning_rate": given.learning_rate,
        "encoder_learning_rate": given.encoder_learning_rate,
        "bf16": given.bf16,
    }


def run_script(main: Callable[[], None]) -> None:
    """Runs a script; what a user can mend is one line."""
    disable_progress_bar()  # of loading weights; training has its own
    try:
        main()
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("Stopped. The same command continues.")
