"""The folder of a batch's answers. Each partition of the source has one file of answers in it, and never half of one.

::

    part-<key>.parquet              the answers to a partition
    _errors/part-<key>.parquet      its refused rows, with the reason
    _nbdeploy/manifest.json         what is committed: partitions by key
    _nbdeploy/staged/<key>.json     a partition that is answered and not committed; its files have the same name
    _nbdeploy/commit.json           a manifest whose files are being moved

A partition's files are written under other names and moved. Its ``<key>.json`` comes last: whatever has none is written
again. A commit writes ``commit.json``, moves the staged files, removes the files that others replace, and renames
``commit.json`` to ``manifest.json``. If it is killed, the next one begins with these moves again.
"""

from __future__ import annotations

import contextlib
import json
import uuid
from collections.abc import Iterable
from typing import Any

from pyarrow import fs

from .places import file_system_of

_OWN, _ERRORS = "_nbdeploy", "_errors"

Partition = dict[str, Any]
"""``key``, ``source``, ``row_groups``, and once it is answered ``rows``, ``refused``, ``reasons``, ``snapshot``."""


class Sink:
    """A folder, on any file system.

    Parameters
    ----------
    suffix
        The end of the files' names, such as ``.parquet``.
    """

    def __init__(self, place: str, suffix: str) -> None:
        self.system, self._path = file_system_of(place)
        self._path = self._path.rstrip("/")
        self._suffix = suffix

    def prepare(self) -> None:
        """Make the folders, and complete a commit that was killed."""
        for folder in (f"{_OWN}/staged", _ERRORS):
            self.system.create_dir(f"{self._path}/{folder}", recursive=True)
        commit = self._read(f"{_OWN}/commit.json")
        if commit is not None:
            self._move(commit)

    def committed(self) -> dict[str, Partition]:
        """Return the committed partitions by key."""
        manifest = self._read(f"{_OWN}/manifest.json")
        return {} if manifest is None else manifest["partitions"]

    def staged(self) -> dict[str, Partition]:
        """Return the partitions that are answered and not committed, by key."""
        folder = fs.FileSelector(f"{self._path}/{_OWN}/staged", allow_not_found=True)
        found = {}
        for info in self.system.get_file_info(folder):
            if info.base_name.endswith(".json"):
                partition = self._read(f"{_OWN}/staged/{info.base_name}")
                if partition is not None:
                    found[partition["key"]] = partition
        return found

    def path_of(self, key: str, *, errors: bool = False) -> str:
        """Return the path under which a partition's file is written."""
        return f"{self._path}/{self._staged(key, errors=errors)}"

    def stage(self, partition: Partition) -> None:
        """Note that a partition's files are written."""
        self._write(f"{_OWN}/staged/{partition['key']}.json", partition)

    def commit(self, keys: Iterable[str]) -> dict[str, Partition]:
        """Commit staged partitions; they replace those of the same part of the source.

        Returns
        -------
        dict
            All committed partitions by key.
        """
        wanted = set(keys)
        new = {key: partition for key, partition in self.staged().items() if key in wanted}
        before = self.committed()
        replaced = {_part(partition) for partition in new.values()}
        kept = {key: one for key, one in before.items() if _part(one) not in replaced}
        gone = [key for key in before if key not in kept and key not in new]
        document = {"version": 1, "partitions": kept | new, "moved": sorted(new), "removed": sorted(gone)}
        self._write(f"{_OWN}/commit.json", document)
        self._move(document)
        return {**kept, **new}

    def _move(self, commit: dict[str, Any]) -> None:
        for key in commit["removed"]:
            for final in self._finals(key):
                self._remove(final)
        for key in commit["moved"]:
            answers, errors = self._finals(key)
            self._rename(self._staged(key), answers)
            self._rename(self._staged(key, errors=True), errors)
        self._write(f"{_OWN}/manifest.json", {name: commit[name] for name in ("version", "partitions")})
        for key in commit["moved"]:
            self._remove(f"{_OWN}/staged/{key}.json")
        self._remove(f"{_OWN}/commit.json")

    def _staged(self, key: str, *, errors: bool = False) -> str:
        return f"{_OWN}/staged/{key}{'-errors' if errors else ''}{self._suffix}"

    def _finals(self, key: str) -> tuple[str, str]:
        name = f"part-{key}{self._suffix}"
        return name, f"{_ERRORS}/{name}"

    def _rename(self, old: str, new: str) -> None:
        if self.system.get_file_info(f"{self._path}/{old}").type == fs.FileType.File:
            self.system.move(f"{self._path}/{old}", f"{self._path}/{new}")

    def _remove(self, name: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            self.system.delete_file(f"{self._path}/{name}")

    def _read(self, name: str) -> Any:
        try:
            with self.system.open_input_stream(f"{self._path}/{name}") as file:
                return json.loads(file.read())
        except FileNotFoundError:
            return None

    def _write(self, name: str, document: Any) -> None:
        temporary = f"{self._path}/{_OWN}/{uuid.uuid4().hex}.tmp"
        with self.system.open_output_stream(temporary) as file:
            file.write(json.dumps(document).encode())
        self.system.move(temporary, f"{self._path}/{name}")


def _part(partition: Partition) -> tuple[str, str]:
    """Return the part of the source that a partition is: its file and row groups."""
    return partition["source"], json.dumps(partition["row_groups"])
