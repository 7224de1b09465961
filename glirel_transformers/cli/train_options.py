"""The options of `glirel train`, by panel. Their defaults stand in the command's signature."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer


def _in(panel: str) -> Any:
    """`typer.Option` in a panel of the help, where short types leave room for the names of options."""

    def option(*names: str, **settings: Any) -> Any:
        kind = "" if "/--" in names[0] else "FILE" if "exists" in settings else "VALUE"
        return typer.Option(*names, rich_help_panel=panel, **{"metavar": kind, **settings})

    return option


_DATA = _in("Data")
_START = _in("Where training starts")
_HEAD = _in("Head of a fresh model, only with --encoder (fields of GLiRELConfig)")
_TYPES = _in("Relation types that an instance is asked for")
_RUN = _in("Training")
_EVALUATION = _in("Evaluation")
_MACHINE = _in("Machine")

# Data
DataFiles = Annotated[
    list[Path],
    typer.Argument(
        metavar="DATA",
        exists=True,
        dir_okay=False,
        help="Files of annotated documents: .jsonl, .jsonl.xz, .jsonl.gz.",
    ),
]
Output = Annotated[
    Path,
    _DATA(
        "--output", "-o", help="Folder of the run: `model` in it is the result, `checkpoints` what it goes on from."
    ),
]
EvaluationFiles = Annotated[
    list[Path] | None,
    _DATA(
        "--eval", exists=True, dir_okay=False, help="File to evaluate on, in place of a held-out share. Repeatable."
    ),
]
HeldOut = Annotated[
    float | None,
    _DATA(
        "--held-out",
        min=0,
        max=1,
        help="Share of DATA that is evaluated on and not trained on, told by a hash of the text. [default: 0.05; 0 "
        "with --eval, or with fewer than 20 documents]",
    ),
]
EvaluationLimit = Annotated[int, _DATA("--eval-limit", min=1, help="Documents to evaluate on at most.")]
MaxPerRelation = Annotated[
    int | None,
    _DATA(
        "--max-per-relation", min=1, help="Relations of one type that an epoch visits at most; 500 to 1000 is good."
    ),
]
Repeat = Annotated[
    list[str] | None,
    _DATA(
        "--repeat",
        metavar="SOURCE=FACTOR",
        help="Visit documents whose source begins with SOURCE so often in an epoch; below 1 only some of them, with 0 "
        "none. Repeatable.",
    ),
]

# Where training starts
Encoder = Annotated[
    str | None,
    _START("--encoder", "-e", help="A pre-trained encoder (folder or Hub repository), which is given a fresh head."),
]
Model = Annotated[
    str | None,
    _START(
        "--model",
        "-m",
        help="A GLiREL checkpoint (folder or Hub repository) to continue from. [default: $GLIREL_MODEL, glirel-mini]",
    ),
]
MaxLength = Annotated[
    int | None, _HEAD("--max-length", min=8, help="Tokens that the model reads. [default: what the encoder says]")
]

# Head
Scorer = Annotated[
    Literal["dot", "dot_thresh", "dot_norm", "concat_proj"] | None,
    _HEAD(
        "--scorer",
        metavar="NAME",
        help="How a pair is scored against a relation type: dot, dot_thresh, dot_norm or concat_proj. [default: dot]",
    ),
]
HiddenSize = Annotated[
    int | None, _HEAD("--hidden-size", min=1, help="Width behind the encoder. [default: the encoder's]")
]
Dropout = Annotated[float | None, _HEAD("--dropout", min=0, max=1, help="Dropout of the head. [default: 0.1]")]
Loss = Annotated[
    Literal["bce", "focal"] | None, _HEAD("--loss", metavar="NAME", help="Loss function: bce or focal. [default: bce]")
]
FocalAlpha = Annotated[
    float | None, _HEAD("--focal-alpha", min=0, max=1, help="Focal loss: weight of what is right. [default: 0.75]")
]
FocalGamma = Annotated[
    float | None, _HEAD("--focal-gamma", min=0, help="Focal loss: focus on what is hard. [default: 3]")
]
PositiveWeight = Annotated[
    float | None, _HEAD("--positive-weight", min=0, help="Factor on the loss of what is right. [default: 1]")
]
NegativeWeight = Annotated[
    float | None, _HEAD("--negative-weight", min=0, help="Factor on the loss of what is not. [default: 1]")
]
SubtokenPooling = Annotated[
    Literal["first", "last", "mean", "sum", "first_last"] | None,
    _HEAD(
        "--subtoken-pooling",
        metavar="NAME",
        help="How a word's sub-tokens become one vector: first, last, mean, sum or first_last. [default: first]",
    ),
]
RelationRepresentation = Annotated[
    Literal["label", "rel_token", "both"] | None,
    _HEAD(
        "--relation-representation",
        metavar="NAME",
        help="Where a relation type's vector is read: label, rel_token or both. [default: label]",
    ),
]
MentionRepresentation = Annotated[
    Literal["endpoints", "mean"] | None,
    _HEAD(
        "--mention-representation",
        metavar="NAME",
        help="How a mention's words become one vector: endpoints or mean. [default: endpoints]",
    ),
]
PairRefinement = Annotated[
    int | None,
    _HEAD(
        "--pair-refinement",
        metavar="N",
        min=0,
        max=2,
        help="Layers that refine pairs against the text. [default: 0]",
    ),
]
RelationRefinement = Annotated[
    int | None,
    _HEAD(
        "--relation-refinement",
        metavar="N",
        min=0,
        max=2,
        help="Layers that refine relation types against the pairs. [default: 0]",
    ),
]
Lstm = Annotated[bool | None, _HEAD("--lstm", metavar="", help="A bidirectional LSTM over the words.")]
EntityMarkers = Annotated[
    bool | None,
    _HEAD("--entity-markers", metavar="", help="Enclose mentions in [E] and [/E]."),
]
CoreferenceLabel = Annotated[
    str | None,
    _HEAD("--coreference-label", help="Relation type that joins mentions of one entity; the paper uses SELF."),
]
SharedPositions = Annotated[
    bool | None,
    _HEAD(
        "--shared-positions",
        metavar="",
        help="Read relation types as a set: their order cannot matter (BERT, ELECTRA, ModernBERT).",
    ),
]

# Relation types
MaxRelationTypes = Annotated[
    int, _TYPES("--max-relation-types", min=1, help="At most so many: its own, then negatives drawn from DATA.")
]
RandomDrop = Annotated[
    float, _TYPES("--random-drop", min=0, max=1, help="Probability with which some of them are taken out again.")
]
Negatives = Annotated[
    Literal["frequency", "uniform"],
    _TYPES("--negatives", metavar="NAME", help="How negatives are drawn: by frequency, or uniform, all alike."),
]
StandIns = Annotated[
    Path | None,
    _TYPES(
        "--stand-ins", exists=True, dir_okay=False, help="JSON of other wordings to use as well: {type: [wording, …]}."
    ),
]
NoRecordTypes = Annotated[
    bool,
    _TYPES(
        "--no-record-types",
        metavar="",
        help="Do not keep the names trained on in the checkpoint, where they are thousands of synthetic ones.",
    ),
]

# Training
LearningRate = Annotated[float, _RUN("--learning-rate", min=0, help="Of everything but the encoder.")]
EncoderLearningRate = Annotated[float, _RUN("--encoder-learning-rate", min=0, help="Of the encoder.")]
WeightDecay = Annotated[float, _RUN("--weight-decay", min=0, help="Of everything but the encoder.")]
EncoderWeightDecay = Annotated[float, _RUN("--encoder-weight-decay", min=0, help="Of the encoder.")]
FrozenLayers = Annotated[
    int, _RUN("--frozen-layers", min=0, help="How many of the encoder's first layers (and its embeddings) stay fixed.")
]
BatchSize = Annotated[int, _RUN("--batch-size", "-b", min=1, help="Documents a batch, for each process.")]
Accumulate = Annotated[int, _RUN("--accumulate", min=1, help="Batches an update.")]
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
    int | None, _EVALUATION("--patience", min=1, help="Stop after so many evaluations without a lower loss.")
]
ThresholdAverage = Annotated[
    Literal["micro", "macro"],
    _EVALUATION("--threshold-average", metavar="NAME", help="Which F1 the threshold is fitted for: micro or macro."),
]

# Machine
Bf16 = Annotated[
    bool,
    _MACHINE("--bf16/--no-bf16", help="Compute in bfloat16. On processors without it, --no-bf16 is faster."),
]
Compile = Annotated[bool, _MACHINE("--compile/--no-compile", help="torch.compile: a slow start, then faster.")]
Workers = Annotated[int, _MACHINE("--workers", min=0, help="Processes that make batches; 0 makes them in this one.")]
