"""Inputs of an extractor in every form: a text, a list, a generator or a data set, each with its entities."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from .mentions_glirel import check_not_a_table, shortened

T = TypeVar("T")


def read_inputs(inputs: object, entities: object = None) -> object:
    """A text or a dictionary as it is, a list of these, or an iterator of them; each with its entities.

    Raises:
        TypeError: for anything else.
        ValueError: when there are not as many lists of entities as texts.
    """
    if isinstance(inputs, (str, Mapping)):
        return _with_entities(inputs, entities)
    check_not_a_table(inputs, "texts", "'text' and 'entities'")
    if hasattr(inputs, "__getitem__") and hasattr(inputs, "__len__") and not hasattr(inputs, "__iter__"):
        inputs = map(inputs.__getitem__, range(len(inputs)))  # datasets of torch, such as `KeyDataset`
    if isinstance(inputs, (bytes, bytearray)) or not isinstance(inputs, Iterable):
        raise TypeError(f"The pipeline reads texts, dictionaries or iterables of these: got {shortened(inputs)}.")
    if not isinstance(inputs, (list, tuple)):
        stream = iter(inputs) if entities is None else _stream_with_entities(inputs, _iterate(entities))
        return (item for item in stream)
    if entities is None:
        return list(inputs)
    lists = list(_iterate(entities))
    if len(lists) != len(inputs):
        raise ValueError(
            f"`entities` has {len(lists)} lists for {len(inputs)} texts. Give each text its own list, which may be "
            "empty."
        )
    return list(map(_with_entities, inputs, lists))


def _iterate(entities: object) -> Iterable[object]:
    """The lists of entities, one for each text."""
    check_not_a_table(entities, "lists of entities, one for each text", "'start', 'end' and 'label'")
    if isinstance(entities, (str, bytes, Mapping)) or not isinstance(entities, Iterable):
        raise TypeError(f"`entities` must be a list of lists, one for each text: got {shortened(entities)}.")
    return entities


def _with_entities(text: object, entities: object) -> object:
    if entities is None:
        return text
    if isinstance(text, Mapping):
        if text.get("entities") is not None:
            raise ValueError(
                "The entities are given twice: in the dictionary and as `entities`. Leave one of them out."
            )
        return {**text, "entities": entities}
    return {"text": text, "entities": entities}


def _stream_with_entities(texts: Iterable[object], entities: Iterable[object]) -> Iterator[object]:
    of_texts = iter(entities)
    for position, text in enumerate(texts):
        try:
            yield _with_entities(text, next(of_texts))
        except StopIteration:
            raise ValueError(
                f"`entities` has {position} lists, and there are more texts. Give each text its own list, which may "
                "be empty."
            ) from None
    if next(of_texts, None) is not None:
        raise ValueError("`entities` has more lists than there are texts. Give each text its own list.")


def in_turn(read: Callable[[], Callable[[], T] | None]) -> Iterator[T]:
    """What the work that `read` gives results in, until it gives none."""
    while (work := read()) is not None:
        yield work()


def ahead(read: Callable[[], Callable[[], T] | None]) -> Iterator[T]:
    """As [`in_turn`], but each work is done in a thread while the results of the one before are in use.

    `read`, and so the user's iterator, runs here. What it raises comes after the results before it.
    """
    reader = ThreadPoolExecutor(max_workers=1, thread_name_prefix="glirel-tokenizer")

    def start() -> Future[T] | None:
        try:
            work = read()
        except Exception as error:  # noqa: BLE001  # raised when its turn comes
            failed: Future[T] = Future()
            failed.set_exception(error)
            return failed
        return None if work is None else reader.submit(work)

    try:
        following = start()
        while following is not None:
            results = following.result()
            following = start()
            yield results
    finally:
        reader.shutdown(wait=False)
