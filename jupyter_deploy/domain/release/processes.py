"""A model's process: its variables, and the texts about its end. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from jupyter_deploy.domain.errors import EnvironmentChanged

IDLE = "idle, starts on a request"
"""The detail of a release without processes, which a request starts."""

# The variables for programs, libraries, temporary files, the locale and the use of processors. Tokens and keys of a
# kernel's environment stay out; PYTHONPATH too, since a model that needs the project's folder must fail at the replay
# and not in production.
_PASSED_ON = re.compile(
    r"PATH|HOME|USER|LOGNAME|LANG|LC_.*|TZ|TMPDIR|LD_LIBRARY_PATH|DYLD_.*|SSL_CERT_(FILE|DIR)|"
    r"OMP_.*|OPENBLAS_.*|MKL_.*|NUMEXPR_.*|CUDA_.*|NVIDIA_.*"
)


def passed_on(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables of ``environment`` for a model's process."""
    return {name: value for name, value in environment.items() if _PASSED_ON.fullmatch(name)}


# The variables by which the clients of buckets find their server and its keys.
_FOR_BUCKETS = re.compile(r"AWS_.*|GOOGLE_APPLICATION_CREDENTIALS|AZURE_(STORAGE|CLIENT|TENANT)_.*")


def for_buckets(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables of ``environment`` for a process that reads and writes buckets."""
    return {name: value for name, value in environment.items() if _FOR_BUCKETS.fullmatch(name)}


# The variables for an engine's storage, settings and daemon. Not CONTAINER_HOST: a remote podman has no folders of this
# machine.
_FOR_ENGINES = re.compile(
    r"XDG_.*|CONTAINERS_.*|PODMAN_.*|STORAGE_.*|DOCKER_(HOST|CONTEXT|CERT_PATH|TLS_VERIFY|CONFIG)|DBUS_SESSION_BUS_ADDRESS"
)


def for_engine(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables of ``environment`` by which podman and docker find this user's storage and settings."""
    return passed_on(environment) | {name: value for name, value in environment.items() if _FOR_ENGINES.fullmatch(name)}


def last_lines(text: str, count: int) -> str:
    """The last lines of a log or a traceback."""
    return "\n".join(text.strip().splitlines()[-count:])


def environment_changed(tag: str, changes: Iterable[str]) -> EnvironmentChanged:
    """The error if the installed packages are not those of the capture."""
    return EnvironmentChanged(
        f"{tag} cannot start: its environment is not that of its capture",
        "install the versions named, or deploy again from the notebook with the present ones; with --isolated "
        "a release has an environment of its own, which no installation touches",
        "\n".join(f"  {line}" for line in changes),
    )
