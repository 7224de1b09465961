"""A small file in each format of benchmarks, written for these tests."""

import json

PID2NAME = {"P19": ["place of birth", "where somebody was born"], "P551": ["residence", "where somebody lives"]}
ADA = ["Ada", "Lovelace", "lived", "in", "London", "."]


def array(*records):
    return json.dumps(records)


def lines(*records):
    return "".join(json.dumps(record) + "\n" for record in records)


FEWREL = {
    "P551": [
        {"tokens": ADA, "h": ["ada lovelace", "Q7259", [[0, 1]]], "t": ["london", "Q84", [[4]]]},
        {
            "tokens": ["London", ",", "where", "Ada", "lives", ",", "is", "London"],
            "h": ["ada king", "Q7259", [[3]]],
            "t": ["london", "Q84", [[0], [7]]],
        },
    ],
    "P19": [{"tokens": ADA, "h": ["ada lovelace", "Q7259", [[0, 1]]], "t": ["london", "Q84", [[4]]]}],
}
WIKI_ZSL = {
    "tokens": ADA,
    "edgeSet": [
        {"left": [0, 1], "right": [4], "kbID": "P551"},
        {"left": [4], "right": [0, 1], "kbID": "P0"},
        {"left": [0, 1], "right": [4], "kbID": "P19"},
    ],
}
TRIPLETS = {
    "triplets": [
        {"tokens": ADA, "head": [0, 1], "tail": [4], "label_id": "P551", "label": "residence"},
        {"tokens": ADA, "head": [0, 1], "tail": [4], "label_id": "P19", "label": "place of birth"},
    ]
}
TACRED = [
    {
        "id": "1a",
        "docid": "news",
        "relation": "per:cities_of_residence",
        "token": ADA,
        **{"subj_start": 0, "subj_end": 1, "subj_type": "PERSON", "obj_start": 4, "obj_end": 4, "obj_type": "CITY"},
        "stanford_pos": ["NNP", "NNP", "VBD", "IN", "NNP", "."],
    },
    {
        "id": "1b",
        "relation": "no_relation",
        "token": ADA,
        **{"subj_start": 4, "subj_end": 4, "subj_type": "CITY", "obj_start": 0, "obj_end": 1, "obj_type": "PERSON"},
    },
]
CROSSRE = {
    "doc_key": "news-dev-1",
    "sentence": ADA,
    "ner": [[0, 1, "person"], [4, 4, "location"]],
    "relations": [[0, 1, 4, 4, "physical", "lived in", False, False], [0, 1, 4, 4, "role", "", True, False]],
}
SCIERC = {
    "doc_key": "ada",
    "sentences": [["Ada", "wrote", "a", "program", "."], ["She", "tested", "it", "with", "Babbage"]],
    "ner": [[[0, 0, "Person"], [3, 3, "Work"]], [[9, 9, "Person"]]],
    "relations": [[[0, 0, 3, 3, "Author-of"]], []],
    "clusters": [[[0, 0], [5, 5]], [[3, 3], [7, 7]]],
    "predicted_ner": [[], []],
}
SPERT = {
    "tokens": ADA,
    "entities": [{"type": "Peop", "start": 0, "end": 2}, {"type": "Loc", "start": 4, "end": 5}],
    "relations": [{"type": "Live_In", "head": 0, "tail": 1}],
    "orig_id": 5121,
}
OPENNRE = [
    {
        "token": ADA,
        "h": {"name": "Ada Lovelace", "id": "Q7259", "pos": [0, 2]},
        "t": {"name": "London", "id": "Q84", "pos": [4, 5]},
        "relation": "residence",
    },
    {
        "text": "Ada Lovelace's pre-war home was London.",
        "h": {"name": "Ada Lovelace", "pos": [0, 12]},
        "t": {"name": "London", "pos": [32, 38]},
        "relation": "NA",
    },
    {"text": "A b", "h": {"pos": [0, 1]}, "t": {"pos": [2, 3]}, "relation": "Cause-Effect(e2,e1)"},
    {"token": ADA, "h": {"pos": [0, 2]}, "t": {"pos": [4, 5]}, "relation": "P551"},
]
NYT = {
    "sentText": "Ada Lovelace left London , where Ada 's mother lived , for the London Institution of Bath .",
    "articleId": "1",
    "entityMentions": [
        {"start": 0, "label": "PERSON", "text": "Ada Lovelace"},
        {"start": 1, "label": "LOCATION", "text": "London"},
        {"start": 2, "label": "PERSON", "text": "Ada"},
        {"start": 3, "label": "ORGANIZATION", "text": "London Institution"},
        {"start": 4, "label": "LOCATION", "text": "Bath"},
    ],
    "relationMentions": [
        {"em1Text": "Ada Lovelace", "em2Text": "London", "label": "/people/person/place_lived"},
        {"em1Text": "London", "em2Text": "Bath", "label": "None"},
        {"em1Text": "Ada", "em2Text": "Paris", "label": "/people/person/place_lived"},
    ],
}
CASREL = {
    "text": "London is large . Ada lived in London .",
    "triple_list": [["Ada", "/people/person/place_lived", "London"]],
}
CONLL04 = """#doc 5121
0\tAda\tB-Peop\t['N']\t[0]
1\tLovelace\tI-Peop\t['Live_In', 'Work_For']\t[4, 6]
2\tlived\tO\t['N']\t[2]
3\tin\tO\t['N']\t[3]
4\tLondon\tB-Loc\t['N']\t[4]
5\tfor\tO\t['N']\t[5]
6\tIBM\tI-Org\t['N']\t[6]
#doc 7
0\tRain\tO\t['N']\t[0]
1\t.\tO\t['N']\t[1]
"""
ROTH = """19\tPeop\t0\tO\tNNP/NNP\tAda/Lovelace\tO\tO\tO
19\tO\t1\tO\t,\tCOMMA\tO\tO\tO
19\tO\t2\tO\tCD\t9/16\tO\tO\tO
19\tLoc\t3\tO\tNNP\tLondon\tO\tO\tO

0\t3\tLive_In

20\tO\t0\tO\tNN\tRain\tO\tO\tO


21\tOther\t0\tO\tCD/,/CD/NNS\t150/COMMA/000/acres\tO\tO\tO
"""
SEMEVAL = """1\t"The <e1>burst</e1> has been caused by water hammer <e2>pressure</e2>."
Cause-Effect(e2,e1)
Comment: none

2\t"The <e2>child</e2> was wrapped into the <e1>cradle</e1>'s "cloth"."
Other
Comment:

3\t"A sub<e1>way</e1> is made of <e2> steel </e2>."
Entity-Origin(e1, e2)
"""

GLIDRE = {
    "id": 12,
    "tokenized_text": ADA,
    "mentions": [
        {"id": 7, "type": "PER", "mentions": [{"value": "Ada Lovelace", "start": 0, "end": 1}]},
        {
            "id": 3,
            "type": "",
            "mentions": [{"value": "London", "start": 4, "end": 4}, {"value": "there", "start": 3, "end": 3}],
        },
    ],
    "relations": [[7, "residence", 3]],
}

FILES = {
    "fewrel": ("val_wiki.json", json.dumps(FEWREL)),
    "wiki-zsl": ("wiki_train_new.json", array(WIKI_ZSL)),
    "relationprompt": ("test.jsonl", lines(TRIPLETS)),
    "tacred": ("train.json", array(*TACRED)),
    "crossre": ("news-dev.json", lines(CROSSRE)),
    "scierc": ("dev.json", lines(SCIERC)),
    "spert": ("conll04_train.json", array(SPERT)),
    "opennre": ("wiki80_val.txt", lines(*OPENNRE)),
    "nyt": ("raw_train.json", lines(NYT)),
    "casrel": ("train_triples.json", array(CASREL)),
    "conll04": ("train.txt", CONLL04),
    "roth": ("conll04.corp", ROTH),
    "glidre": ("validation.json", array(GLIDRE)),
    "semeval": ("TRAIN_FILE.TXT", SEMEVAL),
}
