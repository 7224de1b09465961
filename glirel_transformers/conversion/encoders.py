"""The encoder of another package's checkpoint: where it is, its configuration, and its tokenizer as read there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tokenizers import AddedToken, processors
from transformers import CONFIG_MAPPING, AutoConfig, AutoTokenizer, PreTrainedConfig, PreTrainedTokenizerFast

from glirel_transformers.configuration_glirel import GLiRELConfig

from .checkpoints import find_optional
from .sentencepiece import deberta_backend

# Without any of these, transformers makes up an empty vocabulary.
_VOCABULARIES = ("vocab.txt", "vocab.json", "sentencepiece.bpe.model", "spiece.model", "tokenizer.model")
_SPECIAL_TOKENS = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")
_TOKEN_FIELDS = ("content", "single_word", "lstrip", "rstrip", "normalized", "special")
_OF_DEBERTA = {"bos": "[CLS]", "eos": "[SEP]", "unk": "[UNK]", "sep": "[SEP]", "pad": "[PAD]", "cls": "[CLS]", "mask": "[MASK]"}  # fmt: skip  # noqa: E501


@dataclass(frozen=True)
class EncoderSource:
    """Where a checkpoint names an encoder, for errors.

    Args:
        config_name: the configuration file.
        setting: its key there.
        option: the option of `glirel convert` that names another one.
    """

    config_name: str
    setting: str
    option: str


def find_encoder(name: object, given: str | None, checkpoint: str, place: EncoderSource) -> str:
    """The folder or Hub repository of the encoder.

    A relative `name` is looked for in the working directory, in the checkpoint's folder and next to that, and is
    otherwise a Hub repository.

    Args:
        name: what the checkpoint says.
        given: what the user says, which takes precedence.
        checkpoint: the folder of the checkpoint, or its Hub repository.
        place: where the checkpoint says it.

    Raises:
        ValueError: when neither names an encoder.
    """
    if given is not None:
        if not Path(given).is_dir() and (Path(given).is_absolute() or given.startswith((".", "~"))):
            raise ValueError(f"There is no folder {given!r}. Name the encoder's folder or its Hub repository.")
        return given
    if not isinstance(name, str) or not name:
        raise ValueError(
            f"{place.config_name} does not name the encoder: its `{place.setting}` is {name!r}. Name it with "
            f"`{place.option}`, a folder or a Hub repository."
        )
    for folder in (Path(), Path(checkpoint), Path(checkpoint).resolve().parent):
        if (folder / name).is_dir():
            return str(folder / name)
    return name


def read_encoder_config(encoder: str) -> PreTrainedConfig:
    """The encoder's configuration, in a form that refers to nothing outside.

    Raises:
        ValueError: when it cannot be read.
    """
    try:
        config = AutoConfig.from_pretrained(encoder)
    except (OSError, ValueError, KeyError) as error:
        raise _unreadable(encoder, "configuration", error) from error
    if not hasattr(config, "hidden_size") or config.model_type == "glirel":
        raise ValueError(
            f"{encoder!r} is not an encoder: its configuration is that of a {config.model_type!r} model. Name the "
            "encoder that the checkpoint was trained with (`--encoder`)."
        )
    config.name_or_path = ""
    return config


# What transformers 4 wrote into the configuration of every model, and no encoder reads.
_OF_EVERY_MODEL = frozenset(
    """
    _attn_implementation_autoset _name_or_path add_cross_attention architectures bad_words_ids begin_suppress_tokens
    chunk_size_feed_forward cross_attention_hidden_size decoder_start_token_id diversity_penalty do_sample dtype
    early_stopping encoder_no_repeat_ngram_size exponential_decay_length_penalty finetuning_task forced_bos_token_id
    forced_eos_token_id id2label is_decoder is_encoder_decoder label2id length_penalty max_length min_length
    no_repeat_ngram_size num_beam_groups num_beams num_return_sequences output_attentions output_hidden_states
    output_scores prefix problem_type pruned_heads remove_invalid_values repetition_penalty return_dict
    return_dict_in_generate suppress_tokens task_specific_params temperature tf_legacy_loss tie_encoder_decoder
    tie_word_embeddings tokenizer_class top_k top_p torch_dtype torchscript transformers_version typical_p use_bfloat16
    """.split()  # noqa: SIM905
)


def encoder_config_from(content: Mapping[str, Any], place: EncoderSource) -> PreTrainedConfig:
    """The configuration of an encoder that a checkpoint holds as a dictionary.

    Raises:
        ValueError: when transformers does not know the type of the encoder.
    """
    settings = {name: value for name, value in content.items() if name not in _OF_EVERY_MODEL}
    model_type = settings.pop("model_type", None)
    if not isinstance(model_type, str) or model_type not in CONFIG_MAPPING or model_type == GLiRELConfig.model_type:
        raise ValueError(
            f"`{place.setting}` in {place.config_name} is of the type {model_type!r}, which is not an encoder of "
            "transformers. Encoders with code of their own cannot be converted."
        )
    return AutoConfig.for_model(model_type, **settings)


def read_tokenizer(encoder: str) -> PreTrainedTokenizerFast:
    """The encoder's fast tokenizer, which gives the same tokens as under transformers 4, where the original runs.

    It is taken from `tokenizer.json`; without one, from `spm.model` or from whatever `AutoTokenizer` reads.

    Raises:
        ValueError: when there is none.
    """
    settings = _read_json(encoder, "tokenizer_config.json")
    try:
        if find_optional(encoder, "tokenizer.json"):
            return _from_json(encoder, settings)
        if model := find_optional(encoder, "spm.model"):
            return _from_sentencepiece(model, settings, _read_json(encoder, "added_tokens.json"))
        if not any(find_optional(encoder, name) for name in _VOCABULARIES):
            raise FileNotFoundError("there is neither a tokenizer.json nor another vocabulary.")
        tokenizer = AutoTokenizer.from_pretrained(encoder)
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise _unreadable(encoder, "tokenizer", error) from error
    if not isinstance(tokenizer, PreTrainedTokenizerFast):
        raise ValueError(
            f"{encoder!r} has no fast tokenizer: got {type(tokenizer).__name__}. Add a tokenizer.json to its folder."
        )
    return tokenizer


def _from_json(encoder: str, settings: dict[str, Any]) -> PreTrainedTokenizerFast:
    named = AutoTokenizer.from_pretrained(encoder)  # knows the special tokens, but may build another backend
    tokens = {name: getattr(named, name) for name in _SPECIAL_TOKENS if getattr(named, name, None) is not None}
    tokenizer = PreTrainedTokenizerFast.from_pretrained(encoder, **tokens)
    backend = tokenizer.backend_tokenizer
    # What transformers 4 changed in a loaded backend, so that it agrees with tokenizer_config.json.
    state = json.loads(backend.to_str())
    normalizer, pre_tokenizer = state["normalizer"] or {}, state["pre_tokenizer"] or {}
    if normalizer.get("type") == "BertNormalizer" and "PreTrained" not in settings.get("tokenizer_class", ""):
        normalizer["lowercase"] = settings.get("do_lower_case", True)
        normalizer["strip_accents"] = settings.get("strip_accents")
        normalizer["handle_chinese_chars"] = settings.get("tokenize_chinese_chars", True)
    if "add_prefix_space" in pre_tokenizer:
        pre_tokenizer["add_prefix_space"] = settings.get("add_prefix_space", False)
    return PreTrainedTokenizerFast(
        tokenizer_object=type(backend).from_str(json.dumps(state)),
        model_max_length=tokenizer.model_max_length,
        **tokens,
    )


def _from_sentencepiece(
    model: Path, settings: dict[str, Any], added_tokens: dict[str, Any]
) -> PreTrainedTokenizerFast:
    backend = deberta_backend(
        model,
        lowercase=bool(settings.get("do_lower_case", False)),
        split_by_punctuation=bool(settings.get("split_by_punct", False)),
    )
    tokens = {f"{name}_token": _content(settings.get(f"{name}_token", token)) for name, token in _OF_DEBERTA.items()}
    for token in _added_tokens(settings, added_tokens):
        if backend.token_to_id(token["content"]) is None:
            token["special"] = token.get("special", False) or token["content"] in tokens.values()
            backend.add_tokens([AddedToken(**{key: token[key] for key in _TOKEN_FIELDS if key in token})])
    backend.add_special_tokens([token for token in dict.fromkeys(tokens.values()) if token is not None])
    cls_token, sep_token = str(tokens["cls_token"]), str(tokens["sep_token"])
    backend.post_processor = processors.TemplateProcessing(
        single=f"{cls_token}:0 $A:0 {sep_token}:0",
        pair=f"{cls_token}:0 $A:0 {sep_token}:0 $B:1 {sep_token}:1",
        special_tokens=[(token, backend.token_to_id(token)) for token in dict.fromkeys((cls_token, sep_token))],
    )
    return PreTrainedTokenizerFast(tokenizer_object=backend, **tokens)


def _added_tokens(settings: dict[str, Any], added_tokens: dict[str, int]) -> list[dict[str, Any]]:
    """What a tokenizer has in addition to its model, in the order of the numbers."""
    added = {int(place): dict(token) for place, token in settings.get("added_tokens_decoder", {}).items()}
    added |= {place: {"content": token} for token, place in added_tokens.items() if place not in added}
    return [token for _, token in sorted(added.items())]


def _content(token: Mapping[str, str] | str | None) -> str | None:
    """The text of a special token, which files give as it is or with how it is matched."""
    return token["content"] if isinstance(token, Mapping) else token


def _read_json(encoder: str, name: str) -> dict[str, Any]:
    file = find_optional(encoder, name)
    return dict(json.loads(file.read_text(encoding="utf-8"))) if file else {}


def _unreadable(encoder: str, what: str, error: Exception) -> ValueError:
    reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return ValueError(
        f"The {what} of the encoder {encoder!r} cannot be read: {reason} Name the folder or the Hub repository of the "
        "encoder that the checkpoint was trained with (`--encoder`)."
    )


def reads_any_length(encoder: torch.nn.Module) -> bool:
    """Whether the encoder has no table of positions, so that it reads an input of any length."""
    return not any(
        isinstance(module, torch.nn.Embedding) and name.endswith("position_embeddings")
        for name, module in encoder.named_modules()
    )
