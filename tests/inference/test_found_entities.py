"""Entities found by the model itself: what is found, mixed with what is given, and related."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from asked import MARIE
from tiny import RELATION_TYPES, TEXTS
from transformers import pipeline

from glirel_transformers import GLiRELForJointExtraction, RelationExtractionPipeline, RelationExtractor
from glirel_transformers import extractor_glirel as extractor_module
from glirel_transformers.loading import load_pipeline
from glirel_transformers.requests_glirel import TextError
from glirel_transformers.running_glirel import Scored

TYPES = ["person", "city"]
RELATIONS = ["spouse", "place of birth"]
ADA = TEXTS[1]
LOW = {"entity_threshold": 0.4, "threshold": 0.0}
# One of each kind: how entities are found, how pairs are chosen and scored, and where types are read.
MODELS = {
    "span": {},
    "token": {"entity_finder": "token", "max_entity_width": None},
    "bilinear": {"pair_selection": "bilinear"},
    "gcn": {"pair_selection": "gcn"},
    "attention": {"pair_selection": "attention"},
    "separate": {"label_encoding": "separate"},
    "localized": {"pair_context": "localized"},
    "triples": {"scorer": "distmult", "pair_representation": "ends"},
    "refined": {"num_pair_refinement_layers": 1, "num_relation_refinement_layers": 1},
    "words": {"mention_representation": "words", "endpoint_projection": False},
    "each": {"prompt_separators": "each", "empty_words": "skipped"},
}


@pytest.fixture(scope="module")
def extract(joint_model):
    return RelationExtractor(joint_model)


@pytest.fixture(scope="module")
def extractors(build_joint):
    made = {}

    def of(name):
        if name not in made:
            made[name] = RelationExtractor(build_joint(**MODELS[name]))
        return made[name]

    return of


@pytest.fixture
def warnings_of(caplog):
    name = extractor_module.__name__
    return lambda: [record.getMessage() for record in caplog.records if record.name == name]


@pytest.fixture
def scripted(joint_model, monkeypatch):
    """`scripted({(0, 2, "person"): 0.9}, scores)`: a model of these entities, by words, and probabilities of pairs."""

    def make(entities, relation_score=lambda head, tail, relation: 0.6):
        extractor = RelationExtractor(joint_model)
        calls = []

        def score(features, prompts, decode=None, adjacency_threshold=None):
            width = joint_model.config.max_entity_width
            num_types = max(len(prompt.entity_types) for prompt in prompts)
            num_words = max(len(one["word_mask"]) for one in features)
            logits = np.full((len(features), num_words, width, num_types), -20.0, dtype=np.float32)
            for row, prompt in enumerate(prompts):
                for (start, end, label), probability in entities.items():
                    if label in prompt.entity_types and end <= len(features[row]["word_mask"]):
                        place = (row, start, end - start - 1, prompt.entity_types.index(label))
                        logits[place] = np.log(probability / (1 - probability))
            found = decode(logits)
            calls.append(found)
            index = found["pair_index"]
            relations = max(prompt.num_relations for prompt in prompts)
            scores = np.zeros((*index.shape[:2], relations), dtype=np.float32)
            for row, prompt in enumerate(prompts):
                for pair, (head, tail) in enumerate(index[row]):
                    for column, name in enumerate(prompt.names):
                        scores[row, pair, column] = relation_score(int(head), int(tail), name)
            return Scored(scores, None, index, found["pair_mask"])

        monkeypatch.setattr(extractor, "_score", score)
        extractor.calls = calls
        return extractor

    return make


def spans_of(entities):
    return [(entity["start"], entity["end"], entity["label"]) for entity in entities]


def cells(result):
    return {
        (*spans_of([relation["head"]])[0], relation["relation"], *spans_of([relation["tail"]])[0]): relation["score"]
        for relation in result["relations"]
    }


def assert_same(one, other, tolerance=2e-5):
    assert spans_of(one["entities"]) == spans_of(other["entities"])
    ours, theirs = cells(one), cells(other)
    assert ours.keys() == theirs.keys()
    assert all(abs(ours[cell] - theirs[cell]) < tolerance for cell in ours)
    for mine, yours in zip(one["entities"], other["entities"], strict=True):
        assert mine["index"] == yours["index"]
        if "score" in mine and "score" in yours:  # one that is given has none
            assert mine["score"] == pytest.approx(yours["score"], abs=tolerance)


def conflicts(one, other, nested):
    (a, b), (c, d) = one, other
    if b <= c or d <= a:
        return False
    contains = (a <= c and d <= b) or (c <= a and b <= d)
    return not (nested and contains and one != other)


def naive_entities(model, text, threshold, nested=False, multi_label=False):
    """From the definition: every span of every type, from the logits of the model, the likeliest first."""
    tokenizer = model.tokenizer
    batch = tokenizer(text, entity_types=TYPES, relation_types=RELATIONS)
    with torch.no_grad():
        logits = model(**batch).entity_logits[0].double().sigmoid()
    words = tokenizer.read_words([text])[0].char_spans
    width, scored = model.config.max_entity_width or len(words), []
    for start, end in itertools.combinations(range(len(words) + 1), 2):
        for number in range(len(TYPES)) if end - start <= width else ():
            if model.config.entity_finder == "span":
                score = logits[start, end - start - 1, number].item()
            else:
                inside = logits[start:end, number, 2].min().item()
                score = min(logits[start, number, 0].item(), logits[end - 1, number, 1].item(), inside)
            if score > threshold:
                scored.append((score, start, end, TYPES[number]))
    kept: dict[tuple[int, int], list[tuple[str, float]]] = {}
    for score, start, end, label in sorted(scored, key=lambda one: -one[0]):
        if (start, end) in kept:
            kept[start, end] += [(label, score)] * multi_label
        elif not any(conflicts((start, end), other, nested) for other in kept):
            kept[start, end] = [(label, score)]
    return sorted((words[s][0], words[e - 1][1], labels[0][0], dict(labels)) for (s, e), labels in kept.items())


# What is found


@pytest.mark.slow
@pytest.mark.parametrize("name", ["span", "token", "separate"])
@pytest.mark.parametrize("text", [MARIE, ADA])
def test_entities_are_those_of_the_definition(extractors, name, text):
    extract = extractors(name)
    num_found = 0
    for threshold, nested, multi_label in itertools.product((0.3, 0.5, 0.6), (False, True), (False, True)):
        found = extract(
            text,
            entity_types=TYPES,
            relation_types=RELATIONS,
            return_entities=True,
            entity_threshold=threshold,
            overlap="nested" if nested else "flat",
            multi_label=multi_label,
        )["entities"]
        expected = naive_entities(extract.model, text, threshold, nested, multi_label)
        assert sorted(spans_of(found)) == [one[:3] for one in expected]
        by_span = {(one["start"], one["end"]): one for one in found}
        for start, end, label, scores in expected:
            one = by_span[start, end]
            assert one["text"] == text[start:end]
            assert one["score"] == pytest.approx(scores[label], abs=1e-5)
            assert one.get("scores", {label: one["score"]}) == pytest.approx(scores, abs=1e-5)
        assert [one["index"] for one in found] == list(range(len(found)))
        assert [one["start"] for one in found] == sorted(one["start"] for one in found)
        num_found += len(found)
    assert num_found > 10


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_a_batch_equals_single_texts(extractors, name):
    extract = extractors(name)
    items = [*TEXTS, "", "Ada", "of the", " \n", {"text": MARIE, "entity_types": ["city", "film", "friend"]}]
    items.append({"text": ADA, "entities": [(0, 12, "friend")], "relation_types": RELATION_TYPES})
    options = {"entity_types": TYPES, "relation_types": RELATIONS, "return_entities": True, **LOW}
    options |= {"adjacency_threshold": 0.1}
    together = extract(items, batch_size=len(items), **options)
    assert sum(len(one["relations"]) for one in together) > 5
    assert together[3] == together[6] == {"entities": [], "relations": []}
    for alone, of_batch in zip((extract(item, **options) for item in items), together, strict=True):
        assert_same(alone, of_batch)
    for one in together:
        for relation in one["relations"]:
            for side in ("head", "tail"):
                assert relation[side] == one["entities"][relation[side]["index"]]
            assert relation["head"]["index"] != relation["tail"]["index"]


@pytest.mark.parametrize("name", [name for name in MODELS if name not in ("gcn", "attention")])
def test_found_entities_that_are_given_again_score_the_same(extractors, name):
    """Next to the same prompt; matrices of whole graphs also depend on spans that are no entities."""
    extract = extractors(name)
    options = {"entity_types": TYPES, "relation_types": RELATIONS, "return_entities": True, "threshold": 0.0}
    found = extract(ADA, entity_threshold=0.4, **options)
    assert len(found["entities"]) > 1
    again = extract(ADA, entities=found["entities"], entity_threshold=1.0, **options)
    assert_same(found, again)


def test_text_without_entities_or_pairs(extract):
    options = {"entity_types": TYPES, "relation_types": RELATIONS}
    for text in ("", " ", "\n\n", MARIE):
        assert extract(text, entity_threshold=1.0, **options) == []
        assert extract(text, entity_threshold=1.0, return_entities=True, **options) == {
            "entities": [],
            "relations": [],
        }
    assert extract("Ada", **options, entity_threshold=0.0) == []
    one = extract("Ada", **options, entity_threshold=0.0, return_entities=True)
    assert [entity["text"] for entity in one["entities"]] == ["Ada"]
    assert one["relations"] == []


def test_entities_alone(extract):
    options = {"entity_types": TYPES, "entity_threshold": 0.1}
    entities = extract(ADA, **options)
    assert len(entities) > 1
    assert extract(ADA, return_entities=True, **options) == {"entities": entities, "relations": []}
    assert extract([ADA, ADA], **options) == [entities, entities]
    scores = extract(ADA, return_scores=True, **options)
    assert [entity.to_dict() for entity in scores.entities] == entities
    assert scores.relation_types == []
    assert extract(ADA, entity_types=[], relation_types=RELATIONS) == []
    assert extract(ADA, entity_types=[]) == []


def test_entities_that_are_given_alone(extract):
    """The same model scores relations of given entities, and finds none."""
    given = [(0, 12, "PERSON"), (86, 92, "CITY")]
    relations = extract(ADA, entities=given, relation_types=RELATIONS, threshold=0.0)
    assert len(relations) == 4
    assert {relation["head"]["index"] for relation in relations} == {0, 1}
    assert all("score" not in relation["head"] for relation in relations)
    assert extract(ADA, entities=given[:1], relation_types=RELATIONS) == []
    with pytest.raises(ValueError, match="No `entities`"):
        extract(ADA, relation_types=RELATIONS)


# Words, types


def test_words_without_tokens_and_markers_in_names(extractors):
    low = {"entity_threshold": 0.3}
    for name in ("span", "token", "each"):
        extract = extractors(name)
        marker = extract.tokenizer.prompt_tokens
        odd = "Ada \u00ad \u200b met Bob."
        found = extract(odd, entity_types=TYPES, relation_types=RELATIONS, return_entities=True, **LOW)
        for entity in found["entities"]:
            assert odd[entity["start"] : entity["end"]] == entity["text"] != ""
        named = [f"person {token} thing" for token in marker.values()]
        for types in (named, [*TYPES, *named]):
            result = extract(TEXTS[2], entity_types=types, relation_types=named[:2], return_scores=True, **low)
            assert result.scores.shape[1] == 2
            assert {label for entity in result.entities for label in entity.labels} <= set(types)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"entity_types": ["person", "person"]}, r"entity_types repeats 'person'"),
        ({"entity_types": ["person", ""]}, "entity_types"),
        ({"entity_types": "person"}, "entity_types"),
        ({"entity_types": {"person": {"head": ["a"]}}}, r"[Ee]ntity type 'person' has unknown settings \['head'\]"),
        ({"entity_types": {"person": {"threshold": 2}}}, "threshold of entity type 'person'"),
        ({"entity_types": {"a": {"description": "b"}, "b": None}}, "two types are read as 'b'"),
        ({"entity_types": TYPES, "overlap": "both"}, "`overlap` must be 'flat' or 'nested'"),
        ({"entity_types": TYPES, "entity_threshold": 2}, "`entity_threshold` must be a number from 0 to 1"),
        ({"entity_types": TYPES, "adjacency_threshold": -1}, "`adjacency_threshold` must be a number from 0 to 1"),
        ({"entity_types": TYPES, "multi_label": 1}, "`multi_label` must be True or False"),
        ({"entity_types": TYPES, "return_entities": True, "return_scores": True}, "Leave `return_entities` out"),
        ({"entity_types": TYPES, "coreference": True}, "coreference_label"),
        ({"entity_types": TYPES, "evidence": 1}, "pair_context='none'"),
    ],
)
def test_what_cannot_be_asked(extract, options, message):
    with pytest.raises((ValueError, TypeError), match=message):
        extract(ADA, relation_types=RELATIONS, **options)


def test_models_that_find_none_say_so(shared_model):
    extract = RelationExtractor(shared_model)
    with pytest.raises(ValueError, match="`entity_types` are for models that find entities"):
        extract(ADA, entity_types=TYPES, relation_types=RELATIONS)
    with pytest.raises(TextError, match=r"^Text 1: `entity_types` are for models that find entities"):
        extract([{"text": ADA, "entities": []}, {"text": ADA, "entity_types": TYPES}], relation_types=RELATIONS)
    result = extract(ADA, entities=["Ada Lovelace", "London"], relation_types=RELATIONS, return_entities=True)
    assert [entity["text"] for entity in result["entities"]] == ["Ada Lovelace", "London"]


def test_errors_carry_the_position_of_the_text(extract):
    good = {"text": MARIE}
    bad = [
        ({"text": MARIE, "entity_types": ["a", "a"]}, "repeats 'a'"),
        ({"text": MARIE, "entities": [(0, 3)]}, "word boundaries"),
        ({"text": 5}, "must be a string"),
        ({"text": "word " * 500}, "The text and 2 entity types and 2 relation types need"),
    ]
    items = [item for one, _ in bad for item in (good, one)]
    for batch_size in (1, 4):
        results = list(
            extract.iterate(
                iter(items),
                entity_types=TYPES,
                relation_types=RELATIONS,
                on_error="return",
                batch_size=batch_size,
                return_entities=True,
                **LOW,
            )
        )
        for number, (_, message) in enumerate(bad):
            error = results[2 * number + 1]
            assert error.position == 2 * number + 1
            assert message in str(error)
        for one in results[::2]:
            assert_same(one, results[0])
    with pytest.raises(TextError, match=r"^Text 1: .*repeats 'a'"):
        extract([good, bad[0][0]], entity_types=TYPES, relation_types=RELATIONS)


def test_a_generator_gives_results_one_by_one(extract):
    read = []

    def texts():
        for text in [MARIE, ADA, "Ada"]:
            read.append(text)
            yield text

    results = extract(texts(), entity_types=TYPES, relation_types=RELATIONS, return_entities=True, **LOW)
    first = next(results)
    assert read == [MARIE]
    assert_same(first, extract(MARIE, entity_types=TYPES, relation_types=RELATIONS, return_entities=True, **LOW))
    assert len(list(results)) == 2


# Given and found


GIVEN = {"start": 0, "end": 11, "label": "PERSON"}


def test_given_entities_win_where_they_overlap(scripted):
    """Words of MARIE: Marie 0, Curie 1, was 2, born 3, in 4, Warsaw 5, . 6."""
    found = {(1, 3, "person"): 0.9, (0, 2, "city"): 0.95, (0, 1, "person"): 0.9, (5, 6, "city"): 0.8}
    extract = scripted(found)
    flat = extract(MARIE, entities=[GIVEN], entity_types=TYPES, relation_types=RELATIONS, return_entities=True)
    assert spans_of(flat["entities"]) == [(0, 11, "PERSON"), (24, 30, "city")]
    assert [entity["index"] for entity in flat["entities"]] == [0, 1]
    assert "score" not in flat["entities"][0]
    assert flat["entities"][1]["score"] == pytest.approx(0.8)
    assert len(flat["relations"]) == 4
    nested = extract(MARIE, entities=[GIVEN], entity_types=TYPES, overlap="nested")
    assert spans_of(nested) == [(0, 11, "PERSON"), (0, 5, "person"), (24, 30, "city")]  # none crosses, none is equal
    assert spans_of(extract(MARIE, entity_types=TYPES)) == [(0, 11, "city"), (24, 30, "city")]


def test_given_clusters_next_to_found_entities(extract):
    text = "Ada met Bob in London and Ada found Sony."
    given = [{"mentions": [(0, 3), (26, 29)], "label": "PERSON"}]
    options = {"entity_types": TYPES, "relation_types": RELATIONS, "return_entities": True, **LOW}
    result = extract(text, entities=given, **options)
    first, *found = result["entities"]
    assert [(mention["start"], mention["end"]) for mention in first["mentions"]] == [(0, 3), (26, 29)]
    assert found
    assert all(one["start"] not in (0, 26) and "score" in one for one in found)
    assert {relation["head"]["index"] for relation in result["relations"]} == set(range(len(found) + 1))
    batch = extract(
        [{"text": text, "entities": given}, {"text": ADA}, {"text": MARIE, "entities": [GIVEN]}],
        batch_size=3,
        **options,
    )
    assert_same(batch[0], result)
    assert_same(batch[1], extract(ADA, **options))
    assert_same(batch[2], extract(MARIE, entities=[GIVEN], **options))


# Settings of types, and constraints


def test_thresholds_of_types(scripted):
    extract = scripted({(0, 2, "person"): 0.9, (3, 4, "person"): 0.5, (5, 6, "city"): 0.5, (4, 5, "city"): 0.35})
    types = {"person": {"threshold": 0.6}, "city": None}
    assert spans_of(extract(MARIE, entity_types=types, entity_threshold=0.4)) == [
        (0, 11, "person"),
        (24, 30, "city"),
    ]
    types["city"] = {"threshold": 0.3}
    assert len(extract(MARIE, entity_types=types, entity_threshold=0.99)) == 3
    # The probability must be above it, not equal to it.
    exact = scripted({(0, 2, "person"): 0.5})
    assert len(exact(MARIE, entity_types=TYPES, entity_threshold=0.49)) == 1
    assert exact(MARIE, entity_types=TYPES, entity_threshold=0.5) == []


def test_what_a_model_reads_is_the_description(extract):
    described = {"PER": {"description": "person"}, "LOC": {"description": "city"}}
    plain = extract(ADA, entity_types=TYPES, relation_types=RELATIONS, return_entities=True, **LOW)
    named = extract(
        ADA,
        entity_types=described,
        relation_types={"r1": {"description": "spouse"}, "r2": {"description": "place of birth"}},
        return_entities=True,
        **LOW,
    )
    renamed = {"person": "PER", "city": "LOC"}
    assert [(start, end, renamed[label]) for start, end, label in spans_of(plain["entities"])] == spans_of(
        named["entities"]
    )
    assert [one["score"] for one in plain["relations"]] == [one["score"] for one in named["relations"]]
    assert {one["relation"] for one in named["relations"]} == {"r1", "r2"}


def test_several_types_of_a_span(scripted):
    extract = scripted({(0, 2, "person"): 0.7, (0, 2, "city"): 0.9, (5, 6, "city"): 0.8})
    one, other = extract(MARIE, entity_types=TYPES, multi_label=True)
    assert (one["label"], one["score"]) == ("city", pytest.approx(0.9))
    assert one["scores"] == pytest.approx({"city": 0.9, "person": 0.7})
    assert list(one["scores"]) == ["city", "person"]
    assert "scores" not in other
    (single, _) = extract(MARIE, entity_types=TYPES)
    assert single["label"] == "city"
    assert "scores" not in single
    # Any of its types may meet a constraint.
    born = {"born": {"head": "person", "tail": "city"}}
    relations = extract(MARIE, entity_types=TYPES, relation_types=born, multi_label=True)
    assert [(one["head"]["text"], one["tail"]["text"]) for one in relations] == [("Marie Curie", "Warsaw")]
    assert extract(MARIE, entity_types=TYPES, relation_types=born) == []
    # Also where they are given again.
    (again,) = extract(MARIE, entities=[one, other], relation_types=born)
    assert (again["head"]["text"], again["tail"]["text"]) == ("Marie Curie", "Warsaw")
    assert again["head"]["scores"] == one["scores"]
    with pytest.raises(TypeError, match=r"`entities\[0\]` has the `scores` .*, which are not numbers by the names"):
        extract(MARIE, entities=[{**one, "scores": {"city": "high"}}, other], relation_types=born)


def test_constraints_act_before_anything_is_scored(scripted):
    extract = scripted({(0, 2, "person"): 0.9, (5, 6, "city"): 0.8, (3, 4, "person"): 0.7})
    born = {"born": {"head": "person", "tail": "city"}}
    result = extract(MARIE, entity_types=TYPES, relation_types=born, return_entities=True)
    assert extract.calls[-1]["pair_index"].tolist() == [[[0, 2], [1, 2]]]
    assert [(one["head"]["index"], one["tail"]["index"]) for one in result["relations"]] == [(0, 2), (1, 2)]
    scores = extract(MARIE, entity_types=TYPES, relation_types={"r": {"head": "film"}}, return_scores=True)
    assert extract.calls[-1]["pair_index"].shape == (1, 0, 2)
    assert scores.scores.shape == (0, 1)
    assert len(scores.entities) == 3
    # A type without constraints admits all pairs; those that others do not admit are no relations of these.
    mixed = {**born, "spouse": None}
    relations = extract(MARIE, entity_types=TYPES, relation_types=mixed)
    assert extract.calls[-1]["pair_index"].shape == (1, 6, 2)
    assert sorted(one["relation"] for one in relations) == ["born"] * 2 + ["spouse"] * 6
    # Given entities have types of their own.
    given = extract(MARIE, entities=[GIVEN], entity_types=["city"], relation_types={"b": {"head": "PERSON"}})
    assert [(one["head"]["text"], one["tail"]["text"]) for one in given] == [("Marie Curie", "Warsaw")]


def test_nothing_is_scored_by_the_model_where_no_pair_is_admitted(extractors):
    for name in MODELS:
        extract = extractors(name)
        types = {"born": {"head": ["film"]}}
        result = extract([ADA, MARIE], entity_types=TYPES, relation_types=types, return_entities=True, batch_size=2)
        assert [one["relations"] for one in result] == [[], []]


def test_constraints_that_nothing_meets_are_noted(extract, warnings_of):
    types = {"born": {"head": ["film"]}}
    extract(ADA, entity_types=TYPES, relation_types=types, entity_threshold=0.4)
    (message,) = warnings_of()
    assert "admits 'film' as its head, but no entity is of that type" in message


# The cap


@pytest.mark.slow
def test_candidates_are_capped_and_counted(build_joint, warnings_of):
    model = build_joint("deberta-v2", max_entity_width=1)
    model.tokenizer.model_max_length = 2000
    extract = RelationExtractor(model)
    text = " ".join(f"{word}{number}" for number, word in enumerate(["Ada", "Sony", "London", "in"] * 70))
    options = {"entity_types": TYPES, "relation_types": ["spouse"], "entity_threshold": 0.0}
    assert model.config.max_candidates == 200
    everything = extract(text, entity_types=TYPES, entity_threshold=0.0, return_scores=True)
    assert everything.num_left_out == 280 - 200
    result = extract(text, return_entities=True, **options)
    assert len(result["entities"]) == 200
    assert any("80 entities beyond the likeliest 200 were left out" in message for message in warnings_of())
    scores = extract(text, return_scores=True, **options)
    assert scores.num_left_out == 80
    assert len(scores.pair_index) == 200 * 199
    model.config.max_candidates = 1000
    every = extract(text, return_entities=True, **options)["entities"]
    likeliest = sorted(every, key=lambda one: -one["score"])[:200]
    assert sorted(spans_of(result["entities"])) == sorted(spans_of(likeliest))
    assert every[0]["start"] == 0
    model.config.max_candidates = 200


def test_the_cap_takes_the_likeliest_also_among_equals(scripted, joint_model, monkeypatch):
    monkeypatch.setattr(joint_model.config, "max_candidates", 2)
    extract = scripted({(0, 1, "person"): 0.6, (1, 2, "person"): 0.6, (2, 3, "person"): 0.6, (5, 6, "city"): 0.9})
    assert [one["text"] for one in extract(MARIE, entity_types=TYPES)] == ["Marie", "Warsaw"]


# Groups of relation types, windows


def test_groups_relate_the_same_entities(extractors):
    for name in ("span", "token", "separate"):
        extract = extractors(name)
        options = {"entity_types": TYPES, "relation_types": RELATION_TYPES, **LOW}
        scores = extract([ADA, MARIE], return_scores=True, group_size=1, batch_size=2, **options)
        for one in scores:
            assert (one.scores >= 0).all()  # every pair is scored for every type
            assert len(one.pair_index) == len(one.entities) * (len(one.entities) - 1)
        first = extract(ADA, return_scores=True, **{**options, "relation_types": RELATION_TYPES[:1]})
        assert [entity.text for entity in scores[0].entities] == [entity.text for entity in first.entities]
        np.testing.assert_allclose(scores[0].scores[:, :1], first.scores, atol=2e-5)


def test_groups_leave_room_next_to_entity_types(extract):
    names = [f"relation number {number}" for number in range(12)]
    types = [f"type {number}" for number in range(6)]
    for group in extract._prompts_of(tuple(names), "auto", tuple(types)):
        assert extract.tokenizer.room(group).tokens > 20
    scores = extract(TEXTS[2], entity_types=types, relation_types=names, group_size="auto", return_scores=True)
    assert scores.scores.shape[1] == 12


@pytest.mark.parametrize("name", ["span", "token", "bilinear", "localized"])
def test_a_text_that_fits_is_read_as_without_windows(extractors, name):
    extract = extractors(name)
    options = {"entity_types": TYPES, "relation_types": RELATIONS, "return_entities": True, **LOW}
    assert_same(extract(ADA, truncation="window", **options), extract(ADA, **options))


@pytest.mark.slow
@pytest.mark.parametrize("overlap", ["flat", "nested"])
@pytest.mark.parametrize("name", ["span", "token", "gcn", "localized"])
def test_windows_over_long_texts(extractors, name, overlap):
    extract = extractors(name)
    text = " ".join([ADA, MARIE, TEXTS[2]] * 6)
    options = {"entity_types": TYPES, "relation_types": RELATIONS, "overlap": overlap, **LOW}
    with pytest.raises(ValueError, match="Pass truncation='window'"):
        extract(text, **options)
    scores = extract(text, truncation="window", return_scores=True, adjacency_threshold=0.0, **options)
    spans = [(entity.start, entity.end) for entity in scores.entities]
    assert len(spans) > 10
    assert max(end for _, end in spans) > len(text) - 60
    for entity in scores.entities:
        assert entity.text == text[entity.start : entity.end]
    for one, other in itertools.combinations(spans, 2):
        assert not conflicts(one, other, overlap == "nested"), (one, other)
    assert len(set(map(tuple, scores.pair_index.tolist()))) == len(scores.pair_index)
    assert sorted(scores.pair_index.tolist()) == scores.pair_index.tolist()  # row-major
    assert (scores.pair_index[:, 0] != scores.pair_index[:, 1]).all()
    assert (scores.scores >= 0).all()
    assert scores.num_unscored_pairs > 0
    for relation in scores.select(0.0, top_k=1):
        assert relation["head"] == scores.entities[relation["head"]["index"]].to_dict()


def test_pairs_that_no_window_holds_are_counted_and_said(extract, monkeypatch):
    said = []
    monkeypatch.setattr(extractor_module.logger, "warning", lambda message, *values: said.append(message % values))
    text = " ".join([ADA, MARIE, TEXTS[2]] * 6)
    options = {"entity_types": TYPES, "relation_types": RELATIONS, **LOW}
    scores = extract(text, truncation="window", return_scores=True, **options)
    extract(text, truncation="window", **options)
    (line,) = [one for one in said if "in no window of" in one]
    # Without a constraint or an adjacency, those that are in a window were scored.
    assert line.startswith(f"{scores.num_unscored_pairs} of {scores.num_pairs} ordered pairs")
    said.clear()
    extract(ADA, **options)
    assert not said


def test_windows_find_what_a_window_alone_finds(extract):
    """Merged from windows: each is read as it would be read on its own, with its own entities and relations."""
    text = " ".join([ADA, MARIE, TEXTS[2]] * 6)
    options = {"entity_types": TYPES, "relation_types": RELATIONS, "return_entities": True, **LOW}
    whole = extract(text, truncation="window", **options)
    words = extract.tokenizer.read_words([text])[0].char_spans
    prompt = extract._prompts_of(tuple(RELATIONS), None, tuple(TYPES))[0]
    places = extractor_module.split_windows(
        extract.tokenizer.read_words([text])[0], [], prompt, extract.tokenizer.room(prompt)
    )
    assert len(places) > 2
    best_entities, best = {}, {}
    for first, last in places:
        start, end = words[first][0], words[last - 1][1]
        alone = extract(text[start:end], **options)
        for one in alone["entities"]:
            key = (one["start"] + start, one["end"] + start, one["label"])
            best_entities[key] = max(one["score"], best_entities.get(key, 0))
        for (a, b, _, relation, c, d, _), score in cells(alone).items():
            key = (a + start, b + start, relation, c + start, d + start)
            best[key] = max(score, best.get(key, 0))
    kept = []
    for (a, b, label), _ in sorted(best_entities.items(), key=lambda one: -one[1]):
        if not any(conflicts((a, b), other[:2], False) for other in kept):
            kept.append((a, b, label))
    assert sorted(spans_of(whole["entities"])) == sorted(kept)
    spans = {one[:2] for one in kept}
    expected = {key: score for key, score in best.items() if (key[0], key[1]) in spans and (key[3], key[4]) in spans}
    ours = {(a, b, relation, c, d): score for (a, b, _, relation, c, d, _), score in cells(whole).items()}
    assert ours.keys() == expected.keys()
    assert all(abs(ours[key] - score) < 2e-5 for key, score in expected.items())


def test_given_entities_in_windows(extract):
    text = " ".join([ADA, MARIE, TEXTS[2]] * 6)
    first, last = text.index("Warsaw"), text.rindex("Warsaw")
    given = [{"mentions": [(first, first + 6), (last, last + 6)], "label": "CITY"}]
    options = {"entity_types": TYPES, "relation_types": RELATIONS, "return_entities": True, **LOW}
    result = extract(text, entities=given, truncation="window", **options)
    assert [mention["start"] for mention in result["entities"][0]["mentions"]] == [first, last]
    for one in result["entities"][1:]:
        assert one["end"] <= first or first + 6 <= one["start"]
        assert one["end"] <= last or last + 6 <= one["start"]
    tails = {one["tail"]["start"] for one in result["relations"] if one["head"]["index"] == 0}
    assert min(tails) < 200  # related with what is near either mention
    assert max(tails) > len(text) - 200


# Everything else that a call can ask


def test_scores_of_everything(extract):
    options = {"entity_types": TYPES, "relation_types": RELATIONS}
    scores = extract(ADA, return_scores=True, entity_threshold=0.4, **options)
    for threshold, top_k in itertools.product((0.0, 0.5, 0.7), (None, 1)):
        assert scores.select(threshold, top_k) == extract(
            ADA, entity_threshold=0.4, threshold=threshold, top_k=top_k, **options
        )
    assert len(scores.select(0.5)) + len(scores.left_out(0.5)) == scores.scores.size


def test_symmetric_relations_of_found_entities(extractors):
    for name in ("span", "token"):
        extract = extractors(name)
        types = {"spouse": {"symmetric": True}}
        for overlap in ("flat", "nested"):
            options = {"entity_types": TYPES, "relation_types": types, "overlap": overlap, "return_entities": True}
            result = extract(ADA, **options, **LOW)
            number = len(result["entities"])
            assert number > 2
            assert len(result["relations"]) == number * (number - 1) // 2


def test_self_pairs(extract):
    options = {"entity_types": TYPES, "relation_types": ["spouse"], "return_entities": True, "self_pairs": True, **LOW}
    result = extract(ADA, **options)
    number = len(result["entities"])
    assert len(result["relations"]) == number * number
    one = extract("Ada", **{**options, "entity_threshold": 0.0})
    assert len(one["relations"]) == 1


def test_coreference_of_found_entities(build_joint):
    extract = RelationExtractor(build_joint(coreference_label="SELF"))
    options = {"entity_types": TYPES, "relation_types": ["spouse"], "entity_threshold": 0.3}
    plain = extract(ADA, return_scores=True, **{**options, "relation_types": ["spouse", "SELF"]})
    label = {"spouse": None, "SELF": {"threshold": float(np.quantile(plain.scores[:, 1], 0.9))}}
    options["relation_types"] = label
    merged = extract(ADA, coreference=True, return_scores=True, **options)
    assert 1 < len(merged.entities) < len(plain.entities)
    result = extract(ADA, coreference=True, return_entities=True, threshold=0.0, **options)
    assert any(len(entity.get("mentions", ())) > 1 for entity in result["entities"])
    for entity in result["entities"]:
        assert entity["score"] == entity.get("scores", {entity["label"]: entity["score"]})[entity["label"]]
    assert result["relations"]
    for relation in result["relations"]:
        for side in ("head", "tail"):
            assert relation[side] == result["entities"][relation[side]["index"]]


def test_evidence_of_found_entities(extractors):
    extract = extractors("localized")
    text = f"{MARIE} Tokyo hosts Sony. London was found."
    options = {"entity_types": TYPES, "relation_types": RELATIONS, **LOW}
    relations = extract(text, evidence=2, **options)
    assert relations
    for relation in relations:
        assert 1 <= len(relation["evidence"]) <= 2
        for one in relation["evidence"]:
            assert text[one["start"] : one["end"]] == one["text"]
    batch = extract([MARIE, text], evidence=2, batch_size=2, **options)[1]
    assert [one["evidence"][0]["sentence"] for one in batch] == [one["evidence"][0]["sentence"] for one in relations]
    long = extract(" ".join([text] * 8), evidence=1, truncation="window", **options)
    assert all(len(relation["evidence"]) == 1 for relation in long)


def test_training_mode_is_left_as_it_was(build_joint):
    model = build_joint(dropout=0.5)
    extract = RelationExtractor(model)
    options = {"entity_types": TYPES, "relation_types": RELATIONS, "return_entities": True, **LOW}
    expected = extract(ADA, **options)
    model.train()
    assert extract(ADA, **options) == expected
    assert model.training


def test_results_can_be_given_again_as_json(extract):
    """Entities with `score` and `scores` are entities like any other."""
    options = {"entity_types": TYPES, "multi_label": True, "entity_threshold": 0.2}
    entities = json.loads(json.dumps(extract(ADA, **options)))
    assert any("scores" in entity for entity in entities)
    result = extract(ADA, entities=entities, relation_types=RELATIONS, threshold=0.0, return_entities=True)
    assert spans_of(result["entities"]) == spans_of(entities)


# Pipelines


def test_the_pipeline_takes_the_same_calls(joint_model):
    pipe = RelationExtractionPipeline(joint_model, entity_types=TYPES, entity_threshold=0.4)
    extract = RelationExtractor(joint_model)
    options = {"relation_types": RELATIONS, "threshold": 0.0}
    expected = extract(ADA, entity_types=TYPES, entity_threshold=0.4, **options)
    assert expected
    assert pipe(ADA, **options) == expected
    assert pipe([ADA], return_entities=True, **options)[0]["relations"] == expected
    assert pipe(ADA) == extract(ADA, entity_types=TYPES, entity_threshold=0.4)
    with pytest.raises(TypeError, match="There is no option 'types'"):
        RelationExtractionPipeline(joint_model, types=TYPES)


@pytest.mark.slow
def test_a_saved_folder_is_loaded_by_its_name(joint_model, tmp_path):
    joint_model.save_pretrained(tmp_path / "joint")
    options = {"entity_types": TYPES, "relation_types": RELATIONS, "return_entities": True, **LOW}
    expected = RelationExtractor(joint_model)(ADA, **options)
    assert_same(load_pipeline(str(tmp_path / "joint"))(ADA, **options), expected, 1e-6)
    by_task = pipeline("relation-extraction", model=str(tmp_path / "joint"), trust_remote_code=True)
    assert type(by_task.model).__name__ == GLiRELForJointExtraction.__name__
    assert_same(by_task(ADA, **options), expected, 1e-6)


@pytest.mark.slow
def test_a_saved_folder_runs_without_this_package(joint_model, tmp_path: Path, interpreter_without_package):
    joint_model.save_pretrained(tmp_path / "joint")
    options = {"entity_types": TYPES, "relation_types": RELATIONS, "return_entities": True, **LOW}
    script = f"""
import json, sys
from transformers import pipeline
extract = pipeline("relation-extraction", model={str(tmp_path / "joint")!r}, trust_remote_code=True)
assert "glirel_transformers" not in sys.modules
print("RESULT" + json.dumps(extract({ADA!r}, **{options!r})))
"""
    output = interpreter_without_package.check(script)
    result = json.loads(output.split("RESULT", 1)[1].splitlines()[0])
    assert_same(result, RelationExtractor(joint_model)(ADA, **options), 1e-5)
