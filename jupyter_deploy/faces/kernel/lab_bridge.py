"""JupyterLab's bridge to a notebook's kernel: its models, the rows of an example, problems of a form, a capture.

Lab evaluates each call silently (``user_expressions``): no cell, no execution count, no output. ``found``,
``preview`` and the checks may run in a subshell while a cell runs; ``capture`` runs in the main shell.

A user waits for the first ``found``, whose time is mostly imports: the others import what they need themselves.
"""

from __future__ import annotations

import os
import sys
import threading
from typing import Any

from jupyter_deploy import __version__
from jupyter_deploy.domain.capture.candidates import Table
from jupyter_deploy.domain.errors import Conflict, DeployError, InvalidExample, InvalidInput, UnknownJob
from jupyter_deploy.faces.render.collision import check_distributions
from jupyter_deploy.faces.render.shell import current_shell, namespace_of, watch_cells
from jupyter_deploy.faces.views.form_documents import FieldProblem, KernelReport
from jupyter_deploy.wiring import Wiring

from .json_display import JsonDisplay
from .notebook_state import evaluate, failed_in, notebook_path


def found() -> JsonDisplay:
    """Return ``KernelReport``: the models in this kernel, best first, with examples for each."""
    shell = current_shell()
    namespace = namespace_of(shell)
    notebook = notebook_path(namespace)
    about: dict[str, Any] = {
        "version": __version__,
        "interpreter": sys.executable,
        "pid": os.getpid(),
        "notebook": str(notebook) if notebook else None,
    }
    try:
        check_distributions()
        wiring = Wiring()
        home = _home(wiring)
    except DeployError as error:
        problem = error.message if not error.details else f"{error.message}\n{error.details}"
        return JsonDisplay(KernelReport(**about, home="", models=(), problem=problem, remedy=error.remedy))
    hidden = getattr(shell, "user_ns_hidden", {})
    variables = {name: value for name, value in namespace.copy().items() if value is not hidden.get(name, JsonDisplay)}
    cells: tuple[str, ...] = ()
    if shell is not None:
        watch_cells(shell)
        cells = tuple(shell.history_manager.input_hist_raw[1:]) if shell.history_manager else ()
    finder = wiring.ports.finder
    models, labelled = finder.models(variables, cells, failed_in(shell)), finder.labelled(variables)
    return JsonDisplay(KernelReport(**about, home=home, models=tuple(models), labelled=tuple(labelled)))


def preview(expression: str) -> JsonDisplay:
    """Return ``Table``: the first rows of an expression's value."""
    namespace = namespace_of(current_shell())
    try:
        value = evaluate("example", expression, namespace, InvalidExample)
        return JsonDisplay(Wiring().ports.finder.first_rows(value))
    except DeployError as error:
        return JsonDisplay(Table(columns=(), rows=(), words="", problem=error.message, remedy=error.remedy))
    except Exception as error:  # noqa: BLE001 - a table that cannot be shown is not the user's mistake
        problem = f"its first rows cannot be shown: {type(error).__name__}: {error}"
        return JsonDisplay(Table(columns=(), rows=(), words="", problem=problem, remedy="does it show in a cell?"))


def check(document: str) -> JsonDisplay:
    """Return ``{"problems": [FieldProblem, …], "complete": …}`` of a DeployRequest as JSON; else call again."""
    from .form_problems import problems_in

    complete = True
    try:
        problems, complete = problems_in(document, current_shell(), Wiring().ports)
    except DeployError as error:
        problems = [FieldProblem(field="", message=error.message, remedy=error.remedy)]
    return JsonDisplay({"problems": [problem.model_dump(mode="json") for problem in problems], "complete": complete})


def check_candidates(document: str) -> JsonDisplay:
    """Return ``{"problems": [FieldProblem, …]}`` of a choice among this notebook's models.

    Parameters
    ----------
    document
        A CandidatesRequest as JSON, whose ``models`` are variables.
    """
    from .choice_problems import choice_problems

    try:
        problems = choice_problems(document, current_shell(), Wiring())
    except DeployError as error:
        problems = [FieldProblem(field="", message=error.message, remedy=error.remedy)]
    return JsonDisplay({"problems": [problem.model_dump(mode="json") for problem in problems]})


def capture(job_id: str, notebook: str | None = None) -> JsonDisplay:
    """Capture the model of a job; return ``{"job", "state"}`` with the ``tag`` or the ``problem``. Prints nothing.

    Parameters
    ----------
    notebook
        The notebook's file as Lab knows it: the path from the kernel's start is stale after a renaming. If the notebook
        is renamed while this call waits for the kernel, the job has the new path.
    """
    from jupyter_deploy.domain.jobs import ENDED
    from jupyter_deploy.faces.render.problems import problem_of

    from .capture_job import capture_for

    shell = current_shell()
    try:
        wiring = Wiring()
        if threading.current_thread() is not threading.main_thread():  # it gets the signals, and cells run in it
            raise InvalidInput("a subshell cannot capture", "capture in the kernel's main shell, after its cell")
        if wiring.ports.jobs.job(job_id).state in ENDED:
            raise Conflict("the job was cancelled, or ended, before this kernel was free", "deploy again")
    except DeployError as error:
        problem = problem_of(error)
        if isinstance(error, UnknownJob):
            remedy = f"this kernel's state is in {_home(wiring)}: set the same NBDEPLOY_HOME for kernel and server"
            problem = problem.model_copy(update={"remedy": remedy})
        return JsonDisplay({"job": job_id, "state": "failed", "problem": problem.model_dump(mode="json")})
    watch_cells(shell)
    return JsonDisplay(capture_for(job_id, shell, wiring.ports, notebook))


def _home(wiring: Wiring) -> str:
    return str(wiring.settings.home.expanduser().absolute())
