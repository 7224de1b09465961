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

import torch
from driving import ALLOCATORS, Side, WorkerProcess, as_measurements, measure_in_turn, note, workers_of
from environment import (
    BENCHMARKS,
    CACHE,
    as_requests,
    code_fingerprint,
    describe_machine,
    find_original,
    make_checkpoints,
    today,
)
from measuring import compare, compare_predictions, fastest_calibration, percentile, summarise
from reporting import load_json, plot_against_original, replace_between_markers, save_json, tables_against_original
from tqdm import tqdm
from workloads import WORKLOADS, Workload, relation_names, texts_of

QUANTILE = 0.995  # of the scores lie below the threshold: few relations are returned, as in use
TOLERANCE = 1e-4  # by which a score may differ in fp32
MOST_CELLS = 50_000  # (pair, type) cells up to which every score is compared; beyond, those above the threshold
COMPARED_TEXTS = 8
TRAINING = Workload("training-step-m25-b8", "sentence", 25, 8, 8)
TRAINING_STEPS = 3
QUICK = ("sentence-m10-b32", "sentence-m10-b1", "paragraph-m10-b32", "document100-m10-b1")
STARTING = 15  # seconds that it takes to start the workers of one workload, about


def sides_of(args: argparse.Namespace) -> list[Side]:
    python = str(find_original(args.original_python))
    original, ours = make_checkpoints(Path(python), args.quick)

    def original_side(name: str, dtype: str) -> Side:
        return Side(name, "workers.original", python, original, dtype)

    def our_side(variant: str, baseline: str) -> Side:
        return Side(variant, "workers.ours", sys.executable, ours, variant, baseline)

    if args.device == "cpu":
        return [
            original_side("original", "fp32"),
            our_side("eager fp32", "original"),
            our_side("optimized fp32", "original"),
            our_side("optimized bf16", "original"),
        ]
    return [
        original_side("original", "fp32"),
        original_side("original bf16", "bf16"),
        our_side("eager fp32", "original"),
        our_side("eager bf16", "original bf16"),
        our_side("optimized fp32", "original"),
        our_side("optimized bf16", "original bf16"),
    ]


def request_of(workload: Workload) -> dict[str, Any]:
    return {
        "texts": as_requests(texts_of(workload)),
        "relation_types": relation_names(workload.num_relations),
        "batch_size": workload.batch_size,
    }


def training_labels() -> list[int]:
    return random.Random("labels").choices(range(TRAINING.num_relations), k=TRAINING.num_texts)


def compare_scores(workloads: list[Workload], sides: list[Side], device: str) -> dict[str, dict[str, Any]]:
    """The threshold of each workload and each side's largest difference from the original; an error if it is large.

    Only the sides in fp32 must agree; for bf16 the difference is reported.
    """
    checked: dict[str, dict[str, Any]] = {}
    with workers_of(sides, device, "tuned") as workers:
        original = workers["original"]
        for workload in tqdm(workloads, desc="comparing scores", unit="workload", file=sys.stderr):
            request = request_of(replace(workload, num_texts=min(COMPARED_TEXTS, workload.num_texts)))
            for worker in workers.values():
                worker.ask("prepare", **request)
            found = original.ask("threshold", quantile=QUANTILE)
            lowest = 0.0 if found["cells"] <= MOST_CELLS else found["threshold"]
            expected = original.ask("compare", threshold=lowest)["predictions"]
            checked[workload.name] = {"threshold": found["threshold"], "largest_difference": {}}
            for side in sides[1:]:
                got = workers[side.name].ask("compare", threshold=lowest)["predictions"]
                difference, worst = compare_predictions(expected, got, lowest)
                if "fp32" in side.name and difference > TOLERANCE:
                    raise RuntimeError(
                        f"{side.name!r} and the original disagree on {workload.name}: scores differ by up to "
                        f"{difference:.2e}, more than {TOLERANCE}. Nothing was timed. The worst:\n" + "\n".join(worst)
                    )
                checked[workload.name]["largest_difference"][side.name] = difference
            differences = checked[workload.name]["largest_difference"]
            listed = ", ".join(f"{name} {difference:.1e}" for name, difference in differences.items())
            note(f"{workload.name}: largest difference of {found['cells']:,} scores: {listed}")
    return checked


def measure_inference(
    workload: Workload, allocator: str, sides: list[Side], checked: dict[str, Any], args: argparse.Namespace
) -> dict[str, Any]:
    """Speed, latency, memory and the share outside the encoder, of all sides on one workload."""
    threshold = {"threshold": checked["threshold"]}
    with workers_of(sides, args.device, allocator) as workers:
        loaded = {}
        for name, worker in workers.items():
            worker.ask("warm_up")
            worker.ask("prepare", **request_of(workload))
            loaded[name] = worker.ask("memory", reset=True)["now"]
            worker.ask("run", **threshold)  # not counted: the first pass over a workload is slower
        answers = measure_in_turn(workers, "run", threshold, args.repetitions, args.seconds)
        results: dict[str, Any] = {}
        for name, worker in workers.items():
            memory = worker.ask("memory")
            calls = [seconds for answer in answers[name] for seconds in answer["calls"]]
            results[name] = {
                "memory": {"loaded": loaded[name], "peak": memory["peak"], "since_start": memory["since_start"]},
                "latency": {"p50": percentile(calls, 0.5), "p95": percentile(calls, 0.95)},
                "relations": answers[name][0]["relations"],
            }
            if worker.side.baseline:
                results[name]["outside_encoder"] = worker.ask("share_outside_encoder", **threshold)["share"]
                results[name]["largest_difference"] = checked["largest_difference"][name]
        if args.device == "cuda":
            counted = workers["eager fp32"].ask("operations", **threshold)
    add_speeds(results, answers, sides, args.repetitions)
    if args.device == "cuda":
        for side in sides:
            rate = counted["operations"] / results[side.name]["summary"]["seconds"]
            results[side.name]["share_of_matrix_product_rate"] = rate / counted["rates"][side.variant.split()[-1]]
    return {**asdict(workload), **threshold, "sides": results}


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


def add_speeds(results: dict[str, Any], answers: dict[str, Any], sides: list[Side], repetitions: int) -> None:
    needed = min(2, repetitions)
    measurements = {name: as_measurements(own) for name, own in answers.items()}
    reference = fastest_calibration([one for own in measurements.values() for one in own])
    for side in sides:
        own = measurements[side.name]
        results[side.name]["summary"] = summarise(own, reference, needed)
        results[side.name]["measurements"] = [asdict(one) for one in own]
        if side.baseline:
            results[side.name]["compared"] = compare(measurements[side.baseline], own, reference, needed)


def describe(name: str, allocator: str, entry: dict[str, Any]) -> str:
    parts = []
    for side, own in entry["sides"].items():
        speed = f"{side} {entry['num_texts'] / own['summary']['seconds']:.2f}/s"
        ratio = own.get("compared")
        parts.append(speed + (f" ({ratio['ratio']:.1f} ×, {ratio['low']:.1f}–{ratio['high']:.1f})" if ratio else ""))
    return f"{name}, {allocator}: " + "; ".join(parts)


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


def start_results(args: argparse.Namespace, sides: list[Side], path: Path) -> dict[str, Any]:
    """Earlier results where they are from the same machine, versions and code, else empty ones."""
    with workers_of(sides[:1] + sides[-1:], args.device, "default") as workers:
        versions = {
            "original": workers["original"].ask("versions"),
            "this package": workers[sides[-1].name].ask("versions"),
        }
    fresh = {
        "machine": describe_machine(args.device),
        "versions": versions,
        "code": code_fingerprint(),
        "sides": {side.name: {"variant": side.variant, "baseline": side.baseline} for side in sides},
    }
    earlier = load_json(path)
    same = all(earlier.get(field) == value for field, value in fresh.items())
    if earlier and not same:
        note(f"{path} is from another machine, other versions or other code, and is replaced.")
    return {**fresh, "date": today(), "quantile": QUANTILE, "workloads": earlier["workloads"] if same else {}}


def write(results: dict[str, Any], args: argparse.Namespace, path: Path) -> None:
    """Saves results and, except in a quick run, the table and the figure."""
    order = [*WORKLOADS, TRAINING.name]
    results["workloads"] = {name: results["workloads"][name] for name in order if name in results["workloads"]}
    save_json(path, results)
    suffix = "" if args.device == "cpu" else f"_{args.device}"
    figure = (CACHE if args.quick else BENCHMARKS) / f"against_original{suffix}.png"
    if any(name != TRAINING.name for name in results["workloads"]):
        plot_against_original(results, figure)
    tables = tables_against_original(results)
    if args.quick:
        print(tables)
    else:
        replace_between_markers(BENCHMARKS / "README.md", f"against_original{suffix}", tables)


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--original-python", type=Path, help="an interpreter that has glirel 1.2.1 [.venv-original]")
    parser.add_argument("--only", nargs="+", metavar="PART", help="workloads whose name has one of these in it")
    parser.add_argument("--allocators", nargs="+", choices=ALLOCATORS, help="[both on Linux's CPU, else the default]")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--repetitions", type=int, default=5, help="clean measurements of each side [%(default)s]")
    parser.add_argument("--seconds", type=float, default=10, help="after which two of them are enough [%(default)s]")
    parser.add_argument("--resume", action="store_true", help="keep what an interrupted run has measured")
    parser.add_argument("--quick", action="store_true", help="a tiny model and few workloads; publishes nothing")
    parser.add_argument("--profile", choices=WORKLOADS, help="instead show where the time of this workload goes")
    args = parser.parse_args()
    if args.repetitions < 1 or args.seconds <= 0:
        parser.error(f"--repetitions and --seconds must be positive: got {args.repetitions} and {args.seconds}.")
    if args.device == "cuda" and not torch.cuda.is_available():
        parser.error("--device cuda needs a GPU that torch can use: torch.cuda.is_available() is false here.")
    if args.quick:
        args.repetitions, args.seconds = min(args.repetitions, 2), min(args.seconds, 5)
    if args.allocators is None:
        args.allocators = list(ALLOCATORS) if sys.platform == "linux" and args.device == "cpu" else ["default"]
    return args


def still_to_do(
    workloads: list[Workload], results: dict[str, Any], args: argparse.Namespace
) -> list[tuple[Workload, str]]:
    """The workloads that are not measured yet, each with an allocator."""
    measured = results["workloads"] if args.resume else {}
    with_training = not args.only or any(part in TRAINING.name for part in args.only)
    return [
        (workload, allocator)
        for workload in [*workloads, *([TRAINING] if with_training else [])]
        for allocator in args.allocators
        if allocator not in measured.get(workload.name, {})
    ]


def main() -> None:
    args = read_arguments()
    workloads = chosen_workloads(args)
    sides = sides_of(args)
    if args.profile:
        profile(args, sides)
        return
    suffix = "" if args.device == "cpu" else f"_{args.device}"
    path = CACHE / "quick.json" if args.quick else BENCHMARKS / "results" / f"against_original{suffix}.json"
    results = start_results(args, sides, path)
    to_do = still_to_do(workloads, results, args)
    minutes = len(to_do) * (STARTING + 2 * args.seconds) / 60
    note(f"{len(to_do)} measurements to do, about {minutes:.0f} minutes.")
    start = time.monotonic()
    to_check = list(dict.fromkeys(workload for workload, _ in to_do if workload != TRAINING))
    checked = compare_scores(to_check, sides, args.device) if to_check else {}
    for workload, allocator in tqdm(to_do, desc="measuring", unit="workload", file=sys.stderr):
        if workload == TRAINING:
            entry = measure_training(allocator, sides, args)
        else:
            entry = measure_inference(workload, allocator, sides, checked[workload.name], args)
        note(describe(workload.name, allocator, entry))
        results["workloads"].setdefault(workload.name, {})[allocator] = entry
        write(results, args, path)
    note(f"Done in {(time.monotonic() - start) / 60:.0f} minutes; results in {path}.")


if __name__ == "__main__":
    main()
