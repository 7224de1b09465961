"""What `glirel calibrate` is given, and what fits together."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import typer

from .evaluate_options import BatchSize, Device, Dtype, EntityTypes, GroupSize, Overlap, SelfPairs
from .reading import Alignment, Exhaustive, Reader

_FIT, _WRITE, _ASK, _DOCUMENTS = "What is fitted", "What is written", "What is asked", "Whole documents"

Checkpoint = Annotated[
    str, typer.Argument(metavar="CHECKPOINT", help="Folder or Hub repository of the model, or folder of an export.")
]
Dev = Annotated[
    list[Path],
    typer.Argument(
        metavar="DEV",
        exists=True,
        dir_okay=False,
        help="Files of annotated documents that the model was not trained on.",
    ),
]
Output = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        metavar="FOLDER",
        help="Write a calibrated copy of CHECKPOINT, to a new folder. [default: figures only]",
        rich_help_panel=_WRITE,
    ),
]
InPlace = Annotated[
    bool,
    typer.Option(
        "--in-place",
        help="Write into CHECKPOINT itself: its settings, code and model card; a calibration that it has is replaced.",
        rich_help_panel=_WRITE,
    ),
]
Plot = Annotated[
    Path | None,
    typer.Option(
        "--plot",
        dir_okay=False,
        help="Draw a reliability diagram, such as reliability.png.",
        rich_help_panel=_WRITE,
    ),
]
Report = Annotated[
    Path | None,
    typer.Option("--report", dir_okay=False, help="Write all figures as JSON.", rich_help_panel=_WRITE),
]
Relations = Annotated[
    list[str] | None,
    typer.Option(
        "--relation",
        "-r",
        help="A relation type to ask for. Repeatable. [default: all that occur in DEV]",
        rich_help_panel=_ASK,
    ),
]
Entities = Annotated[
    Literal["gold", "found"] | None,
    typer.Option(
        "--entities",
        help="Where entities come from: those of DEV (gold), or found by the model. [default: found where the model "
        "finds entities, else gold]",
        rich_help_panel=_ASK,
    ),
]
MethodOption = Annotated[
    Literal["auto", "none", "temperature", "temperature+bias"],
    typer.Option(
        "--method",
        help="How scores are scaled; auto takes what is likeliest on documents that were not fitted to.",
        rich_help_panel=_FIT,
    ),
]
Metric = Annotated[
    Literal["micro", "macro"],
    typer.Option("--metric", help="Whose F1 thresholds are to be best for.", rich_help_panel=_FIT),
]
ByType = Annotated[
    bool | None,
    typer.Option(
        "--by-type/--one-threshold",
        help="Whether types get thresholds of their own. [default: where their cross-validated F1 is higher]",
        rich_help_panel=_FIT,
    ),
]
MinExamples = Annotated[
    int,
    typer.Option(
        "--min-examples",
        min=1,
        help="Scored relations of DEV that a type needs for a threshold of its own.",
        rich_help_panel=_FIT,
    ),
]
Background = Annotated[
    list[Path] | None,
    typer.Option(
        "--background",
        metavar="FILE",
        exists=True,
        dir_okay=False,
        help="Documents with entities, of which no relation is read: fits a rule for the thresholds of types that are "
        "not in DEV, from how they score there. Repeatable.",
        rich_help_panel=_FIT,
    ),
]
Folds = Annotated[
    int,
    typer.Option("--folds", min=2, help="Parts of DEV, of which each is judged by the others.", rich_help_panel=_FIT),
]
Seed = Annotated[int, typer.Option("--seed", help="Of how DEV is divided.", rich_help_panel=_FIT)]
ByEntity = Annotated[
    bool,
    typer.Option(
        "--by-entity",
        help="Pairs are of entities, each with all its mentions, not of mentions.",
        rich_help_panel=_DOCUMENTS,
    ),
]


@dataclass(frozen=True)
class CalibrateOptions:
    """What `glirel calibrate` is given."""

    checkpoint: Checkpoint
    dev: Dev
    output: Output = None
    in_place: InPlace = False
    plot: Plot = None
    report: Report = None
    method: MethodOption = "auto"
    metric: Metric = "micro"
    by_type: ByType = None
    min_examples: MinExamples = 20
    background: Background = None
    folds: Folds = 5
    seed: Seed = 0
    relation: Relations = None
    entities: Entities = None
    entity_types: EntityTypes = None
    overlap: Overlap = None
    group_size: GroupSize = None
    self_pairs: SelfPairs = False
    by_entity: ByEntity = False
    reader: Reader = None
    exhaustive: Exhaustive = None
    alignment: Alignment = "strict"
    batch_size: BatchSize = 8
    device: Device = None
    dtype: Dtype = None

    def check(self) -> None:
        """Checks what excludes or needs each other.

        Raises:
            ValueError: when options do not fit.
        """
        if self.output is not None and self.in_place:
            raise ValueError("--output writes a new folder, and --in-place changes CHECKPOINT. Choose one of the two.")
        if self.entities == "gold" and (self.entity_types or self.overlap):
            raise ValueError("--entity-types and --overlap are for entities that are found: got --entities gold.")
        if self.entities == "found" and (self.by_entity or self.self_pairs):
            raise ValueError("--by-entity and --self-pairs are for the entities of DEV: add --entities gold.")
