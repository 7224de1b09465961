"""Texts, entities and relation names of the benchmarks, written by rule: the same on every machine, from no data.

What the texts say does not matter here; their length, and how many entities and relation types come with them, does.
Every word is a run of letters and digits or a single punctuation mark, so that `" ".join(words)` splits into the same
words again. Spans are half-open and count words.
"""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass


def _list(text: str) -> list[str]:
    return text.split("|")


_FIRST = _list("Ada|Boris|Clara|Dmitri|Elena|Farid|Greta|Hugo|Ines|Jonas|Karin|Luis|Mira|Nils|Olga|Pavel|Rosa|Sven")
_LAST = _list("Almeida|Brandt|Carver|Dahl|Eriksen|Fischer|Grieg|Holm|Ivanov|Jansen|Keller|Lindqvist|Moreau|Petit")
_PLACES = _list("Aarhus|Bergen|Calais|Dresden|Evora|Florence|Ghent|Hamar|Izmir|Jena|Krakow|Lisbon|Malmo|Nantes|Oporto")
_BODIES = _list("Institute|Academy|Museum|Orchestra|Company|Ministry|University|Society|Observatory|Theatre|Press")

# Connecting words by how many they are. They need not make good prose, only words of usual length and frequency.
_PHRASES = {
    1: "and|with|near|from|after|before|joined|visited|founded|left|under|beside",
    2: "who met|worked for|lived in|later joined|studied at|not far|moved to|was near|wrote about|paid for",
    3: "was born in|is part of|was sold to|became head of|lies south of|took over from|is known for|stood next to",
    4: "was given a prize|has long been with|together with the old|during the first years|one year later met",
    5: "spent many years working for|which had been built by|whose first book was about|for the last time in",
}
_PHRASES_BY_LENGTH = {length: [phrase.split() for phrase in _list(text)] for length, text in _PHRASES.items()}
_SENTENCE = 18  # words after which the next gap begins with a full stop

_NAMES = _list(
    "employer|spouse|place of birth|author|capital|member of|head of government|original language|sibling|mother|"
    "child|country of citizenship|has part|instrument|located in the region|military branch|owned by|performer|"
    "successor|religion|residence|screenwriter|winner|crosses|follows|genre|headquarters|heritage status|league|"
    "licensed to|notable work|operator|participant|platform|position held|record label|sport|field of work|"
    "taxonomic rank|tributary"
)
_ASPECTS = _list("place|date|country|language|subject|director|sponsor|founder")
_OBJECTS = _list(
    "death|the company|original broadcast|first publication|the sports team|military service|higher education|"
    "the administrative district|manufacture|scientific discovery|the river basin|public transport|the film|naming|"
    "the summer residence|legal ownership|architecture|the musical work|conflict|marriage|the competition|foundation"
)


@dataclass(frozen=True)
class Text:
    """A text as words, and its entities as half-open word spans."""

    words: list[str]
    entities: list[tuple[int, int]]


@dataclass(frozen=True)
class Workload:
    """What is asked in one measurement.

    Args:
        name: how it is called on the command line and in the tables.
        kind: the kind of text, a key of `KINDS`.
        num_relations: how many relation types are asked for.
        batch_size: how many texts the model reads at once.
        num_texts: how many texts one measurement reads.
    """

    name: str
    kind: str
    num_relations: int
    batch_size: int
    num_texts: int


# Kind of text: number of entities, and the least, the usual and the largest number of words.
KINDS = {
    "sentence": (2, (12, 23, 40)),
    "paragraph": (20, (160, 200, 240)),
    "document100": (100, (400, 425, 450)),
    "document200": (200, (400, 425, 450)),
}


def _workload(kind: str, num_relations: int, batch_size: int, num_texts: int) -> Workload:
    return Workload(f"{kind}-m{num_relations}-b{batch_size}", kind, num_relations, batch_size, num_texts)


WORKLOADS = {
    workload.name: workload
    for workload in (
        _workload("sentence", 10, 32, 64),
        _workload("sentence", 50, 32, 32),
        _workload("sentence", 100, 32, 32),
        _workload("sentence", 10, 1, 24),
        _workload("sentence", 50, 1, 12),
        _workload("sentence", 100, 1, 6),
        _workload("paragraph", 10, 32, 32),
        _workload("paragraph", 50, 32, 32),
        _workload("paragraph", 10, 1, 6),
        _workload("document100", 10, 1, 1),
        _workload("document100", 50, 1, 1),
        _workload("document200", 10, 1, 1),
    )
}


def relation_names(count: int) -> list[str]:
    """`count` different relation names of one to five words, such as "employer" or "date of first publication"."""
    composed = [f"{aspect} of {thing}" for aspect, thing in itertools.product(_ASPECTS, _OBJECTS)]
    random.Random("relation names").shuffle(composed)
    in_turn = itertools.zip_longest(_NAMES, composed)  # short and long names in turn
    names = [name for pair in in_turn for name in pair if name is not None]
    if not 0 < count <= len(names):
        raise ValueError(f"`count` must be from 1 to {len(names)}, the number of names that there are: got {count}.")
    return names[:count]


def texts_of(workload: Workload) -> list[Text]:
    """The texts that a workload reads."""
    num_entities, (low, usual, high) = KINDS[workload.kind]
    texts = []
    for index in range(workload.num_texts):
        generator = random.Random(f"{workload.kind} {index}")
        texts.append(make_text(generator, num_entities, round(generator.triangular(low, high, usual))))
    return texts


def make_text(generator: random.Random, num_entities: int, num_words: int) -> Text:
    """A text of exactly `num_words` words, full stops included, that names `num_entities` entities.

    Raises:
        ValueError: when there is no room for the entities, one word each and one between any two, and a full stop.
    """
    if num_words < 2 * num_entities or num_entities < 1:
        raise ValueError(
            f"{num_entities} entities need {2 * num_entities} words or more, one between any two and a full stop: got "
            f"num_words={num_words}. Ask for fewer entities, and for one at least."
        )
    longest = max(1, min(3, num_words // num_entities - 1))
    mentions = [_mention(generator, longest) for _ in range(num_entities)]
    spare = num_words - sum(map(len, mentions)) - num_entities  # one word in each gap is spoken for
    while spare < 0:  # shorten names where the text is too short for them
        long = next(index for index, mention in enumerate(mentions) if len(mention) > 1)
        spare, mentions[long] = spare + len(mentions[long]) - 1, mentions[long][:1]
    gaps = [0, *[1] * num_entities]  # before the first entity, between any two, and after the last
    for slot in itertools.islice(itertools.cycle(_shuffled(generator, len(gaps))), spare):
        gaps[slot] += 1
    words: list[str] = []
    spans = []
    last_stop = 0
    for gap, mention in zip(gaps, mentions, strict=False):
        if gap and len(words) - last_stop >= _SENTENCE:
            words.append(".")
            gap, last_stop = gap - 1, len(words)
        words += _filler(generator, gap)
        spans.append((len(words), len(words) + len(mention)))
        words += mention
    words += [*_filler(generator, gaps[-1] - 1), "."]
    return Text(words, spans)


def char_spans(text: Text) -> list[tuple[int, int]]:
    """The entities as half-open character spans of `" ".join(text.words)`."""
    starts = list(itertools.accumulate((len(word) + 1 for word in text.words), initial=0))
    return [(starts[first], starts[end] - 1) for first, end in text.entities]


def _shuffled(generator: random.Random, count: int) -> list[int]:
    order = list(range(count))
    generator.shuffle(order)
    return order


def _mention(generator: random.Random, longest: int) -> list[str]:
    """A name of one to `longest` words, most often a short one."""
    length = generator.choices(range(1, longest + 1), weights=[5, 4, 1][:longest])[0]
    if length == 1:
        return [generator.choice(generator.choice([_LAST, _PLACES]))]
    if length == 2:
        first, second = generator.choice([(_FIRST, _LAST), (_PLACES, _BODIES)])
        return [generator.choice(first), generator.choice(second)]
    return [generator.choice(_BODIES), "of", generator.choice(_PLACES)]


def _filler(generator: random.Random, count: int) -> list[str]:
    words: list[str] = []
    while count > len(words):
        words += generator.choice(_PHRASES_BY_LENGTH[generator.randint(1, min(5, count - len(words)))])
    return words
