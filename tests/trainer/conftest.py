import pytest
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from glirel_transformers import GLiRELForRelationClassification
from glirel_transformers.data import Document, Mention, Relation

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
TEXT = (
    "marie curie was born in warsaw and married pierre who worked at paris university . ada met alan london cambridge",
    "place of birth spouse employer colleague capital founder author r0 r1 r2 r3 r4 r5 r6 r7 r8 r9",
)


@pytest.fixture(scope="session")
def encoder_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("encoder")
    vocabulary = {word: i for i, word in enumerate([*SPECIAL, *dict.fromkeys(" ".join(TEXT).split())])}
    backend = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer(lowercase=True)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", vocabulary["[CLS]"]), ("[SEP]", vocabulary["[SEP]"])]
    )
    names = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    PreTrainedTokenizerFast(tokenizer_object=backend, model_max_length=128, **names).save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=128,
    )
    BertModel(config).save_pretrained(folder)
    return folder


@pytest.fixture
def make_model(encoder_folder):
    def make(**settings):
        torch.manual_seed(0)
        return GLiRELForRelationClassification.from_encoder(encoder_folder, **settings)

    return make


@pytest.fixture
def tokenizer(make_model):
    return make_model().tokenizer


@pytest.fixture
def documents():
    """Four texts; the first has two relations between one pair."""

    def document(text, mentions, relations, **fields):
        return Document(text.split(), [Mention(*m) for m in mentions], [Relation(*r) for r in relations], **fields)

    return [
        document(
            "Marie Curie was born in Warsaw .",
            [(0, 2), (5, 6)],
            [(0, 1, "place of birth"), (0, 1, "capital")],
        ),
        document(
            "Marie married Pierre who worked at Paris University .",
            [(0, 1), (2, 3), (6, 8)],
            [(0, 1, "spouse"), (1, 0, "spouse"), (1, 2, "employer")],
        ),
        document("Ada met Alan in London .", [(0, 1), (2, 3), (4, 5)], [(0, 1, "colleague")]),
        document("Alan worked at Cambridge University .", [(0, 1), (3, 5)], [(0, 1, "employer")]),
    ]
