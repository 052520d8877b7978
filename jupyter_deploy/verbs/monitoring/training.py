"""What a watch over a release needs of its training, as the store or the release's target knows it."""

from __future__ import annotations

from jupyter_deploy.domain.capture.signature import Signature
from jupyter_deploy.domain.drift.sketch import ReferenceSketch
from jupyter_deploy.domain.errors import StoreError
from jupyter_deploy.domain.monitoring.confidence import answers_probabilities
from jupyter_deploy.domain.ports import Ports


def training_of(tag: str, ports: Ports) -> tuple[Signature, ReferenceSketch | None] | None:
    """Return a release's signature, and the sketch of its training table; None: no signature is known.

    If the release's target had no room for the sketch, the watch is against the release's first requests, as the
    cluster's own is.
    """
    signature = ports.store.signature(tag)
    if signature is None:
        return None
    try:
        return signature, ports.store.sketch(tag)
    except StoreError:
        return signature, None


def may_answer_probabilities(tag: str, ports: Ports) -> bool:
    """Return whether a release's recorded outputs have to be read for its expected accuracy.

    Without the snapshot there are no answers to the example to decide by: then the records do.
    """
    snapshot = ports.store.remembered(tag)
    return snapshot is None or answers_probabilities(snapshot.manifest.predictions)
