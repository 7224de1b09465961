"""The export of a model that finds entities, run by ONNX Runtime and called as the model itself is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from transformers.utils import is_torch_available

from glirel_transformers.configuration_glirel import GLiRELConfig
from glirel_transformers.outputs_glirel import GLiRELJointExtractionOutput
from glirel_transformers.tokenization_glirel import GLiRELTokenizer

from .candidates import select_candidates
from .inputs import by_name, check_inputs, nothing
from .running import Graph
from .runtime import ORTModelForRelationClassification, _check_asked
from .sessions import STATES_DIGEST, metadata
from .tensors import ENTITY_TENSORS

if is_torch_available():
    import torch
if TYPE_CHECKING:
    from onnxruntime import InferenceSession
    from torch import Tensor

_Array = TypeVar("_Array", np.ndarray, "Tensor")

SelectEntities = Callable[[np.ndarray], Mapping[str, np.ndarray]]
"""Takes logits of entities, and gives `mention_word_spans`, `mention_mask`, `pair_index` and `pair_mask`.

With entities of several mentions also `mention_entity` and `entity_mask`.
"""

_LOWEST = float(np.finfo(np.float32).min)


class ORTModelForJointExtraction(ORTModelForRelationClassification):
    """Finds entities and scores their pairs as [`GLiRELForJointExtraction`] does, by ONNX Runtime.

    Two graphs, between which entities are chosen: `model.onnx` reads a text and finds entities, and `relations.onnx`
    scores pairs of those that were chosen. Everything else is as of [`ORTModelForRelationClassification`], whose
    `from_pretrained` gives this class where an export is of such a model.

    Args:
        session, config, tokenizer, folder, labels: as of [`ORTModelForRelationClassification`].
        relations: the session of the graph that scores pairs.

    Raises:
        ValueError: when the graphs are not of one export.
    """

    def __init__(
        self,
        session: InferenceSession,
        config: GLiRELConfig,
        tokenizer: GLiRELTokenizer,
        folder: Path | None = None,
        labels: InferenceSession | None = None,
        *,
        relations: InferenceSession,
    ):
        super().__init__(session, config, tokenizer, folder, labels)
        self.relations = relations
        self._pair_graph = Graph(relations)
        if metadata(relations, STATES_DIGEST) != metadata(session, STATES_DIGEST):
            raise ValueError(
                f"model.onnx and relations.onnx of {str(folder or 'this export')!r} were not exported together: what "
                "one makes of a text, the other cannot read. Copy the whole export again."
            )

    def __call__(  # type: ignore[override]  # it takes more
        self,
        *args: Tensor | np.ndarray | None,
        return_dict: bool | None = None,
        output_hidden_states: bool | None = None,
        output_attentions: bool | None = None,
        select: SelectEntities | None = None,
        entity_threshold: float | None = None,
        adjacency_threshold: float | None = None,
        **inputs: Tensor | np.ndarray | None,
    ) -> GLiRELJointExtractionOutput:
        """As [`GLiRELForJointExtraction.forward`], without labels; numpy arrays for numpy arrays.

        With `pair_selection`, all pairs keep their rows: `pair_mask` of the output is false where the matrix over the
        entities is not above the threshold.

        Args:
            select: chooses entities and pairs. It takes `entity_logits` as a numpy array, and gives numpy arrays by
                name, which stand for those that were given.
            entity_threshold, adjacency_threshold: by default the configuration's.

        Raises:
            TypeError: for an input that the model does not have, and for one that is not an array.
            ValueError: for one that is missing or does not fit the others, when neither entities nor entity types are
                given, and when the scores are not numbers.
        """
        _check_asked(output_hidden_states, output_attentions)
        named = self._with_states(by_name(args, inputs))
        entities = {name: named.pop(name) for name in ENTITY_TENSORS if name in named}
        asks = self._complete_types(named, "mention_word_spans" in entities)
        given: dict[str, Any] = check_inputs(named, self._inputs, self.device, self.config.type_width)
        found = self._graph.run(given, self.device)
        logits, num_candidates = found.pop("entity_logits"), None
        self._check_finite(logits)
        if asks and select is not None:
            entities = dict(select(_as_array(logits)))
        elif "mention_word_spans" not in entities:
            entities, num_candidates = self._select(logits, given, entity_threshold)
        entities.setdefault("pair_index", nothing(logits, len(logits), 0, 2))
        masks = {name: given[name] for name in ("word_mask", "relation_mask")}
        pairs: dict[str, Any] = check_inputs({**found, **masks, **entities}, self._pair_graph.inputs, self.device)
        outputs = self._score(pairs, adjacency_threshold)
        output = GLiRELJointExtractionOutput(
            logits=outputs["logits"],
            pair_mask=pairs["pair_mask"],
            relation_mask=pairs["relation_mask"],
            coreference_logits=outputs.get("coreference_logits"),
            threshold_logits=outputs.get("threshold_logits"),
            entity_attention=outputs.get("entity_attention"),
            entity_logits=logits if asks else None,
            entity_type_mask=given["entity_type_mask"],
            word_mask=given["word_mask"],
            mention_word_spans=pairs["mention_word_spans"],
            mention_mask=pairs["mention_mask"],
            num_candidates=num_candidates,
            pair_index=pairs["pair_index"],
            adjacency=outputs.get("adjacency"),
        )
        return output.to_tuple() if return_dict is False else output

    forward = __call__  # type: ignore[assignment]  # likewise

    @property
    def takes_clusters(self) -> bool:
        """Whether an entity may have several mentions: always."""
        return True

    def _complete_types(self, named: dict[str, Any], are_given: bool) -> bool:
        """Whether entity types are asked for; where they are not, adds that there are none.

        Args:
            named: what is read, by name.
            are_given: whether entities are.
        """
        name = "entity_type_index" if self.config.reads_labels_apart else "entity_type_token_spans"
        if name in named:
            return True
        if not are_given:
            raise ValueError(
                f"Neither entities nor entity types are given: pass `mention_word_spans` or `{name}`, which the "
                "tokenizer makes."
            )
        read = named.get("input_ids")
        if hasattr(read, "shape"):  # anything else is refused later
            num_batch = len(read)  # type: ignore[arg-type]  # it is an array
            named[name] = nothing(read, num_batch, 0, *(() if name.endswith("_index") else (2,)))  # type: ignore[type-var]
            named.pop("entity_type_mask", None)
        return False

    def _select(
        self, logits: np.ndarray | Tensor, given: Mapping[str, Any], threshold: float | None
    ) -> tuple[dict[str, Any], Any]:
        """Candidates and all their pairs, and how many candidates there were; of the same kind as `logits`."""
        chosen, num_candidates = select_candidates(
            _as_array(logits),
            _as_array(given["word_mask"]),
            _as_array(given["entity_type_mask"]),
            self.config,
            self.config.entity_threshold if threshold is None else threshold,
        )
        if isinstance(logits, np.ndarray):
            return dict(chosen), num_candidates
        return {name: torch.from_numpy(array) for name, array in chosen.items()}, torch.from_numpy(num_candidates)

    def _score(self, given: dict[str, Any], threshold: float | None) -> dict[str, Any]:
        """Scores of the pairs; `pair_mask` loses those that are not above the adjacency's threshold."""
        outputs = self._pair_graph.run(given, self.device)
        if "adjacency" in outputs:
            threshold = self.config.adjacency_threshold if threshold is None else threshold
            kept = given["pair_mask"] & (_of_pairs(outputs["adjacency"], given["pair_index"]) > threshold)
            is_narrower = bool((kept != given["pair_mask"]).any())
            given["pair_mask"] = kept
            if is_narrower and self.config.refines_pairs:  # pairs, and types, then read the others
                outputs = self._pair_graph.run(given, self.device)
            elif is_narrower:
                outputs["logits"][~kept] = _LOWEST
        self._check_finite(outputs["logits"])
        return outputs


def _as_array(values: np.ndarray | Tensor) -> np.ndarray:
    if isinstance(values, np.ndarray):
        return values
    array: np.ndarray = values.detach().cpu().numpy()
    return array


def _of_pairs(matrix: _Array, index: _Array) -> _Array:
    """The number of each pair, `(batch, pairs)`, in a matrix over entities."""
    num_batch, num_entities = matrix.shape[:2]
    place = index[..., 0] * num_entities + index[..., 1]
    flat = matrix.reshape(num_batch, num_entities * num_entities)
    return np.take_along_axis(flat, place, 1) if isinstance(flat, np.ndarray) else flat.gather(1, place)


__all__ = ["ORTModelForJointExtraction", "SelectEntities"]
