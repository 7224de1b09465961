import csv
import gzip
import io
import lzma
import sys

import pytest

from glirel_transformers.jobs import find_sources, read_items
from glirel_transformers.jobs.records import read_request
from glirel_transformers.jobs.sources import Source, in_chunks

TEXT = 'Ada said "yes",\nand met Bob.'
ROWS = [["id", "text", "note"], ["7", TEXT, ""], ["", "Łódź", "a, b"], ["9", "", "x"]]


def write_table(path, rows=ROWS, **dialect):
    opener = {".gz": gzip.open, ".xz": lzma.open}.get(path.suffix, open)
    with opener(path, "wt", encoding="utf-8", newline="") as file:
        csv.writer(file, **dialect).writerows(rows)
    return path


def items_of(path, column="text"):
    return list(read_items(find_sources([str(path)], text_column=column)))


@pytest.mark.parametrize("name", ["a.csv", "a.CSV", "a.tsv", "a.csv.gz", "a.tsv.xz"])
def test_each_row_is_a_text_with_its_other_columns(tmp_path, name):
    path = write_table(tmp_path / name, delimiter="\t" if "tsv" in name else ",")
    items = items_of(path)
    assert [item.place for item in items] == [f"{path}, row {row}" for row in (2, 3, 4)]
    requests = [read_request(item) for item in items]
    assert [request.text for request in requests] == [TEXT, "Łódź", ""]
    assert [request.fields for request in requests] == [
        {"id": "7", "note": ""},
        {"id": "", "note": "a, b"},
        {"id": "9", "note": "x"},
    ]
    assert requests[0].to_record([], [])["line"] == 2


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_the_first_row_tells_the_separator(tmp_path, separator):
    path = write_table(tmp_path / "a.csv", delimiter=separator)
    assert [read_request(item).text for item in items_of(path)] == [row[1] for row in ROWS[1:]]
    assert read_request(items_of(path, "note")[1]).text == "a, b"


def test_columns_that_the_output_needs_are_carried_under_other_names(tmp_path):
    names = ["body", "text", "entities", "relations", "line", "words", "relation_types"]
    path = write_table(tmp_path / "a.csv", [names, list("abcdefg")])
    (item,) = items_of(path, "body")
    record = read_request(item).to_record([], [])
    assert record == {
        "input_text": "b",
        "input_entities": "c",
        "input_relations": "d",
        "input_line": "e",
        "words": "f",
        "relation_types": "g",
        "text": "a",
        "entities": [],
        "relations": [],
        "source": str(path),
        "line": 2,
    }
    assert read_request(item).relation_types is None


def test_marks_empty_rows_and_nameless_columns(tmp_path):
    (tmp_path / "a.csv").write_bytes(b'\xef\xbb\xbf,"te\nxt",\r\n0,Ada,\r\n\r\n1,Bob,x\r\n')
    items = items_of(tmp_path / "a.csv", "te\nxt")
    assert [item.line for item in items] == [2, 4]
    assert read_request(items[1]).fields == {"column_1": "1", "column_3": "x"}


def test_folders_are_searched_for_tables_and_standard_input_may_be_one(tmp_path, monkeypatch):
    write_table(tmp_path / "a.csv")
    (tmp_path / "b.txt").write_text("Ada met Bob.")
    assert [source.kind for source in find_sources([str(tmp_path)])] == ["text"]
    assert [source.kind for source in find_sources([str(tmp_path)], text_column="text")] == ["table", "text"]
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"text\nAda\n")))
    (item,) = read_items(find_sources(["-"], "table", "text"))
    assert (item.place, read_request(item).text) == ("standard input, row 2", "Ada")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            b"id;body\n1;Ada\n",
            r"a\.csv: The table has no column 'text'\. .* these are 'id', 'body'\. Name one of them",
        ),
        (b"", r"a\.csv: .* these are none\."),
        (b"text,text\n", "has the column 'text' twice"),
        ("text\n".encode("utf-16"), r"a\.csv: It is UTF-16 text\. Save it as UTF-8"),
        ("text,n\n".encode("utf-16-le"), r"a\.csv: It is UTF-16 text\. Save it as UTF-8"),
        (b"text,n\xe9\n", r"a\.csv: Byte 0xe9 is not UTF-8"),
    ],
)
def test_a_wrong_first_row_is_an_error_at_once(tmp_path, content, message):
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        find_sources([str(tmp_path / "a.csv")], text_column="text")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (b"1,Ada, who met Bob", "It has 3 cells, but the first row names 2 columns. Put cells that hold a comma in"),
        (b"1", "It has 1 cells, but"),
        (b'1,"Ada"s', "It is not a row of a table .* double the mark"),
        (b"1,caf\xe9", "Byte 0xe9 is not UTF-8"),
    ],
)
def test_a_malformed_row_is_an_error_of_its_own(tmp_path, row, message):
    (tmp_path / "a.csv").write_bytes(b"id,text\n0,Ada\n" + row + b"\n2,Bob\n")
    first, bad, last = items_of(tmp_path / "a.csv")
    assert (read_request(first).text, read_request(last).text) == ("Ada", "Bob")
    assert (bad.raw, bad.line, last.line) == (row, 3, 4)
    with pytest.raises(ValueError, match=message):
        read_request(bad)


def test_a_quotation_mark_that_is_not_closed_is_an_error(tmp_path):
    (tmp_path / "a.csv").write_bytes(b'id,text\n0,"Ada\n1,Bob\n')
    (item,) = items_of(tmp_path / "a.csv")
    with pytest.raises(ValueError, match="unexpected end of data"):
        read_request(item)


def test_cells_may_be_long(tmp_path):
    text = "word, " * 50_000
    (item,) = items_of(write_table(tmp_path / "a.csv", [["text"], [text]]))
    assert read_request(item).text == text
    assert csv.field_size_limit() == 131_072  # as it was, for everybody else


@pytest.mark.parametrize(
    ("kind", "column", "message"),
    [("table", None, "A table needs --text-column"), ("lines", "text", "names a column of tables")],
)
def test_a_column_and_tables_go_together(tmp_path, kind, column, message):
    path = write_table(tmp_path / "a.csv")
    with pytest.raises(ValueError, match=message):
        find_sources([str(path)], kind, column)


def test_the_digest_tells_another_first_row():
    def digest(content):
        file = io.TextIOWrapper(io.BytesIO(content))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "stdin", file)
            (chunk,) = in_chunks(read_items([Source("table", text_column="text")]), 4)
        return chunk.digest

    assert digest(b"id,text\n1,Ada\n") == digest(b"id,text\n1,Ada\n")
    assert digest(b"id,text\n1,Ada\n") != digest(b"no,text\n1,Ada\n")


@pytest.mark.parametrize(
    "text",
    [
        "id,text\n1,Marie Curie was born in Warsaw.\n2,Ada met Bob.\n",
        "\ufeffid;text\r\n1;a, b\r\n",
        "a|b\n\n1|2\n",
        "1\tAda met Bob.\n2\tBob met Ada.\n",
        '1,"Ada, who met Bob."\n2,"Bob."\n',
        'id,text\n1,"two\nlines"\n',
    ],
)
def test_a_table_that_nobody_called_one_is_not_read_as_one_text(text, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    with pytest.raises(ValueError, match=r"^standard input looks like a table.*--input-format text"):
        next(read_items(find_sources(["-"])))
    (tmp_path / "rows").write_text(text)
    with pytest.raises(ValueError, match="rows looks like a table"):
        next(read_items(find_sources([str(tmp_path / "rows")])))
    (item,) = read_items(find_sources([str(tmp_path / "rows")], "text"))
    assert "looks like" not in read_request(item).text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Ada, Bob",
        "Ada met Bob.\n\nBob met Ada.\n",
        "Dear Anna,\nthank you, Bob\n",
        "He paid 1,000 dollars.\nShe paid 2,000 dollars.\n",
        "Roses are red, violets blue\nSugar is sweet, so are you\n",
        'She said, "yes", and left.\nHe said, "no", and stayed.\n',
        "\tAda met Bob.\n\tBob met Ada.\n",
        'A "quote\nis, open',
    ],
)
def test_a_text_with_commas_is_no_table(text, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    assert [item.raw.decode() for item in read_items(find_sources(["-"]))] == [text.rstrip("\n")]


@pytest.mark.parametrize(("name", "separator"), [("a.tab", "\t"), ("a.psv", "|"), ("a.PSV", "|"), ("a.tsv", "\t")])
def test_tables_are_known_by_their_names(tmp_path, name, separator):
    (tmp_path / name).write_text(f"id{separator}text\n1{separator}Ada met Bob.\n")
    with pytest.raises(ValueError, match="is a table, whose rows and columns are not one text"):
        find_sources([str(tmp_path / name)])
    assert [read_request(item).text for item in items_of(tmp_path / name)] == ["Ada met Bob."]


@pytest.mark.parametrize("blank", [b"\n", b"\r\n\r\n", b"\n\n\n"])
def test_empty_rows_may_come_before_the_first(tmp_path, blank):
    path = tmp_path / "a.csv"
    path.write_bytes(b"\xef\xbb\xbf" + blank + b"id,text\n7,Ada\n\n8,Bob\n")
    first = blank.count(b"\n") + 2
    items = items_of(path)
    assert [(item.line, read_request(item).text) for item in items] == [(first, "Ada"), (first + 2, "Bob")]
    assert path.read_bytes()[items[0].offset :].startswith(b"7,Ada")


@pytest.mark.parametrize("content", [b"id,text\r7,Ada\r", b"text\rAda\r", b"\n\nid,text\r7,Ada\r8,Bob"])
def test_lines_that_end_in_a_carriage_return_are_named(tmp_path, content):
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.csv: Its lines end in a carriage return alone. Save it with line ends"):
        items_of(tmp_path / "a.csv")
