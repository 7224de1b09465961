"""GLiDRE's training files: entities by id, with all their mentions, and inclusive ends."""

import copy

import pytest
from benchmark_samples import ADA, GLIDRE, array, lines

from glirel_transformers.data import Document, Mention, Relation, read_documents

MENTIONS = [Mention(0, 2, "PER", 0), Mention(4, 5, None, 1), Mention(3, 4, None, 1, names=("there",))]


def read(tmp_path, text):
    path = tmp_path / "train.json"
    path.write_text(text, encoding="utf-8")
    return list(read_documents(path))


@pytest.mark.parametrize("write", [array, lines])
def test_relations_join_the_first_mentions_of_entities(tmp_path, write):
    (document,) = read(tmp_path, write(GLIDRE))
    assert document == Document(ADA, MENTIONS, [Relation(0, 1, "residence")], extra={"id": 12})


def test_without_relations_nothing_is_known_about_pairs(tmp_path):
    unknown = {name: value for name, value in GLIDRE.items() if name != "relations"}
    first, second = read(tmp_path, array(unknown, {**GLIDRE, "relations": []}))
    assert (first.exhaustive, second.exhaustive) == (False, True)


def test_what_is_listed_twice_is_read_once_and_an_entity_may_relate_to_itself(tmp_path, caplog):
    record = copy.deepcopy(GLIDRE)
    record["mentions"][1]["mentions"].append({"start": 4, "end": 4})
    record["relations"] += [[7, "residence", 3], [7, "named after", 7]]
    with caplog.at_level("WARNING"):
        (document,) = read(tmp_path, array(record))
    assert document.mentions == MENTIONS
    assert document.relations == [Relation(0, 1, "residence"), Relation(0, 0, "named after")]
    assert document.self_pairs
    assert "lists 1 mentions and 1 relations twice" in caplog.text


def one(start, end):
    return [{"id": 7, "mentions": [{"start": start, "end": end}]}]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mentions": one(4, 6)}, r"`mentions\[0\]\.mentions\[0\]` is from word 4 up to, and without, word 7"),
        ({"mentions": one(2, 1)}, r"`mentions\[0\]\.mentions\[0\]` is \[2, 1\]: its ends are inclusive"),
        ({"mentions": one("0", 1)}, r"`mentions\[0\]\.mentions\[0\]` must be a whole number: got '0'"),
        ({"mentions": [{"id": 7, "mentions": []}]}, r"`mentions\[0\]` has no mentions\. Give"),
        ({"mentions": one(0, 1) * 2}, r"`mentions\[1\]\.id` is 7, as that of an entity before\."),
        ({"mentions": [[0, 1]]}, r"`mentions` must be a list of objects"),
        (
            {"relations": [[0, "residence", 3]]},
            r"head of `relations\[0\]` is 0, which is the `id` of no entity: \[7",
        ),
        ({"relations": [[7, 3, "residence"]]}, r"`relations\[0\]` must be a list of head, name and tail"),
        ({"relations": [[7, " ", 3]]}, r"`relations\[0\]\[1\]` must be a string that is not empty"),
        ({"tokenized_text": "Ada"}, r"`tokenized_text` must be a list of strings"),
    ],
)
def test_malformed_records_are_named_with_file_and_place(tmp_path, change, message):
    with pytest.raises(ValueError, match=rf"train\.json, document 2: .*{message}"):
        read(tmp_path, array(GLIDRE, {**GLIDRE, **change}))
