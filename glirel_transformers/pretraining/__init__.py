"""A small encoder and its tokenizer, trained from plain text alone."""

from .corpus import encode_corpus, read_texts, train_embeddings, train_tokenizer
from .encoder import TokenWindows, build_encoder, train_encoder

__all__ = [
    "TokenWindows",
    "build_encoder",
    "encode_corpus",
    "read_texts",
    "train_embeddings",
    "train_encoder",
    "train_tokenizer",
]
