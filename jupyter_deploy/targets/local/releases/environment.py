"""What a release is told in its environment."""

from __future__ import annotations

import os
from pathlib import Path

from jupyter_deploy.domain.release.endpoint import Release
from jupyter_deploy.domain.release.processes import passed_on
from jupyter_deploy.targets.local.settings import LocalSettings

from .hardware import variables


def folders_of(release: Release, settings: LocalSettings) -> dict[str, Path]:
    """The folders that it writes into, by the variables that name them."""
    home = settings.home.absolute()
    return {
        "NBDEPLOY_RECORDS": home / "records" / release.endpoint / release.version,
        "NBDEPLOY_FEEDBACK": home / "feedback" / release.endpoint,
    }


def told(release: Release, settings: LocalSettings) -> dict[str, str]:
    """The settings of ``serving.Front``, however it is run; but for its folders."""
    found = {
        "NBDEPLOY_ENDPOINT": release.endpoint,
        "NBDEPLOY_WHEN_RECORD_FAILS": settings.when_record_fails,
        "NBDEPLOY_LOG_FORMAT": settings.log_format,
        "NBDEPLOY_SEGMENT_BYTES": str(settings.segment_bytes),
    }
    if settings.otlp_endpoint is not None:
        found["OTEL_EXPORTER_OTLP_ENDPOINT"] = settings.otlp_endpoint
    return found | variables(release.resources)


def environment_of(release: Release, settings: LocalSettings) -> dict[str, str]:
    """Of a process: few of the user's variables, and what it is told."""
    own = {
        "BENTOML_HOME": str(settings.bentoml_home.absolute()),
        "BENTOML_DO_NOT_TRACK": "true",
        "NBDEPLOY_CHECK_ENVIRONMENT": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    folders = {name: str(folder) for name, folder in folders_of(release, settings).items()}
    return passed_on(os.environ) | own | told(release, settings) | folders
