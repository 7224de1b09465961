"""Label Studio's export: units of positions, directions, several annotations, predictions."""

import json

import pytest

from glirel_transformers.data import Mention, Relation, read_documents

TEXT = "😀 Marie Curie was born\nin Warsaw."
MARIE, WARSAW = (2, 13), (26, 32)


def utf16(position):
    return len(TEXT[:position].encode("utf-16-le")) // 2


def region(name, span, label, count=utf16, says=True, **more):
    value = {"start": count(span[0]), "end": count(span[1]), "labels": [label]}
    value |= {"text": TEXT[slice(*span)]} if says else {}
    return {"id": name, "from_name": "label", "to_name": "text", "type": "labels", "value": value, **more}


def relation(head, tail, direction="right", labels=("born in",)):
    return {"type": "relation", "from_id": head, "to_id": tail, "direction": direction, "labels": list(labels)}


def result(*relations, **how):
    return [region("a", MARIE, "PERSON", **how), region("b", WARSAW, "CITY", **how), *relations]


def task(*annotations, **more):
    return {"id": 7, "data": {"text": TEXT, "page": 3}, "annotations": list(annotations), **more}


def read(path, *tasks, **how):
    path.write_text(json.dumps(tasks, indent=1))
    return list(read_documents(path, **how))


@pytest.fixture
def file(tmp_path):
    return tmp_path / "project-1.json"


@pytest.mark.parametrize("count", [utf16, int])
@pytest.mark.parametrize("says", [True, False])
def test_positions_are_read_in_both_units(file, count, says, caplog):
    (document,) = read(file, task({"result": result(relation("a", "b"), count=count, says=says)}))
    assert document.mentions == [Mention(1, 3, "PERSON"), Mention(6, 7, "CITY")]
    assert document.relations == [Relation(0, 1, "born in")]
    assert (document.text, document.exhaustive, dict(document.extra)) == (TEXT, True, {"id": 7, "page": 3})
    assert ("do not say what they hold" in caplog.text) == (not says)


def test_windows_line_ends_count_as_one_where_the_tool_says_so(file):
    text = TEXT.replace("\n", "\r\n")
    one = {**task({"result": result(relation("a", "b"))}), "data": {"text": text}}
    (document,) = read(file, one)
    assert [document.words[m.start] for m in document.mentions] == ["Marie", "Warsaw"]


@pytest.mark.parametrize(
    ("direction", "expected"), [("right", [(0, 1)]), ("left", [(1, 0)]), ("bi", [(0, 1), (1, 0)]), (None, [(0, 1)])]
)
def test_relations_have_directions(file, direction, expected):
    (document,) = read(file, task({"result": result(relation("a", "b", direction))}))
    assert [(one.head, one.tail) for one in document.relations] == expected


def test_relations_have_several_types_or_none(file, caplog):
    both = relation("a", "b", labels=("born in", "lived in"))
    untyped = relation("b", "a", labels=())
    several, unknown = read(file, task({"result": result(both)}), task({"result": result(both, untyped)}))
    assert [one.relation_type for one in several.relations] == ["born in", "lived in"]
    assert (several.exhaustive, unknown.exhaustive) == (True, False)
    assert "left out: relations without a type" in caplog.text


@pytest.mark.parametrize(
    ("annotations", "label"),
    [
        ([("2024-01-01", "A", {}), ("2024-03-01", "B", {}), ("2024-02-01", "C", {})], "B"),
        ([("2024-01-01", "A", {"ground_truth": True}), ("2024-03-01", "B", {})], "A"),
        ([("2024-01-01", "A", {}), ("2024-03-01", "B", {"was_cancelled": True})], "A"),
        ([(None, "A", {}), (None, "B", {})], "B"),
    ],
)
def test_one_annotation_is_read(file, annotations, label, caplog):
    made = [{"created_at": at, "result": [region("a", MARIE, name)], **more} for at, name, more in annotations]
    (document,) = read(file, task(*made))
    assert [mention.label for mention in document.mentions] == [label]
    assert "left out" in caplog.text


def test_tasks_without_an_annotation_are_counted_and_predictions_are_read_by_name(file, caplog):
    guessed = {"model_version": "m", "result": [region("a", MARIE, "PERSON", score=0.5)]}
    tasks = [task({"was_cancelled": True, "result": []}, predictions=[guessed]), task(predictions=[guessed, guessed])]
    assert read(file, *tasks) == []
    assert (
        "left out: tasks without an annotation; --reader label-studio-predictions reads predictions: 2" in caplog.text
    )
    first, _ = read(file, *tasks, reader="label-studio-predictions")
    assert [(mention.label, mention.score) for mention in first.mentions] == [("PERSON", 0.5)]
    assert not first.exhaustive
    for one in tasks:
        del one["annotations"]
    assert len(read(file, *tasks)) == 2


def test_other_results_are_counted_and_labels_of_several_tags_are_joined(file, caplog):
    second = region("a", MARIE, "scientist")
    choice = {**region("a", MARIE, ""), "type": "choices"}
    (document,) = read(file, task({"result": [choice, *result(relation("a", "b")), second]}))
    assert document.mentions == [Mention(1, 3, "PERSON"), Mention(1, 3, "scientist"), Mention(6, 7, "CITY")]
    assert document.relations == [Relation(0, 2, "born in")]
    assert "left out: results of the type 'choices': 1" in caplog.text


def test_spans_that_cut_words_are_named_or_widened(file, caplog):
    cut = task({"result": [region("a", (2, 5), "PERSON"), region("b", (13, 20), "x")]})
    with pytest.raises(
        ValueError, match=r"document 1: `annotations\[0\].result\[0\]` is \(2, 5\), 'Mar', which cuts"
    ) as e:
        read(file, cut)
    assert "The nearest whole words are (2, 7), 'Marie'" in str(e.value)
    assert "alignment='expand'" in str(e.value)
    (document,) = read(file, cut, alignment="expand")
    assert document.mentions == [Mention(1, 2, "PERSON"), Mention(3, 5, "x")]
    assert "spans that cut words, widened to whole words: 2 (the first: annotations[0].result[0])" in caplog.text


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"data": {"a": "x", "b": "y"}}, "`data` has no 'text', and none of its fields"),
        ({"data": {"a": TEXT, "b": TEXT}}, r"several of its fields may be what was annotated: \['a', 'b'\]"),
        ({"annotations": [{"result": result(relation("a", "z"))}]}, "The tail of .* is 'z', which is none of"),
        ({"annotations": [{"result": result(relation("a", "b", "up"))}]}, "direction` is 'up'. It is one of"),
        ({"annotations": 5}, "`annotations` must be a list of objects"),
        ({"data": {"text": "Quite another text, of other people."}}, "says that its text is 'Marie Curie'"),
        ({"annotations": [{"result": [{"type": "labels", "value": {"start": "/p"}}]}]}, "annotate plain text"),
        ({"annotations": [{"result": [{"type": "labels"}]}]}, "value` must be an object with 'start'"),
    ],
)
def test_what_does_not_fit_is_refused(file, change, message):
    with pytest.raises(ValueError, match=rf"document 1: .*{message}"):
        read(file, {**task({"result": result()}), **change})


def test_the_small_export_is_refused_with_the_cure(file):
    small = {"text": TEXT, "id": 1, "label": [], "annotator": 1, "annotation_id": 2}
    with pytest.raises(ValueError, match=r"JSON-MIN export, which has no relations\. Export the project as JSON"):
        read(file, small)


@pytest.mark.parametrize("name", ["label-studio", "label-studio-predictions"])
def test_what_is_no_task_is_not_taken_for_one_without_annotations(file, name):
    with pytest.raises(ValueError, match=r"document 1: A task must have `data`.*got None, and the fields \['words'\]"):
        read(file, {"words": ["Ada"]}, reader=name)


def test_the_text_may_have_another_name_and_fields_of_documents_are_renamed(file):
    one = {**task({"result": result()}), "data": {"body": TEXT, "words": 5, "title": "Marie", "source": 3}}
    (document,) = read(file, one)
    assert (document.text, document.title) == (TEXT, "Marie")
    assert dict(document.extra) == {"id": 7, "input_words": 5, "input_source": 3}
