"""Export to ONNX, declared to Optimum, and to `torch.export` programs; use on ONNX Runtime; quantization.

Without torch, [`ORTModelForRelationClassification`] and [`ORTModelForJointExtraction`] work, and nothing else.
"""

from contextlib import suppress
from typing import TYPE_CHECKING

from transformers.utils import is_torch_available

from glirel_transformers._lazy import loader_of

if TYPE_CHECKING:
    from .calibration import AccuracyLossError, Calibration, calibrate
    from .exporter import export, export_program
    from .joint import ORTModelForJointExtraction
    from .quantization import export_quantized, quantize
    from .runtime import ORTModelForRelationClassification
    from .validation import ShapeResult, Validation, validate

# Loaded when they are asked for: who serves an export needs neither the exporter nor its packages.
_HOMES = {
    "AccuracyLossError": "calibration",
    "Calibration": "calibration",
    "ORTModelForJointExtraction": "joint",
    "ORTModelForRelationClassification": "runtime",
    "ShapeResult": "validation",
    "Validation": "validation",
    "calibrate": "calibration",
    "export": "exporter",
    "export_program": "exporter",
    "export_quantized": "quantization",
    "quantize": "quantization",
    "validate": "validation",
}


__getattr__ = loader_of(__name__, _HOMES, need_torch={*_HOMES.values()} - {"joint", "runtime"})

__all__ = [
    "AccuracyLossError",
    "Calibration",
    "ORTModelForJointExtraction",
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

if is_torch_available():
    with suppress(ImportError):  # Optimum is not installed, or too old for this transformers: `export` says so
        from . import config as config  # which tells Optimum of GLiREL
