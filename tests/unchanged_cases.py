"""Inputs whose scores must never change, and what is recorded of them; see `scripts/record_unchanged.py`."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path
from typing import Any

import torch
from tiny import (
    ENTITIES,
    FAMILIES,
    RELATION_TYPES,
    SETTINGS,
    TEXTS,
    fill_with_noise,
    make_base_tokenizer,
    make_encoder_config,
)
from transformers import AutoModel

from glirel_transformers import GLiRELForRelationClassification, RelationExtractionPipeline

MINI = Path(__file__).resolve().parents[1] / "checkpoints" / "glirel-mini"

# Names of relation types, texts and surfaces of their entities.
CASES: list[tuple[str, list[str], list[str]]] = [
    ("Marie Curie was born in Warsaw.", ["Marie Curie", "Warsaw"], ["place of birth", "spouse"]),
    (
        "The Inn, a tributary of the Danube, rises in Switzerland.",
        ["Inn", "Danube", "Switzerland"],
        ["tributary", "country", "author", "rd."],
    ),
    (
        "In 1998, Larry Page and Sergey Brin founded Google at Stanford University in California, before Eric Schmidt "
        "became its chief executive.",
        ["Larry Page", "Sergey Brin", "Google", "Stanford University", "California", "Eric Schmidt"],
        ["founded by", "employer", "located in", "spouse", "chief executive officer"],
    ),
    ("Die Universität Zürich liegt in der Schweiz.", ["Universität Zürich", "Schweiz"], ["country", "capital of"]),
    ("東京はソニーの本社がある都市です。", ["東京", "ソニー"], ["headquarters location"]),
]


def spans_of(text: str, surfaces: list[str]) -> list[tuple[int, int]]:
    return [(text.index(surface), text.index(surface) + len(surface)) for surface in surfaces]


def embedded_record() -> dict[str, Any]:
    """Shape and digest of every tensor of glirel-mini, and its scores for `CASES`, alone and in one batch."""
    model = GLiRELForRelationClassification.from_pretrained(MINI).eval()
    extract = RelationExtractionPipeline(model)
    scores = [
        extract(text, entities=spans_of(text, names), relation_types=types, return_scores=True).scores.tolist()
        for text, names, types in CASES
    ]
    long_text = " ".join(CASES[2][0] for _ in range(40))
    windows = extract(
        long_text,
        entities=spans_of(long_text, CASES[2][1]),
        relation_types=CASES[2][2],
        truncation="window",
        return_scores=True,
    )
    return {
        "tensors": {
            name: [list(tensor.shape), hashlib.sha256(tensor.contiguous().numpy().tobytes()).hexdigest()[:16]]
            for name, tensor in model.state_dict().items()
        },
        "scores": scores,
        "windows": windows.scores.tolist(),
    }


def tiny_model(family: str, settings: dict[str, Any], folder: Path) -> GLiRELForRelationClassification:
    torch.manual_seed(0)
    AutoModel.from_config(make_encoder_config(family)).save_pretrained(folder)
    make_base_tokenizer(family).save_pretrained(folder)
    model = GLiRELForRelationClassification.from_encoder(folder, **settings).eval()
    fill_with_noise(model)
    return model


def tiny_logits(model: GLiRELForRelationClassification) -> list[list[list[float]]]:
    assert model.tokenizer is not None
    batch = model.tokenizer(TEXTS, entities=ENTITIES, relation_types=RELATION_TYPES, padding=True)
    with torch.inference_mode():
        output = model(**batch)
    return output.logits.masked_fill(~output.pair_mask.unsqueeze(-1), 0).tolist()


def tiny_record() -> dict[str, dict[str, Any]]:
    """For every family and setting the names of the tensors, and the logits of three texts."""
    record: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for family in FAMILIES:
            for name, settings in SETTINGS.items():
                model = tiny_model(family, settings, Path(folder) / f"{family}-{name}")
                record[f"{family} {name}"] = {"tensors": sorted(model.state_dict()), "logits": tiny_logits(model)}
    return record
