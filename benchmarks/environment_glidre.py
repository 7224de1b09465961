"""The original GLiDRE: its environment, its source, and the same random weights in both formats."""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from documents import DocumentText, as_requests
from environment import CACHE, ENCODER, TINY_ENCODER, TOKENIZER, make_and_convert, make_environment
from workloads import relation_names

COMMIT = "00241236c60920de19c0c782e32d6d04b293362a"
SOURCE = f"https://github.com/robinarmingaud/glidre/archive/{COMMIT}.tar.gz"
# torch first, and by its exact version, so that no other requirement chooses it.
REQUIREMENTS = (["torch==2.13.0"], ["gliner==0.2.13", "transformers==4.51.3"])

# The shape of BGE-base, except its vocabulary: only rows that are looked up take part.
LABEL_ENCODER = {
    "hidden_size": 768,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "intermediate_size": 3072,
    "max_position_embeddings": 512,
    "type_vocab_size": 2,
    "hidden_act": "gelu",
    "layer_norm_eps": 1e-12,
    "pad_token_id": 0,
    "initializer_range": 0.05,  # as the other encoder's
}
TINY_LABEL_ENCODER = {**LABEL_ENCODER, "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4} | {
    "intermediate_size": 128
}
HEAD = {"max_len": 4096, "max_width": 12, "dropout": 0.4, "has_rnn": True, "self_rel": True, "pooling": "mean"}


def find_original(folder: Path | None) -> Path:
    """The interpreter that has the original package, in an environment that is created if it is missing.

    Args:
        folder: the original's source, as its repository has it; by default it is fetched from there.

    Raises:
        ValueError: when `folder` does not hold it.
    """
    source = fetch_source() if folder is None else folder.absolute()
    if not (source / "glidre" / "rel_rep.py").is_file():
        raise ValueError(f"--original must be a folder that holds the original's `glidre`: got {source}.")
    python = make_environment(CACHE / "original-glidre", *REQUIREMENTS)
    where = "import sysconfig; print(sysconfig.get_path('purelib'))"
    found = subprocess.run([str(python), "-c", where], capture_output=True, text=True, check=True)
    (Path(found.stdout.strip()) / "glidre-source.pth").write_text(f"{source}\n")
    return python


def fetch_source() -> Path:
    """The original's source at the commit that this was written for, fetched once."""
    folder = CACHE / f"glidre-{COMMIT}"
    if not folder.exists():
        print(f"Fetching {SOURCE} …", file=sys.stderr)
        with urllib.request.urlopen(SOURCE, timeout=60) as answer:
            content = answer.read()
        CACHE.mkdir(parents=True, exist_ok=True)
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            archive.extractall(CACHE, filter="data")  # into `folder`, which the archive names so
    return folder


def make_checkpoints(
    original_python: Path, texts: Sequence[DocumentText], has_context: bool, tiny: bool
) -> tuple[Path, Path]:
    """The same random weights in the original's format, made by the original, and in ours, converted from it.

    Args:
        original_python: from [`find_original`].
        texts: documents on which scores are made neither all alike nor all saturated.
        has_context: whether the models have localized context.
        tiny: whether they are of two layers.
    """
    encoder, label_encoder = (TINY_ENCODER, TINY_LABEL_ENCODER) if tiny else (ENCODER, LABEL_ENCODER)
    settings: dict[str, Any] = {
        "original": COMMIT,
        "seed": 0,
        "tokenizer": str(TOKENIZER),
        "max_length": {"encoder": 4096, "label_encoder": 512},
        "encoder": encoder,
        "label_encoder": label_encoder,
        "head": {**HEAD, "hidden_size": encoder["hidden_size"], "atlop": has_context},
        "texts": as_requests(texts[:4]),
        "relation_types": relation_names(10),
    }
    options = ["--encoder", "encoder", "--label-encoder", "label_encoder"]
    return make_and_convert(settings, original_python, "workers.original_glidre", options)
