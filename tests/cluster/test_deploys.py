"""Deploys to the cluster: their time, what the gateway adds, a Secret of the cluster, fields of somebody else."""

import base64
import json
import statistics
import time

import httpx
import pytest

from jupyter_deploy.targets.kubernetes import names

TARGET = ("--trust", "--target", "kubernetes")
BODY = {"instances": [{"age": 62, "weight": 55}]}


@pytest.mark.usefixtures("explained")
def test_a_change_of_the_code_alone_is_routed_soon_and_the_gateway_adds_little(prepared, cluster, namespace, models):
    tags, _ = models
    target = ("--name", "churn", *TARGET)
    first = prepared.json("deploy", tags[1.0], *target, timeout=600)
    began = time.monotonic()
    second = prepared.json("deploy", tags[0.01], *target, timeout=600)
    print(f"code-only deploy: {time.monotonic() - began:.1f} s from call to routed")
    assert second["role"] == "shadow"
    prepared.run("traffic", "churn", "--shadow", f"{tags[0.01]}=0")

    secret = json.loads(cluster.kubectl("-n", namespace, "get", "secret", names.GATEWAY, "-o", "json"))
    key = base64.b64decode(secret["data"]["key"]).decode()
    (pod,) = cluster.pods(namespace, names.selector("release", "churn", tags[1.0]))
    ways = {
        "direct": (f"http://{pod['status']['podIP']}:{names.PORT}", {"x-rollout-key": key}),
        "gateway": (first["url"], {}),
    }
    latencies = {way: [] for way in ways}
    with httpx.Client(trust_env=False, timeout=30) as client:
        for _ in range(300):
            for way, (url, headers) in ways.items():
                sent = time.monotonic()
                answer = client.post(f"{url}/predict", json=BODY, headers=headers)
                latencies[way].append((time.monotonic() - sent) * 1000)
                assert answer.status_code == httpx.codes.OK, answer.text
    direct, through = (statistics.median(latencies[way]) for way in ("direct", "gateway"))
    print(f"gateway overhead: p50 {through - direct:+.2f} ms ({direct:.2f} ms without it)")


@pytest.mark.usefixtures("explained")
def test_a_model_gets_a_secret_of_the_cluster_which_its_user_cannot_read(
    prepared, cluster, namespace, models, monkeypatch
):
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "words"}, "stringData": {"word": "sesame"}}
    cluster.kubectl("-n", namespace, "apply", "-f", "-", document=secret)
    deploy = ("deploy", models[0][4.0], "--name", "worded", *TARGET)
    refused = prepared.run(*deploy, "--secret", "WORD=k8s:words/word", check=False)
    assert "set the variable in your environment for the proof" in refused.stdout + refused.stderr
    monkeypatch.setitem(prepared.environment, "WORD", "mine alone")
    prepared.json(*deploy, "--secret", "WORD=k8s:words/word", timeout=600)
    answered = prepared.json("predict", "worded", "--data", json.dumps({"instances": [{"age": 200, "weight": 55}]}))
    assert answered["body"] == {"predictions": ["sesame"]}
    held = cluster.kubectl("-n", namespace, "get", "configmaps,leases,deployments,pods", "-o", "json")
    assert not {word for word in ("sesame", "mine alone") if word in held}
    assert "sesame" not in prepared.run("describe", "worded", "-o", "json").stdout


@pytest.mark.usefixtures("explained")
def test_a_field_that_somebody_else_owns_is_not_taken(prepared, cluster, namespace, models):
    deploy = ("deploy", models[0][1.0], "--name", "owned", *TARGET)
    prepared.json(*deploy, timeout=600)
    name = names.release_name("owned", models[0][1.0])
    theirs = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {"revisionHistoryLimit": 7},
    }
    # A part of an object is no valid one before the server has merged it.
    apply = ("apply", "--server-side", "--force-conflicts", "--field-manager=platform", "--validate=false", "-f", "-")
    cluster.kubectl("-n", namespace, *apply, document=theirs)
    before = cluster.get(namespace, "deployment", name)
    refused = prepared.run(*deploy, "--resources", "replicas=2", check=False, timeout=600)
    assert refused.returncode != 0
    assert "platform" in refused.stdout + refused.stderr
    after = cluster.get(namespace, "deployment", name)
    assert after["spec"] == before["spec"]
    assert prepared.json("predict", "owned", "--data", json.dumps(BODY))["status"] == httpx.codes.OK
    (release,) = prepared.json("describe", "owned")["releases"]
    assert release["healthy"]
