"""The jobs' file: states and events, concurrent and killed processes, trimmed and hidden data."""

import json
import multiprocessing
import os
import signal
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from datetime import timedelta

import pytest

from jupyter_deploy.domain import jobs as domain
from jupyter_deploy.domain.errors import Conflict, StoreError, UnknownJob
from jupyter_deploy.store import jobs as adapter
from jupyter_deploy.store.jobs import SqliteJobs

REQUEST = {"model": "clf", "name": "churn", "example": "X[:5]"}


@pytest.fixture
def home(tmp_path):
    return tmp_path / "home"


@pytest.fixture
def jobs(home):
    return SqliteJobs(home)


@pytest.fixture
def sleeper():
    """A process that can be killed."""
    started = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
    yield started
    started.kill()
    started.wait()


def created(jobs, state="queued", request=REQUEST):
    return jobs.create("deploy", request, title="deploy clf as churn", endpoint="churn", state=state)


def told(jobs, job_id):
    return [event.data["state"] if event.kind == "state" else event.kind for event in jobs.events(job_id=job_id)]


def test_a_job_goes_from_its_kernel_to_its_process_and_each_state_is_an_event(jobs, sleeper):
    job = created(jobs, "waiting")
    assert jobs.start_capture(job.id, sleeper.pid).kernel == sleeper.pid
    jobs.add_event(job.id, "step", {"number": 1, "total": 5, "title": "capturing"})
    queued = jobs.finish_capture(job.id, "churn:abc", "/opt/python")
    assert (queued.request["source"], queued.interpreter) == ("churn:abc", "/opt/python")
    running = jobs.claim(job.id, sleeper.pid)
    assert (running.state, running.pid, running.number, running.steps) == ("running", sleeper.pid, 1, 5)
    done = jobs.end(job.id, "done", result={"url": "http://localhost"})
    assert told(jobs, job.id) == ["waiting", "waiting", "step", "queued", "running", "done"]
    last = jobs.events(job_id=job.id)[-1]
    assert last.data == done.model_dump(mode="json") == jobs.job(job.id).model_dump(mode="json")
    assert jobs.latest() == last.id
    assert jobs.events(last.id) == []
    assert jobs.active() == []


def test_looking_makes_no_file_and_the_file_is_the_users_own(jobs, home):
    assert (jobs.jobs(), jobs.active(), jobs.events(), jobs.latest(), jobs.sweep()) == ([], [], [], 0, [])
    with pytest.raises(UnknownJob, match="there is no job nobody"):
        jobs.job("nobody")
    assert not home.exists()
    created(jobs)
    assert stat.S_IMODE((home / "jobs.sqlite").stat().st_mode) == 0o600


def test_the_newest_job_comes_first_and_a_reader_continues_after_an_event(jobs):
    first, second = created(jobs), created(jobs)
    assert [job.id for job in jobs.jobs()] == [second.id, first.id]
    assert [job.id for job in jobs.jobs(1)] == [second.id]
    assert [job.id for job in jobs.active()] == [first.id, second.id]
    one, two = jobs.events()
    assert [event.job for event in jobs.events(one.id)] == [second.id]
    assert jobs.events(limit=1) == [one]
    assert jobs.events(job_id=second.id) == [two]


def test_the_first_end_counts_and_no_event_follows(jobs):
    job = created(jobs)
    jobs.end(job.id, "cancelled")
    assert jobs.end(job.id, "done", result=1).state == "cancelled"
    jobs.add_event(job.id, "log", {"text": "too late"})
    assert told(jobs, job.id) == ["queued", "cancelled"]


def test_a_job_without_a_process_is_withdrawn_and_a_running_one_is_not(jobs):
    waiting, queued, running = created(jobs, "waiting"), created(jobs), created(jobs)
    jobs.claim(running.id, os.getpid())
    assert [jobs.withdraw(job.id).state for job in (waiting, queued, running)] == ["cancelled", "cancelled", "running"]
    with pytest.raises(Conflict, match="is cancelled"):
        jobs.start_capture(waiting.id, os.getpid())
    with pytest.raises(Conflict, match="is cancelled"):
        jobs.finish_capture(waiting.id, "churn:abc", "")
    assert jobs.claim(queued.id, os.getpid()) is None


# Several processes


def _tells(home, job_id, barrier):
    jobs = SqliteJobs(home)
    barrier.wait()
    for number in range(30):
        jobs.add_event(job_id, "log", {"text": f"{os.getpid()} {number}"})


def test_events_of_concurrent_processes_are_complete_and_in_order(jobs, home):
    job = created(jobs)
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(4)
    writers = [context.Process(target=_tells, args=(home, job.id, barrier), daemon=True) for _ in range(4)]
    for writer in writers:
        writer.start()
    seen, after = [], 0
    while any(writer.is_alive() for writer in writers) or jobs.latest() > after:  # a reader that polls meanwhile
        events = jobs.events(after, limit=7)
        seen += events
        after = events[-1].id if events else after
    assert [writer.exitcode for writer in writers] == [0, 0, 0, 0]
    texts = [event.data["text"].split() for event in seen if event.kind == "log"]
    for writer in writers:
        assert [number for pid, number in texts if pid == str(writer.pid)] == [str(number) for number in range(30)]


def _claims(home, job_id, barrier, outcomes):
    barrier.wait()
    outcomes.put(SqliteJobs(home).claim(job_id, os.getpid()) is not None)


def test_of_several_processes_one_claims_a_job(jobs, home):
    job = created(jobs)
    context = multiprocessing.get_context("spawn")
    barrier, outcomes = context.Barrier(3), context.Queue()
    claimants = [context.Process(target=_claims, args=(home, job.id, barrier, outcomes), daemon=True) for _ in range(3)]
    for claimant in claimants:
        claimant.start()
    assert sorted(outcomes.get(timeout=60) for _ in claimants) == [False, False, True]
    for claimant in claimants:
        claimant.join()


KILLED = """
import os, sys
from pathlib import Path
from jupyter_deploy.store.jobs import SqliteJobs
jobs = SqliteJobs(Path(sys.argv[1]))
jobs.claim(sys.argv[2], os.getpid())
number = 0
while True:
    number += 1
    jobs.add_event(sys.argv[2], "step", {"number": number, "total": 9, "title": f"step {number}"})
    print(number, flush=True)
"""


def test_a_job_that_is_killed_between_its_steps_is_failed_and_says_so(jobs, home):
    job = created(jobs)
    command = [sys.executable, "-c", KILLED, str(home), job.id]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        told = next(int(line) for line in process.stdout if int(line) > 20)
        assert jobs.sweep() == []
        process.kill()
    (failed,) = jobs.sweep()
    assert (failed.state, failed.problem.code) == ("failed", "killed")
    assert failed.number >= told
    assert f"“step {failed.number}”" in failed.problem.detail
    assert "nbdeploy reconcile" in failed.problem.remedy
    assert jobs.sweep() == []
    steps = [event.data["number"] for event in jobs.events(job_id=job.id) if event.kind == "step"]
    assert steps == list(range(1, failed.number + 1))


def test_another_process_with_the_same_id_is_not_taken_for_the_jobs(jobs, home, sleeper):
    job = created(jobs)
    jobs.claim(job.id, sleeper.pid)
    assert jobs.sweep() == []
    with closing(sqlite3.connect(home / "jobs.sqlite")) as db:  # as if that pid had been an earlier process's
        db.execute("UPDATE jobs SET born = replace(born, ' ', ' 9')")
        db.commit()
    assert jobs.signal(job.id, signal.SIGKILL) is False
    assert [lost.id for lost in jobs.sweep()] == [job.id]
    assert sleeper.poll() is None


def test_a_signal_reaches_the_process_that_runs_a_job(jobs, sleeper):
    job = created(jobs)
    assert jobs.signal(job.id, signal.SIGTERM) is False
    jobs.claim(job.id, sleeper.pid)
    assert jobs.signal(job.id, signal.SIGTERM) is True
    assert sleeper.wait(60) == -signal.SIGTERM
    assert jobs.signal(job.id, signal.SIGTERM) is False


def test_a_job_fails_if_its_kernel_ends_before_the_capture(jobs, sleeper):
    job = created(jobs, "waiting")
    jobs.start_capture(job.id, sleeper.pid)
    assert jobs.sweep() == []
    sleeper.kill()
    sleeper.wait()
    (failed,) = jobs.sweep()
    assert failed.problem.detail == "the notebook's kernel ended before it had captured the model"
    assert "run its cells" in failed.problem.remedy


def test_a_kernel_with_a_request_may_be_busy_as_long_as_it_is_alive(jobs, monkeypatch, sleeper):
    job = jobs.request_capture(created(jobs, "waiting").id, sleeper.pid)
    assert (job.state, job.asked, job.kernel) == ("waiting", sleeper.pid, None)
    monkeypatch.setattr(adapter, "now", lambda: job.created_at + domain.KERNEL_WAIT_LIMIT)
    assert jobs.sweep() == []
    sleeper.kill()
    sleeper.wait()
    (failed,) = jobs.sweep()
    assert "kernel ended, or was busy for a day" in failed.problem.detail


def test_a_kernel_that_does_not_come_for_a_day_is_waited_for_no_more(jobs, monkeypatch, sleeper):
    job = jobs.request_capture(created(jobs, "waiting").id, sleeper.pid)
    monkeypatch.setattr(adapter, "now", lambda: job.created_at + domain.KERNEL_WAIT_LIMIT + timedelta(seconds=1))
    assert [lost.id for lost in jobs.sweep()] == [job.id]


def test_a_started_or_withdrawn_capture_is_not_requested(jobs, sleeper):
    begun = created(jobs, "waiting")
    jobs.start_capture(begun.id, os.getpid())
    assert jobs.request_capture(begun.id, sleeper.pid).asked is None
    sleeper.kill()
    sleeper.wait()
    assert jobs.sweep() == []
    ended = jobs.withdraw(begun.id)
    assert jobs.request_capture(ended.id, os.getpid()) == ended


def test_a_job_without_a_capture_request_within_minutes_has_failed(jobs, monkeypatch):
    job = created(jobs, "waiting")
    later = job.created_at + domain.KERNEL_REQUEST_TIMEOUT
    monkeypatch.setattr(adapter, "now", lambda: later)
    assert jobs.sweep() == []
    monkeypatch.setattr(adapter, "now", lambda: later + timedelta(seconds=1))
    (failed,) = jobs.sweep()
    assert "no kernel captured the model" in failed.problem.detail


# What is kept


def test_the_oldest_that_ended_go_first_with_their_events_and_event_numbers_go_on(jobs):
    active = created(jobs)
    ended = [created(jobs) for _ in range(domain.MAX_JOBS - 1)]
    for job in ended:
        jobs.end(job.id, "cancelled")
    latest = jobs.latest()
    new = [created(jobs), created(jobs)]
    kept = jobs.jobs(1000)
    assert len(kept) == domain.MAX_JOBS
    assert {active.id, *(job.id for job in new)} <= {job.id for job in kept}
    for job in ended[:2]:
        with pytest.raises(UnknownJob):
            jobs.job(job.id)
        assert jobs.events(job_id=job.id) == []
    assert jobs.job(ended[2].id).state == "cancelled"
    assert [event.id for event in jobs.events(latest)] == [latest + 1, latest + 2]


def test_a_log_is_cut_where_it_is_too_long_and_says_so(jobs):
    job = created(jobs)
    jobs.add_event(job.id, "log", {"text": "x" * (domain.LOG_EVENT + 7)})
    for _ in range(domain.LOG_TOTAL // domain.LOG_EVENT + 3):
        jobs.add_event(job.id, "log", {"text": "y" * domain.LOG_EVENT})
    texts = [event.data["text"] for event in jobs.events(job_id=job.id) if event.kind == "log"]
    assert texts[0].endswith("… (cut: 7 characters more)")
    assert texts[-1].endswith("(the rest of this job's log is not stored)")
    assert sum(len(text) for text in texts) < domain.LOG_TOTAL + 100


def test_of_each_run_the_latest_news_is_kept(jobs):
    job = created(jobs)
    for run, side, cell in ((0, "candidate", 1), (1, "candidate", 1), (0, "stable", 1), (0, "candidate", 2)):
        jobs.add_event(job.id, "underway", {"run": run, "side": side, "cell": cell})
    news = [event.data for event in jobs.events(job_id=job.id) if event.kind == "underway"]
    assert [(one["run"], one["side"], one["cell"]) for one in news] == [
        (1, "candidate", 1),
        (0, "stable", 1),
        (0, "candidate", 2),
    ]


def test_secret_parameters_reach_the_process_alone_and_are_gone_when_it_has_ended(jobs, home):
    request = {"parameter": ["api_key=hunter2", "rows=5"], "parameters_yaml": ["db:\n  password: hunter3\n  port: 1"]}
    job = created(jobs, request=request)
    assert job.request == {
        "parameter": ["api_key=(hidden)", "rows=5"],
        "parameters_yaml": ["db:\n  password: (hidden)\n  port: 1"],
    }
    assert jobs.claim(job.id, os.getpid()).request == request
    shown = [job.model_dump_json() for job in jobs.jobs()] + [json.dumps(event.data) for event in jobs.events()]
    assert not [text for text in shown if "hunter" in text]
    jobs.end(job.id, "done")
    assert b"hunter" not in (home / "jobs.sqlite").read_bytes()


def test_secrets_are_in_no_free_page_however_often_the_job_was_written(jobs, home, monkeypatch):
    connect = sqlite3.connect

    def connected(*given, **named):  # as SQLite is where its maker did not switch it on
        db = connect(*given, **named)
        db.execute("PRAGMA secure_delete = OFF")
        return db

    monkeypatch.setattr(sqlite3, "connect", connected)
    job = created(jobs, request={"parameter": ["api_key=hunter2"]}, state="waiting")
    jobs.start_capture(job.id, os.getpid())
    for number in range(1, 6):
        jobs.add_event(job.id, "step", {"number": number, "total": 5, "title": "so much " * 20 * number})
    jobs.finish_capture(job.id, "churn:1", "/python")
    jobs.claim(job.id, os.getpid())
    jobs.end(job.id, "done")
    assert b"hunter" not in (home / "jobs.sqlite").read_bytes()


def test_a_capture_of_an_ended_kernel_is_not_lost_to_an_earlier_check(jobs, monkeypatch):
    job = created(jobs, state="waiting")
    jobs.start_capture(job.id, os.getpid())

    def gone(*_):
        jobs.finish_capture(job.id, "churn:1", "/python")
        return False

    monkeypatch.setattr(adapter, "is_alive", gone)
    assert jobs.sweep() == []
    assert jobs.job(job.id).state == "queued"


def test_a_damaged_file_is_named_with_a_remedy(jobs, home):
    created(jobs)
    (home / "jobs.sqlite").write_bytes(b"no database, but long enough to look at" * 100)
    with pytest.raises(StoreError, match=r"jobs\.sqlite is damaged") as raised:
        SqliteJobs(home).jobs()
    assert "only the list of jobs is lost" in raised.value.remedy
