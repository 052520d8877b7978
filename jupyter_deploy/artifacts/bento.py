"""BentoML's two stores: snapshots as models, and the bentos that serve them. Store folders are always explicit."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import itertools
import json
import os
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Hashable, Iterator
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
from jupyter_deploy.system import spare
from jupyter_deploy.system.clean_process import copy_serving
from jupyter_deploy.system.home import private_folder
from jupyter_deploy.system.temp import scratch_folder

from .bento_format import FILE as FORMAT_FILE
from .bento_format import FORMAT, code_of, format_of

_TEMPLATE = Path(__file__).with_name("service.py.template")

_PURPOSE = "build"
_PROGRAM = Path(__file__).with_name("bento_build.py")


@contextlib.contextmanager
def quiet_bentoml() -> Iterator[Any]:
    """Import bentoml with its telemetry disabled within this context."""
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
        import bentoml
        import bentoml._internal.configuration.containers
    except Exception as error:
        # The first module of that name wins: a module of the project instead of the one that BentoML imports.
        installed = metadata.packages_distributions()
        loaded = {name: getattr(module, "__file__", None) for name, module in list(sys.modules.items())}
        taken = [file for name, file in loaded.items() if name in installed and file and not file.startswith(LIBRARIES)]
        raise StoreError(
            f"BentoML, which stores the model, cannot be imported: {type(error).__name__}: {error}",
            f"rename {' and '.join(taken)}: BentoML needs a distribution's module of that name"
            if taken
            else "run 'python -c \"import bentoml\"' in this environment and fix its error",
        ) from error
    return bentoml


class BentoBuilder:
    """The Builder port: makes a readable service.py, the serving package and a locked list of requirements.

    Parameters
    ----------
    home : Path
        BentoML's home (``models/`` and ``bentos/`` are in it).
    """

    def __init__(self, home: Path) -> None:
        self._home = home
        self._waiting: spare.Spare | None = None

    @contextlib.contextmanager
    def prepared(self, tag: str | None = None) -> Iterator[None]:
        """Start a process that imports BentoML and waits for a build: it saves a second after the replay.

        ``tag``: of a stored snapshot; if it has a bento already, no process is started.
        """
        if tag is not None and (self._home / "bentos" / tag.replace(":", "/") / "bento.yaml").exists():
            yield
            return
        with contextlib.closing(spare.take(_PURPOSE, spare.Spare, self._key) or self._started()) as ready:
            self._waiting = ready
            try:
                yield
            finally:
                self._waiting = None

    def start_spare(self) -> None:
        """Start the spare process for the next bento of this process, unless one waits."""
        if not spare.waits(_PURPOSE, self._key):
            spare.put(_PURPOSE, self._started())

    def build(self, snapshot: Snapshot) -> Bento:
        """Build in a separate process: BentoML imports the service, and one process can import only one.

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
                # An interrupted build, or the bento of a removed snapshot with the same tag.
                shutil.rmtree(path, ignore_errors=True)
                self._build(snapshot, name, version)
        return Bento(tag=snapshot.tag, snapshot_digest=snapshot.digest, path=str(path), code=code_of(path))

    def _build(self, snapshot: Snapshot, name: str, version: str) -> None:
        environment = snapshot.manifest.environment
        missing = lacking(environment)
        # An isolated environment holds the lock alone; another one may have gained nbdeploy's needs since.
        if missing and not _installed(missing, environment.interpreter):
            raise without(missing)
        with scratch_folder("build") as context:
            copy_serving(context)
            (context / "service.py").write_text(service_source(snapshot), "utf-8")
            (context / "service.py").chmod(0o600)  # BentoML copies files with their modes
            self._run(context, snapshot, name, version)

    def _run(self, context: Path, snapshot: Snapshot, name: str, version: str) -> None:
        arguments = {
            "service": f"service:{class_name(name)}",
            "name": name,
            "version": version,
            "build_ctx": str(context),
            "include": ["*.py", "*.R", f"serving/{FORMAT_FILE}"],
            "description": description(snapshot),
            "labels": {"nbdeploy.snapshot": snapshot.digest.removeprefix("sha256:")[:63]},
            "models": [snapshot.tag],
            "python": {"packages": requirements(snapshot.manifest.environment), "lock_packages": False},
        }
        waiting, self._waiting = self._waiting, None  # a process builds one bento
        with contextlib.closing(waiting or self._started()) as ready:
            _, complaints = ready.process.communicate(json.dumps(arguments) + "\n")
            code = ready.process.returncode
        if "No space left on device" in complaints:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self._home))
        if code:
            raise StoreError(
                f"BentoML could not build {snapshot.tag}",
                "see the last lines of its output below",
                details="\n".join(complaints.strip().splitlines()[-15:]),
            )
        for file in (self._home / "bentos" / name / version).rglob("*"):  # BentoML adds a script with its own mode
            file.chmod(file.stat().st_mode & stat.S_IRWXU)

    @property
    def _key(self) -> Hashable:
        return spare.key_of(self._home)

    def _started(self) -> spare.Spare:
        """Start a process that builds one bento."""
        with contextlib.ExitStack() as held:
            temporary = held.enter_context(scratch_folder("bentoml"))  # also removes BentoML's files after a failure
            return spare.start(
                [sys.executable, "-P", str(_PROGRAM)],
                self._key,
                held.pop_all(),
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
                umask=0o077,  # a bento holds the notebook's code and a row of its example, and its code is executed
            )


def _installed(names: list[str], interpreter: str) -> bool:
    """Whether an interpreter has these distributions; true without an interpreter, since its start reports that."""
    code = "import sys\nfrom importlib import metadata\nfor name in sys.argv[1:]: metadata.version(name)"
    try:
        command = [interpreter, "-P", "-c", code, *names]
        ended = subprocess.run(command, env=passed_on(os.environ), cwd="/", capture_output=True, check=False)
    except OSError:
        return True
    return ended.returncode == 0


def _serves(path: Path, snapshot: Snapshot) -> bool:
    """Whether the folder is a complete bento of this snapshot."""
    try:
        source = (path / "src" / "service.py").read_text("utf-8")
    except OSError:
        return False
    return (path / "bento.yaml").exists() and f'"{snapshot.digest}"' in source


def _version_for(folder: Path, version: str, snapshot: Snapshot) -> str:
    """The snapshot's version, or ``VERSION-2``, … if a bento in another format exists: processes may run from it."""
    names = itertools.chain([version], (f"{version}-{number}" for number in itertools.count(2)))
    return next(name for name in names if not _serves(folder / name, snapshot) or format_of(folder / name) == FORMAT)


@contextlib.contextmanager
def locked_folder(folder: Path) -> Iterator[int]:
    """Lock a store's folder against other nbdeploy processes; a killed process releases the lock.

    The folder is made for this user alone, and removed at the end if it is empty. A process that inherits the
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
    """Whether an open folder still has this name: it may have been removed and made again."""
    try:
        return os.path.samestat(os.fstat(descriptor), folder.stat())
    except FileNotFoundError:
        return False


def service_source(snapshot: Snapshot) -> str:
    """Return ``service.py`` of a snapshot's bento."""
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
    """Return text that cannot end a docstring or act as code: names come from users and their files."""
    return "".join(c if c.isprintable() else " " for c in words).replace("\\", "/").replace('"', "'")


def class_name(name: str) -> str:
    """``house-prices`` -> ``HousePrices``."""
    words = "".join(word.capitalize() for word in re.split(r"[-_]", name))
    return words if words[0].isalpha() else f"Model{words}"


def requirements(environment: Environment) -> list[str]:
    """Return the lock as pinned requirements, without a build's local label (``+cpu``), which no index offers."""
    return [f"{name}=={Version(version).public}" for name, version in environment.distributions.items()]


def description(snapshot: Snapshot) -> str:
    """Return the bento's README: its contents and an example request."""
    manifest = snapshot.manifest
    body = json.dumps({"instances": manifest.instances[:1]})
    return "\n".join(
        [
            f"# {snapshot.tag}",
            "",
            f"A `{manifest.kind}` captured from {manifest.provenance.path or 'a notebook'}.",
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
