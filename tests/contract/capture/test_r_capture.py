"""Capture in R: what goes in, what is refused, and why."""

import subprocess

import pytest

from jupyter_deploy.capture.capturer import ModelCapturer
from jupyter_deploy.domain.capture.artifacts import Tolerance
from jupyter_deploy.domain.errors import InvalidExample, NotCapturable, ReplayFailed, UnknownSource
from tests.contract import supported_r
from tests.contract.models_of_r import FITS
from tests.r_sessions import captured


@pytest.fixture(scope="module")
def capturer(tmp_path_factory):
    return ModelCapturer(tmp_path_factory.mktemp("home"), Tolerance(), replay_timeout=120)


CELLS = """k <- 2
sq <- function(x) x^k
cars2 <- transform(mtcars, cyl = factor(cyl), gear = as.integer(gear))

fit <- lm(mpg ~ sq(wt) + cyl + gear, cars2)

TOKEN <- 'secret-token-of-mine'"""


def test_a_model_goes_in_with_its_functions_and_is_proved_also_over_json(capturer, tmp_path):
    with captured(tmp_path, CELLS, "fit", "cars2[1:5, c('wt', 'cyl', 'gear')]") as live:
        manifest = supported_r.proved(capturer, live)
    assert manifest.kind.startswith("lm (R 4.")
    assert (manifest.framework, manifest.method) == ("R", "predict")
    assert manifest.formats["model.rds"] == "r"
    assert manifest.features == ("wt", "cyl", "gear")
    assert manifest.provenance.language == "R"
    assert manifest.batchable
    assert manifest.training.rows == 32
    properties = manifest.signature.instance_schema["properties"]
    assert properties["cyl"]["enum"] == ["4", "6", "8"]
    assert properties["gear"]["type"] == "integer"
    assert "captured with it, of the notebook's kernel: sq, k" in manifest.notes
    assert not [finding for finding in manifest.findings if finding.check == "stale-kernel"]


def test_the_same_fit_in_a_new_session_is_the_same_model(capturer, tmp_path):
    fingerprints = set()
    for number in range(2):
        with captured(tmp_path / str(number), CELLS, "fit", "cars2[1:5, c('wt', 'cyl', 'gear')]") as live:
            staged = capturer.stage(live, "model")
            fingerprints.add(staged.fingerprint)
            capturer.discard(staged)
    assert len(fingerprints) == 1


def test_the_lock_has_the_archive_that_a_package_was_installed_from(tmp_path):
    marked = subprocess.run(
        ["Rscript", "--vanilla", "-e", "cat(utils::packageDescription('rpart')$Packaged)"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    cells = "library(rpart)\n\nfit <- rpart(mpg ~ wt, mtcars)"
    with captured(tmp_path, cells, "fit", "head(mtcars['wt'])") as live:
        assert live.model.about["r"]["packages"]["rpart"]["packaged"] == marked


def test_texts_of_a_fit_are_levels_to_a_request(tmp_path):
    cells = "d <- data.frame(y = c(1, 2, 4, 5), s = c('a', 'b', 'a', 'b'))\n\nfit <- lm(y ~ s, d)"
    with captured(tmp_path, cells, "fit", "d['s']") as live:
        assert list(live.example["s"].cat.categories) == ["a", "b"]
        assert live.model.predict(live.example).tolist() == pytest.approx([2.5, 3.5, 2.5, 3.5])


REFUSED = {
    "no data frame": ("fit", "fit", InvalidExample, "the example is of class lm, not a data frame"),
    "an empty one": ("fit", "cars2[0, ]", InvalidExample, "the example is empty"),
    "an expression that fails": ("fit", "hed(cars2)", InvalidExample, "fails in the notebook's kernel.*hed"),
    "no expression": ("fit", "head(cars2", InvalidExample, "is no expression of R"),
    "no such variable": ("fitt", "head(cars2)", UnknownSource, "'fitt' fails in the notebook's kernel.*not found"),
    "no model": ("k", "head(cars2)", UnknownSource, "'k' is of class numeric, which is no model"),
    "a column of lists": ("fit", "transform(cars2, l = I(as.list(1:32)))", InvalidExample, "column 'l' is a"),
    "a model that raises": ("fit", "cars2['wt']", InvalidExample, "the model raises on the example: object 'cyl'"),
    "a package that is not installed": (
        "(function(df) absent::score(df))",
        "head(cars2)",
        NotCapturable,
        "the model needs the package absent, which is not installed",
    ),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
def test_a_refusal_names_what_and_why(tmp_path, case):
    model, example, error, words = case
    with pytest.raises(error, match=words), captured(tmp_path, CELLS, model, example):
        pass


def test_a_missing_package_is_installed_by_the_remedy(tmp_path):
    cells = "absent <- function(df) {\n  library(absent)\n  score(df)\n}"
    with pytest.raises(NotCapturable) as raised, captured(tmp_path, cells, "absent", "head(mtcars)"):
        pass
    assert raised.value.remedy == 'run in a cell: install.packages("absent")'


def test_a_file_that_only_the_notebook_has_is_named(tmp_path):
    cells = (
        "writeLines('2', 'factor.txt')\n\nf <- function(df) df$x * as.numeric(readLines('factor.txt'))\n\n"
        "x <- data.frame(x = 1:3)"
    )
    with (
        pytest.raises(ReplayFailed, match=r"could not answer the example.*cannot open"),
        captured(tmp_path, cells, "f", "x"),
    ):
        pass


def test_state_that_changes_the_answer_is_found(tmp_path):
    cells = "options(mine = 3)\n\nf <- function(df) df$x * getOption('mine', 1)\n\nx <- data.frame(x = 1:3)"
    with pytest.raises(ReplayFailed, match="differ from the notebook's") as raised, captured(tmp_path, cells, "f", "x"):
        pass
    assert "row 0: expected 3" in raised.value.details


def test_a_model_that_draws_is_stochastic_and_no_difference(capturer, tmp_path):
    cells = "f <- function(df) df$x + rnorm(nrow(df))\n\nx <- data.frame(x = c(1, 2, 3))"
    with captured(tmp_path, cells, "f", "x") as live:
        assert supported_r.proved(capturer, live).stochastic


def test_a_class_of_the_notebook_by_setclass_is_refused(tmp_path):
    cells = (
        "setClass('Mine', representation(n = 'numeric'))\n"
        "setMethod('predict', 'Mine', function(object, ...) object@n)\nm <- new('Mine', n = 1)"
    )
    with (
        pytest.raises(NotCapturable, match="Mine is defined in the notebook by setClass"),
        captured(tmp_path, cells, "m", "data.frame(x = 1)"),
    ):
        pass


@pytest.mark.exhaustive  # its guard: the test of lm above
@pytest.mark.parametrize("fit", FITS, ids=[f"{fit.package}-{fit.kind}" for fit in FITS])
def test_kinds_of_models_answer_as_in_their_session(capturer, tmp_path, fit):
    line = supported_r.line_of(fit, capturer, tmp_path)
    assert line in supported_r.PAGE.read_text("utf-8").splitlines(), (
        "python -m scripts.supported_r_models writes the page"
    )
