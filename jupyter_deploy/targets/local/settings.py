"""The settings of the local target: each field with a description is one of the user's."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, field_validator

from jupyter_deploy.domain.release.host_names import HOST, HostNames
from jupyter_deploy.domain.release.ports import TargetSettings
from jupyter_deploy.system.home import GATEWAY_FILE


def _host_of(url: str) -> str:
    """The host in a URL as a ``Host`` header has it, without the port."""
    host = urlsplit(url.replace("{port}", "1")).hostname or ""
    return f"[{host}]" if ":" in host else host


AbsolutePath = Annotated[Path, AfterValidator(lambda path: path.expanduser().absolute())]


class LocalSettings(TargetSettings):
    """Settings of the local target.

    Attributes
    ----------
    request_timeout
        Seconds in which a client must have sent its whole request.
    """

    runtime: AbsolutePath | None = Field(
        default=None, description="Folder of sockets and of the configuration in force (default: a short private one)."
    )
    port: int = Field(default=8780, ge=1, le=65535, description="The gateway's port; when taken, a free one is chosen.")
    envoy: str | None = Field(default=None, description="Path of another Envoy binary.")
    start_timeout: float = Field(default=120.0, gt=0, description="Seconds for the start of a release.")
    predict_timeout: float = Field(
        default=60.0,
        gt=0,
        description="Seconds that a prediction may take, and that a release has for its requests when it is stopped.",
    )
    shadow_timeout: float = Field(default=30.0, gt=0, description="Seconds that a shadow may take to answer.")
    hosts: HostNames = Field(
        default=(),
        description="Host names, separated by commas, by which clients may call the gateway besides `localhost` and "
        "the public URL's host; a name may begin with `*.`. Others are refused.",
    )
    public_url: str | None = Field(
        default=None,
        description="The gateway's URL for other machines, with `{port}` for its port; messages show it.",
    )
    require_token: bool = Field(
        default=False,
        description="Make a token in `NBDEPLOY_HOME/token.header`; while that file exists, requests need it.",
    )
    when_record_fails: Literal["answer", "refuse"] = Field(
        default="answer",
        description="Requests that cannot be recorded (a full disk) are answered, or refused with 503.",
    )
    log_format: Literal["text", "json"] = Field(
        default="text", description="Format of releases' logs: lines of text, or JSON objects."
    )
    otlp_endpoint: str | None = Field(
        default=None,
        description="URL of an OpenTelemetry collector for traces, such as http://127.0.0.1:4318 (default: no traces). "
        "Releases need `pip install 'nbdeploy[otlp]'`; the gateway uses it from its next start.",
    )
    segment_bytes: int = Field(
        default=32 * 1024**2, ge=1024, description="A file of records is closed, and then compacted, at this size."
    )
    request_timeout: float = 120.0

    @field_validator("otlp_endpoint")
    @classmethod
    def _is_collector(cls, value: str | None) -> str | None:
        parts = urlsplit(value or "http://unset")
        if (
            parts.scheme not in ("http", "https")
            or not parts.hostname
            or parts.query
            or parts.fragment
            or parts.password
        ):
            raise ValueError("write the collector's URL, such as http://127.0.0.1:4318")
        return value

    @field_validator("public_url")
    @classmethod
    def _is_url(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value.replace("{port}", "1"))
        plain = re.fullmatch(r"[!-~]+", value) and not re.search(r"[\"'`$\\{}]", value.replace("{port}", ""))
        if parts.scheme not in ("http", "https") or not HOST.fullmatch(_host_of(value)) or not plain:
            raise ValueError("write a URL such as https://hub.example.org/user/ada/proxy/{port}")
        if parts.port == 0 or parts.username or parts.password or parts.query or parts.fragment:
            raise ValueError("it must hold no user, password, query, fragment or port 0: paths are appended")
        return value.rstrip("/")

    @property
    def grace_seconds(self) -> int:
        """Time for the requests in progress of a release that is stopped: as long as the gateway lets one last."""
        from jupyter_deploy.serving.hosting.options import (
            MAX_GRACE_SECONDS,  # a command that only looks needs no serving
        )

        return min(math.ceil(self.predict_timeout), MAX_GRACE_SECONDS)

    @property
    def allowed_hosts(self) -> tuple[str, ...]:
        """Names by which clients may call the gateway, besides those of this machine."""
        return (*self.hosts, *([_host_of(self.public_url)] if self.public_url else []))

    @property
    def logs(self) -> Path:
        """Logs of workers, Envoy and the supervisor."""
        return self.home / "logs"

    @property
    def edge_ledger(self) -> Path:
        """One JSON line per prediction that a client requested."""
        return self.home / "ledger" / "edge.jsonl"

    @property
    def shadow_ledger(self) -> Path:
        """One JSON line per copy of a request that a shadow received."""
        return self.home / "ledger" / "shadow.jsonl"

    @property
    def gateway_file(self) -> Path:
        """The file that holds the port and the runtime directory in use."""
        return self.home / GATEWAY_FILE
