"""A registry with a user and a certificate for the tests of this folder, and that user's tools."""

import json
import os
import subprocess
import uuid
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from jupyter_deploy.container_images.attachments import Registries
from jupyter_deploy.domain.errors import RegistryError
from jupyter_deploy.domain.images.images import Image, Reference
from tests.registries import PASSWORD, USER, Authority, Running, credentials, make_image, registry


@dataclass
class World:
    """``registry`` wants USER and PASSWORD; ``authority`` certified it. ``keys``: a private and a public one."""

    registry: Running
    authority: Authority
    keys: tuple[Path, Path]


@pytest.fixture(scope="session")
def registry_world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("registry")
    authority = Authority(folder / "authority")
    certified = authority.certified("DNS:localhost", "IP:127.0.0.1")
    with registry(folder / "registry", certified=certified, users={USER: PASSWORD}) as running:
        yield World(running, authority, keys(folder / "keys"))


def publishing(folder, world, base):
    """The variables of somebody who may push there, trusts its authority too, and builds on a base."""
    known = Path(os.environ.get("SSL_CERT_FILE", "/etc/ssl/certs/ca-certificates.crt"))
    trusted = folder / "trusted.pem"  # in addition to those of the package index
    trusted.write_bytes((known.read_bytes() if known.exists() else b"") + world.authority.certificate.read_bytes())
    return {
        "REGISTRY_AUTH_FILE": str(credentials(folder / "auth.json", world.registry.host)),
        "SSL_CERT_FILE": str(trusted),
        "COSIGN_PASSWORD": "",
        "NBDEPLOY_BASE_IMAGE": base,
    }


@dataclass
class Desk:
    """A user who publishes: a home, an image of a small layer and a big one, a repository in the registry.

    The environment holds their password and their certificate authority.
    """

    folder: Path
    place: Reference
    authority: Authority
    keys: tuple[Path, Path]
    registries: Registries = field(default_factory=lambda: Registries(waits=(0, 0)))
    told: list = field(default_factory=list)
    image: Image | None = None

    @property
    def home(self):
        return self.folder / "user"

    @property
    def store(self):
        return self.folder / "store"

    def make(self, **layers):
        """From now on the image is this one."""
        self.image = make_image(self.store, **layers)
        return self.image

    def knows(self, secret, host=None):
        return credentials(self.home / "auth.json", host or self.place.registry, secret=secret)

    def has_helper(self, answers, monkeypatch, *, name="tests"):
        """A credential helper like docker's: a program that prints credentials, here a line of shell."""
        folder = self.folder / "bin"
        folder.mkdir()
        program = folder / "docker-credential-tests"
        program.write_text(f'#!/bin/sh\n[ "$1" = get ] || exit 1\ncat >/dev/null\n{answers}\n')
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
        (self.home / "auth.json").write_text(json.dumps({"credHelpers": {self.place.registry: name}}))

    def push(self, place=None):
        """Its requests, in alphabetical order."""
        self.told.clear()
        self.registries.push(self.image, self.store, place or self.place, self.told.append)
        return sorted(self.told)

    @property
    def pushed(self):
        """The image at its digest."""
        return self.place.at(digest=self.image.digest)

    def at(self, host):
        """The same place of another registry."""
        return self.place.model_copy(update={"registry": host})

    def left(self):
        """What lies in the temporary folder."""
        return list((self.folder / "tmp").iterdir())


def keys(folder):
    """A pair as people make it: ``cosign.key`` and ``cosign.pub``; the password is COSIGN_PASSWORD."""
    folder.mkdir()
    chosen = {"COSIGN_PASSWORD": "", **os.environ}
    subprocess.run(["cosign", "generate-key-pair"], cwd=folder, env=chosen, capture_output=True, check=True)
    return folder / "cosign.key", folder / "cosign.pub"


def refused(call, *arguments):
    """The error of a registry."""
    with pytest.raises(RegistryError) as caught:
        call(*arguments)
    return caught.value


@pytest.fixture
def desk(registry_world, tmp_path, monkeypatch):
    """Knows the password and trusts the authority."""
    for name in ("XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "DOCKER_CONFIG", "COSIGN_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    place = Reference(registry=registry_world.registry.host, repository=f"team/{uuid.uuid4().hex}", tag="one")
    made = Desk(tmp_path, place, registry_world.authority, registry_world.keys)
    for folder in ("user", "tmp"):
        (tmp_path / folder).mkdir()
    made.make(code=os.urandom(1000), weights=os.urandom(3_000_000))
    monkeypatch.setenv("HOME", str(made.home))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setenv("REGISTRY_AUTH_FILE", str(made.knows(PASSWORD)))
    monkeypatch.setenv("SSL_CERT_FILE", str(registry_world.authority.certificate))
    return made
