"""Signatures and documents attached to an image in a real registry, by real cosign."""

import subprocess

import pytest

from jupyter_deploy.domain.errors import InvalidInput
from jupyter_deploy.domain.images.images import SBOM_TYPE
from tests.e2e.registry import keys, refused

pytestmark = pytest.mark.exhaustive


def test_a_signature_is_by_a_key_and_of_one_image(desk):
    desk.push()
    private, public = desk.keys
    _, others = keys(desk.folder / "others")
    first = desk.pushed
    assert not desk.registries.verify(first, public)
    desk.registries.sign(first, private)
    assert desk.registries.verify(first, public)
    assert not desk.registries.verify(first, others)
    desk.make(code=b"another")
    desk.push()
    assert not desk.registries.verify(desk.pushed, public)
    assert not desk.left()


def test_a_key_may_have_a_password(desk, monkeypatch):
    desk.push()
    monkeypatch.setenv("COSIGN_PASSWORD", "a word of mine")
    private, public = keys(desk.folder / "keys")
    monkeypatch.delenv("COSIGN_PASSWORD")
    with pytest.raises(InvalidInput, match="has a password, and COSIGN_PASSWORD is not set"):
        desk.registries.sign(desk.pushed, private)
    monkeypatch.setenv("COSIGN_PASSWORD", "another word")
    with pytest.raises(InvalidInput, match=r"the password of the key .* is another one") as caught:
        desk.registries.sign(desk.pushed, private)
    assert "COSIGN_PASSWORD" in caught.value.remedy
    monkeypatch.setenv("COSIGN_PASSWORD", "a word of mine")
    desk.registries.sign(desk.pushed, private)
    assert desk.registries.verify(desk.pushed, public)


def test_an_invalid_key_is_an_error(desk):
    desk.push()
    private, _ = desk.keys
    for call in (desk.registries.sign, desk.registries.verify):
        with pytest.raises(InvalidInput, match="there is no key"):
            call(desk.pushed, desk.folder / "none.key")
        with pytest.raises(InvalidInput, match="no key that serves here"):
            call(desk.pushed, desk.authority.certificate)
    with pytest.raises(InvalidInput, match="no key that serves here"):
        desk.registries.verify(desk.pushed, private)


def test_without_access_to_the_registry_nothing_is_signed_or_verified(desk):
    desk.push()
    private, public = desk.keys
    desk.knows("wrong-one")
    assert "rejects you" in refused(desk.registries.sign, desk.pushed, private).message
    assert "rejects you" in refused(desk.registries.verify, desk.pushed, public).message


def test_a_document_is_found_by_us_and_by_cosign(desk):
    desk.push()
    assert desk.registries.attached(desk.pushed, SBOM_TYPE) is None
    first, second = b'{"bomFormat": "CycloneDX"}', b'{"bomFormat": "CycloneDX", "version": 2}'
    for document in (first, second):
        desk.registries.attach(desk.pushed, SBOM_TYPE, document)
        assert desk.registries.attached(desk.pushed, SBOM_TYPE) == document
    assert desk.registries.attached(desk.pushed, "application/spdx+json") is None
    by_cosign = subprocess.run(["cosign", "download", "sbom", str(desk.pushed)], capture_output=True, check=True)
    assert by_cosign.stdout == second
    assert SBOM_TYPE in by_cosign.stderr.decode()
    assert not desk.left()
