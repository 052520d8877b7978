"""The desk and the processes that it starts: cancelled, killed, left by an earlier server, of another Python."""

import os
import signal
import subprocess
import sys
import tempfile
import venv

import psutil
import pytest

from jupyter_deploy.domain.jobs import ENDED
from jupyter_deploy.faces.server.jobs import job_runner as module
from jupyter_deploy.faces.server.jobs.job_runner import Desk
from tests import notebooks
from tests.e2e.conftest import until


@pytest.fixture
def desks(home, monkeypatch):
    """Desks of one home, as of servers one after the other."""
    for name, value in home.environment.items():
        monkeypatch.setenv(name, value)
    made = []

    def opened():
        made.append(Desk(home.path / "nbdeploy"))
        made[-1].open()
        return made[-1]

    yield opened
    for desk in made:
        desk.close()
        for job in desk.jobs.active():
            desk.jobs.signal(job.id, signal.SIGKILL)


@pytest.fixture
def desk(desks):
    return desks()


def asked(desk, verb="list", request=None, **changes):
    job = desk.jobs.create(verb, request or {}, title=verb, endpoint=None, **changes)
    desk.start(job)
    return job.id


def ended(desk, job_id):
    until(lambda: desk.jobs.job(job_id).state in ENDED, 120)
    return desk.jobs.job(job_id)


def running(desk, job_id, log=None):
    """Until it runs, and has printed that text or told of that cell."""

    def found():
        events = desk.jobs.events(job_id=job_id)
        assert not [e.data for e in events if e.kind == "state" and e.data["state"] in ENDED]
        return [e for e in events if (e.data.get("state") == "running" if log is None else log in str(e.data))]

    until(found, 120)
    return desk.jobs.job(job_id)


@pytest.fixture
def endless(tmp_path):
    """A validation notebook that goes on until it is interrupted."""
    cells = ("import time", "while True:\n    time.sleep(0.1)")
    return notebooks.write(tmp_path / "endless.ipynb", *cells)


def validation(notebook, **more):
    return {"notebooks": [str(notebook)], "cold": True, **more}


def children_of(pid):
    return [child for child in psutil.Process(pid).children(recursive=True) if child.status() != psutil.STATUS_ZOMBIE]


def waiting_at(spare):
    """The fork that waits for the next job, when those of former jobs have ended."""
    (fork,) = until(lambda: found if len(found := children_of(spare.pid)) == 1 else None)
    return fork


def test_a_job_is_done_and_its_result_is_what_the_verb_returns(desk):
    done = ended(desk, asked(desk))
    assert (done.state, done.result, done.problem) == ("done", [], None)
    assert done.pid != os.getpid()


def test_what_fails_says_why_and_what_to_do(desk):
    failed = ended(desk, asked(desk, "describe", {"name": "nobody"}))
    assert (failed.state, failed.problem.code, failed.problem.status) == ("failed", "unknown_endpoint", 404)
    assert failed.problem.remedy
    wrong = ended(desk, asked(desk, "describe", {"nom": "nobody"}))
    assert {tuple(one["loc"]) for one in wrong.problem.errors} == {("name",), ("nom",)}


def test_jobs_run_side_by_side_each_in_a_process_and_a_session_of_its_own(desk, endless):
    jobs = [asked(desk, "validate", validation(endless)) for _ in range(2)]
    pids = {running(desk, job_id).pid for job_id in jobs}
    assert len(pids) == 2
    assert {os.getsid(pid) for pid in pids} == pids
    assert ended(desk, asked(desk)).state == "done"
    for job_id in jobs:
        desk.cancel(job_id)
    assert {ended(desk, job_id).state for job_id in jobs} == {"cancelled"}


def test_a_cancelled_job_ends_what_it_began_and_keeps_what_it_found(desk, endless):
    job_id = asked(desk, "validate", validation(endless))
    pid = running(desk, job_id, "while True").pid
    assert children_of(pid)
    assert desk.cancel(job_id).state == "running"
    assert desk.cancel(job_id).state == "running"  # once more changes nothing
    cancelled = ended(desk, job_id)
    assert (cancelled.state, cancelled.result["stopped"]) == ("cancelled", "interrupted")
    until(lambda: not psutil.pid_exists(pid))
    assert desk.cancel(job_id).state == "cancelled"


def test_what_waits_is_cancelled_at_once(desk):
    waiting = asked(desk, "deploy", {"model": "clf"}, state="waiting")
    assert desk.cancel(waiting).state == "cancelled"


def test_a_job_whose_process_is_killed_says_so(desk, endless):
    job_id = asked(desk, "validate", validation(endless))
    pid = running(desk, job_id, "while True").pid
    kernels = children_of(pid)
    os.kill(pid, signal.SIGKILL)
    failed = ended(desk, job_id)
    assert (failed.state, failed.problem.code) == ("failed", "killed")
    assert "it was killed, ran out of memory" in failed.problem.detail
    psutil.wait_procs(kernels, timeout=60)
    assert not [one for one in kernels if one.is_running()]


def test_one_that_does_not_stop_is_told_again_and_then_killed(desk, endless, monkeypatch):
    job_id = asked(desk, "validate", validation(endless))
    pid = running(desk, job_id, "while True").pid
    os.kill(pid, signal.SIGSTOP)  # it hears nothing
    monkeypatch.setattr(module, "_PATIENCE", 0.2)
    desk.cancel(job_id)
    failed = ended(desk, job_id)
    assert failed.state == "failed"
    assert "did not end within 0.4 s and was killed" in failed.problem.detail
    until(lambda: not psutil.pid_exists(pid))


def test_a_captured_model_s_job_is_started_when_its_kernel_is_done(desk):
    job_id = asked(desk, "deploy", {"model": "clf", "name": "churn"}, state="waiting")
    desk.jobs.start_capture(job_id, os.getpid())
    desk.jobs.finish_capture(job_id, "churn:gone", sys.executable)
    failed = ended(desk, job_id)
    assert failed.problem.code == "unknown_source"  # so it ran
    assert "churn:gone" in failed.problem.detail


def test_a_running_job_outlives_its_server_and_a_queued_one_is_started_by_the_next(desks, endless):
    first = desks()
    goes_on = asked(first, "validate", validation(endless))
    running(first, goes_on, "while True")
    first.close()
    left = first.jobs.create("list", {}, title="list", endpoint=None)
    second = desks()
    assert ended(second, left.id).state == "done"
    assert second.jobs.job(goes_on).state == "running"
    second.cancel(goes_on)
    assert ended(second, goes_on).state == "cancelled"


def test_the_spare_ends_with_its_server_even_if_that_is_killed(home):
    program = (
        "import os, time\nfrom pathlib import Path\nfrom jupyter_deploy.faces.server.jobs.job_runner import Desk\n"
        "desk = Desk(Path(os.environ['NBDEPLOY_HOME']))\ndesk.open()\nprint('open', flush=True)\ntime.sleep(600)"
    )
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, env=home.environment, stdout=subprocess.PIPE, text=True) as server:
        server.stdout.readline()
        (spare,) = until(lambda: psutil.Process(server.pid).children())
        (waiting,) = until(spare.children)
        server.kill()
    _, left = psutil.wait_procs([spare, waiting], 60)
    assert not left


def test_another_spare_comes_when_one_was_killed(desk, monkeypatch):
    monkeypatch.setattr(module, "_SPARE_AGAIN", 0.1)
    assert ended(desk, asked(desk)).state == "done"
    former = until(lambda: desk._spare).process
    waiting = waiting_at(former)
    former.kill()
    until(lambda: desk._spare is not None and desk._spare.process is not former)
    waiting.wait(60)
    assert ended(desk, asked(desk)).state == "done"


def test_where_the_fork_that_waits_for_a_job_was_killed_another_one_waits(desk, endless):
    assert ended(desk, asked(desk)).state == "done"
    spare = desk._spare.process
    waiting = waiting_at(spare)
    waiting.kill()
    until(lambda: waiting_at(spare) != waiting)
    job_id = asked(desk, "validate", validation(endless))
    assert psutil.Process(running(desk, job_id).pid).ppid() == spare.pid
    desk.cancel(job_id)
    assert ended(desk, job_id).state == "cancelled"


def test_a_spare_that_hears_no_more_is_let_go(home):
    deaf = "import os, time\nos.close(0)\nprint('deaf', flush=True)\ntime.sleep(600)"
    desk = Desk(home.path / "nbdeploy")
    with (
        tempfile.TemporaryFile() as said,
        subprocess.Popen([sys.executable, "-c", deaf], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process,
    ):
        process.stdout.readline()
        desk._spare = module._Started(process, said)
        assert not desk._tell_spare("a job")
        desk.close()
        assert process.returncode == -signal.SIGKILL


def test_a_look_that_fails_is_not_the_last_one(desks, monkeypatch, caplog):
    looks, tick = [], Desk.tick

    def broken_at_first(desk):
        looks.append(desk)
        if len(looks) == 1:
            raise RuntimeError("a bug")
        return tick(desk)

    monkeypatch.setattr(Desk, "tick", broken_at_first)
    monkeypatch.setattr(module, "_SWEPT_EVERY", 0.01)
    desks()
    until(lambda: len(looks) > 2)
    assert "a bug" in caplog.text


def test_the_captured_interpreter_runs_the_job(desk, tmp_path):
    other = tmp_path / "python"
    other.write_text(f'#!/bin/sh\necho other >> "{tmp_path}/used"\nexec {sys.executable} "$@"\n')
    other.chmod(0o755)
    job_id = asked(desk, "deploy", {"model": "clf", "name": "churn"}, state="waiting")
    desk.jobs.finish_capture(job_id, "churn:gone", str(other))
    assert ended(desk, job_id).problem.code == "unknown_source"
    assert (tmp_path / "used").read_text() == "other\n"


def test_an_interpreter_without_nbdeploy_or_that_is_gone_is_named_with_what_to_run(desk, tmp_path):
    venv.create(tmp_path / "bare", with_pip=False)
    for python, why in ((tmp_path / "bare" / "bin" / "python", "No module named"), (tmp_path / "gone", "No such file")):
        job_id = asked(desk, "deploy", {"model": "clf", "name": "churn"}, state="waiting")
        desk.jobs.finish_capture(job_id, "churn:gone", str(python))
        failed = ended(desk, job_id)
        assert (failed.state, failed.problem.code) == ("failed", "job_not_started")
        assert f"{python} -m pip install nbdeploy" in failed.problem.remedy
        assert why in failed.problem.details


def test_what_another_server_was_asked_for_is_not_given_up_by_one_that_lacks_its_interpreter(
    desks, tmp_path, monkeypatch
):
    tried = []
    could_not = Desk._could_not
    monkeypatch.setattr(Desk, "_could_not", lambda *given: (tried.append(given), could_not(*given)))
    desk, python = desks(), tmp_path / "python"  # which only the other one's container has
    job = desk.jobs.create("deploy", {"model": "clf", "name": "churn"}, title="", endpoint=None, state="waiting")
    desk.jobs.finish_capture(job.id, "churn:gone", str(python))
    until(lambda: tried)
    assert desk.jobs.job(job.id).state == "queued"
    (tmp_path / "new").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    (tmp_path / "new").chmod(0o755)
    (tmp_path / "new").rename(python)
    other = desks()
    other.start(desk.jobs.job(job.id))
    assert ended(other, job.id).problem.code == "unknown_source"


def test_what_nobody_comes_to_is_given_up_in_the_end(desks, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_ALONE", 0.5)
    desk = desks()
    job = desk.jobs.create("list", {}, title="list", endpoint=None, state="waiting")
    desk.jobs.finish_capture(job.id, "churn:1", str(tmp_path / "gone"))
    assert ended(desk, job.id).problem.code == "job_not_started"


def test_beside_the_notebook_only_what_must_hold_is_read_from_nbdeploy_yaml(desk, tmp_path):
    notebook = notebooks.write(
        tmp_path / "checks.ipynb", "from jupyter_deploy import metric", "metric('accuracy', 0.5, rows=[1, 0] * 200)"
    )
    (tmp_path / "nbdeploy.yaml").write_text(
        f"home: {tmp_path}/elsewhere\nenvoy: /bin/false\n"
        "validate:\n- notebook: checks.ipynb\n  gates: [accuracy >= 0.9]\n"
    )
    done = ended(desk, asked(desk, "validate", validation(notebook)))
    assert done.state == "done", done.problem
    assert done.result["verdict"] == "fail"
    assert [gate["origin"] for run in done.result["runs"] for gate in run["gates"]] == ["nbdeploy.yaml"]
    assert not (tmp_path / "elsewhere").exists()


def test_wrong_settings_are_told_by_the_job(home, desks, monkeypatch):
    monkeypatch.setenv("NBDEPLOY_PORT", "none")
    desk = desks()
    failed = ended(desk, asked(desk))
    assert (failed.problem.code, failed.problem.status) == ("invalid_input", 422)
    assert "port" in failed.problem.details


def test_a_store_that_was_damaged_before_the_server_started_is_told_by_the_job(home, desks):
    (home.path / "nbdeploy").mkdir(mode=0o700, exist_ok=True)
    (home.path / "nbdeploy" / "state.sqlite").write_text("not a database, but long enough to look at" * 40)
    desk = desks()
    failed = ended(desk, asked(desk))
    assert (failed.state, failed.problem.code) == ("failed", "store_error"), failed.problem
    assert "state.sqlite" in failed.problem.detail


PRINTS = """
import os, subprocess, sys
from jupyter_deploy.system.output_redirection import redirect_output
told = []
with redirect_output(told.append):
    print("by Python")
    os.write(2, b"by the \\x1b[31mC\\x1b[0m library\\n")
    subprocess.run(["sh", "-c", "echo by a program; sleep 600 >&2 &"])
    sys.stderr.write("10%\\r50%\\r100%\\n")
    sys.stdout.write("without an end")
print("afterwards")
print(repr("\\n".join(told)), file=sys.stderr)
"""


def test_all_that_a_process_prints_is_told_even_while_what_it_started_goes_on():
    with subprocess.Popen(
        [sys.executable, "-c", PRINTS],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            assert process.wait(60) == 0
            assert process.stdout.read() == "afterwards\n"
            told = process.stderr.readline()
        finally:
            os.killpg(process.pid, signal.SIGKILL)
    for line in ("by Python", "by the C library", "by a program", "100%", "without an end"):
        assert line in told
    assert "10%" not in told


PRINTS_ON = """
import subprocess
from jupyter_deploy.system.output_redirection import redirect_output
with redirect_output(lambda text: None):
    subprocess.run(["sh", "-c", "yes &"])
print("afterwards")
"""


def test_what_prints_on_and_on_keeps_no_job_from_its_end():
    with subprocess.Popen(
        [sys.executable, "-c", PRINTS_ON], stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        try:
            assert process.stdout.readline() == "afterwards\n"
        finally:
            os.killpg(process.pid, signal.SIGKILL)
