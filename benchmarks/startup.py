"""How long the command line takes to answer a call for help, a mistake, or a shell that completes.

Starts each line in a fresh interpreter, in turn, next to an interpreter that does nothing and one that imports what
answers must not wait for. See README.md next to this file.

    python benchmarks/startup.py
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from typing import Any

from environment import BENCHMARKS, ROOT, describe_machine, our_environment, our_versions, today
from reporting import machine_line, markdown_table, number, replace_between_markers, save_json
from tqdm import tqdm

GLIREL = ["-m", "glirel_transformers.cli"]
COMMANDS = ("extract", "train", "evaluate", "info", "convert", "export")
COMPLETION = {"_GLIREL_COMPLETE": "complete_bash", "COMP_WORDS": "glirel train --ev", "COMP_CWORD": "2"}
# What is started: arguments of Python, variables, and the code that it ends with.
LINES: dict[str, tuple[list[str], dict[str, str], int]] = {
    "`python -c pass`": (["-c", "pass"], {}, 0),
    "`import glirel_transformers`": (["-c", "import glirel_transformers"], {}, 0),
    "`glirel --help`": ([*GLIREL, "--help"], {}, 0),
    **{f"`glirel {command} --help`": ([*GLIREL, command, "--help"], {}, 0) for command in COMMANDS},
    "`glirel train --ev` and the tabulator": (GLIREL, COMPLETION, 0),
    "an option that does not exist": ([*GLIREL, "extract", "text", "--no-such-option"], {}, 2),
    "for comparison: `import torch, transformers`": (["-c", "import torch, transformers"], {}, 0),
}


def start(arguments: list[str], variables: dict[str, str], code: int) -> float:
    """Seconds from the start of an interpreter to its end."""
    environment = {**our_environment(), **variables}
    before = time.perf_counter()
    done = subprocess.run([sys.executable, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True)
    seconds = time.perf_counter() - before
    if done.returncode != code:
        raise RuntimeError(f"{arguments} ended with code {done.returncode} in place of {code}:\n{done.stderr[-3000:]}")
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=15, help="of each line [%(default)s]")
    parser.add_argument("--dry-run", action="store_true", help="print the table, and write no file")
    args = parser.parse_args()
    if args.repetitions < 1:
        parser.error(f"--repetitions must be at least 1: got {args.repetitions}.")
    found: dict[str, list[float]] = {name: [] for name in LINES}
    for turn in tqdm(range(args.repetitions + 1), unit="turn"):
        for name, line in LINES.items():
            seconds = start(*line)
            if turn:  # the first one reads files that are not in memory yet, and compiles them
                found[name].append(seconds)
    lines = {name: {"least": min(each), "median": statistics.median(each)} for name, each in found.items()}
    bare = lines["`python -c pass`"]
    rows = [
        [name, number(one["least"]), number(one["median"]), number(one["least"] - bare["least"])]
        for name, one in lines.items()
    ]
    table = markdown_table(["", "least, s", "median, s", "above `pass`, s"], rows)
    if args.dry_run:
        print(table)
        return
    results: dict[str, Any] = {
        "date": today(),
        "machine": describe_machine("cpu"),
        "versions": our_versions(),
        "repetitions": args.repetitions,
        "lines": lines,
    }
    save_json(BENCHMARKS / "results" / "startup.json", results)
    replace_between_markers(BENCHMARKS / "README.md", "startup", f"{machine_line(results)}\n\n{table}")


if __name__ == "__main__":
    main()
