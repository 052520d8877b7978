"""The files of an endpoint's Compose project. Pure, as ``targets.envoy`` is.

::

    client ── 127.0.0.1:PORT ── gateway (Envoy) ─┬─ volume "A-sockets" ── service A of stable ── volume "A-data"
                                   │             ├─ volume "B-sockets" ── service B of the canary ── volume "B-data"
                                   │             └─ volume "C-sockets" ── service C of a shadow ── volume "C-data"
                                   └── volume "ledger"

Each release has its own volumes, so that none can read or change the records of another one, or answer in its place.
The volumes hold ``records/``, ``feedback/`` and ``ledger/``, as ``NBDEPLOY_HOME`` does.

The gateway's file lies in a folder of its own, which its container sees. When the file is replaced, the gateway puts
the new routes into force without a restart (``container_images/gateway_program/followed_file.py``). So its service
depends on nothing that a change of traffic changes.

A release listens on a unix socket, as behind the local gateway: over TCP a container ignores the headers for role and
pair id. So releases have no network; the documents are those of the local gateway.

Volumes first belong to root. A service of its own makes the folders in them, gives them to the user of the other
services, and ends; it is the only one with a capability.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from textwrap import indent
from typing import Any

import yaml
from typing_extensions import override

from jupyter_deploy.domain.images.compose import (
    COMPOSE_FILE,
    GATEWAY_FILE,
    README,
    TOKEN_VARIABLE,
    ComposePlan,
    service_of,
)
from jupyter_deploy.domain.images.images import GATEWAY_FOLDER, IMAGE_USER
from jupyter_deploy.domain.release.endpoint import Endpoint, Release
from jupyter_deploy.domain.release.resources import Resources
from jupyter_deploy.domain.secret_references import NAMES
from jupyter_deploy.serving.telemetry.records import SEGMENT_BYTES
from jupyter_deploy.targets.envoy import documents as envoy

Json = dict[str, Any]

GATEWAY = "gateway"
VOLUMES = "volumes"

_PYTHON = "/opt/nbdeploy/venv/bin/python"
_GATEWAYS_PYTHON = f"/{GATEWAY_FOLDER}/python"
_DATA, _SOCKETS = "/data", "/sockets"
_CONFIGURATION = PurePosixPath("/etc/nbdeploy") / GATEWAY_FILE
_ADMIN = "/tmp/admin.sock"
_TOKEN_PLACEHOLDER = f"${{{TOKEN_VARIABLE}}}"  # replaced by the token in the container


@dataclass(frozen=True)
class ComposeSettings:
    """Inputs of the files besides the plan; see ``LocalSettings``."""

    predict_timeout: float = 60.0
    grace_seconds: int = 60
    shadow_timeout: float = 30.0
    request_timeout: float = 120.0
    hosts: tuple[str, ...] = ()
    when_record_fails: str = "answer"
    segment_bytes: int = SEGMENT_BYTES


def texts(plan: ComposePlan, settings: ComposeSettings) -> dict[str, str]:
    """The project's files by path, in the order in which they are written."""
    documents = gateway_documents(plan, settings)
    bootstrap = hashlib.sha256(json.dumps(documents["bootstrap"]).encode()).hexdigest()[:12]
    return {
        GATEWAY_FILE: json.dumps(documents, indent=1, ensure_ascii=False) + "\n",
        README: _readme(plan),
        COMPOSE_FILE: _compose(plan, settings, bootstrap),
    }


def gateway_documents(plan: ComposePlan, settings: ComposeSettings) -> Json:
    """Envoy's bootstrap, and the documents that it watches, rendered as for the local gateway."""
    endpoint = plan.endpoint.model_copy(update={"running": True})
    services = {tag: service_of(tag) for tag in endpoint.traffic.tags()}
    sockets = {(endpoint.name, tag): f"{_SOCKETS}/{service}/{service}.sock" for tag, service in services.items()}
    inputs = gateway_settings(plan, settings)
    return {"bootstrap": envoy.bootstrap(inputs), **envoy.watched([endpoint], sockets, inputs)}


def gateway_settings(plan: ComposePlan, settings: ComposeSettings) -> envoy.GatewaySettings:
    """Inputs of the gateway's documents besides the endpoint."""
    return envoy.GatewaySettings(
        address="0.0.0.0",
        port=plan.port,
        admin_socket=_ADMIN,
        shadow_socket="/tmp/shadow.sock",
        xds="/tmp/xds",
        edge_log=f"{_DATA}/ledger/edge.jsonl",
        shadow_log=f"{_DATA}/ledger/shadow.jsonl",
        predict_timeout=settings.predict_timeout,
        shadow_timeout=settings.shadow_timeout,
        request_timeout=settings.request_timeout,
        hosts=(GATEWAY, *settings.hosts),  # its name for other services of the project
        token=_TOKEN_PLACEHOLDER if plan.token else "",
    )


def _compose(plan: ComposePlan, settings: ComposeSettings, bootstrap: str) -> str:
    endpoint = plan.endpoint
    services: list[tuple[str, Json]] = [
        (_words(endpoint, tag), {service_of(tag): _release(plan, tag, settings)}) for tag in endpoint.traffic.tags()
    ]
    words = "What clients talk to. It follows the routes in envoy.json; its label changes with the listeners there."
    services.append((words, {GATEWAY: _gateway(plan, settings, bootstrap)}))
    words = "Makes the folders in the volumes, gives them to the user of the others, and ends."
    services.append((words, {VOLUMES: _folders(plan)}))
    volumes: list[tuple[str, Json]] = [("The gateway's ledger, as it lies in nbdeploy's own home.", {"ledger": {}})]
    for release in endpoint.releases:
        service = service_of(release.tag)
        volumes += [
            (f"Records and feedback of {release.tag}.", {_data_of(service): {}}),
            (f"Where {release.tag} listens.", {_sockets_of(service): {}}),
        ]
    head = (
        f"# The endpoint {endpoint.name} as it was at revision {endpoint.revision}, by 'nbdeploy compose "
        f"{endpoint.name}'. README.md has the start command.\n"
    )
    return (
        f"{head}{_yaml({'name': endpoint.name})}\n"
        f"services:\n{chr(10).join(_entry(words, document) for words, document in services)}\n"
        f"volumes:\n{''.join(_entry(words, document) for words, document in volumes)}"
    )


def _words(endpoint: Endpoint, tag: str) -> str:
    role, percent = endpoint.traffic.role_of(tag), f"{endpoint.traffic.percent_of(tag):g} %"
    does = f"gets a copy of {percent} of the requests" if role == "shadow" else f"answers {percent} of the requests"
    return f"{tag}, {role}: {does}."


def _release(plan: ComposePlan, tag: str, settings: ComposeSettings) -> Json:
    release, service = plan.endpoint.release(tag), service_of(tag)
    socket = f"{_SOCKETS}/{service}.sock"
    health_check = [
        "import http.client, socket",
        "c = http.client.HTTPConnection('release')",
        "c.sock = socket.socket(socket.AF_UNIX)",
        f"c.sock.connect('{socket}')",
        "c.request('GET', '/readyz')",
        "raise SystemExit(c.getresponse().status != 200)",
    ]
    limits = _limits(release.resources)
    return {
        "image": str(plan.images[tag]),
        "command": ["--uds", socket],
        "environment": _environment(release, settings),
        **_powerless(),
        **({} if release.secrets else {"network_mode": "none"}),  # a secret opens something outside
        "tmpfs": ["/tmp"],  # models with packed files need one
        "volumes": [f"{_data_of(service)}:{_DATA}", f"{_sockets_of(service)}:{_SOCKETS}"],
        "depends_on": {VOLUMES: {"condition": "service_completed_successfully"}},
        "healthcheck": _healthcheck([_PYTHON, "-IS", "-c", "; ".join(health_check)]),
        **({"deploy": {"resources": limits}} if limits else {}),
        "restart": "unless-stopped",
        "stop_grace_period": f"{settings.grace_seconds + 5}s",
    }


def _environment(release: Release, settings: ComposeSettings) -> dict[str, str]:
    resources = release.resources
    variables = {
        "NBDEPLOY_ENDPOINT": release.endpoint,
        "NBDEPLOY_RECORDS": f"{_DATA}/{_records(release)}",
        "NBDEPLOY_FEEDBACK": f"{_DATA}/{_feedback(release.endpoint)}",
        "NBDEPLOY_GRACE_SECONDS": str(settings.grace_seconds),
    }
    if settings.when_record_fails != "answer":
        variables["NBDEPLOY_WHEN_RECORD_FAILS"] = settings.when_record_fails
    if settings.segment_bytes != SEGMENT_BYTES:
        variables["NBDEPLOY_SEGMENT_BYTES"] = str(settings.segment_bytes)
    if release.secrets:
        variables |= {NAMES: ",".join(release.secrets)}
        variables |= {name: f"${{{name}:?the secret {name} of {release.tag}}}" for name in release.secrets}
    variables |= resources.in_container
    if resources.gpu == "none":
        variables["CUDA_VISIBLE_DEVICES"] = "-1"
    return variables


def _limits(resources: Resources) -> Json:
    limits: Json = {}
    if resources.cpu:
        limits["cpus"] = f"{resources.cpu:g}"
    if resources.memory:
        limits["memory"] = f"{resources.memory}b"
    resource_limits: Json = {"limits": limits} if limits else {}
    if resources.gpu not in (None, "none"):
        devices = str(resources.gpu).split(",")
        reserved = {"driver": "nvidia", "device_ids": devices, "capabilities": ["gpu"]}
        resource_limits["reservations"] = {"devices": [reserved]}
    return resource_limits


def _gateway(plan: ComposePlan, settings: ComposeSettings, bootstrap: str) -> Json:
    needed = f"${{{TOKEN_VARIABLE}:?the token that clients must carry, 16 characters or more}}"
    return {
        "image": str(plan.gateway),
        "command": [str(_CONFIGURATION)],
        **({"environment": {TOKEN_VARIABLE: needed}} if plan.token else {}),
        **_powerless(),
        "tmpfs": ["/tmp"],
        "ports": [f"127.0.0.1:{plan.port}:{plan.port}"],
        # All releases' sockets, so that a change of the traffic alone mounts no other volume.
        "volumes": [
            f"./{PurePosixPath(GATEWAY_FILE).parent}:{_CONFIGURATION.parent}:ro,z",
            f"ledger:{_DATA}",
            *(f"{_sockets_of(service)}:{_SOCKETS}/{service}" for service in _services(plan)),
        ],
        # On no release: requests wait for one that starts, and a change of the traffic must not change this service.
        "depends_on": {VOLUMES: {"condition": "service_completed_successfully"}},
        "healthcheck": _healthcheck([_GATEWAYS_PYTHON, "-IS", f"/{GATEWAY_FOLDER}/start.py", "--ask", _ADMIN]),
        "labels": {"io.nbdeploy.gateway": bootstrap},
        "restart": "unless-stopped",
        "stop_grace_period": f"{settings.grace_seconds + 10}s",
    }


def _folders(plan: ComposePlan) -> Json:
    """The service that makes the folders, for every release of the endpoint, from the gateway's image.

    So a promotion does not change it, and the services that depend on it are not restarted.
    """
    folders, volumes = ["/ledger/ledger"], ["ledger:/ledger"]
    for release in plan.endpoint.releases:
        service = service_of(release.tag)
        data, sockets = f"{_DATA}/{service}", f"{_SOCKETS}/{service}"
        folders += [sockets, f"{data}/{_records(release)}", f"{data}/{_feedback(release.endpoint)}"]
        volumes += [f"{_data_of(service)}:{data}", f"{_sockets_of(service)}:{sockets}"]
    code = [
        "import os",
        "for folder in (",
        *(f'    "{folder}",' for folder in folders),
        "):",
        "    os.makedirs(folder, exist_ok=True)",
        f"    os.chown(folder, {IMAGE_USER}, {IMAGE_USER})",
    ]
    return {
        "image": str(plan.gateway),
        "entrypoint": [_GATEWAYS_PYTHON, "-IS", "-c", "\n".join(code) + "\n"],
        **_powerless("0:0"),
        "cap_add": ["CHOWN"],
        "network_mode": "none",
        "volumes": volumes,
    }


def _services(plan: ComposePlan) -> list[str]:
    return [service_of(release.tag) for release in plan.endpoint.releases]


def _data_of(service: str) -> str:
    return f"{service}-data"


def _sockets_of(service: str) -> str:
    return f"{service}-sockets"


def _powerless(user: str = f"{IMAGE_USER}:{IMAGE_USER}") -> Json:
    return {
        "user": user,
        "read_only": True,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
    }


def _healthcheck(command: Sequence[str]) -> Json:
    return {
        "test": ["CMD", *command],
        "interval": "10s",
        "timeout": "5s",
        "retries": 3,
        "start_period": "120s",
    }


def _records(release: Release) -> str:
    return f"records/{release.endpoint}/{release.version}"


def _feedback(endpoint: str) -> str:
    return f"feedback/{endpoint}"


def _readme(plan: ComposePlan) -> str:
    name = plan.endpoint.name
    token = f" (clients must carry a token: set {TOKEN_VARIABLE} for it)" if plan.token else ""
    return (
        f"# {name}, revision {plan.endpoint.revision}\n"
        "\n"
        "- In this folder, `podman-compose pull && podman-compose up --detach` or `docker compose up --detach` starts "
        f"the endpoint{token}, `… down` stops it. Without `pull`, podman-compose waits for ever if an image cannot be "
        "pulled.\n"
        f"- It answers at http://127.0.0.1:{plan.port}/{name}/predict; `… ps` and `… logs` show its state.\n"
        f"- Records stay in the volumes `{name}_SERVICE-data`, one for each release, and the gateway's ledger in "
        f"`{name}_ledger`; `… down --volumes` removes them, too.\n"
        f"- After a change of the endpoint, `nbdeploy compose {name}` writes these files anew. The gateway follows new "
        "shares at once; `… up --detach` starts new releases. A release without traffic runs until you remove its "
        "container.\n"
        f"- Put your own changes into a file `compose.override.yaml` in this folder, which nbdeploy never touches.\n"
    )


class _Dumper(yaml.SafeDumper):
    """Writes indented lists and block scalars, without references."""

    @override
    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, indentless=False)

    @override
    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def _yaml(document: Mapping[str, Any]) -> str:
    text: str = yaml.dump(dict(document), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1000)
    return text


def _entry(words: str, document: Mapping[str, Any]) -> str:
    """One entry of a section, below a comment."""
    return indent(f"# {words}\n{_yaml(document)}", "  ")
