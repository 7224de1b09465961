"""Copy the code that travels into the checkpoints of this repository, without touching their weights.

`make checkpoint-code` calls it; with `--check` it changes nothing, and fails where a copy differs.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SUFFIX = "*_glirel.py"


def outdated(folder: Path) -> list[Path]:
    """The copies in a checkpoint that differ from the package, are missing, or are no longer part of it."""
    code = {path.name: path for path in (ROOT / "glirel_transformers").glob(SUFFIX)}
    copies = {path.name: path for path in folder.glob(SUFFIX)}
    return [
        folder / name
        for name in sorted(code.keys() | copies.keys())
        if name not in copies or name not in code or code[name].read_bytes() != copies[name].read_bytes()
    ]


def main() -> None:
    """Copies, or with `--check` only compares."""
    found = [path for folder in sorted((ROOT / "checkpoints").iterdir()) for path in outdated(folder)]
    if "--check" in sys.argv[1:]:
        if found:
            sys.exit(f"{len(found)} copies are out of date, such as {found[0]}. Run: make checkpoint-code")
        return
    for path in found:
        source = ROOT / "glirel_transformers" / path.name
        if source.exists():
            shutil.copyfile(source, path)
        else:
            path.unlink()
    print(f"{len(found)} files updated")


if __name__ == "__main__":
    main()
