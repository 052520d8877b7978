"""Images in the storage of podman and docker, loaded from this machine's image store."""

from __future__ import annotations

import os
from pathlib import Path

from jupyter_deploy.domain.errors import StoreError, TargetError
from jupyter_deploy.domain.images.images import Reference, in_engine
from jupyter_deploy.domain.images.ports import Registry
from jupyter_deploy.domain.release.processes import for_engine
from jupyter_deploy.system.temp import scratch_folder

from . import single_image_layout
from .programs import run
from .skopeo import is_whole, last_words

_QUERY = 60.0
_COPY = 1800.0
"""Seconds for an engine's query, and for the copy of an image."""


class EngineStorage:
    """The Engines port.

    An image goes from a registry first to the image store, with skopeo's rules, credentials and retries, and from there
    to the engine's storage.
    """

    def __init__(self, store: Path, registry: Registry) -> None:
        self._store = store
        self._registry = registry

    def load(self, engine: str, reference: Reference) -> None:
        """Load an image, by its digest, into the storage of ``podman`` or ``docker`` unless it is there.

        Raises
        ------
        ToolMissing
        RegistryError
            It is not in the image store, and cannot be pulled.
        TargetError
            The engine or the image store cannot store it.
        """
        if self._has(engine, reference):
            return
        digest = reference.digest or ""
        if not is_whole(self._store, digest):
            self._pull(reference.at(digest=digest))
        with scratch_folder("engine") as folder:
            name = f"localhost/nbdeploy:{digest.partition(':')[2]}"
            layout = single_image_layout.naming(folder, self._store, digest, name)
            (layout / "blobs").symlink_to(self._store / "blobs")
            take = _into_podman if engine == "podman" else _into_docker
            take(layout, name, reference)
        if not self._has(engine, reference):
            raise _refused(engine, reference, "it has another digest there")

    def _pull(self, exact: Reference) -> None:
        try:
            self._registry.pull(exact, self._store, lambda _: None)
        except StoreError as error:  # a failed start must not block other releases
            raise TargetError(f"{exact} cannot be stored: {error.message}", error.remedy, error.details) from error

    def _has(self, engine: str, reference: Reference) -> bool:
        named = in_engine(engine, reference)
        query = ["image", "exists", named] if engine == "podman" else ["image", "inspect", named]
        try:
            ended = run(engine, query, for_engine(os.environ), patience=_QUERY)
        except TimeoutError as error:
            raise _refused(engine, reference, str(error)) from error
        return ended.code == 0


def _into_podman(layout: Path, name: str, reference: Reference) -> None:
    """By podman itself, which knows its storage; the image gets the registry's name."""
    (identity,) = _done("podman", reference, ["pull", "--quiet", f"oci:{layout}:{name}"]).split()[-1:]
    _done("podman", reference, ["tag", identity, in_engine("docker", reference)])  # the digest is the image's own
    _done("podman", reference, ["untag", identity, name])


def _into_docker(layout: Path, name: str, reference: Reference) -> None:
    """By skopeo, since docker reads no layout; without preserved digests, since docker changes an image's form."""
    host = os.environ.get("DOCKER_HOST")
    daemon = ["--dest-daemon-host", host] if host else []
    destination = f"docker-daemon:{in_engine('docker', reference)}"
    _done("skopeo", reference, ["copy", *daemon, f"oci:{layout}:{name}", destination])


def _done(program: str, reference: Reference, arguments: list[str]) -> str:
    """The program's output; raises TargetError if it fails."""
    try:
        ended = run(program, arguments, for_engine(os.environ), patience=_COPY)
    except TimeoutError as error:
        raise _refused(program, reference, str(error)) from error
    if ended.code:
        raise _refused(program, reference, last_words(ended.complaints.splitlines()))
    return ended.output.decode(errors="replace")


def _refused(program: str, reference: Reference, why: str) -> TargetError:
    return TargetError(
        f"{program} does not take the image {reference}: {why}",
        f"check that '{program} info' works for this user and that its storage has space",
    )
