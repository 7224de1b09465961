"""Texts to start with, and ready-made sets of relations."""

from __future__ import annotations

from dataclasses import dataclass

from .values import Entity


@dataclass(frozen=True)
class Example:
    """A text with its entities and the relations to ask for."""

    text: str
    entities: tuple[Entity, ...]
    relation_lines: str


def _example(text: str, marks: list[tuple[str, str]], relation_lines: str) -> Example:
    """`marks` are the entities, in the order of the text."""
    entities, position = [], 0
    for surface, label in marks:
        start = text.index(surface, position)
        entities.append(Entity(start, start + len(surface), label))
        position = start
    return Example(text, tuple(sorted(entities, key=lambda e: (e.start, -e.end))), relation_lines)


EXAMPLES = {
    "Biography": _example(
        "Marie Curie was born in Warsaw and studied at the University of Paris. In 1895 she married the physicist "
        "Pierre Curie, with whom she discovered polonium and radium.",
        [
            ("Marie Curie", "PERSON"),
            ("Warsaw", "CITY"),
            ("University of Paris", "ORGANIZATION"),
            ("1895", "DATE"),
            ("Pierre Curie", "PERSON"),
            ("polonium", "SUBSTANCE"),
            ("radium", "SUBSTANCE"),
        ],
        "place of birth: PERSON -> CITY\neducated at: PERSON -> ORGANIZATION\nspouse: PERSON <-> PERSON\n"
        "discoverer or inventor: SUBSTANCE -> PERSON",
    ),
    "Company news": _example(
        "Spotify was founded in Stockholm in 2006 by Daniel Ek and Martin Lorentzon. In 2019 the company bought "
        "Gimlet Media, a podcast producer based in Brooklyn.",
        [
            ("Spotify", "ORGANIZATION"),
            ("Stockholm", "CITY"),
            ("2006", "DATE"),
            ("Daniel Ek", "PERSON"),
            ("Martin Lorentzon", "PERSON"),
            ("Gimlet Media", "ORGANIZATION"),
            ("Brooklyn", "CITY"),
        ],
        "founded by: ORGANIZATION -> PERSON\nheadquarters location: ORGANIZATION -> CITY\n"
        "subsidiary: ORGANIZATION -> ORGANIZATION\ninception: ORGANIZATION -> DATE",
    ),
    "Science": _example(
        "Alexander Fleming discovered penicillin in 1928 at St Mary's Hospital in London. Ernst Chain, who was born "
        "in Berlin, later made it a medicine at the University of Oxford.",
        [
            ("Alexander Fleming", "PERSON"),
            ("penicillin", "SUBSTANCE"),
            ("1928", "DATE"),
            ("St Mary's Hospital", "ORGANIZATION"),
            ("London", "CITY"),
            ("Ernst Chain", "PERSON"),
            ("Berlin", "CITY"),
            ("University of Oxford", "ORGANIZATION"),
        ],
        "discoverer or inventor: SUBSTANCE -> PERSON\nwork location: PERSON -> CITY\nplace of birth: PERSON -> CITY\n"
        "location: ORGANIZATION -> CITY",
    ),
    "History": _example(
        "In 1815 Napoleon was defeated by the Duke of Wellington at Waterloo, a town in Belgium. He died on Saint "
        "Helena, an island in the Atlantic Ocean.",
        [
            ("1815", "DATE"),
            ("Napoleon", "PERSON"),
            ("Duke of Wellington", "PERSON"),
            ("Waterloo", "CITY"),
            ("Belgium", "COUNTRY"),
            ("Saint Helena", "LOCATION"),
            ("Atlantic Ocean", "LOCATION"),
        ],
        "country: CITY -> COUNTRY\nplace of death: PERSON -> CITY, LOCATION\n"
        "located in or next to body of water: LOCATION -> LOCATION\nopponent: PERSON <-> PERSON",
    ),
    "Sport": _example(
        "Lionel Messi left Barcelona in 2021 and signed for Paris Saint-Germain, a team in Ligue 1. A year later he "
        "won the World Cup with Argentina.",
        [
            ("Lionel Messi", "PERSON"),
            ("Barcelona", "TEAM"),
            ("2021", "DATE"),
            ("Paris Saint-Germain", "TEAM"),
            ("Paris", "CITY"),
            ("Ligue 1", "LEAGUE"),
            ("World Cup", "EVENT"),
            ("Argentina", "TEAM"),
        ],
        "member of sports team: PERSON -> TEAM\nleague: TEAM -> LEAGUE\nparticipating team: EVENT -> TEAM\n"
        "headquarters location: TEAM -> CITY",
    ),
    "Medicine": _example(
        "Ibuprofen treats pain and fever. It was found by Stewart Adams, who worked for Boots in Nottingham. Boots "
        "was founded by John Boot.",
        [
            ("Ibuprofen", "DRUG"),
            ("pain", "CONDITION"),
            ("fever", "CONDITION"),
            ("Stewart Adams", "PERSON"),
            ("Boots", "ORGANIZATION"),
            ("Nottingham", "CITY"),
            ("John Boot", "PERSON"),
        ],
        "medical condition treated: DRUG -> CONDITION\nmanufacturer: DRUG -> ORGANIZATION\n"
        "founded by: ORGANIZATION -> PERSON\nheadquarters location: ORGANIZATION -> CITY",
    ),
}

RELATION_SETS = {
    "People": "place of birth: PERSON -> CITY, COUNTRY, LOCATION\nplace of death: PERSON -> CITY, COUNTRY, LOCATION\n"
    "educated at: PERSON -> ORGANIZATION\nemployer: PERSON -> ORGANIZATION\nspouse: PERSON <-> PERSON\n"
    "child: PERSON -> PERSON\nsibling: PERSON <-> PERSON\noccupation: PERSON ->",
    "Companies": "founded by: ORGANIZATION -> PERSON\nheadquarters location: ORGANIZATION -> CITY, COUNTRY\n"
    "chief executive officer: ORGANIZATION -> PERSON\nsubsidiary: ORGANIZATION -> ORGANIZATION\n"
    "owned by: ORGANIZATION -> ORGANIZATION, PERSON\nproduct or material produced: ORGANIZATION ->",
    "Works": "author: WORK -> PERSON\ndirector: WORK -> PERSON\ncast member: WORK -> PERSON\n"
    "composer: WORK -> PERSON\nperformer: WORK -> PERSON\npublication date: WORK -> DATE",
    "Places": "country: -> COUNTRY\ncapital of: CITY -> COUNTRY\nlocated in: -> CITY, COUNTRY, LOCATION\n"
    "shares border with: COUNTRY <-> COUNTRY\ntributary: RIVER -> RIVER",
    "Medicine": "medical condition treated: DRUG -> CONDITION\nhas effect: DRUG -> CONDITION\n"
    "symptom of: CONDITION -> CONDITION\npart of: -> ORGAN\nmanufacturer: DRUG -> ORGANIZATION",
}
