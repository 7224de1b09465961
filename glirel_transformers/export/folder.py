"""The folder of an export: whole, so that it can be moved and loaded anywhere, and written whole or not at all."""

from __future__ import annotations

import copy
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from transformers.dynamic_module_utils import custom_object_save

from glirel_transformers.checkpoints import is_export
from glirel_transformers.hub_glirel import complete_repository, declare_pipeline

if TYPE_CHECKING:
    from glirel_transformers.heads_glirel import GLiRELHead


def find_output(output: str | os.PathLike[str], overwrite: bool) -> Path:
    """The folder to write, as an absolute path, checked before anything is computed.

    Raises:
        OSError: when it cannot be written, is a file, or holds something other than an export or one that is not to be
            overwritten.
    """
    target = Path(output).expanduser().resolve()
    if target.exists() and not target.is_dir():
        raise OSError(f"{target} is a file. Name a folder.")
    try:
        with _folder_next_to(target):
            pass
    except OSError as error:
        raise OSError(f"{target} cannot be written: {error.strerror or error}. Name another folder.") from error
    if not target.is_dir() or not any(target.iterdir()):
        return target
    if not overwrite:
        raise OSError(f"{target} is not empty. Name another folder, or pass --overwrite (overwrite=True).")
    if not is_export(str(target)):
        raise OSError(
            f"{target} holds something other than an export, which is never overwritten. Name another folder, or "
            "remove it."
        )
    return target


@contextmanager
def written_whole(output: Path) -> Iterator[Path]:
    """A folder next to `output` to write into, which takes its place at the end; an error leaves all as it was."""
    with _folder_next_to(output) as parent:
        folder, replaced = parent / output.name, parent / "replaced"
        folder.mkdir()
        yield folder
        if output.is_dir() and not any(output.iterdir()):  # it may be the one that a shell is in
            for file in folder.iterdir():
                os.replace(file, output / file.name)
            return
        if output.exists():
            os.replace(output, replaced)
        try:
            os.replace(folder, output)
        except OSError:
            if replaced.exists():
                os.replace(replaced, output)
            raise


@contextmanager
def _folder_next_to(output: Path) -> Iterator[Path]:
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=f".{output.name}.") as folder:
        yield Path(folder)


def write_sidecars(folder: Path, model: GLiRELHead, dtype: str) -> None:
    """Writes configuration, tokenizer and all code next to the graph; a card that is already there is kept."""
    config = copy.deepcopy(model.config)
    config.name_or_path = ""  # nothing of the checkpoint's folder is needed any more
    config.architectures = [type(model).__name__]
    config.dtype = dtype
    declare_pipeline(config)
    complete_repository(folder, config, model.tokenizer)
    custom_object_save(model, folder, config=config)
    config.save_pretrained(folder)
