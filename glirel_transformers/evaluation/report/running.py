"""From a protocol and documents to a report: what is scored, kept, asked otherwise and compared."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

from glirel_transformers.data import Document
from glirel_transformers.evaluation.background import for_another
from glirel_transformers.evaluation.baselines import Baseline
from glirel_transformers.evaluation.extraction import Reader
from glirel_transformers.evaluation.protocols import Protocol
from glirel_transformers.evaluation.results import EvaluationResult
from glirel_transformers.extractor_glirel import RelationExtractor
from glirel_transformers.files import StrPath
from glirel_transformers.report_folder import SCORES, check_report_folder

from .bootstrap import FIGURES, document_counts, figures_of, holm, paired_bootstrap
from .content import Checkpoint, Report, make_report
from .curves import calibration, flatten, precision_recall
from .keeping import KeepingExtractor
from .sensitivity import Shift, try_orders, try_wordings
from .store import ScoreStore, Speed
from .wording import make_wordings
from .writing import write_report

Say = Callable[[str], object]


@dataclass(frozen=True, kw_only=True)
class ReportSettings:
    """What a report tries besides the evaluation itself.

    Args:
        paraphrases: other names of relation types, see [`read_paraphrases`].
        num_orders: orders of the relation types that are tried.
        num_probed: documents that orders and wordings are tried on, drawn at random; 0 tries none.
        resamples: of the bootstrap that compares checkpoints.
        num_examples: errors of each kind that are shown.
        seed: of what is drawn.

    Raises:
        ValueError: when a number is out of range.
    """

    paraphrases: Mapping[str, Sequence[str]] | None = None
    num_orders: int = 3
    num_probed: int = 200
    resamples: int = 1000
    num_examples: int = 20
    seed: int = 0

    def __post_init__(self) -> None:
        least = {"num_orders": 0, "num_probed": 0, "num_examples": 0, "resamples": 1}
        for name, number in least.items():
            if getattr(self, name) < number:
                raise ValueError(f"`{name}` must be at least {number}: got {getattr(self, name)}.")


@dataclass
class Reported:
    """A report that was made.

    Args:
        report: what it says.
        result: what the protocol found.
        others: the same of the models that it is compared with.
        files: what was written.
    """

    report: Report
    result: EvaluationResult = field(repr=False)
    others: list[EvaluationResult] = field(repr=False)
    files: list[Path] = field(repr=False)


def evaluate_with_report(
    protocol: Protocol,
    model: Reader,
    documents: Sequence[Document],
    folder: StrPath,
    settings: ReportSettings | None = None,
    others: Mapping[str, Callable[[], Reader]] | None = None,
    *,
    about: Mapping[str, Any] | None = None,
    say: Say = lambda _: None,
) -> Reported:
    """Evaluates a model, and writes a report of it to a folder.

    Scores are kept in the folder as they come. The same call goes on where it was stopped.

    Args:
        protocol: how the model is measured.
        model: an extractor, or a baseline.
        documents: what it is measured on.
        folder: of the report: a new one, or one that has a report.
        settings: what is tried besides.
        others: models that it is compared with, by name; each is loaded when its turn comes.
        about: settings that the report shows.
        say: is told what is done, in sentences.

    Raises:
        ImportError: when a package is missing that reports need.
        OSError, ValueError: when the folder, the documents or the settings do not fit.
    """
    used = settings or ReportSettings()
    folder = check_report_folder(folder)
    with closing(ScoreStore(folder / SCORES)) as store:
        reader = _keeping(model, store, "score")
        result = protocol.run(reader, documents)
        speeds = _speeds(reader)
        more: dict[str, Any] = {"speeds": speeds, "settings": dict(about or {})}
        _say_kept(reader, say)
        notes: list[str] = []
        if used.num_probed and result.decision == "threshold" and not isinstance(model, Baseline):
            more |= _probe(protocol, reader, documents, result, used, notes)
        found: list[EvaluationResult] = []
        if others:
            more["checkpoints"] = _compare(protocol, documents, (result, speeds), others, store, used, say, found)
            more["resamples"] = used.resamples
    report = make_report(result, used.num_examples, notes=notes, **more)
    return Reported(report, result, found, write_report(report, folder, result))


def _keeping(model: Reader, store: ScoreStore, desc: str) -> Reader:
    """A model whose scores are kept; a baseline as it is."""
    extract = model if isinstance(model, RelationExtractor) else getattr(model, "extractor", None)
    if not isinstance(extract, RelationExtractor):
        return model
    kept = KeepingExtractor(extract, store)
    kept.desc = desc
    return cast("Reader", kept)  # it is called as an extractor is, with scores


def _say_kept(reader: Reader, say: Say, name: str = "") -> None:
    if isinstance(reader, KeepingExtractor) and reader.num_kept:
        total = reader.num_kept + reader.num_scored
        who = name and f"{name}: "
        say(f"{who}{reader.num_kept:,} of {total:,} texts were scored by an earlier run, and were not scored again.")


def _speeds(reader: Reader) -> list[Speed]:
    return reader.store.speeds(reader.asked) if isinstance(reader, KeepingExtractor) and reader.asked else []


def _probe(
    protocol: Protocol,
    reader: Reader,
    documents: Sequence[Document],
    result: EvaluationResult,
    settings: ReportSettings,
    notes: list[str],
) -> dict[str, Any]:
    """Asks for the relation types in other orders and by other names, with the threshold that is in use."""
    chosen = _drawn(documents, settings.num_probed, settings.seed)
    names = result.relation_types
    asked: Any = protocol  # a dataclass, of those whose pairs are asked for every relation type
    asked = replace(asked, fit_on=(), background=(), **_entities_of(result))

    def run(
        what: str, types: Sequence[str], texts: Sequence[Document], called: Mapping[str, str] | None = None
    ) -> EvaluationResult:
        if isinstance(reader, KeepingExtractor):
            reader.desc = what
        used = _thresholds_in_use(result, called or {})
        found: EvaluationResult = replace(asked, relation_types=list(types), threshold=used).run(reader, texts)
        return found

    base = run("probe", names, chosen)
    wordings = make_wordings(names, settings.paraphrases)
    orders: list[Shift] = try_orders(
        lambda types: run("order", types, chosen), base, settings.num_orders, settings.seed
    )
    named = try_wordings(
        lambda new: run("wording", [new[name] for name in names], [renamed(one, new) for one in chosen], new),
        base,
        wordings.names,
    )
    notes += wordings.notes()
    figures = dict(zip(FIGURES, figures_of(document_counts(base).sum(0)).tolist(), strict=True))
    return {
        "orders": orders,
        "wordings": named,
        "num_probed": len(chosen),
        "probed_micro_f1": figures["micro_f1"],
        "probed_macro_f1": figures["macro_f1"],
    }


def _thresholds_in_use(result: EvaluationResult, called: Mapping[str, str]) -> float | dict[str, float] | None:
    """One, or where types have their own, that of every type by the name that it is asked for by."""
    if not result.type_thresholds or result.threshold is None:
        return result.threshold
    own = result.type_thresholds
    return {called.get(name, name): own.get(name, result.threshold) for name in result.relation_types}


def _entities_of(result: EvaluationResult) -> dict[str, Any]:
    """What an end-to-end protocol is asked for again."""
    if result.entities == "gold":
        return {}
    return {"entity_types": result.details.entity_types, "entity_threshold": result.details.entity_threshold}


def _drawn(documents: Sequence[Document], number: int, seed: int) -> list[Document]:
    """At most `number` documents, in their order."""
    if number >= len(documents):
        return list(documents)
    places = random.Random(seed).sample(range(len(documents)), number)
    return [documents[place] for place in sorted(places)]


def renamed(document: Document, names: Mapping[str, str]) -> Document:
    """The document with other names for its relation types; those that are not in `names` keep theirs."""
    relations = (
        replace(one, relation_type=names.get(one.relation_type, one.relation_type)) for one in document.relations
    )
    return replace(document, relations=list(relations))


def _compare(
    protocol: Protocol,
    documents: Sequence[Document],
    first: tuple[EvaluationResult, list[Speed]],
    others: Mapping[str, Callable[[], Reader]],
    store: ScoreStore,
    settings: ReportSettings,
    say: Say,
    results: list[EvaluationResult],
) -> list[Checkpoint]:
    """The first model and the others, with their differences from it; what was found goes to `results` as well."""
    result, speeds = first
    counts = document_counts(result, len(documents))
    checkpoints = [_checkpoint(result, speeds)]
    for name, load in others.items():
        model = load()
        reader = _keeping(model, store, f"score {Path(name).name}")
        own, said = for_another(protocol, model)
        if said:
            say(f"{name}: {said}")
        found = own.run(reader, documents)
        _say_kept(reader, say, name)
        if found.entities != result.entities:
            raise ValueError(
                f"{result.model!r} has {result.entities} entities and {name!r} {found.entities} ones: their figures "
                "do not compare. Add --entities gold."
            )
        differences = paired_bootstrap(
            counts, document_counts(found, len(documents)), settings.resamples, settings.seed
        )
        results.append(found)
        checkpoints.append(replace(_checkpoint(found, _speeds(reader)), name=name, differences=differences))
    return _corrected(checkpoints)


def _checkpoint(result: EvaluationResult, speeds: list[Speed]) -> Checkpoint:
    cells = flatten(result)
    return Checkpoint(
        result.model,
        result.threshold,
        dict(zip(FIGURES, figures_of(document_counts(result).sum(0)).tolist(), strict=True)),
        precision_recall(cells).average_precision,
        calibration(cells).error,
        speeds,
        num_type_thresholds=len(result.type_thresholds),
    )


def _corrected(checkpoints: Iterable[Checkpoint]) -> list[Checkpoint]:
    """With p corrected for the number of checkpoints, figure by figure."""
    first, *others = checkpoints
    by_figure = [holm([one.differences[place].p for one in others]) for place in range(len(FIGURES))]
    return [
        first,
        *(replace(one, corrected=[of_one[rank] for of_one in by_figure]) for rank, one in enumerate(others)),
    ]


__all__ = ["ReportSettings", "Reported", "evaluate_with_report", "renamed"]
