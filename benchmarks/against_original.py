"""This package against the original one: the same random weights, the same texts, side by side in one run.

Each side runs in its own environment and in its own process; measurements alternate between the sides. Scores are
compared before anything is timed. See README.md next to this file.

    python benchmarks/against_original.py                          # all workloads, 15 to 20 minutes on two cores
    python benchmarks/against_original.py --quick                  # does everything work? a tiny model, three minutes
    python benchmarks/against_original.py --only sentence --resume
    python benchmarks/against_original.py --profile paragraph-m10-b32
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import comparing
from comparing import (
    TOLERANCE,
    add_arguments,
    add_speeds,
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
from driving import Side, WorkerProcess, measure_in_turn, note, workers_of
from environment import as_requests, find_original, make_checkpoints
from reporting import plot_against_original, tables_against_original
from tqdm import tqdm
from workloads import WORKLOADS, Workload, relation_names, texts_of

MOST_CELLS = 50_000  # (pair, type) cells up to which every score is compared; beyond, those above the threshold
TRAINING = Workload("training-step-m25-b8", "sentence", 25, 8, 8)
TRAINING_STEPS = 3
QUICK = ("sentence-m10-b32", "sentence-m10-b1", "paragraph-m10-b32", "document100-m10-b1")


def sides_of(args: argparse.Namespace) -> list[Side]:
    python = find_original(args.original_python)
    modules = ("workers.original", "workers.ours")
    return comparing.sides_of(args.device, python, modules, make_checkpoints(python, args.quick))


def request_of(workload: Workload) -> dict[str, Any]:
    return {
        "texts": as_requests(texts_of(workload)),
        "relation_types": relation_names(workload.num_relations),
        "batch_size": workload.batch_size,
    }


def training_labels() -> list[int]:
    return random.Random("labels").choices(range(TRAINING.num_relations), k=TRAINING.num_texts)


def measure(
    workload: Workload, allocator: str, sides: list[Side], checked: dict[str, Any], args: argparse.Namespace
) -> dict[str, Any]:
    """Speed, latency, memory and the share outside the encoder, of all sides on one workload."""
    counted: dict[str, Any] = {}

    def shares(worker: WorkerProcess, threshold: dict[str, float]) -> dict[str, Any]:
        if args.device == "cuda" and worker.side.name == "eager fp32":
            counted.update(worker.ask("operations", **threshold))
        if not worker.side.baseline:
            return {}
        return {"outside_encoder": worker.ask("share_outside_encoder", **threshold)["share"]}

    entry = measure_inference(workload, allocator, sides, request_of(workload), checked, args, shares)
    for side in sides if counted else []:
        rate = counted["operations"] / entry["sides"][side.name]["summary"]["seconds"]
        share = rate / counted["rates"][side.variant.split()[-1]]
        entry["sides"][side.name]["share_of_matrix_product_rate"] = share
    return entry


def measure_training(allocator: str, sides: list[Side], args: argparse.Namespace) -> dict[str, Any]:
    """Training steps (collation, forward, backward, AdamW) on one batch, after the same loss was found on it."""
    sides = [side for side in sides if side.name in ("original", "eager fp32")]
    labels = {"labels": training_labels()}
    with workers_of(sides, args.device, allocator) as workers:
        losses = {}
        for name, worker in workers.items():
            worker.ask("prepare", **request_of(TRAINING))
            losses[name] = worker.ask("evaluation_loss", **labels)["loss"]
        if abs(losses["original"] / losses["eager fp32"] - 1) > TOLERANCE:
            raise RuntimeError(f"Both sides must find the same loss of the same batch: got {losses}.")
        results: dict[str, Any] = {}
        for name, worker in workers.items():
            loaded = worker.ask("memory", reset=True)["now"]
            worker.ask("train", steps=1, **labels)  # to warm up
            results[name] = {"memory": {"loaded": loaded}, "loss": losses[name]}
        answers = measure_in_turn(
            workers, "train", {"steps": TRAINING_STEPS, **labels}, args.repetitions, args.seconds
        )
        for name, worker in workers.items():
            memory = worker.ask("memory")
            results[name]["memory"] |= {"peak": memory["peak"], "since_start": memory["since_start"]}
    add_speeds(results, answers, sides, args.repetitions)
    return {**asdict(TRAINING), "num_texts": 1, "sides": results}  # what is counted is steps


def chosen_workloads(args: argparse.Namespace) -> list[Workload]:
    """Inference workloads that the options choose; smaller ones with `--quick`."""
    names = QUICK if args.quick else tuple(WORKLOADS)
    chosen = [WORKLOADS[name] for name in names if not args.only or any(part in name for part in args.only)]
    if args.quick:
        chosen = [replace(workload, num_texts=min(workload.num_texts, 8)) for workload in chosen]
    if not chosen and not (args.only and any(part in TRAINING.name for part in args.only)):
        raise ValueError(f"--only {' '.join(args.only)} fits no workload: there are {[*names, TRAINING.name]}.")
    return chosen


def profile(args: argparse.Namespace, sides: list[Side]) -> None:
    """Prints where the time of one workload goes, for each of our variants, and what the processor would allow."""
    workload, counted = WORKLOADS[args.profile], None
    for side in sides:
        if not side.baseline:
            continue
        worker = WorkerProcess(side, args.device, "tuned")
        try:
            worker.wait_until_loaded()
            worker.ask("prepare", **request_of(workload))
            worker.ask("run", threshold=0.9)  # to warm up
            # Counted for the plain model, which comes first: packed products are unknown to torch's counter.
            counted = worker.ask("operations", threshold=0.9) if counted is None else counted
            seconds = min(worker.ask("run", threshold=0.9)["seconds"] for _ in range(3))
            rate = counted["rates"][side.variant.split()[-1]]
            bound = counted["operations"] / rate
            print(
                f"{side.name}, {workload.name}: {seconds:.2f} s. Its products, {counted['operations'] / 1e9:.0f} "
                f"GFLOP, alone take {bound:.2f} s at the {rate / 1e9:.0f} GFLOP/s that a large product reaches here: "
                f"{100 * bound / seconds:.0f} % of that bound is reached."
            )
            share = worker.ask("share_outside_encoder", threshold=0.9)["share"]
            print(f"{side.name}, {workload.name}: {100 * share:.1f} % of the time outside the encoder")
            print(worker.ask("profile", threshold=0.9, rows=25)["table"])
        finally:
            worker.close()


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--original-python", type=Path, help="an interpreter that has glirel 1.2.1 [.venv-original]")
    add_arguments(parser, seconds=10)
    parser.add_argument("--profile", choices=WORKLOADS, help="instead show where the time of this workload goes")
    return read_arguments(parser)


def plot(results: dict[str, Any], path: Path) -> None:
    if any(name != TRAINING.name for name in results["workloads"]):
        plot_against_original(results, path)


def main() -> None:
    args = arguments()
    workloads = chosen_workloads(args)
    sides = sides_of(args)
    if args.profile:
        profile(args, sides)
        return
    path = path_of(args)
    results = start_results(args, sides, path)
    with_training = not args.only or any(part in TRAINING.name for part in args.only)
    to_do = not_measured([*workloads, *([TRAINING] if with_training else [])], results, args)
    note_duration(len(to_do), args)
    start = time.monotonic()
    to_check = list(dict.fromkeys(workload for workload, _ in to_do if workload != TRAINING))
    checked = compare_scores(to_check, sides, args.device, request_of, MOST_CELLS) if to_check else {}
    for workload, allocator in tqdm(to_do, desc="measuring", unit="workload", file=sys.stderr):
        if workload == TRAINING:
            entry = measure_training(allocator, sides, args)
        else:
            entry = measure(workload, allocator, sides, checked[workload.name], args)
        note(describe(workload.name, allocator, entry))
        results["workloads"].setdefault(workload.name, {})[allocator] = entry
        write(results, args, path, [*WORKLOADS, TRAINING.name], tables_against_original, plot)
    note(f"Done in {(time.monotonic() - start) / 60:.0f} minutes; results in {path}.")


if __name__ == "__main__":
    main()
