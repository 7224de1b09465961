"""One model on one runtime with a number of threads, behind `pipeline("relation-extraction")`; see `common.py`."""

from __future__ import annotations

import gc
import json
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

import onnxruntime
import torch
from transformers import pipeline
from workers.common import serve
from workers.ours import OurWorker

from glirel_transformers.export import ORTModelForRelationClassification
from glirel_transformers.heads_glirel import GLiRELHead


class RuntimeWorker(OurWorker):
    """Variants are those of [`OurWorker`], `compiled fp32`, and `ORT` with any word for exports; then the threads."""

    def __init__(self, options: dict[str, Any]):
        *variant, threads = options["variant"].split()
        self.threads = int(threads)
        torch.set_num_threads(self.threads)
        super().__init__({**options, "variant": " ".join(variant)})

    def load(self) -> GLiRELHead | ORTModelForRelationClassification:
        kind, _ = self.options["variant"].split()
        if kind == "ORT":
            return ORTModelForRelationClassification.from_pretrained(
                self.options["checkpoint"], num_threads=self.threads
            )
        if kind != "compiled":
            return super().load()
        self.options["variant"] = "eager fp32"
        model = super().load().eval()
        model.compile(dynamic=True)
        return model

    def first_call(self) -> dict[str, Any]:
        """Seconds of the first call, which compiles where something is compiled."""
        start = self.now()
        self.warm_up()
        return {"seconds": self.now() - start}

    def time_loading(self, repetitions: int) -> dict[str, Any]:
        """Seconds that loading takes once all libraries are imported and the files are in memory: the fastest."""
        seconds = []
        for _ in range(repetitions):
            start = self.now()
            model = self.load()
            seconds.append(self.now() - start)
            del model
            gc.collect()
        return {"seconds": min(seconds)}

    def operators(self, threshold: float) -> dict[str, Any]:
        """Seconds that ONNX Runtime spends in each kind of operator while it reads the workload once.

        Also those of all runs of the graph, in which operators and what lies between them are (the profiler among it),
        and those from text to relations.
        """
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self.threads
        options.enable_profiling = True
        with tempfile.TemporaryDirectory() as folder:
            options.profile_file_prefix = str(Path(folder) / "profile")
            model = ORTModelForRelationClassification.from_pretrained(
                self.options["checkpoint"], session_options=options
            )
            self.extract = pipeline("relation-extraction", model=model, tokenizer=model.tokenizer, device=self.device)
            calls = list(self.calls())
            for call in calls:
                self.predict(call, threshold)  # to warm up
            start = self.now()
            for call in calls:
                self.predict(call, threshold)
            total = self.now() - start
            events = json.loads(Path(model.session.end_profiling()).read_text())
        runs = [event for event in events if event["name"] == "model_run"][-len(calls) :]
        seconds: dict[str, float] = defaultdict(float)
        for event in events:
            is_operator = event.get("cat") == "Node" and event["name"].endswith("_kernel_time")
            if is_operator and event["ts"] >= runs[0]["ts"]:
                seconds[event["args"]["op_name"]] += event["dur"] / 1e6
        return {"operators": dict(seconds), "graph": sum(run["dur"] for run in runs) / 1e6, "total": total}


if __name__ == "__main__":
    serve(RuntimeWorker)
