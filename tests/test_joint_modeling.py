"""The model that finds entities: what must hold whatever it is made of."""

from __future__ import annotations

import copy
import json

import pytest
import torch
from tiny import RELATION_TYPES, TEXTS, fill_with_noise
from transformers import AutoModel

from glirel_transformers import (
    GLiRELConfig,
    GLiRELForJointExtraction,
    GLiRELForRelationClassification,
)
from glirel_transformers.configuration_glirel import choices_of
from glirel_transformers.entities_glirel import spans_of
from glirel_transformers.finder_glirel import CandidateSelection
from glirel_transformers.losses_glirel import RelationLoss
from glirel_transformers.pairs_glirel import Pairs
from glirel_transformers.widths_glirel import MENTIONS

pytestmark = pytest.mark.slow

ENTITY_TYPES = ["person", "city", "company"]
WIDTH = 4
FINDERS = ["span", "token"]
SELECTIONS = choices_of("pair_selection")
# Each once: the finders with every way to represent a mention, and with every way to choose pairs.
VARIANTS = [
    *({"mention_representation": name} for name in MENTIONS),
    *({"pair_selection": name} for name in SELECTIONS if name != "all"),
    {"entity_finder": "token"},
    {"entity_finder": "token", "max_entity_width": None, "pair_selection": "gat"},
    {"entity_finder": "token", "mention_representation": "conv_max", "pair_selection": "mlp"},
    {"use_lstm": True, "num_lstm_layers": 2, "endpoint_projection": True, "subtoken_pooling": "max"},
    {"scorer": "transh", "pair_representation": "ends", "distance_limit": 10.0},
    {"scorer": "hole", "pair_representation": "ends", "entity_finder": "token"},
    {"num_pair_refinement_layers": 1, "num_relation_refinement_layers": 1, "num_refinement_heads": 4},
    {"label_encoding": "separate", "pair_selection": "gcn"},
    {"label_encoding": "separate", "entity_finder": "token", "pair_context": "localized"},
    {"pair_context": "localized", "mention_representation": "words", "entity_pooling": "logsumexp"},
    {"pair_context": "attention"},
    {"layer_fusion": "masked", "hidden_size": 24},
]


def name_of(settings):
    return "-".join(str(value) for value in settings.values()) or "plain"


@pytest.fixture(scope="module")
def build(encoder_folder):
    """`build(entity_finder="token")`: a model with weights that leave their mark, with its tokenizer."""
    built: dict[str, GLiRELForJointExtraction] = {}

    def make(family="bert", fresh=False, **settings):
        key = json.dumps([family, settings])
        if fresh or key not in built:
            whole = {"entity_finder": "span", "max_entity_width": WIDTH, "dropout": 0.0, **settings}
            model = GLiRELForJointExtraction.from_encoder(encoder_folder(family), **whole).eval()
            fill_with_noise(model)
            tame(model)
            if fresh:
                return model
            built[key] = model
        return built[key]

    return make


@torch.no_grad()
def tame(model):
    """Scales what is linear in scores, so that probabilities are neither 0 nor 1."""
    glirel = model.glirel
    for parameter in [] if glirel.adjacency is None else glirel.adjacency.parameters():
        parameter.mul_(0.3)
    entities = [[(0, 11), (24, 30)], [(0, 12), (55, 70)], [(0, 5), (12, 16)]]
    output = model(**read(model, entities=entities), adjacency_threshold=-1.0)
    last = glirel.entity_finder.output if model.config.entity_finder == "token" else glirel.entity_type_feed_forward[3]
    _scale(last, 3 / torch.cat([entity_scores(model, output, text).flatten() for text in range(3)]).abs().max())
    if model.config.pair_representation == "concat":
        _scale(glirel.pair_representation.feed_forward.output, 3 / output.logits[output.pair_mask].abs().max())


def _scale(layer, factor):
    for parameter in layer.parameters():
        parameter.mul_(factor)


# One of each kind on every push; all in the sweep.
_FAST = (
    {"entity_finder": "token"},
    {"pair_context": "attention"},
    {"label_encoding": "separate", "pair_selection": "gcn"},
)


def _marked(settings):
    return settings if settings in _FAST else pytest.param(settings, marks=pytest.mark.sweep)


@pytest.fixture(scope="module", params=[_marked(settings) for settings in VARIANTS], ids=name_of)
def model(request, build):
    return build(**request.param)


def read(model, texts=TEXTS, entity_types=ENTITY_TYPES, relation_types=RELATION_TYPES, **options):
    return model.tokenizer(
        texts, entity_types=entity_types, relation_types=relation_types, padding=True, return_tensors="pt", **options
    )


def probabilities(model, batch):
    """The probability of every span, and of padding −1, `(batch, spans)`."""
    entity_logits = model(**batch, entity_threshold=1.0).entity_logits
    selection = CandidateSelection(model.glirel.entity_finder, 0.5, 1)

    class Given:
        word_mask = batch["word_mask"]
        entity_type_mask = batch["entity_type_mask"]

    return selection.best(entity_logits, Given)[0]


def threshold_for(model, batch, count=4):
    """In the widest gap between two probabilities of those that give each text `count` candidates or a few more."""
    values = probabilities(model, batch)
    levels = values[values >= 0].unique()
    numbers = (values.unsqueeze(-1) > levels).sum(1).amin(0)
    gaps = (levels[1:] - levels[:-1]).masked_fill(~((numbers >= count) & (numbers < 2 * count))[:-1], -1.0)
    assert gaps.max() > 1e-5
    return float(levels[gaps.argmax() : gaps.argmax() + 2].mean())


def scores_of(output, text):
    """The logits of every pair that was scored in a text, by the spans of its ends."""
    spans = output.mention_word_spans[text].tolist()
    rows = zip(output.pair_index[text].tolist(), output.pair_mask[text].tolist(), output.logits[text], strict=True)
    columns = output.relation_mask[text]
    return {(tuple(spans[h]), tuple(spans[t])): row[columns] for (h, t), real, row in rows if real}


def assert_same_scores(ours, theirs, atol=2e-5):
    assert ours.keys() == theirs.keys()
    for pair, row in ours.items():
        torch.testing.assert_close(row, theirs[pair], rtol=1e-4, atol=atol)


def entity_scores(model, output, text):
    """The logits of a text's real spans, or words, and real types."""
    count, types = int(output.word_mask[text].sum()), output.entity_type_mask[text]
    if model.config.entity_finder == "token":
        return output.entity_logits[text, :count][:, types]
    widths = output.entity_logits.shape[2]
    cells = [(start, width) for start in range(count) for width in range(widths) if start + width < count]
    start, width = torch.tensor(cells).unbind(1)
    return output.entity_logits[text, start, width][:, types]


# Padding and order


@torch.no_grad()
def test_padding_and_batch_order_never_change_a_score(model):
    batch = read(model)
    threshold = threshold_for(model, batch)
    together = model(**batch, entity_threshold=threshold, adjacency_threshold=0.0)
    assert together.mention_mask.sum() >= 6
    for place, text in enumerate(TEXTS):
        alone = model(**read(model, [text]), entity_threshold=threshold, adjacency_threshold=0.0)
        torch.testing.assert_close(
            entity_scores(model, alone, 0), entity_scores(model, together, place), rtol=1e-4, atol=2e-5
        )
        assert_same_scores(scores_of(alone, 0), scores_of(together, place))
        assert alone.num_candidates[0] == together.num_candidates[place]
    back = model(**read(model, TEXTS[::-1]), entity_threshold=threshold, adjacency_threshold=0.0)
    for place in range(len(TEXTS)):
        assert_same_scores(scores_of(back, len(TEXTS) - 1 - place), scores_of(together, place))


@torch.no_grad()
def test_types_that_one_text_is_asked_for_do_not_reach_another(build):
    """Texts of a batch may be asked for different numbers of types: the padding of these makes no candidate."""
    model = build(label_encoding="separate")
    one, two = (read(model, [TEXTS[0]], ENTITY_TYPES[:1], RELATION_TYPES[:1]), read(model, [TEXTS[1]]))
    features = [model.tokenizer.build(*_parts(model, TEXTS[0], ENTITY_TYPES[:1], RELATION_TYPES[:1]), []),
                model.tokenizer.build(*_parts(model, TEXTS[1], ENTITY_TYPES, RELATION_TYPES), [])]  # fmt: skip
    batch = {name: tensor for name, tensor in model.tokenizer.pad(features).items() if not name.startswith(_GIVEN)}
    threshold = threshold_for(model, two)
    together = model(**batch, entity_threshold=threshold)
    for place, alone in enumerate((one, two)):
        assert_same_scores(scores_of(model(**alone, entity_threshold=threshold), 0), scores_of(together, place))


_GIVEN = ("mention_", "pair_")


def _parts(model, text, entity_types, relation_types):
    return model.tokenizer.read_prompt(relation_types, entity_types), model.tokenizer.read_words([text])[0]


@torch.no_grad()
@pytest.mark.parametrize("finder", FINDERS)
@pytest.mark.parametrize(
    "settings", [{"shared_relation_positions": True}, {"label_encoding": "separate"}], ids=name_of
)
def test_permuting_types_permutes_columns(build, finder, settings):
    model = build(entity_finder=finder, **settings)
    batch = read(model)
    threshold = threshold_for(model, batch)
    before = model(**batch, entity_threshold=threshold)
    axis = -2 if finder == "token" else -1
    for entity_order, relation_order in ([2, 0, 1], [0, 1, 2]), ([0, 1, 2], [1, 2, 0]), ([1, 0, 2], [2, 1, 0]):
        permuted = read(
            model,
            entity_types=[ENTITY_TYPES[place] for place in entity_order],
            relation_types=[RELATION_TYPES[place] for place in relation_order],
        )
        after = model(**permuted, entity_threshold=threshold)
        expected = before.entity_logits.index_select(axis, torch.tensor(entity_order))
        for text in range(len(TEXTS)):
            torch.testing.assert_close(
                entity_scores(model, after, text),
                entity_scores(model, _with(before, expected), text),
                rtol=1e-4,
                atol=2e-5,
            )
            columns = {pair: row[relation_order] for pair, row in scores_of(before, text).items()}
            assert_same_scores(scores_of(after, text), columns)


def _with(output, entity_logits):
    return type(output)(**{**output, "entity_logits": entity_logits})


# Mentions


@torch.no_grad()
@pytest.mark.parametrize("num_widths", [1, WIDTH])
@pytest.mark.parametrize("name", MENTIONS)
def test_all_spans_are_what_each_span_is(name, num_widths):
    torch.manual_seed(2)
    layer = MENTIONS[name](16, 64, 0.0, False, WIDTH).eval()
    words, mask = torch.randn(2, 7, 16), torch.tensor([[True] * 7, [True] * 5 + [False] * 2])
    every = layer.all_spans(words, mask, num_widths)
    every = (every.states() if isinstance(every, Pairs) else every).view(2, 7, num_widths, 16)
    spans = spans_of(7, num_widths, words.device).expand(2, -1, -1)
    for text, count in enumerate([7, 5]):
        real = spans[text][spans[text, :, 1] <= count]
        real = real[(real[:, 1] - real[:, 0]).argsort(stable=True)].unique(dim=0)
        one_by_one = layer(words[text : text + 1], real.unsqueeze(0), mask[text : text + 1])[0]
        start, width = real[:, 0], real[:, 1] - real[:, 0] - 1
        torch.testing.assert_close(every[text, start, width], one_by_one, rtol=1e-4, atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("name", ["query", "conv_share"])
def test_a_mention_that_is_too_long_for_its_weights_is_refused(build, name):
    model = build(mention_representation=name)
    batch = read(model, [TEXTS[1]], entities=[[(0, 54)]])
    with pytest.raises(ValueError, match=rf"at most {WIDTH} words: got an entity of \d+\. Pass shorter"):
        model(**batch)


# Candidates


@torch.no_grad()
@pytest.mark.parametrize("limit", [1, 3, 200])
@pytest.mark.parametrize("finder", FINDERS)
def test_candidates_are_the_likeliest_spans(build, finder, limit):
    model = build(entity_finder=finder, fresh=True)
    model.config.max_candidates = limit
    batch = read(model)
    likely, threshold = probabilities(model, batch), threshold_for(model, batch)
    output = model(**batch, entity_threshold=threshold)
    spans = spans_of(batch["word_mask"].shape[1], WIDTH, likely.device)[0].tolist()
    for text, count in enumerate(batch["word_mask"].sum(1).tolist()):
        above = likely[text][likely[text] > threshold].sort(descending=True).values
        assert output.num_candidates[text] == len(above)
        found = output.mention_word_spans[text][output.mention_mask[text]].tolist()
        chosen = torch.tensor([likely[text, spans.index(span)] for span in found])
        torch.testing.assert_close(chosen.sort(descending=True).values, above[:limit])
        assert len({tuple(span) for span in found}) == len(found)
        assert found == sorted(found)
        assert all(0 <= start < end <= count for start, end in found)
        heads, tails = output.pair_index[text][output.pair_mask[text]].unbind(-1)
        assert (heads != tails).all()
        assert len(heads) == len(found) * (len(found) - 1)
        rows = (heads * 1000 + tails).tolist()
        assert rows == sorted(set(rows))
    assert output.mention_word_spans.shape[1] <= limit


@torch.no_grad()
def test_a_token_finder_reads_start_end_and_inside(build):
    model = build(entity_finder="token", max_entity_width=None)
    batch = read(model, [TEXTS[0]])
    parts = model(**batch, entity_threshold=1.0).entity_logits.sigmoid()[0]
    found = model.glirel.entity_finder.probabilities(model(**batch, entity_threshold=1.0).entity_logits)[0]
    num_words = len(parts)
    for start in range(num_words):
        for end in range(start + 1, num_words + 1):
            for kind in range(len(ENTITY_TYPES)):
                starts, ends = parts[start, kind, 0], parts[end - 1, kind, 1]
                expected = min(starts, ends, parts[start:end, kind, 2].min())
                torch.testing.assert_close(found[start, end - start - 1, kind], expected)
        assert not found[start, num_words - start :].any()  # behind the end of the text


@torch.no_grad()
def test_without_a_candidate_there_is_nothing(model):
    output = model(**read(model), entity_threshold=1.0)
    assert output.mention_word_spans.shape == (3, 0, 2)
    assert output.logits.shape == (3, 0, 3)
    assert output.num_candidates.tolist() == [0, 0, 0]
    some = model(**read(model, ["", "Tokyo hosts Sony."]), entity_threshold=0.0)
    assert not some.mention_mask[0].any()
    assert not some.pair_mask[0].any()
    assert some.mention_mask[1].any()


@torch.no_grad()
def test_empty_texts_and_empty_lists_of_types_give_nothing(model):
    nothing = model(**read(model, ["", ""]), entity_threshold=0.0)
    assert not nothing.mention_mask.any()
    assert not nothing.pair_mask.any()
    no_types = model(**read(model, entity_types=[]), entity_threshold=0.0)
    assert not no_types.mention_mask.any()
    entities_alone = model(**read(model, relation_types=[]), entity_threshold=0.0)
    assert entities_alone.mention_mask.any()
    assert entities_alone.logits.shape[-1] == 0


@torch.no_grad()
def test_entities_that_are_given_score_as_when_they_are_found(model):
    batch = read(model)
    found = model(**batch, entity_threshold=threshold_for(model, batch), adjacency_threshold=0.0)
    given = model(
        **batch,
        mention_word_spans=found.mention_word_spans,
        mention_mask=found.mention_mask,
        pair_index=found.pair_index,
        pair_mask=found.pair_mask,
        adjacency_threshold=0.0,
    )
    torch.testing.assert_close(given.entity_logits, found.entity_logits)
    assert given.num_candidates is None
    for text in range(len(TEXTS)):
        assert scores_of(found, text)
        assert_same_scores(scores_of(given, text), scores_of(found, text))


@torch.no_grad()
def test_entities_can_be_given_without_entity_types(build):
    model = build()
    batch = model.tokenizer(TEXTS[0], entities=[(0, 11), (24, 30)], relation_types=RELATION_TYPES, padding=True)
    output = model(**batch)
    assert output.logits.shape == (1, 2, 3)
    assert output.entity_type_mask.shape == (1, 0)


@torch.no_grad()
def test_a_choice_of_ones_own_takes_the_place_of_candidates(build):
    model = build()
    batch = read(model)

    def select(logits, inputs):
        assert logits.shape[:2] == batch["word_mask"].shape
        spans = torch.tensor([[(0, 2), (3, 4)]]).expand(3, -1, -1)
        pairs = torch.tensor([[(1, 0)]]).expand(3, -1, -1)
        mask = torch.ones(3, 2, dtype=torch.bool)
        return inputs._replace(
            mention_word_spans=spans, mention_mask=mask, entity_mask=mask, pair_index=pairs, pair_mask=mask[:, :1]
        )

    output = model(**batch, select=select)
    assert [list(scores_of(output, text)) for text in range(3)] == [[((3, 4), (0, 2))]] * 3
    assert output.num_candidates is None


# Pairs


@torch.no_grad()
@pytest.mark.parametrize("name", [name for name in SELECTIONS if name != "all"])
def test_an_adjacency_drops_pairs_and_changes_no_score(build, name):
    model = build(pair_selection=name)
    batch = read(model)
    threshold = threshold_for(model, batch)
    every = model(**batch, entity_threshold=threshold, adjacency_threshold=-1.0)
    heads, tails = every.pair_index.unbind(-1)
    numbers = every.adjacency.flatten(1).gather(1, heads * every.adjacency.shape[1] + tails)
    middle = float(numbers[every.pair_mask].median())
    some = model(**batch, entity_threshold=threshold, adjacency_threshold=middle)
    assert some.pair_index.shape[1] < every.pair_index.shape[1]
    for text in range(len(TEXTS)):
        ours, theirs = scores_of(some, text), scores_of(every, text)
        kept = [
            pair for pair, number in zip(theirs, numbers[text][every.pair_mask[text]], strict=True) if number > middle
        ]
        assert list(ours) == kept
        assert_same_scores(ours, {pair: theirs[pair] for pair in kept})


@torch.no_grad()
@pytest.mark.parametrize(
    "settings",
    [{}, {"pair_context": "localized"}, {"pair_context": "attention"}, {"mention_representation": "words"}],
    ids=name_of,
)
def test_clusters_are_entities_of_several_mentions(build, settings):
    model = build(**settings)
    text = TEXTS[1]
    entities = [[(0, 3), (4, 12)], (55, 70), (86, 92)]
    batch = read(model, [text], entities=[entities])
    assert batch["mention_entity"].tolist() == [[0, 0, 1, 2]]
    output = model(**batch)
    assert output.logits.shape == (1, 6, 3)
    singles = model(**read(model, [text], entities=[[(0, 3), (55, 70), (86, 92)]]))
    torch.testing.assert_close(output.logits[0, 3], singles.logits[0, 3], rtol=1e-4, atol=2e-5)  # of the others
    assert not torch.allclose(output.logits[0, 0], singles.logits[0, 0], rtol=0, atol=1e-4)


# Training


def labelled(model, seed=4):
    torch.manual_seed(seed)
    batch = read(model, entities=[[(0, 11), (24, 30)], [(0, 3), (4, 12), (55, 62)], [(0, 5), (12, 16)]])
    mentions, pairs = batch["mention_mask"], batch["pair_mask"]
    labels = (torch.rand(*pairs.shape, 3) < 0.4).float()
    entity_labels = (torch.rand(*mentions.shape, 3) < 0.5).float()
    labels[0, 0, 1] = entity_labels[1, 1, 2] = -100.0
    return batch, labels, entity_labels


# Of attention weights, nothing reads what is attended to; the rest is frozen, or not read by a finder of that kind.
_WITHOUT_GRADIENT = ("adjacency.attention.output", "encoder.pooler")


def test_gradients_reach_every_parameter(model):
    batch, labels, entity_labels = labelled(model)
    model.zero_grad()
    model.train()
    try:
        output = model(**batch, labels=labels, entity_labels=entity_labels)
        output.loss.backward()
    finally:
        model.eval()
    missing = [
        name
        for name, parameter in model.named_parameters()
        if parameter.requires_grad and (parameter.grad is None or not parameter.grad.abs().sum() > 0)
    ]
    attention_alone = model.config.pair_selection == "attention"
    allowed = [name for name in missing if "pooler" in name or (attention_alone and "attention.output" in name)]
    # Convolutions over more words than an entity has here, and biases that a softmax takes out.
    allowed += [name for name in missing if name.endswith(("key_proj.bias", "key.bias")) or "convolutions" in name]
    assert sorted(set(missing) - set(allowed)) == []
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())


@torch.no_grad()
@pytest.mark.parametrize("settings", [
    {"loss_function": "focal", "loss_reduction": "sum"},
    {"entity_finder": "token", "pair_selection": "mlp", "entity_loss_weight": 2.0, "adjacency_loss_weight": 0.5},
    {"pair_selection": "bilinear", "relation_loss_weight": 3.0},
    {"entity_finder": "token", "loss_function": "focal", "focal_gamma": 2.0, "loss_reduction": "sum"},
], ids=name_of)  # fmt: skip
def test_losses_are_what_they_say(build, settings):
    model = build(**settings)
    config = model.config
    batch, labels, entity_labels = labelled(model)
    output = model(**batch, labels=labels, entity_labels=entity_labels)
    cell = _cell_loss(config)
    entities = _entity_cells(model, output, batch, entity_labels)
    torch.testing.assert_close(output.entity_loss, _reduced(config, [cell(*one) for one in entities]))
    relations = [
        (output.logits[text, pair, kind], labels[text, pair, kind])
        for text, pair in output.pair_mask.nonzero().tolist()
        for kind in range(3)
        if labels[text, pair, kind] != -100
    ]
    torch.testing.assert_close(output.relation_loss, _reduced(config, [cell(*one) for one in relations]))
    total = config.entity_loss_weight * output.entity_loss + config.relation_loss_weight * output.relation_loss
    if config.pair_selection == "all":
        assert output.adjacency_loss is None
    else:
        cells = []
        for text, pair in output.pair_mask.nonzero().tolist():
            head, tail = output.pair_index[text, pair].tolist()
            row = labels[text, pair]
            if (row == 1).any() or not (row == -100).any():
                cells.append((torch.logit(output.adjacency[text, head, tail]), (row == 1).any().float()))
        torch.testing.assert_close(output.adjacency_loss, _reduced(config, [cell(*one) for one in cells]))
        total = total + config.adjacency_loss_weight * output.adjacency_loss
    torch.testing.assert_close(output.loss, total)


def _cell_loss(config):
    def loss(logit, label):
        truth = torch.sigmoid(logit) if label == 1 else 1 - torch.sigmoid(logit)
        if config.loss_function == "bce":
            return -truth.log()
        weight = config.focal_alpha if label == 1 else 1 - config.focal_alpha
        return -weight * (1 - truth) ** config.focal_gamma * truth.log()

    return loss


def _reduced(config, losses):
    losses = torch.stack(losses)
    return losses.sum() if config.loss_reduction == "sum" else losses.mean()


def _entity_cells(model, output, batch, entity_labels):
    """Logit and label of every cell that is real and known."""
    for text, count in enumerate(batch["word_mask"].sum(1).tolist()):
        mask = batch["mention_mask"][text]
        spans = [tuple(span) for span in batch["mention_word_spans"][text][mask].tolist()]
        for kind in range(3):
            label_of = dict(zip(spans, entity_labels[text, : len(spans), kind].tolist(), strict=True))
            if model.config.entity_finder == "span":
                for start in range(count):
                    for width in range(min(WIDTH, count - start)):
                        label = label_of.get((start, start + width + 1), 0.0)
                        if label != -100:
                            yield output.entity_logits[text, start, width, kind], torch.tensor(label)
                continue
            for word in range(count):
                for part in range(3):
                    touched = [
                        label
                        for (start, end), label in label_of.items()
                        if (word == start, word == end - 1, start <= word < end)[part]
                    ]
                    label = 1.0 if 1.0 in touched else -100.0 if -100.0 in touched else 0.0
                    if label != -100:
                        yield output.entity_logits[text, word, kind, part], torch.tensor(label)


@torch.no_grad()
def test_labels_without_entities_are_refused(build):
    model = build()
    batch = read(model)
    with pytest.raises(ValueError, match=r"of entities that are given: pass `mention_word_spans`"):
        model(**batch, entity_labels=torch.zeros(3, 1, 3))
    given, labels, entity_labels = labelled(model)
    with pytest.raises(ValueError, match=r"`entity_labels` must have the shape \(batch, mentions, entity types\)"):
        model(**given, labels=labels, entity_labels=entity_labels[:, :, :2])
    apart = {name: tensor for name, tensor in given.items() if not name.startswith("entity_type")}
    with pytest.raises(ValueError, match=r"are of entity types: pass these as well"):
        model(**apart, labels=labels, entity_labels=entity_labels)


# Saving and loading


@torch.no_grad()
@pytest.mark.parametrize("finder", FINDERS)
def test_saving_and_loading_is_exact(build, tmp_path, finder):
    model = build(entity_finder=finder, pair_selection="gat", scorer="tucker", pair_representation="ends")
    model.save_pretrained(tmp_path)
    loaded = AutoModel.from_pretrained(tmp_path).eval()
    assert type(loaded) is GLiRELForJointExtraction
    for (name, ours), (other, theirs) in zip(model.state_dict().items(), loaded.state_dict().items(), strict=True):
        assert name == other
        assert torch.equal(ours, theirs), name
    batch = read(loaded)
    threshold = threshold_for(model, batch)
    ours, theirs = (one(**batch, entity_threshold=threshold) for one in (model, loaded))
    assert torch.equal(ours.entity_logits, theirs.entity_logits)
    assert torch.equal(ours.logits, theirs.logits)


def test_auto_model_takes_the_right_head(build, build_model, tmp_path):
    build().save_pretrained(tmp_path / "joint")
    build_model("bert").save_pretrained(tmp_path / "pairs")
    assert type(AutoModel.from_pretrained(tmp_path / "joint")) is GLiRELForJointExtraction
    assert type(AutoModel.from_pretrained(tmp_path / "pairs")) is GLiRELForRelationClassification


_LOAD = """
import importlib.util, json, sys, torch
torch.set_num_threads(1)
assert importlib.util.find_spec("glirel_transformers") is None, "this process must not see the package"
from transformers import AutoModel
given = json.loads(sys.argv[1])
model = AutoModel.from_pretrained(given["folder"], trust_remote_code=True).eval()
types = {"entity_types": given["entity_types"], "relation_types": given["types"]}
batch = model.tokenizer(given["texts"], **types, padding=True)
with torch.no_grad():
    output = model(**batch, entity_threshold=given["threshold"], adjacency_threshold=0.0)
model.save_pretrained(given["target"])
print(json.dumps([type(model).__name__, output.entity_logits.tolist(), output.logits.tolist()]))
"""


@pytest.mark.parametrize("finder", FINDERS)
def test_the_head_loads_where_the_package_is_not(build, tmp_path, interpreter_without_package, finder):
    model = build(entity_finder=finder, pair_selection="mlp")
    model.save_pretrained(tmp_path / "saved")
    batch = read(model)
    threshold = threshold_for(model, batch)
    given = {"texts": TEXTS, "entity_types": ENTITY_TYPES, "types": RELATION_TYPES, "threshold": threshold}
    for folder, target in (("saved", "again"), ("again", "third")):  # what is saved there loads there
        folders = {"folder": str(tmp_path / folder), "target": str(tmp_path / target)}
        printed = interpreter_without_package.check(_LOAD, json.dumps({**given, **folders}), cwd=tmp_path)
        name, entity_logits, logits = json.loads(printed.splitlines()[-1])
        assert name == "GLiRELForJointExtraction"
        with torch.no_grad():
            expected = model(**batch, entity_threshold=threshold, adjacency_threshold=0.0)
        assert expected.logits.numel()
        torch.testing.assert_close(torch.tensor(entity_logits), expected.entity_logits)
        torch.testing.assert_close(torch.tensor(logits), expected.logits)


# Speed


@pytest.mark.sweep
@torch.no_grad()
@pytest.mark.parametrize("finder", FINDERS)
def test_compiled_is_eager(build, finder):
    model = build(entity_finder=finder, pair_selection="bilinear", fresh=True)
    model.config.max_candidates = 8
    compiled = torch.compile(model, dynamic=True, fullgraph=True, backend="aot_eager")
    for texts, types in ((TEXTS, ENTITY_TYPES), (TEXTS[:2], ENTITY_TYPES[:2]), (TEXTS[1:], ENTITY_TYPES)):
        batch = read(model, texts, types)
        threshold = threshold_for(model, batch)
        eager = model(**batch, entity_threshold=threshold, adjacency_threshold=0.5)
        found = compiled(**batch, entity_threshold=threshold, adjacency_threshold=0.5)
        torch.testing.assert_close(found.num_candidates, eager.num_candidates)
        for text in range(len(texts)):
            torch.testing.assert_close(
                entity_scores(model, found, text), entity_scores(model, eager, text), rtol=1e-4, atol=2e-5
            )
            assert_same_scores(scores_of(found, text), scores_of(eager, text))


@torch.no_grad()
def test_optimized_for_inference_gives_the_same_scores(model):
    batch = read(model)
    threshold = threshold_for(model, batch)
    before = model(**batch, entity_threshold=threshold, adjacency_threshold=0.0)
    fast = copy.deepcopy(model).optimize_for_inference()
    after = fast(**batch, entity_threshold=threshold, adjacency_threshold=0.0)
    for text in range(len(TEXTS)):
        torch.testing.assert_close(
            entity_scores(model, after, text), entity_scores(model, before, text), rtol=1e-4, atol=5e-5
        )
        assert_same_scores(scores_of(after, text), scores_of(before, text), atol=5e-5)


@torch.no_grad()
def test_half_precision_reads_everything(model):
    batch = read(model)
    half = copy.deepcopy(model).to(torch.bfloat16)
    for one in (half, half.optimize_for_inference()):
        output = one(**batch, entity_threshold=0.3, adjacency_threshold=0.0)
        assert output.logits.dtype == torch.bfloat16
        assert output.logits[output.pair_mask].isfinite().all()
        assert entity_scores(one, output, 0).isfinite().all()
        expected = entity_scores(model, model(**batch, entity_threshold=1.0), 0)
        difference = (entity_scores(one, output, 0).float() - expected).abs().mean()
        assert difference < 0.2 * expected.abs().mean() + 0.05


# Configuration


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"pair_selection": "dot"}, r"`pair_selection` 'dot' is for models that find entities"),
        ({"entity_finder": "span", "max_entity_width": None}, r"scores every span up to a width: give"),
        ({"entity_finder": "span", "entity_markers": True}, r"with an `entity_finder` they are found in it"),
        (
            {"entity_finder": "token", "mention_representation": "cat", "max_entity_width": None},
            r"has weights for each",
        ),
        ({"entity_finder": "token", "hidden_size": 36, "pair_selection": "gat"}, r"8 attention heads, .* got 36"),
        ({"entity_finder": "span", "scorer": "transe"}, r"needs pair_representation='ends': got 'concat'"),
        ({"entity_finder": "span", "pair_representation": "ends"}, r"scorer='dot' needs pair_representation='concat'"),
        (
            {"scorer": "um", "pair_representation": "ends", "threshold_head": True},
            r"no vector of a pair, which `threshold",
        ),
        ({"entity_finder": "words"}, r"`entity_finder` must be one of 'none', 'span', 'token': got 'words'"),
        ({"entity_finder": "span", "max_candidates": 0}, r"`max_candidates` must be a whole number of at least 1"),
        ({"entity_finder": "span", "entity_threshold": 1.5}, r"`entity_threshold` must be a number from 0 to 1"),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        GLiRELConfig(**settings)


def test_the_other_head_is_refused(build, build_model):
    with pytest.raises(ValueError, match=r"cannot have entity_finder='span': use GLiRELForJointExtraction"):
        GLiRELForRelationClassification(build().config)
    with pytest.raises(ValueError, match=r"cannot have entity_finder='none': use GLiRELForRelationClassification"):
        GLiRELForJointExtraction(build_model("bert").config)


def test_tensors_that_are_missing_are_named(build):
    model = build()
    batch = read(model)
    lost = {name: tensor for name, tensor in batch.items() if not name.startswith("entity_type")}
    with pytest.raises(ValueError, match=r"Neither entities nor entity types are given"):
        model(**lost)
    with pytest.raises(ValueError, match=r"label_encoding='joint': pass `entity_type_token_spans`"):
        model(**lost, entity_type_index=torch.zeros(3, 1).long())


def test_a_loss_is_that_of_the_configuration(build):
    model = build(loss_function="focal", focal_alpha=0.25)
    assert model.relation_loss == RelationLoss("focal", 0.25, 3.0, 1.0, 1.0, "mean")
