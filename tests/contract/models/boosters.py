"""XGBoost, LightGBM and CatBoost: native and scikit-learn forms, alone and inside of others."""

import catboost
import lightgbm
import numpy as np
import xgboost
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.ensemble import StackingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder, StandardScaler

from tests.contract.models import Built, model
from tests.contract.models.people import CATEGORIES, LABELS, PEOPLE, SCORES

NUMBERS = PEOPLE[["age", "income"]]
YES = (LABELS == "yes").astype(int)


@model("XGBoost", "Booster of xgboost.train, on a frame with categories")
def xgb_booster():
    data = xgboost.DMatrix(CATEGORIES, YES, enable_categorical=True)
    return Built(xgboost.train({"objective": "binary:logistic", "max_depth": 3}, data, 5), CATEGORIES[:5])


@model("XGBoost", "Booster on an array, with monotone constraints")
def xgb_array():
    data = xgboost.DMatrix(NUMBERS.to_numpy(), SCORES)
    return Built(xgboost.train({"monotone_constraints": "(1,1)", "max_depth": 2}, data, 5), NUMBERS[:5].to_numpy())


@model("XGBoost", "XGBClassifier with an evaluation set and early stopping")
def xgb_classifier():
    classifier = xgboost.XGBClassifier(n_estimators=8, max_depth=2, early_stopping_rounds=2, enable_categorical=True)
    return Built(classifier.fit(CATEGORIES, YES, eval_set=[(CATEGORIES, YES)], verbose=False), CATEGORIES[:5])


def squared(truth, guess):
    return guess - truth, np.ones_like(truth)


@model("XGBoost", "XGBRegressor with an objective of the notebook's own")
def xgb_objective():
    return Built(xgboost.XGBRegressor(n_estimators=5, objective=squared).fit(NUMBERS, SCORES), NUMBERS[:5])


@model("XGBoost", "XGBClassifier at the end of a pipeline, in a GridSearchCV")
def xgb_search():
    pipeline = make_pipeline(StandardScaler(), xgboost.XGBClassifier(n_estimators=3, max_depth=2))
    return Built(GridSearchCV(pipeline, {"xgbclassifier__max_depth": [1, 2]}, cv=2).fit(NUMBERS, YES), NUMBERS[:5])


@model("LightGBM", "Booster of lightgbm.train, on a frame with categories, early stopping")
def lgb_booster():
    data = lightgbm.Dataset(CATEGORIES, YES)
    parameters = {"objective": "binary", "verbose": -1, "num_leaves": 4, "min_data_in_leaf": 5}
    stop = lightgbm.early_stopping(2, verbose=False)
    opposite = lightgbm.Dataset(
        CATEGORIES[:40], 1 - YES[:40], reference=data
    )  # so that the first iteration is the best
    booster = lightgbm.train(parameters, data, 30, valid_sets=[opposite], callbacks=[stop], keep_training_booster=True)
    return Built(booster, CATEGORIES[:5])


@model("LightGBM", "LGBMClassifier on categories")
def lgb_classifier():
    classifier = lightgbm.LGBMClassifier(n_estimators=5, verbose=-1, min_child_samples=5)
    return Built(classifier.fit(CATEGORIES, LABELS), CATEGORIES[:5])


@model("LightGBM", "LGBMRegressor with an objective of the notebook's own")
def lgb_objective():
    return Built(
        lightgbm.LGBMRegressor(n_estimators=5, verbose=-1, objective=squared).fit(NUMBERS, SCORES), NUMBERS[:5]
    )


@model("LightGBM", "LGBMClassifier in a calibrated pipeline")
def lgb_calibrated():
    pipeline = make_pipeline(
        make_column_transformer((OrdinalEncoder(), ["city"]), remainder="passthrough").set_output(transform="pandas"),
        lightgbm.LGBMClassifier(n_estimators=3, verbose=-1),
    )
    return Built(CalibratedClassifierCV(pipeline, cv=2).fit(PEOPLE, LABELS), PEOPLE[:5], "predict_proba")


QUIET = {"iterations": 5, "verbose": 0, "allow_writing_files": False, "depth": 2}


@model("CatBoost", "CatBoostClassifier with cat_features")
def cat_classifier():
    classifier = catboost.CatBoostClassifier(**QUIET, cat_features=["city"])
    return Built(classifier.fit(PEOPLE.astype({"member": int}), LABELS), PEOPLE.astype({"member": int})[:5])


@model("CatBoost", "CatBoost fitted on a Pool")
def cat_native():
    pool = catboost.Pool(NUMBERS.to_numpy(), SCORES)
    return Built(catboost.CatBoost({**QUIET, "loss_function": "RMSE"}).fit(pool), NUMBERS[:5].to_numpy())


@model("CatBoost", "CatBoostRegressor on several targets")
def cat_multi():
    regressor = catboost.CatBoostRegressor(**QUIET, loss_function="MultiRMSE")
    return Built(regressor.fit(NUMBERS, np.c_[SCORES, -SCORES]), NUMBERS[:5])


@model("XGBoost, LightGBM, CatBoost", "all three in a StackingClassifier")
def all_three():
    parts = [
        ("x", xgboost.XGBClassifier(n_estimators=3, max_depth=2)),
        ("l", lightgbm.LGBMClassifier(n_estimators=3, verbose=-1)),
        ("c", catboost.CatBoostClassifier(**QUIET)),
    ]
    return Built(StackingClassifier(parts, LogisticRegression(), cv=2).fit(NUMBERS, YES), NUMBERS[:5])
