"""The running kernel as input of the operations: a live object, its example and their notebook."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path
from typing import Any

from jupyter_deploy.capture.feature_lookups import lookups_of
from jupyter_deploy.domain.capture.artifacts import Source, checked_name
from jupyter_deploy.domain.capture.ports import Live
from jupyter_deploy.domain.errors import (
    CheckFailed,
    DeployError,
    InvalidExample,
    InvalidInput,
    UnknownSource,
    disk_faults,
)
from jupyter_deploy.domain.requests import DeployRequest
from jupyter_deploy.faces.render.shell import BEGAN, current_shell, namespace_of
from jupyter_deploy.system.git import project_of
from jupyter_deploy.verbs.capture import ERROR_MIME, SNAPSHOT_MIME, capture, capture_details
from jupyter_deploy.verbs.release_checks import release_check
from jupyter_deploy.wiring import Wiring

from .notebook_state import evaluate, failed_in, notebook_path, unknown_variable


def live_from_expressions(shell: Any, expression: str, request: DeployRequest, *, notebook: Path | None = None) -> Live:
    """Evaluate a request's expressions in the notebook's namespace to a live object.

    Parameters
    ----------
    notebook
        Its file, if the caller knows it; else the path from the kernel's start.

    Raises
    ------
    UnknownSource
        The model's expression has no value; the error names similar variables.
    InvalidExample
        The example's expression raises.
    """
    namespace = shell.user_ns
    try:
        model = eval(expression, namespace)  # noqa: S307 - the user's own expression in the user's own kernel
    except NameError as error:
        raise UnknownSource(*unknown_variable(error.name or expression, namespace)) from error
    except Exception as error:
        raise UnknownSource(
            f"'{expression}' raises {type(error).__name__}: {error}", "name the model's variable"
        ) from error
    example = evaluate("example", request.example, namespace, InvalidExample)
    signature = evaluate("signature", request.signature, namespace, InvalidInput)
    training = evaluate("training table", request.training, namespace, InvalidInput)
    lookup = evaluate("lookup", request.lookup, namespace, InvalidInput)
    more = {"signature": signature, "training": training, "lookup": lookup, "notebook": notebook}
    return with_proposed_example(_live(model, example, request, expression, shell, **more))


def with_proposed_example(live: Live) -> Live:
    """Return the live object with an example that its notebook's tables offer, if it has none; a note names it."""
    if live.example is not None:
        return live
    models = Wiring().ports.finder.models(live.namespace, live.cells, live.failed)
    examples = next((model.examples for model in models if model.variable == live.source.variable), ())
    for guess in examples:
        if not guess.placeholder:
            example = evaluate("example", guess.expression, dict(live.namespace), InvalidExample)
            note = f"the example is proposed: {guess.expression} ({guess.words}); name another one with --example"
            return replace(live, example=example, expression=guess.expression, notes=(*live.notes, note))
    return live


def live_from_object(
    model: Any, example: Any, request: DeployRequest, *, variable: str | None, shell: Any, **more: Any
) -> Live:
    """Make a live object from a Python value; its variable is found by identity.

    Parameters
    ----------
    **more
        ``signature``, ``training`` and ``lookup`` as objects.
    """
    if variable is None:
        namespace = namespace_of(shell)
        names = [name for name, value in namespace.items() if value is model and not name.startswith("_")]
        variable = names[0] if names else None
    return _live(model, example, request, variable, shell, **more)


def capture_for_command_line(document: str) -> None:
    """Capture in this kernel for ``nbdeploy deploy NOTEBOOK``; the outcome is displayed by its MIME type."""
    from IPython.display import display

    request = DeployRequest.model_validate_json(document)
    try:
        notebook, variable = Path(request.source or ""), request.model or ""
        live = live_from_expressions(current_shell(), variable, request, notebook=notebook)
        live = replace(live, cells=live.cells[:-1])  # the last cell is the one that calls this function
        with disk_faults():
            name, ports = checked_name(request.name or ""), Wiring().ports
            check = release_check(ports.store.endpoint(name), request, ports)
            snapshot = capture(live, name, request, ports, lambda *_: None, check=check)
    except DeployError as error:
        display({ERROR_MIME: error_document(error), "text/plain": str(error)}, raw=True)
    else:
        display(
            {SNAPSHOT_MIME: {"tag": snapshot.tag, **capture_details(snapshot.manifest)}, "text/plain": snapshot.tag},
            raw=True,
        )


def last_function(cell: str) -> str:
    """Return the name of the last function that a cell defines at its top level.

    Raises
    ------
    InvalidInput
        The cell defines none.
    """
    try:
        body = ast.parse(cell).body
    except SyntaxError as error:
        raise InvalidInput(
            f"the cell is not Python: {error}", "use %%deploy over a cell that defines a function"
        ) from error
    names = [node.name for node in body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    if not names:
        raise InvalidInput(
            "the cell defines no function", "use %%deploy over a cell that defines one, or %deploy VARIABLE"
        )
    return names[-1]


def _live(
    model: Any,
    example: Any,
    request: DeployRequest,
    variable: str | None,
    shell: Any,
    *,
    signature: Any = None,
    training: Any = None,
    lookup: Any = None,
    notebook: Path | None = None,
) -> Live:
    notebook = notebook or notebook_path(shell.user_ns if shell else {})
    source = Source(notebook=str(notebook) if notebook else None, variable=variable)
    cells = tuple(shell.history_manager.input_hist_raw[1:]) if shell and shell.history_manager else ()
    return Live(
        model,
        example,
        source,
        request.method,
        cells,
        project_of(notebook or Path.cwd() / "."),
        namespace_of(shell),
        signature,
        training,
        tuple(Path(path).absolute() for path in request.include),
        failed_in(shell),
        dict(BEGAN) if shell else {},
        show_example=request.show_example,
        expression=request.example,
        lookups=lookups_of(lookup),
        nullable=request.nullable,
        engine=request.engine,
        accepted_difference=request.accepted_difference or 0.0,
    )


def error_document(error: DeployError) -> dict[str, Any]:
    """Return the document of an error, which the process that runs the notebook raises again."""
    problem: dict[str, Any] = {
        "code": error.code,
        "message": error.message,
        "remedy": error.remedy,
        "details": error.details,
    }
    if isinstance(error, CheckFailed):
        problem["findings"] = [finding.model_dump(mode="json") for finding in error.findings]
    return problem
