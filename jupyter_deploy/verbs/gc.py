"""The verb ``gc``: unused images are removed."""

from __future__ import annotations

from jupyter_deploy.domain.images.published import Collected
from jupyter_deploy.domain.images.requests import GcRequest
from jupyter_deploy.domain.ports import Ports, Report
from jupyter_deploy.domain.requests import Step

from .image_use import find_images


def gc(request: GcRequest, ports: Ports, report: Report) -> Collected:
    """Remove the unused images from this machine's store.

    If a container engine does not list its containers, no image is removed.
    """
    report(Step(number=1, total=1, title="finding the uses of the images"))
    use = find_images(ports)
    here = [one for one in use.images if one.here]
    gone = [] if use.unasked else [one for one in here if not (one.used_by or one.published)]
    freed = ports.images.store.remove([one.image.digest for one in gone], dry_run=request.dry_run)
    return Collected(
        folder=str(ports.images.store.folder),
        removed=tuple(one.image for one in gone),
        kept=tuple(one for one in here if one not in gone),
        freed=freed,
        unasked=(*use.unasked,),
        dry_run=request.dry_run,
    )
