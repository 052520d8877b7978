"""A spare process: it has a release's imports, waits, and becomes the release that a client names.

    python -P …/targets/local/releases/spare_process.py STATE

``STATE`` is a JSON file: ``{"socket", "hold", "imports", "serving"}``. The process listens on the socket, in a session
of its own, and holds the lock ``hold`` (see ``launch``), by which ``down`` finds and ends it. It sends ``ready`` to a
client, reads its job, ``{"plan": PATH}`` (``launch``), and sends ``held`` when it has the lock of that plan's process:
from then on it is that process, and supervisord's own start adopts it. A process that sends nothing does not fit and
has ended. It ends after ten minutes without a client.

It continues as the release's process, by the program that the plan's command names, if a fresh process would have the
same imports (``serving/imports.py``); else it starts that program anew.

It uses only the standard library, and files of this package by path, since it runs in the captured environment.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

# The imports of every worker.
_OWN = (
    *("uvicorn", "uvicorn.lifespan.on", "uvicorn.loops.uvloop", "uvicorn.protocols.http.httptools_impl"),
    *("uvicorn.protocols.websockets.auto", "bentoml", "_bentoml_sdk", "_bentoml_impl.server.app"),
)
# Variables that no library reads during its import.
_LATER = ("NBDEPLOY_", "OTEL_")


def main(path: Path) -> None:
    """Import, wait for a client, and become the process of its plan."""
    state: dict[str, Any] = json.loads(path.read_text("utf-8"))
    serving = Path(state["serving"])
    launch = _by_path(Path(__file__).parents[1] / "supervisor" / "launch.py")
    spare, imports, callers = (_by_path(serving / name) for name in ("spare.py", "imports.py", "audit/callers.py"))
    hold = os.open(state["hold"], os.O_RDWR | os.O_CREAT, 0o600)
    if not launch.locked(hold):
        return
    os.pwrite(hold, f"{os.getpid():<10}\n".encode(), 0)
    began = imports.installed(), at_import(os.environ)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(state["socket"])
        listener.listen(1)  # an early client waits for the imports
        listener.settimeout(spare.IDLE_SECONDS)
        for name in _OWN:
            with contextlib.suppress(Exception):
                importlib.import_module(name)
        noted = spare.preloaded(imports, callers, state["imports"], Path(__file__).parents[3])
        if noted is None:
            return
        try:
            connection, _ = listener.accept()
        except TimeoutError:
            return
        finally:
            Path(state["socket"]).unlink(missing_ok=True)
    with connection:
        connection.sendall(b"ready\n")
        job = spare.read_job(connection.fileno())
        if job is None:
            return
        plan_path = Path(job["plan"])
        plan: dict[str, Any] = json.loads(plan_path.read_text("utf-8"))
        if began != (imports.installed(), at_import(plan["environment"])):
            return
        Path(state["hold"]).unlink(missing_ok=True)
        os.close(hold)
        launch.begin(plan, plan_path)
        connection.sendall(b"held\n")
    _become(plan, noted)


def at_import(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables that libraries may read during their import."""
    return {name: value for name, value in environment.items() if not name.startswith(_LATER)}


def _become(plan: dict[str, Any], noted: Any) -> None:
    os.chdir(plan["folder"])
    os.environ.clear()
    os.environ.update(plan["environment"])
    _, _, program, *arguments = plan["command"]
    sys.path.insert(0, str(Path(program).parents[1]))
    if _is_as_fresh(noted):
        noted.close()
        sys.argv = [program, *arguments]
        sys.exit(importlib.import_module("serving.hosting.run").main(arguments))
    if (workplace := sys.modules.get("serving.workplace")) is not None:
        workplace.leave()
    os.chdir(plan["folder"])
    os.execve(plan["command"][0], plan["command"], plan["environment"])  # noqa: S606 - the purpose of this program


def _is_as_fresh(noted: Any) -> bool:
    """Load the model and predict its example; whether that needed every import that was made before."""
    try:
        importlib.import_module("serving.hosting.run").prepare()
        importlib.import_module("serving.hosting.forking").load()
        model = sys.modules["serving.snapshot"].current()
        with sys.modules["serving.role"].in_role("probe"):
            model.answer(model.manifest["instances"])
        return not noted.unused() and not sys.modules["serving.audit.redirect"].redirected_paths()
    except Exception:  # noqa: BLE001 - a fresh process fails likewise, and reports it properly
        return False


def _by_path(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"nbdeploy_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is missing")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look there
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    main(Path(sys.argv[1]))
