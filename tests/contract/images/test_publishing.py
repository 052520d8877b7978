"""The refusals of publish before any request, with the real store; the rest is in e2e/images/test_publish.py."""

from types import SimpleNamespace

import pytest

from jupyter_deploy.domain.base import now
from jupyter_deploy.domain.errors import (
    GateFailed,
    GateInconclusive,
    InvalidInput,
    UnknownEndpoint,
    UnknownRelease,
)
from jupyter_deploy.domain.images.attestations import provenance_of
from jupyter_deploy.domain.images.images import Image, Publication
from jupyter_deploy.domain.images.requests import PublishRequest, VerifyRequest
from jupyter_deploy.verbs.images import publish as publish_module
from jupyter_deploy.verbs.images.publish import publish
from jupyter_deploy.verbs.images.verify import verify
from tests import manifests
from tests.gating import make_world
from tests.published import PUBLICATION
from tests.selections import row, table

PLACE = "registry.example/team/tumour"
AGREES = "agreement >= 0.99"
BASE = "the image has no base image"  # what comes after name, reference and gates


def unreachable(environment):
    raise InvalidInput(BASE, f"write one for Python {environment.minor}")


@pytest.fixture
def world(tmp_path, monkeypatch):
    made = make_world(tmp_path, monkeypatch)
    images = SimpleNamespace(to=None, base=None, key=None, default_base=unreachable)  # no other part may be used
    made.ports.images = images
    return made


def refused(world, kind=InvalidInput, to=PLACE, **given):
    given = {"name": "tumour", "to": to, **given}
    with pytest.raises(kind) as caught:
        publish(PublishRequest(**given), world.ports, world.told.append)
    assert type(caught.value) is kind
    return caught.value


def test_an_unknown_endpoint_or_release_is_named(world):
    refused(world, UnknownEndpoint)
    world.deploy("a")
    assert "tumour:a" in refused(world, UnknownRelease, release="f").remedy
    assert BASE in refused(world, release="a").message


@pytest.mark.parametrize(
    ("to", "why"),
    [
        ("https://registry.example/team", "remove the part before"),
        ("team/Tumour", "begins with the registry's host"),
        (f"{PLACE}@sha256:{'0' * 64}", "only known when the image is built"),
    ],
)
def test_a_reference_that_cannot_be_is_refused_first(world, to, why):
    world.deploy("a")
    assert why in refused(world, to=to).message


def test_the_destination_is_an_option_a_setting_or_the_previous_one_else_an_error_requires_it(world):
    world.deploy("a")
    assert "publish_to in nbdeploy.yaml" in refused(world, to=None).remedy
    image = Image(
        digest=f"sha256:{'1' * 64}", snapshot="tumour:a", snapshot_digest="sha256:a", builder="daemonless", base="",
        platform="linux/amd64", python="3.11.2", layers=(),
    )  # fmt: skip
    known = Publication(
        reference=f"{PLACE}:a@{image.digest}", image=image, endpoint="tumour", published_at=now(), user="ada"
    )
    world.ports.store.keep_publication(known)
    assert BASE in refused(world, to=None).message
    world.ports.images.to = "no-host/{name}"
    assert "'no-host/tumour' names no image" in refused(world, to=None).message


def test_the_base_is_said_or_set_or_as_before_else_the_default_is_asked_for(world):
    world.deploy("a")
    digest = f"sha256:{'2' * 64}"
    given = {"snapshot_digest": "sha256:a", "builder": "daemonless", "platform": "linux/amd64", "layers": ()}
    bases = {"3.12.1": f"registry.example/other@{digest}", "3.11.2": f"oci:/srv/bases:3.11@{digest}"}
    for number, (python, base) in enumerate(bases.items()):
        image = Image(digest=f"sha256:{number}", snapshot="tumour:a", base=base, python=python, **given)
        reference = f"{PLACE}:{number}@sha256:{str(number) * 64}"
        world.ports.store.keep_publication(Publication(reference=reference, image=image, published_at=now(), user="a"))
    assert BASE in refused(world).message, "another Python, and a folder of this machine"
    image = image.model_copy(update={"base": f"registry.example/python@{digest}"})
    world.ports.store.keep_publication(
        Publication(reference=f"{PLACE}:9@sha256:{'9' * 64}", image=image, published_at=now(), user="ada")
    )
    request = PublishRequest(name="tumour", to=PLACE)
    assert publish_module._possible(request, world.ports).base == f"docker://registry.example/python@{digest}"
    said = request.model_copy(update={"base": f"registry.example/mine@{digest}"})
    assert publish_module._possible(said, world.ports).base == f"docker://registry.example/mine@{digest}"


def test_what_did_not_pass_its_gates_is_refused_with_the_gate(world):
    checks = world.notebook("checks.ipynb")
    world.bad = {"accuracy >= 0.9"}
    world.deploy("a", validate=checks, gate="accuracy >= 0.9", force=True, reason="a customer waits")
    error = refused(world, GateFailed)
    assert error.message == "tumour:a did not pass: accuracy >= 0.9: fail"
    assert "--force --reason" in error.remedy
    assert "--force needs --reason" in refused(world, force=True).message
    assert BASE in refused(world, force=True, reason="a customer waits").message


def test_a_release_that_passed_is_published_and_one_without_validation_is_not(world):
    world.deploy("a")
    assert BASE in refused(world).message, "nothing is asked"
    world.deploy("b", validate=world.notebook("checks.ipynb"))
    assert "was never validated by the gates of tumour" in refused(world, GateInconclusive).message
    assert BASE in refused(world, release="b").message
    world.deploy("a")
    assert BASE in refused(world).message, "as the remedy says"


def test_a_candidate_must_pass_the_gates_on_live_traffic(world):
    world.deploy("a", gate=AGREES)
    assert BASE in refused(world).message, "there is nothing that the first one could be compared with"
    world.deploy("b")
    assert AGREES in refused(world, GateInconclusive, release="b").message
    world.agreement = 0.999
    world.traffic(canary={"tumour:b": 10})
    assert BASE in refused(world, release="b").message
    world.promote(tag="tumour:b")
    assert BASE in refused(world).message


@pytest.mark.parametrize(
    ("image", "why"),
    [("tumour", "names no image"), (PLACE, "tag or digest is missing"), (f"{PLACE}:one", "there is no key")],
)
def test_verify_needs_a_reference_with_a_tag_or_digest_and_a_key_that_is_there(world, image, why, tmp_path):
    request = VerifyRequest(image=image, key=str(tmp_path / "cosign.pub"))
    with pytest.raises(InvalidInput, match=why):
        verify(request, world.ports, world.told.append)


def test_the_choice_that_led_to_the_release_is_attested_and_a_new_one_is_stated_again():
    found = table([row("forest", 0.9, 2.0), row("logit", 0.8, 1.0)], "latency_p99_ms <= 7")
    choice = found.choice(found.candidates[0])
    stated = provenance_of(manifests.snapshot("tumour:a"), PUBLICATION, choice)
    attested = stated["buildDefinition"]["internalParameters"]["choice"]
    assert (attested["chosen"], attested["constraints"]) == ("forest", ["latency_p99_ms <= 7"])
    assert [one["label"] for one in attested["candidates"]] == ["forest", "logit"]
    without = provenance_of(manifests.snapshot("tumour:a"), PUBLICATION)
    assert "choice" not in without["buildDefinition"]["internalParameters"]
    chosen = PUBLICATION.model_copy(update={"choice": choice.words})
    assert publish_module._states_more(chosen, PUBLICATION)
    assert not publish_module._states_more(chosen.model_copy(update={"signed_by": None}), chosen)
