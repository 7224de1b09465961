"""One model on all runtimes: eager, optimized and compiled torch, and ONNX Runtime in float32 and quantized.

Sentences one by one and in batches of 32, with one thread and with two, end to end. Needs this package with the extras
`onnx` and `benchmark`. See README.md next to this file.

    python benchmarks/runtimes.py            # a quarter of an hour on two cores; --resume continues after a stop
    python benchmarks/runtimes.py --quick    # does everything work? a tiny model; publishes nothing
    python benchmarks/runtimes.py --profile  # where ONNX Runtime's time goes, operator by operator
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from driving import Side, WorkerProcess, as_measurements, measure_in_turn, note, workers_of
from environment import (
    BENCHMARKS,
    CACHE,
    ROOT,
    as_requests,
    code_fingerprint,
    describe_machine,
    make_our_checkpoint,
    our_versions,
    today,
)
from measuring import compare, fastest_calibration, is_clean, percentile, summarise
from reporting import load_json, plot_runtimes, replace_between_markers, save_json, tables_of_runtimes
from tqdm import tqdm
from workloads import Workload, relation_names, texts_of

from glirel_transformers.extras import require_extra

BASELINE = "eager fp32"
# Variant of the worker → which export it loads, or "" for the checkpoint.
RUNTIMES = {
    BASELINE: "",
    "eager bf16": "",
    "optimized fp32": "",
    "optimized bf16": "",
    "compiled fp32": "",
    "ORT fp32": "float32",
    "ORT fused-fp32": "fused",
    "ORT int8": "int8",
    "ORT int8-weights": "int8-weights",
}
MODELS = ("glirel-mini", "DeBERTa-v3-small's shape")
THRESHOLD = 0.5
# Batch size: texts read in one measurement, of the small model and of the large one.
NUM_TEXTS = {1: (24, 8), 32: (64, 32)}


def make_exports(model: str, checkpoint: Path) -> dict[str, Path]:
    """The exports that the runtimes load, made once for this code."""
    from glirel_transformers.export import export, quantize

    weights = hashlib.sha256((checkpoint / "model.safetensors").read_bytes())
    key = hashlib.sha256(weights.digest() + _code().encode()).hexdigest()[:12]
    folder = CACHE / f"runtimes-{key}"
    exports = {name: folder / name for name in ("float32", "fused", "int8", "int8-weights")}
    if not (folder / "made").exists():
        note(f"Exporting {model} …")
        export(checkpoint, exports["float32"], overwrite=True)
        export(checkpoint, exports["fused"], optimize=True, overwrite=True)
        for method in ("int8", "int8-weights"):
            quantize(exports["float32"], exports[method], method, overwrite=True)
        (folder / "made").touch()
    return exports


def sides_of(checkpoint: Path, exports: dict[str, Path], threads: int, names: list[str]) -> list[Side]:
    """A worker for each runtime."""
    return [
        Side(
            f"{name} {threads}",
            "workers.runtimes",
            sys.executable,
            exports[RUNTIMES[name]] if RUNTIMES[name] else checkpoint,
            f"{name} {threads}",
            "" if name == BASELINE else BASELINE,
        )
        for name in names
    ]


def measure_group(sides: list[Side], workloads: list[Workload], args: argparse.Namespace) -> dict[str, Any]:
    """Everything of one model with one number of threads: all runtimes in turn, in one process each."""
    results: dict[str, Any] = {}
    with workers_of(sides, "cpu", "default") as workers:
        first = {name: worker.ask("first_call")["seconds"] for name, worker in workers.items()}
        for workload in workloads:
            results[f"batch {workload.batch_size}"] = _measure_workload(workers, workload, args)
        for side in sides:
            loading = workers[side.name].ask("time_loading", repetitions=1 if args.quick else 2)
            size = sum(
                file.stat().st_size
                for pattern in ("*.safetensors", "model.onnx*")
                for file in side.checkpoint.glob(pattern)
            )
            for entry in results.values():
                entry[_runtime(side)].update(load=loading["seconds"], first_call=first[side.name], bytes=size)
    return results


def _measure_workload(
    workers: dict[str, WorkerProcess], workload: Workload, args: argparse.Namespace
) -> dict[str, Any]:
    """Speed, latency and memory of each runtime on one workload."""
    texts = as_requests(texts_of(workload))
    for worker in workers.values():
        worker.ask(
            "prepare",
            texts=texts,
            relation_types=relation_names(workload.num_relations),
            batch_size=workload.batch_size,
        )
        worker.ask("run", threshold=THRESHOLD)  # to warm up, and where something is compiled for these shapes
        worker.ask("memory", reset=True)
    answers = measure_in_turn(workers, "run", {"threshold": THRESHOLD}, args.repetitions, args.seconds)
    measurements = {name: as_measurements(own) for name, own in answers.items()}
    reference = fastest_calibration([one for own in measurements.values() for one in own])
    needed = min(2, args.repetitions)
    baseline = next(own for name, own in measurements.items() if name.startswith(BASELINE))
    entry = {}
    for name, worker in workers.items():
        clean = [
            answer for answer, one in zip(answers[name], measurements[name], strict=True) if is_clean(one, reference)
        ] or answers[name]
        calls = [seconds for answer in clean for seconds in answer["calls"]]
        entry[_runtime(worker.side)] = {
            "num_texts": workload.num_texts,
            "summary": summarise(measurements[name], reference, needed),
            "compared": compare(baseline, measurements[name], reference, needed),
            "latency": {"p50": percentile(calls, 0.5), "p95": percentile(calls, 0.95)},
            "memory": worker.ask("memory"),
            "measurements": [asdict(one) for one in measurements[name]],
        }
    return entry


def _runtime(side: Side) -> str:
    return side.name.rsplit(" ", 1)[0]


def profile(checkpoints: dict[str, Path], args: argparse.Namespace) -> None:
    """Prints ONNX Runtime's time by operator, for sentences one by one with one thread."""
    for model, checkpoint in checkpoints.items():
        sides = sides_of(checkpoint, make_exports(model, checkpoint), 1, [n for n in args.runtimes if RUNTIMES[n]])
        for side in sides:
            with workers_of([side], "cpu", "default") as workers:
                worker = workers[side.name]
                worker.ask("first_call")
                worker.ask(
                    "prepare",
                    texts=as_requests(texts_of(Workload("", "sentence", 10, 1, 8))),
                    relation_types=relation_names(10),
                    batch_size=1,
                )
                worker.ask("run", threshold=THRESHOLD)
                found = worker.ask("operators", threshold=THRESHOLD)
            seconds = found["operators"]
            print(f"\n{model}, {_runtime(side)}, one thread: ms for a sentence (of {1000 * found['total'] / 8:.1f})")
            for name, own in sorted(seconds.items(), key=lambda item: -item[1])[: args.rows]:
                print(f"  {name:32} {1000 * own / 8:8.3f} {100 * own / found['total']:6.1f} %")
            for name, rest in (
                ("between operators", found["graph"] - sum(seconds.values())),
                ("outside of the graph", found["total"] - found["graph"]),
            ):
                print(f"  {name:32} {1000 * rest / 8:8.3f} {100 * rest / found['total']:6.1f} %")


def main() -> None:
    args = _arguments()
    require_extra("onnx", "onnx", "onnxruntime", "onnxscript", "optimum")
    if not args.profile:
        require_extra("benchmark", "matplotlib")  # before anything is measured
    checkpoints = _checkpoints(args)
    if args.profile:
        profile(checkpoints, args)
        return
    file = CACHE / "quick_runtimes.json" if args.quick else BENCHMARKS / "results" / "runtimes.json"
    results = _start_results(file, args)
    measure(checkpoints, results, file, args)
    results["versions"] = our_versions()
    save_json(file, results)
    publish(results, args)


def measure(checkpoints: dict[str, Path], results: dict[str, Any], file: Path, args: argparse.Namespace) -> None:
    """Adds the groups that `results` lack, each of a model and a number of threads, and saves them one by one."""
    with tqdm(total=len(checkpoints) * len(args.threads), unit="group") as progress:
        for model, checkpoint in checkpoints.items():
            exports = make_exports(model, checkpoint)
            which = 0 if model == MODELS[0] else 1
            workloads = [
                Workload(f"sentence-m10-b{batch}", "sentence", 10, batch, 2 if args.quick else sizes[which])
                for batch, sizes in NUM_TEXTS.items()
            ]
            for threads in args.threads:
                name = f"{model}, {threads} thread{'s' if threads > 1 else ''}"
                if name not in results["groups"]:
                    sides = sides_of(checkpoint, exports, threads, args.runtimes)
                    results["groups"][name] = measure_group(sides, workloads, args)
                    save_json(file, results)
                progress.update()


def publish(results: dict[str, Any], args: argparse.Namespace) -> None:
    """Draws the figure, and puts the tables into the README; those of a part are printed."""
    plot_runtimes(results, (CACHE if args.quick else BENCHMARKS) / "runtimes.png")
    tables = tables_of_runtimes(results)
    if args.quick or args.only or set(args.runtimes) != set(RUNTIMES):
        print(tables)
    else:
        replace_between_markers(BENCHMARKS / "README.md", "runtimes", tables)


def _checkpoints(args: argparse.Namespace) -> dict[str, Path]:
    """The models to measure, by name."""
    if args.quick:
        found = {"tiny": make_our_checkpoint(True)}
    else:
        found = {MODELS[0]: ROOT / "checkpoints" / "glirel-mini", MODELS[1]: make_our_checkpoint(False)}
    return {name: folder for name, folder in found.items() if args.only in name}


def _start_results(file: Path, args: argparse.Namespace) -> dict[str, Any]:
    """Empty results, or with `--resume` what was measured by the same code on the same machine."""
    results: dict[str, Any] = {
        "date": today(),
        "machine": describe_machine("cpu"),
        "versions": {},
        "baseline": BASELINE,
        "code": _code(),
        "load_before": os.getloadavg()[0],
        "groups": {},
    }
    before = load_json(file) if args.resume else {}
    if all(before.get(key) == results[key] for key in ("machine", "code")):
        results["groups"] = before["groups"]
    return results


def _code() -> str:
    """Changes when what is measured may have changed, exports among it."""
    files = sorted((ROOT / "glirel_transformers" / "export").glob("*.py"))
    content = b"\0".join([code_fingerprint().encode(), *(file.read_bytes() for file in files)])
    return hashlib.sha256(content).hexdigest()[:12]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=5, help="clean measurements of each [%(default)s]")
    parser.add_argument("--seconds", type=float, default=25, help="after which two of them are enough [%(default)s]")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2], help="numbers of threads [1 2]")
    parser.add_argument("--runtimes", nargs="+", choices=list(RUNTIMES), default=list(RUNTIMES), metavar="NAME")
    parser.add_argument("--only", default="", help="models with this in their name; publishes nothing")
    parser.add_argument("--resume", action="store_true", help="keep what the last run has measured")
    parser.add_argument("--quick", action="store_true", help="a tiny model, one repetition; publishes nothing")
    parser.add_argument("--profile", action="store_true", help="print ONNX Runtime's time by operator instead")
    parser.add_argument("--rows", type=int, default=12, help="operators that --profile prints [%(default)s]")
    args = parser.parse_args()
    if args.repetitions < 1 or args.seconds <= 0 or min(args.threads) < 1:
        parser.error("--repetitions, --seconds and --threads must be positive.")
    if BASELINE not in args.runtimes and not args.profile:
        args.runtimes.insert(0, BASELINE)
    if args.quick:
        args.repetitions, args.seconds, args.threads = 1, 1.0, [1]
        args.runtimes = [name for name in args.runtimes if not name.startswith("compiled")]  # takes a minute
    return args


if __name__ == "__main__":
    main()
