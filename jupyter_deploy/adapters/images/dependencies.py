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
from jupyter_deploy.adapters.installing import install, without_credentials
from jupyter_deploy.domain.errors import BaseUnfit, EnvironmentNotBuilt, ImageNotBuilt, InvalidInput
from jupyter_deploy.domain.image_ports import ImagePlan, Told

from .archive import Entry, Packed, entries_of, write_layer
from .base import Base
from .choosing import chosen, manylinux
from .compiling import Compiler, compiled, compiler
from .glibc import require_runs
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

# The tests of a library. What else lies beside them may be imported: numpy.testing does.
_TEST = re.compile(r"(?:.*/)?tests/(?:.*/)?test_[^/]*\.py")

# What installers note for themselves: of this machine, or of when it was done.
_NOTES = frozenset({"INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json", "uv_build.json"})

# A script's first line; uv writes the second form where a path is too long for the first.
_SHEBANG = re.compile(rb"\A#!(?:[^\n]*python[^\n]*\n|/bin/sh\n'''exec' [^\n]*\n' '''\n)")

# Who names another index by these wants other wheels. To ask pip for its files' settings takes longer than all else.
_SOURCE = re.compile(r"(?:PIP|UV)_(?:(?:DEFAULT_|EXTRA_)?INDEX(?:_URL)?|FIND_LINKS|NO_INDEX)")


@dataclass(frozen=True)
class Dependencies:
    """The finished layer, and how many distributions are in it."""

    layer: Packed
    count: int


def check(plan: ImagePlan) -> None:
    """Raise, before slow work, what keeps a lock out of an image. Raises InvalidInput, ToolMissing."""
    chosen(plan.snapshot.manifest.environment.distributions, gpu=plan.gpu)
    compiler(plan.snapshot.manifest.environment)
    local_ones(plan.snapshot.manifest.environment)


def layer_of(plan: ImagePlan, base: Base, by: Compiler, writing: Writing, told: Told) -> Dependencies:
    """The layer in the store, made if it is not there.

    Raises
    ------
    BaseUnfit
        Its C library is too old, for the lock or for a wheel that does not say what it needs.
    ImageNotBuilt
        A distribution is not to be had as a wheel.
    """
    environment = plan.snapshot.manifest.environment
    wanted = chosen(environment.distributions, gpu=plan.gpu)
    try:
        platform = manylinux(environment.platform, base.glibc)
    except InvalidInput as error:
        raise BaseUnfit(f"the base image {base.name} does not fit: {error.message}", error.remedy) from error
    local = local_ones(environment)
    made_of = [_FORMAT, wanted, base.python.path, by.version, platform, state_of(local), _sources()]
    key = sha256(json.dumps(made_of, sort_keys=True).encode())
    kept = writing.kept("layers", key)
    if kept:
        told(f"{len(wanted)} distributions: kept from an earlier build")
        return Dependencies(Packed(kept["digest"], kept["diff_id"], kept["size"]), len(wanted))
    told(f"{len(wanted)} distributions for {platform}: installing")
    prefix, wheels = writing.making / "venv", writing.making / "wheels"
    wheels.mkdir()
    options = ["--prefix", str(prefix), "--python", by.interpreter, "--python-version", by.minor]
    options += ["--python-platform", platform, "--only-binary", ":all:"]
    # uv would take what it has of an earlier wheel of that name and version.
    options += [word for one in local for word in ("--refresh-package", one.name)]
    try:
        write_wheels(local, wheels, writing.lock)
        install(wanted, options, writing.making, writing.lock, remedy=_REMEDY, links=wheels if local else None)
    except EnvironmentNotBuilt as error:
        raise ImageNotBuilt(
            "the lock's distributions could not be installed for the image", error.remedy, error.details
        ) from error
    require_runs(prefix, base)
    entries = [*_installed(prefix, by.minor), *_frame(base)]
    told("compiling")
    entries += compiled(entries, by, writing.making / "bytecode", writing.lock)
    told("packing")
    file = writing.making / "layer"
    packed = write_layer(entries, file)
    writing.take(file, packed.digest)
    value: dict[str, Any] = {"digest": packed.digest, "diff_id": packed.diff_id, "size": packed.size}
    writing.keep("layers", key, value)
    for folder in (prefix, wheels, writing.making / "bytecode"):
        shutil.rmtree(folder, ignore_errors=True)
    return Dependencies(packed, len(wanted))


def _sources() -> dict[str, str]:
    """Where the environment says that wheels come from; credentials may change while nothing else does."""
    return {name: without_credentials(value) for name, value in os.environ.items() if _SOURCE.fullmatch(name)}


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
        if (in_info and name.name in _NOTES) or name.parent.name == "__pycache__" or _TEST.fullmatch(entry.name):
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
        if place.name in _NOTES or place.suffix == ".pyc" or _TEST.fullmatch(row[0]):
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
