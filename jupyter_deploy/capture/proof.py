"""Replay until nothing is lacking: what the clean process opened in vain, and the project has, is packed."""

from __future__ import annotations

import ast
import contextlib
import os
import pickletools
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from jupyter_deploy.artifacts.snapshots import content_fingerprint, write_manifest
from jupyter_deploy.domain.base import size_in_words
from jupyter_deploy.domain.capture.findings import Finding, listed
from jupyter_deploy.domain.ports import Live, Staged
from jupyter_deploy.serving.audit.reads import machine_paths
from jupyter_deploy.serving.workplace import location_of

from .data_files import DataFiles
from .module_data import BesideCode
from .replay import Asked, run_replay

CHECK = "outside-files"
ROUNDS = 20
_MOST = 10  # findings; the others are counted
_NAMED = 5  # files or modules that a message names
_PATH_LIMIT = 4096  # Linux's
_NAME_LIMIT = 255  # characters of a path that somebody writes into code


def prove(
    staged: Staged, live: Live, timeout: float, told: Callable[[str], None]
) -> tuple[Staged, dict[str, Any], Asked]:
    """The snapshot with all files that it lacked, and what its last replay found, for ``require_agreement``.

    Each round packs what the one before opened in vain. One that fails without having said of a file (C code opens
    files by itself) is repeated once with those files of the project that strings in the model name; they stay only
    if that helps.
    """
    files = DataFiles(live, staged.folder, staged.changed)
    files.take_over(staged.manifest)
    beside = BesideCode(staged.folder, staged.manifest.files)
    guessed: list[str] | None = None
    for _ in range(ROUNDS):
        found = run_replay(staged.folder, staged.manifest.environment.interpreter, timeout)
        failed = bool(found["error"] or found["differences"])
        new = [*_supply(files, found["reads"]), *beside.supply(found["reads"])]
        if not new and failed and guessed is None:
            new = guessed = _guess(files, staged.folder)
        elif not new and failed and guessed:
            files.drop(guessed)
            staged = with_files(staged, files)
        if not new:
            break
        told(f"once more, with {listed(new, _NAMED)}")
        staged = with_files(staged, files, beside.digests)
    findings = tuple(outside_files(files, found["reads"]))
    if not found["error"] and not found["differences"]:
        findings += tuple(_named(files, found, staged.folder))
    manifest = staged.manifest
    notes = (*manifest.notes, *_note(files.sizes | beside.sizes))
    manifest = manifest.model_copy(update={"notes": notes, "findings": (*manifest.findings, *findings)})
    asked = Asked(files.original, {f.message: f.remedy for f in findings})
    return replace(staged, manifest=manifest), found, asked


def with_files(staged: Staged, files: DataFiles, more: Mapping[str, str] = MappingProxyType({})) -> Staged:
    """The snapshot with its manifest and its fingerprint as the packed files make them, and ``more`` that lie in it."""
    others = {name: digest for name, digest in staged.manifest.files.items() if location_of(name) is None}
    manifest = staged.manifest.model_copy(update={"packed": files.packed, "files": {**others, **files.digests, **more}})
    write_manifest(manifest, staged.folder)
    return replace(staged, manifest=manifest, fingerprint=content_fingerprint(staged.folder, manifest.files))


def _supply(files: DataFiles, reads: list[dict[str, str]]) -> list[str]:
    """Pack what a replay lacked; the places of what is new. Files first: a folder gets its own only if none is open."""
    new = []
    for read in sorted(reads, key=lambda read: read["kind"] == "folder"):
        absolute = read["path"].startswith(os.sep)
        path = files.original(read["path"])
        if (not absolute and read["kind"] != "missing") or not files.is_data(path) or files.objection(path):
            continue
        changed = files.add(path)
        if absolute:
            changed |= files.lead(path)
        if changed:
            new.append(files.place_of(path))
    return new


def _guess(files: DataFiles, folder: Path) -> list[str]:
    new = []
    for name in dict.fromkeys(_strings(folder)):
        if not name or len(name) > _NAME_LIMIT or not name.isprintable() or name.startswith(os.sep):
            continue
        path = files.original(name)
        if path.is_file() and files.is_data(path) and not files.objection(path) and files.add(path):
            new.append(files.place_of(path))
    return new


def _strings(folder: Path) -> Iterator[str]:
    """Strings in the captured code and state: constants, attributes, globals."""
    with (folder / "model.pkl").open("rb") as file:
        yield from (argument for _, argument, _ in pickletools.genops(file) if isinstance(argument, str))
    for source in sorted(folder.rglob("*.py")):
        with contextlib.suppress(SyntaxError, ValueError):  # a template, or of another Python
            tree = ast.parse(source.read_bytes())
            yield from (n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str))


def outside_files(files: DataFiles, reads: Iterable[dict[str, str]]) -> Iterator[Finding]:
    """What is not packed without being asked for: one finding a folder and reason, and no more than ``_MOST``."""
    groups: dict[tuple[str, str, str, str], dict[Path, str]] = {}
    for read in reads:
        absolute = read["path"].startswith(os.sep)
        path = files.original(read["path"])
        lacking = absolute or read["kind"] == "missing"
        objection = files.objection(path) if lacking and files.is_data(path) else None
        if objection and not any(path in group for group in groups.values()):
            # What is opened by its absolute path works here, and nowhere else; the rest it did without.
            severity = "error" if absolute else "warning"
            does = "lists" if path.is_dir() else "opens"
            groups.setdefault((severity, str(path.parent), does, objection), {})[path] = read["where"]
    found = sorted(groups.items(), key=lambda item: item[0][0])  # errors first
    most = len(found) if len(found) <= _MOST else _MOST - 1
    yield from (_outside(*kind, paths) for kind, paths in found[:most])
    if left := found[most:]:
        count = sum(len(paths) for _, paths in left)
        folders = len({folder for (_, folder, *_), _ in left})
        yield Finding(
            check=CHECK,
            severity="error" if left[0][0][0] == "error" else "warning",
            message=f"… and {count} more such files, in {folders} folder{'s' * (folders != 1)}",
        )


def _outside(severity: str, folder: str, does: str, objection: str, paths: Mapping[Path, str]) -> Finding:
    first, where = next(iter(paths.items()))
    if len(paths) == 1:
        what, remedy = f"{first}, which", f"pack it with --include {first}"
    else:
        count = f"{len(paths)} {'folders' if does == 'lists' else 'files'}"
        what = f"{count} in {folder} ({listed([path.name for path in paths], _NAMED)}), each of which"
        remedy = f"pack all that is in it with --include {folder}, or single ones with --include FILE"
    elsewhere = ", or keep it in the project and open it by a path relative to the notebook"
    return Finding(
        check=CHECK,
        severity="error" if severity == "error" else "warning",
        message=f"{where} {does} {what} {objection} and is not packed without being asked for",
        remedy=remedy + (elsewhere if severity == "error" else ""),
    )


def _named(files: DataFiles, found: dict[str, Any], folder: Path) -> Iterator[Finding]:
    """One for each file that is named by an absolute path and was not seen to be opened: C code may have done it."""
    seen = {files.original(read["path"]) for read in found["reads"]}
    seen |= {Path(effect.rpartition(" writes ")[2]) for effect in found["effects"]}  # which are told as such
    nobodys = machine_paths()
    for name in dict.fromkeys(_strings(folder)):
        if not name.startswith(os.sep) or len(name) > _PATH_LIMIT or not name.isprintable():
            continue
        path = Path(os.path.normpath(name))
        own = name.startswith(nobodys) or path.suffix == ".py" or path in seen
        if not own and os.path.isfile(path) and files.is_data(path) and not files.holds(path):  # noqa: PTH113 - it never raises
            yield Finding(
                check=CHECK,
                severity="warning",
                message=f"the model names {path}, which is here and was not seen to be opened: what C code opens by "
                "an absolute path is not packed",
                remedy="if the model reads it, open it by a path relative to the notebook, or read it in the notebook "
                "and let the model use what was read",
            )


def _note(sizes: Mapping[str, int]) -> tuple[str, ...]:
    if not sizes:
        return ()
    size = sum(sizes.values())
    return (f"packed with it, since it opens them: {listed(sorted(sizes), _NAMED)} ({size_in_words(size)})",)
