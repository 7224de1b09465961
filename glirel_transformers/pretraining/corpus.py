"""From plain text to a vocabulary, one line of token ids, and first embeddings."""

from __future__ import annotations

import gzip
import lzma
import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import BertWordPieceTokenizer
from tokenizers.processors import TemplateProcessing
from tqdm.auto import tqdm
from transformers import PreTrainedTokenizerFast

SPECIAL_TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
MAX_TOKENS = 2048
EMBEDDING_STD = 0.05  # skip-gram vectors are rescaled to this, a little above the usual random start of 0.02

_OPENERS: dict[str, Any] = {".xz": lzma.open, ".gz": gzip.open}


def read_texts(files: Iterable[str | os.PathLike[str]]) -> Iterator[str]:
    """Yields the texts of files, plain or compressed with xz or gzip, in which a blank line separates texts."""
    for file in files:
        with _OPENERS.get(Path(file).suffix, open)(file, "rt", encoding="utf-8") as lines:
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


def train_embeddings(tokens: np.ndarray, vocab_size: int, size: int, limit: int) -> np.ndarray:
    """Skip-gram vectors with negative sampling over sub-tokens; rows of tokens that were never seen stay random.

    Args:
        tokens: from [`encode_corpus`].
        vocab_size: number of rows.
        size: their width.
        limit: how many tokens are read.

    Returns:
        Array of shape `(vocab_size, size)`.
    """
    from gensim.models import Word2Vec

    words = np.array([str(i) for i in range(vocab_size)], dtype=object)
    sentences = [words[tokens[i : i + 1000]].tolist() for i in range(0, min(limit, len(tokens)), 1000)]
    embeddings = np.random.default_rng(0).normal(0, EMBEDDING_STD, (vocab_size, size)).astype(np.float32)
    model = Word2Vec(
        vector_size=size, window=6, sg=1, negative=6, sample=1e-4, min_count=5, epochs=1, workers=2, seed=0
    )
    model.build_vocab(sentences)
    if len(model.wv) == 0:  # a corpus in which no token occurs five times
        return embeddings
    model.train(sentences, total_examples=model.corpus_count, epochs=1)
    rows = np.array([int(word) for word in model.wv.index_to_key])
    vectors = model.wv.vectors - model.wv.vectors.mean(0)
    embeddings[rows] = vectors * (EMBEDDING_STD / vectors.std())
    return embeddings


def _batched(items: Iterator[str], size: int) -> Iterator[Sequence[str]]:
    """`itertools.batched`, which Python 3.10 and 3.11 do not have."""
    while batch := list(islice(items, size)):
        yield batch
