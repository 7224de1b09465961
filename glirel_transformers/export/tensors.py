"""Names and axes of what graphs take and give: those of the tokenizer's tensors, and of what passes between graphs.

A model that finds entities is two graphs: `model.onnx` encodes a text and finds entities, and `relations.onnx` scores
the pairs of those that were chosen in between.
"""

from __future__ import annotations

from glirel_transformers.batches_glirel import AXES, CLUSTER_TENSORS, WITHOUT_BATCH

TYPE_TOKENS, TYPE_STATES = WITHOUT_BATCH[:2], WITHOUT_BATCH[2]

# What the second graph is told of entities and their pairs.
ENTITY_TENSORS = ("mention_word_spans", "mention_mask", *CLUSTER_TENSORS, "pair_index", "pair_mask")
# What the first graph makes of a text and of its relation types, and the second reads.
STATE_AXES: dict[str, tuple[str, ...]] = {
    "word_states": ("words", "hidden"),
    "relation_states": ("relations", "hidden"),
    "label_states": ("relations", "hidden"),
    "word_attention": ("words", "words"),
}
INPUT_AXES = {**AXES, **STATE_AXES}
FLOATS = (TYPE_STATES, *STATE_AXES)


def axes_of(name: str) -> tuple[str, ...]:
    """The axes of a tensor, as a graph names them."""
    leading = () if name in WITHOUT_BATCH else ("batch",)
    return tuple(axis.replace(" ", "_") for axis in (*leading, *INPUT_AXES[name]))


__all__ = ["ENTITY_TENSORS", "FLOATS", "INPUT_AXES", "STATE_AXES", "TYPE_STATES", "TYPE_TOKENS", "axes_of"]
