"""Calibration of a model on documents: what is known to be right is found, and figures are those of others."""

import math

import pytest
import torch
from tiny import fill_with_noise

from glirel_transformers import RelationExtractor
from glirel_transformers.data import Document, Mention, Relation
from glirel_transformers.data.labels import make_labels
from glirel_transformers.evaluation import evaluate_extraction, fit_calibration
from glirel_transformers.evaluation.calibration import read_background
from glirel_transformers.evaluation.raw_scores import divide

TYPES = ["spouse", "place of birth", "works for", "located in"]
WORDS = ("marie", "curie", "warsaw", "tokyo", "sony", "london", "ada", "engine", "friend", "city", "film", "work")


NUM_TEXTS, NUM_MENTIONS = 12, 12


def document(number, size=NUM_MENTIONS):
    """A text of names, each of which is a mention."""
    generator = torch.Generator().manual_seed(number)
    words = [WORDS[place] for place in torch.randint(len(WORDS), (size,), generator=generator).tolist()]
    return Document(words, [Mention(place, place + 1, "X") for place in range(size)], [])


def batch_of(model, one):
    tokenizer = model.tokenizer
    spans = [(mention.start, mention.end) for mention in one.mentions]
    (words,) = tokenizer.read_words([one.words])
    return tokenizer.pad([tokenizer.build(tokenizer.read_prompt(TYPES), words, spans)])


@torch.no_grad()
def raw_logits(model, one):
    """All pairs of a document and their logits, from the model itself."""
    batch = batch_of(model, one)
    return batch["pair_index"][0], model(**batch).logits[0].double()


@pytest.fixture(scope="module")
def model(build_model):
    """One whose logits are spread as widely as those of trained models: their standard deviation is 8."""
    model = build_model("bert")
    fill_with_noise(model)
    output = model.glirel.pair_representation.feed_forward.output
    with torch.no_grad():
        states = [model.glirel(**batch_of(model, document(number))).pair_states[0] for number in range(4)]
        output.bias -= torch.cat(states).mean(0)
        spread = torch.cat([raw_logits(model, document(number))[1] for number in range(4)]).std()
        output.weight *= 8 / spread
        output.bias *= 8 / spread
    return model


@pytest.fixture(scope="module")
def documents(model):
    """Relations drawn so that they hold with the probability `sigmoid(logit / 3 − 1)`, whatever the model believes."""
    found = []
    for number in range(NUM_TEXTS):
        one = document(number)
        pairs, logits = raw_logits(model, one)
        generator = torch.Generator().manual_seed(number)
        holds = torch.rand(logits.shape, generator=generator, dtype=torch.double) < (logits / 3 - 1).sigmoid()
        relations = [Relation(*pairs[row].tolist(), TYPES[column]) for row, column in holds.nonzero().tolist()]
        found.append(Document(one.words, one.mentions, relations))
    return found


@pytest.fixture(scope="module")
def extract(model):
    return RelationExtractor(model, batch_size=8)


@pytest.fixture(scope="module")
def report(extract, documents):
    background = read_background([document(100 + number) for number in range(4)])
    return fit_calibration(extract, documents, TYPES, background=background, batch_size=8)


def test_the_temperature_and_the_bias_that_relations_were_drawn_with_are_found(report):
    assert report.method == "temperature+bias"
    assert report.calibration.temperature == pytest.approx(3, rel=0.15)
    assert report.calibration.bias == pytest.approx(-1, abs=0.15)
    assert report.after.ece < report.before.ece / 3
    assert report.after.nll == min(report.nll_by_method.values()) < report.before.nll
    assert report.num_cells == NUM_TEXTS * NUM_MENTIONS * (NUM_MENTIONS - 1) * len(TYPES)


@pytest.mark.slow
def test_the_model_is_left_as_it_was_until_the_report_is_applied(extract, documents, report):
    config = extract.model.config
    assert (config.calibration, config.threshold) == (None, 0.5)
    before = evaluate_extraction(extract, documents, TYPES)
    assert before.counts.averages() == pytest.approx(report.decisions["before"])
    report.apply(config)
    try:
        after = evaluate_extraction(extract, documents, TYPES)
        again = fit_calibration(extract, documents, TYPES, method="none")
    finally:
        config.calibration, config.threshold = None, 0.5
    assert after.counts.averages()["micro_f1"] >= report.decisions["one threshold"]["micro_f1"] - 0.02
    # "Before" is now what was fitted: to all documents, so that its likelihood is better than the cross-validated one.
    assert again.before.nll <= report.after.nll
    assert again.before.ece < report.before.ece / 3


def test_raw_scores_survive_probabilities_that_single_precision_rounds_to_one(extract, documents, model):
    """The logits that are fitted to are the model's own, also where their sigmoid is 1."""
    from glirel_transformers.evaluation.raw_scores import read_scores

    raw = read_scores(extract, documents[:1], TYPES, None, {})
    _, logits = raw_logits(model, documents[0])
    assert logits.abs().max() > 17
    torch.testing.assert_close(raw.scores.logits.reshape(logits.shape), logits, atol=2e-3, rtol=1e-4)
    assert extract.model.config.calibration is None


@pytest.mark.slow
def test_every_figure_of_after_is_of_documents_that_were_not_fitted_to(extract, documents, report):
    """The decisions at one threshold, counted again fold by fold."""
    folds, num_folds = divide(documents, 5, 0)
    assert num_folds == 5
    counts = torch.zeros(3)
    for fold in range(num_folds):
        train = [one for one, its in zip(documents, folds.tolist(), strict=True) if its != fold]
        test = [one for one, its in zip(documents, folds.tolist(), strict=True) if its == fold]
        fit = evaluate_extraction(extract, train, TYPES).counts.best("micro")
        counts += evaluate_extraction(extract, test, TYPES, threshold=fit.threshold).counts.by_type().sum(0)
    expected = float(2 * counts[0] / (counts[1] + counts[2]))
    assert report.decisions["one threshold"]["micro_f1"] == pytest.approx(expected, abs=1e-3)


def test_the_same_text_is_always_in_one_fold():
    documents = [document(number % 3) for number in range(12)]
    folds, num_folds = divide(documents, 5, 0)
    assert num_folds == 3
    assert folds.tolist() == folds[:3].tolist() * 4


@pytest.mark.slow
def test_types_of_their_own_kind_get_thresholds_of_their_own(extract, documents, model):
    """Where only one type ever holds, one threshold for all is not enough."""
    changed = []
    for one in documents:
        pairs, logits = raw_logits(model, one)
        keep = [
            Relation(*pairs[row].tolist(), TYPES[0])
            for row in (logits[:, 0] > logits[:, 0].median()).nonzero().flatten()
        ]
        changed.append(Document(one.words, one.mentions, [*keep, Relation(0, 1, TYPES[1])]))
    report = fit_calibration(extract, changed, TYPES[:2], min_examples=20)
    assert set(report.calibration.thresholds) <= set(TYPES[:2])
    assert TYPES[0] in report.calibration.thresholds
    assert report.decisions["by type"]["micro_f1"] > report.decisions["one threshold"]["micro_f1"]
    assert "unseen" not in report.decisions  # two types are too few to leave one out
    kept = fit_calibration(extract, changed, TYPES[:2], by_type=False)
    assert kept.calibration.thresholds == {}
    assert any("were not asked for" in note for note in kept.notes)


def test_documents_that_are_not_exhaustive_are_noted(extract, documents):
    some = [Document(one.words, one.mentions, one.relations[:9], exhaustive=False) for one in documents]
    report = fit_calibration(extract, some, TYPES)
    assert report.num_unknown_pairs > 0
    assert any("not exhaustive" in note for note in report.notes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"method": "platt"},
            "`method` must be one of 'auto', 'none', 'temperature', 'temperature.bias': got 'platt'",
        ),
        ({"average": "weighted"}, "`average` must be 'micro' or 'macro': got 'weighted'"),
        ({"min_examples": 0}, "`min_examples` must be at least 1: got 0"),
        ({"num_folds": 1}, "`num_folds` must be at least 2"),
        ({"entities": "found"}, "this one does not .entity_finder='none'."),
        ({"relation_types": TYPES[:2], "background": ["Marie in Warsaw."]}, "needs at least 3 types, got 2"),
        ({"relation_types": ["never"]}, "0 hold. Give documents with relations that hold"),
    ],
)
def test_what_cannot_be_is_said(extract, documents, changes, message):
    with pytest.raises(ValueError, match=message):
        fit_calibration(extract, documents[:2], **{"relation_types": TYPES, **changes})
    assert extract.model.config.calibration is None


def test_relations_of_one_text_alone_are_too_little(extract, documents):
    with_some = next(one for one in documents if one.relations)
    others = [Document(one.words, one.mentions, []) for one in documents if one.words != with_some.words]
    with pytest.raises(ValueError, match=r"all pairs with types that hold \(\d+\) are in one of the 5 parts"):
        fit_calibration(extract, [with_some, *others], TYPES)


def test_few_relations_are_noted(extract, documents, report):
    assert report.num_gold >= 50
    assert not any("be far off" in note for note in report.notes)
    few = [Document(one.words, one.mentions, one.relations[:2]) for one in documents]
    notes = fit_calibration(extract, few, TYPES).notes
    assert any("relations that hold were fitted to: on other texts" in note for note in notes)


def test_a_single_text_is_too_little(extract, documents):
    with pytest.raises(ValueError, match="The 3 documents have 1 different texts, and at least 2 are needed"):
        fit_calibration(extract, documents[:1] * 3, TYPES)


def test_a_model_that_finds_entities_is_calibrated_end_to_end(joint_model):
    extract = RelationExtractor(joint_model)
    texts = ["Marie Curie was born in Warsaw.", "Ada Lovelace was born in London.", "Tokyo hosts Sony."]
    documents = []
    for text in texts:
        found = extract(text, entity_types=["person"], relation_types=["spouse"], entity_threshold=0.3)
        spans = sorted({(one[side]["start"], one[side]["end"]) for one in found for side in ("head", "tail")})
        entities = [{"start": start, "end": end, "label": "person"} for start, end in spans[:3]]
        documents.append(Document.from_text(text, entities, [Relation(0, 1, "spouse")] if len(entities) > 1 else []))
    report = fit_calibration(extract, documents, ["spouse"], num_folds=3, overlap="nested")
    assert report.num_cells > report.num_gold
    assert math.isfinite(report.after.nll)
    with pytest.raises(ValueError, match="without `by_entity` and `self_pairs`"):
        fit_calibration(extract, documents, ["spouse"], by_entity=True)
    given = fit_calibration(extract, documents, ["spouse"], num_folds=3, entities="gold", by_entity=True)
    assert given.num_cells == sum(int((make_labels(one, ["spouse"], _pairs(one)) >= 0).sum()) for one in documents)


def _pairs(one):
    size = len(one.mentions)
    return torch.tensor([(head, tail) for head in range(size) for tail in range(size) if head != tail])
