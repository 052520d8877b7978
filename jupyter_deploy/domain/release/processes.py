"""A model's process: which of the user's variables it may see, and what is told of how it ended. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from jupyter_deploy.domain.errors import EnvironmentChanged

# Enough to find programs and libraries, write temporary files, speak the user's language and use the processor as
# the notebook did. Tokens, keys and whatever else a kernel's environment holds stay out; PYTHONPATH too,
# since a model that needs the project's folder must fail at the replay and not in production.
_PASSED_ON = re.compile(
    r"PATH|HOME|USER|LOGNAME|LANG|LC_.*|TZ|TMPDIR|LD_LIBRARY_PATH|DYLD_.*|SSL_CERT_(FILE|DIR)|"
    r"OMP_.*|OPENBLAS_.*|MKL_.*|NUMEXPR_.*|CUDA_.*|NVIDIA_.*"
)


def passed_on(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables of ``environment`` that a model's process is given."""
    return {name: value for name, value in environment.items() if _PASSED_ON.fullmatch(name)}


# Where an engine keeps its storage, its settings and its daemon. Not CONTAINER_HOST: what podman runs elsewhere has no
# folder of this machine.
_FOR_ENGINES = re.compile(
    r"XDG_.*|CONTAINERS_.*|PODMAN_.*|STORAGE_.*|DOCKER_(HOST|CONTEXT|CERT_PATH|TLS_VERIFY|CONFIG)|DBUS_SESSION_BUS_ADDRESS"
)


def for_engine(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables of ``environment`` that podman and docker need to find what is this user's."""
    return passed_on(environment) | {name: value for name, value in environment.items() if _FOR_ENGINES.fullmatch(name)}


def last_lines(text: str, count: int) -> str:
    """The end of a log or a traceback."""
    return "\n".join(text.strip().splitlines()[-count:])


def environment_changed(tag: str, changes: Iterable[str]) -> EnvironmentChanged:
    """What is raised when what is installed is not what the model of ``tag`` was captured with."""
    return EnvironmentChanged(
        f"{tag} cannot start: its environment is not what it was captured in",
        "install the versions named, or deploy again from the notebook with what is installed now; with --isolated "
        "a release has an environment of its own, which no installation touches",
        "\n".join(f"  {line}" for line in changes),
    )
