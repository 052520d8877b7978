"""The gateway's ledger has no query string, and of an endpoint that records nothing no caller's id; a real Envoy."""

from __future__ import annotations

import httpx

from tests.contract.targets.test_local_target_support import endpoint_of, eventually, staged

BODY = {"instances": [1]}
SECRET = "987-65-4321"


def predict(url: str, caller: str) -> None:
    for path in (f"{url}/predict?ssn={SECRET}", f"{url}/invocations?ssn={SECRET}"):
        answer = httpx.post(path, json=BODY, headers={"x-request-id": caller}, trust_env=False, timeout=20)
        assert answer.status_code == 200, answer.text
        assert answer.headers["x-request-id"] == caller


def test_a_query_is_never_in_the_ledger_and_a_callers_id_only_while_requests_are_recorded() -> None:
    with staged() as stage:
        one, two = stage.release("aaa"), stage.release("bbb")
        for release in (one, two):
            stage.target.start(release)
        endpoint = endpoint_of(one, two, shadows={two.tag: 100})
        url = stage.target.route(endpoint)
        predict(url, "ada-1")
        off = endpoint.recording("off").model_copy(update={"revision": endpoint.revision + 1})
        assert stage.target.route(off) == url
        predict(url, SECRET)
        for log in (stage.edge, stage.shadow):
            lines = eventually(lambda log=log: log() if len(log()) == 4 else None)
            assert SECRET not in str(lines)
            assert "ssn" not in str(lines)
            assert [line["request_id"] for line in lines] == ["ada-1", "ada-1", "-", "-"]
        assert [line["path"].rpartition("/")[2] for line in stage.edge()] == ["predict", "invocations"] * 2
