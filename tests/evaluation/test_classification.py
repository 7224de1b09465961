import pytest
import torch
from sklearn.metrics import f1_score

from glirel_transformers.data import Document, Mention, Relation
from glirel_transformers.evaluation import background_scores, gold_pairs, macro_f1, sample_candidates, score_gold_pairs

DOCUMENTS = [
    Document(
        ["Marie", "Curie", "was", "born", "in", "Warsaw", "."],
        [Mention(0, 2), Mention(5, 6)],
        [Relation(0, 1, "place of birth"), Relation(1, 0, "birthplace of")],
    ),
    Document(
        ["In", "London", ",", "Ada", "Lovelace", "met", "Charles", "Babbage", "."],
        [Mention(1, 2), Mention(3, 5), Mention(6, 8)],
        [Relation(1, 2, "friend")],
    ),
]


@pytest.fixture
def model(build_model):
    return build_model("bert").eval()


def test_gold_pairs_are_all_relations_in_order():
    pairs = gold_pairs(DOCUMENTS)
    assert [(pair.head, pair.tail, pair.relation_type) for pair in pairs] == [
        (0, 1, "place of birth"),
        (1, 0, "birthplace of"),
        (1, 2, "friend"),
    ]


def test_scores_are_those_of_the_model_for_head_and_tail(model):
    pairs = gold_pairs(DOCUMENTS)
    candidates = [["spouse", "place of birth"], ["spouse"], ["friend", "place of birth", "spouse"]]
    scores = score_gold_pairs(model, pairs, candidates, batch_size=2)
    assert [len(row) for row in scores] == [2, 1, 3]
    for pair, types, row in zip(pairs, candidates, scores, strict=True):
        mentions = [pair.document.mentions[i] for i in (pair.head, pair.tail)]
        batch = model.tokenizer(
            [list(pair.document.words)],
            entities=[[(mention.start, mention.end) for mention in mentions]],
            relation_types=types,
            is_split_into_words=True,
        )
        with torch.inference_mode():
            torch.testing.assert_close(row, model(**batch).logits[0, 0], atol=1e-5, rtol=0)


def test_macro_f1_is_that_of_scikit_learn():
    pairs = gold_pairs(DOCUMENTS)
    names = [pair.relation_type for pair in pairs]
    for predictions in (names, names[::-1], ["spouse"] * 3, [names[0], names[0], "spouse"]):
        expected = f1_score(names, predictions, average="macro", labels=sorted(set(names)), zero_division=0)
        assert macro_f1(pairs, predictions) == pytest.approx(expected)


def test_candidates_need_several_types():
    pairs = gold_pairs(DOCUMENTS)
    with pytest.raises(ValueError, match=r"4 candidates cannot be drawn from 3 relation types\. Choose 2 to 3"):
        sample_candidates(pairs, 4)
    with pytest.raises(ValueError, match=r"2 candidates cannot be drawn from 1 relation types\. Give documents with"):
        sample_candidates(pairs[:1], 2)


def test_background_is_the_mean_of_each_type(model):
    pairs, types = gold_pairs(DOCUMENTS), ["friend", "spouse"]
    scores = torch.stack(score_gold_pairs(model, pairs, [types] * len(pairs)))
    torch.testing.assert_close(background_scores(model, pairs, types), scores.mean(0))
