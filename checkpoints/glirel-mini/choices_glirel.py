"""The names that can be chosen at each stage. A registry of the stage's file says what each of them is.

Imports nothing but `typing`, so that the command line can list the names without loading a model's code.
"""

from __future__ import annotations

from typing import Literal

System = Literal["glirel", "glidre"]
LabelEncoding = Literal["joint", "separate"]
LabelPooling = Literal["mean", "cls"]
LayerFusion = Literal["none", "masked", "padded"]
SubtokenPooling = Literal["first", "last", "mean", "sum", "first_last"]
RelationRepresentation = Literal["label", "rel_token", "both"]
MarkerPlacement = Literal["nested", "sequential"]
MentionRepresentation = Literal["endpoints", "mean", "words"]
EntityPooling = Literal["mean", "logsumexp"]
SharedWords = Literal["kept", "removed", "removed_by_position"]
PairRepresentation = Literal["concat"]
PairContext = Literal["none", "localized"]
Refinement = Literal["attention"]
Scorer = Literal["dot", "dot_thresh", "dot_norm", "concat_proj"]
LossFunction = Literal["bce", "focal", "atloss"]
LossReduction = Literal["mean", "sum"]

CHOICES: dict[str, object] = {
    "label_encoding": LabelEncoding,
    "label_pooling": LabelPooling,
    "layer_fusion": LayerFusion,
    "subtoken_pooling": SubtokenPooling,
    "relation_representation": RelationRepresentation,
    "marker_placement": MarkerPlacement,
    "mention_representation": MentionRepresentation,
    "entity_pooling": EntityPooling,
    "shared_words": SharedWords,
    "pair_representation": PairRepresentation,
    "pair_context": PairContext,
    "refinement": Refinement,
    "scorer": Scorer,
    "loss_function": LossFunction,
    "loss_reduction": LossReduction,
}
"""The fields of [`GLiRELConfig`] that choose between names."""

_FUSION_STEPS = ("l2l", "l2t", "t2t", "t2l")


def read_schema(schema: str) -> list[str]:
    """The steps of a fusion schema.

    Raises:
        ValueError: when it is not a list of steps joined by hyphens; the message names it.
    """
    steps = schema.split("-")
    if any(step not in _FUSION_STEPS for step in steps):
        raise ValueError(
            f"`fusion_schema` must be steps joined by hyphens, each one of {', '.join(_FUSION_STEPS)} (l: relation "
            f"types, t: the text): got {schema!r}."
        )
    return steps
