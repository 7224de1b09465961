import json

import pytest

from glirel_transformers.jobs import ChunkResult, Malformed

NAMES = ["Marie Curie", "Ada Lovelace", "Paul", "Anna"]
CITIES = ["Warsaw", "London", "Tokyo"]


def make_record(number):
    name, city = NAMES[number % len(NAMES)], CITIES[number % len(CITIES)]
    text = f"{name} was born in {city}{' and found work' * (number % 5)}."
    entities = [
        {"start": 0, "end": len(name), "label": "PERSON"},
        {"start": text.index(city), "end": text.index(city) + len(city), "label": "CITY"},
    ]
    return {"id": number, "text": text, "entities": entities}


@pytest.fixture
def write_corpus(tmp_path):
    """`write_corpus(100, {7: "no JSON"})`: a file of 100 lines, of which the eighth is something else."""

    def write(size, instead=None, name="corpus.jsonl"):
        lines = [(instead or {}).get(number) or json.dumps(make_record(number)) for number in range(size)]
        path = tmp_path / name
        path.write_text("".join(f"{line}\n" for line in lines))
        return path

    return write


@pytest.fixture(scope="session")
def model_folder(build_model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "tiny"
    build_model("bert").save_pretrained(folder)
    return folder


class FakeEngine:
    """Stands for the model: a record for each line, malformed where the line is no JSON. Breaks off on demand."""

    def __init__(self, break_off_after=None):
        self.num_chunks = 0
        self.break_off_after = break_off_after

    def __call__(self, chunks):
        for chunk in chunks:
            if self.num_chunks == self.break_off_after:
                raise KeyboardInterrupt
            self.num_chunks += 1
            yield chunk, ChunkResult([self.read(item) for item in chunk.items])

    def read(self, item):
        try:
            return {**json.loads(item.raw), "relations": [{"score": 0.5}], "line": item.line}
        except ValueError:
            return Malformed(item, "no JSON")


@pytest.fixture
def make_engine():
    return FakeEngine


class RecordingObserver:
    """Remembers what it is told."""

    def __init__(self):
        self.begun = None
        self.met_items = []
        self.num_texts = 0

    def begins(self, counts):
        self.begun = counts

    def worked(self, chunk, counts):
        self.num_texts += counts.texts

    def met(self, malformed):
        self.met_items.append(str(malformed))


@pytest.fixture
def observer():
    return RecordingObserver()
