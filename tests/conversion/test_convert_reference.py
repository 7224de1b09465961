"""Checkpoints and scores of the original package in a folder outside this repository, where there is one.

The folder named by `GLIREL_REFERENCE` holds `inputs.json` (name → `tokens`, `ner` with inclusive ends, `labels`) and a
folder for each checkpoint, with `expected.safetensors` beside its two files: `<input>.logits` `(batch, pairs,
relations)`, `.relations_idx` `(batch, pairs, 2, 2)` and `.input_ids`.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from glirel_transformers import GLiRELForRelationClassification
from glirel_transformers.conversion import convert, revert

ROOT = Path(os.environ.get("GLIREL_REFERENCE", ""))
CHECKPOINTS = (
    sorted(file.parent for file in ROOT.glob("*/expected.safetensors")) if "GLIREL_REFERENCE" in os.environ else []
)

pytestmark = pytest.mark.skipif(not CHECKPOINTS, reason="GLIREL_REFERENCE names no folder with reference checkpoints")


@pytest.mark.parametrize("folder", CHECKPOINTS, ids=lambda folder: folder.name)
def test_scores_and_round_trip(folder, tmp_path):
    converted = convert(folder, tmp_path / "converted")
    model = GLiRELForRelationClassification.from_pretrained(converted).float().eval()
    inputs = json.loads((ROOT / "inputs.json").read_text(encoding="utf-8"))
    expected = load_file(folder / "expected.safetensors")
    compared = 0
    for name, item in inputs.items():
        words = item["tokens"]
        types = list(dict.fromkeys(item["labels"]))
        # The original gives a word of which the tokenizer keeps nothing the vector of a neighbour; here it is refused.
        mentions = [
            [(start, end + 1) for start, end, *_ in spans if has_tokens(model.tokenizer, text[start], text[end])]
            for text, spans in zip(words, item["ner"], strict=True)
        ]
        limit = model.config.max_words
        if limit is not None and any(len(text) > limit for text in words):
            with pytest.raises(ValueError, match="words but the model reads"):
                model.tokenizer(words, entities=mentions, relation_types=types, is_split_into_words=True, padding=True)
            continue
        batch = model.tokenizer(words, entities=mentions, relation_types=types, is_split_into_words=True, padding=True)
        assert torch.equal(batch["input_ids"], expected[f"{name}.input_ids"])
        with torch.inference_mode():
            logits = model(**batch).logits
        compared += compare(batch, logits, expected[f"{name}.relations_idx"], expected[f"{name}.logits"])
    assert compared
    back = revert(converted, tmp_path / "back")
    assert (back / "glirel_config.json").read_bytes() == (folder / "glirel_config.json").read_bytes()
    before, after = (torch.load(one / "pytorch_model.bin", weights_only=True) for one in (folder, back))
    assert list(before) == list(after)
    assert all(torch.equal(before[name], after[name]) and before[name].dtype == after[name].dtype for name in before)


def has_tokens(tokenizer, *words):
    return all(read.token_ids for read in tokenizer.read_words([[word] for word in words]))


def compare(batch, logits, relations_idx, expected):
    """Compares every pair that is formed here with the same pair there, and counts them."""
    count = 0
    for text, spans in enumerate(batch["mention_word_spans"].tolist()):
        theirs = {json.dumps(pair): scores for pair, scores in zip(relations_idx[text].tolist(), expected[text])}
        for place, (head, tail) in enumerate(batch["pair_index"][text].tolist()):
            if batch["pair_mask"][text, place]:
                pair = [[start, end - 1] for start, end in (spans[head], spans[tail])]
                torch.testing.assert_close(logits[text, place], theirs[json.dumps(pair)], rtol=1e-6, atol=1e-4)
                count += 1
    return count
