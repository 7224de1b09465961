"""Every file that is opened, and every file that is replaced: one place for compression, encoding and errors.

Text is UTF-8; a byte-order mark at its start is not part of it. A suffix says how a file is compressed (`.gz`, `.xz`,
`.bz2`, …). Whatever is wrong with the content of a file is a `ValueError` in one line that names the file; a file that
is missing or cannot be opened is an `OSError`, which names it as well.
"""

from __future__ import annotations

import codecs
import io
import json
import lzma
import math
import os
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Literal, TextIO

StrPath = str | os.PathLike[str]
Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]

COMPRESSED = (".gz", ".xz", ".bz2")
_DAMAGED = (EOFError, lzma.LZMAError, zlib.error)
_OTHER_ENCODINGS = {
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}
_SNIFFED = 8192  # bytes by which a file is known for what it is
_ESCAPED_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def plain_suffix(path: StrPath) -> str:
    """The suffix that tells the format, in lower case: `.jsonl` of `data.JSONL.gz`."""
    path = Path(path)
    return (Path(path.stem) if path.suffix.lower() in COMPRESSED else path).suffix.lower()


def is_compressed(path: StrPath) -> bool:
    """Whether the suffix says that a file is compressed."""
    return Path(path).suffix.lower() in COMPRESSED


@contextmanager
def naming_the_file(path: StrPath) -> Iterator[None]:
    """Within it, content that cannot be read is a `ValueError` in one line, with the file's name and the cure."""
    name = os.fspath(path)
    try:
        yield
    except UnicodeDecodeError as error:
        raise ValueError(f"{name}: {_not_text(error.object, error.start)}") from error
    except _DAMAGED as error:
        raise ValueError(f"{name}: It is damaged or cut off ({_first_line(error)}). Copy it again.") from error
    except OSError as error:
        if error.errno is not None:  # of the operating system, which names the file
            raise
        raise ValueError(f"{name}: It is not what its suffix says ({_first_line(error)}).") from error


def decode_text(raw: bytes, where: str = "") -> str:
    """The text of some bytes: UTF-8, without a byte-order mark; `where` names their place in errors.

    Raises:
        ValueError: when they are text in another encoding, or no text, which NUL bytes tell.
    """
    place = where and f"{where}: "
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{place}{_not_text(raw, error.start)}") from None
    if "\0" in text:
        raise ValueError(f"{place}{_not_text(raw)}")
    return text


def _not_text(raw: bytes, wrong: int | None = None) -> str:
    """What bytes are that are not text in UTF-8, and the cure; `wrong` is the first that cannot be decoded."""
    encoding = next((kind for mark, kind in _OTHER_ENCODINGS.items() if raw.startswith(mark)), None)
    first, second = (raw[half:_SNIFFED:2].count(0) for half in (0, 1))
    size = min(len(raw), _SNIFFED)
    if encoding is None and 8 * max(first, second) > 3 * size and 8 * min(first, second) < size:
        encoding = "UTF-16"  # without a mark: of Latin letters, one of two bytes is 0
    if encoding is not None:
        what = f"It is {encoding} text"
    elif wrong is not None:
        what = f"Byte 0x{raw[wrong]:02x} is not UTF-8"
    else:
        what = f"Byte {raw.find(0)} is NUL, which no text has"
    return f"{what}. Save it as UTF-8, or name a text file."


@contextmanager
def open_binary(path: StrPath) -> Iterator[IO[bytes]]:
    """Opens a file to read its bytes, decompressed where its suffix says that it is compressed.

    Raises:
        OSError: when it is missing or cannot be opened.
        ValueError: when what is read within is damaged.
    """
    with naming_the_file(path), _open_local(path, "rb") as file:
        yield file


@contextmanager
def open_text(path: StrPath, newline: Literal[""] | None = None) -> Iterator[TextIO]:
    r"""Opens a text file to read it: decompressed, UTF-8, without a byte-order mark.

    Args:
        path: the file.
        newline: `None` reads every line end as `\n`; `""`, which is what `csv` asks for, leaves them as they are.

    Raises:
        OSError: when it is missing or cannot be opened.
        ValueError: when what is read within is damaged, or not UTF-8, or no text.
    """
    with (
        open_binary(path) as file,
        naming_the_file(path),
        io.TextIOWrapper(file, encoding="utf-8-sig", newline=newline) as text,
    ):
        start = text.buffer.peek(_SNIFFED)[:_SNIFFED]  # type: ignore[attr-defined]  # all files have it
        if 0 in start:
            raise ValueError(f"{os.fspath(path)}: {_not_text(start)}")
        yield text


def read_text(path: StrPath) -> str:
    """The whole text of a file, as [`open_text`] reads it, with its line ends as they are."""
    with open_binary(path) as file:
        return decode_text(file.read(), os.fspath(path))


def parse_json(text: str | bytes, where: str = "") -> Json:
    """The JSON value of a line; `where` names its place in errors, unless the caller does.

    Raises:
        ValueError: when it is not JSON, nested too deeply to be read, or has a text or a number that no file can hold.
    """
    return _parse(text, where, is_line=True)


def decode_json(text: str, start: int, where: str) -> tuple[Json, int]:
    """The JSON value that begins at a place of a text, and the place after it. See [`parse_json`].

    Args:
        text: what may go on after the value.
        start: where it begins.
        where: its place in errors.

    Raises:
        json.JSONDecodeError: when it is not JSON; more text could make it so.
        ValueError: when it is nested too deeply, or has a text or a number that no file can hold.
    """
    try:
        value, end = _DECODER.raw_decode(text, start)
        if _ESCAPED_SURROGATE.search(text, start, end):
            check_strings(value)
    except json.JSONDecodeError:
        raise
    except RecursionError:
        raise ValueError(f"{where}: It is nested too deeply to be read.") from None
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error
    return value, end


def _parse(text: str | bytes, where: str, is_line: bool) -> Json:
    place = where and f"{where}: "
    try:
        value: Json = json.loads(text, parse_constant=_refuse_constant, parse_float=_finite)
        if isinstance(text, bytes) or _ESCAPED_SURROGATE.search(text):
            check_strings(value)
    except json.JSONDecodeError as error:
        line = f"line {error.lineno}, " if "\n" in error.doc else ""
        cure = _cure_of_lines(error) if is_line else ""
        raise ValueError(f"{place}It is not JSON: {error.msg} at {line}character {error.colno}.{cure}") from error
    except RecursionError:
        raise ValueError(f"{place}It is nested too deeply to be read.") from None
    except ValueError as error:
        raise ValueError(f"{place}{error}") from error
    return value


def _cure_of_lines(error: json.JSONDecodeError) -> str:
    """What helps where a line ends in the middle of a value, which then goes on in the next line."""
    line = error.doc.rstrip()
    if not line or error.pos < len(line):
        return ""
    return (
        " If it goes on in the next line, put each object on a line of its own: jq -c . FILE, or for a list of "
        "objects jq -c '.[]' FILE."
    )


def check_strings(value: object, field: str = "") -> None:
    """Checks that a file can hold every string of a JSON value, the names of its fields included.

    Args:
        value: the value, which may be nested deeply.
        field: the value's name in errors.

    Raises:
        ValueError: when one has half of a surrogate pair; the message names the field, such as `entities[0].label`.
    """
    from .mentions_glirel import check_text, shortened  # which needs numpy, and the command line opens files without

    waiting = [(value, field)]
    while waiting:
        value, field = waiting.pop()
        if isinstance(value, str):
            check_text(value, f"The field {shortened(field)}" if field else "It")
        elif isinstance(value, Mapping):
            for name in value:
                check_text(str(name), f"The name of a field in {shortened(field)}" if field else "The name of a field")
            inner = [(item, f"{field}.{name}" if field else str(name)) for name, item in value.items()]
            waiting += reversed(inner)
        elif isinstance(value, (list, tuple)):
            waiting += reversed([(item, f"{field}[{position}]") for position, item in enumerate(value)])


def read_json(path: StrPath) -> Json:
    """The JSON value that a file holds.

    Raises:
        OSError: when the file is missing or cannot be opened.
        ValueError: when it is not JSON.
    """
    return _parse(read_text(path), os.fspath(path), is_line=False)


def read_json_object(path: StrPath) -> dict[str, Json]:
    """As [`read_json`], of a file that must hold an object.

    Raises:
        ValueError: when it holds another value.
    """
    value = read_json(path)
    if not isinstance(value, Mapping):
        raise ValueError(f"{os.fspath(path)}: It must hold a JSON object: got a {type(value).__name__}.")
    return dict(value)


@contextmanager
def open_to_write(path: StrPath, newline: Literal["", "\n"] = "\n") -> Iterator[TextIO]:
    r"""Opens a text file to write it in UTF-8, compressed where its suffix says so.

    An ordinary file takes its place once it is whole, so that it may be written from what it held.

    Args:
        path: the file.
        newline: `"\n"` writes line ends as they are on every system; `""` is what `csv` asks for.

    Raises:
        OSError: when it cannot be written.
    """
    path = Path(path)
    is_ordinary = path.is_file() or not path.exists()
    target = (
        path.with_name(f"new-{path.name}") if is_ordinary else path
    )  # with the suffix, which says how it is packed
    try:
        with (
            _open_local(target, "wb") as file,
            io.TextIOWrapper(file, encoding="utf-8", newline=newline) as text,
        ):
            yield text
        if is_ordinary:
            target.replace(path)
    except BaseException:
        if is_ordinary:
            target.unlink(missing_ok=True)
        raise


def _refuse_constant(name: str) -> float:
    raise ValueError(f"It has the value {name}, which JSON does not have. Write null in its place.")


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError(f"It has the number {digits[:40]}, which is too large: no more than 1.8e308 can be read.")
    return number


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_finite)


@contextmanager
def replace_atomically(path: StrPath) -> Iterator[TextIO]:
    """A text file to write, which takes its place once it is whole: at any time there is the old file or the new.

    Raises:
        OSError: when it cannot be written; the old file is then still there.
    """
    path = Path(path)
    check_replaceable(path)
    new = path.with_name(f"{path.name}.new")
    try:
        with new.open("w", encoding="utf-8", newline="") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise


def check_replaceable(path: StrPath, option: str = "--output") -> None:
    """Checks that a path is free or that of an ordinary file, which can be cut off, resumed and replaced.

    Raises:
        OSError: when it is a folder, or a device or pipe, such as `/dev/stdout`.
    """
    if os.path.exists(path) and not os.path.isfile(path):
        what = "a folder" if os.path.isdir(path) else "a device or a pipe"
        raise OSError(
            f"{option} {os.fspath(path)!r} cannot be written: it is {what}. Name a file; without {option}, everything "
            "goes to standard output."
        )


def check_writable(path: StrPath, option: str = "--output") -> None:
    """Checks, before anything is computed, that a file can be written.

    Raises:
        OSError: when its folder is missing, or it cannot be opened for writing; the message names the option.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise OSError(f"{option} {str(path)!r} cannot be written: there is no folder {str(path.parent)!r}. Create it.")
    if path.is_dir():
        raise OSError(f"{option} {str(path)!r} cannot be written: it is a folder. Name a file.")
    existed = path.exists()
    try:
        with path.open("ab"):
            pass
    except OSError as error:
        raise OSError(f"{option} {str(path)!r} cannot be written: {error.strerror or error}.") from error
    if not existed:
        path.unlink()


def check_not_an_input(output: StrPath, inputs: Iterable[StrPath | None], option: str = "--output") -> None:
    """Checks that nothing that is read would be written over, be it under another name (a symbolic or a hard link).

    Args:
        output: the file or folder that is written, whether or not it is there.
        inputs: files and folders that are read. What is no path of this machine (a Hub repository, a text, `None`) is
            passed over.
        option: what errors call the output.

    Raises:
        ValueError: when the output is one of the inputs or of the files below one, or is a folder that holds one.
    """
    output = Path(output)
    is_folder = output.is_dir()
    written = {_identity(file) for file in (output.glob("*") if is_folder else [output]) if file.is_file()}
    if not written and not is_folder:
        return
    whole = output.resolve()
    for file in _files_below(inputs):
        if _identity(file) in written or (is_folder and whole in file.resolve().parents):
            what = f"holds the input {str(file)!r}" if is_folder else f"is an input ({str(file)!r})"
            raise ValueError(f"{option} {str(output)!r} {what}, which would be lost. Name another {option}.")


def _identity(file: Path) -> tuple[int, int]:
    """What all names of a file have in common."""
    status = file.stat()
    return status.st_dev, status.st_ino


def _files_below(paths: Iterable[StrPath | None]) -> Iterator[Path]:
    """The files among paths, and those below the folders among them."""
    for path in paths:
        try:
            found = [] if not path else Path(path).rglob("*") if os.path.isdir(path) else [Path(path)]
            yield from (file for file in found if file.is_file())
        except (OSError, ValueError):  # a text that is too long for a path, or holds characters that no path can
            continue


def _open_local(path: StrPath, mode: str) -> IO[bytes]:
    """A file of this machine. Not `fsspec.open`, which would read `a::b` as a chain and `c://d` as a protocol."""
    from fsspec.implementations.local import LocalFileSystem

    compression = "infer" if is_compressed(path) else None
    file: IO[bytes] = LocalFileSystem().open(str(Path(path).absolute()), mode, compression=compression)
    return file


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
