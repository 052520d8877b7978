"""What JupyterLab asks a notebook's kernel: which models it has, what an example looks like, what is wrong, a capture.

Each is an expression that Lab has evaluated silently (``user_expressions``): no cell, no count, no output. ``found``,
``preview`` and ``check`` may be asked in a subshell while a cell runs; ``capture`` in the main one.
"""

from __future__ import annotations

import os
import sys
import threading
from typing import Any

from jupyter_deploy import __version__
from jupyter_deploy.domain.capture.candidates import Table
from jupyter_deploy.domain.errors import Conflict, DeployError, InvalidExample, InvalidInput, UnknownJob
from jupyter_deploy.domain.jobs import ENDED
from jupyter_deploy.faces.render.collision import check_distributions
from jupyter_deploy.faces.render.problems import problem_of
from jupyter_deploy.faces.render.shell import current_shell, namespace_of, watch_cells
from jupyter_deploy.faces.views.documents import FieldProblem, KernelReport
from jupyter_deploy.wiring import Wiring

from .capture_job import capture_for
from .form_problems import problems_in
from .json_display import Shown
from .kernel import evaluated, failed_in, notebook_path


def found() -> Shown:
    """``KernelReport``: the models in this kernel, best first, with examples for each."""
    shell = current_shell()
    namespace = namespace_of(shell)
    notebook = notebook_path(namespace)
    told: dict[str, Any] = {
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
        words = error.message if not error.details else f"{error.message}\n{error.details}"
        return Shown(KernelReport(**told, home="", models=(), problem=words, remedy=error.remedy))
    hidden = getattr(shell, "user_ns_hidden", {})
    variables = {name: value for name, value in namespace.copy().items() if value is not hidden.get(name, Shown)}
    cells: tuple[str, ...] = ()
    if shell is not None:
        watch_cells(shell)
        cells = tuple(shell.history_manager.input_hist_raw[1:]) if shell.history_manager else ()
    models = wiring.ports.finder.models(variables, cells, failed_in(shell))
    return Shown(KernelReport(**told, home=home, models=tuple(models)))


def preview(expression: str) -> Shown:
    """``Table``: the first rows of what an expression of the user's own comes to."""
    namespace = namespace_of(current_shell())
    try:
        value = evaluated("example", expression, namespace, InvalidExample)
        return Shown(Wiring().ports.finder.first_rows(value))
    except DeployError as error:
        return Shown(Table(columns=(), rows=(), words="", problem=error.message, remedy=error.remedy))
    except Exception as error:  # noqa: BLE001 - a table that cannot be shown is none of the user's mistakes
        said = f"its first rows cannot be shown: {type(error).__name__}: {error}"
        return Shown(Table(columns=(), rows=(), words="", problem=said, remedy="does it show in a cell?"))


def check(document: str) -> Shown:
    """``{"problems": [FieldProblem, …], "complete": …}`` of a DeployRequest as JSON; not complete: ask again."""
    complete = True
    try:
        problems, complete = problems_in(document, current_shell(), Wiring().ports)
    except DeployError as error:
        problems = [FieldProblem(field="", message=error.message, remedy=error.remedy)]
    return Shown({"problems": [problem.model_dump(mode="json") for problem in problems], "complete": complete})


def capture(job_id: str, notebook: str | None = None) -> Shown:
    """Capture what a job waits for: ``{"job", "state"}``, and the ``tag`` or the ``problem``. Prints nothing.

    Parameters
    ----------
    notebook
        The notebook's file as Lab knew it when it asked: what this kernel was told at its start is stale once it is
        renamed. Renamed while this waits for the kernel, the job says so.
    """
    shell = current_shell()
    try:
        wiring = Wiring()
        if threading.current_thread() is not threading.main_thread():  # where signals come, and a cell may run
            raise InvalidInput("a subshell cannot capture", "ask the kernel's main shell, which does it after its cell")
        if wiring.ports.jobs.job(job_id).state in ENDED:
            raise Conflict("the job was cancelled, or ended otherwise, before this kernel was free", "deploy again")
    except DeployError as error:
        problem = problem_of(error)
        if isinstance(error, UnknownJob):
            remedy = (
                f"this kernel keeps its state in {_home(wiring)}: set NBDEPLOY_HOME alike for it and for the server"
            )
            problem = problem.model_copy(update={"remedy": remedy})
        return Shown({"job": job_id, "state": "failed", "problem": problem.model_dump(mode="json")})
    watch_cells(shell)
    return Shown(capture_for(job_id, shell, wiring.ports, notebook))


def _home(wiring: Wiring) -> str:
    return str(wiring.settings.home.expanduser().absolute())
