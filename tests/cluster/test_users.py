"""What users see of an endpoint in a cluster: by the token of its clients, and in JupyterLab."""

import base64
import contextlib
import json
import os

import pytest
from playwright.sync_api import expect

from jupyter_deploy.targets.kubernetes import names
from tests import notebooks
from tests.e2e.conftest import (
    browser,  # noqa: F401 - a fixture
    until,
)
from tests.e2e.lab import started
from tests.e2e.person import Person

pytestmark = pytest.mark.usefixtures("explained", "token")

BODY = json.dumps({"instances": [{"age": 62, "weight": 55}]})
TARGET = ("--trust", "--target", "kubernetes")
MODEL = "def priced(age, weight):\n    return 'yes' if age + weight > 100 else 'no'"
NOTEBOOKS = {
    "panel": ["%load_ext jupyter_deploy", "%deploy_panel churn"],
    "train": [
        "%load_ext jupyter_deploy",
        MODEL,
        "%deploy priced --name priced --example \"{'age': 30, 'weight': 60.5}\" --target kubernetes",
    ],
}
RUN_ALL = "window.jupyterapp.commands.execute('notebook:run-all-cells').then(() => null)"


@pytest.fixture(scope="module")
def token(cluster, administer, namespace):
    """The clients' token, which the administrator made."""
    administer()
    secret = cluster.get(namespace, "secret", names.GATEWAY)
    return base64.b64decode(secret["data"]["token"]).decode()


@pytest.fixture(scope="module")
def churn(operator, token, models):
    """An endpoint of two pods whose clients need the token; its deployment."""
    return operator.json("deploy", models[0][1.0], "--name", "churn", *TARGET, "--resources", "replicas=2", timeout=600)


@pytest.fixture(scope="module")
def header_file(operator, churn, token):
    """The file with the token, which the setting names from now on."""
    refused = operator.run("predict", "churn", "--data", BODY, check=False)
    assert refused.returncode == 2, refused.stdout + refused.stderr
    assert "token_file" in refused.stdout
    path = operator.path / "models.header"
    path.write_text(f"x-nbdeploy-token: {token}\n")
    path.chmod(0o600)
    operator.environment["NBDEPLOY_KUBERNETES__TOKEN_FILE"] = str(path)
    return path


def test_users_read_no_secret_run_nothing_in_pods_and_see_no_other_namespace(cluster, operator, namespace):
    """All tests of this folder act by their rights, so these are enough."""

    def may(*words):
        user = ("--kubeconfig", operator.environment["KUBECONFIG"])
        return cluster.kubectl("auth", "can-i", *words, *user, check=False).strip() == "yes"

    here, elsewhere = ("-n", namespace), ("-n", "default")
    assert may("create", "deployments.apps", *here)
    assert not may("get", "secrets", *here)
    assert not may("create", "pods", "--subresource=exec", *here)
    assert not may("create", "roles.rbac.authorization.k8s.io", *here)
    assert not may("get", "configmaps", *elsewhere)
    assert not may("create", "deployments.apps", *elsewhere)
    assert not may("list", "nodes")


@pytest.mark.usefixtures("churn")
def test_requests_of_a_user_carry_the_token_of_the_file_and_nothing_else_holds_it(
    cluster, namespace, operator, header_file, models
):
    answered = operator.json("predict", "churn", "--data", BODY)
    assert (answered["status"], answered["body"]) == (200, {"predictions": ["no"]})
    curl = operator.json("deploy", models[0][1.0], "--name", "churn", *TARGET, timeout=600)["curl"]
    assert f"-H @{header_file}" in curl
    token = header_file.read_text().split()[-1]
    held = cluster.kubectl("-n", namespace, "get", "configmaps,leases,deployments,pods", "-o", "json")
    assert token not in held
    holding = [path for path in operator.path.rglob("*") if path.is_file() and token.encode() in path.read_bytes()]
    assert holding == [header_file]


@pytest.fixture(scope="module")
def person(operator, browser, header_file, tmp_path_factory):  # noqa: F811
    """The user before a JupyterLab of their own, with a notebook that shows the panel."""
    folder = tmp_path_factory.mktemp("notebooks")
    files = [notebooks.write(folder / f"{name}.ipynb", *cells) for name, cells in NOTEBOOKS.items()]
    with started(operator, *files) as lab:
        context = browser.new_context(viewport={"width": 1400, "height": 1000})
        context.set_default_timeout(90_000)
        made = Person(context.new_page(), lab.url, operator)
        made.page.goto(f"{lab.url}/lab{made.query}")
        made.page.wait_for_function("window.jupyterapp")
        made.page.evaluate("window.jupyterapp.restored")
        yield made
        context.close()


@pytest.mark.usefixtures("churn")
def test_the_sidebar_shows_target_replicas_and_why_a_pod_does_not_start_and_calls_with_the_token(
    cluster, namespace, person
):
    person.looks_after("churn")
    expect(person.sidebar.get_by_text("target: kubernetes")).to_be_visible()
    expect(person.sidebar.get_by_text("healthy: 2 of 2 pods are ready")).to_be_visible()
    _shoot(person, "healthy")
    with _without_room(cluster, namespace):
        expect(person.sidebar.get_by_text("1 of 2 pods is ready; no node can run it").first).to_be_visible()
        _shoot(person, "unschedulable")
    expect(person.sidebar.get_by_text("healthy: 2 of 2 pods are ready")).to_be_visible(timeout=120_000)
    _logs_of_all_pods(cluster, namespace, person.sidebar)
    _shoot(person, "log")
    person.looks_after("churn", "try")
    person.sidebar.get_by_role("button", name="Send").click()
    expect(person.sidebar.get_by_text("200").first).to_be_visible()
    _shoot(person, "try-it")
    assert person.errors == []


@pytest.mark.usefixtures("churn")
def test_the_panel_shows_the_same_and_changes_the_traffic(cluster, namespace, person, operator, models):
    page, shadow = person.page, models[0][0.01]
    operator.json("deploy", shadow, "--name", "churn", *TARGET, "--resources", "replicas=1", timeout=600)
    person.opens("panel.ipynb")
    page.evaluate(RUN_ALL)
    panel = page.get_by_role("feed").get_by_role("region", name="Endpoint churn")
    panel.wait_for()
    expect(panel.get_by_text("target: kubernetes")).to_be_visible()
    expect(panel.get_by_text("healthy: 2 of 2 pods are ready")).to_be_visible()
    expect(panel.get_by_text("healthy: 1 of 1 pods is ready")).to_be_visible()
    with _without_room(cluster, namespace, models[0][1.0]):
        expect(panel.get_by_text("1 of 2 pods is ready; no node can run it").first).to_be_visible()
    expect(panel.get_by_text("healthy: 2 of 2 pods are ready")).to_be_visible(timeout=120_000)
    panel.get_by_role("switch", name=f"Shadow {shadow[:14]}").click()
    until(lambda: shadow not in operator.json("describe", "churn")["traffic"]["shadows"])
    _logs_of_all_pods(cluster, namespace, panel, models[0][1.0])
    panel.get_by_role("tab", name="Try it").click()
    panel.get_by_role("button", name="Send").click()
    expect(panel.get_by_text("200").first).to_be_visible()
    assert person.errors == []


@pytest.mark.usefixtures("churn")
def test_a_notebooks_model_goes_from_its_kernel_to_the_cluster_by_one_option(person, operator):
    person.opens("train.ipynb")
    person.page.evaluate(RUN_ALL)
    (made,) = until(lambda: [one for one in operator.json("list") if one["name"] == "priced"], timeout=400)
    assert made["target"] == "kubernetes"
    row = json.dumps({"instances": [{"age": 62, "weight": 55}]})
    answered = until(lambda: operator.json("predict", "priced", "--data", row, check=False).get("body"), timeout=120)
    assert answered == {"predictions": ["yes"]}


@contextlib.contextmanager
def _without_room(cluster, namespace, tag=""):
    """No node takes a pod, and one of a release, which goes, has no successor."""
    nodes = [node["metadata"]["name"] for node in cluster.get(namespace, "nodes")]
    cluster.kubectl("cordon", *nodes)
    try:
        pod, *_ = cluster.pods(namespace, names.selector("release", "churn", tag))
        cluster.kubectl("-n", namespace, "delete", "pod", pod["metadata"]["name"], "--wait=false")
        yield
    finally:
        cluster.kubectl("uncordon", *nodes)


def _logs_of_all_pods(cluster, namespace, shown, tag=""):
    shown.get_by_role("button", name="Log of").first.click()
    for pod in cluster.pods(namespace, names.selector("release", "churn", tag)):
        expect(shown.get_by_text(f"{pod['metadata']['name']}:").first).to_be_visible()


def _shoot(person, name):
    if folder := os.environ.get("NBDEPLOY_SCREENSHOTS"):
        person.sidebar_width(400)
        person.page.screenshot(path=f"{folder}/lab-cluster-{name}.png")
