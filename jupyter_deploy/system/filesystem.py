"""The file system under a path, and whether it accepts another file."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from jupyter_deploy.domain.errors import StoreError

_MOUNTINFO = Path("/proc/self/mountinfo")

# mount(8)'s names of file systems with locks and caches that another host can change.
_NETWORK = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "virtiofs", "afs", "ceph", "lustre", "gpfs", "beegfs", "glusterfs"}
    | {"ocfs2", "gfs2", "coda", "ncpfs", "fuse.sshfs", "fuse.glusterfs", "fuse.ceph", "fuse.s3fs", "fuse.rclone"}
)

_ESCAPES = {r"\040": " ", r"\011": "\t", r"\012": "\n", r"\134": "\\"}


def network_kind(path: Path, mountinfo: str) -> str | None:
    """Return the type of network file system that holds a path; None: a local file system, or unknown.

    Parameters
    ----------
    path : Path
        Absolute, without symbolic links.
    mountinfo : str
        The content of ``/proc/self/mountinfo``, see proc(5).
    """
    mount_point, kind = Path(), None
    for line in mountinfo.splitlines():
        before, separator, after = line.partition(" - ")
        fields = before.split(" ")
        if not separator or len(fields) < 5:
            continue
        mount = fields[4]
        for escape, character in _ESCAPES.items():
            mount = mount.replace(escape, character)
        # A later mount at the same mount point hides the earlier one.
        if path.is_relative_to(mount) and len(Path(mount).parts) >= len(mount_point.parts):
            mount_point, kind = Path(mount), after.split(" ")[0]
    return kind if kind in _NETWORK else None


def network_kind_of(path: Path) -> str | None:
    """Return ``network_kind`` of a path on this host."""
    try:
        return network_kind(path.resolve(), _MOUNTINFO.read_text())
    except OSError:  # no /proc (macOS)
        return None


def require_writable(folder: Path) -> None:
    """Raise StoreError before slow work if a folder, which need not exist yet, is not writable.

    Create nothing. A file that does not fit still fails later.
    """
    why = write_obstacle(folder)
    if why:
        raise write_error(folder, why)


def write_obstacle(folder: Path) -> str:
    """Return the reason why a folder, or its nearest existing parent, is not writable; empty: it is writable."""
    present = folder
    while not present.exists() and present != present.parent:
        present = present.parent
    if not present.is_dir():
        return f"{present} is not a folder"
    if not os.access(present, os.W_OK | os.X_OK):
        read_only = os.statvfs(present).f_flag & os.ST_RDONLY
        return "its file system is read-only" if read_only else f"{present} is not writable for this user"
    return "its disk is full" if os.statvfs(present).f_bavail == 0 else ""


def size_of(path: Path) -> int:
    """Return the bytes of a file, or of all files in a folder; 0: it is missing."""
    try:
        if not path.is_dir():
            return path.lstat().st_size
        return sum(size_of(entry) for entry in path.iterdir())
    except FileNotFoundError:
        return 0


def remove_folder(folder: Path) -> None:
    """Remove a folder with its contents; a missing one is no error.

    Raises
    ------
    StoreError
        A part of it cannot be removed.
    """
    try:
        shutil.rmtree(folder)
    except FileNotFoundError:
        if folder.exists():  # another process removed a part of it meanwhile
            remove_folder(folder)
    except OSError as error:
        raise StoreError(
            f"{error.filename or folder} cannot be removed: {error.strerror or error}",
            "check its owner and mode, then repeat the command",
        ) from error


def write_error(where: Path | str, why: object) -> StoreError:
    """Return the error for a failed write."""
    return StoreError(
        f"cannot write into {where}: {why}",
        "free space on that disk or make it writable; NBDEPLOY_HOME, BENTOML_HOME and TMPDIR name other folders",
    )
