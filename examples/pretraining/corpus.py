"""From plain text to a vocabulary and one line of token ids."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

import numpy as np
from tokenizers import BertWordPieceTokenizer
from tokenizers.processors import TemplateProcessing
from tqdm.auto import tqdm
from transformers import PreTrainedTokenizerFast

from glirel_transformers.files import open_text

SPECIAL_TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
MAX_TOKENS = 2048


def read_texts(files: Iterable[str | os.PathLike[str]]) -> Iterator[str]:
    """Yields the texts of files, plain or compressed, in which a blank line separates texts."""
    for file in files:
        with open_text(file) as lines:
            text: list[str] = []
            for line in lines:
                if line.strip():
                    text.append(line.strip())
                elif text:
                    yield " ".join(text)
                    text = []
            if text:
                yield " ".join(text)


def train_tokenizer(texts: Iterable[str], vocab_size: int) -> PreTrainedTokenizerFast:
    """A lower-casing WordPiece tokenizer, trained on `texts`."""
    tokenizer = BertWordPieceTokenizer(lowercase=True)
    tokenizer.train_from_iterator(
        tqdm(texts, desc="tokenizer", unit=" texts"),
        vocab_size=vocab_size,
        limit_alphabet=800,
        special_tokens=SPECIAL_TOKENS,
    )
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B [SEP]",
        special_tokens=[(token, tokenizer.token_to_id(token)) for token in ("[CLS]", "[SEP]")],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer._tokenizer,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
        model_max_length=MAX_TOKENS,
    )


def encode_corpus(texts: Iterable[str], tokenizer: PreTrainedTokenizerFast) -> np.ndarray:
    """All texts as one line of token ids `(tokens,)`, each followed by [SEP].

    Raises:
        ValueError: when the vocabulary does not fit into 16 bits, or there is no text.
    """
    if len(tokenizer) > 2**16:
        raise ValueError(
            f"The vocabulary has {len(tokenizer):,} tokens; at most {2**16:,} are stored. Train a smaller one."
        )
    backend, separator = tokenizer.backend_tokenizer, tokenizer.sep_token_id
    pieces: list[np.ndarray] = []
    progress = tqdm(desc="encode", unit=" tokens", unit_scale=True)
    for batch in _batched(iter(texts), 256):
        for encoding in backend.encode_batch_fast(batch, add_special_tokens=False):
            pieces.append(np.array([*encoding.ids, separator], dtype=np.uint16))
            progress.update(len(encoding.ids) + 1)
    progress.close()
    if not pieces:
        raise ValueError("The files hold no text. Give plain text in which a blank line separates texts.")
    return np.concatenate(pieces)


def _batched(items: Iterator[str], size: int) -> Iterator[Sequence[str]]:
    """`itertools.batched`, which Python 3.10 and 3.11 do not have."""
    while batch := list(islice(items, size)):
        yield batch
