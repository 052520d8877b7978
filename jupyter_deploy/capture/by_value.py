"""Capture by value of project modules whose state in the notebook differs from a clean process."""

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
from jupyter_deploy.domain.capture.ports import Live, Staged
from jupyter_deploy.domain.errors import NotCapturable, ReplayFailed
from jupyter_deploy.masking.masking import without_secrets
from jupyter_deploy.serving.project_code import FOLDER
from jupyter_deploy.serving.workplace import location_of
from jupyter_deploy.system.temp import scratch_folder

from .checks.secrets import secrets_in_model
from .frameworks import framework_of
from .project_code import CHECKS_OF_CODE, EDITED, ProjectCode, differing, modules_in
from .proof import prove
from .reachable import names_reached
from .replay import ReplayContext, agrees
from .writer import write

Proof = tuple[Staged, dict[str, Any], ReplayContext]


def prove_with_code(staged: Staged, live: Live, timeout: float, report: Callable[[str], None]) -> Proof:
    """Prove the snapshot, and again with modules by value if their state in a clean process differs.

    If that fails, and the modules' files gave the notebook's answers, the files are kept and a finding says so. If
    neither way gives them, the error is that of the files, which the user can inspect.
    """
    by_source = prove(staged, live, timeout, report)
    proved, result, context = by_source
    packed = modules_in(proved.manifest.files)
    changed = differing(result["globals"], names_reached(live.model, live.example)) if packed else {}
    reasons = changed
    if packed and not changed and not agrees(result):
        reasons = dict.fromkeys(packed, "after a new import its answers differ")
    if not reasons:
        return by_source
    report("replay again with the project's modules in their state in the notebook")
    example = pickle.loads((proved.folder / "example.pkl").read_bytes())  # noqa: S301 - written by this process
    with _emptied(proved) as restore:
        try:
            second = prove(_by_value(staged, proved, live, example, reasons), live, timeout, report)
        except (NotCapturable, ReplayFailed) as error:
            if not agrees(result):
                raise
            obstacle = str(error)
        else:
            if agrees(second[1]):
                return second
            if not agrees(result):
                return second[0], result, replace(context, suspects=tuple(_module_differences(changed)))
            obstacle = "a clean process gives different answers with the notebook's state"
        restore()
    findings = (
        Finding(check=EDITED, severity="warning", message=f"{message}; the file was captured, since {obstacle}",
                remedy="restart the kernel, run the notebook from the top, and deploy again")
        for message in _module_differences(changed)
    )  # fmt: skip
    manifest = proved.manifest.model_copy(update={"findings": (*proved.manifest.findings, *findings)})
    write_manifest(manifest, proved.folder)
    return replace(proved, manifest=manifest), result, context


def _module_differences(changed: Mapping[str, str]) -> Iterator[str]:
    for name, what in changed.items():
        yield f"the module {name} differs from its file ({what})"


@contextmanager
def _emptied(proved: Staged) -> Iterator[Callable[[], None]]:
    """Empty the snapshot's folder apart from packed data; calling the result restores the files."""
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
    # By value the model may contain more than the files of its code.
    reported = {f.message for f in kept}  # which may be marked as waived by now
    in_model = without_secrets(secrets_in_model(live, folder), live.cells)
    secrets = [f for f in in_model if f.message not in reported]
    findings = (*kept, *secrets, *code.findings)
    update = {"files": files, "formats": formats, "findings": findings, "packed": proved.manifest.packed}
    manifest = staged.manifest.model_copy(update=update)
    write_manifest(manifest, folder)
    return replace(staged, manifest=manifest, fingerprint=content_fingerprint(folder, files))
