"""``plan`` and ``apply`` of documents for a cluster, by the server's dry run, and ``manifests``."""

import time

import pytest
import yaml

from jupyter_deploy.targets.kubernetes import names
from tests.conftest import make_home

TARGET = ("--target", "kubernetes")


@pytest.fixture(scope="module")
def written(prepared):
    """Write documents into a file and plan or apply it; the results by endpoint."""

    def run(verb, *documents, code=None):
        path = prepared.path / f"{verb}.yaml"
        path.write_text(yaml.safe_dump_all(documents))
        done = prepared.run(verb, path, "--trust", "-o", "json", timeout=900, check=False)
        assert done.returncode == (0 if code is None else code), done.stdout + done.stderr
        return {one["endpoint"]: one for one in yaml.safe_load(done.stdout)}

    return run


def document_of(home, name):
    (found,) = yaml.safe_load_all(home.run("describe", name, "-o", "yaml").stdout)
    return found


@pytest.fixture(scope="module")
def other(models):
    """The tag of a second release."""
    return models[0][0.01]


@pytest.fixture(scope="module")
def churn(prepared, models):
    """The document of an endpoint in the cluster."""
    prepared.json("deploy", models[0][1.0], "--name", "churn", "--trust", *TARGET, timeout=600)
    return document_of(prepared, "churn")


def versions(cluster, namespace):
    kinds = "deployments,services,networkpolicies,horizontalpodautoscalers"
    found = cluster.get(namespace, kinds, "-l", "app.kubernetes.io/component=release")
    return {
        (one["kind"], one["metadata"]["name"]): (one["metadata"]["uid"], one["metadata"].get("generation"))
        for one in found
    }


@pytest.mark.usefixtures("explained")
def test_a_plan_shows_what_becomes_of_the_clusters_objects_and_changes_none(written, churn, other, cluster, namespace):
    assert written("plan", churn)["churn"]["objects"] == []
    before = versions(cluster, namespace)
    (first,) = churn["releases"]
    wider = churn | {
        "releases": [first | {"resources": {"replicas": "2-3", "cpu": 0.25}}, {"tag": other}],
        "traffic": churn["traffic"] | {"shadow": {other: 100}},
    }
    planned = written("plan", wider, code=1)["churn"]
    actions = {one["object"].partition(" ")[0]: one["action"] for one in planned["objects"]}
    assert actions["HorizontalPodAutoscaler"] == "create"
    changed = next(one for one in planned["objects"] if one["action"] == "change")
    assert changed["object"].startswith("Deployment nbd-churn-")
    lines = [line.replace(" ", "") for line in changed["difference"]]
    assert "-replicas:1" in lines
    assert "+replicas:2" in lines
    assert "+cpu:250m" in lines
    creates = [one["object"].partition(" ")[0] for one in planned["objects"] if one["action"] == "create"]
    assert (creates.count("Deployment"), creates.count("HorizontalPodAutoscaler")) == (1, 2)
    assert versions(cluster, namespace) == before

    written("apply", wider)
    assert written("plan", wider)["churn"]["changes"] == []
    autoscalers = cluster.get(namespace, "hpa")
    assert [one["spec"]["minReplicas"] for one in autoscalers] == [2, 2]  # a new release has stable's resources

    written("apply", churn | {"releases": [first | {"resources": {}}], "traffic": {"stable": first["tag"]}})
    gone, kept = (names.release_name("churn", tag) for tag in (first["tag"], other))
    assert [one["metadata"]["name"] for one in cluster.get(namespace, "hpa")] == [kept]  # it is idle, and kept warm
    assert cluster.get(namespace, "deployment", gone)["spec"]["replicas"] == 1


@pytest.mark.usefixtures("explained")
def test_fifty_endpoints_are_planned_in_one_look(prepared, written, models):
    fifty = [
        {"name": f"many{number}", "target": "kubernetes", "releases": [{"tag": models[0][1.0]}]} for number in range(50)
    ]
    began = time.monotonic()
    planned = written("plan", *fifty, code=1)
    print(f"plan of 50 new endpoints by 150 dry runs: {time.monotonic() - began:.1f} s")
    shown = prepared.run("plan", prepared.path / "plan.yaml", "--trust", check=False).stdout
    assert "many0, objects in the cluster" in shown
    assert len(planned) == 50
    assert all(len(one["objects"]) == 3 for one in planned.values())


@pytest.mark.usefixtures("explained")
def test_the_same_document_makes_the_endpoint_on_either_target(prepared, churn, models, tmp_path):
    here = make_home(tmp_path / "home")
    here.environment["BENTOML_HOME"] = prepared.environment["BENTOML_HOME"]
    own = {key: value for key, value in churn.items() if key != "target"}
    own["releases"] = [{key: value for key, value in one.items() if key != "image"} for one in own["releases"]]
    file = tmp_path / "churn.yaml"
    try:
        file.write_text(yaml.safe_dump(own | {"target": "local"}))
        here.run("apply", file, "--trust", timeout=300)
        local = document_of(here, "churn")
        assert local["target"] == "local"
        assert local | {"target": "kubernetes"} == {**own, "target": "kubernetes"} | {"releases": local["releases"]}
        assert [one["tag"] for one in local["releases"]] == [one["tag"] for one in own["releases"]]
        file.write_text(yaml.safe_dump(own | {"target": "kubernetes", "name": "again"}))
        prepared.run("apply", file, "--trust", timeout=600)
        assert document_of(prepared, "again")["releases"][0]["tag"] == models[0][1.0]
    finally:
        here.run("down", check=False)
        here.down()


@pytest.mark.usefixtures("explained")
def test_manifests_are_what_the_server_takes(prepared, churn, cluster, namespace):
    prepared.environment["NBDEPLOY_KUBERNETES__HOSTS"] = "models.example.org, *.lab.example.org"
    try:
        exposed = prepared.run("manifests", "--expose", "--tls", "certificate", "-o", "yaml").stdout
    finally:
        del prepared.environment["NBDEPLOY_KUBERNETES__HOSTS"]
    path = prepared.path / "exposed.yaml"
    path.write_text(exposed)
    assert "ingress" in cluster.kubectl("apply", "--dry-run=server", "-f", path)
    workloads = list(yaml.safe_load_all(prepared.run("manifests", "churn", "-o", "yaml").stdout))
    assert {one["kind"] for one in workloads} == {"Service", "NetworkPolicy", "Deployment"}
    assert workloads[-1]["spec"]["replicas"] == 1
