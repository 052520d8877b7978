"""What the snapshot's commit and lock do not say: uncommitted changes, and distributions that others cannot get."""

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
from jupyter_deploy.system.git import ask_git

from .lockfiles import nearest_lock
from .subject import Proved, Subject

_NAMED = 5  # files or modules that a message names


def dirty_tree(subject: Subject) -> Iterator[Finding]:
    """Check ``dirty-tree``: a warning where the notebook or an imported module is not as committed, else a note."""
    live = subject.live
    notebook = Path(live.source.notebook) if live.source.notebook else None
    changed = [path for path in changed_files(notebook.parent if notebook else live.project) if not _only_ran(path)]
    if not changed:
        return
    of_model = loaded_files()
    of_model |= {notebook.resolve()} if notebook else set()
    matter = [path for path in changed if path in of_model]
    shown = matter or changed
    names = listed([_relative(path, live.project) for path in shown], _NAMED)
    yield Finding(
        check="dirty-tree",
        severity="warning" if matter else "note",
        message=f"{'what this model was made with' if matter else 'the project'} has changes that are not committed: "
        f"{names}",
        remedy="commit them, so that the commit which the snapshot names gives this model" if matter else "",
    )


def changed_files(folder: Path) -> list[Path]:
    """Files of the repository around ``folder`` that are not as committed; none outside of a repository."""
    top = ask_git(folder, "rev-parse", "--show-toplevel")
    status = ask_git(folder, "status", "--porcelain=v1", "-z")
    if top is None or status is None:
        return []
    root = Path(top.decode(errors="surrogateescape").rstrip("\n"))
    entries = iter(status.decode(errors="surrogateescape").split("\0"))
    found = []
    for entry in entries:
        if entry:
            found.append((root / entry[3:]).resolve())
            if "R" in entry[:2] or "C" in entry[:2]:
                next(entries, None)  # the former name
    return found


def _only_ran(path: Path) -> bool:
    """Whether a notebook has its committed cells, and only other outputs, counts and ids."""
    if path.suffix != ".ipynb" or not path.is_file():
        return False
    committed = ask_git(path.parent, "show", f"HEAD:./{path.name}")
    if committed is None:
        return False
    try:
        return _sources(committed) == _sources(path.read_bytes())
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _sources(notebook: bytes) -> list[tuple[str, str]]:
    return [(cell["cell_type"], "".join(cell["source"])) for cell in json.loads(notebook)["cells"]]


def local_distribution(proved: Proved) -> Iterator[Finding]:
    """Check ``local-distribution``: of what the model needs, what was installed from a folder or a file."""
    for one in local_distributions():
        if one.name in proved.manifest.environment.distributions:
            how = f"is installed as editable from {one.source}" if one.editable else f"was installed from {one.source}"
            yield Finding(
                check="local-distribution",
                severity="warning",
                message=f"{one.name} {one.version} {how}: another machine cannot install it by its version"
                + (", and a change of its files changes the running model at its next start" if one.editable else ""),
                remedy="publish it to an index and install that version",
            )


def lock_mismatch(proved: Proved) -> Iterator[Finding]:
    """Check ``lock-mismatch``: of what the model needs, versions that the project's nearest lock does not allow."""
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
        f"{name} {version} ({lock.name}: {lock.wanted(name)})"
        for name, version in proved.manifest.environment.distributions.items()
        if not lock.allows(name, version)
    ]
    if different:
        yield Finding(
            check="lock-mismatch",
            severity="warning",
            message=f"other versions are installed than the project's lock says: {', '.join(different)}",
            remedy="install what the lock says and train again, or bring the lock up to date",
        )


def undistributed(proved: Proved) -> Iterator[Finding]:
    """Check ``undistributed``: modules of site-packages that no distribution owns, so no lock can name them."""
    installed = [Path(sysconfig.get_paths()[key]).resolve() for key in ("purelib", "platlib")]
    packed = {Path(name).parts[1] for name in proved.manifest.files if len(Path(name).parts) > 1}
    packed = {name.removesuffix(".py") for name in packed}
    found = []
    for name in proved.modules:
        known = name in distributions_of() or name in sys.stdlib_module_names or name in packed
        if known or name.startswith("_") or name in ("serving", "sitecustomize", "usercustomize"):
            continue
        origin = _origin(name)
        if origin is not None and any(origin.is_relative_to(folder) for folder in installed):
            found.append(f"{name} ({origin})")
    if found:
        yield Finding(
            check="undistributed",
            severity="warning",
            message=f"the model needs modules that belong to no installed distribution: {listed(found, _NAMED)}",
            remedy="install them as a distribution, or move them into the notebook's project, whose code goes in",
        )


def _origin(name: str) -> Path | None:
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError, AttributeError):
        return None
    return Path(spec.origin).resolve() if spec is not None and spec.origin and spec.has_location else None


def _relative(path: Path, folder: Path) -> str:
    return str(path.relative_to(folder.resolve())) if path.is_relative_to(folder.resolve()) else str(path)
