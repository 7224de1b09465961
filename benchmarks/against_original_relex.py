"""Raw texts: this package against the original GLiNER-Relex, the same random weights, side by side in one run.

Each side runs in its own environment and in its own process; measurements alternate between the sides. Scores are
compared before anything is timed. See README.md next to this file.

    python benchmarks/against_original_relex.py                      # all workloads
    python benchmarks/against_original_relex.py --tiny               # does everything work? a tiny model
    python benchmarks/against_original_relex.py --only paragraph-span --allocators default --resume
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import comparing
from comparing import (
    add_arguments,
    compare_scores,
    describe,
    measure_inference,
    not_measured,
    note_duration,
    path_of,
    read_arguments,
    start_results,
    write,
)
from driving import Side, WorkerProcess, note, workers_of
from environment_relex import find_original, make_checkpoints
from raw_texts import KINDS, WORKLOADS, RawWorkload, request_of
from reporting_relex import plot_against_relex, tables_against_relex
from tqdm import tqdm

MOST_CELLS = 10_000_000  # every logit is compared
QUICK = ("sentence-span-b1", "sentence-span-b16", "paragraph-span-b16", "sentence-token-b16")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--original-python", type=Path, help="an interpreter that has gliner 0.2.29 [made in .cache]")
    add_arguments(parser, seconds=20)
    return read_arguments(parser)


def chosen_workloads(args: argparse.Namespace) -> list[RawWorkload]:
    """The workloads that the options choose; smaller ones with `--quick`."""
    names = QUICK if args.quick else tuple(WORKLOADS)
    chosen = [WORKLOADS[name] for name in names if not args.only or any(part in name for part in args.only)]
    if not chosen:
        raise ValueError(f"--only {' '.join(args.only)} fits no workload: there are {list(names)}.")
    return [replace(one, num_texts=min(one.num_texts, 8)) for one in chosen] if args.quick else chosen


def entity_thresholds(workloads: list[RawWorkload], original: Side, device: str) -> dict[str, float]:
    """For each workload the threshold at which the original has the usual number of candidates in its texts."""
    found = {}
    with workers_of([original], device, "tuned") as workers:
        for workload in tqdm(workloads, desc="choosing thresholds", unit="workload", file=sys.stderr):
            worker = workers[original.name]
            worker.ask("prepare", **request_of(workload))
            wanted = KINDS[workload.kind].num_entities
            found[workload.name] = worker.ask("candidate_threshold", num_entities=wanted)["threshold"]
    return found


def shares(worker: WorkerProcess, threshold: dict[str, float]) -> dict[str, Any]:
    """Where a side's time goes."""
    return {"parts": worker.ask("parts", **threshold)["seconds"]}


def main() -> None:
    args = arguments()
    workloads = chosen_workloads(args)
    python = find_original(args.original_python)
    modules = ("workers.original_relex", "workers.raw_texts")
    levels = dict.fromkeys(workload.level for workload in workloads)
    sides = {
        level: comparing.sides_of(args.device, python, modules, make_checkpoints(python, level, args.quick))
        for level in levels
    }
    path = path_of(args)
    results = start_results(args, next(iter(sides.values())), path)
    to_do = not_measured(workloads, results, args)
    note_duration(len(to_do), args)
    start = time.monotonic()
    thresholds: dict[str, float] = {}
    checked: dict[str, Any] = {}

    def request(workload: RawWorkload) -> dict[str, Any]:
        return request_of(workload, thresholds[workload.name])

    for level, own_sides in sides.items():
        to_check = list(dict.fromkeys(workload for workload, _ in to_do if workload.level == level))
        if to_check:
            thresholds |= entity_thresholds(to_check, own_sides[0], args.device)
            checked |= compare_scores(to_check, own_sides, args.device, request, MOST_CELLS)
    for workload, allocator in tqdm(to_do, desc="measuring", unit="workload", file=sys.stderr):
        own_sides = sides[workload.level]
        entry = measure_inference(
            workload, allocator, own_sides, request(workload), checked[workload.name], args, shares
        )
        entry["entity_threshold"] = thresholds[workload.name]
        note(describe(workload.name, allocator, entry))
        results["workloads"].setdefault(workload.name, {})[allocator] = entry
        write(results, args, path, list(WORKLOADS), tables_against_relex, plot_against_relex)
    note(f"Done in {(time.monotonic() - start) / 60:.0f} minutes; results in {path}.")


if __name__ == "__main__":
    main()
