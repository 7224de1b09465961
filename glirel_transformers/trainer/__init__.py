"""Training: arguments, collator, sampler, trainer, metrics and the fit of the decision threshold."""

from glirel_transformers.data.labels import make_entity_labels, make_labels

from .arguments import GLiRELTrainingArguments
from .collator import RelationCollator
from .dataset import Example, RelationDataset, RelationSampler
from .freezing import freeze_encoder_layers
from .joint_collator import JointCollator
from .metrics import RelationMetrics, fit_threshold
from .trainer import GLiRELTrainer

__all__ = [
    "Example",
    "GLiRELTrainer",
    "GLiRELTrainingArguments",
    "JointCollator",
    "RelationCollator",
    "RelationDataset",
    "RelationMetrics",
    "RelationSampler",
    "fit_threshold",
    "freeze_encoder_layers",
    "make_entity_labels",
    "make_labels",
]
