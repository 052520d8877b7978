"""The part of a job that a kernel of R has this process do: the proof and the snapshot of what the kernel wrote.

``lab.R`` starts it and waits: ``python -m jupyter_deploy.faces.kernel.r_capture JOB FOLDER``. It prints the summary of
``capture_with`` as JSON.
"""

from __future__ import annotations

import json
import sys
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from jupyter_deploy.domain.capture.ports import Live
from jupyter_deploy.domain.errors import DeployError
from jupyter_deploy.domain.requests import DeployRequest
from jupyter_deploy.faces.render.problems import problem_of
from jupyter_deploy.system.process_defaults import without_slow_formats
from jupyter_deploy.verbs.release_secrets import references_for
from jupyter_deploy.wiring import Wiring

from .capture_job import capture_with


def main(arguments: list[str]) -> int:
    """Capture for the job; print the outcome."""
    job_id, folder = arguments
    without_slow_formats()
    print(json.dumps(_captured(job_id, Path(folder))))  # the kernel reads it
    return 0


def _captured(job_id: str, folder: Path) -> dict[str, Any]:
    try:
        ports = Wiring().ports
    except DeployError as error:
        return {"job": job_id, "state": "failed", "problem": problem_of(error).model_dump(mode="json")}

    def live(request: DeployRequest, notebook: Path | None) -> AbstractContextManager[Live]:
        if notebook is not None:  # it may have been renamed
            (folder / "session.json").write_text(json.dumps({"notebook": str(notebook)}), "utf-8")
        asked = request.model_copy(update={"model": request.source, "source": None})
        before = ports.store.endpoint(asked.name) if asked.name else None
        secrets = ports.secrets.values(references_for(asked, before, ports))
        return ports.r_notebooks.captured(folder, asked, secrets, lambda _: None)

    return capture_with(job_id, live, ports)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
