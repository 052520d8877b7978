"""Repeated replays: project files that the clean process did not find are packed until none is missing."""

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
from jupyter_deploy.domain.capture.ports import Live, Staged
from jupyter_deploy.serving.audit.reads import machine_paths
from jupyter_deploy.serving.workplace import location_of

from .data_files import DataFiles
from .module_data import ModuleData
from .replay import ReplayContext, run_replay

CHECK = "outside-files"
ROUNDS = 20
_MOST = 10  # findings at most; the others are counted
_NAMED = 5  # files or modules that a message names
_PATH_LIMIT = 4096  # Linux's limit
_NAME_LIMIT = 255  # characters of a path in source code


def prove(
    staged: Staged, live: Live, timeout: float, report: Callable[[str], None]
) -> tuple[Staged, dict[str, Any], ReplayContext]:
    """Return the snapshot with all missing files, and the result of the last replay, for ``require_agreement``.

    Each round packs the files that the previous one did not find. A round that fails without a missing file (C code
    opens files untraced) is repeated once with the project files that strings in the model name; they stay only if that
    helps.
    """
    files = DataFiles(live, staged.folder, staged.changed)
    files.take_over(staged.manifest)
    module_data = ModuleData(staged.folder, staged.manifest.files)
    guessed: list[str] | None = None
    for _ in range(ROUNDS):
        result = run_replay(staged.folder, staged.manifest.environment.interpreter, timeout, live.secrets)
        failed = bool(result["error"] or result["differences"])
        new = [*_supply(files, result["reads"]), *module_data.supply(result["reads"])]
        if not new and failed and guessed is None:
            new = guessed = _guess(files, staged.folder)
        elif not new and failed and guessed:
            files.drop(guessed)
            staged = with_files(staged, files)
        if not new:
            break
        report(f"replay again with {listed(new, _NAMED)}")
        staged = with_files(staged, files, module_data.digests)
    findings = tuple(outside_files(files, result["reads"]))
    if not result["error"] and not result["differences"]:
        findings += tuple(_named(files, result, staged.folder))
    manifest = staged.manifest
    notes = (*manifest.notes, *_note(files.sizes | module_data.sizes))
    manifest = manifest.model_copy(update={"notes": notes, "findings": (*manifest.findings, *findings)})
    context = ReplayContext(files.original, {f.message: f.remedy for f in findings})
    return replace(staged, manifest=manifest), result, context


def with_files(staged: Staged, files: DataFiles, more: Mapping[str, str] = MappingProxyType({})) -> Staged:
    """Return the snapshot with manifest and fingerprint updated for the packed files and ``more`` files in it."""
    others = {name: digest for name, digest in staged.manifest.files.items() if location_of(name) is None}
    manifest = staged.manifest.model_copy(update={"packed": files.packed, "files": {**others, **files.digests, **more}})
    write_manifest(manifest, staged.folder)
    return replace(staged, manifest=manifest, fingerprint=content_fingerprint(staged.folder, manifest.files))


def _supply(files: DataFiles, reads: list[dict[str, str]]) -> list[str]:
    """Pack a replay's missing files and return the new paths; a folder's files are packed only if none is open."""
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
    """Yield strings in the captured code and state: constants, attributes, globals."""
    with (folder / "model.pkl").open("rb") as file:
        yield from (argument for _, argument, _ in pickletools.genops(file) if isinstance(argument, str))
    for source in sorted(folder.rglob("*.py")):
        with contextlib.suppress(SyntaxError, ValueError):  # a template, or code of another Python version
            tree = ast.parse(source.read_bytes())
            yield from (n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str))


def outside_files(files: DataFiles, reads: Iterable[dict[str, str]]) -> Iterator[Finding]:
    """Yield a finding for each folder and reason of files not packed by default, at most ``_MOST``."""
    groups: dict[tuple[str, str, str, str], dict[Path, str]] = {}
    for read in reads:
        absolute = read["path"].startswith(os.sep)
        path = files.original(read["path"])
        lacking = absolute or read["kind"] == "missing"
        objection = files.objection(path) if lacking and files.is_data(path) else None
        if objection and not any(path in group for group in groups.values()):
            # A file opened by an absolute path works only here; the model did without the others.
            severity = "error" if absolute else "warning"
            does = "lists" if path.is_dir() else "opens"
            groups.setdefault((severity, str(path.parent), does, objection), {})[path] = read["where"]
    ordered = sorted(groups.items(), key=lambda item: item[0][0])  # errors first
    most = len(ordered) if len(ordered) <= _MOST else _MOST - 1
    yield from (_outside(*kind, paths) for kind, paths in ordered[:most])
    if others := ordered[most:]:
        count = sum(len(paths) for _, paths in others)
        folders = len({folder for (_, folder, *_), _ in others})
        yield Finding(
            check=CHECK,
            severity="error" if others[0][0][0] == "error" else "warning",
            message=f"… and {count} more such files, in {folders} folder{'s' * (folders != 1)}",
        )


def _outside(severity: str, folder: str, verb: str, objection: str, paths: Mapping[Path, str]) -> Finding:
    first, where = next(iter(paths.items()))
    if len(paths) == 1:
        object_words, remedy = f"{first}, which", f"pack it with --include {first}"
    else:
        count = f"{len(paths)} {'folders' if verb == 'lists' else 'files'}"
        object_words = f"{count} in {folder} ({listed([path.name for path in paths], _NAMED)}), each of which"
        remedy = f"pack the folder with --include {folder}, or single files with --include FILE"
    elsewhere = ", or keep it in the project and open it by a path relative to the notebook"
    return Finding(
        check=CHECK,
        severity="error" if severity == "error" else "warning",
        message=f"{where} {verb} {object_words} {objection} and is not packed by default",
        remedy=remedy + (elsewhere if severity == "error" else ""),
    )


def _named(files: DataFiles, result: dict[str, Any], folder: Path) -> Iterator[Finding]:
    """Yield a finding for each existing absolute path in the model that was not traced: C code may open it."""
    seen = {files.original(read["path"]) for read in result["reads"]}
    seen |= {Path(effect.rpartition(" writes ")[2]) for effect in result["effects"]}  # reported as effects
    nobodys = machine_paths()
    for name in dict.fromkeys(_strings(folder)):
        if not name.startswith(os.sep) or len(name) > _PATH_LIMIT or not name.isprintable():
            continue
        path = Path(os.path.normpath(name))
        is_own = name.startswith(nobodys) or path.suffix == ".py" or path in seen
        if not is_own and os.path.isfile(path) and files.is_data(path) and not files.holds(path):  # noqa: PTH113 - it never raises
            yield Finding(
                check=CHECK,
                severity="warning",
                message=f"the model names {path}, which exists but was not traced: files that C code opens by "
                "an absolute path are not packed",
                remedy="if the model reads it, open it by a path relative to the notebook, or read it in the notebook "
                "and let the model use its content",
            )


def _note(sizes: Mapping[str, int]) -> tuple[str, ...]:
    if not sizes:
        return ()
    size = sum(sizes.values())
    return (f"packed, since the model opens them: {listed(sorted(sizes), _NAMED)} ({size_in_words(size)})",)
