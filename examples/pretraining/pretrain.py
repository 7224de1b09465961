"""Train a small encoder and its tokenizer from plain text, by masked-language modelling.

Four stages, each skipped when its result is in the folder already, so that a run that was stopped continues when the
same command is given again: a WordPiece vocabulary (`tokenizer`), the corpus as token ids (`tokens.npy`), skip-gram
vectors that start the embeddings (`embeddings.npy`), and a ModernBERT (`encoder`) for `glirel train --encoder`.

    python examples/pretraining/pretrain.py corpus/*.txt.xz --output runs/pretrain --max-steps 4000
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from corpus import encode_corpus, read_texts, train_tokenizer
from embeddings import train_embeddings
from encoder import build_encoder, train_encoder
from transformers import PreTrainedTokenizerFast, TrainingArguments, set_seed


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "corpus", nargs="+", type=Path, metavar="TEXT", help="files, in which a blank line separates texts"
    )
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder of the run")
    parser.add_argument("--vocab-size", type=int, default=20_480, help="sub-tokens of the tokenizer (%(default)s)")
    parser.add_argument("--hidden-size", type=int, default=256, help="width of the encoder (%(default)s)")
    parser.add_argument("--num-layers", type=int, default=6, help="layers of the encoder (%(default)s)")
    parser.add_argument(
        "--embedding-tokens", type=int, default=40_000_000, help="tokens that skip-gram reads (%(default)s)"
    )
    parser.add_argument("--sequence-length", type=int, default=128, help="tokens of a window (%(default)s)")
    parser.add_argument("-b", "--batch-size", type=int, default=64, help="windows of a batch (%(default)s)")
    parser.add_argument("--max-steps", type=int, default=4000, help="updates; the last third cools down (%(default)s)")
    parser.add_argument("--learning-rate", type=float, default=2e-3, help="the highest (%(default)s)")
    parser.add_argument("--mask-probability", type=float, default=0.2, help="share of tokens to predict (%(default)s)")
    parser.add_argument("--held-out", type=int, default=256, help="windows that measure progress (%(default)s)")
    parser.add_argument("--save-steps", type=int, default=250, help="updates between checkpoints (%(default)s)")
    parser.add_argument("--bf16", action=argparse.BooleanOptionalAction, default=True, help="compute in bfloat16")
    parser.add_argument("--compile", action=argparse.BooleanOptionalAction, default=True, help="use torch.compile")
    parser.add_argument("--seed", type=int, default=0, help="of everything that is drawn (%(default)s)")
    return parser.parse_args()


def pretrain(given: argparse.Namespace) -> None:
    set_seed(given.seed)
    output, files = given.output, sorted(given.corpus)
    output.mkdir(parents=True, exist_ok=True)
    if not (output / "tokenizer").is_dir():
        train_tokenizer(read_texts(files), given.vocab_size).save_pretrained(output / "tokenizer")
    tokenizer = PreTrainedTokenizerFast.from_pretrained(output / "tokenizer")
    if not (output / "tokens.npy").is_file():
        save_whole(output / "tokens.npy", encode_corpus(read_texts(files), tokenizer))
    tokens = np.load(output / "tokens.npy", mmap_mode="r")
    if not (output / "embeddings.npy").is_file():
        vectors = train_embeddings(tokens, len(tokenizer), given.hidden_size, given.embedding_tokens)
        save_whole(output / "embeddings.npy", vectors)
    model = build_encoder(tokenizer, given.hidden_size, given.num_layers, np.load(output / "embeddings.npy"))
    args = training_arguments(given)
    metrics = train_encoder(
        model,
        tokenizer,
        tokens,
        args,
        output / "encoder",
        sequence_length=given.sequence_length,
        held_out=given.held_out,
        mask_probability=given.mask_probability,
    )
    if args.process_index == 0:
        print(f"The encoder of {len(tokens):,} tokens is in {output / 'encoder'}: loss {metrics['eval_loss']:.3f}")
        print(f"Next:\n  glirel train DATA --encoder {output / 'encoder'} --output runs/mine")


def save_whole(file: Path, array: np.ndarray) -> None:
    """Writes an array so that a file of this name is always a whole one."""
    part = file.with_name(f"part-{file.name}")
    np.save(part, array)
    part.replace(file)


def training_arguments(given: argparse.Namespace) -> TrainingArguments:
    return TrainingArguments(
        output_dir=str(given.output / "checkpoints"),
        max_steps=given.max_steps,
        per_device_train_batch_size=given.batch_size,
        per_device_eval_batch_size=given.batch_size,
        learning_rate=given.learning_rate,
        lr_scheduler_type="warmup_stable_decay",
        lr_scheduler_kwargs={"num_decay_steps": given.max_steps // 3},
        warmup_steps=0.04,
        weight_decay=0.05,
        adam_beta2=0.98,
        max_grad_norm=1.0,
        use_cpu=not torch.accelerator.is_available(),
        bf16=given.bf16,
        torch_compile=given.compile,
        logging_steps=25,
        eval_strategy="steps",
        eval_steps=500,
        save_steps=given.save_steps,
        save_total_limit=1,
        report_to=["tensorboard"],
        seed=given.seed,
    )


if __name__ == "__main__":
    try:
        pretrain(parse_arguments())
    except (OSError, ValueError) as error:
        raise SystemExit(f"error: {error}") from error
