"""The layer of an image with the lock's distributions in a virtual environment.

The layer is cached by a hash of its inputs.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from jupyter_deploy.domain.capture.artifacts import Environment
from jupyter_deploy.domain.errors import BaseUnfit, EnvironmentNotBuilt, ImageNotBuilt, InvalidInput
from jupyter_deploy.domain.images.ports import ImagePlan, Progress
from jupyter_deploy.environments.installer import install, without_credentials
from jupyter_deploy.environments.module_origins import LocalDistribution
from jupyter_deploy.system.digests import sha256

from .archive import Entry, Packed, entries_of, write_layer
from .base_image import Base
from .bytecode import Compiler, compiled
from .glibc import require_runs
from .layout import Writing
from .normalization import VENV, frame, is_record, left_out, record, script
from .wheel_selection import manylinux, select_builds
from .wheels import local_only, state_of, write_wheels

# Changes if the same lock makes another layer.
_FORMAT = 1

NOT_INSTALLED = "the lock's distributions could not be installed for the image"

REMEDY = (
    "each distribution must be a wheel on an index, or in a folder of PIP_FIND_LINKS, for the base's Python and "
    "platform: 'pip wheel' makes one. The builds of torch for processors are on PyTorch's own index: name it by "
    "PIP_EXTRA_INDEX_URL"
)

# Variables that name other sources of wheels. pip's configuration files are not read: that is slow.
_SOURCE = re.compile(r"(?:PIP|UV)_(?:(?:DEFAULT_|EXTRA_)?INDEX(?:_URL)?|FIND_LINKS|NO_INDEX)")


@dataclass(frozen=True)
class Requirements:
    """The distributions to install for a base.

    Attributes
    ----------
    versions
        Distribution name -> version.
    local
        Those that exist only on this machine.
    platform
        uv's name of the base's platform.
    key
        Changes with the result of the installation.
    """

    versions: Mapping[str, str]
    local: Sequence[LocalDistribution]
    platform: str
    key: str


@dataclass(frozen=True)
class Dependencies:
    """The finished layer and the number of its distributions."""

    layer: Packed
    count: int


def check(plan: ImagePlan) -> None:
    """Raise InvalidInput, before slow work, if a lock cannot be installed in an image."""
    select_builds(plan.snapshot.manifest.environment.in_image.distributions, gpu=plan.gpu)
    local_only(plan.snapshot.manifest.environment.in_image)


def requirements_for(environment: Environment, base: Base, *, compiled_by: str, gpu: bool = False) -> Requirements:
    """The distributions for a base, compiled by a Python of this full version. Raises BaseUnfit if glibc is too old."""
    environment = environment.in_image
    versions = select_builds(environment.distributions, gpu=gpu)
    try:
        platform = manylinux(environment.platform, base.glibc)
    except InvalidInput as error:
        raise BaseUnfit(f"the base image {base.name} does not fit: {error.message}", error.remedy) from error
    local = local_only(environment)
    made_of = [_FORMAT, versions, base.python.path, compiled_by, platform, state_of(local), _sources()]
    return Requirements(versions, local, platform, sha256(json.dumps(made_of, sort_keys=True).encode()))


def layer_of(
    requirements: Requirements, base: Base, by: Compiler, writing: Writing, progress: Progress
) -> Dependencies:
    """The layer in the store, made unless it is cached.

    Raises
    ------
    BaseUnfit
        The C library is too old for the lock, or for a wheel that does not declare its need.
    ImageNotBuilt
        A distribution is not available as a wheel.
    """
    count = len(requirements.versions)
    kept = writing.kept("layers", requirements.key)
    if kept:
        progress(f"{count} distributions: kept from an earlier build")
        return Dependencies(Packed(**kept), count)
    progress(f"{count} distributions for {requirements.platform}: installing")
    prefix, wheels = writing.making / "venv", writing.making / "wheels"
    wheels.mkdir()
    options = ["--prefix", str(prefix), "--python", by.interpreter, "--python-version", by.minor]
    options += ["--python-platform", requirements.platform, "--only-binary", ":all:"]
    # uv would use a cached wheel of that name and version.
    options += [word for distribution in requirements.local for word in ("--refresh-package", distribution.name)]
    try:
        write_wheels(requirements.local, wheels, writing.lock)
        links = wheels if requirements.local else None
        install(requirements.versions, options, writing.making, writing.lock, remedy=REMEDY, links=links)
    except EnvironmentNotBuilt as error:
        raise ImageNotBuilt(NOT_INSTALLED, error.remedy, error.details) from error
    require_runs(prefix, base)
    entries = [*_installed(prefix, by.minor), *_frame(base)]
    progress("compiling")
    entries += compiled(entries, by, writing.making / "bytecode", writing.lock)
    progress("packing")
    file = writing.making / "layer"
    packed = write_layer(entries, file)
    writing.take(file, packed.digest)
    writing.keep("layers", requirements.key, asdict(packed))
    for folder in (prefix, wheels, writing.making / "bytecode"):
        shutil.rmtree(folder, ignore_errors=True)
    return Dependencies(packed, count)


def _sources() -> dict[str, str]:
    """The sources of wheels in the environment, without credentials, which may change."""
    return {name: without_credentials(value) for name, value in os.environ.items() if _SOURCE.fullmatch(name)}


def _frame(base: Base) -> Iterator[Entry]:
    for name, content in frame(base.python.path, base.python.minor):
        yield Entry(name, content)


def _installed(prefix: Path, minor: str) -> Iterator[Entry]:
    """The installed files, without those that differ between machines."""
    for entry in entries_of(prefix, VENV):
        if left_out(entry.name):
            continue
        if not isinstance(entry.source, Path):
            yield entry
        elif is_record(entry.name, minor):
            yield Entry(entry.name, record(entry.source.read_text("utf-8")))
        elif entry.name.rpartition("/")[0] == f"{VENV}/bin":
            yield Entry(entry.name, script(entry.source) or entry.source, executable=True)
        else:
            yield entry
