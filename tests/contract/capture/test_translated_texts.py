"""Models of texts that are translated to ONNX: the words are Python's, the counts and weights the graph's."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfTransformer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression, RidgeClassifier, SGDClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import ComplementNB, MultinomialNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import LinearSVC

from jupyter_deploy.capture.capturer import ModelCapturer
from jupyter_deploy.capture.inspection import inspect_model
from jupyter_deploy.capture.translation import engine, vectorizers
from jupyter_deploy.domain.capture.artifacts import Tolerance
from jupyter_deploy.domain.errors import NotTranslated
from jupyter_deploy.serving.natives.translated import TranslatedModel
from jupyter_deploy.serving.snapshot import load
from tests.contract.capturing import live

CHANCE = np.random.default_rng(5)
WORDS = [
    "good",
    "bad",
    "fine",
    "awful",
    "Price",
    "Größe",
    "café",
    "naïve",
    "New",
    "york",
    "the",
    "and",
    "3.14",
]
TEXTS = [
    " ".join(CHANCE.choice(WORDS, int(length)).tolist()) + ("!" if length % 2 else "")
    for length in CHANCE.integers(1, 12, 300)
]
GOOD = np.array([text.count("good") > text.count("bad") for text in TEXTS])
LABELS = np.where(GOOD, "ja", "nein")
THREE = np.array(["bad", "even", "good"])[[1 + np.sign(text.count("good") - text.count("bad")) for text in TEXTS]]

MODELS = {
    "counts": make_pipeline(CountVectorizer(), LogisticRegression()),
    "weights": make_pipeline(TfidfVectorizer(), LogisticRegression()),
    "pairs of words": make_pipeline(TfidfVectorizer(ngram_range=(1, 2)), LogisticRegression()),
    "two to three words": make_pipeline(CountVectorizer(ngram_range=(2, 3), min_df=2), LogisticRegression()),
    "presence": make_pipeline(CountVectorizer(binary=True), LogisticRegression()),
    "logarithms": make_pipeline(TfidfVectorizer(sublinear_tf=True, norm="l1"), LogisticRegression()),
    "neither idf nor norm": make_pipeline(TfidfVectorizer(use_idf=False, norm=None), LogisticRegression()),
    "stop words": make_pipeline(TfidfVectorizer(stop_words="english", ngram_range=(1, 2)), LogisticRegression()),
    "no accents": make_pipeline(TfidfVectorizer(strip_accents="unicode"), LogisticRegression()),
    "ASCII": make_pipeline(TfidfVectorizer(strip_accents="ascii", lowercase=False), LogisticRegression()),
    "own pattern": make_pipeline(CountVectorizer(token_pattern=r"\S+"), LogisticRegression()),
    "own vocabulary": make_pipeline(CountVectorizer(vocabulary=["good", "bad"]), LogisticRegression()),
    "weights as a step": make_pipeline(CountVectorizer(), TfidfTransformer(), LogisticRegression()),
    "bayes": make_pipeline(CountVectorizer(), MultinomialNB()),
    "bayes of complements": make_pipeline(TfidfVectorizer(), ComplementNB()),
    "descent": make_pipeline(TfidfVectorizer(), SGDClassifier(random_state=0)),
    "machine": make_pipeline(TfidfVectorizer(), LinearSVC()),
    "ridge": make_pipeline(TfidfVectorizer(max_features=8), RidgeClassifier()),
    "search": GridSearchCV(make_pipeline(TfidfVectorizer(), LogisticRegression()), {"logisticregression__C": [1, 9]}),
}


def translated(model, example, method="predict", training=None):
    return engine.translate(model, inspect_model(model, example, method), training, Tolerance())


@pytest.mark.parametrize("labels", [LABELS, THREE], ids=["two", "three"])
@pytest.mark.parametrize("name", MODELS)
def test_a_model_of_texts_answers_as_its_original(name, labels):
    model = MODELS[name].fit(TEXTS, labels)
    for method in ("predict", "predict_proba"):
        if not hasattr(model, method):
            continue
        served, proof = translated(model, TEXTS[:5], method, pd.Series(TEXTS))
        assert proof.rows == {"example": 5, "training": 300, "random": 2_000, "words": 1_000}
        found, expected = getattr(served, method)(TEXTS), getattr(model, method)(TEXTS)
        if method == "predict":
            assert found.tolist() == expected.tolist()
        else:
            assert np.allclose(found, expected, rtol=1e-9, atol=1e-12)


@pytest.fixture(scope="module")
def table():
    ages = CHANCE.integers(18, 80, len(TEXTS)).astype(float)
    return pd.DataFrame({"age": ages, "comment": TEXTS, "region": CHANCE.choice(["north", "south"], len(TEXTS))})


def test_a_column_of_texts_beside_others(table):
    columns = ColumnTransformer(
        [
            ("n", StandardScaler(), ["age"]),
            ("t", make_pipeline(CountVectorizer(), TfidfTransformer()), "comment"),
            ("c", OneHotEncoder(handle_unknown="ignore"), ["region"]),
        ]
    )
    model = make_pipeline(columns, LogisticRegression(max_iter=1000)).fit(table, GOOD)
    served, proof = translated(model, table[:5], "predict_proba", table)
    assert {"training", "words", "category"} <= set(proof.rows)
    assert np.allclose(served.predict_proba(table), model.predict_proba(table), rtol=1e-9)
    gap = table[:2].assign(comment=pd.Series([TEXTS[0], None], dtype=object))
    with pytest.raises(ValueError, match="no text in row 1"):
        served.predict_proba(gap)


def test_a_text_is_required_as_by_the_original():
    model = MODELS["weights"].fit(TEXTS, LABELS)
    served, _ = translated(model, TEXTS[:5])
    for wrong in (7, None, ["good"]):
        with pytest.raises((AttributeError, TypeError, ValueError)):
            model.predict(["good", wrong])
        with pytest.raises(ValueError, match="is no text in row 1"):
            served.predict(["good", wrong])


def test_a_large_vocabulary_answers_in_parts():
    words = ["good", "bad", *(f"w{number}" for number in range(49_998))]
    model = make_pipeline(CountVectorizer(vocabulary=words), LogisticRegression()).fit(TEXTS, LABELS)
    served, _ = translated(model, TEXTS[:5], "predict_proba")
    assert served.form["rows_at_once"] == 200 < len(TEXTS)
    assert np.allclose(served.predict_proba(TEXTS), model.predict_proba(TEXTS), rtol=1e-9)


class OwnVectorizer(CountVectorizer):
    pass


REFUSED = {
    "the analyzer 'char'": CountVectorizer(analyzer="char"),
    "a function of its own (tokenizer)": CountVectorizer(tokenizer=str.split, token_pattern=None),
    "a function of its own (preprocessor)": CountVectorizer(preprocessor=str.upper),
    "with a function of its own cannot": CountVectorizer(analyzer=str.split),
    "finds words with blanks": CountVectorizer(token_pattern="[^,]+"),
    "is a class of its own": OwnVectorizer(),
    "in float32 cannot": TfidfVectorizer(dtype=np.float32),
    "begins with no vectorizer that has a vocabulary": HashingVectorizer(),
    "the term 'new york', which is no row of words": CountVectorizer(vocabulary=["new york", "good"]),
}


@pytest.mark.parametrize("words", REFUSED)
def test_a_vectorizer_that_cannot_be_translated_is_refused_with_its_reason(words):
    model = make_pipeline(REFUSED[words], LogisticRegression()).fit(TEXTS, GOOD)
    with pytest.raises(NotTranslated) as refused:
        translated(model, TEXTS[:5])
    assert words in refused.value.message


def test_a_column_that_two_steps_take_is_refused(table):
    for other in (("t2", TfidfVectorizer(), "comment"), ("c", OneHotEncoder(handle_unknown="ignore"), ["comment"])):
        columns = ColumnTransformer([("t", CountVectorizer(), "comment"), other])
        model = make_pipeline(columns, LogisticRegression()).fit(table, GOOD)
        with pytest.raises(NotTranslated, match="the column 'comment' goes to"):
            translated(model, table[:5])


def test_another_splitting_of_words_is_noticed(monkeypatch):
    """The proof asks texts on which an accent, a capital letter or a punctuation mark matters."""
    model = MODELS["weights"].fit(TEXTS, LABELS)
    found = vectorizers._words

    def other(one):
        return {**found(one), "pattern": r"(?u)\b[a-z]\w+\b"}

    monkeypatch.setattr(vectorizers, "_words", other)
    with pytest.raises(NotTranslated, match="words"):
        translated(model, TEXTS[:5], "predict_proba")


def test_a_captured_translation_of_texts_needs_no_scikit_learn(tmp_path):
    capturer = ModelCapturer(tmp_path / "bentoml", Tolerance(), replay_timeout=120)
    model = MODELS["pairs of words"].fit(TEXTS, LABELS)
    staged = capturer.stage(replace(live(model, TEXTS[:5]), engine="onnx", training=TEXTS), "reviews")
    try:
        manifest = capturer.replay(staged, live(model, TEXTS[:5])).manifest
        assert manifest.translation.rows["training"] == len(TEXTS)
        assert not {"scikit-learn", "scipy", "pandas"} & set(manifest.environment.distributions)
        served = load(staged.folder)
        assert isinstance(served.native, TranslatedModel)
        assert served.native.predict(TEXTS).tolist() == model.predict(TEXTS).tolist()
    finally:
        capturer.discard(staged)
