"""The folder of a batch's answers. Each partition of the source has one file of answers in it, and never half of one.

::

    part-<key>.parquet              the answers to a partition
    _errors/part-<key>.parquet      its refused rows, with the reason
    _nbdeploy/manifest.json         what is committed: partitions by key
    _nbdeploy/staged/<key>.json     a partition that is answered and not committed; its files have the same name
    _nbdeploy/commit.json           a manifest whose files are being moved
    _nbdeploy/runs/<run>/<index>    a pod of a run by several pods has ended its share

A partition's files are written under other names and moved. Its ``<key>.json`` comes last: whatever has none is written
again. A commit writes ``commit.json``, removes the files that others replace, moves the staged files, writes
``manifest.json`` and removes ``commit.json``. If it is killed, the next one begins with these moves again.
Two pods of one run that end at the same moment make the same commit together.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
import uuid
from collections.abc import Iterable
from typing import Any

from pyarrow import fs

from .places import PlaceError, file_system_of

_OWN, _ERRORS = "_nbdeploy", "_errors"
_RUNS_NS = 7 * 24 * 3600 * 10**9
"""The notes of a run's pods are kept for so long: a pod may start again."""

Partition = dict[str, Any]
"""``key``, ``source``, ``row_groups``, ``suffix``; once answered ``rows``, ``refused``, ``reasons``, ``snapshot``."""


class Sink:
    """A folder, on any file system.

    Parameters
    ----------
    suffix
        The end of the files' names, such as ``.parquet``.

    Attributes
    ----------
    path
        The folder's path in ``system``.
    """

    def __init__(self, place: str, suffix: str) -> None:
        self.system, path = file_system_of(place)
        self.path = path.rstrip("/")
        self._suffix = suffix
        self._lock: int | None = None

    def join(self, *, alone: bool = False) -> None:
        """Hold the folder's lock until the process ends; only on this machine's file systems.

        Parameters
        ----------
        alone
            Require that no other process holds it, such as the worker of a batch that was killed a moment ago.

        Raises
        ------
        PlaceError
            Another batch writes to the folder.
        """
        if self._lock is not None or not isinstance(self.system, fs.LocalFileSystem):
            return
        self._lock = os.open(f"{self.path}/{_OWN}/lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(self._lock)
            self._lock = None
            raise PlaceError(f"another batch writes to {self.path}: wait until it has ended") from error
        if alone:
            fcntl.flock(self._lock, fcntl.LOCK_SH)  # for the other workers of this batch

    def prepare(self) -> None:
        """Make the folders, and complete a commit that was killed.

        Raises
        ------
        PlaceError
            Another batch writes to the folder.
        """
        for folder in (f"{_OWN}/staged", _ERRORS):
            self.system.create_dir(f"{self.path}/{folder}", recursive=True)
        self.join(alone=True)
        commit = self._read(f"{_OWN}/commit.json")
        if commit is not None:
            self._move(commit)

    def committed(self) -> dict[str, Partition]:
        """Return the committed partitions by key."""
        manifest = self._read(f"{_OWN}/manifest.json")
        return {} if manifest is None else manifest["partitions"]

    def staged(self) -> dict[str, Partition]:
        """Return the partitions that are answered and not committed, by key."""
        folder = fs.FileSelector(f"{self.path}/{_OWN}/staged", allow_not_found=True)
        found = {}
        for info in self.system.get_file_info(folder):
            if info.base_name.endswith(".json"):
                partition = self._read(f"{_OWN}/staged/{info.base_name}")
                if partition is not None:
                    found[partition["key"]] = partition
        return found

    def path_of(self, key: str, *, errors: bool = False) -> str:
        """Return the path under which a partition's file is written."""
        return f"{self.path}/{self._staged(key, errors=errors)}"

    def stage(self, partition: Partition) -> None:
        """Note that a partition's files are written."""
        self._write(f"{_OWN}/staged/{partition['key']}.json", partition)

    def mark(self, run: str, index: int) -> list[int]:
        """Note that a pod of a run has ended its share; return the pods that have."""
        folder = f"{_OWN}/runs/{run}"
        self.system.create_dir(f"{self.path}/{folder}", recursive=True)
        self._write(f"{folder}/{index}", {})
        found = self.system.get_file_info(fs.FileSelector(f"{self.path}/{folder}"))
        return sorted(int(info.base_name) for info in found if info.base_name.isdigit())

    def forget_runs(self) -> None:
        """Remove the notes of the pods of earlier runs."""
        selector = fs.FileSelector(f"{self.path}/{_OWN}/runs", allow_not_found=True, recursive=True)
        newest: dict[str, int] = {}
        for info in self.system.get_file_info(selector):
            if info.type == fs.FileType.File:
                folder = info.path.rpartition("/")[0]
                newest[folder] = max(newest.get(folder, 0), info.mtime_ns)
        for folder, written in newest.items():
            if written < time.time_ns() - _RUNS_NS:
                self.system.delete_dir(folder)

    def commit(self, keys: Iterable[str], planned: Iterable[str]) -> None:
        """Commit staged partitions, those of a file of the source all at once; they replace its former ones.

        Parameters
        ----------
        keys
            The partitions to commit.
        planned
            All partitions of the source as it is now; others of the same files are removed.
        """
        wanted, present = set(keys), set(planned)
        # In this order: what another pod commits meanwhile is in the one or in the other.
        new = {key: partition for key, partition in self.staged().items() if key in wanted}
        before = self.committed()
        files = {partition["source"] for partition in new.values()}
        gone = {key: one for key, one in before.items() if one["source"] in files and key not in present}
        kept = {key: one for key, one in before.items() if key not in gone}
        removed = [name for key, one in gone.items() for name in _finals(key, one["suffix"])]
        document = {"version": 1, "partitions": kept | new, "moved": sorted(new), "removed": removed}
        self._write(f"{_OWN}/commit.json", document)
        self._move(document)

    def _move(self, commit: dict[str, Any]) -> None:
        for final in commit["removed"]:
            self._remove(final)
        for key in commit["moved"]:
            suffix = commit["partitions"][key]["suffix"]
            answers, errors = _finals(key, suffix)
            self._rename(self._staged(key), answers)
            self._rename(self._staged(key, errors=True), errors)
        self._write(f"{_OWN}/manifest.json", {name: commit[name] for name in ("version", "partitions")})
        for key in commit["moved"]:
            self._remove(f"{_OWN}/staged/{key}.json")
        self._remove(f"{_OWN}/commit.json")

    def _staged(self, key: str, *, errors: bool = False) -> str:
        return f"{_OWN}/staged/{key}{'-errors' if errors else ''}{self._suffix}"

    def _rename(self, old: str, new: str) -> None:
        if not self._is_file(old):
            return
        try:
            self.system.move(f"{self.path}/{old}", f"{self.path}/{new}")
        except OSError:
            if self._is_file(old) or not self._is_file(new):
                raise
            # Another pod of the run moved it.

    def _is_file(self, name: str) -> bool:
        return bool(self.system.get_file_info(f"{self.path}/{name}").type == fs.FileType.File)

    def _remove(self, name: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            self.system.delete_file(f"{self.path}/{name}")

    def _read(self, name: str) -> Any:
        try:
            with self.system.open_input_stream(f"{self.path}/{name}") as file:
                return json.loads(file.read())
        except FileNotFoundError:
            return None

    def _write(self, name: str, document: Any) -> None:
        temporary = f"{self.path}/{_OWN}/{uuid.uuid4().hex}.tmp"
        with self.system.open_output_stream(temporary) as file:
            file.write(json.dumps(document).encode())
        self.system.move(temporary, f"{self.path}/{name}")


def _finals(key: str, suffix: str) -> tuple[str, str]:
    """Return the names of a committed partition's answers and refused rows."""
    name = f"part-{key}{suffix}"
    return name, f"{_ERRORS}/{name}"
