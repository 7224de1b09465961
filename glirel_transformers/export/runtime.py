"""A model that was exported to ONNX, run by ONNX Runtime and called as the model itself is, with torch or without."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from transformers.utils import is_torch_available

from glirel_transformers.configuration_glirel import HUB_OPTIONS, GLiRELConfig
from glirel_transformers.encoded_types_glirel import EncodedTypes, encode_in_batches
from glirel_transformers.extras import require_extra
from glirel_transformers.outputs_glirel import GLiRELRelationClassificationOutput
from glirel_transformers.running_glirel import check_vocabulary
from glirel_transformers.tokenization_glirel import GLiRELTokenizer

from .inputs import by_name, check_inputs
from .repository import find_model, find_part, load_config, load_tokenizer
from .running import Graph
from .sessions import (
    LABELS_FILE,
    ONNX_FILE,
    RELATIONS_FILE,
    TYPES_DIGEST,
    Device,
    ProviderOptions,
    check_session_fits,
    find_providers,
    metadata,
    open_session,
)
from .tensors import TYPE_STATES, TYPE_TOKENS

if is_torch_available():
    import torch

if TYPE_CHECKING:
    from onnxruntime import InferenceSession, SessionOptions
    from torch import Tensor


class ORTModelForRelationClassification:
    """Scores entity pairs against relation types as [`GLiRELForRelationClassification`] does, by ONNX Runtime.

    It takes what the tokenizer makes, returns the same output class, and stands in a pipeline for the model that it
    was exported from. The scores are the same within 1e-4 in float32. Tensors of torch give tensors of torch; numpy
    arrays (`return_tensors="np"`) give numpy arrays, for which torch need not be installed, and with
    [`RelationExtractor`] in the pipeline's place nothing needs it.

    A class of its own: Optimum's `ORTModel` is in a package that cannot be installed along with this version of
    transformers, and the base class that Optimum itself has brings nothing to run a session with, but makes Optimum a
    requirement of those who only serve a model. Its names and arguments are those of Optimum's.

    An export of a model with `label_encoding="separate"` has a second graph, which reads relation types apart from
    texts: [`encode_relation_types`] runs it, and so does a call with what the tokenizer makes of them.

    Args:
        session: an `onnxruntime.InferenceSession`.
        config: of the model that was exported.
        tokenizer: the same.
        folder: where the export lies, for [`save_pretrained`].
        labels: the session of the graph that reads relation types, where there is one.

    Raises:
        ValueError: when the two graphs are not of one export.

    [`from_pretrained`] gives an [`ORTModelForJointExtraction`] for an export of a model that finds entities.

    Examples:
        >>> from transformers import pipeline
        >>> model = ORTModelForRelationClassification.from_pretrained("exported")
        >>> extract = pipeline("relation-extraction", model=model, tokenizer=model.tokenizer)  # doctest: +SKIP
    """

    main_input_name = "input_ids"
    input_modalities = output_modalities = ("text",)

    def __init__(
        self,
        session: InferenceSession,
        config: GLiRELConfig,
        tokenizer: GLiRELTokenizer,
        folder: Path | None = None,
        labels: InferenceSession | None = None,
    ):
        self.session = session
        self.labels = labels
        self.config = config
        self.tokenizer = tokenizer
        self.folder = folder
        self.providers: list[str] = session.get_providers()
        self._graph = Graph(session)
        self._inputs = self._graph.inputs
        self.precision = metadata(session, "dtype") or "float32"
        self.device = self._device()
        if labels is not None and metadata(labels, TYPES_DIGEST) != metadata(session, TYPES_DIGEST):
            raise ValueError(
                f"The two graphs of {str(folder or 'this export')!r} were not exported together: what one makes of "
                "relation types, the other cannot read. Copy the whole export again."
            )

    @classmethod
    def from_pretrained(
        cls,
        pretrained_model_name_or_path: str | os.PathLike[str],
        *,
        provider: str | None = None,
        providers: Sequence[str | tuple[str, ProviderOptions]] | None = None,
        provider_options: ProviderOptions | Sequence[ProviderOptions] | None = None,
        session_options: SessionOptions | None = None,
        num_threads: int | None = None,
        **hub_options: object,
    ) -> ORTModelForRelationClassification:
        """Loads the folder that `glirel export` wrote.

        Args:
            pretrained_model_name_or_path: the folder, wherever it has been moved, or a Hub repository with its files.
            provider: what of ONNX Runtime runs the model, such as `"CUDAExecutionProvider"`, followed by the CPU for
                what it does not have. By default the CPU.
            providers: the same as a list, the first one first: names, or names with their options.
            provider_options: of `provider`, or for each of `providers`.
            session_options: an `onnxruntime.SessionOptions`, used as it is.
            num_threads: of the CPU, within an operation. By default `OMP_NUM_THREADS`, or else as many as torch uses,
                or without torch as ONNX Runtime chooses. Not along with `session_options`, where it is called
                `intra_op_num_threads`.
            hub_options: `revision`, `token`, `cache_dir`, `subfolder`, `force_download` or `local_files_only`.

        Raises:
            ValueError: when the folder is not an export, a file in it is missing or damaged, or the provider is not
                there.
            OSError: when there is no such folder or repository.
            ImportError: when ONNX Runtime is not installed.
        """
        require_extra("onnx", "onnxruntime")
        if unknown := sorted(set(hub_options) - set(HUB_OPTIONS)):
            raise TypeError(
                f"from_pretrained of an export does not take {unknown}. Precision and attention were chosen when it "
                "was exported: see `glirel export --help`."
            )
        name = os.fspath(pretrained_model_name_or_path)
        chosen = find_providers(provider, providers, provider_options)
        file = find_model(name, hub_options)
        config = load_config(name, hub_options)
        kind = _class_for(config, cls, name)
        tokenizer = load_tokenizer(name, hub_options)
        check_vocabulary(tokenizer, config, name)
        sessions = {}
        for part, of_part in kind._files(config).items():
            path = file if of_part == ONNX_FILE else find_part(name, of_part, hub_options)
            sessions[part] = open_session(path, chosen, session_options, num_threads)
            check_session_fits(sessions[part], path, config.finds_entities)
        config.name_or_path = name
        return kind(config=config, tokenizer=tokenizer, folder=file.parent.absolute(), **sessions)

    @staticmethod
    def _files(config: GLiRELConfig) -> dict[str, str]:
        """The files of an export, by the arguments that take their sessions."""
        of_types = {"labels": LABELS_FILE} if config.reads_labels_apart else {}
        of_pairs = {"relations": RELATIONS_FILE} if config.finds_entities else {}
        return {"session": ONNX_FILE, **of_types, **of_pairs}

    def __call__(
        self,
        *args: Tensor | np.ndarray | None,
        return_dict: bool | None = None,
        output_hidden_states: bool | None = None,
        output_attentions: bool | None = None,
        **inputs: Tensor | np.ndarray | None,
    ) -> GLiRELRelationClassificationOutput:
        """As [`GLiRELForRelationClassification.forward`], without `labels`; numpy arrays for numpy arrays.

        Raises:
            TypeError: for an input that the model does not have, and for one that is not an array.
            ValueError: for one that is missing or does not fit the others, for states that an export does not give,
                and when the scores are not numbers.
        """
        _check_asked(output_hidden_states, output_attentions)
        named = self._with_states(by_name(args, inputs))
        given: dict[str, Any] = check_inputs(named, self._inputs, self.device, self.config.type_width)
        outputs = self._graph.run(given, self.device)
        self._check_finite(outputs["logits"])
        output = GLiRELRelationClassificationOutput(
            logits=outputs["logits"],
            pair_mask=given["pair_mask"],
            relation_mask=given["relation_mask"],
            coreference_logits=outputs.get("coreference_logits"),
            threshold_logits=outputs.get("threshold_logits"),
            entity_attention=outputs.get("entity_attention"),
        )
        return output.to_tuple() if return_dict is False else output

    forward = __call__

    def encode_relation_types(self, names: Sequence[str], batch_size: int = 64) -> EncodedTypes:
        """As [`GLiRELForRelationClassification.encode_relation_types`], by ONNX Runtime.

        Raises:
            ValueError: when the model reads relation types before each text; when a name is empty or repeated.
        """
        self._labels_session()
        prompt = self.tokenizer.read_prompt(list(names))
        states = encode_in_batches(self._read_types, self.tokenizer, prompt.types or [], self.config, batch_size)
        return EncodedTypes(prompt.names, states, self.types_digest())

    def types_digest(self) -> str:
        """The digest of everything that [`encode_relation_types`] depends on but the names.

        That of the model that was exported, if in float32: what either encoded, both can read. An export in float16
        and a quantized one have their own.
        """
        return metadata(self._labels_session(), TYPES_DIGEST) or ""

    def types_version(self) -> object:
        """The same for good: an export does not change."""
        return self.types_digest()

    def _labels_session(self) -> InferenceSession:
        if self.labels is None:
            raise ValueError(
                "This export has no graph that reads relation types by themselves: its model reads them before each "
                "text. Use one with label_encoding='separate'."
            )
        return self.labels

    def _read_types(self, input_ids: np.ndarray, attention_mask: np.ndarray) -> np.ndarray:
        """States of relation types, `(types, width)`."""
        if not len(input_ids):
            return np.zeros((0, self.config.type_width), dtype=np.float32)
        (states,) = self._labels_session().run(None, dict(zip(TYPE_TOKENS, (input_ids, attention_mask), strict=True)))
        found: np.ndarray = states
        return found

    def _with_states(self, given: dict[str, object]) -> dict[str, object]:
        """Inputs with what the first graph makes of relation types, where their tokens were given."""
        tokens = [given.pop(name, None) for name in TYPE_TOKENS] if TYPE_STATES in self._inputs else [None]
        if all(part is None for part in tokens):
            return given
        if TYPE_STATES in given or any(part is None for part in tokens):
            raise ValueError(
                "Pass either `type_input_ids` with `type_attention_mask`, which the tokenizer makes, or "
                "`type_states`, from encode_relation_types."
            )
        arrays = [part if isinstance(part, np.ndarray) else np.asarray(_on_cpu(part)) for part in tokens]
        shapes = [array.shape for array in arrays]
        if shapes[0] != shapes[1] or len(shapes[0]) != 2:
            raise ValueError(
                "`type_input_ids` and `type_attention_mask` must both have the shape (types, tokens): got "
                f"{shapes[0]} and {shapes[1]}."
            )
        return {**given, TYPE_STATES: self._read_types(*(array.astype(np.int64) for array in arrays))}

    @property
    def name_or_path(self) -> str:
        """What it was loaded from."""
        return str(self.config.name_or_path)

    @property
    def dtype(self) -> torch.dtype:
        """What it was exported in; of quantized exports, what they were made from. Scores are float32 in any case.

        Its name is `precision`.

        Raises:
            ImportError: without torch.
        """
        if not is_torch_available():
            raise ImportError("`dtype` is a type of torch, which is not installed. `precision` is its name.")
        dtype: torch.dtype = getattr(torch, self.precision)
        return dtype

    @property
    def takes_clusters(self) -> bool:
        """Whether an entity may have several mentions."""
        return "mention_entity" in self._inputs

    @property
    def is_optimized(self) -> bool:
        """Always true: it is laid out for its device and stays there, which is what pipelines ask this for."""
        return True

    def to(
        self, device: torch.device | torch.dtype | str | int | None = None, dtype: torch.dtype | None = None
    ) -> ORTModelForRelationClassification:
        """Itself, where it is asked to be what it is already.

        Raises:
            ValueError: for another device or precision, which a session cannot take.
        """
        if is_torch_available() and isinstance(device, torch.dtype):
            device, dtype = None, device
        kind, _, _ = str(device).partition(":")
        if device is not None and kind != str(self.device).partition(":")[0]:
            raise ValueError(
                f"The session runs on {self.device} by {self.providers[0]} and cannot move to {device}. Load it "
                "again with provider='CPUExecutionProvider' or 'CUDAExecutionProvider', and give a pipeline "
                f"device={str(self.device)!r}."
            )
        if dtype is not None and dtype != self.dtype:
            raise ValueError(
                f"The model was exported in {self.dtype} and cannot become {dtype}. Export it again: see `glirel "
                "export --help`."
            )
        return self

    def eval(self) -> ORTModelForRelationClassification:
        """Itself: a session does not train."""
        return self

    def can_generate(self) -> bool:
        """Whether it generates text; it does not."""
        return False

    def save_pretrained(self, save_directory: str | os.PathLike[str], push_to_hub: bool = False, **_: object) -> None:
        """Copies the export's folder.

        Raises:
            ValueError: when the model was made from a session alone, and for `push_to_hub`.
        """
        if push_to_hub:
            raise ValueError(
                "An export is not uploaded by save_pretrained. Use huggingface_hub.upload_folder(folder_path=..., "
                "repo_id=...) on the folder."
            )
        if self.folder is None:
            raise ValueError("The model was made from a session, without a folder. Copy the file of the session.")
        target = Path(save_directory)
        if target.resolve() != self.folder.resolve():
            shutil.copytree(self.folder, target, dirs_exist_ok=True)

    def _device(self) -> Device:
        """Where it takes and gives tensors: a `torch.device`, or `"cpu"` without torch.

        Without CUDA in torch, ONNX Runtime copies what it reads and gives to its own device and back.
        """
        if not is_torch_available():
            return "cpu"
        if self.providers[0] not in ("CUDAExecutionProvider", "TensorrtExecutionProvider"):
            return torch.device("cpu")
        if not torch.cuda.is_available():
            return torch.device("cpu")
        options = self.session.get_provider_options()[self.providers[0]]
        return torch.device("cuda", int(options.get("device_id", 0)))

    def _check_finite(self, logits: np.ndarray | Tensor) -> None:
        finite = np.isfinite(logits) if isinstance(logits, np.ndarray) else torch.isfinite(logits)
        if not finite.all():
            cure = "Export it again." if self.precision == "float32" else "Export it again, in float32."
            raise ValueError(
                f"The scores are NaN or infinite: {self.precision} overflowed, or the export is damaged. {cure}"
            )


def _check_asked(output_hidden_states: bool | None, output_attentions: bool | None) -> None:
    if output_hidden_states or output_attentions:
        raise ValueError("An export gives scores only. For states and attentions, run the checkpoint itself.")


def _class_for(
    config: GLiRELConfig, asked: type[ORTModelForRelationClassification], name: str
) -> type[ORTModelForRelationClassification]:
    """The class of an export with that configuration, which is the one that was asked for, or a kind of it."""
    from .joint import ORTModelForJointExtraction

    kind = ORTModelForJointExtraction if config.finds_entities else ORTModelForRelationClassification
    if not issubclass(kind, asked):
        raise ValueError(
            f"{name!r} is the export of a model that does not find entities. Load it with {kind.__name__}."
        )
    return kind


def _on_cpu(value: object) -> object:
    """A tensor where numpy can read it; anything else as it is."""
    return value.detach().cpu() if is_torch_available() and isinstance(value, torch.Tensor) else value


__all__ = ["ORTModelForRelationClassification"]
