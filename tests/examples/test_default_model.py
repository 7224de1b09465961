"""Data of the default model: what is put into annotated sentences, and what is kept out of training."""

from __future__ import annotations

import importlib.util
import json
import lzma
import random
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from tiny import make_base_tokenizer, make_encoder_config
from transformers import AutoModel

from glirel_transformers import RelationExtractor
from glirel_transformers.data import Document, Mention, Relation, read_documents

FOLDER = Path(__file__).parents[2] / "examples" / "default_model"


@pytest.fixture(scope="module")
def prepare():
    spec = importlib.util.spec_from_file_location("prepare_default_model", FOLDER / "prepare.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look there
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def vocabulary(prepare):
    return prepare.Vocabulary.read(prepare.RELATIONS)


def document(text, mentions, relations=(), **fields):
    return Document(text.split(), [Mention(*m) for m in mentions], [Relation(*r) for r in relations], **fields)


def facts(one):
    return {(r.head, r.relation_type, r.tail) for r in one.relations}


def test_relations_have_their_inverses_under_one_name(vocabulary):
    text = "Acme , of Rome , is a subsidiary of Big ."
    given = [(0, 1, "headquarters"), (0, 2, "subsidiary of"), (2, 0, "subsidiary")]
    found = vocabulary.complete(document(text, [(0, 1), (3, 4), (9, 10)], given, none_pairs=((1, 0), (1, 2))))
    assert facts(found) == {
        (0, "headquarters location", 1),
        (1, "place with the headquarters of", 0),
        (0, "parent organization", 2),
        (2, "subsidiary", 0),
    }
    assert found.none_pairs == ((1, 2),)
    siblings = vocabulary.complete(document("Ada and Bob", [(0, 1), (2, 3)], [(0, 1, "sibling")]))
    assert facts(siblings) == {(0, "sibling", 1), (1, "sibling", 0)}
    unknown = vocabulary.complete(document("Ada and Bob", [(0, 1), (2, 3)], [(0, 1, "knows")]))
    assert facts(unknown) == {(0, "knows", 1)}


def test_each_name_means_one_relation_and_none_is_of_an_evaluation_set(vocabulary):
    names = [name for wordings in vocabulary.wordings.values() for name in wordings]
    names += [*vocabulary.wordings, *vocabulary.inverse]
    assert not {name for name in names if name in vocabulary.canonical and name in vocabulary.inverse}
    for name, others in vocabulary.wordings.items():
        assert not set(others) & set(vocabulary.wordings), name
    # FewRel's test relations, and those of CoNLL04, CrossRE and SemEval-2010, as they are asked for there.
    evaluated = {
        "child", "mother", "spouse", "part of", "member of", "follows", "sport", "crosses", "constellation",
        "military rank", "competition class", "voice type", "main subject", "located in", "lives in", "works for",
        "killed",
        "organization based in", "role", "origin", "named", "usage", "topic", "physical", "causes", "originates from",
        "is produced by", "is contained in", "is a member of", "is a component of", "is about topic", "is moved into",
    }  # fmt: skip
    assert not evaluated & {name.lower() for name in names}


def test_names_that_were_left_out_are_marked_unless_they_share_a_place(prepare):
    text = "Ada Lovelace was born in London , Kent , and later met Charles Babbage at Trinity College in 1833 ."
    one = document(text, [(0, 2), (5, 6)], [(0, 1, "place of birth")])
    found = [" ".join(one.words[m.start : m.end]) for m in prepare.distractors(one)]
    assert found == ["Charles Babbage", "Trinity College", "1833"]  # and not Kent, where she was born as well
    added = prepare.with_distractors(one, random.Random(0))
    assert added.mentions[:2] == one.mentions
    assert len(added.mentions) == 5
    assert added.relations == one.relations


def test_many_mentions_are_reduced_to_those_that_are_related(prepare):
    words = " ".join(f"w{i}" for i in range(40))
    one = document(words, [(i, i + 1) for i in range(40)], [(30, 5, "knows"), (7, 30, "met")], none_pairs=((5, 30),))
    found = prepare.reduced(one, random.Random(0))
    assert len(found.mentions) == prepare.MAX_MENTIONS
    starts = [m.start for m in found.mentions]
    assert {(starts[r.head], r.relation_type, starts[r.tail]) for r in found.relations} == {
        (30, "knows", 5),
        (7, "met", 30),
    }
    assert [(starts[a], starts[b]) for a, b in found.none_pairs] == [(5, 30)]
    assert not found.knows_entities
    assert prepare.reduced(replace(one, mentions=one.mentions[:31]), random.Random(0)).relations


def test_development_relations_and_domains_are_kept_out(prepare, vocabulary):
    born = document("Ada was born in Rome", [(0, 1), (4, 5)], [(0, 1, "place of birth")], source="redocred")
    inverse = document("Rome saw Ada", [(0, 1), (2, 3)], [(0, 1, "birthplace of")], source="redocred")
    known = document(
        "Ada lived in Rome", [(0, 1), (3, 4)], [(0, 1, "residence"), (0, 1, "likes")], source="knowledgenet"
    )
    genre = document("X is rock", [(0, 1), (2, 3)], [(0, 1, "genre")], source="fewrel64")
    software = document("R is free", [(0, 1)], source="somesci")
    other = document("X is rock", [(0, 1), (2, 3)], [(0, 1, "colour")], source="dart")
    parts = prepare.divide([born, inverse, known, genre, software, other], vocabulary)
    assert {name: len(part) for name, part in parts.items()} == {"train": 1, "people": 1, "software": 1, "fewrel": 1}
    assert facts(parts["people"][0]) == {(0, "residence", 1)}


@pytest.fixture
def data(tmp_path):
    """The normalised files, with a document or two in each."""
    data = tmp_path / "data"
    for folder in ("train", "meta"):
        (data / folder).mkdir(parents=True)
    (data / "meta" / "ner_label_sets.json").write_text(
        json.dumps({"wnut": {"types": ["person", "city"], "exhaustive": True}})
    )
    ends = [{"mention": "", "position": [at, at], "type": "Q1"} for at in (0, 4)]
    relation = {"head": ends[0], "tail": ends[1], "relation_id": "P19", "relation_text": "place of birth"}
    records = {
        "train_permissive": [
            {
                "tokenized_text": ["Ada", "was", "born", "in", "London", "before", "Bob"],
                "ner": [[0, 0, "Q1", ""], [4, 4, "Q2", ""]],
                "relations": [relation],
                "source": "fewrel64",
            }
        ],
        "rel_permissive_more": [],
        "ner_permissive": [
            {"tokenized_text": ["Ada", "sang"], "ner": [[0, 0, "person", "Ada"]], "relations": [], "source": "wnut"}
        ],
    }
    for name, lines in records.items():
        with lzma.open(data / f"train/{name}.jsonl.xz", "wt") as file:
            file.writelines(json.dumps(line) + "\n" for line in lines)
    return data


@pytest.mark.slow
def test_the_script_reads_the_normalised_files(encoder_folder, run, tmp_path, data):
    result = run(
        "default_model/prepare.py", "--data", data, "--output", tmp_path / "out", "--encoder", encoder_folder("bert"),
        "--versions", 1,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr[-3000:]
    by_source = {one.source: one for one in read_documents(tmp_path / "out" / "train.jsonl.xz")}
    assert [m.label for m in by_source["fewrel64"].mentions] == [None] * 3  # Bob as well
    assert facts(by_source["fewrel64"]) == {(0, "place of birth", 1), (1, "birthplace of", 0)}
    assert by_source["wnut"].annotated_entity_types == ("person", "city")
    assert by_source["wnut"].knows_entities
    written = [one for one in read_documents(tmp_path / "out" / "train.jsonl.xz") if "written/" in (one.source or "")]
    assert len(written) > 2000
    assert all(one.annotated_relation_types and one.knows_entities for one in written)
    kept_out = list(read_documents(tmp_path / "out" / "field.general_01.jsonl.xz"))
    assert len(kept_out) == 30
    assert not {tuple(one.words) for one in kept_out} & {tuple(one.words) for one in written}
    near = json.loads((tmp_path / "out" / "hard_negatives.json").read_text())
    assert near == {"place of birth": ["birthplace of"], "birthplace of": ["place of birth"]}
    assert "birthplace" in json.loads((tmp_path / "out" / "wordings.json").read_text())["place of birth"]


@pytest.mark.sweep
def test_all_stages_end_in_a_checkpoint_that_extracts(run, tmp_path, data):
    encoder, length = tmp_path / "encoder", 2048  # its tokens are letters
    AutoModel.from_config(make_encoder_config("bert", max_position_embeddings=length)).save_pretrained(encoder)
    tokenizer = make_base_tokenizer("bert")
    tokenizer.model_max_length = length
    tokenizer.save_pretrained(encoder)
    options = ("--data", data, "--encoder", encoder, "--output", tmp_path / "runs", "--small")
    for _ in range(2):  # the second time all is there
        result = run("default_model/run.py", *options)
        assert result.returncode == 0, result.stderr[-3000:]
    extract = RelationExtractor(str(tmp_path / "runs" / "model"))
    found = extract("Ada was born in London.", entity_types=["person"], relation_types=["place of birth"])
    assert isinstance(found, list)
