"""The page about calibration: its block of code runs as it stands."""

import re
from pathlib import Path

import pytest

from glirel_transformers import GLiRELConfig

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
def test_its_python_runs(monkeypatch, tmp_path):
    text = (ROOT / "docs" / "calibration.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    (tmp_path / "checkpoints").symlink_to(ROOT / "checkpoints")
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(compile(block, "calibration.md", "exec"), names)
    assert names["report"].num_gold == 4
    assert GLiRELConfig.from_pretrained(tmp_path / "calibrated").calibration["temperature"] > 0
