"""The Jupyter server's extension: the routes below ``/nbdeploy/``, and bringing back what ran when the machine stopped.

A hub stops a user's server with all that runs in its container or control group, supervisor and gateway too, and
nobody types ``nbdeploy reconcile`` afterwards. Whatever the hub, the next thing to start is this server.

It starts a process of its own and goes on at once; that process sees the settings and does the work. Where nothing
ran, and after ``nbdeploy down``, no process is started and nothing heavy imported.

The settings are those of the environment alone. An ``nbdeploy.yaml`` in the folder in which somebody starts a server
may come from anywhere, and it could name a home with programs to run.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from jupyter_deploy.system.home import default_home, was_running


def _load_jupyter_server_extension(server: Any) -> None:
    """Called once by a starting Jupyter server, whose log gets one line when the work is done."""
    from .rest.handlers import add_handlers  # the process that brings back needs no server

    add_handlers(server)
    given = os.environ.get("NBDEPLOY_HOME")
    home = Path(given).expanduser().absolute() if given else default_home()
    if was_running(home):
        threading.Thread(target=_bring_back, args=(server.log, home), daemon=True, name="nbdeploy-reconcile").start()


def _bring_back(log: Any, home: Path) -> None:
    try:
        ended = subprocess.run(
            [sys.executable, "-P", "-m", "jupyter_deploy.faces.server.extension"],
            env=os.environ | {"NBDEPLOY_HOME": str(home)},
            cwd="/",  # settings are read from the working directory's nbdeploy.yaml too: here is none of a stranger
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            start_new_session=True,  # a server that is stopped meanwhile interrupts nothing
        )
    except OSError as error:
        log.warning("nbdeploy: could not look after the endpoints: %s", error)
        return
    if ended.returncode:
        log.warning("nbdeploy: not all endpoints could be started: %s", (ended.stdout + ended.stderr).strip())
    elif ended.stdout.strip():
        log.info("nbdeploy: %s", ended.stdout.strip())


def main() -> int:
    """Reconcile, if the settings want it and there is something to bring back; prints one line about it."""
    from jupyter_deploy.domain.errors import DeployError  # the server needs none of them
    from jupyter_deploy.verbs.reconcile import reconcile_all
    from jupyter_deploy.wiring import Wiring

    try:
        wiring = Wiring()
        settings = wiring.settings
        if not (settings.reconcile_at_server_start and was_running(settings.home.expanduser())):
            return 0
        results = reconcile_all(wiring.ports, lambda _step: None)
    except DeployError as error:
        print(error)  # noqa: T201 - the server logs it
        return 1
    started = [tag for result in results for tag in result.started]
    failed = [f"{tag}: {why}" for result in results for tag, why in result.failed.items()]
    print("; ".join(failed) or f"brought back {', '.join(started) or 'nothing: everything ran'}")  # noqa: T201
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
