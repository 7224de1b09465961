"""What a checkpoint is and what fits into it, read from its configuration, its tokenizer and the headers of its files.

No weights are loaded.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huggingface_hub import ModelCard, snapshot_download
from safetensors import safe_open
from transformers.tokenization_utils_base import LARGE_INTEGER

from .checkpoints import check_checkpoint, model_name, naming_the_missing, weight_files
from .configuration_glirel import STAGES, GLiRELConfig
from .tokenization_glirel import GLiRELTokenizer

# Where a checkpoint does not say what it was trained on, these stand for typical names.
TYPICAL_NAMES = (
    "place of birth",
    "date of birth",
    "spouse",
    "employer",
    "educated at",
    "country of citizenship",
    "headquarters location",
    "founded by",
    "subsidiary",
    "member of political party",
    "capital",
    "located in the administrative territorial entity",
    "author",
    "director",
    "performer",
    "part of",
    "treats",
    "causes",
    "has side effect",
    "material used",
)
# Its tokens a word stand for those of any text.
SAMPLE_TEXT = (
    "Marie Curie was born in Warsaw in 1867 and moved to Paris, where she studied physics at the Sorbonne. Together "
    "with her husband Pierre she discovered polonium and radium, for which they shared the Nobel Prize in Physics in "
    "1903. After his death in 1906 she became the first woman to hold a professorship at the University of Paris, and "
    "in 1911 she received a second Nobel Prize, this time in Chemistry. During the First World War she equipped "
    "ambulances with X-ray machines and trained about 150 women to use them."
)
WORD_COUNTS = (25, 50, 100, 200, 400, 800, 1600)

_ENCODERS = {"glirel.encoder.": "encoder", "glirel.label_encoder.encoder.": "label_encoder"}
# Fields with a place of their own, or too long for one.
_TOLD_ELSEWHERE = (
    "encoder_config",
    "label_encoder_config",
    "threshold",
    "calibration",
    "trained_relation_types",
    "trained_entity_types",
    "original_config",
)
_HEAD = tuple(name for names in STAGES.values() for name in names if name not in _TOLD_ELSEWHERE)


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint, described.

    Args:
        name: folder or Hub repository.
        encoder: family, layers, widths and vocabulary of the encoder.
        label_encoder: the same of one that reads relation types apart from the text, if there is one.
        head: the choices of [`GLiRELConfig`] for everything behind it.
        num_parameters: of the `encoder`, of the `label_encoder` where there is one, and of the `head`.
        stored_types: number of parameters by the type they are stored in, such as `"F16"`.
        dtype: the type that the model computes in.
        file_size: of the weights, in bytes.
        threshold: decision threshold.
        licence: as the model card names it.
        max_tokens: that the model reads, relation types included; `None` means no limit.
        max_words: of a text.
        max_pair_distance: words between the starts of two mentions of a pair.
        tokens_per_name: mean number of tokens of a relation type, with the `[REL]` before it.
        tokens_per_word: mean number of tokens of a word in `SAMPLE_TEXT`.
        capacity: how many relation types fit next to a text of n words; `None` means no limit, and texts that are
            longer than the model reads are left out.
        trained_relation_types: the names it was trained on, or `None` where it does not say.
        trained_entity_types: likewise of entities that it was trained to find.
        finds: how it finds entities: `entity_finder`, `max_entity_width` in words, `max_candidates` of a text,
            `entity_threshold`, `pair_selection` with its `adjacency_threshold`, and the `markers` of its prompt;
            `None` where entities are given.
        calibration: what was fitted to its scores, as in its configuration, or `None`.
    """

    name: str
    encoder: dict[str, Any]
    label_encoder: dict[str, Any] | None
    head: dict[str, Any]
    num_parameters: dict[str, int]
    stored_types: dict[str, int]
    dtype: str
    file_size: int
    threshold: float
    licence: str | None
    max_tokens: int | None
    max_words: int | None
    max_pair_distance: int | None
    tokens_per_name: float
    tokens_per_word: float
    capacity: dict[int, int | None]
    trained_relation_types: list[str] | None
    trained_entity_types: list[str] | None = None
    finds: dict[str, Any] | None = None
    calibration: dict[str, Any] | None = None


def describe_checkpoint(name: str | None = None) -> Checkpoint:
    """Describes a checkpoint without loading its weights.

    Args:
        name: folder or Hub repository; by default the one that [`model_name`] gives.

    Raises:
        OSError: when there is no such folder or repository.
        ValueError: when it is not a checkpoint of this package; the message says what it is and what to do.
    """
    name = model_name(name)
    patterns = ["*.json", "*.safetensors", "README.md", "*.onnx"]
    with naming_the_missing(name):
        folder = Path(name) if Path(name).is_dir() else Path(snapshot_download(name, allow_patterns=patterns))
    check_checkpoint(folder, name)
    files = weight_files(folder)
    config = GLiRELConfig.from_pretrained(folder)
    tokenizer = GLiRELTokenizer.from_pretrained(folder)
    parameters, stored = _count_parameters(files)
    limit = tokenizer.model_max_length
    per_name = mean_name_tokens(tokenizer, config.trained_relation_types or TYPICAL_NAMES)
    (sample,) = tokenizer.read_words([SAMPLE_TEXT])
    per_word = len(sample.token_ids) / len(sample.char_spans)
    encoder, of_labels = config.encoder_config, config.label_encoder_config
    keys = ("model_type", "num_hidden_layers", "hidden_size", "num_attention_heads", "vocab_size")
    return Checkpoint(
        name=name,
        encoder={key: getattr(encoder, key, None) for key in keys},
        label_encoder=None if of_labels is None else {key: getattr(of_labels, key, None) for key in keys},
        head={key: getattr(config, key) for key in _HEAD},
        num_parameters=parameters,
        stored_types=stored,
        dtype=str(config.dtype or "float32").removeprefix("torch."),
        file_size=sum(file.stat().st_size for file in files),
        threshold=config.threshold,
        calibration=config.calibration,
        licence=_licence(folder),
        max_tokens=limit if limit < LARGE_INTEGER else None,
        max_words=tokenizer.max_words,
        max_pair_distance=tokenizer.max_pair_distance,
        tokens_per_name=per_name,
        tokens_per_word=per_word,
        capacity={
            words: capacity(tokenizer, words, per_name, per_word)
            for words in WORD_COUNTS
            if tokenizer.max_words is None or words <= tokenizer.max_words
        },
        trained_relation_types=config.trained_relation_types,
        trained_entity_types=config.trained_entity_types,
        finds=_finds(config, tokenizer),
    )


def _finds(config: GLiRELConfig, tokenizer: GLiRELTokenizer) -> dict[str, Any] | None:
    """How a model finds entities, if it does."""
    if not config.finds_entities:
        return None
    names = ("entity_finder", "max_entity_width", "max_candidates", "entity_threshold", "pair_selection")
    found = {name: getattr(config, name) for name in names}
    if config.pair_selection != "all":
        found["adjacency_threshold"] = config.adjacency_threshold
    markers = {} if config.label_encoding == "separate" else dict(tokenizer.prompt_tokens)
    return {**found, "markers": markers}


def mean_name_tokens(tokenizer: GLiRELTokenizer, names: Sequence[str]) -> float:
    """Mean number of tokens that a relation type takes: with the `[REL]` before it, or read apart from the text."""
    if (types := tokenizer.read_prompt(list(names)).types) is not None:  # with special tokens of their own
        return sum(map(len, types)) / len(names)
    enclosing = len(tokenizer.read_prompt([]).token_ids)
    return (len(tokenizer.read_prompt(list(names)).token_ids) - enclosing) / len(names)


def capacity(tokenizer: GLiRELTokenizer, num_words: int, per_name: float, per_word: float) -> int | None:
    """How many relation types fit next to a text, markers aside; `None` means no limit.

    Where they are read apart from it, any number, or none where the text itself does not fit.

    Args:
        tokenizer: of the model.
        num_words: of the text.
        per_name: tokens of a relation type.
        per_word: tokens of a word.
    """
    if tokenizer.model_max_length >= LARGE_INTEGER:
        return None
    left = tokenizer.room(tokenizer.read_prompt([])).tokens - math.ceil(num_words * per_word)
    if tokenizer.label_encoding == "separate":
        return None if left >= 0 else 0
    return max(int(left / per_name), 0)


def _count_parameters(files: Sequence[Path]) -> tuple[dict[str, int], dict[str, int]]:
    """Number of parameters of the encoder and the head, and by the type they are stored in, read from headers."""
    parts: Counter[str] = Counter(encoder=0, head=0)
    types: Counter[str] = Counter()
    for file in files:
        with safe_open(file, framework="pt") as tensors:
            for name in tensors.keys():  # noqa: SIM118  (it is not a dictionary)
                tensor = tensors.get_slice(name)
                number = math.prod(tensor.get_shape())
                parts[next((part for start, part in _ENCODERS.items() if name.startswith(start)), "head")] += number
                types[tensor.get_dtype()] += number
    return dict(parts), dict(types)


def _licence(folder: Path) -> str | None:
    card = folder / "README.md"
    licence = ModelCard.load(card).data.get("license") if card.is_file() else None
    return None if licence is None else str(licence)
