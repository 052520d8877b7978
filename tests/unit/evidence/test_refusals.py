"""What the words of skopeo and cosign, as they really were, are taken for."""

import pytest

from jupyter_deploy.container_images.programs import masked
from jupyter_deploy.container_images.registry_errors import refusal, registry_error
from jupyter_deploy.domain.images.images import Reference

PLACE = Reference.parse("hub.example:5000/team/tumour:one")

WORDS = [
    ('pinging container registry hub.example:5000: Get "https://hub.example:5000/v2/": tls: failed to verify '
     "certificate: x509: certificate signed by unknown authority", "certificate", False),
    ("reading manifest one in hub.example:5000/team/tumour: authentication required", "rejects you", False),
    ("GET https://hub.example:5000/v2/team/tumour/manifests/sha256-00.sig: UNAUTHORIZED: authentication required; "
     "[map[Action:pull Class: Name:team/tumour Type:repository]]", "rejects you", False),
    ("writing blob: initiating layer upload to /v2/team/tumour/blobs/uploads/ in hub.example:5000: StatusCode: 405, "
     '"Method not allowed\\n"', "no right", False),
    ("writing blob: initiating layer upload to /v2/team/tumour/blobs/uploads/ in hub.example:5000: requested access "
     "to the resource is denied", "no right", False),
    ("writing blob: uploading layer chunked: received unexpected HTTP status: 500 Internal Server Error", "full", True),
    ("writing blob: initiating layer upload to /v2/team/tumour/blobs/uploads/ in hub.example:5000: received "
     "unexpected HTTP status: 503 Service Unavailable", "full", True),
    ("uploading manifest one to hub.example:5000/team/tumour: denied: adding 12 MiB of storage resource, which when "
     "updated to the current usage of 1 GiB will exceed the configured upper limit of 1 GiB", "no space", False),
    ('writing blob: Patch "https://hub.example:5000/v2/team/tumour/blobs/uploads/1?_state=zH": use of closed '
     "network connection", "was cut", True),
    ('writing blob: Patch "https://hub.example:5000/v2/team/tumour/blobs/uploads/1?_state=zH": write tcp '
     "127.0.0.1:1->127.0.0.1:2: write: connection reset by peer", "was cut", True),
    ('pinging container registry hub.example:5000: Get "https://hub.example:5000/v2/": dial tcp '
     "127.0.0.1:5000: connect: connection refused", "does not answer", True),
    ('pinging container registry hub.example:5000: Get "https://hub.example:5000/v2/": dial tcp: lookup '
     "hub.example on 192.0.2.1:53: no such host", "cannot be found", False),
    ("reading manifest one in hub.example:5000/team/tumour: toomanyrequests: too many requests", "fewer", True),
    ("open /home/ada/.config/containers/certs.d/a.crt: permission denied", "of this machine", False),
    ("something that nobody has seen yet", "the request to hub.example:5000 failed", False),
]  # fmt: skip


@pytest.mark.parametrize(("complaints", "words", "passes"), WORDS)
def test_words_are_taken_for_what_they_mean(complaints, words, passes):
    assert words in registry_error(complaints, PLACE).message
    assert refusal(complaints, PLACE).passes is passes


@pytest.mark.parametrize("repository", ["team/certificates", "denied/quota", "unauthorized", "eof/401"])
def test_what_a_user_calls_an_image_means_nothing(repository):
    place = Reference(registry="denied.example:5000", repository=repository, tag="401")
    complaints = f"reading manifest 401 in {place.name}: connection reset by peer"
    assert "was cut" in registry_error(complaints, place).message
    path = f'Patch "https://denied.example:5000/v2/{repository}/blobs/uploads/1": broken pipe'
    assert "was cut" in registry_error(path, place).message


def test_each_error_says_where_and_what_to_do():
    for complaints, _, _ in WORDS:
        error = registry_error(complaints, PLACE, "1 of 2 layers are there")
        assert PLACE.registry in error.message
        assert "1 of 2 layers are there" in error.message
        assert error.remedy
        assert "{" not in f"{error.message}{error.remedy}"


def test_secrets_are_masked():
    words = 'Get "https://ada:secret-one@host.example/v2/?X-Amz-Signature=secret-two": out: secret-three'
    assert masked(words, ["secret-three", ""]) == 'Get "https://host.example/v2/?…": out: …'
