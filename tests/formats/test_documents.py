import io

from glirel_transformers.data import Document, Mention, Relation
from glirel_transformers.formats import records_of, write_csv


def test_documents_become_records():
    document = Document(
        ["Ada", "met", "Bob", "."], [Mention(0, 1, "PERSON"), Mention(2, 3)], [Relation(1, 0, "met")], source="corpus"
    )
    (record,) = records_of([document])
    ada = {"start": 0, "end": 3, "label": "PERSON", "text": "Ada", "index": 0}
    bob = {"start": 8, "end": 11, "label": None, "text": "Bob", "index": 1}
    assert record == {
        "id": "1",
        "text": "Ada met Bob .",
        "entities": [ada, bob],
        "relations": [{"head": bob, "relation": "met", "tail": ada, "score": None}],
    }
    file = io.StringIO(newline="")
    write_csv(records_of([document, document]), file)
    assert [line.split(",")[0] for line in file.getvalue().splitlines()] == ["id", "1", "2"]
