"""The exact versions that a model needs: from the modules it touches to their distributions' closure."""

from __future__ import annotations

import contextlib
import platform
import re
import sys
import sysconfig
from collections.abc import Hashable, Iterable
from functools import lru_cache
from importlib import metadata
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from jupyter_deploy.domain.capture.artifacts import Environment
from jupyter_deploy.domain.errors import EnvironmentNotBuilt

from .module_origins import local_distributions

# What sends a release's traces, where it is installed: an extra.
TRACES = "opentelemetry-exporter-otlp-proto-http"

# What ``serving`` imports, or is started by, whatever the model: BentoML serves it, cloudpickle restores it, msgspec
# reads requests and zstd unpacks them.
NEEDED = ("backports.zstd", "bentoml", "cloudpickle", "msgspec", "numpy", "uvicorn")

# What a bento gets beside that: uvicorn takes uvloop and httptools where they are, and answers small models three times
# as often by them. Where pyarrow is installed, requests may be Arrow and Parquet too.
SERVING = (*NEEDED, "httptools", "pyarrow", "uvloop", TRACES)

# What runs a notebook.
KERNEL = ("ipykernel",)

# From this Python on the standard library has it.
_OWN_ZSTD = (3, 14)

_IMPORT = re.compile(r"^[ \t]*(?:import|from)[ \t]+(\w+)", re.MULTILINE)


def lock(modules: Iterable[str]) -> Environment:
    """The running interpreter with the distributions of ``modules`` and of serving, and all that those require.

    Parameters
    ----------
    modules
        Top-level module names; those of the standard library and of no distribution are passed over.
    """
    wanted = [*SERVING, *(name for module in modules for name in distributions_of().get(module, ()))]
    return interpreter().model_copy(update={"distributions": closure(wanted)})


def lacking(environment: Environment) -> list[str]:
    """The distributions that serving needs and a lock lacks: another nbdeploy's serving code did without them."""
    held = {canonicalize_name(name) for name in environment.distributions}
    own = tuple(int(part) for part in environment.python.split(".")[:2]) >= _OWN_ZSTD
    return [name for name in NEEDED if canonicalize_name(name) not in held and not (own and name == "backports.zstd")]


def without(missing: Iterable[str]) -> EnvironmentNotBuilt:
    """What is raised where something would be served without what it takes."""
    return EnvironmentNotBuilt(
        "another version of nbdeploy captured this snapshot: "
        f"its lock has no {' and no '.join(missing)}, which serving it needs",
        "deploy the notebook again: it is captured anew, with all that serving needs in its lock",
    )


def loaded_in_notebook(cells: Iterable[str]) -> dict[str, str]:
    """The distributions that a notebook works with, to run it again: its kernel's, and what is loaded in this process.

    What only nbdeploy brings is left out, unless a cell imports it; so is what no index has: editable ones, and those
    from a local file.
    """
    own = {canonicalize_name(name) for name in closure(["nbdeploy"])}
    loaded = {name.partition(".")[0] for name in list(sys.modules)}
    brought = {name for module in loaded for name in distributions_of().get(module, ())}
    named = {name for module in _imported(cells) for name in distributions_of().get(module, ())}
    beside = {name for name in brought if canonicalize_name(name) not in own}
    found = closure([*(named - {"nbdeploy"}), *beside, *KERNEL])
    local = {canonicalize_name(one.name) for one in local_distributions()}
    return {name: version for name, version in found.items() if canonicalize_name(name) not in local}


def _imported(cells: Iterable[str]) -> set[str]:
    """Top-level modules that the lines of cells import, also where a cell is not plain Python."""
    return {match[1] for cell in cells for match in _IMPORT.finditer(cell)}


def interpreter() -> Environment:
    """The running interpreter, before it is known which distributions a model needs."""
    return Environment(
        interpreter=_spelling(),
        python=platform.python_version(),
        platform=sysconfig.get_platform(),
        distributions={},
    )


def _spelling() -> str:
    """The running interpreter's path, its name being ``python`` where that is the same one.

    A kernel runs as ``python`` what the command line runs as ``python3``. The path is never resolved: its folder says
    which virtual environment it is.
    """
    given = Path(sys.executable)
    usual = given.with_name("python")
    with contextlib.suppress(OSError):  # there is no such file
        if usual.samefile(given):
            return str(usual)
    return sys.executable


@lru_cache(maxsize=1)
def distributions_of() -> dict[str, list[str]]:
    """Top-level module name -> the distributions that provide it (reads all of site-packages: cached)."""
    return {module: sorted(set(names)) for module, names in metadata.packages_distributions().items()}


def closure(names: Iterable[str]) -> dict[str, str]:
    """Installed versions of these distributions and of everything that they require here, sorted by name.

    Extras are followed where they are asked for; a requirement that is not installed is one that this environment
    works without (a marker of another platform, an extra), so it is no part of the lock.
    """
    versions: dict[str, str] = {}
    seen: set[tuple[str, str]] = set()
    queue = [(name, "") for name in names]
    now = tuple((path, Path(path).stat().st_mtime_ns) for path in sys.path if Path(path).is_dir())
    while queue:
        name, extra = queue.pop()
        key = (canonicalize_name(name), extra)
        if key in seen:
            continue
        seen.add(key)
        found = _distribution(key[0], now)
        if found is None:
            continue
        spelled, version, requirements = found
        versions[spelled] = version
        for requirement in requirements:
            if requirement.marker and not requirement.marker.evaluate({"extra": extra}):
                continue
            queue.append((requirement.name, ""))
            queue.extend((requirement.name, wanted) for wanted in requirement.extras)
    return dict(sorted(versions.items(), key=lambda item: canonicalize_name(item[0])))


@lru_cache(maxsize=4096)
def _distribution(name: str, _places: Hashable) -> tuple[str, str, tuple[Requirement, ...]] | None:
    """Its name as it spells it, version and requirements; None: it is not there. Read once while no folder changes."""
    try:
        found = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return None
    about = found.metadata  # parsed anew each time that it is asked for
    requirements = []
    for text in about.get_all("Requires-Dist") or found.requires or ():
        with contextlib.suppress(InvalidRequirement):
            requirements.append(Requirement(text))
    return about["Name"], about["Version"], tuple(requirements)
