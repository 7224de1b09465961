"""GLiRELConfig: defaults, sub-configuration, round trips and every error."""

from __future__ import annotations

import importlib
import math
import re
from pathlib import Path

import pytest
import torch
from tiny import FAMILIES, make_encoder_config
from transformers import AutoConfig, BertConfig, PreTrainedConfig

from glirel_transformers import GLiRELConfig
from glirel_transformers.adjacency_glirel import ADJACENCY
from glirel_transformers.attended_glirel import CONTEXTS
from glirel_transformers.choices_glirel import CHOICES
from glirel_transformers.configuration_glirel import STAGES, SYSTEMS, choices_of
from glirel_transformers.encoding_glirel import LABEL_POOLINGS, POOLINGS, RELATIONS, TYPE_ATTENTION
from glirel_transformers.entities_glirel import ENTITIES
from glirel_transformers.finder_glirel import FINDERS
from glirel_transformers.losses_glirel import LOSSES
from glirel_transformers.pairs_glirel import PAIRS
from glirel_transformers.refinement_glirel import REFINEMENTS
from glirel_transformers.scoring_glirel import SCORERS
from glirel_transformers.text_glirel import WORDS
from glirel_transformers.triples_glirel import TRIPLE_SCORERS
from glirel_transformers.widths_glirel import MENTIONS

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def small():
    return make_encoder_config("bert")


def test_defaults_describe_deberta_v3_large():
    config = GLiRELConfig()
    encoder = config.encoder_config
    assert (encoder.model_type, encoder.vocab_size, encoder.hidden_size) == ("deberta-v2", 128100, 1024)
    assert (encoder.num_hidden_layers, encoder.num_attention_heads, encoder.intermediate_size) == (24, 16, 4096)
    assert (encoder.relative_attention, encoder.position_buckets, encoder.max_position_embeddings) == (True, 256, 512)
    assert (encoder.share_att_key, encoder.position_biased_input) == (True, False)
    assert sorted(encoder.pos_att_type) == ["c2p", "p2c"]
    assert config.hidden_size == 1024
    assert config.model_type == "glirel"


def test_defaults_of_the_head(small):
    config = GLiRELConfig(encoder_config=small)
    assert (config.subtoken_pooling, config.relation_representation) == ("first", "label")
    assert (config.scorer, config.loss_function, config.threshold) == ("dot", "bce", 0.5)
    assert (config.mention_representation, config.use_lstm, config.endpoint_projection) == ("endpoints", False, False)
    assert (config.num_pair_refinement_layers, config.num_relation_refinement_layers) == (0, 0)
    assert (config.entity_markers, config.max_pair_distance, config.coreference_label) == (False, None, None)


@pytest.mark.parametrize("family", FAMILIES)
def test_sub_configuration_from_object_and_from_dict_are_the_same(family):
    encoder = make_encoder_config(family)
    of_object = GLiRELConfig(encoder_config=encoder)
    of_dict = GLiRELConfig(encoder_config=encoder.to_dict())
    assert type(of_dict.encoder_config) is type(of_object.encoder_config) is type(encoder)
    assert of_dict.to_dict() == of_object.to_dict()
    assert of_dict.hidden_size == 32


def test_sub_configuration_dict_is_left_as_it_was():
    given = {"model_type": "bert", "hidden_size": 24, "num_attention_heads": 2}
    before = dict(given)
    GLiRELConfig(encoder_config=given)
    assert given == before


def test_sub_configuration_without_model_type_is_an_error():
    with pytest.raises(ValueError, match=r"no `model_type`: got the keys \['hidden_size'\]"):
        GLiRELConfig(encoder_config={"hidden_size": 32})


def test_two_default_configurations_share_nothing():
    one, other = GLiRELConfig(), GLiRELConfig()
    one.encoder_config.hidden_size = 7
    assert other.encoder_config.hidden_size == 1024
    assert GLiRELConfig().encoder_config.hidden_size == 1024


def test_own_width_is_kept(small):
    assert GLiRELConfig(encoder_config=small, hidden_size=48).hidden_size == 48


SETTINGS = {
    "hidden_size": 48,
    "feed_forward_multiplier": 2,
    "dropout": 0.2,
    "subtoken_pooling": "first_last",
    "relation_representation": "both",
    "use_lstm": True,
    "mention_representation": "endpoints",
    "endpoint_projection": True,
    "num_pair_refinement_layers": 2,
    "num_relation_refinement_layers": 1,
    "num_refinement_heads": 6,
    "refinement_self_attention": False,
    "refinement_feed_forward_multiplier": 3,
    "relation_refinement_sees_pairs": False,
    "scorer": "concat_proj",
    "loss_function": "focal",
    "focal_alpha": 0.6,
    "focal_gamma": 1.5,
    "positive_weight": 2.0,
    "negative_weight": 0.5,
    "entity_markers": True,
    "marker_placement": "sequential",
    "max_pair_distance": 30,
    "max_words": 90,
    "threshold": 0.35,
    "calibration": {
        "temperature": 1.5,
        "bias": -0.25,
        "thresholds": {"place of birth": 0.4},
        "background": {"threshold": 0.3, "weight": 0.5, "quantile": 0.9, "reference_types": ["spouse"]},
        "measured": {"ece_before": 0.1},
    },
    "coreference_label": "SELF",
    "coreference_classifier": True,
    "original_config": {"max_width": 12, "name": "x", "coreference_label": None},
}


@pytest.mark.parametrize("load", [GLiRELConfig.from_pretrained, AutoConfig.from_pretrained])
@pytest.mark.parametrize("family", ["bert", "modernbert", "deberta-v2"])
def test_round_trip_keeps_every_setting(tmp_path, family, load):
    config = GLiRELConfig(encoder_config=make_encoder_config(family), **SETTINGS)
    config.save_pretrained(tmp_path)
    loaded = load(tmp_path)
    assert type(loaded) is GLiRELConfig
    assert {name: getattr(loaded, name) for name in SETTINGS} == SETTINGS
    assert loaded.encoder_config.to_dict() == config.encoder_config.to_dict()
    ignored = {"_name_or_path", "transformers_version"}
    before, after = ({k: v for k, v in c.to_dict().items() if k not in ignored} for c in (config, loaded))
    assert before == after


def test_the_settings_of_the_round_trip_are_no_defaults(small):
    default = GLiRELConfig(encoder_config=small)
    same = {name for name, value in SETTINGS.items() if getattr(default, name) == value}
    assert same == {"mention_representation"}  # the only value that goes with endpoint_projection


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"subtoken_pooling": "least"},
            "`subtoken_pooling` must be one of 'first', 'last', 'mean', 'sum', 'max', 'first_last'.*'least'",
        ),
        ({"relation_representation": "cls"}, "`relation_representation` must be one of .*got 'cls'"),
        ({"mention_representation": "span"}, "`mention_representation` must be one of .*got 'span'"),
        ({"scorer": "cosine"}, "`scorer` must be one of .*got 'cosine'"),
        ({"loss_function": "hinge"}, "`loss_function` must be one of .*got 'hinge'"),
        ({"hidden_size": 0}, "`hidden_size` must be a whole number of at least 1: got 0"),
        ({"hidden_size": 16.5}, "`hidden_size` must be a whole number"),
        ({"feed_forward_multiplier": 0}, "`feed_forward_multiplier` must be a whole number of at least 1"),
        ({"dropout": -0.1}, "`dropout` must be a number from 0 to 1: got -0.1"),
        ({"dropout": 1.0}, "`dropout` must be below 1"),
        ({"dropout": math.nan}, "`dropout` must be a number from 0 to 1: got nan"),
        ({"num_pair_refinement_layers": 3}, "`num_pair_refinement_layers` must be a whole number from 0 to 2: got 3"),
        ({"num_relation_refinement_layers": -1}, "`num_relation_refinement_layers` must be .*got -1"),
        ({"num_pair_refinement_layers": True}, "`num_pair_refinement_layers` must be a whole number.*got True"),
        ({"num_refinement_heads": 0}, "`num_refinement_heads` must be a whole number of at least 1"),
        (
            {"num_refinement_heads": 5, "num_pair_refinement_layers": 1},
            r"`num_refinement_heads` \(5\) must divide `hidden_size` \(32\)",
        ),
        ({"num_refinement_heads": 5, "num_relation_refinement_layers": 1}, "must divide"),
        ({"focal_alpha": 1.1}, "`focal_alpha` must be a number from 0 to 1: got 1.1"),
        ({"focal_gamma": -1}, "`focal_gamma` must be a number of at least 0: got -1"),
        ({"positive_weight": -1.0}, "`positive_weight` must be a number of at least 0"),
        ({"negative_weight": "1"}, "`negative_weight` must be a number of at least 0: got '1'"),
        ({"max_pair_distance": 0}, "`max_pair_distance` must be a whole number of at least 1: got 0"),
        ({"max_words": 0}, "`max_words` must be a whole number of at least 1: got 0"),
        ({"marker_placement": "inside"}, "`marker_placement` must be one of 'nested', 'sequential': got 'inside'"),
        ({"refinement_feed_forward_multiplier": -1}, "`refinement_feed_forward_multiplier` must be a number of at"),
        ({"refinement_feed_forward_multiplier": 0.01}, "`refinement_feed_forward_multiplier` leaves no inner width"),
        ({"threshold": 1.5}, "`threshold` must be a number from 0 to 1: got 1.5"),
        ({"calibration": {"temperature": 0}}, "`calibration.temperature` must be above 0: got 0"),
        ({"calibration": {"temprature": 2}}, "`calibration` has the unknown key 'temprature'; known are temperature"),
        (
            {"calibration": {"thresholds": {"met": 2}}},
            r"`calibration.thresholds\['met'\]` must be .* from 0 to 1: got 2",
        ),
        ({"threshold": "0.5"}, "`threshold` must be a number from 0 to 1: got '0.5'"),
        ({"use_lstm": True, "hidden_size": 33}, "`use_lstm` splits `hidden_size`.*odd 33"),
        (
            {"endpoint_projection": True, "mention_representation": "mean"},
            "`endpoint_projection` needs mention_representation='endpoints': got 'mean'",
        ),
        ({"coreference_label": " "}, "`coreference_label` must be the name of a relation type"),
        ({"coreference_label": 3}, "`coreference_label` must be the name of a relation type.*got 3"),
        ({"trained_relation_types": ["spouse", " "]}, "`trained_relation_types` must hold names.*got also ' '"),
        ({"trained_relation_types": ["a", "b", "b"]}, "`trained_relation_types` repeats 'b'"),
        ({"trained_relation_types": "spouse"}, "`?trained_relation_types`?"),
        (
            {"trained_entity_types": ["person", ""]},
            "`trained_entity_types` must hold names of entity types: got also ''",
        ),
        ({"trained_entity_types": ["a", "a"]}, "`trained_entity_types` repeats 'a'"),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, dict) else "",
)
def test_wrong_values_are_errors(small, settings, message):
    # transformers checks the types of declared fields itself; both kinds of error name the field.
    (name, *_) = settings
    with pytest.raises((ValueError, TypeError), match=message) as error:
        GLiRELConfig(encoder_config=small, **settings)
    assert name in str(error.value)


def test_heads_need_not_divide_the_width_where_nothing_refines(small):
    assert GLiRELConfig(encoder_config=small, num_refinement_heads=5).num_refinement_heads == 5


def test_the_encoder_owns_the_vocabulary():
    config = GLiRELConfig(encoder_config=BertConfig(vocab_size=77))
    assert config.get_text_config() is config.encoder_config
    assert config.get_text_config().vocab_size == 77


def test_the_relation_types_trained_on_are_kept_in_their_order(tmp_path, small):
    assert GLiRELConfig(encoder_config=small).trained_relation_types is None
    GLiRELConfig(encoder_config=small, trained_relation_types=["spouse", "author"]).save_pretrained(tmp_path)
    assert GLiRELConfig.from_pretrained(tmp_path).trained_relation_types == ["spouse", "author"]


def test_saved_type_of_weights_survives(tmp_path, small):
    config = GLiRELConfig(encoder_config=small, dtype=torch.bfloat16)
    config.save_pretrained(tmp_path)
    assert GLiRELConfig.from_pretrained(tmp_path).dtype == torch.bfloat16


# Stages and systems


def test_every_field_is_in_one_stage():
    listed = [name for names in STAGES.values() for name in names]
    inherited = {*PreTrainedConfig.__dataclass_fields__, "sub_configs"}
    own = set(GLiRELConfig.__dataclass_fields__) - inherited
    assert sorted(listed) == sorted(own)


def test_every_choice_has_an_entry_in_its_registry():
    registries = {
        "label_pooling": LABEL_POOLINGS,
        "subtoken_pooling": POOLINGS,
        "type_attention": TYPE_ATTENTION,
        "relation_representation": RELATIONS,
        "entity_type_representation": RELATIONS,
        "word_splitting": WORDS,
        "entity_finder": FINDERS,
        "pair_selection": ADJACENCY,
        "mention_representation": MENTIONS,
        "entity_pooling": ENTITIES,
        "pair_representation": PAIRS,
        "pair_context": CONTEXTS,
        "refinement": REFINEMENTS,
        "scorer": {**SCORERS, **TRIPLE_SCORERS},
        "loss_function": LOSSES,
    }
    assert {name: choices_of(name) for name in registries} == {name: tuple(r) for name, r in registries.items()}
    without = {"marker_placement", "label_encoding", "layer_fusion", "shared_words", "loss_reduction"}
    without |= {"prompt_separators", "empty_words"}
    assert set(CHOICES) - set(registries) == without


def test_what_is_not_a_choice_between_names_has_no_choices():
    assert choices_of("dropout") == ()
    with pytest.raises(KeyError, match="no field 'scorrer'"):
        choices_of("scorrer")


@pytest.mark.parametrize("system", SYSTEMS)
def test_systems_are_configurations(small, system):
    config = GLiRELConfig(encoder_config=small, **SYSTEMS[system])
    assert {name: getattr(config, name) for name in SYSTEMS[system]} == SYSTEMS[system]


def test_the_table_of_systems_names_what_there_is():
    """Every field of a row is the configuration's, and every place is a module, or a registry in one."""
    table = (ROOT / "docs" / "systems.md").read_text(encoding="utf-8")
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if line[:2] == "| "]
    listed: set[str] = set()
    for _, _, fields, place in rows[1:]:
        listed |= set(re.findall(r"`(\w+)`", fields))
        module, _, registry = place.strip("`").partition(".")
        found = importlib.import_module(f"glirel_transformers.{module}")
        assert not registry or hasattr(found, registry), place
    assert listed <= set(GLiRELConfig.__dataclass_fields__)
    assert set(CHOICES) <= listed
    assert {name for system in SYSTEMS.values() for name in system} <= listed
