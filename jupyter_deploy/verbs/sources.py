"""The sources of a deploy, each with the function that makes a snapshot of it."""

from __future__ import annotations

from pathlib import Path

from jupyter_deploy.domain.capture.artifacts import Snapshot
from jupyter_deploy.domain.capture.ports import Live
from jupyter_deploy.domain.ports import Ports
from jupyter_deploy.domain.release.endpoint import Endpoint
from jupyter_deploy.domain.requests import DeployRequest

from .capture import capture, capture_in_notebook, is_notebook, isolate, snapshot_of_tag
from .images.from_image import ImageSource, snapshot_of_image
from .release_checks import release_check
from .release_secrets import references_for
from .steps import Steps


def take_snapshot(
    request: DeployRequest,
    name: str,
    before: Endpoint | None,
    ports: Ports,
    progress: Steps,
    *,
    live: Live | None = None,
    image: ImageSource | None = None,
) -> Snapshot:
    """Return the snapshot of a deploy's source: an image, a live object, a notebook, or a stored snapshot's tag."""
    if image is not None:
        return snapshot_of_image(image, ports, progress)
    if live is not None:
        snapshot = capture(live, name, request, ports, progress, check=release_check(before, request, ports))
    elif _is_of_r(request, ports):
        snapshot = _capture_in_r(request, name, before, ports, progress)
    elif is_notebook(request.source or ""):
        snapshot = capture_in_notebook(request, name, ports, progress)
    else:
        snapshot = snapshot_of_tag(request, before, ports, progress)
    return isolate(snapshot, ports, progress) if request.isolated else snapshot


def count_steps(request: DeployRequest, ports: Ports, live: Live | None) -> int:
    """Count the steps of a deploy without gates."""
    steps = 5 if live else 2
    if live is None and is_notebook(request.source or ""):
        steps = 6 if _is_of_r(request, ports) else 3
    return steps + 2 * request.isolated


def _is_of_r(request: DeployRequest, ports: Ports) -> bool:
    if not request.model or not is_notebook(request.source or ""):
        return False  # ``capture_in_notebook`` refuses a request without a model
    return ports.r_notebooks.takes(Path(request.source or ""))


def _capture_in_r(
    request: DeployRequest, name: str, before: Endpoint | None, ports: Ports, progress: Steps
) -> Snapshot:
    """Capture the model of a notebook of R: its kernel writes the files, this process takes the snapshot of them."""
    notebook = Path(request.source or "")
    title = "reading the model of the session of R" if notebook.is_dir() else f"running {notebook.name}"
    secrets = ports.secrets.values(references_for(request, before, ports))
    progress(title)

    def report(words: str) -> None:
        progress(f"{title}: {words}", False)

    with ports.r_notebooks.captured(notebook, request, secrets, report) as live:
        return capture(live, name, request, ports, progress, check=release_check(before, request, ports))
