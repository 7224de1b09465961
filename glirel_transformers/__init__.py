"""Zero-shot relation extraction, native to 🤗 transformers.

Importing this package registers GLiREL with the `Auto` classes and with `pipeline("relation-extraction")`.
"""

from transformers import AutoConfig, AutoModel, AutoTokenizer
from transformers.pipelines import PIPELINE_REGISTRY

from .configuration_glirel import GLiRELConfig
from .modeling_glirel import (
    GLiRELForRelationClassification,
    GLiRELModel,
    GLiRELModelOutput,
    GLiRELRelationClassificationOutput,
)
from .pipeline_glirel import TASK, RelationExtractionPipeline
from .scores_glirel import RelationScores
from .tokenization_glirel import GLiRELTokenizer

__version__ = "0.1.0"

AutoConfig.register(GLiRELConfig.model_type, GLiRELConfig)
AutoModel.register(GLiRELConfig, GLiRELForRelationClassification)
AutoTokenizer.register(GLiRELConfig, fast_tokenizer_class=GLiRELTokenizer)
PIPELINE_REGISTRY.register_pipeline(TASK, pipeline_class=RelationExtractionPipeline, pt_model=AutoModel, type="text")

__all__ = [
    "GLiRELConfig",
    "GLiRELForRelationClassification",
    "GLiRELModel",
    "GLiRELModelOutput",
    "GLiRELRelationClassificationOutput",
    "GLiRELTokenizer",
    "RelationExtractionPipeline",
    "RelationScores",
]
