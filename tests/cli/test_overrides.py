"""`--set field=value`, and the spellings of earlier versions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Literal

import pytest
import typer
from typer.testing import CliRunner

from glirel_transformers.cli import app, train_run
from glirel_transformers.cli.options import takes
from glirel_transformers.cli.overrides import read_overrides, read_value, split_overrides
from glirel_transformers.cli.train_options import TrainSettings
from glirel_transformers.cli.train_run import make_plan


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("2", int, 2),
        ("2", float, 2.0),
        ("1e-4", float | None, 1e-4),
        ("none", int | None, None),
        ("None", str | None, None),
        ("none", str, "none"),
        ("true", bool, True),
        ("False", bool, False),
        ("SELF", str | None, "SELF"),
        ("a=b", str, "a=b"),
        ("focal", Literal["bce", "focal"], "focal"),
        ('{"num_cycles": 2}', dict | str | None, {"num_cycles": 2}),
        ("path.json", dict | str | None, "path.json"),
        ('["author"]', list[str] | None, ["author"]),
    ],
)
def test_values_have_the_type_of_their_field(text, kind, value):
    found = read_value("field", text, kind)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        ("two", int, r"^--set field is 'two': expected a whole number\.$"),
        ("2.5", int | None, "expected a whole number or none"),
        ("nan", float, "expected a number"),
        ("inf", float, "expected a number"),
        ("yes", bool, "expected true or false"),
        ("1", bool, "expected true or false"),
        ("", int, "expected a whole number"),
        ("dots", Literal["dot", "dot_norm"], "expected one of dot, dot_norm"),
        ("x" * 10_000, float, r"^.{0,150}$"),
        ("{", dict | str | None, "is not JSON|It is no"),
    ],
)
def test_other_values_are_named_with_what_is_expected(text, kind, message):
    with pytest.raises(ValueError, match=message):
        read_value("field", text, kind)


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["dropout"], r"--set is 'dropout'. Write it as FIELD=VALUE"),
        (["=0.2"], "FIELD=VALUE"),
        (["dropout=0.1", "dropout=0.2"], "gives 'dropout' twice: '0.1' and '0.2'"),
        (["loss_function=focus"], "expected one of bce, focal"),
    ],
)
def test_what_can_be_checked_without_torch_is(texts, message):
    with pytest.raises(ValueError, match=message):
        split_overrides(texts)


def test_an_unknown_field_is_told_with_its_neighbour():
    with pytest.raises(ValueError, match=r"knows no field 'dropuot'. Did you mean dropout"):
        read_overrides({"dropuot": "1"}, {"dropout": float}, {"seed": int})
    with pytest.raises(ValueError, match=r"knows no field 'zzz'. Fields are those of"):
        read_overrides({"zzz": "1"}, {"dropout": float})


def test_fields_of_the_configuration_and_of_the_arguments_are_told_apart():
    settings = TrainSettings([Path("x")], Path("y"))
    plan = make_plan(settings, {"loss_function": "focal", "use_lstm": "true", "weight_decay": "0.1", "optim": "sgd"})
    assert plan.head == {"loss_function": "focal", "use_lstm": True}
    assert plan.arguments == {"weight_decay": 0.1, "optim": "sgd"}
    with pytest.raises(ValueError, match=r"knows no field 'output_dir'"):
        make_plan(settings, {"output_dir": "elsewhere"})


@pytest.fixture
def asked(monkeypatch, tmp_path):
    """Runs `glirel train` with options; what its work is given."""
    (tmp_path / "data.jsonl").write_text("")
    found = SimpleNamespace()

    def run_(settings, overrides, repeats):
        found.settings, found.overrides = settings, overrides
        return SimpleNamespace(is_main_process=False)

    monkeypatch.setattr(train_run, "run", run_)

    def call(*options, code=0):
        result = CliRunner().invoke(app, ["train", str(tmp_path / "data.jsonl"), "-o", "runs/x", *options])
        assert result.exit_code == code, result.output
        found.said = " ".join(result.stderr.split())
        return found

    return call


@pytest.mark.parametrize(
    ("options", "overrides"),
    [
        (["--dropout", "0.2"], {"dropout": "0.2"}),
        (["--dropout=0.2", "--loss", "focal"], {"dropout": "0.2", "loss_function": "focal"}),
        (["--lstm", "--no-entity-markers"], {"use_lstm": "true", "entity_markers": "false"}),
        (
            ["--pair-refinement", "1", "--shared-positions"],
            {"num_pair_refinement_layers": "1", "shared_relation_positions": "true"},
        ),
        (
            ["--no-record-types", "--accumulate", "4"],
            {"record_relation_types": "false", "gradient_accumulation_steps": "4"},
        ),
        (
            ["--frozen-layers", "2", "--no-compile", "--workers", "1"],
            {"num_frozen_encoder_layers": "2", "torch_compile": "false", "dataloader_num_workers": "1"},
        ),
    ],
)
def test_old_spellings_are_read_with_a_note(asked, options, overrides):
    found = asked(*options)
    assert found.overrides == overrides
    for name, value in overrides.items():
        assert f"is now --set {name}={value}" in found.said


def test_a_field_with_an_option_is_that_option(asked):
    found = asked("--set", "scorer=dot_norm", "--set=learning-rate=0.5", "--set", "num_train_epochs=2")
    assert (found.settings.scorer, found.settings.learning_rate, found.settings.epochs) == ("dot_norm", 0.5, 2)
    assert not found.overrides
    assert "greater than or" in asked("--set", "per_device_train_batch_size=0", code=2).said
    assert "dots" in asked("--set", "scorer=dots", code=2).said


@dataclass
class Given:
    name: str
    count: int = 2


def test_a_command_takes_the_fields_of_a_dataclass():
    seen = []

    @takes(Given)
    def command(given: Given) -> None:
        """Says it."""
        seen.append(given)

    small = typer.Typer()
    small.command()(command)
    assert CliRunner().invoke(small, ["x"]).exit_code == 0
    assert CliRunner().invoke(small, ["x", "--count", "3"]).exit_code == 0
    assert seen == [Given("x"), Given("x", 3)]
    assert "Says it." in CliRunner().invoke(small, ["--help"]).output
