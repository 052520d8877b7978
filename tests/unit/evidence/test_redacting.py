"""Which columns a deploy redacts, and which it cannot."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from jupyter_deploy.domain.capture.signature import Signature
from jupyter_deploy.domain.errors import InvalidInput
from jupyter_deploy.domain.release.change_words import difference_in_words
from jupyter_deploy.domain.release.endpoint import Endpoint
from jupyter_deploy.domain.requests import DeployRequest, TrafficRequest
from jupyter_deploy.verbs.redaction import redacted_columns
from tests.releases import release

COLUMNS = ("age", "ssn", "iban")


def chosen(*, redact=(), file=(), before=None, tag="churn:new", columns=COLUMNS):
    schema = {"type": "object", "properties": {name: {} for name in columns}} if columns else {"type": "array"}
    signature = Signature(container="frame", instance_schema=schema, answer_schema={}, answer_dtype="int64")
    snapshot = SimpleNamespace(tag=tag, manifest=SimpleNamespace(signature=signature))
    return redacted_columns(DeployRequest(redact=redact), before, snapshot, SimpleNamespace(redact=file))


def stable(*names):
    return release("aaa", name="churn").model_copy(update={"redact": names})


def test_columns_are_named_by_a_deploy_else_by_the_file_and_what_is_redacted_stays_so():
    endpoint = Endpoint.first(stable("ssn", "gone"))
    assert chosen() == ()
    assert chosen(redact=["iban", "ssn"]) == ("ssn", "iban")
    assert chosen(redact="iban", file=["ssn"], before=endpoint) == ("iban",)
    assert chosen(file=["iban"], before=endpoint) == ("ssn", "iban")
    assert chosen(before=endpoint) == ("ssn",)
    assert chosen(before=endpoint, redact="off", file=["iban"]) == ()


def test_the_very_same_model_keeps_what_it_redacts_itself():
    endpoint = Endpoint.first(stable("ssn"))
    candidate = release("bbb", name="churn").model_copy(update={"redact": ("iban",)})
    both = endpoint.with_release(candidate)
    assert chosen(before=both, tag=candidate.tag) == ("iban",)


@pytest.mark.parametrize(
    ("given", "words", "remedy"),
    [
        ({"redact": "snn"}, "--redact names 'snn'", "did you mean ssn?"),
        ({"redact": "name"}, "--redact names 'name'", "the columns are: age, ssn, iban"),
        ({"file": ["snn"]}, "nbdeploy.yaml's redact names 'snn'", "did you mean ssn?"),
        ({"redact": "ssn", "columns": ()}, "no columns by name", "--record meta"),
        ({"redact": ["off", "ssn"]}, "excludes all other columns", "name no column with it"),
    ],
)
def test_a_column_that_is_not_there_is_refused_with_what_is(given, words, remedy):
    with pytest.raises(InvalidInput) as refused:
        chosen(**given)
    assert words in refused.value.message
    assert remedy in refused.value.remedy


def test_so_many_columns_that_no_request_could_name_them_are_refused():
    columns = tuple(f"a quite long name of a column {number}" for number in range(500))
    with pytest.raises(InvalidInput, match="too many"):
        chosen(redact=columns, columns=columns)


def test_the_history_says_what_is_redacted_and_of_how_many_requests_there_are_records():
    before = Endpoint.first(stable())
    after = before.with_renewed(stable("ssn", "iban")).recording(None, 0.1)
    assert difference_in_words(before, after) == "records: full → full of 10 %; churn:aaa: ssn, iban redacted"
    assert "churn:aaa: nothing redacted" in difference_in_words(after, after.with_renewed(stable()))


@pytest.mark.parametrize(("given", "share"), [("10%", 0.1), ("0.1", 0.1), (0.1, 0.1), (1, 1.0), ("100 %", 1.0)])
def test_a_sample_is_a_share_of_the_requests(given, share):
    assert TrafficRequest(name="churn", record_sample=given).record_sample == share


@pytest.mark.parametrize(
    ("given", "hint"), [("10", "did you mean 10%?"), (0, "--record off"), ("-1%", "10%"), ("x", "10%"), ("nan", "10%")]
)
def test_what_is_no_share_of_the_requests_is_refused(given, hint):
    with pytest.raises(InvalidInput) as refused:
        TrafficRequest(name="churn", record_sample=given)
    assert hint in refused.value.remedy
