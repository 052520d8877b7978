"""Models of R that are translated to ONNX: R's answers without R, or a refusal that names the term."""

import json
import os
import re
import subprocess
import sys

import numpy as np
import onnxruntime
import pandas as pd
import pytest
from scipy.special import ndtr

from jupyter_deploy import __version__
from jupyter_deploy.capture.capturer import ModelCapturer
from jupyter_deploy.capture.inspection import inspect_model
from jupyter_deploy.capture.r import LAB_SCRIPTS, SCRIPTS
from jupyter_deploy.capture.translation import r_links
from jupyter_deploy.capture.translation.arithmetic import Arithmetic
from jupyter_deploy.capture.translation.engine import translate
from jupyter_deploy.capture.translation.graph_parts import GraphParts
from jupyter_deploy.domain.capture.artifacts import Tolerance
from jupyter_deploy.domain.errors import NotTranslated
from jupyter_deploy.environments.r_lock import r_lock
from jupyter_deploy.serving.r.process import RError
from jupyter_deploy.serving.values.validation import InvalidInstances
from tests.contract import supported_r
from tests.contract.capturing import kept
from tests.contract.models_of_r import TRANSLATED
from tests.r_sessions import captured


@pytest.mark.parametrize("fit", TRANSLATED, ids=[fit.kind for fit in TRANSLATED])
def test_a_translation_answers_as_r_on_all_kinds_of_rows(tmp_path, fit):
    proof = supported_r.translated(fit, tmp_path)
    assert proof.largest_relative_difference < 1e-11
    assert proof.flips_at_most < 0.01
    assert proof.rows["random"] == 2000
    assert proof.rows["training"] > 5
    assert {"missing", "category"} & set(proof.rows)
    assert f"| {fit.kind} | " in supported_r.PAGE.read_text("utf-8"), "python -m scripts.supported_r_models writes it"


CELLS = """cars <- transform(mtcars, cyl = factor(cyl), gear = as.integer(gear), am = am == 1, old = vs == 1)
cars$tyre <- factor(rep(c('a', 'b'), 16), c('a', 'b', 'never seen'))
cars$hp[3] <- NA

fit <- lm(mpg ~ wt + cyl * am + gear + hp + tyre, cars)"""
EXAMPLE = "cars[1:6, c('wt', 'cyl', 'gear', 'am', 'hp', 'tyre')]"

WITHOUT_R = """
import json, sys
from pathlib import Path
import pandas as pd
from jupyter_deploy.serving.snapshot import load

model = load(Path(sys.argv[1])).native
rows = pd.read_json(sys.stdin, orient="split", convert_dates=False)
print(json.dumps([None if answer != answer else answer for answer in model.predict(rows).tolist()]))
"""


def test_a_translated_snapshot_answers_where_there_is_no_r(tmp_path):
    capturer = ModelCapturer(tmp_path / "bentoml", Tolerance(), replay_timeout=120)
    with captured(tmp_path, CELLS, "fit", EXAMPLE, engine="onnx") as live:
        snapshot = kept(capturer, live, "cars")
        rows = live.training[list(live.example.columns)].astype({"cyl": object, "tyre": object})
        expected = live.model.predict(live.training)
    assert np.isnan(expected[2])
    manifest = snapshot.manifest
    assert (manifest.framework, manifest.translation.converter) == ("R", f"nbdeploy {__version__}")
    assert "model.rds" not in manifest.files
    assert {"example", "training", "random", "beyond", "missing", "category"} == set(manifest.translation.rows)
    (folder,) = (path.parent for path in (tmp_path / "bentoml" / "models").rglob("model.onnx"))
    ended = subprocess.run(
        [sys.executable, "-c", WITHOUT_R, folder],
        input=rows.to_json(orient="split", double_precision=15),
        env={name: value for name, value in os.environ.items() if name != "PATH"} | {"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    answers = np.array(json.loads(ended.stdout), np.float64)
    assert np.allclose(answers, expected, rtol=1e-9, equal_nan=True)
    assert r_lock(snapshot) is None, "its image needs no R"


def test_what_r_refuses_its_translation_refuses_too(tmp_path):
    with captured(tmp_path, CELLS, "fit", EXAMPLE) as live:
        served, _ = translate(live.model, inspect_model(live.model, live.example, None), live.training, Tolerance())
        row = live.example[:1]
        refused = row.assign(tyre=pd.Categorical(["never seen"], live.example["tyre"].cat.categories))
        with pytest.raises(RError, match="has new level"):
            live.model.predict(refused)
        with pytest.raises(ValueError, match="'tyre' has 'never seen', which the model does not know"):
            served.predict(refused)
        messages = []
        for model in (live.model, served):
            with pytest.raises(InvalidInstances, match="beyond R's whole numbers") as raised:
                model.predict(row.assign(gear=np.int64(-(2**31))))
            messages.append(str(raised.value))
        assert messages[0] == messages[1]


OTHER_CLASS = "models of class {} are not translated; those of lm, glm, rpart, randomForest, ranger and glmnet are"
REFUSED = {
    "lm(mpg ~ wt + twice(hp), mtcars)": "its term 'twice(hp)' calls twice, which is not translated",
    "lm(mpg ~ log10(hp), mtcars)": "its term 'log10(hp)' calls a function log10 of the notebook's own",
    "lm(mpg ~ splines::ns(wt, 3), mtcars)": "its term 'splines::ns(wt, 3)' calls ns, which is not translated",
    "lm(mpg ~ cut(wt, 2), mtcars)": "its term 'cut(wt, 2)' calls cut, which is not translated",
    "lm(mpg ~ poly(wt, hp, degree = 2), mtcars)": (
        "its term 'poly(wt, hp, degree = 2)' calls poly with more than degree and raw"
    ),
    "lm(mpg ~ poly(wt, hp), mtcars)": "its term 'poly(wt, hp)' calls poly with more than degree and raw",
    "lm(mpg ~ I(wt * vector), mtcars)": "its term 'I(wt * vector)' reads a value that is no single number",
    "lm(mpg ~ day, transform(mtcars, day = Sys.Date()))": "its term 'day' is of class other, which is not translated",
    "lm(mpg ~ wt, mtcars, offset = vector)": "its term 'offset' reads a value that is no single number",
    "lm(cbind(mpg, hp) ~ wt, mtcars)": OTHER_CLASS.format("mlm"),
    "structure(lm(mpg ~ wt, mtcars), class = c('rlm', 'lm'))": OTHER_CLASS.format("rlm"),
    "structure(glm(carb ~ wt, poisson, mtcars), class = c('negbin', 'glm', 'lm'))": OTHER_CLASS.format("negbin"),
    "glm(am ~ wt, binomial('cauchit'), mtcars)": "the link 'cauchit' is not translated",
    "glm(mpg ~ wt, family = false_log, data = mtcars)": "its family has a link of its own, named 'log'",
    "function(df) df$wt": (
        "a function of R is not translated; the models of lm, glm, rpart, randomForest, ranger and glmnet are"
    ),
    "rpart(mpg ~ wt + offset(hp), mtcars)": "its formula has an offset, which is not translated",
    "rpart(mpg ~ poly(wt, 2), mtcars)": "its term 'poly(wt, 2)' is of class nmatrix.2, which is not translated",
    "rpart(mpg ~ cut(wt, 2), mtcars)": "its term 'cut(wt, 2)' calls cut, which is not translated",
    "structure(rpart(mpg ~ wt, mtcars), class = c('mine', 'rpart'))": OTHER_CLASS.format("mine"),
    "randomForest(mpg ~ wt, mtcars, ntree = 2, keep.forest = FALSE)": "it was fitted without keep.forest",
    "randomForest(mtcars['wt'], ntree = 2, keep.forest = TRUE)": "an unsupervised forest is not translated",
    "randomForest(mpg ~ g, transform(mtcars, g = factor(cyl, c(8, 6, 4))), ntree = 2)": (
        "its column 'g' has not the levels of the fit in their order; make it a factor with these"
    ),
    "ranger(survival::Surv(hp, am) ~ wt, mtcars, num.trees = 2)": "a survival forest is not translated",
    "ranger(am ~ wt, mtcars, num.trees = 2, classification = TRUE)": (
        "it has classes that are numbers; make the response a factor"
    ),
    "ranger(mpg ~ wt, mtcars, num.trees = 2, write.forest = FALSE)": "it was fitted without write.forest",
    "glmnet(x, mtcars$mpg, lambda = 3:1)": (
        "predict answers a column for each of its 3 penalties; a cv.glmnet answers one"
    ),
    "glmnet(x, mtcars$mpg, lambda = 1)": "its column 'day' is of type Date, and it takes numbers",
    "glmnet(x, survival::Surv(mtcars$hp, mtcars$am), family = 'cox')": OTHER_CLASS.format("coxnet"),
    "cv.glmnet(x, cbind(mtcars$mpg, 1:32), family = 'mgaussian')": OTHER_CLASS.format("mrelnet"),
    "glmnet(x, mtcars$am, binomial('cauchit'), lambda = 1)": "the link 'cauchit' is not translated",
    "cv.glmnet(x, mtcars$mpg, relax = TRUE)": OTHER_CLASS.format("cv.relaxed"),
    "cv.glmnet(x, mtcars$carb, offset = mtcars$qsec)": "it was fitted with an offset, which is not translated",
}

REASONS = """
for (script in commandArgs(TRUE)) source(script)
twice <- function(x) 2 * x
vector <- mtcars$wt
log10 <- function(x) x
false_log <- gaussian('log')
false_log$linkinv <- function(eta) exp(eta) + 1e-3
template <- transform(mtcars, day = Sys.Date(), g = factor(cyl))[0, ]
x <- as.matrix(mtcars[c('wt', 'hp')])
packages <- c('rpart', 'randomForest', 'ranger', 'glmnet')
for (package in packages) suppressMessages(library(package, character.only = TRUE))
reasons <- vapply(readLines('models.txt'), function(text) {
  model <- suppressWarnings(eval(parse(text = text)))
  nbdeploy_design(list(model = model, template = template, style = nbdeploy_style(model), type = nbdeploy_type(model),
    input = 'frame', fields = 'predictions'))$refused
}, '')
writeLines(jsonlite::toJSON(unname(reasons)))
"""


def test_a_model_that_cannot_be_translated_is_refused_by_the_label_of_its_term(tmp_path):
    (tmp_path / "reasons.R").write_text(REASONS)
    (tmp_path / "models.txt").write_text("".join(f"{model}\n" for model in REFUSED))
    ended = subprocess.run(
        ["Rscript", "--vanilla", "reasons.R", *SCRIPTS], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert dict(zip(REFUSED, json.loads(ended.stdout), strict=True)) == REFUSED


def test_the_scripts_of_a_kernel_define_each_function_once():
    names = [
        name for script in LAB_SCRIPTS for name in re.findall(r"^(\w+) <-", script.read_text("utf-8"), re.MULTILINE)
    ]
    assert sorted(names) == sorted(set(names))


PROBABILITIES = {"setosa": "number", "versicolor": "number", "virginica": "number"}
BY_R = {  # cells, example, type of predict; the reason, and the fields of an answer
    "a term": (
        "twice <- function(x) 2 * x\n\nfit <- lm(mpg ~ twice(wt), mtcars)",
        "head(mtcars['wt'])",
        None,
        "lm cannot be translated: its term 'twice(wt)' calls twice, which is not translated",
        None,
    ),
    "probabilities of a multinomial glmnet": (
        "set.seed(1)\n\nfit <- glmnet::cv.glmnet(as.matrix(iris[1:4]), iris$Species, family = 'multinomial')",
        "iris[c(1, 60, 120), 1:4]",
        None,
        "cv.glmnet cannot be translated: the type 'response' of predict is not translated",
        PROBABILITIES,
    ),
    "probabilities of multinom": (
        "fit <- nnet::multinom(Species ~ ., iris, trace = FALSE)",
        "iris[c(1, 60, 120), 1:4]",
        "probs",
        "multinom cannot be translated: models of class multinom are not translated; those of lm, glm, rpart, "
        "randomForest, ranger and glmnet are",
        PROBABILITIES,
    ),
    "quantiles of a ranger": (
        "fit <- ranger::ranger(mpg ~ wt + hp, mtcars, quantreg = TRUE, num.trees = 50, seed = 1)",
        "mtcars[c(1, 5, 20), c('wt', 'hp')]",
        "quantiles",
        "ranger cannot be translated: the type 'quantiles' of predict is not translated",
        {"quantile= 0.1": "number", "quantile= 0.5": "number", "quantile= 0.9": "number"},
    ),
}


@pytest.mark.parametrize("case", BY_R)
def test_auto_serves_by_r_what_cannot_be_translated_and_says_why(tmp_path, case):
    cells, example, method, reason, fields = BY_R[case]
    capturer = ModelCapturer(tmp_path / "bentoml", Tolerance(), replay_timeout=120)
    with captured(tmp_path, cells, "fit", example, method=method, engine="auto") as live:
        manifest = kept(capturer, live, "model").manifest
    assert manifest.translation is None
    assert f"it is served natively: {reason}" in manifest.notes
    answer = manifest.signature.answer_schema
    assert {name: one["type"] for name, one in answer.get("properties", {}).items()} == (fields or {})


def test_the_proof_finds_a_link_without_its_bounds(tmp_path, monkeypatch):
    monkeypatch.setitem(r_links.INVERSE_LINKS, "log", lambda math, eta: math.function("exp", eta))
    cells = (
        "d <- data.frame(y = c(1, 3, 4, 9, 20), x = 1:5 + 0.5)\n\nfit <- glm(y ~ x, gaussian('log'), d, start = 0:1)"
    )
    with captured(tmp_path, cells, "fit", "d['x']") as live:
        seen = inspect_model(live.model, live.example, live.method)
        strict = Tolerance(float64_atol=0)
        with pytest.raises(NotTranslated, match=r"\(.*\d beyond\)"):
            translate(live.model, seen, live.training, strict)


def test_the_normal_distribution_has_all_digits_also_in_its_tails():
    parts = GraphParts()
    answer = r_links.normal_distribution(Arithmetic(parts.writer), "x")
    session = onnxruntime.InferenceSession(parts.content({"x": "number"}, answer))
    x = np.linspace(-8.1, 8.1, 100_001).reshape(-1, 1)
    (found,) = session.run([answer], {"x": x})
    assert np.allclose(found, ndtr(x), rtol=1e-13, atol=0)
