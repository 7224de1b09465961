"""What `glirel evaluate` is given, and what fits together."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import typer

from .reading import Alignment, Exhaustive, Reader

_ASK, _DOCUMENTS, _SHOW = "What is asked", "Whole documents", "What is shown"

Checkpoint = Annotated[str, typer.Argument(metavar="CHECKPOINT", help="Folder or Hub repository of the model.")]
Data = Annotated[
    list[Path],
    typer.Argument(metavar="DATA", exists=True, help="Annotated documents: files, or a folder of brat."),
]
RelationTypes = Annotated[
    list[str] | None,
    typer.Option(
        "--relation",
        "-r",
        help="A relation type to ask for. Repeatable. [default: all that occur in DATA]",
        rich_help_panel=_ASK,
    ),
]
Threshold = Annotated[
    float | None,
    typer.Option("--threshold", min=0, max=1, help="Least probability. [default: the model's]", rich_help_panel=_ASK),
]
GroupSize = Annotated[
    int | None,
    typer.Option(
        "--group-size",
        min=1,
        help="Relation types asked for at once, the others in further passes. [default: as many as take half of the "
        "tokens that the model reads]",
        rich_help_panel=_ASK,
    ),
]
Candidates = Annotated[
    int | None,
    typer.Option(
        "--candidates",
        min=2,
        help="Also classify: the pair is given, and its relation type competes with others of DATA, n in all.",
        rich_help_panel=_ASK,
    ),
]
HeldOut = Annotated[
    float | None,
    typer.Option(
        "--held-out",
        min=0,
        max=1,
        help="Read only the share of DATA that `glirel train` holds out with the same number, such as its 0.05.",
        rich_help_panel=_ASK,
    ),
]
Limit = Annotated[
    int | None,
    typer.Option("--limit", min=1, help="Read the first documents only, for a quick look.", rich_help_panel=_ASK),
]
SelfPairs = Annotated[
    bool,
    typer.Option(
        "--self-pairs",
        help="Also pair each mention, or entity, with itself.",
        rich_help_panel=_ASK,
    ),
]
ByEntity = Annotated[
    bool,
    typer.Option(
        "--by-entity",
        help="Score documents: pairs of entities, each with all its mentions, and facts between them.",
        rich_help_panel=_DOCUMENTS,
    ),
]
TrainFactFiles = Annotated[
    list[Path] | None,
    typer.Option(
        "--train-facts",
        metavar="FILE",
        exists=True,
        help="Documents that the model was trained on: gives Ign F1, without the right facts that these state. "
        "Repeatable.",
        rich_help_panel=_DOCUMENTS,
    ),
]
Entities = Annotated[
    Literal["gold", "found", "prompted"] | None,
    typer.Option(
        "--entities",
        help="Where entities come from: those of DATA (gold), found by the model among --entity-types (found), or "
        "found with the types of each text's own gold entities as its prompt (prompted). [default: found where the "
        "model finds entities, else gold]",
        rich_help_panel=_ASK,
    ),
]
EntityTypes = Annotated[
    list[str] | None,
    typer.Option(
        "--entity-types",
        metavar="TYPES",
        help="Entity types to find, such as 'person,city'. Repeatable. [default: all that occur in DATA]",
        rich_help_panel=_ASK,
    ),
]
EntityThreshold = Annotated[
    float | None,
    typer.Option(
        "--entity-threshold",
        min=0,
        max=1,
        help="Probability above which a span is an entity. [default: the model's]",
        rich_help_panel=_ASK,
    ),
]
Overlap = Annotated[
    Literal["flat", "nested"] | None,
    typer.Option(
        "--overlap", help="Whether entities that are found may be nested. [default: flat]", rich_help_panel=_ASK
    ),
]
FitOn = Annotated[
    list[Path] | None,
    typer.Option(
        "--fit-on",
        metavar="DEV",
        exists=True,
        help="Use the threshold with the best micro F1 on these documents, which must not be DATA; that of entities "
        "too, where they are found. Repeatable.",
        rich_help_panel=_ASK,
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
BatchSize = Annotated[int, typer.Option("--batch-size", "-b", min=1, help="Texts read at once.", rich_help_panel=_ASK)]
Device = Annotated[
    str | None,
    typer.Option("--device", help="Such as cuda:0 or cpu. [default: an accelerator, if any]", rich_help_panel=_ASK),
]
Dtype = Annotated[
    Literal["float32", "bfloat16", "float16"] | None,
    typer.Option("--dtype", help="Precision. [default: the model's]", rich_help_panel=_ASK),
]
Sort = Annotated[
    Literal["support", "f1", "name"],
    typer.Option("--sort", help="Order of the relation types.", rich_help_panel=_SHOW),
]
Top = Annotated[
    int | None,
    typer.Option("--top", min=0, help="Show the first n relation types. [default: all]", rich_help_panel=_SHOW),
]
Plot = Annotated[
    Path | None,
    typer.Option(
        "--plot", dir_okay=False, help="Draw F1 against the threshold, such as f1.png.", rich_help_panel=_SHOW
    ),
]
Output = Annotated[
    Path | None,
    typer.Option("--output", "-o", dir_okay=False, help="Write everything as JSON as well.", rich_help_panel=_SHOW),
]


@dataclass(frozen=True)
class EvaluateOptions:
    """What `glirel evaluate` is given."""

    checkpoint: Checkpoint
    data: Data
    reader: Reader = None
    exhaustive: Exhaustive = None
    alignment: Alignment = "strict"
    relation: RelationTypes = None
    threshold: Threshold = None
    entities: Entities = None
    entity_types: EntityTypes = None
    entity_threshold: EntityThreshold = None
    overlap: Overlap = None
    fit_on: FitOn = None
    background: Background = None
    group_size: GroupSize = None
    candidates: Candidates = None
    held_out: HeldOut = None
    limit: Limit = None
    self_pairs: SelfPairs = False
    by_entity: ByEntity = False
    train_facts: TrainFactFiles = None
    batch_size: BatchSize = 8
    device: Device = None
    dtype: Dtype = None
    sort: Sort = "support"
    top: Top = None
    plot: Plot = None
    output: Output = None

    def check(self) -> None:
        """Checks what excludes or needs each other.

        Raises:
            ValueError: when options do not fit.
        """
        if self.train_facts and not self.by_entity:
            raise ValueError("--train-facts gives Ign F1, which is of facts between entities. Add --by-entity.")
        if self.fit_on and self.threshold is not None:
            raise ValueError("--fit-on finds the threshold, and --threshold gives it. Choose one of the two.")
        if self.background and (self.fit_on or self.threshold is not None):
            other = "--fit-on" if self.fit_on else "--threshold"
            raise ValueError(f"--background finds thresholds of types, {other} one for all. Choose one of the two.")
        if self.fit_on and self.entity_threshold is not None:
            raise ValueError("--fit-on finds the threshold, and --entity-threshold gives it. Choose one of the two.")
        for file in self.fit_on or ():
            if any(file.samefile(other) for other in self.data):
                raise ValueError(
                    f"--fit-on {str(file)!r} is one of DATA, on which the threshold would then be measured as well. "
                    "Fit it on other documents."
                )

    def source(self, finds: bool) -> Literal["gold", "found", "prompted"]:
        """Where entities come from, and what that excludes.

        Args:
            finds: whether the model finds entities.

        Raises:
            ValueError: when the model or an option does not fit.
        """
        source = self.entities or ("found" if finds else "gold")
        if source != "gold" and not finds:
            raise ValueError(
                f"--entities {source} needs a model that finds entities, and this one does not (entity_finder='none')."
                " Leave it out: the entities of DATA are then given."
            )
        of_found = {
            "--entity-types": self.entity_types,
            "--entity-threshold": self.entity_threshold,
            "--overlap": self.overlap,
        }
        of_gold = {"--by-entity": self.by_entity, "--candidates": self.candidates, "--self-pairs": self.self_pairs}
        wrong = [
            name for name, value in (of_found if source == "gold" else of_gold).items() if value not in (None, False)
        ]
        if wrong and source == "gold":
            raise ValueError(
                f"{wrong[0]} is for entities that the model finds, and here they are given. Leave it out."
            )
        if wrong:
            raise ValueError(f"{wrong[0]} is for entities that are given. Add --entities gold.")
        if source == "prompted" and self.entity_types:
            raise ValueError(
                "--entities prompted asks each text for the types of its own entities, and --entity-types names them. "
                "Choose one."
            )
        return source
