"""The options of `glirel evaluate` that say how a model is measured, and what it is compared with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import typer

_ASK = "What is asked"
_HOW, _CLASSIFY, _FEW, _BASELINES = "Protocol", "classification", "few-shot", "Baselines"

ProtocolName = Literal["classification", "extraction", "end-to-end", "document", "few-shot"]
BASELINE_NAMES = ("bag-of-words", "sentence-embeddings", "random", "majority")

Protocol = Annotated[
    ProtocolName | None,
    typer.Option(
        "--protocol",
        help="How it is measured. classification: the pair is given, and the best of m types wins. extraction: "
        "entities are given, all pairs are asked, a threshold decides. end-to-end: entities are found. document: "
        "pairs of entities with all their mentions. few-shot: after training on a few documents. [default: end-to-end "
        "where the model finds entities, else extraction]",
        rich_help_panel=_HOW,
    ),
]
Datasets = Annotated[
    list[str] | None,
    typer.Option(
        "--dataset",
        metavar="NAME",
        help="A further file of DATA: its path or, in --data-dir, the start of its name, such as conll04.test. "
        "Repeatable.",
        rich_help_panel=_HOW,
    ),
]
DataDir = Annotated[
    Path | None,
    typer.Option(
        "--data-dir", metavar="FOLDER", exists=True, file_okay=False, help="Where --dataset is looked for.",
        rich_help_panel=_HOW,
    ),
]  # fmt: skip
Pairs = Annotated[
    Literal["all", "annotated"],
    typer.Option(
        "--pairs",
        help="annotated: show as well what remains when predictions on pairs without a relation are left out, as the "
        "original GLiREL does. These figures compare with its own alone.",
        rich_help_panel=_HOW,
    ),
]
Background = Annotated[
    list[Path] | None,
    typer.Option(
        "--background",
        metavar="FILE",
        exists=True,
        dir_okay=False,
        help="Documents with entities, of which no relation is read: types that the model was not calibrated for get "
        "thresholds from how they score there (see glirel calibrate). Repeatable.",
        rich_help_panel=_ASK,
    ),
]
BackgroundCache = Annotated[
    Path | None,
    typer.Option(
        "--background-cache",
        metavar="FILE",
        dir_okay=False,
        help="Keep these thresholds for the next run; written where it is missing.",
        rich_help_panel=_ASK,
    ),
]
Splits = Annotated[
    Path | None,
    typer.Option(
        "--splits",
        metavar="FOLDER",
        exists=True,
        file_okay=False,
        help="Published splits: JSON files with the types to 'test' on, such as fewrel_rel2id_10_ori.json.",
        rich_help_panel=_CLASSIFY,
    ),
]
Unseen = Annotated[
    str | None,
    typer.Option(
        "--unseen",
        metavar="M,…",
        help="How many types of DATA are drawn to compete. [default: 5,10,15]",
        rich_help_panel=_CLASSIFY,
    ),
]
Seeds = Annotated[
    int,
    typer.Option(
        "--seeds", min=1, help="Runs for everything that is drawn, of which the mean is shown.", rich_help_panel=_HOW
    ),
]
Train = Annotated[
    list[Path] | None,
    typer.Option(
        "--train",
        metavar="FILE",
        exists=True,
        help="Documents that samples are drawn from. Repeatable.",
        rich_help_panel=_FEW,
    ),
]
Shots = Annotated[
    str,
    typer.Option(
        "--shots",
        metavar="N,…",
        help="Sizes of the samples: numbers, 0 for no training, or all.",
        rich_help_panel=_FEW,
    ),
]
Per = Annotated[
    Literal["document", "type"],
    typer.Option("--per", help="Whether sizes count documents, or relations of each type.", rich_help_panel=_FEW),
]
Measure = Annotated[
    Literal["classification", "extraction", "end-to-end", "document"] | None,
    typer.Option(
        "--measure",
        help="The protocol that measures what was trained. [default: as without few-shot]",
        rich_help_panel=_FEW,
    ),
]
Runs = Annotated[
    Path | None,
    typer.Option(
        "--runs",
        metavar="FOLDER",
        file_okay=False,
        help="Where results are kept as they come: the same command goes on there, also with more --shots or --seeds.",
        rich_help_panel=_FEW,
    ),
]
KeepModels = Annotated[bool, typer.Option("--keep-models", help="Keep the model of every run.", rich_help_panel=_FEW)]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="FIELD=VALUE",
        help="Any training argument, as of glirel train, such as max_steps=200. Repeatable.",
        rich_help_panel=_FEW,
    ),
]
Baselines = Annotated[
    list[str] | None,
    typer.Option(
        "--baseline",
        metavar="NAME",
        help="Measure it likewise: bag-of-words, sentence-embeddings, random or majority. Repeatable. Alone: "
        "baseline:NAME in place of CHECKPOINT.",
        rich_help_panel=_BASELINES,
    ),
]
Embeddings = Annotated[
    str | None,
    typer.Option(
        "--embeddings",
        metavar="ENCODER",
        help="For sentence-embeddings: folder or Hub repository, such as sentence-transformers/all-MiniLM-L6-v2.",
        rich_help_panel=_BASELINES,
    ),
]


def read_numbers(text: str, option: str, least: int, words: Sequence[str] = ()) -> list[int | str]:
    """Numbers of an option that takes several, such as `5,10,15`.

    Args:
        text: what was given.
        option: for the error.
        least: the smallest number that will do.
        words: what may stand in place of a number.

    Raises:
        ValueError: when it is anything else.
    """
    found: list[int | str] = []
    for part in (part.strip() for part in text.split(",")):
        if part in words:
            found.append(part)
        elif part.isdecimal() and int(part) >= least:
            found.append(int(part))
        else:
            other = f" or {' or '.join(words)}" if words else ""
            raise ValueError(
                f"{option} is {text!r}. Write numbers of at least {least}{other}, separated by commas, such as 5,10."
            )
    return list(dict.fromkeys(found))


def find_datasets(names: Sequence[str], folder: Path | None) -> list[Path]:
    """The files of `--dataset`.

    Args:
        names: paths, or the starts of names in `folder`, up to a dot.
        folder: of `--data-dir`.

    Raises:
        FileNotFoundError: when there is none, or several; the message names what is there.
    """
    return [_find_dataset(name, folder) for name in names]


def _find_dataset(name: str, folder: Path | None) -> Path:
    if Path(name).exists():
        return Path(name)
    if folder is None:
        raise FileNotFoundError(f"--dataset {name!r} is not a file. Give its path, or --data-dir with its folder.")
    if (folder / name).exists():
        return folder / name
    files = sorted(folder.iterdir())
    found = [file for file in files if file.name.startswith(f"{name}.")]
    if len(found) == 1:
        return found[0]
    there = ", ".join(file.name for file in (found or files)[:20]) or "no file"
    what = "fits several files" if found else "fits no file"
    raise FileNotFoundError(f"--dataset {name!r} {what} of {str(folder)!r}. It has {there}. Give more of a name.")
