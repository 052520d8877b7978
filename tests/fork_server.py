"""A process that forks Python programs after their imports: ``python -P tests/fork_server.py FOLDER NAME MODULE…``.

``forks`` is the client. Two sockets lie in ``FOLDER``:

- ``NAME``: a request is the length of a JSON document (4 bytes, big endian) with the descriptors of standard input,
  output and error and of ``descriptors``, and the document: ``arguments`` of the interpreter, ``environment``, ``cwd``,
  ``umask``, ``session`` (whether the fork leads one), ``descriptors`` (numbers for the fork), ``parent`` (a process
  id) and ``ends_with_parent`` (whether the fork is killed at the client's end). The replies are the fork's process id
  and, at its end, its wait status, a line each. ``{"start": NAME}`` starts another server, whose imports ``PROGRAMS``
  has.
- ``NAME.plans``: as a zygote's socket (``targets/local/releases/zygote.py``), for programs of this package.

It ends when its standard input does.
"""

import array
import atexit
import contextlib
import fcntl
import gc
import json
import os
import runpy
import select
import signal
import socket
import sys
import tempfile
import threading
import time
import traceback
from importlib import import_module
from pathlib import Path
from types import ModuleType

REQUEST_SECONDS = 5.0
_MOST_DESCRIPTORS = 16
_PLAN_BYTES = 4096
_SPARE_DESCRIPTORS = 200
_ROOT = Path(__file__).parents[1]


class Server:
    """``running``: the connection that waits for each fork's end; None: nobody does. ``bound``: to their clients."""

    def __init__(self, folder, name):
        self._name, self._path = name, Path(folder, name)
        self._running, self._bound = {}, set()
        self._listener, self._plans = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)
        self._heard, self._hear = os.pipe()
        os.set_blocking(self._hear, False)

    def serve(self):
        """Fork for each request, until the standard input is closed; the forks with a client end then too."""
        signal.set_wakeup_fd(self._hear)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._plans.bind(f"{self._path}.plans")
        self._plans.listen(64)
        self._listener.bind(str(self._path))
        self._listener.listen(64)
        os.write(1, b"ready\n")
        while True:
            waiting = [one for one in self._running.values() if one is not None]
            ready, _, _ = select.select([0, self._listener, self._plans, self._heard, *waiting], [], [])
            if 0 in ready:
                break
            if self._heard in ready:
                os.read(self._heard, 4096)
            self._reap(ready)
            for listener, answer in ((self._listener, self._answer), (self._plans, self._answer_plan)):
                if listener in ready:
                    connection, _ = listener.accept()
                    # A client may be killed at any moment.
                    with contextlib.suppress(OSError, ValueError, EOFError, LookupError):
                        connection.settimeout(REQUEST_SECONDS)
                        answer(connection)
        for pid, connection in self._running.items():
            if connection is not None:
                os.kill(pid, signal.SIGKILL)

    def _reap(self, ready):
        for pid, connection in list(self._running.items()):
            if connection in ready:  # its client has ended
                connection.close()
                self._running[pid] = None
                if pid in self._bound:
                    os.kill(pid, signal.SIGKILL)
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                self._bound.discard(pid)
            if ended and (connection := self._running.pop(pid)) is not None:
                with connection, contextlib.suppress(OSError):
                    connection.sendall(b"%d\n" % status)

    def _answer(self, connection):
        with contextlib.ExitStack() as opened:
            opened.enter_context(connection)
            request, descriptors = _received(connection, opened)
            if "start" in request:
                import_module("tests.forks").start_server(self._path.parent, request["start"])
                connection.sendall(b"started\n")
                return
            if len(descriptors) != 3 + len(request["descriptors"]):
                raise EOFError
            begun, begin = os.pipe()
            opened.callback(os.close, begun)
            pid = self._fork(connection, lambda: _become(request, descriptors, begin))
            os.close(begin)
            os.read(begun, 1)  # until the fork leads its session: a client may send that a signal at once
            connection.sendall(b"%d\n" % pid)
            self._running[pid] = connection
            if request["ends_with_parent"]:
                self._bound.add(pid)
            opened.pop_all()
            for descriptor in (begun, *descriptors):
                os.close(descriptor)

    def _answer_plan(self, connection):
        from jupyter_deploy.targets.local.supervisor import launch

        with contextlib.ExitStack() as opened:
            opened.enter_context(connection)
            connection.sendall(b"ready\n")
            path, descriptors, _, _ = socket.recv_fds(connection, _PLAN_BYTES, 2)
            for descriptor in descriptors:
                opened.callback(os.close, descriptor)
            if not path.endswith(b"\n") or len(descriptors) != 2:
                raise EOFError
            plan_path = Path(path.decode().strip())
            plan = json.loads(plan_path.read_text())
            pid = self._fork(connection, lambda: _become_planned(launch, plan, plan_path, *descriptors))
            self._running[pid] = None
            connection.sendall(b"forked\n")

    def _fork(self, connection, run):
        if pid := os.fork():
            return pid
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for one in (connection, self._listener, self._plans, *self._running.values()):
            if one is not None:
                one.close()
        os.close(self._heard)
        os.close(self._hear)
        if self._name == "own":
            import_module("tests.forks").leave_servers()  # the others start none
        as_a_process(run)
        return 0


def _received(connection, opened):
    """The request and its descriptors, which ``opened`` closes. Raises EOFError: the client has ended."""
    items = array.array("i")
    head, sent, _, _ = connection.recvmsg(4, socket.CMSG_SPACE(_MOST_DESCRIPTORS * items.itemsize))
    for _, _, content in sent:
        items.frombytes(content[: len(content) - len(content) % items.itemsize])
    for descriptor in items:
        opened.callback(os.close, descriptor)
    head += _exactly(connection, 4 - len(head))
    return json.loads(_exactly(connection, int.from_bytes(head, "big"))), list(items)


def _exactly(connection, size):
    read = b""
    while len(read) < size:
        piece = connection.recv(size - len(read))
        if not piece:
            raise EOFError
        read += piece
    return read


def _become(request, descriptors, begin):
    """This fork is the interpreter with the request's arguments from here on; it closes ``begin``."""
    if request["session"]:
        os.setsid()
    os.close(begin)
    os.umask(request["umask"])
    _place(descriptors, [0, 1, 2, *request["descriptors"]])
    own, parent, getppid = os.getpid(), request["parent"], os.getppid
    os.getppid = lambda: getppid() if os.getpid() != own else parent if Path(f"/proc/{parent}").exists() else 1
    _run(request["arguments"], request["environment"], request["cwd"])


def _become_planned(launch, plan, path, hold, log):
    """This fork is the process of a supervised program's plan from here on."""
    os.setsid()
    os.umask(0o077)  # the supervisor's
    launch.take_over(plan, path, hold, log)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    _run(plan["command"][1:], plan["environment"], plan["folder"])


def _place(descriptors, numbers):
    """Give descriptors these numbers."""
    spare = [fcntl.fcntl(descriptor, fcntl.F_DUPFD, _SPARE_DESCRIPTORS) for descriptor in descriptors]
    for descriptor in descriptors:
        os.close(descriptor)
    for descriptor, number in zip(spare, numbers, strict=True):
        os.dup2(descriptor, number)
        os.close(descriptor)


def _run(arguments, environment, cwd):
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    sys.dont_write_bytecode = bool(environment.get("PYTHONDONTWRITEBYTECODE"))
    if hasattr(time, "tzset"):
        time.tzset()
    tempfile.tempdir = None
    if "bentoml" in sys.modules:
        forget_bentoml_home()
    runpy.run_path(str(_ROOT / "jupyter_deploy/targets/local/releases/zygote.py"))["_show"](
        " ".join([sys.executable, *arguments])
    )
    safe = arguments[0] == "-P"
    option, *others = arguments[safe:]
    if option == "-c":
        sys.argv = ["-c", *others[1:]]
        main = sys.modules["__main__"] = ModuleType("__main__")
        exec(others[0], vars(main))
    elif option == "-m":
        name, *others = others
        sys.path[:0] = [] if safe else [cwd]
        sys.argv = [name, *others]
        sys.modules.pop(name, None)
        runpy.run_module(name, run_name="__main__", alter_sys=True)
    else:
        sys.path[:0] = [] if safe else [str(Path(option).parent)]
        sys.argv = [option, *others]
        runpy.run_path(option, run_name="__main__")


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


def _build_one(folder):
    """Build a bento as each fork does: most of a first one are imports and settings."""
    own = os.dup(0)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)  # there is no other job
    os.environ["TMPDIR"] = tempfile.mkdtemp(dir=folder)
    runpy.run_path(str(_ROOT / "jupyter_deploy" / "artifacts" / "bento_build.py"), run_name="__main__")
    os.dup2(own, 0)
    os.close(own)
    tempfile.tempdir = None


def forget_bentoml_home():
    """BentoML finds its stores when it needs them, once."""
    from bentoml._internal.configuration.containers import BentoMLContainer
    from simple_di import sentinel
    from simple_di.providers import SingletonFactory

    for provider in vars(type(BentoMLContainer)).values():
        if isinstance(provider, SingletonFactory):
            provider._cache = sentinel


def main(folder, name, *imported):
    if not sys.flags.safe_path:
        del sys.path[0]  # the folder of this file
    starts_others = name in ("own", "jupyter")
    if starts_others:  # the only ones that need this repository
        sys.path.append(str(_ROOT))
        import_module("jupyter_deploy.system.process_defaults").without_slow_formats()
    for module in imported:
        import_module(module)
    if name == "own":  # reads the entry points and completes classes, as each command does
        settings = import_module("jupyter_deploy.settings").load_settings()
        for declared in import_module("jupyter_deploy.targets.registry").target_settings().values():
            settings.for_target(declared)
    if starts_others:
        import_module("tests.forks").install(folder)
    if name == "bentos":
        _build_one(folder)
    if "ipykernel.kernelapp" in imported:  # its class has its parent's number from its import on
        del sys.modules["ipykernel.kernelapp"], sys.modules["ipykernel"].kernelapp
    gc.freeze()  # a fork's collections need not visit what was imported
    if threading.active_count() > 1:
        raise SystemExit(f"forks need a process of one thread: {threading.enumerate()}")
    Server(folder, name).serve()


if __name__ == "__main__":
    main(*sys.argv[1:])
