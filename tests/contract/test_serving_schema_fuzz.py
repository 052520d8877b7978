"""What schemathesis makes of a release's own OpenAPI document is answered as that says; ``make fuzz`` asks far more."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize("name", ["frame", "array", "call"])
def test_no_request_leads_to_an_error_of_the_server_or_to_an_answer_that_is_not_described(name, tmp_path, monkeypatch):
    from tests.fuzzing import KINDS, fuzzed  # schemathesis, which who collects tests should not wait for

    assert name in KINDS
    monkeypatch.setenv("NBDEPLOY_FEEDBACK", str(tmp_path))
    found = fuzzed(name, 70)
    assert not found.faults, "\n\n".join(found.faults)
    asked = {status for (path, status), _ in found.statuses.items() if path == "/predict"}
    assert {200, 400, 422} <= asked
    assert found.cases >= 70
