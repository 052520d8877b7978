"""Every model in ``tests/contract/models``: captured, replayed, and equal in a fresh kernel."""

import json
import os
import shutil
import subprocess
import sys
from importlib import metadata

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from jupyter_deploy.artifacts.fingerprints import fingerprint
from jupyter_deploy.capture.capturer import ModelCapturer
from jupyter_deploy.capture.frameworks import framework_of, frameworks
from jupyter_deploy.capture.pickling import write_pickle
from jupyter_deploy.capture.project_code import ProjectCode
from jupyter_deploy.domain.capture.artifacts import Manifest, Tolerance
from jupyter_deploy.domain.errors import InvalidExample
from jupyter_deploy.serving.snapshot import load
from tests.contract import supported
from tests.contract.capturing import capture, live
from tests.contract.models import kinds
from tests.contract.models.people import CATEGORIES, LABELS, PEOPLE

YES = (LABELS == "yes").astype(int)
NUMBERS = PEOPLE[["age", "income"]]

# Fits on one thread are the same to the last bit.
ONE_THREAD = dict.fromkeys(["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"], "1")


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    home = tmp_path_factory.mktemp("frameworks")
    everything = supported.replayed(supported.staged(home / "bentoml"), home)
    yield everything
    for one in everything.values():
        if one.folder is not None:
            shutil.rmtree(one.folder)


@pytest.fixture
def capturer(tmp_path):
    return ModelCapturer(tmp_path / "bentoml", Tolerance(), replay_timeout=120)


def test_a_clean_process_answers_for_every_model_as_the_notebook_did(found):
    wrong = {name: one.replayed for name, one in found.items() if one.replayed not in ("equal", "alike (stochastic)")}
    assert wrong == {}


def test_what_comes_back_is_of_the_class_that_the_notebook_had(found):
    # The name alone: a class that was made within a function comes back as if it had been made outside.
    classes = {
        name: (one.manifest.kind.split(".")[-1], one.replay["kind"].split(".")[-1]) for name, one in found.items()
    }
    assert {name: pair for name, pair in classes.items() if pair[0] != pair[1]} == {}


def test_the_page_of_supported_models_has_the_measured_results(found):
    stale = supported.stale(found, supported.PAGE.read_text("utf-8"))
    assert stale == [], "python -m scripts.supported_models writes it anew"


FRESH = """
import json, sys
from pathlib import Path
from tests.contract import supported
found = supported.staged(Path(sys.argv[1]))
print(json.dumps({name: [one.fingerprint, str(one.folder)] for name, one in found.items() if not one.error}))
"""


@pytest.mark.exhaustive  # its guards: the quickstart's two models from a fresh kernel, test_capture_identity.py
def test_the_same_fit_in_two_fresh_processes_is_the_same_snapshot(tmp_path):
    fresh = [
        subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", FRESH, tmp_path],
            env=os.environ | ONE_THREAD | {"PYTHONHASHSEED": seed},
            stdout=subprocess.PIPE,
            text=True,
        )
        for seed in ("1", "2")
    ]
    one, other = (json.loads(process.communicate(timeout=900)[0].splitlines()[-1]) for process in fresh)
    for _, folder in (*one.values(), *other.values()):
        shutil.rmtree(folder)
    assert len(one) == len(kinds())
    differing = {name for name in one if one[name][0] != other[name][0]}
    # The last bits of least squares by LAPACK follow from where in memory its arrays lie; these fits are not the same.
    assert {name for name in differing if not name.startswith("statsmodels")} == set()


def test_what_statsmodels_keeps_by_chance_is_no_content(tmp_path):
    import statsmodels.api as sm

    def fingerprint_of(results):
        write_pickle(results, tmp_path / "results.pkl", name="results", code=ProjectCode())
        return fingerprint(tmp_path / "results.pkl")

    results = sm.GLM(YES, sm.add_constant(NUMBERS.to_numpy()), family=sm.families.Binomial()).fit()
    before = fingerprint_of(results)
    results.model._tmp_like_exog[:] = np.nan
    inner = results._results
    attributes = dict(reversed(vars(inner).items()))
    vars(inner).clear()
    vars(inner).update(attributes)
    assert fingerprint_of(results) == before


@pytest.mark.parametrize(
    ("name", "formats"),
    [
        ("XGBoost: Booster of xgboost.train, on a frame with categories", {"booster.ubj": "xgboost"}),
        ("XGBoost: XGBClassifier at the end of a pipeline, in a GridSearchCV", {"booster.ubj": "xgboost"}),
        ("LightGBM: LGBMClassifier on categories", {"booster.txt": "lightgbm"}),
        (
            "LightGBM: LGBMClassifier in a calibrated pipeline",
            dict.fromkeys(["booster.txt", "booster-2.txt"], "lightgbm"),
        ),
        ("CatBoost: CatBoostClassifier with cat_features", {"booster.cbm": "catboost"}),
        ("scikit-learn: StackingClassifier", {}),
    ],
)
def test_the_manifest_names_the_format_of_each_file_of_the_model(found, name, formats):
    manifest = found[name].manifest
    assert manifest.formats == {"model.pkl": "cloudpickle"} | formats
    assert set(manifest.formats) | {"example.pkl"} == set(manifest.files)


def test_a_snapshot_of_the_former_version_was_pickled_as_a_whole(found):
    document = json.loads(found["scikit-learn: StackingClassifier"].manifest.model_dump_json())
    del document["formats"]
    assert Manifest.model_validate(document).formats == {"model.pkl": "cloudpickle"}


def test_the_libraries_themselves_read_the_native_files(found):
    import catboost
    import lightgbm
    import xgboost

    folder = found["XGBoost, LightGBM, CatBoost: all three in a StackingClassifier"].folder
    assert xgboost.Booster(model_file=folder / "booster.ubj").num_boosted_rounds() == 3
    assert lightgbm.Booster(model_file=folder / "booster.txt").num_trees() == 3
    assert catboost.CatBoostClassifier().load_model(str(folder / "booster.cbm")).tree_count_ == 5


@pytest.mark.parametrize(
    ("name", "features"),
    [
        ("XGBoost: Booster of xgboost.train, on a frame with categories", tuple(PEOPLE)),
        ("XGBoost: Booster on an array, with monotone constraints", None),
        ("LightGBM: LGBMClassifier in a calibrated pipeline", tuple(PEOPLE)),
        ("LightGBM: Booster of lightgbm.train, on a frame with categories, early stopping", tuple(PEOPLE)),
        ("CatBoost: CatBoostClassifier with cat_features", tuple(PEOPLE)),
        ("CatBoost: CatBoost fitted on a Pool", None),
        ("scikit-learn: GridSearchCV with a scorer of the notebook's own", tuple(PEOPLE)),
        ("scikit-learn: pipeline on texts", None),
        ("skorch: NeuralNetClassifier in a pipeline", ("age", "income")),
        (
            "statsmodels: OLS by formula, with C(), np.log and a function of the notebook's own",
            ("age", "income", "city"),
        ),
        ("statsmodels: OLS on an array", None),
    ],
)
def test_a_framework_knows_the_columns_that_a_model_was_fitted_on(found, name, features):
    assert found[name].manifest.features == features


@pytest.mark.parametrize(
    ("name", "some"),
    [
        ("XGBoost: Booster of xgboost.train, on a frame with categories",
         {"max_depth": "3", "objective": "binary:logistic", "num_boost_round": 5}),
        ("XGBoost: XGBRegressor with an objective of the notebook's own",
         {"n_estimators": 5, "objective": "tests.contract.models.boosters.squared"}),
        ("LightGBM: Booster of lightgbm.train, on a frame with categories, early stopping", {"num_leaves": 4}),
        ("CatBoost: CatBoostClassifier with cat_features", {"iterations": 5, "cat_features": ["city"]}),
        ("scikit-learn: GridSearchCV with a scorer of the notebook's own",
         {"cv": 2, "estimator__logisticregression__C": 1.0, "estimator__logisticregression": "LogisticRegression",
          "estimator__columntransformer__words__dtype": "numpy.float64"}),
        ("statsmodels: GLM by formula (binomial)",
         {"model": "GLM", "formula": "yes ~ age + income", "family": "Binomial", "link": "Logit"}),
        ("skorch: NeuralNetClassifier in a pipeline", {"neuralnetclassifier__module__hidden": 4}),
    ],
)  # fmt: skip
def test_a_framework_knows_what_a_model_was_made_with(found, name, some):
    known = found[name].manifest.hyperparameters
    assert {key: known.get(key) for key in some} == some


def test_hyperparameters_are_the_same_in_each_process(found):
    told = json.dumps([one.manifest.hyperparameters for one in found.values()])
    assert " at 0x" not in told


def test_a_booster_gets_its_library_from_the_lock_and_its_answers_over_json(capturer):
    import xgboost

    booster = xgboost.train({"max_depth": 2}, xgboost.DMatrix(CATEGORIES, YES, enable_categorical=True), 4)
    snapshot = capture(capturer, booster, CATEGORIES[:3])
    assert "xgboost-cpu" in snapshot.manifest.environment.distributions
    assert "lightgbm" not in snapshot.manifest.environment.distributions
    served = load(snapshot.path, snapshot.digest)
    expected = booster.predict(xgboost.DMatrix(CATEGORIES[10:14], enable_categorical=True))
    assert served.answer(json.loads(CATEGORIES[10:14].to_json(orient="records"))) == pytest.approx(expected.tolist())


def test_a_boosters_answers_stop_at_the_best_iteration_as_in_the_notebook(found):
    one = found["LightGBM: Booster of lightgbm.train, on a frame with categories, early stopping"]
    booster = load(one.folder).native
    assert 0 < booster.best_iteration < booster.num_trees()


def test_a_catboost_model_of_texts_is_pickled_for_its_copy_cannot_be_saved(capturer):
    from catboost import CatBoostClassifier

    texts = pd.DataFrame({"said": ["good day", "bad day", "good night", "bad night"] * 10, "n": range(40)})
    model = CatBoostClassifier(iterations=2, text_features=["said"], verbose=False, allow_writing_files=False)
    model.fit(texts, [1, 0, 1, 0] * 10)
    manifest = capture(capturer, model, texts[:3]).manifest
    assert manifest.formats == {"model.pkl": "cloudpickle"}


def test_a_changed_booster_is_never_loaded(capturer, tmp_path):
    import lightgbm

    from jupyter_deploy.serving.snapshot import SnapshotChanged

    booster = lightgbm.train({"verbose": -1}, lightgbm.Dataset(NUMBERS, YES), 2)
    staged = capturer.stage(live(booster, NUMBERS[:3]), "churn")
    try:
        file = staged.folder / "booster.txt"
        file.write_text(file.read_text().replace("leaf_value=", "leaf_value=9", 1))
        with pytest.raises(SnapshotChanged, match=r"booster\.txt changed after it was captured"):
            load(staged.folder)
    finally:
        capturer.discard(staged)


@pytest.mark.parametrize("library", ["xgboost", "lightgbm", "catboost"])
def test_a_container_that_no_request_can_bring_is_refused_with_what_to_give_instead(capturer, library):
    import catboost
    import lightgbm
    import xgboost

    model, example = {
        "xgboost": lambda: (xgboost.train({}, xgboost.DMatrix(NUMBERS, YES), 1), xgboost.DMatrix(NUMBERS[:2])),
        "lightgbm": lambda: (
            lightgbm.train({"verbose": -1}, lightgbm.Dataset(NUMBERS, YES), 1),
            lightgbm.Dataset(NUMBERS),
        ),
        "catboost": lambda: (
            catboost.CatBoost({"iterations": 1, "verbose": 0, "allow_writing_files": False}).fit(NUMBERS, YES),
            catboost.Pool(NUMBERS),
        ),
    }[library]()
    with pytest.raises(InvalidExample, match=r"(?s)which no request can contain.*pass the rows"):
        capture(capturer, model, example)


@pytest.mark.filterwarnings("ignore")
def test_a_model_that_was_not_fitted_is_refused_before_slow_work(capturer):
    import catboost
    import lightgbm
    import xgboost

    unfitted = [
        make_pipeline(LogisticRegression()),
        xgboost.XGBClassifier(),
        lightgbm.LGBMClassifier(),
        catboost.CatBoostClassifier(),
    ]
    for model in unfitted:
        with pytest.raises(InvalidExample, match="fit it before it is deployed"):
            capturer.stage(live(model, NUMBERS[:2]), "churn")


def test_a_booster_requires_its_named_columns(capturer):
    import xgboost

    booster = xgboost.train({}, xgboost.DMatrix(CATEGORIES, YES, enable_categorical=True), 1)
    with pytest.raises(InvalidExample, match="give rows of a data frame"):
        capturer.stage(live(booster, np.ones((2, 3))), "churn")


def test_an_array_gets_the_names_that_its_booster_was_given(capturer):
    import xgboost

    booster = xgboost.train({}, xgboost.DMatrix(NUMBERS.to_numpy(), YES, feature_names=["age", "income"]), 2)
    staged = capturer.stage(live(booster, NUMBERS[:2].to_numpy()), "churn")
    capturer.discard(staged)
    assert len(staged.manifest.predictions) == 2


def test_a_subclass_of_the_notebook_is_stored_natively_unless_it_says_itself_how_it_is_pickled(capturer):
    import catboost

    class Renamed(catboost.CatBoostRegressor):
        unit = "CHF"

    class Own(catboost.CatBoostRegressor):
        def __getstate__(self):
            return super().__getstate__()

    quiet = {"iterations": 2, "verbose": 0, "allow_writing_files": False}
    for kind, files in ((Renamed, {"booster.cbm", "model.pkl"}), (Own, {"model.pkl"})):
        staged = capturer.stage(live(kind(**quiet).fit(NUMBERS, YES), NUMBERS[:2]), "churn")
        try:
            assert set(staged.manifest.formats) == files
            native = load(staged.folder).native
            assert native.get_params() == quiet | {"loss_function": "RMSE"}
            assert type(native).__name__ == kind.__name__
        finally:
            capturer.discard(staged)


def test_the_nearest_class_determines_the_framework(found):
    by_library = {one.library: one.manifest.framework for one in found.values()}
    assert by_library["CatBoost"] == "catboost"
    assert by_library["XGBoost"] in ("xgboost", "sklearn")
    assert framework_of(make_pipeline(LogisticRegression())).name == "sklearn"
    assert framework_of(len).name == "python"


def test_a_framework_of_another_distribution_that_cannot_be_loaded_is_named_and_left_out(monkeypatch):
    known = metadata.entry_points(group="nbdeploy.frameworks")
    broken = metadata.EntryPoint("broken", "no_such_module:Thing", "nbdeploy.frameworks")
    monkeypatch.setattr(metadata, "entry_points", lambda **_: [*known, broken])
    with pytest.warns(RuntimeWarning, match=r"without the framework 'broken' \(no_such_module:Thing\)"):
        found = frameworks.__wrapped__()
    assert {one.name for one in found} == {one.name for one in frameworks()}
