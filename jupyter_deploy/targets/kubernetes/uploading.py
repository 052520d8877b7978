"""The container that uploads records, with the image that the namespace has, or that is published for it."""

from __future__ import annotations

from jupyter_deploy import __version__
from jupyter_deploy.domain.errors import InvalidInput
from jupyter_deploy.domain.release.endpoint import Release

from . import names
from .api import Api, Json
from .settings import ClusterSettings, KubernetesSettings
from .shipping import image_in, shipper


def container(
    of: Release | None, published: Release, settings: KubernetesSettings, api: Api, *, job: bool = False
) -> Json | None:
    """The container for the pods ``of`` a release, or of the gateway; None: records stay in their pods.

    Its image is the gateway's, or is published next to that of a release.

    Raises
    ------
    InvalidInput
        Records go to a folder of this machine.
    """
    cluster, to, publish = settings.kubernetes or ClusterSettings(), settings.records_to, settings.publish_archivist
    if to is None or publish is None:
        return None
    if to.startswith("file:"):
        raise InvalidInput(f"pods do not have the folder of {to}", "keep records in s3://, gs:// or az://")
    image = cluster.shipper_image or image_in(present_gateway(api)) or publish(published)
    return shipper(of, cluster, to, image, job=job)


def present_gateway(api: Api) -> Json | None:
    """The gateway's Deployment, if this version of nbdeploy made it."""
    present = api.get("Deployment", names.GATEWAY)
    made_by = present["metadata"].get("annotations", {}).get(names.MADE_BY) if present else None
    return present if made_by == __version__ else None
