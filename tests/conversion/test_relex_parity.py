"""Checkpoints and scores of the original GLiNER-Relex in a folder outside this repository, where there is one.

The folder named by `RELEX_REFERENCE` holds `inputs.json`, and a folder for each setting with `gliner_config.json`, the
weights, a tokenizer, `expected.safetensors` and `expected.json`.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import torch
from relex_reference import Reference, candidates, half_open

ROOT = Path(os.environ.get("RELEX_REFERENCE", ""))
CHECKPOINTS = (
    sorted(
        file.parent for file in ROOT.glob("*/expected.safetensors") if (file.parent / "gliner_config.json").is_file()
    )
    if "RELEX_REFERENCE" in os.environ
    else []
)

pytestmark = pytest.mark.skipif(not CHECKPOINTS, reason="RELEX_REFERENCE names no folder with reference checkpoints")


@pytest.fixture(scope="module", params=CHECKPOINTS, ids=lambda folder: folder.name)
def reference(request, tmp_path_factory):
    inputs = json.loads((ROOT / "inputs.json").read_text(encoding="utf-8"))
    return Reference(request.param, inputs, tmp_path_factory.mktemp("converted") / request.param.name)


@torch.no_grad()
def test_scores_are_those_of_the_original(reference):
    for name in reference.cases:
        _compare_scores(reference, name)
    print(reference.folder.name, reference.largest, reference.num_compared)
    assert not reference.problems, "\n".join(reference.problems)
    assert reference.num_compared["entity logits"] > 1000


def _compare_scores(reference, name):
    case, batch = reference.expected["cases"][name], reference.features(name)
    tensors = {key.split(".", 1)[1]: value for key, value in reference.tensors.items() if key.startswith(f"{name}.")}
    input_ids, expected_ids = batch["input_ids"], tensors["input_ids"].long()
    reference.check(torch.equal(input_ids, expected_ids), f"{name}: other tokens")
    if not torch.equal(input_ids, expected_ids):
        return
    found = reference.model(**batch, entity_threshold=case["threshold"], adjacency_threshold=-1.0)
    compared = reference.texts_to_compare(batch)
    for place in compared:
        num_words, num_types = int(batch["word_mask"][place].sum()), int(batch["entity_type_mask"][place].sum())
        _compare_entity_logits(reference, name, found.entity_logits, tensors["logits"], place, num_words, num_types)
        # One for a span, not in padding, and no type that is padding.
        expected = half_open(tensors["entity_spans"], tensors["entity_mask"])[place][tensors["entity_mask"][place] > 0]
        expected = {tuple(span) for span in expected.tolist() if span[1] <= num_words}
        ours = candidates(found, place)
        reference.check(ours <= expected, f"{name}: other candidates: {sorted(ours - expected)}")
        is_shared = len(batch["entity_type_mask"]) == 1 or bool(batch["entity_type_mask"].all())
        reference.check(not is_shared or ours == expected, f"{name}: missing candidates: {sorted(expected - ours)}")
    _compare_relations(reference, name, batch, tensors, compared)


def _compare_entity_logits(reference, name, ours, theirs, place, num_words, num_types):
    if reference.settings["span_mode"] == "token_level":
        cells = (place, slice(num_words), slice(num_types))
        reference.compare("entity logits", f"{name}[{place}] entities", ours[cells], theirs[cells])
        return
    for width in range(min(ours.shape[2], num_words)):
        cells = (place, slice(num_words - width), width, slice(num_types))
        reference.compare(
            "entity logits", f"{name}[{place}] entities of {width + 1} words", ours[cells], theirs[cells]
        )


def _compare_relations(reference, name, batch, tensors, compared):
    """Relations and adjacency between the original's own candidates, twice the same span and padding included."""
    if not tensors["entity_spans"].shape[1]:
        return
    rel_index, mask = tensors["rel_idx"].long(), tensors["entity_mask"].bool()
    spans = half_open(tensors["entity_spans"], mask)
    batch = {**batch, "mention_word_spans": spans, "mention_mask": mask}
    spans[..., 1] = spans[..., 1].clamp(max=batch["word_mask"].shape[1])
    batch |= {"pair_index": rel_index.clamp(min=0), "pair_mask": tensors["rel_mask"].bool()[:, : rel_index.shape[1]]}
    output = reference.model(**batch, adjacency_threshold=-1.0)
    for place in compared:
        if "adjacency" in tensors:
            size = int(mask[place].sum())
            ours, theirs = output.adjacency[place, :size, :size], tensors["adjacency"][place, :size, :size]
            reference.compare("adjacency", f"{name}[{place}] adjacency", ours, theirs)
        real, columns = batch["pair_mask"][place], batch["relation_mask"][place]
        ours = output.logits[place][output.pair_mask[place]][:, columns]
        theirs = tensors["rel_logits"][place][real][:, columns]
        reference.compare("relation logits", f"{name}[{place}] relations", ours, theirs)
