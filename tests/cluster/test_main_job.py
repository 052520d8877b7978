"""The main job on a cluster: from deploy to down, by two people, under load; no request fails."""

import nbformat
import pytest

from tests import notebooks
from tests.e2e.conftest import until

from .load import Load

pytestmark = pytest.mark.usefixtures("explained")

_TRIES = 3
"""Of a ramp."""


def row(number):
    """A request like no other; both models answer "no"."""
    return {"instances": [{"age": 20, "weight": 50 + number * 1e-6}]}


@pytest.fixture
def emptied(recording, cluster, namespace, bucket):
    """Assert that the namespace has what its administrator applied and nothing else, and the bucket has the records."""
    administered = _left(cluster, namespace)
    assert {name.partition("/")[0].partition(".")[0] for name in administered} == {
        "role", "rolebinding", "secret", "serviceaccount"
    }  # fmt: skip

    def check():
        # Pods drain and upload their last records; the Lease of one of the gateway ends with it.
        until(lambda: _left(cluster, namespace) == administered, timeout=400)
        assert recording.json("list") == []
        assert any("endpoint=churn" in key and key.endswith(".parquet") for key in bucket.objects())

    return check


@pytest.fixture
def ramp(recording, colleague, cluster, namespace):
    """Run a ramp to its end, whose driver is killed once; the other user follows it."""
    return lambda: _ramp(recording, colleague, cluster, namespace)


@pytest.mark.timeout(3000)  # of all waits, on a busy machine
def test_the_main_job(recording, colleague, ramp, emptied, models):
    operator, (tags, _) = recording, models
    operator.environment["NBDEPLOY_RAMP_EVERY"] = "2"
    deploy = ("--name", "churn", "--trust", "--target", "kubernetes")
    first = operator.json("deploy", tags[1.0], *deploy, timeout=600)
    assert first["release"] == tags[1.0]
    assert "@sha256:" in first["image"]
    with Load(first["url"], row, rate=30) as load:
        second = operator.json("deploy", tags[0.01], *deploy, timeout=600)
        assert second["role"] == "shadow"
        load.wait_for(150)
        compared = until(lambda: _compared(colleague), timeout=300)
        print({name: compared[name] for name in ("pairs", "mirrored", "coverage", "verdict")})
        assert compared["coverage"]["value"] >= 0.99
        operator.run("traffic", "churn", "--canary", f"{tags[0.01]}=20")
        load.wait_for(100)
        described = operator.json("describe", "churn")
        assert described["gateway"]
        assert all(one["healthy"] for one in described["releases"])
        _add_gates(operator, tags[1.0], deploy)
        ramp()
        assert operator.json("describe", "churn")["traffic"]["stable"] == tags[0.01]
        operator.run("rollback", "churn")
        load.wait_for(50)
        operator.run("promote", "churn", tags[0.01])
        load.wait_for(50)
        colleague.run("rollback", "churn")
        load.wait_for(50)
    line = load.figure("the main job")
    assert not load.failures, line
    assert set(load.versions) == {tags[1.0], tags[0.01]}
    operator.run("down", "--target", "kubernetes", timeout=600)
    emptied()


def _left(cluster, namespace):
    """The names of all objects in the namespace, but those that each one has, and events."""
    kinds = cluster.kubectl("api-resources", "--verbs=list", "--namespaced", "-o", "name").split()
    mine = [kind for kind in kinds if not kind.startswith(("events", "pods.metrics", "podmetrics"))]
    found = cluster.kubectl("-n", namespace, "get", ",".join(mine), "-o", "name", check=False).split()
    of_all = ("configmap/kube-root-ca.crt", "serviceaccount/default")
    return {name for name in found if name not in of_all and "-token-" not in name}


def _compared(user):
    found = user.json("compare", "churn", check=False)
    return found.get("pairs", 0) >= 100 and found


def _add_gates(operator, stable, deploy):
    """Gates on a notebook and on live traffic, which the ramp must pass; the driver has no notebook."""
    checks = notebooks.write(
        operator.path / "checks.ipynb",
        "rows = 10",
        "from jupyter_deploy import metric, model\ncall = model()\n"
        "answers = [call(30, 50.0 + row) for row in range(rows)]\n"
        "metric('accuracy', rows=[answer == 'no' for answer in answers])",
    )
    document = nbformat.read(checks, as_version=4)
    document.cells[0].metadata["tags"] = ["parameters"]
    document.metadata["nbdeploy"] = {"gates": ["accuracy >= 0.5"]}
    nbformat.write(document, checks)
    operator.run("deploy", stable, *deploy, "--validate", checks, timeout=600)
    operator.run("deploy", stable, *deploy, "--gate", "error_rate <= 0.2", timeout=600)


def _ramp(operator, colleague, cluster, namespace):
    for _ in range(_TRIES):
        ended, latest, driver = _one_ramp(operator, colleague, cluster, namespace)
        if ended["phase"] == "finished" or "slow answers" not in latest["reason"]:
            break
        # On a busy machine one of two pods may be slower for a while: then a ramp rolls back, and is begun again.
        print(f"begun again: {latest['reason']}")
        operator.run("traffic", "churn", "--canary", f"{ended['candidate']}=20")
    assert ended["phase"] == "finished", ended
    print(f"the ramp: {latest['change']}: {latest['reason']}")
    assert "error_rate" in latest["change"]  # the driver judged it
    assert latest["by"] == "nbdeploy-ramp"
    assert [pod["metadata"]["name"] for pod in cluster.pods(namespace, "app.kubernetes.io/component=ramp")] != [driver]


def _one_ramp(operator, colleague, cluster, namespace):
    """The ramp's end, its latest revision, and the name of the pod that was killed."""
    ramp = ("ramp", "churn", "--steps", "50,100", "--per-step", "1s")
    # The gate on live traffic is open until the canary's records are there.
    until(lambda: operator.run(*ramp, check=False).returncode == 0, timeout=300)
    begun = operator.json("ramp", "churn")
    assert (begun["phase"], begun["percent"]) == ("running", 50)
    held = until(lambda: (now := colleague.json("ramp", "churn"))["looked"] and now, timeout=300)
    print(f"the driver's first look: {held['reason']}")
    (driver,) = cluster.pods(namespace, "app.kubernetes.io/component=ramp")
    name = driver["metadata"]["name"]
    cluster.kubectl("-n", namespace, "delete", "pod", name, "--grace-period=0", "--force")
    ended = until(lambda: (now := colleague.json("ramp", "churn"))["phase"] != "running" and now, timeout=400)
    return ended, operator.json("history", "churn")[0], name
