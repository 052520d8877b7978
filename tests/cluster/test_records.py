"""Records leave the pods: in time, at a pod's end, and while the bucket was away; compare and logs work on them."""

import os
import signal
import time

import pytest

from tests.e2e.conftest import until

from .load import Load

pytestmark = pytest.mark.usefixtures("explained")

BODY = {"instances": [{"age": 62, "weight": 55}]}
DEPLOY = ("--name", "churn", "--trust", "--target", "kubernetes")


def recorded(user):
    """The ids of clients' requests that have a record."""
    return {one["request_id"] for one in user.json("logs", "churn", "--limit", 100000) if one["role"] != "probe"}


def missing(user, sent):
    return sent - recorded(user)


def test_each_answered_request_is_recorded_in_time_at_a_pods_end_and_after_the_bucket_was_away(
    recording, cluster, namespace, bucket, models
):
    tags, _ = models
    first = recording.json("deploy", tags[1.0], *DEPLOY, timeout=600)
    second = recording.json("deploy", tags[0.01], *DEPLOY, timeout=600)
    assert second["role"] == "shadow"
    with Load(first["url"], BODY, rate=20, clients=4) as load:
        load.wait_for(100)
    assert not load.failures, load.figure("records")
    began = time.monotonic()
    until(lambda: not missing(recording, load.ids), timeout=60)
    print(f"records in the bucket: all {len(load.ids)} were read {time.monotonic() - began:.1f} s after the last")

    with Load(first["url"], BODY, rate=20, clients=4) as load:
        (pod,) = [
            pod["metadata"]["name"]
            for pod in cluster.pods(namespace, "app.kubernetes.io/component=release")
            if tags[1.0] in str(pod["metadata"])
        ]
        cluster.kubectl("-n", namespace, "delete", "pod", pod, "--wait=false")
        load.wait_for(200)
    load.figure("a pod was deleted")
    until(lambda: not missing(recording, load.ids), timeout=90)

    with Load(first["url"], BODY, rate=20, clients=4) as load:
        os.kill(bucket.process.pid, signal.SIGSTOP)
        time.sleep(20)
        os.kill(bucket.process.pid, signal.SIGCONT)
        load.wait_for(20)
    assert not load.failures, load.figure("the bucket was away")
    load.figure("the bucket was away")
    until(lambda: not missing(recording, load.ids), timeout=120)

    def compared():
        found = recording.json("compare", "churn", check=False)
        return found if found.get("pairs", 0) >= len(load.ids) else None

    found = until(compared, timeout=120)  # requests of the last minute do not count yet
    print("compare:", {name: found.get(name) for name in ("pairs", "mirrored", "coverage", "shadow_failures")})
    assert found["coverage"]["value"] >= 0.99
