"""The names that can be chosen at each stage. A registry of the stage's file says what each of them is.

Imports nothing but `typing`, so that the command line can list the names without loading a model's code.
"""

from __future__ import annotations

from typing import Literal

SubtokenPooling = Literal["first", "last", "mean", "sum", "first_last"]
RelationRepresentation = Literal["label", "rel_token", "both"]
MarkerPlacement = Literal["nested", "sequential"]
MentionRepresentation = Literal["endpoints", "mean"]
EntityPooling = Literal["mean"]
PairRepresentation = Literal["concat"]
Refinement = Literal["attention"]
Scorer = Literal["dot", "dot_thresh", "dot_norm", "concat_proj"]
LossFunction = Literal["bce", "focal"]

CHOICES: dict[str, object] = {
    "subtoken_pooling": SubtokenPooling,
    "relation_representation": RelationRepresentation,
    "marker_placement": MarkerPlacement,
    "mention_representation": MentionRepresentation,
    "entity_pooling": EntityPooling,
    "pair_representation": PairRepresentation,
    "refinement": Refinement,
    "scorer": Scorer,
    "loss_function": LossFunction,
}
"""The fields of [`GLiRELConfig`] that choose between names."""
