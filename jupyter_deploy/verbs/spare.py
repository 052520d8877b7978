"""After a deploy from a process in which the next one is likely: what that will need is started ahead.

Nobody has asked for it: what fails here is told by the deploy that needs it, which does without.
"""

from __future__ import annotations

import contextlib

from jupyter_deploy.domain.errors import DeployError
from jupyter_deploy.domain.ports import Ports
from jupyter_deploy.domain.results import Deployment

from .change import target_of


def stand_by(deployed: Deployment, ports: Ports) -> None:
    """Start, and do not wait for, what the next deploy of much the same model will need."""
    stand_by_to_capture(ports)
    with contextlib.suppress(DeployError, OSError):
        if ports.stands_by:
            ports.builder.stand_by()
    stand_by_to_release(deployed, ports)


def stand_by_to_capture(ports: Ports) -> None:
    """Only what the next capture in this process will need."""
    with contextlib.suppress(DeployError, OSError):
        if ports.stands_by:
            ports.capturer.stand_by()


def stand_by_to_release(deployed: Deployment, ports: Ports) -> None:
    """Only what the next release will be, whoever starts it."""
    with contextlib.suppress(DeployError, OSError):
        endpoint = ports.store.endpoint(deployed.endpoint)
        if ports.stands_by and endpoint is not None and endpoint.running:
            target_of(ports, endpoint.target).stand_by(endpoint.release(deployed.release))
