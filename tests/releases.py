"""Releases that need not exist, for tests of pure functions."""

from datetime import UTC, datetime

from jupyter_deploy.domain.capture.artifacts import Source
from jupyter_deploy.domain.release.endpoint import Release


def release(version, *, name="tumour", endpoint=None, source=None, **more):
    """A release ``name:version`` behind ``endpoint``."""
    return Release(
        endpoint=endpoint or name,
        tag=f"{name}:{version}",
        digest="sha256:0",
        path="/bento",
        snapshot_path="/snapshot",
        interpreter="/python",
        source=source or Source(),
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        **more,
    )
