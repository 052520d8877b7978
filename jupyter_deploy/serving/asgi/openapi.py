"""The service's self-description: ``/metadata`` and ``/openapi.json``."""

from __future__ import annotations

from typing import Any

from ..features.schema import request_schema
from ..protocols import Protocols
from ..protocols.media_types import TABLES
from ..snapshot import Model
from .schema_examples import example_of

_EXAMPLES = 3  # instances of the example

SUMMARY = "One prediction for each instance, in their order"

INVOCATION = {
    "type": "object",
    "properties": {
        "instances": {"type": "array"},
        "inputs": {},
        "dataframe_split": {"type": "object"},
        "dataframe_records": {"type": "array"},
        "params": {"type": "object", "maxProperties": 0},
    },
    "additionalProperties": False,
}

INFER = {
    "type": "object",
    "required": ["inputs"],
    "properties": {
        "id": {"type": "string"},
        "parameters": {"type": "object"},
        "inputs": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["name", "shape", "datatype"],
                "properties": {
                    "name": {"type": "string"},
                    "shape": {"type": "array", "items": {"type": "integer", "minimum": 0}},
                    "datatype": {"type": "string"},
                    "data": {"type": "array"},
                    "parameters": {"type": "object"},
                },
            },
        },
        "outputs": {"type": "array", "items": {"type": "object", "required": ["name"]}},
    },
}

PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "request_id", "errors"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "request_id": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["loc", "msg"],
                "properties": {
                    "loc": {"type": "array", "items": {"type": ["string", "integer"]}},
                    "msg": {"type": "string"},
                },
            },
        },
    },
}

REFUSALS = {
    "400": "The body is not strict JSON in UTF-8 (NaN and Infinity are not JSON)",
    "408": "The body did not arrive in time",
    "413": "The body is too large",
    "415": "The body is of another type",
    "422": "The instances do not fit the model; `errors` names row and feature",
    "500": "The model failed",
    "503": "The model is not loaded yet, or too many requests are waiting for it",
    "504": "The deadline of `x-request-timeout-ms` passed before the model was called",
}

ACTUAL = {
    "type": "object",
    "required": ["request_id", "actual"],
    "additionalProperties": False,
    "properties": {
        "request_id": {"type": "string", "description": "The x-request-id of the answer"},
        "row": {
            "type": "integer",
            "minimum": 0,
            "default": 0,
            "description": "The position of the instance in its request, from 0",
        },
        "actual": {"description": "The ground truth: any JSON value; null withdraws earlier feedback"},
    },
}

FEEDBACK_REFUSALS = {
    "400": REFUSALS["400"],
    "409": "The endpoint keeps no data of its requests",
    "408": REFUSALS["408"],
    "413": REFUSALS["413"],
    "415": REFUSALS["415"],
    "422": "The feedback has another form; `errors` has each location",
    "501": "This service was started without a folder for feedback",
    "503": "The feedback cannot be written now, or the model is not loaded yet",
}


def metadata(model: Model) -> dict[str, Any]:
    """Return the model's identity, signature and provenance."""
    manifest = model.manifest
    provenance = manifest["provenance"]
    return {
        "name": manifest["name"],
        "release": model.tag,
        "digest": model.digest,
        "kind": manifest["kind"],
        "framework": manifest["framework"],
        "method": manifest["method"],
        "signature": manifest["signature"],
        "stochastic": manifest["stochastic"],
        "notebook": {
            "path": provenance.get("path"),
            "sha256": provenance["notebook_sha256"],
            "variable": provenance["source"]["variable"],
        },
        "git": _git(provenance["git"], model.captured.get("git")),
        "data_fingerprint": manifest["data_fingerprint"],
        "created": model.captured.get("captured_at"),
        "python": manifest["environment"]["python"],
        "lookups": [
            {name: lookup[name] for name in ("key", "key_schema", "features")} for lookup in manifest.get("lookups", ())
        ],
        "notes": manifest.get("notes", []),
    }


def _git(commit: dict[str, Any] | None, captured: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return the commit, and whether there were uncommitted changes if that is known here."""
    if commit is None:
        return None
    return {name: value for name, value in {**commit, **(captured or {})}.items() if name in ("commit", "dirty")}


def openapi(model: Model, name: str) -> dict[str, Any]:
    """Return an OpenAPI 3.1 document with examples: made from the schemas, or, if its author shows it, the notebook's.

    Parameters
    ----------
    name
        The model's name in the paths of V1 and V2.
    """
    manifest = model.manifest
    signature = manifest["signature"]
    lookups = manifest.get("lookups", ())
    instance_schema, named = _hoisted(request_schema(signature["instance_schema"], lookups))
    shown = manifest.get("show_example", False)
    instances = manifest["instances"][:_EXAMPLES] if shown else [example_of(signature["instance_schema"])]
    answers = manifest["predictions"][:_EXAMPLES] if shown else [example_of(signature["answer_schema"])]
    infer = Protocols(model, name).v2.example(instances)
    predictions = {
        "schema": _only("predictions", signature["answer_schema"]),
        "example": {"predictions": answers},
    }
    json_body = {
        "application/json": {"schema": _only("instances", instance_schema), "example": {"instances": instances}}
    }
    mlflow_body = {"application/json": {"schema": INVOCATION, "example": {"instances": instances}}, "text/csv": {}}
    tensor_body = {"application/json": {"schema": INFER, "example": infer}}
    tables: dict[str, Any] = {kind: {} for kind in TABLES}
    v1, v2 = f"/v1/models/{name}", f"/v2/models/{name}"
    return {
        "openapi": "3.1.0",
        "info": {
            "title": manifest["name"],
            "version": model.tag,
            "description": f"A {manifest['kind']}, captured from {_origin(manifest)}.",
        },
        # Relative to this document, whatever path a gateway adds.
        "servers": [{"url": "."}],
        "paths": {
            "/predict": _post("predict", SUMMARY, json_body | tables, {"application/json": predictions} | tables),
            "/invocations": _post(
                "invocations",
                "The protocol of MLflow and SageMaker",
                mlflow_body | tables,
                {"application/json": predictions} | tables,
            ),
            f"{v1}:predict": _post("predictV1", "KServe's V1 protocol", json_body, {"application/json": predictions}),
            f"{v2}/infer": _post(
                "infer",
                "The Open Inference Protocol with its binary extension",
                tensor_body,
                {"application/json": {"schema": {"type": "object"}}, "application/octet-stream": {}},
            ),
            "/v1/models": _get("modelsV1", "The model's name", "application/json"),
            v1: _get("modelV1", "Whether the model is ready", "application/json"),
            "/v2": _get("server", "Name, version and extensions of the server", "application/json"),
            "/v2/health/live": _get("liveV2", "Whether the process runs", "application/json"),
            "/v2/health/ready": _get("readyV2", "Whether the model is ready", "application/json"),
            v2: _get("modelV2", "Names, types and shapes of the tensors", "application/json"),
            f"{v2}/ready": _get("modelReadyV2", "Whether the model is ready", "application/json"),
            "/ping": _get("ping", "Whether the model is ready, for SageMaker", "text/plain"),
            "/feedback": _feedback(),
            "/metadata": _get("metadata", "The model's provenance and signature", "application/json"),
            "/openapi.json": _get("openapi", "This document", "application/json"),
            "/livez": _get("livez", "Whether the process runs", "text/plain"),
            "/readyz": _get("readyz", "Whether the model is ready", "text/plain"),
            "/metrics": _get("metrics", "Figures for Prometheus", "text/plain"),
        },
        "components": {"schemas": {**named, "Actual": ACTUAL, "Problem": PROBLEM}},
    }


def _hoisted(schema: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the schema and its definitions; a document looks names up in its components."""

    def renamed(part: Any) -> Any:
        if isinstance(part, list):
            return [renamed(inner) for inner in part]
        if not isinstance(part, dict):
            return part
        inner = {key: renamed(value) for key, value in part.items() if key != "$defs"}
        if isinstance(part.get("$ref"), str):
            inner["$ref"] = part["$ref"].replace("#/$defs/", "#/components/schemas/Instance.")
        return inner

    named = {f"Instance.{name}": renamed(inner) for name, inner in schema.get("$defs", {}).items()}
    return renamed(schema), named


def _post(name: str, summary: str, body: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
    return {
        "post": {
            "operationId": name,
            "summary": summary,
            "requestBody": {"required": True, "content": body},
            "responses": {"200": {"description": "The predictions", "content": answer}, **_problems(REFUSALS)},
        }
    }


def _origin(manifest: dict[str, Any]) -> str:
    return manifest["provenance"].get("path") or "an interactive session"


def _only(key: str, items: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "required": [key],
        "properties": {key: {"type": "array", "items": items}},
        "additionalProperties": False,
    }


def _feedback() -> dict[str, Any]:
    one = {"$ref": "#/components/schemas/Actual"}
    count = {"type": "object", "required": ["accepted"], "properties": {"accepted": {"type": "integer"}}}
    return {
        "post": {
            "operationId": "feedback",
            "summary": "Ground truth of predicted rows; the last feedback of a row counts",
            "requestBody": {
                "required": True,
                "content": {"application/json": {"schema": {"oneOf": [one, _only("feedback", one)]}}},
            },
            "responses": {
                "200": {
                    "description": "All items are stored",
                    "content": {"application/json": {"schema": count}},
                },
                **_problems(FEEDBACK_REFUSALS),
            },
        }
    }


def _problems(refusals: dict[str, str]) -> dict[str, Any]:
    return {status: _problem(description) for status, description in refusals.items()}


def _problem(description: str) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Problem"}
    return {"description": description, "content": {"application/problem+json": {"schema": schema}}}


def _get(name: str, summary: str, content_type: str) -> dict[str, Any]:
    responses = {"200": {"description": summary, "content": {content_type: {}}}}
    return {"get": {"operationId": name, "summary": summary, "responses": responses}}
