"""scikit-learn and libraries with its interface."""

import numpy as np
import pandas as pd
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    IsolationForest,
    RandomForestClassifier,
    StackingClassifier,
    VotingRegressor,
)
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import make_scorer
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeRegressor

from tests.contract.models import Built, model
from tests.contract.models.people import LABELS, PEOPLE, SCORES, TEXTS

NUMBERS = PEOPLE[["age", "income"]]
MIXED = ["age", "income"], ["city", "member"]


def mixed(sparse=True):
    numbers, words = MIXED
    return ColumnTransformer(
        [
            ("numbers", make_pipeline(SimpleImputer(), StandardScaler()), numbers),
            ("words", OneHotEncoder(handle_unknown="ignore", sparse_output=sparse), words),
        ]
    )


@model("scikit-learn", "pipeline with a ColumnTransformer (sparse one-hot), n_jobs=-1")
def column_transformer():
    forest = RandomForestClassifier(n_estimators=5, n_jobs=-1, random_state=0)
    return Built(make_pipeline(mixed(), forest).fit(PEOPLE, LABELS), PEOPLE[:5])


@model("scikit-learn", 'pipeline with set_output(transform="pandas")')
def pandas_output():
    pipeline = make_pipeline(mixed(sparse=False), LogisticRegression()).set_output(transform="pandas")
    return Built(pipeline.fit(PEOPLE, LABELS), PEOPLE[:5], "predict_proba")


@model("scikit-learn", "pipeline with a FunctionTransformer of a lambda")
def function_transformer():
    pipeline = make_pipeline(FunctionTransformer(lambda frame: np.log1p(frame.abs())), Ridge())
    return Built(pipeline.fit(NUMBERS, SCORES), NUMBERS[:5])


def nearly(truth, guess):
    return float((truth == guess).mean())


@model("scikit-learn", "GridSearchCV with a scorer of the notebook's own")
def grid_search():
    search = GridSearchCV(
        make_pipeline(mixed(), LogisticRegression()),
        {"logisticregression__C": [0.1, 1.0]}, scoring=make_scorer(nearly), cv=2,
    )  # fmt: skip
    return Built(search.fit(PEOPLE, LABELS), PEOPLE[:5])


@model("scikit-learn", "RandomizedSearchCV")
def randomized_search():
    search = RandomizedSearchCV(Ridge(), {"alpha": [0.1, 1.0, 10.0]}, n_iter=2, cv=2, random_state=0)
    return Built(search.fit(NUMBERS.to_numpy(), SCORES), NUMBERS[:5].to_numpy())


@model("scikit-learn", "CalibratedClassifierCV")
def calibrated():
    return Built(
        CalibratedClassifierCV(make_pipeline(mixed(), LogisticRegression()), cv=2).fit(PEOPLE, LABELS),
        PEOPLE[:5], "predict_proba",
    )  # fmt: skip


@model("scikit-learn", "StackingClassifier")
def stacking():
    parts = [("tree", RandomForestClassifier(n_estimators=3, random_state=0)), ("line", LogisticRegression())]
    return Built(StackingClassifier(parts, cv=2).fit(NUMBERS, LABELS), NUMBERS[:5])


@model("scikit-learn", "VotingRegressor")
def voting():
    parts = [("tree", DecisionTreeRegressor(max_depth=3, random_state=0)), ("line", Ridge())]
    return Built(VotingRegressor(parts).fit(NUMBERS, SCORES), NUMBERS[:5])


@model("scikit-learn", "MultiOutputRegressor (two answers a row)")
def multi_output():
    return Built(MultiOutputRegressor(Ridge()).fit(NUMBERS, np.c_[SCORES, -SCORES]), NUMBERS[:5])


@model("scikit-learn", "TransformedTargetRegressor")
def transformed_target():
    return Built(TransformedTargetRegressor(Ridge(), func=np.cbrt, inverse_func=lambda y: y**3).fit(NUMBERS, SCORES),
                 NUMBERS[:5])  # fmt: skip


@model("scikit-learn", "HistGradientBoostingClassifier on categories")
def histogram_boosting():
    frame = PEOPLE.astype({"city": "category"})
    boosting = HistGradientBoostingClassifier(max_iter=5, categorical_features="from_dtype", random_state=0)
    return Built(boosting.fit(frame, LABELS), frame[:5])


@model("scikit-learn", "pipeline on texts")
def texts():
    return Built(make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(TEXTS, LABELS), TEXTS[:3])


@model("scikit-learn", "IsolationForest")
def outliers():
    return Built(IsolationForest(n_estimators=5, random_state=0).fit(NUMBERS), NUMBERS[:5])


@model("mlxtend", "EnsembleVoteClassifier")
def mlxtend_vote():
    from mlxtend.classifier import EnsembleVoteClassifier

    parts = [LogisticRegression(), RandomForestClassifier(n_estimators=3, random_state=0)]
    return Built(EnsembleVoteClassifier(parts, voting="soft").fit(NUMBERS.to_numpy(), LABELS), NUMBERS[:5].to_numpy())


@model("mlxtend", "StackingCVRegressor")
def mlxtend_stacking():
    from mlxtend.regressor import StackingCVRegressor

    stack = StackingCVRegressor(
        [Ridge(), DecisionTreeRegressor(max_depth=2, random_state=0)], Ridge(), cv=2, random_state=0
    )
    return Built(stack.fit(NUMBERS.to_numpy(), SCORES), NUMBERS[:5].to_numpy())


@model("skorch", "NeuralNetClassifier in a pipeline")
def skorch_net():
    import torch
    from skorch import NeuralNetClassifier

    class Net(torch.nn.Module):
        def __init__(self, hidden=8):
            super().__init__()
            self.layers = torch.nn.Sequential(torch.nn.Linear(2, hidden), torch.nn.ReLU(), torch.nn.Linear(hidden, 2))

        def forward(self, rows):
            return torch.softmax(self.layers(rows), dim=-1)

    torch.manual_seed(0)
    net = NeuralNetClassifier(Net, max_epochs=2, lr=0.1, verbose=0, module__hidden=4)
    to_floats = FunctionTransformer(lambda rows: np.asarray(rows, dtype="float32"))
    pipeline = make_pipeline(StandardScaler(), to_floats, net)
    return Built(pipeline.fit(NUMBERS, np.asarray(LABELS == "yes", dtype="int64")), NUMBERS[:5], "predict_proba")


@model("scikit-learn", "an estimator class of the notebook's own")
def own_class():
    from sklearn.base import BaseEstimator, ClassifierMixin

    class Majority(ClassifierMixin, BaseEstimator):
        def fit(self, rows, y):
            self.classes_, counts = np.unique(y, return_counts=True)
            self.answer_ = self.classes_[counts.argmax()]
            return self

        def predict(self, rows):
            return pd.Series([self.answer_] * len(rows))

    return Built(Majority().fit(NUMBERS, LABELS), NUMBERS[:5])
