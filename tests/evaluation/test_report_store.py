"""Scores that are kept: exact, found again, and scored again where anything is different."""

from __future__ import annotations

import sqlite3
from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny import ENTITIES, RELATION_TYPES, TEXTS

from glirel_transformers import RelationExtractor
from glirel_transformers.evaluation.report import KeepingExtractor, ScoreStore, model_digest

ASKED = {"relation_types": RELATION_TYPES, "return_scores": True, "truncation": "window"}


def items():
    return [{"text": text, "entities": entities} for text, entities in zip(TEXTS, ENTITIES, strict=True)]


@pytest.fixture
def extract(shared_model):
    return RelationExtractor(shared_model)


@pytest.fixture
def store(tmp_path):
    store = ScoreStore(tmp_path / "scores.sqlite")
    yield store
    store.close()


def test_kept_scores_are_those_of_the_extractor(extract, store):
    kept = KeepingExtractor(extract, store)
    found = list(kept(items(), batch_size=2, **ASKED))
    for one, other in zip(found, extract(items(), batch_size=2, **ASKED), strict=True):
        assert replace(one, pair_index=None, scores=None) == replace(other, pair_index=None, scores=None)
        assert np.array_equal(one.pair_index, other.pair_index)
        assert np.array_equal(one.scores, other.scores)
        assert one.scores.dtype == np.float32
        assert one.select(0.1) == other.select(0.1)
    assert (kept.num_scored, kept.num_kept) == (3, 0)


def test_nothing_is_scored_twice_but_what_is_new(extract, store, tmp_path, monkeypatch):
    first = list(KeepingExtractor(extract, store)(items(), **ASKED))
    store.close()
    store = ScoreStore(tmp_path / "scores.sqlite")
    again = KeepingExtractor(extract, store)
    monkeypatch.setattr(extract, "iterate", lambda *_, **__: pytest.fail("it was scored again"))
    found = list(again(iter(items()), batch_size=1, **ASKED, threshold=0.9))
    assert (again.num_scored, again.num_kept) == (0, 3)
    assert [one.scores.tolist() for one in found] == [one.scores.tolist() for one in first]
    store.close()


@pytest.mark.parametrize(
    "change",
    [
        {"relation_types": RELATION_TYPES[::-1]},
        {"self_pairs": True},
        {"group_size": 1},
    ],
)
def test_another_way_of_asking_is_scored(change, extract, store):
    list(KeepingExtractor(extract, store)(items(), **ASKED))
    again = KeepingExtractor(extract, store)
    found = list(again(items(), **{**ASKED, **change}))
    assert (again.num_scored, again.num_kept) == (3, 0)
    expected = extract(items(), batch_size=1, **{**ASKED, **change})
    assert [one.scores.tolist() for one in found] == [one.scores.tolist() for one in expected]


def test_another_text_entity_or_model_is_scored(extract, store, build_model):
    list(KeepingExtractor(extract, store)(items(), batch_size=1, **ASKED))
    changed = items()
    changed[0]["text"] = changed[0]["text"].replace("born", "seen")
    again = KeepingExtractor(extract, store)
    list(again(changed, batch_size=1, **ASKED))
    assert again.num_scored == 3  # those that are read together with it, so that batches are the same again
    other = build_model("bert")
    assert model_digest(other, other.tokenizer) == model_digest(extract.model, extract.tokenizer)
    with torch.no_grad():
        next(other.parameters()).view(-1)[0] += 1
    assert model_digest(other, other.tokenizer) != model_digest(extract.model, extract.tokenizer)


def test_entities_that_were_found_and_evidence_are_kept(joint_model, build_model, store):
    joint = RelationExtractor(joint_model)
    asked = {**ASKED, "entity_types": ["person", "city"], "entity_threshold": 0.3, "multi_label": True}
    texts = [{"text": text, "entity_types": None} for text in TEXTS]
    found = list(KeepingExtractor(joint, store)(texts, batch_size=2, **asked))
    expected = joint(texts, batch_size=2, **asked)
    assert [one.entities for one in found] == [one.entities for one in expected]
    assert any(one.entities for one in found)
    localized = RelationExtractor(build_model("bert", pair_context="localized"))
    found = list(KeepingExtractor(localized, store)(items(), **ASKED, evidence=2))
    for one, other in zip(found, localized(items(), **ASKED, evidence=2), strict=True):
        assert one.select(0.0, evidence=2) == other.select(0.0, evidence=2)


def test_speed_is_that_of_all_runs(extract, store):
    kept = KeepingExtractor(extract, store)
    list(kept(items(), **ASKED))
    list(kept(items(), **{**ASKED, "relation_types": ["spouse"]}))
    (speed,) = store.speeds(kept.asked)
    assert (speed.num_texts, speed.num_pairs) == (3, 2 + 6 + 2)
    assert speed.texts_per_second == pytest.approx(3 / speed.seconds)
    assert "threads" in speed.machine
    assert store.speeds([b"never asked"]) == []


def test_scores_alone_are_kept(extract, store):
    with pytest.raises(ValueError, match="return_scores=True"):
        KeepingExtractor(extract, store)(items(), relation_types=RELATION_TYPES)


def test_files_that_are_something_else(tmp_path):
    (tmp_path / "text").write_text("not a database, but long enough to be taken for one\n" * 20, encoding="utf-8")
    with pytest.raises(ValueError, match=r"'.*text' is not a file of scores, or damaged"):
        ScoreStore(tmp_path / "text")
    with sqlite3.connect(tmp_path / "newer") as newer:
        newer.execute("PRAGMA user_version = 99")
    newer.close()
    with pytest.raises(ValueError, match="has scores of format 99"):
        ScoreStore(tmp_path / "newer")
    with pytest.raises(OSError, match="cannot be written"):
        ScoreStore(tmp_path / "missing" / "scores.sqlite")
