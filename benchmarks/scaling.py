"""What a text costs, in time and memory, against its entities, relation types and words: one of them grows at a time.

Texts are read one by one. Needs this package only. See README.md next to this file.

    python benchmarks/scaling.py            # about ten minutes on two cores
    python benchmarks/scaling.py --quick    # does everything work? a tiny model, publishes nothing
"""

from __future__ import annotations

import argparse
import random
import sys
from dataclasses import asdict, dataclass
from typing import Any

import torch
from driving import Side, WorkerProcess, as_measurements, measure_in_turn, note, workers_of
from environment import BENCHMARKS, CACHE, as_requests, describe_machine, make_our_checkpoint, today
from measuring import fastest_calibration, summarise
from reporting import (
    machine_line,
    markdown_table,
    number,
    plot_scaling,
    replace_between_markers,
    save_json,
)
from tqdm import tqdm
from workloads import make_text, relation_names

VARIANTS = ("eager fp32", "optimized fp32", "optimized bf16")
THRESHOLD = 0.9


@dataclass(frozen=True)
class Axis:
    """What grows, its values, and what the other two are meanwhile."""

    name: str
    values: tuple[int, ...]
    entities: int
    relation_types: int
    words: int

    def sizes(self, value: int) -> dict[str, int]:
        fixed = {"entities": self.entities, "relation types": self.relation_types, "words": self.words}
        return {**fixed, self.name: value}


# The text of the first axis has room for its 400 entities, so that only they grow.
AXES = (
    Axis("entities", (2, 5, 10, 25, 50, 100, 200, 400), entities=0, relation_types=10, words=800),
    Axis("relation types", (1, 2, 5, 10, 20, 50, 100, 200), entities=10, relation_types=0, words=64),
    Axis("words", (16, 32, 64, 128, 256, 512, 1024, 2048), entities=4, relation_types=10, words=0),
)


def measure_point(
    workers: dict[str, WorkerProcess], sizes: dict[str, int], loaded: dict[str, float], args: argparse.Namespace
) -> dict[str, Any]:
    """Seconds and memory of each variant on one text."""
    text = make_text(random.Random(f"scaling {sizes}"), sizes["entities"], sizes["words"])
    for worker in workers.values():
        worker.ask(
            "prepare",
            texts=as_requests([text]),
            relation_types=relation_names(sizes["relation types"]),
            batch_size=1,
        )
        worker.ask("memory", reset=True)
        worker.ask("run", threshold=THRESHOLD)  # to warm up
    answers = measure_in_turn(workers, "run", {"threshold": THRESHOLD}, args.repetitions, args.seconds)
    measurements = {name: as_measurements(own) for name, own in answers.items()}
    reference = fastest_calibration([one for own in measurements.values() for one in own])
    point = {}
    for name, worker in workers.items():
        memory = worker.ask("memory")
        point[name] = {
            "summary": summarise(measurements[name], reference, min(2, args.repetitions)),
            "measurements": [asdict(one) for one in measurements[name]],
            "memory": {"loaded": loaded[name], "peak": memory["peak"], "since_start": memory["since_start"]},
        }
    return point


def measure_axis(axis: Axis, sides: list[Side], args: argparse.Namespace, progress: tqdm) -> dict[str, Any]:
    """All points of one axis, from small to large, in one process for each variant."""
    points = {}
    with workers_of(sides, args.device, "default") as workers:
        for worker in workers.values():
            worker.ask("warm_up")
        loaded = {name: worker.ask("memory")["now"] for name, worker in workers.items()}
        for value in axis.values[: 4 if args.quick else None]:
            points[value] = measure_point(workers, axis.sizes(value), loaded, args)
            speeds = (f"{name} {1000 * own['summary']['seconds']:.1f} ms" for name, own in points[value].items())
            note(f"{value} {axis.name}: {', '.join(speeds)}")
            progress.update()
    fixed = {name: size for name, size in axis.sizes(0).items() if name != axis.name}
    return {"fixed": fixed, "points": points}


def tables(results: dict[str, Any]) -> str:
    parts = [machine_line(results)]
    for name, axis in results["axes"].items():
        fixed = " and ".join(f"{size:,} {what}" for what, size in axis["fixed"].items())
        parts += ["", f"{name.capitalize()}, with {fixed}: ms for a text, in brackets MiB above the loaded model", ""]
        rows = [[f"{value:,}", *(_cell(own) for own in point.values())] for value, point in axis["points"].items()]
        parts.append(markdown_table([name, *VARIANTS], rows))
    return "\n".join(parts)


def _cell(own: dict[str, Any]) -> str:
    memory = own["memory"]
    mark = "*" if own["summary"]["noisy"] else ""
    return f"{number(1000 * own['summary']['seconds'])}{mark} ({number(memory['peak'] - memory['loaded'])})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--repetitions", type=int, default=5, help="clean measurements of each point [%(default)s]")
    parser.add_argument("--seconds", type=float, default=8, help="after which two of them are enough [%(default)s]")
    parser.add_argument("--quick", action="store_true", help="a tiny model and few points; publishes nothing")
    args = parser.parse_args()
    if args.repetitions < 1 or args.seconds <= 0:
        parser.error(f"--repetitions and --seconds must be positive: got {args.repetitions} and {args.seconds}.")
    if args.device == "cuda" and not torch.cuda.is_available():
        parser.error("--device cuda needs a GPU that torch can use: torch.cuda.is_available() is false here.")

    checkpoint = make_our_checkpoint(args.quick)
    sides = [Side(name, "workers.ours", sys.executable, checkpoint, name) for name in VARIANTS]
    with workers_of(sides[:1], args.device, "default") as workers:
        versions = {"this package": workers[sides[0].name].ask("versions")}
    results = {"machine": describe_machine(args.device), "versions": versions, "date": today(), "axes": {}}
    with tqdm(total=sum(4 if args.quick else len(axis.values) for axis in AXES), unit="point") as progress:
        for axis in AXES:
            results["axes"][axis.name] = measure_axis(axis, sides, args, progress)
    suffix = "" if args.device == "cpu" else f"_{args.device}"
    save_json(CACHE / "quick_scaling.json" if args.quick else BENCHMARKS / f"results/scaling{suffix}.json", results)
    plot_scaling(results, (CACHE if args.quick else BENCHMARKS) / f"scaling{suffix}.png")
    if args.quick:
        print(tables(results))
    else:
        replace_between_markers(BENCHMARKS / "README.md", f"scaling{suffix}", tables(results))


if __name__ == "__main__":
    main()
