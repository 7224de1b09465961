"""The endpoints, called over HTTP as programs call them."""

from __future__ import annotations

import importlib.util
import json
import logging
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from labelling import model

pytestmark = pytest.mark.slow

gradio_client = pytest.importorskip("gradio_client")

ROOT = Path(__file__).resolve().parents[2]
TEXT = "Marie Curie was born in Warsaw."
ENTITIES = [{"start": 0, "end": 11, "label": "PERSON"}, {"start": 24, "end": 30, "label": "CITY"}]
NAMES = ["place of birth", "spouse"]
PATIENCE = 300  # seconds, for an answer of a busy machine


@pytest.fixture(scope="module")
def pipeline(shared_model):
    from glirel_transformers.pipeline_glirel import RelationExtractionPipeline

    return RelationExtractionPipeline(shared_model, device="cpu")


@pytest.fixture(scope="module")
def blocks(pipeline):
    """The page itself, with a tiny model."""
    spec = importlib.util.spec_from_file_location("space_app", ROOT / "space" / "app.py")
    app = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(app)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(model, "pipeline", lambda: pipeline)
        patch.setenv("GRADIO_ANALYTICS_ENABLED", "False")
        blocks = app.launch(prevent_thread_lock=True, quiet=True)
        yield blocks
        blocks.close()


@pytest.fixture(scope="module")
def address(blocks):
    return blocks.local_url.rstrip("/")


def connect(address):
    """A client that waits for a busy machine."""
    return gradio_client.Client(address, verbose=False, httpx_kwargs={"timeout": PATIENCE})


@pytest.fixture
def client(address):
    return connect(address)


def test_the_answer_is_the_pipelines_own(client, pipeline):
    for options in ({}, {"threshold": 0.0}, {"threshold": 0.2, "top_k": 1}, {"top_k": 5}):
        answer = client.predict(TEXT, ENTITIES, NAMES, api_name="/extract", **options)
        expected = pipeline(TEXT, entities=ENTITIES, relation_types=NAMES, **options)
        assert [{**relation, "score": 0} for relation in answer] == [{**relation, "score": 0} for relation in expected]
        assert [r["score"] for r in answer] == pytest.approx([r["score"] for r in expected], abs=1e-6)


def test_relations_are_named_in_three_ways(client):
    constrained = {"place of birth": {"head": ["PERSON"], "tail": ["CITY"]}, "spouse": None}
    answers = [
        client.predict(TEXT, ENTITIES, names, 0.0, api_name="/extract")
        for names in (constrained, "place of birth: PERSON -> CITY\nspouse")
    ]
    assert answers[0] == answers[1]
    assert len(answers[0]) == 3
    assert len(client.predict(TEXT, ENTITIES, NAMES, 0.0, api_name="/extract")) == 4


def test_entities_are_found_when_none_are_given(client):
    found = client.predict(TEXT, api_name="/find_entities")
    assert [TEXT[entity["start"] : entity["end"]] for entity in found] == ["Marie Curie", "Warsaw"]
    assert client.predict(TEXT, recognizer="heuristic", api_name="/find_entities") == found
    assert client.predict(TEXT, None, NAMES, api_name="/extract") == client.predict(
        TEXT, found, NAMES, api_name="/extract"
    )
    assert client.predict(text=TEXT, relation_types=NAMES, api_name="/extract") is not None


def test_only_these_endpoints_are_named_and_all_their_parameters_explained(client):
    named = client.view_api(return_format="dict", print_info=False)["named_endpoints"]
    assert set(named) == {"/extract", "/find_entities"}
    parameters = {p["parameter_name"]: p for p in named["/extract"]["parameters"]}
    optional = ["threshold", "top_k", "entity_types", "entity_threshold", "overlap", "multi_label", "return_entities"]
    assert list(parameters) == ["text", "entities", "relation_types", *optional]
    assert {name: (p["parameter_has_default"], p["parameter_default"]) for name, p in parameters.items()} == {
        "text": (False, None),
        "entities": (True, None),
        "relation_types": (True, ""),
        **dict.fromkeys(optional, (True, None)),
    }
    assert [p["parameter_name"] for p in named["/find_entities"]["parameters"]] == ["text", "recognizer"]
    endpoints = httpx.get(f"{client.src.rstrip('/')}/gradio_api/info", timeout=PATIENCE).json()["named_endpoints"]
    assert "Extracts relations" in endpoints["/extract"]["description"]
    text = str(endpoints["/extract"])
    for words in (
        "10,000 characters",
        "half-open",
        "place of birth: PERSON -> CITY",
        "least probability",
        "ordered pair",
        "types that no entity has",
        "without these lets simple rules find capitalised spans, dates and numbers.",
        "At most 50.",
        '"text", "label" and "index", with several of them "mentions"',
        "Without relation_types the answer is the list of entities.",
    ):
        assert words in text


def test_an_entity_of_several_mentions_comes_back_with_all_of_them(client, pipeline):
    text = f"{TEXT} She died in Passy."
    entities = [{"mentions": [[0, 11], [32, 35]], "label": "PERSON"}, *ENTITIES[1:]]
    answer = client.predict(text, entities, NAMES, 0.0, 1, api_name="/extract")
    expected = pipeline(text, entities=entities, relation_types=NAMES, threshold=0.0, top_k=1)
    assert [{**relation, "score": 0} for relation in answer] == [{**relation, "score": 0} for relation in expected]
    heads = [relation["head"] for relation in answer if relation["head"]["index"] == 0]
    assert [[mention["text"] for mention in head["mentions"]] for head in heads] == [["Marie Curie", "She"]]


@pytest.mark.parametrize("entities", [["Marie Curie", "Warsaw"], {"PERSON": ["Marie Curie"], "CITY": ["Warsaw"]}])
def test_entities_by_name(client, entities):
    found = client.predict(TEXT, entities, NAMES, 0.0, 1, api_name="/extract")
    assert {relation["head"]["text"] for relation in found} == {"Marie Curie", "Warsaw"}


BAD = [
    (("",), {}, "There is no text"),
    (("  \n",), {}, "There is no text"),
    ((None,), {}, "There is no text"),
    ((["a"],), {}, "The text must be a string: got ['a']"),
    ((5,), {}, "The text must be a string: got 5"),
    (("x " * 5001,), {}, "10,002 characters; at most 10,000"),
    ((TEXT, ENTITIES, [f"r{i}" for i in range(51)]), {}, "At most 50 relations at once: got 51"),
    ((TEXT, ENTITIES * 51, NAMES), {}, "At most 100 entities at once: got 102"),
    ((TEXT, ENTITIES, []), {}, "at least one relation"),
    ((TEXT, ENTITIES), {}, "at least one relation"),
    ((TEXT, ENTITIES, 7), {}, "The relations must be names in a list, lines in a string, or an object"),
    ((TEXT, ENTITIES, ["r" * 10_001]), {}, "names have 10,001 characters; at most 10,000"),
    ((TEXT, [{"mentions": [[0, 11]] * 101}, *ENTITIES], NAMES), {}, "At most 100 entities at once: got 103"),
    ((TEXT, ENTITIES, ["a", "a"]), {}, "repeats 'a'"),
    ((TEXT, ENTITIES, ["a", 5]), {}, "5"),
    ((TEXT, ENTITIES, "a PERSON -> CITY"), {}, "Line 1 has an arrow"),
    ((TEXT, ENTITIES, "a: b"), {}, "Line 1 cannot be read"),
    ((TEXT, ENTITIES, {"a": {"heads": ["X"]}}), {}, "unknown settings ['heads']"),
    ((TEXT, ENTITIES, {"a": 5}), {}, "must be a dictionary: got 5"),
    ((TEXT, ENTITIES, {"a": {"head": 5}}), {}, "must list the entity types it admits: got 5"),
    ((TEXT, ENTITIES, {"a": {"threshold": 2}}), {}, "must be a number from 0 to 1: got 2"),
    ((TEXT, [{"start": 0, "end": 900}], NAMES), {}, "(0, 900)"),
    ((TEXT, [{"start": 5, "end": 5}], NAMES), {}, "(5, 5)"),
    ((TEXT, [{"start": -3, "end": 5}], NAMES), {}, "(-3, 5)"),
    ((TEXT, [{"start": "0", "end": 5}], NAMES), {}, "entities[0]"),
    ((TEXT, [{"start": 0.5, "end": 5}], NAMES), {}, "entities[0]"),
    ((TEXT, [{"first": 0, "end": 5}], NAMES), {}, "needs 'start' and 'end'"),
    ((TEXT, [{"start": 0, "end": 5, "label": 7}], NAMES), {}, "must be a string: got 7"),
    ((TEXT, [5], NAMES), {}, "entities[0]"),
    ((TEXT, [{"start": 0, "end": 10**3000}], NAMES), {}, "`entities[0]` is (0, 1000"),
    ((TEXT, [{"start": 0, "end": 5, "text": "Pierre"}], NAMES), {}, "says that its text is 'Pierre'"),
    ((TEXT, [{"start": 0, "end": 5, "kind": "PERSON"}], NAMES), {}, "has the key 'kind', which looks like its type"),
    ((TEXT, ["Marie Curie", "Oslo"], NAMES), {}, "does not hold the entity 'Oslo'"),
    ((TEXT, [None], NAMES), {}, "`entities[0]` must be"),
    ((TEXT, "Marie", NAMES), {}, "entities must be a list"),
    ((TEXT, {"start": 0, "end": 5}, NAMES), {}, "entities must be a list"),
    ((TEXT, ENTITIES, NAMES, 7), {}, "`threshold` must be a number from 0 to 1: got 7"),
    ((TEXT, ENTITIES, NAMES, -0.1), {}, "`threshold` must be a number from 0 to 1"),
    ((TEXT, ENTITIES, NAMES, "high"), {}, "`threshold` must be a number from 0 to 1: got 'high'"),
    ((TEXT, ENTITIES, NAMES, None, 0), {}, "`top_k` must be a whole number of at least 1"),
    ((TEXT, ENTITIES, NAMES, None, 1.5), {}, "`top_k` must be a whole number"),
    ((TEXT, ENTITIES, NAMES, None, True), {}, "`top_k` must be a whole number"),
    ((TEXT, ENTITIES, NAMES, None, "2"), {}, "`top_k` must be a whole number"),
    ((TEXT, ENTITIES, NAMES), {"entity_types": ["PERSON"]}, "for models that find entities, and this one does not"),
    ((TEXT, ENTITIES, NAMES), {"entity_types": 5}, "The entity types must be names in a list"),
]


@pytest.mark.parametrize(("arguments", "options", "message"), BAD, ids=[str(i) for i in range(len(BAD))])
def test_bad_input_is_an_error_that_says_why(client, caplog, capfd, arguments, options, message):
    caplog.set_level(logging.WARNING)
    with pytest.raises(gradio_client.exceptions.AppError) as error:
        client.predict(*arguments, api_name="/extract", **options)
    assert message in str(error.value)
    assert len(str(error.value)) < 1100
    output, errors = capfd.readouterr()
    assert "Traceback" not in output + errors + caplog.text


def ask(address, body):
    """What the server answers a program that sends this body, with all messages on the way."""
    with httpx.Client(base_url=f"{address}/gradio_api/queue", timeout=PATIENCE) as program:
        program.post("/join", content=body, headers={"content-type": "application/json"}).raise_for_status()
        stream = program.get("/data", params={"session_hash": "raw"})
    return [json.loads(line.removeprefix("data: ")) for line in stream.text.splitlines() if line.startswith("data: ")]


@pytest.fixture
def send(address, blocks):
    """Sends JSON as it is written, which the client would refuse to write: `send(text, entities, relation_types)`."""
    (number,) = (key for key, event in blocks.fns.items() if event.api_name == "extract")

    def sent(*arguments):
        values = ", ".join([*arguments, *["null"] * (10 - len(arguments))])
        return ask(address, f'{{"fn_index": {number}, "session_hash": "raw", "data": [{values}]}}')

    return sent


HALF = r'"a\ud83d"'
WHOLE = json.dumps(TEXT), json.dumps(ENTITIES), json.dumps(NAMES)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((HALF, *WHOLE[1:]), "The field 'text' has half a surrogate pair at character 1"),
        (
            (WHOLE[0], f'[{{"start": 0, "end": 5, "label": {HALF}}}]', WHOLE[2]),
            "The field 'entities[0].label' has half",
        ),
        ((WHOLE[0], f'[{{"start": 0, "end": 5, "id": {HALF}}}]', WHOLE[2]), "The field 'entities[0].id' has half"),
        (
            (WHOLE[0], f'[{{"start": 0, "end": 5, {HALF}: 1}}]', WHOLE[2]),
            "The name of a field in 'entities[0]' has half",
        ),
        ((WHOLE[0], f"[{HALF}]", WHOLE[2]), "The field 'entities[0]' has half"),
        ((*WHOLE[:2], HALF), "The field 'relation_types' has half"),
        ((*WHOLE[:2], f"[{HALF}]"), "The field 'relation_types[0]' has half"),
        ((*WHOLE[:2], f'{{"a": {{"tail": [{HALF}]}}}}'), "The field 'relation_types.a.tail[0]' has half"),
        ((*WHOLE, HALF), r"`threshold` must be a number from 0 to 1: got 'a\ud83d'"),
        ((*WHOLE, "null", HALF), r"`top_k` must be a whole number of at least 1, or None for all: got 'a\ud83d'"),
        ((*WHOLE, "NaN"), "`threshold` must be a number from 0 to 1: got nan"),
        ((*WHOLE, "1e999"), "`threshold` must be a number from 0 to 1: got inf"),
        ((WHOLE[0], '[{"start": NaN, "end": 5}]', WHOLE[2]), "`entities[0]` must hold two whole numbers"),
        ((WHOLE[0], "[" * 900 + "]" * 900, WHOLE[2]), "`entities[0]` must be"),
        ((*WHOLE[:2], "[" * 900 + "]" * 900), "relation_types[0] must be a string"),
    ],
)
def test_what_no_file_can_hold_is_refused_with_its_place(send, capfd, arguments, message):
    *_, answer = (event for event in send(*arguments) if event["msg"] == "process_completed")
    assert not answer["success"]
    assert message in answer["output"]["error"]
    assert "Traceback" not in "".join(capfd.readouterr())


def test_relations_that_admit_no_entity_are_an_error_that_names_both_types(client):
    for asked in (
        "place of birth: person -> CITY\nspouse: PERSON <-> PERSN",
        {"place of birth": {"head": ["person"], "tail": ["CITY"]}},
    ):
        with pytest.raises(gradio_client.exceptions.AppError) as error:
            client.predict(TEXT, ENTITIES, asked, 0.0, api_name="/extract")
        assert "'place of birth' admits 'person' as its head" in str(error.value)
        assert "they are 'CITY', 'PERSON'" in str(error.value)


def test_some_relations_that_admit_no_entity_are_told_next_to_the_answer(send):
    events = send(*WHOLE[:2], json.dumps("place of birth: person -> CITY\nspouse"), "0.0")
    (log,) = (event["log"] for event in events if event["msg"] == "log")
    assert "'place of birth' admits 'person' as its head" in log
    *_, answer = (event for event in events if event["msg"] == "process_completed")
    assert [relation["relation"] for relation in answer["output"]["data"][0]] == ["spouse", "spouse"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("",), "There is no text"),
        ((TEXT, "gliner:../x"), "There is no recogniser"),
        ((TEXT, 5), "no recogniser 5"),
        ((TEXT, ["heuristic"]), r"no recogniser \['heuristic'\]"),
        ((TEXT, {"a": 1}), "no recogniser {'a': 1}"),
    ],
)
def test_bad_input_of_find_entities(client, arguments, message):
    with pytest.raises(gradio_client.exceptions.AppError, match=message):
        client.predict(*arguments, api_name="/find_entities")


def test_unknown_names_are_refused(client, blocks):
    with pytest.raises(TypeError, match="colour"):
        client.predict(TEXT, colour=5, api_name="/extract")
    names = {event.api_name for event in blocks.fns.values()}
    assert names == {None, "extract", "find_entities"}
    for name in ("extract_1", "event", "_on_mark", "_upload", "_restore", "_undo", "lambda", "predict"):
        with pytest.raises(ValueError, match="Cannot find a function"):
            client.predict(api_name=f"/{name}")


def test_ten_clients_at_once_each_get_their_own_answer(address, pipeline):
    def ask(number):
        text = f"Person{number} Curie was born in City{number}."
        entities = [{"start": 0, "end": 7, "label": f"P{number}"}, {"start": 26, "end": 31, "label": "CITY"}]
        one = connect(address)
        return [(text, entities, one.predict(text, entities, NAMES, 0.0, api_name="/extract")) for _ in range(3)]

    with ThreadPoolExecutor(10) as pool:
        answers = [answer for answers in pool.map(ask, range(10)) for answer in answers]
    assert len(answers) == 30
    for text, entities, answer in answers:
        expected = pipeline(text, entities=entities, relation_types=NAMES, threshold=0.0)
        assert [(r["head"], r["relation"], r["tail"]) for r in answer] == [
            (r["head"], r["relation"], r["tail"]) for r in expected
        ]
        assert [r["score"] for r in answer] == pytest.approx([r["score"] for r in expected], abs=1e-5)


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        str(ROOT / "README.md"),
        str(ROOT / "space" / "app.py"),
        str(ROOT / "space" / "labelling" / "model.py"),
        str(ROOT / "pyproject.toml"),
        "README.md",
        "../../../../etc/passwd",
    ],
)
def test_files_of_the_server_are_not_served(address, path):
    for route in (f"/gradio_api/file={path}", f"/file={path}", f"/gradio_api/file/{path}"):
        assert httpx.get(address + route, timeout=PATIENCE).status_code in (403, 404)
