"""`/extract` with a model that finds entities, called over HTTP."""

import importlib.util
from pathlib import Path

import pytest
from labelling import model
from tiny_joint import ENTITY_TYPES, JOINT_RELATION_TYPES, JOINT_TEXT, make_joint_model

from glirel_transformers import RelationExtractor

pytestmark = pytest.mark.slow

gradio_client = pytest.importorskip("gradio_client")

APP = Path(__file__).resolve().parents[2] / "space" / "app.py"


@pytest.fixture(scope="module")
def folder(encoder_folder, tmp_path_factory):
    target = tmp_path_factory.mktemp("joint")
    make_joint_model(encoder_folder("bert")).save_pretrained(target)
    return target


@pytest.fixture(scope="module")
def extract(folder):
    return RelationExtractor(str(folder), device="cpu")


@pytest.fixture(scope="module")
def client(folder):
    """A client of the page, which loads the folder that the environment names."""
    spec = importlib.util.spec_from_file_location("space_app_finding", APP)
    app = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(app)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GLIREL_MODEL", str(folder))
        patch.setenv("GLIREL_DEVICE", "cpu")
        patch.setenv("GRADIO_ANALYTICS_ENABLED", "False")
        model.pipeline.cache_clear()
        blocks = app.launch(prevent_thread_lock=True, quiet=True)
        yield gradio_client.Client(blocks.local_url, verbose=False, httpx_kwargs={"timeout": 300})
        blocks.close()
        model.pipeline.cache_clear()


def same(one, other):
    """Whether two answers are equal, but for the last digits of their scores."""
    if isinstance(one, dict):
        return set(one) == set(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return one == (pytest.approx(other, abs=1e-5) if isinstance(other, float) else other)


def test_entities_and_relations_are_found_as_by_the_extractor(client, extract):
    asked = {"entity_types": ENTITY_TYPES, "relation_types": JOINT_RELATION_TYPES}
    answer = client.predict(JOINT_TEXT, return_entities=True, api_name="/extract", **asked)
    assert same(answer, extract(JOINT_TEXT, return_entities=True, **asked))
    assert [entity["text"] for entity in answer["entities"]] == ["Marie Curie", "Warsaw", "Pierre Curie", "Paris"]
    assert {relation["relation"] for relation in answer["relations"]} == set(JOINT_RELATION_TYPES)
    assert client.predict(JOINT_TEXT, api_name="/extract", **asked) == answer["relations"]
    alone = client.predict(JOINT_TEXT, entity_types=ENTITY_TYPES, api_name="/extract")
    assert same(alone, extract(JOINT_TEXT, entity_types=ENTITY_TYPES))


@pytest.mark.parametrize(
    "options",
    [
        {"entity_types": {"PERSON": {"threshold": 1.0}, "CITY": {"threshold": 0.01}}},
        {"entity_types": ENTITY_TYPES, "entity_threshold": 0.0, "overlap": "nested", "multi_label": True},
        {"entity_types": ENTITY_TYPES, "entities": [[0, 11, "SCIENTIST"]]},
        {"entity_types": ENTITY_TYPES, "entities": [{"mentions": [[0, 11], [32, 35]], "label": "PERSON"}]},
    ],
)
def test_settings_are_those_of_the_extractor(client, extract, options):
    asked = {"relation_types": JOINT_RELATION_TYPES, "threshold": 0.3, **options}
    answer = client.predict(JOINT_TEXT, return_entities=True, api_name="/extract", **asked)
    assert answer["entities"]
    assert same(answer, extract(JOINT_TEXT, return_entities=True, truncation="window", **asked))


def test_names_may_be_lines_and_a_type_that_is_not_in_the_text_is_no_error(client):
    lines = "place of birth: PERSON -> CITY\nspouse: CITY <-> CITY"
    answer = client.predict(JOINT_TEXT, None, lines, entity_types="PERSON, CITY", api_name="/extract")
    assert [(r["head"]["text"], r["relation"], r["tail"]["text"]) for r in answer] == [
        ("Marie Curie", "place of birth", "Warsaw")
    ]
    dated = "place of birth: PERSON -> DATE"
    assert client.predict(JOINT_TEXT, None, dated, entity_types="PERSON, CITY", api_name="/extract") == []


def test_entities_that_are_given_are_all_there_are_without_entity_types(client, extract):
    given = [{"start": 0, "end": 11, "label": "PERSON"}, {"start": 24, "end": 30, "label": "CITY"}]
    answer = client.predict(JOINT_TEXT, given, JOINT_RELATION_TYPES, 0.0, api_name="/extract")
    assert same(answer, extract(JOINT_TEXT, entities=given, relation_types=JOINT_RELATION_TYPES, threshold=0.0))
    assert len(answer) == 4


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"entity_types": ["a", "a"]}, "repeats 'a'"),
        ({"entity_types": {"a": {"threshold": 2}}}, "must be a number from 0 to 1: got 2"),
        ({"entity_types": ["a"], "entity_threshold": 7}, "`entity_threshold` must be a number from 0 to 1: got 7"),
        ({"entity_types": ["a"], "overlap": "any"}, "`overlap` must be 'flat' or 'nested': got 'any'"),
        ({"entity_types": ["a"], "multi_label": "x"}, "`multi_label` must be True or False"),
        ({"entity_types": [f"t{i}" for i in range(51)]}, "At most 50 entity types at once: got 51"),
    ],
)
def test_bad_input_is_an_error_that_says_why(client, options, message):
    with pytest.raises(gradio_client.exceptions.AppError) as error:
        client.predict(JOINT_TEXT, relation_types=["x"], api_name="/extract", **options)
    assert message in str(error.value)
