"""The time of a deploy to the cluster, and what the gateway adds to a request."""

import base64
import json
import statistics
import time

import httpx
import pytest

from jupyter_deploy.targets.kubernetes import names

BODY = {"instances": [{"age": 62, "weight": 55}]}


@pytest.mark.usefixtures("explained")
def test_a_change_of_the_code_alone_is_routed_soon_and_the_gateway_adds_little(prepared, cluster, namespace, models):
    tags, _ = models
    target = ("--name", "churn", "--trust", "--target", "kubernetes")
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
