"""The snapshots of deleted endpoints, and whether another endpoint uses them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from jupyter_deploy.domain.deletion import UnusedSnapshot
from jupyter_deploy.domain.ports import Ports


def unused_snapshots(
    ports: Ports, snapshots: Iterable[UnusedSnapshot], *, without: str | None = None
) -> Iterator[UnusedSnapshot]:
    """Yield, with their sizes, those that exist and that no endpoint uses, now or in a revision of its history.

    ``without``: an endpoint that does not count.
    """
    candidates = {one.tag: one for one in snapshots}
    if not candidates:
        return
    used = {release.tag for release in ports.store.intended()}
    for endpoint in ports.store.endpoints():
        if endpoint.name != without:
            used |= {release.tag for release in endpoint.releases}
            used |= {r.tag for revision in ports.store.history(endpoint.name) for r in revision.state.releases}
    for tag, one in sorted(candidates.items()):
        size = 0 if tag in used else ports.capturer.size(one)
        if size:
            yield one.model_copy(update={"size": size})
