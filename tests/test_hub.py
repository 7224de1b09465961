"""Saved folders are whole: they load without this package, and what is trained and saved there loads again."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import transformers.modeling_utils
import transformers.utils.hub
from huggingface_hub import ModelCard
from interpreters import bare_environment
from tiny import ENTITIES, RELATION_TYPES, TEXTS
from transformers import AutoTokenizer, pipeline

from glirel_transformers import GLiRELForRelationClassification, GLiRELModel, RelationExtractionPipeline

PACKAGE = Path(__file__).resolve().parents[1] / "glirel_transformers"
CODE = {path.name for path in PACKAGE.glob("*_glirel.py")}
WHOLE = CODE | {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "README.md"}
SETTINGS = {
    "entity_markers": True,
    "max_pair_distance": 20,
    "use_lstm": True,
    "num_pair_refinement_layers": 1,
    "num_refinement_heads": 4,
    "scorer": "dot_thresh",
}

# Runs where the package is not. Prints what the parent compares.
PROLOGUE = """
import importlib.util, json, sys, torch
torch.set_num_threads(1)
assert importlib.util.find_spec("glirel_transformers") is None, "this process must not see the package"
import socket
def refuse(*args, **kwargs):
    raise AssertionError("the network was used")
socket.socket.connect = refuse
socket.getaddrinfo = refuse
from transformers import AutoConfig, AutoModel, AutoTokenizer, pipeline
given = json.loads(sys.argv[1])
"""

SCORE = """
def describe(folder):
    config = AutoConfig.from_pretrained(folder, trust_remote_code=True)
    tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=True)
    model = AutoModel.from_pretrained(folder, trust_remote_code=True).eval()
    batch = tokenizer(given["texts"], entities=given["entities"], relation_types=given["types"], padding=True)
    with torch.no_grad():
        logits = model(**batch).logits
    extract = pipeline("relation-extraction", model=folder, trust_remote_code=True)
    found = extract(given["texts"], entities=given["entities"], relation_types=given["types"], threshold=0.0)
    return {
        "config": type(config).__name__,
        "settings": [config.entity_markers, config.max_pair_distance, config.scorer],
        "model": type(model).__name__,
        "tokenizer": [type(tokenizer).__name__, tokenizer.entity_markers, tokenizer.max_pair_distance],
        "attached": type(model.tokenizer).__name__,
        "pipeline": type(extract).__name__,
        "logits": logits.tolist(),
        "found": found,
    }
"""

DESCRIBE = SCORE + 'print(json.dumps(describe(given["folder"])))'

TRAIN = """
model = AutoModel.from_pretrained(given["folder"], trust_remote_code=True).train()
batch = model.tokenizer(given["texts"], entities=given["entities"], relation_types=given["types"], padding=True)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
loss = model(**batch, labels=torch.ones_like(model(**batch).logits)).loss
loss.backward()
optimizer.step()
how = given["how"]
if how == "model":
    model.save_pretrained(given["target"])
elif how == "pipeline":
    extract = pipeline("relation-extraction", model=given["folder"], trust_remote_code=True)
    extract.model.load_state_dict(model.state_dict())
    extract.save_pretrained(given["target"])
else:
    del model.tokenizer
    model.save_pretrained(given["target"])
    AutoTokenizer.from_pretrained(given["folder"], trust_remote_code=True).save_pretrained(given["target"])
"""


def describe_with(given: dict[str, object]) -> str:
    """What a script without the package is given, as its argument."""
    return json.dumps({"texts": TEXTS, "entities": ENTITIES, "types": RELATION_TYPES, **given}, default=str)


@pytest.fixture(scope="module")
def model(build_model) -> GLiRELForRelationClassification:
    return build_model("bert", **SETTINGS)


def expected_description(model) -> dict:
    batch = model.tokenizer(TEXTS, entities=ENTITIES, relation_types=RELATION_TYPES, padding=True)
    with torch.no_grad():
        logits = model.eval()(**batch).logits
    extract = RelationExtractionPipeline(model)
    return {
        "config": "GLiRELConfig",
        "settings": [True, 20, "dot_thresh"],
        "model": "GLiRELForRelationClassification",
        "tokenizer": ["GLiRELTokenizer", True, 20],
        "attached": "GLiRELTokenizer",
        "pipeline": "RelationExtractionPipeline",
        "logits": logits.tolist(),
        "found": extract(TEXTS, entities=ENTITIES, relation_types=RELATION_TYPES, threshold=0.0),
    }


def assert_same_description(one: dict, other: dict) -> None:
    def plain(description):
        return {name: value for name, value in description.items() if name not in ("logits", "found")}

    assert plain(one) == plain(other)
    torch.testing.assert_close(torch.tensor(one["logits"]), torch.tensor(other["logits"]), rtol=1e-6, atol=1e-6)
    for ours, theirs in zip(one["found"], other["found"], strict=True):
        assert len(ours) == len(theirs) > 0

        def cell(relation):
            return relation["head"]["index"], relation["relation"], relation["tail"]["index"]

        for a, b in zip(sorted(ours, key=cell), sorted(theirs, key=cell), strict=True):
            assert {**a, "score": 0} == {**b, "score": 0}
            assert a["score"] == pytest.approx(b["score"], abs=1e-6)


def content(folder: Path, name: str) -> bytes:
    """A file's bytes, without what transformers notes in it about how a tokenizer was loaded."""
    if name != "tokenizer_config.json":
        return (folder / name).read_bytes()
    settings = json.loads((folder / name).read_text())
    return json.dumps({k: v for k, v in settings.items() if k not in ("is_local", "local_files_only")}).encode()


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


# Without the package


@pytest.mark.slow
def test_a_folder_loads_where_the_package_is_not(model, tmp_path):
    """In an interpreter that has imported nothing; the others are forked from one that has."""
    model.save_pretrained(tmp_path / "saved")
    result = subprocess.run(
        [sys.executable, "-S", "-c", PROLOGUE + DESCRIBE, describe_with({"folder": tmp_path / "saved"})],
        cwd=tmp_path,
        env=bare_environment(tmp_path / "home"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr[-4000:]
    assert_same_description(json.loads(result.stdout.splitlines()[-1]), expected_description(model))


@pytest.mark.parametrize("how", [pytest.param("model", marks=pytest.mark.sweep), "pipeline", "parts"])
def test_what_is_trained_and_saved_there_loads_again(model, tmp_path, interpreter_without_package, how):
    def run(script: str, **given: object) -> dict:
        printed = interpreter_without_package.check(PROLOGUE + script, describe_with(given), cwd=tmp_path)
        return json.loads(printed.splitlines()[-1])

    model.save_pretrained(tmp_path / "saved")
    script = SCORE + TRAIN + 'print(json.dumps(describe(given["target"])))'
    in_the_same_process = run(script, how=how, folder=tmp_path / "saved", target=tmp_path / "trained")
    assert files(tmp_path / "trained") >= WHOLE
    (tmp_path / "saved").rename(tmp_path / "gone")
    # The cache is another one, so that nothing but the folder itself can serve.
    elsewhere = run(DESCRIBE, folder=tmp_path / "trained")
    assert_same_description(elsewhere, in_the_same_process)
    before = torch.tensor(expected_description(model)["logits"])
    assert (torch.tensor(elsewhere["logits"]) - before).abs().max() > 1e-3  # it was trained


# What a folder holds


@pytest.mark.parametrize("save", [lambda model, folder: model.save_pretrained(folder),
                                  lambda model, folder: RelationExtractionPipeline(model).save_pretrained(folder)],
                         ids=["model", "pipeline"])  # fmt: skip
def test_a_saved_folder_is_whole(model, tmp_path, save):
    save(model, tmp_path)
    assert files(tmp_path) == WHOLE
    for name in CODE:
        assert (tmp_path / name).read_bytes() == (PACKAGE / name).read_bytes()
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["auto_map"] == {
        "AutoConfig": "configuration_glirel.GLiRELConfig",
        "AutoModel": "modeling_glirel.GLiRELForRelationClassification",
    }
    assert config["custom_pipelines"] == {
        "relation-extraction": {
            "impl": "pipeline_glirel.RelationExtractionPipeline",
            "pt": ["AutoModel"],
            "type": "text",
        }
    }
    tokenizer_config = json.loads((tmp_path / "tokenizer_config.json").read_text())
    assert "tokenization_glirel.GLiRELTokenizer" in tokenizer_config["auto_map"]["AutoTokenizer"]


def test_the_pipeline_saves_what_the_model_saves(model, tmp_path):
    model.save_pretrained(tmp_path / "model")
    RelationExtractionPipeline(model).save_pretrained(tmp_path / "pipeline")
    for name in WHOLE - {"README.md"}:
        assert content(tmp_path / "model", name) == content(tmp_path / "pipeline", name), name


def test_a_mixed_pipeline_saves_a_whole_folder(model, tmp_path):
    """Where the package is imported, `pipeline(..., trust_remote_code=True)` takes the pipeline's class from the
    folder and the model's from the package."""
    model.save_pretrained(tmp_path / "one")
    pipeline("relation-extraction", model=str(tmp_path / "one"), trust_remote_code=True).save_pretrained(
        tmp_path / "two"
    )
    assert files(tmp_path / "two") == WHOLE
    for name in WHOLE - {"README.md"}:
        assert content(tmp_path / "one", name) == content(tmp_path / "two", name), name


def test_saving_over_a_folder_and_into_itself(model, tmp_path):
    model.save_pretrained(tmp_path)
    before = {name: content(tmp_path, name) for name in WHOLE}
    GLiRELForRelationClassification.from_pretrained(tmp_path).save_pretrained(tmp_path)
    assert files(tmp_path) == WHOLE
    assert {name: content(tmp_path, name) for name in WHOLE} == before


def test_the_model_card_has_a_usage_block(model, tmp_path):
    folder = tmp_path / "my-glirel"
    model.save_pretrained(folder)
    text = (folder / "README.md").read_text(encoding="utf-8")
    card = ModelCard(text)
    assert card.data.library_name == "transformers"
    assert "relation-extraction" in card.data.tags
    assert 'pipeline("relation-extraction", model="my-glirel", trust_remote_code=True)' in text
    assert text.count("```") == 2
    usage = text.split("```python\n")[1].split("```")[0]
    compile(usage, "README.md", "exec")


def test_the_model_card_names_what_was_trained_on(build_model, tmp_path):
    names = [f"relation {i}" for i in range(1200)]
    for count, row in (
        (0, None),
        (2, "| trained on | 2 relation types: relation 0, relation 1 |"),
        (1200, "relation 9 |"),
    ):
        build_model("bert", trained_relation_types=names[:count]).save_pretrained(tmp_path / str(count))
        text = (tmp_path / str(count) / "README.md").read_text(encoding="utf-8")
        assert row in text if row else "trained on" not in text
    assert "| trained on | 1,200 relation types, such as relation 0, " in text


def test_the_usage_block_runs(model, tmp_path, monkeypatch):
    model.save_pretrained(tmp_path / "my-glirel")
    usage = (tmp_path / "my-glirel" / "README.md").read_text(encoding="utf-8").split("```python\n")[1].split("```")[0]
    monkeypatch.chdir(tmp_path)
    variables: dict = {}
    exec(usage.replace("extract(\n", "relations = extract(\n"), variables)
    assert isinstance(variables["relations"], list)


def test_a_card_that_is_there_is_kept(model, tmp_path):
    (tmp_path / "README.md").write_text("My own words.")
    model.save_pretrained(tmp_path)
    RelationExtractionPipeline(model).save_pretrained(tmp_path)
    assert (tmp_path / "README.md").read_text() == "My own words."


def test_a_model_without_tokenizer_says_what_is_missing(build_model, tmp_path, caplog):
    model = build_model("bert")
    model.tokenizer = None
    model.save_pretrained(tmp_path)
    assert "has no tokenizer attached" in caplog.text
    assert files(tmp_path) == WHOLE - {"tokenizer.json", "tokenizer_config.json"}
    loaded = GLiRELForRelationClassification.from_pretrained(tmp_path)
    assert loaded.tokenizer is None


def test_a_tokenizer_that_is_changed_is_saved_as_it_is_now(build_model, tmp_path):
    model = build_model("bert")
    model.tokenizer.model_max_length = 99
    model.save_pretrained(tmp_path)
    assert GLiRELForRelationClassification.from_pretrained(tmp_path).tokenizer.model_max_length == 99


def test_only_the_main_process_writes(model, tmp_path):
    model.save_pretrained(tmp_path / "other", is_main_process=False)
    assert not (tmp_path / "other" / "tokenizer.json").exists()
    assert not (tmp_path / "other" / "README.md").exists()


def test_shards(model, tmp_path):
    model.save_pretrained(tmp_path, max_shard_size="30KB")
    assert (tmp_path / "model.safetensors.index.json").exists()
    loaded = GLiRELForRelationClassification.from_pretrained(tmp_path)
    assert all(torch.equal(a, b) for a, b in zip(loaded.parameters(), model.parameters(), strict=True))


def test_the_bare_model_is_saved_and_loaded(model, tmp_path):
    model.save_pretrained(tmp_path / "one")
    bare = GLiRELModel.from_pretrained(tmp_path / "one")
    bare.save_pretrained(tmp_path / "two")
    again = GLiRELModel.from_pretrained(tmp_path / "two")
    assert all(torch.equal(a, b) for a, b in zip(bare.parameters(), again.parameters(), strict=True))
    assert files(tmp_path / "two") == WHOLE


def test_a_subfolder_is_loaded(model, tmp_path):
    model.save_pretrained(tmp_path / "inner")
    loaded = GLiRELForRelationClassification.from_pretrained(tmp_path, subfolder="inner")
    assert loaded.tokenizer is not None
    assert torch.equal(loaded.get_input_embeddings().weight, model.get_input_embeddings().weight)


# Pushing, with the Hub replaced


@pytest.fixture
def uploads(monkeypatch) -> dict[str, bytes]:
    """Every file that is uploaded, by its path in the repository."""
    uploaded: dict[str, bytes] = {}

    class Api:
        def create_repo(self, repo_id, **_):
            return SimpleNamespace(repo_id=repo_id)

        def create_commit(self, repo_id=None, operations=(), **_):
            for operation in operations:
                uploaded[operation.path_in_repo] = Path(operation.path_or_fileobj).read_bytes()
            return SimpleNamespace(commit_url="")

        def create_branch(self, **_):
            return None

    for module in (transformers.utils.hub, transformers.modeling_utils):
        if hasattr(module, "hf_api"):
            monkeypatch.setattr(module, "hf_api", Api)

    def no_card(*_, **__):
        raise transformers.utils.hub.EntryNotFoundError("the repository is new")

    monkeypatch.setattr(transformers.utils.hub.ModelCard, "load", no_card)
    return uploaded


def test_push_to_hub_uploads_a_whole_folder(model, uploads):
    model.push_to_hub("someone/my-glirel")
    assert set(uploads) >= WHOLE


def test_saving_with_push_to_hub_uploads_a_whole_folder(model, uploads, tmp_path):
    model.save_pretrained(tmp_path / "my-glirel", push_to_hub=True, repo_id="someone/my-glirel")
    assert set(uploads) >= WHOLE


def test_a_pushed_card_has_the_usage_block_and_the_repositorys_name(model, uploads):
    model.push_to_hub("someone/my-glirel")
    assert 'model="someone/my-glirel", trust_remote_code=True' in uploads["README.md"].decode()


def test_a_pushed_pipeline_is_whole(model, uploads):
    RelationExtractionPipeline(model).push_to_hub("someone/my-glirel")
    assert set(uploads) >= WHOLE


def test_a_folder_restores_the_tokenizer_alone(model, tmp_path):
    model.tokenizer.save_pretrained(tmp_path)
    assert files(tmp_path) >= {"tokenizer.json", "tokenizer_config.json", "tokenization_glirel.py"}
    assert AutoTokenizer.from_pretrained(tmp_path, trust_remote_code=True).entity_markers is True
