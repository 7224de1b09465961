"""The embedded model: whole, small, in step with the code, and sensible."""

import json
from pathlib import Path

import pytest
import torch

from glirel_transformers import GLiRELForRelationClassification, RelationExtractionPipeline

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "checkpoints" / "glirel-mini"


@pytest.fixture(scope="module")
def extract():
    return RelationExtractionPipeline(GLiRELForRelationClassification.from_pretrained(FOLDER))


def test_it_is_a_whole_hub_folder_of_at_most_40_mb():
    names = {path.name for path in FOLDER.iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "README.md"} <= names
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) <= 40_000_000
    config = json.loads((FOLDER / "config.json").read_text())
    assert {"AutoConfig", "AutoModel"} <= set(config["auto_map"])
    assert "relation-extraction" in config["custom_pipelines"]


def test_its_code_is_that_of_the_package():
    """After a change to a `*_glirel.py`: `make checkpoint-code`."""
    ours = {path.name: path.read_text() for path in (ROOT / "glirel_transformers").glob("*_glirel.py")}
    assert {path.name: path.read_text() for path in FOLDER.glob("*_glirel.py")} == ours


def test_it_computes_in_single_precision(extract):
    assert {parameter.dtype for parameter in extract.model.parameters()} == {torch.float32}


@pytest.mark.parametrize(
    ("text", "head", "tail", "relation", "others"),
    [
        ("Marie Curie was born in Warsaw.", "Marie Curie", "Warsaw", "place of birth", ["director", "tributary"]),
        ("Alien is a 1979 film directed by Ridley Scott.", "Alien", "Ridley Scott", "director", ["place of birth"]),
        ("The Main is a tributary of the Rhine.", "Rhine", "Main", "tributary", ["director", "place of birth"]),
    ],
)
def test_it_prefers_what_the_text_says(extract, text, head, tail, relation, others):
    spans = [(text.index(name), text.index(name) + len(name)) for name in (head, tail)]
    found = extract(text, entities=spans, relation_types=[*others, relation], threshold=0.0)
    best = next(item for item in found if item["head"]["text"] == head)
    assert best["relation"] == relation
