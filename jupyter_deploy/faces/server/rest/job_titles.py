"""What a job is called, for people. Pure."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

from jupyter_deploy.domain.base import percent_in_words
from jupyter_deploy.domain.images.requests import GcRequest, PublishRequest, VerifyRequest
from jupyter_deploy.domain.requests import (
    DeployRequest,
    DiffRequest,
    PromoteRequest,
    Request,
    RollbackRequest,
    TrafficRequest,
)
from jupyter_deploy.domain.validation.requests import ValidateRequest


def title_of(verb: str, request: Request) -> str:
    """Such as ``deploy clf as churn``, ``promote churn``."""
    known: Any = request
    subject = getattr(known, "name", None) or getattr(known, "tag", None)
    title = f"{verb} {subject}" if subject else verb
    match request:
        case DeployRequest():
            what = request.model or (PurePath(request.source).name if request.source else "a model")
            title = f"deploy {what}{f' as {request.name}' if request.name else ''}"
        case ValidateRequest():
            names = [PurePath(notebook).name for notebook in request.notebooks]
            title = f"validate {request.snapshot or ', '.join(names) or 'this project'}"
        case TrafficRequest():
            shares = [f"{tag} {share:g} %" for tag, share in (request.canary | request.shadow).items()]
            title = f"traffic of {request.name}: {', '.join(shares) or _recorded(request)}"
        case PromoteRequest(tag=str(tag)):
            title = f"promote {tag} in {request.name}"
        case RollbackRequest():
            where = "the revision before" if request.to is None else f"revision {request.to}"
            title = f"take {request.name} back to {where}"
        case PublishRequest():
            title = f"publish {request.release or request.name}{f' to {request.to}' if request.to else ''}"
        case VerifyRequest():
            title = f"verify {request.image}"
        case GcRequest():
            title = "remove unused images"
        case DiffRequest():
            title = f"compare {request.a} with {request.b}" if request.b else f"what changed in {request.a}"
    return title


def _recorded(request: TrafficRequest) -> str:
    sample = [] if request.record_sample is None else [f"sample {percent_in_words(request.record_sample)}"]
    return f"record {', '.join([*filter(None, [request.record]), *sample])}"
