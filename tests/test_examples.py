"""The example scripts, run as a user runs them, from plain text to a model that the pipeline loads."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PARAGRAPHS = """\
The city of Oslo lies in Norway. The painter Edvard Munch lived in Oslo, where he painted The Scream for many years.
In 1903 the physicist Marie Curie received a prize in Stockholm. Her husband Pierre Curie worked with her in Paris.

The river Danube rises in Germany and flows through the city of Vienna. The composer Franz Schubert was born in Vienna.
The writer Selma Lagerlöf grew up in Sweden. Her novel about Nils Holgersson was published in Stockholm in 1906.
"""


def run(script: str, *arguments: object) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(ROOT / "examples" / script), *map(str, arguments)]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)
    assert result.returncode == 0, result.stderr[-3000:]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    file = tmp_path_factory.mktemp("corpus") / "text.txt"
    file.write_text("\n".join([PARAGRAPHS] * 40), encoding="utf-8")
    return file


@pytest.mark.slow
def test_synthesised_texts_are_documents_that_name_what_was_taken(corpus, tmp_path):
    from glirel_transformers.data import read_documents

    excluded = tmp_path / "excluded.json"
    excluded.write_text(json.dumps(["river", "was born in"]))
    run("synthesize.py", "--corpus", corpus, "--output", tmp_path / "texts.jsonl", "--keep", 0, "--exclude", excluded)
    documents = list(read_documents(tmp_path / "texts.jsonl"))
    assert documents
    for document in documents:
        (relation,) = document.relations
        assert not document.exhaustive
        assert {relation.head, relation.tail} == {0, 1}
        assert " ".join(document.words).lower().count(f" {relation.relation_type} ") == 0
        assert not {"river", "was", "born", "in"} & set(relation.relation_type.split())
