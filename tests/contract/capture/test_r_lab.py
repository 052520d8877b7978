"""What a kernel of R answers the Deploy dialog: its models with examples, and problems with their remedies."""

import json
import subprocess

import pytest

from jupyter_deploy.capture.r import LAB_SCRIPTS

SESSION = """
options(jupyter.base_display_func = function(data, metadata = NULL) cat(data[[1L]], "\\n", sep = ""))
cars <- transform(mtcars, cyl = factor(cyl)); X_test <- cars[1:3, c("wt", "cyl")]
fit <- lm(mpg ~ wt + cyl, cars)
glmed <- glm(am ~ wt, binomial, cars)
forest <- ranger::ranger(Species ~ ., iris, num.trees = 5)
vectors <- kernlab::ksvm(Species ~ ., iris)
answers <- function(df) round(unname(predict(fit, df)), 2)
each <- lapply(c(setosa = "setosa", virginica = "virginica"), function(s) lm(Species == s ~ Petal.Width, iris))
species <- function(df) names(each)[max.col(sapply(each, predict, df))]
helper <- function(x) x + length(kept)
kept <- list(cars, 1)
old <- structure(list(call = quote(boosts::boost(mpg ~ wt, cars))), class = "boosted")
made <- structure(list(call = quote(boost(mpg ~ wt, cars))), class = "boosted")
curve <- poly(1:10, 2)
makeActiveBinding("active", function() stop("it must not be read"), globalenv())
set.seed(1); before <- c(ls(all.names = TRUE), "before", "seed", "one", "given", "name"); seed <- .Random.seed
"""
CELLS = [
    {"count": 3, "source": "predict(fit, X_test)"},
    {"count": 1, "source": "fit <- lm(mpg ~ wt + cyl, cars)"},
    {"count": 2, "source": "vectors <- kernlab::ksvm(Species ~ ., iris)"},
    {"count": 4, "source": "this is no R"},
]


@pytest.fixture(scope="module")
def ask(tmp_path_factory):
    """The answers of one session to many queries, in their order; it also shows whether a query left anything."""

    def answers(*queries):
        folder = tmp_path_factory.mktemp("lab")
        (folder / "queries.json").write_text(json.dumps([[name, json.dumps(given)] for name, given in queries]))
        sources = "; ".join(f"sys.source('{script}', environment())" for script in LAB_SCRIPTS)
        (folder / "session.R").write_text(
            f"{SESSION}for (one in jsonlite::fromJSON('queries.json', simplifyVector = FALSE)) {{\n"
            f"  local({{ {sources}; nbdeploy_lab(one[[1L]], one[[2L]]) }}, envir = new.env(parent = globalenv()))\n}}\n"
            "stopifnot(identical(seed, .Random.seed), all(ls(all.names = TRUE) %in% before))\n"
        )
        ended = subprocess.run(
            ["Rscript", "--vanilla", "session.R"], cwd=folder, capture_output=True, text=True, timeout=300, check=False
        )
        assert ended.returncode == 0, ended.stderr
        return [json.loads(line)["answer"] for line in ended.stdout.splitlines()]

    return answers


def test_models_are_found_with_rows_for_each_and_nothing_is_left(ask):
    (found,) = ask(("found", {"cells": CELLS}))
    models = {one["variable"]: one for one in found["models"]}
    assert set(models) == {"fit", "glmed", "forest", "vectors", "answers", "species", "old", "made"}
    assert list(models)[-2:] == ["made", "old"], "R cannot call them"
    assert {name for name, one in models.items() if one["unusual"]} == {"made", "old"}
    first = {name: one["examples"][0]["expression"] for name, one in models.items()}
    flowers = 'head(iris[c("Sepal.Length", "Sepal.Width", "Petal.Length", "Petal.Width")], 5)'
    assert first["fit"] == first["answers"] == "head(X_test, 3)", "it is what a cell predicts"
    assert first["glmed"] == 'head(cars["wt"], 5)'
    assert first["forest"] == first["vectors"] == flowers
    others = [guess["expression"] for guess in models["fit"]["examples"]]
    assert not any("mtcars" in expression for expression in others), "its cyl is no factor"
    assert (models["fit"]["cell"], models["vectors"]["cell"], models["glmed"]["cell"]) == (1, 2, None)
    assert models["answers"]["why"] == "calls fit"
    assert (models["species"]["why"], first["species"]) == ("calls each", 'head(iris["Petal.Width"], 5)')
    assert models["glmed"]["methods"] == ["link", "response", "terms"]


def test_the_first_rows_of_an_example_or_the_reason_why_there_are_none(ask):
    rows, none, empty = ask(
        ("preview", {"expression": "head(X_test, 1)"}),
        ("preview", {"expression": "head(nothing)"}),
        ("preview", {"expression": "X_test[0, ]"}),
    )
    assert rows == {
        "columns": ["wt", "cyl"], "rows": [["2.62", "6"]], "words": "1 row x 2 columns", "problem": "", "remedy": "",
    }  # fmt: skip
    assert none["problem"] == "the example 'head(nothing)' fails in the notebook's kernel: object 'nothing' not found"
    assert (empty["problem"], empty["rows"]) == ("the example is empty", [])


def test_each_problem_names_its_field_and_a_remedy(ask):
    given = {"model": "fit", "example": "X_test", "name": "cars"}
    cases = [
        ({}, None, "", ""),
        ({"model": "answers"}, None, "", ""),
        (
            {"model": "old"},
            "model",
            "its package boosts is not installed",
            'install.packages("boosts"); library(boosts)',
        ),
        ({"model": "made"}, "model", "its package is not loaded, or is not installed", "by library()"),
        ({"model": "cars"}, "model", "'cars' is of class data.frame, which is no model", "name a fitted model"),
        ({"model": "fitt"}, "model", "there is no variable 'fitt' in this notebook", "did you mean fit"),
        ({"model": "fit("}, "model", "the model is no expression of R: fit(", "write it as in a cell"),
        ({"model": " "}, "model", "there is no model", "name a variable"),
        ({"model": "stop('it must not run')"}, None, "", ""),
        ({"example": None}, "example", "a model of R needs an example", "head(X, 5)"),
        ({"example": "X_test['wt']"}, "example", "lacks columns that the model reads: cyl", "add them to the example"),
        ({"signature": "Row"}, "signature", "a signature is for models of Python", "leave it empty"),
        ({"engine": "onnx"}, None, "", ""),
        ({"engine": "onnx", "model": "answers"}, "engine", "a function of R is not translated", "choose native"),
    ]
    answers = ask(*(("check", given | changes) for changes, *_ in cases))
    for (changes, field, words, remedy), answer in zip(cases, answers, strict=True):
        assert answer["complete"]
        if field is None:
            assert answer["problems"] == [], changes
            continue
        (problem,) = answer["problems"]
        assert (problem["field"], words in problem["message"], remedy in problem["remedy"]) == (field, True, True), (
            problem
        )
