"""A process that has imported what a release needs and waits until it is told which one it is.

    python -P …/targets/standby.py STATE

``STATE`` is a JSON file: ``{"socket", "hold", "imports", "serving"}``. It listens at the socket, in a session of its
own, and holds the lock ``hold`` (see ``launch``), by which whoever stops everything finds and ends it. Who connects
hears ``ready``, tells it the path of a plan (``launch``), and hears ``held`` when it has the lock of that plan's
process: from then on it is that process, which supervisord's own start of it adopts. If it says nothing it is of no
use, and has ended. When nobody comes for ten minutes it ends.

It goes on as the release's process only if that is what a fresh one would be (``serving/imports.py``); else it becomes
one, by the plan's own command.

Only the standard library, and nothing of this package but by its path: it runs in the captured environment.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import runpy
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

IDLE_SECONDS = 600.0

# What every worker imports, whatever its model.
_OWN = (
    *("uvicorn", "uvicorn.lifespan.on", "uvicorn.loops.uvloop", "uvicorn.protocols.http.httptools_impl"),
    *("uvicorn.protocols.websockets.auto", "bentoml", "_bentoml_sdk", "_bentoml_impl.server.app"),
)
# Variables that no library reads when it is imported.
_LATER = ("NBDEPLOY_", "OTEL_")


def main(state: Path) -> None:
    """Import, wait, and become what is told."""
    told: dict[str, Any] = json.loads(state.read_text("utf-8"))
    serving = Path(told["serving"])
    launch, imports, callers = (
        _by_path(path)
        for path in (
            Path(__file__).parents[1] / "supervisor" / "launch.py",
            serving / "imports.py",
            serving / "audit" / "callers.py",
        )
    )
    hold = os.open(told["hold"], os.O_RDWR | os.O_CREAT, 0o600)
    if not launch.locked(hold):
        return
    os.pwrite(hold, f"{os.getpid():<10}\n".encode(), 0)
    began = imports.installed(), at_import(os.environ)
    noted = imports.Imports()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(told["socket"])
        listener.listen(1)  # who comes early waits until all is imported
        listener.settimeout(IDLE_SECONDS)
        for name in _OWN:
            with contextlib.suppress(Exception):
                importlib.import_module(name)
        noted.preload(told["imports"])
        if imports.foreign_modules(callers.LIBRARIES, Path(__file__).parents[3]):
            return  # what is the user's own may be changed while it waits
        try:
            asked, _ = listener.accept()
        except TimeoutError:
            return
        finally:
            Path(told["socket"]).unlink(missing_ok=True)
    with asked:
        asked.sendall(b"ready\n")
        path = Path(asked.makefile().readline().strip())
        plan: dict[str, Any] = json.loads(path.read_text("utf-8"))
        if began != (imports.installed(), at_import(plan["environment"])):
            return
        Path(told["hold"]).unlink(missing_ok=True)
        os.close(hold)
        launch.begin(plan, path)
        asked.sendall(b"held\n")
    _become(plan, noted, serving)


def at_import(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables that must be the same when libraries are imported."""
    return {name: value for name, value in environment.items() if not name.startswith(_LATER)}


def _become(plan: dict[str, Any], noted: Any, serving: Path) -> None:
    os.chdir(plan["folder"])
    os.environ.clear()
    os.environ.update(plan["environment"])
    _, _, _, module, *arguments = plan["command"]
    sys.path.insert(0, arguments[arguments.index("--app-dir") + 1])
    if _is_as_fresh(noted, serving):
        noted.close()
        sys.argv = [module, *arguments]
        runpy.run_module(module, run_name="__main__", alter_sys=True)
        return
    if (workplace := sys.modules.get("serving.workplace")) is not None:
        workplace.leave()
    os.chdir(plan["folder"])
    os.execve(plan["command"][0], plan["command"], plan["environment"])  # noqa: S606 - that is what it is for


def _is_as_fresh(noted: Any, serving: Path) -> bool:
    """Load the model and ask it its example; whether all that was imported ahead was needed for that."""
    try:
        _by_path(serving / "hosting" / "pool.py").load()
        model = sys.modules["serving.snapshot"].current()
        with sys.modules["serving.role"].in_role("probe"):
            model.answer(model.manifest["instances"])
        return not noted.unused() and not sys.modules["serving.audit.redirect"].redirected_paths()
    except Exception:  # noqa: BLE001 - a fresh process fails likewise, and says it as it should be said
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
