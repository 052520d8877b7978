"""Starts spare processes for the next deploy, after a deploy from a process in which another one is likely.

A spare is optional: its failure is no error here, and the deploy without it starts its own process.
"""

from __future__ import annotations

import contextlib

from jupyter_deploy.domain.errors import DeployError
from jupyter_deploy.domain.ports import Ports
from jupyter_deploy.domain.results import Deployment

from .change import target_of


def stand_by(deployment: Deployment, ports: Ports) -> None:
    """Start the spares for the next deploy of a similar model, without waiting for them."""
    stand_by_to_capture(ports)
    with contextlib.suppress(DeployError, OSError):
        if ports.stands_by:
            ports.builder.stand_by()
    stand_by_to_release(deployment, ports)


def stand_by_to_capture(ports: Ports) -> None:
    """Start the spare for the next capture in this process."""
    with contextlib.suppress(DeployError, OSError):
        if ports.stands_by:
            ports.capturer.stand_by()


def stand_by_to_release(deployment: Deployment, ports: Ports) -> None:
    """Start the spare for the next release; any process may use it."""
    with contextlib.suppress(DeployError, OSError):
        endpoint = ports.store.endpoint(deployment.endpoint)
        if ports.stands_by and endpoint is not None and endpoint.running:
            target_of(ports, endpoint.target).stand_by(endpoint.release(deployment.release))
