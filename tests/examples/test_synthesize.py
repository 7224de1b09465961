"""Training texts from plain text, written by the script as a user runs it."""

import json

import pytest

from glirel_transformers.data import read_documents


@pytest.mark.slow
def test_synthesised_texts_are_documents_that_name_what_was_taken(corpus, run, tmp_path):
    excluded = tmp_path / "excluded.json"
    excluded.write_text(json.dumps(["river", "was born in"]))
    options = ("--corpus", corpus, "--output", tmp_path / "texts.jsonl", "--keep", 0, "--exclude", excluded)
    result = run("pretraining/synthesize.py", *options)
    assert result.returncode == 0, result.stderr[-3000:]
    documents = list(read_documents(tmp_path / "texts.jsonl"))
    assert documents
    for document in documents:
        (relation,) = document.relations
        assert not document.exhaustive
        assert {relation.head, relation.tail} == {0, 1}
        assert " ".join(document.words).lower().count(f" {relation.relation_type} ") == 0
        assert not {"river", "was", "born", "in"} & set(relation.relation_type.split())
