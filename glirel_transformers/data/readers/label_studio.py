"""Label Studio's JSON export: tasks with annotations, and tasks with predictions, an array of them or one a line.

    {"id": 7, "data": {"text": "Marie Curie was born in Warsaw."},
     "annotations": [{"result": [
        {"id": "a", "type": "labels", "from_name": "label", "to_name": "text",
         "value": {"start": 0, "end": 11, "text": "Marie Curie", "labels": ["PERSON"]}},
        {"id": "b", "type": "labels", …, "value": {"start": 24, "end": 30, "text": "Warsaw", "labels": ["CITY"]}},
        {"type": "relation", "from_id": "a", "to_id": "b", "direction": "right", "labels": ["place of birth"]}]}]}

Of several annotations of a task one is read: the one that is marked as ground truth, else the newest that was not
cancelled. Positions are UTF-16 code units or characters, which differ by versions of Label Studio: the `text` of the
regions tells, and where it is left out, whether they start and end with words. A relation to the `left` is turned
round, and one in both directions (`bi`) is two. Other fields of `data` are carried.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from glirel_transformers.data.fields import is_whole, list_of_objects, score_of
from glirel_transformers.data.schema import Document
from glirel_transformers.mentions_glirel import shortened
from glirel_transformers.text_glirel import Span

from .format import Format, Reading, Record
from .marked import Annotated, Drawn, Marked, document_fields, document_of
from .units import in_characters

_MIN = ("annotation_id", "annotator")
_UNLABELLED = ("text", "richtext", "region", None)  # types of a region without a label
_DIRECTIONS = {"right": ((0, 1),), "left": ((1, 0),), "bi": ((0, 1), (1, 0))}


def matches(record: Record) -> bool:
    """Whether a record is a task with annotations (`completions` in old versions), or is of the JSON-MIN export."""
    is_task = isinstance(record.get("data"), Mapping) and ("annotations" in record or "completions" in record)
    return is_task or all(name in record for name in _MIN)


def matches_predictions(record: Record) -> bool:
    """Whether a record is a task with predictions, as it is imported: an exported one has `annotations` as well."""
    return isinstance(record.get("data"), Mapping) and "predictions" in record and not matches(record)


def read(record: Record, reading: Reading) -> Document | None:
    """The document of a task, `None` where it has no annotation that counts.

    Raises:
        TypeError, ValueError: when a region or a relation does not fit; or for the JSON-MIN export, which leaves
            relations out.
    """
    if all(name in record for name in _MIN):
        raise ValueError("It is Label Studio's JSON-MIN export, which has no relations. Export the project as JSON.")
    _check_task(record)
    name = "annotations" if "annotations" in record else "completions"
    place = _annotation(list_of_objects(record.get(name) or [], name), reading)
    if place is None:
        reading.left_out["tasks without an annotation; --reader label-studio-predictions reads predictions"] += 1
        return None
    return _read(record, record[name][place], f"{name}[{place}]", reading)


def read_predictions(record: Record, reading: Reading) -> Document | None:
    """The document of the first prediction of a task, `None` where it has none. Other pairs are unknown.

    Raises:
        TypeError, ValueError: when a region or a relation does not fit.
    """
    _check_task(record)
    predictions = list_of_objects(record.get("predictions") or [], "predictions")
    if not predictions:
        reading.left_out["tasks without a prediction"] += 1
        return None
    reading.left_out["predictions that are not the first of their task"] += len(predictions) - 1
    return _read(record, predictions[0], "predictions[0]", reading)


def _check_task(record: Record) -> None:
    """Checks that a record is a task, which is left out where nothing of it is annotated.

    Raises:
        TypeError: when it is not.
    """
    if not isinstance(record.get("data"), Mapping):
        raise TypeError(
            f"A task must have `data`, an object with its text: got {shortened(record.get('data'))}, and the fields "
            f"{shortened(sorted(map(str, record)))}. Export the project as JSON."
        )


def _annotation(annotations: Sequence[Record], reading: Reading) -> int | None:
    """The position of the annotation that is read."""
    kept = [
        position for position, one in enumerate(annotations) if not (one.get("was_cancelled") or one.get("skipped"))
    ]
    reading.left_out["cancelled annotations"] += len(annotations) - len(kept)
    if not kept:
        return None
    reading.left_out["annotations next to the ground truth or the newest of their task"] += len(kept) - 1
    return max(
        kept,
        key=lambda position: (
            bool(annotations[position].get("ground_truth")),
            str(annotations[position].get("created_at") or ""),
            position,
        ),
    )


def _read(record: Record, annotation: Record, where: str, reading: Reading) -> Document:
    if not isinstance(record["data"], Mapping):
        raise TypeError(f"`data` must be an object with the text: got {shortened(record['data'])}.")
    results = list_of_objects(annotation.get("result") or [], f"{where}.result")
    drawn: list[Drawn] = []
    others: list[tuple[str, Record]] = []
    regions: dict[object, _Region] = {}
    for index, result in enumerate(results):
        place = f"{where}.result[{index}]"
        if result.get("type") == "relation":
            drawn += _relations(result, place)
        elif str(result.get("type")).endswith("labels"):
            region = _Region(place, result)
            same = regions.setdefault(result.get("id", place), region)
            if same is not region:  # of several tags for labels
                same.labels += region.labels
        else:
            others.append((place, result))
    for place, result in others:
        value = result.get("value")
        if isinstance(value, Mapping) and "start" in value and result.get("id", place) not in regions:
            regions[result.get("id", place)] = _Region(place, result)  # one without labels
        if result.get("type") not in _UNLABELLED:
            reading.left_out[f"results of the type {result.get('type')!r}"] += 1
    name, text = _text_of(record["data"], [region.surface for region in regions.values()])
    spans = in_characters(text, list(regions.values()), reading)
    marked = {
        key: Marked(*span, tuple(dict.fromkeys(region.labels)), region.place, score=region.score)
        for (key, region), span in zip(regions.items(), spans, strict=True)
    }
    rest = {key: value for key, value in record["data"].items() if key != name}
    fields = document_fields({"id": record["id"], **rest} if "id" in record else rest)
    exhaustive = fields.pop("exhaustive", not where.startswith("predictions"))
    return document_of(Annotated(text, marked, drawn, exhaustive, fields), reading)


class _Region:
    """A region of a text.

    Args:
        place: what errors call it.
        result: as the tool gives it.

    Attributes:
        offsets: its positions in the units of the tool.
        surface: what the tool says that it has.
        labels: its labels.
        score: how sure a model was of it.
    """

    def __init__(self, place: str, result: Record):
        self.place = place
        value = result.get("value")
        if not isinstance(value, Mapping):
            raise TypeError(f"`{place}.value` must be an object with 'start' and 'end': got {shortened(value)}.")
        self.offsets = _offsets(place, value)
        surface = value.get("text")
        self.surface = surface.replace("\\n", "\n") if isinstance(surface, str) else None  # as the tool escapes it
        self.labels = list(_labels(result))
        self.score = score_of(result)


def _relations(result: Record, place: str) -> Iterator[Drawn]:
    direction = result.get("direction") or "right"
    if direction not in _DIRECTIONS:
        raise ValueError(f"`{place}.direction` is {direction!r}. It is one of {list(_DIRECTIONS)}.")
    ends = result.get("from_id"), result.get("to_id")
    for head, tail in _DIRECTIONS[direction]:
        for label in _labels(result) or ("",):
            yield Drawn(ends[head], ends[tail], label, place, score_of(result))


def _labels(result: Record) -> tuple[str, ...]:
    """The labels of a region, which stand under the name of its type, or those of a relation."""
    value = result.get("value") or result
    labels = value.get("labels") or value.get(str(result.get("type"))) or ()
    if isinstance(labels, str) or not all(isinstance(label, str) for label in labels):
        raise TypeError(f"The labels of a region must be a list of strings: got {shortened(labels)}.")
    return tuple(labels)


def _text_of(data: Record, surfaces: Sequence[str | None]) -> tuple[str, str]:
    """The field of `data` that was annotated, and its text."""
    texts = {name: value for name, value in data.items() if isinstance(value, str)}
    if "text" in texts:
        return "text", texts["text"]
    fitting = [name for name, text in texts.items() if all(_has(text, surface) for surface in surfaces)]
    if len(fitting) == 1:
        return fitting[0], texts[fitting[0]]
    raise ValueError(
        f"`data` has no 'text', and {'several' if fitting else 'none'} of its fields may be what was annotated: "
        f"{fitting or sorted(data)}. Rename the one with the text to 'text'."
    )


def _has(text: str, surface: str | None) -> bool:
    return surface is None or "".join(surface.split()) in "".join(text.split())


def _offsets(place: str, value: Record) -> Span:
    for given in (value, value.get("globalOffsets") or {}):
        start, end = given.get("start"), given.get("end")
        if is_whole(start) and is_whole(end):
            return start, end
    raise TypeError(
        f"`{place}.value` must have whole numbers as 'start' and 'end': got {shortened(dict(value))}. Regions of HTML "
        "and of dialogues have paths in their place; annotate plain text."
    )


LABEL_STUDIO = Format(
    "label-studio",
    "'data' and 'annotations'",
    matches,
    read,
    in_arrays=True,
    states="pairs without a relation are read as having none",
)
LABEL_STUDIO_PREDICTIONS = Format(
    "label-studio-predictions",
    "'data' and 'predictions', without 'annotations'",
    matches_predictions,
    read_predictions,
    in_arrays=True,
    states="they are a model's, and pairs without a relation are unknown",
)
