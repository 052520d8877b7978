"""Plain command lines are read without the parser, and in the same way."""

from __future__ import annotations

import pytest

from jupyter_deploy.domain.errors import InvalidInput
from jupyter_deploy.faces.arguments import parse_line
from jupyter_deploy.faces.cli.plain_line import parse_plain
from jupyter_deploy.verbs import OPERATIONS

LINES = [
    [],
    ["churn"],
    ["churn", "-o", "json"],
    ["--output", "json"],
    ["--output=json"],
    ["churn", "b"],
    ["churn", "b", "c"],
    ["-x"],
    ["-"],
    [""],
    ["--"],
    ["churn", "--dry-run"],
    ["-o", "yaml"],
    ["-o"],
    ["-o", "json", "churn"],
    ["--help"],
]


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_a_plain_line_is_read_as_the_parser_reads_it(operation):
    for tokens in LINES:
        plain = parse_plain([operation.name, *tokens])
        if plain is not None:
            assert plain == (
                operation,
                *parse_line(operation.name, operation.request, tokens, yaml=bool(operation.yaml)),
            )


def test_lines_of_a_verb_and_a_name_are_plain():
    assert parse_plain(["list"])
    assert parse_plain(["describe", "churn", "-o", "json"])[1].name == "churn"
    for line in (["describe"], ["list", "churn"], ["nonsense"], ["list", "--help"], ["deploy", "a.ipynb"]):
        assert parse_plain(line) is None


def test_the_parser_refuses_what_is_not_plain():
    with pytest.raises(InvalidInput):
        parse_line("list", next(o for o in OPERATIONS if o.name == "list").request, ["churn"])
