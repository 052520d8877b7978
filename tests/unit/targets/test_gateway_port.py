"""The gateway's port while the Envoy of before ends: its sockets close after its first thread has ended."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from jupyter_deploy.targets.local.gateway.gateway import Gateway
from jupyter_deploy.targets.local.runtime import Runtime
from jupyter_deploy.targets.local.settings import LocalSettings
from jupyter_deploy.targets.local.supervisor.supervisord import Supervisor
from tests.conftest import free_port

# Its first thread has ended, as that of a killed Envoy whose other threads wait for a processor; the port is bound.
ENDING = """
import ctypes, os, socket, sys, threading
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
threading.Thread(target=lambda: (sys.stdin.buffer.read(), os._exit(0))).start()
print("bound", flush=True)
ctypes.CDLL(None).syscall(60, 0)  # exit: of this thread alone
"""


@pytest.mark.skipif(os.uname().machine != "x86_64" or sys.platform != "linux", reason="the number of a system call")
def test_the_port_of_a_gateway_that_is_still_ending_is_nobody_elses(tmp_path: Path) -> None:
    port, runtime = free_port(), Runtime(tmp_path / "r")
    runtime.prepare()
    settings = LocalSettings(home=tmp_path / "home", bentoml_home=tmp_path, runtime=runtime.path, port=port)
    gateway = Gateway(settings, runtime, Supervisor(runtime, settings.logs))
    lock = os.open(runtime.path / "pids" / "gateway@0", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    with subprocess.Popen(
        [sys.executable, "-c", ENDING, str(port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=[lock]
    ) as process:
        os.pwrite(lock, f"{process.pid:<10}\n".encode(), 0)
        os.close(lock)
        assert process.stdout
        assert process.stdin
        assert process.stdout.readline() == b"bound\n"
        threading.Timer(0.5, process.stdin.close).start()
        assert not gateway._displaced()
