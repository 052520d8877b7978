"""A gateway and releases in a namespace, without a store: routes are put in force as the target does."""

import base64
import gzip
import hashlib
import json
import time
from contextlib import suppress
from pathlib import Path

from jupyter_deploy.domain.release.endpoint import Endpoint
from jupyter_deploy.domain.release.traffic import Traffic
from jupyter_deploy.targets.kubernetes import names
from jupyter_deploy.targets.kubernetes.api import Api
from jupyter_deploy.targets.kubernetes.endpoint_maps import EndpointMaps
from jupyter_deploy.targets.kubernetes.gateway.configuration import configuration
from jupyter_deploy.targets.kubernetes.gateway.confirmation import wait_in_force
from jupyter_deploy.targets.kubernetes.gateway.objects import gateway_objects, gateway_rules
from jupyter_deploy.targets.kubernetes.releases import release_objects
from jupyter_deploy.targets.kubernetes.settings import ClusterSettings
from tests.releases import release

KEY = "the-key-of-the-tests-" + "k" * 32
ROW = {"age": 30, "weight": 60.5}


class Gateways:
    """The gateway of a namespace, and endpoints behind it."""

    def __init__(self, cluster, namespace, image):
        self.cluster, self.namespace = cluster, namespace
        self.settings = ClusterSettings(namespace=namespace, kubeconfig=cluster.kubeconfig, drain_delay=3)
        self.api = Api(self.settings)
        self.maps = EndpointMaps(lambda: self.api, "kubernetes")
        self.image, self.revision = str(image), 0

    def start(self, **secrets):
        """Apply what an administrator and the first deploy apply; return when the gateway is ready."""
        rbac = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": names.GATEWAY}
        subject = {"kind": "ServiceAccount", "name": names.GATEWAY, "namespace": self.namespace}
        version = "rbac.authorization.k8s.io/v1"
        objects = [
            self.made("v1", "ServiceAccount"),
            self.made(version, "Role", rules=gateway_rules()),
            self.made(version, "RoleBinding", roleRef=rbac, subjects=[subject]),
            self.made("v1", "Secret", stringData={"key": KEY, "salt": "salt-of-the-tests", **secrets}),
            *gateway_objects(self.settings, image=self.image, pdb="policy/v1beta1"),
        ]
        self.cluster.kubectl("apply", "-f", "-", document={"apiVersion": "v1", "kind": "List", "items": objects})
        self.rolled_out(names.GATEWAY)

    def made(self, version, kind, **content):
        metadata = {"name": names.GATEWAY, "namespace": self.namespace, "labels": names.labels("gateway")}
        return {"apiVersion": version, "kind": kind, "metadata": metadata, **content}

    def rolled_out(self, deployment):
        self.cluster.kubectl("-n", self.namespace, "rollout", "status", f"deployment/{deployment}", "--timeout=240s")

    def release(self, name, tag, image, replicas=1):
        """Start a release and return it."""
        made = release(tag.partition(":")[2], name=tag.partition(":")[0], endpoint=name, image=str(image))
        settings = self.settings.model_copy(update={"replicas": replicas})
        objects = release_objects(made, settings, versions={"PodDisruptionBudget": "policy/v1beta1"})
        self.cluster.kubectl("apply", "-f", "-", document={"apiVersion": "v1", "kind": "List", "items": objects})
        self.rolled_out(names.release_name(name, tag))
        return made

    def route(self, releases, running=True, wait=True, **traffic):
        """Put traffic in force; the seconds until every gateway has confirmed it."""
        self.revision += 1
        tags = {"stable": releases[0].tag, **traffic}
        endpoint = Endpoint(
            name=releases[0].endpoint,
            target="kubernetes",
            revision=self.revision,
            releases=tuple(releases),
            running=running,
            traffic=Traffic(**tags),
        )
        began, half = time.monotonic(), configuration(endpoint, self.settings)
        self.maps.route(endpoint, half)
        if wait:
            wait_in_force(self.api, endpoint.name, half["data"]["hash"], 15)
        return time.monotonic() - began

    def write(self, name, part=None, **data):
        """Write a ConfigMap of an endpoint that nbdeploy would not write; ``part``: its documents."""
        text = json.dumps(part or {}).encode()
        document = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": names.endpoint_name(name), "labels": names.labels("endpoint", name)},
            "data": {"endpoint": name, "revision": "1", "hash": hashlib.sha256(text).hexdigest()} | data,
            "binaryData": {"documents": base64.b64encode(gzip.compress(text)).decode()},
        }
        self.cluster.kubectl("-n", self.namespace, "apply", "-f", "-", document=document)

    def url(self):
        service = self.cluster.get(self.namespace, "service", names.GATEWAY)["spec"]["clusterIP"]
        return f"http://{service}:{self.settings.port}"

    def pods(self, component="gateway"):
        return self.cluster.pods(self.namespace, names.selector(component))

    def agents(self):
        """The processes of the agents on this machine, whose nodes' processes are its own."""
        for path in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                command, variables = ((path / name).read_bytes() for name in ("cmdline", "environ"))
                if b"start.py\0agent" in command and f"NBDEPLOY_NAMESPACE={self.namespace}\0".encode() in variables:
                    yield int(path.name)
