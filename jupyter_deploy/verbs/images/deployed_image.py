"""The image of a deploy to a target that runs images only: it is published first."""

from __future__ import annotations

from jupyter_deploy.domain.images.requests import PublishRequest
from jupyter_deploy.domain.ports import Ports
from jupyter_deploy.domain.requests import DeployRequest, Step
from jupyter_deploy.domain.validation.validation import Underway
from jupyter_deploy.verbs.deploy_plan import Plan
from jupyter_deploy.verbs.steps import Steps

from .publish import publish_new, reference_for


def require_destination(request: DeployRequest, name: str, ports: Ports) -> None:
    """Raise InvalidInput if the deploy has to publish an image and has no place for it."""
    if request.image is None and ports.targets[request.target].needs_image:
        reference = reference_for(PublishRequest(name=name), name, None, ports)
        ports.images.registry.check(reference)


def publish_image(plan: Plan, ports: Ports, progress: Steps) -> DeployRequest:
    """Publish the release of a plan; return the request of the same deploy from its image."""
    title = f"publishing {plan.release.tag}"
    progress(title)

    def report(step: Step | Underway) -> None:
        if isinstance(step, Step):
            progress(f"{title}: {step.title}", False)

    reference = publish_new(plan.release, plan.snapshot, ports, report)
    return plan.request.model_copy(update={"image": str(reference)})
