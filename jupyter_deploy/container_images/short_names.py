"""Short names of images, such as ``python:3.11-slim``: the images that container tools take for them.

The rules are those of containers-registries.conf(5): an alias names one image, else each of the
``unqualified-search-registries`` may have it, in their order.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jupyter_deploy.domain.errors import InvalidInput

_SYSTEM = Path("/etc/containers")


def candidates(name: str, tag: str) -> list[str]:
    """Return the images, as HOST/PATH:TAG, that a short name may mean, in the order in which they are tried.

    Raises
    ------
    InvalidInput
        A configuration file is no TOML.
    """
    aliases: dict[str, str] = {}
    registries: list[str] = []
    for content in _configurations():
        aliases |= content.get("aliases") or {}
        registries = content.get("unqualified-search-registries", registries)
    if aliases.get(name):
        return [f"{aliases[name]}:{tag}"]
    return [f"{registry}/{name}:{tag}" for registry in registries]


def user_file() -> Path:
    """The user's own configuration file, which need not exist."""
    named = os.environ.get("CONTAINERS_REGISTRIES_CONF")
    return Path(named) if named else _user_folder() / "registries.conf"


def _user_folder() -> Path:
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "containers"


def _configurations() -> Iterator[dict[str, Any]]:
    """The contents of the files that exist; later ones count before earlier ones."""
    if os.environ.get("CONTAINERS_REGISTRIES_CONF"):
        files = [user_file()]
    else:
        own = user_file()
        files = [own if own.is_file() else _SYSTEM / "registries.conf"]
        for folder in (_SYSTEM, _user_folder()):
            files += sorted((folder / "registries.conf.d").glob("*.conf"))
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    for file in (*files, cache / "containers/short-name-aliases.conf"):
        try:
            yield tomllib.loads(file.read_text("utf-8"))
        except FileNotFoundError:
            continue
        except (OSError, ValueError) as error:
            raise InvalidInput(f"{file} cannot be read: {error}", "correct it; container tools read it too") from error
