"""The command line's errors: exit codes, words, remedies, and that nothing is written before a good request."""

import json
import shlex
import subprocess
import sys

import pytest

from jupyter_deploy.domain.evidence.inference import Comparison, Requirement, VariantSummary
from jupyter_deploy.domain.requests import CompareRequest
from jupyter_deploy.faces.arguments import parse_line
from jupyter_deploy.faces.render.render import exit_code, text


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["describe", "churn"], 2, "there is no endpoint 'churn'"),
        (["describe"], 2, "NAME"),
        (["frobnicate"], 2, "frobnicate"),
        (["describe", "churn", "--wrong"], 2, "--wrong"),
        (["deploy"], 2, "the deploy has no source"),
        (["deploy", "nothere.ipynb", "--name", "churn", "--model", "m"], 2, "there is no notebook"),
        (["deploy", "nothere.ipynb", "--name", "churn"], 2, "which variable"),
        (["deploy", "churn:123", "--name", "churn"], 2, "there is no snapshot churn:123"),
        (["deploy", "churn", "--name", "churn"], 2, "neither a notebook that exists nor an exact tag"),
        (["deploy", "churn:1", "--name", "Churn"], 2, "try 'churn'"),
        (["deploy", "churn:1", "--target", "moon"], 2, "the targets are: kubernetes, local"),
        (["deploy", "churn:1", "--percent", "120"], 2, "120 is not a share"),
        (["deploy", "churn:1", "--percent", "many"], 2, "many"),
        (["deploy", "churn:1", "--accepted-difference", "0.1"], 2, "the engine is native"),
        (["deploy", "churn:1", "--engine", "onnx", "--accepted-difference", "nan"], 2, "a finite number"),
        (["deploy", "churn:1", "--role", "king"], 2, "king"),
        (["deploy", "churn:1", "--role", "shadow"], 2, "the first release of an endpoint is stable"),
        (["traffic", "churn", "--canary", "a"], 2, "TAG=PERCENT"),
        (["compare", "churn", "--since", "soon"], 2, "is not a duration"),
        (["compare", "churn", "--tolerance", "much"], 2, "is not a tolerance"),
        (["compare", "churn", "--absolute-tolerance", "-1"], 2, "greater than or equal to 0"),
        (
            ["compare", "churn", "--require", "agreement >= 0.9", "--require", "agrement > 1"],
            2,
            "did you mean agreement",
        ),
        (["logs", "churn", "--limit", "0"], 2, "limit"),
        (["validate", "-n", "0"], 2, "--workers/-n: Input should be greater"),
        (["validate", "-n", "0"], 2, "--parameters-yaml/-y, --parameters-file/-f"),
    ],
)
def test_invalid_input_is_an_error_at_once_with_a_remedy(home, arguments, code, words):
    ended = home.run(*arguments, check=False)
    assert ended.returncode == code, ended.stderr
    assert words in " ".join(ended.stderr.replace("│", " ").split())
    assert "Traceback" not in ended.stderr
    assert ended.stdout == ""
    assert not (home.path / "nbdeploy").exists()


def test_since_is_refused_where_nothing_wants_recorded_requests(home):
    document = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    (home.path / "checks.ipynb").write_text(json.dumps(document))
    ended = home.run("validate", "checks.ipynb", "--since", "1h", check=False)
    assert ended.returncode == 2, ended.stderr
    assert "--since needs --traffic NAME" in ended.stderr
    assert ended.stderr.splitlines()[0] == "[1/2] reading the validation notebooks"
    (home.path / "checks.ipynb").write_text(json.dumps(document | {"metadata": {"nbdeploy": {"traffic": "1h"}}}))
    assert "--traffic NAME: none" not in home.run("validate", "checks.ipynb", "--since", "1h", check=False).stderr


def test_errors_are_json_if_the_output_is_json(home):
    ended = home.run("describe", "churn", "-o", "json", check=False)
    assert json.loads(ended.stderr)["error"]["code"] == "unknown_endpoint"


def test_an_empty_list_is_no_error(home):
    assert home.json("list") == []
    assert "nothing to show" in home.run("list").stdout


def test_a_wrong_setting_is_named(home):
    home.environment["NBDEPLOY_PORT"] = "many"
    ended = home.run("list", check=False)
    assert ended.returncode == 2
    assert "port" in ended.stderr


def test_a_setting_in_the_yaml_file_is_read_and_an_unknown_one_refused(home):
    (home.path / "nbdeploy.yaml").write_text("ports: 1\n")
    ended = home.run("list", check=False)
    assert ended.returncode == 2
    assert "ports" in ended.stderr


def test_no_arguments_show_the_help(home):
    shown = home.run().stdout
    assert "nbdeploy deploy train.ipynb" in shown
    assert "nbdeploy validate validate_churn.ipynb --gate" in shown
    assert "nbdeploy init" in shown
    assert "Exit codes" in shown


def test_the_help_of_validate_teaches_the_forms_of_gates_and_what_needs_no_code(home):
    shown = " ".join(home.run("validate", "--help").stdout.split())
    for form in (
        "stable - 0.01",
        "1.2 * stable",
        "over 200",
        "[sex=F]",
        "latency_p95_ms",
        "agreement",
        "nbdeploy init",
    ):
        assert form in shown
    assert "docs/validation.md" in shown


@pytest.mark.parametrize(
    ("outcomes", "code"),
    [
        ([], 0),
        (["met"], 0),
        (["met", "undecided"], 4),
        (["undecided", "not met", "met"], 1),
    ],
)
def test_the_worst_of_what_is_required_decides_the_exit_code(outcomes, code):
    side = VariantSummary(
        release="a:1", requests=9, rows=9, errors=0, error_rate=None, latency_p50_ms=None, latency_p95_ms=None
    )
    comparison = Comparison(
        endpoint="a", stable="a:1", candidate="a:2", role="shadow", paired=True, since=None, pairs=9, rows=9,
        mirrored=9, coverage=None, agreement=None, sides={"stable": side, "candidate": side}, error_difference=None,
        latency_difference_ms=None, verdict="inconclusive", reason="too little",
        requirements=[Requirement(expression="agreement > 0", outcome=outcome, why="so") for outcome in outcomes],
    )  # fmt: skip
    assert exit_code(comparison) == code
    shown = text(comparison)
    assert all(outcome in shown for outcome in outcomes)
    assert "however often one looks" in shown
    assert "more requests will tell" in shown
    assert "--traffic" not in shown
    decide = text(comparison.model_copy(update={"recommendation": "decide"}))
    assert "nbdeploy validate NOTEBOOK --traffic a" in decide


def test_a_magic_takes_several_requirements_and_a_tolerance():
    line = shlex.split('tumour --require "agreement >= 0.9" --require "pairs > 30" --tolerance 1%')
    request, _ = parse_line("deploy_compare", CompareRequest, line)
    assert request == CompareRequest(name="tumour", require=["agreement >= 0.9", "pairs > 30"], tolerance=0.01)


ASCII = {"LC_ALL": "xx_XX.UTF-8", "PYTHONUTF8": "0"}
"""The variables with which Python reads file names as ASCII."""


def test_names_that_are_not_ascii_are_read_whatever_the_locale(home):
    command = [sys.executable, "-m", "jupyter_deploy", "deploy", "é.ipynb", "--name", "churn", "--model", "m"]
    for more in ({}, {"NBDEPLOY_HOME": str(home.path / "maison é")}):
        environment = home.environment | ASCII | more
        ended = subprocess.run(command, env=environment, cwd=home.path, capture_output=True, check=False)
        assert ended.returncode == 2
        assert "there is no notebook é.ipynb" in ended.stderr.decode()


def test_a_kernel_that_cannot_read_its_homes_name_says_so(home):
    environment = home.environment | ASCII | {"NBDEPLOY_HOME": str(home.path / "maison é")}
    program = (
        "from jupyter_deploy.domain.errors import InvalidInput; from jupyter_deploy.settings import load_settings\n"
        "try: load_settings()\n"
        "except InvalidInput as error: print(error.message, error.remedy)"
    )
    command = [sys.executable, "-c", program]
    ended = subprocess.run(command, env=environment, cwd=home.path, capture_output=True, text=True, check=True)
    assert "this Python reads file names as ascii" in ended.stdout
    assert "PYTHONUTF8=0" in ended.stdout
