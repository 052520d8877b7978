"""The verb ``images``: the images of this machine and their use."""

from __future__ import annotations

from jupyter_deploy.domain.images.published import ImageList
from jupyter_deploy.domain.images.requests import ImagesRequest
from jupyter_deploy.domain.ports import Ports, Report

from .image_use import find_images


def images(request: ImagesRequest, ports: Ports, report: Report) -> ImageList:
    """List the images of this machine's store, and the published ones that it no longer has."""
    use = find_images(ports)
    layers = {layer.digest: layer.size for one in use.images if one.here for layer in one.image.layers}
    return ImageList(
        folder=str(ports.images.store.folder),
        size=sum(layers.values()),
        images=(*use.images,),
        unasked=(*use.unasked,),
    )
