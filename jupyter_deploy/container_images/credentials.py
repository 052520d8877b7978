"""Files of a user's registry credentials and certificates, for programs that search fewer of them than skopeo."""

from __future__ import annotations

import base64
import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_SECRET = ("password", "identitytoken", "registrytoken", "auth")


def auth_file(registry: str) -> Path | None:
    """The file from which skopeo takes the credentials for a registry; None: there is none.

    cosign reads only the first existing file, and prefers docker's to REGISTRY_AUTH_FILE.
    """
    existing = [path for path in _auth_files() if path.is_file()]
    return next((path for path in existing if _names(_read(path), registry)), existing[0] if existing else None)


def secrets_for(registry: str) -> set[str]:
    """All secrets for a registry in the files of credentials."""
    return {secret for path in _auth_files() for secret in _secrets_in(_read(path), registry)}


def certificates_for(registry: str) -> str:
    """CA certificates (PEM) that skopeo trusts for a registry besides the machine's; empty: none."""
    home = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    folders = (home / "containers/certs.d", Path("/etc/containers/certs.d"), Path("/etc/docker/certs.d"))
    # skopeo takes the first of them that has a folder for the registry.
    certificates = next((folder / registry for folder in folders if (folder / registry).is_dir()), None)
    return "\n".join(path.read_text("utf-8") for path in sorted(certificates.glob("*.crt"))) if certificates else ""


def _auth_files() -> list[Path]:
    """The files of credentials in the order of containers-auth.json(5)."""
    named = os.environ.get("REGISTRY_AUTH_FILE")
    if named:
        return [Path(named)]
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    config = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    docker = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")
    return [
        Path(runtime) / "containers/auth.json" if runtime else Path(f"/run/containers/{os.geteuid()}/auth.json"),
        config / "containers/auth.json",
        docker / "config.json",
    ]


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _names(content: dict[str, Any], registry: str) -> bool:
    keys = [*(content.get("auths") or {}), *(content.get("credHelpers") or {})]
    return bool(content.get("credsStore")) or any(_host(key) == registry for key in keys)


def _host(key: str) -> str:
    """The host in a key of docker (``https://host/v1/``) or podman (``host/namespace``)."""
    return key.rpartition("://")[2].partition("/")[0]


def _secrets_in(content: dict[str, Any], registry: str) -> Iterator[str]:
    for key, entry in (content.get("auths") or {}).items():
        if _host(key) != registry or not isinstance(entry, dict):
            continue
        yield from (str(entry[name]) for name in _SECRET if entry.get(name))
        with contextlib.suppress(ValueError):
            yield base64.b64decode(str(entry.get("auth", ""))).decode().partition(":")[2]
