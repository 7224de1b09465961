"""The original package's own environment, the same random weights in both formats, and the machine's description."""

from __future__ import annotations

import datetime
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import venv
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from workloads import WORKLOADS, Text, Workload, char_spans, relation_names, texts_of

BENCHMARKS = Path(__file__).resolve().parent
ROOT = BENCHMARKS.parent
CACHE = BENCHMARKS / ".cache"
TOKENIZER = ROOT / "checkpoints" / "glirel-mini" / "tokenizer.json"
# torch first, and by its exact version, so that no other requirement chooses it. glirel imports loguru without saying.
ORIGINAL_REQUIREMENTS = (["torch==2.13.0"], ["glirel==1.2.1", "transformers==4.57.6", "loguru==0.7.3"])

# The shape of DeBERTa-v3-small, except its vocabulary: only rows that are looked up take part.
ENCODER = {
    "hidden_size": 768,
    "num_hidden_layers": 6,
    "num_attention_heads": 12,
    "intermediate_size": 3072,
    "max_position_embeddings": 512,
    "position_buckets": 256,
    "relative_attention": True,
    "pos_att_type": ["p2c", "c2p"],
    "share_att_key": True,
    "norm_rel_ebd": "layer_norm",
    "max_relative_positions": -1,
    "position_biased_input": False,
    "type_vocab_size": 0,
    "layer_norm_eps": 1e-7,
    "pad_token_id": 0,
    "initializer_range": 0.05,  # more than usual: attention that is not uniform shows every difference
}
TINY_ENCODER = {**ENCODER, "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4} | {
    "intermediate_size": 128
}
HEAD = {
    "name": "benchmark",
    "fine_tune": True,
    "subtoken_pooling": "first",
    "scorer": "dot",
    "rel_mode": "marker",
    "span_marker_mode": "markerv1",
    "label_embed_strategy": "label",
    "refine_prompt": False,
    "refine_relation": False,
    "ffn_mul": 4,
    "dropout": 0.1,
    "coref_classifier": False,
    "coref_loss_weight": 10.0,
    "coreference_label": None,
    "loss_func": "binary_cross_entropy_loss",
    "positive_weight": 1.0,
    "negative_weight": 1.0,
    "alpha": 0.75,
    "gamma": 3,
    "max_width": 12,
    "max_len": 4096,
    "max_entity_pair_distance": None,
    "fixed_relation_types": True,
    "num_train_rel_types": 25,
    "random_drop": False,
}


def find_original(python: Path | None) -> Path:
    """The interpreter that has the original package; without `python`, in an environment created if it is missing."""
    return interpreter_of(python, ROOT / ".venv-original", *ORIGINAL_REQUIREMENTS)


def interpreter_of(python: Path | None, folder: Path, *steps: list[str]) -> Path:
    """`python`, from the option --original-python, or what [`make_environment`] makes.

    Raises:
        ValueError: when there is no such interpreter.
    """
    if python is None:
        return make_environment(folder, *steps)
    if not python.is_file():
        raise ValueError(f"--original-python must be an interpreter: got {python}, which is not there.")
    return python.absolute()


def make_environment(folder: Path, *steps: list[str]) -> Path:
    """The interpreter of an environment with what `pip` installs in these steps, created if it is missing."""
    python, stamp = folder / "bin" / "python", folder / ".installed"
    if not stamp.exists():
        print(f"Making the environment {folder} (some minutes) …", file=sys.stderr)
        venv.create(folder, with_pip=True, clear=True)
        for requirements in steps:
            subprocess.run([str(python), "-m", "pip", "install", "--quiet", *requirements], check=True)
        stamp.touch()
    return python


def as_requests(texts: list[Text]) -> list[dict[str, Any]]:
    """Texts in the form in which the workers take them."""
    return [
        {
            "words": text.words,
            "text": " ".join(text.words),
            "word_spans": text.entities,
            "char_spans": char_spans(text),
        }
        for text in texts
    ]


def make_checkpoints(original_python: Path, tiny: bool) -> tuple[Path, Path]:
    """The same random weights in the original's format, made by the original, and in ours, converted from it."""
    encoder = TINY_ENCODER if tiny else ENCODER
    settings = {
        "seed": 0,
        "tokenizer": str(TOKENIZER),
        "max_length": {"encoder": 4096},
        "encoder": encoder,
        "head": {**HEAD, "hidden_size": encoder["hidden_size"]},
        "texts": as_requests(texts_of(Workload(**{**asdict(WORKLOADS["sentence-m10-b32"]), "num_texts": 16}))),
        "relation_types": relation_names(10),
    }
    return make_and_convert(settings, original_python, "workers.original", ["--encoder", "encoder"])


def make_and_convert(
    settings: dict[str, Any], original_python: Path, module: str, options: list[str]
) -> tuple[Path, Path]:
    """A checkpoint that a worker of the original makes as `settings` say, and what `glirel convert` makes of it.

    The first is kept between runs; the conversion is repeated, so that it is always this version's.

    Args:
        settings: written to `settings.json` in a folder of their own.
        original_python: the interpreter that has the original.
        module: `python -m module make FOLDER` makes `FOLDER/checkpoint`.
        options: of `glirel convert`; paths are relative to the folder.
    """
    content = json.dumps(settings, indent=1)
    folder = CACHE / hashlib.sha256(content.encode()).hexdigest()[:12]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "settings.json").write_text(content)
    if not (folder / "made").exists():
        run_checked([str(original_python), "-m", module, "make", str(folder)], clean_environment())
        (folder / "made").touch()
    converted = folder / "converted"
    shutil.rmtree(converted, ignore_errors=True)
    resolved = [option if option.startswith("--") else str(folder / option) for option in options]
    arguments = ["convert", str(folder / "checkpoint"), str(converted), *resolved]
    run_checked([sys.executable, "-m", "glirel_transformers.cli", *arguments], our_environment())
    return folder / "checkpoint", converted


def make_our_checkpoint(tiny: bool) -> Path:
    """A checkpoint of ours of the same shape with random weights, which does not need the original package."""
    from transformers import PreTrainedTokenizerFast

    from glirel_transformers import GLiRELConfig, GLiRELForRelationClassification, GLiRELTokenizer

    base = PreTrainedTokenizerFast(
        tokenizer_file=str(TOKENIZER), unk_token="[UNK]", sep_token="[SEP]", pad_token="[PAD]", cls_token="[CLS]"
    )
    tokenizer = GLiRELTokenizer.from_base(base, model_max_length=8192)
    shape = TINY_ENCODER if tiny else ENCODER
    config = GLiRELConfig(
        encoder_config={"model_type": "deberta-v2", "vocab_size": len(tokenizer), **shape},
        use_lstm=True,
        endpoint_projection=True,
    )
    torch.manual_seed(0)
    model = GLiRELForRelationClassification(config)
    model.tokenizer = tokenizer
    folder = CACHE / ("scaling-tiny" if tiny else "scaling")
    model.save_pretrained(folder)
    return folder


def run_checked(command: list[str], environment: dict[str, str]) -> None:
    result = subprocess.run(command, env=environment, cwd=BENCHMARKS, capture_output=True, text=True)
    if result.returncode:
        raise RuntimeError(f"{' '.join(command)} failed with code {result.returncode}:\n{result.stderr[-3000:]}")


def clean_environment() -> dict[str, str]:
    """This process's environment, offline, with all cores, and without what would make two runs differ."""
    dropped = ("PYTHONPATH", "TOKENIZERS_PARALLELISM", "LD_PRELOAD", "GLIBC_TUNABLES")
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in dropped and not name.startswith(("MALLOC_", "KMP_", "GOMP_"))
    }
    threads = str(num_cores())
    return {
        **environment,
        "OMP_NUM_THREADS": threads,
        "MKL_NUM_THREADS": threads,
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
    }


def our_environment() -> dict[str, str]:
    """As [`clean_environment`]; this repository's package is found first, installed or not."""
    inherited = os.environ.get("PYTHONPATH")
    return {**clean_environment(), "PYTHONPATH": os.pathsep.join([str(ROOT), *([inherited] if inherited else [])])}


def our_versions() -> dict[str, Any]:
    """What the results hold of this package's environment, where ONNX Runtime is in it."""
    import onnxruntime
    import transformers

    return {
        "this package": {
            "torch": torch.__version__,
            "transformers": f"{transformers.__version__}, onnxruntime {onnxruntime.__version__}",
            "python": platform.python_version(),
        }
    }


def num_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def describe_machine(device: str) -> dict[str, Any]:
    """What the results hold of the machine."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        processor = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        processor = platform.processor() or platform.machine()
    machine = {"processor": processor, "cores": num_cores(), "system": platform.system(), "device": device}
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        machine["memory_gib"] = round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30)
    if device == "cuda":
        machine["gpu"] = torch.cuda.get_device_name()
    return machine


def code_fingerprint() -> str:
    """Changes when what is measured may have changed: the model's code, the texts, or how they are measured."""
    files = [
        *sorted((ROOT / "glirel_transformers").glob("*_glirel.py")),
        *sorted((BENCHMARKS / "workers").glob("*.py")),
        BENCHMARKS / "documents.py",
        BENCHMARKS / "measuring.py",
        BENCHMARKS / "raw_texts.py",
        BENCHMARKS / "workloads.py",
    ]
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()[:12]


def today() -> str:
    return datetime.date.today().isoformat()
