import sys

import pytest
from tiny import make_base_tokenizer, make_encoder_config
from transformers import BertForTokenClassification

from glirel_transformers.ner import HEURISTIC, load_entity_recognizer

TEXT = (
    "In Paris Marie Curie met Pierre Curie of the University of Paris. Their prize of 1903, worth 70,000 francs, "
    "came on 7 November 1911. Sony's founder gave 25.5% to Leonardo da Vinci and Ada Lovelace."
)


def test_the_heuristic_finds_names_dates_and_numbers():
    found = load_entity_recognizer(HEURISTIC)(TEXT)
    assert [(TEXT[entity["start"] : entity["end"]], entity["label"]) for entity in found] == [
        ("Paris Marie Curie", "NAME"),  # a heuristic
        ("Pierre Curie", "NAME"),
        ("University of Paris", "NAME"),
        ("1903", "DATE"),
        ("70,000", "NUMBER"),
        ("7 November 1911", "DATE"),
        ("Sony", "NAME"),
        ("25.5%", "NUMBER"),
        ("Leonardo da Vinci", "NAME"),
        ("Ada Lovelace", "NAME"),
    ]
    assert load_entity_recognizer(HEURISTIC)("nothing here. The, and then.") == []


def test_a_token_classifier_reads_a_long_text_to_its_end(tmp_path):
    tokenizer = make_base_tokenizer("bert")
    model = BertForTokenClassification(make_encoder_config("bert", id2label={0: "PER", 1: "LOC"}, num_labels=2))
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    recognize = load_entity_recognizer(str(tmp_path))
    text = "Marie was born in Warsaw. " * 40  # longer than the model reads
    found = recognize(text)
    assert found[-1]["end"] > 800  # of 1,040 characters; cut, it would be about 330
    assert {entity["label"] for entity in found} <= {"PER", "LOC"}
    assert recognize(" ") == []


@pytest.mark.parametrize(("name", "package"), [("spacy:en_core_web_sm", "spacy"), ("gliner:owner/name", "gliner")])
def test_a_package_that_is_missing_is_named(monkeypatch, name, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=f"pip install {package}"):
        load_entity_recognizer(name)


def test_spacy_models_are_loaded(tmp_path):
    spacy = pytest.importorskip("spacy")
    nlp = spacy.blank("en")
    nlp.add_pipe("entity_ruler").add_patterns([{"label": "CITY", "pattern": "Paris"}])
    nlp.to_disk(tmp_path)
    assert load_entity_recognizer(f"spacy:{tmp_path}")("In Paris.") == [{"start": 3, "end": 8, "label": "CITY"}]


def test_labels_are_for_gliner_only():
    with pytest.raises(ValueError, match="Only GLiNER is asked for entity types"):
        load_entity_recognizer(HEURISTIC, labels=["person"])


def test_a_model_that_finds_entities_reads_a_long_text_in_windows(joint_model, tmp_path):
    joint_model.save_pretrained(tmp_path / "joint")
    recognize = load_entity_recognizer(
        str(tmp_path / "joint"), entity_types={"person": {"threshold": 0.2}, "city": None}, entity_threshold=0.3
    )
    text = "Marie was born in Warsaw. " * 40  # longer than the model reads
    found = recognize(text)
    assert found[-1]["end"] > 900
    assert {entity["label"] for entity in found} <= {"person", "city"}
    assert all(text[entity["start"] : entity["end"]] == entity["text"] for entity in found)
    assert recognize("") == recognize(" ") == []
    assert load_entity_recognizer(str(tmp_path / "joint"), ["person"])(text)


def test_what_a_recogniser_of_this_package_needs(joint_model, shared_model, tmp_path):
    joint_model.save_pretrained(tmp_path / "joint")
    shared_model.save_pretrained(tmp_path / "given")
    with pytest.raises(ValueError, match=r"name them, entity_types=\['person', 'city'\]"):
        load_entity_recognizer(str(tmp_path / "joint"))
    with pytest.raises(ValueError, match="relates entities and does not find them"):
        load_entity_recognizer(str(tmp_path / "given"), ["person"])
    with pytest.raises(ValueError, match="for models of this package that find entities: 'heuristic' is not one"):
        load_entity_recognizer(HEURISTIC, overlap="nested")
