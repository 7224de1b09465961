"""`pipeline("relation-extraction")` as one of transformers' own."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from asked import CITY, MARIE, PERSON, TYPES, assert_same_results, found
from tiny import ENTITIES, RELATION_TYPES, TEXTS, make_base_tokenizer
from transformers import pipeline
from transformers.pipelines import PIPELINE_REGISTRY

from glirel_transformers import GLiRELTokenizer, RelationExtractionPipeline


def test_the_task_is_registered():
    assert "relation-extraction" in PIPELINE_REGISTRY.get_supported_tasks()


@pytest.mark.parametrize("as_text", [str, lambda path: path], ids=["str", "path"])
def test_pipeline_of_a_folder_with_remote_code(shared_model, extract, tmp_path, as_text):
    shared_model.save_pretrained(tmp_path)
    pipe = pipeline("relation-extraction", model=as_text(tmp_path), trust_remote_code=True)
    assert type(pipe).__name__ == "RelationExtractionPipeline"
    options = {"entities": ENTITIES[1], "relation_types": RELATION_TYPES, "threshold": 0.0}
    assert_same_results([pipe(TEXTS[1], **options)], [extract(TEXTS[1], **options)])


def test_the_task_is_found_in_the_folder(shared_model, tmp_path):
    shared_model.save_pretrained(tmp_path)
    assert pipeline(model=str(tmp_path), trust_remote_code=True).task == "relation-extraction"


def test_pipeline_of_a_folder_without_trust_names_the_cure(shared_model, tmp_path):
    shared_model.save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="trust_remote_code=True"):
        pipeline("relation-extraction", model=str(tmp_path), trust_remote_code=False)


def test_pipeline_of_a_folder_with_the_installed_code(shared_model, extract, tmp_path):
    shared_model.save_pretrained(tmp_path)
    pipe = pipeline("relation-extraction", model=str(tmp_path), pipeline_class=RelationExtractionPipeline)
    assert type(pipe) is RelationExtractionPipeline
    assert type(pipe.tokenizer).__name__ == GLiRELTokenizer.__name__
    options = {"entities": [PERSON, CITY], "relation_types": TYPES, "threshold": 0.0}
    assert_same_results([pipe(MARIE, **options)], [extract(MARIE, **options)])


def test_pipeline_of_a_model_and_its_tokenizer(shared_model, extract):
    pipe = pipeline("relation-extraction", model=shared_model, tokenizer=shared_model.tokenizer)
    options = {"entities": [PERSON, CITY], "relation_types": TYPES, "threshold": 0.0}
    assert pipe(MARIE, **options) == extract(MARIE, **options)


def test_the_tokenizer_comes_with_the_model_or_from_a_folder(shared_model, tmp_path):
    shared_model.save_pretrained(tmp_path)
    for tokenizer in (None, str(tmp_path), shared_model.tokenizer):
        extract = pipeline("relation-extraction", model=shared_model, tokenizer=tokenizer)
        assert extract(MARIE, entities=[PERSON, CITY], relation_types=TYPES, threshold=0.0)


def test_another_tokenizer_is_refused(shared_model, build_model, tmp_path):
    with pytest.raises(TypeError, match="needs the model's GLiRELTokenizer: got "):
        RelationExtractionPipeline(shared_model, tokenizer=make_base_tokenizer("bert"))
    with pytest.raises(OSError, match="nowhere"):
        pipeline("relation-extraction", model=shared_model, tokenizer=str(tmp_path / "nowhere"))
    other = build_model("bert", entity_markers=True).tokenizer
    with pytest.raises(ValueError, match="entity_markers=True but the model was built with False"):
        RelationExtractionPipeline(shared_model, tokenizer=other)
    other = build_model("bert", max_pair_distance=3).tokenizer
    with pytest.raises(ValueError, match="max_pair_distance=3 but the model was built with None"):
        RelationExtractionPipeline(shared_model, tokenizer=other)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision(build_model, extract, dtype):
    pipe = RelationExtractionPipeline(build_model("bert").to(dtype))
    options = {"entities": [PERSON, CITY], "relation_types": TYPES, "threshold": 0.0}
    expected = dict(zip(found(extract(MARIE, **options)), extract(MARIE, **options), strict=True))
    for relation in pipe(MARIE, **options):
        (cell,) = found([relation])
        assert relation["score"] == pytest.approx(expected[cell]["score"], abs=0.05)


def test_nothing_is_left_to_differentiate(extract):
    extract(MARIE, entities=[PERSON, CITY], relation_types=TYPES)
    assert all(parameter.grad is None for parameter in extract.model.parameters())
    assert not extract.model.training


@pytest.mark.slow
def test_two_hundred_entities_and_fifty_types(build_model):
    """39,800 pairs, each against 50 types."""
    words = ["Marie" if i % 2 else "of" for i in range(400)]
    text = " ".join(words)
    starts = np.cumsum([0] + [len(word) + 1 for word in words[:-1]])
    entities = [(int(s), int(s) + 5) for s, word in zip(starts, words, strict=True) if word == "Marie"]
    types = [f"spouse {letter}{other}" for letter in "abcde" for other in "fghijklmno"]
    model = build_model("bert")
    model.glirel.encoder.embeddings.position_embeddings = torch.nn.Embedding(1024, 32)
    model.glirel.encoder.embeddings.position_ids = torch.arange(1024)[None]
    model.glirel.encoder.embeddings.token_type_ids = torch.zeros(1, 1024, dtype=torch.long)
    model.tokenizer.model_max_length = 1024
    relations = RelationExtractionPipeline(model)(
        text, entities=entities, relation_types=types, threshold=0.0, top_k=1
    )
    assert len(entities) == 200
    assert len(relations) == 39_800
