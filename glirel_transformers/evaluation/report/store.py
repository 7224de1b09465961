"""Scores that are kept as they come, so that an evaluation that was killed goes on where it stopped.

They are rows of an SQLite file, one for each text and way of asking, under a digest of all that scores depend on: the
weights, the tokenizer, the text, its entities, the relation types in their order and the other options. What was
changed since is scored again; nothing else is. Texts are scored in the same batches whether or not a run was
interrupted, and what was kept is exact, so that both end in the same figures.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import platform
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from tqdm.auto import tqdm

from glirel_transformers._version import __version__
from glirel_transformers.evidence_glirel import TextContext, WindowContext
from glirel_transformers.extractor_glirel import RelationExtractor
from glirel_transformers.mentions_glirel import Entity, Mention
from glirel_transformers.requests_glirel import read_relation_types
from glirel_transformers.running_glirel import ScoresPairs
from glirel_transformers.scores_glirel import RelationScores
from glirel_transformers.tokenization_glirel import SHARED_SETTINGS, GLiRELTokenizer

_FORMAT = 1
_BATCHES_KEPT_TOGETHER = 4
_NOT_IN_KEY = ("return_scores", "threshold", "top_k")  # which scores do not depend on
_TABLE = (
    "CREATE TABLE IF NOT EXISTS scores (key BLOB PRIMARY KEY, asked BLOB, machine TEXT, seconds REAL, cells INTEGER, "
    "pairs INTEGER, data BLOB) WITHOUT ROWID"
)


class Speed(NamedTuple):
    """How fast texts were scored on a machine; loading the model and tokenizing ahead of it included.

    Args:
        machine: its processor or accelerator.
        num_texts, num_pairs, seconds: what was done.
    """

    machine: str
    num_texts: int
    num_pairs: int
    seconds: float

    @property
    def texts_per_second(self) -> float:
        """Texts in a second."""
        return self.num_texts / self.seconds if self.seconds else 0.0

    @property
    def pairs_per_second(self) -> float:
        """Ordered pairs in a second, each next to all relation types."""
        return self.num_pairs / self.seconds if self.seconds else 0.0


class ScoreStore:
    """The file that keeps scores.

    Args:
        path: of the file, which is made where there is none.

    Raises:
        ValueError: when the file is something else, damaged, or of another version of this package.
        OSError: when it cannot be written.
    """

    def __init__(self, path: str | os.PathLike[str]):
        self.path = Path(path)
        try:
            self._file = sqlite3.connect(self.path, timeout=60)
        except sqlite3.OperationalError as error:
            raise OSError(f"{str(path)!r} cannot be written: {error}. Name another folder.") from error
        with self._naming():
            (version,) = self._file.execute("PRAGMA user_version").fetchone()
            if version not in (0, _FORMAT):
                raise ValueError(
                    f"{str(path)!r} has scores of format {version}, and this version reads {_FORMAT}. Delete it, or "
                    "name another folder."
                )
            with self._file:
                self._file.execute(_TABLE)
                self._file.execute(f"PRAGMA user_version = {_FORMAT}")

    def close(self) -> None:
        """Closes the file."""
        self._file.close()

    def has(self, keys: Iterable[bytes]) -> set[bytes]:
        """Those of `keys` that are there."""
        with self._naming(), closing(self._file.cursor()) as cursor:
            return {key for key in keys if cursor.execute("SELECT 1 FROM scores WHERE key = ?", (key,)).fetchone()}

    def get(self, key: bytes) -> bytes:
        """What is kept under a key."""
        with self._naming():
            (data,) = self._file.execute("SELECT data FROM scores WHERE key = ?", (key,)).fetchone()
            return bytes(data)

    def put(self, rows: Iterable[tuple[bytes, bytes, str, float, int, int, bytes]]) -> None:
        """Keeps rows, all or none of them: key, way of asking, machine, seconds, cells, pairs and data."""
        with self._naming(), self._file:
            self._file.executemany("INSERT OR REPLACE INTO scores VALUES (?, ?, ?, ?, ?, ?, ?)", rows)

    def speeds(self, asked: Sequence[bytes]) -> list[Speed]:
        """How fast texts were scored, by machine, the one with the most texts first.

        Args:
            asked: the ways of asking that each text was read in, such as the groups of its relation types.
        """
        ways = sorted(set(asked))
        question = (
            f"SELECT machine, COUNT(*), SUM(pairs), SUM(seconds) FROM scores WHERE asked IN "
            f"({','.join('?' * len(ways))}) GROUP BY machine ORDER BY COUNT(*) DESC"
        )
        with self._naming():
            rows = self._file.execute(question, ways).fetchall()
        return [Speed(machine, texts // len(ways), pairs // len(ways), took) for machine, texts, pairs, took in rows]

    @contextmanager
    def _naming(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            raise OSError(f"{str(self.path)!r}: {error}. Is another run writing it, or the disk full?") from error
        except sqlite3.DatabaseError as error:
            raise ValueError(
                f"{str(self.path)!r} is not a file of scores, or damaged ({error}). Delete it: all is scored again."
            ) from error


class KeepingExtractor:
    """Stands for a [`RelationExtractor`] in an evaluation, and scores no text a second time.

    Args:
        extract: the extractor.
        store: where scores are kept.
        digest: of the model, see [`model_digest`].

    Attributes:
        num_kept: texts of this run that were scored before.
        num_scored: texts that were scored in this run.
        asked: digests of the ways in which texts were asked, in order.
    """

    def __init__(self, extract: RelationExtractor, store: ScoreStore, digest: bytes | None = None):
        self.extract, self.store = extract, store
        self.digest = model_digest(extract.model, extract.tokenizer) if digest is None else digest
        self.num_kept = self.num_scored = 0
        self.asked: list[bytes] = []
        self.desc = "score"

    @property
    def model(self) -> ScoresPairs:
        """The model."""
        return self.extract.model

    @property
    def tokenizer(self) -> GLiRELTokenizer:
        """Its tokenizer."""
        return self.extract.tokenizer

    @property
    def options(self) -> object:
        """The options of the extractor."""
        return self.extract.options

    def __call__(
        self, inputs: Iterable[Mapping[str, object]], *, batch_size: int | None = None, **options: Any
    ) -> Iterator[RelationScores]:
        """As [`RelationExtractor.__call__`] with `return_scores`, of dictionaries; the longest texts are read first.

        Raises:
            ValueError: when it is not asked for scores.
        """
        if not options.get("return_scores"):
            raise ValueError("Only scores are kept: ask with return_scores=True.")
        items = list(inputs)
        size = batch_size or self.extract.batch_size
        asked = self._digest_of(options)
        self.asked.append(asked)
        keys = [hashlib.blake2b(_json(item), key=asked, digest_size=16).digest() for item in items]
        order = sorted(range(len(items)), key=lambda place: -len(str(items[place].get("text"))))
        step = size * _BATCHES_KEPT_TOGETHER
        with tqdm(total=len(items), desc=self.desc, unit=" texts", leave=False, disable=None) as progress:
            for first in range(0, len(order), step):
                chunk = order[first : first + step]
                kept = self.store.has(keys[place] for place in chunk)
                if len(kept) < len({keys[place] for place in chunk}):
                    self._score(
                        [items[place] for place in chunk], [keys[place] for place in chunk], size, asked, options
                    )
                    self.num_scored += len(chunk)
                else:
                    self.num_kept += len(chunk)
                progress.update(len(chunk))
        return (self._read(key, item, options) for key, item in zip(keys, items, strict=True))

    def _digest_of(self, options: Mapping[str, Any]) -> bytes:
        """Of all that scores depend on but the text."""
        used = self.extract.options.updated(**options)
        named = {name: value for name, value in vars(used).items() if name not in _NOT_IN_KEY}
        return hashlib.blake2b(_json([__version__, named]), key=self.digest, digest_size=32).digest()

    def _score(
        self,
        items: Sequence[Mapping[str, object]],
        keys: Sequence[bytes],
        batch_size: int,
        asked: bytes,
        options: Mapping[str, Any],
    ) -> None:
        started = time.perf_counter()
        found: list[RelationScores] = self.extract(list(items), batch_size=batch_size, **options)
        seconds = (time.perf_counter() - started) / len(items)
        machine = machine_name(self.extract.device)
        self.store.put(
            (key, asked, machine, seconds, scores.scores.size, len(scores.pair_index), _pack(scores))
            for key, scores in zip(keys, found, strict=True)
        )

    def _read(self, key: bytes, item: Mapping[str, object], options: Mapping[str, Any]) -> RelationScores:
        types = item.get("relation_types") or options.get("relation_types")
        return _unpack(self.store.get(key), str(item["text"]), types)


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=False, ensure_ascii=True, default=_plain).encode()


def _plain(value: object) -> object:
    if isinstance(value, np.ndarray):
        return value.tolist()
    raise TypeError(f"Scores cannot be kept for a text with {value!r}.")


def _pack(scores: RelationScores) -> bytes:
    """The scores of a text as bytes."""
    context = scores.context
    said = {
        "entities": [
            {"label": e.label, "index": e.index, "mentions": [m[:2] for m in e.mentions], "scores": e.scores}
            for e in scores.entities
        ],
        "threshold": scores.threshold,
        "self_pairs": scores.self_pairs,
        "collapse": scores.collapse,
        "num_left_out": scores.num_left_out,
        "sentences": None if context is None else context.sentences,
        "windows": [] if context is None else [[list(w.entities), list(w.word_starts)] for w in context.windows],
    }
    file = io.BytesIO()
    arrays = {f"attention{place}": w.attention for place, w in enumerate(context.windows if context else ())}
    said_bytes = np.frombuffer(json.dumps(said, default=int).encode(), dtype=np.uint8)
    arrays |= {"said": said_bytes, "pair_index": scores.pair_index, "scores": scores.scores}
    np.savez_compressed(file, **arrays)  # type: ignore[arg-type]  # none is called allow_pickle
    return file.getvalue()


def _unpack(data: bytes, text: str, relation_types: object) -> RelationScores:
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        said = json.loads(arrays["said"].tobytes())
        pair_index, scores = arrays["pair_index"], arrays["scores"]
        attention = [arrays[f"attention{place}"] for place in range(len(said["windows"]))]
    entities = []
    for one in said["entities"]:
        mentions = tuple(Mention(start, end, text[start:end]) for start, end in one["mentions"])
        scored = tuple((name, score) for name, score in one["scores"])
        entities.append(Entity(*mentions[0], one["label"], one["index"], mentions, scored))
    context = None
    if said["sentences"] is not None:
        windows = [WindowContext(e, a, starts) for (e, starts), a in zip(said["windows"], attention, strict=True)]
        context = TextContext(text, [(start, end) for start, end in said["sentences"]], windows)
    return RelationScores(
        text,
        entities,
        read_relation_types(relation_types),
        pair_index,
        scores,
        said["threshold"],
        said["self_pairs"],
        said["collapse"],
        context,
        num_left_out=said["num_left_out"],
    )


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
    digest.update(_json([str(limit) for limit in limits]))
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
