"""Python programs in forks of processes that have done their imports, which are most of a short program's time.

The command line (``Home.run``) and the programs that nbdeploy itself starts run so: the supervisor and its programs,
builders of bentos, servers of validated models. Each is the real program, with its own arguments, variables and
descriptors. Tests whose subject is the start of a process start it themselves, or use ``unforked``.
"""

import array
import asyncio
import atexit
import contextlib
import functools
import hashlib
import json
import os
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from jupyter_deploy.serving.hosting.forking import PASSIVE, THREADS
from jupyter_deploy.targets.local.releases import zygotes
from jupyter_deploy.targets.local.releases.zygotes import Zygotes
from jupyter_deploy.targets.local.supervisor.supervisord import Supervisor
from tests.forked_programs import PROGRAMS, SUPERVISED, UNSAFE, server_of

_OF_PYTHON = ("PYTHONPATH", "PYTHONHOME", "PYTHONHASHSEED", "PYTHONUTF8", "PYTHONOPTIMIZE", "PYTHONWARNINGS")
_OF_HOME = {"BENTOML_HOME", "TMPDIR"}
_Popen = subprocess.Popen
_state = {"folder": None, "forked": True, "replays": False, "servers": {}}


def _server_for(words, environment):
    """The server that runs this command in a fork; None: it runs in a process of its own."""
    if not _state["forked"] or words[:1] != [sys.executable] or len(words) < 3:
        return None
    if _of_python(environment) != _of_python(os.environ):
        return None
    return server_of(words[1:], replays=_state["replays"])


def _without_death_signal(words):
    """A command without its prefix by which a process ends with its parent, and whether it had one."""
    had = words[1:4] == ["--pdeathsig", "KILL", "--"]
    return words[4:] if had else words, had


def _of_python(environment):
    """What changes the meaning of a program that the interpreter runs."""
    return {name: environment[name] for name in _OF_PYTHON if environment.get(name)}


class ForkingPopen(_Popen):
    """A process by ``subprocess``, or a fork with the same interface; ``server`` names its server in any case."""

    _connection = None

    def __init__(self, *arguments, server=None, **options):
        self._server = server
        super().__init__(*arguments, **options)

    def _execute_child(self, *others):
        args, executable, preexec_fn, _, pass_fds, cwd, env, *_ = others
        others, common = others[7:], others[:7]
        shell, pipes, (*_, umask, session, _) = others[2], others[3:9], others[9:]
        environment = dict(os.environ if env is None else env)
        words, ends_with_parent = [], False
        if not (executable or shell or preexec_fn or isinstance(args, str | Path)):
            words, ends_with_parent = _without_death_signal(list(map(str, args)))
            self._server = self._server or _server_for(words, environment)
        if self._server is None:
            super()._execute_child(*common, *others)
            return
        read, _, _, written, _, failed = pipes
        request = {
            "arguments": words[1:], "environment": environment, "cwd": str(cwd or Path.cwd()),
            "umask": _umask() if umask < 0 else umask, "session": session, "descriptors": list(pass_fds),
            "parent": os.getpid(), "ends_with_parent": ends_with_parent,
        }  # fmt: skip
        standard = [own if given == -1 else given for own, given in enumerate((read, written, failed))]
        self._connection = _asked(self._server, request, [*standard, *pass_fds])
        try:
            self.pid = int(_line(self._connection))
        except (OSError, ValueError):
            self._lost()
        self._child_created = True
        self._close_pipe_fds(*pipes)

    def _try_wait(self, wait_flags):
        if self._connection is None:
            return super()._try_wait(wait_flags)
        if self._connection.fileno() < 0:  # collected garbage, which subprocess keeps until it has ended
            return self.pid, 0
        if wait_flags & os.WNOHANG and not select.select([self._connection], [], [], 0)[0]:
            return 0, 0
        status = _line(self._connection)
        if not status:
            self._lost()
        self._connection.close()
        return self.pid, int(status)

    def _internal_poll(self, *arguments, **options):
        if self._connection is None:
            return super()._internal_poll(*arguments, **options)
        if self.returncode is None and self._waitpid_lock.acquire(blocking=False):
            try:
                if self.returncode is None and (ended := self._try_wait(os.WNOHANG))[0]:
                    self._handle_exitstatus(ended[1])
            finally:
                self._waitpid_lock.release()
        return self.returncode

    def _lost(self):
        """The server has ended, or the request was invalid."""
        self._connection.close()
        raise AssertionError(f"the fork of {self.args} was lost\n{_complaints(self._server)}")


class ForkWatcher(asyncio.ThreadedChildWatcher):
    """Waits for asyncio's processes, of which forks are not this process's children."""

    def add_child_handler(self, pid, callback, *arguments):
        process = getattr(arguments[-1], "_proc", None) if arguments else None
        if getattr(process, "_connection", None) is None:
            super().add_child_handler(pid, callback, *arguments)
            return
        threading.Thread(target=lambda: callback(pid, process.wait(), *arguments), daemon=True).start()


def run(arguments, *, environment, cwd, timeout):
    """Run ``nbdeploy ARGUMENTS`` in a fork; the result of ``subprocess.run``. Output may stay open in its children."""
    return _ended([sys.executable, "-m", "jupyter_deploy", *arguments], environment, cwd, timeout)


def run_code(code, *, environment, cwd, timeout):
    """Run Python code in a fork that has imported nbdeploy; the result of ``subprocess.run``."""
    return _ended([sys.executable, "-c", code], environment, cwd, timeout)


def _ended(command, environment, cwd, timeout):
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        process = ForkingPopen(
            command, server="own", env=environment, cwd=cwd, stdin=subprocess.DEVNULL, stdout=out, stderr=err
        )
        with process:
            try:
                code = process.wait(timeout)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
        texts = [file.read() for file in (out, err) if file.seek(0) == 0]
    return subprocess.CompletedProcess(command, code, *texts)


def install(folder=None):
    """Run the programs of this package that this process starts in forks; ``folder``: the servers' sockets."""
    _state["folder"] = folder
    subprocess.Popen = ForkingPopen
    asyncio.set_child_watcher(ForkWatcher())
    if launcher := sys.modules.get("jupyter_client.launcher"):
        launcher.Popen = ForkingPopen  # imported by that name
    Supervisor._plan = _forking(Supervisor._plan)
    Zygotes.ensure = _sharing(Zygotes.ensure)


@contextlib.contextmanager
def unforked():
    """Start processes as nbdeploy does."""
    before, _state["forked"] = _state["forked"], False
    try:
        yield
    finally:
        _state["forked"] = before


def are_used():
    """Whether programs run in forks here."""
    return _state["forked"]


@contextlib.contextmanager
def replays():
    """Replay in forks: for tests whose subject is what is captured, and not what a clean process has or lacks."""
    _state["replays"] = True
    try:
        yield
    finally:
        _state["replays"] = False


def _forking(original):
    @functools.wraps(original)
    def _plan(self, program, number):
        plan = original(self, program, number)
        start = [sys.executable, "-P", "-m"]
        if _state["forked"] and plan["command"][:3] == start and plan["command"][3] in SUPERVISED:
            plan["zygote"] = f"{_socket('own')}.plans"
        return plan

    return _plan


def _sharing(original):
    """All homes' releases of one environment have one zygote, which is no program of their supervisors."""

    @functools.wraps(original)
    def ensure(self, release, environment):
        code, imports = Path(release.path, "src", "serving"), Path(release.snapshot_path, "imports.json")
        own = release.interpreter != sys.executable or release.resources.pooled
        if not _state["forked"] or own or not code.is_dir() or not imports.exists() or zygotes._redirects(release):
            return original(self, release, environment)
        variables = zygotes.at_import(environment)
        variables = {name: variables[name] for name in sorted(variables.keys() - _OF_HOME)}
        key = json.dumps([release.framework, zygotes.code_digest(code), variables])
        name = f"z-{hashlib.sha256(key.encode()).hexdigest()[:12]}"
        folder = Path(_socket("own")).parent / name
        if not _listens(folder / "s"):
            with tempfile.TemporaryDirectory(dir=folder.parent) as made:
                shutil.copytree(code, Path(made, "serving"), ignore=shutil.ignore_patterns("__pycache__"))
                state = {
                    "socket": str(folder / "s"), "code": str(folder), "imports": json.loads(imports.read_text()),
                    "manifest": str(Path(release.snapshot_path, "snapshot.json")),
                }  # fmt: skip
                Path(made, "state.json").write_text(json.dumps(state))
                Path(made, "variables.json").write_text(json.dumps(variables))
                with contextlib.suppress(OSError):  # another process has made it
                    Path(made).rename(folder)
            with _asked("own", {"start": name}, []) as connection:
                _line(connection)
        return str(folder / "s")

    return ensure


def _listens(path):
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


def _asked(server, request, descriptors):
    text = json.dumps(request).encode()
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(_socket(server))
        items = array.array("i", descriptors)
        connection.sendmsg([len(text).to_bytes(4, "big")], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, items)])
        connection.sendall(text)
    except OSError as error:
        connection.close()
        raise AssertionError(f"no fork of {request['arguments']}: {error}\n{_complaints(server)}") from error
    return connection


def _line(connection):
    text = b""
    while not text.endswith(b"\n") and (piece := connection.recv(1)):
        text += piece
    return text


def _socket(server):
    """The path of a server's socket; the server is started if it does not run."""
    if _state["folder"] is None:
        folder = tempfile.TemporaryDirectory(prefix="nbdeploy-forks-", dir="/tmp")
        _state["folder"] = folder.name
        start_server(folder.name, "own")
        atexit.register(_close, folder, os.getpid())
    path = Path(_state["folder"], server)
    if not path.exists():
        with _asked("own", {"start": server}, []) as connection:
            if _line(connection) != b"started\n":
                raise AssertionError(f"the server of forks {server} did not start\n{_complaints(server)}")
    return str(path)


def start_server(folder, name):
    """Start a server that ends with this process, or a zygote, unless it runs."""
    if name.startswith("z-"):
        started = _state["servers"].get(name)
        if started is None or started.poll() is not None:
            _state["servers"][name] = _start_zygote(Path(folder, name))
        return
    # A kernel looks for modules in its notebook's folder only if the interpreter's flag allows it.
    options = [] if name in UNSAFE else ["-P"]
    command = [sys.executable, *options, str(Path(__file__).with_name("fork_server.py")), folder, name, *PROGRAMS[name]]
    with Path(folder, f"{name}.log").open("ab") as log:
        process = _Popen(list(map(str, command)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log)
    _state["servers"][name] = process
    if process.stdout.readline() != b"ready\n":
        raise AssertionError(f"the server of forks {name} did not start\n{_complaints(name)}")


def _start_zygote(folder):
    variables = json.loads((folder / "variables.json").read_text())
    environment = {**PASSIVE, **variables, **dict.fromkeys(THREADS, "1"), "BENTOML_HOME": str(folder / "bentoml")}
    command = [sys.executable, "-P", str(Path(__file__).with_name("shared_zygote.py")), str(folder / "state.json")]
    with (folder / "log").open("ab") as log:
        return _Popen(
            command, env=environment, cwd="/", umask=0o077,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
        )  # fmt: skip


def leave_servers():
    """In a fork: not to keep other servers alive."""
    for process in _state["servers"].values():
        process.stdin.close()
        process.stdout.close()


def _complaints(name):
    """The output of a server, and its end if this process knows it."""
    process = _state["servers"].get(name)
    code = None if process is None else process.poll()
    text = Path(_state["folder"], f"{name}.log").read_text("utf-8", "replace").strip()
    return f"{text}\nthe server of forks has ended with {code}" if code is not None else text


def _close(folder, owner):
    if os.getpid() == owner:
        for process in _state["servers"].values():
            process.stdin.close()  # by which it ends
            process.wait()
        folder.cleanup()


def _umask():
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("Umask:"):
            return int(line.split()[1], 8)
    return 0o022
