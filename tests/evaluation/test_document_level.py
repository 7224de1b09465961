"""Facts between entities: F1 and Ign F1 against a scorer that was written independently, from DocRED's definition."""

import json
import random

import pytest

from glirel_transformers import RelationExtractionPipeline
from glirel_transformers.data import Document, Mention, Relation, read_documents
from glirel_transformers.evaluation import TrainFacts, evaluate_extraction, fact_scores

NAMES = ["Ada", "Alan", "Marie Curie", "Rome", "Paris", "Sony"]
RELATIONS = {"P1": "met", "P2": "born in", "P3": "friend"}


@pytest.fixture(scope="module")
def extract(shared_model):
    return RelationExtractionPipeline(shared_model)


def random_record(rng, title):
    """A document of DocRED with three to five entities, which share names with those of other documents."""
    sents, vertex_set = [], [[] for _ in range(rng.randint(3, 5))]
    for entity, mentions in enumerate(vertex_set):
        for _ in range(rng.randint(1, 3)):
            name, before = rng.choice(NAMES), ["word"] * rng.randint(0, 2)
            words = name.split()
            pos = [len(before), len(before) + len(words)]
            mentions.append({"name": name, "sent_id": len(sents), "pos": pos, "type": "X", "entity": entity})
            sents.append([*before, *words, "."])
    facts = {(*rng.sample(range(len(vertex_set)), 2), rng.choice(list(RELATIONS))) for _ in range(rng.randint(1, 5))}
    labels = [{"h": head, "t": tail, "r": name, "evidence": []} for head, tail, name in sorted(facts)]
    return {"title": title, "sents": sents, "vertexSet": vertex_set, "labels": labels}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Records of training and of the test, and the same as documents."""
    folder = tmp_path_factory.mktemp("docred")
    (folder / "rel_info.json").write_text(json.dumps(RELATIONS))
    rng = random.Random(5)
    found = []
    for name, number in (("train", 6), ("test", 10)):
        records = [random_record(rng, f"{name} {index}") for index in range(number)]
        (folder / f"{name}.json").write_text(json.dumps(records))
        found.append((records, list(read_documents(folder / f"{name}.json"))))
    return found


def docred(train, truth, predictions):
    """F1 and Ign F1 of predictions `(document, head, tail, id)`, from the records alone."""
    stated = {
        (h["name"], t["name"], label["r"])
        for record in train
        for label in record["labels"]
        for h in record["vertexSet"][label["h"]]
        for t in record["vertexSet"][label["t"]]
    }
    gold = {(number, x["h"], x["t"], x["r"]) for number, record in enumerate(truth) for x in record["labels"]}
    right = right_in_train = 0
    for number, head, tail, relation in predictions:
        if (number, head, tail, relation) not in gold:
            continue
        right += 1
        vertices = truth[number]["vertexSet"]
        right_in_train += any(
            (h["name"], t["name"], relation) in stated for h in vertices[head] for t in vertices[tail]
        )
    precision, recall = right / len(predictions), right / len(gold)
    ign_precision = (right - right_in_train) / (len(predictions) - right_in_train)
    return {
        "f1": 2 * precision * recall / (precision + recall),
        "ign_f1": 2 * ign_precision * recall / (ign_precision + recall),
        "num_right_in_train": right_in_train,
    }


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("group_size", [None, 2])
def test_it_agrees_with_a_scorer_of_its_own(extract, corpus, share, group_size):
    (train, train_documents), (test, documents) = corpus
    observed = []
    options = {"by_entity": True, "train_facts": TrainFacts(train_documents), "group_size": group_size}
    result = evaluate_extraction(extract, documents, observe=observed.append, **options)
    cells = sorted((float(score) for scores in observed for score in scores.scores.flat), reverse=True)
    threshold = cells[int(share * (len(cells) - 1))]
    id_of = {name: relation_id for relation_id, name in RELATIONS.items()}
    predictions = {
        (number % len(test), head, tail, id_of[relation.name])
        for number, scores in enumerate(observed)
        for row, (head, tail) in enumerate(scores.pair_index.tolist())
        for column, relation in enumerate(scores.relation_types)
        if scores.scores[row, column] >= threshold
    }
    expected = docred(train, test, predictions)
    found = result.facts(threshold)
    assert {name: found[name] for name in expected} == pytest.approx(expected)
    assert found["num_predicted"] == len(predictions)
    assert found["num_gold"] == sum(len(record["labels"]) for record in test)
    assert found["num_right_in_train"] > 0
    assert found["ign_f1"] < found["f1"] == pytest.approx(result.counts.averages(threshold)["micro_f1"])


def test_the_counts_of_pairs_are_of_entities(extract, corpus):
    _, (records, documents) = corpus
    result = evaluate_extraction(extract, documents, by_entity=True)
    sizes = [len(record["vertexSet"]) for record in records]
    assert result.num_pairs == sum(size * (size - 1) for size in sizes)
    assert (result.num_unknown_pairs, result.num_self_relations, result.num_train_facts) == (0, 0, None)
    assert "ign_f1" not in result.facts()
    mentions = evaluate_extraction(extract, documents)
    assert mentions.num_pairs > result.num_pairs
    assert not mentions.by_entity


WORDS = ["Ada", "met", "Alan", ".", "She", "met", "Rome", "."]
MENTIONS = [Mention(0, 1, entity=0), Mention(2, 3, entity=1), Mention(4, 5, entity=0), Mention(6, 7)]


def test_one_fact_between_several_mentions_counts_once(extract):
    relations = [Relation(0, 1, "met"), Relation(2, 1, "met", "P1"), Relation(2, 3, "met")]
    document = Document(WORDS, MENTIONS, relations)
    facts = evaluate_extraction(extract, [document], by_entity=True, threshold=0.0).facts()
    assert (facts["num_right"], facts["num_predicted"], facts["num_gold"]) == (2, 6, 2)


def test_two_entities_of_the_same_words_are_two(extract):
    """As DocRED has them, in some documents: what is said of one is not thereby right, or unknown, of the other."""
    mentions = [Mention(0, 1, entity=0), Mention(2, 3, entity=1), Mention(2, 3, entity=2)]
    document = Document(WORDS, mentions, [Relation(0, 1, "met")])
    result = evaluate_extraction(extract, [document], by_entity=True, threshold=0.0)
    facts = result.facts()
    assert (facts["num_right"], facts["num_predicted"], facts["num_gold"]) == (1, 6, 1)
    assert result.num_elsewhere == 0


def test_what_is_unknown_or_not_asked_for_counts_as_between_mentions(extract):
    relations = [Relation(0, 1, "met"), Relation(0, 2, "same as"), Relation(1, 3, "visited")]
    document = Document(WORDS, MENTIONS, relations, exhaustive=False)
    result = evaluate_extraction(extract, [document], ["met", "same as"], by_entity=True, threshold=0.0)
    assert (result.num_pairs, result.num_unknown_pairs) == (6, 4)
    assert (result.num_self_relations, result.num_missed_relations, result.num_unasked_relations) == (1, 0, 1)
    assert (result.facts()["num_right"], result.facts()["num_gold"]) == (1, 2)
    asking = evaluate_extraction(
        extract, [document], ["met", "same as"], by_entity=True, threshold=0.0, self_pairs=True
    )
    assert (asking.num_self_relations, asking.facts()["num_right"]) == (0, 2)


def test_entities_too_far_apart_are_missed(build_model):
    near = RelationExtractionPipeline(build_model("bert", max_pair_distance=1))
    document = Document(WORDS, MENTIONS, [Relation(0, 1, "met"), Relation(1, 3, "met")])
    result = evaluate_extraction(near, [document], by_entity=True, threshold=0.0)
    assert 0 < result.num_unscored_pairs == 6 - result.facts()["num_predicted"]
    assert result.num_missed_relations > 0
    assert result.facts()["num_right"] == 2 - result.num_missed_relations


def test_train_facts_are_of_any_names_in_one_direction():
    names = Mention(5, 6, entity=1, names=("Rome", "Roma"))
    train = TrainFacts([Document(WORDS, [*MENTIONS, names], [Relation(2, 1, "met")])])
    assert len(train) == 2 * 3
    assert train.state(["Ada"], "met", ["Alan"])
    assert train.state(["nobody", "She"], "met", ["Roma"])
    assert not train.state(["Alan"], "met", ["Ada"])
    assert not train.state(["Ada"], "left", ["Alan"])
    assert not train.state([], "met", ["Alan"])


def test_names_are_as_the_text_has_them():
    document = Document.from_text("Sony-Ericsson met Ada.", [{"start": 0, "end": 13}, {"start": 18, "end": 21}], [])
    train = TrainFacts([Document(document.words, document.mentions, [Relation(0, 1, "met")], text=document.text)])
    assert train.state(["Sony-Ericsson"], "met", ["Ada"])


def test_values_computed_by_hand():
    # Of 10 predicted facts 6 are right, 2 of these are stated by training data; 12 are gold.
    assert fact_scores(6, 10, 12, 2) == pytest.approx(
        {
            "precision": 0.6,
            "recall": 0.5,
            "f1": 6 / 11,
            "ign_precision": 4 / 8,
            "ign_f1": 0.5,
        }
    )
    assert set(fact_scores(0, 0, 0, 0).values()) == {0.0}
    assert fact_scores(2, 2, 4, 2)["ign_f1"] == 0.0
    assert "ign_f1" not in fact_scores(1, 1, 1)


def test_training_facts_without_entities_are_an_error(extract):
    with pytest.raises(ValueError, match=r"`train_facts` needs by_entity=True"):
        evaluate_extraction(extract, [Document(WORDS, MENTIONS, [])], train_facts=TrainFacts([]))
