"""The images that ``deploy --image`` accepts: real registry, skopeo and cosign; the target starts nothing."""

import os
import subprocess
from pathlib import Path

import pytest

from jupyter_deploy.container_images.attachments import Registries
from jupyter_deploy.container_images.contents import LayerContents
from jupyter_deploy.container_images.layout import ImageFolder
from jupyter_deploy.domain.base import now
from jupyter_deploy.domain.errors import InvalidInput, Refused
from jupyter_deploy.domain.images.images import Publication, Reference
from jupyter_deploy.domain.requests import DeployRequest
from jupyter_deploy.verbs.deploy import deploy
from tests.gating import make_world
from tests.kept_images import archive, keep_image
from tests.registries import registry


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A repository of a registry on this machine."""
    folder = tmp_path_factory.mktemp("trust")
    with registry(folder / "registry") as running:
        yield Reference(registry=running.host, repository="team/tumour")


@pytest.fixture(scope="module")
def key(tmp_path_factory):
    """The folder of a pair: ``cosign.key`` and ``cosign.pub``."""
    folder = tmp_path_factory.mktemp("trust-key")
    chosen = {**os.environ, "COSIGN_PASSWORD": ""}
    subprocess.run(["cosign", "generate-key-pair"], cwd=folder, env=chosen, capture_output=True, check=True)
    return folder


class Images:
    """The Imaging port as far as a deploy needs it; ``kept`` makes an image in a store of its own and pushes it."""

    def __init__(self, folder, place):
        self.store = ImageFolder(folder / "images")
        self.contents, self.registry = LayerContents(), Registries(waits=())
        self.verify_key = None
        self.place = place.model_copy(update={"repository": f"team/{folder.name.lower()}"})
        self._elsewhere = ImageFolder(folder / "elsewhere")

    def push(self, content, tag, *, snapshot="a"):
        """An image of the snapshot ``tumour:a``, pushed to a tag; its reference with the digest."""
        layer = archive([("opt/nbdeploy/content", content)])
        image = keep_image(self._elsewhere, layer, tag=f"tumour:{snapshot}", snapshot_digest=f"sha256:{snapshot}")
        self.registry.push(image, self._elsewhere.folder, self.place.at(tag=tag), lambda _: None)
        self.image = image
        return self.place.at(tag=tag, digest=image.digest)


@pytest.fixture
def world(tmp_path, monkeypatch, place):
    monkeypatch.setenv("COSIGN_PASSWORD", "")
    made = make_world(tmp_path, monkeypatch)
    made.images = made.ports.images = Images(tmp_path, place)
    return made


def deploys(world, reference, **given):
    request = DeployRequest(**{"image": str(reference), "name": "tumour", **given})
    return deploy(request, world.ports, world.told.append)


def published(world, reference):
    """This store's record of a publication."""
    known = Publication(reference=str(reference), image=world.images.image, published_at=now(), user="ada")
    world.ports.store.keep_publication(known)


def test_a_tag_that_names_another_image_than_the_published_one_is_refused(world):
    first = world.images.push(b"published", "one")
    published(world, first)
    world.deploy("b")
    moved = world.images.push(b"a stranger's", "one")
    with pytest.raises(Refused, match=f"names {moved.digest}, but this store published {first.digest} there") as caught:
        deploys(world, first.at(tag="one"))
    assert str(first.at(digest=first.digest)) in caught.value.remedy
    by_digest = deploys(world, first.at(digest=first.digest))
    assert (by_digest.role, by_digest.image) == ("shadow", str(first.at(digest=first.digest)))


def test_a_tag_that_this_store_moved_itself_is_deployed(world):
    published(world, world.images.push(b"first", "latest"))
    second = world.images.push(b"second", "latest", snapshot="b")
    published(world, second)
    world.deploy("c")
    assert deploys(world, second.at(tag="latest")).image == str(second.at(digest=second.digest))


def test_another_image_of_stables_snapshot_does_not_replace_it_silently(world):
    world.deploy("a")
    other = world.images.push(b"another image", "one")
    with pytest.raises(Refused, match="tumour:a is stable") as caught:
        deploys(world, other)
    assert "--role stable" in caught.value.remedy
    assert world.endpoint().release("tumour:a").image is None
    replaced = deploys(world, other, role="stable")
    assert (replaced.role, replaced.image) == ("stable", str(other.at(digest=other.digest)))
    assert deploys(world, other).changed is False, "the same image again"


def test_with_a_verify_key_an_unsigned_image_is_refused_without_an_option(world, key):
    world.deploy("b")
    unsigned = world.images.push(b"unsigned", "one")
    world.images.verify_key = Path(key / "cosign.pub")
    with pytest.raises(Refused, match="is not to be run") as caught:
        deploys(world, unsigned)
    assert "NOT signed by the owner of cosign.pub" in caught.value.details
    assert "verify_key" in caught.value.remedy
    world.images.verify_key = Path(key / "none.pub")
    with pytest.raises(InvalidInput, match=r"there is no key .*none\.pub"):
        deploys(world, unsigned)
