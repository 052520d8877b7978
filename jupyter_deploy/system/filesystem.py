"""What the disk under a path is, and whether it takes another file."""

from __future__ import annotations

import os
from pathlib import Path

from jupyter_deploy.domain.errors import StoreError

_MOUNTINFO = Path("/proc/self/mountinfo")

# mount(8)'s names of file systems whose locks and caches another machine has a say in.
_NETWORK = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "virtiofs", "afs", "ceph", "lustre", "gpfs", "beegfs", "glusterfs"}
    | {"ocfs2", "gfs2", "coda", "ncpfs", "fuse.sshfs", "fuse.glusterfs", "fuse.ceph", "fuse.s3fs", "fuse.rclone"}
)

_ESCAPES = {r"\040": " ", r"\011": "\t", r"\012": "\n", r"\134": "\\"}


def network_kind(path: Path, mountinfo: str) -> str | None:
    """The kind of network file system that a path is on; None: it is on a local one, or nobody knows.

    Parameters
    ----------
    path : Path
        Absolute, without symbolic links.
    mountinfo : str
        The content of ``/proc/self/mountinfo``, see proc(5).
    """
    found, kind = Path(), None
    for line in mountinfo.splitlines():
        before, separator, after = line.partition(" - ")
        fields = before.split(" ")
        if not separator or len(fields) < 5:
            continue
        place = fields[4]
        for escape, character in _ESCAPES.items():
            place = place.replace(escape, character)
        # A later mount at the same place hides the earlier one.
        if path.is_relative_to(place) and len(Path(place).parts) >= len(found.parts):
            found, kind = Path(place), after.split(" ")[0]
    return kind if kind in _NETWORK else None


def network_kind_of(path: Path) -> str | None:
    """``network_kind`` on this machine, now."""
    try:
        return network_kind(path.resolve(), _MOUNTINFO.read_text())
    except OSError:  # no /proc (macOS)
        return None


def require_writable(folder: Path) -> None:
    """Raise StoreError, before slow work, if nothing could be written into a folder, which need not exist yet.

    Makes nothing. A file that does not fit fails later all the same.
    """
    why = why_not_writable(folder)
    if why:
        raise cannot_write(folder, why)


def why_not_writable(folder: Path) -> str:
    """Why nothing can be written into a folder, or be made in the nearest one above that exists; empty: it can."""
    present = folder
    while not present.exists() and present != present.parent:
        present = present.parent
    if not present.is_dir():
        return f"{present} is not a folder"
    if not os.access(present, os.W_OK | os.X_OK):
        read_only = os.statvfs(present).f_flag & os.ST_RDONLY
        return "its file system is read-only" if read_only else f"{present} is not yours to write into"
    return "its disk is full" if os.statvfs(present).f_bavail == 0 else ""


def cannot_write(where: Path | str, why: object) -> StoreError:
    """What is said when something cannot be written."""
    return StoreError(
        f"cannot write into {where}: {why}",
        "make room on that disk or make it writable; NBDEPLOY_HOME, BENTOML_HOME and TMPDIR name other folders",
    )
