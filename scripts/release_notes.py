"""Prints the notes of a release: its section of CHANGELOG.md, as the text of a release on GitHub.

python3 scripts/release_notes.py 0.1.0
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

CHANGELOG = Path(__file__).resolve().parents[1] / "CHANGELOG.md"


def release_notes(changelog: str, version: str) -> str:
    """The section of a version, without its heading.

    Raises:
        ValueError: when the changelog has no such section; the message names those that it has.
    """
    parts = re.split(r"^## \[([^\]]+)\][^\n]*\n", changelog, flags=re.MULTILINE)
    sections = dict(zip(parts[1::2], parts[2::2], strict=True))
    if version not in sections:
        raise ValueError(f"CHANGELOG.md has no section {version!r}: it has {', '.join(sections)}.")
    return sections[version].strip() + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("version", help="as in the changelog, such as 0.1.0 or Unreleased")
    try:
        print(release_notes(CHANGELOG.read_text(encoding="utf-8"), parser.parse_args().version), end="")
    except ValueError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
