"""What the service says about itself: ``/metadata`` and ``/openapi.json``."""

from __future__ import annotations

from typing import Any

from .snapshot import Model

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
    "413": "The body is too large",
    "415": "The body is not JSON",
    "422": "The instances do not fit the model; `errors` names row and feature",
    "500": "The model failed",
    "503": "The model is not loaded yet",
}


def metadata(model: Model) -> dict[str, Any]:
    """What answers here and where it came from."""
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
            "path": provenance["source"]["notebook"],
            "sha256": provenance["notebook_sha256"],
            "variable": provenance["source"]["variable"],
        },
        "git": provenance["git"],
        "data_fingerprint": manifest["data_fingerprint"],
        "created": provenance["captured_at"],
        "python": manifest["environment"]["python"],
        "notes": manifest.get("notes", []),
    }


def openapi(model: Model) -> dict[str, Any]:
    """An OpenAPI 3.1 document whose example is the notebook's own."""
    manifest = model.manifest
    signature = manifest["signature"]
    takes, named = _hoisted(signature["instance_schema"])
    shown = 3
    return {
        "openapi": "3.1.0",
        "info": {
            "title": manifest["name"],
            "version": model.tag,
            "description": f"A {manifest['kind']}, captured from {_origin(manifest)}.",
        },
        # Relative to this document, wherever a gateway has put it.
        "servers": [{"url": "."}],
        "paths": {
            "/predict": {
                "post": {
                    "operationId": "predict",
                    "summary": "One prediction for each instance, in their order",
                    "requestBody": {
                        "required": True,
                        "content": {
                            "application/json": {
                                "schema": _only("instances", takes),
                                "example": {"instances": manifest["instances"][:shown]},
                            }
                        },
                    },
                    "responses": {
                        "200": {
                            "description": "The predictions",
                            "content": {
                                "application/json": {
                                    "schema": _only("predictions", signature["answer_schema"]),
                                    "example": {"predictions": manifest["predictions"][:shown]},
                                }
                            },
                        },
                        **{status: _problem(words) for status, words in REFUSALS.items()},
                    },
                }
            },
            "/metadata": _get("metadata", "Where the model came from and what it takes", "application/json"),
            "/openapi.json": _get("openapi", "This document", "application/json"),
            "/livez": _get("livez", "Whether the process runs", "text/plain"),
            "/readyz": _get("readyz", "Whether the model can be asked", "text/plain"),
            "/metrics": _get("metrics", "Figures for Prometheus", "text/plain"),
        },
        "components": {"schemas": {**named, "Problem": PROBLEM}},
    }


def _hoisted(schema: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The schema and what it names: within a document a name is looked up in the document's components."""

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


def _origin(manifest: dict[str, Any]) -> str:
    return manifest["provenance"]["source"]["notebook"] or "an interactive session"


def _only(key: str, items: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "required": [key],
        "properties": {key: {"type": "array", "items": items}},
        "additionalProperties": False,
    }


def _problem(words: str) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Problem"}
    return {"description": words, "content": {"application/problem+json": {"schema": schema}}}


def _get(name: str, summary: str, content_type: str) -> dict[str, Any]:
    responses = {"200": {"description": summary, "content": {content_type: {}}}}
    return {"get": {"operationId": name, "summary": summary, "responses": responses}}
