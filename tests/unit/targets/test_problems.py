"""Each error has its HTTP status, its exit code and its kind, and the details for a page."""

import pickle

import pytest
from pydantic import ValidationError

from jupyter_deploy.domain import errors
from jupyter_deploy.domain.capture.findings import Finding, refuse
from jupyter_deploy.domain.requests import DeployRequest
from jupyter_deploy.domain.validation.requests import ValidateRequest
from jupyter_deploy.faces.render.error_codes import ERROR_CODES, error_code
from jupyter_deploy.faces.render.problems import problem_of
from jupyter_deploy.targets.local.settings import LocalSettings
from jupyter_deploy.targets.local.supervisor.supervisord import SupervisorGone


def tree(root):
    return {root, *(cls for child in root.__subclasses__() for cls in tree(child))}


DRAWN = {cls for cls in tree(errors.DeployError) if cls.__module__ == errors.__name__}


def test_every_error_of_the_tree_has_a_status_and_no_other_code_has():
    assert set(ERROR_CODES) == {cls.code for cls in DRAWN}


def test_an_error_of_a_target_has_the_status_and_the_exit_code_of_its_parent():
    problem = problem_of(SupervisorGone("the supervisor does not run"))
    assert (problem.status, problem.code) == (500, "supervisor_gone")

    class QuotaRefused(errors.Refused):
        code = "quota_refused"

    assert error_code(QuotaRefused).exit_code == 1
    assert problem_of(QuotaRefused("no quota", "wait")).status == 409


@pytest.mark.parametrize("cls", sorted(DRAWN, key=lambda cls: cls.code), ids=lambda cls: cls.__name__)
def test_the_exit_code_follows_from_the_status(cls):
    exceptions = {"gate_inconclusive": 4, "kernel_died": 138, "wrong_distribution": 2}
    usual = {409: 1, 404: 2, 422: 2, 500: 3, 502: 3}
    status, exit_code, _ = error_code(cls)
    assert exit_code == exceptions.get(cls.code, usual[status])


@pytest.mark.parametrize("cls", sorted(DRAWN, key=lambda cls: cls.code), ids=lambda cls: cls.__name__)
def test_the_status_follows_from_the_place_in_the_tree(cls):
    status = problem_of(cls("it is so", "do this", "long")).status
    if cls.code.startswith("unknown_"):
        assert status == 404
    elif issubclass(cls, errors.Refused):
        assert status == 409
    elif cls is errors.RegistryError:
        assert status == 502  # another machine's
    else:
        assert status == (422 if issubclass(cls, errors.InvalidInput) else 500)


def test_a_problem_has_message_remedy_and_details():
    problem = problem_of(errors.UnknownEndpoint("there is no endpoint 'x'", "nbdeploy list", "none"))
    assert problem.model_dump(exclude_defaults=True) == {
        "code": "unknown_endpoint",
        "title": "There is no such endpoint",
        "status": 404,
        "detail": "there is no endpoint 'x'",
        "remedy": "nbdeploy list",
        "details": "none",
    }


def test_a_refused_gate_names_its_report():
    assert problem_of(errors.GateInconclusive("too few rows", report="/home/report.html")).report == "/home/report.html"


def test_a_failed_check_has_the_findings_that_refuse_and_no_others():
    against = Finding(check="leakage", severity="error", message="3 rows were trained on", cell=7)
    with pytest.raises(errors.CheckFailed) as raised:
        refuse([against, Finding(check="dirty-tree", severity="note", message="changes")], strict=False)
    for error in (raised.value, pickle.loads(pickle.dumps(raised.value))):
        assert problem_of(error).findings == (against.model_dump(mode="json"),)


def test_each_invalid_field_is_named_without_its_value():
    with pytest.raises(ValidationError) as raised:
        ValidateRequest.model_validate({"workers": 0, "nothing": 1, "fail_fast": "hunter2"})
    problem = problem_of(raised.value)
    assert (problem.status, problem.code) == (422, "invalid_input")
    assert {tuple(one["loc"]) for one in problem.errors} == {("workers",), ("nothing",), ("fail_fast",)}
    assert "workers: " in problem.detail
    assert "hunter2" not in problem.model_dump_json()


def test_a_message_of_a_validator_is_shown_unchanged():
    with pytest.raises(ValidationError) as raised:
        LocalSettings(home="/home", bentoml_home="/bentoml", public_url="ftp://x")
    assert problem_of(raised.value).detail.startswith("public_url: write a URL such as")


def test_wrong_json_is_a_problem_too():
    with pytest.raises(ValidationError) as raised:
        DeployRequest.model_validate_json("[1]")
    assert problem_of(raised.value).errors[0]["loc"] == []


def test_what_nobody_raised_on_purpose_is_a_bug_with_its_traceback():
    with pytest.raises(KeyError) as raised:
        _ = {}["x"]
    problem = problem_of(raised.value)
    assert (problem.code, problem.status) == ("bug", 500)
    assert "test_problems.py" in problem.details
