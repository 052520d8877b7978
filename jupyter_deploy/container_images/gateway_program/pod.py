"""A gateway's pod in Kubernetes: its folders, its name, and the account by which its agent calls the API."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

CONFIGURATION = "/etc/nbdeploy/gateway"
"""The folder of ``bootstrap.json`` (for Envoy) and ``frame.json`` (the routes around those of endpoints)."""

SECRET = "/etc/nbdeploy/secret"  # noqa: S105 - a folder
"""The folder of ``key``, ``salt`` and, if clients need one, ``token``."""

RUN = "/run/nbdeploy"
"""The folder in memory that Envoy and agent share."""

ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"

LEDGER = "/data/ledger"
"""The folder of Envoy's logs of predictions."""

KEY_VARIABLE = "NBDEPLOY_GATEWAY_KEY"
"""Envoy's environment variable with the key that it sends to releases."""


@dataclass(frozen=True)
class Pod:
    """A pod, as its environment variables describe it.

    Attributes
    ----------
    api
        Host and port of the API.
    ledger_bytes
        The length at which the agent begins new logs of predictions; 0: another container takes them away.
    """

    name: str
    uid: str
    namespace: str
    api: tuple[str, int]
    port: int = 8781
    drain_delay: float = 0.0
    ledger_bytes: int = 0
    configuration: Path = Path(CONFIGURATION)
    secret: Path = Path(SECRET)
    run: Path = Path(RUN)
    ledger: Path = Path(LEDGER)
    account: Path = Path(ACCOUNT)

    @classmethod
    def of(cls, environment: dict[str, str]) -> Pod:
        """The pod of these variables; ``NBDEPLOY_ROOT`` puts all folders below another one."""
        root = environment.get("NBDEPLOY_ROOT", "")
        return cls(
            name=environment.get("NBDEPLOY_POD", ""),
            uid=environment.get("NBDEPLOY_POD_UID", ""),
            namespace=environment.get("NBDEPLOY_NAMESPACE", ""),
            api=(
                environment.get("KUBERNETES_SERVICE_HOST", ""),
                int(environment.get("KUBERNETES_SERVICE_PORT") or 443),
            ),
            port=int(environment.get("NBDEPLOY_AGENT_PORT") or 8781),
            drain_delay=float(environment.get("NBDEPLOY_DRAIN_DELAY") or 0),
            ledger_bytes=int(environment.get("NBDEPLOY_LEDGER_BYTES") or 0),
            configuration=Path(root + CONFIGURATION),
            secret=Path(root + SECRET),
            run=Path(root + RUN),
            ledger=Path(root + LEDGER),
            account=Path(root + ACCOUNT),
        )

    @property
    def admin(self) -> str:
        """The path of Envoy's admin socket."""
        return str(self.run / "admin.sock")

    @property
    def documents(self) -> Path:
        """The folder of the documents that Envoy watches."""
        return self.run / "xds"

    @property
    def bootstrap(self) -> Path:
        """Envoy's first document."""
        return self.configuration / "bootstrap.json"
