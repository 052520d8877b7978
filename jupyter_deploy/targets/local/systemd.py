"""The systemd user unit that brings endpoints back after a reboot, written and enabled at a user's request."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from jupyter_deploy.domain.base import user_name
from jupyter_deploy.domain.errors import StoreError
from jupyter_deploy.domain.results import AtBoot
from jupyter_deploy.system.home import private_folder

_LINGER = Path("/var/lib/systemd/linger")


class SystemdUnit:
    """The Boot port: one unit for each home.

    Parameters
    ----------
    home : Path
        The home whose endpoints come back.
    settings : Mapping[str, str]
        Variables that hold at boot, when no shell has set any.
    """

    def __init__(self, home: Path, settings: Mapping[str, str]) -> None:
        self._home = home
        self._settings = settings
        folder = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "systemd" / "user"
        self._unit = folder / f"nbdeploy-{hashlib.sha256(os.fsencode(home)).hexdigest()[:8]}.service"
        self._wanted = folder / "default.target.wants" / self._unit.name

    def switch(self, *, on: bool) -> AtBoot:
        """Write and enable the unit, as ``systemctl --user enable`` does, or remove it.

        Works without a running user manager, which reads the unit when it starts.

        Raises
        ------
        StoreError
            The files cannot be written.
        """
        try:
            self._wanted.unlink(missing_ok=True)
            self._unit.unlink(missing_ok=True)
            if on:
                private_folder(self._wanted.parent)
                self._unit.write_text(unit(sys.executable, self._home, self._settings), "utf-8")
                self._wanted.symlink_to(self._unit)
        except OSError as error:
            raise StoreError(f"{self._unit} cannot be written: {error.strerror}", "make it writable for you") from error
        _reload()
        user = user_name()
        lingers = not on or (_LINGER / user).exists()
        return AtBoot(unit=str(self._unit), on=on, todo=None if lingers else f"loginctl enable-linger {user}")


def unit(python: str, home: Path, settings: Mapping[str, str]) -> str:
    """The unit's text.

    ``oneshot`` with ``RemainAfterExit``: the processes that ``reconcile`` starts belong to the unit and outlive it.
    The ``-`` is there since systemd ends all processes of a failed unit: one release that does not start must not end
    the others. At the unit's stop, ``down`` lets pending requests finish; then systemd ends the remaining processes.
    """
    run = f"{_quoted(python, command=True)} -P -m jupyter_deploy"
    variables = [f"Environment={_quoted(f'{name}={value}')}" for name, value in sorted(settings.items())]
    return "\n".join(
        [
            "[Unit]",
            f"Description=nbdeploy: the endpoints of {str(home).replace('%', '%%')}",
            "",
            "[Service]",
            "Type=oneshot",
            "RemainAfterExit=yes",
            "TimeoutStartSec=infinity",
            *variables,
            f"ExecStart=-{run} reconcile",
            f"ExecStop={run} down",
            "",
            "[Install]",
            "WantedBy=default.target",
            "",
        ]
    )


def _quoted(text: str, *, command: bool = False) -> str:
    """Text in systemd's quotes: quotes, backslashes, ``%`` and in commands ``$`` are escaped."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("%", "%%")
    return f'"{escaped.replace("$", "$$") if command else escaped}"'


def _reload() -> None:
    """Have a running user manager read the units again."""
    if shutil.which("systemctl"):
        subprocess.run(
            ["systemctl", "--user", "daemon-reload"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=30,
            check=False,
        )
