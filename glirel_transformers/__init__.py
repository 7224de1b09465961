"""Zero-shot relation extraction, native to 🤗 transformers.

Importing this package imports neither torch nor transformers: names are loaded when they are asked for. Once both this
package and transformers are imported, in any order, GLiREL is registered with the `Auto` classes and with
`pipeline("relation-extraction")`. Without torch there is what serving an export needs: configuration, tokenizer,
[`RelationExtractor`] and [`ORTModelForRelationClassification`].
"""

from importlib import import_module
from typing import TYPE_CHECKING

from ._lazy import loader_of
from ._registration import register_when_imported
from ._version import __version__ as __version__

if TYPE_CHECKING:
    from .configuration_glirel import GLiRELConfig as GLiRELConfig
    from .export.joint import ORTModelForJointExtraction as ORTModelForJointExtraction
    from .export.runtime import ORTModelForRelationClassification as ORTModelForRelationClassification
    from .loading import RelationExtractor as RelationExtractor
    from .loading import load_pipeline as load_pipeline
    from .modeling_glirel import GLiRELForJointExtraction as GLiRELForJointExtraction
    from .modeling_glirel import GLiRELForRelationClassification as GLiRELForRelationClassification
    from .modeling_glirel import GLiRELModel as GLiRELModel
    from .ner import load_entity_recognizer as load_entity_recognizer
    from .outputs_glirel import GLiRELJointExtractionOutput as GLiRELJointExtractionOutput
    from .outputs_glirel import GLiRELModelOutput as GLiRELModelOutput
    from .outputs_glirel import GLiRELRelationClassificationOutput as GLiRELRelationClassificationOutput
    from .pipeline_glirel import RelationExtractionPipeline as RelationExtractionPipeline
    from .relation_syntax import read_relation_lines as read_relation_lines
    from .requests_glirel import TextError as TextError
    from .scores_glirel import RelationScores as RelationScores
    from .tokenization_glirel import GLiRELTokenizer as GLiRELTokenizer
    from .trainer import GLiRELTrainer as GLiRELTrainer
    from .trainer import GLiRELTrainingArguments as GLiRELTrainingArguments
    from .trainer import RelationCollator as RelationCollator

# Where each public name is defined.
_HOMES = {
    "GLiRELConfig": "configuration_glirel",
    "GLiRELForJointExtraction": "modeling_glirel",
    "GLiRELForRelationClassification": "modeling_glirel",
    "GLiRELJointExtractionOutput": "outputs_glirel",
    "GLiRELModel": "modeling_glirel",
    "GLiRELModelOutput": "outputs_glirel",
    "GLiRELRelationClassificationOutput": "outputs_glirel",
    "GLiRELTokenizer": "tokenization_glirel",
    "GLiRELTrainer": "trainer",
    "GLiRELTrainingArguments": "trainer",
    "ORTModelForJointExtraction": "export.joint",
    "ORTModelForRelationClassification": "export.runtime",
    "RelationCollator": "trainer",
    "RelationExtractionPipeline": "pipeline_glirel",
    "RelationExtractor": "loading",  # where it learns to load exports by name
    "RelationScores": "scores_glirel",
    "TextError": "requests_glirel",
    "load_entity_recognizer": "ner",
    "load_pipeline": "loading",
    "read_relation_lines": "relation_syntax",
}
__all__ = sorted(_HOMES)

_load = loader_of(
    __name__,
    _HOMES,
    need_torch=("modeling_glirel", "trainer"),
    hint=". An export needs none: see ORTModelForRelationClassification and RelationExtractor.",
)


def __getattr__(name: str) -> object:
    if _HOMES.get(name, "relation_syntax") != "relation_syntax":  # which needs no other package
        # As a whole, before our modules import from it: another thread may be in the middle of importing it.
        import_module("transformers")
    return _load(name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})


register_when_imported()
