"""Sessions of ONNX Runtime: which provider runs them, with which options, and what is wrong where they do not open."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeAlias, TypedDict

from transformers.utils import is_torch_available

from .tensors import INPUT_AXES, STATE_AXES, TYPE_STATES, TYPE_TOKENS

if is_torch_available():
    import torch
if TYPE_CHECKING:
    from onnxruntime import InferenceSession, SessionOptions

Device: TypeAlias = "torch.device | str"  # a string where torch is not installed
ProviderOptions: TypeAlias = Mapping[str, object]

ONNX_FILE = "model.onnx"
LABELS_FILE = "labels.onnx"  # what reads relation types, of a model that reads them apart from texts
TYPES_DIGEST = "types_digest"  # what both files then hold among their metadata
RELATIONS_FILE = "relations.onnx"  # what scores pairs, of a model that finds entities
STATES_DIGEST = "states_digest"  # what `model.onnx` and this file then hold among their metadata
GRAPH_FILES = (LABELS_FILE, ONNX_FILE, RELATIONS_FILE)
CPU, GPU = "CPUExecutionProvider", "CUDAExecutionProvider"


class Provider(NamedTuple):
    """What runs a model, and its options."""

    name: str
    options: dict[str, object]


class ProviderChoice(TypedDict, total=False):
    """What `from_pretrained` of an export is told about its provider."""

    provider: str
    provider_options: ProviderOptions


def find_providers(
    provider: str | None = None,
    providers: Sequence[str | tuple[str, ProviderOptions]] | None = None,
    provider_options: ProviderOptions | Sequence[ProviderOptions] | None = None,
) -> list[Provider]:
    """Checks the providers that were asked for, and adds the CPU to one given alone.

    Raises:
        TypeError: when `providers` is not a list.
        ValueError: when one is not there in this ONNX Runtime, or the options do not fit.
    """
    if provider is not None and providers is not None:
        raise ValueError(
            f"Both `provider` and `providers` are given: {provider!r} and {providers!r}. Pass one of them."
        )
    if isinstance(providers, str):
        raise TypeError(f"`providers` is a list of names: got {providers!r}. Pass it as `provider`.")
    options = [provider_options] if isinstance(provider_options, Mapping) else list(provider_options or [])
    if providers is None:
        chosen = _one_and_the_cpu(provider or CPU, options)
    else:
        chosen = _as_given(providers, options)
    for one in chosen:
        _check_available(one.name)
    return chosen


def _one_and_the_cpu(name: str, options: list[ProviderOptions]) -> list[Provider]:
    """A provider with its options, followed by the CPU for what it does not have."""
    names = [name] if name == CPU else [name, CPU]
    if len(options) > len(names):
        raise _misfit(names, options)
    own: list[ProviderOptions] = [*options, *({} for _ in names[len(options) :])]
    return [Provider(one, dict(its)) for one, its in zip(names, own, strict=True)]


def _as_given(
    providers: Sequence[str | tuple[str, ProviderOptions]], options: list[ProviderOptions]
) -> list[Provider]:
    """Providers as ONNX Runtime takes them: names, or names with their options."""
    named = [Provider(one, {}) if isinstance(one, str) else Provider(one[0], dict(one[1])) for one in providers]
    if not options:
        if not named:
            raise _misfit([], options)
        return named
    if any(one.options for one in named):
        raise ValueError("Options are given twice: in `providers` and as `provider_options`. Leave one out.")
    if len(options) != len(named):
        raise _misfit([one.name for one in named], options)
    return [Provider(one.name, dict(own)) for one, own in zip(named, options, strict=True)]


def _misfit(names: list[str], options: list[ProviderOptions]) -> ValueError:
    if not names:
        return ValueError("`providers` is empty: name at least one provider, such as 'CPUExecutionProvider'.")
    return ValueError(f"`provider_options` must have the options of each provider, {names}: got {options!r}.")


def _check_available(name: str) -> None:
    import onnxruntime

    available = onnxruntime.get_available_providers()
    if name in available:
        return
    close = [own for own in available if name.lower() in own.lower()]
    close = close or difflib.get_close_matches(name, available, 1)
    meant = f" Did you mean {close[0]!r}?" if close else ""
    cure = " For an NVIDIA GPU: pip install onnxruntime-gpu" if "CUDA" in name or "Tensorrt" in name else ""
    raise ValueError(f"This ONNX Runtime has no provider {name!r}. It has {', '.join(available)}.{meant}{cure}")


def provider_for_device(device: str | None) -> ProviderChoice:
    """`provider` and its options for a device as torch names them; without one, a GPU where torch can use it.

    Raises:
        ValueError: for a device for which no provider is known.
    """
    import onnxruntime

    if device is None:
        has_gpu = is_torch_available() and torch.cuda.is_available() and GPU in onnxruntime.get_available_providers()
        return {"provider": GPU if has_gpu else CPU}
    kind, _, number = device.partition(":")
    if kind not in ("cpu", "cuda") or not (number or "0").isdecimal():
        raise ValueError(
            f"An export runs on 'cpu' or 'cuda' here, such as 'cuda:0': got {device!r}. For another provider of ONNX "
            "Runtime, load it with ORTModelForRelationClassification.from_pretrained(..., provider=...)."
        )
    if kind == "cpu":
        return {"provider": CPU}
    return {"provider": GPU, "provider_options": {"device_id": int(number or 0)}}


def open_session(
    file: Path,
    providers: list[Provider],
    session_options: SessionOptions | None = None,
    num_threads: int | None = None,
) -> InferenceSession:
    """Opens a file as an `onnxruntime.InferenceSession`.

    Args:
        file: the ONNX model.
        providers: what runs it, the first one first.
        session_options, num_threads: as [`ORTModelForRelationClassification.from_pretrained`] takes them.

    Raises:
        ValueError: when it is not an ONNX model, is damaged, or the first provider did not start.
    """
    import onnxruntime

    if num_threads is not None and num_threads < 0:
        raise ValueError(f"`num_threads` must be at least 1, or 0 for ONNX Runtime's own choice: got {num_threads}.")
    if session_options is None:
        session_options = onnxruntime.SessionOptions()
        session_options.intra_op_num_threads = _default_threads() if num_threads is None else num_threads
        # All axes are open, so that shapes seldom come again, and what a shape needed is of no use to the next.
        session_options.enable_mem_pattern = False
        session_options.log_severity_level = 3  # what the optimizer could not do does not concern a user
    elif num_threads is not None:
        raise ValueError(
            f"`num_threads` = {num_threads} is given along with `session_options`, where it is called "
            "intra_op_num_threads. Set it there."
        )
    elif not isinstance(session_options, onnxruntime.SessionOptions):
        raise TypeError(
            f"`session_options` must be onnxruntime.SessionOptions: got a {type(session_options).__name__}."
        )
    try:
        session = onnxruntime.InferenceSession(
            str(file),
            session_options,
            providers=[provider.name for provider in providers],
            provider_options=[provider.options for provider in providers],
        )
    except Exception as error:  # ONNX Runtime's errors have no base class but this one
        raise ValueError(
            f"{str(file)!r} cannot be loaded: {_first_line(error)} It is damaged, or the pointer to a large file that "
            "was not fetched; or its weights, which large exports keep in a file next to it, are missing. Copy the "
            "whole export again, or export it again: glirel export CHECKPOINT NEW_FOLDER"
        ) from error
    if session.get_providers()[0] != providers[0].name:
        raise ValueError(
            f"{providers[0].name} did not start, and ONNX Runtime took {session.get_providers()[0]} in its place. "
            "Install the libraries that it needs, or choose that one."
        )
    return session


def check_session_fits(session: InferenceSession, file: Path, finds_entities: bool = False) -> None:
    """Checks that a file is an export of this package, rather than another model.

    Args:
        session: of the file.
        file: by its name it is known which graph it should hold.
        finds_entities: whether the model finds entities, by its configuration.

    Raises:
        ValueError: when it is not.
    """
    inputs = [argument.name for argument in session.get_inputs()]
    outputs = [argument.name for argument in session.get_outputs()]
    strange = [name for name in inputs if name not in INPUT_AXES]
    if file.name == LABELS_FILE:
        fits = outputs == [TYPE_STATES] and inputs == list(TYPE_TOKENS)
    elif file.name == RELATIONS_FILE or not finds_entities:
        fits = "logits" in outputs and "pair_index" in inputs
        fits = fits and (file.name == RELATIONS_FILE) == bool(set(inputs) & set(STATE_AXES))
    else:
        fits = "entity_logits" in outputs
    if strange or not fits:
        raise ValueError(
            f"{str(file)!r} is an ONNX model, but not an export of this package: it takes {inputs} and gives "
            f"{outputs}. Make one: glirel export CHECKPOINT NEW_FOLDER"
        )


def metadata(session: InferenceSession, name: str) -> str | None:
    """What a file says of itself under a name, if anything."""
    found: str | None = session.get_modelmeta().custom_metadata_map.get(name)
    return found


def _default_threads() -> int:
    """As many as torch uses; without torch `OMP_NUM_THREADS`, which torch reads as well, or 0: the choice is left."""
    if is_torch_available():
        return torch.get_num_threads()
    number = os.environ.get("OMP_NUM_THREADS", "")
    return int(number) if number.isdecimal() else 0


def _first_line(error: Exception) -> str:
    text = str(error).strip().splitlines()
    line = text[0] if text else type(error).__name__
    return line if line.endswith(".") else f"{line}."


__all__ = [
    "CPU",
    "GPU",
    "GRAPH_FILES",
    "LABELS_FILE",
    "ONNX_FILE",
    "RELATIONS_FILE",
    "STATES_DIGEST",
    "TYPES_DIGEST",
    "Provider",
    "check_session_fits",
    "find_providers",
    "metadata",
    "open_session",
    "provider_for_device",
]
