"""`glirel pretrain`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .console import console, errors, errors_without_traceback, interruptible, is_main_process, plain
from .options import takes

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from transformers import TrainingArguments

_ENCODER, _TRAINING, _MACHINE = "Encoder", "Training", "Machine"

Corpus = Annotated[
    list[Path],
    typer.Argument(
        metavar="TEXT",
        exists=True,
        dir_okay=False,
        help="Files of plain text, .txt, .txt.xz or .txt.gz, in which a blank line separates texts.",
    ),
]
Output = Annotated[Path, typer.Option("--output", "-o", help="Folder of the run: `encoder` in it is the result.")]
VocabSize = Annotated[
    int,
    typer.Option(
        "--vocab-size",
        metavar="VALUE",
        min=100,
        max=2**16,
        rich_help_panel=_ENCODER,
        help="Sub-tokens of the tokenizer.",
    ),
]
HiddenSize = Annotated[
    int,
    typer.Option(
        "--hidden-size",
        metavar="VALUE",
        min=64,
        rich_help_panel=_ENCODER,
        help="Width of the encoder, a multiple of 64.",
    ),
]
NumLayers = Annotated[
    int, typer.Option("--num-layers", metavar="VALUE", min=1, rich_help_panel=_ENCODER, help="Layers of the encoder.")
]
SequenceLength = Annotated[
    int,
    typer.Option(
        "--sequence-length", metavar="VALUE", min=8, rich_help_panel=_TRAINING, help="Tokens of a training window."
    ),
]
BatchSize = Annotated[
    int,
    typer.Option(
        "--batch-size",
        "-b",
        metavar="VALUE",
        min=1,
        rich_help_panel=_TRAINING,
        help="Windows a batch, for each process.",
    ),
]
MaxSteps = Annotated[
    int,
    typer.Option(
        "--max-steps",
        metavar="VALUE",
        min=1,
        rich_help_panel=_TRAINING,
        help="Updates; the last third of them cools down.",
    ),
]
LearningRate = Annotated[
    float,
    typer.Option("--learning-rate", metavar="VALUE", min=0, rich_help_panel=_TRAINING, help="Highest learning rate."),
]
MaskProbability = Annotated[
    float,
    typer.Option(
        "--mask-probability", metavar="VALUE", min=0.01, max=0.9, rich_help_panel=_TRAINING, help="Tokens to predict."
    ),
]
HeldOut = Annotated[
    int,
    typer.Option(
        "--held-out", metavar="VALUE", min=1, rich_help_panel=_TRAINING, help="How many windows measure progress."
    ),
]
SaveSteps = Annotated[
    int,
    typer.Option(
        "--save-steps", metavar="VALUE", min=1, rich_help_panel=_TRAINING, help="Updates between checkpoints."
    ),
]
EmbeddingTokens = Annotated[
    int,
    typer.Option(
        "--embedding-tokens", metavar="VALUE", min=0, rich_help_panel=_ENCODER, help="Tokens that skip-gram reads."
    ),
]
Bf16 = Annotated[
    bool, typer.Option("--bf16/--no-bf16", metavar="", rich_help_panel=_MACHINE, help="Compute in bfloat16.")
]
Compile = Annotated[
    bool, typer.Option("--compile/--no-compile", metavar="", rich_help_panel=_MACHINE, help="torch.compile.")
]
Seed = Annotated[
    int, typer.Option("--seed", metavar="VALUE", min=0, rich_help_panel=_TRAINING, help="Of everything that is drawn.")
]


@dataclass(frozen=True)
class PretrainOptions:
    """What `glirel pretrain` is given."""

    corpus: Corpus
    output: Output
    vocab_size: VocabSize = 20_480
    hidden_size: HiddenSize = 256
    num_layers: NumLayers = 6
    sequence_length: SequenceLength = 128
    batch_size: BatchSize = 64
    max_steps: MaxSteps = 4000
    learning_rate: LearningRate = 2e-3
    mask_probability: MaskProbability = 0.2
    held_out: HeldOut = 256
    save_steps: SaveSteps = 250
    embedding_tokens: EmbeddingTokens = 40_000_000
    bf16: Bf16 = True
    compile: Compile = True
    seed: Seed = 0


@takes(PretrainOptions)
def pretrain(given: PretrainOptions) -> None:
    """Train a small encoder and its tokenizer from plain text, by masked-language modelling.

    Four stages, each skipped when its result is in the folder already, so that **a stopped run goes on when the same
    command is given again**: a WordPiece vocabulary (`tokenizer`), the corpus as token ids (`tokens.npy`), skip-gram
    vectors that start the embeddings (`embeddings.npy`), and a ModernBERT (`encoder`), which `glirel train --encoder`
    takes. Needs the extra `pretrain`.

    For example:

        glirel pretrain corpus/*.txt.xz -o runs/pretrain --max-steps 4000
    """
    with errors_without_traceback(), interruptible(_explain_how_to_go_on):
        _run(given)


def _explain_how_to_go_on() -> None:
    if is_main_process():
        errors.print("Stopped. The same command goes on from what is saved.")


def _run(given: PretrainOptions) -> None:
    from glirel_transformers.extras import require_extra

    require_extra("pretrain", "accelerate", "tensorboard", "gensim")
    import numpy as np
    from transformers import PreTrainedTokenizerFast, set_seed

    from glirel_transformers import pretraining

    set_seed(given.seed)
    output, files = given.output, sorted(given.corpus)
    output.mkdir(parents=True, exist_ok=True)
    if not (output / "tokenizer").is_dir():
        texts = pretraining.read_texts(files)
        pretraining.train_tokenizer(texts, given.vocab_size).save_pretrained(output / "tokenizer")
    tokenizer = PreTrainedTokenizerFast.from_pretrained(output / "tokenizer")
    if not (output / "tokens.npy").is_file():
        _save(output / "tokens.npy", pretraining.encode_corpus(pretraining.read_texts(files), tokenizer))
    tokens = np.load(output / "tokens.npy", mmap_mode="r")
    if is_main_process():
        console.print(f"{len(tokens):,} tokens")
    if not (output / "embeddings.npy").is_file():
        size, limit = given.hidden_size, given.embedding_tokens
        _save(output / "embeddings.npy", pretraining.train_embeddings(tokens, len(tokenizer), size, limit))
    embeddings = np.load(output / "embeddings.npy")
    model = pretraining.build_encoder(tokenizer, given.hidden_size, given.num_layers, embeddings)
    metrics = pretraining.train_encoder(
        model,
        tokenizer,
        tokens,
        _training_arguments(given),
        output / "encoder",
        sequence_length=given.sequence_length,
        held_out=given.held_out,
        mask_probability=given.mask_probability,
    )
    if is_main_process():
        console.print(plain(f"The encoder is in {output / 'encoder'} (held-out loss {metrics['eval_loss']:.3f})."))
        console.print(plain(f"Next:\n  glirel train DATA --encoder {output / 'encoder'} --output runs/mine"))


def _save(file: Path, array: NDArray[Any]) -> None:
    """Writes an array so that a file of this name is always a whole one."""
    import numpy as np

    part = file.with_name(f"part-{file.name}")
    np.save(part, array)
    part.replace(file)


def _training_arguments(given: PretrainOptions) -> TrainingArguments:
    import torch
    from transformers import TrainingArguments

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
