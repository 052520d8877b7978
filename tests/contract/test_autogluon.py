"""The engine autogluon: models of its portfolio become models of our families; the same seed gives the same trials."""

import itertools

import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes

from jupyter_deploy.domain.errors import InvalidInput
from jupyter_deploy.domain.model_search.requests import AutomlRequest
from jupyter_deploy.model_search.autogluon_engine import parameters_of
from jupyter_deploy.model_search.families import BY_NAME
from jupyter_deploy.model_search.search import SearchOfTable


@pytest.mark.parametrize(
    ("kind", "given", "task", "model"),
    [
        (
            "GBM",
            {"learning_rate": 0.05, "seed": 0, "num_boost_round": 20},
            "classification",
            "LGBMClassifier(n_estimators=20, learning_rate=0.05, num_leaves=31, min_child_samples=20, "
            "colsample_bytree=1.0, reg_lambda=0.0, n_jobs=1, random_state=7",
        ),
        (
            "RF",
            {"n_estimators": 300, "max_features": "sqrt", "min_samples_leaf": 1, "max_leaf_nodes": 15000},
            "classification",
            "RandomForestClassifier(n_estimators=300, max_features=0.25, min_samples_leaf=1, random_state=7)",
        ),
        (
            "XT",
            {"n_estimators": 50, "max_features": "log2", "min_samples_leaf": 4},
            "regression",
            "ExtraTreesRegressor(n_estimators=50, max_features=0.25, min_samples_leaf=4, random_state=7)",
        ),
        (
            "XT",
            {"n_estimators": 50, "max_features": 1.0, "min_samples_leaf": 4},
            "regression",
            "ExtraTreesRegressor(n_estimators=50, max_features=1.0, min_samples_leaf=4, random_state=7)",
        ),
        ("LR", {"C": 4, "tol": 1e-4}, "classification", "LogisticRegression(C=4.0, max_iter=5000)"),
        ("LR", {"C": 4}, "regression", "Ridge(alpha=0.25)"),
    ],
)
def test_parameters_are_those_of_a_family(kind, given, task, model):
    family = {"GBM": "lightgbm", "RF": "forest", "XT": "extra_trees", "LR": "linear"}[kind]
    assert BY_NAME[family].model(task, parameters_of(kind, given, task, 16), 7).startswith(model)


def test_without_a_package_index_the_error_names_the_requirement_and_the_other_engine(tmp_path, monkeypatch):
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    with pytest.raises(InvalidInput, match=r"needs autogluon\.tabular") as refused:
        search_of(load_diabetes, tmp_path)
    assert "--engine flaml" in refused.value.remedy
    assert "No solution found" in (refused.value.details or ""), "uv's own words say why"


@pytest.mark.exhaustive
@pytest.mark.parametrize("data", [load_breast_cancer, load_diabetes])
def test_it_trains_in_an_environment_of_its_own_and_repeats_itself(data, tmp_path):
    one, two = (tried(search_of(data, tmp_path), 6) for _ in range(2))
    assert one == two
    assert len({trial.expression for trial in one}) == 6
    assert {"lightgbm", "forest", "extra_trees"} <= {trial.family for trial in one}
    assert all(trial.score is not None for trial in one)


def search_of(data, folder):
    data(as_frame=True).frame.iloc[:300].to_parquet(folder / "table.parquet")
    request = AutomlRequest(data=str(folder / "table.parquet"), label_column="target", engine="autogluon")
    return SearchOfTable(request, folder / "found.ipynb")


def tried(search, count):
    return [trial.model_copy(update={"seconds": 0.0}) for trial in itertools.islice(search.trials(None), count)]
