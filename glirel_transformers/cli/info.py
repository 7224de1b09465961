"""`glirel info`."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from .console import console, errors_without_traceback, plain

if TYPE_CHECKING:
    from glirel_transformers.inspection import Checkpoint

_TYPES_SHOWN = 40  # how many of the relation types trained on are shown


def info(
    checkpoint: Annotated[
        str | None,
        typer.Argument(metavar="CHECKPOINT", help="Folder or Hub repository. [default: $GLIREL_MODEL, glirel-mini]"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, with all relation types.")] = False,
) -> None:
    """Tell what a checkpoint is, what it was trained on, and how much fits into it.

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
    _show_relation_types(found.trained_relation_types)


def _facts(found: Checkpoint) -> Table:
    encoder, head = found.encoder, found.head
    refinement = [
        f"{head[f'num_{kind}_refinement_layers']} of {plural}"
        for kind, plural in (("pair", "pairs"), ("relation", "relation types"))
        if head[f"num_{kind}_refinement_layers"]
    ]
    total = sum(found.num_parameters.values())
    limits = [
        "no limit on tokens" if found.max_tokens is None else f"{found.max_tokens:,} tokens, relation types included",
        "" if found.max_words is None else f"{found.max_words:,} words of a text",
        ""
        if found.max_pair_distance is None
        else f"{found.max_pair_distance:,} words between the starts of a pair's mentions",
    ]
    table = Table(show_header=False, title=plain(found.name), title_justify="left")
    rows = {
        "encoder": f"{encoder['model_type']}, {encoder['num_hidden_layers']} layers of width {encoder['hidden_size']}"
        f", {encoder['num_attention_heads']} heads, {encoder['vocab_size']:,} tokens in the vocabulary",
        "width of the head": f"{head['hidden_size']}",
        "words": f"sub-tokens pooled by {head['subtoken_pooling']}{', LSTM' if head['use_lstm'] else ''}",
        "mentions": head["mention_representation"] + (", in markers" if head["entity_markers"] else ""),
        "relation types": f"read at {head['relation_representation']}; their order "
        + ("does not matter" if head["shared_relation_positions"] else "has some influence"),
        "refinement": ", ".join(refinement) or "none",
        "scorer": head["scorer"],
        "coreference": head["coreference_label"] or "not trained",
        "parameters": f"{total:,}: encoder {found.num_parameters['encoder']:,}, head {found.num_parameters['head']:,}",
        "weights": f"{found.file_size / 1e6:,.1f} MB, stored as {', '.join(found.stored_types)}, computed in "
        f"{found.dtype}",
        "threshold": f"{found.threshold:.3f}",
        "licence": found.licence or "not named in the model card",
        "limits": "\n".join(filter(None, limits)),
    }
    for name, value in rows.items():
        table.add_row(name, plain(value))
    return table


def _capacity(found: Checkpoint) -> Table:
    names = (
        "the names that it was trained on"
        if found.trained_relation_types
        else "20 typical names, such as place of birth"
    )
    title = (
        f"How many relation types fit beside a text, at {found.tokens_per_name:.1f} tokens a name (measured on"
        f" {names}) and {found.tokens_per_word:.2f} a word (on a paragraph of English)"
    )
    if found.head["entity_markers"]:
        title += "; each mention takes two more tokens"
    table = Table("words", title=title, title_justify="left", title_style="")
    table.add_column("relation types", justify="right")
    for words, number in found.capacity.items():
        shown = "any number" if number is None else f"{number:,}" if number else "none: read in windows"
        table.add_row(f"{words:,}", shown)
    return table


def _show_relation_types(names: list[str] | None) -> None:
    if names is None:
        console.print("The checkpoint does not say which relation types it was trained on.")
        return
    shown = ", ".join(names[:_TYPES_SHOWN])
    more = f", and {len(names) - _TYPES_SHOWN:,} more (--json lists all)" if len(names) > _TYPES_SHOWN else ""
    console.print(f"Trained on {len(names):,} relation types: {plain(shown)}{more}")
