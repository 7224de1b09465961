"""Texts to begin with, and ready-made sets of relations."""

from __future__ import annotations

from dataclasses import dataclass

from glirel_transformers.relation_syntax import read_relation_lines

from .session import Entity


@dataclass(frozen=True)
class Example:
    """A text with its entities and the relations to ask for."""

    text: str
    entities: tuple[Entity, ...]
    relation_lines: str


def _example(text: str, marks: list[tuple[str, str]], relation_lines: str) -> Example:
    """`marks` name entities in the order of the text."""
    entities, position = [], 0
    for surface, label in marks:
        start = text.index(surface, position)
        entities.append(Entity(start, start + len(surface), label))
        position = start
    read_relation_lines(relation_lines)
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
        "Insulin is a hormone that is produced by the beta cells of the pancreas. It was isolated at the University "
        "of Toronto in 1921 by Frederick Banting and Charles Best.",
        [
            ("Insulin", "SUBSTANCE"),
            ("hormone", "CLASS"),
            ("beta cells", "CELL"),
            ("pancreas", "ORGAN"),
            ("University of Toronto", "ORGANIZATION"),
            ("1921", "DATE"),
            ("Frederick Banting", "PERSON"),
            ("Charles Best", "PERSON"),
        ],
        "subclass of: SUBSTANCE -> CLASS\npart of: CELL -> ORGAN\ndiscoverer or inventor: SUBSTANCE -> PERSON\n"
        "employer: PERSON -> ORGANIZATION",
    ),
    "History": _example(
        "The Inn, a tributary of the Danube, rises in Switzerland. In 1809 Andreas Hofer led the Tyrolean Rebellion "
        "against Bavaria, and was executed in Mantua the year after.",
        [
            ("Inn", "RIVER"),
            ("Danube", "RIVER"),
            ("Switzerland", "COUNTRY"),
            ("1809", "DATE"),
            ("Andreas Hofer", "PERSON"),
            ("Tyrolean Rebellion", "EVENT"),
            ("Bavaria", "COUNTRY"),
            ("Mantua", "CITY"),
        ],
        "mouth of the watercourse: RIVER -> RIVER\ncountry: -> COUNTRY\nparticipant in: PERSON -> EVENT\n"
        "place of death: PERSON -> CITY",
    ),
    "Sport": _example(
        "Lionel Messi left Barcelona in 2021 and signed for Paris Saint-Germain. A year later he won the World Cup "
        "with Argentina in Qatar.",
        [
            ("Lionel Messi", "PERSON"),
            ("Barcelona", "TEAM"),
            ("2021", "DATE"),
            ("Paris Saint-Germain", "TEAM"),
            ("Paris", "CITY"),
            ("World Cup", "EVENT"),
            ("Argentina", "TEAM"),
            ("Qatar", "COUNTRY"),
        ],
        "member of sports team: PERSON -> TEAM\nparticipating team: EVENT -> TEAM\ncountry: EVENT -> COUNTRY\n"
        "headquarters location: TEAM -> CITY",
    ),
    "Medicine": _example(
        "Aspirin is used to treat fever and headache, but it may cause bleeding of the stomach. It was first sold in "
        "1899 by Bayer, a company in Leverkusen.",
        [
            ("Aspirin", "DRUG"),
            ("fever", "CONDITION"),
            ("headache", "CONDITION"),
            ("bleeding of the stomach", "CONDITION"),
            ("stomach", "ORGAN"),
            ("1899", "DATE"),
            ("Bayer", "ORGANIZATION"),
            ("Leverkusen", "CITY"),
        ],
        "medical condition treated: DRUG -> CONDITION\nhas effect: DRUG -> CONDITION\n"
        "manufacturer: DRUG -> ORGANIZATION\nheadquarters location: ORGANIZATION -> CITY",
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
