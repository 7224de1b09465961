"""What `glirel evaluate` is given, and what fits together."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

import typer

from . import evaluate_protocol_options as of_protocols
from . import evaluate_report_options as of_reports
from .evaluate_protocol_options import ProtocolName, find_datasets
from .reading import Alignment, Exhaustive, Reader

_ASK, _DOCUMENTS, _SHOW = "What is asked", "Whole documents", "What is shown"

Checkpoint = Annotated[
    str,
    typer.Argument(
        metavar="CHECKPOINT", help="Folder or Hub repository of the model; baseline:NAME for a baseline alone."
    ),
]
Data = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="DATA", exists=True, show_default=False, help="Annotated documents: files, or a folder of brat."
    ),
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
        help="Classify, also next to extraction: the pair is given, and its relation type competes with others that "
        "are drawn for it, n in all.",
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
        help="Short for --protocol document: pairs of entities, each with all its mentions, and facts between them.",
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
MultiLabel = Annotated[
    bool,
    typer.Option("--multi-label", help="Let an entity that is found have several types.", rich_help_panel=_ASK),
]
AdjacencyThreshold = Annotated[
    float | None,
    typer.Option(
        "--adjacency-threshold",
        min=0,
        max=1,
        help="For a model with a pair_selection, above which pairs are scored. [default: the model's]",
        rich_help_panel=_ASK,
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


BASELINE = "baseline:"
"""How the name of a baseline starts in place of CHECKPOINT."""


@dataclass(frozen=True)
class EvaluateOptions:
    """What `glirel evaluate` is given."""

    checkpoint: Checkpoint
    data: Data = None
    dataset: of_protocols.Datasets = None
    data_dir: of_protocols.DataDir = None
    protocol: of_protocols.Protocol = None
    reader: Reader = None
    exhaustive: Exhaustive = None
    alignment: Alignment = "strict"
    relation: RelationTypes = None
    threshold: Threshold = None
    entities: Entities = None
    entity_types: EntityTypes = None
    entity_threshold: EntityThreshold = None
    overlap: Overlap = None
    multi_label: MultiLabel = False
    adjacency_threshold: AdjacencyThreshold = None
    fit_on: FitOn = None
    background: of_protocols.Background = None
    background_cache: of_protocols.BackgroundCache = None
    group_size: GroupSize = None
    candidates: Candidates = None
    held_out: HeldOut = None
    limit: Limit = None
    self_pairs: SelfPairs = False
    by_entity: ByEntity = False
    train_facts: TrainFactFiles = None
    pairs: of_protocols.Pairs = "all"
    seeds: of_protocols.Seeds = 5
    splits: of_protocols.Splits = None
    unseen: of_protocols.Unseen = None
    train: of_protocols.Train = None
    shots: of_protocols.Shots = "1,5,10"
    per: of_protocols.Per = "document"
    measure: of_protocols.Measure = None
    runs: of_protocols.Runs = None
    keep_models: of_protocols.KeepModels = False
    set: of_protocols.Set = None
    baseline: of_protocols.Baselines = None
    embeddings: of_protocols.Embeddings = None
    batch_size: BatchSize = 8
    device: Device = None
    dtype: Dtype = None
    sort: Sort = "support"
    top: Top = None
    plot: Plot = None
    output: Output = None
    report: of_reports.Report = None
    compare: of_reports.Compare = None
    resamples: of_reports.Resamples = 1000
    probe: of_reports.Probe = 200
    orders: of_reports.Orders = 3
    paraphrases: of_reports.Paraphrases = None

    def resolved(self) -> EvaluateOptions:
        """The same, with the files of --dataset among DATA.

        Raises:
            FileNotFoundError: when there is no such file.
            ValueError: when there are no DATA, or a file is named twice.
        """
        files = [*(self.data or []), *find_datasets(self.dataset or (), self.data_dir)]
        if not files:
            raise ValueError("There are no DATA. Name a file of annotated documents, as DATA or with --dataset.")
        if twice := next((file for place, file in enumerate(files) if any(map(file.samefile, files[:place]))), None):
            raise ValueError(f"{str(twice)!r} is twice among DATA, and would count twice. Name it once.")
        return replace(self, data=files)

    @property
    def files(self) -> list[Path]:
        """All of DATA."""
        return list(self.data or ())

    @property
    def changed(self) -> frozenset[str]:
        """Names of the options that are not at their defaults."""
        defaults = EvaluateOptions(self.checkpoint)
        return frozenset(name for name in vars(self) if getattr(self, name) != getattr(defaults, name))

    @property
    def measured_by(self) -> ProtocolName | None:
        """The protocol that measures, where it was named; few-shot is measured by another one."""
        return "document" if self._named is None and self.by_entity else self._named

    @property
    def _named(self) -> ProtocolName | None:
        return self.measure if self.protocol == "few-shot" else self.protocol

    @property
    def names_baseline(self) -> bool:
        """Whether a baseline stands in place of CHECKPOINT."""
        return self.checkpoint.startswith(BASELINE)

    def check(self) -> None:
        """Checks what excludes or needs each other.

        Raises:
            ValueError: when options do not fit.
        """
        if self.fit_on and self.threshold is not None:
            raise ValueError("--fit-on finds the threshold, and --threshold gives it. Choose one of the two.")
        if self.background and (self.fit_on or self.threshold is not None):
            other = "--fit-on" if self.fit_on else "--threshold"
            raise ValueError(f"--background finds thresholds of types, {other} one for all. Choose one of the two.")
        if self.background_cache is not None and not self.background:
            raise ValueError("--background-cache keeps what --background finds: add that, or leave it out.")
        if self.fit_on and self.entity_threshold is not None:
            raise ValueError("--fit-on finds the threshold, and --entity-threshold gives it. Choose one of the two.")
        for file in self.fit_on or ():
            if any(file.samefile(other) for other in self.files):
                raise ValueError(
                    f"--fit-on {str(file)!r} is one of DATA, on which the threshold would then be measured as well. "
                    "Fit it on other documents."
                )
        from .evaluate_checks import check_protocol

        check_protocol(self)

    def source(self, finds: bool) -> Literal["gold", "found", "prompted"]:
        """Where entities come from, and what that excludes.

        Args:
            finds: whether the model finds entities.

        Raises:
            ValueError: when the model or an option does not fit.
        """
        finding = self.measured_by in (None, "end-to-end")
        # --by-entity alone never meant more than it says.
        source = self.entities or ("found" if finds and (finding or self.by_entity) else "gold")
        if (source != "gold" and not finds) or (self.measured_by == "end-to-end" and not finds):
            asked = f"--entities {self.entities}" if self.entities else "--protocol end-to-end"
            raise ValueError(
                f"{asked} needs a model that finds entities, and this one does not (entity_finder='none'). Leave it "
                "out: the entities of DATA are then given."
            )
        of_found = {
            "--entity-types": self.entity_types,
            "--entity-threshold": self.entity_threshold,
            "--overlap": self.overlap,
            "--multi-label": self.multi_label,
        }
        of_gold = {"--by-entity": self.by_entity, "--candidates": self.candidates, "--self-pairs": self.self_pairs}
        of_gold["--pairs annotated"] = self.pairs == "annotated"
        wrong = [
            name for name, value in (of_found if source == "gold" else of_gold).items() if value not in (None, False)
        ]
        if wrong and source == "gold":
            raise ValueError(
                f"{wrong[0]} is for entities that the model finds, and here they are given. Leave it out."
            )
        if wrong:
            raise ValueError(f"{wrong[0]} is for entities that are given. Add --entities gold.")
        if source != "gold" and not finding:
            raise ValueError(f"The protocol {self._named} gives the entities of DATA. Leave --entities out.")
        if source == "gold" and self._named == "end-to-end":
            raise ValueError("The protocol end-to-end finds entities, and --entities gold gives them. Choose one.")
        if source == "prompted" and self.entity_types:
            raise ValueError(
                "--entities prompted asks each text for the types of its own entities, and --entity-types names them. "
                "Choose one."
            )
        return source
