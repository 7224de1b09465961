"""Export to ONNX, through Optimum, and use with ONNX Runtime: `export("checkpoint", "folder")`.

Importing this package makes Optimum's `TasksManager` find GLiREL, where Optimum is installed.
"""

from importlib.util import find_spec

from .exporter import export
from .runtime import ORTModelForRelationClassification
from .validation import ShapeResult, Validation, validate

if find_spec("optimum") is not None:
    from . import config as config

__all__ = ["ORTModelForRelationClassification", "ShapeResult", "Validation", "export", "validate"]
