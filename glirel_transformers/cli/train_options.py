"""The options of `glirel train`, by panel. Everything else is set with `--set FIELD=VALUE`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from typer.core import TyperCommand

from glirel_transformers.choices_glirel import Scorer, System

from .console import errors, is_main_process, plain
from .reading import Alignment, Exhaustive, Reader


def _in(panel: str) -> Callable[..., Any]:
    """`typer.Option` in a panel of the help, where short types leave room for the names of options."""

    def option(*names: str, **settings: Any) -> object:
        kind = "" if "/--" in names[0] else "FILE" if "exists" in settings else "VALUE"
        return typer.Option(*names, rich_help_panel=panel, **{"metavar": kind, **settings})

    return option


_DATA = _in("Data")
_DOCUMENTS = _in("Whole documents")
_START = _in("Where training starts")
_HEAD = _in("Head of a fresh model, only with --encoder")
_TYPES = _in("Types that an instance is asked for")
_RUN = _in("Training")
_EVALUATION = _in("Evaluation")
_MACHINE = _in("Machine")
_OTHERS = _in("All other settings")

# Data
DataFiles = Annotated[
    list[Path],
    typer.Argument(
        metavar="DATA",
        exists=True,
        help="Annotated documents in any format that is known: files, also compressed, or a folder of brat.",
    ),
]
Output = Annotated[
    Path,
    _DATA(
        "--output", "-o", help="Folder of the run: `model` in it is the result, `checkpoints` what it resumes from."
    ),
]
EvaluationFiles = Annotated[
    list[Path] | None,
    _DATA("--eval", exists=True, help="File to evaluate on, in place of a held-out share. Repeatable."),
]
HeldOut = Annotated[
    float | None,
    _DATA(
        "--held-out",
        min=0,
        max=1,
        help="Share of DATA that is evaluated on and not trained on, chosen by a hash of the text. [default: 0.05; 0 "
        "with --eval, or with fewer than 20 documents]",
    ),
]
EvaluationLimit = Annotated[int, _DATA("--eval-limit", min=1, help="At most n documents to evaluate on.")]
ByEntity = Annotated[
    bool | None,
    _DOCUMENTS(
        "--by-entity/--by-mention",
        help="Pairs are of entities, each with all its mentions, as for documents; or of mentions. [default: of "
        "entities where the model reads them from all their words, as GLiDRE does]",
    ),
]
MaxPerRelation = Annotated[
    int | None,
    _DATA(
        "--max-per-relation",
        min=1,
        help="At most n relations of one type in an epoch; 500 to 1000 is a good choice.",
    ),
]
Repeat = Annotated[
    list[str] | None,
    _DATA(
        "--repeat",
        metavar="SOURCE=FACTOR",
        help="Visit documents whose source starts with SOURCE FACTOR times in an epoch; below 1 only some of them, "
        "with 0 none. Repeatable.",
    ),
]

# Where training starts
Encoder = Annotated[
    str | None,
    _START("--encoder", "-e", help="A pre-trained encoder (folder or Hub repository), which gets a fresh head."),
]
LabelEncoder = Annotated[
    str | None,
    _START(
        "--label-encoder",
        "-l",
        help="With --encoder: a pre-trained encoder that reads relation types on their own, so that there may be any "
        "number of them. [default: --encoder, with --system glidre]",
    ),
]
SystemOption = Annotated[
    System | None,
    _START(
        "--system",
        metavar="NAME",
        help="With --encoder: the choices of a paper for the head: glirel, glidre, or relex, which also finds "
        "entities. Other options and --set change them.",
    ),
]
Model = Annotated[
    str | None,
    _START(
        "--model",
        "-m",
        help="A GLiREL checkpoint (folder or Hub repository) to continue from. [default: $GLIREL_MODEL, glirel-small]",
    ),
]

# Head
ScorerOption = Annotated[
    Scorer | None,
    _HEAD(
        "--scorer",
        metavar="NAME",
        help="How a pair is scored against a relation type: dot, dot_thresh, dot_norm or concat_proj. [default: dot]",
    ),
]
HiddenSize = Annotated[
    int | None, _HEAD("--hidden-size", min=1, help="Width after the encoder. [default: the encoder's]")
]
MaxLength = Annotated[
    int | None, _HEAD("--max-length", min=8, help="Tokens that the model reads. [default: as many as the encoder]")
]

# Relation types
MaxRelationTypes = Annotated[
    int,
    _TYPES(
        "--max-relation-types",
        min=1,
        help="At most n: its own, then negatives drawn from DATA. Where types are read apart, those of the batch come "
        "to them.",
    ),
]
MaxEntityTypes = Annotated[
    int,
    _TYPES(
        "--max-entity-types",
        min=1,
        help="At most n entity types, its own and then negatives, where the model finds entities.",
    ),
]
MaxBatchTypes = Annotated[
    int,
    _TYPES(
        "--max-batch-types",
        min=1,
        help="At most n relation types for all texts of a batch, where types are read apart; what holds in one of "
        "them is always there.",
    ),
]
RandomDrop = Annotated[
    float, _TYPES("--random-drop", min=0, max=1, help="Probability with which some of them are removed again.")
]
Negatives = Annotated[
    Literal["frequency", "uniform"],
    _TYPES("--negatives", metavar="NAME", help="How negatives are drawn: by frequency, or uniformly."),
]
StandIns = Annotated[
    Path | None,
    _TYPES(
        "--stand-ins", exists=True, dir_okay=False, help="JSON of other wordings to use as well: {type: [wording, …]}."
    ),
]
HardNegatives = Annotated[
    Path | None,
    _TYPES(
        "--hard-negatives",
        exists=True,
        dir_okay=False,
        help="JSON of types that are easily taken for each other: {type: [type, …]}. Up to half of the negatives of a "
        "text are drawn from those of its own types.",
    ),
]

# Training
LearningRate = Annotated[float, _RUN("--learning-rate", min=0, help="Of everything but the encoder.")]
EncoderLearningRate = Annotated[float, _RUN("--encoder-learning-rate", min=0, help="Of the encoder.")]
BatchSize = Annotated[int, _RUN("--batch-size", "-b", min=1, help="Documents in a batch, for each process.")]
MaxSteps = Annotated[int, _RUN("--max-steps", min=1, help="Updates. For a few dozen documents, 50 to 200 are enough.")]
Epochs = Annotated[
    float | None, _RUN("--epochs", min=0.001, help="Passes over the documents, in place of --max-steps.")
]
Seed = Annotated[int, _RUN("--seed", min=0, help="Of everything that is drawn.")]
# Evaluation
EvaluationSteps = Annotated[
    int, _EVALUATION("--eval-steps", min=1, help="Updates between evaluations; also how often a checkpoint is saved.")
]
KeepBest = Annotated[
    bool, _EVALUATION("--keep-best/--no-keep-best", help="Keep the weights with the lowest loss, or the last ones.")
]
Patience = Annotated[
    int | None, _EVALUATION("--patience", min=1, help="Stop after n evaluations without a lower loss.")
]
ThresholdAverage = Annotated[
    Literal["micro", "macro"],
    _EVALUATION("--threshold-average", metavar="NAME", help="Which F1 the threshold is fitted for: micro or macro."),
]

# Machine
Bf16 = Annotated[
    bool, _MACHINE("--bf16/--no-bf16", help="Compute in bfloat16. On processors without it, --no-bf16 is faster.")
]

# All others
Set = Annotated[
    list[str] | None,
    _OTHERS(
        "--set",
        metavar="FIELD=VALUE",
        help="Any field of GLiRELConfig (with --encoder) or of GLiRELTrainingArguments, such as dropout=0.2, "
        "loss_function=focal, num_frozen_encoder_layers=2, gradient_accumulation_steps=4. Repeatable.",
    ),
]


@dataclass(frozen=True)
class TrainSettings:
    """What `glirel train` is given. The defaults are those of the GLiREL paper (Table 4)."""

    data: DataFiles
    output: Output
    reader: Reader = None
    exhaustive: Exhaustive = None
    alignment: Alignment = "strict"
    eval_files: EvaluationFiles = None
    held_out: HeldOut = None
    eval_limit: EvaluationLimit = 1000
    max_per_relation: MaxPerRelation = None
    by_entity: ByEntity = None
    repeat: Repeat = None
    encoder: Encoder = None
    label_encoder: LabelEncoder = None
    system: SystemOption = None
    model: Model = None
    scorer: ScorerOption = None
    hidden_size: HiddenSize = None
    max_length: MaxLength = None
    max_relation_types: MaxRelationTypes = 25
    max_entity_types: MaxEntityTypes = 25
    max_batch_types: MaxBatchTypes = 256
    random_drop: RandomDrop = 0.5
    negatives: Negatives = "frequency"
    stand_ins: StandIns = None
    hard_negatives: HardNegatives = None
    learning_rate: LearningRate = 1e-4
    encoder_learning_rate: EncoderLearningRate = 1e-5
    batch_size: BatchSize = 8
    max_steps: MaxSteps = 20_000
    epochs: Epochs = None
    seed: Seed = 0
    eval_steps: EvaluationSteps = 500
    keep_best: KeepBest = True
    patience: Patience = None
    threshold_average: ThresholdAverage = "micro"
    bf16: Bf16 = True
    set: Set = None


# Options of earlier versions, and what they set.
_RENAMED = {
    "--dropout": "dropout",
    "--loss": "loss_function",
    "--focal-alpha": "focal_alpha",
    "--focal-gamma": "focal_gamma",
    "--positive-weight": "positive_weight",
    "--negative-weight": "negative_weight",
    "--subtoken-pooling": "subtoken_pooling",
    "--relation-representation": "relation_representation",
    "--mention-representation": "mention_representation",
    "--pair-refinement": "num_pair_refinement_layers",
    "--relation-refinement": "num_relation_refinement_layers",
    "--coreference-label": "coreference_label",
    "--weight-decay": "weight_decay",
    "--encoder-weight-decay": "encoder_weight_decay",
    "--frozen-layers": "num_frozen_encoder_layers",
    "--accumulate": "gradient_accumulation_steps",
    "--workers": "dataloader_num_workers",
}
_RENAMED_FLAGS = {
    "--lstm": "use_lstm=true",
    "--no-lstm": "use_lstm=false",
    "--entity-markers": "entity_markers=true",
    "--no-entity-markers": "entity_markers=false",
    "--shared-positions": "shared_relation_positions=true",
    "--no-shared-positions": "shared_relation_positions=false",
    "--no-record-types": "record_relation_types=false",
    "--compile": "torch_compile=true",
    "--no-compile": "torch_compile=false",
}


# Fields that have an option: `--set` is the same as that, with its checks.
_OPTIONS = {
    "scorer": "--scorer",
    "hidden_size": "--hidden-size",
    "max_per_relation": "--max-per-relation",
    "learning_rate": "--learning-rate",
    "encoder_learning_rate": "--encoder-learning-rate",
    "per_device_train_batch_size": "--batch-size",
    "max_steps": "--max-steps",
    "num_train_epochs": "--epochs",
    "seed": "--seed",
    "eval_steps": "--eval-steps",
}


class TrainCommand(TyperCommand):
    """Reads the options of earlier versions as well."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]  # typer's own
        """Parses arguments, in which each setting is spelled in one way."""
        return super().parse_args(ctx, list(_with_one_spelling(args)))


def _with_one_spelling(args: Sequence[str]) -> Iterator[str]:
    waiting = iter(args)
    for arg in waiting:
        if arg == "--":
            yield arg
            yield from waiting
            return
        name, equals, value = arg.partition("=")
        if arg in _RENAMED_FLAGS:
            yield from _renamed(arg, _RENAMED_FLAGS[arg])
        elif name in _RENAMED:
            yield from _renamed(name, f"{_RENAMED[name]}={value if equals else next(waiting, '')}")
        elif name == "--set":
            whole = value if equals else next(waiting, "")
            field, _, setting = whole.partition("=")
            option = _OPTIONS.get(field.strip().replace("-", "_"))
            yield from ("--set", whole) if option is None else (option, setting)
        else:
            yield arg


def _renamed(old: str, new: str) -> tuple[str, str]:
    if is_main_process():
        errors.print(plain(f"note: {old} is now --set {new}"))
    return "--set", new
