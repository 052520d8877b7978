"""Places of files: paths and URLs, local ones with patterns, of all file systems that pyarrow knows."""

from __future__ import annotations

import fnmatch
import re
from pathlib import Path

from pyarrow import fs

_PATTERN = re.compile(r"[*?\[]")
_URL = re.compile(r"[a-z][a-z0-9+.-]*://")
_TABLES = {"Delta": re.compile(r"/_delta_log/"), "Iceberg": re.compile(r"/metadata/[^/]*\.metadata\.json$")}


class PlaceError(ValueError):
    """A place that cannot be used, in words."""


def file_system_of(place: str) -> tuple[fs.FileSystem, str]:
    """Return the file system of a path or URL, and the path in it.

    Raises
    ------
    PlaceError
        pyarrow knows no such file system.
    """
    if not _URL.match(place):
        return fs.LocalFileSystem(), str(Path(place).expanduser().absolute())
    pattern = _PATTERN.search(place)
    fixed = place[: place.rindex("/", 0, pattern.start())] if pattern else place
    try:
        system, path = fs.FileSystem.from_uri(fixed)
    except (ValueError, OSError) as error:
        raise PlaceError(f"{place}: {error}") from error
    return system, path + place[len(fixed) :]


def listed(place: str) -> tuple[fs.FileSystem, list[fs.FileInfo]]:
    """Return the files of a path, a folder or a pattern such as ``day=*/*.parquet``, in the order of their paths.

    Files and folders whose names begin with ``_`` or ``.`` are left out, as engines of tables do.

    Raises
    ------
    PlaceError
        There is no such file, the file system refuses, or a folder is a table whose files are not all its rows.
    """
    system, path = file_system_of(place)
    pattern = _PATTERN.search(path)
    try:
        if pattern is None:
            found = system.get_file_info(path)
            if found.type == fs.FileType.File:
                return system, [found]
            base, wanted = path, None
        else:
            base, wanted = path[: path.rindex("/", 0, pattern.start())] or "/", _matcher(path)
        infos = system.get_file_info(fs.FileSelector(base, recursive=True))
    except FileNotFoundError as error:
        raise PlaceError(f"{place}: there is no file") from error
    except OSError as error:
        raise PlaceError(f"{place} cannot be read: {error}") from error
    if kind := next((name for info in infos for name, log in _TABLES.items() if log.search(info.path)), None):
        raise PlaceError(f"{place} is a table of {kind}, which keeps files of former rows: export its rows")
    files = [
        info
        for info in infos
        if info.type == fs.FileType.File
        and not any(part.startswith(("_", ".")) for part in Path(info.path).relative_to(base).parts)
        and (wanted is None or wanted.fullmatch(info.path))
    ]
    if not files:
        raise PlaceError(f"{place}: there is no file")
    return system, sorted(files, key=lambda info: str(info.path))


def _matcher(path: str) -> re.Pattern[str]:
    """Return an expression whose ``*`` stays within a name; ``**`` matches folders too."""
    parts = [".*" if part == "**" else fnmatch.translate(part)[4:-3].replace(".*", "[^/]*") for part in path.split("/")]
    return re.compile("/".join(parts).replace("/.*/", "/(?:.*/)?"), re.DOTALL)
