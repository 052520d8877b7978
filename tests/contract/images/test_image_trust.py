"""The images that ``deploy --image`` accepts: real registry, skopeo and cosign; the target starts nothing."""

from pathlib import Path

import pytest

from jupyter_deploy.domain.errors import InvalidInput, Refused
from jupyter_deploy.domain.requests import DeployRequest
from jupyter_deploy.verbs.deploy import deploy
from tests.contract.trusted_images import published


def deploys(image_world, reference, **given):
    request = DeployRequest(**{"image": str(reference), "name": "tumour", **given})
    return deploy(request, image_world.ports, image_world.told.append)


def test_a_tag_that_names_another_image_than_the_published_one_is_refused(image_world):
    first = image_world.images.push(b"published", "one")
    published(image_world, first)
    image_world.deploy("b")
    moved = image_world.images.push(b"a stranger's", "one")
    with pytest.raises(Refused, match=f"names {moved.digest}, but this store published {first.digest} there") as caught:
        deploys(image_world, first.at(tag="one"))
    assert str(first.at(digest=first.digest)) in caught.value.remedy
    by_digest = deploys(image_world, first.at(digest=first.digest))
    assert (by_digest.role, by_digest.image) == ("shadow", str(first.at(digest=first.digest)))


def test_a_tag_that_this_store_moved_itself_is_deployed(image_world):
    published(image_world, image_world.images.push(b"first", "latest"))
    second = image_world.images.push(b"second", "latest", snapshot="b")
    published(image_world, second)
    image_world.deploy("c")
    assert deploys(image_world, second.at(tag="latest")).image == str(second.at(digest=second.digest))


def test_another_image_of_stables_snapshot_does_not_replace_it_silently(image_world):
    image_world.deploy("a")
    other = image_world.images.push(b"another image", "one")
    with pytest.raises(Refused, match="tumour:a is stable") as caught:
        deploys(image_world, other)
    assert "--role stable" in caught.value.remedy
    assert image_world.endpoint().release("tumour:a").image is None
    replaced = deploys(image_world, other, role="stable")
    assert (replaced.role, replaced.image) == ("stable", str(other.at(digest=other.digest)))
    assert deploys(image_world, other).changed is False, "the same image again"


def test_with_a_verify_key_an_unsigned_image_is_refused_without_an_option(image_world, signing_key):
    image_world.deploy("b")
    unsigned = image_world.images.push(b"unsigned", "one")
    image_world.images.verify_key = Path(signing_key / "cosign.pub")
    with pytest.raises(Refused, match="is not to be run") as caught:
        deploys(image_world, unsigned)
    assert "NOT signed by the owner of cosign.pub" in caught.value.details
    assert "verify_key" in caught.value.remedy
    image_world.images.verify_key = Path(signing_key / "none.pub")
    with pytest.raises(InvalidInput, match=r"there is no key .*none\.pub"):
        deploys(image_world, unsigned)
