"""The models of this repository: whole, small, in step with the code, and sensible."""

import importlib.util
import json
from pathlib import Path

import pytest
import torch

from glirel_transformers import GLiRELForRelationClassification, RelationExtractionPipeline, RelationExtractor
from glirel_transformers.checkpoints import EMBEDDED_MODEL

ROOT = Path(__file__).parents[1]
_SPEC = importlib.util.spec_from_file_location("demo", ROOT / "examples" / "demo.py")
_DEMO = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(_DEMO)
TEXTS = _DEMO.TEXTS
MINI = ROOT / "checkpoints" / "glirel-mini"
FACTS = [  # of the texts of examples/demo.py
    {("Marie Curie", "place of birth", "Warsaw"), ("Marie Curie", "educated at", "University of Paris")},
    {("Nokia", "chief executive", "Pekka Lundmark"), ("Nokia", "headquarters", "Espoo")},
    {("Metformin", "treats", "type 2 diabetes"), ("Metformin", "causes side effect", "nausea")},
    {("Ada Hegerberg", "coached by", "Jonatan Giraldez"), ("Ada Hegerberg", "former club", "Lyon")},
]
LIMITS = {MINI: 40_000_000, EMBEDDED_MODEL: 62_000_000}  # bytes of a folder; the weights of the larger one are 60 MB


@pytest.fixture(scope="module")
def mini():
    return RelationExtractionPipeline(GLiRELForRelationClassification.from_pretrained(MINI))


@pytest.fixture(scope="module")
def small():
    return RelationExtractor(str(EMBEDDED_MODEL))


@pytest.mark.parametrize("folder", LIMITS, ids=lambda folder: folder.name)
def test_they_are_whole_hub_folders_of_few_bytes(folder):
    names = {path.name for path in folder.iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "README.md"} <= names
    assert sum(path.stat().st_size for path in folder.iterdir()) <= LIMITS[folder]
    assert (folder / "model.safetensors").stat().st_size <= 60_000_000
    config = json.loads((folder / "config.json").read_text())
    assert {"AutoConfig", "AutoModel"} <= set(config["auto_map"])
    assert "relation-extraction" in config["custom_pipelines"]


@pytest.mark.parametrize("folder", LIMITS, ids=lambda folder: folder.name)
def test_their_code_is_that_of_the_package(folder):
    """After a change to a `*_glirel.py`: `make checkpoint-code`."""
    ours = {path.name: path.read_text() for path in (ROOT / "glirel_transformers").glob("*_glirel.py")}
    assert {path.name: path.read_text() for path in folder.glob("*_glirel.py")} == ours


def test_they_compute_in_single_precision(mini, small):
    for model in (mini.model, small.model):
        assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}


@pytest.mark.parametrize(
    ("text", "head", "tail", "relation", "others"),
    [
        ("Marie Curie was born in Warsaw.", "Marie Curie", "Warsaw", "place of birth", ["director", "tributary"]),
        ("Alien is a 1979 film directed by Ridley Scott.", "Alien", "Ridley Scott", "director", ["place of birth"]),
        ("The Main is a tributary of the Rhine.", "Rhine", "Main", "tributary", ["director", "place of birth"]),
    ],
)
def test_mini_prefers_what_the_text_says(mini, text, head, tail, relation, others):
    spans = [(text.index(name), text.index(name) + len(name)) for name in (head, tail)]
    found = mini(text, entities=spans, relation_types=[*others, relation], threshold=0.0)
    best = next(item for item in found if item["head"]["text"] == head)
    assert best["relation"] == relation


@pytest.mark.parametrize("number", range(len(TEXTS)))
def test_the_embedded_model_gives_what_the_demonstration_promises(small, number):
    """Of each text of `make demo` all that it says, and nothing that it does not say."""
    text, entity_types, relation_types = TEXTS[number]
    found = small(text, entity_types=entity_types, relation_types=relation_types)
    assert {(r["head"]["text"], r["relation"], r["tail"]["text"]) for r in found} == FACTS[number]


def test_the_embedded_model_finds_nothing_where_nothing_holds(small):
    text = "Anna Weber of Hamburg and Li Na, a nurse, have never met."
    types = ["killed", "acquired", "tributary of", "treats"]
    assert small(text, entity_types=["person", "city"], relation_types=types) == []


def test_the_order_of_names_changes_nothing(small):
    text, entity_types, relation_types = TEXTS[1]
    names = {"entity_types": entity_types, "relation_types": relation_types}
    turned = {kind: types[::-1] for kind, types in names.items()}
    one, other = (small(text, **asked, threshold=0.0) for asked in (names, turned))
    scores = [{(r["head"]["start"], r["relation"], r["tail"]["start"]): r["score"] for r in x} for x in (one, other)]
    assert scores[0] == pytest.approx(scores[1], abs=1e-5)
