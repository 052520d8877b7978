"""Starts spare processes for a deploy that is likely soon: after another one, or while a user fills in its form.

A spare is optional: its failure is no error here, and the deploy without it starts its own process.
"""

from __future__ import annotations

import contextlib

from jupyter_deploy.domain.capture.ports import Live
from jupyter_deploy.domain.errors import DeployError
from jupyter_deploy.domain.ports import Ports


def start_spares(ports: Ports) -> None:
    """Start the spares for the next deploy of a similar model, without waiting for them."""
    start_capture_spare(ports)
    if ports.starts_spares:
        start_build_spare(ports)


def start_build_spare(ports: Ports) -> None:
    """Start the spare for the next bento of this process."""
    with contextlib.suppress(DeployError, OSError):
        ports.builder.start_spare()


def start_capture_spare(ports: Ports) -> None:
    """Start the spare for the next capture in this process."""
    with contextlib.suppress(DeployError, OSError):
        if ports.starts_spares:
            ports.capturer.start_spare()


def start_replay_for(live: Live, ports: Ports) -> None:
    """Start the clean process that replays a model whose deploy is likely soon."""
    with contextlib.suppress(DeployError, OSError):
        if ports.starts_spares:
            ports.capturer.start_spare_for(live)
