"""Which texts are annotated, what is kept out of them, and how fast it is asked."""

import json
import threading
from string import Template

import pytest

from glirel_transformers.data import Document, Mention, Relation, write_documents
from glirel_transformers.synthesis import PROTOCOLS, Exclusion, Halt, Selection, find_inputs, read_passages
from glirel_transformers.synthesis.limits import Budget, Pace, Prices, Stopping, Usage

DOCUMENT = Document(
    ["Ada", "Lovelace", "lived", "for", "many", "years", "in", "the", "city", "of", "London", "."],
    [Mention(0, 2, "PERSON"), Mention(10, 11, "CITY")],
    [Relation(0, 1, "residence")],
)


def texts(names, unit="paragraph", **settings):
    selection = Selection(unit, min_words=2, **settings)
    return [passage.text for passage in selection.choose(read_passages(find_inputs(names), unit))], selection.left_out


def test_a_text_file_is_read_by_its_units(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes("\ufeffOne two. Three four.\r\nFive six.\r\n \r\n\r\nSeven eight.\r\nNine\r\n".encode())
    assert texts([str(path)])[0] == ["One two. Three four.\nFive six.", "Seven eight.\nNine"]
    assert texts([str(path)], "sentence")[0] == ["One two.", "Three four.", "Five six.", "Seven eight."]
    assert texts([str(path)], "line")[0] == ["One two. Three four.", "Five six.", "Seven eight."]
    assert len(texts([str(path)], "document")[0]) == 1


def test_lines_of_json_are_texts_or_documents(tmp_path):
    (tmp_path / "t.jsonl").write_text('\n{"text": "Ada saw Bob.", "source": "s", "id": 1}\n{"text": "Ada saw bob"}\n')
    write_documents(tmp_path / "d.jsonl.gz", [DOCUMENT])
    passages = list(read_passages(find_inputs([str(tmp_path)]), "paragraph"))
    assert [(one.source, one.document is None) for one in passages] == [(None, False), ("s", True), (None, True)]
    chosen, left_out = texts([str(tmp_path)])
    assert (len(chosen), left_out) == (2, {"duplicate": 1})
    for line, told in (
        ('{"text": 1}', "line 2|:2"),
        ('{"text": "a", "entities": []}', "file of their own"),
        ("{", ":2"),
    ):
        (tmp_path / "bad.jsonl").write_text('{"text": "Ada saw Bob."}\n' + line)
        with pytest.raises(ValueError, match=told):
            list(read_passages(find_inputs([str(tmp_path / "bad.jsonl")]), "paragraph"))


def test_benchmarks_are_kept_out(tmp_path):
    write_documents(tmp_path / "benchmark.jsonl", [DOCUMENT])
    (tmp_path / "names.json").write_text('["band member", "part of"]')
    (tmp_path / "names.txt").write_text("# a comment\ncapital of\n")
    exclusion = Exclusion()
    assert exclusion.read(tmp_path / "benchmark.jsonl") == (1, 1)
    assert exclusion.read(tmp_path / "names.json") == (2, 0)
    assert exclusion.read(tmp_path / "names.txt") == (1, 0)
    for name in ("residence", "is part of", "members of the band", "capitals"):
        assert exclusion.excludes_name(name), name
    assert not exclusion.excludes_name("apart from")
    kept = "Ada Lovelace lived in Paris for many years."
    held = "They say that Ada LOVELACE lived, for many years, in the city of London; who knows?"
    chosen, left_out = texts(
        [kept, "ada lovelace lived for many years in the city of london!", held], exclusion=exclusion
    )
    assert (chosen, left_out) == ([kept], {"excluded": 2})
    (tmp_path / "empty.json").write_text("[]")
    with pytest.raises(ValueError, match="empty list"):
        exclusion.read(tmp_path / "empty.json")


@pytest.mark.parametrize("protocol", PROTOCOLS.values(), ids=list(PROTOCOLS))
def test_every_prompt_is_filled_in_and_every_schema_is_strict(protocol):
    values = {name: f"<{name}>" for name in ("text", "sentences", "entities", "draft", "groups")}
    for step in protocol.passes:
        system, user = (message["content"] for message in step.messages(values, "Texts are of law."))
        assert system.endswith("Texts are of law.")
        assert not Template(system).get_identifiers()
        assert not Template(user).get_identifiers()
        assert "<text>" in user or "<sentences>" in user
        waiting = [step.schema]
        while waiting:
            schema = waiting.pop()
            if schema["type"] == "object":
                assert set(schema["required"]) == set(schema["properties"])
                assert schema["additionalProperties"] is False
                waiting += schema["properties"].values()
            elif schema["type"] == "array":
                waiting.append(schema["items"])
        json.dumps(step.schema)


def test_requests_are_spaced_out():
    now = [0.0]

    class Clock(threading.Event):
        def wait(self, timeout=None):
            now[0] += timeout
            return False

    pace, clock = Pace(requests=60, tokens=600, clock=lambda: now[0]), Clock()
    times = []
    for tokens in (5, 5, 100, 5):
        pace.wait(tokens, clock)
        times.append(now[0])
    assert times == pytest.approx([0, 1, 2, 12])  # the third takes a sixth of a minute's tokens
    pace.settle(5, 305)
    pace.pause(3)
    pace.wait(5, clock)
    assert now[0] == pytest.approx(12 + 0.5 + 30)
    clock.set()
    with pytest.raises(Stopping):
        pace.wait(1, clock)


def test_a_budget_is_never_exceeded():
    budget = Budget(1.0, Prices(1.0, 2.0), spent=0.2)
    most = Usage(200_000, 200_000)  # 0.6
    reserved = budget.reserve(most)
    second = threading.Thread(target=budget.reserve, args=(most,), daemon=True)
    second.start()
    second.join(0.05)
    assert second.is_alive()  # it waits for what the first really takes
    budget.settle(reserved, Usage(100_000, 0))
    second.join(1)
    assert not second.is_alive()
    budget.settle(0.6, Usage(200_000, 200_000))
    assert budget.spent == pytest.approx(0.9)
    with pytest.raises(Halt, match=r"budget of 1 is reached: 0\.9000 is spent"):
        budget.reserve(most)
