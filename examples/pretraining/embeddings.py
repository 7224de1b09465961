"""Skip-gram vectors of sub-tokens, which start the embeddings of an encoder."""

from __future__ import annotations

import numpy as np
from gensim.models import Word2Vec

STANDARD_DEVIATION = 0.05  # vectors are rescaled to this, a little above the usual random start of 0.02
_SENTENCE = 1000  # tokens


def train_embeddings(tokens: np.ndarray, vocab_size: int, size: int, limit: int) -> np.ndarray:
    """Skip-gram vectors with negative sampling over sub-tokens; rows of tokens that are too rare stay random.

    Args:
        tokens: from `encode_corpus`.
        vocab_size: number of rows.
        size: their width.
        limit: how many tokens are read.

    Returns:
        Array of shape `(vocab_size, size)`.
    """
    words = np.array([str(i) for i in range(vocab_size)], dtype=object)
    sentences = [words[tokens[i : i + _SENTENCE]].tolist() for i in range(0, min(limit, len(tokens)), _SENTENCE)]
    embeddings = np.random.default_rng(0).normal(0, STANDARD_DEVIATION, (vocab_size, size)).astype(np.float32)
    model = Word2Vec(
        vector_size=size, window=6, sg=1, negative=6, sample=1e-4, min_count=5, epochs=1, workers=2, seed=0
    )
    model.build_vocab(sentences)
    if len(model.wv) == 0:  # a corpus in which no token occurs five times
        return embeddings
    model.train(sentences, total_examples=model.corpus_count, epochs=1)
    rows = np.array([int(word) for word in model.wv.index_to_key])
    vectors = model.wv.vectors - model.wv.vectors.mean(0)
    embeddings[rows] = vectors * (STANDARD_DEVIATION / vectors.std())
    return embeddings
