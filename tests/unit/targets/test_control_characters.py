"""No text form passes control characters on: a terminal, and a notebook's output, obey them."""

import io
import json
from datetime import UTC, datetime

import pytest

from jupyter_deploy.domain.release.endpoint import Endpoint, Revision
from jupyter_deploy.domain.requests import Step
from jupyter_deploy.faces.render import progress
from jupyter_deploy.faces.render.output import as_json, write
from jupyter_deploy.faces.render.page import Page, as_text
from jupyter_deploy.faces.render.render import text
from tests.releases import release

BAD = "\x1b]0;owned\x07\x1b[2J\x9b31m\x7f\rtyped"
SHOWN = r"\u001b]0;owned\u0007\u001b[2J\u009b31m\u007f\u000dtyped"


@pytest.fixture
def revision():
    return Revision(
        endpoint="tumour", revision=1, at=datetime(2026, 1, 1, tzinfo=UTC), by="ada", reason=BAD, change="x",
        state=Endpoint.first(release("one")),
    )  # fmt: skip


def test_the_history_shows_them_as_json_does(revision):
    shown = text([revision])
    assert SHOWN in shown.replace("\n", "")
    assert not [character for character in shown if character < " " and character != "\n"]


@pytest.mark.parametrize("page", [Page("a", plain=f"one\n\t{BAD}"), Page(f"one\n\t{BAD}")])
def test_line_breaks_and_tabs_stay(page):
    assert as_text(page) == f"one\n\t{SHOWN}"


def test_what_the_command_line_writes_is_escaped_and_its_json_stays_json(revision):
    stream = io.StringIO()
    write(f"nbdeploy: {BAD}", stream)
    assert stream.getvalue() == f"nbdeploy: {SHOWN}\n"
    stream = io.StringIO()
    write(as_json([revision]), stream)
    assert json.loads(stream.getvalue())[0]["reason"] == BAD
    assert stream.getvalue().isprintable() or stream.getvalue()[:-1].isprintable()


def test_progress_shows_them_too(capsys):
    with progress.reporter() as report:
        report(Step(number=1, total=1, title=BAD))
    assert capsys.readouterr().err == f"[1/1] {SHOWN}\n"
