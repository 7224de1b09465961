"""`glirel synthesize` against a real server, which misbehaves."""

import json
import re
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import pytest
from misbehaving import text_of
from typer.testing import CliRunner

from glirel_transformers.cli import app
from glirel_transformers.data import Document, Mention, Relation, read_documents, write_documents
from glirel_transformers.synthesis import PROTOCOLS

ROOT = Path(__file__).parents[2]
TEXTS = [
    "Marie Curie was born in Warsaw in Poland.",
    "The Seine flows through Paris and Rouen.",
    "Ada Lovelace wrote to Charles Babbage about it.",
]


@pytest.fixture
def run(server, tmp_path):
    """`run(texts, "--option", …)` gives the result of the command and the documents that it wrote."""

    def start(texts=TEXTS, *options, code=0, model="some/model"):
        if texts is not None:
            (tmp_path / "texts.txt").write_text("\n\n".join(texts), encoding="utf-8")
        whom = ["-m", model, "--base-url", server.url] if model else []
        given = [str(tmp_path / "texts.txt"), "-o", str(tmp_path / "out.jsonl"), "--unit", "paragraph", *whom]
        result = CliRunner().invoke(app, ["synthesize", *given, "--backoff", "0.01", *options])
        assert result.exit_code == code, result.output
        result.documents = list(read_documents(tmp_path / "out.jsonl")) if code == 0 else []
        result.said = " ".join(result.output.split())
        return result

    return start


def report_of(tmp_path):
    return json.loads((tmp_path / "out.jsonl.report.json").read_text(encoding="utf-8"))


def facts(document):
    names = [" ".join(document.words[one.start : one.end]) for one in document.mentions]
    return [(names[one.head], one.relation_type, names[one.tail]) for one in document.relations]


def test_joint(run, server, tmp_path):
    result = run()
    assert [document.text for document in result.documents] == TEXTS
    assert facts(result.documents[0]) == [
        ("Marie Curie", "is linked to", "Warsaw"),
        ("Marie Curie", "is linked to", "Poland"),
    ]
    assert all(document.exhaustive and document.entities_exhaustive for document in result.documents)
    assert result.documents[0].history == ("annotated: some/model, protocol joint",)
    assert server.answered == dict.fromkeys(TEXTS, 1)
    body = server.bodies[0]
    assert (body["model"], body["temperature"], body["max_tokens"]) == ("some/model", 0.0, 2048)
    form = body["response_format"]
    assert (form["type"], form["json_schema"]["strict"]) == ("json_schema", True)
    assert form["json_schema"]["schema"] == PROTOCOLS["joint"].passes[0].schema
    report = report_of(tmp_path)
    assert (report["documents"], report["relations"], report["requests"]["answered"]) == (3, 5, 3)
    assert report["cost"]["all_runs"] == {"prompt": 300, "completion": 60, "is_estimated": False}


def test_relations_of_given_entities(run, server, tmp_path):
    document = Document(
        ["Marie", "Curie", "was", "born", "in", "Warsaw", "."],
        [Mention(0, 2, "PERSON", 0), Mention(1, 2, "PERSON", 0), Mention(5, 6, "CITY", 1)],
        [Relation(0, 2, "what somebody else said")],
        entities_exhaustive=False,
    )
    write_documents(tmp_path / "documents.jsonl", [document])
    run(["too few"], str(tmp_path / "documents.jsonl"), "-p", "relations", "--ner", "heuristic")
    (made,) = read_documents(tmp_path / "out.jsonl")
    assert "0: Marie Curie / Curie (PERSON)\n1: Warsaw (CITY)" in server.bodies[0]["messages"][1]["content"]
    assert made.mentions == document.mentions
    assert made.relations == [Relation(1, 2, "is linked to")]  # between the nearest
    assert (made.exhaustive, made.entities_exhaustive) == (True, False)


def test_relations_of_entities_that_a_recogniser_finds(run):
    result = run([*TEXTS, "nobody has a name here, but Ada."], "-p", "relations", "--ner", "heuristic")
    assert facts(result.documents[1]) == [("Seine", "is linked to", "Paris"), ("Seine", "is linked to", "Rouen")]
    assert [document.entities_exhaustive for document in result.documents] == [False] * 3
    assert "1 too few entities" in result.said
    assert "Name what finds them with --ner" in run(TEXTS, "-p", "relations", code=1).said


def test_documents(run, server):
    text = "Ada met Bob in London. Later Ada left.\nBob stayed in London with Eve."
    (made,) = run([text], "-p", "documents").documents
    assert made.sentences == ((0, 6), (6, 10), (10, 17))
    names = [(" ".join(made.words[one.start : one.end]), one.entity) for one in made.mentions]
    found = ["Ada", "Bob", "London", "Later Ada", "Bob", "London", "Eve"]
    assert names == list(zip(found, [0, 1, 2, 3, 1, 2, 4], strict=True))
    assert {one.evidence for one in made.relations} == {(0,)}
    asked = server.bodies[1]["messages"][1]["content"]
    assert "[1] Later Ada left." in asked
    assert "2: London (thing)" in asked
    assert len(run(["nobody is named in here at all"], "-p", "documents").documents[0].mentions) == 0


def test_groups_and_their_correction(run, server, tmp_path):
    (tmp_path / "groups.txt").write_text("# ours\nspatial: where\nkinship\n")
    assert len(run(TEXTS[:1], "-p", "groups", "--groups", str(tmp_path / "groups.txt")).documents[0].relations) == 2
    assert "- spatial: where\n- kinship\n" in server.bodies[0]["messages"][0]["content"]
    assert report_of(tmp_path)["relation_groups"] == {"spatial": 2}
    made = run(TEXTS[:1], "-p", "corrected").documents[0]
    assert len(made.relations) == 1
    draft = json.loads(re.search(r"so far:\n(.*)", server.bodies[-1]["messages"][1]["content"])[1])
    assert len(draft["relations"]) == 2
    assert report_of(tmp_path)["corrections"] == {"entities kept": 3, "relations kept": 1, "relations taken out": 1}


@pytest.mark.parametrize(
    ("wrong", "requests", "reported"),
    [
        ("slow1", 1, {}),
        ("busy2", 3, {"sent_again": {"HTTP 429": 2}}),
        ("limit1", 2, {"sent_again": {"HTTP 429": 1}}),
        ("broken3", 4, {"sent_again": {"HTTP 500": 3}}),
        ("cut1", 2, {"sent_again": {"connection lost (RemoteProtocolError)": 1}}),
        ("html1", 2, {"sent_again": {"a response that is none of the protocol": 1}}),
        ("garbage1", 2, {"unusable_answers": {"not JSON": 1}, "repaired_answers": 1}),
        ("strange1", 2, {"unusable_answers": {"other fields": 1}, "repaired_answers": 1}),
        ("short1", 2, {"unusable_answers": {"cut off": 1}, "repaired_answers": 1}),
        ("broken1 garbage1", 3, {"sent_again": {"HTTP 500": 1}, "unusable_answers": {"not JSON": 1}}),
    ],
)
def test_what_goes_wrong_is_made_good(run, server, tmp_path, wrong, requests, reported):
    text = f"Ada Lovelace lived in London. {wrong}"
    result = run([text])
    assert facts(result.documents[0]) == [("Ada Lovelace", "is linked to", "London")]
    assert server.received[text] == requests
    assert {name: report_of(tmp_path)["requests"][name] for name in reported} == reported
    assert (tmp_path / "out.jsonl.rejects.jsonl").read_text() == ""


def test_the_model_is_told_what_is_wrong(run, server):
    run(["Ada Lovelace lived in London. strange1", "Ada Lovelace lived in Paris. short1"])
    told = next(body["messages"] for body in server.bodies if len(body["messages"]) > 2)
    assert [message["role"] for message in told] == ["system", "user", "assistant", "user"]
    assert 'must be a JSON object with "entities" and "relations"' in told[3]["content"]
    assert sorted(body["max_tokens"] for body in server.bodies) == [2048, 2048, 2048, 4096]


@pytest.mark.slow
def test_texts_that_fail_are_kept_with_the_raw_answers_and_not_paid_again(run, server, tmp_path):
    texts = ["Ada saw Bob there today. garbage9", TEXTS[0], "Ada saw Eve there today. broken9"]
    first = run(texts, "--attempts", "2")
    assert [document.text for document in first.documents] == TEXTS[:1]
    rejects = [json.loads(line) for line in (tmp_path / "out.jsonl.rejects.jsonl").open(encoding="utf-8")]
    assert [one["reason"] for one in rejects] == ["answer: not JSON", "no answer: HTTP 500"]
    assert [answer["text"][:20] for answer in rejects[0]["answers"]] == ["I would rather talk "] * 2
    assert rejects[0]["text"] == texts[0]
    run(texts, "--attempts", "8")  # the one without any answer is asked again, the others are not
    assert server.received == {texts[0]: 2, texts[1]: 1, texts[2]: 10}
    assert len(list(read_documents(tmp_path / "out.jsonl"))) == 2
    run(texts, "--repairs", "3", "--max-tokens", "500")  # goes on from the answers that there are
    assert server.received[texts[0]] == 4


def test_an_answer_that_was_cut_off_is_asked_for_again_only_with_more_room(run, server):
    texts = [TEXTS[0], "Ada Lovelace lived in London. short4"]
    run(texts)
    run(texts, "--max-tokens", "64")
    assert server.received == {texts[0]: 1, texts[1]: 2}
    run(texts, "--max-tokens", "8192")
    assert server.received == {texts[0]: 1, texts[1]: 4}
    assert [body["max_tokens"] for body in server.bodies[-2:]] == [8192, 16384]
    assert len(run(texts, "--max-tokens", "10000").documents) == 2


def test_a_run_goes_on_where_another_ended(run, server, tmp_path):
    run(TEXTS, "--limit", "1")
    assert len(run(TEXTS).documents) == 3
    fresh = (tmp_path / "out.jsonl").read_bytes()
    assert server.answered == dict.fromkeys(TEXTS, 1)
    server.status = 500  # which nobody notices
    assert "0 answered, 3 from the journal" in run(TEXTS).said
    assert (tmp_path / "out.jsonl").read_bytes() == fresh
    assert len(run(TEXTS, "--from-journal", "--occurrences", "first").documents) == 3
    assert server.answered == dict.fromkeys(TEXTS, 1)


@pytest.mark.parametrize("cut", [1, 40, 100_000])
def test_a_torn_journal_is_repaired_and_this_is_said(run, server, tmp_path, cut):
    run(TEXTS, "--concurrency", "1")
    journal = tmp_path / "out.jsonl.journal.jsonl"
    whole = journal.read_bytes()
    journal.write_bytes(whole[:-cut] or whole[:7])
    result = run(TEXTS, "--concurrency", "1")
    assert "last line was incomplete" in result.said
    assert len(result.documents) == 3
    assert server.answered.total() == (4 if cut < 1000 else 6)
    assert journal.read_bytes() == whole


def test_other_files_are_not_taken_for_journals(run, tmp_path):
    other = tmp_path / "precious.jsonl"
    other.write_text('{"text": "mine"}\n')
    assert "is not a journal" in run(TEXTS, "--journal", str(other), code=1).said
    assert other.read_text() == '{"text": "mine"}\n'
    run(TEXTS)
    journal = tmp_path / "out.jsonl.journal.jsonl"
    lines = journal.read_text().splitlines()
    journal.write_text("\n".join([*lines[:2], "{}", *lines[2:], ""]))
    assert "line 3: It is damaged" in run(TEXTS, code=1).said


def test_two_runs_do_not_write_one_journal(run, tmp_path):
    from glirel_transformers.synthesis import Journal

    with Journal(tmp_path / "out.jsonl.journal.jsonl"):
        assert "Another run is writing" in run(TEXTS, code=1).said


def test_tokens_go_where_they_belong_and_into_no_file(run, server, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_of_the_hub")
    monkeypatch.setenv("MY_KEY", "sk-very-secret")
    run(TEXTS[:1])
    assert "authorization" not in server.headers[0]  # the Hub's token is not for others
    run(TEXTS, "--token-env", "MY_KEY")
    assert server.headers[-1]["authorization"] == "Bearer sk-very-secret"
    server.status, server.says = 401, "Incorrect API key: sk-very-secret"
    result = run(["Something else is said by Ada."], "--token-env", "MY_KEY", code=1)
    assert "HTTP 401" in result.said
    assert "--token-env" in result.said
    for written in [result.output, *(path.read_text() for path in tmp_path.iterdir())]:
        assert "secret" not in written
    assert "MISSING, which is not set" in run(TEXTS, "--token-env", "MISSING", code=1).said


@pytest.mark.parametrize(
    ("refused", "instead"),
    [("response_format", None), ("max_tokens", "max_completion_tokens"), ("temperature", None), ("seed", None)],
)
def test_fields_that_an_endpoint_refuses_are_left_out(run, server, refused, instead):
    server.refuses = refused
    result = run(TEXTS, "--seed", "7")
    assert len(result.documents) == 3
    assert result.said.count("refuses a part of the request") == (2 if refused == "response_format" else 1)
    assert refused not in server.bodies[-1]
    assert instead is None or server.bodies[-1][instead] == 2048


def test_an_endpoint_that_is_gone_ends_the_run_and_nothing_is_lost(run, server, tmp_path):
    texts = [f"Ada saw Bob {number} times in London." for number in range(30)]
    run(texts[20:25])
    server.status = 503
    result = run(texts, "--attempts", "1", "--concurrency", "2", code=1)
    assert "10 texts in a row got no answer, the last one: HTTP 503" in result.said
    assert len(list(read_documents(tmp_path / "out.jsonl"))) == 5  # what was there stays
    assert report_of(tmp_path)["texts_pending"] + sum(report_of(tmp_path)["texts_failed"].values()) == 25
    assert report_of(tmp_path)["texts_failed"]["no answer: HTTP 503"] == server.received.total() - 5 >= 10
    server.status = None
    assert len(run(texts).documents) == 30
    assert set(server.answered.values()) == {1}


def test_what_the_hub_needs_is_said(run, monkeypatch):
    monkeypatch.delenv("HF_TOKEN", raising=False)
    here = ("-m", "some/model", "--concurrency", "1")
    assert "provide an api_key" in run(TEXTS, *here, code=1, model=None).said
    monkeypatch.setenv("HF_TOKEN", "hf_of_the_hub")
    assert "HF_HUB_OFFLINE is set" in run(TEXTS, *here, code=1, model=None).said
    assert "'nobody' not supported" in run(TEXTS, *here, "--provider", "nobody", code=1, model=None).said


def test_an_endpoint_that_points_elsewhere_is_named_while_offline(run, server):
    server.status, server.location = 307, "http://127.0.0.1:9/v1/chat/completions"
    said = run(TEXTS, code=1).said
    assert f"HF_HUB_OFFLINE is set, and {server.url} sends requests on to another address" in " ".join(said.split())


@pytest.mark.parametrize(("status", "told"), [(404, "no such model"), (402, "asks to be paid"), (403, "not admit")])
def test_errors_that_no_patience_cures_end_the_run(run, server, status, told):
    server.status = status
    assert told in run(TEXTS, "--concurrency", "1", code=1).said
    assert server.received.total() == 1


def test_a_request_that_is_refused_is_counted(run, server, tmp_path):
    server.status, server.says = 400, "This model's maximum context length is 8 tokens."
    run(TEXTS, code=1)
    assert report_of(tmp_path)["texts_failed"] == {"refused by the endpoint": 3}
    assert server.received.total() == 3


def test_retry_after_is_honoured_unless_it_is_too_long(run, server):
    server.status, server.retry_after = 429, "3600"
    assert "asks to be asked again in 3,600 seconds" in run(TEXTS, "--concurrency", "1", code=1).said
    assert server.received.total() == 1


def test_nobody_listens(run, tmp_path):
    result = run(TEXTS, "--base-url", "http://127.0.0.1:9/v1", "--attempts", "2", code=1)
    assert "3 no answer: connection lost (ConnectError)" in result.said
    assert (tmp_path / "out.jsonl").read_text() == ""


def test_mentions_that_no_text_has_are_counted(run, server, tmp_path):
    server.invented = True
    (document, *_) = run().documents
    assert (document.exhaustive, document.entities_exhaustive) == (True, False)
    report = report_of(tmp_path)
    assert report["dropped"] == {"mention: not in the text": 3, "relation: of an entity that is not there": 3}
    assert report["dropped_examples"]["mention: not in the text"] == ["Nobody Here"] * 3


def test_benchmarks_are_neither_asked_about_nor_written(run, server, tmp_path):
    (tmp_path / "names.json").write_text('["linked to"]')
    write_documents(tmp_path / "test.jsonl", [Document(TEXTS[0].split(), [], [])])
    result = run(TEXTS, "--exclude", str(tmp_path / "names.json"), "--exclude", str(tmp_path / "test.jsonl"))
    assert server.received == dict.fromkeys(TEXTS[1:], 1)
    assert not any(document.relations or document.exhaustive for document in result.documents)
    assert report_of(tmp_path)["dropped"] == {"relation: excluded name": 3}
    assert "1 excluded" in result.said


def test_limits_of_speed_and_cost(run, server, tmp_path):
    texts = [f"Ada saw Bob {number} times in London." for number in range(5)]
    run(texts, "--requests-per-minute", "1200")
    assert min(later - earlier for earlier, later in pairwise(sorted(server.times))) > 0.03
    prices = ("--price-in", "1000", "--price-out", "1000", "--max-tokens", "16")
    assert "in the journal 5" in run(texts, *prices, "--dry-run", model="some/model").said
    others = [f"Ada saw Eve {number} times in London." for number in range(5)]
    told = run(others, *prices, "--dry-run").said
    assert "requests 5" in told
    assert float(re.search(r"cost about ([\d.]+)", told)[1]) > 1
    assert server.received.total() == 5
    result = run(others, *prices, "--budget", "1.5", code=1)  # 0.12 each, and 0.6 is spent
    assert "The budget of 1.5 is reached" in result.said
    assert report_of(tmp_path)["cost"]["all_runs"]["price"] <= 1.5
    assert 5 < server.received.total() < 10
    assert report_of(tmp_path)["texts_pending"] == 10 - server.received.total()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--price-in", "1"), "given together"),
        (("--budget", "1"), "needs --price-in"),
        (("--groups", __file__), "for --protocol groups"),
        (("--min-words", "9", "--max-words", "8"), "more than --max-words"),
        (("--entity-types", "person"), "add that"),
        (("--dry-run", "--from-journal"), "one of the two"),
        (("--local-model", "x"), "leave --model out"),
        (("--base-url", "localhost"), "Give an address"),
        (("--provider", "together"), "one of the two"),
        (("--request", "[]"), "must be a JSON object"),
        (("--request", "{"), "--request: It is not JSON"),
        (("no-such.txt",), "no file or folder"),
        (("--min-words", "1000"), "No text was annotated"),
        (("--output", "out.csv"), "end its name in .jsonl"),
        (("--output", "nowhere/out.jsonl"), "no folder"),
    ],
)
def test_what_cannot_be_meant_is_an_error_before_anything_is_sent(run, server, options, told):
    assert told in run(TEXTS, *options, code=1).said
    assert not server.received


def test_outputs_are_not_lost(run, server, tmp_path):
    assert "Nothing says whom to ask" in run(TEXTS, model=None, code=1).said
    (tmp_path / "out.jsonl").write_text("mine\n")
    assert "exists already" in run(TEXTS, code=1).said
    assert "is an input" in run(TEXTS, str(tmp_path / "out.jsonl"), "--overwrite", code=1).said
    assert (tmp_path / "out.jsonl").read_text() == "mine\n"
    assert not server.received
    assert len(run(TEXTS, "--overwrite").documents) == 3


def test_answers_that_are_all_useless_are_not_paid_for_to_the_end(run, server, tmp_path):
    texts = [f"Ada saw Bob in town {number} that day. garbage9" for number in range(60)]
    stopped = run(texts, "--repairs", "0", "--concurrency", "1", code=1)
    assert "20 texts in a row gave no document" in stopped.said
    assert 20 <= server.received.total() < 25
    assert "No text became a document" in run(texts[:3], "--repairs", "0", code=1).said
    assert 20 <= server.received.total() < 25  # these were paid for


@pytest.mark.slow
def test_a_local_model_is_asked_and_what_it_babbles_is_counted(run, tmp_path, encoder_folder):
    from transformers import AutoTokenizer, GPT2Config, GPT2LMHeadModel

    tokenizer = AutoTokenizer.from_pretrained(encoder_folder("bert"))
    config = GPT2Config(vocab_size=len(tokenizer), n_embd=16, n_layer=1, n_head=2, n_positions=4000, eos_token_id=3)
    GPT2LMHeadModel(config).save_pretrained(tmp_path / "babbler")
    tokenizer.save_pretrained(tmp_path / "babbler")
    local = ("--local-model", str(tmp_path / "babbler"), "--max-tokens", "16")
    run(TEXTS[:1], *local, "--repairs", "0", model=None, code=1)
    report = report_of(tmp_path)
    assert report["texts_failed"].keys() <= {"answer: cut off", "answer: not JSON", "answer: empty"}
    assert report["cost"]["all_runs"]["completion"] in range(1, 17)
    tokenizer.chat_template = "{% for message in messages %}{{ message.content }}{% endfor %}"
    tokenizer.save_pretrained(tmp_path / "babbler")
    run(TEXTS[1:2], *local, "--temperature", "0.7", "--seed", "1", "--dtype", "float32", model=None, code=1)
    assert report_of(tmp_path)["requests"]["answered"] == 2
    run(["word " * 3000], *local, "--max-words", "4000", model=None, code=1)
    assert report_of(tmp_path)["texts_failed"] == {"refused by the endpoint": 1}


@pytest.mark.slow
@pytest.mark.parametrize("end", [signal.SIGKILL, pytest.param(signal.SIGINT, marks=pytest.mark.sweep)])
def test_a_run_that_dies_is_resumed_and_nothing_is_paid_twice(run, server, tmp_path, end):
    texts = [f"Ada saw Bob {number} times in London. slow1" for number in range(60)]
    (tmp_path / "texts.txt").write_text("\n\n".join(texts), encoding="utf-8")
    command = [sys.executable, "-m", "glirel_transformers.cli", "synthesize", "texts.txt", "-o", "out.jsonl"]
    command += ["--unit", "paragraph", "-m", "some/model", "--base-url", server.url, "--concurrency", "4"]
    journal = tmp_path / "out.jsonl.journal.jsonl"
    settled = {}
    for number, goal in enumerate((10, 30), start=1):
        process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True, env=_environment())
        deadline = time.monotonic() + 120
        while server.answered.total() < goal and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(end)
        _, told = process.communicate(timeout=60)
        assert process.returncode == (-signal.SIGKILL if end == signal.SIGKILL else 130), told
        kept = _texts_in(journal, texts)
        settled |= {text: server.received[text] for text in kept if text not in settled}
        assert goal - 4 * number <= len(kept) < 60  # but for those that were on their way
        if end == signal.SIGINT:
            assert len(list(read_documents(tmp_path / "out.jsonl"))) == len(kept)  # what is there is written
            assert set(server.answered) == kept  # and answers on their way were awaited
    assert len(run(texts).documents) == 60
    assert {text: server.received[text] for text in settled} == settled  # none that was kept was asked for again
    assert sum(count - 1 for count in server.received.values()) <= (8 if end == signal.SIGKILL else 0)


def _environment():
    import os

    return {**os.environ, "PYTHONPATH": str(ROOT)}


def _texts_in(journal, texts):
    """The texts whose answers a journal has, by the keys that requests have."""
    from glirel_transformers.synthesis import Asker, AskSettings, Journal
    from glirel_transformers.synthesis.annotate import prompt_values

    step = PROTOCOLS["joint"].passes[0]
    shaping = (("temperature", "0.0"), ("seed", "null"), ("request", "{}"))
    with Journal(journal, read_only=True) as known:
        asker = Asker(None, known, "some/model", "joint", AskSettings(shaping=shaping))
        keys = {text: asker.key(step, step.messages(prompt_values(text, [], [], {}))) for text in texts}
        return {text for text, key in keys.items() if key in known}


def test_the_server_reads_the_text_of_a_request():
    assert text_of({"messages": [{}, {"content": "x\n<text>\nA\nb\n</text>\ny"}]}) == "A\nb"


def test_the_calls_of_the_documentation_run(server, tmp_path, monkeypatch):
    page = (ROOT / "docs" / "synthesis.md").read_text(encoding="utf-8")
    block = re.search(r"^```py\n(.*?)^```", page, re.MULTILINE | re.DOTALL)[1]
    monkeypatch.chdir(tmp_path)
    exec(block.replace("http://localhost:8000/v1", server.url), {})
    assert len(list(read_documents("train.jsonl"))) == 1
