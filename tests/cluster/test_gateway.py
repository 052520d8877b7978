"""The gateway on the real cluster: routes in force in all pods, trust by the key, and what must not stop it."""

import json
import os
import signal
import statistics

import httpx
import pytest

from jupyter_deploy.domain.errors import RouteNotConfirmed
from jupyter_deploy.targets.kubernetes import names
from jupyter_deploy.targets.kubernetes.gateway.confirmation import read_reports, wait_in_force

from .gateways import KEY, ROW, Gateways
from .load import Load

BODY = {"instances": [ROW]}
CLUSTER = "type.googleapis.com/envoy.config.cluster.v3.Cluster"


@pytest.fixture(scope="module")
def gateways(cluster, namespace, gateway_image):
    made = Gateways(cluster, namespace, gateway_image)
    try:
        made.start()
    except AssertionError as error:
        raise AssertionError(cluster.explained(namespace)) from error
    return made


@pytest.fixture(scope="module")
def releases(gateways, models, images):
    tags, _ = models
    return [gateways.release("churn", tags[number], images[number]) for number in (1.0, 0.01)]


def predicted(url, **headers):
    return httpx.post(f"{url}/predict", json=BODY, headers=headers, trust_env=False, timeout=30)


def test_no_request_fails_while_shares_toggle_and_all_pods_confirm(gateways, releases):
    stable, other = releases
    gateways.route(releases)
    url = f"{gateways.url()}/churn"
    assert predicted(url).headers["x-model-version"] == stable.tag
    with Load(url, BODY) as load:
        seconds = [
            gateways.route(releases, canary=other.tag, canary_percent=50 if number % 2 else 5, shadows={})
            if number % 5
            else gateways.route(releases, shadows={other.tag: 100})
            for number in range(50)
        ]
    p50, p95 = statistics.median(seconds), statistics.quantiles(seconds, n=20)[-1]
    print(f"50 toggles confirmed by {len(gateways.pods())} pods: p50 {p50:.3f} s, p95 {p95:.3f} s")
    load.figure("50 toggles")
    assert not load.failures
    assert set(load.versions) == {stable.tag, other.tag}


def test_a_release_believes_only_the_gateway(gateways, releases):
    gateways.route(releases)
    forged = {"x-rollout-role": "shadow", "x-rollout-key": "another key", "x-pair-id": "p"}
    (pod,) = gateways.cluster.pods(gateways.namespace, names.selector("release", "churn", releases[0].tag))
    direct = f"http://{pod['status']['podIP']}:8080"
    assert predicted(direct, **forged).status_code == 403
    assert httpx.get(f"{direct}/readyz", trust_env=False).status_code == 200
    assert predicted(f"{gateways.url()}/churn", **forged).status_code == 200
    path = f"/data/records/churn/{releases[0].version}"
    code = f"import glob; print(*[open(p).read() for p in glob.glob('{path}/*.jsonl')])"
    python = "/opt/nbdeploy/venv/bin/python"
    name = pod["metadata"]["name"]
    records = gateways.cluster.kubectl("-n", gateways.namespace, "exec", name, "--", python, "-c", code)
    assert KEY not in records
    assert '"role":"shadow"' not in records.replace('": "', '":"').splitlines()[-1]


def test_a_faulty_endpoint_stops_no_other_one_and_says_why(gateways, releases):
    gateways.route(releases)
    gateways.write("broken", hash="another")
    cluster = {"@type": CLUSTER, "name": "refused:a", "connect_timeout": "no time"}
    gateways.write("refused", {"cds": [cluster], "edge": [], "shadow": []})
    gateways.write("thief", {"cds": [cluster | {"name": "churn:a"}], "edge": [], "shadow": []})
    for name, why in (
        ("broken", "do not have the hash"),
        ("refused", "connect_timeout"),
        ("thief", "not of this endpoint"),
    ):
        digest = gateways.cluster.get(gateways.namespace, "configmap", names.endpoint_name(name))["data"]["hash"]
        with pytest.raises(RouteNotConfirmed, match="the gateway keeps the former routes") as refused:
            wait_in_force(gateways.api, name, digest, 60)
        assert why in refused.value.message, refused.value.message
    assert gateways.route(releases, canary=releases[1].tag, canary_percent=50) < 15
    assert predicted(f"{gateways.url()}/churn").status_code == 200
    for name in ("broken", "refused", "thief"):
        gateways.api.delete("ConfigMap", names.endpoint_name(name))


def test_a_stopped_endpoint_is_unknown_and_a_pod_that_ends_is_left(gateways, releases):
    gateways.route(releases)
    url = f"{gateways.url()}/churn"
    name = names.release_name("churn", releases[0].tag)
    scale = ("-n", gateways.namespace, "scale", f"deployment/{name}")
    with Load(url, BODY) as load:
        gateways.cluster.kubectl(*scale, "--replicas=2")
        gateways.rolled_out(name)
        load.wait_for(50)
        gateways.cluster.kubectl(*scale, "--replicas=1")
        load.wait_for(400)
        pods = gateways.pods()
        gateways.cluster.kubectl("-n", gateways.namespace, "delete", "pod", pods[0]["metadata"]["name"], "--wait=false")
        gateways.cluster.kubectl("-n", gateways.namespace, "rollout", "restart", f"deployment/{names.GATEWAY}")
        gateways.rolled_out(names.GATEWAY)
        load.wait_for(50)
    load.figure("a release's pod and all gateway pods end")
    assert not load.failures
    gateways.route(releases, running=False)
    assert predicted(url).status_code == 404
    gateways.route(releases)
    digest = gateways.maps.routed("churn")[1]
    assert read_reports(gateways.api).lacking("churn", digest) == ""


def test_envoy_goes_on_without_its_agent_and_the_next_one_continues(gateways, releases):
    gateways.route(releases)
    with Load(f"{gateways.url()}/churn", BODY) as load:
        for pid in list(gateways.agents()):
            os.kill(pid, signal.SIGKILL)
            load.wait_for(100)
            gateways.rolled_out(names.GATEWAY)
        seconds = gateways.route(releases, canary=releases[1].tag, canary_percent=50)
        load.wait_for(100)
    print(f"after both agents were killed, a toggle took {seconds:.3f} s")
    load.figure("each agent is killed")
    assert not load.failures
    restarts = [one["restartCount"] for pod in gateways.pods() for one in pod["status"]["containerStatuses"]]
    assert sum(restarts) == 2


def test_the_secret_decides_about_the_token(gateways, releases):
    gateways.route(releases)
    url, token = f"{gateways.url()}/churn", "a-token-of-the-tests"
    patch = json.dumps({"stringData": {"token": token}})
    gateways.cluster.kubectl("-n", gateways.namespace, "patch", "secret", names.GATEWAY, "--type=merge", "-p", patch)
    gateways.cluster.kubectl("-n", gateways.namespace, "rollout", "restart", f"deployment/{names.GATEWAY}")
    gateways.rolled_out(names.GATEWAY)
    gateways.route(releases, canary=releases[1].tag, canary_percent=10)
    assert predicted(url).status_code == 401
    assert predicted(url, **{"x-nbdeploy-token": token}).status_code == 200
    maps = gateways.cluster.kubectl("-n", gateways.namespace, "get", "configmaps,leases", "-o", "json")
    assert token not in maps
    assert KEY not in maps
