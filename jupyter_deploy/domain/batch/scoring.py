"""Which releases of an endpoint score the files of a batch, into which folder, and how that is recorded. Pure."""

from __future__ import annotations

from typing import NamedTuple

from jupyter_deploy.domain.errors import InvalidInput
from jupyter_deploy.domain.release.endpoint import Endpoint, Release

from .ports import BatchRecording
from .spec import BatchSpec


class ScheduledScoring(NamedTuple):
    """What one release does at the moments of a schedule; ``records`` None: it records nothing."""

    release: Release
    spec: BatchSpec
    records: BatchRecording | None
    shadow: bool = False


def scheduled_scorings(endpoint: Endpoint) -> list[ScheduledScoring]:
    """Return what the stable release of an endpoint with a schedule does, and with ``role`` shadow each shadow."""
    spec = endpoint.batch
    if spec is None:
        return []
    stable = endpoint.release(endpoint.traffic.stable)
    found = [ScheduledScoring(stable, spec, recording_of(endpoint, stable))]
    for tag in endpoint.traffic.shadows if spec.role == "shadow" else ():
        shadow = endpoint.release(tag)
        own = spec.model_copy(update={"sink": shadow_sink(spec.sink, shadow)})
        found.append(ScheduledScoring(shadow, own, recording_of(endpoint, shadow), shadow=True))
    return found


def require_pyarrow(release: Release) -> None:
    """Raise InvalidInput if a release's pods can score no files. Of releases of earlier versions only they know it."""
    if not release.pyarrow:
        raise InvalidInput(
            f"the image of {release.tag} has no pyarrow, so a cluster's pods cannot score files by it",
            "deploy the model without --engine onnx, and with pyarrow in the notebook's environment",
        )


def shadow_sink(sink: str, release: Release) -> str:
    """Return the folder of a shadow's answers."""
    return f"{sink.rstrip('/')}/_shadow/{release.version}"


def recording_of(endpoint: Endpoint, release: Release, folder: str = "") -> BatchRecording | None:
    """Return how a release's answers are recorded, into ``folder``; None: not at all."""
    role = endpoint.traffic.role_of(release.tag)
    if endpoint.record == "off" or role == "idle":
        return None
    return BatchRecording(
        folder=folder,
        endpoint=endpoint.name,
        release=release.tag,
        role=role,
        kept=endpoint.record,
        sample=endpoint.record_sample,
        redact=release.redact,
    )
