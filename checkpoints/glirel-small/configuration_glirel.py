"""Configuration of the family: GLiREL (arXiv 2501.03172), GLiDRE (2508.00757), GLiNER-Relex (2605.10108)."""

from __future__ import annotations

import math
from typing import Any, ClassVar, get_args

from transformers import AutoConfig, PreTrainedConfig

from .calibration_glirel import ScoreCalibration
from .choices_glirel import (
    CHOICES,
    TRIPLE_SCORERS,
    WIDTH_MENTIONS,
    EmptyWords,
    EntityFinder,
    EntityPooling,
    EntityTypeRepresentation,
    LabelEncoding,
    LabelPooling,
    LayerFusion,
    LossFunction,
    LossReduction,
    MarkerPlacement,
    MentionRepresentation,
    PairContext,
    PairRepresentation,
    PairSelection,
    PromptSeparators,
    Refinement,
    RelationRepresentation,
    Scorer,
    SharedWords,
    SubtokenPooling,
    TypeAttention,
    WordSplitting,
    read_schema,
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
        "label_encoding",
        "label_encoder_config",
        "label_pooling",
        "hidden_size",
        "feed_forward_multiplier",
        "dropout",
        "subtoken_pooling",
        "relation_representation",
        "relation_projection",
        "entity_type_representation",
        "use_lstm",
        "num_lstm_layers",
        "prompt_separators",
        "word_splitting",
        "empty_words",
        "entity_markers",
        "marker_placement",
        "max_words",
        "shared_relation_positions",
        "type_attention",
        "layer_fusion",
        "fusion_schema",
        "num_fusion_layers",
    ),
    "entities": (
        "entity_finder",
        "max_entity_width",
        "max_candidates",
        "entity_threshold",
        "mention_representation",
        "endpoint_projection",
        "entity_pooling",
        "shared_words",
    ),
    "pairs": (
        "pair_representation",
        "pair_context",
        "pair_selection",
        "adjacency_threshold",
        "max_pair_distance",
    ),
    "refine": (
        "refinement",
        "num_pair_refinement_layers",
        "num_relation_refinement_layers",
        "num_refinement_heads",
        "refinement_self_attention",
        "refinement_feed_forward_multiplier",
        "relation_refinement_sees_pairs",
        "pair_label_attention",
    ),
    "score": (
        "scorer",
        "distance_limit",
        "threshold",
        "calibration",
        "threshold_head",
        "coreference_label",
        "coreference_classifier",
    ),
    "loss": (
        "loss_function",
        "loss_reduction",
        "focal_alpha",
        "focal_gamma",
        "positive_weight",
        "negative_weight",
        "ranking_loss_weight",
        "entity_loss_weight",
        "adjacency_loss_weight",
        "relation_loss_weight",
    ),
    "origin": ("trained_relation_types", "trained_entity_types", "original_config"),
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
    "glidre": {
        "label_encoding": "separate",  # Section 2.2
        "label_pooling": "mean",
        "subtoken_pooling": "first",
        "mention_representation": "words",
        "entity_pooling": "mean",  # over words, where the paper says mentions
        "pair_representation": "concat",  # equation 1
        "pair_context": "localized",  # Section 2.4, equations 5 to 8
        "scorer": "dot",  # equation 2
        "loss_function": "focal",  # Section 2.3, equation 4
        "focal_alpha": 0.8,
        "focal_gamma": 0.8,  # what its training script sets, whatever it is asked for
        "loss_reduction": "sum",
        "dropout": 0.4,
    },
    "relex": {
        "subtoken_pooling": "first",
        "relation_representation": "rel_token",  # Section 3.2
        "relation_projection": False,
        "entity_type_representation": "rel_token",
        "use_lstm": True,
        "entity_finder": "span",  # Section 3.4, equations 4 to 6
        "max_entity_width": 12,
        "mention_representation": "endpoints",
        "endpoint_projection": True,
        "pair_selection": "all",  # Section 3.5: "gcn", … choose pairs first
        "pair_representation": "concat",
        "scorer": "dot",  # Section 3.6: "distmult", … are scorers of triples
        "loss_function": "focal",  # Section 3.7, equations 9 and 10
        "focal_alpha": 0.75,
        "focal_gamma": 0.0,
        "loss_reduction": "sum",
        "dropout": 0.3,
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
        label_encoding (`str`, defaults to `"joint"`):
            Where relation types are read: `"joint"`, before the text, so that types and text see each other (GLiREL,
            Section 3.1), or `"separate"`, each on its own (GLiDRE, Section 2.2): any number of them, encoded once for
            all texts. The tokenizer must agree.
        label_encoder_config (`PreTrainedConfig` or `dict`, *optional*):
            Configuration of the encoder that reads relation types, with `label_encoding="separate"`. By default the
            text's encoder reads them too, with the same weights.
        label_pooling (`str`, defaults to `"mean"`):
            How the tokens of a type that is read on its own become one vector: `"mean"` over all of them, with [CLS]
            and [SEP], or at `"cls"`.
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
        layer_fusion (`str`, defaults to `"none"`), fusion_schema (`str`, *optional*), num_fusion_layers (`int`,
            defaults to 3):
            What some GLiDRE checkpoints hold. `layer_fusion` mixes all layers of an encoder in place of taking the
            last, weighed by means over the real tokens (`"masked"`), or for types over their padding too
            (`"padded"`, for converted checkpoints: scores then depend on the longest type next to them).
            `fusion_schema` lets types and words attend to each other after they are encoded, in steps such as
            `"l2l-l2t-t2t"` (l: types, t: text), taken `num_fusion_layers` times.
        relation_representation (`str`, defaults to `"label"`):
            Where a relation type's vector is read (Section 3.2): at its `"label"` (pooled as a word is), at the
            `"rel_token"` before it, or `"both"`, their mean.
        relation_projection (`bool`, defaults to `True`):
            Whether relation types pass the FFN of equation 1. GLiNER-Relex reads them as they are.
        entity_type_representation (`str`, defaults to `"label"`):
            Where an entity type's vector is read, with an `entity_finder`: as `relation_representation`. An FFN
            follows.
        use_lstm (`bool`, defaults to `False`), num_lstm_layers (`int`, defaults to 1):
            Whether a bidirectional LSTM runs over the words. Not in the paper; the published checkpoints have it.
            With several layers, each reads what the one before it gives.
        prompt_separators (`str`, defaults to `"last"`):
            Where the separator stands in `[ENT] e… [REL] r… [SEP] text`: after the `"last"` part of the prompt, or
            after `"each"`, as in the published GLiNER-Relex checkpoints. The tokenizer must agree.
        word_splitting (`str`, defaults to `"unicode"`):
            What a word of a string is: `"unicode"` goes by the categories of characters, `"ascii_hyphens"` is for
            converted GLiNER-Relex checkpoints, whose words contain hyphens and underscores. The tokenizer must agree.
        empty_words (`str`, defaults to `"kept"`):
            What becomes of words of which the encoder's tokenizer keeps nothing, such as a soft hyphen: `"kept"`, with
            a zero vector at their own place, or `"skipped"`, as the original GLiNER-Relex does: all later words then
            take the vector of the next one. The tokenizer must agree.
        entity_finder (`str`, defaults to `"none"`):
            Whether entities are found as well, of any types, for [`GLiRELForJointExtraction`] (GLiNER-Relex): by
            `"span"`, every span of at most `max_entity_width` words against every type (equations 4 to 6), or by
            `"token"`, whether a word starts, ends or is within an entity. With `"none"` they are given.
        max_entity_width (`int`, *optional*, defaults to 12):
            How many words an entity that is found has at most; `None` means any number, for `"token"`.
        max_candidates (`int`, defaults to 200):
            How many entities of a text are related at most, the likeliest ones. Pairs grow with its square.
        entity_threshold (`float`, defaults to 0.5):
            Probability above which a span is an entity.
        mention_representation (`str`, defaults to `"endpoints"`):
            `"endpoints"` is equation 2, an FFN over the first and the last word; `"mean"` an FFN over the mean of the
            mention's words; `"words"` has no network, and an entity is pooled from all words of its mentions at once
            (GLiDRE). The others are for converted GLiNER-Relex checkpoints: end points with the mean
            (`"endpoints_and_mean"`) or the last word of the text (`"endpoints_and_last"`), `"marker"` with one linear
            layer behind them, and those with weights for each width up to `max_entity_width`: `"query"`, `"mlp"`,
            `"cat"`, `"conv_conv"`, `"conv_max"`, `"conv_mean"`, `"conv_sum"`, `"conv_share"`.
        endpoint_projection (`bool`, defaults to `False`):
            Whether either end point passes an FFN of its own before equation 2. Not in the paper; the published
            checkpoints have it. Only for end points.
        entity_pooling (`str`, defaults to `"mean"`):
            How the mentions of an entity, or their words with `mention_representation="words"`, become one vector:
            `"mean"` or `"logsumexp"` (GLiDRE, Table 4). A word counts once for each mention that it is in.
        shared_words (`str`, defaults to `"kept"`):
            What becomes of words that two paired entities share, with `mention_representation="words"`: `"kept"`,
            `"removed"` from both for this pair, or `"removed_by_position"`, for converted checkpoints: only from
            mentions of the same rank that start at the same word, as the original GLiDRE does.
        pair_representation (`str`, defaults to `"concat"`):
            `"concat"` is equation 3, an FFN over head and tail. `"ends"` leaves them as they are, for scorers of
            triples.
        pair_context (`str`, defaults to `"none"`):
            `"localized"` changes both entities of a pair by what both attend to in the text (GLiDRE, Section 2.4,
            equations 5 to 8). Needs an encoder that gives its attention. `"attention"` adds to a pair what both
            learn to attend to, by content, distance and whether a word is before, in, between or after them; with as
            many heads as the encoder.
        pair_selection (`str`, defaults to `"all"`), adjacency_threshold (`float`, defaults to 0.5):
            Which pairs are scored: `"all"`, or those whose number in a matrix over the entities is above the threshold
            (GLiNER-Relex, Section 3.5): of `"dot"` or `"bilinear"` products, an `"mlp"`, the weights of an
            `"attention"`, a graph convolution (`"gcn"`) or graph attention (`"gat"`).
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
        pair_label_attention (`bool`, defaults to `False`):
            Whether pairs attend to the relation types that are asked for (GLiDRE), after other refinement. Scores then
            depend on which types are asked for together.
        scorer (`str`, defaults to `"dot"`):
            `"dot"` is equation 8 before the sigmoid. `"dot_thresh"` adds a scale and an offset for each relation
            type, `"dot_norm"` an offset for each type and each pair, `"concat_proj"` scores
            `[pair · type, pair − type, pair, type]` with an FFN. The others score triples of head, relation and tail
            (GLiNER-Relex, Section 3.6), with `pair_representation="ends"`.
        distance_limit (`float`, *optional*):
            What a distance counts at most, for scorers by distance (`"transe"`, …); the original has 10, beyond which
            there is no gradient. `None` means as it is.
        loss_function (`str`, defaults to `"bce"`):
            `"bce"` (Section 3.5), `"focal"` (arXiv 1708.02002) or `"atloss"`, adaptive thresholding (arXiv
            2010.11304), which needs `threshold_head`.
        loss_reduction (`str`, defaults to `"mean"`):
            `"mean"` over all real cells (pairs, for `"atloss"`), or their `"sum"`, which grows with the documents.
        focal_alpha (`float`, defaults to 0.75), focal_gamma (`float`, defaults to 3.0):
            Weight of the positive class, in `[0, 1]`, and focusing exponent of the focal loss.
        positive_weight (`float`, defaults to 1.0), negative_weight (`float`, defaults to 1.0):
            Factors on the loss of positive and of negative (pair, relation type) cells. The loss is the mean over
            all real cells, so that it does not scale with pairs × relation types.
        ranking_loss_weight (`float`, defaults to 0.0):
            Factor on a loss of relations that is added: what holds must exceed, by a softmax, the other types of its
            pair that do not hold, and the other pairs of its type.
        entity_loss_weight, adjacency_loss_weight, relation_loss_weight (`float`, default to 1.0):
            Factors on the three losses of [`GLiRELForJointExtraction`].
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
            where a token stands (BERT, ELECTRA, MPNet, ModernBERT with full attention). The tokenizer must agree.
        type_attention (`str`, defaults to `"all"`):
            What a type before the text attends to while it is read, with `shared_relation_positions`: `"all"`, other
            types included, which stand at the same positions as itself; its `"own"` name and the text, so that names
            do not mix; or the same `"one_way"`: the text does not attend to types, so that no score depends on what
            else is asked for, and the text stands where it would without them. Types are relation types and entity
            types. Not in the papers. The tokenizer must agree.
        threshold (`float`, defaults to 0.5):
            Probability from which a relation counts as predicted, in `[0, 1]` (equation 8).
        calibration (`dict`, *optional*):
            What `glirel calibrate` fitted: a `temperature` and a `bias` of the scores, `thresholds` of relation types
            in place of `threshold`, and a rule for types that it has not seen; see [`ScoreCalibration`]. With `None`,
            a probability is the sigmoid of a logit.
        threshold_head (`bool`, defaults to `False`):
            Whether each pair has a threshold of its own, from the pair and the types asked for (GLiDRE, Section
            3.4.3). A relation's probability is then that of exceeding it, `sigmoid(logit − threshold)`.
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
        trained_entity_types (`list[str]`, *optional*):
            Names of the entity types that it was trained to find, likewise.
        original_config (`dict`, *optional*):
            Settings of the original package's checkpoint that this model was converted from, as they were; some of
            them have no meaning here. Read by `glirel convert --reverse` only.

    Raises:
        ValueError: when a value is outside the range given here; the message names the value and the range.

    Examples:
        >>> from transformers import BertConfig
        >>> config = GLiRELConfig(encoder_config=BertConfig(), hidden_size=256, scorer="dot_thresh")
        >>> config.encoder_config.model_type
        'bert'
    """

    model_type = "glirel"
    sub_configs: ClassVar[dict[str, type]] = {"encoder_config": AutoConfig, "label_encoder_config": AutoConfig}

    encoder_config: PreTrainedConfig = None  # resolved from None or a dictionary
    label_encoding: LabelEncoding = "joint"
    label_encoder_config: PreTrainedConfig | None = None
    label_pooling: LabelPooling = "mean"
    hidden_size: int = None  # type: ignore[assignment]  # resolved to the encoder's width
    feed_forward_multiplier: int = 4
    dropout: float = 0.1
    subtoken_pooling: SubtokenPooling = "first"
    relation_representation: RelationRepresentation = "label"
    relation_projection: bool = True
    entity_type_representation: EntityTypeRepresentation = "label"
    use_lstm: bool = False
    num_lstm_layers: int = 1
    prompt_separators: PromptSeparators = "last"
    word_splitting: WordSplitting = "unicode"
    empty_words: EmptyWords = "kept"
    entity_finder: EntityFinder = "none"
    max_entity_width: int | None = 12
    max_candidates: int = 200
    entity_threshold: float = 0.5
    mention_representation: MentionRepresentation = "endpoints"
    endpoint_projection: bool = False
    layer_fusion: LayerFusion = "none"
    fusion_schema: str | None = None
    num_fusion_layers: int = 3
    entity_pooling: EntityPooling = "mean"
    shared_words: SharedWords = "kept"
    pair_representation: PairRepresentation = "concat"
    pair_context: PairContext = "none"
    pair_selection: PairSelection = "all"
    adjacency_threshold: float = 0.5
    refinement: Refinement = "attention"
    num_pair_refinement_layers: int = 0
    num_relation_refinement_layers: int = 0
    num_refinement_heads: int = 8
    refinement_self_attention: bool = True
    refinement_feed_forward_multiplier: float | None = None
    relation_refinement_sees_pairs: bool = True
    pair_label_attention: bool = False
    scorer: Scorer = "dot"
    distance_limit: float | None = None
    threshold_head: bool = False
    loss_function: LossFunction = "bce"
    loss_reduction: LossReduction = "mean"
    focal_alpha: float = 0.75
    focal_gamma: float = 3.0
    positive_weight: float = 1.0
    negative_weight: float = 1.0
    ranking_loss_weight: float = 0.0
    entity_loss_weight: float = 1.0
    adjacency_loss_weight: float = 1.0
    relation_loss_weight: float = 1.0
    entity_markers: bool = False
    marker_placement: MarkerPlacement = "nested"
    max_pair_distance: int | None = None
    max_words: int | None = None
    shared_relation_positions: bool = False
    type_attention: TypeAttention = "all"
    threshold: float = 0.5
    calibration: dict[str, Any] | None = None
    coreference_label: str | None = None
    coreference_classifier: bool = False
    trained_relation_types: list[str] | None = None
    trained_entity_types: list[str] | None = None
    original_config: dict[str, Any] | None = None

    def __post_init__(self, **kwargs: object) -> None:
        if self.encoder_config is None:
            self.encoder_config = dict(_DEBERTA_V3_LARGE)
        self.encoder_config = _as_config("encoder_config", self.encoder_config)
        if self.label_encoder_config is not None:
            self.label_encoder_config = _as_config("label_encoder_config", self.label_encoder_config)
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
        return self.num_pair_refinement_layers > 0 or relations_read_pairs or self.pair_label_attention

    @property
    def finds_entities(self) -> bool:
        """Whether entities are found, so that the head is [`GLiRELForJointExtraction`]."""
        return self.entity_finder != "none"

    @property
    def reads_attention(self) -> bool:
        """Whether something reads the attention of the encoder's last layer."""
        return self.pair_context == "localized"

    @property
    def reads_labels_apart(self) -> bool:
        """Whether relation types are read apart from the text, so that they can be encoded once for all texts."""
        return self.label_encoding == "separate"

    @property
    def label_input_size(self) -> int:
        """Width of the encoder that reads relation types."""
        read_by = self.encoder_config if self.label_encoder_config is None else self.label_encoder_config
        return int(read_by.hidden_size)

    @property
    def type_width(self) -> int:
        """Width of what a model keeps of a type that it reads apart, before the FFN of equation 1 or after it.

        Both, where pairs attend to what is before it and no fusion with the text comes between.
        """
        reads_both = self.pair_label_attention and self.fusion_schema is None and not self.finds_entities
        return self.hidden_size * (2 if reads_both else 1)

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
        ScoreCalibration.read(self.calibration)

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
        heads = self.encoder_config.num_attention_heads
        if self.pair_context == "attention" and self.hidden_size % heads:
            raise ValueError(
                f"pair_context='attention' has the encoder's {heads} attention heads, which must divide "
                f"`hidden_size`: got {self.hidden_size}."
            )
        refines = self.num_pair_refinement_layers or self.num_relation_refinement_layers or self.pair_label_attention
        if refines and self.hidden_size % self.num_refinement_heads:
            raise ValueError(
                f"`num_refinement_heads` ({self.num_refinement_heads}) must divide `hidden_size` "
                f"({self.hidden_size}): choose a divisor."
            )

    def _check_encoder_fits(self) -> None:
        if self.shared_relation_positions and not _reads_position_ids(self.encoder_config):
            raise ValueError(
                "`shared_relation_positions` needs an encoder in which position ids alone, from 0 on, determine where "
                f"a token stands: got {self.encoder_config.model_type!r}. Use BERT, ELECTRA, MPNet or ModernBERT with "
                "full attention only, or leave it False."
            )
        if self.type_attention != "all" and not self.shared_relation_positions:
            raise ValueError(
                f"type_attention={self.type_attention!r} is for types that stand at the same positions: set "
                "`shared_relation_positions` to True, or leave it 'all'."
            )
        if self.endpoint_projection and not self.mention_representation.startswith("endpoints"):
            raise ValueError(
                "`endpoint_projection` needs mention_representation='endpoints': got "
                f"{self.mention_representation!r}. Change one of the two."
            )
        self._check_triples()
        self._check_finder()
        if self.shared_words != "kept" and self.mention_representation != "words":
            raise ValueError(
                f"`shared_words` {self.shared_words!r} needs mention_representation='words': got "
                f"{self.mention_representation!r}. Change one of the two."
            )
        if self.loss_function == "atloss" and not self.threshold_head:
            raise ValueError("loss_function='atloss' trains the thresholds of a `threshold_head`: set it to True.")
        self._check_labels_fit()

    def _check_triples(self) -> None:
        """Checks that pairs are what the scorer reads."""
        needed = "ends" if self.scorer in TRIPLE_SCORERS else "concat"
        if self.pair_representation != needed:
            raise ValueError(
                f"scorer={self.scorer!r} needs pair_representation={needed!r}: got {self.pair_representation!r}. "
                "Change one of the two."
            )
        if needed == "concat":
            return
        read_pairs = {
            "pair_context='attention'": self.pair_context == "attention",
            "refinement": self.refines_pairs,
            "threshold_head": self.threshold_head,
            "coreference_classifier": self.coreference_classifier,
        }
        if found := [name for name, reads in read_pairs.items() if reads]:
            raise ValueError(
                f"pair_representation='ends' has no vector of a pair, which `{found[0]}` reads. Leave it out, or use "
                "another scorer."
            )

    def _check_finder(self) -> None:
        """Checks what finds entities, and what only such a model has."""
        if self.mention_representation in WIDTH_MENTIONS and self.max_entity_width is None:
            raise ValueError(
                f"mention_representation={self.mention_representation!r} has weights for each width: give "
                "`max_entity_width`."
            )
        if not self.finds_entities:
            if self.pair_selection != "all":
                raise ValueError(
                    f"`pair_selection` {self.pair_selection!r} is for models that find entities: set `entity_finder` "
                    "to 'span' or 'token', or leave it 'all'."
                )
            return
        if self.entity_finder == "span" and self.max_entity_width is None:
            raise ValueError("entity_finder='span' scores every span up to a width: give `max_entity_width`.")
        if self.entity_markers or self.shared_words != "kept" or self.fusion_schema is not None:
            raise ValueError(
                "`entity_markers`, `shared_words` and `fusion_schema` need to know the entities before the text is "
                "read, or while types are: with an `entity_finder` they are found in it. Leave them out."
            )
        if self.pair_selection in ("attention", "gat") and self.hidden_size % 8:
            raise ValueError(
                f"pair_selection={self.pair_selection!r} has 8 attention heads, which must divide `hidden_size`: got "
                f"{self.hidden_size}."
            )

    def _check_labels_fit(self) -> None:
        """Checks that what reads relation types apart is asked for where they are read apart."""
        if self.reads_labels_apart:
            joint = [name for name in ("shared_relation_positions",) if getattr(self, name)]
            if joint:
                raise ValueError(
                    f"`{joint[0]}` is about relation types in front of the text, and label_encoding='separate' reads "
                    "them on their own. Leave it out."
                )
        elif self.label_encoder_config is not None:
            raise ValueError(
                "`label_encoder_config` describes what reads relation types on their own: got label_encoding="
                f"{self.label_encoding!r}. Set label_encoding='separate', or leave it out."
            )
        if self.fusion_schema is not None:
            read_schema(self.fusion_schema)
            heads = self.encoder_config.num_attention_heads
            if self.hidden_size % heads:
                raise ValueError(
                    f"`fusion_schema` needs a `hidden_size` that the encoder's {heads} attention heads divide: got "
                    f"{self.hidden_size}."
                )

    def _check_names(self) -> None:
        label = self.coreference_label
        if label is not None and not (isinstance(label, str) and label.strip()):
            raise ValueError(
                f"`coreference_label` must be the name of a relation type, such as 'SELF', or None: got {label!r}."
            )
        for kind, names in (("relation", self.trained_relation_types), ("entity", self.trained_entity_types)):
            names = names or []
            if unnamed := [name for name in names if not isinstance(name, str) or not name.strip()]:
                raise ValueError(f"`trained_{kind}_types` must hold names of {kind} types: got also {unnamed[0]!r}.")
            if len(set(names)) < len(names):
                twice = next(name for name in names if names.count(name) > 1)
                raise ValueError(f"`trained_{kind}_types` repeats {twice!r}. Name each type once.")

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
    "num_lstm_layers": (1, math.inf, True),
    "max_entity_width": (1, math.inf, True),
    "max_candidates": (1, math.inf, True),
    "entity_threshold": (0, 1, False),
    "adjacency_threshold": (0, 1, False),
    "distance_limit": (0, math.inf, False),
    "entity_loss_weight": (0, math.inf, False),
    "adjacency_loss_weight": (0, math.inf, False),
    "relation_loss_weight": (0, math.inf, False),
    "num_fusion_layers": (1, math.inf, True),
    "num_pair_refinement_layers": (0, 2, True),
    "num_relation_refinement_layers": (0, 2, True),
    "num_refinement_heads": (1, math.inf, True),
    "refinement_feed_forward_multiplier": (0, math.inf, False),
    "focal_alpha": (0, 1, False),
    "focal_gamma": (0, math.inf, False),
    "positive_weight": (0, math.inf, False),
    "negative_weight": (0, math.inf, False),
    "ranking_loss_weight": (0, math.inf, False),
    "max_pair_distance": (1, math.inf, True),
    "max_words": (1, math.inf, True),
    "threshold": (0, 1, False),
}
_OPTIONAL = (
    "refinement_feed_forward_multiplier",
    "max_pair_distance",
    "max_words",
    "max_entity_width",
    "distance_limit",
)


def _as_config(name: str, value: object) -> PreTrainedConfig:
    """The configuration of an encoder, which may be given as a dictionary."""
    if isinstance(value, dict):
        if "model_type" not in value:
            raise ValueError(
                f"`{name}` has no `model_type`: got the keys {sorted(value)}. Add the type of the encoder, such as "
                "'bert', or pass a configuration object."
            )
        settings = dict(value)
        value = AutoConfig.for_model(settings.pop("model_type"), **settings)
    if not hasattr(value, "hidden_size"):
        raise TypeError(f"`{name}` must be a configuration object of an encoder, or its dictionary: got {value!r}.")
    return value


def _reads_position_ids(encoder_config: PreTrainedConfig) -> bool:
    if encoder_config.model_type == "modernbert":
        return set(encoder_config.layer_types) == {"full_attention"}
    return encoder_config.model_type in ("bert", "electra", "mpnet")


__all__ = ["GLiRELConfig"]
