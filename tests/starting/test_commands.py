"""The command line answers before torch is imported: to a call for help, a shell that completes, and a mistake."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = ["extract", "train", "evaluate", "calibrate", "info", "convert", "export"]

RUN = """
import sys
from glirel_transformers.cli import app
try:
    app(sys.argv[1:], prog_name="glirel")
except SystemExit as end:
    code = end.code
heavy = {"torch", "transformers", "numpy", "datasets", "onnxruntime"} & set(sys.modules)
sys.exit(f"imported: {heavy}" if heavy else 100 + code)
"""


def run(*arguments: str, code: int = 0, **environment: str) -> str:
    """Runs the command in a fresh interpreter, and checks what it has imported in the end."""
    result = subprocess.run(
        [sys.executable, "-c", RUN, *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert result.returncode == 100 + code, result.stdout + result.stderr
    return " ".join((result.stdout + result.stderr).split())


@pytest.mark.slow
@pytest.mark.parametrize("command", [None, *COMMANDS])
def test_help_needs_no_torch(command):
    assert "Usage" in run(*filter(None, [command]), "--help")


@pytest.mark.slow
@pytest.mark.parametrize("words", ["glirel tr", "glirel train --scorer dot_", "glirel extract --o"])
def test_completion_needs_no_torch(words):
    assert run(_GLIREL_COMPLETE="complete_bash", COMP_WORDS=words, COMP_CWORD=str(words.count(" ")))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("line", "code", "message"),
    [
        ("nothing", 2, "No such command"),
        ("extract text --top-k many", 2, "integer"),
        ("extract README.md --format word -r x", 2, "word"),
        ("extract README.md", 1, "Nothing says which relations to look for"),
        ("extract README.md -r x", 1, "Nothing says what the entities are"),
        ("extract README.md -r x --ner heuristic --workers 2", 1, "--workers are processes of --engine ray"),
        ("extract README.md -r x --ner heuristic -o out.doc", 1, "The format of 'out.doc' is unknown"),
        ("train nowhere.jsonl -o runs/x", 2, "nowhere.jsonl"),
        ("train README.md -o runs/x --scorer dots", 2, "dots"),
        ("evaluate checkpoints/glirel-mini nowhere.jsonl", 2, "nowhere.jsonl"),
        ("export checkpoints/glirel-mini out --dtype float64", 2, "float64"),
        ("export checkpoints/glirel-mini out --max-loss 1", 1, "--calibrate"),
    ],
)
def test_a_mistake_is_named_without_torch(line, code, message):
    assert message in run(*line.split(), code=code)
