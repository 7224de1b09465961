"""Documents: this package against the original GLiDRE, the same random weights, side by side in one run.

Each side runs in its own environment and in its own process; measurements alternate between the sides. Scores are
compared before anything is timed. See README.md next to this file.

    python benchmarks/against_original_glidre.py                       # all workloads, on documents made by rule
    python benchmarks/against_original_glidre.py --tiny                # does everything work? a tiny model
    python benchmarks/against_original_glidre.py --documents test_revised.json     # every 50th document of a file
    python benchmarks/against_original_glidre.py --original FOLDER     # the original's source, without a network
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
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
from documents import (
    WORKLOADS,
    DocumentText,
    DocumentWorkload,
    as_requests,
    describe_documents,
    make_documents,
    read_texts,
)
from driving import Side, WorkerProcess, note
from environment_glidre import find_original, make_checkpoints
from reporting_glidre import plot_against_glidre, tables_against_glidre
from tqdm import tqdm
from workloads import relation_names

MOST_CELLS = 500_000  # (pair, type) cells up to which every score is compared; beyond, those above the threshold
QUICK = ("m10-alone", "m95-stream", "m10-stream-no-context")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--original", type=Path, metavar="FOLDER", help="the original's source [fetched from GitHub]")
    parser.add_argument("--documents", type=Path, metavar="FILE", help="documents to read [made by rule]")
    parser.add_argument("--every", type=int, default=50, help="read every n-th document of the file [%(default)s]")
    parser.add_argument("--count", type=int, default=10, help="how many documents a measurement reads [%(default)s]")
    add_arguments(parser, seconds=60)
    args = read_arguments(parser)
    if args.every < 1 or args.count < 1:
        parser.error(f"--every and --count must be positive: got {args.every} and {args.count}.")
    if args.quick:
        args.count = min(args.count, 3)
    return args


def chosen_workloads(args: argparse.Namespace, num_texts: int) -> list[DocumentWorkload]:
    """The workloads that the options choose, with as many documents as there are."""
    names = QUICK if args.quick else tuple(WORKLOADS)
    chosen = [WORKLOADS[name] for name in names if not args.only or any(part in name for part in args.only)]
    if not chosen:
        raise ValueError(f"--only {' '.join(args.only)} fits no workload: there are {list(names)}.")
    return [replace(workload, num_texts=num_texts) for workload in chosen]


def request_of(workload: DocumentWorkload, texts: Sequence[DocumentText]) -> dict[str, Any]:
    return {
        "texts": as_requests(texts[: workload.num_texts]),
        "relation_types": relation_names(workload.num_relations),
        "batch_size": workload.batch_size,
        "keeps_types": workload.keeps_types,
    }


def parts(worker: WorkerProcess, threshold: dict[str, float]) -> dict[str, Any]:
    """Where a side's time goes."""
    return {"parts": worker.ask("parts", **threshold)["seconds"]}


def main() -> None:
    args = arguments()
    texts = (
        make_documents(args.count) if args.documents is None else read_texts(args.documents, args.every, args.count)
    )
    source = "made by rule" if args.documents is None else f"every {args.every}th of {args.documents.name}"
    workloads = chosen_workloads(args, len(texts))
    python = find_original(args.original)
    modules = ("workers.original_glidre", "workers.documents")
    sides: dict[bool, list[Side]] = {}
    for has_context in dict.fromkeys(workload.has_context for workload in workloads):
        checkpoints = make_checkpoints(python, texts, has_context, args.quick)
        sides[has_context] = comparing.sides_of(args.device, python, modules, checkpoints)
    path = path_of(args)
    results = start_results(args, next(iter(sides.values())), path, documents=describe_documents(texts, source))
    to_do = not_measured(workloads, results, args)
    note_duration(len(to_do), args)
    start = time.monotonic()
    checked: dict[str, Any] = {}
    for has_context, own_sides in sides.items():
        to_check = list(dict.fromkeys(workload for workload, _ in to_do if workload.has_context == has_context))
        if to_check:
            checked |= compare_scores(
                to_check, own_sides, args.device, lambda workload: request_of(workload, texts), MOST_CELLS
            )
    for workload, allocator in tqdm(to_do, desc="measuring", unit="workload", file=sys.stderr):
        request = request_of(workload, texts)
        own_sides = sides[workload.has_context]
        entry = measure_inference(workload, allocator, own_sides, request, checked[workload.name], args, parts)
        note(describe(workload.name, allocator, entry))
        results["workloads"].setdefault(workload.name, {})[allocator] = entry
        write(results, args, path, list(WORKLOADS), tables_against_glidre, plot_against_glidre)
    note(f"Done in {(time.monotonic() - start) / 60:.0f} minutes; results in {path}.")


if __name__ == "__main__":
    main()
