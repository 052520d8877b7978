"""The cluster itself: a published image is pulled by the nodes and answers; a dead part comes back."""

import httpx

from tests.e2e.conftest import until

from .load import Load
from .machine import REGISTRY

ROW = {"age": 30, "weight": 60.5}
NAMES = {"app": "probe"}
SECURITY = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "runAsUser": 12345,
    "readOnlyRootFilesystem": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}


def deployment(image, replicas):
    container = {
        "name": "release",
        "image": str(image.at(digest=image.digest)),
        "ports": [{"containerPort": 8080}],
        "readinessProbe": {"httpGet": {"path": "/readyz", "port": 8080}, "periodSeconds": 1},
        "securityContext": SECURITY,
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],
    }
    spec = {"containers": [container], "volumes": [{"name": "tmp", "emptyDir": {}}]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "probe"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": NAMES},
            "template": {"metadata": {"labels": NAMES}, "spec": spec},
        },
    }


SERVICE = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "probe"},
    "spec": {"selector": NAMES, "ports": [{"port": 80, "targetPort": 8080}]},
}


def test_a_published_image_runs_on_the_nodes_and_answers_while_the_api_server_is_dead(
    cluster, namespace, apply, images
):
    apply(deployment(images[1.0], 3), SERVICE)
    cluster.kubectl("-n", namespace, "rollout", "status", "deployment/probe", "--timeout=300s")
    assert str(images[1.0]).startswith(f"{REGISTRY}/team/churn")
    address = cluster.get(namespace, "service", "probe")["spec"]["clusterIP"]
    answer = httpx.post(f"http://{address}/predict", json={"instances": [ROW]}, trust_env=False, timeout=30)
    assert answer.json() == {"predictions": ["no"]}, answer.text
    with Load(f"http://{address}", {"instances": [ROW]}) as load, cluster.without_apiserver():
        load.wait_for(200)
    assert not load.failures, load.figure("the API server is dead")
    load.figure("the API server is dead")
    until(lambda: len(cluster.pods(namespace)) == 3)
