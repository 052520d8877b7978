"""The exit code of a verdict does not depend on the state of stdout."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import sys
from datetime import UTC, datetime
from jupyter_deploy.domain.validation.validation import Run, Validation, worst
from jupyter_deploy.domain.errors import GateFailed
from jupyter_deploy.domain.requests import Step
from jupyter_deploy.faces.cli import main as cli
from jupyter_deploy.faces.render import progress
from jupyter_deploy.faces.kernel import python_api as verbs

def run(operation, request):
    with progress.reporter() as report:
        report(Step(number=1, total=1, title="runs"))
    at = datetime.now(UTC)
    if WHAT == "refused":
        raise GateFailed("no", "look")
    if WHAT == "records":
        return iter([Validation(id="1", at=at, runs=(), verdict="pass")] * 3)
    return Validation(id="1", at=at, runs=(Run(notebook="a.ipynb", status=WHAT),), verdict=worst([
        "pass" if WHAT == "done" else "fail"]))

WHAT = sys.argv.pop(1)
verbs.run = run
cli.main(["validate"])
"""


@pytest.mark.parametrize(
    ("what", "gone", "full"),
    [("raised", 1, 1), ("done", 0, 3), ("refused", 1, 1), ("records", 0, 3)],
)
def test_neither_a_broken_pipe_nor_a_full_disk_makes_a_failure_a_success(home, what, gone, full):
    def ended(stdout, stderr=subprocess.PIPE):
        command = [sys.executable, "-c", PROGRAM, what]
        return subprocess.run(
            command, env=home.environment, stdout=stdout, stderr=stderr, text=True, check=False, timeout=60
        )

    read, write = os.pipe()
    os.close(read)
    try:
        found = ended(write)
        assert found.returncode == gone, found.stderr
        if what == "raised":  # '2>&1 | true': progress meets it first
            assert ended(write, write).returncode == gone
    finally:
        os.close(write)
    assert "Traceback" not in found.stderr
    assert "ignored" not in found.stderr
    with Path("/dev/full").open("w") as nowhere:
        found = ended(nowhere)
        if what == "refused":
            found = ended(subprocess.PIPE, nowhere)
    assert found.returncode == full, found.stderr
    if what != "refused":
        assert "Traceback" not in found.stderr
        assert "bug" not in found.stderr
        assert "nbdeploy: the result cannot be written to stdout: No space left on device" in found.stderr
