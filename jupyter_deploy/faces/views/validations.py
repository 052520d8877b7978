"""An endpoint's validations over its releases, as a document."""

from __future__ import annotations

from jupyter_deploy.domain.ports import Ports
from jupyter_deploy.faces.render.charts.validations import validation_charts
from jupyter_deploy.verbs.change import find

from .documents import ValidationRow, ValidationsView
from .requests import ValidationsRequest

_LOOKED_BACK = 50
_LISTED = 12


def validations(request: ValidationsRequest, ports: Ports) -> ValidationsView:
    """What was measured over the last validations, and how the latest of them ended."""
    found = ports.store.validations(endpoint=find(ports, request.name).name, limit=_LOOKED_BACK)
    rows = tuple(
        ValidationRow(
            id=one.id, at=one.at, by=one.by, trigger=one.trigger, release=one.snapshot or "", verdict=one.verdict
        )
        for one in found[:_LISTED]
    )
    return ValidationsView(validations=rows, charts=tuple(validation_charts(found)))
