"""The notes of a release are its section of the changelog."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[1] / "scripts" / "release_notes.py"
CHANGELOG = "# Changelog\n\n## [Unreleased]\n\n- New.\n\n## [0.2.0] - 2026-02-01\n\n### Added\n\n- [a link]\n"


@pytest.fixture(scope="module")
def release_notes():
    spec = importlib.util.spec_from_file_location("release_notes", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.release_notes


def test_a_section_is_found_by_its_version(release_notes):
    assert release_notes(CHANGELOG, "0.2.0") == "### Added\n\n- [a link]\n"
    assert release_notes(CHANGELOG, "Unreleased") == "- New.\n"


def test_a_version_that_is_not_there_is_named(release_notes):
    with pytest.raises(ValueError, match=r"no section '9': it has Unreleased, 0\.2\.0"):
        release_notes(CHANGELOG, "9")
