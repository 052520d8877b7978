"""Homes of their own for every test that writes, and the command line as a user runs it."""

import atexit
import contextlib
import functools
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from httpx._config import DEFAULT_TIMEOUT_CONFIG
from hypothesis import settings

from jupyter_deploy.serving import connections
from jupyter_deploy.system.process_defaults import without_slow_formats
from tests import forks

# Most tests deploy once from a kernel that then ends: what stands by for the next deploy would only cost time.
os.environ["NBDEPLOY_STANDBY"] = "false"

# A request gives up after five seconds, which a busy machine may take for each.
for step in ("connect", "read", "write", "pool"):
    setattr(DEFAULT_TIMEOUT_CONFIG, step, 120.0)

# pytest keeps what it has made of each test file, also where PYTHONDONTWRITEBYTECODE is set for all other programs.
sys.dont_write_bytecode = False

# pytest takes each module of a distribution with a plugin for tests and compiles their assertions; nbdeploy has one.
for finder in sys.meta_path:
    getattr(finder, "_must_rewrite", set()).discard("jupyter_deploy")

# A script starts what it runs in the background with SIGINT ignored, and each program inherits that: a test's Ctrl-C
# would reach none of the programs that the test starts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

forks.install()
without_slow_formats()  # each worker of the tests reads notebooks

settings.register_profile("untimed", deadline=None)  # a busy machine is no counterexample
settings.load_profile("untimed")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """With NBDEPLOY_REQUIRE_ALL=1 a skipped test fails, so that CI cannot pass by skipping tests."""
    report = (yield).get_result()
    if report.skipped and os.environ.get("NBDEPLOY_REQUIRE_ALL") == "1":
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped, which NBDEPLOY_REQUIRE_ALL=1 forbids: {report.longrepr}"


@pytest.fixture(autouse=True)
def _connections_end():
    """Close what a test has connected: a failed call of a model blames any broken connection of its process."""
    yield
    connections.close_all()


@dataclass
class Home:
    """A user's home for nbdeploy and BentoML, the environment that leads there, and the Python that has nbdeploy."""

    path: Path
    environment: dict
    python: str = sys.executable

    def run(self, *arguments, check=True, cwd=None, timeout=180):
        """Run ``nbdeploy …`` in its own process: a fork, if the test does not need a new process."""
        arguments = list(map(str, arguments))
        cwd = cwd or self.path
        if self.python == sys.executable and _of_python(self.environment) == _of_python(os.environ):
            ended = forks.run(arguments, environment=self.environment, cwd=cwd, timeout=timeout)
        else:
            ended = subprocess.run(
                [self.python, "-m", "jupyter_deploy", *arguments],
                env=self.environment,
                cwd=cwd,
                capture_output=True,
                text=True,
                timeout=timeout,
                check=False,
            )
        if check and ended.returncode:
            raise AssertionError(f"{arguments} ended with {ended.returncode}\n{ended.stdout}\n{ended.stderr}")
        return ended

    def down(self):
        """Stop everything that a test left running."""
        if (self.path / "nbdeploy").exists():
            self.run("down", check=False)

    def json(self, *arguments, **options):
        """The JSON document that a verb prints."""
        return json.loads(self.run(*arguments, "-o", "json", **options).stdout)


@functools.cache
def _session_folder():
    """As of a user's session. A test's home is too deep for sockets, and the user's own home is no test's."""
    folder = tempfile.TemporaryDirectory(prefix="nbd-run-", dir="/tmp", ignore_cleanup_errors=True)
    atexit.register(folder.cleanup)
    return Path(folder.name)


def _of_python(environment):
    """What the interpreter itself reads of an environment."""
    return {name: value for name, value in environment.items() if name.startswith("PYTHON")}


_DRAWN = random.SystemRandom()  # a model's test may set the seed, and parallel ones would draw the same ports


def free_port():
    """Return a port that no parallel test uses, below the range for outgoing connections, which could take it while a
    gateway is away.
    """
    while True:
        port = _DRAWN.randrange(20_000, 32_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def make_home(folder):
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    environment = {
        **os.environ,
        "NBDEPLOY_PORT": str(port),
        "NBDEPLOY_HOME": str(folder / "nbdeploy"),
        "BENTOML_HOME": str(folder / "bentoml"),
        "BENTOML_DO_NOT_TRACK": "true",
        "IPYTHONDIR": str(folder / "ipython"),
        "XDG_RUNTIME_DIR": str(_session_folder()),
    }
    for name in ("NBDEPLOY_NOTEBOOK", "JPY_SESSION_NAME"):
        environment.pop(name, None)
    return Home(folder, environment)


@pytest.fixture
def own_processes():
    """For tests that count processes, or end them: each program is a process that its supervisor started."""
    with forks.unforked():
        yield


@pytest.fixture(scope="module")
def own_processes_throughout():
    """The same for all tests of a file, and what they share."""
    with forks.unforked():
        yield


@pytest.fixture
def home(tmp_path):
    """A fresh home; whatever runs in it is stopped at the end."""
    made = make_home(tmp_path / "home")
    yield made
    made.down()


@pytest.fixture(scope="module")
def shared_home(tmp_path_factory):
    """One home for a module's tests."""
    made = make_home(tmp_path_factory.mktemp("shared") / "home")
    yield made
    made.down()
