import pytest
import torch
from sklearn.metrics import precision_recall_fscore_support
from transformers import EvalPrediction

from glirel_transformers.data import Document, Mention, Relation
from glirel_transformers.outputs_glirel import GLiRELRelationClassificationOutput
from glirel_transformers.trainer import RelationCollator, RelationMetrics, fit_threshold


class Config:
    threshold = 0.5


def batch(probabilities, labels, keys):
    logits = torch.logit(torch.tensor(probabilities))
    return EvalPrediction(predictions=logits, label_ids=(torch.tensor(labels), torch.tensor(keys)))


def test_hand_computed_over_two_batches_of_different_size():
    metrics = RelationMetrics(Config)
    # Type 1: one hit, one false alarm, one miss. Type 2: one hit. Type 3: a false alarm, not in the gold.
    assert metrics(batch([[0.9, 0.8, 0.2]], [[1, 0, 1]], [[1, 1, 1]]), compute_result=False) == {}
    result = metrics(batch([[0.7, 0.6], [0.9, 0.1]], [[1, 0], [-100, 0]], [[2, 3], [1, 1]]), compute_result=True)
    assert result.pop("best_micro_f1") == pytest.approx(2 * 3 / (5 + 3))  # at 0.2
    assert result == pytest.approx(
        {
            "micro_precision": 2 / 4,
            "micro_recall": 2 / 3,
            "micro_f1": 4 / 7,
            "macro_precision": (1 / 2 + 1) / 2,
            "macro_recall": (1 / 2 + 1) / 2,
            "macro_f1": (1 / 2 + 1) / 2,
        }
    )
    again = metrics(batch([[0.9]], [[1]], [[5]]), compute_result=True)
    assert again["micro_f1"] == again["macro_f1"] == 1.0  # it began anew


def test_agrees_with_scikit_learn():
    generator = torch.Generator().manual_seed(0)
    probabilities = torch.rand(40, 6, generator=generator)
    labels = (torch.rand(40, 6, generator=generator) < 0.3).long()
    metrics = RelationMetrics(Config)
    prediction = EvalPrediction(probabilities.logit(), (labels, torch.arange(6).expand(40, 6)))
    result = metrics(prediction, compute_result=True)
    for average in ("micro", "macro"):
        expected = precision_recall_fscore_support(labels, probabilities >= 0.5, average=average, zero_division=0)[:3]
        assert [result[f"{average}_{name}"] for name in ("precision", "recall", "f1")] == pytest.approx(expected)


def test_nothing_predicted_and_nothing_gold_is_zero():
    assert set(RelationMetrics(Config)(batch([[0.1]], [[0]], [[1]])).values()) == {0.0}


class Stub:
    """A model whose scores are what the test says, by the length of the text."""

    def __init__(self, scores):
        self.scores, self.config, self.training, self.device = scores, type("", (), {"threshold": 0.5})(), True, "cpu"

    def eval(self):
        self.train(False)

    def train(self, mode):
        self.training = mode

    def __call__(self, word_mask, labels, **batch):
        assert not self.training
        probabilities = torch.stack([self.scores[int(n)] for n in word_mask.sum(1)])
        return GLiRELRelationClassificationOutput(logits=probabilities.logit().unsqueeze(-1).expand(labels.shape))


def document(length, *pairs):
    return Document(["ada"] * length, [Mention(0, 1), Mention(1, 2)], [Relation(*pair, "spouse") for pair in pairs])


def test_the_threshold_is_fitted_and_stored(tokenizer):
    # Scores of the pairs 0→1 and 1→0. The right ones are 0.9, 0.3 and 0.6.
    documents = [document(3, (0, 1)), document(2, (0, 1), (1, 0))]
    model = Stub({2: torch.tensor([0.9, 0.3]), 3: torch.tensor([0.6, 0.2])})
    result = fit_threshold(model, documents, RelationCollator(tokenizer, ["spouse"], random_drop=1.0))
    assert model.config.threshold == result["threshold"] == pytest.approx(0.25)
    assert result["micro_f1"] == 1.0
    assert model.training


def test_a_threshold_without_gold_is_an_error(tokenizer):
    model = Stub({2: torch.tensor([0.9, 0.3])})
    with pytest.raises(ValueError, match="no relation holds in these documents"):
        fit_threshold(model, [document(2)], RelationCollator(tokenizer, ["spouse"]))
    with pytest.raises(ValueError, match="`average` must be 'micro' or 'macro': got 'weighted'"):
        fit_threshold(model, [document(2)], RelationCollator(tokenizer, ["spouse"]), average="weighted")
    assert model.config.threshold == 0.5
