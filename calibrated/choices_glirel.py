"""The names that can be chosen at each stage. A registry of the stage's file says what each of them is.

Imports nothing but `typing`, so that the command line can list the names without loading a model's code.
"""

from __future__ import annotations

from typing import Literal, get_args

System = Literal["glirel", "glidre", "relex"]
LabelEncoding = Literal["joint", "separate"]
LabelPooling = Literal["mean", "cls"]
LayerFusion = Literal["none", "masked", "padded"]
TypeAttention = Literal["all", "own", "one_way"]
SubtokenPooling = Literal["first", "last", "mean", "sum", "max", "first_last"]
RelationRepresentation = Literal["label", "label_start", "rel_token", "both"]
EntityTypeRepresentation = RelationRepresentation
PromptSeparators = Literal["last", "each"]
WordSplitting = Literal["unicode", "ascii_hyphens"]
EmptyWords = Literal["kept", "skipped"]
MarkerPlacement = Literal["nested", "sequential"]
EntityFinder = Literal["none", "span", "token"]
MentionRepresentation = Literal[
    "endpoints",
    "endpoints_and_mean",
    "endpoints_and_last",
    "marker",
    "mean",
    "words",
    "query",
    "mlp",
    "cat",
    "conv_conv",
    "conv_max",
    "conv_mean",
    "conv_sum",
    "conv_share",
]
EntityPooling = Literal["mean", "logsumexp"]
SharedWords = Literal["kept", "removed", "removed_by_position"]
PairRepresentation = Literal["concat", "ends"]
PairContext = Literal["none", "localized", "attention"]
PairSelection = Literal["all", "dot", "bilinear", "mlp", "attention", "gcn", "gat"]
Refinement = Literal["attention"]
Scorer = Literal[
    "dot",
    "dot_thresh",
    "dot_norm",
    "concat_proj",
    "distmult",
    "simple",
    "complex",
    "quate",
    "hole",
    "distma",
    "um",
    "se",
    "transe",
    "transh",
    "transf",
    "pairre",
    "triplere",
    "ermlp",
    "convkb",
    "conve",
    "tucker",
]
LossFunction = Literal["bce", "focal", "atloss"]
LossReduction = Literal["mean", "sum"]

CHOICES: dict[str, object] = {
    "label_encoding": LabelEncoding,
    "label_pooling": LabelPooling,
    "layer_fusion": LayerFusion,
    "subtoken_pooling": SubtokenPooling,
    "type_attention": TypeAttention,
    "relation_representation": RelationRepresentation,
    "entity_type_representation": EntityTypeRepresentation,
    "prompt_separators": PromptSeparators,
    "word_splitting": WordSplitting,
    "empty_words": EmptyWords,
    "entity_finder": EntityFinder,
    "marker_placement": MarkerPlacement,
    "mention_representation": MentionRepresentation,
    "entity_pooling": EntityPooling,
    "shared_words": SharedWords,
    "pair_representation": PairRepresentation,
    "pair_context": PairContext,
    "pair_selection": PairSelection,
    "refinement": Refinement,
    "scorer": Scorer,
    "loss_function": LossFunction,
    "loss_reduction": LossReduction,
}
"""The fields of [`GLiRELConfig`] that choose between names."""

TRIPLE_SCORERS = get_args(Scorer)[4:]
"""Those that read both ends of a pair as they are."""

WIDTH_MENTIONS = get_args(MentionRepresentation)[6:]
"""Those with weights for each width of a span."""

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
