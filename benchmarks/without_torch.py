"""What an environment without torch saves where an export is served: disk, memory, and seconds until the first result.

Makes an environment with torch and one without (from PyPI, some minutes the first time), exports the embedded model,
and starts each way of reading one sentence several times, in turn. See README.md next to this
file, and docs/serving.md.

    python benchmarks/without_torch.py
"""

from __future__ import annotations

import argparse
import json
import subprocess
from pathlib import Path
from typing import Any

from environment import (
    BENCHMARKS,
    CACHE,
    ROOT,
    describe_machine,
    make_environment,
    our_environment,
    our_versions,
    today,
)
from reporting import machine_line, markdown_table, number, replace_between_markers, save_json
from tqdm import tqdm

from glirel_transformers.export import export, quantize

CHECKPOINT = ROOT / "checkpoints" / "glirel-mini"
CONSTRAINTS = ["--constraint", str(ROOT / "constraints.txt")]
ENVIRONMENTS = {
    "with torch": (["torch==2.13.0"], [*CONSTRAINTS, "transformers", "onnxruntime"]),
    "without": ([*CONSTRAINTS, "transformers", "onnxruntime"],),
}
WITH_PIPELINE = """
from glirel_transformers import GLiRELForRelationClassification, RelationExtractionPipeline
imported = time.perf_counter()
extract = RelationExtractionPipeline(GLiRELForRelationClassification.from_pretrained(sys.argv[1]))
"""
WITH_EXTRACTOR = """
from glirel_transformers import RelationExtractor
from glirel_transformers.export import ORTModelForRelationClassification
imported = time.perf_counter()
extract = RelationExtractor(ORTModelForRelationClassification.from_pretrained(sys.argv[1]))
"""
MEASURE = """
import json, re, sys, time
start = time.perf_counter()
{load}
extract("Marie Curie was born in Warsaw.", entities=[(0, 11), (24, 30)], relation_types=["place of birth", "spouse"])
seconds = {{"import": imported - start, "first result": time.perf_counter() - start}}
kibibytes = re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]  # ru_maxrss starts at the parent's
print(json.dumps(seconds | {{"memory": int(kibibytes) * 1024}}))
"""
# What is started: environment, code, and which model.
WAYS = [
    ("with torch", WITH_PIPELINE, "checkpoint"),
    ("with torch", WITH_EXTRACTOR, "float32 export"),
    ("without", WITH_EXTRACTOR, "float32 export"),
    ("without", WITH_EXTRACTOR, "int8 export"),
]


def start(python: Path, load: str, model: Path) -> dict[str, float]:
    """Starts one interpreter, and returns what it measured."""
    command = [str(python), "-c", MEASURE.format(load=load), str(model)]
    done = subprocess.run(command, env=our_environment(), capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def size_on_disk(python: Path) -> int:
    """Bytes of an environment's packages."""
    packages = python.parents[1] / "lib"
    return sum(file.stat().st_size for file in packages.rglob("*") if file.is_file() and not file.is_symlink())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=5, help="of which the fastest counts [%(default)s]")
    args = parser.parse_args()
    pythons = {name: make_environment(CACHE / f"venv {name}", *steps) for name, steps in ENVIRONMENTS.items()}
    models = {
        "checkpoint": CHECKPOINT,
        "float32 export": CACHE / "served-float32",
        "int8 export": CACHE / "served-int8",
    }
    export(CHECKPOINT, models["float32 export"], overwrite=True)
    quantize(models["float32 export"], models["int8 export"], overwrite=True)
    found: list[list[dict[str, float]]] = [[] for _ in WAYS]
    for turn in tqdm(range(args.repetitions + 1), unit="turn"):
        for measured, (environment, load, model) in zip(found, WAYS, strict=True):
            one = start(pythons[environment], load, models[model])
            if turn:  # the first one reads files that are not in memory yet
                measured.append(one)
    ways = [
        {
            "model": model,
            "environment": environment,
            "packages": size_on_disk(pythons[environment]),
            **{name: min(one[name] for one in measured) for name in measured[0]},
        }
        for measured, (environment, _, model) in zip(found, WAYS, strict=True)
    ]
    results: dict[str, Any] = {
        "date": today(),
        "machine": describe_machine("cpu"),
        "versions": our_versions(),
        "ways": ways,
    }
    save_json(BENCHMARKS / "results" / "without_torch.json", results)
    rows = [
        [
            way["model"],
            way["environment"],
            f"{way['packages'] / 1e6:,.0f}",
            f"{way['memory'] / 2**20:,.0f}",
            number(way["import"]),
            number(way["first result"]),
        ]
        for way in ways
    ]
    header = ["model", "environment", "packages, MB", "peak memory, MiB", "import, s", "first result, s"]
    replace_between_markers(
        BENCHMARKS / "README.md", "without torch", machine_line(results) + "\n\n" + markdown_table(header, rows)
    )


if __name__ == "__main__":
    main()
