"""The refusals of compose before any request, with the real store; the rest is in e2e/images/test_compose.py."""

from types import SimpleNamespace

import pytest

from jupyter_deploy.domain.base import now
from jupyter_deploy.domain.errors import InvalidInput, Refused, UnknownEndpoint
from jupyter_deploy.domain.images.images import Image, Publication
from jupyter_deploy.domain.images.requests import ComposeRequest
from jupyter_deploy.targets.local.compose.folder import ProjectFolders
from jupyter_deploy.verbs.images import compose as compose_module
from jupyter_deploy.verbs.images import gateway_image
from jupyter_deploy.verbs.images.compose import compose
from jupyter_deploy.verbs.steps import Steps
from tests.gating import make_world

PLACE = "registry.example/team/tumour"


@pytest.fixture
def world(tmp_path, monkeypatch):
    """With a stable release, a shadow, and an idle one."""
    made = make_world(tmp_path, monkeypatch)
    # Other attributes must not be used.
    made.ports.images = SimpleNamespace(composing=SimpleNamespace(folders=ProjectFolders()))
    for version, role in (("c", "auto"), ("a", "stable"), ("b", "shadow")):
        made.deploy(version, role=role)
    return made


def publish(world, version, digest="1"):
    image = Image(
        digest=f"sha256:{digest * 64}", snapshot=f"tumour:{version}", snapshot_digest=f"sha256:{version}",
        builder="daemonless", base=f"registry.example/python@sha256:{'0' * 64}", platform="linux/amd64",
        python="3.11.2", layers=(),
    )  # fmt: skip
    reference = f"{PLACE}:{version}@{image.digest}"
    world.ports.store.keep_publication(
        Publication(reference=reference, image=image, endpoint="tumour", published_at=now(), user="ada")
    )


def refused(world, kind, **given):
    with pytest.raises(kind) as caught:
        compose(ComposeRequest(**{"name": "tumour", "output_dir": str(world.path / "project"), **given}),
                world.ports, world.told.append)  # fmt: skip
    assert not (world.path / "project" / "compose.yaml").exists()
    return caught.value


def test_each_release_that_is_not_published_is_named_with_the_command_that_does_it(world):
    error = refused(world, Refused)
    assert error.message.endswith("not published yet: tumour:a (stable), tumour:b (shadow)")
    assert "'nbdeploy publish tumour --release tumour:a', 'nbdeploy publish tumour --release tumour:b'" in error.remedy
    publish(world, "a")
    assert "tumour:a" not in str(refused(world, Refused))


def test_a_release_that_runs_from_an_image_goes_along_with_that_one_and_not_with_a_later_publication(world):
    publish(world, "a")
    publish(world, "b", digest="2")
    endpoint = next(one for one in world.ports.store.endpoints() if one.name == "tumour")
    runs = f"{PLACE}@sha256:{'9' * 64}"
    releases = [one.model_copy(update={"image": runs if one.tag == "tumour:a" else None}) for one in endpoint.releases]
    world.ports.images.store = SimpleNamespace(image=lambda digest: None)
    found = compose_module._published(endpoint.model_copy(update={"releases": tuple(releases)}), world.ports)
    assert str(found["tumour:a"][0]) == runs
    assert found["tumour:b"][0].digest == f"sha256:{'2' * 64}"
    with pytest.raises(InvalidInput, match="has no base") as caught:
        gateway_image.base_of(found["tumour:a"][1], found["tumour:a"][0])
    assert "--base" in caught.value.remedy


def test_the_gateways_image_is_signed_once_with_the_key_of_the_settings(image_world, signing_key):
    reference = image_world.images.push(b"gateway", "any")
    image_world.images.key = signing_key / "cosign.key"
    image_world.images.store = image_world.images.elsewhere
    exact, registry = reference.at(digest=reference.digest), image_world.images.registry
    assert not registry.verify(exact, signing_key / "cosign.pub")
    for _ in range(2):
        gateway_image.send_gateway(
            image_world.images.image, reference.at(), image_world.ports, Steps(lambda _: None, total=1)
        )
        assert registry.verify(exact, signing_key / "cosign.pub")
    signature = registry.layers(reference.at(tag=f"{reference.digest.replace(':', '-')}.sig"))
    assert len(signature) == 1


def test_an_unknown_endpoint_is_refused(world):
    refused(world, UnknownEndpoint, name="tumor")


def test_files_of_somebody_elses_are_refused_before_anything_is_made(world):
    publish(world, "a")
    publish(world, "b", digest="2")
    folder = world.path / "project"
    folder.mkdir()
    (folder / "main.py").touch()
    assert "did not write: main.py" in refused(world, Refused).message


def test_a_place_for_the_gateway_names_no_tag(world):
    publish(world, "a")
    publish(world, "b", digest="2")
    assert "its digest" in refused(world, InvalidInput, push_to=f"{PLACE}:latest").remedy
