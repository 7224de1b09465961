"""spaCy's DocBin, written by spaCy itself: skipped where it is not installed."""

import sys

import pytest

from glirel_transformers.data import Mention, Relation, read_documents

slow = pytest.mark.slow  # spaCy takes a second to import

WORDS = ["Ada", "\n", "met", "Bob", "Lee", "."]


@pytest.fixture
def write(tmp_path):
    spacy = pytest.importorskip("spacy", reason="a DocBin is written with spaCy, which is not a requirement")
    from spacy.tokens import Doc, DocBin, Span

    def written(relations, **settings):
        doc = Doc(spacy.blank("en").vocab, words=WORDS, spaces=[False, False, True, True, False, False])
        doc.ents = [Span(doc, 0, 1, label="PERSON"), Span(doc, 3, 5, label="PERSON")]
        if relations is not None:
            Doc.set_extension("rel", default={}, force=True)
            doc._.rel = relations
        path = tmp_path / "train.spacy"
        DocBin(docs=[doc], **{"store_user_data": True, **settings}).to_disk(path)
        return path

    return written


@slow
@pytest.mark.parametrize(
    ("relations", "expected", "is_exhaustive", "none_pairs"),
    [
        ({(0, 3): {"met": 1.0, "likes": 0.0}, (3, 0): {"met": 0.4}}, [Relation(0, 1, "met")], True, ()),
        ({(0, 3): {"met": 1.0}, (3, 0): {}}, [Relation(0, 1, "met")], False, ()),
        ({(3, 0): {"met": 0.0}}, [], False, ((1, 0),)),
        ({(0, 3): "met"}, [Relation(0, 1, "met")], False, ()),
        (None, [], False, ()),
    ],
)
def test_a_file_is_read(write, relations, expected, is_exhaustive, none_pairs):
    (document,) = read_documents(write(relations))
    assert document.words == ["Ada", "met", "Bob", "Lee", "."]
    assert document.mentions == [Mention(0, 1, "PERSON"), Mention(2, 4, "PERSON")]
    assert (document.relations, document.exhaustive, document.none_pairs) == (expected, is_exhaustive, none_pairs)
    assert (document.text, document.knows_entities) == ("Ada\nmet Bob Lee.", True)


@slow
def test_relations_need_the_data_of_users(write):
    (document,) = read_documents(write({(0, 3): {"met": 1.0}}, store_user_data=False))
    assert (document.relations, document.exhaustive) == ([], False)


@slow
@pytest.mark.parametrize(
    ("relations", "message"),
    [
        ({(0, 2): {"met": 1.0}}, "names the token 2, at which none of the entities starts"),
        ({"a": {"met": 1.0}}, "got the key 'a'"),
        ([1], "must be a dictionary of pairs"),
    ],
)
def test_what_does_not_fit_is_refused(write, relations, message):
    with pytest.raises(ValueError, match=rf"train\.spacy, document 1: .*{message}"):
        list(read_documents(write(relations)))


@slow
def test_damaged_files_are_named(tmp_path):
    pytest.importorskip("spacy")
    path = tmp_path / "bad.spacy"
    path.write_bytes(b"not a DocBin")
    with pytest.raises(ValueError, match=r"bad\.spacy: It is not a DocBin"):
        list(read_documents(path))


def test_without_spacy_the_error_names_the_cure(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "spacy.tokens", None)
    path = tmp_path / "train.spacy"
    path.write_bytes(b"")
    with pytest.raises(ImportError, match="is read with spaCy, which is not installed: pip install spacy"):
        list(read_documents(path))
