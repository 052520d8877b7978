"""The broken ones of nbdeploy's own parts: the banner of the Deployments sidebar."""

from __future__ import annotations

from jupyter_deploy.domain.health import DoctorRequest
from jupyter_deploy.domain.ports import Ports
from jupyter_deploy.verbs.doctor import doctor

from .documents import HealthView
from .requests import HealthRequest


def health(_: HealthRequest, ports: Ports) -> HealthView:
    """Check all parts; an endpoint's releases are left out, since the list shows their health."""
    found = doctor(DoctorRequest(), ports, lambda _: None)
    return HealthView(broken=tuple(check for check in found.broken if not check.part.startswith("endpoint ")))
