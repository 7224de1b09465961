"""Every command's help, and shell completion."""

import os
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from glirel_transformers import __version__
from glirel_transformers.cli import app
from glirel_transformers.cli.train_options import TrainSettings
from glirel_transformers.trainer import GLiRELTrainingArguments

ROOT = Path(__file__).parents[2]
MAIN = typer.main.get_command(app)
COMMANDS = list(MAIN.commands)
GROUPS = {name: command for name, command in MAIN.commands.items() if hasattr(command, "commands")}
EVERY = [*COMMANDS, *(f"{group} {name}" for group, command in GROUPS.items() for name in command.commands)]


def command_of(words):
    """The command of `"data stats"`."""
    command = MAIN
    for word in words.split():
        command = command.commands[word]
    return command


def test_the_commands_that_are_promised_are_there():
    assert {"extract", "train", "evaluate", "calibrate", "info", "convert", "export", "data"} <= set(COMMANDS)


def test_without_a_command_help_and_version_are_shown():
    assert "glirel extract" in CliRunner().invoke(app, []).output
    assert CliRunner().invoke(app, ["--version"]).stdout == f"glirel-transformers {__version__}\n"


@pytest.mark.parametrize("command", EVERY)
@pytest.mark.parametrize("option", ["--help", "-h"])
def test_every_help_shows_how_the_command_is_used(command, option):
    result = CliRunner().invoke(app, [*command.split(), option], env={"COLUMNS": "80", "TERMINAL_WIDTH": "80"})
    assert result.exit_code == 0
    assert re.search(rf"^ +glirel {command} ", result.stdout, re.MULTILINE), result.stdout


@pytest.mark.parametrize("command", EVERY)
def test_no_option_is_cut_on_a_narrow_screen(command):
    result = CliRunner().invoke(app, [*command.split(), "--help"], env={"COLUMNS": "80", "TERMINAL_WIDTH": "80"})
    assert not [line for line in result.stdout.splitlines() if "--" in line and "…" in line.split("  ")[0]]
    names = [name for parameter in command_of(command).params for name in parameter.opts]
    for name in names:
        assert not name.startswith("--") or name in result.stdout


def test_defaults_are_those_of_the_trainer(tmp_path):
    """The paper's, which `GLiRELTrainingArguments` states."""
    args = GLiRELTrainingArguments.paper(str(tmp_path))
    defaults = {field.name: field.default for field in fields(TrainSettings)}
    for name in ("learning_rate", "encoder_learning_rate", "max_steps"):
        assert defaults[name] == getattr(args, name)
    assert defaults["batch_size"] == args.per_device_train_batch_size


def test_no_function_takes_more_than_twelve_options_by_hand():
    for command in map(command_of, EVERY):
        assert command.callback.__code__.co_argcount <= 12, command.name


def complete(words, shell="bash"):
    """What the shell is offered for `words`."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "_GLIREL_COMPLETE": f"complete_{shell}",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split(" ")) - 1),
    }
    command = [sys.executable, "-m", "glirel_transformers.cli"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120).stdout.split()


@pytest.mark.slow
def test_commands_and_choices_are_completed():
    assert complete("glirel tr") == ["train"]
    assert complete("glirel train --scorer dot_") == ["dot_thresh", "dot_norm"]
    assert "--eval-steps" in complete("glirel train --eval")


def test_completion_can_be_installed():
    result = CliRunner().invoke(app, ["--help"])
    assert "--install-completion" in result.stdout
    assert "--show-completion" in result.stdout
