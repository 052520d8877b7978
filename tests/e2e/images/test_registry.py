"""Images to and from a real registry, and those that a registry or its user's credentials keep out."""

import hashlib
import json
import os
import socket
import subprocess
import threading

import pytest

from jupyter_deploy.container_images import single_image_layout, skopeo
from jupyter_deploy.container_images.attachments import Registries
from jupyter_deploy.domain.errors import StoreError, ToolMissing
from jupyter_deploy.domain.images.images import SBOM_TYPE, Reference
from tests.disks import small_disk
from tests.e2e.registry import refused
from tests.registries import PASSWORD, USER, credentials, registry

SENT = ["model: code (10.2 kB): sent", "model: weights (3 MB): sent"]
THERE = ["model: code (10.2 kB): there already", "model: weights (3 MB): there already"]


def signed_and_verified(desk, image):
    private, public = desk.keys
    before = desk.registries.verify(image, public)
    desk.registries.sign(image, private)
    return not before and desk.registries.verify(image, public)


def test_a_pushed_image_is_available_by_its_digest(desk):
    assert desk.registries.digest(desk.place) is None
    assert desk.push() == SENT
    assert desk.registries.digest(desk.place) == desk.image.digest
    assert desk.registries.digest(desk.pushed) == desk.image.digest
    assert not desk.left()


def test_what_is_there_is_not_sent_again(desk):
    desk.push()
    assert desk.push(desk.place.at(tag="two")) == THERE
    assert desk.registries.digest(desk.place.at(tag="two")) == desk.image.digest


def test_of_two_images_that_share_a_layer_it_is_sent_once(desk):
    weights = os.urandom(3_000_000)
    desk.make(weights=weights, code=b"one")
    desk.push()
    desk.make(weights=weights, code=b"two")
    assert desk.push() == [SENT[0], THERE[1]]
    assert desk.registries.digest(desk.place) == desk.image.digest


def test_an_image_comes_back_into_an_empty_store_as_it_was(desk, tmp_path):
    desk.push()
    other = tmp_path / "other"
    assert desk.registries.pull(desk.pushed, other, desk.told.append) == desk.image.digest
    assert desk.registries.pull(desk.place, other, desk.told.append) == desk.image.digest
    index = json.loads((other / "index.json").read_text())
    assert [one["digest"] for one in index["manifests"]] == [desk.image.digest]
    came, went = (
        {path.name: path.read_bytes() for path in (store / "blobs/sha256").iterdir()} for store in (other, desk.store)
    )
    assert came == went
    # Other tools read the store too.
    named = f"oci:{other}:{desk.image.digest.replace(':', '-')}"
    others = subprocess.run(["skopeo", "inspect", "--raw", named], capture_output=True, check=True)
    assert f"sha256:{hashlib.sha256(others.stdout).hexdigest()}" == desk.image.digest
    assert not desk.left()


def test_an_image_comes_from_another_file_system_s_temporary_folder_too(desk, monkeypatch):
    desk.push()
    with small_disk(desk.folder / "disk", "1m") as disk:
        monkeypatch.setenv("TMPDIR", str(disk.path))
        monkeypatch.setattr("tempfile.tempdir", None)
        assert desk.registries.pull(desk.pushed, desk.folder / "other", desk.told.append) == desk.image.digest
        assert not list(disk.path.iterdir())
    assert {path.name for path in (desk.folder / "other").iterdir()} == {"blobs", "index.json", "oci-layout"}


def test_an_image_that_is_not_in_the_store_is_named(desk):
    (desk.store / "blobs/sha256" / desk.image.digest.partition(":")[2]).unlink()
    with pytest.raises(StoreError, match=desk.image.digest):
        desk.push()


def test_an_image_that_nobody_pushed_cannot_be_pulled(desk, tmp_path):
    error = refused(desk.registries.pull, desk.place, tmp_path / "other", desk.told.append)
    assert f"has no {desk.place.name}" in error.message
    assert not desk.left()


def test_an_image_is_not_named_when_somebody_cleaned_up_meanwhile(desk):
    found = single_image_layout.descriptor(desk.store)
    (desk.store / "blobs/sha256" / desk.image.layers[0].digest.partition(":")[2]).unlink()
    (desk.store / "index.json").unlink()
    with pytest.raises(StoreError, match="removed during"):
        skopeo.add_to_index(desk.store, found)
    assert not (desk.store / "index.json").exists()


def test_two_push_the_same_image_at_once(desk):
    failed = []

    def one():
        try:
            Registries().push(desk.image, desk.store, desk.place, lambda _words: None)
        except Exception as error:  # noqa: BLE001 - told below
            failed.append(error)

    both = [threading.Thread(target=one) for _ in range(2)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    assert not failed
    assert desk.registries.digest(desk.place) == desk.image.digest


# Credentials


def test_a_wrong_password_is_an_error_before_slow_work_and_never_shown(desk):
    desk.knows("wrong-one")
    error = refused(desk.registries.check, desk.place)
    assert "rejects you" in error.message
    assert f"skopeo login {desk.place.registry}" in error.remedy
    assert "wrong-one" not in str(error)


def test_nobody_is_let_in_without_credentials(desk, monkeypatch):
    monkeypatch.delenv("REGISTRY_AUTH_FILE")
    assert "rejects you" in refused(desk.registries.check, desk.place).message
    assert "rejects you" in refused(desk.push).message
    assert not desk.told  # nothing was tried again


def test_the_file_of_docker_is_enough(desk, monkeypatch):
    monkeypatch.delenv("REGISTRY_AUTH_FILE")
    credentials(desk.home / ".docker/config.json", desk.place.registry)
    assert desk.push() == SENT
    assert signed_and_verified(desk, desk.pushed)


@pytest.mark.parametrize("mine", ["run/containers/auth.json", "user/.docker/config.json"])
def test_the_file_that_names_the_registry_is_taken_for_signing_too(desk, mine, monkeypatch):
    """cosign alone would stop at the first one, and take docker's for it."""
    monkeypatch.delenv("REGISTRY_AUTH_FILE")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(desk.folder / "run"))
    for file in ("run/containers/auth.json", "user/.docker/config.json"):
        credentials(desk.folder / file, desk.place.registry if file == mine else "registry.example")
    assert desk.push() == SENT
    assert signed_and_verified(desk, desk.pushed)


def test_the_file_that_a_variable_names_goes_before_that_of_docker(desk):
    credentials(desk.home / ".docker/config.json", desk.place.registry, secret="wrong-one")
    assert desk.push() == SENT
    assert signed_and_verified(desk, desk.pushed)


def test_a_credential_helper_is_used(desk, monkeypatch):
    known = json.dumps({"ServerURL": desk.place.registry, "Username": USER, "Secret": PASSWORD})
    desk.has_helper(f"echo '{known}'", monkeypatch)
    assert desk.push() == SENT
    assert signed_and_verified(desk, desk.pushed)


def test_a_missing_credential_helper_is_an_error(desk, monkeypatch):
    desk.has_helper("", monkeypatch, name="nowhere")
    error = refused(desk.registries.check, desk.place)
    assert "credential helper" in error.message
    assert "docker-credential-nowhere" in error.details


def test_a_failing_credential_helper_is_an_error(desk, monkeypatch):
    desk.has_helper("echo 'the vault is locked'; exit 1", monkeypatch)
    error = refused(desk.registries.check, desk.place)
    assert "credential helper" in error.message
    assert "the vault is locked" in error.details


def test_no_credential_is_in_what_is_left_of_publishing(desk):
    desk.push()
    desk.registries.attach(desk.pushed, SBOM_TYPE, b"{}")
    assert signed_and_verified(desk, desk.pushed)
    encoded = json.loads((desk.home / "auth.json").read_text())["auths"][desk.place.registry]["auth"]
    files = [path for path in desk.folder.rglob("*") if path.is_file()]
    holding = [path for path in files for secret in (PASSWORD, encoded) if secret.encode() in path.read_bytes()]
    assert holding == [desk.home / "auth.json"]


# Reaching and trusting


def test_a_closed_port_is_an_error(desk):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        error = refused(desk.registries.check, desk.at(f"localhost:{taken.getsockname()[1]}"))
    assert "does not answer" in error.message
    assert "port" in error.remedy


def test_an_unknown_host_is_an_error(desk):
    error = refused(desk.registries.check, desk.at("registry.example"))
    # Where there is no name service at all, that is what does not answer.
    assert "cannot be found" in error.message or "does not answer" in error.message


def test_a_registry_that_says_nothing_is_not_waited_for_for_ever(desk):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        error = refused(Registries(patience=0.5).check, desk.at(f"localhost:{silent.getsockname()[1]}"))
    assert "does not answer" in error.message


def test_an_unreachable_proxy_is_an_error_without_its_password(desk, monkeypatch):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setenv("HTTPS_PROXY", f"http://ada:wrong-one@127.0.0.1:{taken.getsockname()[1]}")
        error = refused(desk.registries.check, desk.at("registry.example"))
    assert "proxy" in error.message
    assert "wrong-one" not in str(error)


def test_an_unknown_certificate_is_refused(desk, monkeypatch):
    monkeypatch.delenv("SSL_CERT_FILE")
    private, public = desk.keys
    error = refused(desk.registries.check, desk.place)
    assert "certificate" in error.message
    assert "SSL_CERT_FILE" in error.remedy
    assert f"certs.d/{desk.place.registry}" in error.remedy
    for call, arguments in (
        (desk.push, ()),
        (desk.registries.sign, (desk.pushed, private)),
        (desk.registries.verify, (desk.pushed, public)),
    ):
        assert "certificate" in refused(call, *arguments).message
    assert not desk.told


def test_a_certificate_for_another_name_is_refused(desk):
    elsewhere = desk.authority.certified("DNS:registry.example")
    with registry(desk.folder / "registry", certified=elsewhere) as running:
        assert "not for this name" in refused(desk.registries.check, desk.at(running.host)).message


def test_an_authority_in_the_user_s_own_folder_is_trusted(desk, monkeypatch):
    monkeypatch.delenv("SSL_CERT_FILE")
    folder = desk.home / ".config/containers/certs.d" / desk.place.registry
    folder.mkdir(parents=True)
    (folder / "ca.crt").write_bytes(desk.authority.certificate.read_bytes())
    assert desk.push() == SENT
    assert signed_and_verified(desk, desk.pushed)


def test_a_registry_without_a_certificate_is_taken_on_this_machine(desk):
    with registry(desk.folder / "registry") as running:
        for host in (running.host, running.host.replace("localhost", "127.0.0.1")):
            here = Reference(registry=host, repository=host.partition(":")[0], tag="one")
            desk.registries.check(here)
            desk.push(here)
            assert desk.registries.pull(here, desk.folder / "other", desk.told.append) == desk.image.digest
            pushed = here.at(digest=desk.image.digest)
            assert signed_and_verified(desk, pushed)
            desk.registries.attach(pushed, SBOM_TYPE, b"{}")
            assert desk.registries.attached(pushed, SBOM_TYPE) == b"{}"


def test_the_program_that_is_missing_is_named(desk, monkeypatch):
    private, _ = desk.keys
    monkeypatch.setenv("PATH", str(desk.folder))
    with pytest.raises(ToolMissing, match="'skopeo' is not installed") as caught:
        desk.registries.check(desk.place)
    assert "apt-get install skopeo" in caught.value.remedy
    with pytest.raises(ToolMissing, match="'cosign' is not installed"):
        desk.registries.sign(desk.pushed, private)
