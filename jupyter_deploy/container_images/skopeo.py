"""Images to and from registries, by skopeo."""

from __future__ import annotations

import contextlib
import hashlib
import ipaddress
import json
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import httpx

from jupyter_deploy.artifacts.bento import locked_folder
from jupyter_deploy.domain.base import size_in_words
from jupyter_deploy.domain.errors import StoreError
from jupyter_deploy.domain.images.images import Image, Layer, Reference
from jupyter_deploy.domain.images.ports import Progress
from jupyter_deploy.system.home import private_folder, write_atomic
from jupyter_deploy.system.temp import scratch_folder, sweep

from . import single_image_layout
from .credentials import secrets_for
from .layout import image_of
from .programs import run, stream
from .registry_errors import refusal, registry_error, without_names

_ALREADY = re.compile(r"Skipping blob (sha256:[0-9a-f]{64}) \(already present\)")
_SENT = re.compile(r"Upload of layer (sha256:[0-9a-f]{64}) complete")
_FATAL = re.compile(r'level=(?:fatal|error) msg="((?:[^"\\]|\\.)*)"')

# Registries' messages for an image that does not exist.
_ABSENT = re.compile(r"manifest unknown|name unknown|not known to registry|(?<!file )not found|\b404\b", re.IGNORECASE)

_PLAIN_HTTP_SECONDS = 2.0
"""Seconds for a registry of this machine to respond by plain HTTP."""


class Skopeo:
    """Part of the Registry port: inspection, push, pull.

    Parameters
    ----------
    waits
        Seconds before each retry of a transient failure.
    patience
        Seconds that an inspection may take.
    """

    def __init__(self, waits: Sequence[float] = (1, 2, 4, 8), patience: float = 60.0) -> None:
        self._waits = waits
        self._patience = patience

    def check(self, reference: Reference) -> None:
        """Raise, before slow work, if the registry does not answer or rejects this user.

        Only a push shows whether the user may push.

        Raises
        ------
        ToolMissing
        RegistryError
        """
        self._manifest(reference)

    def digest(self, reference: Reference) -> str | None:
        """The digest behind a tag; None: the tag does not exist. Raises ToolMissing, RegistryError."""
        manifest = self._manifest(reference)
        return None if manifest is None else f"sha256:{hashlib.sha256(manifest).hexdigest()}"

    def layers(self, reference: Reference) -> frozenset[str]:
        """Digests of the layers of the image at a tag or digest; empty: there is no image.

        Raises
        ------
        ToolMissing
        RegistryError
        """
        manifest = self._manifest(reference)
        return (
            frozenset(layer["digest"] for layer in json.loads(manifest).get("layers", ())) if manifest else frozenset()
        )

    def image(self, reference: Reference) -> Image | None:
        """The image at a digest; None: nbdeploy did not make it.

        Raises ToolMissing, RegistryError.
        """
        manifest = self._manifest(reference)
        if manifest is None:
            return None
        about = {"annotations": {}, **json.loads(manifest)}
        if "config" not in about:  # an index of several platforms
            return None
        config = self._inspected(reference, "--config", "--raw")
        return image_of({"digest": reference.digest}, about, json.loads(config)) if config else None

    def push(self, image: Image, store: Path, reference: Reference, progress: Progress) -> frozenset[str]:
        """Send missing layers, and the tag last; an interrupted push can be repeated.

        Returns
        -------
        frozenset of str
            Digests of the layers that the registry had already.

        Raises
        ------
        ToolMissing
        StoreError
            The image is not in the store.
        RegistryError
            With the progress before the failure.
        """
        push = _PushProgress(image.layers, progress)
        with scratch_folder("push") as folder:
            layout = single_image_layout.naming(folder, store, image.digest)
            options = ["--src-shared-blob-dir", str(store / "blobs"), *unverified("dest", reference)]
            pair = [f"oci:{layout}:{single_image_layout.NAME}", docker(reference)]
            self.copy(reference, [*options, *pair], push.on_line, progress, push.so_far)
        push.all_there()
        return push.there_before

    def pull(self, reference: Reference, store: Path, progress: Progress) -> str:
        """Pull an image to the image store; returns its digest. Raises ToolMissing, RegistryError, StoreError."""
        private_folder(store / "blobs")
        sweep(store)
        # skopeo writes each blob into its layout and then renames it: both must be on one disk.
        with scratch_folder("pull", store) as folder:
            options = ["--dest-shared-blob-dir", str(store / "blobs"), *unverified("src", reference)]
            source, destination = docker(reference), f"oci:{folder}:{single_image_layout.NAME}"
            progress(f"pulling {reference}")
            self.copy(reference, [*options, source, destination], None, progress)
            image = single_image_layout.descriptor(folder)
        add_to_index(store, image)
        return str(image["digest"])

    def copy(
        self,
        reference: Reference,
        arguments: Sequence[str],
        on_line: Callable[[str], None] | None,
        progress: Progress,
        so_far: Callable[[], str] = str,
    ) -> None:
        """``skopeo copy`` with retries of transient failures."""
        for wait in (*self._waits, None):
            complaints = _copy_once(arguments, on_line)
            if complaints is None:
                return
            error = registry_error(complaints, reference, so_far(), secrets=secrets_for(reference.registry))
            if wait is None or not refusal(complaints, reference).passes:
                raise error
            progress(f"{error.message}; trying again in {wait:g} s")
            time.sleep(wait)

    def _manifest(self, reference: Reference) -> bytes | None:
        """The manifest at a tag or digest; None: it does not exist."""
        return self._inspected(reference, "--raw")

    def _inspected(self, reference: Reference, *options: str) -> bytes | None:
        arguments = ["inspect", *options, *unverified("", reference), docker(reference)]
        try:
            ended = run("skopeo", arguments, patience=self._patience)
        except TimeoutError as error:
            raise registry_error(str(error), reference) from error
        if not ended.code:
            return ended.output
        complaints = last_words(ended.complaints.splitlines())
        if _ABSENT.search(without_names(complaints, reference)):
            return None
        raise registry_error(complaints, reference, secrets=secrets_for(reference.registry))


def _copy_once(arguments: Sequence[str], on_line: Callable[[str], None] | None) -> str | None:
    """Run ``skopeo copy``; returns its error message, or None.

    Only ``--debug`` reports existing and sent layers; these lines are not shown. Digests are preserved, so that no
    layer is compressed anew.
    """
    tail: list[str] = []
    command = ["--debug", "copy", "--preserve-digests", *arguments]
    with stream("skopeo", command) as process:
        for line in _lines(process.stdout or ()):
            if on_line:
                on_line(line)
            if "level=debug" not in line:
                tail = [*tail, line][-20:]
    return last_words(tail) if process.returncode else None


def _lines(raw: Iterable[bytes]) -> Iterator[str]:
    for line in raw:
        yield line.decode(errors="replace").rstrip()


class _PushProgress:
    """The progress of a push."""

    def __init__(self, layers: Iterable[Layer], progress: Progress) -> None:
        self._left = {layer.digest: layer for layer in layers}
        self._total = len(self._left)
        self._progress = progress
        self._sent: set[str] = set()
        self._layers = frozenset(self._left)

    @property
    def there_before(self) -> frozenset[str]:
        """The layers that were not sent."""
        return self._layers - self._sent

    def on_line(self, line: str) -> None:
        for sign, words in ((_ALREADY, "there already"), (_SENT, "sent")):
            match = sign.search(line)
            if match:
                self._sent |= {match[1]} if sign is _SENT else set()
                self._done(match[1], words)

    def all_there(self) -> None:
        """Report the layers that skopeo did not mention."""
        for digest in list(self._left):
            self._done(digest, "there")

    def so_far(self) -> str:
        if not self._total:
            return ""
        left = f"{len(self._left)} ({size_in_words(sum(layer.size for layer in self._left.values()))})"
        return f"{self._total - len(self._left)} of {self._total} layers are there, left: {left}, and the tag"

    def _done(self, digest: str, words: str) -> None:
        layer = self._left.pop(digest, None)
        if layer:
            self._progress(f"{layer.kind}: {layer.title} ({size_in_words(layer.size)}): {words}")


def docker(reference: Reference) -> str:
    """The name of an image for skopeo: by digest if it has one, else by tag."""
    return f"docker://{reference.at(digest=reference.digest) if reference.digest else reference}"


def unverified(side: str, reference: Reference) -> list[str]:
    """The option for a registry of this machine that speaks plain HTTP; all others need a certificate."""
    if not speaks_plainly(reference.registry):
        return []
    return [f"--{side}-tls-verify=false" if side else "--tls-verify=false"]


def speaks_plainly(registry: str) -> bool:
    """Whether a registry is on this machine and responds by plain HTTP; sends no credentials."""
    host, _, port = registry.rpartition(":")
    host = host.strip("[]")
    if not port.isdigit() or not _is_loopback(host):
        return False
    with contextlib.suppress(httpx.HTTPError):
        answer = httpx.get(f"http://{registry}/v2/", trust_env=False, timeout=_PLAIN_HTTP_SECONDS)
        return answer.status_code in (httpx.codes.OK, httpx.codes.UNAUTHORIZED)
    return False


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return False


def last_words(lines: Sequence[str]) -> str:
    """A program's last message, without the frame of its log."""
    fatal = [match[1].replace('\\"', '"').replace("\\n", " ") for line in lines if (match := _FATAL.search(line))]
    return (fatal or [line for line in lines if line.strip()] or [""])[-1].strip()


def add_to_index(store: Path, image: Mapping[str, object]) -> None:
    """Add an image, whose blobs are in the store, to its index.

    Raises
    ------
    StoreError
        A concurrent ``gc`` has removed a blob.
    """
    with locked_folder(store):
        if not is_whole(store, str(image["digest"])):
            raise StoreError("parts of the image were removed during the pull", "repeat the command")
        index = store / "index.json"
        try:
            content = json.loads(index.read_text("utf-8"))
        except FileNotFoundError:
            content = {"schemaVersion": 2, "manifests": []}
            write_atomic(store / "oci-layout", '{"imageLayoutVersion": "1.0.0"}')
        if all(descriptor["digest"] != image["digest"] for descriptor in content["manifests"]):
            # The name for other tools.
            named = {"org.opencontainers.image.ref.name": str(image["digest"]).replace(":", "-")}
            content["manifests"].append({**image, "annotations": named})
            write_atomic(index, json.dumps(content))


def is_whole(store: Path, digest: str) -> bool:
    """Whether all blobs of an image are in a store."""
    try:
        manifest = json.loads(single_image_layout.blob(store, digest).read_text("utf-8"))
    except FileNotFoundError:
        return False
    return all(
        single_image_layout.blob(store, descriptor["digest"]).is_file()
        for descriptor in [manifest["config"], *manifest["layers"]]
    )
