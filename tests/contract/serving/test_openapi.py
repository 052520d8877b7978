"""The description at ``/nbdeploy/openapi.json``: valid, and of every route."""

import json

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from jupyter_deploy.domain.requests import TrafficRequest
from jupyter_deploy.faces.server.rest.openapi import description
from jupyter_deploy.faces.server.rest.table import ROUTES


@pytest.fixture(scope="module")
def described():
    return json.loads(json.dumps(description("/user/ada/")))  # as it is sent


def test_the_description_is_valid(described):
    OpenAPIV31SpecValidator(described).validate()


def test_every_route_is_described_once_with_what_it_may_answer(described):
    assert described["servers"] == [{"url": "/user/ada/nbdeploy"}]
    found = {(method.upper(), path) for path, methods in described["paths"].items() for method in methods}
    assert found == {(route.method, f"/{route.path}") for route in ROUTES}
    names = [one["operationId"] for methods in described["paths"].values() for one in methods.values()]
    assert len(set(names)) == len(names)
    for methods in described["paths"].values():
        for one in methods.values():
            assert {"200", "202", "204"} & set(one["responses"])
            assert "403" in one["responses"]


def test_a_slow_verb_is_described_as_a_job_and_its_body_as_its_request(described):
    traffic = described["paths"]["/traffic"]["post"]
    assert "202" in traffic["responses"]
    assert "200" not in traffic["responses"]
    assert traffic["responses"]["412"] == {"$ref": "#/components/responses/Problem412"}
    reference = traffic["requestBody"]["content"]["application/json"]["schema"]["$ref"]
    fields = described["components"]["schemas"][reference.rpartition("/")[2]]["properties"]
    assert set(fields) == set(TrafficRequest.model_fields)
    assert fields["if_revision"]["description"]


def test_a_look_has_its_requests_fields_as_a_query(described):
    found = {p["name"]: p for p in described["paths"]["/logs"]["get"]["parameters"]}
    assert found["name"]["required"]
    assert not found["limit"]["required"]
    assert "ETag" in described["paths"]["/describe"]["get"]["responses"]["200"]["headers"]
