"""The main job on a cluster: deploy, shadow, compare, canary, promote, rollback, down; under load, no request fails."""

import pytest

from tests.e2e.conftest import until

from .load import Load

ROW = {"age": 62, "weight": 55}
BODY = {"instances": [ROW]}


@pytest.fixture(scope="module")
def prepared(cluster, namespace, operator):
    """The namespace with what its administrator applies."""
    rights = operator.run("manifests", "--rbac", "--open", "-o", "yaml").stdout
    path = operator.path / "rights.yaml"
    path.write_text(rights)
    cluster.kubectl("apply", "-f", path)
    return operator


@pytest.fixture
def explained(cluster, namespace, request):
    """Pods, events and logs after a failure."""
    yield
    print(cluster.explained(namespace))


def test_the_main_job(prepared, cluster, namespace, models, explained):
    operator, (tags, _) = prepared, models
    deploy = ("--name", "churn", "--trust", "--target", "kubernetes")
    first = operator.json("deploy", tags[1.0], *deploy, timeout=600)
    assert first["release"] == tags[1.0]
    assert "@sha256:" in first["image"]
    with Load(first["url"], BODY, rate=20) as load:
        second = operator.json("deploy", tags[0.01], *deploy, timeout=600)
        assert second["role"] == "shadow"
        load.wait_for(100)
        operator.run("traffic", "churn", "--canary", f"{tags[0.01]}=50")
        load.wait_for(100)
        described = operator.json("describe", "churn")
        assert described["gateway"]
        assert all(one["healthy"] for one in described["releases"])
        operator.run("promote", "churn", tags[0.01])
        load.wait_for(50)
        operator.run("rollback", "churn")
        load.wait_for(50)
    assert not load.failures, load.figure("main job")
    load.figure("main job")
    assert set(load.versions) == {tags[1.0], tags[0.01]}
    operator.run("down", "--target", "kubernetes")
    kinds = "deployments,services,configmaps,networkpolicies,pdb"
    ours = ("-l", "app.kubernetes.io/managed-by=nbdeploy", "-o", "name")
    assert cluster.kubectl("-n", namespace, "get", kinds, *ours) == ""
    # A pod of the gateway drains, and its Lease ends with it.
    until(lambda: cluster.kubectl("-n", namespace, "get", "pods,leases", *ours) == "")
    assert operator.json("list") == []
