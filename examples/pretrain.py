"""Train a small encoder and its tokenizer from scratch by masked-language modelling.

Four stages, each skipped when its result is already in `--output`, so that a stopped run is simply started again:

1. `tokenizer/`         a lower-cased WordPiece vocabulary, trained on the corpus
2. `tokens.npy`         the corpus as one line of token ids, documents separated by [SEP]
3. `embeddings.npy`     skip-gram vectors of those tokens, which start the encoder's embeddings
4. `encoder/`           a ModernBERT encoder after masked-language modelling (resumed from its last checkpoint)

Runs on a CPU or a GPU, alone or under `accelerate launch`:

    python examples/pretrain.py --corpus "corpus/*.txt.xz" --output runs/pretrain --max-steps 4000
"""

from __future__ import annotations

import argparse
import glob
import lzma
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from tokenizers import BertWordPieceTokenizer
from tokenizers.processors import TemplateProcessing
from torch.utils.data import Dataset
from tqdm.auto import tqdm
from transformers import (
    DataCollatorForLanguageModeling,
    ModernBertConfig,
    ModernBertForMaskedLM,
    PreTrainedTokenizerFast,
    Trainer,
    TrainingArguments,
    set_seed,
)
from transformers.trainer_utils import get_last_checkpoint

SPECIAL_TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
EMBEDDING_STD = 0.05  # skip-gram vectors are rescaled to this, a little above the usual random start of 0.02


def read_documents(files: list[str]) -> Iterator[str]:
    """Yields documents of plain or xz-compressed text files, in which a blank line separates documents."""
    for file in files:
        opener = lzma.open if file.endswith(".xz") else open
        with opener(file, "rt", encoding="utf-8") as lines:
            document: list[str] = []
            for line in lines:
                if line.strip():
                    document.append(line.strip())
                elif document:
                    yield " ".join(document)
                    document = []
            if document:
                yield " ".join(document)


def batched(items: Iterator[str], size: int) -> Iterator[list[str]]:
    """`itertools.batched`, which Python 3.10 and 3.11 do not have."""
    while batch := list(islice(items, size)):
        yield batch


def train_tokenizer(files: list[str], output: Path, vocab_size: int) -> None:
    tokenizer = BertWordPieceTokenizer(lowercase=True)
    tokenizer.train_from_iterator(
        tqdm(read_documents(files), desc="tokenizer", unit=" documents"),
        vocab_size=vocab_size,
        limit_alphabet=800,
        special_tokens=SPECIAL_TOKENS,
    )
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B [SEP]",
        special_tokens=[(token, tokenizer.token_to_id(token)) for token in ("[CLS]", "[SEP]")],
    )
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer._tokenizer,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
        model_max_length=2048,
    )
    wrapped.save_pretrained(output)


def encode_corpus(files: list[str], tokenizer: PreTrainedTokenizerFast, output: Path) -> None:
    backend, separator = tokenizer.backend_tokenizer, tokenizer.sep_token_id
    pieces: list[np.ndarray] = []
    progress = tqdm(desc="encode", unit=" tokens", unit_scale=True)
    for documents in batched(read_documents(files), 256):
        for encoding in backend.encode_batch_fast(documents, add_special_tokens=False):
            pieces.append(np.array([*encoding.ids, separator], dtype=np.uint16))
            progress.update(len(encoding.ids) + 1)
    np.save(output, np.concatenate(pieces))


def train_embeddings(tokens: np.ndarray, tokenizer: PreTrainedTokenizerFast, size: int, limit: int) -> np.ndarray:
    """Skip-gram with negative sampling over sub-tokens; rows of tokens that were never seen stay random."""
    from gensim.models import Word2Vec

    words = np.array([str(i) for i in range(len(tokenizer))], dtype=object)
    sentences = [words[tokens[i : i + 1000]].tolist() for i in range(0, min(limit, len(tokens)), 1000)]
    model = Word2Vec(
        sentences, vector_size=size, window=6, sg=1, negative=6, sample=1e-4, min_count=5, epochs=1, workers=2, seed=0
    )
    embeddings = np.random.default_rng(0).normal(0, EMBEDDING_STD, (len(tokenizer), size)).astype(np.float32)
    rows = np.array([int(word) for word in model.wv.index_to_key])
    vectors = model.wv.vectors - model.wv.vectors.mean(0)
    embeddings[rows] = vectors * (EMBEDDING_STD / vectors.std())
    return embeddings


class Chunks(Dataset):
    """Contiguous, non-overlapping windows of the token line: no padding, hence no waste."""

    def __init__(self, tokens: np.ndarray, length: int, cls_token_id: int) -> None:
        self.tokens, self.body, self.cls_token_id = tokens, length - 1, cls_token_id

    def __len__(self) -> int:
        return len(self.tokens) // self.body

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        ids = self.tokens[index * self.body : (index + 1) * self.body].astype(np.int64)
        return {"input_ids": torch.from_numpy(np.concatenate([[self.cls_token_id], ids]))}


def build_encoder(args: argparse.Namespace, tokenizer: PreTrainedTokenizerFast) -> ModernBertForMaskedLM:
    return ModernBertForMaskedLM(
        ModernBertConfig(
            vocab_size=len(tokenizer),
            hidden_size=args.hidden_size,
            intermediate_size=2 * args.hidden_size,
            num_hidden_layers=args.num_layers,
            num_attention_heads=args.hidden_size // 64,
            layer_types=["full_attention"] * args.num_layers,
            rope_parameters={"full_attention": {"rope_type": "default", "rope_theta": 10_000.0}},
            max_position_embeddings=2048,
            sparse_prediction=True,
            pad_token_id=tokenizer.pad_token_id,
            bos_token_id=tokenizer.cls_token_id,
            eos_token_id=tokenizer.sep_token_id,
            cls_token_id=tokenizer.cls_token_id,
            sep_token_id=tokenizer.sep_token_id,
        )
    )


def train_encoder(args: argparse.Namespace, tokenizer: PreTrainedTokenizerFast, tokens: np.ndarray) -> None:
    model = build_encoder(args, tokenizer)
    embeddings = torch.from_numpy(np.load(args.output / "embeddings.npy"))
    model.get_input_embeddings().weight.data.copy_(embeddings)
    held_out = args.sequence_length * args.held_out
    trainer = Trainer(
        model=model,
        args=TrainingArguments(
            output_dir=str(args.output / "checkpoints"),
            max_steps=args.max_steps,
            per_device_train_batch_size=args.batch_size,
            per_device_eval_batch_size=args.batch_size,
            learning_rate=args.learning_rate,
            lr_scheduler_type="warmup_stable_decay",
            lr_scheduler_kwargs={"num_decay_steps": args.max_steps // 3},
            warmup_steps=0.04,
            weight_decay=0.05,
            adam_beta2=0.98,
            max_grad_norm=1.0,
            use_cpu=not torch.cuda.is_available(),
            bf16=args.bf16,
            torch_compile=args.compile,
            logging_steps=25,
            eval_strategy="steps",
            eval_steps=500,
            save_steps=args.save_steps,
            save_total_limit=1,
            report_to=["tensorboard"],
            seed=args.seed,
        ),
        train_dataset=Chunks(tokens[held_out:], args.sequence_length, tokenizer.cls_token_id),
        eval_dataset=Chunks(tokens[:held_out], args.sequence_length, tokenizer.cls_token_id),
        data_collator=DataCollatorForLanguageModeling(tokenizer, mlm_probability=args.mask_probability),
        processing_class=tokenizer,
    )
    checkpoints = args.output / "checkpoints"
    trainer.train(resume_from_checkpoint=get_last_checkpoint(checkpoints) if checkpoints.is_dir() else None)
    print(trainer.evaluate())
    if trainer.is_world_process_zero():
        trainer.accelerator.unwrap_model(trainer.model, keep_torch_compile=False).save_pretrained(
            args.output / "encoder"
        )
        tokenizer.save_pretrained(args.output / "encoder")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", required=True, help="glob of text files (.txt or .txt.xz)")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--vocab-size", type=int, default=20_480)
    parser.add_argument("--hidden-size", type=int, default=256)
    parser.add_argument("--num-layers", type=int, default=6)
    parser.add_argument("--sequence-length", type=int, default=128)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--max-steps", type=int, default=4000)
    parser.add_argument("--learning-rate", type=float, default=2e-3)
    parser.add_argument("--mask-probability", type=float, default=0.2)
    parser.add_argument("--held-out", type=int, default=256, help="how many windows measure progress")
    parser.add_argument("--save-steps", type=int, default=250)
    parser.add_argument("--embedding-tokens", type=int, default=40_000_000, help="how many tokens skip-gram reads")
    parser.add_argument("--bf16", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--compile", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def main() -> None:
    args = parse_arguments()
    set_seed(args.seed)
    args.output.mkdir(parents=True, exist_ok=True)
    files = sorted(glob.glob(args.corpus))
    if not files:
        raise SystemExit(f"--corpus {args.corpus!r} matches no file")
    if not (args.output / "tokenizer").is_dir():
        train_tokenizer(files, args.output / "tokenizer", args.vocab_size)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(args.output / "tokenizer")
    if not (args.output / "tokens.npy").is_file():
        encode_corpus(files, tokenizer, args.output / "tokens.npy")
    tokens = np.load(args.output / "tokens.npy", mmap_mode="r")
    print(f"{len(tokens):,} tokens")
    if not (args.output / "embeddings.npy").is_file():
        embeddings = train_embeddings(tokens, tokenizer, args.hidden_size, args.embedding_tokens)
        np.save(args.output / "embeddings.npy", embeddings)
    train_encoder(args, tokenizer, tokens)


if __name__ == "__main__":
    main()
