"""Models that are translated to ONNX: the same answers, in a clean process too, or a refusal with its reason."""

import json
from dataclasses import replace

import numpy as np
import onnxruntime
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import (
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from jupyter_deploy.capture.capturer import ModelCapturer
from jupyter_deploy.capture.inspection import inspect_model
from jupyter_deploy.capture.translation.converters import GraphInput
from jupyter_deploy.capture.translation.engine import translate
from jupyter_deploy.capture.translation.leaves import floor32
from jupyter_deploy.capture.translation.sklearn import SklearnConverter
from jupyter_deploy.domain.capture.artifacts import Tolerance
from jupyter_deploy.domain.errors import NotTranslated
from jupyter_deploy.serving.snapshot import load
from tests.contract.capturing import kept, live

X, Y = load_breast_cancer(return_X_y=True)
NAMES = np.array(["benign", "malignant"])[Y]
MISSING = np.where(np.random.default_rng(1).random(X.shape) < 0.1, np.nan, X)

LOANS = pd.DataFrame(
    {
        "age": np.random.default_rng(2).integers(18, 80, 400).astype(float),
        "income": np.random.default_rng(3).normal(3000, 900, 400),
        "region": np.random.default_rng(4).choice(["north", "south", "west"], 400),
    }
)
LOANS.loc[::7, "income"] = np.nan
PAID = (LOANS["age"] + LOANS["income"].fillna(0) / 100 > 70).to_numpy()

EXACT = {
    "a tree": (DecisionTreeClassifier(random_state=0), X, NAMES),
    "a forest": (RandomForestClassifier(30, random_state=0), X, Y),
    "a forest of booleans": (RandomForestClassifier(5, random_state=0), X, Y == 1),
    "a forest with missing values": (RandomForestClassifier(10, random_state=0), MISSING, Y),
    "a tree of numbers": (DecisionTreeRegressor(random_state=0), X, X[:, 0]),
    "random trees of numbers": (ExtraTreesRegressor(10, random_state=0), X, X[:, 0]),
}

NEAR = {
    "a scaled regression": (make_pipeline(StandardScaler(), LogisticRegression()), X, NAMES),
    "a ridge": (Ridge(), X, X[:, 0]),
    "imputed numbers": (make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression()), MISSING, Y),
    "a scaled forest": (make_pipeline(StandardScaler(), RandomForestRegressor(10, random_state=0)), X, X[:, 1]),
}


def translated(model, example, method="predict", training=None):
    return translate(model, inspect_model(model, example, method), training, Tolerance())


@pytest.mark.parametrize("method", ["predict", "predict_proba"])
@pytest.mark.parametrize("name", EXACT)
def test_trees_answer_to_the_last_bit_also_at_their_thresholds(name, method):
    model, table, labels = EXACT[name]
    model.fit(table, labels)
    if not hasattr(model, method):
        return
    served, proof = translated(model, table[:5], method, table)
    assert (proof.largest_difference, proof.flips) == (0, 0)
    assert proof.rows["training"] == len(table)
    assert proof.rows["threshold"] > 50
    values = np.random.default_rng(9).uniform(np.nanmin(table, 0), np.nanmax(table, 0), (20_000, table.shape[1]))
    answers = getattr(served, method)(values)
    assert answers.dtype == getattr(model, method)(values[:1]).dtype or answers.dtype.kind == "O"
    assert np.array_equal(answers, getattr(model, method)(values))


def test_a_forest_of_a_data_frame_is_proved_at_its_thresholds_too():
    frame = pd.DataFrame(X, columns=[f"x{number}" for number in range(X.shape[1])])
    _, proof = translated(RandomForestClassifier(5, random_state=0).fit(frame, NAMES), frame[:5], "predict", frame)
    assert proof.rows["threshold"] > 50


def test_rows_on_which_the_original_raises_prove_nothing_and_are_not_counted():
    columns = ColumnTransformer([("region", OneHotEncoder(), ["region"])])
    model = make_pipeline(columns, LogisticRegression()).fit(LOANS, PAID)
    seen = model.predict

    def predict(table):
        if len(table) == 2_000:
            raise ValueError("rows that nobody has seen")
        return seen(table)

    model.predict = predict
    _, proof = translated(model, LOANS[:5], training=LOANS)
    assert set(proof.rows) == {"example", "training", "category"}
    assert proof.rows["category"] == 3  # the encoder refuses unseen, empty and missing texts


@pytest.mark.parametrize("name", NEAR)
def test_sums_of_products_answer_within_the_tolerance_of_a_replay(name):
    model, table, labels = NEAR[name]
    model.fit(table, labels)
    _, proof = translated(model, table[:5], training=table)
    assert proof.largest_relative_difference < 1e-9
    assert proof.total > 2_500
    assert proof.flips_at_most < 0.002


def test_columns_of_texts_and_numbers_go_in_by_name_whatever_their_order():
    columns = [
        ("n", make_pipeline(SimpleImputer(), StandardScaler()), ["age", "income"]),
        ("c", OneHotEncoder(), ["region"]),
    ]
    model = make_pipeline(ColumnTransformer(columns), LogisticRegression()).fit(LOANS, PAID)
    served, proof = translated(model, LOANS[:5], "predict_proba", LOANS)
    assert proof.rows["training"] == len(LOANS)
    turned = LOANS[["region", "income", "age"]]
    assert np.allclose(served.predict_proba(turned), model.predict_proba(LOANS), rtol=1e-9, atol=1e-12)


def test_texts_that_the_original_refuses_are_refused_and_ignored_ones_are_answered():
    for encoder, refused in ((OneHotEncoder(), True), (OneHotEncoder(handle_unknown="ignore"), False)):
        model = make_pipeline(ColumnTransformer([("region", encoder, ["region"])]), LogisticRegression())
        served, _ = translated(model.fit(LOANS, PAID), LOANS[:5], training=LOANS)
        for text in ("nowhere", "", None):
            row = LOANS[:1].assign(region=pd.Series([text], dtype=LOANS["region"].dtype))
            if not refused:
                assert served.predict(row) == model.predict(row)
                continue
            with pytest.raises(ValueError, match=r"'region' has .*, which the model does not know"):
                served.predict(row)
            with pytest.raises(ValueError, match="unknown categories"):
                model.predict(row)


def test_numbers_that_the_original_refuses_are_refused_and_others_are_answered():
    """A graph answers any number: a tree would send a missing one to a leaf where the original raises."""
    models = [
        GradientBoostingClassifier(n_estimators=3, random_state=0),
        RandomForestClassifier(3, random_state=0),
        LogisticRegression(max_iter=5000),
    ]
    answered = []
    for model in models:
        served, _ = translated(model.fit(X, Y), X[:5], "predict_proba")
        for value, kind in ((np.nan, "missing"), (np.inf, "infinite"), (1e300, "too large for 32 bits")):
            rows = X[:3].copy()
            rows[1, 2] = value
            try:
                expected = model.predict_proba(rows)
            except ValueError:
                with pytest.raises(ValueError, match=f"the column 2 is {kind} in row 1, and the model does not"):
                    served.predict_proba(rows)
            else:
                assert np.allclose(served.predict_proba(rows), expected, rtol=1e-9, atol=1e-12)
                answered.append((type(model).__name__, kind))
    assert answered == [("RandomForestClassifier", "missing"), ("LogisticRegression", "too large for 32 bits")]


def test_a_missing_number_is_imputed_in_one_column_and_refused_in_another():
    columns = ColumnTransformer([("age", SimpleImputer(), ["age"]), ("income", StandardScaler(), ["income"])])
    full = LOANS.fillna({"income": 0.0})
    model = make_pipeline(columns, LogisticRegression()).fit(full, PAID)
    served, _ = translated(model, full[:5], "predict_proba", full)
    imputed, refused = full[:2].copy(), full[:2].copy()
    imputed.loc[1, "age"] = refused.loc[1, "income"] = np.nan
    assert np.allclose(served.predict_proba(imputed), model.predict_proba(imputed), rtol=1e-9)
    for one in (model, served):
        with pytest.raises(ValueError, match=r"NaN|the column 'income' is missing in row 1"):
            one.predict_proba(refused)


@pytest.mark.parametrize(("unknown", "answered"), [("ignore", 6), ("error", 4)])
def test_missing_texts_are_imputed(unknown, answered):
    gaps = LOANS.assign(region=LOANS["region"].where(np.arange(len(LOANS)) % 5 > 0))
    steps = make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown=unknown))
    columns = ColumnTransformer([("age", StandardScaler(), ["age"]), ("region", steps, ["region"])])
    model = make_pipeline(columns, LogisticRegression()).fit(gaps, PAID)
    served, proof = translated(model, gaps[:5], "predict_proba", gaps)
    assert proof.rows["category"] == answered
    assert np.allclose(served.predict_proba(gaps), model.predict_proba(gaps), rtol=1e-9)


ENCODED = {
    "first": OneHotEncoder(handle_unknown="ignore"),
    "first, refusing": OneHotEncoder(),
    "first, without a category": OneHotEncoder(drop="first"),
    "in a choice of columns": ColumnTransformer([("region", OneHotEncoder(handle_unknown="ignore"), ["region"])]),
}


@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize("name", ENCODED)
def test_an_encoder_that_comes_first_has_columns_of_64_bits_and_missing_texts_as_a_category(name, missing):
    table = LOANS[["region"]].assign(size=np.where(LOANS["age"] > 50, "big", "small"))
    if missing:
        table = table.assign(region=table["region"].where(np.arange(len(table)) % 5 > 0))
    model = make_pipeline(ENCODED[name], LogisticRegression()).fit(table, PAID)
    served, proof = translated(model, table[:5], "predict_proba", table)
    assert proof.rows["training"] == len(table)
    assert np.allclose(served.predict_proba(table), model.predict_proba(table), rtol=1e-12)
    row = table[:1].assign(region=["nowhere"])
    if "ignore" in str(ENCODED[name]):
        assert np.allclose(served.predict_proba(row), model.predict_proba(row), rtol=1e-12)
    else:
        for one in (model, served):
            with pytest.raises(ValueError, match="nowhere"):
                one.predict_proba(row)


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (make_pipeline(FunctionTransformer(np.log1p), LogisticRegression()), "cannot be translated"),
        (make_pipeline(StandardScaler(), LogisticRegression()).set_output(transform="pandas"), None),
    ],
)
def test_a_model_that_cannot_be_translated_is_refused_with_the_reason(model, words):
    model.fit(X, Y)
    if words is None:
        translated(model, X[:5])
        return
    with pytest.raises(NotTranslated, match=words) as refused:
        translated(model, X[:5])
    assert "without --engine" in refused.value.remedy


def test_another_method_and_another_kind_of_model_are_refused():
    model = LogisticRegression(max_iter=5000).fit(X, Y)
    with pytest.raises(NotTranslated, match="'decision_function' cannot be translated"):
        translated(model, X[:5], "decision_function")

    class Own:
        def predict(self, table):
            return table[:, 0]

    with pytest.raises(NotTranslated, match="no converter knows"):
        translated(Own(), X[:5])


def test_thresholds_are_rounded_down_so_that_every_feature_decides_as_before():
    thresholds = np.concatenate([np.random.default_rng(5).normal(0, 10.0**p, 1000) for p in range(-8, 9)])
    rounded = floor32(thresholds)
    assert (rounded.astype(np.float64) <= thresholds).all()
    for feature in (rounded, np.nextafter(rounded, np.float32(np.inf)), np.nextafter(rounded, np.float32(-np.inf))):
        assert ((feature.astype(np.float64) <= thresholds) == (feature <= rounded)).all()


def test_a_graph_is_the_same_each_time():
    model = RandomForestClassifier(3, random_state=0).fit(X, Y)
    graphs = [SklearnConverter().convert(model, "predict", GraphInput(X.shape[1])).content for _ in range(2)]
    assert graphs[0] == graphs[1]


def test_a_captured_translation_is_proved_in_a_clean_process_without_scikit_learn(tmp_path):
    capturer = ModelCapturer(tmp_path / "bentoml", Tolerance(), replay_timeout=120)
    model = RandomForestClassifier(20, random_state=0).fit(X, NAMES)
    staged = capturer.stage(replace(live(model, X[:5]), engine="onnx", training=X), "tumour")
    try:
        manifest = capturer.replay(staged, live(model, X[:5])).manifest
        assert manifest.translation.rows["training"] == len(X)
        assert (manifest.framework, manifest.predictions) == ("sklearn", NAMES[:5].tolist())
        packages = set(manifest.environment.distributions)
        assert "onnxruntime" in packages
        assert "scikit-learn" not in packages
        assert {"model.onnx", "model.pkl"} <= set(manifest.files)
        served = load(staged.folder)
        assert served.native.predict(X).tolist() == NAMES.tolist()
        onnxruntime.InferenceSession(str(staged.folder / "model.onnx"))
        assert json.loads((staged.folder / "snapshot.json").read_text())["translation"]["engine"] == "onnx"
    finally:
        capturer.discard(staged)


def test_a_translation_that_is_proved_on_further_rows_is_the_same_snapshot(tmp_path):
    capturer = ModelCapturer(tmp_path / "bentoml", Tolerance(), replay_timeout=120)
    given = replace(live(Ridge().fit(X, X[:, 0]), X[:5]), engine="onnx")

    first, second = (kept(capturer, replace(given, training=table), "tumour") for table in (None, X))
    assert second.tag == first.tag
    assert second.manifest.translation.rows["training"] == len(X) != first.manifest.translation.rows.get("training")


def test_auto_serves_natively_what_cannot_be_translated_and_says_why(tmp_path):
    capturer = ModelCapturer(tmp_path / "bentoml", Tolerance(), replay_timeout=120)
    model = make_pipeline(FunctionTransformer(np.log1p), LogisticRegression()).fit(X, Y)
    staged = capturer.stage(replace(live(model, X[:5]), engine="auto"), "tumour")
    try:
        assert staged.manifest.translation is None
        assert any("served natively: Pipeline" in note for note in staged.manifest.notes)
    finally:
        capturer.discard(staged)
