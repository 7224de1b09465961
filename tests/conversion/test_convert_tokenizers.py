"""Tokens are those that the original package reads, under transformers 4."""

from __future__ import annotations

import base64
import json
import zlib
from pathlib import Path

import pytest
import torch
from original_settings import SETTINGS
from transformers import AutoConfig, AutoTokenizer, DebertaV2Config
from transformers.tokenization_utils_base import VERY_LARGE_INTEGER

from glirel_transformers import GLiRELForRelationClassification, RelationExtractionPipeline
from glirel_transformers.conversion import convert
from glirel_transformers.conversion.encoders import read_encoder_config, read_tokenizer
from glirel_transformers.conversion.sentencepiece import read_model

# A SentencePiece model of 29 pieces, trained on two sentences of our own. Its character map has four rules:
# "…" → "...", "½" → "1/2", "ﬁ" → "fi" and no-break space → space.
SPM_MODEL = zlib.decompress(
    base64.b85decode(
        "c-mFd2~<>79Dwob8$h@U>e#h%IbtrU)kCH%w^T&jP(q2+02N`-aT$^sKwDHafyxD3uv~H1)GRI1LK#uZ+%>nf&3!8^mliAad+&AT"
        "9Os<h-0wf<y>s5Vcb*KBfl2XET~n0c^O#K<b9C>7hvtNs_=o1ixY++^O-gAyTau@8#IXt)EUP$G?8N||QCX^5Zez1D)z(0VSsCgX"
        "yH&$gMNo`SR+9nT?Nyf&8A7Dya;y0z-OMZ8Drau8SuRyxnPS#ZHQ7GItW;HCRG6%4+@G22R>fyheKJ%AS+nX>o^M{LtD@8bvvO70"
        "9;+f$-UX{7{pIjin!iT-%j2(Xt9VvjSKXTznm>BYvUik$X}Wi;*B;<?xyOY!DAa^cv+dTZ9MZItnz*W2TX$2lw)n1QZS5qRbp&<S"
        "2g~Z&9%t6zbZ3Uk?M$~92a5o<xw=hMPSr$dpt0v-Vh|?I*2GF?jb6uhUZ@a~h6puoK@EhV7HXn4>@be*5j=`Ic-%Ni)I(h~Kz%gC"
        "*3m*VVm(`=iN>r?pedT*Ni;(XG{;kDi5uaXc$zf=IwH{u&%%M$cn&Y%d9+0vv`0I<hz{t4j)+2MM57C0&=uX$4L#8VvFL?9=#7^U"
        "hrWnM0{S5lFQY$R!9WZ^5?)0Lk}(*AkcuHl!%#Spj$z1v3&SxIBfyr4QOJZFWAGY0$U-)}$VCpuVJzOj>v#)qVgkk^&p32U#w1L^"
        "+bBRj-a#SW!@HP<shEN3C`J)xVJ7BaHs+!PAK-n=$2=^=0xZTNEI}!jVJTK%IaXmM)?hW(;zO**I&8p4_yiwg6E@;Ae2ULehAr5P"
        "FY$%(pF=q+unpVc!wytp7k1)ne1&hY8+)+_`>_uPaR7&L2;brej^QXy;5fd+Nu0(h{DANA6Mn=Q{ETzPdw>f#k4w0SE4YknxQbu#"
        "i}4=dI)2A*xP_azgWLEMf8cNYg@14t|KVTU$327#UDriqghOPwgd-#?dz90odp$W10Q4mPfd"
    )
)
WORDS = ["Marie", "…", "½", "ﬁne", "the\u00a0town", "born,in", "\u200b"]
# What transformers 4.57.6 makes of WORDS.
PLAIN = [1, 4, 3, 15, 6, 13, 5, 4, 18, 27, 4, 21, 20, 22, 4, 8, 11, 5, 10, 9, 5, 16, 4, 14, 7, 6, 12, 3, 11, 4, 3, 2]
LOWER_SPLIT = [1, 4, 24, 15, 6, 13, 5, 4, 18, 4, 18, 4, 18, 4, 21, 4, 20, 4, 22, 4, 8, 11, 5, 10, 9, 5, 16, 4, 14, 7]
LOWER_SPLIT += [6, 12, 4, 3, 4, 11, 4, 3, 2]


@pytest.fixture
def deberta_folder(tmp_path):
    """An encoder's folder as on the Hub: configuration, `spm.model`, and the settings given for the tokenizer."""

    def make(**settings):
        folder = tmp_path / "deberta"
        folder.mkdir()
        DebertaV2Config(hidden_size=16, num_hidden_layers=1, num_attention_heads=2).save_pretrained(folder)
        (folder / "spm.model").write_bytes(SPM_MODEL)
        (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
        return str(folder)

    return make


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"vocab_type": "spm"}, PLAIN),
        ({"do_lower_case": True, "split_by_punct": True, "cls_token": {"content": "[CLS]"}}, LOWER_SPLIT),
    ],
)
def test_a_sentencepiece_model_keeps_its_character_map(settings, expected, deberta_folder):
    tokenizer = read_tokenizer(deberta_folder(**settings))
    assert tokenizer(WORDS, is_split_into_words=True)["input_ids"] == expected
    assert len(tokenizer) == 30
    assert tokenizer.mask_token_id == 29


@pytest.mark.parametrize(("settings", "expected"), [({"model_max_length": 512}, 512), ({}, VERY_LARGE_INTEGER)])
def test_a_sentencepiece_tokenizer_keeps_its_limit(settings, expected, deberta_folder):
    assert read_tokenizer(deberta_folder(**settings)).model_max_length == expected


def test_tokens_that_the_encoder_added_keep_their_places(deberta_folder):
    decoder = {"30": {"content": "<new>", "special": False}, "29": {"__type": "AddedToken", "content": "[MASK]"}}
    folder = deberta_folder(added_tokens_decoder=decoder)
    (Path(folder) / "added_tokens.json").write_text('{"<newer>": 31, "[MASK]": 29}', encoding="utf-8")
    tokenizer = read_tokenizer(folder)
    assert tokenizer.convert_tokens_to_ids(["[MASK]", "<new>", "<newer>"]) == [29, 30, 31]
    added = tokenizer.added_tokens_decoder
    assert [added[place].special for place in (29, 30, 31)] == [True, False, False]


def test_a_tokenizer_file_goes_before_the_class_that_would_rebuild_it(deberta_folder, tmp_path):
    encoder = deberta_folder()
    read_tokenizer(encoder).save_pretrained(tmp_path / "fast")  # a tokenizer.json, and DeBERTa's class beside it
    (tmp_path / "fast" / "tokenizer_config.json").write_text('{"tokenizer_class": "DebertaV2Tokenizer"}')
    DebertaV2Config().save_pretrained(tmp_path / "fast")
    tokenizer = read_tokenizer(str(tmp_path / "fast"))
    assert tokenizer(WORDS, is_split_into_words=True)["input_ids"] == PLAIN
    assert (tokenizer.cls_token, tokenizer.mask_token) == ("[CLS]", "[MASK]")


def test_what_the_original_adds_and_in_which_order(make_original, tmp_path):
    for setting in ("base", "markers"):
        converted = convert(make_original(**SETTINGS[setting]), tmp_path / setting)
        tokenizer = AutoTokenizer.from_pretrained(converted)
        first = len(
            read_tokenizer(json.loads((tmp_path / "original" / "glirel_config.json").read_text())["model_name"])
        )
        ids = tokenizer.convert_tokens_to_ids(["[FLERT]", "[REL]", "[E]", "[/E]"])
        assert ids == [first, first + 1, first + 2, first + 3]
        assert AutoConfig.from_pretrained(converted).encoder_config.vocab_size == len(tokenizer) == first + 4


@pytest.mark.parametrize(
    "damage", [lambda data: data[: len(data) // 2], lambda data: b"not a model", lambda data: b""]
)
def test_a_damaged_sentencepiece_model(damage, tmp_path):
    (tmp_path / "spm.model").write_bytes(damage(SPM_MODEL))
    with pytest.raises(ValueError, match=r"is not a SentencePiece model, or it is truncated"):
        read_model(tmp_path / "spm.model")


def test_a_folder_that_is_no_encoder(build_model, tmp_path):
    build_model("bert").save_pretrained(tmp_path / "glirel")
    with pytest.raises(ValueError, match=r"is not an encoder"):
        read_encoder_config(str(tmp_path / "glirel"))


@pytest.mark.parametrize(("family", "limit"), [("bert", 128), ("deberta-v2", None)])
def test_only_a_table_of_positions_limits_the_tokens(family, limit, make_original, tmp_path):
    model = GLiRELForRelationClassification.from_pretrained(convert(make_original(family=family), tmp_path / "to"))
    words = ["Charles"] * 50 + ["Babbage"] * 10
    arguments = {"entities": [(0, 1), (59, 60)], "relation_types": ["spouse"], "is_split_into_words": True}
    if limit is not None:
        with pytest.raises(ValueError, match=f"the model reads {limit}"):
            model.tokenizer(words, **arguments)
        return
    batch = model.tokenizer(words, **arguments)
    assert batch["input_ids"].shape[1] > 128
    with torch.inference_mode():
        assert model.eval()(**batch).logits.shape == (1, 2, 1)


def test_longer_texts_than_the_original_reads(make_original, tmp_path):
    model = GLiRELForRelationClassification.from_pretrained(
        convert(make_original(family="deberta-v2"), tmp_path / "to")
    ).eval()
    words = ["born"] * 100
    with pytest.raises(ValueError, match=r"The text has 100 words but the model reads 60\. Pass truncation='window'"):
        model.tokenizer(words, entities=[(0, 1)], relation_types=["spouse"], is_split_into_words=True)
    extract = RelationExtractionPipeline(model)
    text = " ".join(words)
    entities = [(0, 4), (50, 54), (350, 354), (495, 499)]
    with pytest.raises(ValueError, match="has 100 words"):
        extract(text, entities=entities, relation_types=["spouse"])
    found = extract(text, entities=entities, relation_types=["spouse"], threshold=0.0, truncation="window")
    pairs = {(relation["head"]["index"], relation["tail"]["index"]) for relation in found}
    assert pairs == {(0, 1), (1, 0), (2, 3), (3, 2)}  # windows of 60 words, from 0, 30 and 60 on


@pytest.mark.slow
def test_a_converted_folder_loads_without_the_package(make_original, tmp_path, interpreter_without_package):
    converted = convert(make_original(**SETTINGS["everything"]), tmp_path / "converted")
    code = f"""
import sys
from transformers import AutoModel, AutoTokenizer
folder = {str(converted)!r}
model = AutoModel.from_pretrained(folder, trust_remote_code=True).eval()
tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=True)
batch = tokenizer(["Ada", "met", "Ida", "."], entities=[(0, 1), (2, 3)], relation_types=["met"],
                  is_split_into_words=True)
print(model(**batch).coreference_logits.shape, tokenizer.marker_placement, tokenizer.max_words)
assert "glirel_transformers" not in sys.modules
"""
    printed = interpreter_without_package.check(code)
    assert "torch.Size([1, 2]) sequential 60" in printed
