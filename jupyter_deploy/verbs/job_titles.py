"""The titles of jobs, made of their requests, where a title is more than the verb and its subject. Pure."""

from __future__ import annotations

from pathlib import PurePath

from jupyter_deploy.domain.base import percent_in_words
from jupyter_deploy.domain.capture.requests import DiffRequest
from jupyter_deploy.domain.images.requests import GcRequest, PublishRequest, VerifyRequest
from jupyter_deploy.domain.ramp.requests import RampRequest
from jupyter_deploy.domain.release.document_requests import ApplyRequest, PlanRequest
from jupyter_deploy.domain.requests import (
    DeployRequest,
    PromoteRequest,
    RollbackRequest,
    TrafficRequest,
)
from jupyter_deploy.domain.validation.requests import ValidateRequest


def deploy(request: DeployRequest) -> str:
    source = PurePath(request.source).name if request.source else "a model"
    return f"deploy {request.model or source}{f' as {request.name}' if request.name else ''}"


def validate(request: ValidateRequest) -> str:
    names = [PurePath(notebook).name for notebook in request.notebooks]
    return f"validate {request.snapshot or ', '.join(names) or 'this project'}"


def traffic(request: TrafficRequest) -> str:
    shares = [f"{tag} {share:g} %" for tag, share in (request.canary | request.shadow).items()]
    return f"traffic of {request.name}: {', '.join(shares) or _settings(request)}"


def promote(request: PromoteRequest) -> str:
    return f"promote {request.name}" if request.tag is None else f"promote {request.tag} in {request.name}"


def ramp(request: RampRequest) -> str:
    commands = {"pause": request.pause, "resume": request.resume, "abort": request.abort}
    named = [f"{name} the ramp of {request.name}" for name, given in commands.items() if given]
    return named[0] if named else f"ramp {request.name}{f': {request.steps} %' if request.steps else ''}"


def rollback(request: RollbackRequest) -> str:
    revision = "the revision before" if request.to is None else f"revision {request.to}"
    return f"take {request.name} back to {revision}"


def publish(request: PublishRequest) -> str:
    return f"publish {request.release or request.name}{f' to {request.to}' if request.to else ''}"


def verify(request: VerifyRequest) -> str:
    return f"verify {request.image}"


def plan(request: PlanRequest) -> str:
    return f"plan {request.subject}"


def apply(request: ApplyRequest) -> str:
    return f"apply {request.subject}"


def gc(_: GcRequest) -> str:
    return "remove unused images"


def diff(request: DiffRequest) -> str:
    return f"changes from {request.a} to {request.b}" if request.b else f"changes in {request.a}"


def _settings(request: TrafficRequest) -> str:
    sample = [] if request.record_sample is None else [f"sample {percent_in_words(request.record_sample)}"]
    recorded = [*filter(None, [request.record]), *sample]
    tolerances = {"tolerance": request.tolerance, "absolute tolerance": request.absolute_tolerance}
    parts = [f"record {', '.join(recorded)}"] if recorded else []
    parts += [f"{name} {value}" for name, value in tolerances.items() if value is not None]
    parts += [f"segments {'; '.join(request.segment)}"] if request.segment else []
    return ", ".join(parts)
