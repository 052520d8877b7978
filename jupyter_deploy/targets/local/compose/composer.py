"""Compose projects with the settings of the local target."""

from __future__ import annotations

from collections.abc import Mapping

from jupyter_deploy.domain.images.compose import ComposePlan
from jupyter_deploy.targets.local.gateway.token import token_file
from jupyter_deploy.targets.local.settings import LocalSettings

from . import project


class LocalComposer:
    """The Composer port: what runs elsewhere is to behave as it does here."""

    def __init__(self, settings: LocalSettings) -> None:
        self._settings = settings

    @property
    def token(self) -> bool:
        """As at the local gateway: its file decides, and the setting has one made."""
        return self._settings.require_token or token_file(self._settings.home).exists()

    def texts(self, plan: ComposePlan) -> Mapping[str, str]:
        """The project's files; traces are not sent, since a collector's address here is none there."""
        settings = self._settings
        return project.texts(
            plan,
            project.ComposeSettings(
                predict_timeout=settings.predict_timeout,
                shadow_timeout=settings.shadow_timeout,
                request_timeout=settings.request_timeout,
                hosts=settings.allowed_hosts,
                when_record_fails=settings.when_record_fails,
                segment_bytes=settings.segment_bytes,
            ),
        )
