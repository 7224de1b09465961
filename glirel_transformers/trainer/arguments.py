"""Settings of a training run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from transformers import TrainingArguments


@dataclass
class GLiRELTrainingArguments(TrainingArguments):
    """[`TrainingArguments`] with the GLiREL paper's set-up as defaults (Table 4), and what GLiREL has in addition.

    From the paper: AdamW, a learning rate of 1e-5 for the encoder and 1e-4 for the rest, cosine decay after a warm-up
    over 10 % of the steps, batches of 8. It trains for `num_train_epochs`, unless `max_steps` says otherwise, as
    everywhere in transformers; the paper takes 20,000 steps: [`paper`].
    `train_sampling_strategy="group_by_length"` puts texts of similar length into a batch.

    Args:
        learning_rate: of everything but the encoder.
        encoder_learning_rate: of the encoder. Where relation types are read apart (`label_encoding="separate"`), also
            of what reads them, of the projections of both, and of the fusion of layers, as in the original GLiDRE.
        weight_decay: of everything but the encoder. Biases and norms are never decayed.
        encoder_weight_decay: of the encoder.
        num_frozen_encoder_layers: how many of the encoder's layers, from the first, are not trained. From 1 on, its
            embeddings are not trained either (among them those of `[REL]` and `[SEP]`, which keep their first values
            in a fresh model).
        max_per_relation: how many relations of one type an epoch holds at most, see [`RelationSampler`].
        by_entity: whether pairs are of entities, each with all its mentions, see [`RelationCollator`]; for the trainer
            that makes the collator. By default they are where the model reads an entity from all its words
            (`mention_representation="words"`), unless it has a `coreference_label`.
        record_relation_types: whether the model's configuration keeps the names of the types it is trained on, in
            `trained_relation_types` and `trained_entity_types`. `False` suits thousands of synthetic names.
        candidates_from: from which share of all updates on a model that finds entities also meets the spans that it
            wrongly takes for some, as pairs without a relation; 1 means never.
        max_added_candidates: how many of these are added to a text at most, the likeliest ones.
        relation_drop_rate, entity_drop_rate: the largest share of the relation types and of the entity types that a
            text of such a model is not asked for after a drop, see [`JointCollator`]; for the trainer that makes the
            collator.

    Raises:
        ValueError: when one of these is negative.
    """

    learning_rate: float = field(default=1e-4, metadata={"help": "Learning rate of everything but the encoder."})
    encoder_learning_rate: float = field(default=1e-5, metadata={"help": "Learning rate of the encoder."})
    weight_decay: float = field(default=0.01, metadata={"help": "Weight decay of everything but the encoder."})
    encoder_weight_decay: float = field(default=0.01, metadata={"help": "Weight decay of the encoder."})
    num_frozen_encoder_layers: int = field(
        default=0, metadata={"help": "How many of the encoder's first layers, and its embeddings, are not trained."}
    )
    max_per_relation: int | None = field(
        default=None, metadata={"help": "How many relations of one type an epoch holds at most."}
    )
    by_entity: bool | None = field(
        default=None, metadata={"help": "Pair entities, each with all its mentions, in place of mentions."}
    )
    record_relation_types: bool = field(
        default=True, metadata={"help": "Keep the names of the types trained on in the model's configuration."}
    )
    candidates_from: float = field(
        default=0.3, metadata={"help": "Share of the updates after which what is wrongly found is paired; 1: never."}
    )
    max_added_candidates: int = field(
        default=16, metadata={"help": "How many wrongly found entities are paired in a text at most."}
    )
    relation_drop_rate: float = field(
        default=0.3, metadata={"help": "Largest share of relation types that a drop takes out, with an entity finder."}
    )
    entity_drop_rate: float = field(
        default=1.0, metadata={"help": "Largest share of entity types that a drop takes out, with an entity finder."}
    )
    lr_scheduler_type: str = field(default="cosine", metadata={"help": "The scheduler type to use."})
    warmup_steps: float = field(default=0.1, metadata={"help": "Warm-up steps, or below 1 their share of all steps."})
    # What the batches need.
    remove_unused_columns: bool = field(
        default=False, metadata={"help": "Must be False: batches are made of documents."}
    )
    label_names: list[str] | None = field(
        default_factory=lambda: ["labels"], metadata={"help": "The keys of a batch that are targets."}
    )
    batch_eval_metrics: bool = field(default=True, metadata={"help": "Must be True: batches differ in their shapes."})
    # A loss that is not a number must be seen.
    logging_nan_inf_filter: bool = field(default=False, metadata={"help": "Leave NaN and inf out of the logged loss."})

    def __post_init__(self) -> None:
        for name in (
            "encoder_learning_rate",
            "encoder_weight_decay",
            "num_frozen_encoder_layers",
            "candidates_from",
            "max_added_candidates",
        ):
            if getattr(self, name) < 0:
                raise ValueError(f"`{name}` must not be negative: got {getattr(self, name)}.")
        for name, needed in (("remove_unused_columns", False), ("batch_eval_metrics", True)):
            if getattr(self, name) != needed:
                raise ValueError(f"`{name}` must be {needed} for GLiREL: got {getattr(self, name)}. Leave it out.")
        if self.label_smoothing_factor:
            raise ValueError(
                "`label_smoothing_factor` is for classes that exclude each other, but a pair may have several "
                f"relation types: got {self.label_smoothing_factor}. Leave it out; positive_weight and "
                "negative_weight of the model's configuration weigh both sides."
            )
        # Mixed precision on a machine without an accelerator is refused unless the CPU is asked for.
        if not torch.accelerator.is_available():
            self.use_cpu = True
        super().__post_init__()

    @classmethod
    def paper(cls, output_dir: str, **settings: Any) -> GLiRELTrainingArguments:
        """The paper's set-up (Table 4), with its 20,000 steps.

        Args:
            output_dir: where checkpoints are written.
            settings: any others, which take precedence.
        """
        return cls(**{"output_dir": output_dir, "max_steps": 20_000, **settings})
