"""The overlay file: what a team adds to pods, such as a node selector."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jupyter_deploy.domain.errors import InvalidInput

from .settings import ClusterSettings

_ALLOWED = ("metadata", "spec")


def read_overlay(settings: ClusterSettings) -> dict[str, Any]:
    """The file's ``metadata`` and ``spec`` of pods; empty: there is none.

    Raises
    ------
    InvalidInput
        The file cannot be read, or has other parts.
    """
    if settings.overlay is None:
        return {}
    import yaml

    try:
        found = yaml.safe_load(settings.overlay.expanduser().read_text("utf-8")) or {}
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise InvalidInput(
            f"the overlay {settings.overlay} cannot be read: {error}", "correct NBDEPLOY_KUBERNETES__OVERLAY"
        ) from error
    if not isinstance(found, dict) or set(found) - set(_ALLOWED):
        raise InvalidInput(
            f"the overlay {settings.overlay} has other parts than {' and '.join(_ALLOWED)}",
            "write a pod's template, such as {spec: {nodeSelector: {pool: models}}}",
        )
    return found


def merged(base: Any, over: Any) -> Any:
    """Mappings merged, also nested ones; a list of the second follows that of the first; other values replace."""
    if isinstance(base, dict) and isinstance(over, Mapping):
        added = {key: merged(base[key], value) if key in base else value for key, value in over.items()}
        return base | added
    if isinstance(base, list) and isinstance(over, list):
        return [*base, *over]
    return over
