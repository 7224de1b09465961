"""Entities found by their mentions (GLiREL, Appendix A.7): clusters, and scores of their pairs."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

from glirel_transformers import RelationExtractor
from glirel_transformers.cli import app
from glirel_transformers.coreference_glirel import connected_components
from glirel_transformers.data import read_documents
from glirel_transformers.mentions_glirel import Entity
from glirel_transformers.requests_glirel import RelationType
from glirel_transformers.scores_glirel import RelationScores

TEXT = "Ada met Bob . She liked him . Ada lives in London"
PLACES = {"She": (14, 17), "Ada": (0, 3), "Bob": (8, 11), "him": (24, 27), "London": (43, 49)}
LABELS = {"Ada": "PERSON", "She": "PRONOUN", "Bob": "PERSON", "him": None, "London": "CITY"}


def make_scores(values, names=("spouse", "SELF"), **fields):
    """Scores of five mentions; `values[head, tail]` are those of a pair."""
    entities = [Entity(*place, name, LABELS[name], i) for i, (name, place) in enumerate(PLACES.items())]
    pairs = np.array(sorted(values), dtype=np.int64).reshape(-1, 2)
    scores = np.array([values[tuple(pair)] for pair in pairs.tolist()], dtype=np.float32).reshape(-1, len(names))
    return RelationScores(TEXT, entities, [RelationType(name) for name in names], pairs, scores, 0.5, **fields)


def random_scores(seed, num_relations=3, share=1.0, self_pairs=False):
    generator = np.random.default_rng(seed)
    pairs = [pair for pair in itertools.product(range(5), repeat=2) if self_pairs or pair[0] != pair[1]]
    kept = [pair for pair in pairs if generator.random() < share]
    names = [*(f"r{i}" for i in range(num_relations - 1)), "SELF"]
    return make_scores({pair: generator.random(num_relations) for pair in kept}, names, self_pairs=self_pairs)


def brute_force(scores, clusters, how):
    """Cell by cell, from the definition."""
    found = {}
    for (h, head), (t, tail) in itertools.product(enumerate(clusters), repeat=2):
        if h == t and not scores.self_pairs:
            continue
        cells = [
            row
            for pair, row in zip(scores.pair_index.tolist(), scores.scores.tolist(), strict=True)
            if pair[0] in head and pair[1] in tail
        ]
        if cells:
            found[h, t] = [max(column) if how == "max" else sum(column) / len(column) for column in zip(*cells)]
    return found


@pytest.mark.parametrize("how", ["max", "mean"])
@pytest.mark.parametrize("self_pairs", [False, True])
@pytest.mark.parametrize("share", [1.0, 0.6, 0.1, 0.0])
def test_aggregation_equals_brute_force(how, self_pairs, share):
    for seed in range(25):
        scores = random_scores(seed, 1 + seed % 4, share, self_pairs)
        numbers = np.random.default_rng(seed).integers(0, 1 + seed % 5, 5).tolist()
        clusters = sorted([m for m in range(5) if numbers[m] == number] for number in set(numbers))
        merged = scores.merge(clusters, how)
        expected = brute_force(scores, clusters, how)
        assert [tuple(pair) for pair in merged.pair_index.tolist()] == sorted(expected)
        assert merged.scores.shape == (len(expected), scores.scores.shape[1])
        assert merged.scores.dtype == np.float32
        np.testing.assert_allclose(merged.scores, [expected[pair] for pair in sorted(expected)] or merged.scores, 1e-6)
        assert len(merged.entities) == len(clusters)
        assert merged.num_unscored_pairs == merged.num_pairs - len(expected)


def test_alone_nothing_changes():
    scores = random_scores(3, 3, 0.7)
    for merged in (scores.merge([]), scores.merge([[i] for i in range(5)], "mean")):
        assert merged.select(0.0) == scores.select(0.0)
        assert np.array_equal(merged.scores, scores.scores)


def test_clusters_are_connected_components():
    assert connected_components(6, np.array([[4, 1], [1, 0], [3, 5]])) == [[0, 1, 4], [2], [3, 5]]
    assert connected_components(2, np.zeros((0, 2), dtype=np.int64)) == [[0], [1]]
    assert connected_components(0, np.zeros((0, 2), dtype=np.int64)) == []
    for seed in range(20):
        links = np.random.default_rng(seed).integers(0, 8, (seed % 9, 2))
        clusters = connected_components(8, links)
        reached = np.eye(8, dtype=bool)
        reached[links[:, 0], links[:, 1]] = reached[links[:, 1], links[:, 0]] = True
        for _ in range(8):
            reached = reached @ reached
        assert clusters == [
            row for row, _ in itertools.groupby(sorted(np.flatnonzero(row).tolist() for row in reached))
        ]


def test_mentions_of_one_entity_are_merged_and_relate_as_one():
    # She and Ada, by one direction; Bob and him.
    values = {pair: [0.1, 0.1] for pair in itertools.permutations(range(5), 2)}
    values[1, 0], values[2, 3], values[3, 2] = [0.9, 0.8], [0.1, 0.5], [0.1, 0.9]
    values[0, 3], values[1, 4] = [0.7, 0.0], [0.2, 0.4]
    merged = make_scores(values).merge_coreferent("SELF")
    assert [[m.text for m in entity.mentions] for entity in merged.entities] == [
        ["She", "Ada"],
        ["Bob", "him"],
        ["London"],
    ]
    assert [entity.label for entity in merged.entities] == ["PRONOUN", "PERSON", "CITY"]
    (relation,) = merged.select()
    assert relation["relation"] == "spouse"
    assert relation["score"] == pytest.approx(0.7)
    assert relation["head"] == {
        "start": 14,
        "end": 17,
        "text": "She",
        "label": "PRONOUN",
        "index": 0,
        "mentions": [{"start": 14, "end": 17, "text": "She"}, {"start": 0, "end": 3, "text": "Ada"}],
    }
    assert relation["tail"]["index"] == 2
    # A higher threshold links less, and that of the type itself counts where it has one.
    assert len(make_scores(values).merge_coreferent("SELF", 0.85).entities) == 4
    own = replace(make_scores(values), relation_types=[RelationType("spouse"), RelationType("SELF", threshold=0.4)])
    assert [len(entity.mentions) for entity in own.merge_coreferent("SELF").entities] == [3, 2]


def test_the_result_is_that_of_a_relation_between_clusters_only():
    values = {pair: [0.9, 0.9] for pair in itertools.permutations(range(5), 2)}
    merged = make_scores(values).merge_coreferent("SELF")
    assert merged.select(0.0) == []
    assert merged.num_pairs == merged.num_unscored_pairs == 0
    assert [r.name for r in merged.relation_types] == ["spouse"]
    symmetric = replace(
        random_scores(1), relation_types=[RelationType("a", symmetric=True), RelationType("b"), RelationType("SELF")]
    ).merge_coreferent("SELF", 0.9)
    counts = Counter(relation["relation"] for relation in symmetric.select(0.0))
    assert counts["b"] == 2 * counts["a"]


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda s: s.merge_coreferent("SAME"), r"'SAME' was not asked for: got spouse, SELF"),
        (lambda s: s.merge_coreferent("SELF", 2.0), r"`threshold`"),
        (lambda s: s.merge([[0, 1], [1, 2]]), r"`clusters` holds 1 twice"),
        (lambda s: s.merge([[0, 7]]), r"positions of 5 entities: got 7"),
        (lambda s: s.merge([[0, 1]], "sum"), r"`aggregation` must be 'max' or 'mean': got 'sum'"),
    ],
)
def test_what_does_not_fit_is_refused(ask, message):
    with pytest.raises(ValueError, match=message):
        ask(make_scores({(0, 1): [0.1, 0.2]}))


@pytest.fixture
def finder(build_model):
    return RelationExtractor(build_model("bert", coreference_label="SELF", max_pair_distance=8))


def test_the_extractor_asks_for_the_label_and_merges(finder):
    entities = list(PLACES.values())
    asked = {"entities": entities, "relation_types": ["spouse", "lives in"]}
    plain = finder(TEXT, **{**asked, "relation_types": ["spouse", "lives in", "SELF"]}, return_scores=True)
    least = float(np.median(plain.scores[:, 2]))
    finder.model.config.threshold = least
    found = finder(TEXT, **asked, coreference=True, return_scores=True)
    expected = replace(plain, threshold=least).merge_coreferent("SELF")
    assert len(found.entities) < 5
    assert np.allclose(found.scores, expected.scores, atol=1e-6)
    assert np.array_equal(found.pair_index, expected.pair_index)
    assert found.entities == expected.entities
    assert [relation.name for relation in found.relation_types] == ["spouse", "lives in"]
    named = finder(TEXT, entities=entities, relation_types=["SELF", "spouse"], coreference=True, return_scores=True)
    assert [relation.name for relation in named.relation_types] == ["spouse"]
    assert finder(TEXT, entities=[], relation_types=["spouse"], coreference=True) == []
    assert finder(TEXT, entities=entities, relation_types=[], coreference=True) == []


def test_a_model_without_the_label_cannot(extractor):
    with pytest.raises(ValueError, match=r"`coreference` needs a model that was trained with a `coreference_label`"):
        extractor(TEXT, entities=[(0, 3), (8, 11)], relation_types=["spouse"], coreference=True)
    with pytest.raises(TypeError, match=r"coreference"):
        extractor(TEXT, entities=[(0, 3), (8, 11)], relation_types=["spouse"], coreference="yes")


def test_evidence_is_not_merged(finder):
    with pytest.raises(ValueError, match=r"`evidence` is of pairs that the model reads"):
        finder(TEXT, entities=[(0, 3), (8, 11)], relation_types=["spouse"], coreference=True, evidence=2)


def test_what_the_command_line_writes_can_be_read_again(finder, tmp_path, monkeypatch):
    finder.model.save_pretrained(tmp_path / "model")
    line = {"text": TEXT, "entities": [list(place) for place in PLACES.values()], "relation_types": ["spouse"]}
    (tmp_path / "in.jsonl").write_text(json.dumps(line) + "\n", encoding="utf-8")
    scores = np.full((16, 2), [0.6, 0.1], dtype=np.float32)  # mentions that are far apart are no pairs
    scores[0] = 0.6

    def run(self, texts, batch_size, options):
        for window in (window for text in texts for window in text.windows):
            assert len(window.pair_index) == len(scores)
            window.take_scores(scores, None)

    monkeypatch.setattr(RelationExtractor, "_run", run)
    command = [
        "extract",
        tmp_path / "in.jsonl",
        "-m",
        tmp_path / "model",
        "-o",
        tmp_path / "out.jsonl",
        "--coreference",
    ]
    result = CliRunner().invoke(app, [*map(str, command), "--threshold", "0.5"])
    assert result.exit_code == 0, result.output
    (record,) = [json.loads(one) for one in (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len(record["entities"]) == 5
    heads = [relation["head"] for relation in record["relations"]]
    assert any(len(head.get("mentions", ())) == 2 for head in heads)
    (document,) = read_documents(tmp_path / "out.jsonl")
    assert len(document.relations) == len(record["relations"])
