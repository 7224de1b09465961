"""Export to ONNX, declared to Optimum: `export("checkpoint", "folder")`; and to `torch.export` programs.

Importing this package makes Optimum's `TasksManager` find GLiREL, where Optimum is installed.
"""

from importlib.util import find_spec

from .exporter import export, export_program
from .validation import ShapeResult, Validation, validate

if find_spec("optimum") is not None:
    from . import config as config

__all__ = ["ShapeResult", "Validation", "export", "export_program", "validate"]
