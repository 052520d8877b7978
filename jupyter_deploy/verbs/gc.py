"""The verb ``gc``: unused images are removed, and the snapshots of deleted endpoints."""

from __future__ import annotations

from jupyter_deploy.domain.deletion import UnusedSnapshot
from jupyter_deploy.domain.images.published import Collected
from jupyter_deploy.domain.images.requests import GcRequest
from jupyter_deploy.domain.ports import Ports, Report
from jupyter_deploy.domain.requests import Step

from .images.image_use import find_images
from .snapshot_use import unused_snapshots


def gc(request: GcRequest, ports: Ports, report: Report) -> Collected:
    """Remove the unused images from this machine's store, and unused snapshots of deleted endpoints.

    If a container engine does not list its containers, no image is removed.
    """
    report(Step(number=1, total=1, title="finding the uses of the images"))
    use = find_images(ports)
    here = [one for one in use.images if one.here]
    gone = [] if use.unasked else [one for one in here if not (one.used_by or one.published)]
    freed = ports.images.store.remove([one.image.digest for one in gone], dry_run=request.dry_run)
    snapshots = _remove_snapshots(ports, dry_run=request.dry_run)
    return Collected(
        folder=str(ports.images.store.folder),
        removed=tuple(one.image for one in gone),
        kept=tuple(one for one in here if one not in gone),
        snapshots=snapshots,
        freed=freed + sum(one.size for one in snapshots),
        unasked=(*use.unasked,),
        dry_run=request.dry_run,
    )


def _remove_snapshots(ports: Ports, *, dry_run: bool) -> tuple[UnusedSnapshot, ...]:
    """Remove the snapshots that only deleted endpoints used; their notes stay, without the snapshots."""
    removed: dict[str, UnusedSnapshot] = {}
    for deletion in ports.store.deletions():
        if not deletion.snapshots:
            continue
        unused = {one.tag: one for one in unused_snapshots(ports, deletion.snapshots)}
        removed |= unused
        if dry_run:
            continue
        for one in unused.values():
            ports.capturer.remove(one)
            ports.store.forget(one.tag)
        left = tuple(one for one in deletion.snapshots if ports.capturer.size(one))
        ports.store.keep_deletion(deletion.model_copy(update={"snapshots": left}))
    return tuple(removed.values())
