"""Which images are used, over the real stores; no container engine is at hand here (see e2e/images/test_publish.py)."""

from types import SimpleNamespace

import pytest

from jupyter_deploy.container_images.layout import ImageFolder
from jupyter_deploy.container_images.running_containers import EngineContainers
from jupyter_deploy.domain.base import now
from jupyter_deploy.domain.images.images import Publication
from jupyter_deploy.domain.images.requests import GcRequest, ImagesRequest
from jupyter_deploy.faces.render.render import text
from jupyter_deploy.verbs.gc import gc
from jupyter_deploy.verbs.images.image_list import images
from tests.gating import make_world
from tests.kept_images import archive, keep_image


def publication(image, reference="registry.example/team/tumour:one", **more):
    given = {"endpoint": "tumour", "published_at": now(), "user": "ada", **more}
    return Publication(reference=f"{reference}@{image.digest}", image=image, **given)


@pytest.fixture
def world(tmp_path, monkeypatch):
    made = make_world(tmp_path, monkeypatch)
    monkeypatch.setenv("PATH", str(tmp_path))
    made.ports.images = SimpleNamespace(store=ImageFolder(tmp_path / "images"), containers=EngineContainers())
    return made


def keep(world, version, content=b"", times=1):
    """An image of ``tumour:VERSION``, with a blob of its own."""
    layers = [archive([("/shared", bytes(5000))]), *[archive([("/own", version.encode() + content)])] * times]
    return keep_image(world.ports.images.store, *layers, tag=f"tumour:{version}", snapshot_digest=f"sha256:{version}")


def listed(world):
    return {one.image.digest: one for one in images(ImagesRequest(), world.ports, world.told.append).images}


def collect(world, **given):
    return gc(GcRequest(**given), world.ports, world.told.append)


def test_each_image_says_which_endpoints_and_revisions_and_publications_use_it(world):
    for version in "abc":
        world.deploy(version, role="auto" if version == "a" else "stable")
    stable, idle, nobodys = keep(world, "c"), keep(world, "a"), keep(world, "e")
    world.ports.store.keep_publication(publication(nobodys))
    found = listed(world)
    assert found[stable.digest].used_by == ("tumour (stable)",)
    assert found[idle.digest].used_by == ("tumour (idle)",)
    assert (found[nobodys.digest].used_by, len(found[nobodys.digest].published)) == ((), 1)


def test_a_release_that_only_the_history_knows_keeps_its_image(world, monkeypatch):
    monkeypatch.setattr("jupyter_deploy.domain.release.endpoint.REMEMBERED", 1)
    for version in "abc":
        world.deploy(version, role="auto" if version == "a" else "stable")
    assert {release.tag for release in world.endpoint().releases} == {"tumour:b", "tumour:c"}
    former = keep(world, "a")
    assert listed(world)[former.digest].used_by == ("tumour (revision 2)",)
    assert collect(world).removed == ()
    assert world.ports.images.store.image(former.digest)


def test_an_image_that_is_gone_from_here_is_known_as_published(world):
    image = keep(world, "a")
    world.ports.store.keep_publication(publication(image))
    world.ports.images.store.remove([image.digest], dry_run=False)
    (one,) = listed(world).values()
    assert (one.here, one.image) == (False, image)
    assert "in the registry" in text(images(ImagesRequest(), world.ports, world.told.append))


def test_gc_removes_unused_and_rebuilt_images_and_a_dry_run_lists_them(world):
    world.deploy("a")
    older, newer, unused = keep(world, "a", b"old"), keep(world, "a", b"new"), keep(world, "e")
    published = keep(world, "d")
    world.ports.store.keep_publication(publication(published))
    dry = collect(world, dry_run=True)
    assert {one.digest for one in dry.removed} == {older.digest, unused.digest}
    assert len(listed(world)) == 4
    done = collect(world)
    assert (done.removed, done.freed) == (dry.removed, dry.freed)
    assert done.freed > 0
    assert set(listed(world)) == {newer.digest, published.digest}
    assert all(world.ports.images.store.blob(layer.digest).exists() for layer in newer.layers), "shared ones stay"
    assert collect(world).freed == 0


def test_gc_of_a_home_without_images_has_nothing_to_do(world):
    assert (collect(world).removed, collect(world).freed, listed(world)) == ((), 0, {})


def test_while_an_engine_does_not_answer_no_image_goes(world, tmp_path):
    image = keep(world, "e")
    engine = tmp_path / "podman"
    engine.write_text("#!/bin/sh\necho 'cannot open its storage' >&2\nexit 125\n")
    engine.chmod(0o755)
    found = collect(world)
    assert (found.removed, found.unasked) == ((), ("podman: cannot open its storage",))
    assert "all images were kept: podman: cannot open its storage" in text(found)
    assert listed(world)[image.digest].used_by == ()
