"""A broker of messages on this machine, which tests start and kill."""

import shutil
import signal
import socket
import subprocess
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from tests.conftest import free_port

SECONDS = 60


class Stored(NamedTuple):
    """A message that a broker keeps."""

    headers: dict
    data: bytes


class Server:
    """A program that listens on a port of this machine and keeps its messages in a folder.

    ``answers_once``: a second answer to a message is dropped, also after a kill. ``durable``: a kill undoes nothing
    that it has acknowledged.
    """

    program, scheme = "", ""
    answers_once = True
    durable = True

    def __init__(self, folder):
        self.folder = folder
        self.port = free_port()
        self.url = f"{self.scheme}://127.0.0.1:{self.port}"
        self._log = folder.parent / f"{Path(self.program).name}.log"
        self._process = None

    def start(self):
        """Start it, also after a kill, and wait until it answers."""
        program = shutil.which(self.program) or f"/usr/sbin/{self.program}"
        with self._log.open("ab") as log:
            self._process = subprocess.Popen([program, *self.options()], stdout=log, stderr=log, env=self.environment())
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                if self.answers():
                    return
            time.sleep(0.05)
        raise AssertionError(f"{self.program} did not start: {self._log.read_text()}")

    def environment(self):
        """The environment of the program; None: that of the tests."""

    def answers(self):
        """Whether it answers a connection."""
        return True

    def kill(self):
        """End it without a chance to write."""
        self._end_by(signal.SIGKILL)

    def stop(self):
        """End it as its user does."""
        self._end_by(signal.SIGTERM)

    def _end_by(self, number):
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait()
            self._process = None

    def end(self):
        """End all that it started."""
        self.kill()


@contextmanager
def running(kind, folder):
    """A running server, such as ``running(NatsServer, folder)``."""
    (folder / "store").mkdir(parents=True, exist_ok=True)
    server = kind(folder / "store")
    try:
        server.start()
        yield server
    finally:
        server.end()
