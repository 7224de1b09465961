"""RelationExtractor: errors and counts as data, models by name, groups of relation types, copies."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from asked import CITY, MARIE, PERSON, TYPES, assert_same_results, found
from tiny import ENTITIES, RELATION_TYPES, TEXTS

from glirel_transformers import GLiRELForRelationClassification, RelationExtractionPipeline, RelationExtractor
from glirel_transformers import extractor_glirel as extractor_module
from glirel_transformers.loading import load_pipeline
from glirel_transformers.requests_glirel import Entity, RelationType, TextError, readable_name, with_readable_names
from glirel_transformers.scores_glirel import RelationScores, find_unmet_constraints
from glirel_transformers.windows_glirel import group_relation_types

GOOD = {"text": MARIE, "entities": [PERSON, CITY]}
BAD = [
    ({"text": MARIE, "entities": [(0, 3)]}, "word boundaries"),
    ({"text": MARIE, "entities": [(0, 11), (24, 99)]}, "outside the text"),
    ({"text": MARIE}, "No `entities`"),
    ({"text": 5, "entities": []}, "must be a string"),
    ({"text": "word " * 500 + "Ada met Bob.", "entities": [(0, 4), (5, 9)]}, "the model reads"),
    ({"text": MARIE, "entities": [PERSON, CITY], "relation_types": ["a", "a"]}, "repeats 'a'"),
    ({"text": "half \ud800 Ada", "entities": [(7, 10), (0, 4)]}, "surrogate"),
    ({"text": MARIE, "entities": 5}, "must be a list"),
]


@pytest.fixture
def warnings_of(caplog):
    name = extractor_module.__name__
    return lambda: [record.getMessage() for record in caplog.records if record.name == name]


# Errors


@pytest.mark.parametrize("batch_size", [1, 3])
@pytest.mark.parametrize("ahead", [False, True])
def test_texts_that_cannot_be_read_are_returned_among_the_results(extractor, monkeypatch, batch_size, ahead):
    monkeypatch.setattr(RelationExtractor, "_tokenizes_ahead", ahead)
    items = [item for bad, _ in BAD for item in (GOOD, bad)] + [GOOD]
    results = list(
        extractor.iterate(iter(items), relation_types=TYPES, threshold=0.0, batch_size=batch_size, on_error="return")
    )
    assert len(results) == len(items)
    expected = extractor(GOOD, relation_types=TYPES, threshold=0.0)
    assert_same_results([one for one in results if not isinstance(one, TextError)], [expected] * (len(BAD) + 1))
    errors = [one for one in results if isinstance(one, TextError)]
    assert [error.position for error in errors] == [2 * number + 1 for number in range(len(BAD))]
    for error, (_, message) in zip(errors, BAD, strict=True):
        assert message in error.message
        assert str(error) == f"Text {error.position}: {error.message}"
        assert isinstance(error.__cause__, (TypeError, ValueError))


@pytest.mark.parametrize(("item", "message"), BAD)
def test_one_of_many_raises_a_text_error_and_a_lone_text_its_own(extractor, item, message):
    with pytest.raises(TextError, match=f"^Text 1: .*{message}") as caught:
        extractor([GOOD, item], relation_types=TYPES)
    with pytest.raises((TypeError, ValueError), match=message) as alone:
        extractor(item, relation_types=TYPES)
    assert not isinstance(alone.value, TextError)
    assert isinstance(caught.value, type(alone.value))  # also a TypeError, where it was one
    assert caught.value.message == str(alone.value)
    again = pickle.loads(pickle.dumps(caught.value))
    assert (again.message, again.position) == (caught.value.message, 1)


@pytest.mark.parametrize(
    ("ner", "message"),
    [
        (lambda text: b"\xff".decode(), "`ner` raised UnicodeDecodeError: 'utf-8' codec"),
        (lambda text: {}["Ada"], "`ner` raised KeyError: 'Ada'"),
        (lambda text: 1 / 0, "`ner` raised ZeroDivisionError"),
        (lambda text: None, "`entities` must be a list of entities: got None"),
        (lambda text: [(0, 99)], "outside the text"),
    ],
)
def test_whatever_a_recogniser_raises_is_about_its_text(extractor, ner, message):
    with pytest.raises(TextError, match=f"Text 0: .*{message}"):
        extractor([MARIE, MARIE], ner=ner, relation_types=TYPES)
    (error,) = extractor.iterate([MARIE], ner=ner, relation_types=TYPES, on_error="return")
    assert message in error.message


def test_a_lone_text_raises_what_its_recogniser_raised(extractor):
    with pytest.raises(UnicodeDecodeError):
        extractor(MARIE, ner=lambda text: b"\xff".decode(), relation_types=TYPES)


def test_what_is_wrong_for_all_texts_is_about_none(extractor):
    for inputs in (MARIE, [GOOD, GOOD], iter([GOOD])):
        with pytest.raises(ValueError, match=r"^relation_types repeats 'a'"):
            extractor(inputs, entities=None, relation_types=["a", "a"])
    with pytest.raises(ValueError, match="`on_error` must be 'raise' or 'return': got 'skip'"):
        extractor.iterate([GOOD], on_error="skip")


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"return_scores": "no"}, TypeError, "`return_scores` must be True or False: got 'no'"),
        ({"self_pairs": 1}, TypeError, "`self_pairs` must be True or False: got 1"),
        ({"readable_names": "yes"}, TypeError, "`readable_names` must be True or False"),
        ({"alignment": "foo"}, ValueError, "`alignment` must be 'strict' or 'expand': got 'foo'"),
        ({"truncation": "cut"}, ValueError, "`truncation` must be 'error' or 'window': got 'cut'"),
        ({"threshold": float("nan")}, ValueError, "`threshold` must be a number from 0 to 1: got nan"),
        ({"threshold": float("inf")}, ValueError, "`threshold` must be a number from 0 to 1: got inf"),
        ({"group_size": 0}, ValueError, "`group_size` must be a whole number of at least 1, 'auto' or None: got 0"),
        ({"group_size": True}, ValueError, "`group_size` must be"),
        ({"group_size": "all"}, ValueError, "`group_size` must be"),
        ({"ner": "spacy"}, TypeError, "`ner` must be callable"),
        ({"relations": ["a"]}, TypeError, "There is no option 'relations'. Options are relation_types, entity_types,"),
    ],
)
def test_options_are_checked_when_they_are_given(shared_model, extractor, options, kind, message):
    with pytest.raises(kind, match=message):
        RelationExtractor(shared_model, **options)
    with pytest.raises(kind, match=message):
        RelationExtractionPipeline(shared_model, **options)
    with pytest.raises(kind, match=message):
        extractor([], **options)


class Table:
    """As a data frame: iterating over it gives the names of its columns."""

    columns = ("text", "entities")

    def __iter__(self):
        return iter(self.columns)

    def to_dict(self, orient):
        return [GOOD]


def test_a_table_is_not_a_list_of_texts(extractor):
    with pytest.raises(TypeError, match=r"A Table is not a list of texts.*table\.to_dict\('records'\)"):
        extractor(Table(), relation_types=TYPES)
    assert len(extractor(Table().to_dict("records"), relation_types=TYPES)) == 1


def test_rows_of_a_data_set_may_have_other_columns(extractor):
    row = {**GOOD, "id": 7, "meta": {}, "relations": [], "relation_types": None, "source": "x"}
    assert extractor(row, relation_types=TYPES, threshold=0.0) == extractor(GOOD, relation_types=TYPES, threshold=0.0)
    assert extractor({"text": MARIE, "entities": None}, ner=lambda text: [PERSON], relation_types=TYPES) == []
    assert extractor({"text": MARIE, "entities": None}, entities=[PERSON], relation_types=TYPES) == []
    for key in ("entites", "Entities", "relation_type", "relationTypes"):
        with pytest.raises(ValueError, match=f"has the key '{key}'\\. Did you mean"):
            extractor({"text": MARIE, key: []}, relation_types=None if "elation" in key else TYPES)


# Counts as data


def test_scores_come_without_warnings(extractor, warnings_of):
    text = f"{MARIE} {'The city was old. ' * 60}{TEXTS[2]}"
    entities = [(0, 11), (24, 30), (len(text) - 17, len(text) - 12)]
    asked = {"entities": entities, "relation_types": TYPES, "truncation": "window"}
    scores = extractor(text, return_scores=True, **asked)
    assert (scores.num_pairs, scores.num_unscored_pairs) == (6, 4)
    assert warnings_of() == []
    extractor(text, **asked)
    (message,) = warnings_of()
    assert message.startswith("4 of 6 ordered pairs are in no window")


def test_constraints_that_admit_no_entity_are_warned_of_once_for_a_corpus(shared_model, warnings_of):
    extractor = RelationExtractor(shared_model)
    types = {"place of birth": {"head": ["person"], "tail": ["CITY"]}, "spouse": {"head": "PERSON"}}
    assert extractor([GOOD] * 5, relation_types=types, threshold=0.0, batch_size=2)[0]
    (message,) = warnings_of()
    assert "'place of birth' admits 'person' as its head" in message
    assert "'CITY', 'PERSON'" in message
    extractor([GOOD] * 5, relation_types=types)
    assert len(warnings_of()) == 2  # a server warns in each call
    scores = extractor(GOOD, relation_types=types, return_scores=True)
    assert [(one.relation, one.side, one.asked, one.seen) for one in scores.unmet_constraints] == [
        ("place of birth", "head", ("person",), ("CITY", "PERSON"))
    ]


def test_a_constraint_that_another_text_meets_is_not_warned_of(shared_model, warnings_of):
    extractor = RelationExtractor(shared_model)
    persons = {"text": "Ada met Bob.", "entities": [(0, 3, "PERSON"), (8, 11, "PERSON")]}
    extractor([persons, GOOD], relation_types={"place of birth": {"head": "PERSON", "tail": "CITY"}})
    assert warnings_of() == []
    types = [RelationType("place of birth", tail=frozenset({"CITY"}))]
    assert len(find_unmet_constraints(types, ["PERSON", None])) == 1
    assert find_unmet_constraints(types, ["PERSON", "CITY"]) == []
    assert find_unmet_constraints(types, [None]) == []


def test_no_score_below_the_threshold_is_selected():
    types = [RelationType("spouse")]
    entities = [Entity(0, 1, "a", None, 0), Entity(2, 3, "b", None, 1)]
    for threshold in (0.1, 0.3, 0.7, 0.9, 1 / 3):
        near = np.array([[np.float32(threshold)], [np.nextafter(np.float32(threshold), np.float32(1))]])
        scores = RelationScores("a b", entities, types, np.array([[0, 1], [1, 0]]), near, 0.5)
        reasons = scores.reasons(threshold)
        assert [reason[0] is None for reason in reasons] == [float(score) >= threshold for score in near[:, 0]]


def test_entities_that_a_recogniser_finds_within_one_word_are_warned_of(shared_model, warnings_of):
    extractor = RelationExtractor(shared_model, alignment="expand", relation_types=TYPES)
    with pytest.raises(ValueError, match=r"'5'.*'mg'.*same words, '5mg'"):
        extractor("Take 5mg of it.", entities=[(5, 6), (6, 8)])
    scores = extractor("Take 5mg of it.", ner=lambda text: [(5, 6), (6, 8)], return_scores=True)
    assert "same words, '5mg'" in scores.collapse
    assert warnings_of() == []
    for number in (1, 2):
        assert extractor(["Take 5mg of it."] * 3, ner=lambda text: [(5, 6), (6, 8)]) is not None
        assert len(warnings_of()) == number  # once for a call
    message = warnings_of()[0]
    assert "'5'" in message
    assert "'mg'" in message


# Entities of several mentions, and with themselves


@pytest.mark.parametrize(
    ("entities", "alignment", "message"),
    [
        (
            [{"mentions": [(0, 11), (32, 35)]}, {"mentions": [(24, 30), (44, 47)]}],
            "strict",
            r"`entities\[1\]\.mentions\[1\]` is \(44, 47\), which does not start",
        ),
        ([(0, 11), {"mentions": [(24, 30), (0, 3)]}], "strict", r"`entities\[1\]\.mentions\[1\]` is \(0, 3\)"),
        ([{"mentions": [(0, 11), (32, 35)]}, (25, 30)], "strict", r"`entities\[1\]` is \(25, 30\)"),
        (
            [(0, 11), {"mentions": [(24, 27), (27, 30)]}],
            "expand",
            r"`entities\[1\]\.mentions\[0\]` \('War'\) and `entities\[1\]\.mentions\[1\]` \('saw'\) are parts",
        ),
        (
            [{"mentions": [(0, 11), (24, 27)]}, (27, 30)],
            "expand",
            r"`entities\[0\]\.mentions\[1\]` \('War'\) and `entities\[1\]` \('saw'\)",
        ),
    ],
)
def test_errors_name_the_mention_of_an_entity(shared_model, entities, alignment, message):
    text = "Marie Curie was born in Warsaw. She died in Passy."
    with pytest.raises(ValueError, match=message):
        RelationExtractor(shared_model)(text, entities=entities, relation_types=TYPES, alignment=alignment)


def test_entities_of_several_mentions_are_pairs_of_entities(extractor):
    text = f"{MARIE} {TEXTS[2]}"
    cluster = {"mentions": [(0, 11), (len(text) - 5, len(text) - 1)], "label": "PERSON"}
    relations = extractor(text, entities=[cluster, CITY], relation_types=TYPES, threshold=0.0)
    assert sorted(set(found(relations))) == sorted((h, n, t) for h, t in ((0, 1), (1, 0)) for n in TYPES)
    head = next(relation["head"] for relation in relations if relation["head"]["index"] == 0)
    assert [mention["text"] for mention in head["mentions"]] == ["Marie Curie", "Sony"]
    assert extractor(text, entities=[head, CITY], relation_types=TYPES, threshold=0.0) == relations
    alone = extractor(text, entities=[{"mentions": [(0, 11)]}, CITY], relation_types=TYPES, threshold=0.0)
    expected = extractor(text, entities=[(0, 11), CITY], relation_types=TYPES, threshold=0.0)
    assert_same_results([alone], [expected])
    batch = [{"text": text, "entities": [cluster, CITY]}, GOOD]
    assert_same_results(extractor(batch, relation_types=TYPES, threshold=0.0, batch_size=2),
                        [extractor(one, relation_types=TYPES, threshold=0.0) for one in batch])  # fmt: skip


def test_an_entity_may_relate_to_itself(extractor):
    asked = {"entities": [PERSON, CITY], "relation_types": {"spouse": {"symmetric": True}, "b": {}}, "threshold": 0.0}
    relations = extractor(MARIE, self_pairs=True, **asked)
    assert {(h, t) for h, n, t in found(relations) if n == "b"} == {(0, 0), (0, 1), (1, 0), (1, 1)}
    of_spouse = {(h, t) for h, n, t in found(relations) if n == "spouse"}
    assert {(0, 0), (1, 1)} < of_spouse
    assert len(of_spouse) == 3
    assert all(head != tail for head, _, tail in found(extractor(MARIE, **asked)))
    lone = extractor(
        MARIE, entities=[PERSON], relation_types=TYPES, threshold=0.0, self_pairs=True, return_scores=True
    )
    assert (lone.num_pairs, lone.num_unscored_pairs, lone.pair_index.tolist()) == (1, 0, [[0, 0]])


# Relation types in groups, and in readable words

MANY = [
    f"{word} of {letter}" for word in ("place", "birth", "spouse", "work", "film") for letter in "abcdefghijklmnop"
]


def test_types_that_do_not_fit_are_asked_for_in_groups(extractor):
    asked = {"entities": [PERSON, CITY], "relation_types": MANY, "threshold": 0.0}
    for options in ({}, {"truncation": "window"}):
        with pytest.raises(ValueError, match=r"80 relation types .*group_size="):
            extractor(MARIE, **asked, **options)
    scores = extractor(MARIE, group_size=7, return_scores=True, **asked)
    assert scores.scores.shape == (2, 80)
    for first in (0, 7, 77):
        of_group = extractor(
            MARIE, entities=[PERSON, CITY], relation_types=MANY[first : first + 7], return_scores=True
        )
        np.testing.assert_allclose(scores.scores[:, first : first + 7], of_group.scores, atol=1e-6)
    assert len(extractor(MARIE, group_size="auto", **asked)) == 160
    assert len(RelationExtractor(extractor.model, group_size="auto")(MARIE, **asked)) == 160


def test_groups_and_windows_together(extractor):
    text = " ".join([MARIE, "The city was old. " * 20, TEXTS[2]])
    entities = [(0, 11), (24, 30), (len(text) - 17, len(text) - 12), (len(text) - 5, len(text) - 1)]
    asked = {"entities": entities, "truncation": "window", "return_scores": True, "batch_size": 3}
    scores = extractor(text, relation_types=MANY, group_size=10, **asked)
    assert scores.scores.shape == (len(scores.pair_index), 80)
    assert 0 < scores.num_unscored_pairs < 12
    assert (scores.scores >= 0).all()
    assert len(set(map(tuple, scores.pair_index.tolist()))) == len(scores.pair_index)


def test_groups_hold_all_types_in_order(tokenizer):
    for size in (None, "auto", 1, 7, 100):
        groups = group_relation_types(tokenizer, MANY, size)
        assert [name for group in groups for name in group] == MANY
    assert len(group_relation_types(tokenizer, MANY, None)) == 1


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("place_of_birth", "place of birth"),
        ("placeOfBirth", "place of birth"),
        ("PlaceOfBirth", "place of birth"),
        ("PLACE_OF_BIRTH", "place of birth"),
        ("per:city_of_birth", "city of birth"),
        ("dbo:birthPlace", "birth place"),
        ("/people/person/place_of_birth", "place of birth"),
        ("http://dbpedia.org/ontology/birthPlace", "birth place"),
        ("hasDNASequence", "has dna sequence"),
        ("SPOUSE", "spouse"),
        ("place of birth", "place of birth"),
        ("CEO", "CEO"),
        ("member of NATO", "member of NATO"),
        ("and/or", "and/or"),
        ("mother-in-law", "mother-in-law"),
        ("出生地", "出生地"),
        ("_", "_"),
    ],
)
def test_readable_names(name, words):
    assert readable_name(name) == words


def test_readable_names_are_asked_and_the_given_ones_reported(extractor):
    asked = {"entities": [PERSON, CITY], "threshold": 0.0}
    words = extractor(MARIE, relation_types=["place of birth", "spouse"], **asked)
    codes = extractor(MARIE, relation_types={"place_of_birth": {}, "SPOUSE": {}}, readable_names=True, **asked)
    assert [relation["score"] for relation in codes] == [relation["score"] for relation in words]
    assert {relation["relation"] for relation in codes} == {"place_of_birth", "SPOUSE"}
    same = with_readable_names(
        [RelationType(name) for name in ("birth_place", "birthPlace", "spouse_of", "spouse of")]
    )
    assert [relation.wording for relation in same] == ["birth_place", "birthPlace", "spouse_of", "spouse of"]


# Models


def test_every_model_and_its_name(shared_model, extractor, tmp_path):
    shared_model.save_pretrained(tmp_path)
    asked = {"entities": ENTITIES[1], "relation_types": RELATION_TYPES, "threshold": 0.0}
    expected = extractor(TEXTS[1], **asked)
    for model in (str(tmp_path), Path(tmp_path), GLiRELForRelationClassification.from_pretrained(tmp_path)):
        made = RelationExtractor(model, device="cpu")
        assert_same_results([made(TEXTS[1], **asked)], [expected])
        assert str(made.device) == "cpu"
    assert RelationExtractor(str(tmp_path), dtype="bfloat16").model.dtype == torch.bfloat16
    assert_same_results([load_pipeline(str(tmp_path))(TEXTS[1], **asked)], [expected])


@pytest.mark.parametrize(
    ("make", "kind", "message"),
    [
        (lambda model: RelationExtractor("./nowhere"), OSError, "There is no folder './nowhere'"),
        (lambda model: RelationExtractor(5), TypeError, "needs the name of a model, or a model, .* got a int"),
        (lambda model: RelationExtractor(model, device="nowhere"), ValueError, "The device 'nowhere' cannot be used"),
        (lambda model: RelationExtractor(model, dtype="float16"), ValueError, "`dtype` is for a model that is loaded"),
        (lambda model: RelationExtractor(model, batch_size=0), ValueError, "`batch_size` must be"),
        (
            lambda model: RelationExtractor(model.glirel, model.tokenizer)(GOOD, relation_types=TYPES),
            TypeError,
            "needs a model with a head.*GLiRELModel gives no logits",
        ),
    ],
)
def test_what_cannot_run_is_named(shared_model, make, kind, message):
    with pytest.raises(kind, match=message):
        make(shared_model)


def test_a_wrong_precision_is_named(shared_model, tmp_path):
    shared_model.save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=r"`dtype` must be one of auto, float32, .* got 'floaty'"):
        RelationExtractor(tmp_path, dtype="floaty")


def test_a_model_in_training_is_run_without_dropout_and_left_in_training(build_model, extractor):
    model = build_model("bert").train()
    asked = {"relation_types": TYPES, "threshold": 0.0}
    assert RelationExtractor(model)(GOOD, **asked) == extractor(GOOD, **asked)
    assert model.training


@pytest.mark.parametrize("kind", [RelationExtractor, RelationExtractionPipeline])
def test_copies_have_a_tokenizer_of_their_own(build_model, kind):
    original = kind(build_model("bert"), relation_types=TYPES, threshold=0.0)
    expected = original(GOOD)
    for copied in (copy.deepcopy(original), pickle.loads(pickle.dumps(original))):
        assert copied(GOOD) == expected
        assert copied.tokenizer is not original.tokenizer
        assert copied.tokenizer is copied.model.tokenizer
        assert not {id(p) for p in copied.model.parameters()} & {id(p) for p in original.model.parameters()}


# The pipeline has an extractor


def test_the_pipeline_refuses_what_it_does_not_have(shared_model, extract):
    assert extract(GOOD, relation_types=TYPES, num_workers=0) == extract(GOOD, relation_types=TYPES, num_workers=None)
    with pytest.raises(ValueError, match="no workers of a DataLoader: got num_workers=4"):
        extract([GOOD], relation_types=TYPES, num_workers=4)
    with pytest.raises(ValueError, match="no workers of a DataLoader: got num_workers=2"):
        RelationExtractionPipeline(shared_model, num_workers=2)
    with pytest.raises(TypeError, match="takes the texts, and options by name: got also"):
        extract(MARIE, [PERSON, CITY], relation_types=TYPES)


def test_the_steps_of_a_pipeline_give_what_a_call_gives(extract):
    asked = {"relation_types": TYPES, "threshold": 0.0}
    assert extract.run_single(GOOD, asked, {}, {}) == extract(GOOD, **asked)


@pytest.mark.slow
def test_the_public_extractor_loads_exports_by_name(interpreter):
    """Also where nothing else has imported `loading`, which knows how."""
    script = "from glirel_transformers import RelationExtractor as R; print(R.load_model.__module__)"
    assert interpreter.check(script).strip() == "glirel_transformers.loading"
