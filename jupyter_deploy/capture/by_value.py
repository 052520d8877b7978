"""Modules of the project that are not in a clean process what they are here go in by value, if that can be done."""

from __future__ import annotations

import pickle
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from jupyter_deploy.artifacts.snapshots import content_fingerprint, write_manifest
from jupyter_deploy.domain.capture.findings import Finding
from jupyter_deploy.domain.errors import NotCapturable, ReplayFailed
from jupyter_deploy.domain.ports import Live, Staged
from jupyter_deploy.masking.masking import without_secrets
from jupyter_deploy.serving.project_code import FOLDER
from jupyter_deploy.serving.workplace import location_of
from jupyter_deploy.system.temp import scratch_folder

from .checks.secrets import secrets_in_model
from .frameworks import framework_of
from .project_code import CHECKS_OF_CODE, EDITED, ProjectCode, differing, modules_in
from .proof import prove
from .reachable import names_reached
from .replay import Asked, has_agreed
from .writer import write

Proof = tuple[Staged, dict[str, Any], Asked]


def prove_with_code(staged: Staged, live: Live, timeout: float, told: Callable[[str], None]) -> Proof:
    """Proved, and proved anew by value where modules of the project, imported there, are not what they are here.

    If that cannot be done, and their files answered as the notebook did, these are kept and it is said. If neither
    way answers, it is told of the module's own file, in which the reader can look.
    """
    by_source = prove(staged, live, timeout, told)
    proved, found, asked = by_source
    packed = modules_in(proved.manifest.files)
    changed = differing(found["globals"], names_reached(live.model, live.example)) if packed else {}
    why = changed
    if packed and not changed and not has_agreed(found):
        why = dict.fromkeys(packed, "imported anew, it does not answer as it did")
    if not why:
        return by_source
    told("once more, with the project's modules as they are in the notebook")
    example = pickle.loads((proved.folder / "example.pkl").read_bytes())  # noqa: S301 - written by this process
    with _set_aside(proved) as restore:
        try:
            again = prove(_by_value(staged, proved, live, example, why), live, timeout, told)
        except (NotCapturable, ReplayFailed) as error:
            if not has_agreed(found):
                raise
            obstacle = str(error)
        else:
            if has_agreed(again[1]):
                return again
            if not has_agreed(found):
                return again[0], found, replace(asked, suspects=tuple(_are_others(changed)))
            obstacle = "as it is in the notebook, a clean process does not answer alike"
        restore()
    findings = (
        Finding(check=EDITED, severity="warning", message=f"{message}; captured was the file, since {obstacle}",
                remedy="restart the kernel, run the notebook from the top, and deploy again")
        for message in _are_others(changed)
    )  # fmt: skip
    manifest = proved.manifest.model_copy(update={"findings": (*proved.manifest.findings, *findings)})
    write_manifest(manifest, proved.folder)
    return replace(proved, manifest=manifest), found, asked


def _are_others(changed: Mapping[str, str]) -> Iterator[str]:
    for name, what in changed.items():
        yield f"the module {name} is not what its file says ({what})"


@contextmanager
def _set_aside(proved: Staged) -> Iterator[Callable[[], None]]:
    """Within, the snapshot's folder holds its packed data only; what is called puts the rest back."""
    folder = proved.folder
    names = [name for name in proved.manifest.files if location_of(name) is None]
    data = set(proved.manifest.files) - set(names)

    with scratch_folder("aside") as aside:

        def restore() -> None:
            for path in [path for path in folder.rglob("*") if path.is_file()]:
                if path.relative_to(folder).as_posix() not in data:
                    path.unlink()
            _move(names, aside, folder)

        _move(names, folder, aside)
        shutil.rmtree(folder / FOLDER, ignore_errors=True)
        yield restore


def _move(names: list[str], source: Path, target: Path) -> None:
    for name in names:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).rename(target / name)


def _by_value(staged: Staged, proved: Staged, live: Live, example: Any, changed: Mapping[str, str]) -> Staged:
    folder = proved.folder
    live = replace(live, model=framework_of(live.model).deployed(live.model))
    code = ProjectCode(changed)
    data = {name: digest for name, digest in proved.manifest.files.items() if location_of(name) is not None}
    written, formats = write(live, example, folder, code)
    files = data | written
    kept = [f for f in staged.manifest.findings if f.check not in CHECKS_OF_CODE]
    # By value there may be more in the model than in the files of its code.
    told_of = {f.message for f in kept}  # which may be marked as waived by now
    found = without_secrets(secrets_in_model(live, folder), live.cells)
    secrets = [f for f in found if f.message not in told_of]
    findings = (*kept, *secrets, *code.findings)
    update = {"files": files, "formats": formats, "findings": findings, "packed": proved.manifest.packed}
    manifest = staged.manifest.model_copy(update=update)
    write_manifest(manifest, folder)
    return replace(staged, manifest=manifest, fingerprint=content_fingerprint(folder, files))
