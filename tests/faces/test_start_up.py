"""The modules that the command line loads: its start is mostly imports, so unneeded modules stay out."""

import subprocess
import sys

import pytest

from jupyter_deploy.faces.server.rest.frames import pack, read_message
from tests.notebooks import write

NEVER = {
    "IPython", "bentoml", "duckdb", "httpx", "ipykernel", "kubernetes", "markdown_it", "nbformat", "numpy", "pandas",
    "papermill", "psutil", "pygments", "supervisor", "torch", "urllib3", "uvicorn", "yaml",
}  # fmt: skip
LATER = {
    "pydantic_settings",
    "sqlite3",
    "jupyter_deploy.domain.release.endpoint",
    "jupyter_deploy.domain.evidence.inference",
}
METADATA = {"importlib.metadata", "asyncio", "pydantic_settings"}
"""Modules that take more time than the work that they would do."""
PARSER = METADATA | {"cyclopts", "pydantic", "rich", "jupyter_deploy.domain.requests", "jupyter_deploy.wiring"}
OF_OTHERS = {"jupyter_deploy.domain.validation.requests", "jupyter_deploy.domain.images.requests"}
"""The requests of other verbs."""


@pytest.mark.parametrize(
    ("arguments", "left_out"),
    [
        (["--help"], NEVER | LATER | PARSER),
        (["deploy", "--help"], NEVER | LATER | OF_OTHERS),
        (
            ["list"],
            NEVER
            | OF_OTHERS
            | {
                "asyncio",
                "cyclopts",
                "pydantic_settings",
                "jupyter_deploy.targets.local.target",
                "jupyter_deploy.serving",
            },
        ),
        (
            ["history", "nobody"],
            NEVER | METADATA | {"cyclopts", "jupyter_deploy.targets.local.target", "jupyter_deploy.serving"},
        ),
        (["__complete", "describe", ""], NEVER | METADATA | {"cyclopts", "jupyter_deploy.domain.release.endpoint"}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_verb_loads_what_it_needs_and_nothing_heavy(home, arguments, left_out):
    command = [sys.executable, "-X", "importtime", "-m", "jupyter_deploy", *arguments]
    ended = subprocess.run(command, env=home.environment, cwd=home.path, capture_output=True, text=True, check=False)
    loaded = {line.rpartition("|")[2].strip() for line in ended.stderr.splitlines() if line.startswith("import time:")}
    assert "jupyter_deploy.faces.cli.main" in loaded or "jupyter_deploy.faces.cli" in loaded
    assert loaded & left_out == set()


@pytest.mark.parametrize(
    "module",
    [
        "jupyter_deploy.records.archivist",
        "jupyter_deploy.targets.local.metrics.exporter",
        "jupyter_deploy.targets.local.supervisor.keeper",
    ],
)
def test_a_process_that_runs_as_long_as_a_release_needs_nothing_heavy(module):
    program = f"import {module}, sys; print(*sys.modules)"
    ended = subprocess.run([sys.executable, "-P", "-c", program], capture_output=True, text=True, check=True)
    assert set(ended.stdout.split()) & (NEVER | PARSER | {"asyncio"}) == set()


def test_what_a_validation_notebook_calls_is_light_until_it_is_called(home):
    """Imports are most of a kernel's time."""
    program = "from jupyter_deploy import check, metric, model, reference; import sys; print(*sys.modules)"
    command = [sys.executable, "-c", program]
    ended = subprocess.run(command, env=home.environment, cwd=home.path, capture_output=True, text=True, check=True)
    loaded = set(ended.stdout.split())
    assert "jupyter_deploy.faces.kernel.validation_api" in loaded
    assert loaded & (NEVER | LATER | {"pydantic", "http.client"}) == set()


def test_a_jupyter_server_that_has_a_desk_for_jobs_has_imported_nothing_for_it(home):
    program = (
        "import sys; from pathlib import Path; from jupyter_deploy.faces.server.jobs.job_runner import JobRunner; "
        "JobRunner(Path('/nowhere')); print(*sys.modules)"
    )
    command = [sys.executable, "-c", program]
    ended = subprocess.run(command, env=home.environment, cwd=home.path, capture_output=True, text=True, check=True)
    loaded = set(ended.stdout.split())
    assert "jupyter_deploy.faces.server.jobs.job_runner" in loaded
    assert loaded & (NEVER | LATER | {"pydantic", "sqlite3", "jupyter_deploy.domain"}) == set()


OF_NO_DIALOG = NEVER | {"lark"}
"""What is not loaded at the first opening of a Deploy dialog, for which a user waits; lark is of a slow format."""


def test_the_deploy_dialogs_first_request_to_the_server_loads_what_it_needs_and_nothing_heavy(home):
    """nbformat's import of jsonschema compiles a grammar unless the process prevents it."""
    notebook = write(home.path / "churn.ipynb", "clf = 1")
    request = {"id": 1, "method": "GET", "path": "views/notebook_context", "query": {"path": [str(notebook)]}}
    module = "jupyter_deploy.faces.server.rest.worker"
    command = [sys.executable, "-X", "importtime", "-P", "-m", module, str(home.path)]
    with (home.path / "imports").open("w+") as imports:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": imports}
        with subprocess.Popen(command, env=home.environment, **pipes) as worker:
            worker.stdin.write(pack(request))
            worker.stdin.flush()
            answer, _ = read_message(worker.stdout)
            worker.stdin.close()
        imports.seek(0)
        lines = imports.readlines()
    assert answer["status"] == 200
    loaded = {line.rpartition("|")[2].strip() for line in lines if line.startswith("import time:")}
    assert "jupyter_deploy.notebooks.papermill" in loaded  # which reads the cells
    assert loaded & (OF_NO_DIALOG - {"nbformat", "psutil"}) == set()  # of the cells, and of jobs


def test_the_deploy_dialogs_first_query_to_the_kernel_loads_what_it_needs_and_nothing_heavy(home):
    program = "from jupyter_deploy.faces.kernel.lab_bridge import found; found(); import sys; print(*sys.modules)"
    command = [sys.executable, "-c", program]
    ended = subprocess.run(command, env=home.environment, cwd=home.path, capture_output=True, text=True, check=True)
    loaded = set(ended.stdout.split())
    assert "jupyter_deploy.capture.candidates" in loaded
    later = {
        "jupyter_deploy.capture.checks",
        "jupyter_deploy.capture.inspection",
        "jupyter_deploy.domain.monitoring.monitor",
        "jupyter_deploy.faces.views.documents",
        "jupyter_deploy.faces.views.table",
        "jupyter_deploy.store.store",
        "jupyter_deploy.verbs.deploy",
        "packaging",
    }
    assert loaded & (OF_NO_DIALOG - {"numpy"} | later) == set()


def test_a_worker_that_was_started_ahead_has_what_the_dialogs_request_needs_and_made_no_home(home):
    notebook = write(home.path / "churn.ipynb", "clf = 1")
    program = f"""
import sys
from pathlib import Path
from jupyter_deploy.faces.server.rest import worker
worker._prepare()
from jupyter_deploy.faces.server.rest.exchange import HttpRequest
from jupyter_deploy.wiring import Wiring
wiring = Wiring()
assert not wiring.settings.home.exists()
before = set(sys.modules)
query = dict(path=[{str(notebook)!r}])
print(worker.Router(wiring.ports, None, Path()).answer(HttpRequest("GET", "views/notebook_context", query)).status)
print(*(name for name in set(sys.modules) - before if name.partition(".")[0] not in sys.stdlib_module_names))
"""
    command = [sys.executable, "-c", program]
    ended = subprocess.run(command, env=home.environment, cwd=home.path, capture_output=True, text=True, check=True)
    assert ended.stdout.split() == ["200"]
