"""🤗 Trainer for GLiREL: documents in, a complete checkpoint out."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

from huggingface_hub import ModelCard
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils.data import DataLoader, Sampler, SequentialSampler
from transformers import Trainer
from transformers.trainer_utils import TrainOutput
from transformers.utils import logging

from glirel_transformers.card_glirel import CARD_FILE, add_training
from glirel_transformers.configuration_glirel import GLiRELConfig
from glirel_transformers.data.splits import count_entity_types, count_relation_types
from glirel_transformers.heads_glirel import GLiRELHead
from glirel_transformers.outputs_glirel import GLiRELJointExtractionOutput
from glirel_transformers.tokenization_glirel import GLiRELTokenizer

from .arguments import GLiRELTrainingArguments
from .attention import attention_for_training
from .candidates import AddedCandidates
from .checks import check_signal, note_wide_entities
from .collator import RelationCollator, pairs_entities
from .dataset import Documents, RelationDataset, RelationSampler
from .entity_metrics import count_entities
from .freezing import freeze_encoder_layers
from .joint_collator import JointCollator
from .metrics import RelationMetrics, mask_labels

logger = logging.get_logger(__name__)

_ENCODER = "glirel.encoder."
# What the original GLiDRE trains as its encoders.
_ENCODERS = (_ENCODER, "glirel.label_encoder.", "glirel.pooling.projection.", "glirel.layer_fusion.")
_KEYS = "relation_keys"
_PREDICTED = ("logits", "threshold_logits", "entity_logits")
_NOT_PREDICTED = {field.name for field in fields(GLiRELJointExtractionOutput)} - {"loss", *_PREDICTED}


class GLiRELTrainer(Trainer):
    """[`Trainer`] with two learning rates, frozen layers, and data that do not depend on what was drawn before.

    Everything of the stock trainer works: gradient accumulation (an update is the mean of its batches' losses), mixed
    precision, several processes, resuming, early stopping, the best model at the end. A resumed run continues exactly
    as the one that was stopped would have. Every checkpoint, and what `save_model` and `push_to_hub` write, holds the
    tokenizer and all code.

    Training writes the names of the types trained on into `model.config.trained_relation_types`, and those of entities
    that a model finds into `trained_entity_types`, after those that are there already (see
    `args.record_relation_types`).

    Evaluation reports the loss and micro and macro precision, recall and F1 at `model.config.threshold`
    ([`RelationMetrics`]), with the right entities; a model that finds entities is also measured on these.

    Such a model is trained on the spans that it wrongly finds as well, from `args.candidates_from` on
    ([`AddedCandidates`]).

    Args:
        model: a [`GLiRELForRelationClassification`] or [`GLiRELForJointExtraction`] with its tokenizer attached.
        args: [`GLiRELTrainingArguments`].
        train_dataset: [`Document`]s, or a 🤗 dataset of them (`load_documents`).
        eval_dataset: the same, or a dictionary of several.
        data_collator: by default one that draws 25 relation types an instance, its negatives from `train_dataset` (and
            25 entity types where the model finds entities: a [`JointCollator`]);
            `args.by_entity` says what it pairs, and the model's `coreference_label` is asked for with mentions.
        eval_collator: by default `data_collator.for_evaluation()`.
        kwargs: as [`Trainer`] takes them.
    """

    args: GLiRELTrainingArguments
    data_collator: RelationCollator
    optimizer: Optimizer | None

    def __init__(
        self,
        model: GLiRELHead | None = None,
        args: GLiRELTrainingArguments | None = None,
        data_collator: RelationCollator | None = None,
        train_dataset: Documents | None = None,
        eval_dataset: Documents | dict[str, Documents] | None = None,
        eval_collator: RelationCollator | None = None,
        **kwargs: Any,
    ) -> None:
        args = GLiRELTrainingArguments(output_dir="trainer_output") if args is None else args
        if not isinstance(args, GLiRELTrainingArguments):
            raise TypeError(f"`args` must be GLiRELTrainingArguments: got {type(args).__name__}.")
        tokenizer = kwargs.setdefault("processing_class", getattr(model, "tokenizer", None))
        train = None if train_dataset is None else RelationDataset.wrap(train_dataset)
        if data_collator is None:
            by_entity = model is not None and pairs_entities(model.config, args.by_entity)
            label = None if model is None or by_entity else model.config.coreference_label
            finds = model is not None and model.config.finds_entities
            data_collator = _make_collator(train, tokenizer, args, by_entity, label, finds)
        elif args.by_entity not in (None, data_collator.by_entity):
            raise ValueError(
                f"`args.by_entity` is {args.by_entity}, but the `data_collator` has by_entity="
                f"{data_collator.by_entity}. Leave it out of the arguments."
            )
        self.eval_collator = (eval_collator or data_collator).for_evaluation()
        self.eval_collator.with_relation_keys = True
        if model is not None:
            freeze_encoder_layers(model, args.num_frozen_encoder_layers)
            kwargs.setdefault("compute_metrics", RelationMetrics(model.config))
        super().__init__(
            model=model,
            args=args,
            data_collator=data_collator,
            train_dataset=train,
            eval_dataset=_wrap_all(eval_dataset),
            **kwargs,
        )

    def train(self, *args: object, **kwargs: object) -> TrainOutput:
        """As [`Trainer.train`]; the model's configuration also records the relation types that it is trained on.

        A `calibration` is taken out of it, with a warning: it was fitted to the scores of the old weights.

        Raises:
            ValueError: when there is nothing to learn: no document has a relation that is read, or no pair is known
                not to have one; and for a name of which the tokenizer keeps nothing.
        """
        if self.train_dataset is not None:
            check_signal(self.train_dataset, self.data_collator)
            if isinstance(self.data_collator, JointCollator):
                note_wide_entities(self.train_dataset, self.model.config.max_entity_width)
            if self.args.record_relation_types:
                _record_types(self.model.config, self.train_dataset)
        if self.model.config.calibration is not None:
            logger.warning(
                "The model was calibrated, which does not hold for the weights that training gives it: its "
                "`calibration` is dropped. Fit it again afterwards: glirel calibrate."
            )
            self.model.config.calibration = None
        with attention_for_training(self.model.glirel, self.args.bf16):
            return super().train(*args, **kwargs)

    def compute_loss(
        self, model: nn.Module, inputs: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Tensor | tuple[Tensor, Any]:
        """As [`Trainer.compute_loss`]; a model that finds entities also pairs what it wrongly finds, in training."""
        if model.training and "entity_labels" in inputs and self.adds_candidates:
            whole = self.accelerator.unwrap_model(model)
            candidates = AddedCandidates(
                whole.glirel.entity_finder, whole.config.entity_threshold, self.args.max_added_candidates
            )
            inputs = {**inputs, "select": candidates}
        loss: Tensor | tuple[Tensor, Any] = super().compute_loss(model, inputs, *args, **kwargs)
        return loss

    @property
    def adds_candidates(self) -> bool:
        """Whether training has come so far that what a model wrongly finds is paired."""
        return (
            self.state.global_step >= self.args.candidates_from * self.state.max_steps
            and self.args.candidates_from < 1
        )

    def create_optimizer(self, model: nn.Module | None = None) -> Optimizer:
        """AdamW (or `args.optim`): two groups for the encoders, two for the rest; biases and norms are not decayed.

        Frozen parameters are in none.
        """
        if self.optimizer is not None:
            return self.optimizer
        model = self.model if model is None else model
        decayed = set(self.get_decay_parameter_names(model))
        encoders = _ENCODERS if self.model.config.label_encoding == "separate" else (_ENCODER,)
        groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
        for name, parameter in model.named_parameters():
            if parameter.requires_grad:
                is_encoder = any(part in name for part in encoders)
                groups.setdefault((is_encoder, name in decayed), []).append(parameter)
        args = self.args
        optimizer_class, options = self.get_optimizer_cls_and_kwargs(args, model)
        self.optimizer = optimizer_class(
            [
                {
                    "params": groups[is_encoder, is_decayed],
                    "lr": args.encoder_learning_rate if is_encoder else args.learning_rate,
                    "weight_decay": (args.encoder_weight_decay if is_encoder else args.weight_decay) * is_decayed,
                }
                for is_encoder, is_decayed in sorted(groups)  # the head first: its rate is the one that is logged
            ],
            **options,
        )
        return self.optimizer

    def get_eval_dataloader(self, eval_dataset: Documents | str | None = None) -> DataLoader:
        """As [`Trainer.get_eval_dataloader`], with the collator of evaluations."""
        if eval_dataset is None or isinstance(eval_dataset, str):  # one of several, or all
            return self._with_eval_collator(super().get_eval_dataloader, eval_dataset)
        return self._with_eval_collator(super().get_eval_dataloader, RelationDataset.wrap(eval_dataset))

    def get_test_dataloader(self, test_dataset: Documents) -> DataLoader:
        """As [`Trainer.get_test_dataloader`], with the collator of evaluations."""
        return self._with_eval_collator(super().get_test_dataloader, RelationDataset.wrap(test_dataset))

    def _with_eval_collator(
        self, make: Callable[[RelationDataset | str | None], DataLoader], dataset: RelationDataset | str | None
    ) -> DataLoader:
        train_collator, self.data_collator = self.data_collator, self.eval_collator
        try:
            return make(dataset)
        finally:
            self.data_collator = train_collator

    def _get_train_sampler(self, train_dataset: RelationDataset | None = None) -> Sampler[int] | None:
        strategy = self.args.train_sampling_strategy
        if strategy not in ("random", "group_by_length"):
            return super()._get_train_sampler(train_dataset)
        return RelationSampler(
            self.train_dataset if train_dataset is None else train_dataset,
            seed=self.args.seed if self.args.data_seed is None else self.args.data_seed,
            max_per_relation=self.args.max_per_relation,
            group_by_length=self._train_batch_size if strategy == "group_by_length" else None,
        )

    def _get_eval_sampler(self, eval_dataset: RelationDataset) -> Sampler[int] | None:
        return SequentialSampler(eval_dataset) if self.args.world_size <= 1 else None

    def prediction_step(
        self,
        model: nn.Module,
        inputs: dict[str, Any],
        prediction_loss_only: bool,
        ignore_keys: list[str] | None = None,
    ) -> tuple[Tensor | None, Tensor | None, tuple[Tensor, ...] | None]:
        """As [`Trainer.prediction_step`]; logits, labels and relation keys come flat, `(batch, cells)`.

        With them come the numbers of entities, where the model finds some, see [`count_entities`]. Processes can then
        pad one axis to gather batches whose pairs and relation types differ in number.
        """
        inputs = dict(self._prepare_inputs(inputs))
        keys = inputs.pop(_KEYS)
        ignore_keys = [*(ignore_keys or []), *_NOT_PREDICTED]
        loss, predicted, _ = super().prediction_step(model, inputs, prediction_loss_only, ignore_keys)
        if predicted is None:
            return loss, None, None
        outputs = self._outputs(predicted if isinstance(predicted, tuple) else (predicted,))
        labels = mask_labels(inputs)
        keys = keys.unsqueeze(1).expand_as(labels)
        found: tuple[Tensor, ...] = ()
        if "entity_labels" in inputs and outputs.entity_logits is not None:
            finder = self.accelerator.unwrap_model(model).glirel.entity_finder
            found = (count_entities(finder, outputs.entity_logits, inputs, self.model.config.entity_threshold),)
        return loss, outputs.decision_logits.flatten(1), (labels.flatten(1), keys.flatten(1), *found)

    def _outputs(self, predicted: tuple[Tensor, ...]) -> GLiRELJointExtractionOutput:
        """What a model gave, from a tuple without what it did not give."""
        is_given = {
            "logits": True,
            "threshold_logits": self.model.config.threshold_head,
            "entity_logits": self.model.config.finds_entities,
        }
        names = [name for name in _PREDICTED if is_given[name]]
        outputs = GLiRELJointExtractionOutput()
        for name, tensor in zip(names, predicted, strict=True):
            outputs[name] = tensor
        return outputs

    def create_model_card(self, *args: object, **kwargs: object) -> None:
        """As [`Trainer.create_model_card`], but what the card says about usage is kept; training is added to it."""
        if not self.is_world_process_zero():
            return
        path = Path(self.args.output_dir) / CARD_FILE
        card = ModelCard.load(path) if path.exists() else None
        super().create_model_card(*args, **kwargs)
        if card is not None:
            name = path.parent.resolve().name
            add_training(card, ModelCard.load(path), name, self.args.hub_model_id).save(path)

    def log(self, logs: dict[str, float], *args: object, **kwargs: object) -> None:
        """As [`Trainer.log`]; refuses a loss that is not a number, and adds the encoder's learning rate.

        Raises:
            ValueError: when training has diverged.
        """
        if not math.isfinite(logs.get("loss", 0.0)):
            raise ValueError(
                f"The training loss is {logs['loss']} at step {self.state.global_step}: training diverged. Resume "
                "from an earlier checkpoint with a lower learning rate, or use bf16 in place of fp16."
            )
        if "learning_rate" in logs and self.args.learning_rate:  # both follow one schedule
            ratio = self.args.encoder_learning_rate / self.args.learning_rate
            logs["encoder_learning_rate"] = logs["learning_rate"] * ratio
        super().log(logs, *args, **kwargs)


def _make_collator(
    dataset: RelationDataset | None,
    tokenizer: GLiRELTokenizer | None,
    args: GLiRELTrainingArguments,
    by_entity: bool,
    coreference_label: str | None,
    finds_entities: bool,
) -> RelationCollator:
    """The collator of a trainer that is given none: it draws from all types of the training set.

    Raises:
        ValueError: when there is no training set or no tokenizer.
    """
    if dataset is None or tokenizer is None:
        raise ValueError(
            "Without a `data_collator`, GLiRELTrainer makes one from `train_dataset` and `model.tokenizer`: got "
            f"train_dataset={dataset!r}, tokenizer={tokenizer!r}. Pass both, or the collator."
        )
    counts = count_relation_types(example.document for example in dataset)
    seed = args.seed if args.data_seed is None else args.data_seed
    collator = RelationCollator(
        tokenizer, list(counts), seed=seed, by_entity=by_entity, coreference_label=coreference_label
    )
    if finds_entities:
        collator = JointCollator(
            tokenizer,
            list(counts),
            list(count_entity_types(example.document for example in dataset)),
            seed=seed,
            by_entity=by_entity,
            coreference_label=coreference_label,
            entity_drop_rate=args.entity_drop_rate,
            drop_rate=args.relation_drop_rate,
        )
    check_signal(dataset, collator)
    return collator


def _wrap_all(
    datasets: Documents | dict[str, Documents] | None,
) -> RelationDataset | dict[str, RelationDataset] | None:
    """The data to evaluate on, which may be several by name."""
    if isinstance(datasets, dict):
        return {name: RelationDataset.wrap(dataset) for name, dataset in datasets.items()}
    return None if datasets is None else RelationDataset.wrap(datasets)


def _record_types(config: GLiRELConfig, dataset: RelationDataset) -> None:
    """Adds the types of the training set to those that the configuration names already."""
    counts = count_relation_types(example.document for example in dataset)
    names = dict.fromkeys([*(config.trained_relation_types or []), *counts])
    config.trained_relation_types = [name for name in names if name != config.coreference_label]
    if config.finds_entities:
        found = count_entity_types(example.document for example in dataset)
        config.trained_entity_types = list(dict.fromkeys([*(config.trained_entity_types or []), *found]))
