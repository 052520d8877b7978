"""What clients and shadows get to see: real workers behind a real Envoy."""

from __future__ import annotations

import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import pytest

from jupyter_deploy.domain.errors import TargetError
from jupyter_deploy.serving.telemetry.recording import Recording, recording
from jupyter_deploy.serving.telemetry.routing import Routing, routing
from jupyter_deploy.targets.envoy import documents as envoy
from jupyter_deploy.targets.local.gateway import admin
from jupyter_deploy.targets.local.supervisor.supervisord import Supervisor
from tests.contract.targets.test_local_target_support import Load, Stage, ask, endpoint_of, eventually, stage, staged

__all__ = ["stage"]


def test_a_started_release_answers_through_the_gateway(stage: Stage) -> None:
    release = stage.release("aaa")
    stage.target.start(release)
    url = stage.target.route(endpoint_of(release))

    answer = ask(url, [1, 2], x_request_id="mine")

    assert answer.json() == {"predictions": ["aaa", "aaa"]}
    assert answer.headers["x-request-id"] == "mine"
    assert answer.headers["x-model-version"] == "aaa"
    assert httpx.get(f"{url}/metadata?a=1").json()["path"] == "/metadata"
    assert httpx.get(url).json()["path"] == "/"
    assert ask(url).headers["x-request-id"]
    assert stage.seen("aaa", "stable")[0]["path"] == "/predict"


def test_of_what_runs_the_supervisor_is_asked_once_a_start_and_twice_a_route(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each question waits for another process: on a busy machine that is what a toggle's time goes into."""
    one, two = stage.release("aaa"), stage.release("bbb")
    for release in (one, two):
        stage.target.start(release)
    stage.target.route(endpoint_of(one, two))
    asked: list[str] = []
    call = Supervisor._call

    def counted(supervisor: Supervisor, method: str, *arguments: Any) -> Any:
        asked.append(method)
        return call(supervisor, method, *arguments)

    monkeypatch.setattr(Supervisor, "_call", counted)
    assert not stage.target.start(two)
    assert len(asked) == 1
    stage.target.route(endpoint_of(one, two, shadows={two.tag: 100}, revision=2))
    assert len(asked) == 3


def test_a_shadow_gets_every_request_once_with_the_pair_id_of_stable(stage: Stage) -> None:
    one, two = stage.release("aaa"), stage.release("bbb")
    for release in (one, two):
        stage.target.start(release)
    endpoint = endpoint_of(one, two, shadows={two.tag: 100})
    url = stage.target.route(endpoint)

    texts = ["x" * (3_000_000 if number == 7 else number) for number in range(25)]
    assert all(ask(url, [text]).json() == {"predictions": ["aaa"]} for text in texts)
    httpx.get(f"{url}/metadata")
    httpx.get(url)
    httpx.post(f"{url}/feedback", json={"feedback": []})

    copies = eventually(lambda: (found := stage.seen("bbb", "shadow")) and len(found) == 25 and found)
    originals = stage.seen("aaa", "stable")
    by_pair = {seen["headers"]["x-pair-id"]: seen["body"] for seen in originals}
    assert {seen["headers"]["x-pair-id"]: seen["body"] for seen in copies} == by_pair
    assert {seen["headers"]["x-rollout-release"] for seen in copies} == {two.tag}
    eventually(lambda: len(stage.shadow()) >= 25)
    eventually(lambda: len(stage.edge()) >= 25)
    assert sorted(line["pair_id"] for line in stage.shadow()) == sorted(by_pair)
    assert sorted(line["pair_id"] for line in stage.edge()) == sorted(by_pair)
    line = stage.shadow()[0]
    assert (line["endpoint"], line["release"], line["role"], line["status"]) == ("tumour", two.tag, "shadow", 200)
    line = stage.edge()[0]
    assert (line["release"], line["role"], line["path"]) == (one.tag, "stable", "/tumour/predict")
    counts = stage.target.observe(endpoint).counts
    assert {tag: (found.requests, found.errors) for tag, found in counts.items()} == {
        one.tag: (25, 0),  # without requests other than predictions
        two.tag: (25, 0),
    }


def test_two_shadows_get_the_shares_they_were_given(stage: Stage) -> None:
    one, two, three = (stage.release(version) for version in ("aaa", "bbb", "ccc"))
    for release in (one, two, three):
        stage.target.start(release)
    url = stage.target.route(endpoint_of(one, two, three, shadows={two.tag: 100, three.tag: 30}))

    with Load(url) as load:
        eventually(lambda: len(load.answers) >= 300, 120)

    assert not load.failures
    total = len(load.answers)
    eventually(lambda: sum(line["release"] == two.tag for line in stage.shadow()) >= total)
    time.sleep(0.3)  # one flush of the log more: nothing may come
    shares = Counter(line["release"] for line in stage.shadow())
    assert shares[two.tag] == total
    assert 0.2 < shares[three.tag] / total < 0.4


@pytest.mark.parametrize(
    ("behaviour", "flags"), [({"delay": 3}, "UT"), ({"die": True}, "U"), ({"status": 500}, "-")], ids=str
)
def test_a_shadow_in_trouble_touches_no_client(behaviour: dict[str, Any], flags: str) -> None:
    with staged(shadow_timeout=1.0) as stage:
        one, two = stage.release("aaa"), stage.release("bbb")
        for release in (one, two):
            stage.target.start(release)
        endpoint = endpoint_of(one, two, shadows={two.tag: 100})
        url = stage.target.route(endpoint)
        stage.behave("bbb", **behaviour)

        with Load(url, clients=2) as load:
            eventually(lambda: len(load.answers) >= 60)

        assert not load.failures
        eventually(lambda: len(stage.edge()) == len(load.answers))
        eventually(lambda: len(stage.shadow()) >= len(load.answers))
        pairs = {line["pair_id"] for line in stage.edge()}
        assert sorted(line["pair_id"] for line in stage.shadow()) == sorted(pairs)
        assert any(flags in line["flags"] for line in stage.shadow())
        assert all(line["status"] != 200 for line in stage.shadow()[5:])
        counts = stage.target.observe(endpoint).counts
        assert counts[two.tag].errors > 0
        assert counts[one.tag].errors == 0


def test_clients_cannot_forge_what_the_gateway_stamps(stage: Stage) -> None:
    one, two = stage.release("aaa"), stage.release("bbb")
    for release in (one, two):
        stage.target.start(release)
    url = stage.target.route(endpoint_of(one, two, shadows={two.tag: 100}))
    forged = {
        "x-pair-id": "forged",
        "x-rollout-role": "shadow",
        "x-rollout-release": two.tag,
        "x-rollout-endpoint": "other",
        "x-rollout-record": "off",
        "X-Rollout-Invented": "forged",
        "x-envoy-upstream-rq-timeout-ms": "1",
        "x-envoy-retry-on": "5xx",
    }

    assert ask(url, **forged).status_code == 200
    rest = httpx.get(f"{url}/metadata", headers=forged).json()["headers"]

    copy = eventually(lambda: stage.seen("bbb", "shadow"))[0]["headers"]
    original = stage.seen("aaa", "stable")[0]["headers"]
    assert original["x-pair-id"] == copy["x-pair-id"] != "forged"
    assert (original["x-rollout-release"], copy["x-rollout-release"]) == (one.tag, two.tag)
    assert original["x-rollout-endpoint"] == "tumour"
    assert (original["x-rollout-record"], copy["x-rollout-record"]) == ("full", "full")
    for headers in (original, copy, rest):
        assert not {"x-rollout-invented", "x-envoy-retry-on", "x-envoy-upstream-rq-timeout-ms"} & set(headers)
    assert rest["x-pair-id"] != "forged"
    assert {name: rest[name] for name in rest if name.startswith("x-rollout-")} == {"x-rollout-record": "full"}


@pytest.mark.parametrize(("version", "words"), [(None, "names no format"), ("2", "has format 2")])
def test_a_bento_of_another_format_is_neither_started_nor_routed_and_what_runs_goes_on(
    stage: Stage, version: str | None, words: str
) -> None:
    one = stage.release("aaa")
    stage.target.start(one)
    url = stage.target.route(endpoint_of(one))
    file = Path(one.path) / "src" / "serving" / "VERSION"
    file.unlink()
    if version:
        file.write_text(version)
    assert not stage.target.start(one)
    with pytest.raises(TargetError, match=f"the bento of tumour:aaa {words}; this nbdeploy runs") as caught:
        stage.target.route(endpoint_of(one, revision=2).recording("meta"))
    assert "'nbdeploy stop tumour', then 'nbdeploy deploy tumour:aaa --name tumour'" in caught.value.remedy
    assert ask(url).status_code == 200
    stage.target.stop(one)
    with pytest.raises(TargetError, match=words):
        stage.target.start(one)
    assert not stage.processes()


def test_a_release_is_told_its_mode_of_recording_its_sample_and_what_it_redacts(stage: Stage) -> None:
    one = stage.release("aaa").model_copy(update={"redact": ("größe 50%", "a,b")})
    stage.target.start(one)
    url = stage.target.route(endpoint_of(one, revision=1).recording("meta"))
    assert ask(url).status_code == 200
    stage.target.route(endpoint_of(one, revision=2).recording(None, 0.5))
    assert ask(url).status_code == 200
    first, second = [recording(seen["headers"]["x-rollout-record"]) for seen in stage.seen("aaa", "stable")]
    assert first.kept == "meta"
    assert second == Recording("full", 0.5, one.redact)


def test_each_release_is_told_what_it_redacts_itself(stage: Stage) -> None:
    one, two = stage.release("aaa"), stage.release("bbb")
    one, two = (one.model_copy(update={"redact": ("ssn",)}), two.model_copy(update={"redact": ("iban",)}))
    for release in (one, two):
        stage.target.start(release)
    url = stage.target.route(endpoint_of(one, two, shadows={two.tag: 100.0}).recording(None, 0.5))
    assert ask(url).status_code == 200
    copy = eventually(lambda: stage.seen("bbb", "shadow"))[0]["headers"]
    original = stage.seen("aaa", "stable")[0]["headers"]
    assert original["x-rollout-record"] == "full;sample=0.5;redact=ssn"
    assert copy["x-rollout-record"] == "full;sample=0.5;redact=iban"


def test_a_canary_gets_its_share_and_a_sticky_key_its_release(stage: Stage) -> None:
    one, two = stage.release("aaa"), stage.release("bbb")
    for release in (one, two):
        stage.target.start(release)
    url = stage.target.route(endpoint_of(one, two, canary=two.tag, canary_percent=20))

    with httpx.Client(base_url=url) as client:

        def answer(**headers: str) -> str:
            forged = {"x-rollout-canary": "forged;share=1", "x-rollout-salt": "forged"}
            said = client.post("/predict", json={"instances": [1]}, headers=headers | forged)
            return str(said.json()["predictions"][0])

        shares = Counter(answer() for _ in range(400))
        assert 40 < shares["bbb"] < 130
        keys = {f"user-{number}" for number in range(60)}
        first = {key: answer(**{"x-sticky-key": key}) for key in keys}
        assert set(first.values()) == {"aaa", "bbb"}
        assert first == {key: answer(**{"x-sticky-key": key}) for key in keys}
        stage.target.route(endpoint_of(one, two, revision=2, canary=two.tag, canary_percent=60))
        later = {key: answer(**{"x-sticky-key": key}) for key in keys}
        assert all(later[key] == "bbb" for key in keys if first[key] == "bbb")
        assert Counter(later.values())["bbb"] > Counter(first.values())["bbb"]
        stage.target.route(endpoint_of(one, two, revision=3, canary=two.tag, canary_percent=100))
        assert {answer() for _ in range(20)} == {"bbb"}
    assert {seen["headers"]["x-rollout-role"] for seen in stage.seen("bbb")} == {"probe", "canary"}
    for version, role, told in (("aaa", "stable", [0.2, 0.6]), ("bbb", "canary", [0.2, 0.6, 1.0])):
        shares = [routing(seen["headers"]["x-rollout-canary"].encode()) for seen in stage.seen(version, role)]
        assert list(dict.fromkeys(shares)) == [Routing(two.tag, share) for share in told]
    salts = {seen["headers"]["x-rollout-salt"] for seen in stage.seen("aaa", "stable")}
    assert len(salts) == 1
    assert "forged" not in salts


def test_thirty_traffic_changes_under_load_lose_no_request(stage: Stage) -> None:
    one, two, three = releases = [stage.release(version) for version in ("aaa", "bbb", "ccc")]
    for release in releases:
        stage.target.start(release)
    ways = [
        {"stable": one.tag, "shadows": {two.tag: 100}},
        {"stable": one.tag, "canary": two.tag, "canary_percent": 30, "shadows": {three.tag: 50}},
        {"stable": two.tag, "shadows": {one.tag: 10, three.tag: 100}},
        {"stable": three.tag, "canary": one.tag, "canary_percent": 50},
        {"stable": two.tag},
    ]
    url = stage.target.route(endpoint_of(*releases))

    with Load(url) as load:
        for revision in range(30):
            stage.target.route(endpoint_of(*releases, revision=revision + 2, **ways[revision % 5]))
            goal = len(load.answers) + 5  # one more than were on their way
            eventually(lambda goal=goal: load.failures or len(load.answers) >= goal)

    assert not load.failures
    assert len(load.answers) > 100
    assert {"aaa", "bbb", "ccc"} == set(load.answers)
    eventually(lambda: len(stage.edge()) >= len(load.answers))
    assert len(stage.edge()) == len(load.answers)
    known = {line.partition("::")[0] for line in _admin(stage, "/clusters").splitlines()}
    assert known == {two.tag, "metrics"}, "what is not used is gone"


def test_a_slow_answer_survives_the_promotion_of_another_release(stage: Stage) -> None:
    one, two = stage.release("aaa"), stage.release("bbb")
    for release in (one, two):
        stage.target.start(release)
    url = stage.target.route(endpoint_of(one, two))
    stage.behave("aaa", delay=1.5)
    answers: list[httpx.Response] = []
    client = threading.Thread(target=lambda: answers.append(ask(url)))
    client.start()
    eventually(lambda: stage.seen("aaa", "stable"))

    stage.target.route(endpoint_of(one, two, revision=2, stable=two.tag))
    stage.target.stop(one)

    client.join()
    assert answers[0].json() == {"predictions": ["aaa"]}
    assert ask(url).json() == {"predictions": ["bbb"]}


def test_copies_that_the_first_hop_drops_are_counted(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(envoy, "_HOP_BREAKER", 1)
    one, two = stage.release("aaa"), stage.release("bbb")
    for release in (one, two):
        stage.target.start(release)
    endpoint = endpoint_of(one, two, shadows={two.tag: 100})
    url = stage.target.route(endpoint)
    stage.behave("bbb", delay=0.3)

    with Load(url, clients=2) as load:
        eventually(lambda: len(load.answers) >= 50)

    assert not load.failures
    eventually(lambda: stage.target.observe(endpoint).overflowed[two.tag] > 0)
    # Every copy is either in the ledger or counted.
    eventually(lambda: len(stage.shadow()) + stage.target.observe(endpoint).overflowed[two.tag] == len(load.answers))


def _admin(stage: Stage, path: str) -> str:
    with admin.Admin(str(stage.runtime / "admin.sock")) as asked:
        return asked.get(path) or ""
