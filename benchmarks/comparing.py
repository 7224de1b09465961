"""What the comparisons with originals share: equal scores first, then times, memory and shares, side by side."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, TypeVar

import torch
from documents import DocumentWorkload
from driving import ALLOCATORS, Side, WorkerProcess, as_measurements, measure_in_turn, note, workers_of
from environment import BENCHMARKS, CACHE, code_fingerprint, describe_machine, today
from measuring import compare, compare_predictions, fastest_calibration, percentile, summarise
from raw_texts import RawWorkload
from reporting import load_json, replace_between_markers, save_json
from tqdm import tqdm
from workloads import Workload

QUANTILE = 0.995  # of the scores lie below the threshold: few relations are returned, as in use
TOLERANCE = 1e-4  # by which a score may differ in fp32
STARTING = 15  # seconds that it takes to start the workers of one workload, about
_COMPARED_TEXTS = 8

AnyWorkload = TypeVar("AnyWorkload", Workload, DocumentWorkload, RawWorkload)


def sides_of(device: str, python: Path, modules: tuple[str, str], checkpoints: tuple[Path, Path]) -> list[Side]:
    """All sides of a comparison on a device.

    Args:
        device: on a GPU both packages run in fp32 and in bf16, on a CPU only ours does.
        python: the original's interpreter; ours is this one.
        modules, checkpoints: the original's, and ours.
    """

    def original_side(name: str, dtype: str) -> Side:
        return Side(name, modules[0], str(python), checkpoints[0], dtype)

    def our_side(variant: str, baseline: str) -> Side:
        return Side(variant, modules[1], sys.executable, checkpoints[1], variant, baseline)

    if device == "cpu":
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


def compare_scores(
    workloads: Sequence[Workload | DocumentWorkload | RawWorkload],
    sides: Sequence[Side],
    device: str,
    request_of: Callable[[AnyWorkload], dict[str, Any]],
    most_cells: int,
) -> dict[str, dict[str, Any]]:
    """The threshold of each workload and each side's largest difference from the original; an error if it is large.

    Only the sides in fp32 must agree; for bf16 the difference is reported.

    Args:
        workloads: with `name` and `num_texts`; up to eight texts of each are compared.
        sides: the original's first.
        device: where they run.
        request_of: what the workers are to read for a workload.
        most_cells: (pair, type) cells up to which every score is compared; beyond, those above the threshold.
    """
    checked: dict[str, dict[str, Any]] = {}
    with workers_of(sides, device, "tuned") as workers:
        original = workers[sides[0].name]
        for workload in tqdm(workloads, desc="comparing scores", unit="workload", file=sys.stderr):
            request = request_of(replace(workload, num_texts=min(_COMPARED_TEXTS, workload.num_texts)))
            for worker in workers.values():
                worker.ask("prepare", **request)
            found = original.ask("threshold", quantile=QUANTILE)
            lowest = 0.0 if found["cells"] <= most_cells else found["threshold"]
            theirs = original.ask("compare", threshold=lowest)
            told = {name: theirs[name] for name in theirs if name not in ("predictions", "answers")}
            checked[workload.name] = {"threshold": found["threshold"], "largest_difference": {}}
            for side in sides[1:]:
                own = workers[side.name].ask("compare", threshold=lowest, **told)
                difference, worst = compare_predictions(theirs["predictions"], own["predictions"], lowest)
                if "fp32" in side.name and difference > TOLERANCE:
                    raise RuntimeError(
                        f"{side.name!r} and the original disagree on {workload.name}: scores differ by up to "
                        f"{difference:.2e}, more than {TOLERANCE}. Nothing was timed. The worst:\n" + "\n".join(worst)
                    )
                if "fp32" in side.name and own.get("answers") != theirs.get("answers"):
                    raise RuntimeError(f"{side.name!r} and the original return other results of {workload.name}.")
                checked[workload.name]["largest_difference"][side.name] = difference
            differences = checked[workload.name]["largest_difference"]
            listed = ", ".join(f"{name} {difference:.1e}" for name, difference in differences.items())
            note(f"{workload.name}: largest difference of {found['cells']:,} scores: {listed}")
    return checked


def measure_inference(
    workload: Workload | DocumentWorkload | RawWorkload,
    allocator: str,
    sides: Sequence[Side],
    request: dict[str, Any],
    checked: dict[str, Any],
    args: argparse.Namespace,
    shares: Callable[[WorkerProcess, dict[str, float]], dict[str, Any]],
) -> dict[str, Any]:
    """Speed, latency, memory and shares of the time, of all sides on one workload.

    Args:
        workload: what is measured.
        allocator: a name in `ALLOCATORS`.
        sides: each is compared with its baseline.
        request: what the workers are to read.
        checked: of this workload, from [`compare_scores`].
        args: `device`, `repetitions` and `seconds`.
        shares: what is asked of each worker after the timing, to be added to its results.
    """
    threshold = {"threshold": checked["threshold"]}
    with workers_of(sides, args.device, allocator) as workers:
        loaded = {}
        for name, worker in workers.items():
            worker.ask("warm_up")
            worker.ask("prepare", **request)
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
                **shares(worker, threshold),
            }
            if worker.side.baseline:
                results[name]["largest_difference"] = checked["largest_difference"][name]
    add_speeds(results, answers, sides, args.repetitions)
    return {**asdict(workload), **threshold, "sides": results}


def add_speeds(
    results: dict[str, Any], answers: dict[str, list[dict[str, Any]]], sides: Iterable[Side], repetitions: int
) -> None:
    """Adds medians of the clean measurements, and ratios to the baselines."""
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
    """One workload's speeds and ratios, in a line."""
    parts = []
    for side, own in entry["sides"].items():
        speed = f"{side} {entry['num_texts'] / own['summary']['seconds']:.2f}/s"
        ratio = own.get("compared")
        parts.append(speed + (f" ({ratio['ratio']:.1f} ×, {ratio['low']:.1f}–{ratio['high']:.1f})" if ratio else ""))
    return f"{name}, {allocator}: " + "; ".join(parts)


def start_results(args: argparse.Namespace, sides: Sequence[Side], path: Path, **also: Any) -> dict[str, Any]:
    """Earlier results where they are from the same machine, versions and code, and `also` is the same; else empty."""
    with workers_of([sides[0], sides[-1]], args.device, "default") as workers:
        versions = {
            "original": workers[sides[0].name].ask("versions"),
            "this package": workers[sides[-1].name].ask("versions"),
        }
    fresh = {
        "machine": describe_machine(args.device),
        "versions": versions,
        "code": code_fingerprint(),
        "sides": {side.name: {"variant": side.variant, "baseline": side.baseline} for side in sides},
        **also,
    }
    earlier = load_json(path)
    same = all(earlier.get(field) == value for field, value in fresh.items())
    if earlier and not same:
        note(f"{path} is from another machine, other versions or other code, and is replaced.")
    return {**fresh, "date": today(), "quantile": QUANTILE, "workloads": earlier["workloads"] if same else {}}


def write(
    results: dict[str, Any],
    args: argparse.Namespace,
    path: Path,
    order: Sequence[str],
    tables: Callable[[dict[str, Any]], str],
    plot: Callable[[dict[str, Any], Path], None],
) -> None:
    """Saves results and draws the figure; puts the tables into the README or, after a quick run, prints them."""
    results["workloads"] = {name: results["workloads"][name] for name in order if name in results["workloads"]}
    save_json(path, results)
    name = name_of(args)
    plot(results, (CACHE if args.quick else BENCHMARKS) / f"{name}.png")
    if args.quick:
        print(tables(results))
    else:
        replace_between_markers(BENCHMARKS / "README.md", name, tables(results))


def name_of(args: argparse.Namespace) -> str:
    """What the results, the figure and the tables of a run are called."""
    return Path(sys.argv[0]).stem + ("" if args.device == "cpu" else f"_{args.device}")


def path_of(args: argparse.Namespace) -> Path:
    """Where the results of a run are saved."""
    return CACHE / f"quick_{name_of(args)}.json" if args.quick else BENCHMARKS / "results" / f"{name_of(args)}.json"


def not_measured(
    workloads: Iterable[AnyWorkload], results: dict[str, Any], args: argparse.Namespace
) -> list[tuple[AnyWorkload, str]]:
    """The workloads that are still to be measured, each with an allocator."""
    measured = results["workloads"] if args.resume else {}
    return [
        (workload, allocator)
        for workload in workloads
        for allocator in args.allocators
        if allocator not in measured.get(workload.name, {})
    ]


def note_duration(num_measurements: int, args: argparse.Namespace) -> None:
    """Says what is to come, about."""
    minutes = num_measurements * (STARTING + 2 * args.seconds) / 60
    note(f"{num_measurements} measurements to do, about {minutes:.0f} minutes.")


def add_arguments(parser: argparse.ArgumentParser, seconds: float) -> None:
    """The options that comparisons share; by default two measurements are enough after some seconds."""
    parser.add_argument("--only", nargs="+", metavar="PART", help="workloads whose name has one of these in it")
    parser.add_argument("--allocators", nargs="+", choices=ALLOCATORS, help="[both on Linux's CPU, else the default]")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--repetitions", type=int, default=5, help="clean measurements of each side [%(default)s]")
    parser.add_argument(
        "--seconds", type=float, default=seconds, help="after which two of them are enough [%(default)s]"
    )
    parser.add_argument("--resume", action="store_true", help="keep what an interrupted run has measured")
    parser.add_argument(
        "--quick", "--tiny", action="store_true", help="a tiny model and few workloads; publishes nothing"
    )


def read_arguments(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """The options, checked; ends with a message where one does not fit."""
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
