"""How timings are evaluated on a machine whose speed is not constant.

Many processors, virtual ones above all, change between two speeds. So a fixed piece of work, the calibration, is timed
just before and just after every measurement, in the same process. Measurements with a slow calibration are repeated.
Where there are too few clean ones, those with the fastest calibrations replace them and are marked as noisy; they are
not divided by the calibration's slowness, since what disturbed the calibration may have missed the measurement.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

TOLERANCE = 1.15  # times the fastest calibration: a slower one is not clean


@dataclass(frozen=True)
class Measurement:
    """One timing in seconds, and the seconds that the calibration took before and after it."""

    seconds: float
    before: float
    after: float

    @property
    def calibration(self) -> float:
        return max(self.before, self.after)


def fastest_calibration(measurements: Sequence[Measurement]) -> float:
    """Seconds that the calibration takes when the machine is at full speed, as far as has been observed."""
    return min(min(measurement.before, measurement.after) for measurement in measurements)


def is_clean(measurement: Measurement, reference: float) -> bool:
    """Whether the machine ran at full speed before and after."""
    return measurement.calibration <= TOLERANCE * reference


def summarise(measurements: Sequence[Measurement], reference: float, needed: int) -> dict[str, Any]:
    """Median and range of the clean measurements, or of the `needed` least disturbed when fewer are clean.

    Returns:
        `seconds`, `low` and `high`; `clean` and `measured`, how many there were; and `noisy`, whether fewer than
        `needed` were clean.
    """
    if not measurements:
        raise ValueError("There is no measurement to summarise: got an empty list. Measure at least once.")
    clean = [measurement for measurement in measurements if is_clean(measurement, reference)]
    is_noisy = len(clean) < needed
    chosen = sorted(measurements, key=lambda one: one.calibration)[:needed] if is_noisy else clean
    seconds = [measurement.seconds for measurement in chosen]
    return {
        "seconds": statistics.median(seconds),
        "low": min(seconds),
        "high": max(seconds),
        "clean": len(clean),
        "measured": len(measurements),
        "noisy": is_noisy,
    }


def compare(baseline: Sequence[Measurement], ours: Sequence[Measurement], reference: float, needed: int) -> dict:
    """How many times faster `ours` is: the ratio of the medians, and the range over pairs of one round.

    Both lists are by round. The pairs are those of which both are clean, or all where there is none.
    """
    medians = [summarise(one, reference, needed)["seconds"] for one in (baseline, ours)]
    pairs = list(zip(baseline, ours, strict=True))
    clean = [pair for pair in pairs if all(is_clean(one, reference) for one in pair)]
    ratios = [one.seconds / other.seconds for one, other in clean or pairs]
    return {"ratio": medians[0] / medians[1], "low": min(ratios), "high": max(ratios)}


def percentile(values: Sequence[float], fraction: float) -> float:
    """The value below which `fraction` of `values` lie, interpolated."""
    if not values or not 0 <= fraction <= 1:
        raise ValueError(f"A percentile needs values and a fraction from 0 to 1: got {values!r} and {fraction!r}.")
    ordered = sorted(values)
    position = fraction * (len(ordered) - 1)
    below = int(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (position - below) * (ordered[above] - ordered[below])


def compare_predictions(
    expected: Sequence[Sequence[Sequence[Any]]], got: Sequence[Sequence[Sequence[Any]]], threshold: float
) -> tuple[float, list[str]]:
    """Compares two sides' relations of the same texts.

    Args:
        expected, got: for each text the relations `[head, tail, relation type, score]`, in any order.
        threshold: from which score relations were returned; for a relation that only one side returned, it counts as
            the score of the other.

    Returns:
        The largest difference of two scores, and the at most five relations that differ most, in words.
    """
    if len(expected) != len(got):
        raise ValueError(f"Both sides must answer for the same texts: got {len(expected)} and {len(got)} answers.")
    differences = []
    for text, (left, right) in enumerate(zip(expected, got, strict=True)):
        ours = {tuple(map(_as_key, relation[:3])): relation[3] for relation in right}
        theirs = {tuple(map(_as_key, relation[:3])): relation[3] for relation in left}
        for key in theirs.keys() | ours.keys():
            a, b = theirs.get(key, threshold), ours.get(key, threshold)
            differences.append((abs(a - b), f"text {text}, {key}: {a:.6f} and {b:.6f}"))
    differences.sort(reverse=True)
    return (differences[0][0] if differences else 0.0), [words for _, words in differences[:5]]


def _as_key(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value
