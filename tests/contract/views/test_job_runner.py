"""The job runner and its processes: cancelled, killed, left by an earlier server, of another Python."""

import os
import signal
import subprocess
import sys
import time
import venv
from pathlib import Path

import psutil
import pytest

from jupyter_deploy.domain.jobs import ENDED
from jupyter_deploy.faces.server.jobs import job_runner as module
from jupyter_deploy.faces.server.jobs import jobs_in
from jupyter_deploy.faces.server.jobs.job_runner import JobRunner
from jupyter_deploy.system import spare
from tests import notebooks
from tests.e2e.conftest import until
from tests.job_runners import building_of, opened

pytestmark = pytest.mark.usefixtures("own_processes_throughout")


@pytest.fixture
def runners(home, monkeypatch):
    """Job runners of one home, as of successive servers."""
    for name, value in home.environment.items():
        monkeypatch.setenv(name, value)
    made = []

    def opened():
        made.append(JobRunner(home.path / "nbdeploy"))
        made[-1].open()
        return made[-1]

    yield opened
    for runner in made:
        runner.close()
        for job in runner.jobs.active():
            runner.jobs.signal(job.id, signal.SIGKILL)


@pytest.fixture(scope="module")
def shared_runner(shared_home):
    """One runner, with its spare process, for the tests that leave it as it was."""
    with opened(shared_home) as runner:
        yield runner


@pytest.fixture
def runner(shared_runner):
    return shared_runner


def start_job(runner, verb="list", request=None, **changes):
    job = runner.jobs.create(verb, request or {}, title=verb, endpoint=None, **changes)
    runner.start(job)
    return job.id


def ended(runner, job_id):
    until(lambda: runner.jobs.job(job_id).state in ENDED, 120)
    return runner.jobs.job(job_id)


def running(runner, job_id, log=None):
    """Wait until a job runs and its events contain this text."""

    def found():
        events = runner.jobs.events(job_id=job_id)
        assert not [e.data for e in events if e.kind == "state" and e.data["state"] in ENDED]
        return [e for e in events if (e.data.get("state") == "running" if log is None else log in str(e.data))]

    until(found, 120)
    return runner.jobs.job(job_id)


@pytest.fixture
def endless(tmp_path):
    """A validation notebook that runs until it is interrupted."""
    cells = ("import time", "while True:\n    time.sleep(0.1)")
    return notebooks.write(tmp_path / "endless.ipynb", *cells)


def validation(notebook, **more):
    return {"notebooks": [str(notebook)], "cold": True, **more}


def children_of(pid):
    return [child for child in psutil.Process(pid).children(recursive=True) if is_alive(child)]


def is_alive(process):
    """Whether it neither ended since it was listed nor waits as a zombie for its parent."""
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def waiting_at(spare):
    """The fork that waits for the next job, after the forks of former jobs have ended."""
    direct = psutil.Process(spare.pid).children  # not what the fork itself has started, such as an expected build
    (fork,) = until(lambda: found if len(found := list(filter(is_alive, direct()))) == 1 else None)
    return fork


def test_a_job_is_done_and_its_result_is_what_the_verb_returns(runner):
    done = ended(runner, start_job(runner))
    assert (done.state, done.result, done.problem) == ("done", [], None)
    assert done.pid != os.getpid()


def test_a_failed_job_has_a_problem_with_a_remedy(runner):
    failed = ended(runner, start_job(runner, "describe", {"name": "nobody"}))
    assert (failed.state, failed.problem.code, failed.problem.status) == ("failed", "unknown_endpoint", 404)
    assert failed.problem.remedy
    wrong = ended(runner, start_job(runner, "describe", {"nom": "nobody"}))
    assert {tuple(one["loc"]) for one in wrong.problem.errors} == {("name",), ("nom",)}


def test_jobs_run_concurrently_each_in_its_own_process_and_session(runner, endless):
    jobs = [start_job(runner, "validate", validation(endless)) for _ in range(2)]
    pids = {running(runner, job_id, "while True").pid for job_id in jobs}
    assert len(pids) == 2
    assert {os.getsid(pid) for pid in pids} == pids
    assert ended(runner, start_job(runner)).state == "done"
    for job_id in jobs:
        runner.cancel(job_id)
    assert [(job.state, job.problem) for job in (ended(runner, job_id) for job_id in jobs)] == [("cancelled", None)] * 2


def test_a_cancelled_job_ends_its_processes_and_keeps_its_partial_result(runner, endless):
    job_id = start_job(runner, "validate", validation(endless))
    pid = running(runner, job_id, "while True").pid
    assert children_of(pid)
    assert runner.cancel(job_id).state == "running"
    assert runner.cancel(job_id).state == "running"  # once more changes nothing
    cancelled = ended(runner, job_id)
    assert (cancelled.state, cancelled.result["stopped"]) == ("cancelled", "interrupted")
    until(lambda: not psutil.pid_exists(pid))
    assert runner.cancel(job_id).state == "cancelled"


@pytest.mark.exhaustive
def test_a_job_that_is_cancelled_in_its_first_milliseconds_ends_by_that(runner, endless, monkeypatch):
    monkeypatch.setattr(module, "_STOP_SECONDS", 3600)  # there is no second interrupt
    for number in range(30):
        job_id = start_job(runner, "validate", validation(endless))
        until(lambda: runner.jobs.job(job_id).state == "running", 120)  # noqa: B023 - called here
        time.sleep((2 + number / 3) / 1000)
        runner.cancel(job_id)
        assert ended(runner, job_id).state == "cancelled", number


def test_a_waiting_job_is_cancelled_at_once(runner):
    waiting = start_job(runner, "deploy", {"model": "clf"}, state="waiting")
    assert runner.cancel(waiting).state == "cancelled"


def test_a_job_whose_process_is_killed_says_so(runner, endless):
    job_id = start_job(runner, "validate", validation(endless))
    pid = running(runner, job_id, "while True").pid
    kernels = children_of(pid)
    os.kill(pid, signal.SIGKILL)
    failed = ended(runner, job_id)
    assert (failed.state, failed.problem.code) == ("failed", "killed")
    assert "it was killed, ran out of memory" in failed.problem.detail
    psutil.wait_procs(kernels, timeout=60)
    assert not [one for one in kernels if one.is_running()]


def test_a_job_that_does_not_stop_is_interrupted_again_and_then_killed(runner, endless, monkeypatch):
    job_id = start_job(runner, "validate", validation(endless))
    pid = running(runner, job_id, "while True").pid
    os.kill(pid, signal.SIGSTOP)  # it hears nothing
    monkeypatch.setattr(module, "_STOP_SECONDS", 0.2)
    runner.cancel(job_id)
    failed = ended(runner, job_id)
    assert failed.state == "failed"
    assert "did not end within 0.4 s and was killed" in failed.problem.detail
    until(lambda: not psutil.pid_exists(pid))


def test_a_captured_model_s_job_is_started_when_its_kernel_is_done(runner):
    job_id = start_job(runner, "deploy", {"model": "clf", "name": "churn"}, state="waiting")
    runner.jobs.start_capture(job_id, os.getpid())
    runner.jobs.finish_capture(job_id, "churn:gone", sys.executable)
    failed = ended(runner, job_id)
    assert failed.problem.code == "unknown_source"  # so it ran
    assert "churn:gone" in failed.problem.detail


def test_the_process_of_a_job_waits_with_its_build_process_while_the_kernel_captures(runner):
    until(lambda: runner._spare is not None)
    before = psutil.Process(runner._spare.process.pid)
    one = waiting_at(before)
    job_id = start_job(runner, "deploy", {"model": "clf", "name": "churn"}, state="waiting")
    building = building_of(one)
    runner.jobs.start_capture(job_id, os.getpid())
    runner.jobs.finish_capture(job_id, "churn:gone", sys.executable)
    assert ended(runner, job_id).pid == one.pid
    psutil.wait_procs([one, building], 60)
    assert not one.is_running()
    assert not building.is_running()


def test_an_expected_deploy_starts_the_build_process_once_and_its_job_uses_it(runners, monkeypatch):
    monkeypatch.setenv("NBDEPLOY_STANDBY", "true")
    runner = runners()
    runner.expect_deploy()  # before its process listens, or is there
    until(lambda: runner._spare is not None)
    one = waiting_at(psutil.Process(runner._spare.process.pid))
    building = building_of(one)
    runner.expect_deploy()  # the dialog is opened again
    job_id = start_job(runner, "deploy", {"model": "clf", "name": "churn"}, state="waiting")
    until(lambda: job_id in runner._state.ahead)
    assert one.children() == [building]
    runner.jobs.start_capture(job_id, os.getpid())
    runner.jobs.finish_capture(job_id, "churn:gone", sys.executable)
    assert ended(runner, job_id).pid == one.pid
    psutil.wait_procs([one, building], 60)
    assert not building.is_running()


def test_the_process_of_a_job_that_waits_ends_when_the_job_does(runner):
    until(lambda: runner._spare is not None)
    one = waiting_at(psutil.Process(runner._spare.process.pid))
    job_id = start_job(runner, "deploy", {"model": "clf", "name": "churn"}, state="waiting")
    until(one.children, 60)
    assert runner.cancel(job_id).state == "cancelled"
    one.wait(60)


def test_a_running_job_outlives_its_server_and_a_queued_one_is_started_by_the_next(runners, endless):
    first = runners()
    goes_on = start_job(first, "validate", validation(endless))
    running(first, goes_on, "while True")
    first.close()
    left = first.jobs.create("list", {}, title="list", endpoint=None)
    second = runners()
    assert ended(second, left.id).state == "done"
    assert second.jobs.job(goes_on).state == "running"
    second.cancel(goes_on)
    assert ended(second, goes_on).state == "cancelled"


def test_the_spare_ends_with_its_server_even_if_that_is_killed(home):
    program = (
        "import os, time\nfrom pathlib import Path\nfrom jupyter_deploy.faces.server.jobs.job_runner import JobRunner\n"
        "runner = JobRunner(Path(os.environ['NBDEPLOY_HOME']))\nrunner.open()\nprint('open', flush=True)\n"
        "runner.start(runner.jobs.job(input()))\ntime.sleep(600)"
    )
    command = [sys.executable, "-c", program]
    with subprocess.Popen(
        command, env=home.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        server.stdout.readline()
        (spare,) = until(lambda: psutil.Process(server.pid).children())
        (waiting,) = until(spare.children)
        jobs = jobs_in(Path(home.environment["NBDEPLOY_HOME"]))
        job = jobs.create("deploy", {"model": "clf", "name": "churn"}, title="", endpoint=None, state="waiting")
        server.stdin.write(f"{job.id}\n")
        server.stdin.flush()
        building = building_of(waiting)
        server.kill()
    _, left = psutil.wait_procs([spare, waiting, building], 60)
    assert not left


def test_another_spare_comes_when_one_was_killed(runners, monkeypatch):
    monkeypatch.setattr(module, "_SPARE_RETRY_SECONDS", 0.1)
    runner = runners()
    assert ended(runner, start_job(runner)).state == "done"
    former = until(lambda: runner._spare).process
    waiting = waiting_at(former)
    former.kill()
    until(lambda: (spare := runner._spare) is not None and spare.process is not former)
    waiting.wait(60)
    assert ended(runner, start_job(runner)).state == "done"


def test_where_the_fork_that_waits_for_a_job_was_killed_another_one_waits(runners, endless):
    runner = runners()
    assert ended(runner, start_job(runner)).state == "done"
    spare = until(lambda: runner._spare).process
    waiting = waiting_at(spare)
    waiting.kill()
    until(lambda: waiting_at(spare) != waiting)
    job_id = start_job(runner, "validate", validation(endless))
    assert psutil.Process(running(runner, job_id).pid).ppid() == spare.pid
    runner.cancel(job_id)
    assert ended(runner, job_id).state == "cancelled"


def test_a_spare_whose_stdin_is_closed_is_killed(home):
    deaf = "import os, time\nos.close(0)\nprint('deaf', flush=True)\ntime.sleep(600)"
    runner = JobRunner(home.path / "nbdeploy")
    runner._spare = waiting = spare.start([sys.executable, "-c", deaf], "key", stdout=subprocess.PIPE)
    waiting.process.stdout.readline()
    assert not runner._send_to_spare("a job")
    runner.close()
    assert waiting.process.returncode == -signal.SIGKILL


def test_the_runner_continues_after_an_error(runners, monkeypatch, caplog):
    looks, tick = [], JobRunner.tick

    def broken_at_first(runner):
        looks.append(runner)
        if len(looks) == 1:
            raise RuntimeError("a bug")
        return tick(runner)

    monkeypatch.setattr(JobRunner, "tick", broken_at_first)
    monkeypatch.setattr(module, "_SWEEP_SECONDS", 0.01)
    runners()
    until(lambda: len(looks) > 2)
    assert "a bug" in caplog.text


def test_the_captured_interpreter_runs_the_job(runner, tmp_path):
    other = tmp_path / "python"
    other.write_text(f'#!/bin/sh\necho other >> "{tmp_path}/used"\nexec {sys.executable} "$@"\n')
    other.chmod(0o755)
    job_id = start_job(runner, "deploy", {"model": "clf", "name": "churn"}, state="waiting")
    runner.jobs.finish_capture(job_id, "churn:gone", str(other))
    assert ended(runner, job_id).problem.code == "unknown_source"
    assert (tmp_path / "used").read_text() == "other\n"


def test_an_interpreter_without_nbdeploy_or_that_is_gone_is_named_with_what_to_run(runner, tmp_path):
    venv.create(tmp_path / "bare", with_pip=False)
    for python, why in ((tmp_path / "bare" / "bin" / "python", "No module named"), (tmp_path / "gone", "No such file")):
        job_id = start_job(runner, "deploy", {"model": "clf", "name": "churn"}, state="waiting")
        runner.jobs.finish_capture(job_id, "churn:gone", str(python))
        failed = ended(runner, job_id)
        assert (failed.state, failed.problem.code) == ("failed", "job_not_started")
        assert f"{python} -m pip install nbdeploy" in failed.problem.remedy
        assert why in failed.problem.details


def test_a_server_without_the_interpreter_does_not_fail_another_servers_job(runners, tmp_path, monkeypatch):
    tried = []
    fail = JobRunner._fail
    monkeypatch.setattr(JobRunner, "_fail", lambda *given: (tried.append(given), fail(*given)))
    runner, python = runners(), tmp_path / "python"  # which only the other one's container has
    job = runner.jobs.create("deploy", {"model": "clf", "name": "churn"}, title="", endpoint=None, state="waiting")
    runner.jobs.finish_capture(job.id, "churn:gone", str(python))
    until(lambda: tried)
    assert runner.jobs.job(job.id).state == "queued"
    (tmp_path / "new").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    (tmp_path / "new").chmod(0o755)
    (tmp_path / "new").rename(python)
    other = runners()
    other.start(runner.jobs.job(job.id))
    assert ended(other, job.id).problem.code == "unknown_source"


def test_a_job_that_no_server_can_start_fails_in_the_end(runners, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_SPARE_TIMEOUT", 0.5)
    runner = runners()
    job = runner.jobs.create("list", {}, title="list", endpoint=None, state="waiting")
    runner.jobs.finish_capture(job.id, "churn:1", str(tmp_path / "gone"))
    assert ended(runner, job.id).problem.code == "job_not_started"


def test_only_the_validations_of_a_notebooks_nbdeploy_yaml_apply(runner, tmp_path):
    notebook = notebooks.write(
        tmp_path / "checks.ipynb", "from jupyter_deploy import metric", "metric('accuracy', 0.5, rows=[1, 0] * 200)"
    )
    (tmp_path / "nbdeploy.yaml").write_text(
        f"home: {tmp_path}/elsewhere\nenvoy: /bin/false\n"
        "validate:\n- notebook: checks.ipynb\n  gates: [accuracy >= 0.9]\n"
    )
    done = ended(runner, start_job(runner, "validate", validation(notebook)))
    assert done.state == "done", done.problem
    assert done.result["verdict"] == "fail"
    assert [gate["origin"] for run in done.result["runs"] for gate in run["gates"]] == ["nbdeploy.yaml"]
    assert not (tmp_path / "elsewhere").exists()


def test_wrong_settings_are_the_jobs_problem(home, runners, monkeypatch):
    monkeypatch.setenv("NBDEPLOY_PORT", "none")
    runner = runners()
    failed = ended(runner, start_job(runner))
    assert (failed.problem.code, failed.problem.status) == ("invalid_input", 422)
    assert "port" in failed.problem.details


def test_a_damaged_store_is_the_jobs_problem(home, runners):
    (home.path / "nbdeploy").mkdir(mode=0o700, exist_ok=True)
    (home.path / "nbdeploy" / "state.sqlite").write_text("not a database, but long enough to look at" * 40)
    runner = runners()
    failed = ended(runner, start_job(runner))
    assert (failed.state, failed.problem.code) == ("failed", "store_error"), failed.problem
    assert "state.sqlite" in failed.problem.detail
