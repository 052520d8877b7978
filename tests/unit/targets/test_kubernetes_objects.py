"""The objects of the target kubernetes, without a cluster: schemas, names, PodSecurity, pods' states in words."""

import json
from pathlib import Path

import jsonschema
import kubernetes_validate
import pytest
import yaml

from jupyter_deploy.domain.base import now
from jupyter_deploy.domain.capture.artifacts import Source
from jupyter_deploy.domain.errors import InvalidInput
from jupyter_deploy.domain.release.endpoint import Release
from jupyter_deploy.domain.release.resources import Resources
from jupyter_deploy.targets.kubernetes import autoscaling, names, pods
from jupyter_deploy.targets.kubernetes.api import Api
from jupyter_deploy.targets.kubernetes.exposure import exposure
from jupyter_deploy.targets.kubernetes.gateway.objects import gateway_objects
from jupyter_deploy.targets.kubernetes.metrics.objects import monitoring_objects
from jupyter_deploy.targets.kubernetes.overlay import merged, read_overlay
from jupyter_deploy.targets.kubernetes.ramp_drivers import driver_job
from jupyter_deploy.targets.kubernetes.rbac import rights, user_rules
from jupyter_deploy.targets.kubernetes.releases import release_objects, stamp_of
from jupyter_deploy.targets.kubernetes.settings import ClusterSettings
from jupyter_deploy.targets.kubernetes.shipping import CONTAINER, image_in, shipper
from jupyter_deploy.validation.scaffold.monitoring_drafts import monitoring_drafts

VERSIONS = {"PodDisruptionBudget": "policy/v1", "HorizontalPodAutoscaler": "autoscaling/v2", "ScaledObject": ""}
IMAGE = f"registry.example/team/churn@sha256:{'0' * 64}"


def release_with(**fields):
    return Release(
        endpoint="churn",
        tag="churn:6a0929ea2e65",
        digest="d",
        path="",
        snapshot_path="",
        interpreter="",
        source=Source(),
        image=IMAGE,
        created_at=now(),
    ).model_copy(update=fields)


def scaled(replicas, versions=VERSIONS, *, settings=None, **resources):
    """The objects of a release with a range of replicas, by kind."""
    release = release_with(resources=Resources(replicas=replicas, **resources))
    found = release_objects(release, settings or ClusterSettings(), versions=versions)
    return {one["kind"]: one for one in found}


EXPOSED = ClusterSettings(url="https://models.example.org/", hosts=("models.lab.example.org",))


def monitoring_files():
    return {draft.path.partition("/")[2]: draft.text for draft in monitoring_drafts("")}


def monitoring(records_to="s3://records/nbdeploy"):
    settings = ClusterSettings(namespace="models", records_secret="bucket")
    return monitoring_objects(settings, IMAGE, monitoring_files(), records_to)


def all_objects():
    settings = ClusterSettings(replicas=2, records_secret="bucket")
    resources = Resources(cpu=0.5, memory="512MB", gpu="0,1", workers=2)
    release = release_with(resources=resources, redact=("sex",), secrets={"DB_URL": "k8s:db/url"})
    uploads = [shipper(one, settings, "s3://records/nbdeploy", IMAGE) for one in (release, None)]
    return [
        *release_objects(release, settings, versions=VERSIONS, shipper=uploads[0]),
        *gateway_objects(settings, image=IMAGE, pdb="policy/v1", shipper=uploads[1]),
        *rights(settings, write_secrets=True),
        *scaled("0-20").values(),
        exposure(EXPOSED, gateway=None, tls="certificate", ingress_class="nginx"),
        *(one for one in monitoring() if "monitoring.coreos.com" not in one["apiVersion"]),
        scaled("1-4", cpu=2)["Deployment"],
    ]


@pytest.mark.parametrize("document", all_objects(), ids=lambda one: f"{one['kind']} {one['metadata']['name']}")
@pytest.mark.parametrize("version", ["1.34", "1.37"])
def test_every_object_is_valid_by_the_strict_schemas_of_new_servers(document, version):
    kubernetes_validate.validate(document, version, strict=True)


@pytest.mark.parametrize("kind", ["ServiceMonitor", "PrometheusRule"])
def test_the_prometheus_operators_objects_are_valid_by_its_schemas(kind):
    """Of its CRDs of version 0.80, each object without further properties."""
    schemas = json.loads((Path(__file__).parent / "prometheus-operator.schemas.json").read_text())
    checked = jsonschema.Draft202012Validator(schemas[kind])
    (found,) = (one for one in monitoring() if one["kind"] == kind)
    checked.validate(found)
    with pytest.raises(jsonschema.ValidationError, match="groupings"):
        checked.validate(found | {"spec": found["spec"] | {"groupings": []}})


def test_only_the_program_that_finds_drift_has_the_buckets_key_and_there_is_none_without_a_bucket():
    def containers(objects):
        (found,) = (one for one in objects if one["kind"] == "Deployment")
        return {one["name"]: one for one in found["spec"]["template"]["spec"]["containers"]}

    made = containers(monitoring())
    assert {name: one.get("envFrom") for name, one in made.items()} == {
        "exporter": None,
        "drift": [{"secretRef": {"name": "bucket"}}],
    }
    assert list(containers(monitoring(None))) == ["exporter"]


def test_pods_keep_to_podsecuritys_level_restricted_and_name_no_user():
    deployments = [one for one in all_objects() if one["kind"] == "Deployment"]
    assert len(deployments) == 5
    for deployment in deployments:
        spec = deployment["spec"]["template"]["spec"]
        assert spec["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
        for container in spec["containers"]:
            context = container["securityContext"]
            assert context["capabilities"] == {"drop": ["ALL"]}
            assert not context["allowPrivilegeEscalation"]
            assert "runAsUser" not in context
        assert all(set(volume) & {"emptyDir", "secret", "configMap", "projected"} for volume in spec["volumes"])
        if deployment["metadata"]["name"] != names.EXPORTER:  # which calls the API alone
            assert not spec["automountServiceAccountToken"]


def test_nobody_reads_secrets_runs_programs_in_pods_or_gets_a_right_for_the_cluster():
    for write in (False, True):
        rules = user_rules(write_secrets=write)
        verbs = {verb for rule in rules if "secrets" in rule["resources"] for verb in rule["verbs"]}
        assert verbs == ({"create", "patch", "delete"} if write else set())
        assert not any("exec" in resource for rule in rules for resource in rule["resources"])
    assert not any(one["kind"].startswith("Cluster") for one in rights(ClusterSettings()))


def test_the_gateways_secret_is_new_each_time_and_has_a_token_unless_the_gateway_is_open():
    first, second = (rights(ClusterSettings())[-1] for _ in range(2))
    assert set(first["stringData"]) == {"key", "salt", "token"}
    assert first["stringData"]["key"] != second["stringData"]["key"]
    assert "token" not in rights(ClusterSettings(), token=False)[-1]["stringData"]


def test_a_pod_ends_after_the_delay_the_drain_and_a_margin():
    settings = ClusterSettings(drain_delay=3, drain_seconds=20)
    spec = release_objects(release_with(), settings, versions={})[-1]["spec"]["template"]["spec"]
    assert spec["terminationGracePeriodSeconds"] == 28
    variables = {one["name"]: one["value"] for one in spec["containers"][0]["env"]}
    assert variables["NBDEPLOY_GRACE_SECONDS"] == "20"
    assert variables["NBDEPLOY_DRAIN_DELAY"] == "3"


def test_a_pod_reads_a_secret_from_the_namespace_and_no_value_is_in_an_object():
    release = release_with(secrets={"DB_URL": "k8s:db/url.ro"})
    spec = release_objects(release, ClusterSettings(), versions={})[-1]["spec"]["template"]["spec"]
    variables = {one["name"]: one for one in spec["containers"][0]["env"]}
    assert variables["DB_URL"]["valueFrom"] == {"secretKeyRef": {"name": "db", "key": "url.ro"}}
    assert variables["NBDEPLOY_SECRETS"]["value"] == "DB_URL"


def test_a_changed_setting_changes_the_stamp_and_nothing_else_does():
    def stamp(settings, **fields):
        return stamp_of(release_objects(release_with(**fields), settings, versions={})[-1])

    assert stamp(ClusterSettings()) == stamp(ClusterSettings(), label="wider trees")
    assert stamp(ClusterSettings()) != stamp(ClusterSettings(drain_seconds=31))
    assert stamp(ClusterSettings()) != stamp(ClusterSettings(), resources=Resources(cpu=2))
    assert stamp_of(None) == ""


def test_names_are_labels_and_differ_for_endpoints_that_look_alike():
    long = "a" * 63
    found = [names.release_name(name, "churn:6a0929ea2e65") for name in ("churn", "ch_urn", "ch-urn", long)]
    assert found[0] == "nbd-churn-6a0929ea2e65"
    assert len(set(found)) == len(found)
    assert all(len(one) <= 52 for one in found)
    assert len(names.endpoint_name(long)) <= 63
    assert names.endpoint_name(long) != names.endpoint_name(f"{'a' * 62}b")


def test_an_overlay_is_merged_into_all_pods_and_wrong_parts_are_refused(tmp_path):
    file = tmp_path / "overlay.yaml"
    wanted = {"nodeSelector": {"pool": "models"}, "tolerations": [{"key": "models", "operator": "Exists"}]}
    file.write_text(yaml.safe_dump({"spec": wanted}))
    settings = ClusterSettings(overlay=file)
    overlay = read_overlay(settings)
    made = [
        *release_objects(release_with(), settings, versions={}, overlay=overlay),
        *gateway_objects(settings, image=IMAGE, pdb="", overlay=overlay),
        *monitoring_objects(settings, IMAGE, monitoring_files(), None, overlay),
        driver_job("churn", settings, IMAGE, {}, overlay),
    ]
    templates = [one["spec"]["template"]["spec"] for one in made if one["kind"] in ("Deployment", "Job")]
    assert len(templates) == 4
    for template in templates:
        assert {key: template[key] for key in wanted} == wanted
        assert template["containers"]
    file.write_text("replicas: 3\n")
    with pytest.raises(InvalidInput, match="other parts"):
        read_overlay(settings)
    assert merged({"a": [1]}, {"a": [2], "b": 3}) == {"a": [1, 2], "b": 3}


@pytest.mark.parametrize("text", ["", "x: [", "a: b", "clusters: 3", "- 1"])
def test_a_malformed_kubeconfig_is_a_clear_error(tmp_path, text):
    file = tmp_path / "kubeconfig"
    file.write_text(text)
    with pytest.raises(InvalidInput, match="kubeconfig") as refused:
        Api(ClusterSettings(kubeconfig=file)).get("ConfigMap", "x")
    assert "KUBECONFIG" in refused.value.remedy


def pod_with(state, *, ready=False, conditions=(), **container):
    status = {"name": "release", "image": IMAGE, "ready": ready, "state": state, **container}
    return {"metadata": {}, "status": {"conditions": list(conditions), "containerStatuses": [status]}}


@pytest.mark.parametrize(
    ("pod", "words", "final"),
    [
        (pod_with({"waiting": {"reason": "ImagePullBackOff", "message": "Back-off"}}), "cannot be pulled", True),
        (pod_with({"waiting": {"reason": "ErrImagePull", "message": "x: not found"}}), "cannot be pulled", True),
        (pod_with({"waiting": {"reason": "ErrImagePull", "message": "i/o timeout"}}), "cannot be pulled", False),
        (pod_with({"waiting": {"reason": "CreateContainerConfigError", "message": "no key"}}), "no key", False),
        (pod_with({"terminated": {"exitCode": 3, "message": "differs"}}), "exit code 3: differs", True),
        (pod_with({"running": {}}, lastState={"terminated": {"exitCode": 1}}, restartCount=1), "exit code 1", False),
        (pod_with({"running": {}}, lastState={"terminated": {"exitCode": 1}}, restartCount=2), "exit code 1", True),
        (pod_with({"terminated": {"exitCode": 137, "reason": "OOMKilled"}}), "out of memory", False),
        (pod_with({"running": {}}), "", False),
    ],
)
def test_a_pod_says_why_it_is_not_ready_and_whether_waiting_helps(pod, words, final):
    assert words in pods.reason(pod)
    assert bool(pods.fatal(pod)) == final


def test_pods_in_words():
    unschedulable = {"type": "PodScheduled", "status": "False", "message": "0/3 nodes are available"}
    lone = {"metadata": {}, "status": {"conditions": [unschedulable]}}
    up = {"metadata": {}, "status": {"conditions": [{"type": "Ready", "status": "True"}]}}
    assert pods.in_words([up], 1) == ""
    assert pods.in_words([up, lone], 2) == "1 of 2 pods is ready; no node can run it: 0/3 nodes are available"
    assert pods.in_words([], 1) == "0 of 1 pods are ready, there is no pod yet"
    assert not pods.ready(up | {"metadata": {"deletionTimestamp": "now"}})


def test_records_leave_a_pod_by_a_container_that_mounts_what_release_and_gateway_write_and_only_if_asked():
    release, settings = release_with(), ClusterSettings()
    assert shipper(release, settings, None, IMAGE) is None
    for of, written in ((release, "/data/records/churn"), (None, "/data/ledger")):
        made = shipper(of, settings, "gs://records", IMAGE)
        assert made["args"][:4] == ["/data", "--to", "gs://records", "--spool"]
        assert written in [mount["mountPath"] for mount in made["volumeMounts"]]
        assert ("--admin" in made["args"]) is (of is None)
    deployment = release_objects(release, settings, versions={}, shipper=made)[-1]
    volumes = {one["name"] for one in deployment["spec"]["template"]["spec"]["volumes"]}
    assert image_in(deployment) == IMAGE
    assert "uploads" in volumes
    bare = release_objects(release, settings, versions={})[-1]["spec"]["template"]["spec"]
    assert CONTAINER not in [one["name"] for one in bare["containers"]]
    assert image_in(None) == ""


def container(objects):
    return objects["Deployment"]["spec"]["template"]["spec"]["containers"][0]


def test_an_autoscaler_chooses_in_a_range_by_the_requested_processors():
    found = scaled("2-20", cpu=0.5, memory="512MB")
    spec = found["HorizontalPodAutoscaler"]["spec"]
    assert (spec["minReplicas"], spec["maxReplicas"]) == (2, 20)
    assert spec["scaleTargetRef"]["name"] == found["Deployment"]["metadata"]["name"]
    (metric,) = spec["metrics"]
    assert metric["resource"]["target"] == {"type": "AverageValue", "averageValue": "350m"}
    assert "replicas" not in found["Deployment"]["spec"]
    # A limit of processors would hide from the autoscaler how much the load needs.
    resources = container(found)["resources"]
    assert resources == {"requests": {"memory": "512000000", "cpu": "500m"}, "limits": {"memory": "512000000"}}
    variables = {one["name"]: one["value"] for one in container(found)["env"]}
    assert variables["NBDEPLOY_THREADS"] == "1"
    assert container(scaled("2-20", workers=4))["resources"]["requests"] == {"cpu": "2000m"}


def test_a_fixed_number_has_no_autoscaler_and_a_range_from_none_begins_with_one():
    fixed = scaled(3, cpu=0.5)
    assert "HorizontalPodAutoscaler" not in fixed
    assert fixed["Deployment"]["spec"]["replicas"] == 3
    assert container(fixed)["resources"]["limits"] == {"cpu": "500m"}
    assert scaled("0-20")["HorizontalPodAutoscaler"]["spec"]["minReplicas"] == 1
    alone = scaled("0-1")
    assert "HorizontalPodAutoscaler" not in alone
    assert "replicas" not in alone["Deployment"]["spec"]
    assert "PodDisruptionBudget" not in alone


def test_keda_scales_by_waiting_requests_where_it_is_served_and_a_prometheus_is_named():
    served = VERSIONS | {"ScaledObject": "keda.sh/v1alpha1"}
    with_prometheus = ClusterSettings(prometheus="http://prometheus.monitoring:9090/")
    found = scaled("2-20", served, settings=with_prometheus)
    assert "HorizontalPodAutoscaler" not in found
    spec = found["ScaledObject"]["spec"]
    assert (spec["minReplicaCount"], spec["maxReplicaCount"]) == (2, 20)
    (trigger,) = spec["triggers"]
    assert trigger["metadata"]["serverAddress"] == "http://prometheus.monitoring:9090"
    assert 'nbdeploy_requests_waiting{namespace="nbdeploy",pod=~"nbd-churn-6a0929ea2e65-.*"}' in str(trigger)
    assert "HorizontalPodAutoscaler" in scaled("2-20", served)
    # KEDA would start a pod as soon as there is none.
    assert "HorizontalPodAutoscaler" in scaled("0-20", served, settings=with_prometheus)


@pytest.mark.parametrize(
    ("replicas", "versions", "words"),
    [
        (None, VERSIONS, ()),
        (3, VERSIONS, ("3 replicas",)),
        ("2-20", VERSIONS, ("2-20 replicas, by processor time: 70% of the 0.5 that each pod requests",)),
        ("2-20", {}, ("no autoscaler in this cluster: the number of replicas (2-20) stays as it is set",)),
        ("0-1", VERSIONS, ("stops when idle for 5 min, and starts on a request",)),
    ],
)
def test_the_number_of_pods_is_explained(replicas, versions, words):
    release = release_with(resources=Resources(replicas=replicas))
    assert autoscaling.in_words(release, ClusterSettings(), versions) == words


def test_the_gateways_hosts_are_exposed_by_an_ingress_or_by_a_route_of_a_gateway():
    found = exposure(EXPOSED, gateway=None, tls="certificate", ingress_class=None)
    hosts = ["models.example.org", "models.lab.example.org"]
    assert [rule["host"] for rule in found["spec"]["rules"]] == hosts
    assert found["spec"]["tls"] == [{"hosts": hosts, "secretName": "certificate"}]
    assert "ingressClassName" not in found["spec"]
    route = exposure(EXPOSED, gateway="ingress/public", tls=None, ingress_class=None)["spec"]
    assert route["parentRefs"] == [{"namespace": "ingress", "name": "public"}]
    assert route["hostnames"] == hosts
    assert route["rules"] == [{"backendRefs": [{"name": "nbdeploy-gateway", "port": 8780}]}]
    assert ClusterSettings(hosts="a.example.org, *.b.example.org").hosts == ("a.example.org", "*.b.example.org")
    with pytest.raises(InvalidInput, match="no host name"):
        exposure(ClusterSettings(), gateway=None, tls=None, ingress_class=None)
    with pytest.raises(InvalidInput, match="'public' is no Gateway"):
        exposure(EXPOSED, gateway="public", tls=None, ingress_class=None)


def test_the_alerts_in_a_cluster_are_those_of_one_machine_and_name_the_exporter():
    (rule,) = (one for one in monitoring() if one["kind"] == "PrometheusRule")
    texts = {draft.path: draft.text for draft in monitoring_drafts("")}
    (group,) = yaml.safe_load(texts["monitoring/nbdeploy.rules.yml"])["groups"]
    (found,) = rule["spec"]["groups"]
    assert [(one["alert"], one["expr"]) for one in found["rules"]] == [
        (one["alert"], one["expr"]) for one in group["rules"]
    ]
    assert "exporter" in found["rules"][0]["annotations"]["summary"]


def test_prometheus_finds_the_exporter_by_the_job_that_the_alerts_name():
    (monitor,) = (one for one in monitoring() if one["kind"] == "ServiceMonitor")
    (service,) = (one for one in monitoring() if one["kind"] == "Service")
    labels = service["metadata"]["labels"]
    assert labels[monitor["spec"]["jobLabel"]] == "nbdeploy"
    assert monitor["spec"]["selector"]["matchLabels"].items() <= labels.items()
    assert monitor["spec"]["endpoints"][0]["port"] == service["spec"]["ports"][0]["name"]
