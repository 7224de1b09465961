"""The classification protocol of the zero-shot papers: the pair is given, and the best of m unseen types wins.

ZS-BERT (Chen and Li, 2021) draws m relation types by a seed, tests on all sentences of these, and lets the m compete;
m is 5, 10 and 15. Its lists of types, and RE-Matching's, are JSON files, which [`read_splits`] reads.
"""

from __future__ import annotations

import os
import random
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ClassVar, NamedTuple

import numpy as np
import torch
from torch import Tensor

from glirel_transformers.data import Document
from glirel_transformers.files import read_json_object
from glirel_transformers.losses_glirel import IGNORED_LABEL
from glirel_transformers.mentions_glirel import Entity

from .baselines import Baseline
from .classification import GoldPair, gold_pairs, sample_candidates, score_gold_pairs
from .counts import precision_recall_f1
from .extraction import Reader
from .protocols import Protocol, fit_baseline, name_of
from .results import EvaluationResult, ScoredDocument

UNSEEN = (5, 10, 15)
"""How many types compete in the papers."""


class _Placed(NamedTuple):
    """A pair, and the position of its document among all."""

    pair: GoldPair
    position: int


class ZeroShotSplit(NamedTuple):
    """Relation types that a paper tests on.

    Args:
        name: what tells it from others of the same size, such as `"ori"` or `"40"`, the seed that drew it.
        relation_ids: identifiers of its types, such as `"P177"`, or their names.
    """

    name: str
    relation_ids: tuple[str, ...]


def read_splits(folder: str | os.PathLike[str]) -> list[ZeroShotSplit]:
    """The published splits in a folder: JSON files with the types to `test` on, such as `fewrel_rel2id_10_ori.json`.

    Args:
        folder: with files of one data set. The last part of a file's name is the split's.

    Returns:
        The splits, the smallest first.

    Raises:
        OSError: when there is no such folder.
        ValueError: when it has no such files, or a file is another one.
    """
    folder = Path(folder)
    files = sorted(folder.iterdir()) if folder.is_dir() else None
    if files is None:
        raise FileNotFoundError(f"There is no folder {str(folder)!r} of splits.")
    found = []
    for file in (file for file in files if file.suffix == ".json"):
        test = read_json_object(file).get("test")
        names = list(test) if isinstance(test, (dict, list)) else []
        known = dict.fromkeys(name for name in names if isinstance(name, str))
        if not names or len(known) < len(names):
            raise ValueError(
                f"{file} is not a zero-shot split: expected a JSON object whose 'test' has the relation types that "
                'are tested on, such as {"train": {…}, "test": {"P177": 0, "P364": 1}}.'
            )
        found.append(ZeroShotSplit(re.split(r"[_.]", file.stem)[-1], tuple(known)))
    if not found:
        inside = [file.name for file in files if file.is_dir()]
        cure = f" Name one of its folders: {', '.join(inside)}." if inside else ""
        raise ValueError(f"{folder} has no .json files of zero-shot splits.{cure}")
    return sorted(found, key=lambda split: (len(split.relation_ids), split.name))


@dataclass(frozen=True)
class _Trial:
    """One run: what is classified, among what."""

    row: str
    run: str
    placed: list[_Placed]
    candidates: list[list[str]]

    @property
    def pairs(self) -> list[GoldPair]:
        return [pair for pair, _ in self.placed]


@dataclass(kw_only=True)
class Classification(Protocol):
    """The pair is given, and the best of several relation types is the prediction; see the module.

    Of a pair for which several of the candidates hold, each relation is classified on its own, and the others are not
    among its candidates.

    Args:
        unseen: numbers of relation types that compete; those of the papers by default, where there are as many.
        seeds: of what is drawn; one run each.
        splits: what is tested on in place of what is drawn, see [`read_splits`].
        candidates: each pair's own type competes with others that are drawn for it, so many in all, in place of that.
        relation_types: pairs of other types are left out; by default all count.
        fit_on: what a baseline may learn from.
        batch_size: texts read at once.
    """

    name: ClassVar[str] = "classification"

    unseen: Sequence[int] | None = None
    seeds: Sequence[int] = range(5)
    splits: Sequence[ZeroShotSplit] = ()
    candidates: int | None = None
    relation_types: Sequence[str] | None = None
    fit_on: Sequence[Document] = ()
    batch_size: int = 32

    def run(self, model: Reader, documents: Sequence[Document]) -> EvaluationResult:
        """See [`Protocol.run`]."""
        placed = [
            _Placed(pair, position)
            for position, document in enumerate(documents)
            for pair in gold_pairs([document])
            if self.relation_types is None or pair.relation_type in self.relation_types
        ]
        types = list(Counter(pair.relation_type for pair, _ in placed))
        if len(types) < 2:
            raise ValueError(
                f"There is nothing to classify: got {len(documents)} documents with relations of {len(types)} types. "
                "Give documents with relations of several types."
            )
        notes = fit_baseline(model, self.fit_on or documents, on_data=not self.fit_on)
        runs = [self._run(trial, model) for trial in self._trials(placed, types, notes)]
        result = EvaluationResult(
            self.name, "gold", name_of(model), types, {}, decision="best", runs=runs, notes=notes
        )
        several = len({run.row for run in runs}) > 1
        result.figures = {
            f"{row}: {name}" if several else name: spread.mean
            for row, spreads in result.summary().items()
            for name, spread in spreads.items()
        }
        return result

    def _trials(self, placed: list[_Placed], types: list[str], notes: list[str]) -> list[_Trial]:
        if self.splits:
            return _published(placed, self.splits, notes)
        if self.candidates is not None:
            return [
                _Trial(f"best of {self.candidates}", f"seed {seed}", placed, drawn)
                for seed in self.seeds
                for drawn in [sample_candidates([pair for pair, _ in placed], self.candidates, seed)]
            ]
        numbers = list(self.unseen or [number for number in UNSEEN if number <= len(types)]) or [len(types)]
        if wrong := next((number for number in numbers if not 2 <= number <= len(types)), None):
            raise ValueError(f"{wrong} relation types cannot be drawn from {len(types)}. Choose 2 to {len(types)}.")
        if len(numbers) < len(UNSEEN) and self.unseen is None:
            notes.append(
                f"There are {len(types)} relation types, so that m is {', '.join(map(str, numbers))}; the papers' is "
                f"{', '.join(map(str, UNSEEN))}."
            )
        trials = []
        for number in numbers:
            for seed in self.seeds if number < len(types) else self.seeds[:1]:  # all are all, whatever the seed
                drawn = random.Random(f"zero-shot/{number}/{seed}").sample(sorted(types), number)
                chosen = [one for one in placed if one.pair.relation_type in drawn]
                trials.append(_Trial(f"m = {number}", f"seed {seed}", chosen, [drawn] * len(chosen)))
        return trials

    def _run(self, trial: _Trial, model: Reader) -> EvaluationResult:
        candidates = [
            [name for name in names if name == pair.relation_type or name not in _all_types(pair)]
            for pair, names in zip(trial.pairs, trial.candidates, strict=True)
        ]
        scores = self._scores(model, trial, candidates)
        types = list(dict.fromkeys(name for names in trial.candidates for name in names))
        result = EvaluationResult(
            self.name,
            "gold",
            name_of(model),
            types,
            {},
            decision="best",
            documents=_scored_documents(trial.placed, candidates, scores, types),
            row=trial.row,
            run=trial.run,
        )
        best = [names[int(row.argmax())] for names, row in zip(candidates, scores, strict=True)]
        result.figures = classification_figures([pair.relation_type for pair in trial.pairs], best)
        return result

    def _scores(self, model: Reader, trial: _Trial, candidates: list[list[str]]) -> list[Tensor]:
        """Probabilities, or what a baseline has in their place."""
        if isinstance(model, Baseline):
            return model.score_gold_pairs(trial.pairs, candidates)
        desc = f"{trial.row}, {trial.run}"
        # Asked for all alike, so that batches have one prompt; what holds as well is left out afterwards.
        score = getattr(model, "score_gold_pairs", None) or partial(score_gold_pairs, model.model)  # kept, or not
        scores = score(trial.pairs, trial.candidates, self.batch_size, desc=desc)
        return [
            # In double precision: few scores are so high that their probabilities are all 1.
            row[[names.index(name) for name in kept]].double().sigmoid()
            for row, names, kept in zip(scores, trial.candidates, candidates, strict=True)
        ]


def _all_types(pair: GoldPair) -> set[str]:
    """All relation types that hold for the same pair."""
    relations = pair.document.relations
    return {one.relation_type for one in relations if (one.head, one.tail) == (pair.head, pair.tail)}


def _published(placed: list[_Placed], splits: Sequence[ZeroShotSplit], notes: list[str]) -> list[_Trial]:
    """The splits whose types are all in the data; it is said which are not.

    Raises:
        ValueError: when that is none.
    """
    names: dict[str, str] = {}
    for pair, _ in placed:
        for relation in pair.document.relations:
            names[relation.relation_id or relation.relation_type] = relation.relation_type
    trials, left_out = [], []
    for split in splits:
        row = f"m = {len(split.relation_ids)}"
        missing = [name for name in split.relation_ids if name not in names]
        if missing:
            left_out.append(f"{split.name!r} with {row} ({len(missing)}, such as {missing[0]})")
            continue
        types = [names[name] for name in split.relation_ids]
        chosen = [one for one in placed if one.pair.relation_type in types]
        trials.append(_Trial(row, f"split {split.name}", chosen, [types] * len(chosen)))
    if left_out:
        few = "; ".join(left_out[:3]) + ("; …" if len(left_out) > 3 else "")
        notes.append(
            f"{len(left_out)} of the {len(splits)} splits are left out, as relation types of theirs are not in the "
            f"data: {few}."
        )
    if not trials:
        raise ValueError(
            f"None of the {len(splits)} splits can be tested. {notes[-1]} Types are compared by `relation_id` where "
            "documents have it, else by their names. Give the files that the splits were made for."
        )
    return trials


def classification_figures(gold: Sequence[str], predicted: Sequence[str]) -> dict[str, float]:
    """Macro precision, recall and F1, means over the gold types; accuracy; and F1 as ZS-BERT's script defines it.

    That script, which others share, has F1 as the harmonic mean of two averages: precision, over the types that are
    predicted, and recall, over the gold types. It is mostly higher than the mean of the types' F1, and called
    `zsbert_f1`.
    """
    counters = [Counter(one for one, other in zip(gold, predicted, strict=True) if one == other)]
    counters += [Counter(predicted), Counter(gold)]
    types = sorted(counters[2])
    counts = torch.tensor([[counter[name] for counter in counters] for name in types], dtype=torch.double)
    rows = precision_recall_f1(counts)
    precision, recall, f1 = rows.mean(0).tolist()
    of_predicted = float(rows[:, 0].sum()) / max(len(counters[1]), 1)
    both = of_predicted + recall
    return {
        "macro_precision": precision,
        "macro_recall": recall,
        "macro_f1": f1,
        "accuracy": counters[0].total() / max(len(gold), 1),
        "zsbert_f1": 2 * of_predicted * recall / both if both else 0.0,
        "pairs": float(len(gold)),
    }


def _scored_documents(
    placed: Sequence[_Placed],
    candidates: Sequence[Sequence[str]],
    scores: Sequence[Tensor],
    types: Sequence[str],
) -> list[ScoredDocument]:
    """The cells, by document: a row for each gold relation."""
    column_of = {name: column for column, name in enumerate(types)}
    rows_of: dict[int, list[int]] = {}
    for row, (_, position) in enumerate(placed):
        rows_of.setdefault(position, []).append(row)
    found = []
    for position, rows in rows_of.items():
        probabilities = np.full((len(rows), len(types)), np.nan, dtype=np.float64)
        labels = np.full(probabilities.shape, IGNORED_LABEL, dtype=np.int8)
        for place, row in enumerate(rows):
            columns = [column_of[name] for name in candidates[row]]
            probabilities[place, columns] = scores[row].numpy()
            labels[place, columns] = 0
            labels[place, column_of[placed[row].pair.relation_type]] = 1
        pairs = [placed[row].pair for row in rows]
        document = pairs[0].document
        text, places = document.to_text()
        entities = [
            Entity(one["start"], one["end"], text[one["start"] : one["end"]], one["label"], number)
            for number, one in enumerate(places)
        ]
        index = np.array([(pair.head, pair.tail) for pair in pairs], dtype=np.int64)
        found.append(ScoredDocument(document, text, entities, index, probabilities, labels, position=position))
    return found


__all__ = ["UNSEEN", "Classification", "ZeroShotSplit", "classification_figures", "read_splits"]
