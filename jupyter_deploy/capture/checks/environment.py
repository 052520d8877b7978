"""Checks of commit and lock: uncommitted changes, and distributions that other machines cannot install."""

from __future__ import annotations

import importlib.util
import json
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

from jupyter_deploy.domain.capture.findings import Finding, listed
from jupyter_deploy.environments.environment import distributions_of
from jupyter_deploy.environments.module_origins import loaded_files, local_distributions
from jupyter_deploy.system.git import run_git

from .candidate import Candidate, ProvedCandidate
from .lockfiles import nearest_lock

_NAMED = 5  # files or modules that a message names


def dirty_tree(candidate: Candidate) -> Iterator[Finding]:
    """Check ``dirty-tree``: a warning if the notebook or an imported module has changes, else a note."""
    live = candidate.live
    notebook = Path(live.source.notebook) if live.source.notebook else None
    changed = [path for path in changed_files(notebook.parent if notebook else live.project) if not _only_ran(path)]
    if not changed:
        return
    of_model = loaded_files()
    of_model |= {notebook.resolve()} if notebook else set()
    relevant = [path for path in changed if path in of_model]
    shown = relevant or changed
    names = listed([_relative(path, live.project) for path in shown], _NAMED)
    yield Finding(
        check="dirty-tree",
        severity="warning" if relevant else "note",
        message=f"{'the notebook or its code' if relevant else 'the project'} has uncommitted changes: {names}",
        remedy="commit them, so that the snapshot's commit reproduces this model" if relevant else "",
    )


def changed_files(folder: Path) -> list[Path]:
    """Return the repository's files with uncommitted changes; none outside a repository."""
    top = run_git(folder, "rev-parse", "--show-toplevel")
    status = run_git(folder, "status", "--porcelain=v1", "-z")
    if top is None or status is None:
        return []
    root = Path(top.decode(errors="surrogateescape").rstrip("\n"))
    entries = iter(status.decode(errors="surrogateescape").split("\0"))
    paths = []
    for entry in entries:
        if entry:
            paths.append((root / entry[3:]).resolve())
            if "R" in entry[:2] or "C" in entry[:2]:
                next(entries, None)  # the previous name
    return paths


def _only_ran(path: Path) -> bool:
    """Whether a notebook's cells are as committed, and only outputs, counts and ids differ."""
    if path.suffix != ".ipynb" or not path.is_file():
        return False
    committed = run_git(path.parent, "show", f"HEAD:./{path.name}")
    if committed is None:
        return False
    try:
        return _sources(committed) == _sources(path.read_bytes())
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _sources(notebook: bytes) -> list[tuple[str, str]]:
    return [(cell["cell_type"], "".join(cell["source"])) for cell in json.loads(notebook)["cells"]]


def local_distribution(proved: ProvedCandidate) -> Iterator[Finding]:
    """Check ``local-distribution``: the model's distributions that were installed from a folder or a file."""
    for distribution in local_distributions():
        if distribution.name in proved.manifest.environment.distributions:
            editable, source = distribution.editable, distribution.source
            origin = f"is installed as editable from {source}" if editable else f"was installed from {source}"
            yield Finding(
                check="local-distribution",
                severity="warning",
                message=f"{distribution.name} {distribution.version} {origin}: "
                "no other machine can install it by its version"
                + (", and a change of its files changes the running model at its next start" if editable else ""),
                remedy="publish it to an index and install that version",
            )


def lock_mismatch(proved: ProvedCandidate) -> Iterator[Finding]:
    """Check ``lock-mismatch``: the model's distributions in versions outside the project's nearest lock."""
    notebook = proved.live.source.notebook
    lock = nearest_lock(Path(notebook).parent if notebook else proved.live.project, proved.live.project)
    if lock is None:
        return
    if lock.unreadable:
        yield Finding(
            check="lock-mismatch",
            severity="note",
            message=f"{lock.name} cannot be read ({lock.unreadable}), so versions were not compared with it",
        )
    different = [
        f"{name} {version} ({lock.name}: {lock.allowed_versions(name)})"
        for name, version in proved.manifest.environment.distributions.items()
        if not lock.allows(name, version)
    ]
    if different:
        yield Finding(
            check="lock-mismatch",
            severity="warning",
            message=f"installed versions differ from the project's lock: {', '.join(different)}",
            remedy="install the lock's versions and train again, or update the lock",
        )


def undistributed(proved: ProvedCandidate) -> Iterator[Finding]:
    """Check ``undistributed``: modules of site-packages without a distribution, which no lock can name."""
    installed = [Path(sysconfig.get_paths()[key]).resolve() for key in ("purelib", "platlib")]
    packed = {Path(name).parts[1] for name in proved.manifest.files if len(Path(name).parts) > 1}
    packed = {name.removesuffix(".py") for name in packed}
    modules = []
    for name in proved.modules:
        known = name in distributions_of() or name in sys.stdlib_module_names or name in packed
        if known or name.startswith("_") or name in ("serving", "sitecustomize", "usercustomize"):
            continue
        origin = _origin(name)
        if origin is not None and any(origin.is_relative_to(folder) for folder in installed):
            modules.append(f"{name} ({origin})")
    if modules:
        yield Finding(
            check="undistributed",
            severity="warning",
            message=f"the model needs modules without an installed distribution: {listed(modules, _NAMED)}",
            remedy="install them as a distribution, or move them into the notebook's project, whose code is packed",
        )


def _origin(name: str) -> Path | None:
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError, AttributeError):
        return None
    return Path(spec.origin).resolve() if spec is not None and spec.origin and spec.has_location else None


def _relative(path: Path, folder: Path) -> str:
    return str(path.relative_to(folder.resolve())) if path.is_relative_to(folder.resolve()) else str(path)
