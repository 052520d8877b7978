"""A publication as the store keeps it, and the result of publishing."""

from datetime import UTC, datetime

from jupyter_deploy.domain.images.images import Image, Layer, Publication
from jupyter_deploy.domain.images.published import Published

DIGEST = f"sha256:{'1' * 64}"
LAYERS = (
    Layer(kind="dependencies", title="62 distributions", digest="sha256:d", size=100_000_000),
    Layer(kind="code", title="bento", digest="sha256:c", size=8_000),
)
IMAGE = Image(
    digest=DIGEST, snapshot="tumour:a", snapshot_digest="sha256:a", builder="daemonless",
    base="registry.example/python@sha256:0", platform="linux/amd64", python="3.11.2", layers=LAYERS,
    labels={"org.opencontainers.image.title": "<tumour>"},
)  # fmt: skip
PUBLICATION = Publication(
    reference=f"registry.example/tumour:a@{DIGEST}", image=IMAGE, endpoint="tumour", signed_by="f" * 64,
    published_at=datetime(2026, 1, 1, tzinfo=UTC), user="ada",
)  # fmt: skip
PUBLISHED = Published(
    publication=PUBLICATION, release="tumour:a", there=("sha256:d",), bill_of_materials=35_000, command="podman run"
)


def published_as(tag, place, digest=DIGEST):
    """A release's publication, at a place: HOST/PATH:TAG."""
    image = IMAGE.model_copy(update={"snapshot": tag, "digest": digest})
    return PUBLICATION.model_copy(update={"reference": f"{place}@{digest}", "image": image})
