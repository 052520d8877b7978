"""Requests that schemathesis derives from a release's OpenAPI document; ``make fuzz`` sends many more."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize("name", ["frame", "array", "call"])
def test_no_request_causes_a_server_error_or_an_undocumented_response(name, tmp_path, monkeypatch):
    from tests.fuzzing import KINDS, fuzzed  # schemathesis, which who collects tests should not wait for

    assert name in KINDS
    monkeypatch.setenv("NBDEPLOY_FEEDBACK", str(tmp_path))
    found = fuzzed(name, 70)
    assert not found.faults, "\n\n".join(found.faults)
    asked = {status for (path, status), _ in found.statuses.items() if path == "/predict"}
    assert {200, 400, 422} <= asked
    assert found.cases >= 70
