"""Which model was run, and on which machine."""

from __future__ import annotations

import hashlib
import platform
from pathlib import Path

import torch

from glirel_transformers.running_glirel import ScoresPairs
from glirel_transformers.tokenization_glirel import SHARED_SETTINGS, GLiRELTokenizer


def model_digest(model: ScoresPairs, tokenizer: GLiRELTokenizer) -> bytes:
    """A digest of a model's configuration, weights and tokenizer: 32 bytes.

    Args:
        model: of torch, or an export, of which the files are read.
        tokenizer: its own.

    Raises:
        TypeError: when its weights cannot be found.
    """
    digest = hashlib.blake2b(digest_size=32)
    digest.update(model.config.to_json_string().encode())
    digest.update(tokenizer.backend_tokenizer.to_str().encode())
    limits = [tokenizer.model_max_length, *(getattr(tokenizer, name) for name in SHARED_SETTINGS)]
    digest.update(repr(list(map(str, limits))).encode())
    if isinstance(model, torch.nn.Module):
        for name, tensor in model.state_dict().items():
            digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
            digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
        return digest.digest()
    folder = getattr(model, "folder", None)
    if folder is None:
        raise TypeError(f"The weights of a {type(model).__name__} cannot be told. Give `digest`.")
    for file in sorted(Path(folder).glob("*.onnx*")):
        digest.update(file.name.encode())
        with file.open("rb") as opened:
            while block := opened.read(1 << 20):
                digest.update(block)
    return digest.digest()


def machine_name(device: object = "cpu") -> str:
    """What a device is called: the accelerator, or the processor with the number of threads in use."""
    where = torch.device(str(device)) if str(device) != "cpu" else None
    if where is not None and where.type == "cuda" and torch.cuda.is_available():
        return torch.cuda.get_device_name(where)
    if where is not None:
        return f"{where.type} of {platform.node() or 'this machine'}"
    return f"{_processor()}, {torch.get_num_threads()} threads"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
