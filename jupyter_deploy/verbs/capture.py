"""Makes a snapshot of a live object, a notebook's variable or a tag; a clean process has replayed each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from jupyter_deploy.domain import errors
from jupyter_deploy.domain.capture.artifacts import Manifest, Snapshot
from jupyter_deploy.domain.capture.findings import Finding, listed, refuse, waived
from jupyter_deploy.domain.capture.ports import Live, Staged
from jupyter_deploy.domain.capture.signature import types_of
from jupyter_deploy.domain.capture.translation import TRANSLATED
from jupyter_deploy.domain.errors import InvalidInput, StoreError, UnknownSource, Untrusted
from jupyter_deploy.domain.ports import Ports
from jupyter_deploy.domain.release.endpoint import Endpoint, Release
from jupyter_deploy.domain.requests import MARKDOWN, DeployRequest

from .redaction import redacted_names
from .release_secrets import references_for, with_references

SNAPSHOT_MIME = "application/vnd.nbdeploy.snapshot+json"
ERROR_MIME = "application/vnd.nbdeploy.error+json"

_NAMED = 5


class Progress(Protocol):
    """Reports the start of a step, or with ``new`` False an event within the present step."""

    def __call__(self, title: str, new: bool = True, /) -> None: ...


Check = Callable[[Manifest], Iterable[Finding]]


def capture(
    live: Live, name: str, request: DeployRequest, ports: Ports, progress: Progress, *, check: Check = lambda _: ()
) -> Snapshot:
    """Capture a live object, prove it in a clean process, and store it.

    Parameters
    ----------
    check
        Called with the manifest before the replay. It refuses models that no replay can make deployable, and compares
        the manifest with former releases.

    Raises
    ------
    InvalidExample, NotCapturable, CheckFailed, ReplayFailed
        See ``domain.errors``; no file of the capture remains.
    """
    progress("capturing the model, its example and its answers")
    before = ports.store.endpoint(name)
    redact = redacted_names(request, before, ports)
    references = references_for(request, before, ports)
    secrets = ports.secrets.values(references)
    with ports.capturer.prepared(live):
        live = replace(live, redact=redact, references=references, secrets=secrets)
        staged = ports.capturer.stage(live, name)
        try:
            staged = _with_waivers(staged, request, check(staged.manifest))
            title = "replaying it in a clean process"
            progress(title)
            replayed = ports.capturer.replay(staged, live, lambda words: progress(f"{title}: {words}", False))
            replayed = _with_waivers(replayed, request)
            progress("storing the snapshot")
            kept = ports.capturer.keep(replayed, ports.store.remember)
            # The store may have the same model with the findings and notes of an earlier capture.
            manifest = kept.manifest.model_copy(update={"findings": replayed.manifest.findings})
            return _with_details(kept.model_copy(update={"manifest": manifest}), capture_details(replayed.manifest))
        finally:
            ports.capturer.discard(staged)


def capture_details(manifest: Manifest) -> dict[str, Any]:
    """Return the details of a capture that may differ from those of the stored snapshot of the same model."""
    return {"notes": manifest.notes, "cells": manifest.provenance.cells}


def _with_details(kept: Snapshot, now: Mapping[str, Any]) -> Snapshot:
    """Return the snapshot with the details of its last capture; missing details stay as they were stored."""
    stored = kept.manifest
    details = capture_details(stored)
    details |= {name: tuple(now[name]) for name in details if name in now}
    provenance = stored.provenance.model_copy(update={"cells": details["cells"]})
    manifest = stored.model_copy(update={"notes": details["notes"], "provenance": provenance})
    return kept.model_copy(update={"manifest": manifest})


def _with_waivers(staged: Staged, request: DeployRequest, more: Iterable[Finding] = ()) -> Staged:
    """Mark the waived findings; raise CheckFailed if others forbid the deploy."""
    findings = waived((*staged.manifest.findings, *more), request.waive, request.reason)
    refuse(findings, strict=request.strict)
    return replace(staged, manifest=staged.manifest.model_copy(update={"findings": findings}))


def isolate(snapshot: Snapshot, ports: Ports, progress: Progress) -> Snapshot:
    """Replay the snapshot in its own environment, and store the snapshot that names this environment."""
    captured = snapshot.manifest.environment
    progress(f"making an environment of its own ({len(captured.distributions)} distributions), unless it is there")
    environment = ports.environments.ensure(captured)
    progress("replaying the model in that environment")
    return ports.capturer.move(snapshot, environment, ports.store.remember)


def capture_in_notebook(request: DeployRequest, name: str, ports: Ports, progress: Progress) -> Snapshot:
    """Run a notebook headless, capture its variable in that kernel, and return the stored snapshot."""
    notebook = Path(request.source or "")
    if not request.model:
        raise InvalidInput(
            f"which variable of {notebook.name} holds the model?",
            f"write: nbdeploy deploy {notebook} --name {name} --model VARIABLE --example EXPRESSION",
        )
    secrets = ports.secrets.values(references_for(request, ports.store.endpoint(name), ports))
    progress(f"running {notebook.name}")
    included = tuple(str(Path(path).absolute()) for path in request.include)  # the kernel has another working directory
    absolute = request.model_copy(update={"name": name, "source": str(notebook.resolve()), "include": included})
    cell = (
        "from jupyter_deploy.faces.kernel.kernel import capture_for_command_line\n"
        f"capture_for_command_line({absolute.model_dump_json()!r})"
    )
    displayed = ports.notebooks.run(
        notebook,
        cell,
        lambda words: progress(f"running {notebook.name}: {words}", False),
        [text for text in (request.model, request.example, request.training, request.lookup) if isinstance(text, str)],
        secrets,
    )
    if ERROR_MIME in displayed:
        raise revive(displayed[ERROR_MIME])
    if SNAPSHOT_MIME not in displayed:
        raise StoreError("the notebook's kernel captured nothing", "is nbdeploy installed in the kernel's environment?")
    snapshot = ports.store.remembered(displayed[SNAPSHOT_MIME]["tag"])
    if snapshot is None:
        raise StoreError(
            "the notebook's kernel wrote to another store", "does the notebook or its kernel set NBDEPLOY_HOME?"
        )
    return _with_details(snapshot, displayed[SNAPSHOT_MIME])


def snapshot_of_tag(request: DeployRequest, before: Endpoint | None, ports: Ports, progress: Progress) -> Snapshot:
    """Return the stored snapshot that a deploy names by its tag, with null in more columns if it says so."""
    snapshot = load_snapshot(as_tag(request.source or ""), trust=request.trust, ports=ports)
    snapshot = with_references(snapshot, references_for(request, before, ports, snapshot))
    if request.show_example and not snapshot.manifest.show_example:
        raise InvalidInput(
            f"{snapshot.tag} was captured without --show-example",
            "deploy the model again from its notebook with that option",
        )
    if request.lookup:
        raise InvalidInput(
            f"{snapshot.tag} has the lookups of its capture; --lookup is an expression of a notebook",
            "deploy the model again from its notebook with that option",
        )
    if request.engine == TRANSLATED and snapshot.manifest.translation is None:
        raise InvalidInput(
            f"{snapshot.tag} was captured without --engine onnx",
            "deploy the model again from its notebook with that option",
        )
    if request.accepted_difference:
        raise InvalidInput(
            f"{snapshot.tag} has the proof of its capture; --accepted-difference is of a new one",
            "deploy the model again from its notebook with that option",
        )
    properties = snapshot.manifest.signature.instance_schema.get("properties", {})
    added = [column for column in request.nullable if "null" not in types_of(properties.get(column, {}))]
    if added:
        progress(f"calling the model in a clean process with null in {listed(added, _NAMED)}", False)
        snapshot = ports.capturer.widen(snapshot, added, ports.store.remember)
    return with_waivers(snapshot, request)


def load_snapshot(tag: str, *, trust: bool, ports: Ports) -> Snapshot:
    """Load a snapshot by its tag, and verify that this store captured it.

    Raises
    ------
    UnknownSource
        No such model in the BentoML store.
    Untrusted
        Another store captured it and ``trust`` is False, or its files have changed since the capture.
    """
    snapshot = ports.capturer.load(tag)
    known = ports.store.remembered(snapshot.tag)
    if known is None:
        if not trust:
            raise Untrusted(
                f"{snapshot.tag} was not captured by this store, and loading it runs its code",
                "if you trust its origin, repeat the command with --trust",
                details=_origin(snapshot),
            )
        ports.store.remember(snapshot)
        known = snapshot
    elif known.digest != snapshot.digest:
        raise Untrusted(
            f"{snapshot.tag} is not as this store captured it: its files have changed since",
            "deploy the model again from its notebook",
            details=f"captured {known.digest}\nfound    {snapshot.digest}",
        )
    # The store remembers the findings of the last capture; the files are at their present path.
    return known.model_copy(update={"path": snapshot.path})


def load_release(release: Release, ports: Ports) -> Snapshot:
    """Load the snapshot of a release, with the release's references to secrets. Raises as ``load_snapshot``."""
    return with_references(load_snapshot(release.tag, trust=False, ports=ports), release.secrets)


def with_waivers(snapshot: Snapshot, request: DeployRequest) -> Snapshot:
    """Return a stored snapshot with its waived findings marked.

    Raises
    ------
    CheckFailed
        A finding forbids the deploy.
    """
    findings = waived(snapshot.manifest.findings, request.waive, request.reason)
    refuse(findings, strict=request.strict)
    return snapshot.model_copy(update={"manifest": snapshot.manifest.model_copy(update={"findings": findings})})


def is_notebook(source: str) -> bool:
    """Whether a source is a notebook (else it is a tag)."""
    return source.lower().endswith((".ipynb", *MARKDOWN)) or Path(source).exists()


def as_tag(source: str) -> str:
    """Return ``source``, which must be an exact tag ``name:version``."""
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


def revive(document: dict[str, Any]) -> errors.DeployError:
    """Make the error that the notebook's kernel raised of its document."""
    classes = {cls.code: cls for cls in _tree(errors.DeployError)}
    cls = classes.get(document.get("code", ""), errors.DeployError)
    error = cls(document.get("message", ""), document.get("remedy", ""), document.get("details", ""))
    if isinstance(error, errors.CheckFailed):
        error.findings = tuple(Finding.model_validate(finding) for finding in document.get("findings", ()))
    return error


def _tree(root: type[errors.DeployError]) -> list[type[errors.DeployError]]:
    return [root, *(cls for child in root.__subclasses__() for cls in _tree(child))]
