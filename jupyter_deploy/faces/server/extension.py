"""The Jupyter server's extension: the routes below ``/nbdeploy/``, and a reconciliation when the server starts.

A hub stops a user's server with all processes in its container or control group, supervisor and gateway too, and
nobody runs ``nbdeploy reconcile`` afterwards. With any hub, this server is the next process to start.

The extension starts a separate process and does not wait for it; that process reads the settings and does the work. If
nothing ran, and after ``nbdeploy down``, the extension starts no process and imports nothing heavy.

Only the settings of the environment apply. An ``nbdeploy.yaml`` in the folder of a server may come from a stranger,
and it could name a home with programs to run.
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
    """Load the extension; a starting Jupyter server calls this once, and its log gets one line after reconciling."""
    from .rest.routes import add_handlers  # the process that reconciles needs no server

    add_handlers(server)
    named = os.environ.get("NBDEPLOY_HOME")
    home = Path(named).expanduser().absolute() if named else default_home()
    if was_running(home):
        threading.Thread(target=_reconcile, args=(server.log, home), daemon=True, name="nbdeploy-reconcile").start()


def _reconcile(log: Any, home: Path) -> None:
    try:
        ended = subprocess.run(
            [sys.executable, "-P", "-m", "jupyter_deploy.faces.server.extension"],
            env=os.environ | {"NBDEPLOY_HOME": str(home)},
            cwd="/",  # the nbdeploy.yaml of the working directory applies too; here is none
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            start_new_session=True,  # a server that stops meanwhile does not interrupt it
        )
    except OSError as error:
        log.warning("nbdeploy: could not reconcile the endpoints: %s", error)
        return
    if ended.returncode:
        log.warning("nbdeploy: not all endpoints could be started: %s", (ended.stdout + ended.stderr).strip())
    elif ended.stdout.strip():
        log.info("nbdeploy: %s", ended.stdout.strip())


def main() -> int:
    """Reconcile if the settings allow it and something ran; print one line."""
    from jupyter_deploy.domain.errors import DeployError
    from jupyter_deploy.verbs.reconcile import reconcile_all
    from jupyter_deploy.wiring import Wiring

    try:
        wiring = Wiring()
        settings = wiring.settings
        if not (settings.reconcile_at_server_start and was_running(settings.home.expanduser())):
            return 0
        results = reconcile_all(wiring.ports, lambda _step: None)
    except DeployError as error:
        print(error)
        return 1
    started = [tag for result in results for tag in result.started]
    failed = [f"{tag}: {why}" for result in results for tag, why in result.failed.items()]
    print("; ".join(failed) or f"brought back {', '.join(started) or 'nothing: everything ran'}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
