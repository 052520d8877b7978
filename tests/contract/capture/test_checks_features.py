"""The order and types of columns, for nested models and for found training tables."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from lightgbm import LGBMClassifier
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.ensemble import VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from jupyter_deploy.capture.checks.features import compare_columns, features
from jupyter_deploy.capture.frameworks import framework_of
from jupyter_deploy.capture.tables import table_of
from jupyter_deploy.capture.training_table import TrainingTable
from tests.contract.capturing import live

ROWS = pd.DataFrame(np.random.default_rng(1).normal(size=(200, 3)), columns=["a", "b", "c"])
LABELS = (ROWS["a"] > 0.2).astype(int)
TURNED = ROWS[["c", "b", "a"]][:5]

BOOSTER = LGBMClassifier(n_estimators=5, verbose=-1, n_jobs=1)
MODELS = {
    "a search over a booster": (GridSearchCV(BOOSTER, {"max_depth": [2]}, cv=2), "error"),
    "a pipeline of a booster": (make_pipeline(BOOSTER), "error"),
    "a vote of boosters": (VotingClassifier([("m", BOOSTER)]), "error"),
    "a calibrated booster": (CalibratedClassifierCV(BOOSTER, cv=2), "error"),
    "columns made an array": (make_pipeline(FunctionTransformer(np.asarray), LogisticRegression()), "error"),
    "chosen by name": (make_pipeline(make_column_transformer((StandardScaler(), ["a", "b", "c"])), BOOSTER), "note"),
}


@pytest.mark.parametrize(("model", "severity"), MODELS.values(), ids=MODELS)
def test_the_model_itself_shows_whether_the_order_matters(model, severity):
    model.fit(ROWS, LABELS)
    (finding,) = compare_columns(model, framework_of(model), TURNED)
    assert finding.severity == severity


def test_types_are_compared_with_the_found_training_table_too():
    model = LogisticRegression().fit(ROWS, LABELS)
    example = ROWS.astype({"b": str})[:2]
    seen = SimpleNamespace(signature=SimpleNamespace(container="frame"), example=example)
    training = TrainingTable(table_of(ROWS), ROWS)
    subject = SimpleNamespace(live=live(model, example), seen=seen, framework=framework_of(model), training=training)
    (finding,) = features(subject)
    assert "'b' is text and was number" in finding.message
