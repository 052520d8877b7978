"""The verb ``explain``: the contribution of each feature to an answer, by stable and its candidates."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from jupyter_deploy.domain.base import now
from jupyter_deploy.domain.capture.artifacts import Snapshot
from jupyter_deploy.domain.errors import DeployError, InvalidInput
from jupyter_deploy.domain.evidence.inference import Record
from jupyter_deploy.domain.evidence.record_pages import RecordFilter
from jupyter_deploy.domain.explanation import ExplainRequest, Explanation, explained, features_of, fits
from jupyter_deploy.domain.ports import Ports, Report
from jupyter_deploy.domain.requests import Step
from jupyter_deploy.verbs.capture import load_release
from jupyter_deploy.verbs.change import find

_BACKGROUND_ROWS, _LEAST_ROWS = 200, 20
_SINCE = timedelta(days=7)
_ANSWERED = 200


def explain(request: ExplainRequest, ports: Ports, report: Report) -> Explanation:
    """Explain the answers to a recorded instance, each by a model in a process of its own: no release is asked.

    Raises
    ------
    UnknownEndpoint, UnknownRecord
    InvalidInput
        The record has no such row, or not the data; the input or the answer has another form.
    Untrusted, EnvironmentChanged, TargetError
        Stable's model cannot be loaded, or did not answer.
    """
    endpoint = find(ports, request.name)
    record = _record(request, ports)
    instance = _instance(record, request.row)
    features_of(instance)
    stable = endpoint.traffic.stable
    tags = endpoint.traffic.tags()
    snapshot = load_release(endpoint.release(stable), ports)
    background, words = _background(request.name, instance, snapshot, ports)
    found, notes = [], []
    for number, tag in enumerate(tags, 1):
        report(Step(number=number, total=len(tags), title=f"explaining the answer of {tag}"))
        try:
            one = snapshot if tag == stable else load_release(endpoint.release(tag), ports)
            with ports.model_answers.opened(one) as ask:
                role = endpoint.traffic.role_of(tag)
                found.append(explained(ask, instance, background, release=tag, role=role, clock=time.monotonic))
        except DeployError as error:
            if tag == stable:
                raise
            notes.append(f"{tag} is left out: {error}")
    return Explanation(
        endpoint=request.name,
        request_id=record.request_id,
        row=request.row,
        background=words,
        releases=found,
        notes=notes,
    )


def _record(request: ExplainRequest, ports: Ports) -> Record:
    if request.key:
        return ports.log.pair(request.name, request.key).record
    ids = (request.request_id,) if request.request_id else ()
    answered = RecordFilter(status=_ANSWERED, request_ids=ids)
    found = ports.log.records(request.name, answered, limit=None if ids else 1)
    if not found:
        words = f"with the id '{request.request_id}'" if ids else "at all"
        raise InvalidInput(
            f"{request.name} has no answered request {words} on record", f"'nbdeploy logs {request.name}' lists them"
        )
    return found[-1]


def _instance(record: Record, row: int) -> Any:
    if record.redacted:
        raise InvalidInput(
            f"the record lacks {', '.join(record.redacted)}, which is redacted, so the model cannot be called with it",
            "explain the answer in the notebook, with the whole row",
        )
    if not isinstance(record.inputs, list):
        raise InvalidInput(
            f"the input of {record.request_id} is not recorded",
            f"'nbdeploy traffic {record.endpoint} --record full' records them from then on",
        )
    if row >= len(record.inputs):
        raise InvalidInput(f"{record.request_id} has {len(record.inputs)} rows, numbered from 0", "choose one of them")
    return record.inputs[row]


def _background(name: str, instance: Any, snapshot: Snapshot, ports: Ports) -> tuple[Sequence[Any], str]:
    """Return rows with the instance's features that stable answered, and their origin in words."""
    with ports.truth.recorded(name, since=now() - _SINCE, limit=_BACKGROUND_ROWS) as recorded:
        known = [json.loads(line) for line in recorded.path.read_text("utf-8").splitlines()]
    answered = [one["instance"] for one in known if one["release"] == snapshot.tag]  # other models may take other rows
    rows = [row for row in answered if fits(instance, row)]
    if len(rows) >= _LEAST_ROWS:
        return rows, f"the latest {len(rows)} recorded rows"
    example = [row for row in snapshot.manifest.instances if fits(instance, row)]
    if not example:
        raise InvalidInput("there are no rows to compare this one with", "send some requests first")
    return [*rows, *example], f"{len(rows)} recorded rows and {len(example)} of the example"
