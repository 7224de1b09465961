"""JSON that is read as a stream: the same values as at once, and no more of the file than is needed."""

import io
import json
import random

import pytest

from glirel_transformers.data import read_documents
from glirel_transformers.data.readers import streams
from glirel_transformers.data.readers.streams import JsonStream
from glirel_transformers.files import parse_json

VALUES = (0, -12, 3.25, -1.5e-10, 12345678901234567890, True, False, None, "", 'a"\\\n\t€😀{[,]}:', [], {})


def made(rng, depth=0):
    kind = rng.randrange(5)
    if depth > 2 or kind < 3:
        return rng.choice(VALUES)
    if kind == 3:
        return [made(rng, depth + 1) for _ in range(rng.randrange(4))]
    return {f'{rng.choice("ab€")}"{number}': made(rng, depth + 1) for number in range(rng.randrange(4))}


@pytest.fixture(params=[1, 2, 7, 1 << 16])
def block(request, monkeypatch):
    monkeypatch.setattr(streams, "_BLOCK", request.param)


def array(text):
    stream = JsonStream(io.StringIO(text), "f.json")
    values = list(stream.array())
    stream.end()
    return values


def test_an_array_is_read_as_at_once_whatever_the_blocks_are(block):
    rng = random.Random(0)
    for number in range(40):
        values = [made(rng) for _ in range(rng.randrange(6))]
        text = json.dumps(values, indent=rng.choice([None, 1]), ensure_ascii=number % 2 == 0)
        assert array(f"\n {text} \n") == values
        by_name = {f"k{number}": [made(rng) for _ in range(rng.randrange(4))] for number in range(rng.randrange(4))}
        stream = JsonStream(io.StringIO(json.dumps(by_name)), "f.json")
        assert {name: list(stream.array()) for name in stream.names()} == by_name
        stream.end()


def test_what_is_broken_is_refused_wherever_it_is(block):
    rng = random.Random(1)
    for _ in range(40):
        text = json.dumps([made(rng) for _ in range(3)])
        with pytest.raises(ValueError, match=r"f\.json, line \d+: It is not JSON"):
            array(text[: rng.randrange(1, len(text))])
        place = rng.randrange(len(text))
        broken = text[:place] + rng.choice('}],:"') + text[place:]
        try:
            expected = parse_json(broken)
        except ValueError:
            with pytest.raises(ValueError, match=r"f\.json, line"):
                array(broken)
        else:
            assert array(broken) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[{"a": 1},]', r"line 1: It is not JSON: a value is expected after ',', near '\]'"),
        ('[{"a": 1}', "line 1: It is not JSON: it ends before it is whole"),
        ('[{"a": 1}] x', "line 1: It is not JSON: extra data, near 'x'"),
        ('\n\n[{"a": 1},\n{"b":,}]', "line 4: It is not JSON: Expecting value"),
        ('[\n{"a": NaN}]', "line 2: It has the value NaN"),
        (r'[{"a": "\ud800"}]', "line 1: The field 'a' has half a surrogate pair"),
        ("[" + "[" * 100_000, "line 1: It is nested too deeply"),
    ],
)
def test_errors_name_the_line(text, message):
    with pytest.raises(ValueError, match=rf"f\.json, {message}"):
        array(text)


class Counting(io.StringIO):
    """A file that knows how much of it was read."""

    taken = 0

    def read(self, size=-1):
        read = super().read(size)
        self.taken += len(read)
        return read


def test_no_more_is_read_than_a_block_ahead():
    file = Counting(json.dumps([{"number": number} for number in range(20_000)]))
    values = JsonStream(file, "f.json").array()
    assert next(values) == {"number": 0}
    assert file.taken <= 2 * streams._BLOCK < len(file.getvalue())
    assert sum(1 for _ in values) == 19_999


def test_a_long_value_is_not_read_too_often():
    file = Counting(json.dumps([["x" * 10] * 50_000, 1]))
    assert len(array(file.getvalue())[0]) == 50_000
    list(JsonStream(file, "f.json").array())
    assert file.taken == len(file.getvalue())


@pytest.mark.parametrize("layout", ["one line", "indented", "an object a line"])
@pytest.mark.parametrize("ending", ["", ".gz", ".xz"])
def test_an_object_of_arrays_is_read_in_any_layout(tmp_path, layout, ending):
    from glirel_transformers.files import open_to_write

    example = {"tokens": ["A", "b"], "h": ["a", "Q1", [[0]]], "t": ["b", "Q2", [[1]]]}
    content = {"empty": [], "one": [example], "two": [example, example]}
    text = {
        "one line": json.dumps(content),
        "indented": json.dumps(content, indent=4),
        "an object a line": "".join(
            json.dumps({"relation": name, **one}) + "\n" for name, listed in content.items() for one in listed
        ),
    }[layout]
    with open_to_write(tmp_path / f"val.json{ending}") as file:
        file.write(text)
    documents = list(read_documents(tmp_path / f"val.json{ending}"))
    assert [document.relations[0].relation_type for document in documents] == ["one", "two", "two"]


def test_places_in_an_object_of_arrays_are_named(tmp_path):
    example = {"tokens": ["A"], "h": ["a", "Q1", [[0]]], "t": ["b", "Q2", [[1]]]}
    good = {**example, "tokens": ["A", "b"]}
    (tmp_path / "val.json").write_text(json.dumps({"one": [good], "two": [good, example]}))
    with pytest.raises(ValueError, match=r"val\.json, two, document 2: `t\[2\]\[0\]` is from word 1"):
        list(read_documents(tmp_path / "val.json"))
