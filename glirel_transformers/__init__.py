"""Zero-shot relation extraction, native to 🤗 transformers.

Importing this package registers GLiREL with the `Auto` classes, with `pipeline("relation-extraction")` and, where
Optimum is installed, with that. Without torch it has what serving an export needs: configuration, tokenizer and
[`RelationExtractor`].
"""

from contextlib import suppress
from typing import Any

from transformers import AutoConfig, AutoModel, AutoTokenizer
from transformers.pipelines import PIPELINE_REGISTRY
from transformers.utils import is_torch_available

from ._version import __version__ as __version__
from .configuration_glirel import GLiRELConfig
from .loading import RelationExtractor  # from there, since it then loads exports by name as well
from .outputs_glirel import GLiRELModelOutput, GLiRELRelationClassificationOutput
from .pipeline_glirel import TASK, RelationExtractionPipeline
from .scores_glirel import RelationScores
from .tokenization_glirel import GLiRELTokenizer

AutoConfig.register(GLiRELConfig.model_type, GLiRELConfig)
AutoTokenizer.register(GLiRELConfig, fast_tokenizer_class=GLiRELTokenizer)

if is_torch_available():
    from .modeling_glirel import GLiRELForRelationClassification, GLiRELModel

    AutoModel.register(GLiRELConfig, GLiRELForRelationClassification)
    PIPELINE_REGISTRY.register_pipeline(
        TASK, pipeline_class=RelationExtractionPipeline, pt_model=AutoModel, type="text"
    )
    with suppress(ImportError):  # Optimum is not installed, or too old for this transformers: `export` tells
        from .export import config as config


def __getattr__(name: str) -> Any:
    if name in ("GLiRELForRelationClassification", "GLiRELModel"):  # found, and not asked for here, with torch
        raise ImportError(
            f"{name} needs torch, which is not installed: pip install torch. An export needs none: see "
            "ORTModelForRelationClassification and RelationExtractor."
        )
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "GLiRELConfig",
    "GLiRELForRelationClassification",
    "GLiRELModel",
    "GLiRELModelOutput",
    "GLiRELRelationClassificationOutput",
    "GLiRELTokenizer",
    "RelationExtractionPipeline",
    "RelationExtractor",
    "RelationScores",
]
