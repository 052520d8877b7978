"""Texts that people type, as requests."""

from datetime import UTC, datetime, timedelta

import pytest

from jupyter_deploy.domain.errors import DeployError, InvalidInput, InvalidTraffic
from jupyter_deploy.domain.parsing import parse_duration, parse_moment, parse_shares
from jupyter_deploy.domain.release.processes import passed_on
from jupyter_deploy.domain.requests import DeployRequest
from jupyter_deploy.faces.request_fields import request_from
from tests.selections import row, table


def test_shares_are_read_from_texts_and_mappings():
    assert parse_shares(["a=20", "churn:b=100%"]) == {"a": 20, "churn:b": 100}
    assert parse_shares("a=0.5") == {"a": 0.5}
    assert parse_shares({"a": 1}) == {"a": 1}
    assert parse_shares(None) == {}


def test_a_document_of_a_command_line_may_be_a_file(tmp_path):
    file = tmp_path / "table.json"
    file.write_text(table([row("forest", 0.9, 1.0)]).model_dump_json())
    given = {"source": "@home", "choice": f"@{file}"}
    found = request_from(DeployRequest, given, typed=True)
    assert (found.source, found.choice.row("forest:0123456789ab").name) == ("@home", "forest")
    with pytest.raises(InvalidInput, match=r"cannot read .*other.json"):
        request_from(DeployRequest, {"choice": f"@{tmp_path}/other.json"}, typed=True)
    with pytest.raises(InvalidInput, match="an option is wrong"):
        request_from(DeployRequest, given)  # a client of REST names no file of the server


@pytest.mark.parametrize("text", ["a", "a=", "=20", "a=many", "20"])
def test_what_is_not_tag_equals_percent_is_refused_with_an_example(text):
    with pytest.raises(InvalidTraffic, match="TAG=PERCENT"):
        parse_shares([text])


def test_one_tag_twice_is_refused():
    with pytest.raises(InvalidTraffic, match="twice"):
        parse_shares(["a=1", "a=2"])


def test_durations_have_units():
    assert parse_duration("90s") == timedelta(seconds=90)
    assert parse_duration("1.5h") == timedelta(minutes=90)
    with pytest.raises(InvalidInput, match="90s, 15m"):
        parse_duration("soon")


def test_every_error_has_a_code_of_its_own():
    def tree(root):
        return [root, *(cls for child in root.__subclasses__() for cls in tree(child))]

    codes = [cls.code for cls in tree(DeployError)]
    assert len(codes) == len(set(codes))


def test_a_models_process_sees_no_token_and_no_python_path():
    seen = passed_on({"PATH": "/bin", "HOME": "/h", "AWS_SECRET_ACCESS_KEY": "x", "PYTHONPATH": "/p", "LC_ALL": "C"})
    assert seen == {"PATH": "/bin", "HOME": "/h", "LC_ALL": "C"}


def test_a_moment_is_a_duration_ago_or_a_date_with_local_time_as_its_default():
    assert parse_moment("7d") == timedelta(days=7)
    assert parse_moment("2026-11-25T12:00+01:00") == datetime(2026, 11, 25, 11, tzinfo=UTC)
    assert parse_moment("2026-11-25") == datetime(2026, 11, 25).astimezone()
    with pytest.raises(InvalidInput, match="is not a duration"):
        parse_moment("soon")
