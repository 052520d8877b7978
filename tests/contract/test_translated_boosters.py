"""Boosted trees that are translated to ONNX: the originals' labels and sums, at their thresholds and categories too."""

import catboost
import lightgbm
import numpy as np
import pandas as pd
import pytest
import xgboost
from sklearn.ensemble import (
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from jupyter_deploy.capture.inspection import inspect_model
from jupyter_deploy.capture.translation.engine import translate
from jupyter_deploy.capture.translation.leaves import runs_of
from jupyter_deploy.domain.capture.artifacts import Tolerance
from jupyter_deploy.domain.errors import NotTranslated

CHANCE = np.random.default_rng(0)
X = CHANCE.normal(size=(600, 5))
X[:, 3] = np.round(X[:, 3], 1)
X[:, 4] = CHANCE.integers(0, 40, 600)
MISSING = np.where(CHANCE.random(X.shape) < 0.1, np.nan, X)
YES = X[:, 0] + X[:, 4] % 3 > 1
THREE = np.array(["a", "b", "c"])[np.clip(X[:, 0] + X[:, 4] % 3, 0, 2).astype(int)]
NUMBERS = 3 * X[:, 0] + X[:, 4]
POSITIVE = np.exp(X[:, 0])
SILENT = {"iterations": 12, "verbose": 0, "allow_writing_files": False, "thread_count": 1}
QUIET = {"verbose": -1, "n_jobs": 1, "min_child_samples": 5}

BOOSTERS = {
    "two classes": (HistGradientBoostingClassifier(max_iter=15), X, YES),
    "three classes of texts": (HistGradientBoostingClassifier(max_iter=8), X, THREE),
    "missing values": (HistGradientBoostingRegressor(max_iter=15), MISSING, NUMBERS),
    "numbers that are categories": (HistGradientBoostingClassifier(max_iter=15, categorical_features=[4]), X, YES),
    "counts": (HistGradientBoostingRegressor(max_iter=10, loss="poisson"), X, POSITIVE),
    "single trees": (GradientBoostingClassifier(n_estimators=15, random_state=0), X, YES),
    "single trees, three classes": (GradientBoostingClassifier(n_estimators=5, random_state=0), X, THREE),
    "single trees, numbers": (GradientBoostingRegressor(n_estimators=15, random_state=0), X, NUMBERS),
    "LightGBM, two classes": (lightgbm.LGBMClassifier(n_estimators=15, **QUIET), X, YES),
    "LightGBM, three classes of texts": (lightgbm.LGBMClassifier(n_estimators=8, **QUIET), X, THREE),
    "LightGBM, missing values": (lightgbm.LGBMRegressor(n_estimators=15, **QUIET), MISSING, NUMBERS),
    "LightGBM, counts": (lightgbm.LGBMRegressor(n_estimators=10, objective="poisson", **QUIET), X, POSITIVE),
    "LightGBM, a forest": (
        lightgbm.LGBMRegressor(boosting_type="rf", n_estimators=8, bagging_freq=1, bagging_fraction=0.5, **QUIET),
        X,
        NUMBERS,
    ),
    "XGBoost, two classes": (xgboost.XGBClassifier(n_estimators=15, n_jobs=1), MISSING, YES.astype(int)),
    "XGBoost, three classes": (xgboost.XGBClassifier(n_estimators=8, n_jobs=1), X, np.digitize(X[:, 0], [-0.5, 0.5])),
    "XGBoost, numbers": (xgboost.XGBRegressor(n_estimators=15, n_jobs=1), MISSING, NUMBERS),
    "XGBoost, gamma": (xgboost.XGBRegressor(n_estimators=8, objective="reg:gamma", n_jobs=1), X, POSITIVE),
    "XGBoost, a forest": (xgboost.XGBRFRegressor(n_estimators=8, n_jobs=1), X, NUMBERS),
    "CatBoost, two classes": (catboost.CatBoostClassifier(**SILENT), X, YES),
    "CatBoost, three classes of texts": (catboost.CatBoostClassifier(**SILENT), X, THREE),
    "CatBoost, one class against the others": (
        catboost.CatBoostClassifier(loss_function="MultiClassOneVsAll", **SILENT),
        X,
        THREE,
    ),
    "CatBoost, missing values": (catboost.CatBoostRegressor(**SILENT), MISSING, NUMBERS),
    "CatBoost, missing values above all": (catboost.CatBoostRegressor(nan_mode="Max", **SILENT), MISSING, NUMBERS),
    "CatBoost, counts": (catboost.CatBoostRegressor(loss_function="Poisson", **SILENT), X, np.round(POSITIVE)),
}


def translated(model, table, method="predict"):
    return translate(model, inspect_model(model, table[:5], method), table, Tolerance())


def fitted(name):
    model, table, target = BOOSTERS[name]
    categories = {"categorical_feature": [4]} if name == "LightGBM, two classes" else {}
    return model.fit(table, target, **categories), table


@pytest.mark.parametrize("name", BOOSTERS)
def test_boosters_decide_as_their_originals_also_at_their_thresholds(name):
    model, table = fitted(name)
    served, proof = translated(model, table)
    assert proof.flips == 0
    assert proof.rows["threshold"] > 20
    values = np.concatenate([CHANCE.uniform(np.nanmin(table, 0), np.nanmax(table, 0), (5_000, 5)), table])
    if "CatBoost" not in name and model.__sklearn_tags__().input_tags.allow_nan:
        values[:1000][CHANCE.random((1000, 5)) < 0.2] = np.nan
    expected, found = model.predict(values), served.predict(values)
    if expected.dtype.kind == "f":
        assert np.allclose(expected, found, rtol=1e-15 if expected.dtype == np.float64 else 2e-6, atol=0)
    else:
        assert np.array_equal(expected, found)


@pytest.mark.parametrize(
    "name",
    [
        "two classes",
        "single trees",
        "LightGBM, three classes of texts",
        "XGBoost, two classes",
        "CatBoost, two classes",
        "CatBoost, three classes of texts",
    ],
)
def test_probabilities_differ_in_their_last_bits_alone(name):
    model, table = fitted(name)
    served, proof = translated(model, table, "predict_proba")
    assert proof.largest_difference < (1e-6 if "XGBoost" in name else 1e-15)
    assert served.predict_proba(table[:7]).shape == model.predict_proba(table[:7]).shape


def test_lightgbm_takes_the_numbers_next_to_zero_for_zero():
    model = lightgbm.LGBMRegressor(n_estimators=15, **QUIET).fit(X[:, 3:], np.sign(X[:, 3]))
    served, _ = translated(model, X[:, 3:])
    zero = float(np.float32(1e-35))
    near = [zero, np.nextafter(zero, 0), np.nextafter(zero, 1), 1e-36, 1e-300]
    values = np.array([[sign * value, 7.0] for value in [0.0, *near] for sign in (1, -1)])
    assert np.array_equal(served.predict(values), model.predict(values))
    assert len(np.unique(served.predict(values))) == 3


def test_a_booster_encodes_texts_of_a_data_frame_itself_and_unseen_ones_are_missing():
    frame = pd.DataFrame({"x": X[:, 0], "region": pd.Categorical(THREE), "y": X[:, 1]})
    model = HistGradientBoostingClassifier(max_iter=8, categorical_features="from_dtype").fit(frame, YES)
    served, proof = translated(model, frame, "predict_proba")
    assert proof.rows["category"] >= 3
    assert np.allclose(served.predict_proba(frame), model.predict_proba(frame), rtol=1e-15)
    other = frame.assign(region=pd.Categorical(["nowhere"] * len(frame)))
    assert np.allclose(served.predict_proba(other), model.predict_proba(other), rtol=1e-15)


def test_a_booster_at_the_end_of_a_pipeline_is_translated_too():
    model = make_pipeline(StandardScaler(), lightgbm.LGBMClassifier(n_estimators=8, **QUIET)).fit(X, YES)
    served, _ = translated(model, X, "predict_proba")
    assert np.allclose(served.predict_proba(X), model.predict_proba(X), rtol=1e-12)


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (lightgbm.LGBMRegressor(n_estimators=3, linear_tree=True, **QUIET), "linear trees"),
        (lightgbm.LGBMRegressor(n_estimators=3, objective=lambda y, p: (p - y, y * 0 + 1), **QUIET), "objective"),
        (xgboost.XGBRegressor(n_estimators=3, booster="dart"), "booster 'dart'"),
        (xgboost.XGBRegressor(n_estimators=3, missing=0.0), "as the missing value"),
        (catboost.CatBoostRegressor(grow_policy="Depthwise", **SILENT), "grow policy"),
        (catboost.CatBoostRegressor(loss_function="RMSEWithUncertainty", **SILENT), "loss 'RMSEWithUncertainty'"),
    ],
)
def test_what_has_no_exact_graph_is_refused_with_the_reason(model, words):
    with pytest.raises(NotTranslated, match=words):
        translated(model.fit(X, NUMBERS), X)


def test_codes_that_go_to_one_side_are_runs():
    assert runs_of([0, 1, 4], 6, 1, 2) == ([(1, 1), (3, 2), (4, 1)], 2)
    assert runs_of([], 3, 1, 2) == ([], 2)
