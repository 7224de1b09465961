"""Train a GLiREL model on annotated documents.

Reads the library's own JSON lines and the normalised format, keeps a share of the documents for evaluation (told by a
hash of their text, so always the same ones), trains, fits the decision threshold on the documents kept, and writes a
checkpoint that is whole. A stopped run is simply started again with the same command.

Runs on a CPU or a GPU, alone or under `accelerate launch` (where `--cpu --num_processes 2` needs MPI and else runs one
process; `--multi_gpu --num_processes 2` runs two, also on a CPU):

    python examples/train.py --encoder runs/pretrain/encoder --train data/train.jsonl.xz --output runs/glirel \
        --max-per-relation 500 --repeat fewrel64=2 --scorer dot_norm --batch-size 16 --max-steps 6000

`--model` in place of `--encoder` continues from a GLiREL checkpoint, for example after a first run on synthetic texts:
negatives are drawn from all types of the files that are trained on together.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path
from typing import Any

import torch
from transformers import EarlyStoppingCallback, set_seed
from transformers.trainer_utils import get_last_checkpoint

from glirel_transformers import GLiRELForRelationClassification
from glirel_transformers.data import Document, count_relation_types, is_held_out, read_documents, text_hash
from glirel_transformers.trainer import GLiRELTrainer, GLiRELTrainingArguments, RelationCollator, fit_threshold

# Arguments that are fields of GLiRELConfig; left out, a field keeps its default.
HEAD = (
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


def has_signal(document: Document) -> bool:
    """Whether anything is known about any pair."""
    return len(document.mentions) > 1 and (document.exhaustive or bool(document.relations))


def repeat_factor(document: Document, repeats: dict[str, float]) -> float:
    return next((factor for prefix, factor in repeats.items() if (document.source or "").startswith(prefix)), 1.0)


def number_of_copies(document: Document, repeats: dict[str, float]) -> int:
    """How often an epoch visits a document; a fraction is taken by hash, so that it is always the same documents."""
    factor = repeat_factor(document, repeats)
    return int(factor) + (text_hash(document) * 7919 % 1 < factor % 1)


def read_data(args: argparse.Namespace) -> tuple[list[Document], list[Document]]:
    """Documents to train on, and those to evaluate on."""
    train: list[Document] = []
    held_out: list[Document] = []
    left_out: Counter[str] = Counter()
    for path in args.train:
        for document in read_documents(path):
            if not has_signal(document):
                left_out["without any known pair"] += 1
            elif repeat_factor(document, args.repeat) == 0:
                left_out["by --repeat 0"] += 1
            elif is_held_out(document, args.held_out):
                held_out.append(document)
            else:
                copies = number_of_copies(document, args.repeat)
                left_out["by --repeat below 1"] += copies == 0
                train += [document] * copies
    evaluation = [document for path in args.eval for document in read_documents(path) if has_signal(document)]
    evaluation = evaluation or held_out
    for reason, count in left_out.items():
        print(f"{count:,} documents left out: {reason}")
    chosen = sorted(evaluation, key=text_hash)[: args.eval_limit]
    return train, sorted(chosen, key=lambda document: len(document.words))


def load_model(args: argparse.Namespace) -> GLiRELForRelationClassification:
    settings = {name: getattr(args, name) for name in HEAD if getattr(args, name) is not None}
    if args.model is not None:
        if settings:
            raise SystemExit(f"--model keeps its own settings; leave out {', '.join(settings)}")
        return GLiRELForRelationClassification.from_pretrained(args.model, dtype=torch.float32)
    return GLiRELForRelationClassification.from_encoder(args.encoder, model_max_length=args.max_length, **settings)


def make_collator(args: argparse.Namespace, tokenizer: Any, train: list[Document]) -> RelationCollator:
    counts = count_relation_types(train)
    print(f"{len(train):,} documents, {counts.total():,} relations of {len(counts):,} types to train on")
    # A type is asked for in vain about as often, in proportion, as it is right. Else the model would learn that
    # frequent types tend to be right and rare ones wrong, whatever the text says.
    cap = args.max_per_relation or max(counts.values())
    weights = {name: min(count, cap) if args.negatives == "frequency" else 1 for name, count in counts.items()}
    return RelationCollator(
        tokenizer,
        weights,
        max_relation_types=args.max_relation_types,
        random_drop=args.random_drop,
        seed=args.seed,
        stand_ins=json.loads(args.stand_ins.read_text(encoding="utf-8")) if args.stand_ins else None,
        coreference_label=args.coreference_label,
        too_long="window",
    )


def training_arguments(args: argparse.Namespace, evaluates: bool) -> GLiRELTrainingArguments:
    return GLiRELTrainingArguments(
        output_dir=str(args.output / "checkpoints"),
        max_steps=args.max_steps,
        per_device_train_batch_size=args.batch_size,
        per_device_eval_batch_size=2 * args.batch_size,
        gradient_accumulation_steps=args.accumulate,
        learning_rate=args.learning_rate,
        encoder_learning_rate=args.encoder_learning_rate,
        weight_decay=args.weight_decay,
        encoder_weight_decay=args.encoder_weight_decay,
        num_frozen_encoder_layers=args.frozen_layers,
        max_per_relation=args.max_per_relation,
        train_sampling_strategy="group_by_length",
        use_cpu=not torch.cuda.is_available(),
        bf16=args.bf16,
        torch_compile=args.compile,
        dataloader_num_workers=args.workers,
        logging_steps=25,
        eval_strategy="steps" if evaluates else "no",
        eval_steps=args.eval_steps,
        save_steps=args.eval_steps,
        save_total_limit=2,
        load_best_model_at_end=evaluates and args.keep_best,
        metric_for_best_model="eval_loss" if evaluates else None,
        report_to=["tensorboard"],
        seed=args.seed,
    )


def parse_repeat(text: str) -> tuple[str, float]:
    prefix, _, factor = text.rpartition("=")
    try:
        return prefix, float(factor)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form SOURCE=FACTOR, such as fewrel64=2") from None


def add_head_arguments(parser: argparse.ArgumentParser) -> None:
    head = parser.add_argument_group("head of a fresh model (see GLiRELConfig)")
    head.add_argument("--scorer", choices=("dot", "dot_thresh", "dot_norm", "concat_proj"))
    head.add_argument("--hidden-size", type=int)
    head.add_argument("--dropout", type=float)
    head.add_argument("--loss", dest="loss_function", choices=("bce", "focal"))
    head.add_argument("--focal-alpha", type=float)
    head.add_argument("--focal-gamma", type=float)
    head.add_argument("--positive-weight", type=float)
    head.add_argument("--negative-weight", type=float)
    head.add_argument("--subtoken-pooling", choices=("first", "last", "mean", "first_last"))
    head.add_argument("--relation-representation", choices=("label", "rel_token", "both"))
    head.add_argument("--mention-representation", choices=("endpoints", "mean"))
    head.add_argument("--num-pair-refinement-layers", type=int)
    head.add_argument("--num-relation-refinement-layers", type=int)
    head.add_argument("--use-lstm", action=argparse.BooleanOptionalAction)
    head.add_argument("--entity-markers", action=argparse.BooleanOptionalAction)
    head.add_argument("--coreference-label")
    head.add_argument("--shared-relation-positions", action=argparse.BooleanOptionalAction)
    head.add_argument("--max-length", type=int, help="tokens that the model reads; by default what the encoder says")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    start = parser.add_mutually_exclusive_group(required=True)
    start.add_argument("--encoder", help="folder or Hub name of a pre-trained encoder")
    start.add_argument("--model", help="folder or Hub name of a GLiREL checkpoint to continue from")
    data = parser.add_argument_group("data")
    data.add_argument("--train", nargs="+", required=True, help="files of documents")
    data.add_argument("--eval", nargs="*", default=[], help="files to evaluate on in place of the documents held out")
    data.add_argument("--output", type=Path, required=True)
    data.add_argument("--held-out", type=float, default=0.05, help="share of the documents that is not trained on")
    data.add_argument("--eval-limit", type=int, default=1000, help="documents to evaluate on at most")
    data.add_argument("--max-per-relation", type=int, help="relations of one type an epoch, 500 to 1000 is good")
    data.add_argument(
        "--repeat",
        nargs="*",
        type=parse_repeat,
        default=[],
        metavar="SOURCE=FACTOR",
        help="visit documents whose source begins with SOURCE more often; below 1 only some of them, with 0 none",
    )
    data.add_argument("--max-relation-types", type=int, default=25)
    data.add_argument("--random-drop", type=float, default=0.5)
    data.add_argument("--negatives", choices=("frequency", "uniform"), default="frequency")
    data.add_argument("--stand-ins", type=Path, help="JSON of other wordings: {type: [wording, ...]}")
    add_head_arguments(parser)
    run = parser.add_argument_group("training")
    run.add_argument("--learning-rate", type=float, default=1e-4)
    run.add_argument("--encoder-learning-rate", type=float, default=1e-5)
    run.add_argument("--weight-decay", type=float, default=0.01)
    run.add_argument("--encoder-weight-decay", type=float, default=0.01)
    run.add_argument("--frozen-layers", type=int, default=0)
    run.add_argument("--batch-size", type=int, default=8)
    run.add_argument("--accumulate", type=int, default=1, help="batches an update")
    run.add_argument("--max-steps", type=int, default=20_000)
    run.add_argument("--eval-steps", type=int, default=500, help="also how often a checkpoint is saved")
    run.add_argument("--keep-best", action=argparse.BooleanOptionalAction, default=True)
    run.add_argument("--patience", type=int, help="stop after so many evaluations without a lower loss")
    run.add_argument("--threshold-average", choices=("micro", "macro"), default="micro")
    run.add_argument("--bf16", action=argparse.BooleanOptionalAction, default=True)
    run.add_argument("--compile", action=argparse.BooleanOptionalAction, default=False)
    run.add_argument("--workers", type=int, default=0)
    run.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    args.repeat = dict(args.repeat)
    return args


def main() -> None:
    args = parse_arguments()
    set_seed(args.seed)
    train, evaluation = read_data(args)
    if not train:
        raise SystemExit("--train holds no document to train on")
    model = load_model(args)
    args.coreference_label = model.config.coreference_label
    collator = make_collator(args, model.tokenizer, train)
    print(f"{len(evaluation):,} documents to evaluate on")
    evaluates = bool(evaluation)
    trainer = GLiRELTrainer(
        model=model,
        args=training_arguments(args, evaluates),
        data_collator=collator,
        train_dataset=train,
        eval_dataset=evaluation if evaluates else None,
        callbacks=[EarlyStoppingCallback(args.patience)] if args.patience and evaluates and args.keep_best else [],
    )
    checkpoints = args.output / "checkpoints"
    trainer.train(resume_from_checkpoint=get_last_checkpoint(str(checkpoints)) if checkpoints.is_dir() else None)
    if evaluates and trainer.is_world_process_zero():
        metrics = fit_threshold(trainer.model, evaluation, collator, average=args.threshold_average)
        print(json.dumps(metrics, indent=2))
    trainer.save_model(str(args.output / "model"))


if __name__ == "__main__":
    main()
