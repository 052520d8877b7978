"""A release's OpenAPI document: valid, with all protocols, and its examples work."""

from __future__ import annotations

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from protocol_models import MODELS, ask, front_of


@pytest.mark.parametrize("name", MODELS)
def test_each_protocol_is_described_with_an_example_that_is_answered(tmp_path, name):
    front = front_of(tmp_path, name)
    document = ask(front, "GET", "/openapi.json").json()
    OpenAPIV31SpecValidator(document).validate()
    asked = {path: methods["post"] for path, methods in document["paths"].items() if "post" in methods}
    assert set(asked) == {
        "/predict", "/invocations", f"/v1/models/{name}:predict", f"/v2/models/{name}/infer", "/feedback"
    }  # fmt: skip
    for path, post in asked.items():
        if path != "/feedback":
            body = post["requestBody"]["content"]["application/json"]["example"]
            response = ask(front, "POST", path, json=body)
            assert response.status_code == 200, (path, response.text)
    read = [path for path, methods in document["paths"].items() if "get" in methods]
    assert {"/v2", f"/v2/models/{name}", "/ping", "/v1/models", "/v2/health/ready"} <= set(read)
    assert all(ask(front, "GET", path).status_code == 200 for path in read)
