import gzip
import io
import itertools
import lzma
import sys

import pytest

from glirel_transformers.jobs import Source, find_sources, read_items
from glirel_transformers.jobs.sources import Item, in_chunks, read_lines


def test_inputs_are_texts_files_folders_and_standard_input(tmp_path):
    folder = tmp_path / "corpus"
    (folder / "b").mkdir(parents=True)
    for name in ("b/2.txt", "a.jsonl", "c.txt.xz", "b/1.jsonl.gz", "notes.md"):
        (folder / name).touch()
    single = tmp_path / "notes.md"
    single.touch()
    sources = find_sources(["Ada met Bob.", str(folder), "-", str(single)])
    assert [(source.kind, source.name) for source in sources] == [
        ("text", None),
        ("jsonl", f"{folder}/a.jsonl"),
        ("jsonl", f"{folder}/b/1.jsonl.gz"),
        ("text", f"{folder}/b/2.txt"),
        ("text", f"{folder}/c.txt.xz"),
        ("text", "-"),
        ("text", str(single)),
    ]
    assert {source.kind for source in find_sources([str(folder), "-"], "lines")} == {"lines"}


@pytest.mark.parametrize(
    "name", ["nowhere.jsonl", "./texts", "my texts.jsonl", "corpus/*.jsonl", "texts.csv", "my.jsonl.gz", "C:\\texts"]
)
def test_what_looks_like_a_path_must_exist(name):
    with pytest.raises(OSError, match="There is no file or folder"):
        find_sources([name])


@pytest.mark.parametrize("text", ["Ada met Bob.", "Ada and/or Bob met in St. Ives", "word " * 3000, "a\0b c"])
def test_other_words_are_a_text(text):
    assert find_sources([text]) == [Source("text", text=text)]


def test_inputs_that_cannot_be_read_are_errors(tmp_path):
    (tmp_path / "x.json").touch()
    with pytest.raises(ValueError, match="--input-format jsonl"):
        find_sources([str(tmp_path / "x.json")])
    assert find_sources([str(tmp_path / "x.json")], "jsonl")[0].kind == "jsonl"
    with pytest.raises(OSError, match=r"holds no \.txt"):
        find_sources([str(tmp_path)])
    with pytest.raises(ValueError, match="The text is empty"):
        find_sources([" "])
    with pytest.raises(ValueError, match="can be read once"):
        find_sources(["-", "-"])


def test_lines_keep_their_numbers_and_places(tmp_path, monkeypatch):
    content = b"\xef\xbb\xbf{1}\r\n\n  \n{2}\n{3}"
    for name, opener in (("a.jsonl", open), ("a.jsonl.gz", gzip.open), ("a.jsonl.xz", lzma.open)):
        with opener(tmp_path / name, "wb") as file:
            file.write(content)
        items = list(read_items(find_sources([str(tmp_path / name)])))
        assert [(item.line, item.raw) for item in items] == [(1, b"{1}"), (4, b"{2}"), (5, b"{3}")]
        assert items[1].place == f"{tmp_path / name}:4"
        for item in items:
            assert (
                content[item.offset : item.offset + item.num_bytes].removeprefix(b"\xef\xbb\xbf").rstrip() == item.raw
            )
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
    assert [item.place for item in read_items([Source("lines")])] == [f"standard input:{line}" for line in (1, 4, 5)]


def test_a_part_of_a_file_is_read_as_within_the_whole(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"{1}\n\n{2}\n{3}\n{4}\n")
    source = Source("jsonl", path)
    items = list(read_items([source]))
    with source.open() as file:
        file.seek(items[1].offset)
        part = list(read_lines(source, file, items[1].offset, 3, items[1].num_bytes + items[2].num_bytes))
    assert part == items[1:3]


def test_a_text_file_is_one_text(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbfOne.\r\nTwo.\n\n")
    (item,) = read_items(find_sources([str(tmp_path / "a.txt")]))
    assert (item.raw, item.line, item.place) == (b"One.\r\nTwo.", None, str(tmp_path / "a.txt"))


def endless():
    for number in itertools.count(1):
        yield Item("jsonl", "x", number, 4 * number, b"%d" % number, 4)


def test_chunks_are_read_lazily_and_all_of_one_size():
    chunks = in_chunks(endless(), 3)
    first, second = next(chunks), next(chunks)
    assert [item.line for item in second.items] == [4, 5, 6]
    assert (first.end, second.end, second.num_items, second.num_bytes) == (3, 6, 3, 24)
    assert [chunk.num_items for chunk in in_chunks(itertools.islice(endless(), 7), 3)] == [3, 3, 1]


def test_the_digest_tells_whether_all_so_far_is_the_same():
    def digests(items):
        return [chunk.digest for chunk in in_chunks(items, 2)]

    items = list(itertools.islice(endless(), 6))
    assert digests(items)[:2] == digests(items[:4])
    for changed in (
        Item("jsonl", "x", 1, 0, b"one", 4),
        Item("jsonl", "y", 1, 0, b"1", 4),
        Item("jsonl", "x", 2, 0, b"1", 4),
    ):
        assert not set(digests(items)) & set(digests([changed, *items[1:]]))


@pytest.mark.parametrize(
    ("name", "cure"),
    [
        *(
            (name, "Say which column holds the texts, such as --text-column")
            for name in ("a.csv", "a.TSV", "a.csv.gz")
        ),
        *((name, r"Save it as \.csv, and say which column holds the texts") for name in ("a.xlsx", "a.parquet")),
    ],
)
def test_a_table_is_not_one_text(tmp_path, name, cure):
    (tmp_path / name).write_text("id,text\n1,Marie Curie\n")
    with pytest.raises(ValueError, match=f"is a table, whose rows and columns are not one text. {cure}"):
        find_sources([str(tmp_path / name)])
    assert find_sources([str(tmp_path / name)], "lines")[0].kind == "lines"


@pytest.mark.parametrize("name", ["a.pdf", "a.docx", "a.html"])
def test_a_document_is_not_plain_text(tmp_path, name):
    (tmp_path / name).write_text("x")
    with pytest.raises(ValueError, match="not plain text"):
        find_sources([str(tmp_path / name)])


def test_a_damaged_file_is_named(tmp_path):
    (tmp_path / "cut.jsonl.xz").write_bytes(b"not packed")
    with pytest.raises(ValueError, match=r"cut\.jsonl\.xz: It is damaged or cut off"):
        list(read_items(find_sources([str(tmp_path / "cut.jsonl.xz")])))
