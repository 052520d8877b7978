"""One operation, every face: the table is walked, so that no verb and no option is forgotten on one of them."""

import inspect
import json
from collections.abc import Sequence
from pathlib import Path
from types import UnionType
from typing import Union, get_args, get_origin

import pytest
from IPython.core.interactiveshell import InteractiveShell

import jupyter_deploy
from jupyter_deploy.domain.errors import DeployError
from jupyter_deploy.domain.requests import Request
from jupyter_deploy.faces.cli import main as cli
from jupyter_deploy.faces.render.error_codes import error_code
from jupyter_deploy.faces.render.render import rendering
from jupyter_deploy.faces.request_fields import is_positional
from jupyter_deploy.faces.server.rest.table import routes_at
from jupyter_deploy.verbs import OPERATIONS, attribute

EXTENSION = Path(__file__).resolve().parents[2] / "labextension" / "src"

NAMES = [operation.name for operation in OPERATIONS]

CONTRACT = {
    "deploy", "list", "describe", "traffic", "promote", "rollback", "history", "compare", "logs", "predict",
    "stop", "down", "reconcile", "purge", "diff", "reproduce", "validate", "feedback", "init",
    "publish", "verify", "compose", "images", "gc", "delete", "label", "plan", "apply", "doctor", "drift", "report",
    "manifests", "ramp", "batch", "explain", "candidates", "automl", "stream", "export",
}  # fmt: skip

SAFE = {"list", "describe", "history", "compare", "logs", "drift"}
OTHERS = {"DeployError", "connection", "feature_lookup", "load", "model_input", "panel", "serving_role", "spark_udf"}
IN_NOTEBOOKS = {"check", "metric", "model", "recorded", "reference"}


@pytest.fixture(scope="module")
def shell():
    made = InteractiveShell.instance()
    jupyter_deploy.load_ipython_extension(made)
    yield made
    InteractiveShell.clear_instance()


def test_the_table_holds_the_contracts_verbs():
    assert set(NAMES) == CONTRACT


@pytest.mark.parametrize("operation", OPERATIONS, ids=NAMES)
def test_every_operation_has_a_function_that_takes_its_request(operation):
    parameters = list(inspect.signature(operation.function).parameters.values())
    assert parameters[0].annotation == operation.request.__name__
    assert [p.name for p in parameters[:3]] == ["request", "ports", "report"]


@pytest.mark.parametrize("operation", OPERATIONS, ids=NAMES)
def test_every_operation_has_a_subcommand_with_all_its_options(operation, capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main([operation.name, "--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    for name, field in operation.request.model_fields.items():
        wanted = name.upper() if is_positional(field) else f"--{name.replace('_', '-')}"
        assert wanted in shown
        assert field.description, f"{operation.name} {name} has no help"


@pytest.mark.parametrize("operation", OPERATIONS, ids=NAMES)
def test_every_operation_has_a_magic_with_its_options_in_its_help(operation, shell):
    name = "deploy" if operation.name == "deploy" else f"deploy_{operation.name}"
    magic = shell.find_magic(name)
    assert magic is not None
    for field, info in operation.request.model_fields.items():
        assert (field.upper() if is_positional(info) else f"--{field.replace('_', '-')}") in magic.__doc__


def test_deploy_is_a_cell_magic_too(shell):
    assert shell.find_cell_magic("deploy") is not None


@pytest.mark.parametrize("operation", OPERATIONS, ids=NAMES)
def test_every_operation_has_a_route_whose_body_is_its_request(operation):
    route, _ = routes_at(operation.name)["POST"]
    assert (route.kind, route.name, route.request) == ("verb", operation.name, operation.request)
    assert route.summary
    assert ("GET" in routes_at(operation.name)) == operation.safe == (operation.name in SAFE)


@pytest.mark.parametrize("operation", OPERATIONS, ids=NAMES)
def test_every_operation_is_a_python_function_with_a_documented_signature(operation):
    function = getattr(jupyter_deploy, operation.name)
    assert operation.name in jupyter_deploy.__all__
    assert function.__doc__
    if operation.name not in ("deploy", "candidates"):  # which take objects of the notebook
        assert list(inspect.signature(function).parameters) == list(operation.request.model_fields)


@pytest.mark.parametrize("operation", OPERATIONS, ids=NAMES)
def test_every_operation_is_a_command_in_jupyterlab(operation):
    """The extension makes its commands, their labels and its warnings of the generated table alone."""
    generated, commands = ((EXTENSION / name).read_text() for name in ("generated.ts", "plugins/commands.ts"))
    summary = inspect.getdoc(operation.request).partition("\n")[0]
    flags = f"slow: {str(operation.slow).lower()}, destructive: {str(operation.destructive).lower()}"
    assert f"  {operation.name}: {{ summary: {json.dumps(summary)}, {flags} }},\n" in generated
    assert operation.label
    assert f"    {operation.name}: trans.__({json.dumps(operation.label, ensure_ascii=False)}),\n" in generated
    assert "labelsOf(trans)" in commands
    assert f" {operation.name}: " not in commands


@pytest.mark.parametrize("operation", OPERATIONS, ids=NAMES)
def test_what_an_operation_names_is_there(operation):
    """A page, an exit code, charts and a title are named by text, so that no import finds a wrong name."""
    assert issubclass(operation.request, Request)
    for place, made in [(operation.page, "Page"), (operation.exit_code, "int"), (operation.charts, "list[Chart]")]:
        assert not place or inspect.signature(rendering(place)).return_annotation == made
    if operation.title:
        assert inspect.signature(attribute(f"jupyter_deploy.verbs.{operation.title}")).return_annotation == "str"


@pytest.mark.parametrize("operation", OPERATIONS, ids=NAMES)
def test_the_page_of_an_operation_takes_its_result(operation):
    """And one type of result has one page, whichever operation gave it."""
    (parameter,) = inspect.signature(rendering(operation.page), eval_str=True).parameters.values()
    taken = get_args(parameter.annotation) if is_union(parameter.annotation) else (parameter.annotation,)
    for given in get_args(operation.result) if is_union(operation.result) else (operation.result,):
        assert given in taken or Sequence[get_args(given)] in taken
    others = [other.page for other in OPERATIONS if other.result == operation.result]
    assert set(others) == {operation.page}


def is_union(annotation):
    return get_origin(annotation) in (Union, UnionType)


def test_the_package_exports_the_verbs_the_panel_the_role_and_the_error_and_nothing_else():
    assert sorted(jupyter_deploy.__all__) == sorted([*NAMES, *IN_NOTEBOOKS, *OTHERS])
    assert jupyter_deploy.DeployError is DeployError


def test_every_error_code_means_a_known_exit_code():
    def tree(root):
        return [root, *(cls for child in root.__subclasses__() for cls in tree(child))]

    assert {error_code(cls).exit_code for cls in tree(DeployError)} == {1, 2, 3, 4, 138}


def test_the_panel_is_a_magic_with_help_and_no_operation(shell):
    assert "panel" not in NAMES
    assert "NAME" in shell.find_magic("deploy_panel").__doc__
