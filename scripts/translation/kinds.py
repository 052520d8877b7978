"""The kinds of models of docs/translation.md, each trained on 600 rows with a seed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import catboost
import lightgbm
import numpy as np
import pandas as pd
import xgboost
from sklearn import (
    calibration,
    compose,
    decomposition,
    discriminant_analysis,
    ensemble,
    feature_extraction,
    feature_selection,
    gaussian_process,
    impute,
    linear_model,
    model_selection,
    multiclass,
    naive_bayes,
    neighbors,
    neural_network,
    pipeline,
    preprocessing,
    svm,
    tree,
)

ROWS = 600
CHANCE = np.random.default_rng(20261201)
X = CHANCE.normal(size=(ROWS, 6))
X[:, 4] = np.round(X[:, 4], 1)
X[:, 5] = CHANCE.integers(0, 30, ROWS)
MISSING = np.where(CHANCE.random(X.shape) < 0.1, np.nan, X)
YES = (X[:, 0] + X[:, 5] % 3 + CHANCE.normal(0, 0.5, ROWS) > 1).astype(int)
THREE = np.array(["high", "low", "middle"])[np.clip(X[:, 0] + X[:, 5] % 3, 0, 2).astype(int)]
NUMBERS = 3 * X[:, 0] + X[:, 5] + CHANCE.normal(0, 0.5, ROWS)
COUNTS = CHANCE.poisson(np.exp(X[:, 0] / 2)).astype(float)
PEOPLE = pd.DataFrame(
    {
        "age": CHANCE.integers(18, 80, ROWS).astype(float),
        "income": CHANCE.normal(3000, 900, ROWS),
        "region": CHANCE.choice(["north", "south", "west", "Österreich"], ROWS),
        "level": CHANCE.choice(["low", "middle", "high"], ROWS),
    }
)
GAPS = PEOPLE.mask(CHANCE.random(PEOPLE.shape) < 0.1)
CATEGORIES = PEOPLE.astype({"region": "category", "level": "category"})
PAID = (PEOPLE["age"] + PEOPLE["income"] / 100 + 20 * (PEOPLE["region"] == "west") > 85).to_numpy().astype(int)
TEXTS = [
    " ".join(words) for words in CHANCE.choice(["good", "bad", "fine", "awful", "price", "Größe"], (ROWS, 5)).tolist()
]
NUMERIC, TEXT = ["age", "income"], ["region", "level"]


@dataclass(frozen=True)
class Kind:
    """A model that is not fitted yet, with its training table and target.

    ``options``: of ``fit``.
    """

    library: str
    name: str
    model: Any
    table: Any
    target: Any
    options: tuple[tuple[str, Any], ...] = ()


def kinds() -> Iterator[Kind]:
    """All of them, by library."""
    yield from (Kind("scikit-learn", *one) for one in [*_linear(), *_trees(), *_others(), *_pipelines(), *_texts()])
    yield from _boosters()


def _linear() -> list[tuple[str, Any, Any, Any]]:
    scaled = pipeline.make_pipeline(preprocessing.StandardScaler(), linear_model.LogisticRegression())
    return [
        ("LinearRegression", linear_model.LinearRegression(), X, NUMBERS),
        ("Ridge", linear_model.Ridge(), X, NUMBERS),
        ("Lasso", linear_model.Lasso(0.1), X, NUMBERS),
        ("ElasticNet", linear_model.ElasticNet(0.1), X, NUMBERS),
        ("PoissonRegressor", linear_model.PoissonRegressor(), X, COUNTS),
        ("HuberRegressor", linear_model.HuberRegressor(max_iter=1000), X, NUMBERS),
        ("LogisticRegression, two classes", linear_model.LogisticRegression(max_iter=1000), X, YES),
        ("LogisticRegression, three classes of texts", linear_model.LogisticRegression(max_iter=1000), X, THREE),
        ("LogisticRegression on scaled columns", scaled, X, YES),
        ("SGDClassifier", linear_model.SGDClassifier(random_state=0), X, YES),
        ("RidgeClassifier", linear_model.RidgeClassifier(), X, YES),
        ("Perceptron", linear_model.Perceptron(random_state=0), X, YES),
        ("LinearSVC", svm.LinearSVC(random_state=0), X, YES),
        ("LinearDiscriminantAnalysis", discriminant_analysis.LinearDiscriminantAnalysis(), X, YES),
        ("QuadraticDiscriminantAnalysis", discriminant_analysis.QuadraticDiscriminantAnalysis(), X, YES),
    ]


def _trees() -> list[tuple[str, Any, Any, Any]]:
    chosen = preprocessing.StandardScaler()
    return [
        ("DecisionTreeClassifier", tree.DecisionTreeClassifier(random_state=0), X, THREE),
        ("DecisionTreeRegressor", tree.DecisionTreeRegressor(random_state=0), X, NUMBERS),
        ("RandomForestClassifier", ensemble.RandomForestClassifier(30, random_state=0), X, YES),
        ("RandomForestClassifier, missing values", ensemble.RandomForestClassifier(30, random_state=0), MISSING, YES),
        ("RandomForestRegressor", ensemble.RandomForestRegressor(30, random_state=0), X, NUMBERS),
        ("RandomForestClassifier on scaled columns",
         pipeline.make_pipeline(chosen, ensemble.RandomForestClassifier(20, random_state=0)), X, YES),
        ("ExtraTreesClassifier", ensemble.ExtraTreesClassifier(30, random_state=0), X, YES),
        ("ExtraTreesRegressor", ensemble.ExtraTreesRegressor(30, random_state=0), X, NUMBERS),
        ("GradientBoostingClassifier", ensemble.GradientBoostingClassifier(n_estimators=30, random_state=0), X, YES),
        ("GradientBoostingRegressor", ensemble.GradientBoostingRegressor(n_estimators=30, random_state=0), X, NUMBERS),
        ("HistGradientBoostingClassifier", ensemble.HistGradientBoostingClassifier(max_iter=30), X, YES),
        ("HistGradientBoostingClassifier, three classes",
         ensemble.HistGradientBoostingClassifier(max_iter=30), X, THREE),
        ("HistGradientBoostingClassifier, missing values",
         ensemble.HistGradientBoostingClassifier(max_iter=30), MISSING, YES),
        ("HistGradientBoostingClassifier, numbers as categories",
         ensemble.HistGradientBoostingClassifier(max_iter=30, categorical_features=[5]), X, YES),
        ("HistGradientBoostingClassifier, columns of texts",
         ensemble.HistGradientBoostingClassifier(max_iter=30, categorical_features="from_dtype"), CATEGORIES, PAID),
        ("HistGradientBoostingRegressor", ensemble.HistGradientBoostingRegressor(max_iter=30), X, NUMBERS),
        ("HistGradientBoostingRegressor, Poisson",
         ensemble.HistGradientBoostingRegressor(max_iter=30, loss="poisson"), X, COUNTS),
        ("AdaBoostClassifier", ensemble.AdaBoostClassifier(n_estimators=20, random_state=0), X, YES),
        ("BaggingClassifier", ensemble.BaggingClassifier(random_state=0), X, YES),
        ("IsolationForest", ensemble.IsolationForest(n_estimators=30, random_state=0), X, None),
    ]  # fmt: skip


def _others() -> list[tuple[str, Any, Any, Any]]:
    logistic, ridge = linear_model.LogisticRegression(max_iter=1000), linear_model.Ridge()
    forest = ensemble.RandomForestClassifier(10, random_state=0)
    return [
        ("SVC", svm.SVC(random_state=0), X, YES),
        ("SVR", svm.SVR(), X, NUMBERS),
        ("KNeighborsClassifier", neighbors.KNeighborsClassifier(), X[:200], YES[:200]),
        ("KNeighborsRegressor", neighbors.KNeighborsRegressor(), X[:200], NUMBERS[:200]),
        ("GaussianNB", naive_bayes.GaussianNB(), X, YES),
        ("MultinomialNB", naive_bayes.MultinomialNB(), np.abs(X), YES),
        ("MLPClassifier", neural_network.MLPClassifier((8,), max_iter=200, random_state=0), X[:, :5], YES),
        ("MLPRegressor",
         neural_network.MLPRegressor(hidden_layer_sizes=(8,), max_iter=200, random_state=0), X[:, :5], NUMBERS),
        ("GaussianProcessRegressor", gaussian_process.GaussianProcessRegressor(alpha=0.1), X[:100], NUMBERS[:100]),
        ("CalibratedClassifierCV", calibration.CalibratedClassifierCV(logistic), X, YES),
        ("StackingClassifier", ensemble.StackingClassifier([("l", logistic), ("f", forest)]), X, YES),
        ("VotingClassifier", ensemble.VotingClassifier([("l", logistic), ("f", forest)], voting="soft"), X, YES),
        ("VotingRegressor", ensemble.VotingRegressor([("r", ridge), ("s", svm.SVR())]), X, NUMBERS),
        ("OneVsRestClassifier", multiclass.OneVsRestClassifier(logistic), X, THREE),
        ("GridSearchCV", model_selection.GridSearchCV(logistic, {"C": [0.1, 1]}), X, YES),
    ]  # fmt: skip


def _pipelines() -> list[tuple[str, Any, Any, Any]]:
    logistic = linear_model.LogisticRegression(max_iter=1000)

    def columns(numbers: Any, texts: Any) -> Any:
        return compose.ColumnTransformer([("numbers", numbers, NUMERIC), ("texts", texts, TEXT)])

    def made(*steps: Any) -> Any:
        return pipeline.make_pipeline(*steps)

    scaler, hot = preprocessing.StandardScaler(), preprocessing.OneHotEncoder(handle_unknown="ignore")
    imputed = made(impute.SimpleImputer(), preprocessing.StandardScaler())
    frequent = made(impute.SimpleImputer(strategy="most_frequent"), hot)
    return [
        ("scaler, one-hot encoder", made(columns(scaler, hot), logistic), PEOPLE, PAID),
        ("scaler, one-hot encoder that refuses unseen texts",
         made(columns(scaler, preprocessing.OneHotEncoder()), logistic), PEOPLE, PAID),
        ("scaler, ordinal encoder", made(columns(scaler, preprocessing.OrdinalEncoder()), logistic), PEOPLE, PAID),
        ("imputers of numbers and texts, one-hot encoder", made(columns(imputed, frequent), logistic), GAPS, PAID),
        ("columns as they are, one-hot encoder, forest",
         made(columns("passthrough", hot), ensemble.RandomForestClassifier(20, random_state=0)), PEOPLE, PAID),
        ("one-hot encoder, histogram booster",
         made(columns("passthrough", preprocessing.OneHotEncoder(sparse_output=False, handle_unknown="ignore")),
              ensemble.HistGradientBoostingClassifier(max_iter=30)), PEOPLE, PAID),
        ("one-hot encoder, LightGBM",
         made(columns("passthrough", hot), lightgbm.LGBMClassifier(n_estimators=30, verbose=-1)), PEOPLE, PAID),
        ("one-hot encoder of texts alone", made(compose.ColumnTransformer([("t", hot, TEXT)]), logistic), PEOPLE, PAID),
        ("one-hot encoder as the first step", made(hot, logistic), PEOPLE[TEXT], PAID),
        ("one-hot encoder with missing texts as a category", made(hot, logistic), GAPS[TEXT], PAID),
        ("MinMaxScaler", made(preprocessing.MinMaxScaler(), logistic), X, YES),
        ("RobustScaler", made(preprocessing.RobustScaler(), logistic), X, YES),
        ("Normalizer", made(preprocessing.Normalizer(), logistic), X, YES),
        ("PolynomialFeatures", made(preprocessing.PolynomialFeatures(), linear_model.Ridge()), X[:, :4], NUMBERS),
        ("PCA", made(decomposition.PCA(3), logistic), X, YES),
        ("SelectKBest", made(feature_selection.SelectKBest(k=3), logistic), X, YES),
        ("KBinsDiscretizer",
         made(preprocessing.KBinsDiscretizer(encode="ordinal", quantile_method="averaged_inverted_cdf"), logistic),
         X[:, :4], YES),
        ("PowerTransformer", made(preprocessing.PowerTransformer(), linear_model.Ridge()), X[:, :5], NUMBERS),
        ("QuantileTransformer", made(preprocessing.QuantileTransformer(n_quantiles=100), logistic), X, YES),
        ("SimpleImputer", made(impute.SimpleImputer(strategy="median"), logistic), MISSING, YES),
        ("KNNImputer", made(impute.KNNImputer(), logistic), MISSING[:200], YES[:200]),
        ("FunctionTransformer", made(preprocessing.FunctionTransformer(np.log1p), logistic), np.abs(X), YES),
    ]  # fmt: skip


def _texts() -> list[tuple[str, Any, Any, Any]]:
    logistic = linear_model.LogisticRegression()
    text = feature_extraction.text
    columns = compose.ColumnTransformer(
        [("numbers", preprocessing.StandardScaler(), NUMERIC), ("comment", text.TfidfVectorizer(), "comment")]
    )
    return [
        ("CountVectorizer", pipeline.make_pipeline(text.CountVectorizer(), logistic), TEXTS, YES),
        ("TfidfVectorizer", pipeline.make_pipeline(text.TfidfVectorizer(), logistic), TEXTS, YES),
        ("TfidfVectorizer of one to two words, without accents",
         pipeline.make_pipeline(text.TfidfVectorizer(ngram_range=(1, 2), strip_accents="unicode"), logistic),
         TEXTS, YES),
        ("CountVectorizer, TfidfTransformer, LinearSVC",
         pipeline.make_pipeline(text.CountVectorizer(), text.TfidfTransformer(), svm.LinearSVC()), TEXTS, YES),
        ("CountVectorizer, MultinomialNB",
         pipeline.make_pipeline(text.CountVectorizer(), naive_bayes.MultinomialNB()), TEXTS, YES),
        ("TfidfVectorizer of a column, scaler",
         pipeline.make_pipeline(columns, logistic), PEOPLE.assign(comment=TEXTS), YES),
        ("TfidfVectorizer of characters",
         pipeline.make_pipeline(text.TfidfVectorizer(analyzer="char"), logistic), TEXTS, YES),
        ("HashingVectorizer", pipeline.make_pipeline(text.HashingVectorizer(), logistic), TEXTS, YES),
    ]  # fmt: skip


def _boosters() -> Iterator[Kind]:
    quiet = {"verbose": -1, "random_state": 0, "n_jobs": 1, "n_estimators": 30}
    light, gradient = lightgbm, xgboost
    for name, model, table, target in [
        ("LGBMClassifier", light.LGBMClassifier(**quiet), X, YES),
        ("LGBMClassifier, three classes", light.LGBMClassifier(**quiet), X, THREE),
        ("LGBMClassifier, missing values", light.LGBMClassifier(**quiet), MISSING, YES),
        ("LGBMRegressor", light.LGBMRegressor(**quiet), X, NUMBERS),
        ("LGBMRegressor, Poisson", light.LGBMRegressor(objective="poisson", **quiet), X, COUNTS),
        ("LGBMClassifier, columns of categories", light.LGBMClassifier(**quiet), CATEGORIES, PAID),
    ]:
        yield Kind("LightGBM", name, model, table, target)
    categories = (("categorical_feature", [5]),)
    yield Kind("LightGBM", "LGBMClassifier, numbers as categories", light.LGBMClassifier(**quiet), X, YES, categories)
    for name, model, table, target in [
        ("XGBClassifier", gradient.XGBClassifier(n_estimators=30), X, YES),
        ("XGBClassifier, three classes", gradient.XGBClassifier(n_estimators=30), X, np.digitize(X[:, 0], [-0.5, 0.5])),
        ("XGBClassifier, missing values", gradient.XGBClassifier(n_estimators=30), MISSING, YES),
        ("XGBRegressor", gradient.XGBRegressor(n_estimators=30), X, NUMBERS),
        ("XGBRegressor, gamma", gradient.XGBRegressor(n_estimators=30, objective="reg:gamma"), X, np.exp(X[:, 0])),
        ("XGBRFRegressor", gradient.XGBRFRegressor(n_estimators=30), X, NUMBERS),
        ("XGBRegressor, dart", gradient.XGBRegressor(booster="dart", n_estimators=10), X, NUMBERS),
    ]:
        yield Kind("XGBoost", name, model, table, target)
    silent = {"iterations": 20, "verbose": 0, "allow_writing_files": False}
    yield Kind("CatBoost", "CatBoostClassifier", catboost.CatBoostClassifier(**silent), X, YES)
    yield Kind("CatBoost", "CatBoostClassifier, three classes", catboost.CatBoostClassifier(**silent), X, THREE)
    yield Kind("CatBoost", "CatBoostClassifier, missing values", catboost.CatBoostClassifier(**silent), MISSING, YES)
    yield Kind("CatBoost", "CatBoostRegressor", catboost.CatBoostRegressor(**silent), X, NUMBERS)
    poisson = catboost.CatBoostRegressor(loss_function="Poisson", **silent)
    yield Kind("CatBoost", "CatBoostRegressor, Poisson", poisson, X, COUNTS)
