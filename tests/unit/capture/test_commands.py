"""No printed line in a GitHub job is a command from a notebook."""

import json
import re
from types import SimpleNamespace

import pytest

from jupyter_deploy.domain.errors import NotebookFailed
from jupyter_deploy.domain.validation.validation import Check, Metric
from jupyter_deploy.faces.cli import execution, main
from jupyter_deploy.faces.cli.pytest_plugin import NotebookItem, NotPassedError
from jupyter_deploy.faces.render.commands import escape_commands, escape_json
from tests.validations import RAISED, run, validation

SAYS = "boom\n::error file=x::pwned\r  ::add-mask::a\n##[group]x ##[error]y"


def commands(shown):
    """As the runner finds them."""
    return [line for line in re.split(r"[\r\n]+", shown) if line.lstrip().startswith("::") or "##[" in line]


@pytest.fixture
def said():
    return validation(
        run(
            checks=(Check(name="x", passed=False, detail=SAYS),),
            metrics=(Metric(name="::error file=x::pwned", value=1),),
        ),
        run(
            "/repo/b.ipynb",
            status="raised",
            error=RAISED.model_copy(update={"evalue": SAYS, "traceback": SAYS}),
            detail=SAYS,
        ),
        run("/repo/c.ipynb", status="not run", detail=SAYS),
    )


def test_in_a_job_no_line_of_the_text_is_a_command_and_elsewhere_nothing_is_changed(said, capsys, monkeypatch):
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    execution._print(said, "text")
    assert commands(capsys.readouterr().out)
    execution._print(said, "text", in_job=True)
    assert not commands(capsys.readouterr().out)
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    execution._print(said, "text")
    shown = capsys.readouterr().out
    assert not commands(shown)
    assert "error file=x::pwned" in shown
    assert escape_commands("a :: b\nc::d") == "a :: b\nc::d"


def test_in_a_job_neither_an_error_nor_json_nor_pytest_has_one(said, capsys, monkeypatch):
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    main._print_error(NotebookFailed("it failed", details=SAYS), [])
    main._print_error(NotebookFailed("it failed", details=SAYS), ["-ojson"])
    execution._print(said, "json")
    printed = capsys.readouterr()
    assert not commands(printed.out + printed.err)
    assert json.loads(escape_json(json.dumps(SAYS))) == SAYS
    item = NotebookItem.__new__(NotebookItem)
    for error in (NotPassedError(said), NotebookFailed("it failed", details=SAYS)):
        assert not commands(item.repr_failure(SimpleNamespace(value=error)))
