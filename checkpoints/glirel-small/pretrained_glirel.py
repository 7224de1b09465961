"""What every GLiREL model can do: start, load, save, and be laid out for inference.

A saved folder is whole: it holds the tokenizer and all code along with the weights.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers import initialization as init
from transformers.utils import cached_file, logging

from .attended_glirel import Places, ZeroLinear
from .card_glirel import checkpoint_card, write_card
from .configuration_glirel import HUB_OPTIONS, GLiRELConfig
from .hub_glirel import complete_repository, declare_pipeline
from .inference_glirel import prepare_for_inference
from .mentions_glirel import listed
from .prompts_glirel import check_limit
from .running_glirel import check_vocabulary
from .scoring_glirel import DotNormScorer
from .tokenization_glirel import GLiRELTokenizer

logger = logging.get_logger(__name__)

Model = TypeVar("Model", bound="GLiRELPreTrainedModel")


class GLiRELPreTrainedModel(PreTrainedModel):
    """Initial weights, loading and saving. A saved folder is whole: it holds the tokenizer and all code as well."""

    config_class = GLiRELConfig
    base_model_prefix = "glirel"
    main_input_name = "input_ids"
    supports_gradient_checkpointing = True
    # Attention backends are the encoder's business: it refuses what it does not have.
    _supports_sdpa = True
    _supports_flash_attn = True
    _supports_flex_attn = True
    _supports_attention_backend = True

    _was_optimized = False  # by `optimize_for_inference`
    tokenizer: GLiRELTokenizer | None = None  # saved with the model; attached by `from_encoder`, `from_pretrained`

    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, ZeroLinear):
            init.zeros_(module.weight)
        elif isinstance(module, Places):
            module.initialize()
        elif isinstance(module, nn.Linear):
            bound = module.in_features**-0.5
            init.uniform_(module.weight, -bound, bound)
            if module.bias is not None:
                init.zeros_(module.bias)
        elif isinstance(module, nn.LSTM):
            for parameter in module.parameters(recurse=False):
                bound = module.hidden_size**-0.5
                init.uniform_(parameter, -bound, bound)
        elif isinstance(module, nn.LayerNorm):
            init.ones_(module.weight)
            init.zeros_(module.bias)
        elif isinstance(module, DotNormScorer):
            init.zeros_(module.bias)
        elif isinstance(module, nn.Embedding):  # rows for new tokens; the encoder initialises its own
            init.normal_(module.weight, std=getattr(self.config.encoder_config, "initializer_range", 0.02))

    @classmethod
    def from_pretrained(
        cls: type[Model], pretrained_model_name_or_path: str | os.PathLike[str] | None, *args: object, **kwargs: object
    ) -> Model:
        """As [`PreTrainedModel.from_pretrained`]; attaches the checkpoint's tokenizer as `model.tokenizer`.

        Raises:
            OSError: when there is no such folder or repository, or it has no weights.
            ValueError: when the weights are not those of the configuration (some are missing, left over or of another
                shape), or when it is an ONNX export. `ignore_mismatched_sizes=True` admits other shapes.
        """
        name = pretrained_model_name_or_path
        folder = None if name is None else Path(name, str(kwargs.get("subfolder") or ""))
        if folder is not None and kwargs.get("config") is None:
            _check_folder(folder)
        options = {option: kwargs[option] for option in HUB_OPTIONS if option in kwargs}
        wants_info, admits_shapes = (
            bool(kwargs.pop(option, False)) for option in ("output_loading_info", "ignore_mismatched_sizes")
        )
        with _naming_damaged_files(folder):
            model, info = super().from_pretrained(
                name, *args, output_loading_info=True, ignore_mismatched_sizes=True, **kwargs
            )
            _check_loaded(info, name, admits_shapes)
            model.tokenizer = None if name is None else _load_tokenizer(name, options)
            if model.tokenizer is not None:
                check_vocabulary(model.tokenizer, model.config, name)
        if getattr(model, "coreference", None) is not None:
            model.coreference.requires_grad_(False)  # loading makes every parameter trainable
        return (model, info) if wants_info else model  # type: ignore[return-value]  # as transformers does

    def optimize_for_inference(self: Model, dtype: torch.dtype | None = None) -> Model:
        """Lays the weights out for inference, in place and for good.

        On a CPU, weights are packed into oneDNN's layout, and activations are applied while products are written.
        DeBERTa's queries, keys and values become one product, its projected relative positions are kept, and its last
        layer leaves out tokens that are not pooled. In the same precision, scores stay the same within rounding.

        Args:
            dtype: the precision to compute in; by default the present one. `torch.bfloat16` is two to four times as
                fast as `torch.float32` on processors with AMX or AVX512-BF16, and changes probabilities by up to a few
                hundredths.

        Returns:
            The model itself, which can be neither trained, saved, moved nor compiled any more.

        Raises:
            ValueError: when it is optimized already, or has adapters that are not merged.

        Examples:
            >>> model = GLiRELForRelationClassification.from_pretrained("checkpoints/glirel-mini")
            >>> model = model.optimize_for_inference()
        """
        if self.is_optimized:
            raise ValueError("The model is optimized already. Load it again to choose another precision.")
        self.eval().requires_grad_(False)
        if dtype is not None:
            self.to(dtype)
        self._keep_before_packing()
        with torch.no_grad():
            is_packed = prepare_for_inference(self, kept=self._folded_layers)
        if not is_packed:
            logger.warning(
                "This device, processor or build of torch packs no weights in %s; everything else is done.", self.dtype
            )
        for module in self.modules():
            if isinstance(module, GLiRELPreTrainedModel):
                module._was_optimized = True
        return self

    @property
    def is_optimized(self) -> bool:
        """Whether this model, or a model in it, was optimized for inference."""
        return any(getattr(module, "_was_optimized", False) for module in self.modules())

    def _keep_before_packing(self) -> None:
        """Keeps what packed weights no longer tell."""

    @property
    def _folded_layers(self) -> set[nn.Module]:
        """Layers whose weights are read as they are, to be folded into something else."""
        return set()

    def _apply(self: Model, fn: Callable[[Tensor], Tensor], *args: object, **kwargs: object) -> Model:
        if self.is_optimized:
            parameter = next(self.parameters())
            moved = fn(torch.empty(0, dtype=parameter.dtype, device=parameter.device))
            if (moved.dtype, moved.device.type) != (parameter.dtype, parameter.device.type):
                raise ValueError(
                    f"The model is optimized for {parameter.device.type} in {parameter.dtype} and cannot become "
                    f"{moved.dtype} on {moved.device.type}. Give a pipeline device={parameter.device.type!r}; or load "
                    "the model again, move it, and optimize it then."
                )
        super()._apply(fn, *args, **kwargs)
        return self

    def train(self: Model, mode: bool = True) -> Model:
        """As [`nn.Module.train`]; an optimized model cannot be trained."""
        if mode and self.is_optimized:
            raise ValueError("An optimized model cannot be trained. Load it again without optimize_for_inference.")
        super().train(mode)
        return self

    def state_dict(self, *args: object, **kwargs: object) -> dict[str, Any]:
        """As [`nn.Module.state_dict`]; an optimized model has none, as packed weights are not in it.

        Raises:
            ValueError: when the model has been optimized for inference.
        """
        if self.is_optimized:
            raise ValueError(
                "An optimized model has no state dictionary: its packed weights would be missing from it. Take it "
                "before optimize_for_inference, or load the model again."
            )
        state: dict[str, Any] = super().state_dict(*args, **kwargs)
        return state

    def __getstate__(self) -> dict[str, Any]:
        """What pickling and copying keep; an optimized model has packed weights, which neither can read.

        Raises:
            ValueError: when the model has been optimized for inference.
        """
        if self.is_optimized:
            raise ValueError(
                "An optimized model cannot be pickled or copied. Do so before optimize_for_inference, or load another."
            )
        return self.__dict__

    def save_pretrained(self, save_directory: str | os.PathLike[str], *args: object, **kwargs: object) -> None:
        """As [`PreTrainedModel.save_pretrained`], and writes the tokenizer, all code and a model card next to it.

        Raises:
            ValueError: when the model has been optimized for inference.
        """
        if self.is_optimized:
            raise ValueError("An optimized model cannot be saved. Save it before optimize_for_inference.")
        declare_pipeline(self.config)
        push_to_hub = kwargs.pop("push_to_hub", False)
        is_main_process = kwargs.get("is_main_process", True)
        if is_main_process:
            complete_repository(save_directory, self.config, self.tokenizer)
        super().save_pretrained(save_directory, *args, push_to_hub=push_to_hub, **kwargs)

    def _upload_modified_files(
        self, working_dir: str | os.PathLike[str], repo_id: str, files_timestamps: dict[str, float], **kwargs: object
    ) -> object:
        """Uploads the whole folder: transformers takes files that it did not write itself for unchanged ones.

        It has also put an empty template in the place of the model card.
        """
        write_card(working_dir, checkpoint_card(repo_id, self.config))
        return super()._upload_modified_files(working_dir, repo_id, files_timestamps={}, **kwargs)


def _check_folder(folder: Path) -> None:
    """Checks a folder before it is loaded: without a configuration, transformers would take the default's."""
    if not folder.is_dir():
        return
    has_weights = any(folder.glob("*.safetensors")) or any(folder.glob("*.bin"))
    if not has_weights and (folder / "model.onnx").is_file():
        raise ValueError(
            f"{str(folder)!r} is an ONNX export. Load it with ORTModelForRelationClassification.from_pretrained of "
            "glirel_transformers.export, or with RelationExtractor."
        )
    if not any((folder / name).is_file() for name in ("config.json", "adapter_config.json")):
        raise OSError(
            f"{str(folder)!r} has no config.json, so it is not a checkpoint. Name the folder that `save_pretrained` "
            "wrote."
        )


@contextmanager
def _naming_damaged_files(folder: Path | None) -> Iterator[None]:
    """Within it, an error that a damaged file of a checkpoint causes names the file, which transformers' do not."""
    try:
        yield
    except Exception:
        if folder is not None:
            _check_json(folder)
        raise


def _check_json(folder: Path) -> None:
    """Raises a `ValueError` that names the first file of a checkpoint that is not a JSON object."""
    for file in (folder / name for name in ("config.json", "tokenizer_config.json", "tokenizer.json")):
        if not file.is_file():
            continue
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{file} is not JSON ({str(error)[:80]}). Copy the checkpoint again.") from None
        if not isinstance(content, dict):
            raise ValueError(
                f"{file} must hold a JSON object: got a {type(content).__name__}. Copy the checkpoint again."
            )


def _load_tokenizer(name: str | os.PathLike[str], options: Mapping[str, object]) -> GLiRELTokenizer | None:
    """The tokenizer that came with a checkpoint, if any."""
    found = cached_file(
        name,
        "tokenizer.json",
        _raise_exceptions_for_missing_entries=False,
        _raise_exceptions_for_connection_errors=False,
        **options,
    )
    if found is None:
        return None
    tokenizer: GLiRELTokenizer = GLiRELTokenizer.from_pretrained(name, **options)
    check_limit(tokenizer.model_max_length, f"tokenizer_config.json of {str(name)!r}")
    return tokenizer


def _check_loaded(
    info: Mapping[str, Iterable[Any]], name: str | os.PathLike[str] | None, admits_other_shapes: bool = False
) -> None:
    """Checks that a checkpoint had every weight and nothing else: what is missing was filled with random numbers."""
    shapes = [f"{key} {tuple(old)} for {tuple(new)}" for key, old, new in info["mismatched_keys"]]
    wrong = {
        "missing": sorted(info["missing_keys"]),
        "left over": sorted(info["unexpected_keys"]),
        "of another shape": [] if admits_other_shapes else shapes,
    }
    if found := [f"{len(names)} {kind} ({listed(names)})" for kind, names in wrong.items() if names]:
        raise ValueError(
            f"The weights of {str(name)!r} are not those that its config.json describes: {'; '.join(found)}. Copy the "
            "whole checkpoint again, or use the version that saved it."
        )


__all__ = ["GLiRELPreTrainedModel"]
