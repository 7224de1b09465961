"""Thresholds of relation types that a model was not calibrated for, from their scores over background texts.

Axes: `pairs, relations`.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from tqdm.auto import tqdm
from transformers.utils import is_torch_available, logging

from .calibration_glirel import BackgroundRule, calibration_of
from .encoded_types_glirel import digest_of
from .mentions_glirel import shortened
from .requests_glirel import RelationType, read_relation_types, with_readable_names
from .sources_glirel import read_inputs

if TYPE_CHECKING:
    from .extractor_glirel import RelationExtractor

if is_torch_available():
    import torch

logger = logging.get_logger(__name__)

_BEYOND = 10  # pairs that should lie beyond the quantile, for it to mean something
_LOWEST, _HIGHEST = 1e-37, 1 - 2.0**-24  # probabilities in single precision that have a logit


def measure_background(
    extract: RelationExtractor,
    texts: object,
    relation_types: object,
    *,
    entities: object = None,
    cache: str | os.PathLike[str] | None = None,
    batch_size: int | None = None,
    **options: Any,
) -> dict[str, dict[str, object]]:
    """As [`RelationExtractor.background`], which explains the arguments."""
    config = extract.model.config
    calibration = calibration_of(config)
    rule = calibration.background
    if rule is None:
        raise ValueError(
            "This model has no rule for thresholds from background texts. Fit one on annotated documents: glirel "
            "calibrate CHECKPOINT DEV --background FILE; or leave the background out."
        )
    asked = extract.options.updated(relation_types=relation_types, **options)
    types = read_relation_types(asked.relation_types or [])
    read = with_readable_names(types) if asked.readable_names else types
    unknown = [one for one in read if one.threshold is None and one.wording not in calibration.thresholds]
    found: dict[str, float] = {}
    if unknown:
        items = list_texts(texts, entities)
        reads = vars(asked) | {"relation_types": [one.wording for one in unknown]}
        key = _digest(extract, items, reads)
        kept = extract.backgrounds | (_read_cache(cache) if cache is not None else {})
        if key not in kept:
            names = [one.wording for one in unknown]
            kept[key] = _measure(extract, items, names, rule, {**options, "batch_size": batch_size})
        found = kept[key]
        extract.backgrounds[key] = found
        if cache is not None:
            _write_cache(cache, kept)
    wordings = [one.wording for one in read]
    return {one.name: _settings(one, found.get(wording)) for one, wording in zip(types, wordings, strict=True)}


def list_texts(texts: object, entities: object = None) -> list[object]:
    """Background texts as a list, in any form that an extractor reads.

    Raises:
        TypeError, ValueError: as the extractor does.
    """
    read = read_inputs(texts, entities)
    return [read] if isinstance(read, (str, Mapping)) else list(read)  # type: ignore[call-overload]


def background_logits(
    extract: RelationExtractor, texts: Sequence[object], names: Sequence[str], **options: Any
) -> np.ndarray:
    """Calibrated logits of relation types over all ordered pairs of some texts, `(pairs, relations)`.

    Args:
        extract: the extractor.
        texts: with their entities.
        names: of the relation types, as the model reads them.
        options: as the extractor takes them; long texts are read in windows.

    Raises:
        ValueError: when no text has a pair.
    """
    reads = {"truncation": "window", "group_size": "auto", **options, "relation_types": list(names)}
    reads |= {"return_scores": True, "return_entities": False, "readable_names": False, "coreference": False}
    reads |= {"evidence": None}
    results = extract.iterate(({**_item(text), "relation_types": None} for text in texts), **reads)
    shown = tqdm(results, "background", len(texts), unit=" texts", leave=False, disable=len(texts) < 20 or None)
    parts = [cast("np.ndarray", scores.scores) for scores in shown if len(scores.scores)]
    if not parts:
        raise ValueError(
            f"The {len(texts)} background texts have no pair of entities, so that there is nothing to score. Give "
            "texts with at least two entities each."
        )
    return logits_of(np.concatenate(parts))


def logits_of(probabilities: np.ndarray) -> np.ndarray:
    """What single-precision probabilities are the sigmoid of, in double precision; 0 and 1 count as what is next."""
    exact = probabilities.astype(np.float64).clip(_LOWEST, _HIGHEST)
    logits: np.ndarray = np.log(exact) - np.log1p(-exact)
    return logits


def _item(text: object) -> dict[str, object]:
    return dict(text) if isinstance(text, Mapping) else {"text": text}


def _measure(
    extract: RelationExtractor,
    texts: Sequence[object],
    names: Sequence[str],
    rule: BackgroundRule,
    options: dict[str, Any],
) -> dict[str, float]:
    """The threshold of each type."""
    references = [name for name in rule.reference_types if name not in names]
    logits = background_logits(extract, texts, [*names, *references], **options)
    if len(logits) * (1 - rule.quantile) < _BEYOND:
        logger.warning(
            "The background texts have %d pairs, of which too few lie beyond the quantile %.3g: the thresholds depend "
            "on single pairs. Give more texts.",
            len(logits),
            rule.quantile,
        )
    levels = dict(zip([*names, *references], np.quantile(logits, rule.quantile, axis=0).tolist(), strict=True))
    found = {}
    for name in names:
        others = [levels[other] for other in rule.reference_types if other != name]
        found[name] = rule.threshold_for(levels[name], float(np.mean(others)) if others else levels[name])
    return found


def _settings(relation: RelationType, threshold: float | None) -> dict[str, object]:
    """A relation type as it may be asked for, with a threshold."""
    sides = {side: sorted(of) for side in ("head", "tail") if (of := getattr(relation, side)) is not None}
    settings: dict[str, object] = dict(sides)
    if relation.symmetric:
        settings["symmetric"] = True
    if relation.asked_as is not None:
        settings["description"] = relation.asked_as
    least = relation.threshold if threshold is None else threshold
    return settings if least is None else {**settings, "threshold": least}


def _digest(extract: RelationExtractor, texts: Sequence[object], options: Mapping[str, object]) -> str:
    """Of everything that the thresholds depend on: the model, the texts, and what is asked."""
    model: Any = extract.model
    config = {name: value for name, value in model.config.to_dict().items() if name != "_name_or_path"}
    settings = [config, texts, {name: value for name, value in options.items() if name != "ner"}]
    if (folder := getattr(model, "folder", None)) is not None:  # an export's
        files = sorted(Path(folder).glob("*.onnx*"))
        return digest_of(((file.name, _digest_of_file(file)) for file in files), settings)
    if not is_torch_available() or not isinstance(model, torch.nn.Module) or getattr(model, "is_optimized", False):
        return digest_of((), [id(model), settings])  # whose weights cannot be read
    weights = model.state_dict().items()
    tensors = ((name, value.detach().float().cpu().contiguous().numpy()) for name, value in weights)
    return digest_of(tensors, settings)


def _digest_of_file(file: Path) -> bytes:
    with file.open("rb") as opened:
        hashed = hashlib.sha256()
        while block := opened.read(1 << 20):
            hashed.update(block)
    return hashed.digest()


def _read_cache(file: str | os.PathLike[str]) -> dict[str, dict[str, float]]:
    """The thresholds in a file, by digest; none where there is no file yet."""
    if not Path(file).is_file():
        return {}
    try:
        found = json.loads(Path(file).read_text(encoding="utf-8"))
        return {key: {name: float(value) for name, value in of.items()} for key, of in found["thresholds"].items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{os.fspath(file)!r} does not hold thresholds from background texts ({shortened(str(error))}). Name "
            "another file, or remove it."
        ) from error


def _write_cache(file: str | os.PathLike[str], found: Mapping[str, Mapping[str, float]]) -> None:
    new = Path(f"{os.fspath(file)}.new")
    new.write_text(json.dumps({"thresholds": found}, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    new.replace(file)


__all__ = ["background_logits", "list_texts", "measure_background"]
