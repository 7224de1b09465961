"""What was fitted to a model's scores on a development set: `calibration` in the configuration.

A probability is `sigmoid(logit / temperature + bias)`, wherever the model runs; relation types may have thresholds of
their own, and a rule gives thresholds to types that nobody has seen, from their scores over background texts.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any, TypeVar

from .mentions_glirel import shortened

if TYPE_CHECKING:
    from numpy import ndarray
    from torch import Tensor

Logits = TypeVar("Logits", "ndarray", "Tensor")


@dataclass(frozen=True)
class BackgroundRule:
    """How a relation type that was not in the development set gets its threshold.

    Its logit is `logit(threshold) + weight · (b − r)`: b is the quantile of the type's own logits over background
    texts, r the mean of the same quantile over the reference types, on the same texts. A type whose scores are higher
    than others' where nothing holds needs a higher score to be believed.

    Args:
        threshold: of a type that scores on background texts as the reference types do, in `(0, 1)`.
        weight: how much of the difference counts, in `(0, 1]`; 0 would be one threshold for all.
        quantile: of a type's logits over all pairs of the background texts, in `[0, 1]`.
        reference_types: relation types of the development set.
    """

    threshold: float
    weight: float
    quantile: float
    reference_types: tuple[str, ...]

    def __post_init__(self) -> None:
        for name in ("threshold", "weight", "quantile"):
            _check_number(getattr(self, name), f"background.{name}", 0, 1)
        if not 0 < self.threshold < 1:
            raise ValueError(
                f"`calibration.background.threshold` must be between 0 and 1, and neither of them: got "
                f"{self.threshold!r}."
            )
        names = self.reference_types
        _check_names(names, "background.reference_types")
        if not names:
            raise ValueError(
                "`calibration.background.reference_types` is empty: a type's scores are compared with theirs. Fit "
                "again with glirel calibrate."
            )

    def threshold_for(self, level: float, reference: float) -> float:
        """The threshold of a type, from its own quantile of logits and the mean of the reference types'."""
        return _sigmoid(math.log(self.threshold / (1 - self.threshold)) + self.weight * (level - reference))


@dataclass(frozen=True)
class ScoreCalibration:
    """What `glirel calibrate` fitted; its fields are the keys of `calibration` in `config.json`.

    Args:
        temperature: what logits are divided by, above 0. It never changes the order of scores.
        bias: what is added to them after that.
        thresholds: of relation types, by the words that the model reads; other types have the `threshold` of
            [`GLiRELConfig`].
        background: how a type without one gets a threshold from background texts: [`RelationExtractor.background`].
        measured: the figures that the fit was judged by, such as `ece_before` and `ece_after`. Nothing is computed
            from them.

    Raises:
        ValueError, TypeError: for values that do not fit; the message names the key.
    """

    temperature: float = 1.0
    bias: float = 0.0
    thresholds: Mapping[str, float] = field(default_factory=dict)
    background: BackgroundRule | None = None
    measured: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_number(self.temperature, "temperature", 0, math.inf)
        if not self.temperature > 0:
            raise ValueError(f"`calibration.temperature` must be above 0: got {self.temperature!r}.")
        _check_number(self.bias, "bias", -math.inf, math.inf)
        for name, (low, high) in {"thresholds": (0, 1), "measured": (-math.inf, math.inf)}.items():
            values = getattr(self, name)
            if not isinstance(values, Mapping):
                raise TypeError(f"`calibration.{name}` must be a dictionary: got {shortened(values)}.")
            _check_names(values, name)
            for key, value in values.items():
                _check_number(value, f"{name}[{key!r}]", low, high)

    @classmethod
    def read(cls, value: object) -> ScoreCalibration:
        """That of a configuration's `calibration`; `None` is one that changes nothing.

        Raises:
            ValueError, TypeError: for what cannot be one.
        """
        if value is None:
            return _NONE
        known = _known(value, cls, "calibration")
        if (rule := known.get("background")) is not None:
            settings = _known(rule, BackgroundRule, "calibration.background")
            missing = {one.name for one in fields(BackgroundRule)} - set(settings)
            if missing:
                raise ValueError(f"`calibration.background` has no {sorted(missing)[0]!r}. Fit it again.")
            names = settings["reference_types"]
            if not isinstance(names, (list, tuple)):
                raise TypeError(
                    f"`calibration.background.reference_types` must be a list of names: got {shortened(names)}."
                )
            known["background"] = BackgroundRule(**{**settings, "reference_types": tuple(names)})
        return cls(**known)

    def to_dict(self) -> dict[str, Any]:
        """As it stands in a configuration: JSON values."""
        found = asdict(self)
        if self.background is not None:
            found["background"]["reference_types"] = list(self.background.reference_types)
        return found

    @property
    def changes_scores(self) -> bool:
        """Whether probabilities are other than the sigmoid of the logits."""
        return self.temperature != 1 or self.bias != 0

    def apply(self, logits: Logits) -> Logits:
        """What a probability is the sigmoid of, from logits of torch or numpy; the same object where nothing changes.

        The lowest number of the type, which stands for padding, stays one of probability 0.
        """
        return logits / self.temperature + self.bias if self.changes_scores else logits


def calibration_of(config: object) -> ScoreCalibration:
    """What was fitted for the model of a configuration."""
    return ScoreCalibration.read(getattr(config, "calibration", None))


def _known(value: object, kind: type, what: str) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise TypeError(f"`{what}` must be a dictionary, as glirel calibrate writes it, or None: got {value!r}.")
    known = [one.name for one in fields(kind)]
    if unknown := [key for key in value if key not in known]:
        raise ValueError(
            f"`{what}` has the unknown key {unknown[0]!r}; known are {', '.join(known)}. Correct it, or use the "
            "version that wrote it."
        )
    return dict(value)


def _check_names(names: Iterable[object], what: str) -> None:
    for name in names:
        if not isinstance(name, str) or not name.strip():
            raise ValueError(f"`calibration.{what}` must have names that are not empty: got {name!r}.")


def _check_number(value: object, what: str, low: float, high: float) -> None:
    number = math.nan if isinstance(value, bool) or not isinstance(value, (int, float)) else float(value)
    if not math.isfinite(number) or not low <= number <= high:
        bounds = f" from {low} to {high}" if high == 1 else f" of at least {low}" if low == 0 else ""
        raise ValueError(f"`calibration.{what}` must be a finite number{bounds}: got {value!r}.")


def _sigmoid(logit: float) -> float:
    return 1 / (1 + math.exp(-logit)) if logit >= 0 else math.exp(logit) / (1 + math.exp(logit))


_NONE = ScoreCalibration()

__all__ = ["BackgroundRule", "ScoreCalibration", "calibration_of"]
