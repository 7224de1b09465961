"""Files: one line with the file's name for whatever cannot be read, and content as it was written."""

from __future__ import annotations

import gzip
import lzma
import os

import pytest

from glirel_transformers.files import (
    check_not_an_input,
    check_replaceable,
    check_writable,
    open_text,
    open_to_write,
    parse_json,
    plain_suffix,
    read_json,
    read_json_object,
    read_text,
    replace_atomically,
)

TEXT = "Zoë met 李明.\n"


@pytest.mark.parametrize("suffix", [".txt", ".txt.gz", ".txt.xz", ".txt.bz2", ".TXT.GZ"])
@pytest.mark.parametrize("name", ["plain", "a::b", "with space", "100%", "#1", "[x]*?"])
def test_what_is_written_is_read(tmp_path, name, suffix):
    path = tmp_path / f"{name}{suffix}"
    with open_to_write(path) as file:
        file.write(TEXT)
    assert [child.name for child in tmp_path.iterdir()] == [path.name]
    assert read_text(path) == TEXT
    assert plain_suffix(path) == ".txt"


def test_a_byte_order_mark_is_not_text(tmp_path):
    (tmp_path / "marked.txt").write_text(TEXT, encoding="utf-8-sig")
    assert read_text(tmp_path / "marked.txt") == TEXT


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("wide.txt", TEXT.encode("utf-16"), r"wide\.txt: It is UTF-16 text\. Save it as UTF-8"),
        ("little.txt", TEXT.encode("utf-16-le"), r"little\.txt: It is UTF-16 text\. Save it as UTF-8"),
        ("big.txt", ("Ada met Bob. " * 999).encode("utf-16-be"), r"big\.txt: It is UTF-16 text"),
        ("nul.txt", b"Ada met\0Bob.", r"nul\.txt: Byte 7 is NUL, which no text has"),
        ("nul.txt.gz", gzip.compress(b"a" * 9999 + b"\0"), r"nul\.txt\.gz: Byte 9999 is NUL, which no text has"),
        ("image.txt", bytes(range(128)) * 99, r"image\.txt: Byte 0 is NUL"),
        ("latin.txt", TEXT.encode("utf-8") + b"\xe9", r"latin\.txt: Byte 0xe9 is not UTF-8"),
        ("cut.txt.gz", gzip.compress(TEXT.encode() * 99, mtime=0)[:40], r"cut\.txt\.gz: It is damaged or cut off"),
        ("cut.txt.xz", lzma.compress(TEXT.encode() * 99)[:40], r"cut\.txt\.xz: It is damaged or cut off"),
        ("plain.txt.gz", TEXT.encode(), r"plain\.txt\.gz: It is not what its suffix says"),
        ("plain.txt.xz", TEXT.encode(), r"plain\.txt\.xz: It is damaged or cut off"),
    ],
    ids=[
        "wide",
        "little",
        "big",
        "nul",
        "late nul",
        "binary",
        "latin",
        "cut gzip",
        "cut xz",
        "plain gzip",
        "plain xz",
    ],
)
def test_content_that_cannot_be_read_names_the_file(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=message) as raised:
        read_text(tmp_path / name)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "content",
    ["{", '{"a": NaN}', "[-Infinity]", "[" * 100_000, r'"\ud83d"', '{"a": 1e999}', "[-2.0E+308]"],
    ids=["cut", "nan", "inf", "deep", "surrogate", "large", "small"],
)
def test_json_that_cannot_be_read_names_the_file(tmp_path, content):
    (tmp_path / "some.json").write_text(content)
    with pytest.raises(ValueError, match=r"some\.json: It"):
        read_json(tmp_path / "some.json")


@pytest.mark.parametrize(
    ("content", "place"),
    [
        (r'{"a": [{"b": "x\ud83d"}]}', r"The field 'a\[0\]\.b' has half a surrogate pair at character 1"),
        (r'{"a": {"\udc00": 1}}', "The name of a field in 'a' has half a surrogate pair at character 0"),
        (r'{"\uDC00": 1}', "The name of a field has half a surrogate pair at character 0"),
        (f"[{'9' * 5000}]", "limit"),
    ],
)
def test_values_that_cannot_be_kept_are_refused_with_their_place(content, place):
    with pytest.raises(ValueError, match=f"^line 3: .*{place}"):
        parse_json(content, "line 3")


def test_escaped_characters_are_text():
    assert parse_json(r'"\ud83d\ude00 \u00e9"', "line 3") == "😀 é"


def test_line_ends_are_left_where_a_table_is_read(tmp_path):
    (tmp_path / "table.csv").write_bytes(b"\xef\xbb\xbfa\r\nb\n")
    with open_text(tmp_path / "table.csv", newline="") as file:
        assert file.read() == "a\r\nb\n"


def test_json_must_hold_an_object_where_one_is_needed(tmp_path):
    (tmp_path / "some.json").write_text("[1]")
    with pytest.raises(ValueError, match=r"some\.json: It must hold a JSON object: got a list"):
        read_json_object(tmp_path / "some.json")


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path):
    path = tmp_path / "out.json"
    path.write_text("old")

    def fail_half_way():
        with replace_atomically(path) as file:
            file.write("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_half_way()
    assert path.read_text() == "old"
    with replace_atomically(path) as file:
        file.write("new")
    assert [child.read_text() for child in tmp_path.iterdir()] == ["new"]


def test_where_nothing_can_be_written_is_said_beforehand(tmp_path):
    check_writable(tmp_path / "new.json")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(OSError, match="there is no folder"):
        check_writable(tmp_path / "no" / "such" / "x.json")
    with pytest.raises(OSError, match="it is a folder"):
        check_writable(tmp_path)


@pytest.mark.parametrize("how", ["same", "another spelling", "symbolic link", "hard link", "linked folder"])
@pytest.mark.parametrize("given", ["file", "folder"])
def test_an_input_is_not_written_over(tmp_path, how, given):
    (tmp_path / "read" / "deep").mkdir(parents=True)
    file = tmp_path / "read" / "deep" / "data.jsonl"
    file.write_text("content")
    output = tmp_path / "other"
    if how == "same":
        output = file
    elif how == "another spelling":
        output = tmp_path / "read" / ".." / "read" / "deep" / "data.jsonl"
    elif how == "symbolic link":
        output.symlink_to(file)
    elif how == "hard link":
        os.link(file, output)
    else:
        output.symlink_to(file.parent)
        output = output / "data.jsonl"
    with pytest.raises(ValueError, match=r"^--plot '.*' is an input .*data\.jsonl.* Name another --plot\.$"):
        check_not_an_input(output, [None, "x" * 9999, file if given == "file" else file.parents[1]], "--plot")


def test_a_folder_that_holds_an_input_is_not_written_over(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("{}")
    (tmp_path / "linked").mkdir()
    os.link(tmp_path / "model" / "config.json", tmp_path / "linked" / "config.json")
    for output in ("model", "linked", "."):
        with pytest.raises(ValueError, match=r"DST .* holds the input .*config\.json"):
            check_not_an_input(tmp_path / output, [tmp_path / "model"], "DST")


def test_what_is_not_read_may_be_written(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("{}")
    (tmp_path / "old.json").write_text("{}")
    for output in ("new.json", "old.json", "model/scores.json", "new folder"):
        check_not_an_input(tmp_path / output, [tmp_path / "model", "owner/name", None, "", "-", "a text\0"])
    check_not_an_input(os.devnull, [os.devnull])


def test_numbers_that_a_file_can_hold_are_read():
    assert parse_json("[1.7e308, 1e-999, -0.0, 12345678901234567890123]") == [
        1.7e308,
        0.0,
        -0.0,
        12345678901234567890123,
    ]


def test_a_file_that_is_read_by_lines_is_known_at_its_start(tmp_path):
    (tmp_path / "a.jsonl").write_bytes("{}\n".encode("utf-16-le") * 9)
    with pytest.raises(ValueError, match=r"a\.jsonl: It is UTF-16 text"), open_text(tmp_path / "a.jsonl"):
        pass


def test_only_files_are_replaced(tmp_path):
    check_replaceable(tmp_path / "new.json")
    for output, what in ((os.devnull, "a device or a pipe"), (tmp_path, "a folder")):
        with pytest.raises(OSError, match=f"^--output .* cannot be written: it is {what}"):
            check_replaceable(output)
        with pytest.raises(OSError, match="cannot be written"), replace_atomically(output):
            pass
