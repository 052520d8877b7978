"""The programs that move and sign images: found, run with the variables that they need, ended with this process."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import psutil

from jupyter_deploy.domain.errors import ToolMissing
from jupyter_deploy.domain.release.processes import passed_on
from jupyter_deploy.environments.installer import without_credentials

# Besides the variables of any process: credentials, certificates, proxies, and the variables of the usual
# credential helpers (of clouds, desktops and password stores).
_FOR_REGISTRIES = re.compile(
    r"(?i:https?_proxy|all_proxy|no_proxy)|REGISTRY_AUTH_FILE|DOCKER_CONFIG|CONTAINERS_.*|XDG_.*|"
    r"AWS_.*|AZURE_.*|GOOGLE_.*|CLOUDSDK_.*|GNUPGHOME|GPG_TTY|PASSWORD_STORE_.*|DBUS_SESSION_BUS_ADDRESS|KRB5CCNAME|"
    r"DISPLAY|WAYLAND_DISPLAY"
)

# The daemon, and an engine's own settings.
_FOR_ENGINES = re.compile(r"(?:DOCKER|CONTAINER|BUILDAH|BUILDX|BUILDKIT|PODMAN|STORAGE)_.*")

_PATIENCE = 5.0
"""Seconds from SIGTERM to SIGKILL."""


@dataclass(frozen=True)
class Completed:
    """The result of a program; ``complaints`` is its standard error."""

    code: int
    output: bytes
    complaints: str


def variables(own: Mapping[str, str] = {}) -> dict[str, str]:
    """The variables of a program: those of this process that it needs, and its ``own``."""
    return {
        **passed_on(os.environ),
        **{name: value for name, value in os.environ.items() if _FOR_REGISTRIES.fullmatch(name)},
        **own,
    }


def for_builders() -> dict[str, str]:
    """The further variables of a container engine."""
    return {name: value for name, value in os.environ.items() if _FOR_ENGINES.fullmatch(name)}


def require_program(program: str) -> str:
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


def run(
    program: str,
    arguments: Iterable[str],
    own: Mapping[str, str] = {},
    *,
    patience: float | None = None,
    held: Sequence[int] = (),
) -> Completed:
    """Run a program to its end.

    Parameters
    ----------
    patience
        Seconds that it may take; None: any.
    held
        Descriptors that it inherits.

    Raises
    ------
    ToolMissing
        The program is not installed.
    TimeoutError
        The program took longer than ``patience`` seconds and was ended.
    """
    with _started([require_program(program), *arguments], own, subprocess.PIPE, held) as process:
        try:
            output, complaints = process.communicate(timeout=patience)
        except subprocess.TimeoutExpired as error:
            raise TimeoutError(f"{program} did not end within {patience:g} seconds") from error
    return Completed(process.returncode, output, complaints.decode(errors="replace"))


@contextlib.contextmanager
def stream(program: str, arguments: Iterable[str], own: Mapping[str, str] = {}) -> Iterator[subprocess.Popen[bytes]]:
    """Start a program whose lines are read as they come, standard error among them. Raises ToolMissing."""
    with _started([require_program(program), *arguments], own, subprocess.STDOUT) as process:
        yield process


@contextlib.contextmanager
def _started(
    command: list[str], own: Mapping[str, str], complaints: int, held: Sequence[int] = ()
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program; an exception in the block ends it, with the credential helpers that it started."""
    process = subprocess.Popen(
        command,
        env=variables(own),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=complaints,
        start_new_session=True,  # on Ctrl-C this process ends it
        pass_fds=held,
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
    """End a program by SIGTERM, then SIGKILL. It is reaped last, so that its group's id cannot be reused.

    Processes in an engine's container end first: podman leaves them running, but cleans up after a failed container.
    """
    if process.returncode is not None:
        return
    contained = _apart(process.pid)
    for program in contained:
        with contextlib.suppress(psutil.Error):
            program.kill()
    if contained:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_PATIENCE)
            return
    _signal(process.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_PATIENCE)
    # Helpers may outlive it; the group exists as long as one of them.
    _signal(process.pid, signal.SIGKILL)
    process.wait()


def _apart(group: int) -> list[psutil.Process]:
    """The descendants of a group's leader that are in other groups."""
    with contextlib.suppress(psutil.Error, ProcessLookupError):
        return [child for child in psutil.Process(group).children(recursive=True) if os.getpgid(child.pid) != group]
    return []


def _signal(group: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, number)


def masked(text: str, secrets: Iterable[str] = ()) -> str:
    """A program's text without credentials in URLs, without queries (they may be signed) and without ``secrets``."""
    text = re.sub(r"(\w+://[^\s\"'?]+)\?[^\s\"']*", r"\1?…", without_credentials(text))
    for secret in sorted({value for value in secrets if value}, key=len, reverse=True):
        text = text.replace(secret, "…")
    return text
