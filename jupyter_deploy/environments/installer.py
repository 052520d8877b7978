"""uv, which installs what a lock names: started with pip's settings, which it does not read itself."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from jupyter_deploy.domain.errors import EnvironmentNotBuilt

_TAIL = 15

# pip's settings and what uv, which does not read them, calls the same; the last: how uv separates several values.
_PIPS = {
    "index-url": ("UV_DEFAULT_INDEX", " "),
    "extra-index-url": ("UV_INDEX", " "),
    "find-links": ("UV_FIND_LINKS", ","),
    "trusted-host": ("UV_INSECURE_HOST", " "),
    "cert": ("SSL_CERT_FILE", " "),
    "proxy": ("ALL_PROXY", " "),
    "timeout": ("UV_HTTP_TIMEOUT", " "),
    "default-timeout": ("UV_HTTP_TIMEOUT", " "),
}

_UNWANTED = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "CONDA_PREFIX")


def install(
    requirements: Mapping[str, str],
    options: list[str],
    folder: Path,
    lock: int,
    *,
    remedy: str,
    links: Path | None = None,
) -> None:
    """``uv pip install`` of exactly these versions: a lock is complete, so that nothing is left to resolve.

    Parameters
    ----------
    requirements
        Distribution name -> version.
    options
        Where to, and for which interpreter.
    folder
        Its working directory, where ``requirements.txt`` is left.
    lock
        A descriptor that the installer inherits: it holds that lock as long as it lives.
    links
        A folder of wheels beside those of the settings.

    Raises
    ------
    EnvironmentNotBuilt
        With uv's last lines, in which credentials are masked.
    """
    listed = folder / "requirements.txt"
    listed.write_text("".join(f"{name}=={version}\n" for name, version in requirements.items()), "utf-8")
    pips = pips_settings()
    settings = uvs_settings(pips)
    more = ["--no-index"] if "no-index" in pips else []
    if links:  # an option makes uv forget the variable
        folders = {**settings, **os.environ}.get("UV_FIND_LINKS", "").split(",")
        more += [word for one in (*filter(None, folders), str(links)) for word in ("--find-links", one)]
    command = ["pip", "install", *options, *more, "--no-deps", "--no-progress", "--requirements", str(listed)]
    run_uv(command, folder, lock, settings=settings, remedy=remedy)


def run_uv(
    arguments: list[str],
    folder: Path,
    lock: int,
    *,
    remedy: str,
    failed: str = "an environment of its own could not be made of the lock",
    settings: Mapping[str, str] | None = None,
) -> None:
    """Run uv in a folder; what the user says to uv itself goes before ``settings``. Raises EnvironmentNotBuilt."""
    from uv import find_uv_bin  # noqa: PLC0415 - only isolated releases and images need it

    own = {name: value for name, value in os.environ.items() if name not in _UNWANTED}
    ended = subprocess.run(
        [find_uv_bin(), *arguments],
        cwd=folder,
        env={**(settings or {}), **own},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        pass_fds=(lock,),
    )
    if ended.returncode:
        details = "\n".join(without_credentials(ended.stderr).strip().splitlines()[-_TAIL:])
        raise EnvironmentNotBuilt(failed, remedy, details)


def pips_settings() -> dict[str, list[str]]:
    """What pip's files and the environment tell it: where the notebook's distributions most likely came from."""
    ended = subprocess.run(
        [sys.executable, "-P", "-m", "pip", "config", "list"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    found: dict[str, dict[str, list[str]]] = {"global": {}, "install": {}, ":env:": {}}
    for line in ended.stdout.splitlines():
        match = re.fullmatch(r"(global|install|:env:)\.([a-z-]+)=('.*'|\".*\")", line)
        if match:
            found[match[1]][match[2]] = str(ast.literal_eval(match[3])).split()
    merged = found["global"] | found["install"] | found[":env:"]
    if merged.get("no-index", ["false"])[0].lower() in ("0", "false", "no", "off"):
        merged.pop("no-index", None)
    return merged


def uvs_settings(pips: Mapping[str, list[str]]) -> dict[str, str]:
    """The same as variables for uv, which, as pip does, is to look for a version on all indexes."""
    named = {uv: separator.join(pips[pip]) for pip, (uv, separator) in _PIPS.items() if pip in pips}
    return {"UV_INDEX_STRATEGY": "unsafe-best-match", **named}


def without_credentials(text: str) -> str:
    """``https://user:password@host`` without what stands before the last ``@``: rather too little than too much."""
    return re.sub(r"(\w+://)\S*@", r"\1", text)
