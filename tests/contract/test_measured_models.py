"""A choice among small models of scikit-learn, measured in real processes: one table for all assertions."""

import os
from pathlib import Path

import numpy as np
import psutil
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.tree import DecisionTreeClassifier

import jupyter_deploy
from jupyter_deploy.domain.errors import InvalidInput, TargetError, UnknownRelease
from jupyter_deploy.model_selection import measurement
from jupyter_deploy.wiring import Wiring

FRAME, LABELS = load_breast_cancer(return_X_y=True, as_frame=True)
FRAME, LABELS = FRAME.iloc[:, :4], np.where(LABELS, "benign", "malignant")
TRAIN, TEST = slice(0, 300), slice(300, None)
X, Y = FRAME[TEST], LABELS[TEST]


def fitted(model):
    return model.fit(FRAME[TRAIN], LABELS[TRAIN])


FOLDS = [
    fitted(DecisionTreeClassifier()),
    DecisionTreeClassifier().fit(FRAME[LABELS == "benign"], LABELS[LABELS == "benign"]),
]
"""Two fits of one model, of which the second one has seen one class alone."""


@pytest.fixture(scope="module")
def models():
    return {
        "logit": fitted(make_pipeline(StandardScaler(), LogisticRegression())),
        "stump": [fitted(DecisionTreeClassifier(max_depth=depth, random_state=0)) for depth in (1, 2, 3)],
        "Log of it": fitted(make_pipeline(FunctionTransformer(np.log1p), LogisticRegression(max_iter=500))),
    }


@pytest.fixture(scope="module", autouse=True)
def home(tmp_path_factory):
    """A home, a price and short rounds for this file."""
    root = tmp_path_factory.mktemp("selection")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NBDEPLOY_HOME", str(root / "home"))
        patch.setenv("BENTOML_HOME", str(root / "bentoml"))
        patch.setenv("NBDEPLOY_COST", "0.05")
        patch.setattr(measurement, "ROUNDS", 3)
        patch.setattr(measurement, "_CALLS", 20)
        patch.setattr(measurement, "_BATCH_CALLS", 3)
        yield root


@pytest.fixture(scope="module")
def found(models, home):
    by = {"large": X["mean radius"] > 14}
    return jupyter_deploy.candidates(models, X, Y, by=by, constraints=["latency_p50_ms <= 10 s", "accuracy >= 0.89"])


@pytest.fixture(scope="module")
def rows(found):
    return {row.label: row for row in found.table.candidates}


def test_each_model_is_measured_natively_and_translated_if_that_is_proved(found, rows, models):
    assert set(rows) == {"logit", "logit (onnx)", "stump", "stump (onnx)", "Log of it"}
    (left_out,) = found.table.left_out
    assert (left_out.name, left_out.engine) == ("Log of it", "onnx")
    assert "FunctionTransformer" in left_out.why
    assert rows["logit"].tag.startswith("logit:")
    assert rows["Log of it"].tag.startswith("log-of-it:")
    loaded = Wiring().ports.capturer.load(rows["stump (onnx)"].tag)
    assert loaded.manifest.translation is not None, "the table names the snapshot that a deploy serves"


def test_scores_are_those_of_the_models_in_the_notebook_and_a_translation_has_its_originals(rows, models):
    for name, model in (models | {"stump": models["stump"][0]}).items():
        assert rows[name].score.value == pytest.approx((model.predict(X) == Y).mean())
        assert rows[name].score.interval.low < rows[name].score.value < rows[name].score.interval.high
    assert rows["logit (onnx)"].score == rows["logit"].score
    best = max(rows.values(), key=lambda row: row.score.value)
    assert best.against_best is None
    others = [row for row in rows.values() if row.score.value != best.score.value]
    assert all(row.against_best.interval.level > 0.95 for row in others), "all pairs hold together"
    assert others


def test_the_spread_over_the_fits_of_a_model_is_of_the_same_rows_and_of_no_other_model(rows, models):
    scores = [(fit.predict(X) == Y).mean() for fit in models["stump"]]
    for label in ("stump", "stump (onnx)"):
        fits = rows[label].fits
        assert (fits.count, fits.low, fits.high) == (3, pytest.approx(min(scores)), pytest.approx(max(scores)))
        assert (fits.mean, fits.sd) == (pytest.approx(np.mean(scores)), pytest.approx(np.std(scores, ddof=1)))
    assert rows["logit"].fits is None


def test_subgroups_and_calibration_are_those_of_their_rows(rows, models):
    large = (X["mean radius"] > 14).to_numpy()
    right = models["logit"].predict(X) == Y
    groups = {one.group["large"]: one for one in rows["logit"].groups}
    assert groups["True"].rows == large.sum()
    assert groups["True"].score.value == pytest.approx(right[large].mean())
    probabilities = models["logit"].predict_proba(X)[:, 1]
    assert rows["logit"].calibration.brier == pytest.approx(np.mean((probabilities - (Y == "malignant")) ** 2))
    assert rows["logit (onnx)"].calibration is None


def test_served_probabilities_are_scored_and_calibrated_of_a_translation_too(models, monkeypatch):
    rows_, truth, logit = X[:60], Y[:60], models["logit"]
    seen, measure = [], measurement.ProcessMeasurer.measure

    def measured(*given):
        seen.extend(measure(*given))
        return seen

    monkeypatch.setattr(measurement.ProcessMeasurer, "measure", measured)
    served = jupyter_deploy.candidates({"logit": logit}, rows_, truth, method="predict_proba").table
    assert (served.metric, served.greater_is_better) == ("log_loss", False)
    assert [one.classes for one in seen] == [("'benign'", "'malignant'"), None], "a translation names none"
    probabilities = logit.predict_proba(rows_)
    second = probabilities[:, 1]
    assert [row.engine for row in served.candidates] != ["native"]
    for row in served.candidates:
        assert row.score.value == pytest.approx(log_loss(truth, probabilities), rel=1e-5)
        assert row.calibration.brier == pytest.approx(np.mean((second - (truth == "malignant")) ** 2), rel=1e-5)
        assert row.calibration.served


def test_performance_is_of_several_rounds_and_the_cost_follows_from_it(found, rows):
    for row in rows.values():
        ran = row.performance
        assert ran.rounds == 3
        assert 0 < ran.latency_p50_ms.low <= ran.latency_p50_ms.median <= ran.latency_p50_ms.high
        assert ran.latency_p50_ms.median <= ran.latency_p99_ms.median
        assert 20 < ran.memory_mb < 2000
        assert ran.load_s > 0
        assert row.artifact_mb > 0.001
        expected = 0.05 / 3600 * 1e6 / ran.predictions_per_second.median
        assert row.cost_per_million == pytest.approx(expected)
    native, translated = rows["logit"].performance, rows["logit (onnx)"].performance
    assert translated.memory_mb < native.memory_mb, "the translation's process has no scikit-learn"
    assert 10 < rows["logit (onnx)"].libraries_mb < rows["logit"].libraries_mb


def test_rows_that_violate_a_constraint_come_last_and_are_not_on_the_front(found):
    violated = [bool(row.violated) for row in found.table.candidates]
    assert violated == sorted(violated)
    assert {row.name for row in found.table.candidates if row.violated} == {
        row.name for row in found.table.candidates if row.score.value < 0.89
    }
    assert any(row.on_front for row in found.table.candidates)
    assert not any(row.on_front and row.violated for row in found.table.candidates)


def test_a_notebook_shows_the_table_and_no_process_is_left(found):
    assert "against the best" in found._repr_html_()
    assert "FunctionTransformer" in str(found)
    assert "cost per million" in str(found)
    assert "accuracy of the fits" in str(found)
    children = psutil.process_iter(["ppid", "cmdline"])  # without the command line of those that have ended
    words = [word for one in children if one.info["ppid"] == os.getpid() for word in one.info["cmdline"] or ()]
    assert not [word for word in words if "serving.measurement" in word]


def test_a_row_that_is_not_there_is_refused_with_the_reason(found):
    with pytest.raises(UnknownRelease) as refused:
        found.deploy("Log of it", engine="onnx", name="churn")
    assert "FunctionTransformer" in str(refused.value)
    with pytest.raises(UnknownRelease, match="logit"):
        found.deploy("forest", name="churn")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"models": {}}, "there are no models"),
        ({"models": {"stable": 1}}, "give that model another name"),
        ({"models": {"it": 3}}, "the model 'it' cannot be served"),
        ({"models": {"it": []}}, "the model 'it' has no fits"),
        ({"models": {"it": [len, 3]}}, "the model 'it' cannot be served"),
        ({"models": {"it": [fitted(DecisionTreeClassifier()), lambda rows: 1 / 0]}}, "fit 1 of 'it' raises on X"),
        ({"models": {"it": FOLDS}, "method": "predict_proba"}, "and fit 1 of 'it' ['benign']"),
        ({"y": Y[:-1]}, f"there are {len(X)} rows, and {len(X) - 1} true answers"),
        ({"y": [None, *Y[1:]]}, "y is missing in row 0"),
        ({"X": X[:0], "y": Y[:0]}, "X has no rows"),
        ({"metric": "acuracy"}, "did you mean accuracy"),
        ({"by": "sex"}, "X has no column 'sex'"),
        ({"constraints": "accuraci >= 0.9"}, "did you mean accuracy"),
    ],
)
def test_a_mistake_is_refused_before_anything_is_captured(models, change, words, monkeypatch):
    monkeypatch.setattr("jupyter_deploy.faces.kernel.model_selection.select_models", None)
    given = {"models": models, "X": X, "y": Y} | change
    with pytest.raises(InvalidInput) as refused:
        jupyter_deploy.candidates(given.pop("models"), given.pop("X"), given.pop("y"), **given)
    assert words in str(refused.value)
    assert refused.value.remedy


def test_a_model_that_raises_on_a_row_is_named_with_its_error(models, home):
    """The example's rows are fine, and a later one is not."""

    class Picky:
        def predict(self, rows):
            if rows.max() > 5:
                raise ValueError("too old")
            return rows[:, 0]

    with pytest.raises(TargetError) as refused:
        jupyter_deploy.candidates({"picky": Picky()}, np.arange(30.0).reshape(-1, 1), np.arange(30.0), translated=False)
    assert "too old" in str(refused.value)
    assert "picky:" in str(refused.value)
    assert not list(Path(home).glob("**/measurement*"))
