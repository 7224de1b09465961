"""Protocols, with figures that were worked out by hand, and baselines."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from transformers import AutoModel, AutoTokenizer

from glirel_transformers import RelationExtractor
from glirel_transformers.data import Document, Mention, Relation
from glirel_transformers.evaluation import (
    BASELINES,
    PROTOCOLS,
    Baseline,
    Classification,
    DocumentLevel,
    EndToEnd,
    Extraction,
    FewShot,
    Majority,
    Random,
    TrainFacts,
    classification_figures,
    make_baseline,
    read_splits,
    sample_documents,
    sample_per_type,
)


class Scripted(Baseline):
    """Scores that are written down: `{("Ann", "Bob"): {"met": 0.9}}`; all others are 0.1."""

    name = "scripted"

    def __init__(self, written):
        super().__init__(threshold=0.5)
        self.written = written

    def score(self, texts, relation_types):
        return [
            np.array(
                [[self.written.get(pair, {}).get(name, 0.1) for name in relation_types] for pair in one.pairs],
                dtype=np.float32,
            ).reshape(len(one.pairs), len(relation_types))
            for one in texts
        ]


@pytest.fixture
def documents():
    rome = Document(
        ["Ann", "met", "Bob", "in", "Rome", "."],
        [Mention(0, 1), Mention(2, 3), Mention(4, 5)],
        [Relation(0, 1, "met"), Relation(0, 2, "visited")],
    )
    eve = Document(
        ["Eve", "saw", "Max", "."], [Mention(0, 1), Mention(2, 3)], [Relation(0, 1, "met")], exhaustive=False
    )
    return [rome, eve]


@pytest.fixture
def scripted():
    return Scripted(
        {
            ("Ann", "Bob"): {"met": 0.9, "visited": 0.6},  # right, and wrong on a pair with another relation
            ("Bob", "Ann"): {"met": 0.8},  # the wrong direction
            ("Ann", "Rome"): {"visited": 0.3},  # missed
            ("Rome", "Bob"): {"visited": 0.7},  # wrong on a pair without a relation
            ("Eve", "Max"): {"met": 0.7},  # right
            ("Max", "Eve"): {"met": 0.9},  # not known to be wrong
        }
    )


# Extraction


def test_extraction_counts_every_pair(documents, scripted):
    result = Extraction().run(scripted, documents)
    assert (result.protocol, result.entities, result.model) == ("extraction", "gold", "baseline:scripted")
    # met: 2 right of 3 predicted and 2 gold; visited: none right of 2 predicted and 1 gold
    assert result.figures == pytest.approx(
        {
            "micro_precision": 2 / 5,
            "micro_recall": 2 / 3,
            "micro_f1": 1 / 2,
            "macro_precision": 1 / 3,
            "macro_recall": 1 / 2,
            "macro_f1": 0.8 / 2,
        }
    )
    assert result.beside == {}
    assert result.num_gold == 3
    assert any("whether one holds is unknown" in note for note in result.notes)


def test_the_original_leaves_out_pairs_without_a_relation(documents, scripted):
    result = Extraction(pairs="annotated").run(scripted, documents)
    assert result.figures["micro_f1"] == pytest.approx(1 / 2)  # the honest figure stays
    # Of (Ann, Bob), (Ann, Rome) and (Eve, Max): 2 right of 3 predicted and 3 gold; met is perfect
    assert result.beside == {
        "annotated pairs alone": pytest.approx(
            {
                "micro_precision": 2 / 3,
                "micro_recall": 2 / 3,
                "micro_f1": 2 / 3,
                "macro_precision": 1 / 2,
                "macro_recall": 1 / 2,
                "macro_f1": 1 / 2,
            }
        )
    }


def test_cells_say_all_that_was_decided(documents, scripted):
    result = Extraction().run(scripted, documents)
    cells = result.cells()
    assert len(cells.label) == 6 * 2 + 1 * 2  # one pair of the second document is known
    wrong = cells.predicted & (cells.label == 0)
    met = result.relation_types.index("met")
    shown = {
        (int(d), int(h), int(t), result.relation_types[r], int(reverse))
        for d, h, t, r, reverse in zip(
            cells.document[wrong],
            cells.head[wrong],
            cells.tail[wrong],
            cells.relation[wrong],
            cells.reverse[wrong],
            strict=True,
        )
    }
    assert shown == {(0, 0, 1, "visited", 0), (0, 1, 0, "met", 1), (0, 2, 1, "visited", 0)}
    right = cells.predicted & (cells.label == 1)
    assert cells.relation[right].tolist() == [met, met]
    assert result.cells(threshold=0.85).predicted.sum() == 1
    assert result.documents[0].entities[2].text == "Rome"


def test_gold_relations_of_pairs_that_are_not_scored_are_cells_without_a_score(build_model, documents):
    near = RelationExtractor(build_model("bert", max_pair_distance=3))
    for group_size in (None, 1):
        result = Extraction(threshold=0.0, group_size=group_size, pairs="annotated").run(near, documents)
        cells = result.cells()
        assert np.isnan(cells.probability).tolist().count(True) == 1  # Ann and Rome
        assert not cells.predicted[np.isnan(cells.probability)].any()
        counted = result.counts.by_type().sum(0).tolist()
        right = cells.predicted & (cells.label == 1)
        assert [right.sum(), cells.predicted.sum(), (cells.label == 1).sum()] == counted
        assert result.beside["annotated pairs alone"]["micro_recall"] == pytest.approx(2 / 3)


def test_the_threshold_is_fitted_on_other_documents(documents, scripted):
    result = Extraction(fit_on=documents).run(scripted, documents)
    assert result.fitted["relations"].f1 == pytest.approx(2 / 3)
    assert 0.1 < result.threshold < 0.9
    assert result.num_fitted_on == 2
    with pytest.raises(ValueError, match="No threshold can be fitted"):
        Extraction(fit_on=[Document(["a"], [], [])], relation_types=["met"]).run(scripted, documents)


# Documents


def test_facts_between_entities(scripted):
    document = Document(
        ["Ann", "met", "Bob", ".", "She", "saw", "Rome", "."],
        [Mention(0, 1, entity=0), Mention(2, 3, entity=1), Mention(4, 5, entity=0), Mention(6, 7, entity=2)],
        [Relation(0, 1, "met"), Relation(2, 3, "visited")],
    )
    train = Document(["Ann", "met", "Bob"], [Mention(0, 1), Mention(2, 3)], [Relation(0, 1, "met")])
    result = DocumentLevel(train_facts=TrainFacts([train])).run(scripted, [document])
    # Predicted: Ann met Bob (right, and stated in training), Ann visited Bob, Bob met Ann, Rome visited Bob; gold: 2
    expected = {"precision": 1 / 4, "recall": 1 / 2, "f1": 1 / 3, "ign_precision": 0, "ign_f1": 0}
    assert {name: result.figures[name] for name in expected} == pytest.approx(expected)
    assert (result.protocol, result.by_entity, result.num_gold) == ("document", True, 2)
    assert [one.text for one in result.documents[0].entities] == ["Ann", "Bob", "Rome"]
    plain = DocumentLevel(pairs="annotated").run(scripted, [document])
    assert "ign_f1" not in plain.figures
    # Of Ann and Bob, and Ann and Rome: 1 right of 2 predicted and 2 gold
    assert plain.beside["annotated pairs alone"]["f1"] == pytest.approx(1 / 2)


# Classification


def test_figures_of_classification_by_hand():
    found = classification_figures(list("aaabbc"), list("aabbaa"))
    # a: 2 right of 4 predicted and 3 gold; b: 1 of 2 and 2; c: never predicted
    assert found == pytest.approx(
        {
            "macro_precision": (1 / 2 + 1 / 2 + 0) / 3,
            "macro_recall": (2 / 3 + 1 / 2 + 0) / 3,
            "macro_f1": (4 / 7 + 1 / 2 + 0) / 3,
            "accuracy": 3 / 6,
            "zsbert_f1": 7 / 16,  # of precision 1/2, over the two types that are predicted, and recall 7/18
            "pairs": 6,
        }
    )


def a_document(number, relation_type, **fields):
    words = [f"Ann{number}", "and", f"Bob{number}", "."]
    return Document(words, [Mention(0, 1), Mention(2, 3)], [Relation(0, 1, relation_type, **fields)])


@pytest.fixture
def of_types():
    return [a_document(number, f"type {number % 6}", relation_id=f"P{number % 6}") for number in range(12)]


def test_published_splits(of_types, tmp_path):
    for name, test in {"2_ori": ["P0", "P1"], "2_40": ["P1", "P9"], "3_ori": ["P5", "P4", "P2"]}.items():
        record = {"train": {"P7": 0}, "eval": {}, "test": {one: place for place, one in enumerate(test)}}
        (tmp_path / f"mine_rel2id_{name}.json").write_text(json.dumps(record))
    splits = read_splits(tmp_path)
    assert [(split.name, split.relation_ids) for split in splits] == [
        ("40", ("P1", "P9")),
        ("ori", ("P0", "P1")),
        ("ori", ("P5", "P4", "P2")),
    ]
    # Of P0 and P1, Ann0 and Ann7 are right; Ann6 and Ann1 are taken for the other one.
    scripted = Scripted(
        {
            ("Ann0", "Bob0"): {"type 0": 0.9},
            ("Ann6", "Bob6"): {"type 1": 0.9},
            ("Ann1", "Bob1"): {"type 0": 0.9, "type 5": 1.0},  # which does not compete
            ("Ann7", "Bob7"): {"type 1": 0.9},
        }
    )
    result = Classification(splits=splits).run(scripted, of_types)
    assert [(run.row, run.run) for run in result.runs] == [("m = 2", "split ori"), ("m = 3", "split ori")]
    assert result.runs[0].figures == pytest.approx(
        dict.fromkeys(("macro_precision", "macro_recall", "macro_f1", "accuracy", "zsbert_f1"), 1 / 2) | {"pairs": 4}
    )
    assert result.runs[0].relation_types == ["type 0", "type 1"]
    assert result.runs[1].figures["accuracy"] == pytest.approx(1 / 3)  # all are equal, so that the first is taken
    assert result.runs[1].relation_types == ["type 5", "type 4", "type 2"]
    assert "1 of the 3 splits are left out" in result.notes[0]
    assert "'40' with m = 2 (1, such as P9)" in result.notes[0]
    assert result.figures["m = 2: macro_f1"] == pytest.approx(1 / 2)
    with pytest.raises(ValueError, match="None of the 1 splits can be tested"):
        Classification(splits=splits[:1]).run(scripted, of_types)


def test_files_that_are_not_splits(tmp_path):
    with pytest.raises(FileNotFoundError, match="There is no folder"):
        read_splits(tmp_path / "none")
    (tmp_path / "inside").mkdir()
    with pytest.raises(ValueError, match=r"has no \.json files of zero-shot splits\. Name one of its folders: inside"):
        read_splits(tmp_path)
    (tmp_path / "other.json").write_text('{"train": {}}')
    with pytest.raises(ValueError, match="is not a zero-shot split: expected a JSON object whose 'test'"):
        read_splits(tmp_path)


def test_types_are_drawn_by_seeds(of_types):
    result = Classification(unseen=[2, 6], seeds=[0, 1, 2]).run(Random(), of_types)
    drawn = [(run.row, tuple(run.relation_types)) for run in result.runs]
    assert [row for row, _ in drawn] == ["m = 2"] * 3 + ["m = 6"]  # all six are all, whatever the seed
    assert len({types for row, types in drawn if row == "m = 2"}) > 1
    assert all(run.figures["pairs"] == 2 * len(run.relation_types) for run in result.runs)
    spread = result.summary()["m = 2"]["accuracy"]
    values = [run.figures["accuracy"] for run in result.runs[:3]]
    assert spread.mean == pytest.approx(np.mean(values))
    assert spread.deviation == pytest.approx(np.std(values, ddof=1))
    by_default = Classification().run(Random(), of_types)
    assert {run.row for run in by_default.runs} == {"m = 5"}
    assert "There are 6 relation types, so that m is 5" in by_default.notes[0]
    with pytest.raises(ValueError, match=r"7 relation types cannot be drawn from 6\. Choose 2 to 6"):
        Classification(unseen=[7]).run(Random(), of_types)
    with pytest.raises(ValueError, match="nothing to classify: got 1 documents with relations of 1 types"):
        Classification().run(Random(), of_types[:1])


def test_what_holds_as_well_does_not_compete():
    document = Document(
        ["Ann", "and", "Bob"],
        [Mention(0, 1), Mention(2, 3)],
        [Relation(0, 1, "a"), Relation(0, 1, "b"), Relation(1, 0, "c")],
    )
    scripted = Scripted({("Ann", "Bob"): {"a": 0.5, "b": 0.9, "c": 0.4}, ("Bob", "Ann"): {"a": 0.8, "c": 0.9}})
    (run,) = Classification(unseen=[3]).run(scripted, [document, document]).runs
    assert run.figures["accuracy"] == 1
    assert [scored.position for scored in run.documents] == [0, 1]
    cells = run.cells()
    assert len(cells.label) == 2 * (2 + 2 + 3)
    assert (cells.predicted == (cells.label == 1)).all()


def test_a_model_classifies_long_and_short_texts(shared_model, of_types):
    extract = RelationExtractor(shared_model)
    result = Classification(candidates=3, seeds=[0, 1]).run(extract, of_types)
    assert [(run.row, run.run) for run in result.runs] == [("best of 3", "seed 0"), ("best of 3", "seed 1")]
    assert result.summary()["best of 3"]["macro_f1"].runs == 2
    for run in result.runs:
        cells = run.cells()
        assert len(cells.label) == 3 * len(of_types)
        assert (cells.predicted & (cells.label == 1)).sum() / len(of_types) == run.figures["accuracy"]


# Few-shot


def test_samples_of_documents_are_nested(of_types):
    assert sample_documents(of_types, 5, 3)[:2] == sample_documents(of_types, 2, 3)
    assert sample_documents(of_types, 5, 3) != sample_documents(of_types, 5, 4)
    with pytest.raises(ValueError, match="13 documents cannot be drawn from 12"):
        sample_documents(of_types, 13, 0)


def test_samples_per_type_have_enough_of_each(of_types):
    rich = [*of_types, Document(["Ann", "Bob"], [Mention(0, 1), Mention(1, 2)], [Relation(0, 1, "rare")])]
    for number in (1, 2):
        chosen = sample_per_type(rich, number, 0)
        counts = [one.relation_type for document in chosen for one in document.relations]
        assert {name: counts.count(name) for name in counts} == {"rare": 1, **{f"type {i}": number for i in range(6)}}
    assert sample_per_type(rich, 0, 0) == []
    assert set(map(id, sample_per_type(rich, 1, 0))) < set(map(id, sample_per_type(rich, 2, 0)))


def test_runs_are_kept_and_not_done_again(documents, scripted, tmp_path):
    trained = []

    def train(sample, seed, name):
        trained.append((len(sample), seed, name))
        return Scripted({("Ann", "Bob"): {"met": 0.9}, ("Eve", "Max"): {"met": 0.9 if seed else 0.1}})

    def protocol(**settings):
        return FewShot(
            measure=Extraction(), train=train, train_documents=documents, folder=tmp_path, seeds=[0, 1], **settings
        )

    result = protocol(shots=[0, 1]).run(scripted, documents)
    assert trained == [(1, 0, "1-0"), (1, 1, "1-1")]
    # 0: as it is; 1: 1 right of 1 predicted and 3 gold, or 2 of 2
    assert [run.figures["micro_f1"] for run in result.runs] == pytest.approx([1 / 2, 2 / 4, 4 / 5])
    again = protocol(shots=[0, 1, "all"]).run(scripted, documents)
    assert trained[2:] == [(2, 0, "all-0"), (2, 1, "all-1")]
    assert [run.figures for run in again.runs[:3]] == [run.figures for run in result.runs]
    table = json.loads((tmp_path / "results.json").read_text())["table"]
    assert [(row["row"], row["runs"]) for row in table] == [("0", 1), ("1", 2), ("all", 2)]
    assert table[1]["micro_f1"]["mean"] == pytest.approx(65)
    assert table[1]["micro_f1"]["deviation"] == pytest.approx(30 / 2**0.5)
    assert "| 1 | " in (tmp_path / "results.md").read_text()
    with pytest.raises(ValueError, match="3 documents cannot be drawn from 2"):
        protocol(shots=[3]).run(scripted, documents)


# Baselines


def test_random_scores_are_the_same_in_any_order(documents):
    one = Extraction(relation_types=["met", "visited"]).run(Random(), documents).documents
    other = Extraction(relation_types=["visited", "met"]).run(Random(), documents[::-1]).documents
    np.testing.assert_array_equal(one[0].probabilities, other[1].probabilities[:, ::-1])
    third = Extraction(relation_types=["met", "visited"]).run(Random(seed=1), documents).documents
    assert (one[0].probabilities != third[0].probabilities).all()


def test_the_majority_is_counted_where_it_may_be(documents):
    result = Extraction(fit_on=documents[1:]).run(Majority(), documents)
    scores = dict(zip(result.relation_types, result.documents[0].probabilities[0].tolist(), strict=True))
    assert scores == {"met": 1, "visited": 0}
    assert not any("measured on" in note for note in result.notes)
    own = Extraction().run(Majority(), documents)
    assert any("in the data that it is measured on" in note for note in own.notes)
    assert own.documents[0].probabilities[0].tolist() == pytest.approx([2 / 3, 1 / 3])


def test_a_bag_of_words_prefers_names_whose_words_are_there():
    pytest.importorskip("sklearn")
    documents = [
        Document(
            ["Ann", "is", "the", "mother", "of", "Bob"], [Mention(0, 1), Mention(5, 6)], [Relation(0, 1, "mother")]
        ),
        Document(["Ann", "plays", "sport"], [Mention(0, 1), Mention(2, 3)], [Relation(0, 1, "sport_played")]),
    ]
    (run,) = Classification(unseen=[2]).run(make_baseline("bag-of-words"), documents).runs
    assert run.figures["macro_f1"] == 1
    scores = {name: run.documents[0].probabilities[0, place] for place, name in enumerate(run.relation_types)}
    assert scores["sport_played"] == 0


@pytest.fixture
def encoder(encoder_folder):
    return encoder_folder("bert")


def test_embeddings_are_means_also_of_texts_that_are_too_long(encoder):
    baseline = make_baseline("sentence-embeddings", embeddings=str(encoder))
    model, tokenizer = AutoModel.from_pretrained(encoder).eval(), AutoTokenizer.from_pretrained(encoder)
    text = "Marie Curie was born in Warsaw."
    with torch.inference_mode():
        hidden = model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0]
    expected = torch.nn.functional.normalize(hidden.mean(0), dim=0)
    torch.testing.assert_close(baseline.embed([text, "Tokyo"])[0], expected, atol=1e-5, rtol=0)
    long = baseline.embed([text + " Tokyo hosts Sony." * 200])[0]
    assert long.norm() == pytest.approx(1, abs=1e-5)
    assert not torch.allclose(long, baseline.embed([text + " Tokyo hosts Sony." * 20])[0], atol=1e-6)


def test_embeddings_see_the_pair_unless_entities_weigh_nothing(encoder, documents):
    baseline = make_baseline("sentence-embeddings", embeddings=str(encoder))
    scores = Extraction().run(baseline, documents).documents[0].probabilities
    assert not np.allclose(scores[0], scores[1])
    assert ((scores >= 0) & (scores <= 1)).all()
    baseline.entity_weight = 0
    scores = Extraction().run(baseline, documents).documents[0].probabilities
    np.testing.assert_allclose(scores[0], scores[1], atol=1e-6)


def test_baselines_that_cannot_be(documents):
    with pytest.raises(ValueError, match="There is no baseline 'best'"):
        make_baseline("best")
    with pytest.raises(ValueError, match="needs an encoder of sentences"):
        make_baseline("sentence-embeddings")
    with pytest.raises(ValueError, match="--embeddings is for the baseline sentence-embeddings, and not for random"):
        make_baseline("random", embeddings="somewhere")
    with pytest.raises(OSError, match="There is no folder 'nowhere'"):
        make_baseline("sentence-embeddings", embeddings="nowhere")
    with pytest.raises(ValueError, match="The baseline random finds no entities"):
        EndToEnd().run(Random(), documents)


def test_texts_without_pairs_have_no_cells(documents):
    empty = Document(["Nothing", "here", "."], [], [])
    lone = Document(["Ann", "sleeps", "."], [Mention(0, 1)], [])
    result = Extraction().run(Random(), [empty, *documents, lone])
    assert [len(scored.pair_index) for scored in result.documents] == [0, 6, 2, 0]
    assert len(result.cells().label) == 14


def test_names_of_protocols_and_baselines():
    assert list(PROTOCOLS) == ["classification", "extraction", "end-to-end", "document", "few-shot"]
    assert list(BASELINES) == ["bag-of-words", "sentence-embeddings", "random", "majority"]
