"""Pages about images: their contents, their names and their words."""

import pytest

from jupyter_deploy.domain.errors import InvalidInput
from jupyter_deploy.domain.images.images import Reference, as_source
from jupyter_deploy.domain.images.published import (
    Collected,
    Evidence,
    ImageList,
    UsedImage,
    Verified,
    destination_of,
    run_line,
    verdict_of,
)
from jupyter_deploy.domain.release.resources import Resources
from jupyter_deploy.faces.render.render import exit_code, html, text
from jupyter_deploy.settings import Settings
from tests.published import DIGEST, IMAGE, LAYERS, PUBLICATION, PUBLISHED


def evidence(**found):
    return tuple(Evidence(subject=name, verdict=verdict, sentence="so") for name, verdict in found.items())


@pytest.mark.parametrize(
    ("found", "verdict", "code"),
    [
        ({"signature": "pass", "digest": "inconclusive", "validation": "inconclusive"}, "pass", 0),
        ({"signature": "inconclusive", "digest": "pass"}, "pass", 0),
        (
            {"signature": "inconclusive", "digest": "inconclusive", "snapshot": "pass", "model": "pass"},
            "inconclusive",
            4,
        ),
        ({"digest": "inconclusive", "validation": "pass"}, "inconclusive", 4),
        ({"signature": "pass", "digest": "pass", "model": "fail"}, "fail", 1),
        ({}, "inconclusive", 4),
    ],
    ids=["signed", "published here", "agrees with itself", "its label says so", "another model", "nothing is known"],
)
def test_an_image_is_trusted_when_somebody_vouches_for_it_and_nothing_speaks_against_it(found, verdict, code):
    assert verdict_of(evidence(**found)) == verdict
    verified = Verified(reference="r", snapshot=None, evidence=evidence(**found), verdict=verdict)
    assert exit_code(verified) == code


def test_the_line_that_starts_an_image_names_it_by_its_digest_alone():
    line = run_line(Reference.parse(PUBLICATION.reference), Resources())
    assert line == f"podman run --rm --read-only --cap-drop=all -p 8080:8080 registry.example/tumour@{DIGEST}"


def test_the_line_that_starts_an_image_gives_it_what_its_release_may_use():
    asked = Resources(cpu=1.5, memory="512MB", workers=2, threads=1, gpu="0,1")
    line = run_line(Reference.parse(PUBLICATION.reference), asked)
    words = "--cpus=1.5 --memory=512000000 --env=NBDEPLOY_WORKERS=2 --env=NBDEPLOY_THREADS=1"
    assert f"{words} --device=nvidia.com/gpu=0 --device=nvidia.com/gpu=1 registry.example" in line


@pytest.mark.parametrize(
    ("text_", "source"),
    [
        (f"registry.example/python@{DIGEST}", f"docker://registry.example/python@{DIGEST}"),
        ("docker://registry.example/python", "docker://registry.example/python"),
        ("oci:/bases:3.11", "oci:/bases:3.11"),
        ("oci-archive:/base.tar", "oci-archive:/base.tar"),
    ],
)
def test_a_base_image_is_in_a_registry_unless_its_transport_is_named(text_, source):
    assert as_source(text_) == source
    assert Settings(base_image=text_).base_image == text_


@pytest.mark.parametrize("given", [{"base_image": "python:3.11"}, {"publish_to": "team/Tumour"}])
def test_a_setting_that_names_no_image_is_refused_with_the_reason(given):
    with pytest.raises(ValueError, match="names no image: it begins with the registry's host"):
        Settings(**given)
    with pytest.raises(InvalidInput):
        Reference.parse("team/Tumour")


def test_a_setting_may_leave_the_name_open():
    assert Settings(publish_to="registry.example/team/{name}").publish_to == "registry.example/team/{name}"


def test_a_publication_lists_the_sent_layers_and_the_start_command():
    assert (PUBLISHED.sent, PUBLISHED.sent_bytes) == (LAYERS[1:], 8_000)
    shown = text(PUBLISHED)
    assert shown.startswith("tumour:a is published\n")
    for words in (
        "1 of 2 layers, 8 kB",
        "by the key ffffffffffff…",
        "CycloneDX, 35 kB, attached",
        DIGEST,
        "podman run",
    ):
        assert words in shown
    rows = {line.split()[0]: line for line in shown.splitlines() if line.strip()}
    assert "there already" in rows["dependencies"]
    assert "there already" not in rows["code"]


def test_layers_that_were_not_sent_are_not_reported_as_sent():
    dry = text(PUBLISHED.model_copy(update={"dry_run": True}))
    assert dry.startswith("tumour:a would be published\n")
    assert "to be sent" in dry
    assert "not attached" in dry
    assert "remembered" not in dry
    every = tuple(layer.digest for layer in LAYERS)
    assert text(PUBLISHED.model_copy(update={"changed": False, "there": every})).startswith("tumour:a was already")
    forced = PUBLISHED.model_copy(update={"publication": PUBLICATION.model_copy(update={"forced": "it must"})})
    assert "it must" in text(forced)


def test_what_an_image_says_of_itself_is_escaped():
    found = evidence(signature="pass", model="fail")
    verified = Verified(reference="r@d", snapshot="tumour:a", labels=IMAGE.labels, evidence=found, verdict="fail")
    assert "✗ model: so" in text(verified)
    assert "it is NOT what it should be" in text(verified)
    assert "&lt;tumour&gt;" in html(verified)


def test_images_are_listed_with_their_uses():
    used = UsedImage(image=IMAGE, here=True, published=(PUBLICATION.reference,), used_by=("tumour (stable)",))
    nobodys = UsedImage(image=IMAGE, here=False)
    shown = text(ImageList(folder="/images", size=5, images=(used, nobodys), unasked=("docker: no daemon",)))
    assert shown.startswith("2 images\n")
    for words in ("tumour (stable)", "registry.example/tumour:a", "docker: no daemon", "/images, 5 bytes", "–"):
        assert words in shown
    assert "0 images" in text(ImageList(folder="/images", size=0, images=()))


def test_gc_tells_what_went_or_would_go():
    collected = Collected(folder="/images", removed=(IMAGE,), kept=(), freed=100)
    assert text(collected).startswith("1 image went\n")
    assert "100 bytes" in text(collected)
    assert text(collected.model_copy(update={"dry_run": True})).startswith("1 image would go; without --dry-run")


def test_where_an_endpoint_is_published_is_set_or_as_it_was_before():
    elsewhere = PUBLICATION.model_copy(update={"reference": f"registry.example/older:a@{DIGEST}"})
    assert destination_of("churn", "registry.example/team/{name}", [PUBLICATION]) == "registry.example/team/churn"
    assert destination_of("tumour", None, [PUBLICATION, elsewhere]) == "registry.example/tumour"
    assert destination_of("tumour", None, []) == ""
