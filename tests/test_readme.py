import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BLOCKS = re.findall(
    r"^```python\n(.*?)^```", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
)


def test_there_are_blocks_to_run():
    assert len(BLOCKS) >= 2


@pytest.mark.parametrize("block", BLOCKS, ids=[block.split("\n", 1)[0] for block in BLOCKS])
def test_python_blocks_of_the_readme_run(block, monkeypatch):
    """Blocks marked `python` run as they stand; those that need the network or long training are marked `py`."""
    monkeypatch.chdir(ROOT)
    exec(compile(block, "README.md", "exec"), {})
