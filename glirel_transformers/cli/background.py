"""`--background` of `glirel evaluate`: thresholds of types from documents of which no relation is read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from glirel_transformers.data import Document
    from glirel_transformers.extractor_glirel import RelationExtractor

    from .evaluate_options import EvaluateOptions


def background_thresholds(
    extract: RelationExtractor,
    documents: Sequence[Document],
    types: Sequence[str],
    given: EvaluateOptions,
    entity_types: Sequence[str] | None = None,
) -> dict[str, float]:
    """Thresholds of the relation types that the model was not calibrated for.

    Args:
        extract: of the model.
        documents: of which no relation is read.
        types: that are asked for.
        given: how they are asked for.
        entity_types: that are to be found; `None` reads the entities of the documents.

    Raises:
        ValueError: when the model has no rule for such thresholds.
    """
    from glirel_transformers.evaluation.calibration import read_background

    found = extract.background(
        read_background(documents, finds=entity_types is not None),
        list(types),
        batch_size=given.batch_size,
        group_size=given.group_size or "auto",
        entity_types=entity_types,
        overlap=given.overlap,
    )
    return {name: float(str(settings["threshold"])) for name, settings in found.items() if "threshold" in settings}
