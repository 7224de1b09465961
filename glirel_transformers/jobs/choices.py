"""The names that can be chosen for a job. Imports only `typing`, so that the command line can list them at once."""

from typing import Literal

Alignment = Literal["strict", "expand"]
Precision = Literal["float32", "bfloat16", "float16"]
Truncation = Literal["error", "window"]

Kind = Literal["text", "lines", "jsonl", "table"]
"""How a source is read: one text, one text a line, one JSON object a line, or one text a row."""

OnError = Literal["stop", "skip", "keep"]
"""What happens to malformed items: the run ends there, they are left out, or a record with `error` replaces them."""

PARTIAL = ".partial.jsonl"  # follows the name of a file whose records are kept in lines until all is done
PROGRESS = ".progress.json"  # follows that of a file of lines: its journal
