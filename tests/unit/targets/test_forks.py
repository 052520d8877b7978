"""The servers of forks in which tests run this package's programs."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time

import psutil
import pytest

from tests import forks
from tests.forked_programs import server_of

FAILS = "import sys; sys.stderr.write('why'); sys.exit(3)"


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A server of its own, whose forks run any code."""
    monkeypatch.setattr(forks, "_state", forks._state | {"folder": str(tmp_path), "servers": {}})
    monkeypatch.setitem(forks.PROGRAMS, "small", ("json",))
    forks.start_server(str(tmp_path), "small")
    process = forks._state["servers"]["small"]
    yield process
    process.stdin.close()
    process.wait()


def run(code, *, prefix=(), **options):
    command = [*prefix, sys.executable, "-P", "-c", code]
    return forks.ForkingPopen(command, server="small", text=True, **options)


def test_a_fork_is_a_process_with_its_own_descriptors_variables_and_exit_code(server, tmp_path):
    code = "import os, sys; print(os.environ['A'], os.getcwd(), sys.stdin.read(), os.getppid()); sys.exit(7)"
    process = run(
        code, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={"A": "b"}, cwd=tmp_path, start_new_session=True
    )
    assert os.getsid(process.pid) == process.pid
    out, _ = process.communicate("in")
    assert out.split() == ["b", str(tmp_path), "in", str(os.getpid())]
    assert process.returncode == 7
    assert run(FAILS, stderr=subprocess.DEVNULL).wait() == 3


def test_a_killed_fork_is_seen(server):
    process = run("import time; time.sleep(600)")
    assert process.poll() is None
    process.kill()
    assert process.wait() == -signal.SIGKILL


def test_asyncio_gets_the_output_and_the_end_of_a_fork(server, monkeypatch):
    monkeypatch.setattr(forks, "_server_for", lambda *_: "small")

    async def ended(*words):
        process = await asyncio.create_subprocess_exec(*words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        out, _ = await process.communicate(b"in")
        return out, process.returncode

    code = "import os, sys; print(sys.stdin.read(), os.getpid()); sys.exit(7)"
    out, returncode = asyncio.run(ended(sys.executable, "-P", "-c", code))
    assert (out.split()[0], returncode) == (b"in", 7)
    monkeypatch.undo()
    assert asyncio.run(ended("sh", "-c", "cat; exit 5")) == (b"in", 5)


def test_a_fork_ends_with_its_client_where_a_process_would_end_with_its_parent(server):
    prefix = ["/usr/bin/setpriv", "--pdeathsig", "KILL", "--"]
    bound, free = run("import time; time.sleep(600)", prefix=prefix), run("import time; time.sleep(600)")
    for process in (bound, free):
        process._connection.close()  # as at the end of this process
    while psutil.pid_exists(bound.pid):
        time.sleep(0.01)
    assert psutil.pid_exists(free.pid)
    os.kill(free.pid, signal.SIGKILL)
    bound.returncode = free.returncode = 0  # nobody waits for them


@pytest.mark.parametrize(
    ("words", "server"),
    [
        (["-m", "ipykernel_launcher", "-f", "connection.json"], "kernels"),
        (["/any/notebooks/kernels/fork_server.py", "3"], "kernel-forks"),
        (["-m", "jupyter_server", "--no-browser"], "jupyter"),
        (["-P", "-m", "jupyter_deploy.faces.server.jobs.process"], "own"),
        (["-m", "jupyter_deploy", "list"], None),
        (["-c", "import ipykernel_launcher"], None),
    ],
)
def test_programs_are_forked_by_the_server_that_has_their_imports(words, server):
    assert server_of(words, replays=False) == server


@pytest.mark.parametrize("sent", [b"", b"\0", b"\0\0\0\x09{", b"\0\0\0\x02{}", b"\xff\xff\xff\xff{}"])
def test_a_client_that_is_killed_before_its_request_is_whole_ends_no_server(server, tmp_path, sent):
    for path in (tmp_path / "small", tmp_path / "small.plans"):
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
            client.sendall(sent)
    assert run("pass").wait() == 0
    assert server.poll() is None


def test_a_client_that_sends_nothing_holds_others_up_for_a_while_only(server, tmp_path, monkeypatch):
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(tmp_path / "small"))
        assert run("pass").wait() == 0


def test_a_server_that_has_ended_says_why(server):
    server.kill()
    server.wait()
    with pytest.raises(AssertionError, match="has ended with -9"):
        run("pass")
