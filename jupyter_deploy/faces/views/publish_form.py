"""The form of a publication: what is remembered of the last one, and what is wrong with what is typed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from jupyter_deploy.domain.errors import DeployError
from jupyter_deploy.domain.images.images import as_source
from jupyter_deploy.domain.images.published import destination_of
from jupyter_deploy.domain.images.requests import PublishRequest
from jupyter_deploy.domain.ports import Ports
from jupyter_deploy.faces.server.jobs.folders import folder_of
from jupyter_deploy.settings import load_settings
from jupyter_deploy.verbs.change import find
from jupyter_deploy.verbs.images.publish import base_before, reference_for
from jupyter_deploy.wiring import Wiring

from .folder_settings import settings_file
from .form_documents import FieldProblem, PublishFormView
from .requests import PublishFormRequest


def publish_form(request: PublishFormRequest, ports: Ports) -> PublishFormView:
    """Return what applies to a release, with the problems of the typed values; nothing is built or sent."""
    endpoint = find(ports, request.name)
    folder = folder_of(PublishRequest(name=request.name, release=request.release), ports.store)
    if folder is not None:
        ports = Wiring(load_settings(notebook_folder=folder, home=ports.home), folder=folder).ports  # as its job
    release = endpoint.release(request.release or endpoint.traffic.stable)
    snapshot = ports.store.remembered(release.tag)
    problems: list[FieldProblem] = []
    if request.check:
        with _noted("to", problems):
            asked = PublishRequest(name=endpoint.name, release=release.tag, to=request.to or None)
            ports.images.registry.check(reference_for(asked, endpoint.name, release, ports))
        with _noted("base", problems):
            if request.base:
                as_source(request.base)
    published = ports.store.publications(endpoint=endpoint.name)
    return PublishFormView(
        to=destination_of(endpoint.name, ports.images.to, published),
        base=ports.images.base or (snapshot and base_before(snapshot, ports)) or "",
        problems=tuple(problems),
        settings=settings_file(folder, ports.home),
    )


@contextmanager
def _noted(field: str, problems: list[FieldProblem]) -> Iterator[None]:
    try:
        yield
    except DeployError as error:
        remedy = error.remedy.replace("write --to HOST/PATH", "write HOST/PATH")
        problems.append(FieldProblem(field=field, message=error.message, remedy=remedy))
