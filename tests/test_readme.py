import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def _blocks(path):
    return re.findall(r"^```python\n(.*?)^```", path.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


BLOCKS = _blocks(ROOT / "README.md")
ELSEWHERE = ("serving",)  # pages that tests/export runs, next to an export


def test_there_are_blocks_to_run():
    assert len(BLOCKS) >= 2


@pytest.mark.parametrize("block", BLOCKS, ids=[block.split("\n", 1)[0] for block in BLOCKS])
def test_python_blocks_of_the_readme_run(block, monkeypatch):
    """Blocks marked `python` run as they stand; those that need the network or long training are marked `py`."""
    monkeypatch.chdir(ROOT)
    exec(compile(block, "README.md", "exec"), {})


@pytest.mark.parametrize(
    "page",
    [page for page in sorted((ROOT / "docs").glob("*.md")) if page.stem not in ELSEWHERE and _blocks(page)],
    ids=lambda path: path.name,
)
def test_python_blocks_of_a_page_of_the_documentation_run_one_after_the_other(page, monkeypatch, tmp_path):
    """In a folder of their own, where they may write."""
    monkeypatch.chdir(tmp_path)
    names = {}
    for block in _blocks(page):
        whole = block.replace('"checkpoints/', f'"{ROOT.as_posix()}/checkpoints/')
        exec(compile(whole, page.name, "exec"), names)


@pytest.mark.slow
def test_the_calls_of_entities_too_run(joint_model, tmp_path):
    """With a tiny random model in place of the name there."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    section = readme.split("### Entities too", 1)[1]
    block = re.search(r"^```py\n(.*?)^```", section, re.MULTILINE | re.DOTALL)[1]
    joint_model.save_pretrained(tmp_path / "joint")
    names = {}
    exec("from transformers import pipeline\n" + block.replace("your/joint-model", str(tmp_path / "joint")), names)
    assert isinstance(names["relations"], list)
    assert names["graph"]["relations"] == names["relations"]
    assert names["entities"]  # the prompt has no relations in it, so that they need not be those of the graph
    assert all("score" in entity for entity in [*names["entities"], *names["graph"]["entities"]])
    assert {relation["head"]["text"] for relation in names["given"]} <= {"Marie Curie", "Warsaw"}
