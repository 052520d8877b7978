"""A store, an image store and a real registry on this machine, for tests of the trust in images.

Real skopeo and cosign; the target starts nothing.
"""

import os
import subprocess

from jupyter_deploy.container_images.attachments import Registries
from jupyter_deploy.container_images.contents import LayerContents
from jupyter_deploy.container_images.layout import ImageFolder
from jupyter_deploy.domain.base import now
from jupyter_deploy.domain.images.images import Publication
from tests.gating import make_world
from tests.kept_images import archive, keep_image


class Images:
    """The Imaging port as far as a deploy needs it; ``kept`` makes an image in a store of its own and pushes it."""

    def __init__(self, folder, place):
        self.store = ImageFolder(folder / "images")
        self.contents, self.registry = LayerContents(), Registries(waits=())
        self.key = self.verify_key = None
        self.place = place.model_copy(update={"repository": f"team/{folder.name.lower()}"})
        self.elsewhere = ImageFolder(folder / "elsewhere")

    def push(self, content, tag, *, snapshot="a"):
        """An image of the snapshot ``tumour:a``, pushed to a tag; its reference with the digest."""
        layer = archive([("opt/nbdeploy/content", content)])
        image = keep_image(self.elsewhere, layer, tag=f"tumour:{snapshot}", snapshot_digest=f"sha256:{snapshot}")
        self.registry.push(image, self.elsewhere.folder, self.place.at(tag=tag), lambda _: None)
        self.image = image
        return self.place.at(tag=tag, digest=image.digest)


def make_image_world(folder, monkeypatch, place):
    """The world of ``gating`` with an image store, and a repository of its own in the registry of ``place``."""
    monkeypatch.setenv("COSIGN_PASSWORD", "")
    made = make_world(folder, monkeypatch)
    made.images = made.ports.images = Images(folder, place)
    return made


def make_keys(folder):
    """A pair without a password: ``cosign.key`` and ``cosign.pub`` in the folder."""
    chosen = {**os.environ, "COSIGN_PASSWORD": ""}
    subprocess.run(["cosign", "generate-key-pair"], cwd=folder, env=chosen, capture_output=True, check=True)
    return folder


def published(world, reference, **more):
    """This store's record of a publication."""
    known = Publication(reference=str(reference), image=world.images.image, published_at=now(), user="ada", **more)
    world.ports.store.keep_publication(known)
