"""What `scripts/publish.py` leaves out of a vocabulary."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "scripts" / "publish.py"
TOKENS = [
    "[PAD]",
    "[unused1]",
    "[UNK]",
    "[REL]",
    "a",
    "##a",
    "the",
    "東",
    "cat",
    "##ing",
    "ß",
    "λόγος",
    "rare",
    "rarest",
]


@pytest.fixture(scope="module")
def choose():
    spec = importlib.util.spec_from_file_location("publish", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    numbers = {token: number for number, token in enumerate(TOKENS)}
    return lambda **how: module.choose_tokens(numbers, {"[PAD]", "[UNK]", "[REL]"}, **how)


def test_everything_is_kept_unless_one_asks(choose):
    assert choose(latin=False, number=None) == TOKENS
    assert choose(latin=False, number=100) == TOKENS


def test_other_scripts_and_what_is_unused_go(choose):
    assert choose(latin=True, number=None) == [token for token in TOKENS if token not in ("[unused1]", "東")]


def test_the_rarest_words_go_and_neither_pieces_nor_letters_nor_special_tokens(choose):
    kept = choose(latin=True, number=10)
    assert kept == [token for token in TOKENS if token not in ("[unused1]", "東", "rare", "rarest")]
    kept = choose(latin=True, number=10, common={"rare", "rarest"})
    assert kept == [token for token in TOKENS if token not in ("[unused1]", "東", "cat", "λόγος")]
    assert set(choose(latin=True, number=1)) == {"[PAD]", "[UNK]", "[REL]", "a", "##a", "##ing", "ß"}
