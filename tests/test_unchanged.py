"""What must stay as it is: names and values of tensors, scores, and folders that were saved before.

What is compared with was recorded with version 0.1.0, before the code was divided into stages.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from tiny import FAMILIES, SETTINGS
from transformers import AutoModel, AutoTokenizer
from unchanged_cases import embedded_record, tiny_logits, tiny_model

RECORDS = Path(__file__).parent / "unchanged"
TINY = json.loads((RECORDS / "tiny.json").read_text(encoding="utf-8"))
RECORDED = [family for family in FAMILIES if f"{family} plain" in TINY]  # others came later


def test_glirel_mini_has_the_same_tensors_and_scores():
    expected = json.loads((RECORDS / "embedded.json").read_text(encoding="utf-8"))
    found = embedded_record()
    assert found["tensors"] == expected["tensors"]
    for scores, wanted in zip(found["scores"], expected["scores"], strict=True):
        torch.testing.assert_close(torch.tensor(scores), torch.tensor(wanted), atol=1e-6, rtol=0)
    torch.testing.assert_close(torch.tensor(found["windows"]), torch.tensor(expected["windows"]), atol=1e-6, rtol=0)


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("family", RECORDED)
def test_tiny_models_have_the_same_tensors_and_scores(family, settings, tmp_path):
    expected = TINY[f"{family} {settings}"]
    model = tiny_model(family, SETTINGS[settings], tmp_path)
    assert sorted(model.state_dict()) == expected["tensors"]
    torch.testing.assert_close(
        torch.tensor(tiny_logits(model)), torch.tensor(expected["logits"]), atol=2e-5, rtol=1e-5
    )


def test_a_folder_that_was_saved_before_loads():
    """`unchanged/saved-by-0.1.0` was written by `save_pretrained`; its copies of the code were left out."""
    folder = RECORDS / "saved-by-0.1.0"
    model = AutoModel.from_pretrained(folder).eval()
    assert type(AutoTokenizer.from_pretrained(folder)) is type(model.tokenizer)
    expected = json.loads((folder / "logits.json").read_text(encoding="utf-8"))
    torch.testing.assert_close(torch.tensor(tiny_logits(model)), torch.tensor(expected), atol=1e-5, rtol=1e-5)
