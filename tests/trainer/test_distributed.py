"""Two processes on the CPU do what one does with batches of twice the size."""

import json
import subprocess
import sys

import pytest
from interpreters import package_environment

SCRIPT = """
import json, sys
import torch
from accelerate import PartialState
from glirel_transformers import GLiRELForRelationClassification
from glirel_transformers.data import read_documents
from glirel_transformers.trainer import GLiRELTrainer, GLiRELTrainingArguments, RelationCollator

encoder, documents, output, batch_size = sys.argv[1:]
torch.manual_seed(0)
model = GLiRELForRelationClassification.from_encoder(encoder, dropout=0.0)
for module in model.modules():
    if isinstance(module, torch.nn.Dropout):
        module.p = 0.0
documents = list(read_documents(documents))
same_shape = [document for document in documents if len(document.mentions) == 2]
args = GLiRELTrainingArguments(
    output_dir=output, max_steps=4, per_device_train_batch_size=int(batch_size), per_device_eval_batch_size=1,
    learning_rate=1e-3, optim="sgd", warmup_steps=0, logging_steps=1, report_to=[], save_strategy="no", use_cpu=True,
)
names = ["place of birth", "spouse", "employer", "colleague", "capital", "r0", "r1", "r2"]
collator = RelationCollator(model.tokenizer, names, random_drop=0.0, max_relation_types=6)
trainer = GLiRELTrainer(model, args, collator, train_dataset=same_shape * 4, eval_dataset=documents)
trainer.train()
evaluation = trainer.evaluate()
several = trainer.evaluate(documents[:3])  # does not divide by two
trainer.save_model()
if trainer.is_world_process_zero():
    weights = {name: float(p.double().abs().sum()) for name, p in model.named_parameters()}
    print("RESULT" + json.dumps([args.world_size, weights, evaluation, several]), flush=True)
PartialState().destroy_process_group()  # whose threads would abort the interpreter at its end, now and then
"""


def run(launcher, script, *arguments):
    environment = package_environment()
    done = subprocess.run(
        [*launcher, str(script), *map(str, arguments)], env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(next(line for line in done.stdout.splitlines() if line.startswith("RESULT"))[len("RESULT") :])


@pytest.mark.sweep
def test_two_processes_train_and_evaluate_as_one(encoder_folder, documents, tmp_path):
    from glirel_transformers.data import write_documents

    script, data = tmp_path / "script.py", tmp_path / "documents.jsonl"
    script.write_text(SCRIPT)
    write_documents(data, documents)
    # With --cpu, accelerate starts several processes under MPI only. This is its launcher without MPI; the script's
    # `use_cpu` makes the processes talk through gloo.
    launcher = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2"]
    launcher += [
        "--num_machines",
        "1",
        "--mixed_precision",
        "no",
        "--dynamo_backend",
        "no",
        "--main_process_port",
        "0",
    ]
    processes, weights, *evaluations = run(launcher, script, encoder_folder, data, tmp_path / "two", 2)
    assert processes == 2
    one, expected_weights, *expected_evaluations = run(
        [sys.executable], script, encoder_folder, data, tmp_path / "one", 4
    )
    assert one == 1
    assert weights == pytest.approx(expected_weights, rel=1e-5)
    for evaluation, expected in zip(evaluations, expected_evaluations, strict=True):
        for name, value in expected.items():
            if name.endswith(("loss", "f1", "precision", "recall")):
                assert evaluation[name] == pytest.approx(value, rel=1e-4), name
    assert (tmp_path / "two" / "modeling_glirel.py").is_file()
