"""Layers: reproducible tar archives.

Entries are sorted by name, belong to root, date from the beginning of 1970 and are readable for all. Memory holds only
a few chunks, however large a file is.
"""

from __future__ import annotations

import io
import os
import shutil
import stat
import struct
import tarfile
import zlib
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import Any, Self, cast

from jupyter_deploy.domain.errors import ImageNotBuilt
from jupyter_deploy.system.digests import HashingFile

_CHUNK = 1 << 20  # bytes that are compressed independently
_BUFFER = 1 << 22  # bytes of one read
_LEVEL = 4  # half the time of 6 for 4 % more bytes

# A header without name, time, level or system (RFC 1952).
_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
_END = b"\x03\x00"  # an empty last block


@dataclass(frozen=True)
class Entry:
    """A file, symbolic link or empty folder in a layer; its parent folders are added automatically.

    Attributes
    ----------
    name
        Its path in the image, without the first slash.
    source
        A file of this machine, its content, or a link's target; None: an empty folder.
    executable
        Whether a file's mode is 0755; else it is 0644.
    """

    name: str
    source: Path | bytes | str | None
    executable: bool = False


@dataclass(frozen=True)
class Packed:
    """A written layer: ``digest`` and ``size`` (bytes) as sent, ``diff_id`` unpacked."""

    digest: str
    diff_id: str
    size: int


def entries_of(folder: Path, at: str) -> Iterator[Entry]:
    """The content of a folder of this machine as entries below ``at`` in the image; links stay links."""
    for root, folders, files in os.walk(folder):
        links = [name for name in folders if (Path(root) / name).is_symlink()]
        for name in [*files, *links]:
            path = Path(root) / name
            inside = str(PurePosixPath(at) / path.relative_to(folder).as_posix())
            if path.is_symlink():
                yield Entry(inside, str(path.readlink()))
            else:
                yield Entry(inside, path, executable=bool(path.stat().st_mode & stat.S_IXUSR))


def write_layer(entries: Iterable[Entry], into: Path, *, compressed: bool = True) -> Packed:
    """Write a layer into a new file; the same entries give the same bytes.

    Weights hardly shrink, so their layer is not compressed and depends on the file alone.
    """
    ordered = sorted(entries, key=lambda entry: entry.name.split("/"))
    with HashingFile(into) as file:
        if compressed:
            unpacked = sha256()
            with _Gzip(file) as gzip:
                _write_tar(ordered, _Counting(unpacked.update, gzip.write))
            diff_id = unpacked.hexdigest()
        else:
            _write_tar(ordered, _Counting(file.write))
            diff_id = file.sha256
        digest = file.sha256
    return Packed(f"sha256:{digest}", f"sha256:{diff_id}", into.stat().st_size)


def compress(tar: Path, into: Path) -> Packed:
    """Compress an existing archive as a layer; the same archive gives the same bytes."""
    unpacked = sha256()
    with HashingFile(into) as file:
        with tar.open("rb") as opened, _Gzip(file) as gzip:
            while chunk := opened.read(_BUFFER):
                unpacked.update(chunk)
                gzip.write(chunk)
        digest = file.sha256
    return Packed(f"sha256:{digest}", f"sha256:{unpacked.hexdigest()}", into.stat().st_size)


def unpack(tar: Path, into: Path) -> list[Entry]:
    """Unpack a layer into a new folder of this machine; returns its entries.

    Raises
    ------
    ImageNotBuilt
        A name leads out of the folder.
    """
    with tarfile.open(tar) as archive:
        # Python has filters from 3.11.4 on; Debian 12 has 3.11.2.
        archive.extraction_filter = lambda member, _: member
        archive.extractall(into, _within(archive, Path(os.path.realpath(into))))  # noqa: S202 - each name is checked
    empty = (Path(root) for root, folders, files in os.walk(into) if not folders and not files)
    return [*entries_of(into, ""), *(Entry(folder.relative_to(into).as_posix(), None) for folder in empty)]


def _within(archive: tarfile.TarFile, root: Path) -> Iterator[tarfile.TarInfo]:
    """The members, each checked when those before it are unpacked: one of them may be a symbolic link."""
    for member in archive:
        member.name = member.name.lstrip("/")
        member.mode &= ~0o022
        for name in (member.name, member.linkname) if member.islnk() else (member.name,):
            if not Path(os.path.realpath(root / name)).is_relative_to(root):
                raise ImageNotBuilt(f"the layer's entry {name!r} leads out of its folder", "build the image again")
        yield member


def write_tree(entries: Iterable[Entry], folder: Path) -> None:
    """Write a layer's entries as files below a new folder of this machine, readable for all."""
    folder.mkdir()
    for entry in entries:
        path = folder / entry.name
        path.parent.mkdir(parents=True, exist_ok=True)
        if entry.source is None:
            path.mkdir()
        elif isinstance(entry.source, str):
            path.symlink_to(entry.source)
        elif isinstance(entry.source, bytes):
            path.write_bytes(entry.source)
        else:
            shutil.copyfile(entry.source, path)
        if entry.executable:
            path.chmod(0o755)


def _write_tar(entries: Iterable[Entry], into: _Counting) -> None:
    # GNU's format allows long names and large files, and has no field that depends on the machine.
    with tarfile.TarFile(
        fileobj=cast("Any", into), mode="w", format=tarfile.GNU_FORMAT, encoding="utf-8", copybufsize=_BUFFER
    ) as tar:
        added: set[PurePosixPath] = set()
        for entry in entries:
            parents = list(PurePosixPath(entry.name).parents)[-2::-1]  # without "."
            for parent in parents:
                if parent not in added:
                    added.add(parent)
                    tar.addfile(_info(str(parent), tarfile.DIRTYPE, 0o755))
            _add(tar, entry)


def _add(tar: tarfile.TarFile, entry: Entry) -> None:
    if entry.source is None:
        tar.addfile(_info(entry.name, tarfile.DIRTYPE, 0o755))
        return
    if isinstance(entry.source, str):
        info = _info(entry.name, tarfile.SYMTYPE, 0o777)
        info.linkname = entry.source
        tar.addfile(info)
        return
    info = _info(entry.name, tarfile.REGTYPE, 0o755 if entry.executable else 0o644)
    if isinstance(entry.source, bytes):
        info.size = len(entry.source)
        tar.addfile(info, io.BytesIO(entry.source))
        return
    with entry.source.open("rb") as file:
        info.size = os.fstat(file.fileno()).st_size
        tar.addfile(info, file)


def _info(name: str, kind: bytes, mode: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)  # root's, of 1970
    info.type, info.mode = kind, mode
    return info


class _Counting:
    """A file for ``tarfile`` that passes data to its sinks and counts the bytes."""

    def __init__(self, *sinks: Any) -> None:
        self._sinks = sinks
        self._written = 0

    def write(self, data: bytes) -> int:
        for sink in self._sinks:
            sink(data)
        self._written += len(data)
        return len(data)

    def tell(self) -> int:
        return self._written


class _Gzip:
    """A gzip stream whose chunks are compressed in parallel; the bytes do not depend on the number of processors."""

    def __init__(self, into: HashingFile) -> None:
        self._into = into
        self._waiting = bytearray()
        self._check = 0
        self._size = 0
        workers = os.cpu_count() or 1
        self._pool = ThreadPoolExecutor(workers)
        self._most = 2 * workers
        self._compressing: deque[Future[bytes]] = deque()
        into.write(_HEADER)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self._begin(bytes(self._waiting))
                while self._compressing:
                    self._into.write(self._compressing.popleft().result())
                self._into.write(_END + struct.pack("<LL", self._check, self._size & 0xFFFFFFFF))
        finally:
            self._pool.shutdown(cancel_futures=True)

    def write(self, data: bytes) -> None:
        self._waiting += data
        while len(self._waiting) >= _CHUNK:
            self._begin(bytes(self._waiting[:_CHUNK]))
            del self._waiting[:_CHUNK]

    def _begin(self, chunk: bytes) -> None:
        self._check = zlib.crc32(chunk, self._check)
        self._size += len(chunk)
        self._compressing.append(self._pool.submit(_deflated, chunk))
        if len(self._compressing) > self._most:
            self._into.write(self._compressing.popleft().result())


def _deflated(chunk: bytes) -> bytes:
    """Whole blocks of a raw deflate stream without references to earlier ones."""
    compressor = zlib.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    return compressor.compress(chunk) + compressor.flush(zlib.Z_SYNC_FLUSH)
