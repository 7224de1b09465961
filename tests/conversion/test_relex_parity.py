"""Checkpoints and scores of the original GLiNER-Relex in a folder outside this repository, where there is one.

The folder named by `RELEX_REFERENCE` holds `inputs.json`, and a folder for each setting with `gliner_config.json`, the
weights, a tokenizer, `expected.safetensors` and `expected.json`. `RELEX_ORIGINAL_PYTHON` may name an interpreter that
has the original package: it then reads what was converted and converted back.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import torch
from relex_losses import compare_losses
from relex_reference import Original, Reference, candidates, half_open

from glirel_transformers.conversion import revert
from glirel_transformers.conversion.originals import read_original

ROOT = Path(os.environ.get("RELEX_REFERENCE", ""))
CHECKPOINTS = (
    sorted(
        file.parent for file in ROOT.glob("*/expected.safetensors") if (file.parent / "gliner_config.json").is_file()
    )
    if "RELEX_REFERENCE" in os.environ
    else []
)
CONFIG = "gliner_config.json"

pytestmark = pytest.mark.skipif(not CHECKPOINTS, reason="RELEX_REFERENCE names no folder with reference checkpoints")


@pytest.fixture(scope="module", params=CHECKPOINTS, ids=lambda folder: folder.name)
def reference(request, tmp_path_factory):
    inputs = json.loads((ROOT / "inputs.json").read_text(encoding="utf-8"))
    return Reference(request.param, inputs, tmp_path_factory.mktemp("converted") / request.param.name)


@pytest.fixture(scope="module")
def original():
    if "RELEX_ORIGINAL_PYTHON" not in os.environ:
        pytest.skip("RELEX_ORIGINAL_PYTHON names no interpreter that has the original package")
    package = Original(os.environ["RELEX_ORIGINAL_PYTHON"])
    yield package
    package.close()


@pytest.fixture
def problems(reference):
    """What a test finds; none at its end."""
    reference.problems.clear()
    yield reference.problems
    assert not reference.problems, "\n".join(reference.problems)


@torch.no_grad()
def test_scores_are_those_of_the_original(reference, problems):
    for name in reference.cases:
        _compare_scores(reference, name)
    assert reference.num_compared["entity logits"] > 1000


@torch.no_grad()
def test_states_are_those_of_the_original(reference, problems):
    detailed = [name for name in reference.cases if f"{name}.token_rep" in reference.tensors]
    for name in detailed:
        _compare_states(reference, name)
    assert detailed


@torch.no_grad()
def test_losses_are_those_of_the_original(reference, problems):
    if reference.reads_padding:
        pytest.skip("the original's scores depend on the padding of the training example, which is mended")
    if "losses" not in reference.expected:
        pytest.skip("the reference has no losses")
    compare_losses(reference)
    assert reference.num_compared["losses"] >= 6


def test_the_way_back_gives_every_bit(reference, tmp_path):
    back = revert(reference.converted, tmp_path / "back")
    before, after = (read_original(str(folder), CONFIG) for folder in (reference.folder, back))
    assert after.config_text == before.config_text
    assert after.is_safe == before.is_safe
    assert after.versions == before.versions
    assert list(after.state) == list(before.state)
    for name, tensor in before.state.items():
        assert after.state[name].dtype == tensor.dtype
        assert torch.equal(after.state[name], tensor), name


@pytest.mark.slow
def test_the_original_reads_the_way_back(reference, original, tmp_path):
    back = revert(reference.converted, tmp_path / "back")
    name = next(iter(reference.cases))
    case, expected = reference.inputs["cases"][name], reference.tensors_of(name)
    found = original.run(
        tmp_path / "found.safetensors",
        folder=str(back),
        texts=case["texts"],
        labels=case["labels"],
        relations=case["relations"],
        threshold=reference.expected["cases"][name]["threshold"],
        adjacency=reference.expected["thresholds"]["adjacency"],
        width=reference.settings["hidden_size"] if reference.expected["patched_width"] else None,
    )
    assert torch.equal(found["input_ids"], expected["input_ids"].long())
    assert torch.allclose(found["logits"], expected["logits"], atol=1e-5)
    ours, theirs = (
        {tuple(pair): row for pair, row in zip(one["rel_idx"][0].tolist(), one["rel_logits"][0], strict=True)}
        for one in (found, expected)
    )
    # Thresholds of the adjacency are rounded in the reference, and pairs cut.
    shared = ours.keys() & theirs.keys()
    assert len(shared) >= 0.8 * len(theirs)
    assert all(torch.allclose(ours[pair], theirs[pair], atol=1e-5) for pair in shared)


def _compare_scores(reference, name):
    case, batch, tensors = reference.expected["cases"][name], reference.features(name), reference.tensors_of(name)
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
    for suffix in ("", "@low"):
        if f"{name}{suffix}.entity_spans" in reference.tensors:
            _compare_relations(reference, f"{name}{suffix}", batch, compared)


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


def _with_candidates(batch, tensors):
    """The batch with the original's own candidates and pairs, twice the same span and padding included."""
    rel_index, mask = tensors["rel_idx"].long(), tensors["entity_mask"].bool()
    spans = half_open(tensors["entity_spans"], mask)
    spans[..., 1] = spans[..., 1].clamp(max=batch["word_mask"].shape[1])
    return {
        **batch,
        "mention_word_spans": spans,
        "mention_mask": mask,
        "pair_index": rel_index.clamp(min=0),
        "pair_mask": tensors["rel_mask"].bool()[:, : rel_index.shape[1]],
    }


def _compare_relations(reference, name, batch, compared):
    """Relations and adjacency between the original's own candidates."""
    tensors = reference.tensors_of(name)
    if not tensors["entity_spans"].shape[1]:
        return
    batch = _with_candidates(batch, tensors)
    output = reference.model(**batch, adjacency_threshold=-1.0)
    for place in compared:
        spans, mask = batch["mention_word_spans"][place], batch["mention_mask"][place]
        in_text, is_alone = reference.is_in_text(spans, mask, batch["word_mask"][place].sum())
        if "adjacency" in tensors and is_alone:
            real = mask & in_text
            ours, theirs = (matrix[place][real][:, real] for matrix in (output.adjacency, tensors["adjacency"]))
            reference.compare("adjacency", f"{name}[{place}] adjacency", ours, theirs)
        if reference.scores_triples_apart:
            real = batch["pair_mask"][place]
            ours, theirs = output.logits[place][output.pair_mask[place]], tensors["rel_logits"][place][real]
            rows, columns = in_text[batch["pair_index"][place][real]].all(-1), batch["relation_mask"][place]
            ours, theirs = ours[rows][:, columns], theirs[rows][:, : columns.shape[0]][:, columns]
            reference.compare("relation logits", f"{name}[{place}] relations", ours, theirs)


def _compare_states(reference, name):
    """What the original computes between tokens and scores, of one text."""
    tensors, base = reference.tensors_of(name), reference.model.glirel
    seen = {}
    hooks = [base.entity_type_feed_forward.register_forward_pre_hook(lambda _, given: seen.update(types=given[0]))]
    if base.lstm is not None:
        hooks.append(base.lstm.register_forward_pre_hook(lambda _, given: seen.update(words=given[0])))
    batch = reference.features(name)
    if tensors["entity_spans"].shape[1]:
        batch = _with_candidates(batch, tensors)
        output = base(**batch)
    else:
        output = base(**batch, select=lambda _, inputs: inputs)
    for hook in hooks:
        hook.remove()
    ours = {
        "token_rep": base.pooling.projection(output.last_hidden_state),
        "word_rep_in": seen.get("words", output.word_states),
        "word_rep": output.word_states,
        "prompt_rep_in": seen["types"],
        "prompt_rep": output.entity_type_states,
        "rel_prompt_rep": output.relation_states,
    }
    ours = {key: states for key, states in ours.items() if key in tensors}  # without an LSTM, nothing is before it
    theirs = {key: tensors[key] for key in ours}
    if tensors["entity_spans"].shape[1]:
        mask, real = batch["mention_mask"], batch["pair_mask"]
        ours["entity_rep"], theirs["entity_rep"] = output.entity_states[mask], tensors["entity_rep"][mask]
        if "pair_rep" in tensors:
            pairs = tensors["pair_rep"][:, : real.shape[1]]
            ours["pair_rep"], theirs["pair_rep"] = output.pair_states[output.pair_mask], pairs[real]
    reference.check(len(ours) >= 5, f"{name}: states are missing in the reference")
    for key, states in ours.items():
        reference.compare("states", f"{name} {key}", states, theirs[key])
