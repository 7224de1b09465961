"""The page on evaluation: its block runs, and it names all protocols and baselines."""

import re
from pathlib import Path

from glirel_transformers.evaluation import BASELINES, PROTOCOLS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "evaluation.md").read_text(encoding="utf-8")


def test_its_first_block_runs(monkeypatch):
    monkeypatch.chdir(ROOT)
    block, _ = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    names = {}
    exec(compile(block, "docs/evaluation.md", "exec"), names)
    assert len(names["cells"].label) == 2


def test_it_names_everything():
    for name in (*PROTOCOLS, *BASELINES):
        assert f"`{name}`" in PAGE
