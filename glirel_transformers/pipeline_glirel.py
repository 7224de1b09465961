"""`pipeline("relation-extraction")`: [`RelationExtractor`] on torch, with all that transformers' pipelines are.

A text that is longer than the model reads becomes several windows, which are this pipeline's chunks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from transformers.pipelines.base import ChunkPipeline
from transformers.utils import is_torch_available

from .extractor_glirel import RelationExtractor, read_inputs

TASK = "relation-extraction"


class RelationExtractionPipeline(RelationExtractor, ChunkPipeline):
    r"""Extracts relations of any types between the given entities of a text.

    Example:
        >>> from transformers import pipeline
        >>> extract = pipeline("relation-extraction", model="checkpoints/glirel-mini", trust_remote_code=True)
        >>> extract(
        ...     "Marie Curie was born in Warsaw.",
        ...     entities=[{"start": 0, "end": 11, "label": "PERSON"}, {"start": 24, "end": 30, "label": "CITY"}],
        ...     relation_types=["place of birth", "spouse"],
        ... )  # doctest: +SKIP
        [{"head": {"start": 0, "end": 11, "text": "Marie Curie", "label": "PERSON", "index": 0},
          "relation": "place of birth",
          "tail": {"start": 24, "end": 30, "text": "Warsaw", "label": "CITY", "index": 1}, "score": 0.97}]
    """

    _load_processor = False
    _load_image_processor = False
    _load_feature_extractor = False
    _load_tokenizer = False  # it comes with the model

    def __init__(self, model: Any, tokenizer: Any = None, **kwargs: Any):
        if not is_torch_available():
            raise ImportError(
                "The pipelines of transformers need torch, which is not installed. RelationExtractor(model) takes the "
                "same calls, gives the same results, and needs none."
            )
        tokenizer = self._take_tokenizer(model, tokenizer)
        if getattr(model, "is_optimized", False):
            kwargs.setdefault("device", model.device)  # where it must stay
        ChunkPipeline.__init__(self, model=model, tokenizer=tokenizer, **kwargs)

    def __call__(self, inputs: Any, *args: Any, entities: Any = None, **kwargs: Any) -> Any:
        """As [`RelationExtractor.__call__`], and what all pipelines of transformers take."""
        inputs = read_inputs(inputs, entities)
        if isinstance(inputs, list) and not inputs:
            return []
        return ChunkPipeline.__call__(self, inputs, *args, **kwargs)

    def preprocess(
        self,
        inputs: Any,
        relation_types: Any = None,
        ner: Any = None,
        truncation: str = "error",
        alignment: str = "strict",
    ) -> Iterator[dict[str, Any]]:
        """Yields the windows of one text that hold at least one pair; most texts are one window."""
        requests = self._read_requests([inputs], [None], relation_types, ner)
        yield from self._tokenize(requests, [None], truncation, alignment)[0][1]

    def _forward(self, model_inputs: Any, **forward_params: Any) -> dict[str, Any]:
        return {"scores": self.model(**model_inputs).logits.float().sigmoid()}

    def _score(self, features: list[dict[str, np.ndarray]]) -> np.ndarray:
        scores: np.ndarray = self.forward(self.tokenizer.pad(features))["scores"].numpy()
        return scores

    @property
    def _is_on_cpu(self) -> bool:
        return bool(self.device.type == "cpu")

    def get_iterator(
        self,
        inputs: Iterable[Any],
        num_workers: int,
        batch_size: int,
        preprocess_params: dict[str, Any],
        forward_params: dict[str, Any],
        postprocess_params: dict[str, Any],
    ) -> Iterator[Any]:
        """What [`RelationExtractor`] yields: nothing here is run by a `DataLoader`."""
        return self._results(inputs, batch_size, preprocess_params, postprocess_params)

    def run_single(
        self,
        inputs: Any,
        preprocess_params: dict[str, Any],
        forward_params: dict[str, Any],
        postprocess_params: dict[str, Any],
    ) -> Any:
        return next(self.get_iterator([inputs], 0, 1, preprocess_params, forward_params, postprocess_params))


__all__ = ["RelationExtractionPipeline"]
