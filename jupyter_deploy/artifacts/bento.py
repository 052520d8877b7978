"""BentoML's two stores: snapshots as models, and the bentos that serve them. Locations are always explicit."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from string import Template
from typing import Any

from packaging.version import Version

from jupyter_deploy.domain.capture.artifacts import Bento, Environment, Snapshot
from jupyter_deploy.domain.errors import StoreError
from jupyter_deploy.domain.release.processes import passed_on
from jupyter_deploy.environments.environment import lacking, without
from jupyter_deploy.serving.audit.callers import LIBRARIES
from jupyter_deploy.system.clean_process import copy_serving
from jupyter_deploy.system.home import private_folder
from jupyter_deploy.system.spare import Standby, end, fits, put, take
from jupyter_deploy.system.temp import scratch_folder

from .bento_format import FILE as FORMAT_FILE
from .bento_format import FORMAT, format_of

_TEMPLATE = Path(__file__).with_name("service.py.template")

_PURPOSE = "build"

# It ends by itself when its input is closed before it was told anything, as the end of this process does, or when
# nothing comes for ten minutes.
# It rehearses with a service of its own, in a store of its own: two thirds of a first build are spent in imports and
# settings that a second one finds there.
_BUILD = """
import contextlib, json, os, pathlib, select, sys
import bentoml
from bentoml._internal.bento import BentoStore

folder = pathlib.Path(os.environ["TMPDIR"], "rehearsal")
(folder / "bentos").mkdir(parents=True)
(folder / "rehearsal.py").write_text('''
import bentoml
@bentoml.service(name="rehearsal")
class Rehearsal:
    @bentoml.api
    def predict(self, instances: list) -> dict:
        return {}
''')
with contextlib.suppress(Exception):
    sys.path.insert(0, str(folder))
    bentoml.bentos.build(
        service="rehearsal:Rehearsal", name="rehearsal", version="1", build_ctx=str(folder), include=["*.py"],
        python={"packages": ["bentoml"], "lock_packages": False}, _bento_store=BentoStore(folder / "bentos"),
    )
sys.path.remove(str(folder))
asked = sys.stdin.read() if select.select([sys.stdin], [], [], 600)[0] else ""
if asked:
    arguments = json.loads(asked)
    sys.path.insert(0, arguments["build_ctx"])
    bentoml.bentos.build(**arguments)
"""


@contextlib.contextmanager
def quiet_bentoml() -> Iterator[Any]:
    """The bentoml module, with its telemetry off while this package uses it."""
    name = "BENTOML_DO_NOT_TRACK"
    before = os.environ.get(name)
    os.environ[name] = "true"
    try:
        yield _imported()
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


def _imported() -> Any:
    try:
        import bentoml  # a quarter of a second that only storing needs
        import bentoml._internal.configuration.containers  # else it comes with the first use
    except Exception as error:
        # Whoever comes first has the name: a module of the project instead of the one that BentoML imports.
        installed = metadata.packages_distributions()
        loaded = {name: getattr(module, "__file__", None) for name, module in list(sys.modules.items())}
        taken = [file for name, file in loaded.items() if name in installed and file and not file.startswith(LIBRARIES)]
        raise StoreError(
            f"BentoML, which stores the model, cannot be imported: {type(error).__name__}: {error}",
            f"give {' and '.join(taken)} another name: a distribution's module has it, which BentoML needs"
            if taken
            else "does 'python -c \"import bentoml\"' work in this environment?",
        ) from error
    return bentoml


class BentoBuilder:
    """The Builder port: a readable service.py, the serving package and a locked list of requirements.

    Parameters
    ----------
    home : Path
        BentoML's home (``models/`` and ``bentos/`` are in it).
    """

    def __init__(self, home: Path) -> None:
        self._home = home
        self._waiting: subprocess.Popen[str] | None = None

    @contextlib.contextmanager
    def prepared(self) -> Iterator[None]:
        """Within, a process that has BentoML imported waits for what to build: a second less after the replay."""
        ready = take(_PURPOSE, fits(self._home)) or self._started()
        with ready.held:
            self._waiting = ready.process
            try:
                yield
            finally:
                self._waiting = None

    def stand_by(self) -> None:
        """Have one wait already when the next bento of this process is to be prepared."""
        put(_PURPOSE, self._started())

    def build(self, snapshot: Snapshot) -> Bento:
        """Build in a process of its own: BentoML imports the service, and one process can import but one.

        Raises
        ------
        EnvironmentNotBuilt
            The snapshot's environment is older than what serving needs.
        """
        name, _, version = snapshot.tag.partition(":")
        folder = self._home / "bentos" / name
        with locked_folder(folder):
            version = _version_for(folder, version, snapshot)
            path = folder / version
            if not _serves(path, snapshot):
                # An interrupted build, or the bento of a snapshot of the same tag that is no more.
                shutil.rmtree(path, ignore_errors=True)
                self._build(snapshot, name, version)
        return Bento(tag=snapshot.tag, snapshot_digest=snapshot.digest, path=str(path))

    def _build(self, snapshot: Snapshot, name: str, version: str) -> None:
        environment = snapshot.manifest.environment
        missing = lacking(environment)
        # A lock is all that an isolated environment has; another one may have got what nbdeploy needs since.
        if missing and not _installed(missing, environment.interpreter):
            raise without(missing)
        with scratch_folder("build") as context:
            copy_serving(context)
            (context / "service.py").write_text(service_source(snapshot), "utf-8")
            for file in context.rglob("*"):  # BentoML copies files with their modes
                file.chmod(0o700 if file.is_dir() else 0o600)
            self._run(context, snapshot, name, version)

    def _run(self, context: Path, snapshot: Snapshot, name: str, version: str) -> None:
        arguments = {
            "service": f"service:{class_name(name)}",
            "name": name,
            "version": version,
            "build_ctx": str(context),
            "include": ["*.py", f"serving/{FORMAT_FILE}"],
            "description": description(snapshot),
            "labels": {"nbdeploy.snapshot": snapshot.digest.removeprefix("sha256:")[:63]},
            "models": [snapshot.tag],
            "python": {"packages": requirements(snapshot.manifest.environment), "lock_packages": False},
        }
        waiting, self._waiting = self._waiting, None  # each process builds one
        with contextlib.ExitStack() as held:
            if waiting is None:
                ready = self._started()
                held.enter_context(ready.held)
                waiting = ready.process
            _, complaints = waiting.communicate(json.dumps(arguments))
        if "No space left on device" in complaints:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self._home))
        if waiting.returncode:
            raise StoreError(
                f"BentoML could not build {snapshot.tag}",
                "read its last lines below",
                details="\n".join(complaints.strip().splitlines()[-15:]),
            )

    def _started(self) -> Standby:
        """A process that builds what it is told on its standard input."""
        with contextlib.ExitStack() as held:
            temporary = held.enter_context(scratch_folder("bentoml"))  # what it leaves there when it fails goes with it
            process = subprocess.Popen(
                [sys.executable, "-P", "-c", _BUILD],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                cwd="/",
                env=passed_on(os.environ)
                | {
                    "BENTOML_HOME": str(self._home),
                    "BENTOML_DO_NOT_TRACK": "true",
                    "PYTHONDONTWRITEBYTECODE": "1",
                    "TMPDIR": str(temporary),
                },
                text=True,
                umask=0o077,  # a bento holds the notebook's code and a row of its example, and it will be run
                start_new_session=True,  # Ctrl-C is for who waits for it
            )
            held.callback(end, process)
            return Standby(process, fits(self._home), held.pop_all())


def _installed(names: list[str], interpreter: str) -> bool:
    """Whether an interpreter has these distributions; yes, if there is none: who starts it says so."""
    code = "import sys\nfrom importlib import metadata\nfor name in sys.argv[1:]: metadata.version(name)"
    try:
        command = [interpreter, "-P", "-c", code, *names]
        ended = subprocess.run(command, env=passed_on(os.environ), cwd="/", capture_output=True, check=False)
    except OSError:
        return True
    return ended.returncode == 0


def _serves(path: Path, snapshot: Snapshot) -> bool:
    """Whether there is a whole bento that serves this very snapshot."""
    try:
        source = (path / "src" / "service.py").read_text("utf-8")
    except OSError:
        return False
    return (path / "bento.yaml").exists() and f'"{snapshot.digest}"' in source


def _version_for(folder: Path, version: str, snapshot: Snapshot) -> str:
    """The snapshot's version, or ``VERSION-2``, … beside a bento in another format: processes may run from that one."""
    names = itertools.chain([version], (f"{version}-{number}" for number in itertools.count(2)))
    return next(name for name in names if not _serves(folder / name, snapshot) or format_of(folder / name) == FORMAT)


@contextlib.contextmanager
def locked_folder(folder: Path) -> Iterator[int]:
    """Within, no other process of nbdeploy writes into a store's folder; a kill gives the lock back.

    The folder is made, for this user alone, and removed at the end if nothing is in it. A process that inherits the
    descriptor holds the lock too.
    """
    while True:
        private_folder(folder)
        try:
            descriptor = os.open(folder, os.O_RDONLY)
        except FileNotFoundError:  # another process has just removed it
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if _is_still(descriptor, folder):
                try:
                    yield descriptor
                finally:
                    with contextlib.suppress(OSError):
                        folder.rmdir()
                return
        finally:
            os.close(descriptor)


def _is_still(descriptor: int, folder: Path) -> bool:
    """Whether a folder that was opened is the one of that name: it may have been removed and made anew."""
    try:
        return os.path.samestat(os.fstat(descriptor), folder.stat())
    except FileNotFoundError:
        return False


def service_source(snapshot: Snapshot) -> str:
    """``service.py`` of a snapshot's bento."""
    manifest = snapshot.manifest
    source = manifest.provenance.source
    notebook = Path(source.notebook).name if source.notebook else "a notebook"
    return Template(_TEMPLATE.read_text("utf-8")).substitute(
        tag=snapshot.tag,
        name=manifest.name,
        digest=snapshot.digest,
        class_name=class_name(manifest.name),
        origin=_in_docstring(
            f"the model `{source.variable}` of {notebook}" if source.variable else f"a model of {notebook}"
        ),
        kind=_in_docstring(manifest.kind),
    )


def _in_docstring(words: str) -> str:
    """Text that cannot end a docstring or mean anything else in one: names come from users and their files."""
    return "".join(c if c.isprintable() else " " for c in words).replace("\\", "/").replace('"', "'")


def class_name(name: str) -> str:
    """``house-prices`` -> ``HousePrices``."""
    words = "".join(word.capitalize() for word in re.split(r"[-_]", name))
    return words if words[0].isalpha() else f"Model{words}"


def requirements(environment: Environment) -> list[str]:
    """The lock as pinned requirements; a build's local label (``+cpu``) is no part of what an index offers."""
    return [f"{name}=={Version(version).public}" for name, version in environment.distributions.items()]


def description(snapshot: Snapshot) -> str:
    """The bento's README: what it is and how it is asked."""
    manifest = snapshot.manifest
    provenance = manifest.provenance
    body = json.dumps({"instances": manifest.instances[:1]})
    git = provenance.git
    commit = f", git commit {git.commit}{' with uncommitted changes' if git.dirty else ''}" if git else ""
    return "\n".join(
        [
            f"# {snapshot.tag}",
            "",
            f"A `{manifest.kind}` captured from {provenance.source.notebook or 'a notebook'} by {provenance.user} "
            f"on {provenance.captured_at:%Y-%m-%d %H:%M} UTC{commit}.",
            "",
            "```",
            f"bentoml serve {snapshot.tag}",
            f"curl -s localhost:3000/predict -H 'content-type: application/json' -d '{body}'",
            "```",
            "",
            f"It was built for Python {manifest.environment.python}. Its snapshot has the digest "
            f"`{snapshot.digest}`; the service refuses to load anything else.",
        ]
    )
