import csv
import io
import json

import pytest

from glirel_transformers.formats import once_per_pair, write_csv, write_graphml, write_jsonl, write_turtle


def test_csv_has_a_row_for_each_relation(records):
    file = io.StringIO(newline="")
    write_csv(records, file)
    rows = list(csv.DictReader(io.StringIO(file.getvalue(), newline="")))
    assert [(row["head"], row["relation"], row["tail"], row["score"]) for row in rows if not row["error"]] == [
        (relation["head"]["text"], relation["relation"], relation["tail"]["text"], str(relation["score"] or ""))
        for record in records
        for relation in record.get("relations", [])
    ]
    assert rows[0] == {
        "id": "7",
        "source": "a.jsonl",
        "line": "1",
        "head": "Marie Curie",
        "head_label": "PERSON",
        "head_start": "0",
        "head_end": "11",
        "relation": "place of birth",
        "tail": "Warsaw",
        "tail_label": "CITY",
        "tail_start": "24",
        "tail_end": "30",
        "score": "0.97",
        "error": "",
        "head_mentions": "",
        "tail_mentions": "",
    }
    assert [(row["line"], row["head"]) for row in rows if row["error"]] == [("2", "")]


def test_csv_can_hold_the_text(records):
    file = io.StringIO(newline="")
    write_csv(records, file, with_text=True)
    rows = list(csv.DictReader(io.StringIO(file.getvalue(), newline="")))
    assert [row["text"] for row in rows] == [records[0]["text"]] * 2 + [""] + [records[3]["text"]] * 2
    assert {row["exhaustive"] for row in rows} == {""}  # nobody said


@pytest.mark.parametrize(("said", "cell"), [(True, "true"), (False, "false")])
def test_csv_with_the_text_says_whether_all_relations_are_there(records, said, cell):
    file = io.StringIO(newline="")
    write_csv([{**records[0], "exhaustive": said}], file, with_text=True)
    assert {row["exhaustive"] for row in csv.DictReader(io.StringIO(file.getvalue(), newline=""))} == {cell}


def test_lines_are_written_as_records_come(records):
    for write in (write_csv, write_jsonl):
        file = io.StringIO(newline="")
        lengths = []

        def stream(file=file, lengths=lengths):
            for record in records:
                yield record
                lengths.append(len(file.getvalue()))

        write(stream(), file)
        assert len(set(lengths)) >= 3


def test_json_lines_are_the_records(records):
    file = io.StringIO()
    write_jsonl([*records, {"odd": "half \ud83d"}], file)
    lines = file.getvalue().encode().splitlines()
    assert [json.loads(line) for line in lines] == [*records, {"odd": "half \ud83d"}]
    assert "Łódź".encode() in lines[3]


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "\t", "\r", "\n", "＝"])
def test_cells_that_a_spreadsheet_would_run_are_text_on_demand(records, sign):
    formula = f'{sign}HYPERLINK("http://x";"y")'
    records[0]["relations"][0]["head"] = {"start": 0, "end": 3, "text": formula, "label": formula}
    records[0]["relations"][0]["relation"] = f"a{sign}b"
    records[0]["id"] = -5
    for is_safe, mark in ((False, ""), (True, "'")):
        file = io.StringIO(newline="")
        write_csv(records, file, spreadsheet_safe=is_safe)
        row = next(csv.DictReader(io.StringIO(file.getvalue(), newline="")))
        assert row["head"] == row["head_label"] == mark + formula
        assert (row["relation"], row["id"], row["score"]) == (f"a{sign}b", "-5", "0.97")


def test_safe_csv_is_the_same_where_nothing_looks_like_a_formula(records):
    rows = []
    for is_safe in (False, True):
        file = io.StringIO(newline="")
        write_csv(records, file, spreadsheet_safe=is_safe)
        rows.append(list(csv.reader(io.StringIO(file.getvalue(), newline=""))))
    assert rows[0] == rows[1]


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_what_json_cannot_hold_is_refused(number):
    with pytest.raises(ValueError, match="cannot be written as JSON"):
        write_jsonl([{"text": "Ada", "meta": {"m": number}}], io.StringIO())


@pytest.mark.parametrize("write", [write_csv, write_turtle, write_graphml])
@pytest.mark.parametrize("score", [float("nan"), float("inf")])
def test_a_score_that_is_not_a_number_is_refused(write, score):
    ada, bob = {"text": "Ada", "label": None}, {"text": "Bob", "label": None}
    relation = {"head": ada, "relation": "met", "tail": bob, "score": score}
    for records in ([{"relations": [relation]}], once_per_pair([{"relations": [relation]}])):
        with pytest.raises(ValueError, match=r"The score of 'met' between 'Ada' and 'Bob' is (nan|inf)"):
            write(records, io.StringIO(newline=""))
