from importlib import import_module

import pytest
from typer.testing import CliRunner

from glirel_transformers.cli import app


@pytest.mark.parametrize(
    ("command", "arguments", "work", "told"),
    [
        ("extract", ("Ada met Bob.", "-r", "spouse"), "find_sources", "\nInterrupted.\n"),
        (
            "extract",
            ("Ada met Bob.", "-r", "spouse", "-o", "out.jsonl"),
            "find_sources",
            "\nInterrupted. Run the same command again to resume.\n",
        ),
        (
            "train",
            ("data.jsonl", "-o", "run"),
            "split_overrides",
            "Stopped. Nothing was saved yet; the same command starts from the beginning.\n",
        ),
    ],
)
def test_ctrl_c_says_how_to_go_on(command, arguments, work, told, tmp_path, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.chdir(tmp_path)
    (tmp_path / "data.jsonl").touch()
    monkeypatch.setattr(import_module(f"glirel_transformers.cli.{command}"), work, interrupted)
    result = CliRunner().invoke(app, [command, *arguments])
    assert result.exit_code == 130
    assert result.stderr == told
