"""Records leave the pods: in time, at a pod's end, and while the bucket was away; compare and logs work on them."""

import os
import signal
import subprocess
import sys
import time
import urllib.request

import pytest

from tests.conftest import free_port
from tests.e2e.conftest import until

from .load import Load

pytestmark = pytest.mark.usefixtures("explained")

BRIDGE = "10.199.0.1"
BODY = {"instances": [{"age": 62, "weight": 55}]}
DEPLOY = ("--name", "churn", "--trust", "--target", "kubernetes")


class Bucket:
    """An S3 on the bridge, which the pods reach."""

    def __init__(self):
        port = free_port()
        self.url = "s3://records/nbdeploy"
        self.variables = {
            "AWS_ENDPOINT_URL": f"http://{BRIDGE}:{port}",
            "AWS_ACCESS_KEY_ID": "tests",
            "AWS_SECRET_ACCESS_KEY": "tests",
            "AWS_DEFAULT_REGION": "us-east-1",
        }
        command = [sys.executable, "-m", "moto.server", "-H", BRIDGE, "-p", str(port)]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until(self._answers)

    def _answers(self):
        request = urllib.request.Request(f"{self.variables['AWS_ENDPOINT_URL']}/records", method="PUT")
        try:
            urllib.request.urlopen(request, timeout=5).close()
        except OSError:
            return False
        return True


@pytest.fixture(scope="module")
def bucket():
    made = Bucket()
    yield made
    made.process.kill()
    made.process.wait()


@pytest.fixture(scope="module")
def recording(prepared, cluster, namespace, bucket, shipper_image):
    """A user whose pods upload to the bucket."""
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "bucket"}, "stringData": bucket.variables}
    cluster.kubectl("-n", namespace, "apply", "-f", "-", document=secret)
    prepared.environment |= bucket.variables | {
        "NBDEPLOY_RECORDS_TO": bucket.url,
        "NBDEPLOY_KUBERNETES__SHIPPER_IMAGE": str(shipper_image),
        "NBDEPLOY_KUBERNETES__RECORDS_SECRET": "bucket",
    }
    return prepared


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
    print(f"all {len(load.ids)} records were in the bucket and read {time.monotonic() - began:.1f} s after the last")

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

    compared = recording.json("compare", "churn", check=False)
    print("compare:", {name: compared.get(name) for name in ("pairs", "mirrored", "coverage", "shadow_failures")})
    assert compared["pairs"] >= len(load.ids)
