"""Relation types that are read apart from the text: encoded once, kept, and used for any number of texts.

Axes: `types, width`; and for a batch `batch, relations`.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file
from tqdm.auto import tqdm

from .mentions_glirel import shortened

if TYPE_CHECKING:
    from .configuration_glirel import GLiRELConfig
    from .prompts_glirel import Prompt
    from .tokenization_glirel import GLiRELTokenizer

_STATES = "states"


@dataclass(frozen=True, eq=False)
class EncodedTypes:
    """What a model made of relation types, from [`GLiRELForRelationClassification.encode_relation_types`].

    Args:
        names: of the relation types.
        states (`np.ndarray` of float32, of shape `(types, width)`): what the model reads for each.
        model_digest: of everything in the model that they depend on: weights, projection, tokenizer, settings.
    """

    names: tuple[str, ...]
    states: np.ndarray
    model_digest: str

    @property
    def digest(self) -> str:
        """Of the model, the names and the states: the same for the same, on any machine."""
        hashed = hashlib.sha256(json.dumps([self.model_digest, self.names]).encode())
        hashed.update(np.ascontiguousarray(self.states, dtype=np.float32).tobytes())
        return hashed.hexdigest()

    def check(self, model_digest: str) -> None:
        """Raises a `ValueError` unless they come from a model with that digest."""
        if self.model_digest != model_digest:
            raise ValueError(
                f"These {len(self.names)} encoded relation types come from another model or another version of it: "
                f"their digest is {self.model_digest[:12]}…, the model's {model_digest[:12]}…. Encode them again with "
                "encode_relation_types."
            )

    def save(self, file: str | os.PathLike[str]) -> None:
        """Writes them to a `.safetensors` file."""
        about = {"names": json.dumps(self.names), "model_digest": self.model_digest, "digest": self.digest}
        save_file({_STATES: np.ascontiguousarray(self.states, dtype=np.float32)}, os.fspath(file), about)

    @classmethod
    def load(cls, file: str | os.PathLike[str]) -> EncodedTypes:
        """Reads what [`save`] wrote.

        Raises:
            OSError: when there is no such file.
            ValueError: when it is not such a file, or was changed.
        """
        if not Path(file).is_file():
            raise FileNotFoundError(f"There is no file {os.fspath(file)!r}.")
        try:
            with safe_open(os.fspath(file), framework="numpy") as opened:
                about, states = opened.metadata() or {}, opened.get_tensor(_STATES)
            found = cls(tuple(json.loads(about["names"])), states, about["model_digest"])
        except (SafetensorError, KeyError, ValueError) as error:
            raise ValueError(
                f"{os.fspath(file)!r} does not hold encoded relation types ({shortened(str(error))}). Write it with "
                "EncodedTypes.save."
            ) from error
        if found.digest != about.get("digest") or len(found.names) != len(states):
            raise ValueError(f"The encoded relation types in {os.fspath(file)!r} were changed. Encode them again.")
        return found


class EncodesTypes(Protocol):
    """A model that reads relation types apart from texts."""

    def encode_relation_types(self, names: Sequence[str]) -> EncodedTypes:
        """What it makes of relation types."""

    def types_digest(self) -> str:
        """Of everything in it that this depends on."""


def encode_in_batches(
    encode: Callable[[np.ndarray, np.ndarray], np.ndarray],
    tokenizer: GLiRELTokenizer,
    types: Sequence[tuple[int, ...]],
    config: GLiRELConfig,
    batch_size: int,
) -> np.ndarray:
    """Reads relation types, sorted by length, some at a time.

    Args:
        encode: makes states of `type_input_ids` and `type_attention_mask`.
        tokenizer: of the model.
        types: their tokens.
        config: of the model.
        batch_size: how many are read at once.

    Returns:
        `(types, width)`, of float32.
    """
    # What a name becomes may depend on the longest next to it: then all are read together.
    batch_size = max(len(types), 1) if config.layer_fusion == "padded" else batch_size
    order = sorted(range(len(types)), key=lambda place: len(types[place]))
    states = np.zeros((len(types), config.type_width), dtype=np.float32)
    batches = range(0, len(order), batch_size)
    for first in tqdm(batches, "relation types", unit="batch", leave=False, disable=len(batches) < 20 or None):
        some = order[first : first + batch_size]
        tensors = tokenizer.stack_types([types[place] for place in some])
        states[some] = encode(tensors["type_input_ids"], tensors["type_attention_mask"])
    return states


# For callers that alternate between a few lists of relation types.
_LISTS_KEPT = 16


class TypeCache:
    """What a model made of the relation types that were asked for: each list is encoded once, whatever the texts.

    Args:
        model: what reads them.
        version: what changes when the model's weights do; then nothing that was kept is used any more.
    """

    def __init__(self, model: EncodesTypes, version: Callable[[], object]):
        self._model, self._version = model, version
        self._of_version: object = None
        self._states: dict[tuple[str, ...], np.ndarray] = {}
        self._given: dict[str, np.ndarray] = {}

    def give(self, encoded: EncodedTypes) -> None:
        """Adds what was encoded before.

        Raises:
            ValueError: when it does not come from this model.
        """
        encoded.check(self._model.types_digest())
        self._forget_what_is_old()
        self._given |= dict(zip(encoded.names, encoded.states, strict=True))

    def states_of(self, names: tuple[str, ...]) -> np.ndarray:
        """What the model reads for these names, `(types, width)`."""
        self._forget_what_is_old()
        states = self._states.get(names)
        if states is None:
            unknown = [name for name in names if name not in self._given]
            # Names that nobody gave are read together, as they would be without a cache.
            encoded = self._model.encode_relation_types(unknown).states if unknown or not names else None
            fresh = dict(zip(unknown, () if encoded is None else encoded, strict=True))
            if len(unknown) == len(names) and encoded is not None:
                states = encoded
            else:
                states = np.stack([fresh[name] if name in fresh else self._given[name] for name in names])
            if len(self._states) >= _LISTS_KEPT:
                self._states.clear()
            self._states[names] = states
        return states

    def _forget_what_is_old(self) -> None:
        version = self._version()
        if version != self._of_version:
            self._states, self._given, self._of_version = {}, {}, version


def of_batch(cache: TypeCache, prompts: Sequence[Prompt]) -> tuple[np.ndarray, list[dict[str, np.ndarray]]]:
    """The types of a batch, and which of them each text is asked for.

    Args:
        cache: of the model.
        prompts: of the texts.

    Returns:
        `type_states` `(types, width)`; and for each text its `relation_index` `(relations,)`, unless every text asks
        for all of them, and its `entity_type_index` `(entity types,)` where there are any.
    """
    finds = any(prompt.entity_type_tokens is not None for prompt in prompts)
    first = prompts[0].names
    if not finds and all(prompt.names is first or prompt.names == first for prompt in prompts):
        return cache.states_of(first), [{} for _ in prompts]
    asked = [prompt.names for prompt in prompts]
    lists = list(dict.fromkeys([*asked, *(prompt.entity_types for prompt in prompts if finds)]))
    start = dict(zip(lists, np.cumsum([0, *map(len, lists)]).tolist(), strict=False))
    states = np.concatenate([cache.states_of(names) for names in lists])

    def index(names: tuple[str, ...]) -> np.ndarray:
        return start[names] + np.arange(len(names))

    return states, [
        {
            "relation_index": index(prompt.names),
            **({"entity_type_index": index(prompt.entity_types)} if finds else {}),
        }
        for prompt in prompts
    ]


def digest_of(parts: Iterable[tuple[str, Any]], settings: object) -> str:
    """The digest of arrays by name, and of settings.

    Args:
        parts: names, and arrays of bytes or anything with a buffer.
        settings: JSON values.
    """
    hashed = hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode())
    for name, values in parts:
        hashed.update(name.encode())
        hashed.update(values)
    return hashed.hexdigest()


__all__ = ["EncodedTypes"]
