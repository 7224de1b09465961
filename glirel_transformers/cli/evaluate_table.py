"""One table of all that was measured: models and baselines, rows of a protocol, with mean and deviation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.table import Table

from .console import plain

if TYPE_CHECKING:
    from glirel_transformers.evaluation import EvaluationResult
    from glirel_transformers.evaluation.results import Spread

GIVEN = {
    "gold": "entities given (gold)",
    "found": "entities found by the model",
    "prompted": "entities found by the model, prompted with the types of each text's own",
}
_NAMES = {
    "macro_precision": "macro P",
    "macro_recall": "macro R",
    "macro_f1": "macro F1",
    "micro_precision": "micro P",
    "micro_recall": "micro R",
    "micro_f1": "micro F1",
    "precision": "P",
    "recall": "R",
    "f1": "F1",
    "ign_f1": "Ign F1",
    "zsbert_f1": "ZS-BERT's F1",
    "triples_strict_micro_f1": "strict micro F1",
    "triples_strict_macro_f1": "strict macro F1",
    "triples_boundaries_micro_f1": "boundaries micro F1",
    "entities_strict_micro_f1": "entities micro F1",
}


def table_rows(results: Sequence[EvaluationResult]) -> list[dict[str, Any]]:
    """The same as JSON values: one for each model and row, with all figures."""
    from glirel_transformers.evaluation.results import Spread

    rows = []
    for result in results:
        own = {"type_thresholds": result.type_thresholds} if result.type_thresholds else {}
        about = {"model": result.model, "protocol": result.protocol, "entities": result.entities}
        for row, figures in result.summary().items():
            best = {"best_on_these_data": fit._asdict()} if (fit := best_fit(result)) is not None else {}
            spreads = {name: spread._asdict() for name, spread in figures.items()}
            rows.append({**about, "row": row, "threshold": result.threshold, **own, "figures": spreads, **best})
        for name, values in result.beside.items():
            spreads = {key: Spread.of([value])._asdict() for key, value in values.items()}
            rows.append({**about, "row": name, "threshold": result.threshold, **own, "figures": spreads})
    return rows


def best_fit(result: EvaluationResult) -> Any:  # noqa: ANN401  # a Fit, whose module imports torch
    """The threshold that is best on the data themselves; `None` where there is none."""
    return None if result.counts is None else result.counts.best("micro")


def protocol_table(results: Sequence[EvaluationResult]) -> Table:
    """Models under each other, with the rows of each: mean ± deviation of the runs."""
    from glirel_transformers.evaluation.results import HEADLINES

    first = results[0]
    kind = first.runs[0].protocol if first.runs else first.protocol
    names = [name for name in HEADLINES[kind] if any(name in run.figures for one in results for run in one.walk())]
    measured = "" if kind == first.protocol else f", measured by {kind}"
    title = f"Protocol {first.protocol}{measured}; {GIVEN[first.entities]}"
    table = Table(title=title, title_justify="left", title_style="")
    # A model's name is a line of its own above its rows, which leaves room for figures.
    table.add_column(f"model, {first.row_heading}".rstrip(", "), overflow="fold", min_width=28)
    has_runs = any(len(one.runs) > len(one.summary()) for one in results)
    has_best = any(best_fit(one) is not None for one in results)
    headings = [*(["runs"] if has_runs else []), *(_NAMES.get(name, name) for name in names)]
    for heading in [*headings, *(["best F1"] if has_best else [])]:
        table.add_column(heading, justify="right")
    for result in results:
        fit = best_fit(result)
        best = ["" if fit is None else f"{fit.f1:.3f}"] if has_best else []
        rows = {row or ("all pairs" if result.beside else ""): values for row, values in result.summary().items()}
        name = plain(result.model)
        if list(rows) != [""]:
            table.add_row(name)
        for row, values in rows.items():
            cells = [_written(values.get(one)) for one in names]
            runs = [str(max(spread.runs for spread in values.values()))] if has_runs else []
            table.add_row(f"  {row}" if row else name, *runs, *cells, *best)
        for row, beside in result.beside.items():
            cells = [f"{beside[one]:.3f}" if one in beside else "" for one in names]
            table.add_row(f"  {row}", *([""] if has_runs else []), *cells)
        table.add_section()
    return table


def _written(value: Spread | None) -> str:
    if value is None:
        return ""
    return f"{value.mean:.3f}" + ("" if value.deviation is None else f" ± {value.deviation:.3f}")
