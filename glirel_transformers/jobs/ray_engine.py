"""The same chunks over Ray Data: several processes, on one machine or many, each with a model of its own.

Ray moves descriptions of chunks (which bytes of which files), not texts: workers read the files themselves, so every
worker must find them under the same names. Results come back in order, and the caller writes them, so that the output
is that of a run in one process. A worker that dies is restarted and its unfinished work is repeated: these are Ray
Data's own defaults.
"""

from __future__ import annotations

import logging
import os
import pickle
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from types import ModuleType
from typing import Any

from glirel_transformers.extras import require_extra

from .choices import Kind
from .run import Engine
from .sources import Chunk, Item, Source, read_lines, read_rows, read_whole
from .worker import ChunkResult, ExtractionSettings, Extractor

_MAX_BLOCKS = 10_000  # that Ray keeps track of; with more chunks, a block holds several


@dataclass(frozen=True)
class FilePart:
    """Items of one file, as a worker finds them again.

    Args:
        path: the file.
        kind: how it is read.
        offset: the first item's first byte.
        line: the first item's line, or its row in a table.
        num_bytes: how many bytes there are from the first item's beginning to the last one's end.
        text_column: the column of a table that holds the texts.
    """

    path: str
    kind: Kind
    offset: int
    line: int
    num_bytes: int
    text_column: str | None = None

    def read(self) -> Iterator[Item]:
        """The items."""
        source = Source(self.kind, Path(self.path), text_column=self.text_column)
        with source.open() as file:
            if self.kind == "text":
                yield read_whole(source, file)
            elif self.kind == "table":
                yield from read_rows(source, file, self.offset, self.line, self.num_bytes)
            else:
                file.seek(self.offset)
                yield from read_lines(source, file, self.offset, self.line, self.num_bytes)


def ray_engine(settings: ExtractionSettings, num_workers: int) -> Engine:
    """Runs in `num_workers` processes, on the cluster that `$RAY_ADDRESS` names, else on this machine.

    Args:
        settings: what is asked of every text.
        num_workers: how many processes, each of which loads the model.

    Raises:
        ImportError: without Ray.
        ValueError: when the cluster is too small, or a source is not a file (both when the engine runs).
    """
    _import_ray()
    return lambda chunks: _work(chunks, settings, num_workers)


def parts_of(chunk: Chunk) -> list[FilePart]:
    """Where a chunk's items are."""
    parts = []
    for (source, kind), group in groupby(chunk.items, key=lambda item: (item.source, item.kind)):
        items = list(group)
        first, last = items[0], items[-1]
        if source is None or source == "-" or kind == "documents":
            raise ValueError(
                "--engine ray reads files, which its workers read themselves: got "
                f"{'documents' if kind == 'documents' else 'a text'}. Leave --engine ray out."
            )
        num_bytes = last.offset + last.num_bytes - first.offset
        text_column = None if first.header is None else first.header.text_column
        parts.append(FilePart(source, kind, first.offset, first.line or 1, num_bytes, text_column))
    return parts


class _Worker:
    """A process of Ray's: it loads the model once, and processes chunks.

    An error that the user can fix is returned like a result, and raised by the caller: Ray would report its internals
    instead.
    """

    def __init__(self, settings: ExtractionSettings):
        try:
            self.extract: Extractor | Exception = Extractor(settings)
        except (ValueError, TypeError, OSError, ImportError) as error:
            self.extract = _without_cause(error)

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[bytes]]:
        return {"result": [pickle.dumps(self._work(pickle.loads(parts))) for parts in batch["parts"]]}

    def _work(self, parts: list[FilePart]) -> ChunkResult | Exception:
        if isinstance(self.extract, Exception):
            return self.extract
        try:
            return self.extract([item for part in parts for item in part.read()])
        except (ValueError, TypeError, OSError) as error:
            return _without_cause(error)


def _without_cause(error: Exception) -> Exception:
    """An error of the same kind with the same message, which can be sent to another process."""
    kinds = (ImportError, OSError, TypeError, ValueError)
    return next(kind for kind in kinds if isinstance(error, kind))(str(error))


def _work(
    chunks: Iterable[Chunk], settings: ExtractionSettings, num_workers: int
) -> Iterator[tuple[Chunk, ChunkResult]]:
    ray = _import_ray()
    rows: list[dict[str, bytes]] = []
    done: list[Chunk] = []  # without their items: only where each ends is known here
    for chunk in chunks:
        rows.append({"parts": pickle.dumps(parts_of(chunk))})
        done.append(replace(chunk, items=[]))
    if not rows:
        return
    with _cluster(ray, num_workers) as resources:
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        context.print_on_execution_start = False
        context.execution_options.preserve_order = True
        dataset = ray.data.from_items(rows, override_num_blocks=min(len(rows), _MAX_BLOCKS)).map_batches(
            _Worker,
            batch_size=1,
            batch_format="numpy",
            fn_constructor_args=(settings,),
            compute=ray.data.ActorPoolStrategy(size=num_workers),
            **_share(resources, settings.device, num_workers),
        )
        try:
            for chunk, row in zip(done, dataset.iter_rows(), strict=True):
                result = pickle.loads(row["result"])
                if isinstance(result, Exception):
                    raise result
                yield chunk, result
        except ray.exceptions.RayError as error:
            cause = getattr(error, "cause", None) or error
            raise ValueError(f"A worker failed: {str(cause).strip().splitlines()[-1]}") from error


def _share(resources: dict[str, float], device: str | None, num_workers: int) -> dict[str, float]:
    """The part of the cluster that one worker takes."""
    num_cpus = int(resources.get("CPU", 0) // num_workers)
    if num_cpus < 1:
        raise ValueError(f"The cluster has {resources.get('CPU', 0):.0f} CPUs, too few for {num_workers} --workers.")
    wants_gpu = device is None or device.startswith("cuda")
    has_gpus = resources.get("GPU", 0) >= num_workers
    if device is not None and wants_gpu and not has_gpus:
        raise ValueError(f"The cluster has {resources.get('GPU', 0):.0f} GPUs, too few for {num_workers} --workers.")
    return {"num_cpus": num_cpus, "num_gpus": int(wants_gpu and has_gpus)}


@contextmanager
def _cluster(ray: ModuleType, num_workers: int) -> Iterator[dict[str, float]]:
    """The resources of the cluster in use, else of one on this machine for as long as it is needed."""
    if ray.is_initialized():
        yield ray.cluster_resources()
        return
    address = os.environ.get("RAY_ADDRESS", "local")
    of_this_machine: dict[str, object] = {
        "include_dashboard": False,
        "num_cpus": max(os.cpu_count() or 1, num_workers),
    }
    ray.init(
        address=address,
        log_to_driver=False,
        logging_level=logging.ERROR,
        **(of_this_machine if address == "local" else {}),
    )
    try:
        yield ray.cluster_resources()
    finally:
        ray.shutdown()


def _import_ray() -> ModuleType:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent anywhere
    # What it prints is about its internals; errors arrive as exceptions.
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    require_extra("ray", "ray")
    import ray
    import ray.data

    logging.getLogger("ray.data").setLevel(logging.ERROR)
    return ray
