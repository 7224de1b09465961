import pytest


def entity(text, label=None, start=0):
    return {"start": start, "end": start + len(text), "text": text, "label": label, "index": 0}


def relation(head, name, tail, score):
    return {"head": head, "relation": name, "tail": tail, "score": score}


CURIE, WARSAW, PARIS = entity("Marie Curie", "PERSON"), entity("Warsaw", "CITY", 24), entity("Paris", "CITY")
NAMELESS, ODD = entity("Warsaw"), entity('"Łódź",\n50 % <a:b> / \\x\'', "PLACE: old")


@pytest.fixture
def records():
    return [
        {
            "id": 7,
            "text": "Marie Curie was born in Warsaw.",
            "entities": [CURIE, WARSAW, PARIS],
            "relations": [relation(CURIE, "place of birth", WARSAW, 0.97), relation(CURIE, "spouse", CURIE, 0.1)],
            "source": "a.jsonl",
            "line": 1,
        },
        {"error": "no JSON", "source": "a.jsonl", "line": 2},
        {"text": "Nothing.", "entities": [], "relations": [], "source": "a.jsonl", "line": 3},
        {
            "text": "…",
            "entities": [CURIE, ODD, NAMELESS],
            "relations": [
                relation(CURIE, "place of birth", WARSAW, 0.5),  # Warsaw is not among the entities here
                relation(ODD, 'is "in"', NAMELESS, None),
            ],
        },
    ]
