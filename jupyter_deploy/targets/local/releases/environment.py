"""The environment variables of a release."""

from __future__ import annotations

import os
from pathlib import Path

from jupyter_deploy.domain.release.endpoint import Release
from jupyter_deploy.domain.release.processes import passed_on
from jupyter_deploy.domain.secret_references import NAMES
from jupyter_deploy.targets.local.settings import LocalSettings

from .hardware import variables


def folders_of(release: Release, settings: LocalSettings) -> dict[str, Path]:
    """The folders that a release writes to, by the variables that name them."""
    home = settings.home.absolute()
    return {
        "NBDEPLOY_RECORDS": home / "records" / release.endpoint / release.version,
        "NBDEPLOY_FEEDBACK": home / "feedback" / release.endpoint,
    }


def front_variables(release: Release, settings: LocalSettings) -> dict[str, str]:
    """The settings of ``serving.Front`` for processes and containers, without its folders."""
    settings_of_front = {
        "NBDEPLOY_ENDPOINT": release.endpoint,
        "NBDEPLOY_WHEN_RECORD_FAILS": settings.when_record_fails,
        "NBDEPLOY_LOG_FORMAT": settings.log_format,
        "NBDEPLOY_SEGMENT_BYTES": str(settings.segment_bytes),
        "NBDEPLOY_GRACE_SECONDS": str(settings.grace_seconds),
    }
    if settings.otlp_endpoint is not None:
        settings_of_front["OTEL_EXPORTER_OTLP_ENDPOINT"] = settings.otlp_endpoint
    if release.secrets:
        settings_of_front[NAMES] = ",".join(release.secrets)
    return settings_of_front | variables(release.resources) | release.resources.in_container


def environment_of(release: Release, settings: LocalSettings) -> dict[str, str]:
    """The variables of a process: few of the user's, and the release's settings."""
    own = {
        "BENTOML_HOME": str(settings.bentoml_home.absolute()),
        "BENTOML_DO_NOT_TRACK": "true",
        "NBDEPLOY_CHECK_ENVIRONMENT": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    folders = {name: str(folder) for name, folder in folders_of(release, settings).items()}
    return passed_on(os.environ) | own | front_variables(release, settings) | folders
