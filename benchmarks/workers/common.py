"""What the workers of both sides share: they read requests as JSON lines, and answer each with one.

Runs in two environments, so nothing but the standard library and torch is imported here.
"""

from __future__ import annotations

import json
import os
import platform
import resource
import statistics
import sys
import time
import traceback
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

_CALIBRATION_SIZE = {"cpu": 1024, "cuda": 8192}
_CALIBRATION_ROUNDS = 5


LOGIT_SPREAD = 3.0  # standard deviation of the logits that random weights are scaled to


class Watch:
    """Seconds that are spent in functions while they are watched, by the names that they are given.

    Args:
        now: tells the time.
    """

    def __init__(self, now: Callable[[], float]):
        self.now = now
        self.seconds: dict[str, float] = defaultdict(float)
        self._undo: list[Callable[[], None]] = []

    def over(self, owner: object, attribute: str, name: str, then: Callable[[Any], None] | None = None) -> None:
        """Watches a method, or the function of a module, until [`end`]; `then` is given what it returns."""
        function, was_own = getattr(owner, attribute), attribute in vars(owner)

        def timed(*args: object, **kwargs: object) -> object:
            start = self.now()
            result = function(*args, **kwargs)
            self.seconds[name] += self.now() - start
            if then is not None:
                then(result)
            return result

        setattr(owner, attribute, timed)
        self._undo.append(lambda: setattr(owner, attribute, function) if was_own else delattr(owner, attribute))

    def end(self) -> None:
        while self._undo:
            self._undo.pop()()


class Worker:
    """Serves one model. Sides differ in [`predict`] and [`train_step`], and in how they load.

    Args:
        options: what the driver asked for: `checkpoint`, `device` and `variant`.
    """

    batches_itself = False  # whether [`predict`] is given all texts at once, unless one at a time is asked for

    def __init__(self, options: dict[str, Any]):
        self.options = options
        self.device = torch.device(options["device"])
        self.texts: list[dict[str, Any]] = []
        self.relation_types: list[str] = []
        self.batch_size = 1

    def predict(self, texts: list[dict[str, Any]], threshold: float) -> list[Any]:
        """All that a user's call does, for texts that fit in one call of the side."""
        raise NotImplementedError

    def in_order(self, predictions: list[Any]) -> list[list[Any]]:
        """For each text of the workload the relations as `[head word span, tail word span, relation type, score]`."""
        raise NotImplementedError

    def calls(self) -> list[list[dict[str, Any]]]:
        """The texts of the workload, in the portions in which they are given to [`predict`]."""
        if self.batches_itself and self.batch_size > 1:
            return [self.texts]
        return [self.texts[i : i + self.batch_size] for i in range(0, len(self.texts), self.batch_size)]

    def prepare(self, texts: list[dict[str, Any]], relation_types: list[str], batch_size: int) -> dict[str, Any]:
        """Sets what is measured: texts as `words`, `text`, and entities as `word_spans` and `char_spans`."""
        self.texts, self.relation_types, self.batch_size = texts, relation_types, batch_size
        return {}

    def warm_up(self) -> dict[str, Any]:
        """Reads a text of four words, which brings weights that are mapped from a file into memory."""
        text = {"words": ["Ada", "met", "Boris", "."], "text": "Ada met Boris ."}
        self.prepare([{**text, "word_spans": [[0, 1], [2, 3]], "char_spans": [[0, 3], [8, 13]]}], ["spouse"], 1)
        self.predict(self.texts, 0.5)
        return {}

    def compare(self, threshold: float) -> dict[str, Any]:
        """The relations that the workload's texts give, to be compared with another side's."""
        predictions = [text for call in self.calls() for text in self.predict(call, threshold)]
        return {"predictions": self.in_order(predictions)}

    def run(self, threshold: float) -> dict[str, Any]:
        """Reads the workload once, between two calibrations."""
        before = self.calibrate()
        calls = []
        count = 0
        for call in self.calls():
            start = self.now()
            predictions = self.predict(call, threshold)
            calls.append(self.now() - start)
            count += sum(map(len, predictions))
        return {"seconds": sum(calls), "calls": calls, "before": before, "after": self.calibrate(), "relations": count}

    def watch(self, watch: Watch) -> None:
        """Watches the functions whose share of the time [`parts`] tells."""
        raise NotImplementedError

    def parts(self, threshold: float) -> dict[str, Any]:
        """Seconds of a pass that are spent in what is watched, and in `all`: means of some passes."""
        watch = Watch(self.now)
        self.watch(watch)
        total, passes = 0.0, 0
        try:
            while passes < 5 and (not passes or total < 5):
                total += self.run(threshold)["seconds"]
                passes += 1
        finally:
            watch.end()
        return {"seconds": {name: own / passes for name, own in {**watch.seconds, "all": total}.items()}}

    def share_outside_encoder(self, threshold: float) -> dict[str, Any]:
        """Share of the time that is not spent in the encoder's forward, over some passes."""
        seconds = self.parts(threshold)["seconds"]
        if "encoder" not in seconds:
            raise RuntimeError(
                "The encoder was never called where it is watched, so its share of the time cannot be told. Adapt "
                "the benchmark to where the encoder is."
            )
        return {"share": 1 - seconds["encoder"] / seconds["all"]}

    def train(self, labels: list[int], steps: int) -> dict[str, Any]:
        """Takes training steps on the workload's texts as one batch, between two calibrations."""
        before = self.calibrate()
        start = self.now()
        for _ in range(steps):
            self.train_step(labels)
        seconds = (self.now() - start) / steps
        return {"seconds": seconds, "before": before, "after": self.calibrate()}

    def now(self) -> float:
        if self.device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter()

    def calibrate(self) -> float:
        """Seconds that a fixed number of matrix products takes: the median of some rounds."""
        size = _CALIBRATION_SIZE[self.device.type]
        dtype = torch.float32 if self.device.type == "cpu" else torch.bfloat16
        left = torch.ones(size, size, dtype=dtype, device=self.device)
        rounds = []
        for _ in range(_CALIBRATION_ROUNDS):
            start = self.now()
            left @ left
            rounds.append(self.now() - start)
        return statistics.median(rounds)

    def memory(self, reset: bool = False) -> dict[str, Any]:
        """Memory of this process in MiB, on the GPU where the model is there: `now` and the `peak` since `reset`.

        Where the kernel cannot reset the peak, `since_start` is true and the peak is that of the whole process.
        """
        mebi = 2**20
        if self.device.type == "cuda":
            if reset:
                torch.cuda.reset_peak_memory_stats()
            return {
                "now": torch.cuda.memory_allocated() / mebi,
                "peak": torch.cuda.max_memory_allocated() / mebi,
                "since_start": False,
            }
        try:
            if reset:
                with open("/proc/self/clear_refs", "w") as file:
                    file.write("5")  # puts VmHWM back to VmRSS
            with open("/proc/self/status") as file:
                status = dict(line.split(":", 1) for line in file)
            now, peak = (int(status[field].split()[0]) / 1024 for field in ("VmRSS", "VmHWM"))
        except (OSError, KeyError):
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform == "linux" else mebi)
            return {"now": peak, "peak": peak, "since_start": True}
        return {"now": now, "peak": peak, "since_start": False}

    def versions(self) -> dict[str, Any]:
        import transformers

        return {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "transformers": transformers.__version__,
            "threads": torch.get_num_threads(),
        }


def mentions_of(entity: list[Any]) -> list[list[int]]:
    """The spans of an entity's mentions; an entity that is one span has one mention."""
    return [entity] if isinstance(entity[0], int) else entity


def save_encoders(folder: Path, settings: dict[str, Any], **kinds: type) -> None:
    """Saves encoders with random weights, each with a tokenizer, for an original to start from.

    Args:
        folder: `folder/name` is written for each name in `kinds`.
        settings: `tokenizer`, a file; and for each name its `max_length` and the fields of its configuration.
        kinds: classes of configurations.
    """
    from transformers import AutoModel, PreTrainedTokenizerFast

    # The tokenizer without what was added to it for relation extraction: originals add their own.
    state = json.loads(Path(settings["tokenizer"]).read_text())
    vocabulary_size = len(state["model"]["vocab"])
    state["added_tokens"] = [token for token in state["added_tokens"] if token["id"] < vocabulary_size]
    (folder / "tokenizer.json").write_text(json.dumps(state))
    for name, kind in kinds.items():
        PreTrainedTokenizerFast(
            tokenizer_file=str(folder / "tokenizer.json"),
            model_max_length=settings["max_length"][name],
            unk_token="[UNK]",
            sep_token="[SEP]",
            pad_token="[PAD]",
            cls_token="[CLS]",
            mask_token="[MASK]",
        ).save_pretrained(folder / name)
        config = kind(vocab_size=vocabulary_size, **settings[name])
        AutoModel.from_config(config).save_pretrained(folder / name)


def entity_rows(logits: torch.Tensor, num_words: int, are_spans: bool) -> list[list[Any]]:
    """The logits of a text's entities as `[word, width or type, type or part, logit]`, without padding.

    Args:
        logits: `(words, widths, types)` of spans, or `(words, types, parts)` of words, and padding.
        num_words: of the text.
        are_spans: which of both they are.
    """
    return [
        [word, *place, logit]
        for word, of_word in enumerate(logits[:num_words].tolist())
        for place, logit in (((i, j), cell) for i, row in enumerate(of_word) for j, cell in enumerate(row))
        if not are_spans or word + place[0] < num_words
    ]


def answer_of(entities: list[dict[str, Any]], relations: list[dict[str, Any]]) -> list[list[Any]]:
    """What a user gets of a text, without scores and in an order that does not depend on them."""
    ends = [[(one[side]["start"], one[side]["end"]) for side in ("head", "tail")] for one in relations]
    found = {(one["start"], one["end"], one["label"]) for one in entities}
    # The original gives a relation once for each type of its ends, and some of a span with itself.
    related = {(*pair, one["relation"]) for pair, one in zip(ends, relations) if pair[0] != pair[1]}
    return [sorted(found), sorted(related)]


def threshold_above(scores: Sequence[torch.Tensor], quantile: float) -> dict[str, Any]:
    """A threshold above which `1 - quantile` of all scores lie, midway between two neighbouring ones."""
    ordered = torch.cat([own.flatten() for own in scores]).sort().values
    above = min(max(1, round(quantile * len(ordered))), len(ordered) - 1)
    return {"threshold": ((ordered[above - 1] + ordered[above]) / 2).item(), "cells": len(ordered)}


def serve(make_worker: Callable[[dict[str, Any]], Worker]) -> None:
    """Loads a worker as the first line asks, then calls its methods by name until the input ends."""
    # Whatever a library prints must not come between the answers.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

    def answer(function: Callable[[], dict[str, Any]]) -> bool:
        try:
            content = function()
        except Exception as error:  # noqa: BLE001 - the driver raises it
            traceback.print_exc()
            content = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(content), file=answers, flush=True)
        return "error" not in content

    requests = (json.loads(line) for line in sys.stdin)
    holder: list[Worker] = []

    def load() -> dict[str, Any]:
        holder.append(make_worker(next(requests)))
        return holder[0].versions()

    if answer(load):
        for request in requests:
            method = getattr(holder[0], request.pop("method"))
            answer(lambda method=method, request=request: method(**request))
