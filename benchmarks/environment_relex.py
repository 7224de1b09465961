"""The original GLiNER-Relex: its environment, and the same random weights in both formats."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from environment import CACHE, ENCODER, TINY_ENCODER, TOKENIZER, interpreter_of, make_and_convert
from raw_texts import KINDS, LEVELS, as_requests, entity_type_names, texts_of
from workloads import relation_names

# torch first, and by its exact version, so that no other requirement chooses it.
REQUIREMENTS = (["torch==2.13.0"], ["gliner==0.2.29", "transformers==5.16.1"])

# Of the published v1.0: all pairs, a network over them, an LSTM over the words.
HEAD = {
    "max_len": 1024,
    "max_width": 12,
    "dropout": 0.3,
    "subtoken_pooling": "first",
    "num_rnn_layers": 1,
    "relations_layer": "none",
    "triples_layer": None,
}


def find_original(python: Path | None) -> Path:
    """The interpreter that has the original package; without `python`, in an environment created if it is missing."""
    return interpreter_of(python, CACHE / "original-relex", *REQUIREMENTS)


def make_checkpoints(original_python: Path, level: str, tiny: bool) -> tuple[Path, Path]:
    """The same random weights in the original's format, made by the original, and in ours, converted from it.

    Args:
        original_python: from [`find_original`].
        level: how entities are found, a name in `LEVELS`.
        tiny: whether the encoder has two layers.
    """
    encoder = TINY_ENCODER if tiny else ENCODER
    kind = KINDS["sentence"]
    settings: dict[str, Any] = {
        "original": REQUIREMENTS[1],
        "seed": 0,
        "tokenizer": str(TOKENIZER),
        "max_length": {"encoder": 4096},
        "encoder": encoder,
        "head": {**HEAD, "hidden_size": encoder["hidden_size"], "span_mode": LEVELS[level]},
        # All that are read, so that each has candidates; of a tiny model the layers are not so wide.
        "texts": as_requests(texts_of("sentence", 16 if tiny else 48) + ([] if tiny else texts_of("paragraph", 16))),
        "entity_types": entity_type_names(kind.num_entity_types),
        "relation_types": relation_names(kind.num_relations),
        "num_entities": kind.num_entities,
    }
    return make_and_convert(settings, original_python, "workers.original_relex", [])
