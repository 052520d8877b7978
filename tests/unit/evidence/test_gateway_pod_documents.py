"""Objects of Kubernetes as documents of a gateway's Envoy, and the objects that nbdeploy makes of an endpoint."""

import base64
import gzip
import hashlib
import json
import re

import pytest

from jupyter_deploy.container_images.gateway_program import documents as pod_documents
from jupyter_deploy.container_images.gateway_program.documents import Invalid, Secrets
from jupyter_deploy.domain.release.endpoint import Endpoint
from jupyter_deploy.domain.release.traffic import Traffic
from jupyter_deploy.targets.envoy.routes import endpoint_salt
from jupyter_deploy.targets.kubernetes import names
from jupyter_deploy.targets.kubernetes.gateway.configuration import configuration, gateway_files
from jupyter_deploy.targets.kubernetes.gateway.objects import gateway_objects
from jupyter_deploy.targets.kubernetes.settings import ClusterSettings
from tests.releases import release

SETTINGS = ClusterSettings(
    namespace="models", hosts=("models.example.org", "*.lab.example.org"), url="https://gate.io/m"
)
SECRETS = Secrets("k" * 40, "salt-of-the-gateway", "t" * 20)
IMAGE = f"registry.example/gateway@sha256:{1:064x}"


def endpoint(name="tumour", *, running=True, **traffic):
    releases = tuple(release(version, endpoint=name) for version in "abc")
    shares = {"stable": "tumour:a", "canary": "tumour:b", "canary_percent": 5, "shadows": {"tumour:c": 100}, **traffic}
    return Endpoint(name=name, target="kubernetes", releases=releases, running=running, traffic=Traffic(**shares))


def config_map(made, **data):
    half = configuration(made, SETTINGS)
    return {"data": {"endpoint": made.name, **half["data"], **data}, "binaryData": half["binaryData"]}


def packed(part, **data):
    text = json.dumps(part).encode()
    digest = hashlib.sha256(text).hexdigest()
    binary = {"documents": base64.b64encode(gzip.compress(text)).decode()}
    return {"data": {"endpoint": "tumour", "hash": digest, **data}, "binaryData": binary}


def frame():
    return json.loads(gateway_files(SETTINGS)["frame.json"])


def routes(document):
    return document["resources"][0]["virtual_hosts"][0]["routes"]


def test_the_parts_of_all_endpoints_are_joined_within_the_frame():
    parts = [pod_documents.part_of(config_map(endpoint(name)), SECRETS) for name in ("tumour", "churn")]
    joined = pod_documents.joined(frame(), parts, SECRETS.token)
    found = [route["name"] for route in routes(joined["edge"])]
    assert found[:3] == ["several hosts", "foreign host", "no token"]
    assert found[3].startswith("churn/")
    assert found[-1] == "unknown"
    assert "tumour/predict" in found
    clusters = {one["name"] for one in joined["cds"]["resources"]}
    assert {"tumour:a", "tumour:b", "shadow/tumour:c", "shadow-hop/tumour:c", "churn/tumour:a"} <= clusters
    assert len(clusters) == len(joined["cds"]["resources"]) == 8
    assert len(routes(joined["shadow"])) == 2
    assert joined == pod_documents.joined(frame(), reversed(parts), SECRETS.token)


def test_no_object_holds_a_secret_and_the_agent_fills_them_in():
    half = config_map(endpoint())
    part = pod_documents.part_of(half, SECRETS)
    text = json.dumps(part.edge)
    assert endpoint_salt("tumour", SECRETS.salt) in text
    assert pod_documents.SALT not in text
    with_token, without = (pod_documents.joined(frame(), [part], token) for token in (SECRETS.token, ""))
    assert f"Bearer {SECRETS.token}" in json.dumps(with_token)
    assert "no token" not in [route["name"] for route in routes(without["edge"])]
    assert pod_documents.TOKEN_PLACEHOLDER not in json.dumps([with_token, without])
    assert "%ENVIRONMENT(NBDEPLOY_GATEWAY_KEY)%" in gateway_files(SETTINGS)["bootstrap.json"]


def test_a_stopped_endpoint_has_no_routes():
    part = pod_documents.part_of(config_map(endpoint(running=False)), SECRETS)
    assert (part.cds, part.edge, part.shadow) == ((), (), ())
    assert pod_documents.part_of({"data": {"endpoint": "tumour", "hash": "x"}}, SECRETS) is None


CLUSTER = {"name": "tumour:a", "eds_cluster_config": {"service_name": "nbd-tumour-a"}}


@pytest.mark.parametrize(
    ("document", "why"),
    [
        (config_map(endpoint(), hash="another"), "do not have the hash"),
        (packed({}, endpoint=""), "no 'endpoint'"),
        ({**packed({}), "binaryData": {"documents": "%%%"}}, "cannot be unpacked"),
        ({**packed({}), "binaryData": {"documents": packed({})["binaryData"]["documents"][:-12]}}, "unpacked|cut off"),
        (packed([]), "another form"),
        (packed({"cds": [], "edge": []}), "another form: KeyError 'shadow'"),
        (packed({"cds": [CLUSTER | {"name": "churn:a"}], "edge": [], "shadow": []}), "not of this endpoint"),
        (packed({"cds": [], "edge": [{"name": "r", "match": {"prefix": "/"}}], "shadow": []}), "not of this endpoint"),
        (
            packed({"cds": [CLUSTER | {"eds_cluster_config": {"service_name": "../x"}}], "edge": [], "shadow": []}),
            "no name of a Service",
        ),
    ],
)
def test_a_config_map_that_cannot_be_used_is_refused_with_the_reason(document, why):
    with pytest.raises(Invalid, match=why):
        pod_documents.part_of(document, SECRETS)


def test_secrets_are_read_checked_and_masked(tmp_path):
    with pytest.raises(Invalid, match="'key' must be 32 to 512"):
        Secrets.read(tmp_path)
    (tmp_path / "key").write_text(f"{SECRETS.key}\n")
    assert Secrets.read(tmp_path) == Secrets(SECRETS.key, "", "")
    (tmp_path / "token").write_text("short")
    with pytest.raises(Invalid, match="'token' must be 16 to 512") as refused:
        Secrets.read(tmp_path)
    assert "short" not in str(refused.value)
    assert SECRETS.masked(f"a {SECRETS.key} b {SECRETS.token}") == "a ••• b •••"


def slice_of(service, *endpoints, port=8080, name="http"):
    metadata = {"labels": {"kubernetes.io/service-name": service}}
    return {"metadata": metadata, "ports": [{"name": name, "port": port}], "endpoints": list(endpoints)}


def one(address, **conditions):
    return {"addresses": [address], "conditions": conditions}


def test_addresses_are_those_of_ready_pods_or_of_pods_that_may_still_answer():
    found = pod_documents.pods_of(
        [
            slice_of("a", one("10.0.0.2", ready=True), one("10.0.0.1"), one("10.0.0.3", ready=False)),
            slice_of("a", one("10.0.0.4", ready=True)),
            slice_of("b", one("10.0.1.1", ready=False), one("10.0.1.2", ready=False, terminating=True)),
            slice_of("c", one("10.0.2.1", ready=True), name="metrics"),
            {"metadata": {"name": "d"}, "subsets": None},
            {
                "metadata": {"name": "e"},
                "subsets": [
                    {
                        "addresses": [{"ip": "10.0.3.1"}],
                        "notReadyAddresses": [{"ip": "10.0.3.2"}],
                        "ports": [{"name": "http", "port": 8080}],
                    }
                ],
            },
        ]
    )
    assert found["a"].others == (("10.0.0.3", 8080),)
    assert pod_documents.addresses(found) == {
        "a": (("10.0.0.1", 8080), ("10.0.0.2", 8080), ("10.0.0.4", 8080)),
        "b": (("10.0.1.1", 8080),),
        "e": (("10.0.3.1", 8080),),
    }


def test_a_release_without_a_pod_has_an_address_that_refuses_connections():
    (resource,) = pod_documents.assignment("a", {})["resources"]
    (host,) = resource["endpoints"][0]["lb_endpoints"]
    assert host["endpoint"]["address"]["socket_address"] == {"address": "127.0.0.1", "port_value": 1}
    assert resource["cluster_name"] == "a"


def test_clients_may_use_the_gateways_names_and_any_address():
    (match,) = next(one for one in routes(frame()["edge"]) if one["name"] == "foreign host")["match"]["headers"]
    pattern = re.compile(match["string_match"]["safe_regex"]["regex"])
    for known in (
        "localhost:8780", "10.96.0.7:8780", "[fd00::7]:8780", "nbdeploy-gateway", "NBDEPLOY-gateway.models.svc:8780",
        "nbdeploy-gateway.models.svc.cluster.local", "models.example.org", "a.lab.example.org", "gate.io",
    ):  # fmt: skip
        assert pattern.fullmatch(known), known
    for foreign in (
        "evil.org", "nbdeploy-gateway.evil.org", "10.0.0.1.evil.org", "models.example.org.evil.org", "lab.example.org",
        "modelsXexample.org", "",
    ):  # fmt: skip
        assert not pattern.fullmatch(foreign), foreign


def test_other_settings_make_new_pods_of_the_gateway():
    def annotations(settings, image=IMAGE):
        (deployment,) = [one for one in gateway_objects(settings, image=image, pdb="") if one["kind"] == "Deployment"]
        return deployment["spec"]["template"]["metadata"]["annotations"]

    assert annotations(SETTINGS) == annotations(SETTINGS.model_copy(update={"gateway_replicas": 3}))
    assert annotations(SETTINGS) != annotations(SETTINGS.model_copy(update={"request_timeout": 7.0}))


@pytest.mark.parametrize(("pdb", "version"), [("policy/v1", "1.34.0"), ("policy/v1", "1.36.0")])
def test_the_objects_are_valid(pdb, version):
    import kubernetes_validate

    objects = gateway_objects(SETTINGS, image=IMAGE, pdb=pdb)
    assert [found["kind"] for found in objects] == ["ConfigMap", "Service", "PodDisruptionBudget", "Deployment"]
    for found in objects:
        kubernetes_validate.validate(found, version, strict=True)
    assert names.GATEWAY in {found["metadata"]["name"] for found in objects}
