"""The zygotes of a runtime directory: one a captured environment, framework and version of ``serving`` (``zygote``)."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from jupyter_deploy.artifacts.bento_format import code_digest
from jupyter_deploy.domain.release.endpoint import Release
from jupyter_deploy.serving.hosting.forking import PASSIVE, THREADS
from jupyter_deploy.serving.imports import FILE
from jupyter_deploy.system.clean_process import SERVING_FOLDER, copy_serving
from jupyter_deploy.system.home import private_folder, write_atomic
from jupyter_deploy.targets.local.naming import PREFIX
from jupyter_deploy.targets.local.runtime import Runtime, read_json
from jupyter_deploy.targets.local.supervisor.supervisord import Program, Supervisor

from . import zygote

_PREFIX = "zygote-"

# Variables that no library reads during its import.
_LATER = ("NBDEPLOY_", "OTEL_")


class Zygotes:
    """The zygotes of a runtime directory. A caller holds the ``state`` lock."""

    def __init__(self, runtime: Runtime, supervisor: Supervisor) -> None:
        self._runtime, self._supervisor = runtime, supervisor

    def ensure(self, release: Release, environment: Mapping[str, str]) -> str | None:
        """Start the zygote for a release with these variables, unless it runs; returns the path of its socket.

        None: on this platform, or without a list of its imports, a release starts on its own.
        """
        code = Path(release.path) / "src" / "serving"
        imports = Path(release.snapshot_path) / FILE
        if sys.platform != "linux" or not code.is_dir() or not imports.exists() or _redirects(release):
            return None
        variables = at_import(environment)
        digest = code_digest(code)
        made_for = [release.interpreter, release.framework, digest, sorted(variables.items())]
        key = hashlib.sha256(json.dumps(made_for).encode()).hexdigest()[:12]
        name, socket = f"{_PREFIX}{key}", f"{self._runtime.path}/s/{key}z.sock"
        if name not in self._supervisor.programs():
            self._start(name, socket, release, variables, digest)
        return socket

    def retire(self) -> None:
        """End the zygotes that no release uses any more."""
        used = set(self._used())
        for name in self._supervisor.programs():
            if name.startswith(_PREFIX) and f"{self._runtime.path}/s/{name.removeprefix(_PREFIX)}z.sock" not in used:
                self._supervisor.remove(name)
                shutil.rmtree(self._folder(name), ignore_errors=True)

    def _used(self) -> Iterator[str]:
        for path in (self._runtime.path / "programs").glob(f"{PREFIX}*@0.json"):
            if socket := read_json(path).get("zygote"):
                yield socket

    def _folder(self, name: str) -> Path:
        return self._runtime.path / "runs" / name

    def _start(self, name: str, socket: str, release: Release, variables: Mapping[str, str], digest: str) -> None:
        # A copy of the code: the bento may be removed while others run from the zygote.
        folder = private_folder(self._folder(name))
        shutil.rmtree(folder / "serving", ignore_errors=True)
        if digest == code_digest(SERVING_FOLDER):
            copy_serving(folder)  # with the compiled files, which a bento lacks
        else:
            code = Path(release.path) / "src" / "serving"
            shutil.copytree(code, folder / "serving", ignore=shutil.ignore_patterns("__pycache__"))
        snapshot = Path(release.snapshot_path)
        names, manifest = json.loads((snapshot / FILE).read_text("utf-8")), str(snapshot / "snapshot.json")
        state = folder / "state.json"
        write_atomic(state, json.dumps({"socket": socket, "code": str(folder), "imports": names, "manifest": manifest}))
        self._supervisor.add(
            Program(
                name=name,
                commands=[[release.interpreter, "-P", zygote.__file__, str(state)]],
                # Threads do not survive a fork, so the imports must not start any.
                environment={**PASSIVE, **variables, **dict.fromkeys(THREADS, "1")},
                folder=self._runtime.path / "empty",
                stop_seconds=5,
                ready=[socket],
            )
        )


def _redirects(release: Release) -> bool:
    """Whether functions that open files are replaced before the model's libraries are imported (``redirect``)."""
    packed = read_json(Path(release.snapshot_path) / "snapshot.json").get("packed")
    return bool(packed and packed["absolute"])


def at_import(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables that libraries may read during their import, without those of threads, which each fork sets."""
    return {name: value for name, value in environment.items() if not name.startswith(_LATER) and name not in THREADS}
