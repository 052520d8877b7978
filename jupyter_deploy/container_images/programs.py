"""The programs that move and sign images: found, run with what they need of the user's variables, ended with us."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import psutil

from jupyter_deploy.domain.errors import ToolMissing
from jupyter_deploy.domain.release.processes import passed_on
from jupyter_deploy.environments.installer import without_credentials

# Beside what any process is given: where credentials and certificates are, the ways out, and what the usual
# credential helpers (of clouds, desktops and password stores) ask for.
_FOR_REGISTRIES = re.compile(
    r"(?i:https?_proxy|all_proxy|no_proxy)|REGISTRY_AUTH_FILE|DOCKER_CONFIG|CONTAINERS_.*|XDG_.*|"
    r"AWS_.*|AZURE_.*|GOOGLE_.*|CLOUDSDK_.*|GNUPGHOME|GPG_TTY|PASSWORD_STORE_.*|DBUS_SESSION_BUS_ADDRESS|KRB5CCNAME|"
    r"DISPLAY|WAYLAND_DISPLAY"
)

# Which of several daemons is meant, and how an engine works.
_FOR_ENGINES = re.compile(r"(?:DOCKER|CONTAINER|BUILDAH|BUILDX|BUILDKIT|PODMAN|STORAGE)_.*")

_PATIENCE = 5.0
"""Seconds from the polite end of a program to the other one."""


@dataclass(frozen=True)
class Ended:
    """How a program ended; ``complaints`` is what it wrote to its standard error, or, when followed, everything."""

    code: int
    output: bytes
    complaints: str


def variables(own: Mapping[str, str] = {}) -> dict[str, str]:
    """What a program is given of this process's variables, and ``own`` ones."""
    return {
        **passed_on(os.environ),
        **{name: value for name, value in os.environ.items() if _FOR_REGISTRIES.fullmatch(name)},
        **own,
    }


def for_builders() -> dict[str, str]:
    """What a container engine is given beside that."""
    return {name: value for name, value in os.environ.items() if _FOR_ENGINES.fullmatch(name)}


def found(program: str) -> str:
    """The program's path.

    Raises
    ------
    ToolMissing
        It is not installed.
    """
    path = shutil.which(program)
    if path is None:
        raise ToolMissing(
            f"'{program}' is not installed, or not on PATH",
            f"install the package '{program}': apt-get install {program}, or as your system does it",
        )
    return path


def run(program: str, arguments: Iterable[str], own: Mapping[str, str] = {}, *, patience: float) -> Ended:
    """Run to its end.

    Raises
    ------
    ToolMissing
    TimeoutError
        It took longer than ``patience`` seconds, and was ended.
    """
    with _started([found(program), *arguments], own, subprocess.PIPE) as process:
        try:
            output, complaints = process.communicate(timeout=patience)
        except subprocess.TimeoutExpired as error:
            raise TimeoutError(f"{program} did not end within {patience:g} seconds") from error
    return Ended(process.returncode, output, complaints.decode(errors="replace"))


@contextlib.contextmanager
def followed(program: str, arguments: Iterable[str], own: Mapping[str, str] = {}) -> Iterator[subprocess.Popen[bytes]]:
    """Started, for its lines to be read as they come; both of its outputs are ``stdout``. Raises ToolMissing."""
    with _started([found(program), *arguments], own, subprocess.STDOUT) as process:
        yield process


@contextlib.contextmanager
def _started(command: list[str], own: Mapping[str, str], complaints: int) -> Iterator[subprocess.Popen[bytes]]:
    """Within, it runs; whatever ends the block early ends it, and the credential helpers that it began."""
    process = subprocess.Popen(
        command,
        env=variables(own),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=complaints,
        start_new_session=True,  # Ctrl-C is for us, who end it
    )
    try:
        yield process
        process.wait()
    except BaseException:
        _end(process)
        raise
    finally:
        for pipe in (process.stdout, process.stderr):
            if pipe:
                pipe.close()


def _end(process: subprocess.Popen[bytes]) -> None:
    """Politely, then not; it is not reaped before, so that its group cannot be another's.

    What runs in a container of an engine goes first: podman would leave it alone, and clears up after what has failed.
    """
    if process.returncode is not None:
        return
    contained = _apart(process.pid)
    for one in contained:
        with contextlib.suppress(psutil.Error):
            one.kill()
    if contained:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_PATIENCE)
            return
    _signal(process.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_PATIENCE)
    # Helpers may outlive it: the group is there as long as one of them is.
    _signal(process.pid, signal.SIGKILL)
    process.wait()


def _apart(group: int) -> list[psutil.Process]:
    """The processes that a group's leader began, and those that they did, in other groups than its own."""
    with contextlib.suppress(psutil.Error, ProcessLookupError):
        return [one for one in psutil.Process(group).children(recursive=True) if os.getpgid(one.pid) != group]
    return []


def _signal(group: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, number)


def masked(text: str, secrets: Iterable[str] = ()) -> str:
    """Words of a program that may be shown: no credentials in URLs, no queries (they may be signed), no ``secrets``."""
    text = re.sub(r"(\w+://[^\s\"'?]+)\?[^\s\"']*", r"\1?…", without_credentials(text))
    for secret in sorted({one for one in secrets if one}, key=len, reverse=True):
        text = text.replace(secret, "…")
    return text
