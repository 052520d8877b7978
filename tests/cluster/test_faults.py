"""Faults of a cluster under load: which requests fail, each with its figure. The endpoint and its routes stay whole."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.conftest import make_home
from tests.e2e.conftest import until

from .load import Load

BODY = {"instances": [{"age": 62, "weight": 55}]}
DEPLOY = ("--name", "churn", "--trust", "--target", "kubernetes")
CLIENTS = 8
"""As many requests can be in flight."""

pytestmark = pytest.mark.usefixtures("explained")


@pytest.fixture(scope="module")
def churn(prepared, models, cluster, namespace):
    """An endpoint with a stable release of two pods and a canary; ``url``, ``stable``, ``canary``."""
    prepared.environment["NBDEPLOY_KUBERNETES__REPLICAS"] = "2"
    tags, _ = models
    first = prepared.json("deploy", tags[1.0], *DEPLOY, timeout=600)
    prepared.json("deploy", tags[0.01], *DEPLOY, timeout=600)
    prepared.run("traffic", "churn", "--canary", f"{tags[0.01]}=20")
    return first["url"]


@pytest.fixture
def load(churn):
    with Load(churn, BODY, rate=50, clients=CLIENTS) as made:
        yield made


def ended(load, what, most=0):
    """Stop the load; print its figure; at most so many requests failed."""
    load.__exit__()
    line = load.figure(what)
    assert len(load.failures) <= most, f"{line}\n{load.failures[:10]}"


def pods(cluster, namespace, component):
    found = cluster.pods(namespace, f"app.kubernetes.io/component={component}")
    return [(pod["metadata"]["name"], pod["spec"]["nodeName"]) for pod in found]


def test_a_killed_pod_fails_only_requests_in_flight(cluster, namespace, load):
    name, _ = pods(cluster, namespace, "release")[0]
    cluster.kubectl("-n", namespace, "delete", "pod", name, "--grace-period=0", "--force")
    load.wait_for(300)
    ended(load, "a pod of a release killed", CLIENTS)


def test_a_deleted_pod_fails_none(cluster, namespace, load):
    name, _ = pods(cluster, namespace, "release")[0]
    cluster.kubectl("-n", namespace, "delete", "pod", name)
    load.wait_for(100)
    ended(load, "a pod of a release deleted")


def test_a_drained_node_fails_none(cluster, namespace, load):
    node = "node2"
    try:
        cluster.kubectl("drain", node, "--ignore-daemonsets", "--delete-emptydir-data", "--force", "--timeout=180s",
                        "--pod-selector", "app.kubernetes.io/managed-by=nbdeploy")  # fmt: skip
        load.wait_for(200)
    finally:
        cluster.kubectl("uncordon", node)
    ended(load, "a node drained")


def test_a_deleted_gateway_pod_fails_none(cluster, namespace, load):
    name, _ = pods(cluster, namespace, "gateway")[0]
    cluster.kubectl("-n", namespace, "delete", "pod", name)
    load.wait_for(200)
    ended(load, "a pod of the gateway deleted")


def test_a_killed_gateway_pod_fails_only_requests_in_flight(cluster, namespace, load):
    name, _ = pods(cluster, namespace, "gateway")[0]
    cluster.kubectl("-n", namespace, "delete", "pod", name, "--grace-period=0", "--force")
    load.wait_for(300)
    ended(load, "a pod of the gateway killed", 2 * CLIENTS)


def test_a_killed_agent_fails_none_and_follows_again(cluster, namespace, load, prepared, models):
    for name, _ in pods(cluster, namespace, "gateway"):
        cluster.kill_in(namespace, name, "agent")
    load.wait_for(200)
    prepared.run("traffic", "churn", "--canary", f"{models[0][0.01]}=30")
    ended(load, "both agents killed")


def test_two_people_who_toggle_at_once_lose_no_request_and_end_with_what_one_of_them_wrote(
    cluster, load, prepared, models, tmp_path
):
    other = make_home(tmp_path / "other")
    own = {name: other.environment[name] for name in ("NBDEPLOY_HOME",)}
    other.environment = prepared.environment | own
    outcomes = []

    def toggle(person, percents):
        for percent in percents:
            ran = person.run("traffic", "churn", "--canary", f"{models[0][0.01]}={percent}", check=False)
            outcomes.append((ran.returncode, ran.stderr))

    people = [
        threading.Thread(target=toggle, args=(prepared, range(10, 20))),
        threading.Thread(target=toggle, args=(other, range(30, 40))),
    ]
    for person in people:
        person.start()
    for person in people:
        person.join()
    codes = [code for code, _ in outcomes]
    print(f"two people toggled: {codes.count(0)} of {len(codes)} changes made, the others were refused as conflicts")
    assert codes.count(0) >= 2
    refused = [words for code, words in outcomes if code]
    assert all("changed" in words or "revision" in words for words in refused), refused
    assert prepared.json("describe", "churn")["traffic"] == other.json("describe", "churn")["traffic"]
    ended(load, "two people toggled")


def test_an_image_that_is_not_in_the_registry_is_refused(cluster, namespace, load, prepared, models):
    image = "localhost:5005/team/churn@sha256:" + "0" * 64
    before = prepared.json("describe", "churn")["revision"]
    ran = prepared.run("deploy", "--image", image, *DEPLOY, check=False, timeout=600)
    assert ran.returncode, ran.stdout
    assert prepared.json("describe", "churn")["revision"] == before
    ended(load, "a deploy of an image that is not in the registry")


@pytest.fixture
def failed_deploy(cluster, namespace, load, prepared, models):
    """Deploy what fails in the cluster; its error. The endpoint is as before, and its releases answer."""

    def run(number, *options, what):
        before = prepared.json("describe", "churn")
        ran = prepared.run("deploy", models[0][number], *options, *DEPLOY, check=False, timeout=600)
        assert ran.returncode, ran.stdout
        after = prepared.json("describe", "churn")
        assert (after["revision"], after["traffic"]) == (before["revision"], before["traffic"])
        until(lambda: all(not one["detail"] for one in prepared.json("describe", "churn")["releases"]))
        if models[0][number] not in {one["tag"] for one in before["releases"]}:
            assert models[0][number] not in str(cluster.get(namespace, "deployments"))
        load.wait_for(50)
        ended(load, what)
        return ran.stderr

    return run


def test_an_image_that_the_nodes_cannot_pull_leaves_the_endpoint_as_it_was(cluster, failed_deploy):
    with cluster.without_registry():
        assert "its image cannot be pulled" in failed_deploy(2.0, what="an image that the nodes cannot pull")


@pytest.mark.parametrize(
    ("number", "options", "reason", "what"),
    [
        (3.0, (), "these weights are for another machine", "a new release whose process crashes"),
        (2.0, ("--resources", "memory=32MiB"), "out of memory", "a new release that runs out of memory"),
        (0.01, ("--resources", "memory=32MiB"), "out of memory", "new pods of the canary run out of memory"),
    ],
)
def test_pods_that_crash_at_their_start_leave_the_endpoint_as_it_was(failed_deploy, number, options, reason, what):
    assert reason in failed_deploy(number, *options, what=what)


def test_an_api_server_that_is_away_for_a_minute_fails_no_request_and_refuses_changes(cluster, load, prepared, models):
    change = ("traffic", "churn", "--canary", f"{models[0][0.01]}=40")
    before = prepared.json("describe", "churn")["traffic"]
    with cluster.without_apiserver():
        began = time.monotonic()
        ran = prepared.run(*change, check=False)
        assert ran.returncode, ran.stdout
        time.sleep(max(0.0, 60 - (time.monotonic() - began)))
    until(lambda: prepared.run("describe", "churn", check=False).returncode == 0)
    assert prepared.json("describe", "churn")["traffic"] == before
    prepared.run(*change)
    ended(load, "the API server away for 60 s")


def test_a_restarted_etcd_fails_none(cluster, load, prepared, models):
    with cluster.paused("etcd"):
        load.wait_for(250)
    until(lambda: prepared.run("traffic", "churn", "--canary", f"{models[0][0.01]}=25", check=False).returncode == 0)
    ended(load, "etcd away for five seconds")


def test_an_etcd_that_is_killed_and_starts_again_fails_none(cluster, load, prepared, models):
    change = ("traffic", "churn", "--canary", f"{models[0][0.01]}=35")
    before = prepared.json("describe", "churn")["traffic"]
    with cluster.without_etcd():
        assert prepared.run(*change, check=False).returncode
        load.wait_for(100)
    until(lambda: prepared.run(*change, check=False).returncode == 0, timeout=120)
    after = prepared.json("describe", "churn")["traffic"]
    assert after == before | {"canary_percent": 35}
    ended(load, "etcd killed and started again")


def test_a_dead_kubelet_fails_none(cluster, namespace, load):
    with cluster.without_kubelet("node3"):
        time.sleep(20)  # it is NotReady after 12 s, its pods are replaced after 5 more
        load.wait_for(100)
    ended(load, "a kubelet dead for 20 s")


def test_a_dead_node_fails_only_requests_in_flight_until_the_gateways_know(cluster, namespace, load):
    # Services are reached through node1; one of the others has a pod of a release.
    node = next(node for _, node in pods(cluster, namespace, "release") if node != "node1")
    with cluster.without_node(node):
        time.sleep(25)
        load.wait_for(100)
    load.__exit__()
    load.figure("a node killed")
    late = [failure for failure in load.failures if failure[0] > load.failures[0][0] + 15]
    assert not late, late[:5]


def test_a_rollout_of_the_stable_release_while_a_canary_runs_fails_none(cluster, namespace, load, prepared, models):
    name = next(
        one["metadata"]["name"]
        for one in cluster.get(namespace, "deployments", "-l", "app.kubernetes.io/component=release")
        if models[0][1.0] in str(one["metadata"])
    )
    cluster.kubectl("-n", namespace, "rollout", "restart", f"deployment/{name}")
    cluster.kubectl("-n", namespace, "rollout", "status", f"deployment/{name}", "--timeout=300s")
    load.wait_for(100)
    ended(load, "a rollout while a canary ran")


def test_a_deploy_goes_on_after_the_api_server_was_away(cluster, namespace, load, prepared, models):
    tag = models[0][2.0]
    with ThreadPoolExecutor(1) as threads:
        deploy = threads.submit(prepared.run, "deploy", tag, *DEPLOY, check=False, timeout=600)
        until(lambda: tag in str(cluster.get(namespace, "deployments")), timeout=300)
        with cluster.without_apiserver():
            time.sleep(5)
        ran = deploy.result()
    assert ran.returncode == 0, ran.stderr
    assert tag in prepared.json("describe", "churn")["traffic"]["shadows"]
    ended(load, "a deploy while the API server was away")
