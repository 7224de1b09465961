"""Export to ONNX, declared to Optimum, and to `torch.export` programs; use on ONNX Runtime; quantization.

Without torch, [`ORTModelForRelationClassification`] works, and nothing else.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from transformers.utils import is_torch_available

if TYPE_CHECKING:
    from .calibration import AccuracyLossError, Calibration, calibrate
    from .exporter import export, export_program
    from .quantization import export_quantized, quantize
    from .runtime import ORTModelForRelationClassification
    from .validation import ShapeResult, Validation, validate

# Loaded when they are asked for: who serves an export needs neither the exporter nor its packages.
_HOMES = {
    "AccuracyLossError": "calibration",
    "Calibration": "calibration",
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


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if _HOMES[name] != "runtime" and not is_torch_available():
        raise ImportError(f"{name} needs torch, which is not installed: pip install torch")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)


__all__ = [
    "AccuracyLossError",
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
