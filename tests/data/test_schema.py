import pytest

from glirel_transformers.data import Document, Mention, Relation

WORDS = ["Marie", "Curie", "was", "born", "in", "Warsaw", "."]


def test_a_document_survives_its_dictionary():
    document = Document(
        WORDS, [Mention(0, 2, "PERSON", 0), Mention(5, 6)], [Relation(0, 1, "place of birth", "P19")], False, "test"
    )
    assert Document.from_dict(document.to_dict()) == document


def test_optional_fields_may_be_left_out():
    record = {
        "words": WORDS,
        "mentions": [{"start": 0, "end": 2}, {"start": 5, "end": 6}],
        "relations": [{"head": 0, "tail": 1, "relation_type": "place of birth"}],
    }
    document = Document.from_dict(record)
    assert document.exhaustive


@pytest.mark.parametrize(
    ("mentions", "relations", "message"),
    [
        ([(0, 0)], [], r"`mentions\[0\]` is \(0, 0\) in a text of 7 words"),
        ([(0, 1), (6, 8)], [], r"`mentions\[1\]` is \(6, 8\)"),
        ([(0, 2), (5, 6)], [(0, 2, "x")], r"The tail of `relations\[0\]` is 2, but there are 2 mentions"),
        ([(0, 2), (5, 6)], [(1, 1, "x")], r"joins mention 1 to itself"),
        ([(0, 2), (5, 6)], [(0, 1, " ")], r"The type of `relations\[0\]` is ' '"),
    ],
)
def test_what_does_not_fit_is_refused(mentions, relations, message):
    with pytest.raises(ValueError, match=message):
        Document(WORDS, [Mention(*m) for m in mentions], [Relation(*r) for r in relations])


def test_words_that_are_not_a_list_are_refused():
    with pytest.raises(TypeError, match="`words` must be a list of strings: got 'Marie'"):
        Document("Marie", [], [])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"relation": []}, r"`document` has the field 'relation', which looks like 'relations'"),
        ({"mentions": [{"start": 0}]}, r"`mentions\[0\]` lacks \['end'\]"),
        ({"relations": [{"head": 0, "tail": 1, "type": "x"}]}, r"`relations\[0\]` lacks \['relation_type'\]"),
    ],
)
def test_fields_that_are_missing_or_unknown_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        Document.from_dict({"words": WORDS, "mentions": [], "relations": [], **change})


def test_coreference_joins_the_mentions_of_one_entity_both_ways():
    document = Document(WORDS, [Mention(0, 1, entity=4), Mention(1, 2, entity=4), Mention(5, 6, entity=7)], [])
    joined = document.with_coreference("SELF")
    assert {(r.head, r.tail, r.relation_type) for r in joined.relations} == {(0, 1, "SELF"), (1, 0, "SELF")}
    assert joined.with_coreference("SELF") == joined
    assert document.relations == []


def test_coreference_leaves_documents_without_entities_alone():
    document = Document(WORDS, [Mention(0, 1), Mention(1, 2)], [])
    assert document.with_coreference("SELF") is document


TEXT = "Marie  Curie was born\nin Warsaw."
ENTITIES = [{"start": 0, "end": 12, "label": "PERSON"}, {"start": 25, "end": 31, "label": None}]


def test_a_text_survives_being_split_into_words():
    document = Document.from_text(TEXT, ENTITIES, [Relation(0, 1, "place of birth")], source="test", history=["ok"])
    assert document.words == WORDS
    assert document.mentions == [Mention(0, 2, "PERSON"), Mention(5, 6)]
    assert Document.from_dict(document.to_dict()) == document
    assert document.to_text() == (TEXT, ENTITIES)


def test_without_its_text_a_document_has_spaces_between_words():
    text, entities = Document(WORDS, [Mention(5, 6, "CITY")], []).to_text()
    assert text == "Marie Curie was born in Warsaw ."
    assert [(text[e["start"] : e["end"]], e["label"]) for e in entities] == [("Warsaw", "CITY")]


def test_an_entity_that_cuts_a_word_is_refused():
    with pytest.raises(ValueError, match=r"`entities\[0\]` is \(0, 3\), 'Mar', which does not start and end on word"):
        Document.from_text(TEXT, [{"start": 0, "end": 3}], [])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Marie Curie born", r"`words\[2\]` is 'was', where the text has 'born'"),
        (f"{TEXT} And so on.", "continues after the last word: 'And so on.'"),
    ],
)
def test_a_text_of_other_words_is_refused(text, message):
    with pytest.raises(ValueError, match=message):
        Document(WORDS, [], [], text=text)


def test_entities_of_several_mentions_go_both_ways_without_loss():
    text = "Marie Curie met Pierre. She left Pierre."
    entities = [
        {"mentions": [(0, 11), (24, 27)], "label": "PERSON"},
        {"mentions": [(16, 22), (33, 39)], "label": "PERSON"},
    ]
    document = Document.from_text(text, entities, [Relation(0, 1, "spouse")])
    assert [mention.entity for mention in document.mentions] == [0, 0, 1, 1]
    assert document.entities == [[0, 1], [2, 3]]
    assert document.to_entities() == (text, entities, [Relation(0, 1, "spouse")])
    assert Document.from_dict(document.to_dict()) == Document.from_dict(
        Document.from_dict(document.to_dict()).to_dict()
    )
    found, given, relations = Document.from_dict(document.to_dict()).to_entities()
    assert Document.from_text(found, given, relations) == document


def test_mentions_of_unknown_entities_stay_mentions():
    text, entities = "A met B.", [{"start": 0, "end": 1, "label": None}, {"start": 6, "end": 7, "label": "X"}]
    document = Document.from_text(text, entities, [Relation(1, 0, "knows")])
    assert document.to_entities() == (text, entities, [Relation(1, 0, "knows")])


def test_an_entity_relates_to_itself_where_it_may():
    text, entities = "A met B.", [{"start": 0, "end": 1}, {"start": 6, "end": 7}]
    with pytest.raises(ValueError, match=r"joins mention 0 to itself.*or set `self_pairs`"):
        Document.from_text(text, entities, [Relation(0, 0, "admires")])
    document = Document.from_text(text, entities, [Relation(0, 0, "admires")], self_pairs=True)
    assert Document.from_dict(document.to_dict()).self_pairs


def test_sentences_of_a_text_are_given_by_characters():
    text = " Marie left. She came back! "
    document = Document.from_text(text, [], [], title="A journey", sentences=[(0, 13), (13, 13), (13, 28)])
    assert document.sentences == ((0, 3), (3, 3), (3, 7))
    assert Document.from_dict(document.to_dict()) == document
    assert Document.from_text("A. ", [], [], sentences=[(0, 2), (2, 3)]).sentences == ((0, 2), (2, 2))


@pytest.mark.parametrize(
    ("sentences", "message"),
    [
        ([(0, 3)], r"`sentences\[0\]` is \(0, 3\), 'Mar', which does not start and end on word boundaries"),
        ([(0, 99)], r"`sentences\[0\]` is \(0, 99\) in a text of 32 characters"),
        ([(13, 32), (0, 12)], r"`sentences\[1\]` is \(0, 2\) in a text of 7 words, after a sentence that ends at 7"),
    ],
)
def test_sentences_that_do_not_fit_are_refused(sentences, message):
    with pytest.raises(ValueError, match=message):
        Document.from_text(TEXT, [], [], sentences=sentences)


@pytest.mark.parametrize(
    ("sentences", "evidence", "message"),
    [
        (
            ((0, 7),),
            (1,),
            r"`relations\[0\]` has the evidence \[1\], where 1 is not a sentence.*counted from 0 to 0\.",
        ),
        ((), (-1,), r"where -1 is not a sentence of the document\. Sentences are counted from 0\."),
        ((), (4, 4), r"has the evidence \[4, 4\], which repeats a sentence"),
    ],
)
def test_evidence_that_does_not_fit_is_refused(sentences, evidence, message):
    with pytest.raises(ValueError, match=message):
        Document(WORDS, [Mention(0, 2), Mention(5, 6)], [Relation(0, 1, "x", evidence=evidence)], sentences=sentences)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"sentences": ["Marie was born."]},
            r"`sentences` must be a list of word spans, such as \[\[0, 7\], \[7, 12\]\]",
        ),
        ({"sentences": [[0, 7, 9]]}, "`sentences` must be a list of word spans"),
        ({"sentences": 3}, "`sentences` must be a list: got 3"),
        ({"mentions": [{"start": 0, "end": 2, "names": [1]}]}, r"`mentions\[0\]\.names` must be a list of strings"),
    ],
)
def test_sentences_and_names_of_other_types_are_refused(change, message):
    with pytest.raises(TypeError, match=message):
        Document.from_dict({"words": WORDS, "mentions": [], "relations": [], **change})


def test_fields_of_others_that_look_like_rare_ones_do_not_disturb():
    Document.from_dict({"words": WORDS, "mentions": [], "relations": [], "sentence": "Marie was born."})


def test_types_that_were_looked_for_survive_and_hold_all_that_are_there():
    fields = {"annotated_entity_types": ["PERSON", "FILM"], "annotated_relation_types": ["knows"]}
    record = {"words": ["Ada"], "mentions": [{"start": 0, "end": 1, "label": "PERSON"}], "relations": [], **fields}
    document = Document.from_dict(record)
    assert document.annotated_entity_types == ("PERSON", "FILM")
    assert document.annotated_relation_types == ("knows",)
    assert Document.from_dict(document.to_dict()) == document
    unset = Document.from_dict({**record, **dict.fromkeys(fields)})
    assert unset.annotated_entity_types is unset.annotated_relation_types is None
    related = {"relations": [{"head": 0, "tail": 0, "relation_type": "likes"}], "self_pairs": True}
    with pytest.raises(ValueError, match=r"`relations\[0\]` is of the type 'likes', which is not among the `annot"):
        Document.from_dict({**record, **related})
    with pytest.raises(ValueError, match=r"`mentions\[0\]` is of the type 'PERSON', which is not among the"):
        Document.from_dict({**record, "annotated_entity_types": []})
    with pytest.raises(TypeError, match="`annotated_entity_types` must be a list of strings"):
        Document.from_dict({**record, "annotated_entity_types": [1]})
    by_characters = Document.from_text("Ada", [{"start": 0, "end": 3, "label": "PERSON"}], [], **fields)
    assert by_characters.annotated_entity_types == document.annotated_entity_types
    assert by_characters.annotated_relation_types == document.annotated_relation_types
