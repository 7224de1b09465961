"""Export to ONNX, declared to Optimum, and to `torch.export` programs; use on ONNX Runtime; quantization.

Importing this package makes Optimum's `TasksManager` find GLiREL, where Optimum is installed. Without torch it has
[`ORTModelForRelationClassification`] and nothing else.
"""

from importlib.util import find_spec

from transformers.utils import is_torch_available

from .runtime import ORTModelForRelationClassification

if is_torch_available():
    from .calibration import Calibration, calibrate
    from .exporter import export, export_program
    from .quantization import export_quantized, quantize
    from .validation import ShapeResult, Validation, validate

    if find_spec("optimum") is not None:
        from . import config as config

__all__ = [
    "Calibration",
    "ORTModelForRelationClassification",
    "ShapeResult",
    "Validation",
    "calibrate",
    "export",
    "export_program",
    "export_quantized",
    "quantize",
    "validate",
]
