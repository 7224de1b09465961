"""Record what must not change: tensors and scores of the embedded model, and scores of tiny models of every kind.

`tests/test_unchanged.py` compares with `tests/unchanged/*.json`. Run this only to record what is new; a changed score
in the difference is a fault, or a promise broken on purpose and explained in the change log.

    python scripts/record_unchanged.py
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from unchanged_cases import embedded_record, tiny_record  # noqa: E402


def main() -> None:
    """Writes both records."""
    folder = ROOT / "tests" / "unchanged"
    folder.mkdir(exist_ok=True)
    for name, record in (("embedded", embedded_record()), ("tiny", tiny_record())):
        (folder / f"{name}.json").write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
