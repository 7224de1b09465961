"""A small ModernBERT encoder, and its masked-language modelling."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from corpus import MAX_TOKENS
from torch.utils.data import Dataset
from transformers import (
    DataCollatorForLanguageModeling,
    ModernBertConfig,
    ModernBertForMaskedLM,
    PreTrainedTokenizerFast,
    Trainer,
    TrainingArguments,
)

from glirel_transformers.trainer.resuming import last_whole_checkpoint

HEAD_SIZE = 64  # width of an attention head


class TokenWindows(Dataset):
    """Contiguous windows of a line of tokens that do not overlap: no padding, hence no waste.

    Args:
        tokens: from `encode_corpus`.
        length: of a window, with the `[CLS]` before it.
        cls_token_id: of `[CLS]`.
    """

    def __init__(self, tokens: np.ndarray, length: int, cls_token_id: int) -> None:
        self.tokens, self.body, self.cls_token_id = tokens, length - 1, cls_token_id

    def __len__(self) -> int:
        return len(self.tokens) // self.body

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        ids = self.tokens[index * self.body : (index + 1) * self.body].astype(np.int64)
        return {"input_ids": torch.from_numpy(np.concatenate([[self.cls_token_id], ids]))}


def build_encoder(
    tokenizer: PreTrainedTokenizerFast, hidden_size: int, num_layers: int, embeddings: np.ndarray
) -> ModernBertForMaskedLM:
    """A ModernBERT with full attention in all layers, whose token embeddings start as `embeddings`.

    Raises:
        ValueError: when `hidden_size` is not a multiple of 64.
    """
    if hidden_size % HEAD_SIZE:
        raise ValueError(f"`hidden_size` must be a multiple of {HEAD_SIZE}, the width of a head: got {hidden_size}.")
    model = ModernBertForMaskedLM(
        ModernBertConfig(
            vocab_size=len(tokenizer),
            hidden_size=hidden_size,
            intermediate_size=2 * hidden_size,
            num_hidden_layers=num_layers,
            num_attention_heads=hidden_size // HEAD_SIZE,
            layer_types=["full_attention"] * num_layers,
            rope_parameters={"full_attention": {"rope_type": "default", "rope_theta": 10_000.0}},
            max_position_embeddings=MAX_TOKENS,
            sparse_prediction=True,
            pad_token_id=tokenizer.pad_token_id,
            bos_token_id=tokenizer.cls_token_id,
            eos_token_id=tokenizer.sep_token_id,
            cls_token_id=tokenizer.cls_token_id,
            sep_token_id=tokenizer.sep_token_id,
        )
    )
    model.get_input_embeddings().weight.data.copy_(torch.from_numpy(embeddings))
    return model


def train_encoder(
    model: ModernBertForMaskedLM,
    tokenizer: PreTrainedTokenizerFast,
    tokens: np.ndarray,
    args: TrainingArguments,
    folder: Path,
    *,
    sequence_length: int,
    held_out: int,
    mask_probability: float,
) -> dict[str, float]:
    """Masked-language modelling, from where an earlier run in `args.output_dir` stopped; saves into `folder`.

    Args:
        model: from `build_encoder`.
        tokenizer: saved next to it.
        tokens: the corpus.
        args: of the trainer.
        folder: where the encoder is written.
        sequence_length: tokens of a window.
        held_out: how many windows, the first ones, measure progress.
        mask_probability: share of the tokens that are predicted.

    Returns:
        The metrics on the windows held out.

    Raises:
        ValueError: when the corpus is too small.
    """
    boundary = sequence_length * held_out
    train = TokenWindows(tokens[boundary:], sequence_length, tokenizer.cls_token_id)
    if not len(train):
        raise ValueError(
            f"The corpus has {len(tokens):,} tokens, of which {held_out} windows of {sequence_length} are held out: "
            "nothing is left to train on. Give more text, or hold out fewer windows."
        )
    trainer = Trainer(
        model=model,
        args=args,
        train_dataset=train,
        eval_dataset=TokenWindows(tokens[:boundary], sequence_length, tokenizer.cls_token_id),
        data_collator=DataCollatorForLanguageModeling(tokenizer, mlm_probability=mask_probability),
        processing_class=tokenizer,
    )
    interrupted = last_whole_checkpoint(args.output_dir)
    trainer.train(resume_from_checkpoint=None if interrupted is None else str(interrupted.folder))
    metrics = trainer.evaluate()
    if trainer.is_world_process_zero():
        trainer.accelerator.unwrap_model(trainer.model, keep_torch_compile=False).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    return metrics
