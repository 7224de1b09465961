"""How errors look."""

from __future__ import annotations

import pytest
import typer

from glirel_transformers.cli.console import errors_without_traceback


@pytest.mark.parametrize("error", [ValueError("no [bold] number"), TypeError("no text"), OSError("no file")])
def test_an_error_is_one_line(error, capsys, monkeypatch):
    monkeypatch.delenv("GLIREL_DEBUG", raising=False)
    with pytest.raises(typer.Exit) as caught, errors_without_traceback():
        raise error
    assert caught.value.exit_code == 1
    assert capsys.readouterr().err == f"error: {error}\n"


def test_a_variable_shows_where_it_arose(monkeypatch):
    monkeypatch.setenv("GLIREL_DEBUG", "1")
    with pytest.raises(TypeError, match="ours"), errors_without_traceback():
        raise TypeError("ours")


def test_what_no_user_causes_is_shown_as_it_is(monkeypatch):
    monkeypatch.delenv("GLIREL_DEBUG", raising=False)
    with pytest.raises(KeyError), errors_without_traceback():
        raise KeyError("x")


def test_an_exit_is_not_an_error():
    with pytest.raises(typer.Exit) as caught, errors_without_traceback():
        raise typer.Exit(3)
    assert caught.value.exit_code == 3
