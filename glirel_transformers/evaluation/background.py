"""Thresholds of relation types that a model was not calibrated for, as protocols ask for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from glirel_transformers.calibration_glirel import calibration_of
from glirel_transformers.data import Document
from glirel_transformers.pipeline_glirel import RelationExtractionPipeline

from .baselines import Baseline
from .extraction import Reader
from .raw_scores import read_background

if TYPE_CHECKING:
    from .protocols import Protocol

    AnyProtocol = TypeVar("AnyProtocol", bound=Protocol)


def background_thresholds(
    model: Reader,
    documents: Sequence[Document],
    relation_types: Sequence[str],
    *,
    entity_types: Sequence[str] | None = None,
    cache: Path | None = None,
    **options: Any,
) -> dict[str, float]:
    """Thresholds of the relation types that a model was not calibrated for.

    Args:
        model: with a rule for them, see [`RelationExtractor.background`].
        documents: of which no relation is read.
        relation_types: that are asked for.
        entity_types: that are to be found; `None` reads the entities of the documents.
        cache: a file that keeps them.
        options: as [`RelationExtractor.__call__`] takes them.

    Raises:
        OSError: when `cache` cannot be written.
        ValueError: when the model has no such rule, or no document has a pair of entities.
    """
    if isinstance(model, Baseline):
        raise ValueError(
            f"The baseline {model.name} has no rule for thresholds from background texts: models do that were "
            "calibrated. Leave the background out."
        )
    extract = model.extractor if isinstance(model, RelationExtractionPipeline) else model
    found = extract.background(
        read_background(documents, finds=entity_types is not None),
        list(relation_types),
        cache=cache,
        entity_types=entity_types,
        **options,
    )
    return {name: float(str(settings["threshold"])) for name, settings in found.items() if "threshold" in settings}


def check_one_source(background: Sequence[Document], fit_on: Sequence[Document], threshold: object) -> None:
    """Checks that thresholds do not come from two places.

    Raises:
        ValueError: when they do.
    """
    if background and (fit_on or threshold is not None):
        other = "`fit_on`" if fit_on else "`threshold`"
        raise ValueError(f"`background` finds thresholds of types, and {other} says what they are. Give one of them.")


def for_another(protocol: AnyProtocol, model: Reader) -> tuple[AnyProtocol, str]:
    """The protocol for a model that is compared with the one that its thresholds were chosen for.

    Returns:
        The protocol, in which a threshold does not hold for baselines, and a background only for models with a rule;
        and what is to be said of that, or an empty string.
    """
    own: Any = protocol  # a dataclass
    if isinstance(model, Baseline):
        changes = {"threshold": None, "background": ()}
        return replace(own, **{name: value for name, value in changes.items() if hasattr(own, name)}), ""
    if getattr(own, "background", ()) and calibration_of(model.model.config).background is None:
        said = "It has no rule for thresholds from background texts, and keeps its own."
        return replace(own, background=()), said
    return own, ""


__all__ = ["background_thresholds", "check_one_source", "for_another"]
