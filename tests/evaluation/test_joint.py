"""End-to-end evaluation: entities found, triples strict and by boundaries, against a count from the definition."""

from __future__ import annotations

import json

import pytest
from tiny import TEXTS
from typer.testing import CliRunner

from glirel_transformers import RelationExtractor
from glirel_transformers.cli import app
from glirel_transformers.data import Document, Mention, Relation, write_documents
from glirel_transformers.evaluation import EndToEnd, evaluate_joint, fit_thresholds


@pytest.fixture(scope="module")
def extract(joint_model):
    return RelationExtractor(joint_model)


def documents_of(extract, texts):
    """What the model finds in some texts, half of it changed: an annotation of which it gets a part right."""
    documents = []
    for text in texts:
        found = extract(
            text,
            entity_types=["person", "city"],
            relation_types=["spouse", "place of birth"],
            return_entities=True,
            entity_threshold=0.3,
            threshold=0.5,
        )
        entities = [
            {**entity, "label": "city" if place % 3 == 2 else entity["label"]}
            for place, entity in enumerate(found["entities"])
        ]
        relations = {
            Relation(one["head"]["index"], one["tail"]["index"], one["relation"])
            for place, one in enumerate(found["relations"])
            if place % 2
        }
        if len(entities) > 1:
            relations.add(Relation(0, len(entities) - 1, "spouse"))
        plain = [{key: entity[key] for key in ("start", "end", "label")} for entity in entities]
        documents.append(Document.from_text(text, plain, sorted(relations, key=str)))
    return documents


CORPUS = [*TEXTS, "Ada Lovelace was born in London.", "Sony was found in Tokyo and Marie was in Warsaw."]


@pytest.fixture(scope="module")
def documents(extract):
    return documents_of(extract, CORPUS)


def naive(extract, documents, relations, types, entity_threshold, threshold, own_types=False, **options):
    """Sets of what is predicted and gold, cut from the definition; none of the library's own counting."""
    counted = {name: [0, 0, 0] for name in ("strict", "boundaries", "entities", "spans")}
    per_type = {}
    for document in documents:
        text, mentions = document.to_text()
        gold_entities = [(one["start"], one["end"], one["label"]) for one in mentions]
        asked = [name for name in types if name in {one[2] for one in gold_entities}] if own_types else types
        result = extract(
            text,
            entity_types=asked,
            relation_types=relations,
            return_entities=True,
            entity_threshold=entity_threshold,
            threshold=threshold,
            truncation="window",
            **options,
        )

        def end(one):
            return one["start"], one["end"], one["label"]

        pairs = {
            "entities": (set(map(end, result["entities"])), {one for one in gold_entities if one[2] in types}),
            "spans": (
                {end(one)[:2] for one in result["entities"]},
                {one[:2] for one in gold_entities if one[2] in types},
            ),
            "strict": (
                {(end(one["head"]), one["relation"], end(one["tail"])) for one in result["relations"]},
                {
                    (gold_entities[one.head], one.relation_type, gold_entities[one.tail])
                    for one in document.relations
                    if one.relation_type in relations
                },
            ),
        }
        pairs["boundaries"] = tuple(
            {(head[:2], name, tail[:2]) for head, name, tail in triples} for triples in pairs["strict"]
        )
        for name, (predicted, gold) in pairs.items():
            for place, number in enumerate((len(predicted & gold), len(predicted), len(gold))):
                counted[name][place] += number
        for place, some in enumerate((pairs["strict"][0] & pairs["strict"][1], *pairs["strict"])):
            for triple in some:
                per_type.setdefault(triple[1], [0, 0, 0])[place] += 1
    return counted, per_type


def counts_of(result):
    return {
        "strict": result.triples["strict"].by_type().sum(0).tolist(),
        "boundaries": result.triples["boundaries"].by_type().sum(0).tolist(),
        "entities": result.entities["strict"].by_type().sum(0).tolist(),
        "spans": result.entities["boundaries"].by_type().sum(0).tolist(),
    }


@pytest.mark.slow
@pytest.mark.parametrize("overlap", ["flat", "nested"])
@pytest.mark.parametrize(("entity_threshold", "threshold"), [(0.3, 0.5), (0.2, 0.6), (0.6, 0.2), (1.0, 0.5)])
def test_counts_are_those_of_the_definition(extract, documents, overlap, entity_threshold, threshold):
    types, relations = ["person", "city"], ["spouse", "place of birth"]
    result = evaluate_joint(
        extract, documents, relations, types, entity_threshold=entity_threshold, threshold=threshold, overlap=overlap
    )
    expected, per_type = naive(extract, documents, relations, types, entity_threshold, threshold, overlap=overlap)
    assert counts_of(result) == expected
    assert dict(zip(relations, result.triples["strict"].by_type().tolist(), strict=True)) == {
        name: per_type.get(name, [0, 0, 0]) for name in relations
    }
    if entity_threshold == 0.3 and overlap == "flat":
        assert expected["boundaries"][0] > expected["strict"][0] > 3  # a type that is wrong costs its triples
        right, predicted, gold = expected["strict"]
        averages = result.triples["strict"].averages()
        assert averages["micro_precision"] == pytest.approx(right / predicted)
        assert averages["micro_f1"] == pytest.approx(2 * right / (predicted + gold))
        f1 = [2 * row[0] / (row[1] + row[2]) for row in per_type.values() if row[2]]
        assert averages["macro_f1"] == pytest.approx(sum(f1) / len(f1))


def test_prompted_by_the_types_of_each_text(extract, documents):
    types, relations = ["person", "city", "film"], ["spouse"]
    result = evaluate_joint(
        extract, documents, relations, types, source="prompted", entity_threshold=0.3, threshold=0.5
    )
    expected, _ = naive(extract, documents, relations, types, 0.3, 0.5, own_types=True)
    assert counts_of(result) == expected
    found = evaluate_joint(extract, documents, relations, types, entity_threshold=0.3, threshold=0.5)
    assert counts_of(found) != expected  # a model reads every type that it is asked for
    assert (result.source, found.source) == ("prompted", "found")
    assert result.num_unasked_relations == sum(
        relation.relation_type != "spouse" for document in documents for relation in document.relations
    )


def test_a_model_agrees_with_itself(extract):
    """With what it finds as the annotation, everything is right; by default of the types that occur there."""
    documents = []
    for text in CORPUS:
        found = extract(
            text,
            entity_types=["person", "city"],
            relation_types=["spouse"],
            return_entities=True,
            entity_threshold=0.3,
        )
        relations = [Relation(one["head"]["index"], one["tail"]["index"], "spouse") for one in found["relations"]]
        documents.append(Document.from_text(text, found["entities"], relations))
    result = evaluate_joint(extract, documents, ["spouse"], ["person", "city"], entity_threshold=0.3)
    for counts in (*result.triples.values(), *result.entities.values()):
        right, predicted, gold = counts.by_type().sum(0).tolist()
        assert right == predicted == gold > 0


def test_thresholds_that_are_fitted_are_the_best(extract, documents):
    types, relations = ["person", "city"], ["spouse", "place of birth"]
    asked = {"relation_types": relations, "entity_types": types}
    fit = fit_thresholds(extract, documents, **asked)

    def f1(entity_threshold, threshold, name):
        right, predicted, gold = naive(extract, documents, relations, types, entity_threshold, threshold)[0][name]
        return 2 * right / max(predicted + gold, 1)

    assert f1(fit.entities.threshold, 0.5, "entities") == pytest.approx(fit.entities.f1)
    assert f1(fit.entities.threshold, fit.relations.threshold, "strict") == pytest.approx(fit.relations.f1)
    for other in (0.05, 0.2, 0.4, 0.5, 0.6, 0.8):
        assert f1(other, 0.5, "entities") <= fit.entities.f1 + 1e-9
        assert f1(fit.entities.threshold, other, "strict") <= fit.relations.f1 + 1e-9


def test_entities_do_not_depend_on_whether_relations_are_scored(extract, documents):
    asked = {"relation_types": ["spouse"], "entity_types": ["person", "city"], "entity_threshold": 0.3}
    one = evaluate_joint(extract, documents, only_entities=True, **asked)
    other = evaluate_joint(extract, documents, **asked)
    for match, counts in one.entities.items():
        assert counts.by_type().tolist() == other.entities[match].by_type().tolist()
    assert one.triples["strict"].by_type(0.0)[:, 1].sum() == 0
    assert other.triples["strict"].by_type(0.0)[:, 1].sum() > 0


def test_mentions_of_one_entity_are_one_end(extract):
    """A relation holds between entities: any of their mentions tells it, and it counts once."""
    text = "Ada was born in London. Ada was in London."
    found = extract(
        text, entity_types=["person"], relation_types=["spouse"], return_entities=True, entity_threshold=0.0
    )
    spans = [(one["start"], one["end"]) for one in found["entities"]]
    assert len(spans) > 3
    clusters = [
        {"mentions": [spans[0], spans[2]], "label": "person"},
        {"mentions": [spans[1], spans[3]], "label": "person"},
    ]
    document = Document.from_text(text, clusters, [Relation(0, 1, "spouse")])
    result = evaluate_joint(extract, [document], entity_threshold=0.0, threshold=0.0)
    right, predicted, gold = result.triples["strict"].by_type().sum(0).tolist()
    assert (right, gold) == (1, 1)
    ends = len(spans) - 2
    assert predicted == ends * (ends - 1)


def test_an_entity_without_a_type_is_right_by_its_boundaries(extract):
    text = "Ada was born in London."
    asked = {"entity_types": ["person"], "relation_types": ["spouse"], "entity_threshold": 0.0}
    found = extract(text, return_entities=True, **asked)["entities"]
    one = found[0]
    document = Document.from_text(text, [(one["start"], one["end"])], [])
    result = evaluate_joint(extract, [document], threshold=0.0, **asked)
    assert result.num_untyped_entities == 1
    assert result.entities["strict"].by_type().tolist() == [[0, len(found), 0]]
    assert result.entities["boundaries"].by_type().tolist() == [[1, len(found), 1]]


def test_what_is_unknown_or_not_asked_for_is_counted(extract):
    text = "Ada met Bob in London."
    mentions = [(0, 3, "person"), (8, 11, "person"), (15, 21, None)]
    document = Document.from_text(text, mentions, [Relation(0, 1, "met"), Relation(0, 2, "in")], exhaustive=False)
    result = evaluate_joint(extract, [document], ["met"], ["city"], entity_threshold=0.0, threshold=0.0)
    assert (result.num_unasked_entities, result.num_untyped_entities, result.num_unasked_relations) == (2, 1, 1)
    assert result.triples["strict"].by_type()[0].tolist() == [0, 0, 1]
    assert result.num_unknown_pairs == result.num_found * (result.num_found - 1)
    assert result.entities["strict"].by_type()[0, 2] == 0


def test_nothing_to_evaluate_on(extract):
    with pytest.raises(ValueError, match="nothing to evaluate on: got 0 documents"):
        evaluate_joint(extract, [])
    untyped = Document.from_text("Ada met Bob.", [(0, 3), (8, 11)], [Relation(0, 1, "met")])
    with pytest.raises(ValueError, match="entities of 0"):
        evaluate_joint(extract, [untyped])
    document = Document(["Ada", "met"], [Mention(0, 1, "x"), Mention(1, 2, "x")], [Relation(0, 1, "met")])
    with pytest.raises(ValueError, match="No threshold of entities can be fitted"):
        fit_thresholds(extract, [document], relation_types=["a"], entity_types=["y"])


def test_the_cells_that_are_kept_are_those_that_are_counted(extract, documents):
    for source in ("found", "prompted"):
        protocol = EndToEnd(source=source, entity_threshold=0.3, threshold=0.5)
        result = protocol.run(extract, documents)
        assert (result.protocol, result.entities, len(result.documents)) == ("end-to-end", source, len(documents))
        cells = result.cells()
        for number, counted in enumerate(result.details.triples["strict"].by_type().tolist()):
            ours = cells.relation == number
            right, predicted = (cells.label[ours] == 1)[cells.predicted[ours]].sum(), cells.predicted[ours].sum()
            missed = sum(scored.missed.count(number) for scored in result.documents)
            assert [right, predicted, (cells.label[ours] == 1).sum() + missed] == counted
        assert result.num_gold == result.details.triples["strict"].by_type()[:, 2].sum()
        for scored in result.documents:
            assert all(scored.text[one.start : one.end] == one.text for one in scored.entities)


# The command


@pytest.fixture
def run(joint_model, build_model, documents, tmp_path):
    joint_model.save_pretrained(tmp_path / "joint")
    write_documents(tmp_path / "test.jsonl", documents)
    write_documents(tmp_path / "dev.jsonl", documents[:3])

    def call(*arguments, code=0, model="joint"):
        files = (str(tmp_path / model), str(tmp_path / "test.jsonl"))
        result = CliRunner().invoke(app, ["evaluate", *files, *map(str, arguments)])
        assert result.exit_code == code, result.output
        return result

    return call


@pytest.mark.slow
def test_tables_and_json_say_where_entities_come_from(run, extract, documents, tmp_path):
    out = tmp_path / "scores.json"
    shown = {}
    for source in ("gold", "found", "prompted"):
        given = ("--entity-threshold", 0.3) if source != "gold" else ()
        shown[source] = run("--entities", source, *given, "--threshold", 0.5, "-o", out).stdout
        report = json.loads(out.read_text(encoding="utf-8"))
        assert report["entities"] == source
        assert source in shown[source]
    assert "Entities given (gold). At the threshold 0.500" in shown["gold"]
    assert "Entities found, at the thresholds 0.300 (entities) and 0.500 (relations)" in shown["found"]
    assert "for each text, those of its own gold entities" in shown["prompted"]
    assert run("--entity-threshold", 0.3, "--threshold", 0.5).stdout == shown["found"]
    assert "all that occur in DATA: " in shown["found"]
    run("--entity-types", "city,person", "--entity-threshold", 0.3, "--threshold", 0.5, "-o", out)
    report = json.loads(out.read_text(encoding="utf-8"))
    assert (report["entity_types_from"], report["entity_types"]) == ("given", ["city", "person"])
    relations = [row["relation_type"] for row in report["triples"]["strict"]["relation_types"]]
    expected, per_type = naive(extract, documents, relations, ["city", "person"], 0.3, 0.5)
    for name, (key, match) in {
        "strict": ("triples", "strict"),
        "boundaries": ("triples", "boundaries"),
        "entities": ("found_entities", "strict"),
        "spans": ("found_entities", "boundaries"),
    }.items():
        figures = report[key][match]
        assert [figures[f"num_{one}"] for one in ("right", "predicted", "gold")] == expected[name]
        assert {"micro_f1", "macro_f1"} <= set(figures["averages"])
    for row in report["triples"]["strict"]["relation_types"]:
        assert [row["predicted"], row["support"]] == per_type[row["relation_type"]][1:]


def test_thresholds_are_fitted_on_other_documents(run, extract, documents, tmp_path):
    out = tmp_path / "scores.json"
    result = run("--fit-on", tmp_path / "dev.jsonl", "-o", out)
    assert "These thresholds were fitted on the 3 documents of --fit-on" in result.stdout
    report = json.loads(out.read_text(encoding="utf-8"))
    asked = {
        "relation_types": [row["relation_type"] for row in report["triples"]["strict"]["relation_types"]],
        "entity_types": report["entity_types"],
    }
    fit = fit_thresholds(extract, documents[:3], **asked)
    assert report["entity_threshold"] == pytest.approx(fit.entities.threshold)
    assert report["threshold"] == pytest.approx(fit.relations.threshold)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--by-entity",), "--by-entity is for entities that are given. Add --entities gold."),
        (("--candidates", 2), "--candidates is for entities that are given"),
        (("--entities", "gold", "--entity-types", "a"), "--entity-types is for entities that the model finds"),
        (("--entities", "gold", "--overlap", "nested"), "--overlap is for entities that the model finds"),
        (("--entities", "prompted", "--entity-types", "a"), "Choose one."),
        (("--entity-threshold", 0.2, "--fit-on", "DEV"), "--entity-threshold gives it"),
        (("--entities", "gold", "--multi-label"), "--multi-label is for entities that the model finds"),
        (("--adjacency-threshold", 0.5), "--adjacency-threshold is for models with a pair_selection"),
        (("--protocol", "end-to-end", "--entities", "gold"), "finds entities, and --entities gold gives them"),
        (("--protocol", "extraction", "--entities", "found"), "The protocol extraction gives the entities of DATA"),
        (("--baseline", "random"), "--baseline is for entities that are given: baselines find none"),
    ],
)
def test_options_that_exclude_each_other(run, tmp_path, options, message):
    options = [tmp_path / "dev.jsonl" if option == "DEV" else option for option in options]
    result = run(*options, code=1)
    assert message in " ".join(result.stderr.split())


def test_an_entity_may_have_several_types(run, tmp_path):
    out = tmp_path / "scores.json"
    found = {}
    for options in ((), ("--multi-label",)):
        run("--entity-types", "person,city,human", "--entity-threshold", 0.1, *options, "-o", out)
        found[options] = json.loads(out.read_text(encoding="utf-8"))["found_entities"]["strict"]["num_predicted"]
    assert found["--multi-label",] > found[()]


def test_which_pairs_are_scored_may_be_chosen(run, build_joint, tmp_path):
    build_joint("bert", pair_selection="dot").save_pretrained(tmp_path / "adjacent")
    out = tmp_path / "scores.json"
    predicted = {}
    for threshold in (0, 1):
        options = ("--entity-threshold", 0.1, "--threshold", 0, "--adjacency-threshold", threshold, "-o", out)
        run(*options, model="adjacent")
        predicted[threshold] = json.loads(out.read_text(encoding="utf-8"))["triples"]["strict"]["num_predicted"]
    assert predicted[1] == 0 < predicted[0]


def test_a_model_that_finds_entities_is_measured_with_given_ones_too(run, tmp_path):
    for protocol in ("extraction", "document"):
        assert "Entities given (gold)" in run("--protocol", protocol).stdout
    shown = run("--protocol", "classification", "--unseen", 2, "--seeds", 1).stdout
    assert "Protocol classification; entities given (gold)" in " ".join(shown.split())


def test_a_model_that_finds_none(run, build_model, tmp_path):
    build_model("bert").save_pretrained(tmp_path / "plain")
    assert "Entities given (gold)" in run(model="plain").stdout
    result = run("--entities", "found", model="plain", code=1)
    assert "--entities found needs a model that finds entities" in " ".join(result.stderr.split())


def test_sorting_and_hiding(run):
    every = run("--sort", "name", "--entity-threshold", 0.3).stdout
    assert every.index("place of birth") < every.index("spouse")
    few = run("--top", 0, "--entity-threshold", 0.3).stdout
    assert "more relation types are counted but not shown" in few
    assert "more entity types are counted but not shown" in few
