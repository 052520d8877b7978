"""The sources of a deploy, each with the function that makes a snapshot of it."""

from __future__ import annotations

from jupyter_deploy.domain.capture.artifacts import Snapshot
from jupyter_deploy.domain.capture.ports import Live
from jupyter_deploy.domain.ports import Ports
from jupyter_deploy.domain.release.endpoint import Endpoint
from jupyter_deploy.domain.requests import DeployRequest

from .capture import capture, capture_in_notebook, is_notebook, isolate, snapshot_of_tag
from .images.from_image import ImageSource, snapshot_of_image
from .release_checks import release_check
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
    elif is_notebook(request.source or ""):
        snapshot = capture_in_notebook(request, name, ports, progress)
    else:
        snapshot = snapshot_of_tag(request, ports, progress)
    return isolate(snapshot, ports, progress) if request.isolated else snapshot


def count_steps(request: DeployRequest, live: Live | None) -> int:
    """Count the steps of a deploy without gates."""
    steps = 5 if live else 3 if is_notebook(request.source or "") else 2
    return steps + 2 * request.isolated
