"""What a word is: in every script, by what Unicode says of its signs."""

import pytest

from glirel_transformers.text_glirel import split_words


@pytest.mark.parametrize(
    "text",
    [
        "𠀀𫠠𰀀",
        "⼀⺀",
        "ㄅㄆㆠ",
        "ꀀꒌ",
        "ㇰㇱ",
        "ｶﾅ",
        "𛀁𛀂",
        "𗀀𗀁",
        "𛅰𛅱",
        "ไทย",
        "ꨀꨁ",
        "ᯀᯁ",
        "ᬅᬆ",
        "ꦄꦅ",
        "𑜀𑜁",
        "𑀅𑀆",
    ],
)
def test_letters_of_scripts_without_spaces_are_words(text):
    assert [text[start:end] for start, end in split_words(text)] == list(text)
    assert len(split_words(f"in {text} at")) == len(text) + 2


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Zoë's 5mg, état-major", ["Zoë", "'", "s", "5mg", ",", "état", "-", "major"]),
        ("東京大学 2020年", ["東", "京", "大", "学", "2020", "年"]),
        ("한국어 हिन्दी العربية", ["한국어", "हिन्दी", "العربية"]),
        ("𠀀\ufe00𠀁 ꨀꨩꨪ", ["𠀀\ufe00", "𠀁", "ꨀꨩꨪ"]),
        ("𞤀𞤁 ᏣᎳᎩ བོད", ["𞤀𞤁", "ᏣᎳᎩ", "བོད"]),
    ],
)
def test_words_of_other_scripts_and_marks_stay_whole(text, words):
    assert [text[start:end] for start, end in split_words(text)] == words
