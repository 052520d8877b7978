"""The working directory of a job's process: the folder of its request's notebook."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from jupyter_deploy.domain.images.requests import PublishRequest
from jupyter_deploy.domain.model_search.requests import AutomlRequest
from jupyter_deploy.domain.model_selection.requests import CandidatesRequest
from jupyter_deploy.domain.requests import DeployRequest, Request
from jupyter_deploy.domain.store_ports import Store
from jupyter_deploy.domain.validation.requests import ValidateRequest


def folder_of(request: Request, store: Store) -> Path | None:
    """Return the folder of the first existing notebook, as an absolute path; None: there is none.

    A snapshot names its own notebook, and so does the release that is to be published.
    """
    for name in _notebooks(request, store):
        path = Path(name)
        if path.is_absolute() and path.exists():
            return path if path.is_dir() else path.parent
    return None


def _notebooks(request: Request, store: Store) -> Iterator[str]:
    if isinstance(request, ValidateRequest):
        yield from [request.cwd] if request.cwd else request.notebooks
    elif isinstance(request, CandidatesRequest):
        yield from request.models[:1]
    elif isinstance(request, AutomlRequest):  # its notebook is written next to the table
        yield request.data
    elif isinstance(request, DeployRequest) and request.source:
        yield request.source
        yield from _notebook_of(request.source, store)
    elif isinstance(request, PublishRequest):
        endpoint = store.endpoint(request.name)
        if endpoint is not None:
            tag = request.release or endpoint.traffic.stable
            yield from (name for one in endpoint.releases if one.tag == tag for name in _notebook_of(tag, store))


def _notebook_of(tag: str, store: Store) -> Iterator[str]:
    known = store.remembered(tag)
    if known is not None and known.manifest.provenance.source.notebook:
        yield known.manifest.provenance.source.notebook
