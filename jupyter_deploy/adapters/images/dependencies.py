"""The layer of the lock's distributions: installed by uv for the base's Python, with a virtual environment's frame.

It is kept by what it is made of, and made once.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from jupyter_deploy.adapters.digesting import sha256
from jupyter_deploy.adapters.installing import install, pips_settings, uvs_settings, without_credentials
from jupyter_deploy.domain.errors import BaseUnfit, EnvironmentNotBuilt, ImageNotBuilt, InvalidInput
from jupyter_deploy.domain.image_ports import ImagePlan, Told

from .archive import Entry, Packed, entries_of, write_layer
from .base import Base
from .choosing import chosen, manylinux
from .compiling import compiled, compiler
from .layout import Writing
from .wheels import local_ones, state_of, write_wheels

VENV = "opt/nbdeploy/venv"

# Changes when the same lock would make another layer.
_FORMAT = 1

_REMEDY = (
    "each distribution must be a wheel on an index, or in a folder of PIP_FIND_LINKS, for the base's Python and "
    "platform: 'pip wheel' makes one. The builds of torch for processors are on PyTorch's own index: name it by "
    "PIP_EXTRA_INDEX_URL"
)

# What installers note for themselves: of this machine, or of when it was done.
_NOTES = frozenset({"INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json", "uv_build.json"})

# A script's first line; uv writes the second form where a path is too long for the first.
_SHEBANG = re.compile(rb"\A#!(?:[^\n]*python[^\n]*\n|/bin/sh\n'''exec' [^\n]*\n' '''\n)")

# Where wheels come from; without credentials, which may change while nothing else does.
_SOURCES = ("UV_DEFAULT_INDEX", "UV_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS", "UV_NO_INDEX")


@dataclass(frozen=True)
class Dependencies:
    """The finished layer, how many distributions are in it, and the version of Python that compiled them."""

    layer: Packed
    count: int
    compiled_by: str


def check(plan: ImagePlan) -> None:
    """Raise, before slow work, what keeps a lock out of an image. Raises InvalidInput, ToolMissing."""
    chosen(plan.snapshot.manifest.environment.distributions, gpu=plan.gpu)
    compiler(plan.snapshot.manifest.environment)
    local_ones(plan.snapshot.manifest.environment)


def layer_of(plan: ImagePlan, base: Base, writing: Writing, told: Told) -> Dependencies:
    """The layer in the store, made if it is not there.

    Raises
    ------
    BaseUnfit
        Its C library is too old.
    ImageNotBuilt
        A distribution is not to be had as a wheel.
    """
    environment = plan.snapshot.manifest.environment
    wanted = chosen(environment.distributions, gpu=plan.gpu)
    python, compiled_by = compiler(environment)
    try:
        platform = manylinux(environment.platform, base.glibc)
    except InvalidInput as error:
        raise BaseUnfit(f"the base image {base.name} does not fit: {error.message}", error.remedy) from error
    local = local_ones(environment)
    made_of = [_FORMAT, wanted, base.python.path, base.python.minor, compiled_by, platform, state_of(local), _sources()]
    key = sha256(json.dumps(made_of, sort_keys=True).encode())
    kept = writing.kept("layers", key)
    if kept:
        told(f"{len(wanted)} distributions: kept from an earlier build")
        return Dependencies(Packed(kept["digest"], kept["diff_id"], kept["size"]), len(wanted), compiled_by)
    told(f"{len(wanted)} distributions for {platform}: installing")
    prefix, wheels = writing.making / "venv", writing.making / "wheels"
    wheels.mkdir()
    options = ["--prefix", str(prefix), "--python", python, "--python-version", base.python.minor]
    options += ["--python-platform", platform, "--only-binary", ":all:"]
    try:
        write_wheels(local, wheels, writing.lock)
        install(wanted, options, writing.making, writing.lock, remedy=_REMEDY, links=wheels if local else None)
    except EnvironmentNotBuilt as error:
        raise ImageNotBuilt(
            "the lock's distributions could not be installed for the image", error.remedy, error.details
        ) from error
    entries = [*_installed(prefix, base.python.minor), *_frame(base)]
    told("compiling")
    entries += compiled(entries, python, base.python.minor, writing.making / "bytecode", writing.lock)
    told("packing")
    file = writing.making / "layer"
    packed = write_layer(entries, file)
    writing.take(file, packed.digest)
    value: dict[str, Any] = {"digest": packed.digest, "diff_id": packed.diff_id, "size": packed.size}
    writing.keep("layers", key, value)
    for folder in (prefix, wheels, writing.making / "bytecode"):
        shutil.rmtree(folder, ignore_errors=True)
    return Dependencies(packed, len(wanted), compiled_by)


def _sources() -> dict[str, str]:
    pips = pips_settings()
    settings = uvs_settings(pips) | {name: os.environ[name] for name in _SOURCES if name in os.environ}
    found = {name: without_credentials(settings[name]) for name in _SOURCES if name in settings}
    return found | ({"no-index": "1"} if "no-index" in pips else {})


def _frame(base: Base) -> Iterator[Entry]:
    """What makes the folder a virtual environment of the base's interpreter."""
    home = PurePosixPath(base.python.path).parent
    settings = f"home = {home}\ninclude-system-site-packages = false\n"
    yield Entry(f"{VENV}/pyvenv.cfg", settings.encode())
    yield Entry(f"{VENV}/bin/python", base.python.path)
    yield Entry(f"{VENV}/bin/python3", "python")
    yield Entry(f"{VENV}/bin/python{base.python.minor}", "python")


def _installed(prefix: Path, minor: str) -> Iterator[Entry]:
    """What uv installed, without what differs from machine to machine."""
    site = f"{VENV}/lib/python{minor}/site-packages/"
    for entry in entries_of(prefix, VENV):
        name = PurePosixPath(entry.name)
        in_info = name.parent.suffix == ".dist-info"
        if (in_info and name.name in _NOTES) or name.parent.name == "__pycache__" or entry.name == f"{VENV}/.lock":
            continue
        if in_info and name.name == "RECORD" and entry.name.startswith(site) and isinstance(entry.source, Path):
            yield Entry(entry.name, _record(entry.source))
        elif str(name.parent) == f"{VENV}/bin" and isinstance(entry.source, Path):
            yield Entry(entry.name, _script(entry.source), executable=True)
        else:
            yield entry


def _record(file: Path) -> bytes:
    """A distribution's list of files: sorted, without what was left out and the hashes of what was rewritten."""
    rows = csv.reader(file.read_text("utf-8").splitlines())
    kept = []
    for row in rows:
        place = PurePosixPath(row[0])
        if place.name in _NOTES or place.suffix == ".pyc":
            continue
        kept.append([row[0], "", ""] if place.parent.name == "bin" and ".." in place.parts else row)
    written = io.StringIO()
    csv.writer(written, lineterminator="\n").writerows(sorted(kept))
    return written.getvalue().encode()


def _script(file: Path) -> bytes | Path:
    """A script that is run by the image's Python; a program as it is."""
    with file.open("rb") as opened:
        if opened.read(2) != b"#!":
            return file
    return _SHEBANG.sub(f"#!/{VENV}/bin/python\n".encode(), file.read_bytes(), count=1)
