"""What the command line loads: its start is mostly imports, so what it does not need stays out."""

import subprocess
import sys

import pytest

NEVER = {
    "IPython", "bentoml", "duckdb", "httpx", "ipykernel", "markdown_it", "nbformat", "numpy", "pandas", "papermill",
    "psutil", "pygments", "supervisor", "torch", "uvicorn", "yaml",
}  # fmt: skip
LATER = {"pydantic_settings", "sqlite3", "jupyter_deploy.domain.endpoint", "jupyter_deploy.domain.inference"}


@pytest.mark.parametrize(
    ("arguments", "left_out"),
    [
        (["--help"], NEVER | LATER),
        (["deploy", "--help"], NEVER | LATER),
        (["list"], NEVER | {"jupyter_deploy.targets", "jupyter_deploy.serving"}),
        (["history", "nobody"], NEVER | {"jupyter_deploy.targets", "jupyter_deploy.serving"}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_verb_loads_what_it_needs_and_nothing_heavy(home, arguments, left_out):
    command = [sys.executable, "-X", "importtime", "-m", "jupyter_deploy", *arguments]
    ended = subprocess.run(command, env=home.environment, cwd=home.path, capture_output=True, text=True, check=False)
    loaded = {line.rpartition("|")[2].strip() for line in ended.stderr.splitlines() if line.startswith("import time:")}
    assert "cyclopts" in loaded
    assert loaded & left_out == set()
