"""Envoy's admin interface: statistics, the documents in force, the clusters that are ready."""

from __future__ import annotations

import http.client
import re
from collections.abc import Iterable
from typing import Self
from urllib.parse import urlencode

from jupyter_deploy.system.unix_http import UnixConnection
from jupyter_deploy.targets.envoy.parts import Json

_SECONDS = 5.0


class Admin:
    """A persistent connection, since each change of traffic needs several requests."""

    def __init__(self, socket: str) -> None:
        self._connection = UnixConnection(socket, _SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def get(self, path: str) -> str | None:
        """The response's text; None while Envoy does not answer."""
        try:
            self._connection.request("GET", path)
            return self._connection.getresponse().read().decode(errors="replace")
        except (OSError, http.client.HTTPException):
            self._connection.close()  # the next request opens another one
            return None


def document_stats(admin: Admin, prefixes: Iterable[str]) -> dict[str, str]:
    """The versions of the watched documents in force, and the numbers of their rejections."""
    any_of = "|".join(map(re.escape, prefixes))
    return stats(admin, rf"^({any_of})\.(version_text|update_rejected)$")


def stats(admin: Admin, pattern: str) -> dict[str, str]:
    """Envoy's statistics; empty while Envoy does not answer."""
    lines = (admin.get(f"/stats?{urlencode({'filter': pattern})}") or "").splitlines()
    return {name: value.strip('"') for name, _, value in (line.partition(": ") for line in lines)}


def clusters_known(admin: Admin, document: Json) -> bool:
    """Whether Envoy has warmed up all clusters; their document's version is in force before."""
    known = {line.partition("::")[0] for line in (admin.get("/clusters") or "").splitlines()}
    return all(resource["name"] in known for resource in document["resources"])
