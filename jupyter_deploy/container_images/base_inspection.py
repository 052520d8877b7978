"""The Pythons, the C library and the packages of a base image, read from the files in its layers. Nothing of it runs.

The full versions are in the binaries: Python's library holds ``3.11.2`` as a text between zeros, or, if a linker has
merged texts, as the end of a path such as ``/opt/pyenv/versions/3.11.2``; glibc holds ``stable release version 2.36``.
This works for every distribution, also without a package manager; the packages are those of Debian's.
"""

from __future__ import annotations

import re
import sys
import tarfile
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any, NamedTuple

from jupyter_deploy.domain.capture.artifacts import minor_of

from .base_packages import RELEASE, STATUS, Package, packages_in

_PYTHON = re.compile(r"(?:usr/local/bin|usr/bin)/python(3\.\d+)")
_LIBRARY = re.compile(r"(?:.*/)?libpython(3\.\d+)\.so\.1\.0")
_GLIBC = re.compile(r"(?:.*/)?libc(?:-2\.\d+)?\.so(?:\.6)?")
_RELEASE = re.compile(rb"stable release version (\d+)\.(\d+)")

# In the order of PATH.
_FOLDERS = ("usr/local/bin", "usr/bin")


@dataclass(frozen=True)
class Python:
    """An interpreter in an image: path and full version."""

    path: str
    version: str

    @property
    def minor(self) -> str:
        return minor_of(self.version)


class Inspection(NamedTuple):
    """The Pythons (path, full version) in the order of PATH, glibc's version (None: another C library), packages."""

    pythons: list[tuple[str, str]]
    glibc: tuple[int, int] | None
    packages: list[Package]


def inspect_layers(layers: Iterable[tuple[str, Path]]) -> Inspection:
    """Inspect the files in the layers of a base image.

    Parameters
    ----------
    layers
        Media types and files, the lowest layer first.
    """
    pythons: set[str] = set()
    versions: dict[str, str] = {}  # by minor version
    glibc: tuple[int, int] | None = None
    notes: dict[str, str] = {}  # of the package manager and the distribution
    for kind, path in layers:
        with ExitStack() as opened, _open(kind, path, opened) as tar:
            for member in tar:
                name = member.name.removeprefix("./").lstrip("/")
                path_in_layer = PurePosixPath(name)
                if path_in_layer.name.startswith(".wh."):
                    pythons.discard(str(path_in_layer.with_name(path_in_layer.name.removeprefix(".wh."))))
                match = _PYTHON.fullmatch(name) or _LIBRARY.fullmatch(name)
                if _PYTHON.fullmatch(name) and (member.isfile() or member.issym()):
                    pythons.add(name)
                if match and (content := _content(tar, member)):
                    versions |= _version(content, match[1])
                if _GLIBC.fullmatch(name) and (release := _RELEASE.search(_content(tar, member))):
                    glibc = int(release[1]), int(release[2])
                if member.isfile() and (STATUS.fullmatch(name) or RELEASE.fullmatch(name)):
                    notes[name] = _content(tar, member).decode(errors="replace")
    ordered = sorted(pythons, key=lambda name: (_FOLDERS.index(str(PurePosixPath(name).parent)), name))
    minors = [(name, name.rpartition("python")[2]) for name in ordered]
    found = [(f"/{name}", versions[minor]) for name, minor in minors if minor in versions]
    statuses = [text for name, text in notes.items() if STATUS.fullmatch(name)]
    release_notes = next((text for name, text in notes.items() if RELEASE.fullmatch(name)), "")
    return Inspection(found, glibc, packages_in(statuses, release_notes))


def _version(content: bytes, minor: str) -> dict[str, str]:
    match = re.search(rb"[\x00/](" + re.escape(minor.encode()) + rb"\.\d+(?:(?:a|b|rc)\d+)?\+?)\x00", content)
    return {minor: match[1].decode()} if match else {}


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file: IO[bytes] | None = tar.extractfile(member) if member.isfile() else None
    return file.read() if file else b""


def _open(kind: str, path: Path, opened: ExitStack) -> tarfile.TarFile:
    if not kind.endswith("zstd"):
        return tarfile.open(path, mode="r|*")
    if sys.version_info >= (3, 14):
        from compression import zstd  # few bases are packed so
    else:
        from backports import zstd

    unpacked: Any = opened.enter_context(zstd.open(path))
    return tarfile.open(fileobj=unpacked, mode="r|")
