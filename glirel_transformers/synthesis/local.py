"""A text-generation model of 🤗 transformers on this machine, in place of an endpoint."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .clients import Refused
from .limits import Usage
from .prompts import Schema
from .protocols import Message
from .store import Reply


class LocalModel:
    """A causal language model, asked for one text at a time.

    It is told the schema by the prompt alone, and is held to it by nothing.

    Args:
        name: folder or Hub repository.
        device: where it runs; by default an accelerator, if there is one.
        dtype: precision of its weights, such as `bfloat16`; by default that of the checkpoint.
        temperature: 0 for the likeliest answer.
        seed: of the sampling, if there is any.

    Raises:
        OSError: when there is no such model.
    """

    def __init__(
        self,
        name: str,
        device: str | None = None,
        dtype: str | None = None,
        temperature: float = 0.0,
        seed: int | None = None,
    ) -> None:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer

        self.model = name
        self._temperature, self._seed = temperature, seed
        self._tokenizer = AutoTokenizer.from_pretrained(name)
        chosen = device or ("cuda" if torch.cuda.is_available() else "cpu")
        self._network = AutoModelForCausalLM.from_pretrained(name, dtype=dtype or "auto").to(chosen).eval()

    def complete(self, messages: Sequence[Message], schema: Schema, max_tokens: int) -> Reply:
        import torch

        given = self._encode(messages)
        length = given["input_ids"].shape[1]
        longest = getattr(self._network.config, "max_position_embeddings", None)
        if longest is not None and length >= longest:
            raise Refused(f"the prompt has {length} tokens, and the model reads {longest}")
        room = max_tokens if longest is None else min(max_tokens, longest - length)
        if self._seed is not None:
            torch.manual_seed(self._seed)
        sampling: dict[str, Any] = (
            {"do_sample": True, "temperature": self._temperature} if self._temperature else {"do_sample": False}
        )
        end = (
            self._tokenizer.pad_token_id if self._tokenizer.pad_token_id is not None else self._tokenizer.eos_token_id
        )
        with torch.inference_mode():
            made = self._network.generate(**given, max_new_tokens=room, pad_token_id=end, **sampling)[0, length:]
        text = self._tokenizer.decode(made, skip_special_tokens=True)
        ends = self._network.generation_config.eos_token_id
        ends = ends if isinstance(ends, list) else [ends]
        is_done = len(made) < room or int(made[-1]) in ends
        return Reply(text, "stop" if is_done else "length", Usage(length, len(made)))

    def _encode(self, messages: Sequence[Message]) -> dict[str, Any]:
        """The conversation in the model's own form; without one, its texts one after the other."""
        if self._tokenizer.chat_template:
            given = self._tokenizer.apply_chat_template(
                list(messages), add_generation_prompt=True, return_tensors="pt", return_dict=True
            )
        else:
            text = "\n\n".join(message["content"] for message in messages) + "\n\n"
            given = self._tokenizer(text, return_tensors="pt")
        return {name: given[name].to(self._network.device) for name in ("input_ids", "attention_mask")}
