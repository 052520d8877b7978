"""Jobs with real parts: a home, its gateway, and processes that outlive their server."""

import os
import signal
import time

import pytest

from jupyter_deploy.domain.jobs import ENDED
from tests import notebooks
from tests.e2e.conftest import until
from tests.e2e.processes import processes, words
from tests.job_runners import opened


@pytest.fixture
def runner(home, snapshots):
    """The job runner of a server with the settings of ``home``."""
    home.environment["BENTOML_HOME"] = snapshots[1]
    with opened(home) as runner:
        yield runner


def start_job(runner, verb, request, endpoint="churn"):
    job = runner.jobs.create(verb, request, title=f"{verb} {endpoint}", endpoint=endpoint)
    runner.start(job)
    return job.id


def ended(runner, job_id, timeout=180):
    until(lambda: runner.jobs.job(job_id).state in ENDED, timeout)
    return runner.jobs.job(job_id)


def deployed(runner, snapshots, c=1.0):
    return ended(runner, start_job(runner, "deploy", {"source": snapshots[0][c], "name": "churn", "trust": True}))


def until_step(runner, job_id, words):
    """Wait until a step with these words has begun; return the job."""

    def found():
        job = runner.jobs.job(job_id)
        assert job.state not in ENDED, job
        return job if words in job.step else None

    return until(found, 120)


def test_a_captured_snapshot_is_deployed_and_its_traffic_toggled_by_jobs(runner, home, snapshots, record_property):
    tags, _ = snapshots
    done = deployed(runner, snapshots)
    assert (done.state, done.problem) == ("done", None)
    assert done.result["release"] == tags[1.0]
    assert done.number == done.steps == 2
    events = runner.jobs.events(job_id=done.id)
    assert [event.data["number"] for event in events if event.kind == "step"] == [1, 2]
    assert events[0].kind == events[-1].kind == "state"
    assert deployed(runner, snapshots, 0.01).result["role"] == "shadow"

    for percent in (50, 100, 20):  # one after the other, as somebody clicks
        began = time.monotonic()
        request = {"name": "churn", "shadow": {tags[0.01]: percent}}
        toggled = ended(runner, start_job(runner, "traffic", request))
        record_property("seconds from asked to done", round(time.monotonic() - began, 3))
        assert toggled.state == "done", toggled
        assert home.json("describe", "churn")["traffic"]["shadows"] == {tags[0.01]: percent}
    stale = ended(runner, start_job(runner, "traffic", {**request, "if_revision": 1}))
    assert (stale.problem.code, stale.problem.status) == ("conflict", 409)


def test_a_deploy_that_is_cancelled_while_its_release_starts_leaves_nothing_half_made(runner, home, snapshots):
    job_id = start_job(runner, "deploy", {"source": snapshots[0][1.0], "name": "churn", "trust": True})
    until_step(runner, job_id, "starting")
    runner.cancel(job_id)
    cancelled = ended(runner, job_id)
    assert (cancelled.state, cancelled.result, cancelled.problem) == ("cancelled", None, None)
    assert home.json("list") == []
    until(lambda: not [one for one in processes(home) if "container.py" in " ".join(words(one))])
    assert deployed(runner, snapshots).state == "done"


def test_a_deploy_whose_process_is_killed_reports_it_and_its_partial_work_is_repaired(runner, home, snapshots):
    job_id = start_job(runner, "deploy", {"source": snapshots[0][1.0], "name": "churn", "trust": True})
    os.kill(until_step(runner, job_id, "starting").pid, signal.SIGKILL)
    failed = ended(runner, job_id)
    assert (failed.state, failed.problem.code) == ("failed", "killed")
    assert "during the step “starting" in failed.problem.detail
    assert ended(runner, start_job(runner, "reconcile", {}, None)).state == "done"  # as the remedy says
    assert deployed(runner, snapshots).state == "done"


# In two parts, so that the cell itself does not hold it and no scanner takes it for a real one.
TOKEN = ("ghp_", "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8")


def test_findings_of_a_notebook_in_a_job_reach_every_client_and_the_secret_none(runner, home, tmp_path):
    secret = "".join(TOKEN)
    notebook = notebooks.write(
        tmp_path / "train.ipynb",
        f"TOKEN = '{TOKEN[0]}' + '{TOKEN[1]}'\nimport os; os.write(2, TOKEN.encode())",
        "def predict(x):\n    return float(len(TOKEN) + x)",
    )
    request = {"source": str(notebook), "name": "scaled", "model": "predict", "example": "2.0"}
    failed = ended(runner, start_job(runner, "deploy", request, "scaled"))
    assert (failed.problem.code, failed.problem.status) == ("guard_failed", 409)
    assert [finding["check"] for finding in failed.problem.findings] == ["secrets"]
    assert secret.encode() not in (home.path / "nbdeploy" / "jobs.sqlite").read_bytes()
