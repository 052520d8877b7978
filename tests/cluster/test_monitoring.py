"""Metrics of releases in a cluster: the exporter that an administrator applies, as Prometheus reads it."""

import subprocess

import httpx
import pytest
import yaml

from jupyter_deploy.targets.kubernetes import names
from tests.e2e.conftest import until

from .load import Load

pytestmark = pytest.mark.usefixtures("explained")


def body(number):
    """A request far from the training table."""
    return {"instances": [{"age": 62, "weight": 150 + number * 1e-6}]}


DEPLOY = ("--name", "churn", "--trust", "--target", "kubernetes")


@pytest.fixture(scope="module")
def url(recording, cluster, namespace, models):
    """The exporter's URL, and two releases of an endpoint, stable with two pods."""
    first = recording.json("deploy", models[0][1.0], *DEPLOY, "--resources", "replicas=2", timeout=600)
    recording.json("deploy", models[0][0.01], *DEPLOY, "--resources", "replicas=1", timeout=600)
    documents = yaml.safe_load_all(recording.run("manifests", "--monitoring", "-o", "yaml").stdout)
    # The operator of Prometheus is not there.
    known = [one for one in documents if not one["apiVersion"].startswith("monitoring.")]
    assert len(known) == 6
    cluster.kubectl("apply", "-f", "-", document={"apiVersion": "v1", "kind": "List", "items": known})
    cluster.kubectl("-n", namespace, "rollout", "status", f"deployment/{names.EXPORTER}", "--timeout=300s")
    with Load(first["url"], body, rate=20, clients=4) as load:
        load.wait_for(150)
    address = cluster.get(namespace, "service", names.EXPORTER)["spec"]["clusterIP"]
    return f"http://{address}:8790"


def samples(url, name):
    """The samples of a metric: its labels as text, and the value."""
    text = httpx.get(f"{url}/metrics", trust_env=False, timeout=30).text
    lines = [line.rpartition(" ") for line in text.splitlines() if line.startswith((f"{name}{{", f"{name} "))]
    return [(labels, float(value)) for labels, _, value in lines]


def test_the_exporter_has_the_metrics_of_every_pod_of_every_release(url, cluster, namespace, models, recording):
    text = httpx.get(f"{url}/metrics", trust_env=False, timeout=30).text
    checked = subprocess.run(["promtool", "check", "metrics"], input=text, text=True, capture_output=True, check=False)
    assert checked.returncode != 1, checked.stderr  # 3: names that its linter does not like
    pods = {pod["metadata"]["name"] for pod in cluster.pods(namespace, "app.kubernetes.io/component=release")}
    requests = samples(url, "nbdeploy_requests_total")
    stable = [labels for labels, _ in requests if models[0][1.0] in labels and 'role="stable"' in labels]
    assert {pod for pod in pods if any(f'pod="{pod}"' in labels for labels in stable)} == {
        pod["metadata"]["name"] for pod in cluster.pods(namespace, names.selector("release", "churn", models[0][1.0]))
    }
    assert sum(value for labels, value in requests if 'role="stable"' in labels) >= 50
    assert [value for _, value in samples(url, "nbdeploy_release_up")] == [1, 1]
    assert sorted(value for _, value in samples(url, "nbdeploy_release_pods")) == [1, 2]
    assert {value for _, value in samples(url, "nbdeploy_release_traffic_ratio")} == {1}
    before = samples(url, "nbdeploy_endpoint_revision")[0][1]
    recording.run("traffic", "churn", "--shadow", f"{models[0][0.01]}=10")
    until(lambda: samples(url, "nbdeploy_endpoint_revision")[0][1] == before + 1)
    assert sorted(value for _, value in samples(url, "nbdeploy_release_traffic_ratio")) == [0.1, 1]


def test_drift_is_published_as_at_home_and_a_colleague_without_the_model_sees_the_same(
    url, models, recording, colleague
):
    """Pods upload their records within 30 seconds, and the watcher reads them every 30."""

    def published(name):
        of_stable = f'release="{models[0][1.0]}",role="stable"'
        return {labels: value for labels, value in samples(url, f"nbdeploy_drift_{name}") if of_stable in labels}

    def found_the_same():
        at_home = recording.json("drift", "churn")
        clusters = published("clusters_total").values()
        return at_home["drift_alarms"] and at_home["clusters"] in clusters and at_home

    at_home = until(found_the_same, timeout=400)
    assert at_home["clusters"] >= 150
    assert sum(published("alarms_total").values()) >= 1
    features = {labels.partition('feature="')[2].partition('"')[0] for labels in published("e_value")}
    assert {"age", "weight"} <= features

    # The sketch of the training table is in the endpoint's ConfigMap.
    of_colleague = colleague.json("drift", "churn")
    assert {key: of_colleague[key] for key in ("clusters", "drift_alarms")} == {
        key: at_home[key] for key in ("clusters", "drift_alarms")
    }


def test_the_exporter_may_read_nothing_but_configmaps_and_addresses(url, cluster, namespace):
    account = f"--as=system:serviceaccount:{namespace}:{names.EXPORTER}"
    allowed = {
        kind: cluster.kubectl("-n", namespace, "auth", "can-i", "list", kind, account, check=False).strip()
        for kind in ("configmaps", "endpointslices.discovery.k8s.io", "secrets", "pods", "leases")
    }
    assert [kind for kind, word in allowed.items() if word == "yes"] == [
        "configmaps",
        "endpointslices.discovery.k8s.io",
    ]
    assert httpx.get(f"{url}/churn", trust_env=False).status_code == 404
