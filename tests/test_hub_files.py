"""The rule of the `*_glirel.py` files: what travels to the Hub runs there without this package.

The Hub's loader copies siblings that a regular expression finds (`from .x_glirel import Name`), and takes any other
absolute import for a requirement of every remote user.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "glirel_transformers"
HUB_FILES = sorted(PACKAGE.glob("*_glirel.py"))
# What transformers itself requires is always there.
REQUIRED_BY_TRANSFORMERS = {"huggingface_hub", "numpy", "safetensors", "tokenizers", "tqdm", "yaml"}
ALLOWED_PACKAGES = sys.stdlib_module_names | REQUIRED_BY_TRANSFORMERS | {"torch", "transformers"}


def find_violations(source: str, siblings: set[str]) -> Iterator[str]:
    """Yields what in `source` would fail on the Hub; `siblings` are the modules that travel along."""
    tree = ast.parse(source)
    at_top = [*tree.body, *(node for block in tree.body if _needs_torch(block) for node in block.body)]
    for node in ast.walk(tree):
        where = f"line {getattr(node, 'lineno', 0)}"
        if isinstance(node, (ast.Import, ast.ImportFrom)) and node not in at_top:
            yield f"{where}: an import that is not at the top level of the module; move it there"
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            modules = [node.module or ""]
        elif isinstance(node, ast.ImportFrom):
            modules = []
            if node.level > 1 or node.module not in siblings:
                yield f"{where}: `{ast.unparse(node)}`; expected `from .x_glirel import Name` of a file that exists"
            if any(alias.name == "*" for alias in node.names):
                yield f"{where}: `{ast.unparse(node)}`; name what you import"
        else:
            modules = []
            # These hide a requirement from the loader and from this test. (Attributes, names, and names in an import.)
            if {getattr(node, field, None) for field in ("attr", "id", "name")} & {"import_module", "__import__"}:
                yield f"{where}: a dynamic import"
        for module in modules:
            if module.split(".")[0] not in ALLOWED_PACKAGES:
                yield f"{where}: imports {module}; only the standard library, numpy, torch, transformers and siblings"


def _needs_torch(node: ast.stmt) -> bool:
    """Whether it is a block that runs with torch only, which the Hub's loader knows, or never, for annotations."""
    return isinstance(node, ast.If) and ast.unparse(node.test) in ("is_torch_available()", "TYPE_CHECKING")


def test_there_are_hub_files():
    assert HUB_FILES, f"no *_glirel.py in {PACKAGE}"


def test_hub_files_are_flat():
    assert sorted(PACKAGE.rglob("*_glirel.py")) == HUB_FILES


@pytest.mark.parametrize("path", HUB_FILES, ids=lambda path: path.name)
def test_hub_file_stands_alone(path):
    siblings = {file.stem for file in HUB_FILES} - {path.stem}
    assert list(find_violations(path.read_text(encoding="utf-8"), siblings)) == []


@pytest.mark.parametrize(
    "source",
    [
        "import scipy",
        "if True:\n    import numpy as np",
        "from safetensors.torch import load_file",
        "from glirel_transformers.layers_glirel import Layer",
        "import glirel_transformers",
        "from . import layers_glirel",
        "from .. import layers_glirel",
        "from .trainer import GLiRELTrainer",
        "from .trainer.layers_glirel import Layer",
        "from .missing_glirel import Name",
        "from .layers_glirel import *",
        "def f():\n    from .layers_glirel import Layer",
        "try:\n    import torch\nexcept ImportError:\n    torch = None",
        "if True:\n    import torch",
        "import importlib\nimportlib.import_module('numpy')",
        "from importlib import import_module as load\nload('numpy')",
        "__import__('numpy')",
    ],
)
def test_the_rule_refuses(source):
    assert list(find_violations(source, {"layers_glirel"}))


def test_the_rule_accepts():
    source = (
        "from __future__ import annotations\nimport math\nfrom collections.abc import Iterable\nimport torch\n"
        "from torch import nn\nfrom transformers.utils import is_torch_available\nimport numpy as np\n"
        "from .layers_glirel import Layer, Other\nif is_torch_available():\n    import torch\n"
    )
    assert list(find_violations(source, {"layers_glirel"})) == []
