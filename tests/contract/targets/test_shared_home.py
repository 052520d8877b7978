"""Two containers that share a home: neither takes the other's processes for ended."""

import contextlib
import json
import os
import signal
import subprocess
import sys

import psutil
import pytest

from jupyter_deploy.domain.errors import Conflict
from jupyter_deploy.store.jobs import SqliteJobs
from jupyter_deploy.store.store import SqliteStore
from jupyter_deploy.system import processes
from tests.e2e.conftest import until
from tests.releases import release

HERE = """
import json, os, sys
from pathlib import Path
from jupyter_deploy.store.jobs import SqliteJobs
from jupyter_deploy.store.store import SqliteStore
from jupyter_deploy.domain.release.endpoint import Release
home = Path(sys.argv[1])
jobs, store = SqliteJobs(home), SqliteStore(home, "ada")
def say(**what):
    print(json.dumps(what), flush=True)
"""
WORKS = """
job = jobs.create("deploy", {}, title="deploy clf as churn", endpoint="churn")
captured = jobs.create("deploy", {}, title="deploy clf as churn", endpoint="churn", state="waiting")
asked = jobs.create("deploy", {}, title="deploy clf as churn", endpoint="churn", state="waiting")
jobs.claim(job.id, os.getpid())
jobs.start_capture(captured.id, os.getpid())
jobs.request_capture(asked.id, os.getpid())
store.intend(Release.model_validate_json(sys.argv[2]))
say(pid=os.getpid(), job=job.id, captured=captured.id, asked=asked.id)
sys.stdin.read()
"""
LOOKS = """
say(swept=[job.id for job in jobs.sweep()], abandoned=len(store.abandoned()), intended=len(store.intended()))
"""


class Container:
    """A program in a PID namespace of its own, as in a container that mounts the same home."""

    def __init__(self, program, *arguments):
        rights = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
        self.process = subprocess.Popen(
            ["unshare", *rights, "--pid", "--fork", "--kill-child", "--mount-proc",
             sys.executable, "-c", HERE + program, *map(str, arguments)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.said = json.loads(self.process.stdout.readline())

    def end(self, *, kill=False):
        """Killed, or as a program ends."""
        if kill:  # the program first: an end of its standard input would be an end as any other
            with contextlib.suppress(psutil.NoSuchProcess):
                for program in psutil.Process(self.process.pid).children(recursive=True):
                    program.kill()
            self.process.kill()
        self.process.communicate()


@pytest.fixture
def home(tmp_path):
    return tmp_path / "home"


@pytest.fixture
def other(home):
    container = Container(WORKS, home, release("one").model_dump_json())
    yield container
    container.end(kill=True)


def test_what_runs_in_another_container_is_not_swept_and_is_once_that_was_killed(home, other):
    jobs, store = SqliteJobs(home), SqliteStore(home, "ada")
    assert other.said["pid"] != other.process.pid
    assert jobs.sweep() == []
    assert ([one.tag for one in store.intended()], store.abandoned()) == ([release("one").tag], [])
    store.fulfil(release("one"))  # of another one's intents it says nothing
    assert len(store.intended()) == 1

    other.end(kill=True)
    lost = until(jobs.sweep)
    assert {job.id for job in lost} == {other.said["job"], other.said["captured"]}
    assert {job.problem.code for job in lost} == {"killed"}
    # It may be busy elsewhere: who only was asked is waited for.
    assert jobs.job(other.said["asked"]).state == "waiting"
    assert ([one.tag for one in store.abandoned()], store.intended()) == ([release("one").tag], [])
    assert list((home / "processes").iterdir()) == []


def test_what_ended_as_it_should_in_another_container_leaves_no_lock(home, other):
    assert len(list((home / "processes").glob("*.lock"))) == 1
    other.end()
    assert list((home / "processes").iterdir()) == []


def test_another_container_sweeps_nothing_of_what_runs_here(home):
    jobs, store = SqliteJobs(home), SqliteStore(home, "ada")
    job = jobs.create("deploy", {}, title="deploy clf as churn", endpoint="churn")
    jobs.claim(job.id, os.getpid())
    store.intend(release("one"))
    looks = Container(LOOKS, home)
    assert looks.said == {"swept": [], "abandoned": 0, "intended": 1}
    looks.end()
    store.fulfil(release("one"))
    jobs.end(job.id, "done")


def test_cancelling_a_job_of_another_container_names_that_container(home, other):
    with pytest.raises(Conflict, match=r"runs on \S+, in another container") as refused:
        SqliteJobs(home).signal(other.said["job"], signal.SIGINT)
    assert "cancel it on" in refused.value.remedy
    assert other.process.poll() is None


def test_a_job_does_not_wait_for_a_kernel_from_before_a_reboot(home, monkeypatch):
    jobs = SqliteJobs(home)
    job = jobs.create("deploy", {}, title="deploy clf as churn", endpoint="churn", state="waiting")
    jobs.request_capture(job.id, os.getpid())
    monkeypatch.setattr(processes, "_boot_and_namespace", lambda: ("another boot", "4026531836"))
    assert [lost.id for lost in jobs.sweep()] == [job.id]


def test_where_nothing_can_be_locked_what_runs_elsewhere_is_left_alone(home, other, monkeypatch):
    def unsupported(*_):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(processes.fcntl, "flock", unsupported)
    other.end(kill=True)
    assert SqliteJobs(home).sweep() == []


FORKS = WORKS.replace("sys.stdin.read()", "child = os.fork()\nchild or say(forked=True)\nsys.stdin.read()")


def test_a_fork_does_not_hold_on_for_the_process_that_it_came_from(home):
    command = [sys.executable, "-c", HERE + FORKS, str(home), release("one").model_dump_json()]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        process.stdout.readline()
        assert json.loads(process.stdout.readline()) == {"forked": True}
        (lock,) = (home / "processes").glob("*.lock")
        assert processes._is_locked(lock)
        process.kill()
        process.wait()
        until(lambda: not processes._is_locked(lock))  # while the fork is there, until its stdin ends
