"""Precision, recall and F1 of relation classification, as a module for 🤗 evaluate.

`evaluate.load("macro_f1")` finds it from the root of the repository, and an absolute path to this folder finds it from
anywhere. It needs nothing but `evaluate`, and agrees with scikit-learn's `precision_recall_fscore_support`.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import datasets
import evaluate

Label: TypeAlias = "int | str"
Scores: TypeAlias = "dict[str, float]"

DESCRIPTION = """
Macro, micro and per-relation precision, recall and F1 for relation classification, with one relation per example
(configuration "default") or any number of them, none included (configuration "multilabel").
"""

INPUTS = """
Args:
    predictions (`list`, array or tensor):
        What the model says, one item per example. In the configuration "default" an item is one label, an integer or
        a string. In "multilabel" it is the list of the example's labels, without repeats, in any order, and possibly
        empty (these are labels, not 0/1 indicators).
    references (`list`, array or tensor):
        What is true, in the same form and order. All labels are integers or all are strings.
    labels (`list`, *optional*):
        The relation types to average over. Examples of other types still count: predicting a listed type for one of
        them is a false positive. To leave out "no relation", list all other types. Defaults to every label that
        occurs in the predictions or the references, as in scikit-learn.
    zero_division (`float`, *optional*, defaults to 0.0):
        The value of a score that is 0/0: 0.0, 1.0, or NaN, which keeps the relation out of the macro average.

Returns:
    `dict`: `macro_precision`, `macro_recall`, `macro_f1`, `micro_precision`, `micro_recall`, `micro_f1` (floats), and
    `per_relation`, a dict from each label to its `precision`, `recall`, `f1` and `support` (how many references have
    it). Macro scores are unweighted means over the relations: `macro_f1` is the mean of their F1, not the F1 of
    `macro_precision` and `macro_recall`.

Examples:
    >>> import evaluate
    >>> macro_f1 = evaluate.load("macro_f1")
    >>> round(macro_f1.compute(predictions=["spouse", "child"], references=["spouse", "spouse"])["macro_f1"], 4)
    0.3333
    >>> macro_f1 = evaluate.load("macro_f1", "multilabel")
    >>> macro_f1.compute(predictions=[["spouse"], []], references=[["spouse", "child"], []])["macro_f1"]
    0.5
"""

CITATION = """
@article{scikit-learn,
  title = {Scikit-learn: Machine Learning in {P}ython},
  author = {Pedregosa, F. and others},
  journal = {Journal of Machine Learning Research},
  volume = {12},
  pages = {2825--2830},
  year = {2011}
}
"""


class MacroF1(evaluate.Metric):
    """Macro, micro and per-relation precision, recall and F1; see `INPUTS` for the arguments of `compute`."""

    def _info(self) -> evaluate.MetricInfo:
        if self.config_name not in ("default", "multilabel"):
            raise ValueError(
                f"There is no configuration {self.config_name!r} of macro_f1. Load 'default' (one label per example) "
                "or 'multilabel' (a list of labels per example)."
            )
        # Integers are stored as text as well (see `_encode`): with a choice of types, evaluate would take the type of
        # the first example for all, turning "3" into 3, 0.7 into 0, and the labels after an empty list into strings.
        feature = datasets.Value("string")
        if self.config_name == "multilabel":
            feature = datasets.Sequence(feature)
        return evaluate.MetricInfo(
            description=DESCRIPTION,
            citation=CITATION,
            inputs_description=INPUTS,
            features=datasets.Features({"predictions": feature, "references": feature}),
            reference_urls=[
                "https://scikit-learn.org/stable/modules/generated/"
                "sklearn.metrics.precision_recall_fscore_support.html"
            ],
        )

    def add(self, *, prediction: object = None, reference: object = None, **kwargs: object) -> None:
        """Adds one example: a label, or a list of labels in the configuration "multilabel"."""
        self.add_batch(predictions=[prediction], references=[reference], **kwargs)

    def add_batch(self, *, predictions: object = None, references: object = None, **kwargs: object) -> None:
        """Adds a batch of examples, after checking it: a batch with an error in it leaves nothing behind."""
        given = {"predictions": predictions, "references": references}
        columns = {name: _read_column(name, column) for name, column in given.items()}
        num_predictions, num_references = len(columns["predictions"]), len(columns["references"])
        if num_predictions != num_references:
            raise ValueError(
                f"There are {num_predictions} predictions but {num_references} references. Pass one of each for every "
                "example, in the same order; an example without a relation is "
                + ("an empty list." if self.config_name == "multilabel" else "a label such as 'no relation'.")
            )
        if num_predictions == 0:
            raise ValueError("`predictions` and `references` are empty. Pass at least one example.")
        check = self._encode_list if self.config_name == "multilabel" else self._encode_one
        encoded = {
            name: [check(item, f"{name}[{i}]") for i, item in enumerate(column)] for name, column in columns.items()
        }
        super().add_batch(**encoded, **kwargs)

    def _encode_one(self, item: object, where: str) -> str:
        item = _to_list(item)
        if isinstance(item, (list, tuple, set, frozenset)):
            raise TypeError(
                f"`{where}` is {item!r}, but the configuration 'default' takes one label per example. For lists of "
                'labels use evaluate.load("macro_f1", "multilabel").'
            )
        return _encode(item, where)

    def _encode_list(self, item: object, where: str) -> list[str]:
        item = _to_list(item)
        if not isinstance(item, (list, tuple, set, frozenset)):
            raise TypeError(
                f"`{where}` is {item!r}, but the configuration 'multilabel' takes a list of labels per example. "
                'Wrap it in a list, or use evaluate.load("macro_f1") for one label per example.'
            )
        encoded = [_encode(_to_list(label), f"{where}[{j}]") for j, label in enumerate(item)]
        repeated = [label for label, count in Counter(encoded).items() if count > 1]
        if repeated:
            raise ValueError(
                f"`{where}` repeats the label {json.loads(repeated[0])!r}: got {item!r}. Name each label once. If "
                "these are 0/1 indicators, pass the positions of the ones instead: numpy.flatnonzero(row)."
            )
        return encoded

    def _compute(
        self,
        *,
        predictions: Sequence[Any],
        references: Sequence[Any],
        labels: Sequence[Label] | None = None,
        zero_division: float = 0.0,
    ) -> dict[str, Any]:
        if zero_division not in (0, 1) and not (isinstance(zero_division, float) and math.isnan(zero_division)):
            raise ValueError(f"zero_division is {zero_division!r}; expected 0.0, 1.0 or float('nan').")
        predicted_sets, reference_sets = self._decode(predictions), self._decode(references)
        support = Counter(label for example in reference_sets for label in example)
        predicted = Counter(label for example in predicted_sets for label in example)
        correct = Counter(
            label for pair in zip(predicted_sets, reference_sets, strict=True) for label in pair[0] & pair[1]
        )
        kinds = {type(label) for label in (*support, *predicted)}
        if len(kinds) > 1:
            examples = [next(label for label in (*support, *predicted) if type(label) is kind) for kind in (int, str)]
            raise TypeError(
                f"Labels are integers and strings at once (such as {examples[0]!r} and {examples[1]!r}), so that no "
                "prediction of one kind can equal a reference of the other. Use one kind throughout."
            )
        relations = sorted({*support, *predicted}) if labels is None else _check_labels(labels, kinds)
        per_relation = {
            label: _score(correct[label], predicted[label], support[label], zero_division) for label in relations
        }
        num_correct, num_predicted, num_references = (
            sum(counts[label] for label in relations) for counts in (correct, predicted, support)
        )
        micro = _score(num_correct, num_predicted, num_references, zero_division)
        macro = {name: _mean([scores[name] for scores in per_relation.values()], zero_division) for name in micro}
        return {
            **{f"macro_{name}": value for name, value in macro.items()},
            **{f"micro_{name}": value for name, value in micro.items()},
            "per_relation": {label: {**scores, "support": support[label]} for label, scores in per_relation.items()},
        }

    def _decode(self, column: Sequence[Any]) -> list[frozenset[Label]]:
        """Turns what `add_batch` stored into one set of labels per example."""
        if self.config_name == "multilabel":
            return [frozenset(json.loads(label) for label in item) for item in column]
        return [frozenset([json.loads(item)]) for item in column]


def _to_list(value: object) -> object:
    """Arrays and tensors, scalar ones included, as plain Python; everything else unchanged."""
    return value.tolist() if hasattr(value, "tolist") else value


def _read_column(name: str, column: object) -> list[object]:
    """The items of predictions or references."""
    column = _to_list(column)
    if isinstance(column, (str, bytes, Mapping)) or not isinstance(column, Iterable):
        raise TypeError(f"`{name}` is {column!r}; expected a list with one item per example.")
    return list(column)


def _check_label(label: object, where: str) -> Label:
    # A bool is an int to Python, but here it is an indicator in the wrong place.
    if isinstance(label, bool) or not isinstance(label, (int, str)):
        hint = " An example without a relation is an empty list in 'multilabel', and a label of its own otherwise."
        raise TypeError(
            f"`{where}` is {label!r} ({type(label).__name__}); expected a label, an integer or a string."
            + (hint if label is None else "")
        )
    return label


def _encode(label: object, where: str) -> str:
    """A label as JSON, which keeps 3 and "3" apart."""
    return json.dumps(_check_label(label, where))


def _check_labels(labels: Sequence[Label], kinds: set[type]) -> list[Label]:
    """Validates `labels=`: at least one, no repeats, of the same kind as those in the data."""
    given = _to_list(labels)
    if isinstance(given, (str, bytes)) or not isinstance(given, Iterable):
        raise TypeError(f"`labels` is {given!r}; expected a list of relation types.")
    relations = [_check_label(_to_list(label), f"labels[{i}]") for i, label in enumerate(given)]
    if not relations:
        raise ValueError("`labels` is empty. Name at least one relation type, or leave it out to average over all.")
    first_position: dict[Label, int] = {}
    for i, label in enumerate(relations):
        if label in first_position:
            raise ValueError(
                f"`labels` repeats {label!r} (positions {first_position[label]} and {i}), which would count it twice "
                "in the macro average. Remove the duplicate."
            )
        first_position[label] = i
        if kinds and type(label) not in kinds:
            raise TypeError(
                f"`labels[{i}]` is {label!r} ({type(label).__name__}), but predictions and references hold "
                f"{next(iter(kinds)).__name__} labels, so that it can never match. Name it as the data do."
            )
    return relations


def _score(num_correct: int, num_predicted: int, num_references: int, zero_division: float) -> Scores:
    def ratio(numerator: int, denominator: int) -> float:
        return numerator / denominator if denominator else float(zero_division)

    return {
        "precision": ratio(num_correct, num_predicted),
        "recall": ratio(num_correct, num_references),
        "f1": ratio(2 * num_correct, num_predicted + num_references),
    }


def _mean(values: list[float], zero_division: float) -> float:
    """The mean over those that are defined."""
    defined = [value for value in values if not math.isnan(value)]
    return sum(defined) / len(defined) if defined else float(zero_division)
