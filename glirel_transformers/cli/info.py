"""`glirel info`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from .console import console, errors_without_traceback, plain

if TYPE_CHECKING:
    from glirel_transformers.inspection import Checkpoint

_PARTS = {"label_encoder": "encoder of relation types"}
_TYPES_SHOWN = 40  # how many of the relation types trained on are shown


def info(
    checkpoint: Annotated[
        str | None,
        typer.Argument(metavar="CHECKPOINT", help="Folder or Hub repository. [default: $GLIREL_MODEL, glirel-small]"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, with all relation types.")] = False,
) -> None:
    """Show what a checkpoint is, what it was trained on, and how much fits into it.

    No weights are loaded.

    For example:

        glirel info runs/mine/model

        glirel info runs/mine/model --json
    """
    with errors_without_traceback():
        from glirel_transformers.inspection import describe_checkpoint

        found = describe_checkpoint(checkpoint)
    if as_json:
        print(json.dumps(asdict(found), ensure_ascii=False, indent=2))
        return
    console.print(_facts(found))
    console.print(_capacity(found))
    _show_types(found.trained_relation_types, "relation types")
    if found.finds is not None:
        _show_types(found.trained_entity_types, "entity types")


def _facts(found: Checkpoint) -> Table:
    from glirel_transformers.configuration_glirel import STAGES

    rows = {"encoder": _encoder(found.encoder)}
    if found.label_encoder is not None:
        rows["encoder of relation types"] = _encoder(found.label_encoder)
    for stage, names in STAGES.items():
        # As they would be set.
        rows[stage] = ", ".join(f"{name}={found.head[name]}" for name in names if found.head.get(name) is not None)
    rows |= {
        "parameters": f"{sum(found.num_parameters.values()):,}: "
        + ", ".join(f"{_PARTS.get(part, part)} {number:,}" for part, number in found.num_parameters.items()),
        "weights": f"{found.file_size / 1e6:,.1f} MB, stored as {', '.join(found.stored_types)}, computed in "
        f"{found.dtype}",
        "finds entities": "" if found.finds is None else _finder(found.finds),
        "threshold": f"{found.threshold:.3f}" + (" (relations)" if found.finds else ""),
        "calibration": "" if found.calibration is None else _calibration(found.calibration),
        "licence": found.licence or "not named in the model card",
        "limits": "\n".join(_limits(found)),
    }
    table = Table(show_header=False, title=plain(found.name), title_justify="left")
    for name, value in rows.items():
        if value:
            table.add_row(name, plain(value))
    return table


def _encoder(encoder: dict[str, Any]) -> str:
    return (
        f"{encoder['model_type']}, {encoder['num_hidden_layers']} layers of width {encoder['hidden_size']}, "
        f"{encoder['num_attention_heads']} heads, {encoder['vocab_size']:,} tokens in the vocabulary"
    )


def _calibration(fitted: dict[str, Any]) -> str:
    """What was fitted to its scores, in words."""
    from glirel_transformers.calibration_glirel import ScoreCalibration

    found = ScoreCalibration.read(fitted)
    lines = [f"temperature {found.temperature:.4f}, bias {found.bias:+.4f}"]
    if found.thresholds:
        lines.append("thresholds: " + ", ".join(f"{name} {value:.3f}" for name, value in found.thresholds.items()))
    if found.background is not None:
        lines.append("other types: from background texts, see --background of glirel extract")
    return "\n".join(lines)


def _finder(finds: dict[str, Any]) -> str:
    """How it finds entities, in words."""
    width, selection = finds["max_entity_width"], finds["pair_selection"]
    pairs = "all pairs of them" if selection == "all" else f"pairs chosen by {selection}"
    lines = [
        f"by {finds['entity_finder']}, of {'any number of' if width is None else f'at most {width:,}'} words, above "
        f"{finds['entity_threshold']:.3f}",
        f"at most {finds['max_candidates']:,} candidates of a text; {pairs} are scored"
        + (f", above {finds['adjacency_threshold']:.3f}" if "adjacency_threshold" in finds else ""),
    ]
    if finds["markers"]:
        lines.append("markers: " + ", ".join(f"{token} ({part})" for part, token in finds["markers"].items()))
    return "\n".join(lines)


def _limits(found: Checkpoint) -> Iterator[str]:
    with_types = "" if found.head["label_encoding"] == "separate" else " with the relation types"
    yield "no limit on tokens" if found.max_tokens is None else f"{found.max_tokens:,} tokens{with_types}"
    if found.max_words is not None:
        yield f"{found.max_words:,} words of a text"
    if found.max_pair_distance is not None:
        yield f"{found.max_pair_distance:,} words between the starts of a pair's mentions"


def _capacity(found: Checkpoint) -> Table:
    names = (
        "the names that it was trained on"
        if found.trained_relation_types
        else "20 typical names, such as place of birth"
    )
    title = (
        f"How many relation types fit next to a text, at {found.tokens_per_name:.1f} tokens a name (measured on"
        f" {names}) and {found.tokens_per_word:.2f} a word (on a paragraph of English)"
    )
    if found.finds is not None and found.finds["markers"]:
        title += "; entity types take room likewise"
    if found.head["entity_markers"]:
        title += "; each mention takes two more tokens"
    table = Table("words", title=title, title_justify="left", title_style="")
    table.add_column("relation types", justify="right")
    too_long = "any number, in segments" if found.head["label_encoding"] == "separate" else "none: read in windows"
    for words, number in found.capacity.items():
        shown = "any number" if number is None else f"{number:,}" if number else too_long
        table.add_row(f"{words:,}", shown)
    return table


def _show_types(names: list[str] | None, what: str) -> None:
    if names is None:
        console.print(f"The checkpoint does not say which {what} it was trained on.")
        return
    shown = ", ".join(names[:_TYPES_SHOWN])
    more = f", and {len(names) - _TYPES_SHOWN:,} more (--json lists all)" if len(names) > _TYPES_SHOWN else ""
    console.print(f"Trained on {len(names):,} {what}: {plain(shown)}{more}")
