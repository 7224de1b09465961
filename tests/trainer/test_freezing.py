import pytest
import torch
from transformers import BertConfig, DebertaV2Config, ElectraConfig, ModernBertConfig, RobertaConfig

from glirel_transformers import GLiRELConfig, GLiRELForRelationClassification
from glirel_transformers.trainer import GLiRELTrainer, GLiRELTrainingArguments, freeze_encoder_layers
from glirel_transformers.trainer.freezing import encoder_layers

pytestmark = pytest.mark.slow

SIZES = {
    "vocab_size": 60,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "pad_token_id": 0,
}
CONFIGS = {
    "bert": BertConfig(**SIZES),
    "roberta": RobertaConfig(**SIZES),
    "electra": ElectraConfig(**SIZES, embedding_size=16),
    "deberta-v2": DebertaV2Config(**SIZES, relative_attention=True, position_biased_input=False),
    "modernbert": ModernBertConfig(**SIZES, bos_token_id=1, eos_token_id=2, cls_token_id=1, sep_token_id=2),
}


@pytest.mark.parametrize("family", CONFIGS)
def test_embeddings_and_the_first_layers_are_frozen(family):
    model = GLiRELForRelationClassification(GLiRELConfig(encoder_config=CONFIGS[family]))
    encoder = model.glirel.encoder
    freeze_encoder_layers(model, 2)
    layers = encoder_layers(encoder)
    assert len(layers) == 3
    frozen = {id(p) for p in model.parameters() if not p.requires_grad}
    assert {id(p) for layer in layers[:2] for p in layer.parameters()} <= frozen
    assert {id(p) for p in encoder.embeddings.parameters()} <= frozen
    assert not {id(p) for p in layers[2].parameters()} & frozen
    assert not {id(p) for name, p in model.named_parameters() if "encoder." not in name} & frozen
    if family == "electra":
        assert not encoder.embeddings_project.weight.requires_grad


def test_nothing_is_frozen_by_default(make_model):
    model = make_model()
    freeze_encoder_layers(model, 0)
    assert all(p.requires_grad for p in model.parameters())


def test_more_layers_than_there_are_is_an_error(make_model):
    with pytest.raises(ValueError, match="`num_frozen_encoder_layers` is 3, but the encoder has 2 layers"):
        freeze_encoder_layers(make_model(), 3)


def test_an_encoder_of_an_unknown_build_is_an_error():
    with pytest.raises(ValueError, match="The layers of Linear are not where they were looked for"):
        encoder_layers(torch.nn.Linear(2, 2))


def test_training_leaves_frozen_weights_alone_and_changes_the_others(make_model, documents, tmp_path):
    model = make_model()
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    args = GLiRELTrainingArguments(
        output_dir=str(tmp_path), num_frozen_encoder_layers=1, max_steps=3, report_to=[], save_strategy="no"
    )
    trainer = GLiRELTrainer(model, args, train_dataset=documents)
    trainer.train()
    changed = {name for name, p in model.named_parameters() if not torch.equal(p, before[name])}
    assert not any(
        name.startswith(("glirel.encoder.embeddings", "glirel.encoder.encoder.layer.0")) for name in changed
    )
    assert any(name.startswith("glirel.encoder.encoder.layer.1") for name in changed)
    assert any(name.startswith("glirel.pair_representation") for name in changed)
    trained = {id(p) for group in trainer.optimizer.param_groups for p in group["params"]}
    assert trained == {id(p) for p in model.parameters() if p.requires_grad}
