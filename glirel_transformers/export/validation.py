"""Whether an export computes what the model computes: both over shapes that differ in every axis.

Differences are those of scores before the sigmoid, `|exported − eager| / max(1, |eager|)`: scores of any size are
rounded in proportion to it, and a probability then differs by less than a quarter of what is stated.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from glirel_transformers.extras import require_extra

from .reference import load_reference, longest_input, longest_type
from .sessions import LABELS_FILE, ONNX_FILE, RELATIONS_FILE, find_providers, metadata, open_session
from .side_by_side import run_both

if TYPE_CHECKING:
    import numpy as np
    from onnxruntime import InferenceSession

    from glirel_transformers.heads_glirel import GLiRELHead

    from .graph import Part

BOUNDS = {
    # Two hundred times the rounding of float32, which a reordered sum stays well below.
    "float32": 1e-4,
    # float16 rounds to 2⁻¹¹ = 5e-4, after every operation; this is what a hundred such roundings add up to. A
    # probability then differs by at most about 0.01.
    "float16": 5e-2,
}
_LONGEST = 512  # tokens of the longest input that is tried
_PADDING = -6e4  # what a score of padding is below, in either precision: its probability is 0

# What `GLiRELDummyInputs` calls the sizes of axes, and what they are called; some only where relation types are read
# apart from the text, and some only where entities are found.
_AXES = {
    "batch_size": "batch",
    "sequence_length": "tokens",
    "num_words": "words",
    "num_mentions": "mentions",
    "num_entities": "entities",
    "num_pairs": "pairs",
    "num_relations": "relations",
    "num_types": "types",
    "type_length": "type tokens",
    "num_entity_types": "entity types",
}
_OF_TYPES, _OF_FOUND = ("num_types", "type_length"), ("num_entity_types",)

# In the order of `_AXES`. The sample of the trace is (2, 23, 11, 5, 4, 7, 3, 6, 9, 8).
_SIZES: dict[str, tuple[int, ...]] = {
    "1 everywhere": (1, 1, 1, 1, 1, 1, 1, 1, 1, 1),
    "as traced": (2, 23, 11, 5, 4, 7, 3, 6, 9, 8),
    "one text": (1, 24, 12, 4, 4, 6, 2, 3, 5, 3),
    "one pair, one relation": (3, 30, 9, 2, 2, 1, 1, 1, 4, 1),
    "all smaller": (1, 9, 4, 2, 2, 2, 2, 2, 3, 2),
    "larger batch": (7, 23, 11, 5, 4, 7, 3, 6, 9, 8),
    "more tokens": (2, 96, 11, 5, 4, 7, 3, 6, 60, 8),
    "more words": (2, 90, 60, 5, 4, 7, 3, 6, 9, 8),
    "more entities and pairs": (2, 40, 20, 17, 17, 272, 3, 6, 9, 8),
    "more relations": (2, 80, 8, 3, 2, 6, 33, 40, 9, 25),
    "all larger": (4, 101, 57, 13, 8, 41, 19, 30, 20, 17),
    "no pair": (2, 23, 11, 1, 1, 0, 3, 6, 9, 8),
    "no relation": (2, 23, 11, 5, 4, 7, 0, 0, 9, 8),
    "longest, one entity": (2, 0, 50, 11, 1, 110, 8, 9, 0, 4),
}
# Where entities are found, there may be none; and without a relation type there still are the types of entities.
_SIZES_FOUND: dict[str, tuple[int, ...]] = {
    "no relation": (2, 23, 11, 5, 4, 7, 0, 6, 9, 8),
    "no entity": (2, 23, 11, 0, 0, 0, 3, 6, 9, 8),
    "no entity type": (2, 23, 11, 5, 4, 7, 3, 6, 9, 0),
    "no type at all": (2, 23, 11, 1, 1, 1, 0, 0, 9, 0),
}


@dataclass(frozen=True)
class ShapeResult:
    """What one shape gave.

    Args:
        name: of the shape.
        sizes: of its axes.
        difference: the largest, in proportion (see the module).
        absolute_difference: the largest of scores before the sigmoid.
        probability_difference: the largest of scores after it.
    """

    name: str
    sizes: dict[str, int]
    difference: float
    absolute_difference: float
    probability_difference: float


@dataclass(frozen=True)
class Validation:
    """How an export compares with its model.

    Args:
        shapes: what every shape gave.
        dtype: precision of the export, `"float32"` or `"float16"`.
        bound: what `difference` must not exceed.
    """

    shapes: list[ShapeResult]
    dtype: str
    bound: float

    @property
    def difference(self) -> float:
        """The largest of all shapes; NaN where the export gave one."""
        return max((shape.difference for shape in self.shapes), key=_nan_last)

    @property
    def columns(self) -> list[str]:
        """The axes whose sizes [`rows`] gives."""
        return [_AXES[name] for name in self.shapes[0].sizes]

    @property
    def passed(self) -> bool:
        """Whether no difference exceeds the bound."""
        return self.difference <= self.bound

    def rows(self) -> list[tuple[str, ...]]:
        """A row for each shape: its name, its sizes, and the largest differences of scores and of probabilities."""
        return [
            (
                shape.name,
                *map(str, shape.sizes.values()),
                f"{shape.difference:.1e}",
                f"{shape.probability_difference:.1e}",
            )
            for shape in self.shapes
        ]

    def failure(self) -> str:
        """What is wrong, and what to do; names the worst shape. Only where the validation did not pass."""
        worst = max(self.shapes, key=lambda shape: _nan_last(shape.difference))
        cure = "Export without --optimize, or with another --opset; if neither helps, please report it."
        return (
            f"The export computes other scores than the model: they differ by {worst.difference:.2g} (in proportion) "
            f"for the shape {worst.name!r} {worst.sizes}, and at most {self.bound:g} is allowed in {self.dtype}. "
            + ("Export in float32, or without --optimize." if self.dtype == "float16" else cure)
        )

    def check(self) -> None:
        """Checks that the validation passed.

        Raises:
            ValueError: when it did not; the message names the shape that is worst.
        """
        if not self.passed:
            raise ValueError(self.failure())


def validate(
    model: GLiRELHead | str | os.PathLike[str],
    folder: str | os.PathLike[str],
    bound: float | None = None,
) -> Validation:
    """Compares an export, run by ONNX Runtime on the CPU, with the model over fourteen shapes.

    Among them are 1 everywhere, each axis larger than in the trace, padding on every axis, entities of many mentions,
    texts without a pair or without a relation type, and the longest input that the model reads (up to 512 tokens).
    Where relation types are read apart from texts, what is made of them is compared as well, and passed on. Where
    entities are found, so is what finds them, and there are three shapes more, without an entity or an entity type.

    Args:
        model: a [`GLiRELHead`], or a folder or Hub repository with one; compared with in float32.
        folder: of the export, or its `model.onnx`.
        bound: on the difference; by default 1e-4 for an export in float32, and 5e-2 in float16.

    Returns:
        The differences, shape by shape. Call its `check` to have an error where they are too large.

    Raises:
        ImportError: when a package of the extra `onnx` is missing.
        OSError: when there is no such file, or no such model.
        TypeError: when `model` is no such model.
        ValueError: when the export cannot be loaded or run, or has other inputs or outputs than the model's
            configuration says.
    """
    require_extra("onnx", "onnxruntime", "optimum")
    from .config import exporter_config

    reference = load_reference(model)
    config = exporter_config(reference.config)
    folder = Path(folder).parent if Path(folder).is_file() else Path(folder)
    parts = {LABELS_FILE: config.types, ONNX_FILE: config, RELATIONS_FILE: config.relations}
    sessions = {file: _open(folder / file, part) for file, part in parts.items() if part is not None}
    dtype = metadata(sessions[ONNX_FILE], "dtype") or "float32"
    shapes = [
        _compare(name, sizes, run_both(reference, config, sessions, name, sizes, seed))
        for seed, (name, sizes) in enumerate(validation_sizes(reference).items())
    ]
    return Validation(shapes, dtype, BOUNDS[dtype] if bound is None else bound)


def _open(file: Path, config: Part) -> InferenceSession:
    """A graph of an export, whose inputs and outputs are those of the configuration."""
    if not file.is_file():
        raise OSError(f"There is no {file}. Name the folder that `glirel export` wrote.")
    session = open_session(file, find_providers())
    for kind, found, wanted in (
        ("inputs", session.get_inputs(), config.inputs),
        ("outputs", session.get_outputs(), config.outputs),
    ):
        if (names := [value.name for value in found]) != list(wanted):
            raise ValueError(f"The export's {kind} are {names}: expected {list(wanted)}. Export the model again.")
    return session


def validation_sizes(model: GLiRELHead) -> dict[str, dict[str, int]]:
    """The shapes to compare: for each name, what [`GLiRELDummyInputs`] takes.

    Args:
        model: whose limit on tokens is kept.
    """
    limits = {"sequence_length": longest_input(model, at_most=_LONGEST)}
    if model.config.reads_labels_apart:
        limits["type_length"] = longest_type(model, at_most=_LONGEST)
    config = model.config
    left_out = {*(() if config.reads_labels_apart else _OF_TYPES), *(() if config.finds_entities else _OF_FOUND)}
    named = {}
    for shape, sizes in {**_SIZES, **(_SIZES_FOUND if config.finds_entities else {})}.items():
        named[shape] = {name: size for name, size in zip(_AXES, sizes, strict=True) if name not in left_out}
        named[shape] |= {name: min(named[shape][name] or limit, limit) for name, limit in limits.items()}
    return named


def _compare(name: str, sizes: Mapping[str, int], pairs: list[tuple[np.ndarray, np.ndarray]]) -> ShapeResult:
    """Compares outputs, given as (expected, exported)."""
    import numpy as np

    largest = [0.0, 0.0, 0.0]
    for expected, got in pairs:
        if expected.shape != got.shape:
            raise ValueError(
                f"The export gives scores of shape {got.shape} for the shape {name!r}, and the model {expected.shape}."
                " Export the model again."
            )
        padding = expected < _PADDING
        # Padding differs in its lowest number between precisions, and not in being padding.
        wrong = (got < _PADDING) != padding
        want, have = np.where(padding, 0, expected), np.where(padding & ~wrong, 0, got)
        absolute = np.where(wrong, np.inf, np.abs(have - want))
        with np.errstate(over="ignore"):
            probability = np.abs(1 / (1 + np.exp(-have)) - 1 / (1 + np.exp(-want)))
        for place, values in enumerate((absolute / np.maximum(1, np.abs(want)), absolute, probability)):
            if values.size:
                largest[place] = max(largest[place], float(values.max()), key=_nan_last)
    return ShapeResult(name, dict(sizes), *largest)


def _nan_last(value: float) -> tuple[bool, float]:
    """A key by which NaN is the largest."""
    return math.isnan(value), value
