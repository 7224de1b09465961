"""Configuration of GLiREL models (arXiv 2501.03172)."""

from __future__ import annotations

import math
from typing import Any, ClassVar, get_args

from transformers import AutoConfig, PreTrainedConfig

from .choices_glirel import (
    CHOICES,
    EntityPooling,
    LossFunction,
    MarkerPlacement,
    MentionRepresentation,
    PairRepresentation,
    Refinement,
    RelationRepresentation,
    Scorer,
    SubtokenPooling,
)

# The paper's encoder (Section 3): what a bare `GLiRELConfig()` describes.
_DEBERTA_V3_LARGE = {
    "model_type": "deberta-v2",
    "vocab_size": 128100,
    "hidden_size": 1024,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "intermediate_size": 4096,
    "max_position_embeddings": 512,
    "relative_attention": True,
    "position_buckets": 256,
    "norm_rel_ebd": "layer_norm",
    "share_att_key": True,
    "pos_att_type": ["p2c", "c2p"],
    "position_biased_input": False,
    "type_vocab_size": 0,
}

# Options of every `from_pretrained` that say where a repository is read from.
HUB_OPTIONS = ("cache_dir", "force_download", "local_files_only", "token", "revision", "subfolder")

STAGES: dict[str, tuple[str, ...]] = {
    "encode": (
        "encoder_config",
        "hidden_size",
        "feed_forward_multiplier",
        "dropout",
        "subtoken_pooling",
        "relation_representation",
        "use_lstm",
        "entity_markers",
        "marker_placement",
        "max_words",
        "shared_relation_positions",
    ),
    "entities": ("mention_representation", "endpoint_projection", "entity_pooling"),
    "pairs": ("pair_representation", "max_pair_distance"),
    "refine": (
        "refinement",
        "num_pair_refinement_layers",
        "num_relation_refinement_layers",
        "num_refinement_heads",
        "refinement_self_attention",
        "refinement_feed_forward_multiplier",
        "relation_refinement_sees_pairs",
    ),
    "score": ("scorer", "threshold", "coreference_label", "coreference_classifier"),
    "loss": ("loss_function", "focal_alpha", "focal_gamma", "positive_weight", "negative_weight"),
    "origin": ("trained_relation_types", "original_config"),
}
"""Every field of [`GLiRELConfig`], once, by the stage that reads it; what lists fields iterates this."""

SYSTEMS: dict[str, dict[str, object]] = {
    "glirel": {
        "subtoken_pooling": "first",  # Section 3.1
        "relation_representation": "label",  # Section 3.2, equation 1
        "mention_representation": "endpoints",  # equation 2
        "pair_representation": "concat",  # equation 3
        "refinement": "attention",  # Section 3.4, equations 4 to 6
        "num_pair_refinement_layers": 1,
        "num_relation_refinement_layers": 1,
        "scorer": "dot",  # equations 7 and 8
        "loss_function": "bce",  # Section 3.5
    },
}
"""The choices of each published system, stage by stage: `GLiRELConfig(**SYSTEMS["glirel"])`."""


def choices_of(field: str) -> tuple[str, ...]:
    """The names that a field of [`GLiRELConfig`] admits; empty where it does not choose between names.

    Raises:
        KeyError: when there is no such field.
    """
    if field not in GLiRELConfig.__dataclass_fields__:
        raise KeyError(f"GLiRELConfig has no field {field!r}.")
    return get_args(CHOICES[field]) if field in CHOICES else ()


class GLiRELConfig(PreTrainedConfig):
    r"""Settings of a GLiREL model: one choice for each of encode, represent entities, form pairs, refine, score.

    Sections and equations are those of the GLiREL paper, arXiv 2501.03172.

    Args:
        encoder_config (`PreTrainedConfig` or `dict`, *optional*):
            Configuration of any bidirectional encoder that `AutoModel` knows (Section 3.2). Defaults to
            DeBERTa-v3-large, the paper's encoder.
        hidden_size (`int`, *optional*):
            Width of everything behind the encoder (Appendix A.5 uses 768). Defaults to the encoder's width; where it
            differs, a linear projection follows the encoder.
        feed_forward_multiplier (`int`, defaults to 4):
            Inner width of every two-layer FFN, as a multiple of `hidden_size` (equations 1, 2, 3 and 6).
        dropout (`float`, defaults to 0.1):
            Dropout inside every FFN and after the encoder, in `[0, 1)`.
        subtoken_pooling (`str`, defaults to `"first"`):
            How a word's sub-tokens become one vector (Section 3.1; the paper takes the first): `"first"`, `"last"`,
            `"mean"`, `"sum"` (what the original package computes under the name "mean"), or `"first_last"`, which
            concatenates the two and projects.
        relation_representation (`str`, defaults to `"label"`):
            Where a relation type's vector is read (Section 3.2): at its `"label"` (pooled as a word is), at the
            `"rel_token"` before it, or `"both"`, their mean.
        use_lstm (`bool`, defaults to `False`):
            Whether a bidirectional LSTM runs over the words. Not in the paper; the published checkpoints have it.
        mention_representation (`str`, defaults to `"endpoints"`):
            `"endpoints"` is equation 2, an FFN over the first and the last word; `"mean"` an FFN over the mean of the
            mention's words.
        endpoint_projection (`bool`, defaults to `False`):
            Whether either end point passes an FFN of its own before equation 2. Not in the paper; the published
            checkpoints have it. Only for `mention_representation="endpoints"`.
        entity_pooling (`str`, defaults to `"mean"`):
            How the mentions of an entity become one vector: `"mean"`. An entity of one mention is that mention.
        pair_representation (`str`, defaults to `"concat"`):
            `"concat"` is equation 3, an FFN over head and tail.
        refinement (`str`, defaults to `"attention"`):
            What a refinement layer is: `"attention"` is equations 4–6.
        num_pair_refinement_layers (`int`, defaults to 0):
            Layers that refine pairs against the words of the text (Section 3.4, equations 4–6), 0 to 2.
        num_relation_refinement_layers (`int`, defaults to 0):
            Layers that refine relation types against all real pairs (Section 3.4), 0 to 2.
        num_refinement_heads (`int`, defaults to 8):
            Attention heads of a refinement layer; must divide `hidden_size` where there is such a layer.
        refinement_self_attention (`bool`, defaults to `True`):
            Whether refined items also attend to each other (equation 5). The original package's never do.
        refinement_feed_forward_multiplier (`float`, *optional*):
            Inner width of the FFN of a refinement layer, as a multiple of `hidden_size`. By default
            `feed_forward_multiplier`.
        relation_refinement_sees_pairs (`bool`, defaults to `True`):
            Whether relation types are refined against the pairs. `False` is for converted checkpoints: the original
            package shows the refinement only those pairs that gold labels mark, so that it sees none in use.
        scorer (`str`, defaults to `"dot"`):
            `"dot"` is equation 8 before the sigmoid. `"dot_thresh"` adds a scale and an offset for each relation
            type, `"dot_norm"` an offset for each type and each pair, `"concat_proj"` scores
            `[pair · type, pair − type, pair, type]` with an FFN.
        loss_function (`str`, defaults to `"bce"`):
            `"bce"` (Section 3.5) or `"focal"` (arXiv 1708.02002).
        focal_alpha (`float`, defaults to 0.75), focal_gamma (`float`, defaults to 3.0):
            Weight of the positive class, in `[0, 1]`, and focusing exponent of the focal loss.
        positive_weight (`float`, defaults to 1.0), negative_weight (`float`, defaults to 1.0):
            Factors on the loss of positive and of negative (pair, relation type) cells. The loss is the mean over
            all real cells, so that it does not scale with pairs × relation types.
        entity_markers (`bool`, defaults to `False`):
            Whether `[E]` and `[/E]` enclose every mention in the encoder's input. The tokenizer must agree.
        marker_placement (`str`, defaults to `"nested"`):
            `"nested"` puts the markers of mentions that overlap around each of them. `"sequential"` is for converted
            checkpoints: it inserts them as the original package does, one mention after the other by its start, so
            that a mention within another is read next to its words; and words between mentions are counted with the
            markers. Mentions that do not overlap are marked alike. The tokenizer must agree.
        max_pair_distance (`int`, *optional*):
            Pairs whose mentions start more than this many words apart are not formed (Appendix A.7). Both directions
            alike. The tokenizer must agree.
        max_words (`int`, *optional*):
            Words of a text that the model was trained to read at most, relation types and markers aside. A longer
            text is an error, or is read in windows. `None` leaves the limit to the tokens. The tokenizer must agree.
        shared_relation_positions (`bool`, defaults to `False`):
            Whether all relation types stand at the same positions of the encoder's input, before the text. The types
            are then read as a set: permuting them permutes the columns of the scores and changes nothing else. Not in
            the paper, whose scores depend on the order of the types. For encoders in which only position ids tell
            where a token stands (BERT, ELECTRA, ModernBERT with full attention). The tokenizer must agree.
        threshold (`float`, defaults to 0.5):
            Probability from which a relation counts as predicted, in `[0, 1]` (equation 8).
        coreference_label (`str`, *optional*):
            The relation type that means "both mentions are the same entity" (Appendix A.7; the paper uses `"SELF"`).
            `None` when the model was not trained with one.
        coreference_classifier (`bool`, defaults to `False`):
            Whether an FFN of its own scores every pair as coreferent, in the output's `coreference_logits`. The
            published package has it; no prediction uses it, and the loss does not train it.
        trained_relation_types (`list[str]`, *optional*):
            Names of the relation types that the model was trained on, the most frequent first; those of a later
            training come after those of earlier ones. No computation uses them, and any other names can be asked for.
            `None` where they are not known.
        original_config (`dict`, *optional*):
            Settings of the original package's checkpoint that this model was converted from, as they were; some of
            them have no meaning here. Read by `glirel convert --reverse` only.

    Raises:
        ValueError: when a value is outside the range given here; the message names the value and the range.

    Example:
        >>> from transformers import BertConfig
        >>> config = GLiRELConfig(encoder_config=BertConfig(), hidden_size=256, scorer="dot_thresh")
        >>> config.encoder_config.model_type
        'bert'
    """

    model_type = "glirel"
    sub_configs: ClassVar[dict[str, type]] = {"encoder_config": AutoConfig}

    encoder_config: PreTrainedConfig = None  # resolved from None or a dictionary
    hidden_size: int = None  # type: ignore[assignment]  # resolved to the encoder's width
    feed_forward_multiplier: int = 4
    dropout: float = 0.1
    subtoken_pooling: SubtokenPooling = "first"
    relation_representation: RelationRepresentation = "label"
    use_lstm: bool = False
    mention_representation: MentionRepresentation = "endpoints"
    endpoint_projection: bool = False
    entity_pooling: EntityPooling = "mean"
    pair_representation: PairRepresentation = "concat"
    refinement: Refinement = "attention"
    num_pair_refinement_layers: int = 0
    num_relation_refinement_layers: int = 0
    num_refinement_heads: int = 8
    refinement_self_attention: bool = True
    refinement_feed_forward_multiplier: float | None = None
    relation_refinement_sees_pairs: bool = True
    scorer: Scorer = "dot"
    loss_function: LossFunction = "bce"
    focal_alpha: float = 0.75
    focal_gamma: float = 3.0
    positive_weight: float = 1.0
    negative_weight: float = 1.0
    entity_markers: bool = False
    marker_placement: MarkerPlacement = "nested"
    max_pair_distance: int | None = None
    max_words: int | None = None
    shared_relation_positions: bool = False
    threshold: float = 0.5
    coreference_label: str | None = None
    coreference_classifier: bool = False
    trained_relation_types: list[str] | None = None
    original_config: dict[str, Any] | None = None

    def __post_init__(self, **kwargs: object) -> None:
        if self.encoder_config is None:
            self.encoder_config = dict(_DEBERTA_V3_LARGE)
        if isinstance(self.encoder_config, dict):
            if "model_type" not in self.encoder_config:
                raise ValueError(
                    f"`encoder_config` has no `model_type`: got the keys {sorted(self.encoder_config)}. Add the type "
                    "of the encoder, such as 'bert', or pass a configuration object."
                )
            encoder_config = dict(self.encoder_config)
            self.encoder_config = AutoConfig.for_model(encoder_config.pop("model_type"), **encoder_config)
        if not hasattr(self.encoder_config, "hidden_size"):
            raise TypeError(
                "`encoder_config` must be a configuration object of an encoder, or its dictionary: got "
                f"{self.encoder_config!r}."
            )
        self.hidden_size = self.encoder_config.hidden_size if self.hidden_size is None else self.hidden_size
        super().__post_init__(**kwargs)
        self._validate()

    @property
    def inner_size(self) -> int:
        """Width between the two layers of every FFN but those of refinement layers."""
        return self.feed_forward_multiplier * self.hidden_size

    @property
    def refinement_inner_size(self) -> int:
        """Width between the two layers of the FFN of a refinement layer."""
        multiplier = self.refinement_feed_forward_multiplier
        return int((self.feed_forward_multiplier if multiplier is None else multiplier) * self.hidden_size)

    @property
    def refines_pairs(self) -> bool:
        """Whether pairs are refined, or relation types by them: all pairs are then needed at once."""
        relations_read_pairs = self.num_relation_refinement_layers > 0 and self.relation_refinement_sees_pairs
        return self.num_pair_refinement_layers > 0 or relations_read_pairs

    def get_text_config(self, decoder: bool | None = None, encoder: bool | None = None) -> PreTrainedConfig:
        """The encoder's configuration, which owns the vocabulary: what `resize_token_embeddings` updates."""
        return self.encoder_config

    def _validate(self) -> None:
        for name in CHOICES:
            if (value := getattr(self, name)) not in choices_of(name):
                raise ValueError(f"`{name}` must be one of {', '.join(map(repr, choices_of(name)))}: got {value!r}.")
        for name, (low, high, is_integer) in _RANGES.items():
            if getattr(self, name) is not None or name not in _OPTIONAL:
                self._require(name, low, high, integer=is_integer)
        self._check_sizes()
        self._check_encoder_fits()
        self._check_names()

    def _check_sizes(self) -> None:
        if self.dropout == 1:
            raise ValueError("`dropout` must be below 1: got 1, which would drop everything.")
        if self.refinement_inner_size < 1:
            raise ValueError(
                "`refinement_feed_forward_multiplier` leaves no inner width: got "
                f"{self.refinement_feed_forward_multiplier} times `hidden_size` {self.hidden_size}. Use a larger one, "
                "or None."
            )
        if self.use_lstm and self.hidden_size % 2:
            raise ValueError(
                f"`use_lstm` splits `hidden_size` between two directions: got the odd {self.hidden_size}."
            )
        refines = self.num_pair_refinement_layers or self.num_relation_refinement_layers
        if refines and self.hidden_size % self.num_refinement_heads:
            raise ValueError(
                f"`num_refinement_heads` ({self.num_refinement_heads}) must divide `hidden_size` "
                f"({self.hidden_size}): choose a divisor."
            )

    def _check_encoder_fits(self) -> None:
        if self.shared_relation_positions and not _reads_position_ids(self.encoder_config):
            raise ValueError(
                "`shared_relation_positions` needs an encoder in which position ids alone, from 0 on, determine where "
                f"a token stands: got {self.encoder_config.model_type!r}. Use BERT, ELECTRA or ModernBERT with full "
                "attention only, or leave it False."
            )
        if self.endpoint_projection and self.mention_representation != "endpoints":
            raise ValueError(
                "`endpoint_projection` needs mention_representation='endpoints': got "
                f"{self.mention_representation!r}. Change one of the two."
            )

    def _check_names(self) -> None:
        label = self.coreference_label
        if label is not None and not (isinstance(label, str) and label.strip()):
            raise ValueError(
                f"`coreference_label` must be the name of a relation type, such as 'SELF', or None: got {label!r}."
            )
        names = self.trained_relation_types or []
        if unnamed := [name for name in names if not isinstance(name, str) or not name.strip()]:
            raise ValueError(f"`trained_relation_types` must hold names of relation types: got also {unnamed[0]!r}.")
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise ValueError(f"`trained_relation_types` repeats {twice!r}. Name each type once.")

    def _require(self, name: str, low: float, high: float, *, integer: bool = False) -> None:
        value = getattr(self, name)
        kind = "a whole number" if integer else "a number"
        right_type = isinstance(value, int if integer else (int, float)) and not isinstance(value, bool)
        if not right_type or not low <= value <= high:
            bounds = f"of at least {low}" if high == math.inf else f"from {low} to {high}"
            raise ValueError(f"`{name}` must be {kind} {bounds}: got {value!r}.")


# Lowest and highest value of every number, and whether it must be whole.
_RANGES: dict[str, tuple[float, float, bool]] = {
    "hidden_size": (1, math.inf, True),
    "feed_forward_multiplier": (1, math.inf, True),
    "dropout": (0, 1, False),
    "num_pair_refinement_layers": (0, 2, True),
    "num_relation_refinement_layers": (0, 2, True),
    "num_refinement_heads": (1, math.inf, True),
    "refinement_feed_forward_multiplier": (0, math.inf, False),
    "focal_alpha": (0, 1, False),
    "focal_gamma": (0, math.inf, False),
    "positive_weight": (0, math.inf, False),
    "negative_weight": (0, math.inf, False),
    "max_pair_distance": (1, math.inf, True),
    "max_words": (1, math.inf, True),
    "threshold": (0, 1, False),
}
_OPTIONAL = ("refinement_feed_forward_multiplier", "max_pair_distance", "max_words")


def _reads_position_ids(encoder_config: PreTrainedConfig) -> bool:
    if encoder_config.model_type == "modernbert":
        return set(encoder_config.layer_types) == {"full_attention"}
    return encoder_config.model_type in ("bert", "electra")


__all__ = ["GLiRELConfig"]
