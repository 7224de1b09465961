"""Importing the package is light, and whoever imports transformers as well finds GLiREL registered, in any order."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import glirel_transformers

ROOT = Path(__file__).resolve().parents[2]
MINI = ROOT / "checkpoints" / "glirel-mini"
HUB_MODULES = sorted(file.stem for file in (ROOT / "glirel_transformers").glob("*_glirel.py"))
OTHER_MODULES = ("trainer", "export", "loading", "ner", "inspection", "cli.train", "conversion")
ON_EVERY_PUSH = {"modeling_glirel", "pipeline_glirel", "export", "cli.train"}

REGISTERED = f"""
from transformers import AutoConfig, AutoModel, AutoTokenizer
from transformers.pipelines import PIPELINE_REGISTRY
assert type(AutoConfig.from_pretrained({str(MINI)!r})).__module__ == "glirel_transformers.configuration_glirel"
assert type(AutoTokenizer.from_pretrained({str(MINI)!r})).__module__ == "glirel_transformers.tokenization_glirel"
impl = PIPELINE_REGISTRY.supported_tasks["relation-extraction"]["impl"]
assert impl.__module__ == "glirel_transformers.pipeline_glirel", impl
from glirel_transformers import GLiRELConfig, GLiRELForRelationClassification
from glirel_transformers import GLiRELForJointExtraction
assert AutoModel._model_mapping[GLiRELConfig] == (GLiRELForRelationClassification, GLiRELForJointExtraction)
import sys
assert not any(type(finder).__module__ == "glirel_transformers._registration" for finder in sys.meta_path)
"""

PIPELINE = f"""
extract = pipeline("relation-extraction", model={str(MINI)!r}, trust_remote_code=True)
entities = [(0, 11), (24, 30)]
found = extract("Marie Curie was born in Warsaw.", entities=entities, relation_types=["place of birth"])
assert found[0]["relation"] == "place of birth", found
"""


def python(script: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs a script in an interpreter that has imported nothing, from the repository's root."""
    return subprocess.run(
        [sys.executable, "-W", "error::ImportWarning", "-c", script],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
        capture_output=True,
        text=True,
        timeout=300,
    )


def cold(script: str) -> None:
    result = python(script)
    assert result.returncode == 0, result.stderr[-4000:]


def test_every_public_name_is_there():
    assert set(glirel_transformers.__all__) <= set(dir(glirel_transformers))
    for name in glirel_transformers.__all__:
        assert getattr(glirel_transformers, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'GLiRELForEverything'"):
        glirel_transformers.GLiRELForEverything  # noqa: B018


@pytest.mark.slow
@pytest.mark.parametrize("module", ["cli", "files", "data", "synthesis", "cli.synthesize_run", "cli.data_convert"])
def test_importing_it_imports_neither_torch_nor_transformers(module):
    cold(f"import sys, glirel_transformers.{module}; assert not {{'torch', 'transformers'}} & set(sys.modules)")


@pytest.mark.slow
@pytest.mark.parametrize(
    "imports",
    [
        "import glirel_transformers\nfrom transformers import AutoModel, pipeline",
        "from transformers import AutoModel, pipeline\nimport glirel_transformers",
        pytest.param("from glirel_transformers import *\nfrom transformers import pipeline", marks=pytest.mark.sweep),
        pytest.param(
            "import glirel_transformers\nfrom transformers.pipelines import pipeline", marks=pytest.mark.sweep
        ),
    ],
)
def test_a_pipeline_is_found_in_any_order(interpreter, imports):
    interpreter.check(imports + PIPELINE)


@pytest.mark.slow
@pytest.mark.parametrize(
    "module",
    [
        pytest.param(name, marks=() if name in ON_EVERY_PUSH else pytest.mark.sweep)
        for name in (*HUB_MODULES, *OTHER_MODULES)
    ],
)
def test_every_module_may_be_imported_first(interpreter, module):
    interpreter.check(f"import glirel_transformers.{module}\n" + REGISTERED)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "RelationExtractor",
        *(
            pytest.param(name, marks=pytest.mark.sweep)
            for name in ("GLiRELForRelationClassification", "GLiRELTrainer")
        ),
    ],
)
def test_every_name_may_be_asked_for_first(interpreter, name):
    interpreter.check(f"from glirel_transformers import {name}\n" + REGISTERED)


@pytest.mark.sweep
def test_threads_may_import_at_the_same_time():
    cold(
        """
import sys, threading
sys.setswitchinterval(1e-5)
import glirel_transformers
names = [("transformers", "AutoModel"), *(("glirel_transformers", name) for name in glirel_transformers.__all__)]
failures = []
start = threading.Barrier(len(names))
def load(module, name):
    start.wait()
    try:
        __import__(module)
        getattr(sys.modules[module], name)
    except BaseException as error:
        failures.append((name, repr(error)))
threads = [threading.Thread(target=load, args=one) for one in names]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
assert not failures, failures
"""
        + REGISTERED
    )


@pytest.mark.slow
def test_transformers_failing_to_import_is_not_hidden(tmp_path):
    (tmp_path / "transformers").mkdir()
    (tmp_path / "transformers" / "__init__.py").write_text("import a_package_that_is_not_there\n")
    script = "import glirel_transformers\nfrom glirel_transformers import GLiRELConfig"
    result = python(script, PYTHONPATH=str(tmp_path))
    assert result.returncode == 1
    assert "No module named 'a_package_that_is_not_there'" in result.stderr.splitlines()[-1]


@pytest.mark.slow
def test_without_transformers_there_is_an_import_error():
    hidden = "import sys; sys.modules['transformers'] = None\n"
    result = python(hidden + "from glirel_transformers import __version__, GLiRELConfig")
    assert "transformers" in result.stderr.splitlines()[-1]
    assert "ModuleNotFoundError" in result.stderr.splitlines()[-1]


@pytest.mark.slow
def test_classes_are_pickled_by_name(interpreter):
    interpreter.check(
        """
import pickle, glirel_transformers
from glirel_transformers import GLiRELConfig, RelationExtractor, TextError
for one in (GLiRELConfig, RelationExtractor, TextError):
    assert pickle.loads(pickle.dumps(one)) is one
"""
    )


@pytest.mark.slow
def test_optimum_is_told_of_it_when_exports_are_imported(interpreter):
    interpreter.check(
        """
import sys
from glirel_transformers import GLiRELForRelationClassification
assert "glirel_transformers.export" not in sys.modules
import glirel_transformers.export
from optimum.exporters.tasks import TasksManager
assert TasksManager.get_exporter_config_constructor("onnx", model_type="glirel", task="relation-extraction")
"""
    )
