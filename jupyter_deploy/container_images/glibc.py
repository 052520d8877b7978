"""Check that installed distributions run on a base's C library.

Wheels for ``manylinux_2_28_x86_64`` declare the C library that they need, and the installer respects it. A wheel that
was built on a user's machine declares only ``linux_x86_64``: its libraries are inspected.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from zipfile import ZipFile

from packaging.utils import parse_wheel_filename

from jupyter_deploy.domain.errors import BaseUnfit

from .base_image import Base

_Version = tuple[int, int]

_UNDECLARED = re.compile(r"^Tag: \S+-linux_\w+$", re.MULTILINE)
_NEEDED = re.compile(rb"\0GLIBC_(\d+)\.(\d+)(?=[.\0])")  # among a library's required symbols


def require_runs(prefix: Path, base: Base) -> None:
    """Raise BaseUnfit if a library below ``prefix`` needs a newer C library than the base has."""
    for info in sorted(prefix.glob("lib/python*/site-packages/*.dist-info")):
        wheel = info / "WHEEL"
        if not wheel.exists() or not _UNDECLARED.search(wheel.read_text("utf-8")):
            continue
        name, _, version = info.name.removesuffix(".dist-info").partition("-")
        _require(f"{name} {version}", _installed(info), base)


def require_wheels_run(folder: Path, base: Base) -> None:
    """As ``require_runs`` for wheels that are not installed; wheels for other Pythons are skipped."""
    interpreter = f"cp{''.join(base.python.version.split('.')[:2])}"
    for wheel in sorted(folder.glob("*-linux_*.whl")):
        name, version, _, tags = parse_wheel_filename(wheel.name)
        if not any(tag.interpreter in (interpreter, "py3") or tag.abi == "abi3" for tag in tags):
            continue
        with ZipFile(wheel) as archive:
            _require(f"{name} {version}", _packed(archive), base)


def _require(distribution: str, needs: Iterable[tuple[_Version, Path]], base: Base) -> None:
    needed, library = max(needs, default=((0, 0), Path()))
    if needed <= base.glibc:
        return
    words, has = (".".join(map(str, version)) for version in (needed, base.glibc))
    raise BaseUnfit(
        f"{distribution} needs glibc {words} ({library.name}), and the base image {base.name} has {has}",
        "its wheel was built on a newer system than the base is: name an index or a folder with one for manylinux, "
        "by PIP_EXTRA_INDEX_URL or PIP_FIND_LINKS, or set base_image to a newer distribution with that Python",
    )


def _packed(archive: ZipFile) -> Iterator[tuple[_Version, Path]]:
    for name in archive.namelist():
        if ".so" in Path(name).suffixes:
            yield from _newest(archive.read(name), Path(name))


def _installed(info: Path) -> Iterator[tuple[_Version, Path]]:
    """The C library that each library of a distribution needs."""
    for line in (info / "RECORD").read_text("utf-8").splitlines():
        library = info.parent / line.rpartition(",")[0].rpartition(",")[0].strip('"')
        if ".so" in library.suffixes and library.is_file():
            yield from _newest(library.read_bytes(), library)


def _newest(content: bytes, library: Path) -> Iterator[tuple[_Version, Path]]:
    versions = [(int(match[1]), int(match[2])) for match in _NEEDED.finditer(content)]
    if versions:
        yield max(versions), library
