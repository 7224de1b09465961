"""The few-shot protocol: training on a few documents, several times, and measuring by another protocol.

What trains is given by the caller, such as [`glirel_transformers.trainer.few_shot.FewShotTraining`].
"""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from glirel_transformers.data import Document
from glirel_transformers.files import read_json_object, replace_atomically

from .extraction import Reader
from .protocols import Protocol, name_of
from .results import HEADLINES, EvaluationResult, Spread

Shots = int | Literal["all"]
RESULT = "result.json"


def sample_documents(documents: Sequence[Document], number: int, seed: int) -> list[Document]:
    """The first n of a list shuffled by the seed, so that a larger sample holds the smaller ones.

    Raises:
        ValueError: when there are fewer.
    """
    if not 0 <= number <= len(documents):
        raise ValueError(f"{number} documents cannot be drawn from {len(documents)}. Choose at most {len(documents)}.")
    order = list(range(len(documents)))
    random.Random(f"few-shot/{seed}").shuffle(order)
    return [documents[place] for place in order[:number]]


def sample_per_type(documents: Sequence[Document], number: int, seed: int) -> list[Document]:
    """Documents with at least n relations of every type, or as many as there are.

    In the order of a list shuffled by the seed, each document is taken that has a relation of a type that has fewer
    than n. Documents stay whole, as a relation that is taken out would be a pair without one: frequent types may have
    more than n. A larger sample holds the smaller ones.
    """
    counts: Counter[str] = Counter()
    chosen = []
    for document in sample_documents(documents, len(documents), seed) if number else []:
        own = Counter(relation.relation_type for relation in document.relations)
        if any(counts[name] < number for name in own):
            counts += own
            chosen.append(document)
    return chosen


@dataclass(kw_only=True)
class FewShot(Protocol):
    """Trains on samples of some documents, each from the start, and measures every model.

    Args:
        measure: the protocol that measures.
        train: trains a model on documents: takes them, a seed and the name of the run, and gives what is measured.
        train_documents: what samples are drawn from.
        shots: sizes of the samples; 0 measures the model as it is, and `"all"` trains on all documents.
        per: whether sizes are numbers of documents, or of relations of each type; see [`sample_per_type`].
        seeds: one run each.
        folder: where results are kept as they come, in `RUN/result.json`, and a table, in `results.json` and
            `results.md`. What is there is not done again.
        say: is told of each run that is done.
    """

    name: ClassVar[str] = "few-shot"

    measure: Protocol
    train: Callable[[Sequence[Document], int, str], Reader]
    train_documents: Sequence[Document]
    shots: Sequence[Shots] = (1, 5, 10)
    per: Literal["document", "type"] = "document"
    seeds: Sequence[int] = range(5)
    folder: Path | None = None
    say: Callable[[str], object] = lambda _: None

    def run(self, model: Reader, documents: Sequence[Document]) -> EvaluationResult:
        """See [`Protocol.run`]; `model` is what 0 shots measure, and gives the result its name."""
        if isinstance(self.measure, FewShot):
            raise ValueError("The few-shot protocol needs another one that measures, such as extraction.")
        for number in self.shots:  # before anything is trained
            if self.per == "document" and number != "all":
                sample_documents(self.train_documents, number, 0)
        runs: list[EvaluationResult] = []
        for number in self.shots:
            for seed in self.seeds if number != 0 else self.seeds[:1]:
                runs.append(self._run(number, seed, model, documents))
                if self.folder is not None:
                    write_table(self.folder, runs, self.heading)
        result = EvaluationResult(
            self.name,
            runs[0].entities,
            name_of(model),
            runs[0].relation_types,
            {},
            decision=runs[0].decision,
            runs=runs,
        )
        result.figures = {
            f"{row}: {name}": spread.mean
            for row, spreads in result.summary().items()
            for name, spread in spreads.items()
        }
        result.notes = list(dict.fromkeys(note for run in runs for note in run.notes))
        return result

    @property
    def heading(self) -> str:
        """Of the column that tells rows apart."""
        return "documents" if self.per == "document" else "relations per type"

    def sample(self, number: Shots, seed: int) -> list[Document]:
        """What a run trains on."""
        if number == "all":
            return list(self.train_documents)
        draw = sample_documents if self.per == "document" else sample_per_type
        return draw(self.train_documents, number, seed)

    def _run(self, number: Shots, seed: int, model: Reader, documents: Sequence[Document]) -> EvaluationResult:
        row, name = str(number), f"{number}-{seed}"
        file = None if self.folder is None else self.folder / name / RESULT
        if file is not None and file.is_file():
            return _read_result(file, name_of(model))
        started = time.monotonic()
        chosen = self.sample(number, seed)
        found = self.measure.run(self.train(chosen, seed, name) if chosen else model, documents)
        found.row, found.run = row, f"seed {seed}"
        about = {
            "row": row,
            "seed": seed,
            "documents": len(chosen),
            "relations": sum(len(document.relations) for document in chosen),
            "entities": found.entities,
            "measured_by": found.protocol,
            "relation_types": found.relation_types,
            **found.figures,
            "figures": list(found.figures),
            "threshold": found.threshold,
            "type_thresholds": found.type_thresholds,
            "num_gold": found.num_gold,
            "fitted": {what: fit._asdict() for what, fit in found.fitted.items()},
            "notes": found.notes,
            "seconds": round(time.monotonic() - started),
        }
        if file is not None:
            file.parent.mkdir(parents=True, exist_ok=True)
            with replace_atomically(file) as text:
                text.write(json.dumps(about, indent=2, ensure_ascii=False) + "\n")
        first = next((one for one in ("f1", "micro_f1", "triples_strict_micro_f1") if one in found.figures), None)
        value = "" if first is None else f", {first} {found.figures[first]:.4f}"
        self.say(f"{self.heading} {row}, seed {seed}: {len(chosen):,} documents{value}")
        return found


def _read_result(file: Path, model: str) -> EvaluationResult:
    """A run that was done before; its cells were not kept."""
    about: dict[str, Any] = read_json_object(file)
    return EvaluationResult(
        about["measured_by"],
        about["entities"],
        model,
        about["relation_types"],
        {name: about[name] for name in about["figures"]},
        threshold=about["threshold"],
        type_thresholds=about.get("type_thresholds", {}),
        row=about["row"],
        run=f"seed {about['seed']}",
        notes=about["notes"],
    )


def write_table(folder: Path, runs: Sequence[EvaluationResult], heading: str) -> None:
    """Writes `results.json` and `results.md`: mean and deviation of each row over its runs, in per cent."""
    rows: dict[str, list[EvaluationResult]] = {}
    for run in runs:
        rows.setdefault(run.row, []).append(run)
    names = list(runs[0].figures)
    headline = HEADLINES.get(runs[0].protocol, names)
    table = [
        {
            "row": row,
            "runs": len(of_row),
            **{name: Spread.of([100 * one.figures[name] for one in of_row])._asdict() for name in names},
            **_thresholds(of_row),
        }
        for row, of_row in rows.items()
    ]
    folder.mkdir(parents=True, exist_ok=True)
    each = [read_json_object(folder / f"{run.row}-{run.run.removeprefix('seed ')}" / RESULT) for run in runs]
    with replace_atomically(folder / "results.json") as text:
        text.write(json.dumps({"table": table, "runs": each}, indent=2, ensure_ascii=False) + "\n")
    shown = [*(name for name in headline if name in names), *(["threshold"] if "threshold" in table[0] else [])]
    lines = [
        f"Entities {runs[0].entities}. Mean and deviation of the runs, figures in per cent.",
        "",
        f"| {heading} | {' | '.join(shown)} | runs |",
        "|---" * (len(shown) + 2) + "|",
    ]
    for one in table:
        values = (_written(one[name], 3 if name == "threshold" else 2) for name in shown)
        lines.append(f"| {one['row']} | {' | '.join(values)} | {one['runs']} |")
    with replace_atomically(folder / "results.md") as text:
        text.write("\n".join(lines) + "\n")


def _thresholds(runs: Sequence[EvaluationResult]) -> dict[str, Any]:
    values = [run.threshold for run in runs if run.threshold is not None]
    return {"threshold": Spread.of(values)._asdict()} if len(values) == len(runs) else {}


def _written(value: Any, digits: int) -> str:  # noqa: ANN401  # a dictionary among numbers
    deviation = "" if value["deviation"] is None else f" ± {value['deviation']:.{digits}f}"
    return f"{value['mean']:.{digits}f}{deviation}"


__all__ = ["FewShot", "Shots", "sample_documents", "sample_per_type", "write_table"]
