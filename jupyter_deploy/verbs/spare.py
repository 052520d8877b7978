"""Starts spare processes for the next deploy, after a deploy from a process in which another one is likely.

A spare is optional: its failure is no error here, and the deploy without it starts its own process.
"""

from __future__ import annotations

import contextlib

from jupyter_deploy.domain.errors import DeployError
from jupyter_deploy.domain.ports import Ports
from jupyter_deploy.domain.results import Deployment

from .change import target_of


def start_spares(deployment: Deployment, ports: Ports) -> None:
    """Start the spares for the next deploy of a similar model, without waiting for them."""
    start_capture_spare(ports)
    with contextlib.suppress(DeployError, OSError):
        if ports.starts_spares:
            ports.builder.start_spare()
    start_release_spare(deployment, ports)


def start_capture_spare(ports: Ports) -> None:
    """Start the spare for the next capture in this process."""
    with contextlib.suppress(DeployError, OSError):
        if ports.starts_spares:
            ports.capturer.start_spare()


def start_release_spare(deployment: Deployment, ports: Ports) -> None:
    """Start the spare for the next release; any process may use it."""
    with contextlib.suppress(DeployError, OSError):
        endpoint = ports.store.endpoint(deployment.endpoint)
        if ports.starts_spares and endpoint is not None and endpoint.running:
            target_of(ports, endpoint.target).start_spare(endpoint.release(deployment.release))
