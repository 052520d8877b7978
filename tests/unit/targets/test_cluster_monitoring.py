"""``init --monitoring`` for a cluster: valid documents, rules that promtool accepts, made for the releases' objects."""

import json
import subprocess
from pathlib import Path

import jsonschema
import kubernetes_validate
import pytest
import yaml
from test_kubernetes_objects import VERSIONS, release_with

from jupyter_deploy.domain.release.resources import Resources
from jupyter_deploy.targets.kubernetes.releases import release_objects
from jupyter_deploy.targets.kubernetes.settings import ClusterSettings
from jupyter_deploy.validation.scaffold.monitoring_drafts import DASHBOARD, monitoring_drafts

SCHEMAS = json.loads((Path(__file__).parent / "prometheus-operator.schemas.json").read_text())
"""Of the Prometheus Operator's resources, with ``additionalProperties: false``; see its first key."""


@pytest.fixture(scope="module")
def documents():
    (text,) = (one.text for one in monitoring_drafts("127.0.0.1:8780") if one.path.endswith("kubernetes.yaml"))
    return {one["kind"]: one for one in yaml.safe_load_all(text)}


def test_each_document_is_valid_by_its_strict_schema(documents):
    assert list(documents) == ["ConfigMap", "ServiceMonitor", "PrometheusRule", "NetworkPolicy"]
    for kind in ("ConfigMap", "NetworkPolicy"):
        for version in ("1.34", "1.37"):
            kubernetes_validate.validate(documents[kind], version, strict=True)
    for kind in ("ServiceMonitor", "PrometheusRule"):
        jsonschema.Draft202012Validator(SCHEMAS[kind]).validate(documents[kind])
        wrong = documents[kind] | {"spec": documents[kind]["spec"] | {"selectors": {}}}
        with pytest.raises(jsonschema.ValidationError, match="selectors"):
            jsonschema.Draft202012Validator(SCHEMAS[kind]).validate(wrong)


def test_the_dashboard_is_that_of_one_machine_and_fits_into_a_config_map(documents):
    (content,) = documents["ConfigMap"]["data"].values()
    assert json.loads(content) == json.loads(DASHBOARD.read_text())
    assert len(content) < 1_000_000


def test_promtool_accepts_the_rules_and_each_metric_is_one_of_a_pod(documents, tmp_path):
    spec = documents["PrometheusRule"]["spec"]
    (tmp_path / "rules.yml").write_text(yaml.safe_dump(spec))
    command = ["promtool", "check", "rules", "--lint-fatal", "rules.yml"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    rules = {rule["alert"]: rule["expr"] for rule in spec["groups"][0]["rules"]}
    assert len(rules) == 5
    of_the_exporter = ("nbdeploy_release_up", "nbdeploy_drift", "nbdeploy_gate", "nbdeploy_ramp", "nbdeploy_quality")
    assert not any(metric in expression for expression in rules.values() for metric in of_the_exporter)


def test_the_objects_of_a_release_are_chosen_and_name_endpoint_and_release(documents):
    made = release_objects(release_with(resources=Resources()), ClusterSettings(), versions=VERSIONS)
    (service,) = (one for one in made if one["kind"] == "Service")
    (deployment,) = (one for one in made if one["kind"] == "Deployment")
    monitor, policy = documents["ServiceMonitor"]["spec"], documents["NetworkPolicy"]["spec"]
    labels = service["metadata"]["labels"]
    assert labels.items() >= monitor["selector"]["matchLabels"].items()
    assert labels[monitor["jobLabel"]] == "nbdeploy", "the label job of the rules"
    pod = deployment["spec"]["template"]["metadata"]
    assert pod["labels"].items() >= policy["podSelector"]["matchLabels"].items()
    (scraped,) = monitor["endpoints"]
    assert scraped["port"] in [port["name"] for port in service["spec"]["ports"]]
    named = {"label": labels, "annotation": service["metadata"]["annotations"]}
    for rule, target in zip(scraped["relabelings"], ("endpoint", "release"), strict=True):
        (source,) = rule["sourceLabels"]
        kind, _, name = source.removeprefix("__meta_kubernetes_service_").partition("_")
        assert name in [known.replace(".", "_").replace("/", "_").replace("-", "_") for known in named[kind]]
        assert rule["targetLabel"] == target
    (allowed,) = policy["ingress"]
    assert allowed["ports"] == [{"port": "http", "protocol": "TCP"}]
