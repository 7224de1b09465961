"""Models exported to ONNX: run, quantized and measured."""

from .runtime import ORTModelForRelationClassification

__all__ = ["ORTModelForRelationClassification"]
