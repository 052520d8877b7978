"""From a live object, a notebook or a tag to a snapshot that a clean process has proved."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from jupyter_deploy.domain import errors
from jupyter_deploy.domain.capture.artifacts import Manifest, Snapshot
from jupyter_deploy.domain.capture.findings import Finding, refuse, waived
from jupyter_deploy.domain.errors import InvalidInput, StoreError, UnknownSource, Untrusted
from jupyter_deploy.domain.ports import Live, Ports, Staged
from jupyter_deploy.domain.requests import DeployRequest

SNAPSHOT_MIME = "application/vnd.nbdeploy.snapshot+json"
ERROR_MIME = "application/vnd.nbdeploy.error+json"


class Progress(Protocol):
    """Told of each step that begins, and (``new`` False) of what happens within one."""

    def __call__(self, title: str, new: bool = True, /) -> None: ...


Check = Callable[[Manifest], Iterable[Finding]]


def capture(
    live: Live, name: str, request: DeployRequest, ports: Ports, progress: Progress, *, check: Check = lambda _: ()
) -> Snapshot:
    """Capture a live object, prove it in a clean process, and store it.

    Parameters
    ----------
    check
        Called with the manifest before the replay: the place to refuse what no replay can mend, and to find what
        only shows beside former releases.

    Raises
    ------
    InvalidExample, NotCapturable, CheckFailed, ReplayFailed
        See ``domain.errors``; nothing is left behind.
    """
    progress("capturing the model, its example and its answers")
    staged = ports.capturer.stage(live, name)
    try:
        staged = _judged(staged, request, check(staged.manifest))
        again = "asking it again in a clean process"
        progress(again)
        proved = ports.capturer.replay(staged, live, lambda words: progress(f"{again}: {words}", False))
        proved = _judged(proved, request)
        progress("storing the snapshot")
        kept = ports.capturer.keep(proved, ports.store.remember)
        # The very same model may have been stored before, with what was found and noted then; what is now is told.
        told = kept.manifest.model_copy(update={"findings": proved.manifest.findings})
        return _told_anew(kept.model_copy(update={"manifest": told}), retold(proved.manifest))
    finally:
        ports.capturer.discard(staged)


def retold(manifest: Manifest) -> dict[str, Any]:
    """What is told of a capture and may be other than when the same snapshot was stored."""
    return {"notes": manifest.notes, "cells": manifest.provenance.cells}


def _told_anew(kept: Snapshot, now: Mapping[str, Any]) -> Snapshot:
    """The snapshot with what ``retold`` says; what it does not say is as it was stored."""
    stored = kept.manifest
    told = retold(stored) | {name: tuple(now[name]) for name in retold(stored) if name in now}
    provenance = stored.provenance.model_copy(update={"cells": told["cells"]})
    manifest = stored.model_copy(update={"notes": told["notes"], "provenance": provenance})
    return kept.model_copy(update={"manifest": manifest})


def _judged(staged: Staged, request: DeployRequest, more: Iterable[Finding] = ()) -> Staged:
    """With what is waived marked as such; raises CheckFailed."""
    findings = waived((*staged.manifest.findings, *more), request.waive, request.reason)
    refuse(findings, strict=request.strict)
    return replace(staged, manifest=staged.manifest.model_copy(update={"findings": findings}))


def isolate(snapshot: Snapshot, ports: Ports, progress: Progress) -> Snapshot:
    """The snapshot in an environment of its own, proved there and stored."""
    captured = snapshot.manifest.environment
    progress(f"making an environment of its own ({len(captured.distributions)} distributions), unless it is there")
    environment = ports.environments.ensure(captured)
    progress("asking the model again in that environment")
    return ports.capturer.move(snapshot, environment, ports.store.remember)


def capture_in_notebook(request: DeployRequest, name: str, ports: Ports, progress: Progress) -> Snapshot:
    """Run a notebook headless, capture its variable in that kernel, and take the snapshot over from the store."""
    notebook = Path(request.source or "")
    if not request.model:
        raise InvalidInput(
            f"which variable of {notebook.name} holds the model?",
            f"write: nbdeploy deploy {notebook} --name {name} --model VARIABLE --example EXPRESSION",
        )
    progress(f"running {notebook.name}")
    included = tuple(str(Path(path).absolute()) for path in request.include)  # the kernel has a folder of its own
    asked = request.model_copy(update={"name": name, "source": str(notebook.resolve()), "include": included})
    cell = (
        "from jupyter_deploy.faces.kernel.kernel import capture_for_command_line\n"
        f"capture_for_command_line({asked.model_dump_json()!r})"
    )
    shown = ports.notebooks.run(
        notebook,
        cell,
        lambda words: progress(f"running {notebook.name}: {words}", False),
        [text for text in (request.model, request.example, request.training) if isinstance(text, str)],
    )
    if ERROR_MIME in shown:
        raise _revived(shown[ERROR_MIME])
    if SNAPSHOT_MIME not in shown:
        raise StoreError("the notebook's kernel captured nothing", "is nbdeploy installed in the kernel's environment?")
    snapshot = ports.store.remembered(shown[SNAPSHOT_MIME]["tag"])
    if snapshot is None:
        raise StoreError(
            "the notebook's kernel wrote to another store", "does the notebook or its kernel set NBDEPLOY_HOME?"
        )
    return _told_anew(snapshot, shown[SNAPSHOT_MIME])


def stored(tag: str, *, trust: bool, ports: Ports) -> Snapshot:
    """A snapshot by its tag, verified to be what this store captured.

    Raises
    ------
    UnknownSource
        No such model in the BentoML store.
    Untrusted
        It was captured elsewhere and ``trust`` is False, or it was changed since this store captured it.
    """
    snapshot = ports.capturer.load(tag)
    known = ports.store.remembered(snapshot.tag)
    if known is None:
        if not trust:
            raise Untrusted(
                f"{snapshot.tag} was not captured by this store, and loading it runs whatever code it holds",
                "if you trust where it comes from, do it again with --trust",
                details=_origin(snapshot),
            )
        ports.store.remember(snapshot)
        known = snapshot
    elif known.digest != snapshot.digest:
        raise Untrusted(
            f"{snapshot.tag} is not what this store captured: its files have changed since",
            "deploy the model again from its notebook",
            details=f"captured {known.digest}\nfound    {snapshot.digest}",
        )
    # With what the checks found when it was last captured, where it lies now.
    return known.model_copy(update={"path": snapshot.path})


def judged(snapshot: Snapshot, request: DeployRequest) -> Snapshot:
    """A stored snapshot with what is waived now marked as such.

    Raises
    ------
    CheckFailed
        What the checks had found speaks against this deploy.
    """
    findings = waived(snapshot.manifest.findings, request.waive, request.reason)
    refuse(findings, strict=request.strict)
    return snapshot.model_copy(update={"manifest": snapshot.manifest.model_copy(update={"findings": findings})})


def is_notebook(source: str) -> bool:
    """Whether a SOURCE means a notebook (else it is a tag)."""
    return source.endswith(".ipynb") or Path(source).exists()


def as_tag(source: str) -> str:
    """``source`` as an exact tag ``name:version``."""
    name, colon, version = source.partition(":")
    if not colon or not version or not name or version == "latest":
        raise UnknownSource(
            f"'{source}' is neither a notebook that exists nor an exact tag",
            "name a notebook (train.ipynb) or a snapshot with its version ('bentoml models list' shows them)",
        )
    return source


def _origin(snapshot: Snapshot) -> str:
    provenance = snapshot.manifest.provenance
    lines = {
        "kind": snapshot.manifest.kind,
        "captured by": provenance.user,
        "captured at": f"{provenance.captured_at:%Y-%m-%d %H:%M} UTC",
        "notebook": provenance.source.notebook or "unknown",
        "git commit": f"{provenance.git.commit}{' (dirty)' if provenance.git.dirty else ''}"
        if provenance.git
        else "none",
        "interpreter": f"{snapshot.manifest.environment.interpreter} ({snapshot.manifest.environment.python})",
        "digest": snapshot.digest,
    }
    return "\n".join(f"  {name:12} {value}" for name, value in lines.items())


def _revived(document: dict[str, Any]) -> errors.DeployError:
    """The error that the notebook's kernel raised, as if it had been raised here."""
    classes = {cls.code: cls for cls in _tree(errors.DeployError)}
    cls = classes.get(document.get("code", ""), errors.DeployError)
    error = cls(document.get("message", ""), document.get("remedy", ""), document.get("details", ""))
    if isinstance(error, errors.CheckFailed):
        error.findings = tuple(Finding.model_validate(found) for found in document.get("findings", ()))
    return error


def _tree(root: type[errors.DeployError]) -> list[type[errors.DeployError]]:
    return [root, *(cls for child in root.__subclasses__() for cls in _tree(child))]
