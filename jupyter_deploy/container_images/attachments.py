"""Attachments of an image in a registry: documents, signatures and attestations, under cosign's tags."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jupyter_deploy.domain.errors import InvalidInput
from jupyter_deploy.domain.images.images import Reference
from jupyter_deploy.system.temp import scratch_folder

from . import single_image_layout
from .credentials import auth_file, certificates_for, secrets_for
from .programs import Completed, masked, run
from .registry_errors import registry_error
from .skopeo import Skopeo, docker, unverified

_PASSWORD = "COSIGN_PASSWORD"  # noqa: S105 - a variable's name

# cosign's exit codes for no signature, and for none by this key.
_UNSIGNED = (10, 12)

# Its messages for attestations of no or of another type, of another image, and by another key.
_UNATTESTED = re.compile(r"no matching attestations|none of the attestations matched")


class Registries(Skopeo):
    """The Registry port."""

    def attach(self, reference: Reference, kind: str, document: bytes) -> None:
        """Attach a document of this media type to the image at a digest, in place of an earlier one.

        Raises ToolMissing, RegistryError.
        """
        at = single_image_layout.attachment_tag(reference, "sbom")
        with scratch_folder("attach") as folder:
            layout = single_image_layout.of_document(folder, kind, document)
            self.copy(
                at, [*unverified("dest", at), f"oci:{layout}:{single_image_layout.NAME}", docker(at)], None, _ignore
            )

    def attached(self, reference: Reference, kind: str) -> bytes | None:
        """The document of this media type; None: there is none. Raises ToolMissing, RegistryError."""
        at = single_image_layout.attachment_tag(reference, "sbom")
        if self.digest(at) is None:
            return None
        with scratch_folder("attached") as folder:
            self.copy(at, [*unverified("src", at), docker(at), f"dir:{folder}"], None, _ignore)
            manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
            layers: list[dict[str, Any]] = manifest.get("layers", [])
            digest = next((layer["digest"] for layer in layers if layer["mediaType"] == kind), None)
            return (folder / digest.partition(":")[2]).read_bytes() if digest else None

    def public_key(self, key: Path) -> str:
        """SHA-256 of a private key's public key, in the form (PEM) of ``cosign.pub``.

        Raises
        ------
        InvalidInput
            The key is missing, is another kind of file, or has another password.
        ToolMissing
        """
        return hashlib.sha256(self._public(key)).hexdigest()

    def _public(self, key: Path) -> bytes:
        """The public key (PEM) of a private one."""
        _readable(key)
        own = {_PASSWORD: os.environ.get(_PASSWORD, "")}
        ended = run("cosign", ["public-key", "--key", str(key)], own, patience=self._patience)
        if ended.code:
            raise _key_fault(key, ended) or InvalidInput(
                f"{key} is no private key of cosign's: {masked(_last_line(ended))}",
                "'cosign generate-key-pair' makes one",
            )
        return ended.output

    def sign(self, reference: Reference, key: Path) -> None:
        """Sign the image at a digest with a private key of cosign, offline, without a public log.

        COSIGN_PASSWORD is the key's password (default: empty).

        Raises
        ------
        InvalidInput
            The key is missing, is another kind of file, or has another password.
        ToolMissing
        RegistryError
        """
        _readable(key)
        self._cosign("sign", reference, key, ["--tlog-upload=false", "--yes"])

    def sign_file(self, file: Path, key: Path, signature: Path) -> None:
        """Write the signature of a file, in base64, as ``cosign verify-blob --signature`` takes it; see ``sign``."""
        _readable(key)
        own = {_PASSWORD: os.environ.get(_PASSWORD, "")}
        options = ["--key", str(key), "--tlog-upload=false", "--yes", "--output-signature", str(signature), str(file)]
        ended = run("cosign", ["sign-blob", *options], own, patience=self._patience)
        if ended.code:
            raise _key_fault(key, ended) or InvalidInput(
                f"{file} cannot be signed with {key}: {masked(_last_line(ended))}", "name another key: --sign"
            )

    def attest(self, reference: Reference, kind: str, predicate: bytes, key: Path) -> None:
        """Attest a predicate (JSON) of a type of the image at a digest, in place of an earlier one; see ``sign``."""
        _readable(key)
        with scratch_folder("attest") as folder:
            file = folder / "predicate.json"
            file.write_bytes(predicate)
            options = ["--type", kind, "--predicate", str(file), "--replace", "--tlog-upload=false", "--yes"]
            self._cosign("attest", reference, key, options)

    def attestation(self, reference: Reference, kind: str, key: Path) -> dict[str, Any] | None:
        """The predicate that this public key's owner attested of the image at a digest; None: there is none.

        Raises
        ------
        InvalidInput
            The key is missing or another kind of file.
        ToolMissing
        RegistryError
        """
        _readable(key)
        if self.digest(single_image_layout.attachment_tag(reference, "att")) is None:  # cosign hides the reason
            return None
        options = ["--type", kind, "--insecure-ignore-tlog"]
        ended = self._cosign(
            "verify-attestation", reference, key, options, lambda no: bool(_UNATTESTED.search(no.complaints))
        )
        if ended.code:
            return None
        envelope = json.loads(ended.output.splitlines()[-1])
        predicate: dict[str, Any] = json.loads(base64.b64decode(envelope["payload"]))["predicate"]
        return predicate

    def signed(self, reference: Reference, key: Path) -> bool:
        """Whether the image at a digest is signed with this private key. Raises as ``sign``."""
        with scratch_folder("public") as folder:
            public = folder / "cosign.pub"
            public.write_bytes(self._public(key))
            return self.verify(reference, public)

    def verify(self, reference: Reference, key: Path) -> bool:
        """Whether the image at a digest is signed with the private key of this public one.

        Raises
        ------
        InvalidInput
            The key is missing or another kind of file.
        ToolMissing
        RegistryError
        """
        _readable(key)
        options = ["--insecure-ignore-tlog"]
        return not self._cosign("verify", reference, key, options, lambda no: no.code in _UNSIGNED).code

    def _cosign(
        self,
        verb: str,
        reference: Reference,
        key: Path,
        options: list[str],
        is_answer: Callable[[Completed], bool] = lambda _: False,
    ) -> Completed:
        """Run a verb of cosign; raise if it fails, unless ``is_answer`` says that the failure is an answer."""
        at = reference.at(digest=reference.digest)
        arguments = [verb, "--key", str(key), *options]
        with _skopeo_trust(reference.registry) as (own, trusted):
            try:
                ended = run("cosign", [*arguments, *trusted, str(at)], own, patience=self._patience)
            except TimeoutError as error:
                raise registry_error(str(error), reference) from error
        if ended.code and not is_answer(ended):
            secrets = {*secrets_for(reference.registry), os.environ.get(_PASSWORD, "")}
            raise _key_fault(key, ended) or registry_error(_last_line(ended), reference, secrets=secrets)
        return ended


@contextmanager
def _skopeo_trust(registry: str) -> Iterator[tuple[dict[str, str], list[str]]]:
    """Variables and options that give cosign skopeo's credentials and certificates.

    A link leads to the credentials' file, which is not copied.
    """
    with scratch_folder("cosign") as folder:
        own = {_PASSWORD: os.environ.get(_PASSWORD, "")}
        credentials = auth_file(registry)
        if credentials:
            (folder / "config.json").symlink_to(credentials.resolve())
            own["DOCKER_CONFIG"] = str(folder)
        certificates = certificates_for(registry)
        trusted = []
        if certificates:
            (folder / "ca.pem").write_text(certificates, "utf-8")
            trusted = ["--registry-cacert", str(folder / "ca.pem")]
        yield own, trusted


def _readable(key: Path) -> None:
    if not key.is_file():
        raise InvalidInput(f"there is no key {key}", "'cosign generate-key-pair' makes cosign.key and cosign.pub")


def _key_fault(key: Path, ended: Completed) -> InvalidInput | None:
    """The error for a wrong key; None: the key is not the cause."""
    words = _last_line(ended)
    if "decryption failed" in words and _PASSWORD not in os.environ:
        return InvalidInput(f"the key {key} has a password, and {_PASSWORD} is not set", f"set {_PASSWORD} to it")
    if "decryption failed" in words:
        return InvalidInput(f"the password of the key {key} is another one", f"{_PASSWORD}=… names it")
    if "reading key" in words or "public key" in words:
        return InvalidInput(
            f"{key} is no key that serves here: {words.rpartition(': ')[2]}",
            "one signs by cosign.key and verifies by cosign.pub; 'cosign generate-key-pair' makes both",
        )
    return None


def _last_line(ended: Completed) -> str:
    lines = [line for line in ended.complaints.splitlines() if line.strip()]
    return lines[-1].removeprefix("error during command execution: ") if lines else ""


def _ignore(_words: str) -> None:
    """Ignores the progress of small documents."""
