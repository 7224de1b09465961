"""The formats of benchmarks: what each says, and what it cannot say."""

import copy
import json

import benchmark_samples as samples
import pytest
import torch
from benchmark_samples import ADA, FILES

from glirel_transformers.data import Document, Mention, Relation, read_documents
from glirel_transformers.data.labels import make_labels
from glirel_transformers.data.readers import FORMATS
from glirel_transformers.data.readers.format import Reading

AT_HOME = [Mention(0, 2), Mention(4, 5)]
PAIRS = {"exhaustive": False, "entities_exhaustive": False}
TYPED = [Mention(0, 2, "PERSON"), Mention(4, 5, "CITY")]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "pid2name.json").write_text(json.dumps(samples.PID2NAME))
    return tmp_path


@pytest.fixture
def read(folder):
    """Reads the sample of a format, or another text, as its file."""

    def call(name, text=None, **options):
        file, sample = FILES[name]
        (folder / file).write_text(sample if text is None else text, encoding="utf-8")
        return list(read_documents(folder / file, **options))

    return call


def changed(record, **fields):
    return {**copy.deepcopy(record), **fields}


@pytest.mark.parametrize("name", FILES)
def test_every_format_is_known_by_its_shape_and_by_its_name(name, read, caplog):
    with caplog.at_level("INFO", "glirel_transformers.data.readers.guess"):
        guessed = read(name)
    (said,) = [record.getMessage() for record in caplog.records if record.levelname == "INFO"]
    assert f"read as {name} (it has {FORMATS[name].fields})." in said
    caplog.clear()
    assert read(name, reader=name) == guessed
    assert "INFO" not in caplog.text
    assert all(document.exhaustive for document in read(name, exhaustive=True))


def test_fewrel_has_one_known_pair_and_its_names_beside_it(read):
    first, second, third = read("fewrel")
    assert first == Document(ADA, AT_HOME, [Relation(0, 1, "residence", "P551")], **PAIRS)
    assert third.relations == [Relation(0, 1, "place of birth", "P19")]
    assert second.mentions == [
        Mention(3, 4, names=("ada king",)),
        Mention(0, 1, entity=1),
        Mention(7, 8, entity=1),
    ]
    assert second.relations == [Relation(0, 1, "residence", "P551")]


def test_fewrel_as_a_list_by_name_and_from_datasets(read, folder):
    (example,) = samples.FEWREL["P19"]
    (document,) = read("fewrel", json.dumps([{**example, "relation": "P19"}]))
    assert document.relations == [Relation(0, 1, "place of birth", "P19")]
    (document,) = read("fewrel", json.dumps({"is_a_part_of": [example]}))
    assert document.relations == [Relation(0, 1, "is_a_part_of")]
    (folder / "pid2name.json").unlink()
    sides = {
        side: {"text": name, "type": "Q1", "indices": places}
        for side, (name, _, places) in (("head", example["h"]), ("tail", example["t"]))
    }
    record = {"relation": "P19", "tokens": ADA, **sides, "names": ["place of birth", "where"]}
    (document,) = read("fewrel", json.dumps(record))
    assert document.relations == [Relation(0, 1, "place of birth", "P19")]
    with pytest.raises(ValueError, match=r"P551, document 1: Its relations are ids.*pid2name\.json there"):
        read("fewrel")


def test_wiki_zsl_has_several_edges_and_pairs_without_one(read):
    (document,) = read("wiki-zsl")
    both = [Relation(0, 1, "residence", "P551"), Relation(0, 1, "place of birth", "P19")]
    assert document == Document(ADA, AT_HOME, both, **PAIRS, none_pairs=((1, 0),))
    assert read("wiki-zsl", samples.lines(samples.WIKI_ZSL)) == [document]
    assert read("wiki-zsl", json.dumps({"1": [samples.WIKI_ZSL], "2": []})) == [document]
    vertices = changed(samples.WIKI_ZSL, vertexSet=[{"tokenpositions": [3]}, {"tokenpositions": [0, 1]}])
    (document,) = read("wiki-zsl", samples.array(vertices))
    assert document.mentions == [Mention(3, 4), Mention(0, 2), Mention(4, 5)]


def test_triplets_of_one_sentence_are_one_document(read):
    (document,) = read("relationprompt")
    both = [Relation(0, 1, "residence", "P551"), Relation(0, 1, "place of birth", "P19")]
    assert document == Document(ADA, AT_HOME, both, **PAIRS)


def test_tacred_knows_one_direction(read):
    first, second = read("tacred")
    relation = Relation(0, 1, "per:cities_of_residence")
    assert first == Document(ADA, TYPED, [relation], **PAIRS, extra={"id": "1a", "docid": "news"})
    assert (second.relations, second.none_pairs) == ([], ((0, 1),))
    labels = make_labels(second, ["residence"], torch.tensor([(0, 1), (1, 0)]))
    assert labels.tolist() == [[0], [-100]]
    (same,) = read("tacred", json.dumps([changed(samples.TACRED[0], obj_start=0, obj_end=1, obj_type="PERSON")]))
    assert same.mentions == [Mention(0, 2, "PERSON"), Mention(0, 2, "PERSON", 1)]


def test_crossre_is_whole(read):
    (document,) = read("crossre")
    mentions = [Mention(0, 2, "person"), Mention(4, 5, "location")]
    relations = [Relation(0, 1, "physical"), Relation(0, 1, "role")]
    assert document == Document(ADA, mentions, relations, extra={"doc_key": "news-dev-1"})
    (itself,) = read("crossre", samples.lines(changed(samples.CROSSRE, relations=[[0, 1, 0, 1, "named", "", 0, 0]])))
    assert itself.self_pairs


def test_scierc_has_sentences_clusters_and_knows_pairs_within_sentences(read):
    (document,) = read("scierc")
    assert document.sentences == ((0, 5), (5, 10))
    assert document.mentions == [
        Mention(0, 1, "Person", 0),
        Mention(3, 4, "Work", 1),
        Mention(9, 10, "Person"),
        Mention(5, 6, None, 0),
        Mention(7, 8, None, 1),
    ]
    assert document.relations == [Relation(0, 1, "Author-of")]
    assert not document.exhaustive
    assert document.knows_entities
    within = {(1, 0), *((a, b) for a in (2, 3, 4) for b in (2, 3, 4) if a != b)}
    assert set(document.none_pairs) == within
    one = changed(samples.SCIERC, sentences=[ADA], ner=[[[0, 1, "X"]]], relations=[[]], clusters=[])
    (single,) = read("scierc", samples.lines(one))
    assert single.exhaustive
    (bare,) = read("scierc", samples.lines({"doc_key": "x", "sentences": [ADA]}))
    assert (bare.exhaustive, bare.entities_exhaustive, bare.mentions) == (False, False, [])


def test_what_scierc_does_not_list_as_an_entity_is_counted(read, caplog):
    read("scierc")
    assert "clusters that are not among the entities, read without a type: 2" in caplog.text


def test_spert_is_half_open(read):
    (document,) = read("spert")
    mentions = [Mention(0, 2, "Peop"), Mention(4, 5, "Loc")]
    assert document == Document(ADA, mentions, [Relation(0, 1, "Live_In")], extra={"orig_id": 5121})


def test_opennre_by_words_and_by_characters(read):
    first, second, third, fourth = read("opennre")
    assert first == Document(ADA, AT_HOME, [Relation(0, 1, "residence")], **PAIRS)
    text, mentions = second.to_text()
    assert text == samples.OPENNRE[1]["text"]
    assert [text[m["start"] : m["end"]] for m in mentions] == ["Ada Lovelace", "London"]
    assert (second.relations, second.none_pairs) == ([], ((0, 1),))
    assert third.relations == [Relation(1, 0, "Cause-Effect")]
    assert fourth.relations == [Relation(0, 1, "residence", "P551")]


def test_names_of_the_new_york_times_are_entities_with_all_their_places(read, caplog):
    (document,) = read("nyt")
    words = document.words
    assert [(" ".join(words[m.start : m.end]), m.label, m.entity) for m in document.mentions] == [
        ("Ada Lovelace", "PERSON", None),
        ("London", "LOCATION", None),
        ("Ada", "PERSON", None),
        ("London Institution", "ORGANIZATION", None),
        ("Bath", "LOCATION", None),
    ]
    assert document.relations == [Relation(0, 1, "/people/person/place_lived")]
    assert document.none_pairs == ((1, 4),)
    assert "left out: names that the text does not have as whole words, with their relations: 1" in caplog.text
    caplog.clear()
    (document,) = read("casrel")
    assert document.mentions == [Mention(4, 5), Mention(0, 1, entity=1), Mention(7, 8, entity=1)]
    assert document.relations == [Relation(0, 1, "/people/person/place_lived")]
    assert "names that occur more than once, of which all places are mentions of one entity: 1" in caplog.text
    assert not document.exhaustive


def test_a_name_that_only_stands_in_longer_ones_is_found_there(read):
    (document,) = read(
        "casrel", samples.array({"text": "New York 's mayor", "triple_list": [["York", "in", "New York"]]})
    )
    assert document.mentions == [Mention(1, 2), Mention(0, 2)]


def test_conll04_in_columns(read, caplog):
    first, second = read("conll04")
    mentions = [Mention(0, 2, "Peop"), Mention(4, 5, "Loc"), Mention(6, 7, "Org")]
    relations = [Relation(0, 1, "Live_In"), Relation(0, 2, "Work_For")]
    assert first == Document([*ADA[:5], "for", "IBM"], mentions, relations, extra={"doc": "5121"})
    assert second == Document(["Rain", "."], [], [], extra={"doc": "7"})
    assert "entities that begin with I- in place of B-, and were read as such: 1" in caplog.text
    unnamed = "\n".join(line for line in samples.CONLL04.splitlines() if not line.startswith("#doc"))
    assert [document.words for document in read("conll04", unnamed)] == [first.words, second.words]


def test_conll04_as_roth_and_yih_have_it(read):
    first, second, third = read("roth")
    mentions = [Mention(0, 2, "Peop"), Mention(4, 5, "Loc")]
    words = ["Ada", "Lovelace", ",", "9/16", "London"]
    assert first == Document(words, mentions, [Relation(0, 1, "Live_In")], extra={"sentence": "19"})
    assert (second.words, second.mentions) == (["Rain"], [])
    assert (third.words, third.mentions) == (["150", ",", "000", "acres"], [Mention(0, 4, "Other")])


def test_semeval_has_the_direction_in_the_name(read, caplog):
    first, second, third = read("semeval")
    assert first.text == "The burst has been caused by water hammer pressure."
    assert first.mentions == [Mention(1, 2), Mention(8, 9)]
    assert first.relations == [Relation(1, 0, "Cause-Effect")]
    assert second.text == 'The child was wrapped into the cradle\'s "cloth".'
    assert [second.words[m.start] for m in second.mentions] == ["cradle", "child"]
    assert (second.relations, second.exhaustive) == ([], True)
    assert third.relations == [Relation(0, 1, "Entity-Origin")]
    assert [" ".join(third.words[m.start : m.end]) for m in third.mentions] == ["way", "steel"]
    assert "words that were cut where a mention begins or ends within them: 1" in caplog.text
    (unlabelled, other) = read("semeval", '1\t"<e1>a</e1> <e2>b</e2>"\n2\t"<e2>a</e2> <e1>b</e1>"\n')
    assert not unlabelled.exhaustive
    assert "whose pairs are unknown: 2 (the first: number 1)" in caplog.text
    assert other.mentions == [Mention(1, 2), Mention(0, 1)]


HEAD = samples.FEWREL["P19"][0]
WRONG = [
    ("fewrel", {"P19": [changed(HEAD, h=["ada", "Q1", [[9]]])]}, r"P19, document 1: `h\[2\]\[0\]` is from word 9"),
    ("fewrel", {"P19": [changed(HEAD, t=["x", "Q1", []])]}, "`t` has no place in the text"),
    ("fewrel", {"P1": [HEAD]}, r"'P1' has no name in .*pid2name\.json"),
    (
        "wiki-zsl",
        [{"tokens": ADA, "edgeSet": [{"left": [], "right": [1], "kbID": "P19"}]}],
        "must name the words",
    ),
    ("wiki-zsl", [changed(samples.WIKI_ZSL, edgeSet=[{"left": [0], "right": [1]}])], "The field 'kbID' is missing"),
    ("relationprompt", [{"triplets": []}], "`triplets` is empty"),
    ("tacred", [changed(samples.TACRED[0], subj_end=9)], "`subj_start` is from word 0 up to, and without, word 10"),
    ("tacred", [changed(samples.TACRED[0], subj_start=1, subj_end=0)], "its ends are inclusive"),
    ("tacred", [changed(samples.TACRED[0], subj_start="0")], "`subj_start` must be a whole number: got '0'"),
    ("tacred", [changed(samples.TACRED[0], token="Ada")], "`words` must be a list of strings: got 'Ada'"),
    ("crossre", [changed(samples.CROSSRE, relations=[[0, 0, 4, 4, "x"]])], r"no entity at \[0, 0\] \(inclusive\)"),
    ("crossre", [changed(samples.CROSSRE, ner=[[0, 1]])], r"`ner\[0\]` must be a list of first word"),
    ("scierc", [changed(samples.SCIERC, ner=[[]])], "`ner` has 1 lists, but there are 2 sentences"),
    ("scierc", [changed(samples.SCIERC, clusters=[[[0, 0]], [[0, 0]]])], r"which is also in `clusters\[0\]`"),
    (
        "spert",
        [changed(samples.SPERT, relations=[{"type": "x", "head": 0, "tail": 2}])],
        r"`relations\[0\].tail` is 2",
    ),
    (
        "spert",
        [changed(samples.SPERT, entities=[{"type": "x", "start": 1, "end": 1}])],
        "from word 1 up to, and with",
    ),
    ("opennre", [changed(samples.OPENNRE[0], h={"pos": [0]})], "`h.pos` must be where the mention begins"),
    (
        "opennre",
        [
            {
                "text": "Ada in London.",
                "h": {"name": "Ada", "pos": [0, 3]},
                "t": {"name": "London", "pos": [6, 13]},
                "relation": "x",
            }
        ],
        r"where the text has ' London', and `t.name` is 'London', which is at \[7, 13\]",
    ),
    (
        "opennre",
        [changed(samples.OPENNRE[1], h={"pos": [0, 99]})],
        r"at \(0, 99\), half-open, in a text of 39 char",
    ),
    ("nyt", [changed(samples.NYT, relationMentions=[{"em1Text": "Ada"}])], "The field 'em2Text' is missing"),
    ("casrel", [changed(samples.CASREL, triple_list=[["Ada", "x"]])], "must be a list of head, relation and tail"),
]


@pytest.mark.parametrize(("name", "content", "message"), WRONG)
def test_what_does_not_fit_is_named(name, content, message, read):
    with pytest.raises(ValueError, match=message) as raised:
        read(name, json.dumps(content), reader=name)
    assert FILES[name][0] in str(raised.value)
    assert len(str(raised.value)) < 700


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("conll04", samples.CONLL04.replace("[4, 6]", "[4]"), r"line 2: Row 1 is .* a head for each relation"),
        ("conll04", samples.CONLL04.replace("[4, 6]", "[4, 5]"), "word 5 is in no entity"),
        ("conll04", samples.CONLL04.replace("B-Loc", "Loc"), "Row 4 has the type 'Loc'"),
        ("conll04", samples.CONLL04.replace("3\tin", "in"), "Row 3 has 4 columns"),
        ("roth", samples.ROTH.replace("0\t3\tLive", "1\t3\tLive"), "needs an entity in row 1"),
        ("roth", samples.ROTH.replace("19\tO\t1\tO\t,", "19\tO\t1"), "line 2: It is .* where a row of nine columns"),
        ("semeval", samples.SEMEVAL.replace("(e2,e1)", ""), "line 1: The relation is 'Cause-Effect'"),
        ("semeval", samples.SEMEVAL.replace("</e1> has", " has"), "line 1: It must have one <e1>"),
        ("semeval", samples.SEMEVAL.replace("Comment: none", "Cause"), "line 3: It is 'Cause', where a number"),
    ],
)
def test_what_does_not_fit_in_a_text_is_named_with_its_line(name, text, message, read):
    with pytest.raises(ValueError, match=message) as raised:
        read(name, text)
    assert FILES[name][0] in str(raised.value)


@pytest.mark.parametrize("name", [name for name, form in FORMATS.items() if name in FILES and form.records is None])
def test_a_record_is_in_one_format_only(name):
    text = FILES[name][1]
    records = json.loads(text) if text[0] == "[" else None
    if name == "fewrel":
        records = [{"relation": "P19", **HEAD}]
    records = records or [json.loads(line) for line in text.splitlines()]
    for record in records:
        assert [form.name for form in FORMATS.values() if form.records is None and form.matches(record)] == [name]
        assert FORMATS[name].read(record, Reading(relation_names={"P19": "a", "P551": "b"}))
