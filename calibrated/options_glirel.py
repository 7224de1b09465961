"""The options of a call: what is asked of every text."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Literal

from .decoding_glirel import Overlap
from .mentions_glirel import shortened
from .requests_glirel import Recognizer, check_flag, check_probability, check_top_k, is_count
from .text_glirel import check_alignment

GroupSize = int | Literal["auto"] | None


@dataclass(frozen=True)
class ExtractionOptions:
    """What is asked of a text, as [`RelationExtractor.__call__`] describes it.

    Raises:
        TypeError, ValueError: for values that do not fit.
    """

    relation_types: object = None
    entity_types: object = None
    ner: Recognizer | None = None
    threshold: float | None = None
    top_k: int | None = None
    truncation: Literal["error", "window"] = "error"
    alignment: Literal["strict", "expand"] = "strict"
    return_scores: bool = False
    self_pairs: bool = False
    readable_names: bool = False
    group_size: GroupSize = None
    coreference: bool = False
    evidence: int | None = None
    return_entities: bool = False
    entity_threshold: float | None = None
    overlap: Overlap = "flat"
    multi_label: bool = False
    adjacency_threshold: float | None = None

    def __post_init__(self) -> None:
        if self.truncation not in ("error", "window"):
            raise ValueError(f"`truncation` must be 'error' or 'window': got {shortened(self.truncation)}.")
        check_alignment(self.alignment)
        for name in ("threshold", "entity_threshold", "adjacency_threshold"):
            if (value := getattr(self, name)) is not None:
                check_probability(value, f"`{name}`")
        if self.overlap not in ("flat", "nested"):
            raise ValueError(f"`overlap` must be 'flat' or 'nested': got {shortened(self.overlap)}.")
        check_top_k(self.top_k)
        if self.ner is not None and not callable(self.ner):
            raise TypeError(
                f"`ner` must be callable, taking a text and returning its entities: got {shortened(self.ner)}."
            )
        flags = ("return_scores", "self_pairs", "readable_names", "coreference", "return_entities", "multi_label")
        for name in flags:
            check_flag(getattr(self, name), name)
        if self.return_entities and self.return_scores:
            raise ValueError("`return_scores` has the entities already. Leave `return_entities` out.")
        check_group_size(self.group_size)
        if self.evidence is not None and self.coreference:
            raise ValueError("`evidence` is of pairs that the model reads, and `coreference` merges them. Choose one.")
        if self.evidence is not None and not is_count(self.evidence):
            raise ValueError(
                f"`evidence` must be a number of sentences, at least 1, or None: got {shortened(self.evidence)}."
            )

    def updated(self, **given: object) -> ExtractionOptions:
        """A copy with the options that are given; `None` leaves an option as it is.

        Raises:
            TypeError: for an option that there is not.
        """
        known = [field.name for field in fields(self)]
        if unknown := sorted(set(given) - set(known)):
            raise TypeError(f"There is no option {unknown[0]!r}. Options are {', '.join(known)}, batch_size.")
        return replace(self, **{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]


def check_group_size(value: object) -> None:
    """Raises a `ValueError` unless `value` is a whole number of at least 1, `"auto"` or `None`."""
    if value is not None and value != "auto" and not is_count(value):
        raise ValueError(f"`group_size` must be a whole number of at least 1, 'auto' or None: got {shortened(value)}.")
