"""Python programs in forks of a process that has done their imports: a second of imports a call is spent once.

The programs are the command line, and code as of ``python -c`` (``forked_replays``). Tests whose subject is the start
of a process run ``python -m jupyter_deploy`` themselves.
"""

import array
import atexit
import contextlib
import gc
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from importlib import import_module
from pathlib import Path
from types import ModuleType

# What most calls import. Not bentoml: it reads BENTOML_HOME once, when it is imported.
IMPORTED = (
    "jupyter_deploy.faces.cli.main", "jupyter_deploy.wiring", "jupyter_deploy.faces.kernel.python_api",
    "jupyter_deploy.targets.local.target", "jupyter_deploy.store.store", "jupyter_deploy.comparison.record_log",
    "jupyter_deploy.capture.capturer", "jupyter_deploy.notebooks.papermill", "jupyter_deploy.notebooks.execution",
    "jupyter_deploy.faces.render.render", "jupyter_deploy.verbs.deploy", "jupyter_deploy.verbs.validate",
    "jupyter_deploy.validation.runner", "jupyter_deploy.validation.judge", "pydantic_settings", "httpcore", "numpy",
    "duckdb", "cloudpickle", "nbformat", "nbclient", "papermill", "jupyter_client", "rich.console", "rich.progress",
    "attrs", "cattrs", "starlette.applications", "opentelemetry.sdk.trace", "prometheus_client", "simple_di",
    "aiohttp", "click", "yaml", "schema", "pip_requirements_parser", "uvicorn", "tomli_w", "envoy", "httpx",
    "jupyter_deploy.faces.cli.parser", "jupyter_deploy.faces.render.board", "jupyter_deploy.faces.render.progress",
    "jupyter_deploy.targets.local.http_client", "jupyter_deploy.verbs.down", "jupyter_deploy.verbs.logs",
    "jupyter_deploy.verbs.predict", "jupyter_deploy.verbs.status", "jupyter_deploy.verbs.traffic",
)  # fmt: skip


class Forks:
    """A server of forks of a process with these imports; it ends with the test process."""

    def __init__(self, imported=IMPORTED):
        self._folder = tempfile.TemporaryDirectory(prefix="nbdeploy-cli-")
        self._path = str(Path(self._folder.name, "s"))
        self._process = subprocess.Popen(
            [sys.executable, "-P", __file__, self._path, *imported], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        if self._process.stdout.readline() != b"ready\n":
            raise AssertionError("the server of forks did not start")
        atexit.register(self.close)

    def close(self):
        self._process.stdin.close()  # by which it ends
        self._process.wait()
        self._folder.cleanup()

    def run(self, arguments, *, environment, cwd, timeout):
        """``nbdeploy …``, or ``python -P -c CODE``; the result of ``subprocess.run``."""
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err, socket.socket(socket.AF_UNIX) as asked:
            asked.connect(self._path)
            request = json.dumps({"arguments": arguments, "environment": environment, "cwd": str(cwd)}).encode()
            descriptors = array.array("i", [out.fileno(), err.fileno()])
            asked.sendmsg([len(request).to_bytes(4, "big")], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, descriptors)])
            asked.sendall(request)
            asked.settimeout(timeout)
            try:
                answer = asked.recv(16)
            except TimeoutError:
                raise subprocess.TimeoutExpired(["nbdeploy", *arguments], timeout) from None  # it is killed there
            texts = []
            for file in (out, err):
                file.seek(0)
                texts.append(file.read().decode())
        if not answer:
            raise AssertionError(f"the process of {arguments} was lost\n{texts}")
        return subprocess.CompletedProcess(["nbdeploy", *arguments], int(answer), *texts)


def serve(path, imported):
    """Fork for each connection, and answer with the exit code; until the standard input is closed."""
    for name in imported:
        import_module(name)
    gc.freeze()  # a fork's collections need not visit what was imported
    if threading.active_count() > 1:
        raise SystemExit(f"forks need a process of one thread: {threading.enumerate()}")
    running = {}
    heard, hear = os.pipe()
    os.set_blocking(hear, False)
    signal.set_wakeup_fd(hear)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(16)
        os.write(1, b"ready\n")
        while True:
            ready, _, _ = select.select([0, listener, heard, *running.values()], [], [])
            if 0 in ready:
                break
            if heard in ready:
                os.read(heard, 4096)
            _reap(running, ready)
            if listener in ready:
                pid, connection = _forked(listener.accept()[0], (listener.fileno(), heard, hear), running)
                running[pid] = connection
    for pid in running:
        os.kill(pid, signal.SIGKILL)


def _reap(running, ready):
    for pid, connection in list(running.items()):
        if connection in ready:  # its test has waited long enough
            os.kill(pid, signal.SIGKILL)
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            with running.pop(pid), contextlib.suppress(OSError):
                connection.sendall(str(os.waitstatus_to_exitcode(status)).encode())


def _forked(connection, own, running):
    head, sent, _, _ = connection.recvmsg(4, socket.CMSG_SPACE(8))
    out, err = array.array("i", sent[0][2])
    request = json.loads(_exactly(connection, int.from_bytes(head, "big")))
    if (pid := os.fork()) == 0:
        for one in (connection, *running.values()):
            one.close()
        for descriptor in own:
            os.close(descriptor)
        as_a_process(lambda: _become(request, out, err))
    os.close(out)
    os.close(err)
    return pid, connection


def _exactly(connection, size):
    read = b""
    while len(read) < size:
        read += connection.recv(size - len(read))
    return read


def _become(request, out, err):
    """This fork is ``python -m jupyter_deploy ARGUMENTS`` or ``python -P -c CODE`` from here on."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (out, 1), (err, 2)):
        os.dup2(source, target)
        os.close(source)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["environment"])
    if hasattr(time, "tzset"):
        time.tzset()
    tempfile.tempdir = None
    option, *others = request["arguments"] or [""]
    if option == "-c":
        main = sys.modules["__main__"] = ModuleType("__main__")
        sys.argv = ["-c"]
        exec(others[0], vars(main))
        return
    sys.path[:0] = [request["cwd"]]  # as -m does
    sys.argv = ["nbdeploy", *request["arguments"]]
    runpy.run_module("jupyter_deploy", run_name="__main__", alter_sys=True)


def as_a_process(run):
    """Run this fork to its end as the interpreter runs a program, and leave nothing to the caller."""
    code = 70
    try:
        code = _exit_code(run)
    finally:
        os._exit(code)


def _exit_code(run):
    try:
        run()
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:  # noqa: BLE001 - as the interpreter does
        traceback.print_exc()
        code = 1
    threading._shutdown()  # as the interpreter does: threads that are no daemons end first
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    return code


if __name__ == "__main__":
    sys.path.append(str(Path(__file__).parents[1]))
    serve(sys.argv[1], sys.argv[2:])
