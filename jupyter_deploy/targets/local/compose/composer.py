"""Compose projects with the settings of the local target."""

from __future__ import annotations

from collections.abc import Mapping

from jupyter_deploy.domain.images.compose import ComposePlan
from jupyter_deploy.targets.local.gateway.token import token_file
from jupyter_deploy.targets.local.settings import LocalSettings

from . import project


class LocalComposer:
    """The Composer port, with the local target's settings."""

    def __init__(self, settings: LocalSettings) -> None:
        self._settings = settings

    @property
    def token(self) -> bool:
        """Whether the local gateway needs a token: its file exists, or the setting has one made."""
        return self._settings.require_token or token_file(self._settings.home).exists()

    def texts(self, plan: ComposePlan) -> Mapping[str, str]:
        """The project's files. They send no traces, since this machine's collector is not reachable from there."""
        settings = self._settings
        return project.texts(
            plan,
            project.ComposeSettings(
                predict_timeout=settings.predict_timeout,
                grace_seconds=settings.grace_seconds,
                shadow_timeout=settings.shadow_timeout,
                request_timeout=settings.request_timeout,
                hosts=settings.allowed_hosts,
                when_record_fails=settings.when_record_fails,
                segment_bytes=settings.segment_bytes,
            ),
        )
