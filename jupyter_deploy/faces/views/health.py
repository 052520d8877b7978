"""The broken ones of nbdeploy's own parts: the banner of the Deployments sidebar."""

from __future__ import annotations

from jupyter_deploy.domain.health import DoctorRequest
from jupyter_deploy.domain.ports import Ports
from jupyter_deploy.verbs.doctor import doctor

from .documents import HealthView
from .requests import HealthRequest


def health(_: HealthRequest, ports: Ports) -> HealthView:
    """Check all parts but the endpoints, whose health the list shows."""
    found = doctor(DoctorRequest(part=("machine", "programs", "records", "store")), ports, lambda _: None)
    return HealthView(broken=found.broken)
