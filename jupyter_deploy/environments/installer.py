"""uv, the installer of locks, started with pip's settings, which uv itself does not read."""

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

# pip's settings and uv's names of them; the second item separates several values.
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
    """Run ``uv pip install`` with exactly these versions: a lock is complete, so that nothing is resolved.

    Parameters
    ----------
    requirements
        Distribution name -> version.
    options
        The target and the interpreter.
    folder
        The working directory; ``requirements.txt`` is left there.
    lock
        A descriptor that the installer inherits: it holds the lock as long as it lives.
    links
        A folder of wheels in addition to the settings.

    Raises
    ------
    EnvironmentNotBuilt
        With uv's last lines, in which credentials are masked.
    """
    listed = folder / "requirements.txt"
    listed.write_text("".join(f"{name}=={version}\n" for name, version in requirements.items()), "utf-8")
    pips = pips_settings()
    settings = uvs_settings(pips)
    extra_options = ["--no-index"] if "no-index" in pips else []
    if links:  # an option makes uv ignore the variable
        folders = {**settings, **os.environ}.get("UV_FIND_LINKS", "").split(",")
        extra_options += [
            word for folder_path in (*filter(None, folders), str(links)) for word in ("--find-links", folder_path)
        ]
    command = ["pip", "install", *options, *extra_options, "--no-deps", "--no-progress", "--requirements", str(listed)]
    run_uv(command, folder, lock, settings=settings, remedy=remedy)


def run_uv(
    arguments: list[str],
    folder: Path,
    lock: int | None = None,
    *,
    remedy: str = "",
    failed: str = "the isolated environment could not be built from the lock",
    settings: Mapping[str, str] | None = None,
) -> None:
    """Run uv in a folder, with ``uv_command``. Raises EnvironmentNotBuilt."""
    command, variables = uv_command(arguments, settings)
    completed = subprocess.run(
        command,
        cwd=folder,
        env=variables,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        pass_fds=() if lock is None else (lock,),
    )
    if completed.returncode:
        details = "\n".join(without_credentials(completed.stderr).strip().splitlines()[-_TAIL:])
        raise EnvironmentNotBuilt(failed, remedy, details)


def uv_command(arguments: list[str], settings: Mapping[str, str] | None = None) -> tuple[list[str], dict[str, str]]:
    """Return a command of uv and its environment; the user's own variables of uv override ``settings``."""
    from uv import find_uv_bin  # noqa: PLC0415 - only isolated environments and images need it

    variables = {name: value for name, value in os.environ.items() if name not in _UNWANTED}
    return [find_uv_bin(), *arguments], {**(settings or {}), **variables}


def pips_settings() -> dict[str, list[str]]:
    """Return pip's settings from its files and the environment: likely the source of the notebook's distributions."""
    completed = subprocess.run(
        [sys.executable, "-P", "-m", "pip", "config", "list"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    sections: dict[str, dict[str, list[str]]] = {"global": {}, "install": {}, ":env:": {}}
    for line in completed.stdout.splitlines():
        match = re.fullmatch(r"(global|install|:env:)\.([a-z-]+)=('.*'|\".*\")", line)
        if match:
            sections[match[1]][match[2]] = str(ast.literal_eval(match[3])).split()
    merged = sections["global"] | sections["install"] | sections[":env:"]
    if merged.get("no-index", ["false"])[0].lower() in ("0", "false", "no", "off"):
        merged.pop("no-index", None)
    return merged


def uvs_settings(pips: Mapping[str, list[str]]) -> dict[str, str]:
    """Return pip's settings as variables of uv, which then searches all indexes for a version, as pip does."""
    named = {uv: separator.join(pips[pip]) for pip, (uv, separator) in _PIPS.items() if pip in pips}
    return {"UV_INDEX_STRATEGY": "unsafe-best-match", **named}


def without_credentials(text: str) -> str:
    """Remove credentials (``user:password@``) from URLs, up to the last ``@``: rather too much than too little."""
    return re.sub(r"(\w+://)\S*@", r"\1", text)
