"""Replicas that follow the load, and releases that have no pod while there are no requests."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from jupyter_deploy.targets.kubernetes import names
from tests.e2e.conftest import until

from .load import Load

BODY = {"instances": [{"age": 62, "weight": 55}]}
IDLE = "idle, starts on a request"


@pytest.fixture(scope="module")
def deploy(prepared, cluster, namespace, models):
    """Deploy a model by its number; the result. ``everywhere``: all nodes have its image before."""

    def run(name, number, *resources, everywhere=False):
        if everywhere:
            run(name, number, "replicas=3")
            assert (
                len({pod["spec"]["nodeName"] for pod in cluster.pods(namespace, names.selector("release", name))}) == 3
            )
            run(name, number, "replicas=1")
        options = [option for one in resources for option in ("--resources", one)]
        target = ("--name", name, "--trust", "--target", "kubernetes")
        return prepared.json("deploy", models[0][number], *target, *options, timeout=600)

    return run


@pytest.fixture
def deployment(cluster, namespace):
    """The Deployment of a release."""

    def read(endpoint, tag):
        return cluster.get(namespace, "deployment", names.release_name(endpoint, tag))

    return read


def predict(url, **options):
    return httpx.post(f"{url}/predict", json=BODY, timeout=120, trust_env=False, **options)


def asleep(cluster, namespace, endpoint):
    return not cluster.pods(namespace, names.selector("release", endpoint))


@pytest.mark.usefixtures("explained")
def test_a_release_without_requests_has_no_pod_and_the_first_request_starts_one(
    prepared, deploy, deployment, cluster, namespace
):
    made = deploy("quiet", 1.0, "replicas=0-2", "idle_after=6s", everywhere=True)
    tag = made["release"]
    until(lambda: asleep(cluster, namespace, "quiet"))
    assert deployment("quiet", tag)["spec"]["replicas"] == 0
    (described,) = prepared.json("describe", "quiet")["releases"]
    assert (described["healthy"], described["detail"]) == (True, IDLE)
    assert httpx.get(f"{made['url']}/readyz", trust_env=False).json() == {"detail": IDLE}

    began = time.monotonic()
    answer = predict(made["url"])
    print(f"0 -> 1: the first answer after {time.monotonic() - began:.1f} s")
    assert answer.status_code == httpx.codes.OK, answer.text
    assert answer.headers["x-model-version"] == tag

    # A deploy of the same leaves it asleep, or asks it; both end with the next idle time.
    until(lambda: asleep(cluster, namespace, "quiet"))
    assert deploy("quiet", 1.0)["release"] == tag
    until(lambda: asleep(cluster, namespace, "quiet"))

    def one(_):
        return predict(made["url"]).status_code

    began = time.monotonic()
    with ThreadPoolExecutor(40) as clients:
        assert set(clients.map(one, range(40))) == {httpx.codes.OK}
    print(f"0 -> 1 for 40 requests at once: all answered after {time.monotonic() - began:.1f} s")


@pytest.mark.usefixtures("explained")
def test_no_request_fails_while_a_release_stops_and_starts_again_and_again(deploy, cluster, namespace):
    made = deploy("dozing", 1.0, "replicas=0-2", "idle_after=2s")
    seen, stop = set(), threading.Event()

    def look():
        while not stop.wait(0.2):
            seen.add(asleep(cluster, namespace, "dozing"))

    watching = threading.Thread(target=look)
    watching.start()
    statuses = []
    try:
        for pause in (1.5, 2.5, 3.5, 2.2, 4.5, 3.0, 2.8, 6.0):
            time.sleep(pause)
            statuses.append(predict(made["url"]).status_code)
        until(lambda: True in seen)
    finally:
        stop.set()
        watching.join()
    assert set(statuses) == {httpx.codes.OK}


@pytest.mark.usefixtures("explained")
def test_a_copy_for_an_idle_shadow_starts_it_and_is_answered(prepared, deploy, cluster, namespace):
    made = deploy("shadowed", 1.0)
    second = deploy("shadowed", 0.01, "replicas=0-1", "idle_after=5s")
    assert second["role"] == "shadow"
    tag = second["release"]
    until(lambda: not cluster.pods(namespace, names.selector("release", "shadowed", tag)))
    assert predict(made["url"]).status_code == httpx.codes.OK

    def counted():
        releases = {one["tag"]: one for one in prepared.json("describe", "shadowed")["releases"]}
        counts = releases[tag]["counts"] or {}
        return counts.get("requests", 0) - counts.get("errors", 0) > 0

    until(counted)


@pytest.mark.usefixtures("explained")
@pytest.mark.parametrize("every", [2, 15])
def test_replicas_follow_the_load(deploy, deployment, cluster, namespace, every):
    name = f"busy{every}"
    with cluster.autoscaler_every(every):
        made = deploy(name, 1.0, "replicas=1-4", "cpu=0.04", everywhere=True)
        tag = made["release"]
        autoscaler = names.release_name(name, tag)
        bounds = cluster.get(namespace, "hpa", autoscaler)["spec"]
        assert (bounds["minReplicas"], bounds["maxReplicas"]) == (1, 4)

        def ready():
            return deployment(name, tag)["status"].get("readyReplicas", 0)

        # It ignores a young pod, whose processor time is that of its start.
        until(lambda: cluster.get(namespace, "hpa", autoscaler)["status"].get("currentMetrics"), 120)
        assert ready() == 1
        with Load(made["url"], BODY, rate=100, clients=16) as load:
            until(lambda: ready() == 4, 180)
            seconds = load.seconds()
            load.wait_for(200)
            # Another deploy takes nothing back that the autoscaler chose.
            deploy(name, 1.0)
            assert deployment(name, tag)["spec"]["replicas"] == 4
    print(f"1 -> 4 replicas, autoscaler every {every} s: ready {seconds:.1f} s after the load rose")
    load.figure(f"while replicas rise, autoscaler every {every} s")
    assert not load.failures


@pytest.mark.usefixtures("explained")
def test_a_number_becomes_a_range_and_a_number_again_without_a_lost_pod(deploy, deployment, cluster, namespace):
    made = deploy("changing", 1.0, "replicas=2")
    tag = made["release"]
    with Load(made["url"], BODY, rate=20) as load:
        deploy("changing", 1.0, "replicas=2-3")
        assert cluster.get(namespace, "hpa", names.release_name("changing", tag))
        load.wait_for(20)
        deploy("changing", 1.0, "replicas=3")
        assert deployment("changing", tag)["spec"]["replicas"] == 3
        load.wait_for(20)
        deploy("changing", 1.0, "replicas=any")
        assert deployment("changing", tag)["spec"]["replicas"] == 1
        load.wait_for(20)
    load.figure("while the kind of scaling changes")
    assert not load.failures
    assert names.release_name("changing", tag) not in cluster.kubectl("-n", namespace, "get", "hpa", "-o", "name")
