"""Evaluation of extraction: counts at all thresholds, groups of relation types, and nothing excluded silently."""

import pytest

from glirel_transformers import RelationExtractionPipeline
from glirel_transformers.data import Document, Mention, Relation
from glirel_transformers.evaluation import Extraction, evaluate_extraction, group_relation_types
from glirel_transformers.trainer import RelationCollator, fit_threshold
from glirel_transformers.trainer.metrics import score_documents


@pytest.fixture(scope="module")
def extract(shared_model):
    return RelationExtractionPipeline(shared_model)


@pytest.fixture
def documents():
    marie = Document(
        ["Marie", "Curie", "was", "born", "in", "Warsaw", "."],
        [Mention(0, 2), Mention(5, 6)],
        [Relation(0, 1, "place of birth")],
    )
    ada = Document(
        ["Ada", "met", "a", "friend", "in", "London", "."],
        [Mention(0, 1), Mention(3, 4), Mention(5, 6)],
        [Relation(0, 1, "friend"), Relation(1, 0, "friend"), Relation(0, 1, "met")],
        exhaustive=False,
    )
    tokyo = Document(["Tokyo", "hosts", "Sony", "."], [Mention(0, 1), Mention(2, 3)], [])
    return [marie, ada, tokyo]


def test_it_agrees_with_the_metrics_of_training(extract, documents):
    """The same cells, read by the collator and by the pipeline."""
    types = ["friend", "met", "place of birth"]
    collator = RelationCollator(extract.tokenizer, types).for_evaluation(types)
    counts = score_documents(extract.model, documents, collator)
    for threshold in (0.2, 0.5, 0.6):
        result = evaluate_extraction(extract, documents, threshold=threshold)
        assert result.counts.averages() == pytest.approx(counts.averages(threshold))
    assert result.relation_types == ["friend", "met", "place of birth"]
    assert (result.num_documents, result.num_pairs, result.num_unscored_pairs) == (3, 2 + 6 + 2, 0)
    assert result.num_unknown_pairs == 4
    assert result.counts.by_type()[:, 2].tolist() == [2, 1, 1]


@pytest.mark.parametrize("average", ["micro", "macro"])
def test_the_best_threshold_is_the_one_that_training_fits(build_model, documents, average):
    model = build_model("bert")
    types = ["friend", "met", "place of birth"]
    collator = RelationCollator(model.tokenizer, types).for_evaluation(types)
    best = evaluate_extraction(RelationExtractionPipeline(model), documents).counts.best(average)
    fitted = fit_threshold(model, documents, collator, average=average)
    assert best.f1 == pytest.approx(fitted[f"{average}_f1"])
    assert best.threshold == pytest.approx(fitted["threshold"], abs=1e-6)


def test_types_that_are_not_asked_for_are_counted(extract, documents):
    result = evaluate_extraction(extract, documents, ["met", "spouse"])
    assert result.relation_types == ["met", "spouse"]
    assert result.num_unasked_relations == 3
    assert result.counts.by_type()[:, 2].tolist() == [1, 0]


def test_other_mentions_of_two_related_entities_are_neither_right_nor_wrong(extract):
    mentions = [Mention(0, 1, entity=0), Mention(2, 3, entity=1), Mention(4, 5, entity=0)]
    document = Document(["Ada", "met", "Alan", ".", "She"], mentions, [Relation(0, 1, "met"), Relation(1, 0, "saw")])
    result = Extraction(threshold=0.0).run(extract, [document])
    assert result.details.num_elsewhere == 2  # she met Alan, and Alan saw her
    assert result.details.counts.by_type().sum(0).tolist() == [2, 6 * 2 - 2, 2]
    assert any(note.startswith("2 times a relation holds between other mentions") for note in result.notes)


def test_types_that_hold_nowhere_are_named(extract, documents):
    notes = Extraction(relation_types=["met", "mett"]).run(extract, documents).notes
    assert any(note.startswith("Relation types that hold nowhere in the documents, 1 of 2: 'mett'.") for note in notes)
    assert not any("hold nowhere" in note for note in Extraction().run(extract, documents).notes)


def test_groups_hold_all_types_in_order(tokenizer):
    types = [f"relation number {i}" for i in range(40)]
    for size in ("auto", 1, 7, 100):
        groups = group_relation_types(tokenizer, types, size)
        assert [name for group in groups for name in group] == types
        if size != "auto":
            assert max(map(len, groups)) == min(size, 40)
        else:
            assert len(groups) > 1
            assert all(len(tokenizer.read_prompt(group).token_ids) <= 64 for group in groups)


def test_each_group_is_asked_for_next_to_each_text(extract, documents):
    result = evaluate_extraction(extract, documents, group_size=2)
    assert result.groups == [["friend", "met"], ["place of birth"]]
    assert result.counts.by_type()[:, 2].tolist() == [2, 1, 1]


def test_relations_that_cannot_be_scored_count_as_missed(build_model, documents):
    near = RelationExtractionPipeline(build_model("bert", max_pair_distance=4))
    result = evaluate_extraction(near, documents, threshold=0.0)
    # Marie Curie and Warsaw are five words apart, and so are Ada and London: one pair each way.
    assert result.num_unscored_pairs == 4
    assert result.num_missed_relations == 1
    hits, predicted, gold = result.counts.by_type()[result.relation_types.index("place of birth")].tolist()
    assert (hits, gold) == (0, 1)
    assert predicted > 0


def test_long_texts_are_read_in_windows(extract):
    words = ["Ada", "met", "Alan", *["word"] * 400, "Ada", "met", "Alan"]
    mentions = [Mention(0, 1), Mention(2, 3), Mention(403, 404), Mention(405, 406)]
    document = Document(words, mentions, [Relation(0, 1, "met"), Relation(2, 3, "met"), Relation(0, 3, "met")])
    result = evaluate_extraction(extract, [document], threshold=0.0)
    assert result.num_unscored_pairs == 8
    assert result.num_missed_relations == 1
    assert result.counts.by_type()[0].tolist() == [2, 4, 3]


def test_nothing_to_evaluate_on_is_an_error(extract, documents):
    for texts in ([], documents[2:]):
        with pytest.raises(ValueError, match="nothing to evaluate on"):
            evaluate_extraction(extract, texts)


@pytest.fixture
def narcissus():
    """One relation of a mention to itself, in a document that may have them, and one document that may not."""
    mentions = [Mention(0, 1), Mention(2, 3)]
    loves = [Relation(0, 0, "loves"), Relation(0, 1, "sees")]
    words = ["Narcissus", "sees", "Echo", "."]
    return [Document(words, mentions, loves, self_pairs=True), Document(words, mentions, loves[1:])]


def test_relations_of_a_mention_to_itself_are_found_where_they_are_asked_for(shared_model, narcissus):
    asking = RelationExtractionPipeline(shared_model, self_pairs=True)
    for result in (
        evaluate_extraction(asking, narcissus, threshold=0.0),
        evaluate_extraction(RelationExtractionPipeline(shared_model), narcissus, threshold=0.0, self_pairs=True),
    ):
        assert (result.num_self_relations, result.num_missed_relations, result.num_unscored_pairs) == (0, 0, 0)
        assert result.num_pairs == 4 + 4
        assert result.num_unknown_pairs == 2  # each mention of the second document and itself
        #                                                       right, predicted, gold
        assert dict(zip(result.relation_types, result.counts.by_type().tolist())) == {
            "sees": [2, 6, 2],
            "loves": [1, 6, 1],
        }


def test_otherwise_they_are_counted_as_missed(extract, narcissus):
    result = evaluate_extraction(extract, narcissus, threshold=0.0)
    assert (result.num_self_relations, result.num_missed_relations, result.num_unscored_pairs) == (1, 0, 0)
    assert (result.num_pairs, result.num_unknown_pairs) == (4, 0)
    assert result.counts.by_type()[result.relation_types.index("loves")].tolist() == [0, 4, 1]
