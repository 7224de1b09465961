"""An export is served without torch: scripts run in an environment that has what docs/serving.md says, and no more."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import pytest
import torch
from interpreters import Interpreter
from packaging.requirements import Requirement
from tiny import ENTITIES, EXPORTED, RELATION_TYPES, TEXTS

from glirel_transformers import RelationExtractionPipeline
from glirel_transformers.configuration_glirel import SYSTEMS

FINDS: dict[str, Any] = {**SYSTEMS["relex"], "max_entity_width": 4, "pair_selection": "gcn"}
ROOT = Path(__file__).resolve().parents[2]
BLOCKS = re.findall(
    r"^```python\n(.*?)^```", (ROOT / "docs" / "serving.md").read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
)
NO_TORCH = "import importlib.util as u\nassert u.find_spec('torch') is None and u.find_spec('optimum') is None\n"

EXTRACT = """
import json, sys
from glirel_transformers import RelationExtractor
from glirel_transformers.export import ORTModelForRelationClassification
given = json.loads(sys.argv[1])
extract = RelationExtractor(ORTModelForRelationClassification.from_pretrained(given.pop("folder")), batch_size=2)
print(json.dumps(extract(given.pop("texts"), **given)))
"""

APART = """
import json, sys
import numpy as np
from glirel_transformers import RelationExtractor
import glirel_transformers.loading
given = json.loads(sys.argv[1])
extract = RelationExtractor("apart-onnx")
encoded = extract.model.encode_relation_types(given["relation_types"])
encoded.save("types.safetensors")
again = RelationExtractor("apart-onnx", encoded_types="types.safetensors")
found = [one(given["text"], entities=given["entities"], relation_types=given["relation_types"], return_scores=True)
         for one in (extract, again)]
assert np.array_equal(found[0].scores, found[1].scores)
print(json.dumps([encoded.model_digest, found[0].scores.tolist()]))
"""

FOUND = """
import json, sys
import numpy as np
from glirel_transformers import ORTModelForJointExtraction, ORTModelForRelationClassification
given = json.loads(sys.argv[1])
model = ORTModelForRelationClassification.from_pretrained("found-onnx")
assert type(model) is ORTModelForJointExtraction
batch = model.tokenizer(given["texts"], entity_types=given["entity_types"], relation_types=given["relation_types"],
                        padding=True, return_tensors="np")
output = model(**batch, entity_threshold=given["threshold"], adjacency_threshold=0.0)
assert all(value is None or isinstance(value, np.ndarray) for value in output.values())
chosen = {name: output[name] for name in ("mention_word_spans", "mention_mask", "pair_index", "pair_mask")}
seen = []
again = model(**batch, select=lambda logits: seen.append(logits) or chosen, adjacency_threshold=0.0)
assert np.array_equal(seen[0], output.entity_logits) and np.array_equal(again.logits, output.logits)
assert model(**batch, entity_threshold=1.0).logits.shape == (len(given["texts"]), 0, len(given["relation_types"]))
print(json.dumps([output.mention_word_spans.tolist(), output.pair_mask.tolist(), output.logits.tolist()]))
"""

THREADS = """
from concurrent.futures import ThreadPoolExecutor
from glirel_transformers import RelationExtractor
from glirel_transformers.export import ORTModelForRelationClassification
extract = RelationExtractor(ORTModelForRelationClassification.from_pretrained("mine-onnx", num_threads=1))
def ask(number):
    types = ["spouse", "works in", f"type {number % 3}"]
    return extract("Ada met Bob in Oslo.", entities=[(0, 3), (8, 11), (15, 19)], relation_types=types, threshold=0)
alone = [ask(number) for number in range(40)]
with ThreadPoolExecutor(8) as pool:
    assert list(pool.map(ask, range(40))) == alone
assert len(alone[0]) == 18
"""

ERRORS = """
import numpy as np
import glirel_transformers
from glirel_transformers import RelationExtractionPipeline
from glirel_transformers.export import ORTModelForRelationClassification
from glirel_transformers.loading import load_pipeline
model = ORTModelForRelationClassification.from_pretrained("mine-onnx")
assert str(model.device) == "cpu" and model.to("cpu") is model and model.precision == "float32"
inputs = {"text": ["Ada met Bob."], "entities": [[(0, 3), (8, 11)]], "relation_types": ["knows"]}
def message(call):
    try:
        call()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
for call, expected in (
    (lambda: glirel_transformers.GLiRELModel, "ImportError: GLiRELModel needs torch"),
    (lambda: glirel_transformers.Unknown, "AttributeError: "),
    (lambda: RelationExtractionPipeline(model), "ImportError: The pipelines of transformers need torch"),
    (lambda: glirel_transformers.export.validate, "ImportError: validate needs torch"),
    (lambda: glirel_transformers.export.unknown, "AttributeError: "),
    (lambda: model.dtype, "ImportError: `dtype` is a type of torch"),
    (lambda: model.to("cuda"), "ValueError: The session runs on cpu"),
    (lambda: load_pipeline("checkpoint"), "ImportError: GLiRELForRelationClassification needs torch"),
    (lambda: model.tokenizer(**inputs), "ImportError: What is returned by default are tensors of torch"),
    (lambda: model(input_ids=[[1]]), "TypeError: `input_ids` must be a tensor or a numpy array: got a list"),
):
    assert message(call).startswith(expected), (message(call), expected)
output = model(**model.tokenizer(**inputs, return_tensors="np"))
assert isinstance(output.logits, np.ndarray) and output.logits.shape == (1, 2, 1) and output.pair_mask.all()
"""


def distributions(*names: str) -> set[str]:
    """Distributions, with all that they require."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop().lower()
        try:
            requirements = [] if name in found else distribution(name).requires or []
        except PackageNotFoundError:  # what another platform needs
            continue
        found.add(name)
        needed = (Requirement(requirement) for requirement in requirements)
        waiting += [one.name for one in needed if one.marker is None or one.marker.evaluate({"extra": ""})]
    return found


def make_environment(folder: Path, *names: str) -> Path:
    """A folder of packages: those distributions, and all that they require, as `pip install` would bring them."""
    for name in distributions(*names):
        installed = distribution(name)
        for part in {Path(file).parts[0] for file in installed.files or []} - {"..", "__pycache__"}:
            link, target = folder / part, Path(str(installed.locate_file(part)))
            if not link.exists():
                link.symlink_to(target)
    return folder


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """`pip install transformers onnxruntime`, and `pip install --no-deps glirel-transformers`."""
    folder = make_environment(tmp_path_factory.mktemp("site"), "transformers", "onnxruntime")
    assert not (folder / "torch").exists()
    (folder / "glirel_transformers").symlink_to(ROOT / "glirel_transformers")
    return folder


@pytest.fixture(scope="module")
def workplace(exported, tmp_path_factory) -> Path:
    """A folder with an export, `mine-onnx`, and a checkpoint, `checkpoint`."""
    model, folder = exported("bert", **EXPORTED["bert"])
    here = tmp_path_factory.mktemp("served")
    shutil.copytree(folder, here / "mine-onnx")
    model.save_pretrained(here / "checkpoint")
    shutil.copytree(exported("bert", **SYSTEMS["glidre"], threshold_head=True)[1], here / "apart-onnx")
    shutil.copytree(exported("bert", **FINDS)[1], here / "found-onnx")
    return here


def environment(site: Path, home: Path) -> dict[str, str]:
    offline = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error", "OMP_NUM_THREADS": "1"}
    return {"PATH": os.environ["PATH"], "HOME": str(home), "PYTHONPATH": str(site), **offline}


@pytest.fixture(scope="module")
def interpreter_without_torch(site, tmp_path_factory) -> Iterator[Interpreter]:
    """One that has imported transformers, where there is no torch."""
    preload = NO_TORCH + "import numpy, onnxruntime, transformers"
    server = Interpreter(tmp_path_factory.mktemp("home"), preload, packages=site)
    yield server
    server.close()


@pytest.fixture
def run(site, workplace, interpreter_without_torch) -> Callable[..., str]:
    """Runs Python without torch, next to the export, and returns what it prints."""

    def run_(*arguments: str, path: Path = site, code: int = 0) -> str:
        if arguments[0] == "-c" and path == site:
            return interpreter_without_torch.check(*arguments[1:], cwd=workplace)
        result = subprocess.run(
            # -S leaves out the packages of this environment, torch among them.
            [sys.executable, "-S", *arguments],
            cwd=workplace,
            env=environment(path, workplace),
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == code, result.stderr[-4000:]
        return result.stdout if code == 0 else result.stderr

    return run_


def test_there_is_no_torch(run):
    run("-c", NO_TORCH)


def test_results_are_those_of_the_model(run, exported, workplace):
    model, _ = exported("bert", **EXPORTED["bert"])
    texts = [{"text": text, "entities": entities} for text, entities in zip(TEXTS, ENTITIES, strict=True)]
    texts.append({"text": " ".join(TEXTS) * 9, "entities": ENTITIES[0]})  # longer than the model reads
    settings: dict[str, Any] = {"relation_types": RELATION_TYPES, "threshold": 0.2, "top_k": 2, "truncation": "window"}
    given = {"folder": str(workplace / "mine-onnx"), "texts": texts, **settings}
    found = json.loads(run("-c", NO_TORCH + EXTRACT, json.dumps(given)))
    expected = RelationExtractionPipeline(model, batch_size=2)(texts, **settings)
    assert any(expected)
    for one, other in zip(found, expected, strict=True):
        assert [r["score"] for r in one] == pytest.approx([r["score"] for r in other], abs=1e-4)
        assert [{**r, "score": 0} for r in one] == [{**r, "score": 0} for r in other]


def test_types_are_read_apart(run, exported):
    model, _ = exported("bert", **SYSTEMS["glidre"], threshold_head=True)
    given = {"text": TEXTS[0], "relation_types": RELATION_TYPES}
    given["entities"] = [{"mentions": [(0, 5), (6, 11)]}, (24, 30)]
    digest, scores = json.loads(run("-c", NO_TORCH + APART, json.dumps(given)))
    assert digest == model.types_digest()
    expected = RelationExtractionPipeline(model)(given.pop("text"), **given, return_scores=True).scores
    assert scores == [pytest.approx(row, abs=1e-4) for row in expected.tolist()]


def test_entities_are_found(run, exported):
    model, _ = exported("bert", **FINDS)
    given = {"texts": TEXTS, "entity_types": ["city", "head"], "relation_types": RELATION_TYPES, "threshold": 0.5}
    spans, pair_mask, logits = json.loads(run("-c", NO_TORCH + FOUND, json.dumps(given)))
    threshold = given.pop("threshold")
    batch = model.tokenizer(given.pop("texts"), **given, padding=True)
    with torch.no_grad():
        expected = model(**batch, entity_threshold=threshold, adjacency_threshold=0.0)
    assert expected.pair_mask.any()
    assert spans == expected.mention_word_spans.tolist()
    real = torch.tensor(logits)[torch.tensor(pair_mask)]  # the model leaves the others out, in the same order
    torch.testing.assert_close(real, expected.logits[expected.pair_mask], rtol=1e-4, atol=1e-4)


def test_one_extractor_serves_several_threads(run):
    run("-c", NO_TORCH + THREADS)


def test_what_needs_torch_says_so(run):
    run("-c", NO_TORCH + ERRORS)


def test_the_command_line_extracts(run):
    line = ["Ada met Bob.", "-e", "Ada", "-e", "Bob", "-r", "knows", "-m", "mine-onnx", "--threshold", "0"]
    found = run("-m", "glirel_transformers.cli", "extract", *line, "--format", "jsonl")
    assert [relation["relation"] for relation in json.loads(found)["relations"]] == ["knows", "knows"]


@pytest.mark.parametrize("line", ["convert checkpoint new", "info checkpoint", "export checkpoint new"])
def test_commands_that_need_torch_say_so(run, line):
    said = run("-m", "glirel_transformers.cli", *line.split(), code=1)
    assert said.strip() == "error: This needs torch, which is not installed: pip install torch"


def test_the_page_runs_in_python(run):
    run("-c", NO_TORCH + next(block for block in BLOCKS if "extract = " in block))


def test_the_page_runs_without_this_package(run, tmp_path):
    site = make_environment(tmp_path, "transformers", "onnxruntime")
    run("-c", NO_TORCH + next(block for block in BLOCKS if "InferenceSession" in block), path=site)


@pytest.fixture
def served(workplace, tmp_path) -> Iterator[str]:
    """The address of the page's server."""
    site = make_environment(tmp_path, "transformers", "onnxruntime", "fastapi", "uvicorn")
    (site / "glirel_transformers").symlink_to(ROOT / "glirel_transformers")
    (workplace / "serve.py").write_text(NO_TORCH + next(block for block in BLOCKS if "FastAPI" in block))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-S", "-m", "uvicorn", "serve:app", "--port", str(port), "--log-level", "error"]
    with subprocess.Popen(command, cwd=workplace, env=environment(site, workplace)) as server:
        try:
            for _ in range(600):
                assert server.poll() is None
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.1)
            yield f"http://127.0.0.1:{port}/extract"
        finally:
            server.terminate()


def ask(address: str, **question: Any) -> Any:
    request = urllib.request.Request(address, json.dumps(question).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def test_the_server_of_the_page_answers(served):
    question = {"text": "Ada met Bob.", "relation_types": ["knows"], "threshold": 0.0}
    found = ask(served, **question, entities=[{"start": 0, "end": 3}, {"start": 8, "end": 11, "label": "PERSON"}])
    assert {(one["head"]["text"], one["tail"]["text"]) for one in found} == {("Ada", "Bob"), ("Bob", "Ada")}
    with pytest.raises(urllib.error.HTTPError) as refused:
        ask(served, **question, entities=[{"start": 0, "end": 2}])
    assert refused.value.code == 422
    assert "word boundaries" in json.load(refused.value)["detail"]
