"""The verb ``predict``: one request to an endpoint."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from jupyter_deploy.domain.errors import InvalidInput, TargetError
from jupyter_deploy.domain.ports import Ports, Report
from jupyter_deploy.domain.release.endpoint import Endpoint
from jupyter_deploy.domain.requests import PredictRequest
from jupyter_deploy.domain.results import Prediction

from .change import find, target_of


def predict(request: PredictRequest, ports: Ports, report: Report) -> Prediction:
    """Send a request to the endpoint through its gateway."""
    endpoint = find(ports, request.name)
    url = address(endpoint, ports)
    if request.data is None:
        snapshot = ports.store.remembered(endpoint.traffic.stable)
        body: Any = {"instances": snapshot.manifest.instances if snapshot else []}
    else:
        body = _body(request.data)
    status, headers, answer = ports.client.post(f"{url}/predict", body, target_of(ports, endpoint.target).header_file)
    return Prediction(
        endpoint=endpoint.name,
        status=status,
        release=headers.get("x-model-version"),
        request_id=headers.get("x-request-id"),
        body=answer,
    )


def address(endpoint: Endpoint, ports: Ports) -> str:
    """Return the endpoint's address.

    Raises
    ------
    InvalidInput
        The endpoint is stopped.
    TargetError
        Its gateway does not run.
    """
    if not endpoint.running:
        raise InvalidInput(f"{endpoint.name} is stopped", f"'nbdeploy rollback {endpoint.name}' brings it back")
    seen = target_of(ports, endpoint.target).observe(endpoint)
    if not seen.gateway:  # another process may listen at its address, and must not get data and token
        raise TargetError(f"the gateway of {endpoint.name} does not run", "'nbdeploy reconcile' starts what should run")
    return seen.url


def _body(data: Any) -> Any:
    """Return a request body: a document with instances unchanged, any other value as the instances."""
    value = _parse(data) if isinstance(data, str) else data
    return value if isinstance(value, dict) else {"instances": value}


def _parse(data: str) -> Any:
    text = data
    if data.startswith("@"):
        try:
            text = Path(data[1:]).expanduser().read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidInput(f"cannot read {data[1:]}: {error}", "name a readable JSON file after the @") from error
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise InvalidInput(
            f"the data is not JSON: {error}", """write, for example, --data '{"instances": [[1, 2]]}' or --data @FILE"""
        ) from error
