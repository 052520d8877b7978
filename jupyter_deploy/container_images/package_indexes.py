"""The package indexes of a build in a container: this machine's settings of pip and uv, as secrets of the build.

The settings are those of ``environments.installer``. A build does not see this machine's folders, so the lock's wheels
in them are copied into its context.
"""

from __future__ import annotations

import contextlib
import json
import netrc
import os
import re
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from jupyter_deploy.domain.errors import InvalidInput
from jupyter_deploy.environments.installer import pips_settings, uvs_settings

from .containerfile import CERTIFICATES, CONFIG, NETRC, TOOLS

# uv's variables for finding and fetching; others concern this machine or the place of installation.
_PASSED_ON = re.compile(
    r"UV_(?:DEFAULT_|EXTRA_)?INDEX(?:_URL)?|UV_INDEX_\w+_(?:USERNAME|PASSWORD)|UV_INDEX_STRATEGY|UV_INSECURE_HOST|"
    r"UV_NO_INDEX|UV_(?:HTTP|REQUEST|CONCURRENT)_\w+|UV_EXCLUDE_NEWER|(?i:(?:https?|all|no)_proxy)"
)
_INDEX = re.compile(r"UV_(?:DEFAULT_|EXTRA_)?INDEX(?:_URL)?")
_SYSTEMS = ("UV_NATIVE_TLS", "UV_SYSTEM_CERTS")

# An index may have a name: NAME=URL.
_NAMED = re.compile(r"[\w.-]+=(?=\w+://|[/.~])")


@dataclass(frozen=True)
class Indexes:
    """The settings of package indexes.

    Attributes
    ----------
    settings
        uv's variables as a JSON object, which may hold passwords.
    files
        Secret's name -> file of this machine.
    folders
        Folders of wheels.
    no_index
        Whether wheels come only from the folders.
    hidden
        Texts to mask in messages.
    """

    settings: str
    files: Mapping[str, Path]
    folders: tuple[Path, ...]
    no_index: bool
    hidden: frozenset[str]


def indexes() -> Indexes:
    """The present settings.

    Raises
    ------
    InvalidInput
        An index is a folder of this machine.
    """
    pips = pips_settings()
    settings = {**uvs_settings(pips), **os.environ}
    named = {name: value for name, value in settings.items() if _PASSED_ON.fullmatch(name) and value}
    _require_reachable(named)
    links = settings.get("UV_FIND_LINKS", "").replace(",", " ").split()
    folders = tuple(Path(folder_of(link)).absolute() for link in links if folder_of(link))
    named["UV_FIND_LINKS"] = ",".join([f"/build/{TOOLS}/wheels", *(link for link in links if not folder_of(link))])
    files = {name: file for name, file in _files(settings).items() if file.is_file()}
    within = {NETRC: "NETRC", CERTIFICATES: "SSL_CERT_FILE", CONFIG: "UV_CONFIG_FILE"}
    named |= {within[name]: f"/run/secrets/{name}" for name in files}
    return Indexes(
        settings=json.dumps(dict(sorted(named.items()))),
        files=files,
        folders=folders,
        no_index="no-index" in pips,
        hidden=frozenset(_hidden(named, files.get(NETRC))),
    )


def _require_reachable(named: Mapping[str, str]) -> None:
    for name in filter(_INDEX.fullmatch, named):
        for url in named[name].split():
            if folder_of(_NAMED.sub("", url, count=1)):
                raise InvalidInput(
                    f"the package index {url} is a folder of this machine, which a build in a container does not see",
                    "name folders of wheels by PIP_FIND_LINKS, or build without an engine: --builder daemonless",
                )


def folder_of(location: str) -> str:
    """The folder of this machine that a URL or path names; empty: it is none."""
    if "://" not in location:
        return location
    return unquote(urlsplit(location).path) if location.startswith("file:") else ""


def _files(variables: Mapping[str, str]) -> dict[str, Path]:
    """The files that uv would read on this machine."""
    default = Path(variables.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "uv" / "uv.toml"
    files = {NETRC: Path(variables.get("NETRC") or Path.home() / ".netrc")}
    if not variables.get("UV_NO_CONFIG"):
        files[CONFIG] = Path(variables.get("UV_CONFIG_FILE") or default)
    trusted = variables.get("SSL_CERT_FILE")
    if not trusted and any(variables.get(name, "").lower() in ("1", "true", "yes", "on") for name in _SYSTEMS):
        trusted = ssl.get_default_verify_paths().cafile
    if trusted:
        files[CERTIFICATES] = Path(trusted)
    return files


def _hidden(named: Mapping[str, str], noted: Path | None) -> Iterator[str]:
    """The passwords in the settings, also unquoted."""
    for name, value in named.items():
        if name.endswith("_PASSWORD"):
            yield value
        for word in re.split(r"[\s,]+", value):
            with contextlib.suppress(ValueError):
                about = urlsplit(_NAMED.sub("", word, count=1))
                secret = about.password or about.username  # a name without a password is a token
                if secret:
                    yield secret
                    yield unquote(secret)
    if noted:
        with contextlib.suppress(OSError, netrc.NetrcParseError):
            yield from (password for _, _, password in netrc.netrc(noted).hosts.values() if password)
