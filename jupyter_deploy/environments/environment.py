"""The exact versions that a model needs: from its modules to the closure of their distributions."""

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

# The exporter of a release's traces: an extra.
TRACES = "opentelemetry-exporter-otlp-proto-http"

# Imported by ``serving`` or needed for its start, whatever the model: BentoML serves it, cloudpickle restores it,
# msgspec reads requests and zstd decompresses them.
NEEDED = ("backports.zstd", "bentoml", "cloudpickle", "msgspec", "numpy", "uvicorn")

# Also in every bento where installed: with uvloop and httptools uvicorn answers small models three times as often;
# with pyarrow, requests may be Arrow and Parquet too.
SERVING = (*NEEDED, "httptools", "pyarrow", "uvloop", TRACES)

# What serves a translation without BentoML. Without pyarrow, which is larger than all of these, requests may be JSON
# and CSV.
TRANSLATION = (
    *(name for name in NEEDED if name != "bentoml"),
    "httptools",
    "onnxruntime",
    "prometheus-client",
    "pydantic-core",
    "uvloop",
    TRACES,
)

# Needed to run a notebook.
KERNEL = ("ipykernel",)

# The first Python with zstd in the standard library.
_OWN_ZSTD = (3, 14)

_IMPORT = re.compile(r"^[ \t]*(?:import|from)[ \t]+(\w+)", re.MULTILINE)


def lock(modules: Iterable[str], *, without_bentoml: bool = False) -> Environment:
    """Return the running interpreter with the distributions of ``modules`` and serving, and their requirements.

    Parameters
    ----------
    modules
        Top-level module names; modules of the standard library and without a distribution are ignored.
    without_bentoml
        Whether an image serves it without BentoML: a translation, which needs none of the modules.
    """
    names = [*SERVING, *(name for module in modules for name in distributions_of().get(module, ()))]
    fewer = tuple(closure(TRANSLATION)) if without_bentoml else ()
    return interpreter().model_copy(update={"distributions": closure(names), "without_bentoml": fewer})


def lacking(environment: Environment) -> list[str]:
    """Return serving's needs that a lock lacks: the serving code of another nbdeploy did without them."""
    held = {canonicalize_name(name) for name in environment.distributions}
    own = tuple(int(part) for part in environment.python.split(".")[:2]) >= _OWN_ZSTD
    return [name for name in NEEDED if canonicalize_name(name) not in held and not (own and name == "backports.zstd")]


def without(missing: Iterable[str]) -> EnvironmentNotBuilt:
    """Return the error for a lock without these distributions."""
    return EnvironmentNotBuilt(
        "another version of nbdeploy captured this snapshot: "
        f"its lock lacks {' and '.join(missing)}, which serving needs",
        "deploy the notebook again: the new snapshot's lock holds them",
    )


def loaded_in_notebook(cells: Iterable[str]) -> dict[str, str]:
    """Return the distributions to run a notebook again: those of its kernel and those loaded in this process.

    Distributions that only nbdeploy requires are left out, unless a cell imports them; so are those that no index
    offers: editable ones, and those from a local file.
    """
    nbdeploys = {canonicalize_name(name) for name in closure(["nbdeploy"])}
    loaded = {name.partition(".")[0] for name in list(sys.modules)}
    provided = {name for module in loaded for name in distributions_of().get(module, ())}
    named = {name for module in _imported(cells) for name in distributions_of().get(module, ())}
    others = {name for name in provided if canonicalize_name(name) not in nbdeploys}
    versions = closure([*(named - {"nbdeploy"}), *others, *KERNEL])
    local = {canonicalize_name(distribution.name) for distribution in local_distributions()}
    return {name: version for name, version in versions.items() if canonicalize_name(name) not in local}


def _imported(cells: Iterable[str]) -> set[str]:
    """Return the top-level modules that cells import, also from cells that are not plain Python."""
    return {match[1] for cell in cells for match in _IMPORT.finditer(cell)}


def interpreter() -> Environment:
    """Return the running interpreter without distributions."""
    return Environment(
        interpreter=_spelling(),
        python=platform.python_version(),
        platform=sysconfig.get_platform(),
        distributions={},
    )


def _spelling() -> str:
    """Return the running interpreter's path, with the name ``python`` if that is the same file.

    A kernel runs as ``python``, the command line as ``python3``. The path is never resolved: its folder identifies the
    virtual environment.
    """
    executable = Path(sys.executable)
    plain = executable.with_name("python")
    with contextlib.suppress(OSError):  # there is no such file
        if plain.samefile(executable):
            return str(plain)
    return sys.executable


@lru_cache(maxsize=1)
def distributions_of() -> dict[str, list[str]]:
    """Map top-level module names to their distributions (reads all of site-packages: cached)."""
    return {module: sorted(set(names)) for module, names in metadata.packages_distributions().items()}


def closure(names: Iterable[str]) -> dict[str, str]:
    """Return the installed versions of these distributions and of all that they require here, sorted by name.

    Required extras are followed; a requirement that is not installed is one that this environment works without (a
    marker of another platform, an extra), so the lock does not hold it.
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
        distribution = _distribution(key[0], now)
        if distribution is None:
            continue
        spelled, version, requirements = distribution
        versions[spelled] = version
        for requirement in requirements:
            if requirement.marker and not requirement.marker.evaluate({"extra": extra}):
                continue
            queue.append((requirement.name, ""))
            queue.extend((requirement.name, required_extra) for required_extra in requirement.extras)
    return dict(sorted(versions.items(), key=lambda item: canonicalize_name(item[0])))


@lru_cache(maxsize=4096)
def _distribution(name: str, _places: Hashable) -> tuple[str, str, tuple[Requirement, ...]] | None:
    """Return a distribution's own name, version and requirements; None: not installed. Cached per state of the path."""
    try:
        distribution = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return None
    fields = distribution.metadata  # parsed on each access
    requirements = []
    for text in fields.get_all("Requires-Dist") or distribution.requires or ():
        with contextlib.suppress(InvalidRequirement):
            requirements.append(Requirement(text))
    return fields["Name"], fields["Version"], tuple(requirements)
