"""`pipeline("relation-extraction")`: a pipeline of transformers that has a [`RelationExtractor`], which does the work.

All that is left to transformers is loading, placing and saving.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from transformers.pipelines.base import ChunkPipeline
from transformers.utils import is_torch_available

from .extractor_glirel import RelationExtractor, fitting_tokenizer
from .options_glirel import ExtractionOptions
from .running_glirel import ScoresPairs
from .scores_glirel import RelationScores
from .tokenization_glirel import GLiRELTokenizer

TASK = "relation-extraction"


class RelationExtractionPipeline(ChunkPipeline):
    r"""Extracts relations of any types between the given entities of a text.

    Args:
        model: a [`GLiRELForRelationClassification`] or an `ORTModelForRelationClassification`.
        tokenizer: by default the model's own; also by name.
        batch_size, options: of [`RelationExtractor.__call__`], where it is called without; and what all pipelines
            of transformers take, such as `device`.

    Raises:
        ImportError: without torch; [`RelationExtractor`] needs none.
        TypeError, ValueError: as [`RelationExtractor`] does.

    Examples:
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

    def __init__(
        self,
        model: ScoresPairs,
        tokenizer: GLiRELTokenizer | str | os.PathLike[str] | None = None,
        *,
        batch_size: int | None = None,
        num_workers: int | None = None,
        **options: Any,
    ):
        if not is_torch_available():
            raise ImportError(
                "The pipelines of transformers need torch, which is not installed. RelationExtractor(model) takes the "
                "same calls, gives the same results, and needs none."
            )
        _check_num_workers(num_workers)
        tokenizer = fitting_tokenizer(model, tokenizer)  # checked before the model is moved
        if getattr(model, "is_optimized", False):
            options.setdefault("device", model.device)  # where it must stay
        super().__init__(model=model, tokenizer=tokenizer, **options)
        self.extractor = RelationExtractor(
            self.model, self.tokenizer, batch_size=batch_size or 1, **self._preprocess_params
        )

    def __call__(self, inputs: object, *args: object, num_workers: int | None = None, **options: object) -> Any:  # noqa: ANN401
        """As [`RelationExtractor.__call__`].

        Raises:
            TypeError: also for `args`, which there are none of.
            ValueError: also for a `num_workers` above 0.
        """
        if args:
            raise TypeError(f"The pipeline takes the texts, and options by name: got also {args!r}.")
        _check_num_workers(num_workers)
        return self.extractor(inputs, **options)  # type: ignore[arg-type]

    def _sanitize_parameters(
        self, **options: object
    ) -> tuple[dict[str, object], dict[str, object], dict[str, object]]:
        ExtractionOptions().updated(**options)
        return options, {}, {}

    # The three steps of a pipeline, for those who take them one by one: the first does it all.

    def preprocess(self, inputs: object, **options: object) -> Iterator[dict[str, object]]:
        """Yields the result of one text, as [`__call__`] gives it."""
        yield {"result": self(inputs, **options)}  # type: ignore[arg-type]

    def _forward(self, model_inputs: dict[str, object], **forward_params: object) -> dict[str, object]:
        return model_inputs

    def postprocess(
        self, model_outputs: list[dict[str, object]], **postprocess_params: object
    ) -> list[dict[str, object]] | RelationScores:
        """The result that [`preprocess`] gave."""
        return model_outputs[0]["result"]  # type: ignore[return-value]


def _check_num_workers(value: object) -> None:
    """Nothing here is run by a `DataLoader`."""
    if value not in (None, 0):
        raise ValueError(
            f"This pipeline has no workers of a DataLoader: got num_workers={value!r}. Leave it out; batch_size= "
            "makes batches, and next to an accelerator a thread tokenizes the following texts."
        )


__all__ = ["RelationExtractionPipeline"]
