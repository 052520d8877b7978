"""The page of a result, and the next command."""

import pytest

from jupyter_deploy.domain.results import Deployment, Prediction
from jupyter_deploy.faces.render.page import Page, Table, as_text
from jupyter_deploy.faces.render.render import text
from jupyter_deploy.targets.local.http_client import HttpClient
from tests.manifests import snapshot

URL = "http://127.0.0.1:8780/digits"


@pytest.mark.parametrize(("pixels", "is_pasteable"), [(30, True), (784, False)])
def test_a_request_of_several_screens_is_not_printed(pixels, is_pasteable):
    rows = [[0.125 + i for i in range(pixels)]]
    curl = HttpClient().command(f"{URL}/predict", {"instances": rows})
    deployed = Deployment(
        endpoint="digits", url=URL, release="digits:1", role="stable", percent=100, snapshot="digits:1", revision=1,
        changed=True, captured=snapshot().manifest, curl=curl, redact=("ssn", "iban"),
    )  # fmt: skip
    lines = text(deployed).splitlines()
    assert any("never stored: ssn, iban" in line for line in lines)
    if is_pasteable:
        assert lines[-1].endswith("29.125]]}'")
        assert not lines[-2].startswith("nbdeploy predict")
    else:
        assert lines[-2] == "nbdeploy predict digits"
        assert lines[-1].endswith(f"-d @request.json  # such as the example in {URL}/openapi.json")


@pytest.mark.parametrize("status", [200, 500])
def test_a_failed_request_says_where_its_reason_is(status):
    answered = Prediction(endpoint="churn", status=status, release="churn:1", request_id="1", body="")
    assert ("nbdeploy logs churn --status" in text(answered)) is (status == 500)


@pytest.mark.parametrize("part", ["headline", "facts", "tables", "plain"])
def test_a_terminal_obeys_no_control_character_of_a_result(part):
    words = "because \x1b[31mred\x1b[0m, \x9b and a bell\x07"
    given = {"facts": [("reason", words)], "tables": [Table("", ("reason",), [(words,)])]}.get(part, words)
    shown = as_text(Page(**{"headline": "history", part: given}))
    assert r"because \u001b[31mred\u001b[0m" in shown
    assert not set("\x1b\x9b\x07") & set(shown)
