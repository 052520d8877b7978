"""The words of a text are those that scikit-learn's vectorizers find."""

import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer, strip_accents_ascii, strip_accents_unicode

from jupyter_deploy.serving.natives.words import NO_WORD, splitter, without_accents

TEXTS = [
    "Good DAY, good-bye",
    "Straße in Zürich: naïve café",
    "cafe\u0301 İstanbul ǅ ﬁne",
    "日本語 テキスト",
    "tab\tnew\nline\u00a0end\u2028x9 under_score 3.14",
    "",
    "a",
    "the and of",
    "e\u0301\u0302 \U0001f600 smile",
]
OPTIONS = [
    {},
    {"lowercase": False},
    {"strip_accents": "ascii"},
    {"strip_accents": "unicode"},
    {"stop_words": "english"},
    {"token_pattern": r"(?u)\b\w+\b"},
    {"token_pattern": r"[a-z]+(é)?"},
    {"token_pattern": r"\S+", "lowercase": False, "stop_words": ["a"]},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_words_are_those_of_scikit_learn(options):
    vectorizer = CountVectorizer(**options)
    words = {
        "pattern": vectorizer.token_pattern,
        "lower": vectorizer.lowercase,
        "accents": vectorizer.strip_accents or "",
        "stop": sorted(vectorizer.get_stop_words() or ()),
    }
    split, analyzed = splitter(words), vectorizer.build_analyzer()
    characters = [chr(code) for code in range(0x20000) if not 0xD800 <= code < 0xE000]
    each = [" ".join(characters[begin : begin + 40]) for begin in range(0, len(characters), 40)]
    joined = ["".join(characters[begin : begin + 7]) for begin in range(0, len(characters), 7)]
    for text in [*TEXTS, *each, *joined]:
        expected = [word if word and "\0" not in word else NO_WORD for word in analyzed(text)]
        assert split(text).split(" ") == (expected or [NO_WORD])


def test_a_word_that_a_graph_cannot_have_is_no_word():
    split = splitter({"pattern": r"[^,]+", "lower": False, "accents": "", "stop": []})
    assert split("new york,x\0y,\ud800,fine") == f"{NO_WORD} {NO_WORD} {NO_WORD} fine"


def test_accents_are_stripped_as_by_scikit_learn():
    text = "".join(chr(code) for code in range(0x11000) if not 0xD800 <= code < 0xE000)
    assert without_accents(text, ascii_only=True) == strip_accents_ascii(text)
    assert without_accents(text, ascii_only=False) == strip_accents_unicode(text)
    assert np.all([without_accents(one, ascii_only=False) == strip_accents_unicode(one) for one in TEXTS])
